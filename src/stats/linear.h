/* linear.h: least squares with several regressors: coefficients, what a new observation will be, and what
 * leaving groups out shows. docs/method.md, "Calibration".
 *
 * y = c0 + c1 x1 + … of `count` observations; x has one row of `regressors` values an observation. Values are
 * finite. Intervals are of 95 %, by Student's t. */
#ifndef JOULERY_STATS_LINEAR_H
#define JOULERY_STATS_LINEAR_H

#include "stats/pairs.h"

#include <stdbool.h>
#include <stddef.h>

#define LINEAR_REGRESSORS_MOST 7
#define LINEAR_TERMS_MOST      (LINEAR_REGRESSORS_MOST + 1) /* and the constant, which is the first */

struct linear {
    size_t count, terms;
    double coefficients[LINEAR_TERMS_MOST];
    /* (X'X)^-1, R's cov.unscaled: times sd^2 it is the covariance of the coefficients. */
    double unscaled[LINEAR_TERMS_MOST][LINEAR_TERMS_MOST];
    double sd; /* of residuals, with count - terms in its denominator */
    double degrees_of_freedom;
};

/* Ordinary least squares, all observations alike (GSL's multifit). 1: fitted; 0: the regressors can't be told
 * apart (the matrix has not full rank), or there are not more observations than terms; -1: no memory. */
int stats_linear_fit(const double *x, const double *y, size_t count, size_t regressors, struct linear *fit,
                     struct error *error);

/* Takes residuals as no smaller than `sd`, and their spread as known with no more than so many degrees of
 * freedom (at least 1): where observations come in groups that are not independent. */
void stats_linear_widen(struct linear *fit, double sd, double degrees_of_freedom);

struct interval stats_linear_coefficient(const struct linear *fit, size_t term);
/* The fitted value at x[0..terms - 1), with the interval of a new observation there: that of R's
 * predict(…, interval = "prediction"). */
struct interval stats_linear_predict(const struct linear *fit, const double *x);

/* x0' (X'X)^-1 x0 with x0 = (1, x): how far x is from what was observed, in every direction at once. */
double stats_linear_leverage(const struct linear *fit, const double *x);

/* errors[i]: y[i] less what a fit without any observation of its group predicts; `groups` has a number an
 * observation. NAN where that fit can't be made. -1: no memory. */
int stats_linear_leave_out(const double *x, const double *y, const size_t *groups, size_t count,
                           size_t regressors, double *errors, struct error *error);

/* factors[k]: the variance inflation factor of regressor k, 1 / (1 - R^2) of its regression on the others
 * (Marquardt, Technometrics 12, 1970); 1 for a lone one, INFINITY where they tell it wholly or it does not
 * vary. -1: no memory. */
int stats_linear_inflation(const double *x, size_t count, size_t regressors, double *factors,
                           struct error *error);

#endif
