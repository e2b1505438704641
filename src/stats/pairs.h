/* pairs.h: two measurements of the same things held against each other: how far they are apart, along which
 * line, in which order.
 *
 * x[i] and y[i] are of the same thing; values are finite. Intervals are of 95 %. What can't be said (too few
 * pairs, no spread) is NAN. */
#ifndef JOULERY_STATS_PAIRS_H
#define JOULERY_STATS_PAIRS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct interval {
    double value, low, high;
};

/* Differences y - x (Bland and Altman, The Lancet 327, 1986): their mean, and the limits within which 95 % of
 * them lie if they are near to normal, mean -+ 1.96 sd, each with its interval (standard errors sd / sqrt(n)
 * and sd sqrt(3 / n), Student's t). Intervals need 2 pairs. */
struct agreement {
    size_t count;
    double sd;
    struct interval bias, lower, upper;
};
void stats_bland_altman(const double *x, const double *y, size_t count, struct agreement *agreement);

/* y = offset + slope x. All NAN for fewer than 3 pairs or an x without spread. */
struct line {
    size_t count;
    struct interval slope, offset;
    double residual_sd;       /* n - 2 in its denominator; NAN for stats_deming */
    double mean_x, squares_x; /* of x: the mean, and the sum of squares about it */
};
/* Least squares of y's distances; Student's t with n - 2 degrees of freedom. */
void stats_least_squares(const double *x, const double *y, size_t count, struct line *line);
/* Both have errors, those of y with `ratio` times the variance of those of x (Deming, 1943; Linnet, Clinical
 * Chemistry 39, 1993, for the jackknife's intervals). Scale matters: x and y are of one unit. */
void stats_deming(const double *x, const double *y, size_t count, double ratio, struct line *line);
/* Where a new y at `x` lies, of stats_least_squares. */
struct interval stats_predict(const struct line *line, double x);

/* smooth[i]: a line that need not be straight, at x[i], by locally weighted regression (Cleveland, Journal of
 * the American Statistical Association 74, 1979), as R's lowess() has it with delta = 0: each point's line
 * through the nearest `share` of all, with three rounds that give less weight to what is far from it. -1 only
 * if memory ran out. */
#define LOWESS_SHARE (2.0 / 3)
int stats_lowess(const double *x, const double *y, size_t count, double share, double *smooth,
                 struct error *error);

/* Ranks from 1; ties share their mean rank. `*ties`: the sum of t^3 - t over the groups of t that are tied.
 * -1 only if memory ran out. */
int stats_ranks(const double *values, size_t count, double *ranks, double *ties, struct error *error);

/* Correlations; intervals by Fisher's z, which needs 4 pairs. */
struct interval stats_pearson(const double *x, const double *y, size_t count);
/* Pearson's of the ranks; ties share their mean rank. -1 only if memory ran out. */
int stats_spearman(const double *x, const double *y, size_t count, double *rho, struct error *error);
/* The two-sided p of a correlation of `count` pairs by Student's t with n - 2 degrees of freedom: exact of
 * Pearson's where both are normal; of Spearman's as R's cor.test(exact = FALSE). NAN for fewer than 3 pairs.
 */
double stats_correlation_p(double correlation, size_t count);
/* Tau-b, which counts ties (Kendall, Biometrika 33, 1945). */
double stats_kendall(const double *x, const double *y, size_t count);
/* Lin's coefficient of concordance (Biometrics 45, 1989, with the correction of 56, 2000): how near the pairs
 * are to the line y = x; moments with n in their denominators. */
struct interval stats_concordance(const double *x, const double *y, size_t count);

/* Whether the values may be drawn from a normal distribution: Shapiro and Wilk's W and its p (Royston's AS
 * R94, Applied Statistics 44, 1995). NAN for fewer than 3 values, more than 5000, or no spread. -1 only if
 * memory ran out. */
int stats_shapiro_wilk(const double *values, size_t count, double *w, double *p, struct error *error);

/* Is y - x different from 0? Student's paired t where the differences may be normal (Shapiro-Wilk's p above
 * 0.05), else Wilcoxon's signed ranks: exact for fewer than 50 differences without ties or zeros, else by the
 * normal distribution with correction for ties and continuity; zeros are left out, as R's wilcox.test does.
 */
enum pair_test { PAIR_NONE, PAIR_T, PAIR_WILCOXON };
struct paired {
    enum pair_test test; /* PAIR_NONE: fewer than 3 pairs, or no difference differs */
    double normal_p;     /* Shapiro-Wilk's, of the differences */
    double statistic, p; /* t; or the sum of the ranks above 0 */
    bool exact;
};
int stats_paired(const double *x, const double *y, size_t count, struct paired *paired, struct error *error);

/* For who wants one of the two tests; NAN where it can't be said. */
void stats_paired_t(const double *x, const double *y, size_t count, double *t, double *p);
int stats_wilcoxon(const double *x, const double *y, size_t count, double *sum, double *p, bool *exact,
                   struct error *error);

#endif
