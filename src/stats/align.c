/* The search: for every delay and drift the correlation of the log's mean powers with the runs', over cells
 * of equal width. Sums of pairs are kept by delay and by block of time; a drift is another choice of delays,
 * one a block, so that trying one costs no more than adding sums up. */
#include "stats/align.h"

#include "stats/align_curve.h"

#include <math.h>
#include <stdlib.h>

#define BLOCK_LEAST_S 600.0
#define BLOCKS_MOST   500.0
#define PRODUCTS_MOST 2e8 /* of cells and delays */
#define DELAYS_MOST   1e4 /* to either side */
#define CELLS_LEAST   16.0
#define LIKELY_MOST_S 20.0 /* what is likely must lie within so much: else the power is too flat to tell */
#define EDGES_LEAST   5.0  /* fewer steps of the load fit any others in the log */
#define RUN_LAGS_MOST 100  /* for the correlation of residuals */

struct search {
    const struct align_run *runs;
    size_t count;
    const struct align_sums *log;
    double step_s;
    double first_s, span_s; /* from the first run's start to the last one's end */
    double block_s;
    size_t blocks;
    long most; /* delays from -most to most steps are tried */
    long wide; /* and so many are needed for the drifts */
    double mean_run_w, mean_log_w;
    struct align_pairs *sums; /* [block][wide + delay] */
    double *best_drift;       /* by delay, most + delay: the drift and the correlation that are best there */
    double *best;
    long peak; /* where `best` is best; the rest is -most .. most */
    double pairs_most;
};

static double run_end_s(const struct align_run *run)
{
    return run->start_s + (run->count ? run->at_s[run->count - 1] : 0);
}

static struct align_curve run_curve(const struct align_run *run)
{
    return (struct align_curve){run->at_s, run->energy_j, run->covered_s, NULL, run->count};
}

static size_t run_cells(const struct search *s, const struct align_run *run)
{
    return run->count > 1 ? (size_t)floor((run->at_s[run->count - 1] - run->at_s[0]) / s->step_s) : 0;
}

/* Cells no finer than either side, nor than the runs' starts are known, nor than can be gone through. */
static void choose_step(struct search *s, double search_s)
{
    double total_s = 0, intervals = 0, start_s = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct align_run *run = &s->runs[i];
        total_s += run->count ? run->covered_s[run->count - 1] : 0;
        intervals += run->count > 1 ? (double)(run->count - 1) : 0;
        start_s = fmax(start_s, s->count > 1 ? sqrt(12) * run->start_sd_s : 0);
    }
    double step_s = fmax(s->log->interval_s, intervals > 0 ? total_s / intervals : 0);
    step_s = fmax(step_s, start_s);
    step_s = fmax(step_s, sqrt(total_s * 2 * search_s / PRODUCTS_MOST));
    s->step_s = fmax(step_s, fmax(search_s / DELAYS_MOST, 1e-3));
    s->most = (long)ceil(search_s / s->step_s);
}

static void choose_blocks(struct search *s)
{
    s->first_s = s->runs[0].start_s;
    double last_s = run_end_s(&s->runs[0]);
    for (size_t i = 1; i < s->count; i++) {
        s->first_s = fmin(s->first_s, s->runs[i].start_s);
        last_s = fmax(last_s, run_end_s(&s->runs[i]));
    }
    s->span_s = last_s - s->first_s;
    s->block_s = fmax(BLOCK_LEAST_S, s->span_s / BLOCKS_MOST);
    s->blocks = (size_t)(s->span_s / s->block_s) + 1;
    s->wide = s->most + (long)ceil(ALIGN_DRIFT_MOST * s->span_s / 2 / s->step_s) + 1;
}

/* The delay of a block, in steps, that a drift makes of one in the middle. */
static long drifted(const struct search *s, size_t block, double drift)
{
    double from_middle_s = ((double)block + 0.5) * s->block_s - s->span_s / 2;
    if (s->blocks == 1)
        from_middle_s = 0;
    return lround(drift * from_middle_s / s->step_s);
}

