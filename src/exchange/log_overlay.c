#include "exchange/log_overlay.h"

#include "base/clock.h"
#include "base/text.h"
#include "exchange/software_power.h"
#include "record/overlay.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A run's start is kept to the second, cut off: it lies anywhere in the second that follows. */
#define START_LATER_S 0.5
#define START_SD_S    0.2886751345948129 /* 1 / sqrt(12) */

#define ACCURACY 0.02

/* Times that both sides are given in: seconds since the first run's start. */
struct series {
    double *at_s, *values;
    size_t count;
};

struct laying {
    struct store *store;
    const struct power_log *log;
    const struct log_overlay_options *options;
    struct log_overlay *result;
    struct channel channel;
    double *starts_s;              /* of each run */
    struct software_power *powers; /* of each run */
    struct series readings;        /* what becomes a channel: W or J */
    struct series seen;            /* W, to find the delay by */
    struct error *error;
};

/* ---- runs ---- */

struct choice {
    struct log_overlay *result;
    int64_t run; /* 0: all */
    bool failed;
};

static int take_run(void *context, const struct run_line *line)
{
    struct choice *choice = context;
    struct log_overlay *result = choice->result;
    bool ended = strcmp(line->state, "done") == 0 || strcmp(line->state, "failed") == 0;
    if (!ended || (choice->run && line->run != choice->run))
        return 0;
    struct laid_run *grown = reallocarray(result->runs, result->count + 1, sizeof *grown);
    choice->failed = !grown;
    if (!grown)
        return -1;
    result->runs = grown;
    grown[result->count++] = (struct laid_run){.run = line->run};
    return 0;
}

static int choose_runs(struct laying *l)
{
    struct choice choice = {l->result, l->options->run, false};
    if (store_list_runs(l->store, take_run, &choice, l->error) < 0)
        return -1;
    if (choice.failed)
        return error_memory(l->error, "runs");
    if (l->result->count)
        return 0;
    if (l->options->run)
        return error_set(l->error, "no run %lld that has ended: `joulery study status --json -` lists them",
                         (long long)l->options->run);
    return error_set(l->error, "no run has ended yet: run the study first");
}

static int read_run(struct laying *l, size_t number, int64_t *started_ns)
{
    struct record record;
    struct laid_run *run = &l->result->runs[number];
    int result = store_read_record(l->store, run->run, &record, l->error);
    if (result == 0 && l->options->search)
        result = software_power_read(l->store, run->run, &record, &l->powers[number], l->error);
    run->wall_s = record.wall_s;
    *started_ns = record.started_wall_ns;
    l->result->estimated = l->result->estimated || l->powers[number].estimated;
    record_free(&record);
    return result;
}

static int read_runs(struct laying *l)
{
    struct log_overlay *result = l->result;
    l->starts_s = calloc(result->count, sizeof *l->starts_s);
    l->powers = calloc(result->count, sizeof *l->powers);
    if (!l->starts_s || !l->powers)
        return error_memory(l->error, "runs");
    for (size_t i = 0; i < result->count; i++) {
        int64_t started_ns;
        if (read_run(l, i, &started_ns) < 0)
            return -1;
        if (i == 0)
            result->origin_ns = started_ns;
        l->starts_s[i] = (double)(started_ns - result->origin_ns) / NS_PER_S + START_LATER_S;
    }
    return 0;
}

/* ---- the log ---- */

static double log_s(const struct laying *l, size_t i)
{
    return (double)(l->log->wall_ns[i] - l->result->origin_ns) / NS_PER_S;
}

static int make_series(const struct laying *l, struct series *series, const double *values)
{
    series->at_s = calloc(l->log->count, sizeof *series->at_s);
    series->values = calloc(l->log->count, sizeof *series->values);
    if (!series->at_s || !series->values)
        return error_memory(l->error, "power log");
    for (size_t i = 0; i < l->log->count; i++)
        if (isfinite(values[i])) {
            series->at_s[series->count] = log_s(l, i);
            series->values[series->count++] = values[i];
        }
    return 0;
}

/* A counter's mean powers between its readings, half-way between them. */
static void make_powers(struct series *series)
{
    size_t kept = 0;
    for (size_t i = 0; i + 1 < series->count; i++) {
        double wide_s = series->at_s[i + 1] - series->at_s[i];
        double power_w = (series->values[i + 1] - series->values[i]) / wide_s;
        if (power_w < 0) /* a counter that began again */
            continue;
        series->at_s[kept] = series->at_s[i] + wide_s / 2;
        series->values[kept++] = power_w;
    }
    series->count = kept;
}

