/* bootstrap.h: 95 % intervals that take no distribution for granted, from samples drawn anew out of the
 * values.
 *
 * Of the mean: bias-corrected and accelerated (Efron, Journal of the American Statistical Association 82,
 * 1987). Of the median, whose acceleration the jackknife can't tell: percentiles. NAN for fewer than 2
 * values. Of few values either is too narrow: what did not occur is not drawn. */
#ifndef JOULERY_STATS_BOOTSTRAP_H
#define JOULERY_STATS_BOOTSTRAP_H

#include "base/random.h"
#include "stats/pairs.h"

struct bootstrap {
    struct interval mean, median;
};

/* `resamples` samples of `count` (below 2^32) drawn from `random`: the same values and seed give the same
 * interval. -1 only if memory ran out. */
int stats_bootstrap(const double *values, size_t count, size_t resamples, struct random_stream *random,
                    struct bootstrap *bootstrap, struct error *error);

#endif
