/* The fit: each run's own delay by least squares of the log's readings on the run's mean power around each,
 * drift in common; then the line through all. */
#include "stats/align_curve.h"

#include <math.h>
#include <stdlib.h>

#define ROUNDS      4  /* of runs by drift and drift by runs */
#define STEPS_MOST  20 /* of Gauss and Newton */
#define PAIRS_LEAST 12
#define SLOPE_LEAST 4.0 /* standard errors above 0, for a run to have a delay of its own */
#define SCAN_POINTS 400.0
#define CONVERGED   1e-6 /* of a cell */

enum { OFFSET, SLOPE, DELAY, DRIFT, PARAMETERS };

/* A stretch of the log around a reading, or around as many as the runs' samples last. */
struct cells {
    double *from_s, *to_s, *power_w;
    size_t count;
    double wide_s;
};

/* Where a run lies, and what there is in it at some delay. Times of pairs are from its middle. */
struct fitted {
    const struct align_run *run;
    struct align_curve curve;
    const struct cells *cells;
    double middle_s;
    double delay_s, drift;
    double offset_w, slope, correlation;
    double *x, *y, *by_delay, *at_s; /* the pairs; room that all runs share, for all cells */
    size_t pairs;
    bool own;
    double delay_var, drift_found, drift_var;
};

static void cells_free(struct cells *cells)
{
    free(cells->from_s);
    free(cells->to_s);
    free(cells->power_w);
}

/* Half-way between readings; none where a gap is on either side. */
static int make_cells(const struct align_sums *log, const struct align_log *readings, size_t group,
                      struct cells *cells, struct error *error)
{
    *cells = (struct cells){.from_s = calloc(readings->count + 1, sizeof *cells->from_s),
                            .to_s = calloc(readings->count + 1, sizeof *cells->to_s),
                            .power_w = calloc(readings->count + 1, sizeof *cells->power_w),
                            .wide_s = log->interval_s * (double)group};
    if (!cells->from_s || !cells->to_s || !cells->power_w)
        return error_memory(error, "power log");
    const double *at_s = readings->at_s;
    for (size_t first = 1; first + group < readings->count; first += group) {
        double sum_w = 0;
        bool whole = true;
        for (size_t i = first; i < first + group; i++) {
            sum_w += readings->power_w[i];
            whole = whole && at_s[i] - at_s[i - 1] <= log->gap_s && at_s[i + 1] - at_s[i] <= log->gap_s;
        }
        size_t last = first + group - 1, n = cells->count;
        if (!whole)
            continue;
        cells->from_s[n] = (at_s[first - 1] + at_s[first]) / 2;
        cells->to_s[n] = (at_s[last] + at_s[last + 1]) / 2;
        cells->power_w[n] = sum_w / (double)group;
        cells->count++;
    }
    return 0;
}

/* ---- one run ---- */

/* The first cell that ends after an instant of the log. */
static size_t first_after(const struct cells *cells, double at_s)
{
    size_t low = 0, high = cells->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cells->to_s[middle] > at_s)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static double run_mean(const struct fitted *f, size_t cell, double delay_s)
{
    double to_run_s = delay_s + f->run->start_s;
    double from_s = f->cells->from_s[cell], to_s = f->cells->to_s[cell];
    return align_mean(&f->curve, from_s - to_run_s - f->drift * (from_s - f->middle_s),
                      to_s - to_run_s - f->drift * (to_s - f->middle_s));
}

/* The pairs at a delay; with their derivatives by it where `slopes`. Returns their correlation. */
static double take_pairs(struct fitted *f, double delay_s, bool slopes)
{
    f->pairs = 0;
    if (f->curve.count < 2)
        return NAN;
    double wide_s = f->cells->wide_s, reach_s = wide_s / 4;
    double begin_s = f->run->start_s + f->curve.at_s[0] + delay_s - wide_s;
    double end_s = f->run->start_s + f->curve.at_s[f->curve.count - 1] + delay_s + wide_s;
    struct align_pairs sums = {0};
    for (size_t i = first_after(f->cells, begin_s); i < f->cells->count && f->cells->from_s[i] < end_s; i++) {
        double x = run_mean(f, i, delay_s), y = f->cells->power_w[i], by_delay = 0;
        if (slopes)
            by_delay =
                (run_mean(f, i, delay_s + reach_s) - run_mean(f, i, delay_s - reach_s)) / (2 * reach_s);
        if (!isfinite(x) || !isfinite(by_delay))
            continue;
        f->x[f->pairs] = x;
        f->y[f->pairs] = y;
        f->by_delay[f->pairs] = by_delay;
        f->at_s[f->pairs++] = (f->cells->from_s[i] + f->cells->to_s[i]) / 2 - f->middle_s;
        sums.n++;
        sums.x += x;
        sums.y += y;
        sums.xx += x * x;
        sums.yy += y * y;
        sums.xy += x * y;
    }
    double r = align_correlation(&sums);
    if (isfinite(r))
        align_line(&sums, &f->offset_w, &f->slope);
    return r;
}

