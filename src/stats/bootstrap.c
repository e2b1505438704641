#include "stats/bootstrap.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Two draws of 32 bits from one number: a value is likelier than another by count / 2^32 at the most. */
static void draw(uint32_t *times, size_t count, struct random_stream *random)
{
    memset(times, 0, count * sizeof *times);
    for (size_t i = 0; i < count; i += 2) {
        uint64_t bits = random_u64(random);
        times[(bits >> 32) * count >> 32]++;
        if (i + 1 < count)
            times[(bits & UINT32_MAX) * count >> 32]++;
    }
}

static double mean_of(const double *sorted, const uint32_t *times, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += times[i] * sorted[i];
    return sum / (double)count;
}

/* The value of the given rank, from 0. */
static double ranked(const double *sorted, const uint32_t *times, size_t rank)
{
    size_t below = times[0], i = 0;
    while (below <= rank)
        below += times[++i];
    return sorted[i];
}

static double median_of(const double *sorted, const uint32_t *times, size_t count)
{
    double upper = ranked(sorted, times, count / 2);
    return count % 2 ? upper : (upper + ranked(sorted, times, count / 2 - 1)) / 2;
}

static double acceleration(const double *values, size_t count, double mean)
{
    double squares = 0, cubes = 0;
    for (size_t i = 0; i < count; i++) {
        double apart = values[i] - mean; /* the jackknife's means lie the other way, by 1 / (n - 1) of it */
        squares += apart * apart;
        cubes += apart * apart * apart;
    }
    return squares > 0 ? cubes / (6 * pow(squares, 1.5)) : 0;
}

static double corrected(double bias, double acceleration, double z)
{
    double shifted = bias + z;
    return gsl_cdf_ugaussian_P(bias + shifted / (1 - acceleration * shifted));
}

static struct interval bca(double *means, size_t resamples, double mean, double acceleration_of_mean)
{
    double below = 0;
    for (size_t i = 0; i < resamples; i++)
        below += means[i] < mean ? 1 : means[i] == mean ? 0.5 : 0;
    double share = below / (double)resamples;
    gsl_sort(means, 1, resamples);
    if (!(share > 0 && share < 1))
        return (struct interval){mean, means[0], means[resamples - 1]};
    double bias = gsl_cdf_ugaussian_Pinv(share), z = gsl_cdf_ugaussian_Pinv(0.975);
    return (struct interval){
        mean,
        gsl_stats_quantile_from_sorted_data(means, 1, resamples, corrected(bias, acceleration_of_mean, -z)),
        gsl_stats_quantile_from_sorted_data(means, 1, resamples, corrected(bias, acceleration_of_mean, z))};
}

int stats_bootstrap(const double *values, size_t count, size_t resamples, struct random_stream *random,
                    struct bootstrap *bootstrap, struct error *error)
{
    const struct interval unknown = {NAN, NAN, NAN};
    *bootstrap = (struct bootstrap){unknown, unknown};
    if (count < 2 || resamples < 2)
        return 0;
    double *sorted = calloc(count + 2 * resamples, sizeof *sorted);
    uint32_t *times = calloc(count, sizeof *times);
    int result = sorted && times ? 0 : error_memory(error, "bootstrap");
    if (result == 0) {
        double *means = sorted + count, *medians = means + resamples;
        memcpy(sorted, values, count * sizeof *sorted);
        gsl_sort(sorted, 1, count);
        for (size_t i = 0; i < count; i++)
            times[i] = 1;
        double mean = mean_of(sorted, times, count), median = median_of(sorted, times, count);
        for (size_t i = 0; i < resamples; i++) {
            draw(times, count, random);
            means[i] = mean_of(sorted, times, count);
            medians[i] = median_of(sorted, times, count);
        }
        bootstrap->mean = bca(means, resamples, mean, acceleration(sorted, count, mean));
        gsl_sort(medians, 1, resamples);
        bootstrap->median =
            (struct interval){median, gsl_stats_quantile_from_sorted_data(medians, 1, resamples, 0.025),
                              gsl_stats_quantile_from_sorted_data(medians, 1, resamples, 0.975)};
    }
    free(times);
    free(sorted);
    return result;
}