static int read_log(struct laying *l)
{
    size_t powers = 0, energies = 0;
    for (size_t i = 0; i < l->log->count; i++) {
        powers += isfinite(l->log->power_w[i]);
        energies += isfinite(l->log->energy_j[i]);
    }
    bool counter = energies > 1;
    l->result->kind = counter ? KIND_COUNTER : KIND_POWER;
    if (make_series(l, &l->readings, counter ? l->log->energy_j : l->log->power_w) < 0)
        return -1;
    if (make_series(l, &l->seen, powers > 1 ? l->log->power_w : l->log->energy_j) < 0)
        return -1;
    if (powers < 2)
        make_powers(&l->seen);
    return 0;
}

static void make_channel(struct laying *l)
{
    const struct log_overlay_options *o = l->options;
    bool counter = l->result->kind == KIND_COUNTER;
    double seen = counter && isfinite(l->log->energy_step_j) ? l->log->energy_step_j : 0;
    l->channel = (struct channel){
        .meter = (char *)LOG_OVERLAY_METER,
        .name = (char *)o->name,
        .scope = SCOPE_WALL,
        .kind = l->result->kind,
        .resolution = o->step > 0 ? o->step : seen,
        .update_s = l->log->interval_s,
        .max_power_w = o->max_power_w,
        .accuracy = o->accuracy > 0 ? o->accuracy : ACCURACY,
        .accuracy_source = (char *)(o->accuracy > 0 ? "given with --accuracy"
                                                    : "assumed: --accuracy takes the data sheet's"),
    };
}

/* ---- where the log lies ---- */

static int not_told(const struct laying *l)
{
    static const char remedy[] =
        "find out how far the log's clock is ahead of this machine's and give it with "
        "--delay S (--no-search: the two agree)";
    const struct alignment *a = &l->result->alignment;
    switch (a->verdict) {
    case ALIGN_FLAT:
        return error_set(
            l->error,
            "the log's power and the software's don't tell how the log's clock stands: no delay within "
            "%g s stands out (the best correlation is %.2f); the load is too even, the runs are too short, "
            "or the log is of "
            "something else: %s",
            l->options->search_s, fmax(0, a->correlation), remedy);
    case ALIGN_TWO_WAYS:
        return error_set(
            l->error,
            "the log fits the runs in more than one way: with a delay of %.1f s nearly as well as with "
            "the best (correlations %.3f and %.3f), as a load that repeats itself does: %s, or let "
            "--search go less far",
            a->second_delay_s, a->second_correlation, a->correlation, remedy);
    case ALIGN_AT_EDGE:
        return error_set(
            l->error,
            "the best delay lies at the end of what was searched, %g s: let --search go further, or %s",
            l->options->search_s, remedy);
    default:
        return 0;
    }
}

static int not_covered(const struct laying *l)
{
    size_t last = l->result->count - 1;
    AUTO_FREE char *log_from = clock_iso8601(l->log->wall_ns[0]);
    AUTO_FREE char *log_to = clock_iso8601(l->log->wall_ns[l->log->count - 1]);
    AUTO_FREE char *from = clock_iso8601(l->result->origin_ns);
    AUTO_FREE char *to = clock_iso8601(l->result->origin_ns + llround(l->starts_s[last]) * NS_PER_S);
    return error_set(
        l->error,
        "the log, from %s to %s, covers none of the runs, which began from %s to %s: look at its "
        "column of times (one without a zone is taken as this machine's), or give --delay S",
        log_from ? log_from : "?", log_to ? log_to : "?", from ? from : "?", to ? to : "?");
}

static int find_delay(struct laying *l)
{
    struct log_overlay *result = l->result;
    size_t traced = 0;
    struct align_run *runs = calloc(result->count, sizeof *runs);
    if (!runs)
        return error_memory(l->error, "runs");
    for (size_t i = 0; i < result->count; i++) {
        const struct software_power *power = &l->powers[i];
        traced += power->count > 1;
        runs[i] = (struct align_run){l->starts_s[i],  START_SD_S,       power->at_s,
                                     power->energy_j, power->covered_s, power->count};
    }
    const struct align_log log = {l->seen.at_s, l->seen.values, l->seen.count};
    int found =
        traced ? stats_align(&log, runs, result->count, l->options->search_s, &result->alignment, l->error)
               : error_set(l->error, "the runs have no power trace of software channels to find the log's "
                                     "delay by: give it with --delay S, or --no-search");
    free(runs);
    if (found < 0)
        return -1;
    result->searched = true;
    if (result->alignment.verdict == ALIGN_APART)
        return not_covered(l);
    if (result->alignment.verdict != ALIGN_FOUND)
        return not_told(l);
    for (size_t i = 0; i < result->count; i++)
        result->runs[i].at = result->alignment.runs[i];
    return 0;
}