/* The inverse of a symmetric positive matrix of the first n parameters, by Gauss and Jordan; false: it has
 * none.
 */
static bool invert(double matrix[PARAMETERS][PARAMETERS], double inverse[PARAMETERS][PARAMETERS], size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            inverse[i][j] = i == j;
    for (size_t column = 0; column < n; column++) {
        double pivot = matrix[column][column];
        if (!(fabs(pivot) > 1e-300))
            return false;
        for (size_t j = 0; j < n; j++) {
            matrix[column][j] /= pivot;
            inverse[column][j] /= pivot;
        }
        for (size_t i = 0; i < n; i++) {
            double factor = i == column ? 0 : matrix[i][column];
            for (size_t j = 0; j < n; j++) {
                matrix[i][j] -= factor * matrix[column][j];
                inverse[i][j] -= factor * inverse[column][j];
            }
        }
    }
    return true;
}

/* The derivatives of a pair's model by each parameter, from its mean x so that the matrix is well
 * conditioned. */
static void derivatives(const struct fitted *f, size_t pair, double mean_x, double row[PARAMETERS])
{
    row[OFFSET] = 1;
    row[SLOPE] = f->x[pair] - mean_x;
    row[DELAY] = f->slope * f->by_delay[pair];
    row[DRIFT] = row[DELAY] * f->at_s[pair];
}

static double mean(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += values[i];
    return count ? sum / (double)count : 0;
}

static double residual(const struct fitted *f, size_t pair)
{
    return f->y[pair] - f->offset_w - f->slope * f->x[pair];
}

/* One step of Gauss and Newton for the first n parameters from the pairs as they are; `inverse` of the normal
 * matrix. */
static bool newton(const struct fitted *f, size_t n, double step[PARAMETERS],
                   double inverse[PARAMETERS][PARAMETERS])
{
    double normal[PARAMETERS][PARAMETERS] = {0}, right[PARAMETERS] = {0};
    double mean_x = mean(f->x, f->pairs);
    for (size_t k = 0; k < f->pairs; k++) {
        double row[PARAMETERS];
        derivatives(f, k, mean_x, row);
        for (size_t i = 0; i < n; i++) {
            right[i] += row[i] * residual(f, k);
            for (size_t j = 0; j < n; j++)
                normal[i][j] += row[i] * row[j];
        }
    }
    if (!invert(normal, inverse, n))
        return false;
    for (size_t i = 0; i < n; i++) {
        step[i] = 0;
        for (size_t j = 0; j < n; j++)
            step[i] += inverse[i][j] * right[j];
    }
    return true;
}

/* A pair's row and its residual, the latter as it were with a fit that had not seen the pair: the few pairs
 * at edges of the load decide on the delay, and bend the fit towards themselves (MacKinnon and White's HC3,
 * Journal of Econometrics 29, 1985). */
static double unseen(const struct fitted *f, size_t pair, double mean_x,
                     double inverse[PARAMETERS][PARAMETERS], double row[PARAMETERS])
{
    derivatives(f, pair, mean_x, row);
    double leverage = 0;
    for (size_t i = 0; i < PARAMETERS; i++)
        for (size_t j = 0; j < PARAMETERS; j++)
            leverage += row[i] * inverse[i][j] * row[j];
    return residual(f, pair) / fmax(1 - leverage, 1e-3);
}

/* Variances that allow for residuals which hang together (Newey and West, Econometrica 55, 1987; the
 * bandwidth of their paper of 1994, Review of Economic Studies 61): inverse x middle x inverse. */
static void sandwich(const struct fitted *f, double inverse[PARAMETERS][PARAMETERS],
                     double variances[PARAMETERS])
{
    double middle[PARAMETERS][PARAMETERS] = {0}, mean_x = mean(f->x, f->pairs), n = (double)f->pairs;
    size_t lags = (size_t)(4 * pow(n / 100, 2.0 / 9));
    for (size_t k = 0; k < f->pairs; k++) {
        double row[PARAMETERS], value = unseen(f, k, mean_x, inverse, row);
        for (size_t lag = 0; lag <= lags && lag <= k; lag++) {
            double other[PARAMETERS], before = unseen(f, k - lag, mean_x, inverse, other);
            double weight = (1 - (double)lag / (double)(lags + 1)) * value * before;
            for (size_t i = 0; i < PARAMETERS; i++)
                for (size_t j = 0; j < PARAMETERS; j++)
                    middle[i][j] += weight * (lag ? row[i] * other[j] + other[i] * row[j] : row[i] * row[j]);
        }
    }
    for (size_t p = 0; p < PARAMETERS; p++) {
        variances[p] = 0;
        for (size_t i = 0; i < PARAMETERS; i++)
            for (size_t j = 0; j < PARAMETERS; j++)
                variances[p] += inverse[p][i] * middle[i][j] * inverse[j][p];
    }
}

