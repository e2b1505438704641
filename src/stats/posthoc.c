/* All pairs of groups. */
#include "stats/groups.h"
#include "stats/pairs.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>

#define ALPHA 0.05

struct moments {
    double n, mean, squares; /* about the mean */
};

static struct moments moments_of(const struct grouped *grouped, size_t group)
{
    const double *values = grouped->values;
    for (size_t g = 0; g < group; g++)
        values += grouped->sizes[g];
    size_t size = grouped->sizes[group];
    double mean = gsl_stats_mean(values, 1, size);
    return (struct moments){(double)size, mean, gsl_stats_tss_m(values, 1, size, mean)};
}

/* By the studentised range; `error_sd` of the difference. */
static void by_range(struct contrast *contrast, double error_sd, size_t groups, double df, double quantile)
{
    double half = quantile / M_SQRT2 * error_sd;
    contrast->statistic = fabs(contrast->difference) / (error_sd / M_SQRT2);
    contrast->adjusted_p = stats_studentized_p(contrast->statistic, groups, df);
    contrast->low = contrast->difference - half;
    contrast->high = contrast->difference + half;
}

static struct contrast begin(size_t a, size_t b, double difference)
{
    return (struct contrast){a, b, difference, NAN, NAN, NAN, NAN, NAN};
}

void stats_tukey(const struct grouped *grouped, struct contrast *contrasts)
{
    struct anova anova;
    stats_anova(grouped, &anova);
    double df = anova.test.df2, quantile = stats_studentized_q(ALPHA, grouped->groups, df);
    for (size_t a = 0; a < grouped->groups; a++) {
        struct moments of_a = moments_of(grouped, a);
        for (size_t b = a + 1; b < grouped->groups; b++) {
            struct moments of_b = moments_of(grouped, b);
            *contrasts = begin(a, b, of_a.mean - of_b.mean);
            by_range(contrasts++, sqrt(anova.mean_square * (1 / of_a.n + 1 / of_b.n)), grouped->groups, df,
                     quantile);
        }
    }
}

void stats_games_howell(const struct grouped *grouped, struct contrast *contrasts)
{
    for (size_t a = 0; a < grouped->groups; a++) {
        struct moments of_a = moments_of(grouped, a);
        double from_a = of_a.squares / (of_a.n - 1) / of_a.n;
        for (size_t b = a + 1; b < grouped->groups; b++, contrasts++) {
            struct moments of_b = moments_of(grouped, b);
            double from_b = of_b.squares / (of_b.n - 1) / of_b.n, variance = from_a + from_b;
            double df =
                variance * variance / (from_a * from_a / (of_a.n - 1) + from_b * from_b / (of_b.n - 1));
            *contrasts = begin(a, b, of_a.mean - of_b.mean);
            if (variance > 0 && df >= 1)
                by_range(contrasts, sqrt(variance), grouped->groups, df,
                         stats_studentized_q(ALPHA, grouped->groups, df));
        }
    }
}

/* ---- Holm ---- */

struct numbered {
    double p;
    size_t place;
};

static int by_p(const void *a, const void *b)
{
    double p = ((const struct numbered *)a)->p, q = ((const struct numbered *)b)->p;
    return (p > q) - (p < q);
}

int stats_holm(double *p, size_t count, struct error *error)
{
    struct numbered *order = calloc(count + 1, sizeof *order);
    size_t tests = 0;
    double so_far = 0;
    if (!order)
        return error_memory(error, "Holm's adjustment");
    for (size_t i = 0; i < count; i++)
        if (!isnan(p[i]))
            order[tests++] = (struct numbered){p[i], i};
    qsort(order, tests, sizeof *order, by_p);
    for (size_t i = 0; i < tests; i++) {
        so_far = fmax(so_far, fmin((double)(tests - i) * order[i].p, 1));
        p[order[i].place] = so_far;
    }
    free(order);
    return 0;
}

/* ---- Dunn ---- */

static void dunn(const struct grouped *ranks, double variance, struct contrast *contrasts, double *p)
{
    for (size_t a = 0; a < ranks->groups; a++) {
        struct moments of_a = moments_of(ranks, a);
        for (size_t b = a + 1; b < ranks->groups; b++, contrasts++) {
            struct moments of_b = moments_of(ranks, b);
            *contrasts = begin(a, b, of_a.mean - of_b.mean);
            contrasts->statistic = contrasts->difference / sqrt(variance * (1 / of_a.n + 1 / of_b.n));
            contrasts->p = variance > 0 ? 2 * gsl_cdf_ugaussian_Q(fabs(contrasts->statistic)) : NAN;
            *p++ = contrasts->p;
        }
    }
}

int stats_dunn(const struct grouped *grouped, struct contrast *contrasts, struct error *error)
{
    size_t count = stats_grouped_count(grouped), pairs = grouped->groups * (grouped->groups - 1) / 2;
    double n = (double)count, ties, *ranks = calloc(count + pairs + 1, sizeof *ranks);
    if (!ranks)
        return error_memory(error, "Dunn's test");
    double *p = ranks + count;
    int result = stats_ranks(grouped->values, count, ranks, &ties, error);
    if (result == 0) {
        double variance = n * (n + 1) / 12 - ties / (12 * (n - 1));
        dunn(&(struct grouped){ranks, grouped->sizes, grouped->groups}, variance, contrasts, p);
        result = stats_holm(p, pairs, error);
    }
    for (size_t i = 0; result == 0 && i < pairs; i++)
        contrasts[i].adjusted_p = p[i];
    free(ranks);
    return result;
}