/* ---- sums ---- */

static void add_pair(struct align_pairs *sums, double x, double y)
{
    sums->n++;
    sums->x += x;
    sums->y += y;
    sums->xx += x * x;
    sums->yy += y * y;
    sums->xy += x * y;
}

static size_t block_at(const struct search *s, double at_s)
{
    double place = floor((at_s - s->first_s) / s->block_s);
    return place <= 0 ? 0 : place >= (double)s->blocks ? s->blocks - 1 : (size_t)place;
}

static int add_run(struct search *s, const struct align_run *run, struct error *error)
{
    size_t cells = run_cells(s, run), delays = 2 * (size_t)s->wide + 1;
    struct align_curve curve = run_curve(run);
    double *log_w = calloc(cells + delays, sizeof *log_w);
    if (!log_w)
        return error_memory(error, "search for the delay");
    double from_s = run->start_s + (run->count ? run->at_s[0] : 0);
    for (size_t k = 0; k < cells + delays; k++) {
        double at_s = from_s + ((double)k - (double)s->wide) * s->step_s;
        log_w[k] = align_mean(&s->log->curve, at_s, at_s + s->step_s) - s->mean_log_w;
    }
    for (size_t k = 0; k < cells; k++) {
        double into_s = curve.at_s[0] + (double)k * s->step_s;
        double x = align_mean(&curve, into_s, into_s + s->step_s) - s->mean_run_w;
        struct align_pairs *row = s->sums + block_at(s, run->start_s + into_s) * delays;
        for (size_t m = 0; m < delays && isfinite(x); m++)
            if (isfinite(log_w[k + m]))
                add_pair(&row[m], x, log_w[k + m]);
    }
    free(log_w);
    return 0;
}

static struct align_pairs sums_at(const struct search *s, long delay, double drift)
{
    struct align_pairs all = {0};
    for (size_t block = 0; block < s->blocks; block++) {
        long at = delay + drifted(s, block, drift) + s->wide;
        const struct align_pairs *one = s->sums + block * (2 * (size_t)s->wide + 1) + at;
        all.n += one->n;
        all.x += one->x;
        all.y += one->y;
        all.xx += one->xx;
        all.yy += one->yy;
        all.xy += one->xy;
    }
    return all;
}

/* Drifts are as far apart as moves the ends by half a step. */
static long drifts(const struct search *s)
{
    return (long)floor(ALIGN_DRIFT_MOST * s->span_s / s->step_s);
}

static double drift_of(const struct search *s, long number)
{
    return (double)number * s->step_s / s->span_s;
}

/* Of delays at which the log covers less than half of what it can, nothing is said. */
static void go_through(struct search *s)
{
    long turns = drifts(s);
    for (long delay = -s->most; delay <= s->most; delay++)
        s->pairs_most = fmax(s->pairs_most, sums_at(s, delay, 0).n);
    s->peak = -s->most;
    for (long delay = -s->most; delay <= s->most; delay++) {
        double *best = &s->best[s->most + delay];
        *best = -1;
        for (long turn = -turns; turn <= turns; turn++) {
            struct align_pairs sums = sums_at(s, delay, drift_of(s, turn));
            double r = sums.n >= s->pairs_most / 2 ? align_correlation(&sums) : NAN;
            if (!(r > *best) && !(r == *best && turn == 0))
                continue;
            *best = r;
            s->best_drift[s->most + delay] = drift_of(s, turn);
        }
        if (*best > s->best[s->most + s->peak])
            s->peak = delay;
    }
}

/* How many steps of the runs' power decide: the participation ratio of its changes from cell to cell, 1 for a
 * single step, many for a power that goes up and down. */