static void take_delay(struct laying *l)
{
    for (size_t i = 0; i < l->result->count; i++)
        l->result->runs[i].at = (struct aligned_run){
            .middle_s = l->starts_s[i] + l->result->runs[i].wall_s / 2 + l->options->delay_s,
            .delay_s = l->options->delay_s,
            .delay_sd_s = START_SD_S,
            .correlation = NAN,
            .slope = NAN,
            .offset_w = NAN};
}

/* ---- laying over ---- */

/* A reading's time since the start of a run. */
static double into_run_s(const struct laying *l, size_t number, double at_s)
{
    const struct aligned_run *at = &l->result->runs[number].at;
    return at_s - at->delay_s - l->result->alignment.drift * (at_s - at->middle_s) - l->starts_s[number];
}

/* The readings in a run's own time: those in it, and as many around it as can touch its edges. */
static void cut_out(const struct laying *l, size_t number, double *at_s, const double **values, size_t *count)
{
    const struct series *all = &l->readings;
    double around_s = 4 * l->log->interval_s + 1;
    size_t first = 0, after = all->count;
    while (first < after) {
        size_t middle = first + (after - first) / 2;
        if (into_run_s(l, number, all->at_s[middle]) < -around_s)
            first = middle + 1;
        else
            after = middle;
    }
    *values = all->values + first;
    for (*count = 0; first + *count < all->count; (*count)++) {
        at_s[*count] = into_run_s(l, number, all->at_s[first + *count]);
        if (at_s[*count] > l->result->runs[number].wall_s + around_s)
            break;
    }
}

static char *describe(const struct laying *l, const struct laid_run *run)
{
    const struct aligned_run *at = &run->at;
    if (!l->result->searched)
        return text_format(
            "laid over with a delay of %.3f s, as it was told; a run's start is known to the second",
            at->delay_s);
    struct text text = TEXT_INIT;
    text_printf(&text,
                "laid over with a delay of %.3f s +- %.3f s and a clock that %s %.0f ppm, found by the "
                "software's power%s ",
                at->delay_s, at->delay_sd_s, l->result->alignment.drift < 0 ? "loses" : "gains",
                fabs(l->result->alignment.drift) * 1e6, l->result->estimated ? ", an estimate," : "");
    if (at->own)
        text_printf(&text, "in this run (correlation %.3f)", at->correlation);
    else
        text_printf(&text, "in the other runs (correlation %.3f)", l->result->alignment.correlation);
    return text_take(&text);
}

static int lay_run(struct laying *l, size_t number, double *at_s)
{
    struct laid_run *run = &l->result->runs[number];
    struct overlay overlay = {.channel = &l->channel,
                              .at_s = at_s,
                              .delay_sd_s = run->at.delay_sd_s,
                              .drift_sd = l->result->searched ? l->result->alignment.drift_sd : 0};
    cut_out(l, number, at_s, &overlay.values, &overlay.count);
    if (overlay.count < 2)
        return 0;
    struct record record;
    size_t channel;
    int result = store_read_record(l->store, run->run, &record, l->error);
    if (result == 0)
        result = overlay_lay(&record, &overlay, &channel, l->error);
    if (result == 0 && record.window_count) {
        run->energy = record.windows[0].energies[channel];
        run->apart = record.channels[channel].apart;
        run->laid = run->energy.known;
    }
    if (result == 0 && run->laid && !l->options->dry_run) {
        AUTO_FREE char *start = text_format("%s/%s: ", LOG_OVERLAY_METER, l->options->name);
        AUTO_FREE char *note = describe(l, run);
        result = start && note ? store_overlay(l->store, run->run, &record, channel, start, note, l->error)
                               : error_memory(l->error, "note");
    }
    l->result->laid += result == 0 && run->laid;
    record_free(&record);
    return result;
}

static int lay_all(struct laying *l)
{
    double *at_s = calloc(l->readings.count + 1, sizeof *at_s);
    if (!at_s)
        return error_memory(l->error, "power log");
    int result = l->options->dry_run ? 0 : store_begin_overlay(l->store, l->error);
    bool begun = result == 0 && !l->options->dry_run;
    for (size_t i = 0; i < l->result->count && result == 0; i++)
        result = lay_run(l, i, at_s);
    if (result == 0 && l->result->laid == 0)
        result = not_covered(l);
    if (begun)
        result = store_end_overlay(l->store, result, l->error);
    free(at_s);
    return result;
}

