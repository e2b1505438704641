#include "calibrate/characterise.h"

#include "base/clock.h"

#include <math.h>
#include <stdlib.h>

#define CHANGES_LEAST    8
#define POINTS_MOST      3000 /* that a fit looks at */
#define EXPLAINED_LEAST  0.25
#define LAG_MOST_S       2.0
#define AVERAGING_MOST_S 4.0
#define FIT_STEP_LEAST_S 2e-4
#define COUNTER_BIN_S    0.01 /* powers of a counter are means over this, or over two updates */

struct characteristics characteristics_unknown(void)
{
    return (struct characteristics){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
}

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double median_of(double *values, size_t count)
{
    if (count == 0)
        return NAN;
    qsort(values, count, sizeof *values, compare_doubles);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* ---- changes of value ---- */

/* A value, and the instant at which it appeared: half-way between the last reading of the old one and the
 * first of the new. Seconds since the series began. */
struct point {
    double at_s, value;
};

/* The changes of a series, counters unwrapped; `*count` of them. NULL: no memory. */
static struct point *find_changes(const struct channel *channel, const struct series *series, size_t *count)
{
    struct point *points = calloc(series->count + 1, sizeof *points);
    double before = NAN, before_s = 0, wrapped_j = 0;
    *count = 0;
    for (size_t i = 0; points && i < series->count; i++) {
        double at_s = (double)(series->boot_ns[i] - series->boot_ns[0]) / NS_PER_S, value = series->values[i];
        if (!isfinite(value))
            continue;
        if (value != before && isfinite(before)) {
            if (channel->kind == KIND_COUNTER && value < before)
                wrapped_j += channel->range_j;
            points[(*count)++] = (struct point){(at_s + before_s) / 2, value + wrapped_j};
        }
        before = value;
        before_s = at_s;
    }
    return points;
}

/* Where a value happens to be repeated, two changes lie several updates apart. Such intervals are left out:
 * those beyond one and a half of the lower quartile. */
static double update_period_s(const struct point *points, size_t count)
{
    double *intervals = calloc(count, sizeof *intervals);
    if (!intervals)
        return NAN;
    for (size_t i = 1; i < count; i++)
        intervals[i - 1] = points[i].at_s - points[i - 1].at_s;
    qsort(intervals, count - 1, sizeof *intervals, compare_doubles);
    double quartile_s = intervals[(count - 1) / 4];
    size_t first = 0, last = 0;
    while (first < count - 1 && intervals[first] < quartile_s / 2)
        first++;
    for (last = first; last < count - 1 && intervals[last] <= 1.5 * quartile_s;)
        last++;
    double period_s = median_of(intervals + first, last - first);
    free(intervals);
    return period_s;
}

void characterise_updates(const struct channel *channel, const struct series *fast,
                          struct characteristics *result)
{
    result->update_s = result->smallest_step = NAN;
    size_t count;
    struct point *points = find_changes(channel, fast, &count);
    for (size_t i = 1; points && i < count; i++)
        result->smallest_step = fmin(result->smallest_step, fabs(points[i].value - points[i - 1].value));
    if (points && count >= CHANGES_LEAST)
        result->update_s = update_period_s(points, count);
    free(points);
}

/* ---- at rest ---- */

struct moments {
    double sum, squares;
    size_t count;
};

static double deviation(const struct moments *moments)
{
    if (moments->count < 2)
        return NAN;
    double n = (double)moments->count, mean = moments->sum / n;
    return sqrt(fmax(moments->squares / n - mean * mean, 0) * n / (n - 1));
}

/* Energy since the first reading at each reading, J: counters unwrapped, powers by the trapezoid rule; a
 * missing reading is interpolated over. NULL: no memory. */
static double *energy_of(const struct channel *channel, const struct series *series)
{
    double *energy_j = calloc(series->count + 1, sizeof *energy_j);
    size_t last = series->count; /* the latest that is known; none */
    for (size_t i = 0; energy_j && i < series->count; i++) {
        energy_j[i] = last < i ? energy_j[last] : 0;
        if (!isfinite(series->values[i]))
            continue;
        if (last < i && channel->kind == KIND_COUNTER) {
            double step_j = series->values[i] - series->values[last];
            energy_j[i] += step_j < 0 ? step_j + channel->range_j : step_j;
        } else if (last < i) {
            energy_j[i] += (series->values[i] + series->values[last]) / 2 *
                           (double)(series->boot_ns[i] - series->boot_ns[last]) / NS_PER_S;
        }
        last = i;
    }
    return energy_j;
}

/* Spread of the mean powers of consecutive stretches of `span_s`. */
static struct moments powers_over(const struct series *series, const double *energy_j, double span_s)
{
    struct moments moments = {0};
    size_t from = 0;
    for (size_t i = 1; i < series->count; i++) {
        double elapsed_s = (double)(series->boot_ns[i] - series->boot_ns[from]) / NS_PER_S;
        if (elapsed_s < span_s * 0.999)
            continue;
        double power_w = (energy_j[i] - energy_j[from]) / elapsed_s;
        moments.sum += power_w;
        moments.squares += power_w * power_w;
        moments.count++;
        from = i;
    }
    return moments;
}

void characterise_rest(const struct channel *channel, const struct series *rest,
                       struct characteristics *result)
{
    result->idle_w = result->idle_sd_w = result->idle_reading_sd_w = NAN;
    double *energy_j = energy_of(channel, rest);
    if (!energy_j)
        return;
    struct moments seconds = powers_over(rest, energy_j, 1), readings = powers_over(rest, energy_j, 0.1);
    free(energy_j);
    if (seconds.count < 3)
        return;
    result->idle_w = seconds.sum / (double)seconds.count;
    result->idle_sd_w = deviation(&seconds);
    result->idle_reading_sd_w = deviation(&readings);
}

/* ---- under the load ---- */

/* Seconds for which the load was on until `at_s`, with edges in seconds. */
static double load_until_s(const double *edges_s, size_t count, double at_s)
{
    double on_s = 0;
    for (size_t i = 0; i < count && edges_s[i] < at_s; i += 2)
        on_s += (i + 1 < count ? fmin(edges_s[i + 1], at_s) : at_s) - edges_s[i];
    return on_s;
}

struct fit {
    const struct point *points; /* powers: a counter's means end at at_s, a power's reading appeared then */
    size_t count;
    const double *edges_s;
    size_t edge_count;
    double bin_s; /* that a counter's power is over anyhow */
    double lag_s, averaging_s;
    double slope_w, left; /* left: share of the variance that is not explained */
};

/* Least squares of the points on the load's mean over [t - lag - averaging - bin, t - lag]. */
static void try_fit(struct fit *fit)
{
    double n = (double)fit->count, sx = 0, sy = 0, sxx = 0, sxy = 0, syy = 0;
    double window_s = fmax(fit->averaging_s + fit->bin_s, 1e-6);
    for (size_t i = 0; i < fit->count; i++) {
        double end_s = fit->points[i].at_s - fit->lag_s, y = fit->points[i].value;
        double x = (load_until_s(fit->edges_s, fit->edge_count, end_s) -
                    load_until_s(fit->edges_s, fit->edge_count, end_s - window_s)) /
                   window_s;
        sx += x, sy += y, sxx += x * x, sxy += x * y, syy += y * y;
    }
    double vx = sxx - sx * sx / n, vy = syy - sy * sy / n, cov = sxy - sx * sy / n;
    fit->slope_w = vx > 0 ? cov / vx : 0;
    fit->left = vx > 0 && vy > 0 && cov > 0 ? 1 - cov * cov / (vx * vy) : 1;
}

static void keep_better(struct fit *best, double lag_s, double averaging_s)
{
    struct fit next = *best;
    next.lag_s = fmin(fmax(lag_s, 0), LAG_MOST_S);
    next.averaging_s = fmin(fmax(averaging_s, 0), AVERAGING_MOST_S);
    try_fit(&next);
    if (next.left < best->left)
        *best = next;
}

/* A coarse grid, then ever smaller steps about the best, also along lag + averaging / 2 = constant, where the
 * valley of the two lies. */
static void search(struct fit *best, bool averaging)
{
    static const double directions[][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, -2}, {-1, 2}};
    best->left = 2;
    for (double lag_s = 0; lag_s <= LAG_MOST_S; lag_s += 0.1)
        for (double mean_s = 0; mean_s <= (averaging ? AVERAGING_MOST_S : 0); mean_s += 0.2)
            keep_better(best, lag_s, mean_s);
    for (double step_s = 0.1; step_s > FIT_STEP_LEAST_S;) {
        double before = best->left, lag_s = best->lag_s, mean_s = best->averaging_s;
        for (size_t i = 0; i < (averaging ? 6 : 2); i++)
            keep_better(best, lag_s + directions[i][0] * step_s, mean_s + directions[i][1] * step_s);
        if (best->left >= before)
            step_s /= 2;
    }
}

/* Mean powers of a counter between changes at least `bin_s` apart, at the end of each; in place. */
static size_t to_powers(struct point *points, size_t count, double bin_s)
{
    size_t kept = 0;
    struct point from = points[0];
    for (size_t i = 1; i < count; i++) {
        const struct point now = points[i]; /* kept < i: not overwritten yet */
        double elapsed_s = now.at_s - from.at_s;
        if (elapsed_s < bin_s)
            continue;
        points[kept++] = (struct point){now.at_s, (now.value - from.value) / elapsed_s};
        from = now;
    }
    return kept;
}

static size_t thin(struct point *points, size_t count)
{
    size_t stride = count / POINTS_MOST + 1, kept = 0;
    for (size_t i = 0; i < count; i += stride)
        points[kept++] = points[i];
    return kept;
}

void characterise_response(const struct channel *channel, const struct series *loaded,
                           const struct load_edges *load, struct characteristics *result)
{
    result->response_w = result->lag_s = result->averaging_s = NAN;
    bool power = channel->kind == KIND_POWER;
    size_t count;
    struct point *points = find_changes(channel, loaded, &count);
    double *edges_s = calloc(load->count + 1, sizeof *edges_s);
    if (!points || !edges_s)
        goto out;
    for (size_t i = 0; i < load->count; i++)
        edges_s[i] = (double)(load->edges_ns[i] - loaded->boot_ns[0]) / NS_PER_S;
    double update_s = isfinite(result->update_s) ? result->update_s : channel->update_s;
    double bin_s = power ? 0 : fmax(COUNTER_BIN_S, 2 * update_s);
    if (!power && count > 0)
        count = to_powers(points, count, bin_s);
    count = thin(points, count);
    if (count < CHANGES_LEAST)
        goto out;
    struct fit best = {
        .points = points, .count = count, .edges_s = edges_s, .edge_count = load->count, .bin_s = bin_s};
    search(&best, power);
    if (best.left > 1 - EXPLAINED_LEAST)
        goto out;
    result->response_w = best.slope_w;
    result->lag_s = best.lag_s;
    if (power)
        result->averaging_s = best.averaging_s;
out:
    free(points);
    free(edges_s);
}