/* A reading is of a moment, and between two of them an edge of the load may lie anywhere: interval / sqrt(12)
 * for one, the less the more edges there are. Their number is that of the derivative's participation ratio.
 */
static double between_readings(const struct fitted *f)
{
    double squares = 0, fourths = 0;
    for (size_t i = 0; i < f->pairs; i++) {
        double square = f->by_delay[i] * f->by_delay[i];
        squares += square;
        fourths += square * square;
    }
    double wide_s = f->cells->wide_s;
    return squares > 0 ? wide_s * wide_s / 12 * fourths / (squares * squares) : INFINITY;
}

/* The best of all delays around where the line has the run. */
static void scan(struct fitted *f, double around_s, double reach_s)
{
    double step_s = fmax(f->cells->wide_s / 4, 2 * reach_s / SCAN_POINTS), best = -INFINITY;
    for (double delay_s = around_s - reach_s; delay_s <= around_s + reach_s; delay_s += step_s) {
        double r = take_pairs(f, delay_s, false);
        if (!(r > best))
            continue;
        best = r;
        f->delay_s = delay_s;
    }
}

static void descend(struct fitted *f, double around_s, double reach_s)
{
    double wide_s = f->cells->wide_s;
    for (int i = 0; i < STEPS_MOST; i++) {
        double step[PARAMETERS], inverse[PARAMETERS][PARAMETERS];
        f->correlation = take_pairs(f, f->delay_s, true);
        if (f->pairs < PAIRS_LEAST || !isfinite(f->correlation) || !newton(f, DRIFT, step, inverse))
            return;
        double move_s = fmax(-wide_s / 2, fmin(wide_s / 2, step[DELAY]));
        double to_s = fmax(around_s - reach_s, fmin(around_s + reach_s, f->delay_s + move_s));
        bool there = fabs(to_s - f->delay_s) < CONVERGED * wide_s;
        f->delay_s = to_s;
        if (there)
            return;
    }
}

static void fit_run(struct fitted *f, double around_s, double reach_s)
{
    f->own = false;
    f->delay_s = around_s;
    scan(f, around_s, reach_s);
    descend(f, around_s, reach_s);
    f->correlation = take_pairs(f, f->delay_s, true);
    double step[PARAMETERS], inverse[PARAMETERS][PARAMETERS], variances[PARAMETERS];
    bool within = fabs(f->delay_s - around_s) < 0.999 * reach_s;
    if (f->pairs < PAIRS_LEAST || !(f->correlation > 0) || !newton(f, PARAMETERS, step, inverse))
        return;
    sandwich(f, inverse, variances);
    f->delay_var = variances[DELAY] + between_readings(f);
    f->drift_found = f->drift + step[DRIFT];
    f->drift_var = variances[DRIFT];
    f->own = within && variances[DELAY] >= 0 && variances[DRIFT] > 0 &&
             f->slope > SLOPE_LEAST * sqrt(variances[SLOPE]);
}

/* ---- all runs ---- */

struct line {
    double delay_s, drift;
    double delay_var, covariance, drift_var;
};

static double line_var(const struct line *line, double from_reference_s)
{
    return line->delay_var + 2 * from_reference_s * line->covariance +
           from_reference_s * from_reference_s * line->drift_var;
}

/* Weighted least squares: each run's delay, as sure as it and the run's start are; each run's own drift; and
 * a clock's drift, which is 0 give or take ALIGN_DRIFT_MOST. */