int log_overlay_lay(struct store *store, const struct power_log *log,
                    const struct log_overlay_options *options, struct log_overlay *overlay,
                    struct error *error)
{
    *overlay = (struct log_overlay){0};
    struct laying l = {.store = store, .log = log, .options = options, .result = overlay, .error = error};
    int result = choose_runs(&l);
    if (result == 0)
        result = read_runs(&l);
    if (result == 0)
        result = read_log(&l);
    if (result == 0) {
        make_channel(&l);
        if (options->search)
            result = find_delay(&l);
        else
            take_delay(&l);
    }
    if (result == 0)
        result = lay_all(&l);
    for (size_t i = 0; l.powers && i < overlay->count; i++)
        software_power_free(&l.powers[i]);
    free(l.powers);
    free(l.starts_s);
    free(l.readings.at_s);
    free(l.readings.values);
    free(l.seen.at_s);
    free(l.seen.values);
    return result;
}

void log_overlay_free(struct log_overlay *overlay)
{
    align_free(&overlay->alignment);
    free(overlay->runs);
    *overlay = (struct log_overlay){0};
}

/* ---- joulery.overlay/1 ---- */

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *run_json(const struct log_overlay *overlay, const struct laid_run *run)
{
    const struct aligned_run *at = &run->at;
    const struct channel_energy *energy = &run->energy;
    bool found = overlay->searched && at->own;
    return json_pack("{s:I, s:b, s:b, s:f, s:f, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:f}", "run",
                     (json_int_t)run->run, "laid", run->laid, "apart", run->apart, "delay_s", at->delay_s,
                     "delay_uncertainty_s", at->delay_sd_s, "own_delay", found, "correlation",
                     number(found ? at->correlation : NAN), "slope", number(found ? at->slope : NAN),
                     "offset_w", number(found ? at->offset_w : NAN), "energy_j",
                     number(run->laid ? energy->energy_j : NAN), "uncertainty_j",
                     number(run->laid ? energy->uncertainty_j : NAN), "gap_s",
                     number(run->laid ? energy->gap_s : NAN), "wall_s", run->wall_s);
}

static json_t *alignment_json(const struct log_overlay *overlay)
{
    const struct alignment *a = &overlay->alignment;
    if (!overlay->searched)
        return json_null();
    AUTO_FREE char *reference = clock_iso8601(overlay->origin_ns + llround(a->reference_s) * NS_PER_S);
    return json_pack("{s:f, s:f, s:f, s:f, s:s?, s:f, s:o, s:o, s:b}", "delay_s", a->delay_s,
                     "delay_uncertainty_s", a->delay_sd_s, "drift_ppm", a->drift * 1e6,
                     "drift_uncertainty_ppm", a->drift_sd * 1e6, "reference", reference, "correlation",
                     a->correlation, "second_correlation", number(a->second_correlation), "second_delay_s",
                     number(a->second_delay_s), "estimated", overlay->estimated);
}

json_t *log_overlay_to_json(const struct log_overlay *overlay, const struct power_log *log,
                            const struct log_overlay_options *options)
{
    json_t *runs = json_array();
    for (size_t i = 0; i < overlay->count; i++)
        json_array_append_new(runs, run_json(overlay, &overlay->runs[i]));
    AUTO_FREE char *from = clock_iso8601(log->wall_ns[0]);
    AUTO_FREE char *to = clock_iso8601(log->wall_ns[log->count - 1]);
    AUTO_FREE char *name = text_utf8(options->name, strlen(options->name));
    return json_pack(
        "{s:{s:s, s:s?, s:s}, s:{s:I, s:I, s:I, s:I, s:I, s:s?, s:s?, s:s?, s:f, s:o}, s:b, s:o, s:o}",
        "channel", "meter", LOG_OVERLAY_METER, "name", name, "kind", channel_kind_name(overlay->kind), "log",
        "rows", (json_int_t)log->rows, "used", (json_int_t)log->count, "bad", (json_int_t)log->bad, "back",
        (json_int_t)log->back, "repeated", (json_int_t)log->repeated, "first_bad", log->first_bad, "first",
        from, "last", to, "interval_s", log->interval_s, "energy_step_j", number(log->energy_step_j),
        "dry_run", options->dry_run, "alignment", alignment_json(overlay), "runs", runs);
}
