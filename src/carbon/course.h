/* course.h: how an energy was used over a run, in bounded memory, to be charged by the hour. */
#ifndef JOULERY_CARBON_COURSE_H
#define JOULERY_CARBON_COURSE_H

#include "carbon/charge.h"

#define COURSE_BINS 1024

/* Bins of equal width from the run's start. They begin at a second and are joined in pairs where a run is
 * longer: after a week they are ten minutes wide. Start with zeros. */
struct energy_course {
    double bin_s;
    double energy_j[COURSE_BINS];
};

/* An energy used evenly from..to, seconds since the run's start. What is no energy is left out. */
void course_add(struct energy_course *course, double from_s, double to_s, double energy_j);

/* What a run used in its wall_s, charged as the course says; by an even use where that is empty. `started_s`:
 * since 1970. */
struct charge course_charge(const struct energy_course *course, const struct location *location,
                            const struct profile *profile, double started_s, double wall_s);

#endif
