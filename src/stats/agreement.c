/* How far two measurements are apart, and along which line. */
#include "stats/pairs.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdint.h>

struct moments {
    double mean_x, mean_y, xx, yy, xy; /* sums of squares and products about the means */
};

/* Without pair `left_out` (SIZE_MAX: with all). */
static struct moments moments_of(const double *x, const double *y, size_t count, size_t left_out)
{
    struct moments m = {0};
    double used = (double)count - (left_out < count);
    for (size_t i = 0; i < count; i++) {
        m.mean_x += i == left_out ? 0 : x[i] / used;
        m.mean_y += i == left_out ? 0 : y[i] / used;
    }
    for (size_t i = 0; i < count; i++) {
        if (i == left_out)
            continue;
        m.xx += (x[i] - m.mean_x) * (x[i] - m.mean_x);
        m.yy += (y[i] - m.mean_y) * (y[i] - m.mean_y);
        m.xy += (x[i] - m.mean_x) * (y[i] - m.mean_y);
    }
    return m;
}

static struct interval around(double value, double half)
{
    return (struct interval){value, value - half, value + half};
}

static const struct interval unknown = {NAN, NAN, NAN};

void stats_bland_altman(const double *x, const double *y, size_t count, struct agreement *a)
{
    double mean = 0, squares = 0, n = (double)count;
    *a = (struct agreement){.count = count, .sd = NAN, .bias = unknown, .lower = unknown, .upper = unknown};
    for (size_t i = 0; i < count; i++)
        mean += (y[i] - x[i]) / n;
    if (count)
        a->bias.value = mean;
    if (count < 2)
        return;
    for (size_t i = 0; i < count; i++)
        squares += (y[i] - x[i] - mean) * (y[i] - x[i] - mean);
    a->sd = sqrt(squares / (n - 1));
    double t = gsl_cdf_tdist_Pinv(0.975, n - 1), of_limit = t * a->sd * sqrt(3 / n);
    a->bias = around(mean, t * a->sd / sqrt(n));
    a->lower = around(mean - 1.96 * a->sd, of_limit);
    a->upper = around(mean + 1.96 * a->sd, of_limit);
}

/* ---- lines ---- */

static const struct line no_line = {
    .slope = {NAN, NAN, NAN}, .offset = {NAN, NAN, NAN}, .residual_sd = NAN, .mean_x = NAN, .squares_x = NAN};

void stats_least_squares(const double *x, const double *y, size_t count, struct line *line)
{
    struct moments m = moments_of(x, y, count, SIZE_MAX);
    double n = (double)count;
    *line = no_line;
    line->count = count;
    if (count < 3 || !(m.xx > 0))
        return;
    double slope = m.xy / m.xx, offset = m.mean_y - slope * m.mean_x, squares = 0;
    for (size_t i = 0; i < count; i++) {
        double residual = y[i] - offset - slope * x[i];
        squares += residual * residual;
    }
    double t = gsl_cdf_tdist_Pinv(0.975, n - 2);
    line->residual_sd = sqrt(squares / (n - 2));
    line->mean_x = m.mean_x;
    line->squares_x = m.xx;
    line->slope = around(slope, t * line->residual_sd / sqrt(m.xx));
    line->offset = around(offset, t * line->residual_sd * sqrt(1 / n + m.mean_x * m.mean_x / m.xx));
}

struct interval stats_predict(const struct line *line, double x)
{
    double n = (double)line->count, from_mean = x - line->mean_x;
    if (!(line->squares_x > 0))
        return unknown;
    double spread = line->residual_sd * sqrt(1 + 1 / n + from_mean * from_mean / line->squares_x);
    return around(line->offset.value + line->slope.value * x, gsl_cdf_tdist_Pinv(0.975, n - 2) * spread);
}

static void deming(const struct moments *m, double ratio, double *slope, double *offset)
{
    double apart = m->yy - ratio * m->xx;
    *slope = (apart + sqrt(apart * apart + 4 * ratio * m->xy * m->xy)) / (2 * m->xy);
    *offset = m->mean_y - *slope * m->mean_x;
}

