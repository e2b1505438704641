/* The studentised range. */
#include "stats/studentized.h"
#include "stats/groups.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_integration.h>
#include <gsl/gsl_sf_gamma.h>
#include <math.h>

/* Beyond so many standard deviations a normal distribution has less than a double can say beside 1. */
#define TAIL 8.5

enum { POINTS_OF_SD = 64, POINTS_OF_RANGE = 96 };

static double sum_up(double from, double to, size_t points, double (*function)(double x, const void *context),
                     const void *context)
{
    /* tables of this size are constants of GSL's; only the struct is allocated */
    gsl_integration_glfixed_table *table = gsl_integration_glfixed_table_alloc(points);
    double sum = 0;
    for (size_t i = 0; table && i < points; i++) {
        double x, weight;
        gsl_integration_glfixed_point(from, to, i, &x, &weight, table);
        sum += weight * function(x, context);
    }
    bool failed = !table;
    gsl_integration_glfixed_table_free(table);
    return failed ? NAN : sum;
}

struct over_sd {
    double df, constant;
    double (*function)(double s, const void *context);
    const void *context;
};

static double weigh_sd(double s, const void *context)
{
    const struct over_sd *o = context;
    if (!(s > 0))
        return 0;
    return exp(o->constant + (o->df - 1) * log(s) - o->df * s * s / 2) * o->function(s, o->context);
}

/* Wilson and Hilferty's cube: near enough to say where there is next to nothing. */
static double sd_at(double df, double z)
{
    double root = 1 - 2 / (9 * df) + z * sqrt(2 / (9 * df));
    return root > 0 ? pow(root, 1.5) : 0;
}

double stats_over_sd(double df, double most, double (*function)(double s, const void *context),
                     const void *context)
{
    struct over_sd over = {df, M_LN2 + df / 2 * log(df / 2) - gsl_sf_lngamma(df / 2), function, context};
    double from = sd_at(df, -TAIL), to = fmin(sd_at(df, TAIL), most);
    return to > from ? sum_up(from, to, POINTS_OF_SD, weigh_sd, &over) : 0;
}

struct range {
    double q;
    size_t groups;
    double width;
};

/* The lowest of the means is at z, all others within the width above it. */
static double lowest_at(double z, const void *context)
{
    const struct range *r = context;
    double inside = gsl_cdf_ugaussian_P(z + r->width) - gsl_cdf_ugaussian_P(z);
    return exp(-z * z / 2) / sqrt(2 * M_PI) * (double)r->groups * pow(inside, (double)r->groups - 1);
}

static double outside(double s, const void *context)
{
    struct range r = *(const struct range *)context;
    r.width = r.q * s;
    return fmax(1 - sum_up(-TAIL, TAIL, POINTS_OF_RANGE, lowest_at, &r), 0);
}

double stats_studentized_p(double q, size_t groups, double degrees_of_freedom)
{
    if (!(degrees_of_freedom >= 1) || groups < 2 || isnan(q))
        return NAN;
    if (!(q > 0))
        return 1;
    /* where outside() is 0 there is nothing to add up, and points are better spent below */
    return fmin(stats_over_sd(degrees_of_freedom, 2 * TAIL / q, outside, &(struct range){q, groups, 0}), 1);
}

double stats_studentized_q(double p, size_t groups, double degrees_of_freedom)
{
    double low = 0, high = 4;
    if (!(p > 0 && p < 1) || isnan(stats_studentized_p(1, groups, degrees_of_freedom)))
        return NAN;
    while (stats_studentized_p(high, groups, degrees_of_freedom) > p && high < 1e6) {
        low = high;
        high *= 2;
    }
    double at_low = stats_studentized_p(low, groups, degrees_of_freedom) - p,
           at_high = stats_studentized_p(high, groups, degrees_of_freedom) - p;
    /* regula falsi with Illinois' halving: p falls smoothly */
    for (int i = 0; i < 100 && high - low > 1e-10 * high; i++) {
        double middle = (low * at_high - high * at_low) / (at_high - at_low);
        double at = stats_studentized_p(middle, groups, degrees_of_freedom) - p;
        if (fabs(at) < 1e-10)
            return middle;
        if (at > 0) {
            low = middle;
            at_high *= at_low == at ? 1 : 0.5;
            at_low = at;
        } else {
            high = middle;
            at_low *= 0.5;
            at_high = at;
        }
    }
    return (low + high) / 2;
}
