/* Tests on pairs and their differences. */
#include "stats/pairs.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct ranked {
    double value;
    size_t place;
};

static int by_ranked_value(const void *a, const void *b)
{
    return by_value(&((const struct ranked *)a)->value, &((const struct ranked *)b)->value);
}

int stats_ranks(const double *values, size_t count, double *ranks, double *ties, struct error *error)
{
    struct ranked *order = calloc(count + 1, sizeof *order);
    *ties = 0;
    if (!order)
        return error_memory(error, "ranks");
    for (size_t i = 0; i < count; i++)
        order[i] = (struct ranked){values[i], i};
    qsort(order, count, sizeof *order, by_ranked_value);
    for (size_t i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && order[end].value == order[i].value;)
            end++;
        double tied = (double)(end - i);
        *ties += tied * tied * tied - tied;
        for (size_t k = i; k < end; k++)
            ranks[order[k].place] = ((double)(i + 1) + (double)end) / 2;
    }
    free(order);
    return 0;
}

int stats_spearman(const double *x, const double *y, size_t count, double *rho, struct error *error)
{
    double *ranks = calloc(2 * count + 1, sizeof *ranks), ties;
    *rho = NAN;
    if (!ranks)
        return error_memory(error, "ranks");
    int result = stats_ranks(x, count, ranks, &ties, error);
    if (result == 0)
        result = stats_ranks(y, count, ranks + count, &ties, error);
    if (result == 0)
        *rho = stats_pearson(ranks, ranks + count, count).value;
    free(ranks);
    return result;
}

/* ---- Shapiro and Wilk ---- */

static double polynomial(const double *c, size_t count, double x)
{
    double sum = 0;
    while (count-- > 0)
        sum = sum * x + c[count];
    return sum;
}

#define POLYNOMIAL(c, x) polynomial(c, sizeof(c) / sizeof *(c), x)

/* Half of the weights, of the largest values first; n >= 3. Royston 1995, section 2. */
static void shapiro_weights(size_t n, double *a)
{
    static const double last[] = {0, 0.221157, -0.147981, -2.07119, 4.434685, -2.706056};
    static const double next[] = {0, 0.042981, -0.293762, -1.752461, 5.682633, -3.582633};
    size_t half = n / 2;
    double squares = 0, root = 1 / sqrt((double)n);
    if (n == 3) {
        a[0] = sqrt(0.5);
        return;
    }
    for (size_t i = 0; i < half; i++) {
        a[i] = -gsl_cdf_ugaussian_Pinv(((double)i + 1 - 0.375) / ((double)n + 0.25));
        squares += 2 * a[i] * a[i];
    }
    double first = a[0], second = half > 1 ? a[1] : 0;
    double a0 = POLYNOMIAL(last, root) + first / sqrt(squares), a1 = 0, phi;
    size_t from = 1;
    if (n > 5) {
        a1 = POLYNOMIAL(next, root) + second / sqrt(squares);
        phi = (squares - 2 * first * first - 2 * second * second) / (1 - 2 * a0 * a0 - 2 * a1 * a1);
        from = 2;
    } else {
        phi = (squares - 2 * first * first) / (1 - 2 * a0 * a0);
    }
    for (size_t i = from; i < half; i++)
        a[i] /= sqrt(phi);
    a[0] = a0;
    if (from == 2)
        a[1] = a1;
}

static double shapiro_p(double w, size_t count)
{
    static const double gamma_of[] = {-2.273, 0.459}, mean_small[] = {0.544, -0.39978, 0.025054, -6.714e-4},
                        sd_small[] = {1.3822, -0.77857, 0.062767, -0.0020322},
                        mean_large[] = {-1.5861, -0.31082, -0.083751, 0.0038915},
                        sd_large[] = {-0.4803, -0.082676, 0.0030302};
    double n = (double)count, y = log(1 - w), log_n = log(n);
    if (count == 3) /* exact */
        return fmin(fmax(6 / M_PI * (asin(sqrt(w)) - asin(sqrt(0.75))), 0), 1);
    double mean, sd;
    if (count <= 11) {
        double gamma = POLYNOMIAL(gamma_of, n);
        if (y >= gamma)
            return 0;
        y = -log(gamma - y);
        mean = POLYNOMIAL(mean_small, n);
        sd = exp(POLYNOMIAL(sd_small, n));
    } else {
        mean = POLYNOMIAL(mean_large, log_n);
        sd = exp(POLYNOMIAL(sd_large, log_n));
    }
    return gsl_cdf_gaussian_Q(y - mean, sd);
}