/* The standard error of the jackknife's mean of n pseudo-values. */
static double jackknife_error(double sum, double squares, double n)
{
    return sqrt(fmax((squares - sum * sum / n) / (n - 1), 0) / n);
}

void stats_deming(const double *x, const double *y, size_t count, double ratio, struct line *line)
{
    struct moments all = moments_of(x, y, count, SIZE_MAX);
    double n = (double)count, slope, offset, sums[2] = {0}, squares[2] = {0};
    *line = no_line;
    line->count = count;
    if (count < 3 || !(all.xx > 0) || all.xy == 0)
        return;
    deming(&all, ratio, &slope, &offset);
    for (size_t i = 0; i < count; i++) {
        struct moments without = moments_of(x, y, count, i);
        double part_slope, part_offset;
        deming(&without, ratio, &part_slope, &part_offset);
        double pseudo[2] = {n * slope - (n - 1) * part_slope, n * offset - (n - 1) * part_offset};
        for (int k = 0; k < 2; k++) {
            sums[k] += pseudo[k];
            squares[k] += pseudo[k] * pseudo[k];
        }
    }
    double t = gsl_cdf_tdist_Pinv(0.975, n - 2);
    line->mean_x = all.mean_x;
    line->squares_x = all.xx;
    line->slope = around(slope, t * jackknife_error(sums[0], squares[0], n));
    line->offset = around(offset, t * jackknife_error(sums[1], squares[1], n));
}

/* ---- correlations ---- */

static struct interval by_fisher(double r, double z_error)
{
    if (!(fabs(r) < 1) || !isfinite(z_error))
        return (struct interval){r, NAN, NAN};
    double half = gsl_cdf_ugaussian_Pinv(0.975) * z_error;
    return (struct interval){r, tanh(atanh(r) - half), tanh(atanh(r) + half)};
}

struct interval stats_pearson(const double *x, const double *y, size_t count)
{
    struct moments m = moments_of(x, y, count, SIZE_MAX);
    if (count < 2 || !(m.xx > 0) || !(m.yy > 0))
        return unknown;
    double r = m.xy / sqrt(m.xx * m.yy);
    return by_fisher(r > 1 ? 1 : r < -1 ? -1 : r, count > 3 ? 1 / sqrt((double)count - 3) : NAN);
}

struct interval stats_concordance(const double *x, const double *y, size_t count)
{
    struct moments m = moments_of(x, y, count, SIZE_MAX);
    double n = (double)count, apart = m.mean_x - m.mean_y;
    if (count < 2 || !(m.xx > 0) || !(m.yy > 0))
        return unknown;
    double c = 2 * m.xy / n / (m.xx / n + m.yy / n + apart * apart);
    double r = m.xy / sqrt(m.xx * m.yy), u2 = apart * apart / sqrt(m.xx / n * m.yy / n);
    if (count < 4 || r == 0 || !(fabs(c) < 1))
        return (struct interval){c, NAN, NAN};
    double c2 = c * c, variance = (1 - r * r) * c2 / ((1 - c2) * r * r) +
                                  2 * c * c2 * (1 - c) * u2 / (r * (1 - c2) * (1 - c2)) -
                                  c2 * c2 * u2 * u2 / (2 * r * r * (1 - c2) * (1 - c2));
    return by_fisher(c, variance > 0 ? sqrt(variance / (n - 2)) : NAN);
}

double stats_correlation_p(double correlation, size_t count)
{
    double r = correlation, freedom = (double)count - 2;
    if (count < 3 || !isfinite(r))
        return NAN;
    return fabs(r) < 1 ? 2 * gsl_cdf_tdist_Q(fabs(r) * sqrt(freedom / (1 - r * r)), freedom) : 0;
}

double stats_kendall(const double *x, const double *y, size_t count)
{
    double sum = 0, pairs_x = 0, pairs_y = 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i + 1; k < count; k++) {
            int a = (x[i] > x[k]) - (x[i] < x[k]), b = (y[i] > y[k]) - (y[i] < y[k]);
            sum += a * b;
            pairs_x += a != 0;
            pairs_y += b != 0;
        }
    }
    return pairs_x > 0 && pairs_y > 0 ? sum / sqrt(pairs_x * pairs_y) : NAN;
}
