#include "calibrate/characterise.h"

#include "base/clock.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHANGES_LEAST    8
#define EDGES_LEAST      6 /* of the load: three times on */
#define READINGS_LEAST   2 /* in an update period */
#define READINGS_MANY    10
#define COHERENCE_LEAST  0.5 /* of intervals that a period explains */
#define REDRAWS          99  /* none of which may do as well: significant at 1 % */
#define REDRAW_SEED      20260101
#define REDRAW_POINTS    300  /* that each is tried on */
#define POINTS_MOST      3000 /* that a fit looks at */
#define EXPLAINED_LEAST  0.25
#define LAG_MOST         5.0 /* in the load's least stretches; and so are these */
#define AVERAGING_MOST   10.0
#define GRID_LAG         0.25
#define GRID_AVERAGING   0.5
#define FIT_STEP_LEAST_S 2e-4
#define COUNTER_BIN_S    0.01 /* powers of a counter are means over this, or over two updates */

struct characteristics characteristics_unknown(void)
{
    return (struct characteristics){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
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

/* How far the intervals are whole multiples of a period: the length of the mean of their phases, 1 if all
 * are, near 0 for changes at random times. */
static double coherence(const double *intervals, size_t count, double period_s)
{
    double cosines = 0, sines = 0;
    for (size_t i = 0; i < count; i++) {
        double phase = 2 * M_PI * intervals[i] / period_s;
        cosines += cos(phase);
        sines += sin(phase);
    }
    return hypot(cosines, sines) / (double)count;
}

/* Where a value happens to be repeated, two changes lie several updates apart. Such intervals are left out:
 * those beyond one and a half of the lower quartile, and half a reading. Of intervals that are few readings
 * long the median is one of a few values, and their mean lies between. `intervals` get sorted. */
static double typical_interval_s(double *intervals, size_t count, double reading_s)
{
    qsort(intervals, count, sizeof *intervals, compare_doubles);
    double quartile_s = intervals[(count - 1) / 4], sum_s = 0;
    size_t first = 0;
    while (first < count && intervals[first] < quartile_s / 2)
        first++;
    size_t last = first;
    while (last < count && intervals[last] <= 1.5 * quartile_s + reading_s / 2)
        sum_s += intervals[last++];
    double median_s = median_of(intervals + first, last - first);
    return median_s < READINGS_MANY * reading_s ? sum_s / (double)(last - first) : median_s;
}

/* Readings blur the intervals by up to one of them either way, a triangle, which takes sinc^2 off their
 * coherence; what is left must be more than changes at random times would show. */
static double coherence_least(size_t count, double blur)
{
    double sinc = sin(M_PI * blur) / (M_PI * blur);
    double chance = 2.6 / sqrt((double)count); /* p = 0.001, by Rayleigh's distribution */
    return fmin(COHERENCE_LEAST, fmax(COHERENCE_LEAST * sinc * sinc, chance));
}

/* NAN: there is none, or it is too short for readings this far apart. */
static double update_period_s(const struct point *points, size_t count, double reading_s)
{
    double *intervals = calloc(count, sizeof *intervals);
    if (!intervals)
        return NAN;
    for (size_t i = 1; i < count; i++)
        intervals[i - 1] = points[i].at_s - points[i - 1].at_s;
    double period_s = typical_interval_s(intervals, count - 1, reading_s);
    bool seen = period_s >= READINGS_LEAST * reading_s &&
                coherence(intervals, count - 1, period_s) >= coherence_least(count - 1, reading_s / period_s);
    free(intervals);
    return seen ? period_s : NAN;
}

/* Median time between two readings. */
static double reading_interval_s(const struct series *series)
{
    double *intervals = calloc(series->count + 1, sizeof *intervals);
    if (!intervals)
        return NAN;
    for (size_t i = 1; i < series->count; i++)
        intervals[i - 1] = (double)(series->boot_ns[i] - series->boot_ns[i - 1]) / NS_PER_S;
    double median_s = median_of(intervals, series->count > 0 ? series->count - 1 : 0);
    free(intervals);
    return median_s;
}

void characterise_updates(const struct channel *channel, const struct series *fast,
                          struct characteristics *result)
{
    result->update_s = result->smallest_step = NAN;
    size_t count;
    struct point *points = find_changes(channel, fast, &count);
    if (points && count >= CHANGES_LEAST) {
        result->update_s = update_period_s(points, count, reading_interval_s(fast));
        for (size_t i = 1; i < count; i++)
            result->smallest_step = fmin(result->smallest_step, fabs(points[i].value - points[i - 1].value));
    }
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

/* When the load went on and off, in seconds of a series, and how long it had been on by then. */
struct wave {
    double least_s;
    double *edges_s, *on_s;
    size_t count;
};

static int open_wave(struct wave *wave, double least_s, size_t capacity)
{
    *wave = (struct wave){.least_s = least_s,
                          .edges_s = calloc(capacity + 1, sizeof(double)),
                          .on_s = calloc(capacity + 1, sizeof(double))};
    return wave->edges_s && wave->on_s ? 0 : -1;
}

static void free_wave(struct wave *wave)
{
    free(wave->edges_s);
    free(wave->on_s);
}

static void add_edge(struct wave *wave, double at_s)
{
    size_t i = wave->count++;
    bool was_on = i % 2 == 1;
    wave->edges_s[i] = at_s;
    wave->on_s[i] = i == 0 ? 0 : wave->on_s[i - 1] + (was_on ? at_s - wave->edges_s[i - 1] : 0);
}

/* Seconds for which the load was on until `at_s`, which is no earlier than when it was asked before;
 * `passed`, at first 0, are the edges until then. */
static double load_until_s(const struct wave *wave, double at_s, size_t *passed)
{
    size_t edges = *passed;
    while (edges < wave->count && wave->edges_s[edges] <= at_s)
        edges++;
    *passed = edges;
    if (edges == 0)
        return 0;
    return wave->on_s[edges - 1] + (edges % 2 == 1 ? at_s - wave->edges_s[edges - 1] : 0);
}

struct fit {
    const struct point *points; /* powers in order of time: a counter's means end at at_s, a power's reading
                                   appeared then */
    size_t count;
    const struct wave *wave;
    double bin_s; /* that a counter's power is over anyhow */
    double lag_s, averaging_s;
    double slope_w, left; /* left: share of the variance that is not explained */
};

/* Least squares of the points on the load's mean over [t - lag - averaging - bin, t - lag]. */
static void try_fit(struct fit *fit)
{
    double n = (double)fit->count, sx = 0, sy = 0, sxx = 0, sxy = 0, syy = 0;
    double window_s = fmax(fit->averaging_s + fit->bin_s, 1e-6);
    size_t to_begin = 0, to_end = 0;
    for (size_t i = 0; i < fit->count; i++) {
        double end_s = fit->points[i].at_s - fit->lag_s, y = fit->points[i].value;
        double x =
            (load_until_s(fit->wave, end_s, &to_end) - load_until_s(fit->wave, end_s - window_s, &to_begin)) /
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
    next.lag_s = fmin(fmax(lag_s, 0), LAG_MOST * next.wave->least_s);
    next.averaging_s = fmin(fmax(averaging_s, 0), AVERAGING_MOST * next.wave->least_s);
    try_fit(&next);
    if (next.left < best->left)
        *best = next;
}

static void search_coarsely(struct fit *best, bool averaging)
{
    best->left = 2;
    double unit_s = best->wave->least_s;
    for (double lag_s = 0; lag_s <= LAG_MOST * unit_s; lag_s += GRID_LAG * unit_s)
        for (double mean_s = 0; mean_s <= (averaging ? AVERAGING_MOST * unit_s : 0);
             mean_s += GRID_AVERAGING * unit_s)
            keep_better(best, lag_s, mean_s);
}

/* Ever smaller steps about the best, also along lag + averaging / 2 = constant, where the valley of the two
 * lies. */
static void refine(struct fit *best, bool averaging)
{
    static const double directions[][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, -2}, {-1, 2}};
    for (double step_s = GRID_LAG * best->wave->least_s; step_s > FIT_STEP_LEAST_S;) {
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

static size_t thin(struct point *points, size_t count, size_t most)
{
    size_t stride = (count + most - 1) / most, kept = 0;
    for (size_t i = 0; i < count; i += stride)
        points[kept++] = points[i];
    return kept;
}

/* A load that might have been: the first edge where it was, the other lengths drawn anew. */
static int redraw(const struct wave *real, double until_s, struct random_stream *random, struct wave *wave)
{
    size_t most = (size_t)((until_s - real->edges_s[0]) / real->least_s) + 2;
    if (open_wave(wave, real->least_s, most) < 0)
        return -1;
    for (double at_s = real->edges_s[0]; at_s < until_s && wave->count < most;
         at_s += wave_span_s(random, real->least_s))
        add_edge(wave, at_s);
    return 0;
}

/* The share of loads drawn like the real one that explain the points at least as well: a p-value. Drawing
 * ends with the first that does (Besag and Clifford, 1991). NAN: no memory. */
static double chance_of_response(const struct fit *given, bool averaging, double until_s)
{
    struct point *few = calloc(given->count, sizeof *few);
    if (!few)
        return NAN;
    memcpy(few, given->points, given->count * sizeof *few);
    struct fit real = *given;
    real.points = few;
    real.count = thin(few, given->count, REDRAW_POINTS);
    search_coarsely(&real, averaging);
    struct random_stream random;
    random_seed(&random, REDRAW_SEED, given->count);
    double chance = 1.0 / (REDRAWS + 1);
    for (size_t i = 1; i <= REDRAWS; i++) {
        struct wave wave;
        struct fit drawn = real;
        drawn.wave = &wave;
        bool failed = redraw(given->wave, until_s, &random, &wave) < 0;
        if (!failed)
            search_coarsely(&drawn, averaging);
        free_wave(&wave);
        if (failed || drawn.left <= real.left) {
            chance = failed ? NAN : 1.0 / (double)i;
            break;
        }
    }
    free(few);
    return chance;
}

/* Whether the best is a least within the grid, and not at its end, and much of the variance. */
static bool is_found(const struct fit *best)
{
    return best->left <= 1 - EXPLAINED_LEAST && best->lag_s < LAG_MOST * best->wave->least_s &&
           best->averaging_s < AVERAGING_MOST * best->wave->least_s;
}

static void judge_fit(struct fit *best, bool power, double until_s, struct characteristics *result)
{
    result->response_p = chance_of_response(best, power, until_s);
    if (!(result->response_p <= RESPONSE_P_MOST))
        return;
    search_coarsely(best, power);
    refine(best, power);
    result->response_w = best->slope_w;
    if (!is_found(best))
        return;
    result->lag_s = best->lag_s;
    if (power)
        result->averaging_s = best->averaging_s;
}

static int take_wave(const struct load_wave *load, const struct series *series, struct wave *wave)
{
    if (open_wave(wave, load->least_s, load->count) < 0)
        return -1;
    for (size_t i = 0; i < load->count; i++)
        add_edge(wave, (double)(load->edges_ns[i] - series->boot_ns[0]) / NS_PER_S);
    return 0;
}

void characterise_response(const struct channel *channel, const struct series *loaded,
                           const struct load_wave *load, struct characteristics *result)
{
    result->response_w = result->response_p = result->lag_s = result->averaging_s = NAN;
    if (load->count < EDGES_LEAST || loaded->count == 0)
        return;
    bool power = channel->kind == KIND_POWER;
    size_t count;
    struct wave wave;
    struct point *points = find_changes(channel, loaded, &count);
    double update_s = isfinite(result->update_s) ? result->update_s : channel->update_s;
    double bin_s = power ? 0 : fmax(COUNTER_BIN_S, 2 * update_s);
    if (take_wave(load, loaded, &wave) < 0 || !points)
        goto out;
    if (!power && count > 0)
        count = to_powers(points, count, bin_s);
    count = thin(points, count, POINTS_MOST);
    if (count < CHANGES_LEAST)
        goto out;
    struct fit best = {.points = points, .count = count, .wave = &wave, .bin_s = bin_s};
    judge_fit(&best, power, (double)(loaded->boot_ns[loaded->count - 1] - loaded->boot_ns[0]) / NS_PER_S,
              result);
out:
    free(points);
    free_wave(&wave);
}
