/* align_curve.h: what the two halves of align.h share: mean powers of either side between two instants. Only
 * for src/stats/. */
#ifndef JOULERY_STATS_ALIGN_CURVE_H
#define JOULERY_STATS_ALIGN_CURVE_H

#include "stats/align.h"

/* Energy so far, and the time of it that is covered. Between two instants a straight line or, where there are
 * powers, the parabola of a power that goes straight from one to the next. */
struct align_curve {
    const double *at_s, *energy_j, *covered_s;
    const double *power_w; /* NULL: a straight line */
    size_t count;
};

/* Mean power from one instant to a later one; NAN where it is not known throughout. */
double align_mean(const struct align_curve *curve, double from_s, double to_s);

/* A log with its sums; the usual interval of its readings, and above which nothing is known between two. */
struct align_sums {
    struct align_curve curve;
    double *energy_j, *covered_s;
    double interval_s, gap_s;
};
int align_sums_make(const struct align_log *log, struct align_sums *sums, struct error *error);
void align_sums_free(struct align_sums *sums);

/* Sums of pairs (x, y). */
struct align_pairs {
    double n, x, y, xx, yy, xy;
};
/* Pearson's; NAN without spread. */
double align_correlation(const struct align_pairs *pairs);
void align_line(const struct align_pairs *pairs, double *offset, double *slope);

/* What the search leaves to the fit. */
struct align_start {
    double step_s; /* the search's */
    double delay_s, drift;
    double delay_sd_s; /* by the width of what is likely */
};

/* From there on by least squares; fills in all but the verdict and the search's own. */
int align_fit(const struct align_sums *log, const struct align_log *readings, const struct align_run *runs,
              size_t count, const struct align_start *start, struct alignment *alignment,
              struct error *error);

#endif
