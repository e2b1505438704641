/* best_start.h: when a job emits least: its energy, as it is used over its time, laid over a forecast. */
#ifndef JOULERY_CARBON_BEST_START_H
#define JOULERY_CARBON_BEST_START_H

#include "carbon/profile.h"

/* A stretch of a job and the energy that it uses in it, evenly. */
struct job_piece {
    double duration_s; /* above 0 */
    double energy_j;   /* not below 0 */
};

/* One after another, without a break. Of the energies only the proportions count, and one is above 0. */
struct job {
    struct job_piece *pieces;
    size_t count;
};

double job_duration_s(const struct job *job);
double job_energy_j(const struct job *job);

struct job_start {
    double start_s;             /* since 1970, UTC */
    double intensity_g_per_kwh; /* of the whole job, weighted by its energy */
};

struct best_start {
    struct job_start best, worst; /* of starts as good (to a part in 1e9) the earliest */
    struct job_start now;         /* at the earliest start; its intensity is NAN where that is not known */
    double last_s;                /* the last start at which the whole of the job is known */
    double known_to_s;            /* where what is known of the time asked for ends */
    size_t holes;                 /* in the profile, from the earliest start on and before known_to_s */
};

/* The best of all starts from `earliest_s` to `latest_s` at which the profile knows every instant of the job.
 * The emissions of a job whose pieces use energy evenly are piecewise linear in its start, with bends where a
 * piece's edge meets a step's: looking at these, and at the ends, finds the exact optimum. -1 and `error`,
 * which names the profile's source: there is no such start, and why; or memory ran out. */
int best_start_find(const struct profile *profile, const struct job *job, double earliest_s, double latest_s,
                    struct best_start *found, struct error *error);

#endif