int stats_shapiro_wilk(const double *values, size_t count, double *w, double *p, struct error *error)
{
    *w = *p = NAN;
    if (count < 3 || count > 5000)
        return 0;
    double *sorted = calloc(2 * count, sizeof *sorted), *a = sorted + count;
    if (!sorted)
        return error_memory(error, "Shapiro-Wilk");
    memcpy(sorted, values, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_value);
    double mean = 0, squares = 0, weighted = 0;
    for (size_t i = 0; i < count; i++)
        mean += sorted[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (sorted[i] - mean) * (sorted[i] - mean);
    if (sorted[count - 1] - sorted[0] > 1e-12 * fabs(mean) && squares > 0) {
        shapiro_weights(count, a);
        for (size_t i = 0; i < count / 2; i++)
            weighted += a[i] * (sorted[count - 1 - i] - sorted[i]);
        *w = fmin(weighted * weighted / squares, 1);
        *p = *w < 1 ? shapiro_p(*w, count) : 1;
    }
    free(sorted);
    return 0;
}

/* ---- differences ---- */

void stats_paired_t(const double *x, const double *y, size_t count, double *t, double *p)
{
    struct agreement a;
    stats_bland_altman(x, y, count, &a);
    *t = *p = NAN;
    if (!(a.sd > 0))
        return;
    *t = a.bias.value / (a.sd / sqrt((double)count));
    *p = 2 * gsl_cdf_tdist_Q(fabs(*t), (double)count - 1);
}

/* P(V <= sum) of the sum of ranks 1 .. n, each with probability a half. */
static int exact_p(size_t n, size_t sum, double *p, struct error *error)
{
    size_t most = n * (n + 1) / 2;
    double *ways = calloc(most + 1, sizeof *ways), below = 0;
    if (!ways)
        return error_memory(error, "Wilcoxon");
    ways[0] = 1;
    for (size_t r = 1; r <= n; r++)
        for (size_t s = most; s >= r; s--)
            ways[s] += ways[s - r];
    for (size_t s = 0; s <= sum; s++)
        below += ways[s];
    *p = ldexp(below, -(int)n);
    free(ways);
    return 0;
}

static int wilcoxon_p(double sum, size_t n, double ties, bool exact, double *p, struct error *error)
{
    double most = (double)n * ((double)n + 1) / 2;
    if (exact) {
        double lower = fmin(sum, most - sum);
        if (exact_p(n, (size_t)lower, p, error) < 0)
            return -1;
        *p = fmin(2 * *p, 1);
        return 0;
    }
    double mean = most / 2, variance = most * (2 * (double)n + 1) / 12 - ties / 48;
    double apart = sum - mean, correction = apart > 0 ? 0.5 : apart < 0 ? -0.5 : 0;
    *p = variance > 0 ? 2 * gsl_cdf_ugaussian_Q(fabs(apart - correction) / sqrt(variance)) : NAN;
    return 0;
}

int stats_wilcoxon(const double *x, const double *y, size_t count, double *sum, double *p, bool *exact,
                   struct error *error)
{
    double *differences = calloc(3 * count + 1, sizeof *differences), ties;
    *sum = *p = NAN;
    *exact = false;
    if (!differences)
        return error_memory(error, "Wilcoxon");
    double *sizes = differences + count, *ranks = sizes + count;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        if (y[i] == x[i])
            continue;
        differences[n] = y[i] - x[i];
        sizes[n] = fabs(differences[n]);
        n++;
    }
    int result = stats_ranks(sizes, n, ranks, &ties, error);
    if (result == 0 && n > 0) {
        *sum = 0;
        for (size_t i = 0; i < n; i++)
            *sum += differences[i] > 0 ? ranks[i] : 0;
        *exact = n < 50 && ties == 0 && n == count;
        result = wilcoxon_p(*sum, n, ties, *exact, p, error);
    }
    free(differences);
    return result;
}

int stats_paired(const double *x, const double *y, size_t count, struct paired *paired, struct error *error)
{
    double *differences = calloc(count + 1, sizeof *differences), w;
    *paired = (struct paired){.normal_p = NAN, .statistic = NAN, .p = NAN};
    if (!differences)
        return error_memory(error, "paired test");
    for (size_t i = 0; i < count; i++)
        differences[i] = y[i] - x[i];
    int result = stats_shapiro_wilk(differences, count, &w, &paired->normal_p, error);
    free(differences);
    if (result < 0 || isnan(paired->normal_p))
        return result;
    if (paired->normal_p > 0.05) {
        paired->test = PAIR_T;
        stats_paired_t(x, y, count, &paired->statistic, &paired->p);
        return 0;
    }
    paired->test = PAIR_WILCOXON;
    return stats_wilcoxon(x, y, count, &paired->statistic, &paired->p, &paired->exact, error);
}
