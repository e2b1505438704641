#include "study/executor.h"

#include "base/clock.h"
#include "base/progress.h"
#include "base/scratch.h"
#include "base/text.h"
#include "base/units.h"
#include "study/design.h"
#include "study/leftovers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_TAIL_BYTES 16384
#define TRACE_BATCH       8192 /* samples held back, so that storing them rarely disturbs what is measured */

/* What becomes of the power trace while a run goes on; only the sampler's thread touches it until the run is
 * over. */
struct tracing {
    struct store *store;
    int64_t run;
    struct trace_sample *samples;
    size_t count;
    bool failed;
    struct error error;
};

struct execution {
    const struct study *study;
    struct store *store;
    const struct executor_options *options;
    struct progress progress;
    struct store_counts counts;
    const char *label; /* of the run under way */
    struct tracing tracing;
};

static bool stopped(const struct execution *execution)
{
    return execution->options->stop && *execution->options->stop;
}

/* ---- what is shown ---- */

/* Seconds until the end of the study: what was measured says how long a run takes. 0: not known. */
static double time_left(const struct execution *execution)
{
    size_t left = execution->counts.planned - execution->counts.done - execution->counts.failed;
    if (execution->counts.expected_s <= 0 || left == 0)
        return 0;
    return execution->counts.expected_s + (double)(left - 1) * execution->study->cooldown_s;
}

static void show_progress(struct execution *execution, const char *doing)
{
    const struct store_counts *counts = &execution->counts;
    size_t ended = counts->done + counts->failed;
    double left_s = time_left(execution);
    AUTO_FREE char *left = left_s > 0 ? units_duration(left_s) : NULL;
    AUTO_FREE char *detail = text_format("run %zu of %zu: %s%s%s%s%s", ended + 1, counts->planned,
                                         execution->label ? execution->label : "", doing,
                                         left ? ", about " : "", left ? left : "", left ? " left" : "");
    if (detail)
        progress_update(&execution->progress, (double)ended, (double)counts->planned, detail);
}

static void show_mark(void *context, const struct record *record)
{
    struct execution *execution = context;
    const struct window *window =
        record->window_count > 1 ? &record->windows[record->window_count - 1] : NULL;
    AUTO_FREE char *doing = window ? text_format(", %s %lld", window->name, (long long)window->index) : NULL;
    show_progress(execution, doing ? doing : "");
}

static void show_start(void *context, pid_t child)
{
    (void)child;
    show_progress(context, "");
}

/* The last value of the first of these metrics that the workload gave; NAN: none. */
static double last_accuracy(const struct record *record)
{
    static const char *const names[] = {"val_accuracy", "accuracy"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++)
        for (size_t w = record->window_count; w-- > 0;)
            for (size_t m = record->windows[w].metric_count; m-- > 0;)
                if (strcmp(record->windows[w].metrics[m].name, names[n]) == 0)
                    return record->windows[w].metrics[m].value;
    return (double)NAN;
}

static char *describe_end(const struct record *record)
{
    if (record->end == END_SIGNALLED)
        return text_format("ended by signal %d (%s)", record->term_signal, strsignal(record->term_signal));
    if (record->end == END_NOT_STARTED)
        return text_format("%s could not be started: %s",
                           record->command_count ? record->command[0] : "the command",
                           record->exit_status == 126 ? "not executable" : "not found");
    return text_format("exit status %d", record->exit_status);
}

static char *describe_done(const struct record *record)
{
    struct energy_totals totals = record_totals(record, 0);
    bool wall = isfinite(totals.hardware_j);
    double energy_j = wall ? totals.hardware_j : totals.software_j;
    double accuracy = last_accuracy(record);
    AUTO_FREE char *energy = isfinite(energy_j) ? units_energy(energy_j) : strdup("energy not known");
    AUTO_FREE char *spent = units_duration(record->wall_s);
    struct text line = TEXT_INIT;
    text_printf(&line, "%s%s", energy ? energy : "", !wall && totals.estimated ? " (estimated)" : "");
    if (accuracy >= 0 && accuracy <= 1)
        text_printf(&line, ", accuracy %.1f %%", 100 * accuracy);
    else if (isfinite(accuracy))
        text_printf(&line, ", accuracy %.4g", accuracy);
    text_printf(&line, ", %s", spent ? spent : "");
    return text_take(&line);
}

static void tell_run(struct execution *execution, const struct planned_run *run, const struct record *record)
{
    bool done = record->end == END_EXITED && record->exit_status == 0;
    AUTO_FREE char *what = done ? describe_done(record) : describe_end(record);
    AUTO_FREE char *line = done || !record->output_tail ? NULL : text_last_line(record->output_tail);
    const struct store_counts *counts = &execution->counts;
    progress_clear(&execution->progress);
    fprintf(execution->options->talk, "run %zu of %zu: %s, repetition %lld: %s%s%s%s\n",
            counts->done + counts->failed + 1, counts->planned, execution->label, (long long)run->repetition,
            done ? "" : "failed: ", what ? what : "", line && *line ? ": " : "", line && *line ? line : "");
    fflush(execution->options->talk);
}

/* ---- the trace ---- */

static int store_samples(struct tracing *tracing)
{
    int result = 0;
    if (tracing->count > 0)
        result =
            store_add_trace(tracing->store, tracing->run, tracing->samples, tracing->count, &tracing->error);
    tracing->count = 0;
    tracing->failed = tracing->failed || result < 0;
    return result;
}

