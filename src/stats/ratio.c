#include "stats/stats.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

struct log_moments {
    double mean, variance; /* variance: NAN for one value */
};

static bool log_moments(const double *values, size_t count, struct log_moments *moments)
{
    if (count == 0)
        return false;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        if (!(values[i] > 0))
            return false;
        sum += log(values[i]);
    }
    moments->mean = sum / (double)count;
    double squares = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = log(values[i]) - moments->mean;
        squares += difference * difference;
    }
    moments->variance = count > 1 ? squares / (double)(count - 1) : NAN;
    return true;
}

bool stats_ratio(const double *a, size_t a_count, const double *b, size_t b_count, struct ratio *ratio)
{
    *ratio = (struct ratio){NAN, NAN, NAN};
    struct log_moments of_a, of_b;
    if (!log_moments(a, a_count, &of_a) || !log_moments(b, b_count, &of_b))
        return false;
    double difference = of_a.mean - of_b.mean;
    ratio->ratio = exp(difference);
    double from_a = of_a.variance / (double)a_count, from_b = of_b.variance / (double)b_count;
    double variance = from_a + from_b;
    if (!(variance > 0))
        return true;
    /* Welch and Satterthwaite's degrees of freedom */
    double freedom = variance * variance /
                     (from_a * from_a / (double)(a_count - 1) + from_b * from_b / (double)(b_count - 1));
    double half = gsl_cdf_tdist_Pinv(0.975, freedom) * sqrt(variance);
    ratio->low = exp(difference - half);
    ratio->high = exp(difference + half);
    return true;
}
