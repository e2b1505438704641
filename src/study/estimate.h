/* estimate.h: what a study will take, by runs that were measured before: of the study itself, or of a short
 * pilot with the same factors. */
#ifndef JOULERY_STUDY_ESTIMATE_H
#define JOULERY_STUDY_ESTIMATE_H

#include "store/store.h"
#include "study/study.h"

struct estimate {
    size_t earlier; /* runs done that it rests on; 0: what follows is not known, but for left */
    size_t
        same; /* planned runs left for whose levels there are earlier ones; the others get the mean of all */
    size_t left;       /* planned runs neither done nor failed, where the store holds this very study */
    double wall_s;     /* of the runs left, with rests as far as they are fixed */
    double rest_s;     /* in wall_s: cool-downs of least seconds, and the machine measured at rest */
    double energy_j;   /* at the wall where there is a wattmeter; NAN: not known */
    double disk_bytes; /* by which the database grows */
};

/* `store`: where the earlier runs are. */
int estimate_plan(const struct study *study, const struct planned_run *plan, size_t count,
                  struct store *store, struct estimate *estimate, struct error *error);

#endif