static int take_trace(void *context, const struct trace_sample *samples, size_t count)
{
    struct tracing *tracing = &((struct execution *)context)->tracing;
    for (size_t i = 0; i < count && !tracing->failed; i++) {
        tracing->samples[tracing->count++] = samples[i];
        if (tracing->count == TRACE_BATCH)
            store_samples(tracing);
    }
    return tracing->failed ? -1 : 0;
}

/* ---- one run ---- */

static int make_scratch(struct scratch *scratch, struct error *error)
{
    const char *parent = getenv("TMPDIR");
    struct error why = ERROR_INIT;
    if (scratch_open(scratch, parent && *parent ? parent : "/tmp", "joulery-run", &why) == 0)
        return 0;
    error_set(error, "%s: a run needs a folder of its own; TMPDIR says where", error_text(&why));
    error_clear(&why);
    return -1;
}

/* Stores what was measured. A trace that could not be kept, or a disk so full that only the reserve helped,
 * ends the study after that. */
static int keep_run(struct execution *execution, int64_t number, const struct record *record,
                    struct error *error)
{
    struct tracing *tracing = &execution->tracing;
    if (!tracing->failed)
        store_samples(tracing);
    if (store_end_run(execution->store, number, record, error) < 0)
        return -1;
    if (tracing->failed)
        return error_set(error, "%s (the run that was just measured is stored, without its power trace)",
                         error_text(&tracing->error));
    if (store_reserve_used(execution->store))
        return error_set(
            error, "the disk of the database is full; the run that was just measured is stored: free some "
                   "space and run the same command again");
    return 0;
}

/* 0: the run is stored; 1: it was stopped and cut; -1: error. */
static int measure(struct execution *execution, const struct planned_run *run, int64_t number,
                   char *const *command, const char *scratch, struct error *error)
{
    const struct executor_options *options = execution->options;
    struct recorder_options recording = {
        .command = command,
        .directory = execution->study->folder == FOLDER_SCRATCH ? scratch : execution->study->directory,
        .setup = options->setup,
        .meters = options->meters,
        .meter_count = options->meter_count,
        .rate_hz = options->rate_hz,
        .output_tail_bytes = OUTPUT_TAIL_BYTES,
        .timeout_s = execution->study->timeout_s,
        .stop = options->stop,
        .trace = take_trace,
        .started = show_start,
        .marked = show_mark,
        .context = execution,
    };
    struct record record = {0};
    int result = recorder_run(&recording, &record, error);
    if (result < 0 || stopped(execution)) {
        struct error ignored = ERROR_INIT;
        store_cut_run(execution->store, number, result < 0 ? &ignored : error);
        error_clear(&ignored);
        result = result < 0 ? -1 : 1;
    } else {
        result = keep_run(execution, number, &record, error);
        if (result == 0)
            tell_run(execution, run, &record);
    }
    record_free(&record);
    return result;
}

static int execute(struct execution *execution, const struct planned_run *run, struct error *error)
{
    AUTO_FREE char *label = design_label(run);
    struct scratch scratch;
    if (!label)
        return error_memory(error, "run");
    if (make_scratch(&scratch, error) < 0)
        return -1;
    struct design_places places = {execution->options->trainer, scratch.path};
    char **command = design_command(execution->study, run, &places, error);
    int64_t number;
    int result = command ? store_begin_run(execution->store, run->position, &number, error) : -1;
    if (result == 0)
        result = leftovers_mark(execution->options->database, number, error);
    if (result == 0) {
        execution->label = label;
        execution->tracing.run = number;
        execution->tracing.count = 0;
        result = measure(execution, run, number, command, scratch.path, error);
        execution->label = NULL;
    }
    design_command_free(command);
    scratch_close(&scratch);
    return result;
}

/* ---- all of them ---- */

static void cool_down(struct execution *execution)
{
    int64_t until = clock_boot_ns() + (int64_t)(execution->study->cooldown_s * 1e9);
    while (clock_boot_ns() < until && !stopped(execution)) {
        show_progress(execution, "cooling down");
        int64_t next = clock_boot_ns() + NS_PER_S / 5;
        clock_sleep_until(next < until ? next : until);
    }
}

/* 1: a run was done; 0: none is left, or the study is stopped; -1: error. */
static int step(struct execution *execution, bool first, struct error *error)
{
    struct planned_run run;
    if (store_count(execution->store, &execution->counts, error) < 0)
        return -1;
    int found = store_next(execution->store, &run, error);
    if (found <= 0)
        return found;
    if (!first)
        cool_down(execution);
    int result = stopped(execution) ? 1 : execute(execution, &run, error);
    planned_run_free(&run);
    if (result < 0)
        return -1;
    return result == 0 ? 1 : 0;
}

enum executor_result executor_run(const struct study *study, struct store *store,
                                  const struct executor_options *options, struct error *error)
{
    struct execution execution = {.study = study, .store = store, .options = options};
    execution.tracing.store = store;
    execution.tracing.samples = calloc(TRACE_BATCH, sizeof *execution.tracing.samples);
    if (!execution.tracing.samples)
        return error_memory(error, "trace");
    progress_start(&execution.progress);
    int result;
    bool first = true;
    while ((result = step(&execution, first, error)) > 0)
        first = false;
    progress_clear(&execution.progress);
    free(execution.tracing.samples);
    error_clear(&execution.tracing.error);
    if (result < 0)
        return EXECUTOR_FAILED;
    return stopped(&execution) ? EXECUTOR_STOPPED : EXECUTOR_DONE;
}