static void draw_line(const struct fitted *runs, size_t count, double reference_s,
                      const struct align_start *start, struct line *line)
{
    double before = 1 / (ALIGN_DRIFT_MOST * ALIGN_DRIFT_MOST);
    double w = 0, wt = 0, wtt = before, wd = 0, wtd = 0;
    for (size_t i = 0; i < count; i++) {
        const struct fitted *f = &runs[i];
        if (!f->own)
            continue;
        double weight = 1 / (f->delay_var + f->run->start_sd_s * f->run->start_sd_s + 1e-12);
        double t = f->middle_s - reference_s;
        w += weight;
        wt += weight * t;
        wtt += weight * t * t + 1 / f->drift_var;
        wd += weight * f->delay_s;
        wtd += weight * t * f->delay_s + f->drift_found / f->drift_var;
    }
    if (!(w > 0)) {
        *line =
            (struct line){start->delay_s, start->drift, start->delay_sd_s * start->delay_sd_s, 0, 1 / before};
        return;
    }
    double determinant = w * wtt - wt * wt;
    *line = (struct line){.delay_s = (wtt * wd - wt * wtd) / determinant,
                          .drift = (w * wtd - wt * wd) / determinant,
                          .delay_var = wtt / determinant,
                          .covariance = -wt / determinant,
                          .drift_var = w / determinant};
}

/* Which of a run's two delays is the surer: its own, or that of the line with the error of the run's start.
 */
static void settle(const struct fitted *f, const struct line *line, double reference_s,
                   struct aligned_run *run)
{
    double t = f->middle_s - reference_s;
    double by_line_var = line_var(line, t) + f->run->start_sd_s * f->run->start_sd_s;
    bool own = f->own && f->delay_var <= by_line_var;
    *run = (struct aligned_run){.middle_s = f->middle_s,
                                .delay_s = own ? f->delay_s : line->delay_s + line->drift * t,
                                .delay_sd_s = sqrt(own ? f->delay_var : by_line_var),
                                .own = own,
                                .pairs = f->pairs,
                                .correlation = f->correlation,
                                .slope = f->slope,
                                .offset_w = f->offset_w};
}

/* A run's middle lies where the line as it is now has it, on the log's clock. */
static void fit_runs(struct fitted *runs, size_t count, double reference_s, double reach_s,
                     const struct line *line)
{
    for (size_t i = 0; i < count; i++) {
        struct fitted *f = &runs[i];
        double half_s = f->run->count ? f->run->at_s[f->run->count - 1] / 2 : 0;
        double t = f->run->start_s + half_s - reference_s;
        double around_s = line->delay_s + line->drift * t;
        f->middle_s = f->run->start_s + half_s + around_s;
        f->drift = line->drift;
        fit_run(f, around_s, reach_s);
    }
}

static void fit_all(struct fitted *runs, size_t count, const struct align_start *start, struct alignment *a)
{
    double reference_s = a->reference_s, start_sd_s = 0;
    for (size_t i = 0; i < count; i++)
        start_sd_s = fmax(start_sd_s, runs[i].run->start_sd_s);
    double reach_s = 1.5 * start->step_s + sqrt(12) * start_sd_s;
    struct line line = {start->delay_s, start->drift, 0, 0, 0};
    for (int round = 0; round < ROUNDS; round++) {
        fit_runs(runs, count, reference_s, reach_s, &line);
        draw_line(runs, count, reference_s, start, &line);
    }
    for (size_t i = 0; i < count; i++)
        settle(&runs[i], &line, reference_s, &a->runs[i]);
    a->delay_s = line.delay_s;
    a->delay_sd_s = sqrt(line.delay_var);
    a->drift = line.drift;
    a->drift_sd = sqrt(line.drift_var);
}

int align_fit(const struct align_sums *log, const struct align_log *readings, const struct align_run *runs,
              size_t count, const struct align_start *start, struct alignment *alignment, struct error *error)
{
    double covered_s = 0, samples = 0;
    for (size_t i = 0; i < count; i++) {
        covered_s += runs[i].count ? runs[i].covered_s[runs[i].count - 1] : 0;
        samples += runs[i].count > 1 ? (double)(runs[i].count - 1) : 0;
    }
    size_t group = (size_t)fmax(1, ceil(covered_s / fmax(samples, 1) / log->interval_s - 0.5));
    struct cells cells;
    struct fitted *fitted = calloc(count, sizeof *fitted);
    double *room = calloc(4 * (readings->count + 1), sizeof *room);
    int result = make_cells(log, readings, group, &cells, error);
    if (result == 0 && (!fitted || !room))
        result = error_memory(error, "runs");
    for (size_t i = 0; i < count && result == 0; i++) /* one run at a time uses the room for pairs */
        fitted[i] =
            (struct fitted){.run = &runs[i],
                            .curve = {runs[i].at_s, runs[i].energy_j, runs[i].covered_s, NULL, runs[i].count},
                            .cells = &cells,
                            .correlation = NAN,
                            .x = room,
                            .y = room + (readings->count + 1),
                            .by_delay = room + 2 * (readings->count + 1),
                            .at_s = room + 3 * (readings->count + 1)};
    if (result == 0)
        fit_all(fitted, count, start, alignment);
    free(fitted);
    free(room);
    cells_free(&cells);
    return result;
}
