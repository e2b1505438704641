/* How many repetitions a difference takes. */
#include "stats/groups.h"
#include "stats/studentized.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

struct noncentral {
    double critical, shift;
};

/* The numerator of t is normal about the shift, its denominator the sd: both independent. */
static double above(double s, const void *context)
{
    const struct noncentral *t = context;
    return gsl_cdf_ugaussian_Q(t->critical * s - t->shift);
}

double stats_power(double difference, double sd, double count)
{
    double df = 2 * count - 2;
    if (!(sd > 0) || !(df >= 1))
        return NAN;
    struct noncentral t = {gsl_cdf_tdist_Qinv(0.025, df), fabs(difference) / sd * sqrt(count / 2)};
    return stats_over_sd(df, INFINITY, above, &t);
}

size_t stats_repetitions(double difference, double sd, double power)
{
    size_t low = 1, high = 2;
    if (!(sd > 0) || !(fabs(difference) > 0))
        return 0;
    while (high <= 1 << 20 && stats_power(difference, sd, (double)high) < power) {
        low = high;
        high *= 2;
    }
    if (high > 1 << 20)
        return 0;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (stats_power(difference, sd, (double)middle) < power)
            low = middle;
        else
            high = middle;
    }
    return high;
}
