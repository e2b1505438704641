#include "stats/linear.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_multifit.h>
#include <math.h>
#include <stdlib.h>

/* What GSL works on. */
struct system {
    gsl_matrix *design, *covariance;
    gsl_vector *y, *weights, *coefficients;
    gsl_multifit_linear_workspace *work;
};

static void free_system(struct system *system)
{
    gsl_multifit_linear_free(system->work);
    gsl_matrix_free(system->design);
    gsl_matrix_free(system->covariance);
    gsl_vector_free(system->y);
    gsl_vector_free(system->weights);
    gsl_vector_free(system->coefficients);
}

static int make_system(struct system *system, const double *x, const double *y, size_t count,
                       size_t regressors, struct error *error)
{
    size_t terms = regressors + 1;
    *system = (struct system){.design = gsl_matrix_alloc(count, terms),
                              .covariance = gsl_matrix_alloc(terms, terms),
                              .y = gsl_vector_alloc(count),
                              .weights = gsl_vector_alloc(count),
                              .coefficients = gsl_vector_alloc(terms),
                              .work = gsl_multifit_linear_alloc(count, terms)};
    if (!system->design || !system->covariance || !system->y || !system->weights || !system->coefficients ||
        !system->work)
        return error_memory(error, "regression");
    gsl_vector_set_all(system->weights, 1); /* with weights GSL leaves the covariance unscaled */
    for (size_t i = 0; i < count; i++) {
        gsl_matrix_set(system->design, i, 0, 1);
        for (size_t k = 0; k < regressors; k++)
            gsl_matrix_set(system->design, i, k + 1, x[i * regressors + k]);
        gsl_vector_set(system->y, i, y[i]);
    }
    return 0;
}

/* Singular values below this share of the largest, columns balanced, are rounding. */
#define RANK_TOLERANCE 1e-9

static int solve(struct system *system, struct linear *fit)
{
    double squares;
    gsl_multifit_linear_bsvd(system->design, system->work);
    if (gsl_multifit_linear_rank(RANK_TOLERANCE, system->work) < fit->terms)
        return 0;
    gsl_multifit_wlinear(system->design, system->weights, system->y, system->coefficients, system->covariance,
                         &squares, system->work);
    fit->degrees_of_freedom = (double)(fit->count - fit->terms);
    fit->sd = sqrt(squares / fit->degrees_of_freedom);
    for (size_t i = 0; i < fit->terms; i++) {
        fit->coefficients[i] = gsl_vector_get(system->coefficients, i);
        for (size_t k = 0; k < fit->terms; k++)
            fit->unscaled[i][k] = gsl_matrix_get(system->covariance, i, k);
    }
    return 1;
}

int stats_linear_fit(const double *x, const double *y, size_t count, size_t regressors, struct linear *fit,
                     struct error *error)
{
    *fit = (struct linear){.count = count, .terms = regressors + 1};
    if (regressors > LINEAR_REGRESSORS_MOST || count <= regressors + 1)
        return 0;
    struct system system;
    int result = make_system(&system, x, y, count, regressors, error);
    if (result == 0)
        result = solve(&system, fit);
    free_system(&system);
    return result;
}

void stats_linear_widen(struct linear *fit, double sd, double degrees_of_freedom)
{
    fit->sd = fmax(fit->sd, sd);
    fit->degrees_of_freedom = fmax(fmin(fit->degrees_of_freedom, degrees_of_freedom), 1);
}

static struct interval around(const struct linear *fit, double value, double relative_variance)
{
    double t = gsl_cdf_tdist_Pinv(0.975, fit->degrees_of_freedom);
    double half = t * fit->sd * sqrt(fmax(relative_variance, 0));
    return (struct interval){value, value - half, value + half};
}

struct interval stats_linear_coefficient(const struct linear *fit, size_t term)
{
    return around(fit, fit->coefficients[term], fit->unscaled[term][term]);
}

static double value_at(const struct linear *fit, const double *x)
{
    double value = fit->coefficients[0];
    for (size_t k = 1; k < fit->terms; k++)
        value += fit->coefficients[k] * x[k - 1];
    return value;
}

double stats_linear_leverage(const struct linear *fit, const double *x)
{
    double leverage = 0;
    for (size_t i = 0; i < fit->terms; i++)
        for (size_t k = 0; k < fit->terms; k++)
            leverage += (i ? x[i - 1] : 1) * fit->unscaled[i][k] * (k ? x[k - 1] : 1);
    return fmax(leverage, 0);
}

struct interval stats_linear_predict(const struct linear *fit, const double *x)
{
    return around(fit, value_at(fit, x), 1 + stats_linear_leverage(fit, x));
}

/* ---- leaving out ---- */

struct left {
    double *x, *y; /* observations of the other groups */
    size_t count;
};

static void keep_others(struct left *left, const double *x, const double *y, const size_t *groups,
                        size_t count, size_t regressors, size_t without)
{
    left->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (groups[i] == without)
            continue;
        for (size_t k = 0; k < regressors; k++)
            left->x[left->count * regressors + k] = x[i * regressors + k];
        left->y[left->count++] = y[i];
    }
}

/* Whether an earlier observation has that group. */
static bool is_done(const size_t *groups, size_t i)
{
    size_t before = 0;
    while (before < i && groups[before] != groups[i])
        before++;
    return before < i;
}

int stats_linear_leave_out(const double *x, const double *y, const size_t *groups, size_t count,
                           size_t regressors, double *errors, struct error *error)
{
    struct left left = {calloc(count * regressors + 1, sizeof *left.x), calloc(count + 1, sizeof *left.y), 0};
    int result = left.x && left.y ? 0 : error_memory(error, "regression");
    for (size_t i = 0; i < count && result >= 0; i++) {
        struct linear fit;
        if (is_done(groups, i))
            continue;
        keep_others(&left, x, y, groups, count, regressors, groups[i]);
        result = stats_linear_fit(left.x, left.y, left.count, regressors, &fit, error);
        for (size_t k = i; k < count && result >= 0; k++)
            if (groups[k] == groups[i])
                errors[k] = result ? y[k] - value_at(&fit, x + k * regressors) : NAN;
    }
    free(left.x);
    free(left.y);
    return result < 0 ? -1 : 0;
}

/* ---- which regressors tell the same ---- */

/* Column k as what the others are to explain. */
static void split_column(const double *x, size_t count, size_t regressors, size_t column, double *others,
                         double *y)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = 0;
        for (size_t k = 0; k < regressors; k++)
            if (k != column)
                others[i * (regressors - 1) + at++] = x[i * regressors + k];
        y[i] = x[i * regressors + column];
    }
}

static double squares_about_mean(const double *y, size_t count)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        mean += y[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (y[i] - mean) * (y[i] - mean);
    return squares;
}

int stats_linear_inflation(const double *x, size_t count, size_t regressors, double *factors,
                           struct error *error)
{
    double *others = calloc(count * regressors + 1, sizeof *others), *y = calloc(count + 1, sizeof *y);
    int result = others && y ? 0 : error_memory(error, "regression");
    for (size_t k = 0; k < regressors && result >= 0; k++) {
        struct linear fit;
        split_column(x, count, regressors, k, others, y);
        double all = squares_about_mean(y, count);
        factors[k] = all > 0 ? 1 : INFINITY;
        if (regressors == 1)
            continue;
        result = stats_linear_fit(others, y, count, regressors - 1, &fit, error);
        double left = fit.sd * fit.sd * fit.degrees_of_freedom;
        factors[k] = result == 1 && left > 0 ? all / left : INFINITY;
    }
    free(others);
    free(y);
    return result < 0 ? -1 : 0;
}
