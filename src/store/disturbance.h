/* disturbance.h: which runs other load disturbed: by the CPU times that are stored with a run, and
 * record/share.h's rule, or where there are none (they are stored with what is attributed) by what the run's
 * note says. */
#ifndef JOULERY_STORE_DISTURBANCE_H
#define JOULERY_STORE_DISTURBANCE_H

#include "record/share.h"
#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

struct disturbance {
    int64_t run;
    double share; /* of the processors' busy time, other programs'; a note has it in steps of a tenth */
};

struct disturbances {
    struct disturbance *runs; /* by number */
    size_t count;
};

/* Of runs that are done. Freed with disturbances_free, also after an error. */
int disturbances_load(struct store *store, struct disturbances *found, struct error *error);
void disturbances_free(struct disturbances *found);
/* 0: it was not disturbed, or nothing is known of it. */
double disturbances_share(const struct disturbances *found, int64_t run);

#endif