static double edges(const struct search *s)
{
    double squares = 0, fourths = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct align_curve curve = run_curve(&s->runs[i]);
        size_t cells = run_cells(s, &s->runs[i]);
        double before = NAN;
        for (size_t k = 0; k < cells; k++) {
            double into_s = curve.at_s[0] + (double)k * s->step_s;
            double x = align_mean(&curve, into_s, into_s + s->step_s);
            double square = isfinite(x - before) ? (x - before) * (x - before) : 0;
            squares += square;
            fourths += square * square;
            before = x;
        }
    }
    return fourths > 0 ? squares * squares / fourths : 0;
}

/* ---- what the residuals are worth ---- */

/* Sums of products of a run's residuals, by lag; the runs stand apart. */
static int add_products(const struct search *s, const struct align_run *run, double offset, double slope,
                        double *products, struct error *error)
{
    size_t cells = run_cells(s, run);
    struct align_curve curve = run_curve(run);
    double drift = s->best_drift[s->most + s->peak];
    double *residuals = calloc(cells + 1, sizeof *residuals);
    if (!residuals)
        return error_memory(error, "search for the delay");
    for (size_t k = 0; k < cells; k++) {
        double into_s = curve.at_s[0] + (double)k * s->step_s;
        long steps = s->peak + drifted(s, block_at(s, run->start_s + into_s), drift);
        double at_s = run->start_s + into_s + (double)steps * s->step_s;
        residuals[k] = align_mean(&s->log->curve, at_s, at_s + s->step_s) - s->mean_log_w - offset -
                       slope * (align_mean(&curve, into_s, into_s + s->step_s) - s->mean_run_w);
    }
    for (size_t k = 0; k < cells; k++)
        for (size_t lag = 0; lag <= RUN_LAGS_MOST && lag <= k; lag++)
            if (isfinite(residuals[k]) && isfinite(residuals[k - lag]))
                products[lag] += residuals[k] * residuals[k - lag];
    free(residuals);
    return 0;
}

/* How many independent pairs the residuals at the peak are worth: n / (1 + 2 sum of their autocorrelations),
 * the sum up to the first that is not above 0. */
static int worth(const struct search *s, double *pairs, struct error *error)
{
    double products[RUN_LAGS_MOST + 1] = {0}, offset, slope;
    struct align_pairs sums = sums_at(s, s->peak, s->best_drift[s->most + s->peak]);
    align_line(&sums, &offset, &slope);
    for (size_t i = 0; i < s->count; i++)
        if (add_products(s, &s->runs[i], offset, slope, products, error) < 0)
            return -1;
    double sum = 0;
    for (size_t lag = 1; lag <= RUN_LAGS_MOST && products[lag] > 0; lag++)
        sum += products[lag] / products[0];
    *pairs = sums.n / (1 + 2 * sum);
    return 0;
}

/* The logarithm of how many times as likely the peak is as another correlation. */
static double evidence(double peak, double other, double pairs)
{
    double least = 1e-12, r = fmax(other, 0);
    return pairs / 2 * log(fmax(1 - r * r, least) / fmax(1 - peak * peak, least));
}

static enum align_verdict judge(const struct search *s, double pairs, struct alignment *a, double *likely_s)
{
    const double *best = s->best + s->most;
    double peak = best[s->peak], odds = log(ALIGN_ODDS);
    double tried = (2 * (double)s->most + 1) * (2 * (double)drifts(s) + 1);
    a->correlation = peak;
    if (!(peak > 0) || edges(s) < EDGES_LEAST || evidence(peak, 0, pairs) < odds + log(tried))
        return ALIGN_FLAT;
    long low = s->peak, high = s->peak;
    while (low > -s->most && evidence(peak, best[low - 1], pairs) < odds)
        low--;
    while (high < s->most && evidence(peak, best[high + 1], pairs) < odds)
        high++;
    for (long delay = -s->most; delay <= s->most; delay++)
        if ((delay < low || delay > high) &&
            !(best[delay] <= a->second_correlation)) { /* NAN before the first */
            a->second_correlation = best[delay];
            a->second_delay_s = (double)delay * s->step_s;
        }
    *likely_s = (double)(high - low + 1) * s->step_s;
    if (isfinite(a->second_correlation) && evidence(peak, a->second_correlation, pairs) < odds)
        return ALIGN_TWO_WAYS;
    if (low <= 1 - s->most || high >= s->most - 1)
        return ALIGN_AT_EDGE;
    return *likely_s > fmax(LIKELY_MOST_S, 4 * s->step_s) ? ALIGN_FLAT : ALIGN_FOUND;
}

