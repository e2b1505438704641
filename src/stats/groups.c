#include "stats/groups.h"
#include "stats/pairs.h"

#include <float.h>
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct group_test no_test = {NAN, NAN, NAN, NAN};

size_t stats_grouped_count(const struct grouped *grouped)
{
    size_t count = 0;
    for (size_t g = 0; g < grouped->groups; g++)
        count += grouped->sizes[g];
    return count;
}

void stats_residuals(const struct grouped *grouped, double *out)
{
    const double *values = grouped->values;
    for (size_t g = 0; g < grouped->groups; g++) {
        size_t size = grouped->sizes[g];
        double mean = gsl_stats_mean(values, 1, size);
        for (size_t i = 0; i < size; i++)
            *out++ = values[i] - mean;
        values += size;
    }
}

/* Squares below this are of rounding. */
static double noise(const double *values, size_t count)
{
    double largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(values[i]));
    double step = 8 * DBL_EPSILON * largest;
    return (double)count * step * step;
}

static struct group_test f_test(double between, double df1, double within, double df2)
{
    double f = between / df1 / (within / df2);
    return (struct group_test){f, df1, df2, gsl_cdf_fdist_Q(f, df1, df2)};
}

void stats_anova(const struct grouped *grouped, struct anova *anova)
{
    size_t count = stats_grouped_count(grouped);
    double mean = gsl_stats_mean(grouped->values, 1, count), between = 0, within = 0;
    double df1 = (double)grouped->groups - 1, df2 = (double)count - (double)grouped->groups;
    const double *values = grouped->values;
    *anova = (struct anova){no_test, NAN, NAN, NAN};
    for (size_t g = 0; g < grouped->groups; g++) {
        size_t size = grouped->sizes[g];
        double own = gsl_stats_mean(values, 1, size);
        between += (double)size * (own - mean) * (own - mean);
        within += gsl_stats_tss_m(values, 1, size, own);
        values += size;
    }
    if (df1 < 1 || df2 < 1 || !(within > noise(grouped->values, count)))
        return;
    anova->mean_square = within / df2;
    anova->test = f_test(between, df1, within, df2);
    anova->eta_squared = between / (between + within);
    anova->omega_squared = (between - df1 * anova->mean_square) / (between + within + anova->mean_square);
}

/* One by the squared standard error of the mean; NAN where there is none. */
static double weight_of(const double *values, size_t size, double *mean)
{
    *mean = gsl_stats_mean(values, 1, size);
    double squares = gsl_stats_tss_m(values, 1, size, *mean), n = (double)size;
    return size > 1 && squares > noise(values, size) ? n * (n - 1) / squares : NAN;
}

void stats_welch(const struct grouped *grouped, struct group_test *test)
{
    const double *values = grouped->values;
    double k = (double)grouped->groups, weights = 0, sum = 0, spread = 0, between = 0, mean;
    *test = no_test;
    for (size_t g = 0; g < grouped->groups; values += grouped->sizes[g++]) {
        double weight = weight_of(values, grouped->sizes[g], &mean);
        weights += weight;
        sum += weight * mean;
    }
    if (grouped->groups < 2 || !(weights > 0))
        return;
    values = grouped->values;
    for (size_t g = 0; g < grouped->groups; values += grouped->sizes[g++]) {
        double weight = weight_of(values, grouped->sizes[g], &mean), rest = 1 - weight / weights;
        between += weight * (mean - sum / weights) * (mean - sum / weights);
        spread += rest * rest / ((double)grouped->sizes[g] - 1) / (k * k - 1);
    }
    double f = between / ((k - 1) * (1 + 2 * (k - 2) * spread)), df2 = 1 / (3 * spread);
    *test = (struct group_test){f, k - 1, df2, gsl_cdf_fdist_Q(f, k - 1, df2)};
}

int stats_levene(const struct grouped *grouped, struct group_test *test, struct error *error)
{
    size_t count = stats_grouped_count(grouped);
    double *distances = calloc(count + 1, sizeof *distances), *own = distances;
    struct anova anova;
    *test = no_test;
    if (!distances)
        return error_memory(error, "Levene's test");
    memcpy(distances, grouped->values, count * sizeof *distances);
    for (size_t g = 0; g < grouped->groups; own += grouped->sizes[g++]) {
        size_t size = grouped->sizes[g];
        gsl_sort(own, 1, size);
        double median = gsl_stats_median_from_sorted_data(own, 1, size);
        for (size_t i = 0; i < size; i++)
            own[i] = fabs(own[i] - median);
    }
    stats_anova(&(struct grouped){distances, grouped->sizes, grouped->groups}, &anova);
    /* distances of one size in each group are told to differ by rounding alone */
    if (anova.mean_square * anova.test.df2 > noise(grouped->values, count))
        *test = anova.test;
    free(distances);
    return 0;
}

int stats_kruskal(const struct grouped *grouped, struct group_test *test, double *epsilon_squared,
                  struct error *error)
{
    size_t count = stats_grouped_count(grouped);
    double *ranks = calloc(count + 1, sizeof *ranks), n = (double)count, ties, sum = 0;
    *test = no_test;
    *epsilon_squared = NAN;
    if (!ranks)
        return error_memory(error, "Kruskal-Wallis");
    int result = stats_ranks(grouped->values, count, ranks, &ties, error);
    const double *own = ranks;
    for (size_t g = 0; result == 0 && g < grouped->groups; own += grouped->sizes[g++]) {
        double size = (double)grouped->sizes[g], mean = gsl_stats_mean(own, 1, grouped->sizes[g]);
        sum += size * (mean - (n + 1) / 2) * (mean - (n + 1) / 2);
    }
    double untied = 1 - ties / (n * n * n - n), df = (double)grouped->groups - 1;
    if (result == 0 && df >= 1 && untied > 0) {
        double h = 12 * sum / (n * (n + 1)) / untied;
        *test = (struct group_test){h, df, NAN, gsl_cdf_chisq_Q(h, df)};
        *epsilon_squared = h / (n - 1);
    }
    free(ranks);
    return result;
}
