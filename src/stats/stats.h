/* stats.h: what the report says of repeated runs: summaries, intervals, comparisons, the Pareto front.
 *
 * Values are finite; callers leave out what isn't known. What can't be said (a spread of one value) is NAN.
 */
#ifndef JOULERY_STATS_STATS_H
#define JOULERY_STATS_STATS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Quartiles by linear interpolation (type 7 of Hyndman and Fan, The American Statistician 50, 1996; R's and
 * NumPy's default). sd has n - 1 in its denominator. low..high is the 95 % interval of the mean by Student's
 * t, which takes the repetitions as independent and near to normal; NAN, as sd, for one value. */
struct summary {
    size_t count; /* 0: nothing is known and all that follows is NAN */
    double mean, sd;
    double low, high;
    double least, q1, median, q3, most;
};

/* -1 only if memory ran out. */
int stats_summarise(const double *values, size_t count, struct summary *summary, struct error *error);

/* Cuts the interval to what the quantity can be at all (an energy is not negative, a share not above 1). */
void stats_bound_interval(struct summary *summary, double least, double most);

/* How many times as large `a` is as `b`: the ratio of geometric means, and its 95 % interval from Welch's
 * unequal variances t on the logarithms (Welch, Biometrika 34, 1947). low and high are NAN where a side has
 * one value, or where neither scatters. All values must be above 0: false, and NAN everywhere, if one isn't
 * or a side is empty. */
struct ratio {
    double ratio, low, high;
};
bool stats_ratio(const double *a, size_t a_count, const double *b, size_t b_count, struct ratio *ratio);

/* front[i]: no other point has at most the cost of point i and at least its gain, one of the two better.
 * -1 only if memory ran out. */
int stats_pareto(const double *cost, const double *gain, size_t count, bool *front, struct error *error);

#endif