/* ---- all of it ---- */

/* Correlations are of differences from the mean: sums of large numbers would lose them. */
static void find_means(struct search *s)
{
    double energy_j = 0, covered_s = 0;
    for (size_t i = 0; i < s->count; i++) {
        const struct align_run *run = &s->runs[i];
        energy_j += run->count ? run->energy_j[run->count - 1] : 0;
        covered_s += run->count ? run->covered_s[run->count - 1] : 0;
    }
    s->mean_run_w = covered_s > 0 ? energy_j / covered_s : 0;
    size_t last = s->log->curve.count - 1;
    if (s->log->covered_s[last] > 0)
        s->mean_log_w = s->log->energy_j[last] / s->log->covered_s[last];
}

static int search(struct search *s, double search_s, struct alignment *a, struct align_start *start,
                  struct error *error)
{
    choose_step(s, search_s);
    choose_blocks(s);
    find_means(s);
    size_t delays = 2 * (size_t)s->most + 1;
    s->sums = calloc(s->blocks * (2 * (size_t)s->wide + 1), sizeof *s->sums);
    s->best = calloc(delays, sizeof *s->best);
    s->best_drift = calloc(delays, sizeof *s->best_drift);
    if (!s->sums || !s->best || !s->best_drift)
        return error_memory(error, "search for the delay");
    for (size_t i = 0; i < s->count; i++)
        if (add_run(s, &s->runs[i], error) < 0)
            return -1;
    go_through(s);
    a->verdict = s->pairs_most > 0 ? ALIGN_FLAT : ALIGN_APART;
    a->correlation = s->best[s->most + s->peak];
    if (s->pairs_most < CELLS_LEAST || !(a->correlation > 0))
        return 0;
    double pairs, likely_s = 0;
    if (worth(s, &pairs, error) < 0)
        return -1;
    a->verdict = judge(s, pairs, a, &likely_s);
    a->reference_s = s->first_s + s->span_s / 2;
    /* likely is what has at least one thousandth of the peak's likelihood: 3.7 standard deviations */
    *start = (struct align_start){s->step_s, (double)s->peak * s->step_s, s->best_drift[s->most + s->peak],
                                  likely_s / 2 / sqrt(2 * log(ALIGN_ODDS))};
    return 0;
}

int stats_align(const struct align_log *log, const struct align_run *runs, size_t count, double search_s,
                struct alignment *alignment, struct error *error)
{
    *alignment = (struct alignment){.verdict = ALIGN_APART,
                                    .correlation = NAN,
                                    .second_correlation = NAN,
                                    .second_delay_s = NAN,
                                    .runs = calloc(count + 1, sizeof *alignment->runs)};
    if (!alignment->runs)
        return error_memory(error, "runs");
    if (log->count < 2 || count == 0)
        return 0;
    struct align_sums sums;
    int result = align_sums_make(log, &sums, error);
    struct search s = {.runs = runs, .count = count, .log = &sums};
    struct align_start start;
    if (result == 0)
        result = search(&s, search_s, alignment, &start, error);
    if (result == 0 && alignment->verdict == ALIGN_FOUND)
        result = align_fit(&sums, log, runs, count, &start, alignment, error);
    free(s.sums);
    free(s.best);
    free(s.best_drift);
    align_sums_free(&sums);
    return result;
}

void align_free(struct alignment *alignment)
{
    free(alignment->runs);
    alignment->runs = NULL;
}
