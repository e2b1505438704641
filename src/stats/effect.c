/* Sizes of effects, and words for them. */
#include "stats/groups.h"

#include <gsl/gsl_sf_gamma.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>

double stats_cliff(const double *a, size_t a_count, const double *b, size_t b_count)
{
    double above = 0, below = 0;
    size_t less = 0, not_more = 0; /* of b, than a[i] */
    if (a_count == 0 || b_count == 0)
        return NAN;
    for (size_t i = 0; i < a_count; i++) {
        while (less < b_count && b[less] < a[i])
            less++;
        while (not_more < b_count && b[not_more] <= a[i])
            not_more++;
        above += (double)less;
        below += (double)(b_count - not_more);
    }
    return (above - below) / ((double)a_count * (double)b_count);
}

double stats_hedges(const double *a, size_t a_count, const double *b, size_t b_count)
{
    if (a_count == 0 || b_count == 0 || a_count + b_count < 3)
        return NAN;
    double mean_a = gsl_stats_mean(a, 1, a_count), mean_b = gsl_stats_mean(b, 1, b_count);
    double df = (double)(a_count + b_count) - 2;
    double squares = gsl_stats_tss_m(a, 1, a_count, mean_a) + gsl_stats_tss_m(b, 1, b_count, mean_b);
    if (!(squares > 0) || df < 2)
        return NAN;
    double correction = exp(gsl_sf_lngamma(df / 2) - gsl_sf_lngamma((df - 1) / 2)) / sqrt(df / 2);
    return correction * (mean_a - mean_b) / sqrt(squares / df);
}

static const char *word(double size, const double *from)
{
    static const char *const words[] = {"negligible", "small", "medium", "large"};
    size_t i = 0;
    if (isnan(size))
        return "";
    while (i < 3 && fabs(size) >= from[i])
        i++;
    return words[i];
}

const char *stats_delta_word(double delta)
{
    return word(delta, (const double[]){0.147, 0.33, 0.474});
}

const char *stats_g_word(double g)
{
    return word(g, (const double[]){0.2, 0.5, 0.8});
}

const char *stats_share_word(double share)
{
    return word(share, (const double[]){0.01, 0.06, 0.14});
}
