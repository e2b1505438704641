#include "study/executor.h"

#include "base/progress.h"
#include "base/text.h"
#include "base/units.h"
#include "study/design.h"
#include "study/folder.h"
#include "study/leftovers.h"
#include "study/practice.h"
#include "study/stopping.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUTPUT_TAIL_BYTES 16384
#define TRACE_BATCH       8192 /* samples held back, so that storing them rarely disturbs what is measured */
#define TRACE_HELD_MOST   (1 << 20) /* while somebody else keeps the database locked */

/* What becomes of the power trace while a run goes on; only the sampler's thread touches it until the run is
 * over. */
struct tracing {
    struct store *store;
    int64_t run;
    struct trace_sample *samples;
    size_t count, capacity;
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
    struct practice practice;
    bool begun; /* practice_begin was called */
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
    return execution->counts.expected_s + (double)(left - 1) * execution->study->cooldown.least_s;
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

static bool has_failed(const struct record *record)
{
    return record->end != END_EXITED || record->exit_status != 0;
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
    bool done = !has_failed(record);
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

/* Those that can't be stored because somebody else writes are kept for the next time. */
static int store_samples(struct tracing *tracing)
{
    if (tracing->count == 0 || tracing->failed)
        return 0;
    if (store_add_trace(tracing->store, tracing->run, tracing->samples, tracing->count, &tracing->error) ==
        0) {
        tracing->count = 0;
        return 0;
    }
    tracing->failed = !store_locked(tracing->store);
    if (!tracing->failed)
        error_clear(&tracing->error);
    return -1;
}

static int make_room(struct tracing *tracing)
{
    store_samples(tracing);
    if (tracing->failed || tracing->count < tracing->capacity)
        return tracing->failed ? -1 : 0;
    size_t capacity = 2 * tracing->capacity;
    struct trace_sample *grown =
        capacity <= TRACE_HELD_MOST ? reallocarray(tracing->samples, capacity, sizeof *grown) : NULL;
    if (!grown) {
        tracing->failed = true;
        return error_set(&tracing->error, "another process kept the database locked for too long");
    }
    tracing->samples = grown;
    tracing->capacity = capacity;
    return 0;
}

static int take_trace(void *context, const struct trace_sample *samples, size_t count)
{
    struct tracing *tracing = &((struct execution *)context)->tracing;
    for (size_t i = 0; i < count && !tracing->failed; i++) {
        if (tracing->count == tracing->capacity && make_room(tracing) < 0)
            break;
        tracing->samples[tracing->count++] = samples[i];
    }
    return tracing->failed ? -1 : 0;
}

/* ---- one run ---- */

static void tell_line(void *context, const char *line)
{
    struct execution *execution = context;
    progress_clear(&execution->progress);
    fprintf(execution->options->talk, "%s\n", line);
    fflush(execution->options->talk);
}

/* What was measured, perhaps for hours, is not given up because somebody has the database open in an editor.
 */
static int store_patiently(struct execution *execution, int64_t number, const struct record *record,
                           struct error *error)
{
    struct tracing *tracing = &execution->tracing;
    bool told = false;
    for (;;) {
        bool waits = store_samples(tracing) < 0 && !tracing->failed;
        if (!waits && store_end_run(execution->store, number, record, error) == 0)
            return 0;
        if ((!waits && !store_locked(execution->store)) || stopped(execution))
            return -1;
        if (!told)
            tell_line(execution, "another program keeps the database locked: the run that was just measured "
                                 "is stored when it lets go");
        told = true;
        error_clear(error);
    }
}

/* Stores what was measured. A trace that could not be kept, or a disk so full that only the reserve helped,
 * ends the study after that. */
static int keep_run(struct execution *execution, int64_t number, const struct record *record,
                    struct error *error)
{
    struct tracing *tracing = &execution->tracing;
    if (store_patiently(execution, number, record, error) < 0)
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

static struct recorder_options recording_of(struct execution *execution, char *const *command,
                                            const char *scratch)
{
    const struct executor_options *options = execution->options;
    return (struct recorder_options){
        .command = command,
        .directory = execution->study->folder == FOLDER_SCRATCH ? scratch : execution->study->directory,
        .setup = options->setup,
        .meters = options->meters,
        .meter_count = options->meter_count,
        .rate_hz = options->rate_hz,
        .output_tail_bytes = OUTPUT_TAIL_BYTES,
        .timeout_s = execution->study->timeout_s,
        .stop = options->stop,
        .started = show_start,
        .marked = show_mark,
        .context = execution,
    };
}

/* Does nothing to a run that was stored. */
static void cut(struct execution *execution, int64_t number)
{
    struct error ignored = ERROR_INIT;
    store_cut_run(execution->store, number, &ignored);
    error_clear(&ignored);
}

/* 0: the run is stored; 1: it was stopped and cut; -1: error. */
static int measure(struct execution *execution, const struct planned_run *run, int64_t number,
                   const struct recorder_options *recording, bool *failed, struct error *error)
{
    struct record record = {0};
    int result = recorder_run(recording, &record, error);
    *failed = result < 0 || has_failed(&record);
    if (result == 0 && stopped(execution))
        result = 1;
    if (result == 0) {
        result = practice_after(&execution->practice, &record, error);
        result = result < 0 ? -1 : keep_run(execution, number, &record, error);
        if (result == 0)
            tell_run(execution, run, &record);
    }
    record_free(&record);
    return result;
}

static int execute_in(struct execution *execution, const struct planned_run *run, int64_t number,
                      struct error *error)
{
    struct run_folder folder;
    if (run_folder_open(&folder, execution->study->keep, execution->options->database, number, error) < 0)
        return -1;
    bool failed = true;
    struct design_places places = {execution->options->trainer, folder.path};
    char **command = design_command(execution->study, run, &places, error);
    int result = command ? 0 : -1;
    if (command) {
        struct recorder_options recording = recording_of(execution, command, folder.path);
        recording.trace = take_trace;
        result = measure(execution, run, number, &recording, &failed, error);
    }
    design_command_free(command);
    run_folder_close(&folder, failed);
    return result;
}

static int execute(struct execution *execution, const struct planned_run *run, struct error *error)
{
    AUTO_FREE char *label = design_label(run);
    int64_t number;
    if (!label)
        return error_memory(error, "run");
    if (store_begin_run(execution->store, run->position, &number, error) < 0)
        return -1;
    execution->label = label;
    execution->tracing.run = number;
    execution->tracing.count = 0;
    int result = leftovers_mark(execution->options->database, number, error);
    result = result < 0 ? -1 : execute_in(execution, run, number, error);
    execution->label = NULL;
    if (result != 0)
        cut(execution, number);
    else
        execution->practice.last_run = number;
    return result;
}

/* ---- the warm-up ---- */

static char *describe_warm_up(const char *label, const struct record *record)
{
    AUTO_FREE char *what = has_failed(record) ? describe_end(record) : describe_done(record);
    return text_format("a warm-up run went before, not counted: %s, %s%s", label,
                       has_failed(record) ? "failed: " : "", what ? what : "");
}

/* The next run's command, measured as a run is but not stored. One that fails stops nothing: so will the run,
 * and say why. */
static int warm_up_in(struct execution *execution, const struct planned_run *run, const char *folder,
                      struct error *error)
{
    struct record record = {0};
    struct design_places places = {execution->options->trainer, folder};
    char **command = design_command(execution->study, run, &places, error);
    if (!command)
        return -1;
    struct recorder_options recording = recording_of(execution, command, folder);
    int result = recorder_run(&recording, &record, error);
    char *note = result == 0 ? describe_warm_up(execution->label, &record) : NULL;
    if (note) {
        progress_clear(&execution->progress);
        fprintf(execution->options->talk, "%s\n", note);
        practice_note(&execution->practice, note);
    }
    record_free(&record);
    design_command_free(command);
    return result;
}

static int warm_up(struct execution *execution, const struct planned_run *run, struct error *error)
{
    AUTO_FREE char *label = design_label(run);
    struct run_folder folder;
    if (!label)
        return error_memory(error, "warm-up");
    if (leftovers_mark(execution->options->database, LEFTOVERS_WARM_UP, error) < 0 ||
        run_folder_open(&folder, KEEP_NONE, execution->options->database, 0, error) < 0)
        return -1;
    execution->label = label;
    int result = warm_up_in(execution, run, folder.path, error);
    execution->label = NULL;
    run_folder_close(&folder, false);
    return result;
}

/* ---- all of them ---- */

static void show_doing(void *context, const char *doing)
{
    show_progress(context, doing);
}

/* Before the first run of this start. */
static int prepare(struct execution *execution, const struct planned_run *run, struct error *error)
{
    const struct executor_options *options = execution->options;
    const struct rest_options resting = {.setup = options->setup,
                                         .meters = options->meters,
                                         .meter_count = options->meter_count,
                                         .rate_hz = options->rate_hz,
                                         .stop = options->stop,
                                         .progress = show_doing,
                                         .context = execution};
    execution->begun = true;
    if (practice_begin(&execution->practice, execution->study, &resting, tell_line, error) < 0)
        return -1;
    return execution->study->warm_up ? warm_up(execution, run, error) : 0;
}

/* 1: a run was done; 0: the study is stopped; -1: error. */
static int step(struct execution *execution, const struct planned_run *run, struct error *error)
{
    bool first = !execution->begun;
    if (first && prepare(execution, run, error) < 0)
        return stopped(execution) ? 0 : -1;
    if (stopped(execution))
        return 0;
    if (practice_before(&execution->practice, !first || execution->study->warm_up, error) < 0)
        return -1;
    int result = stopped(execution) ? 1 : execute(execution, run, error);
    if (result < 0)
        return -1;
    return result == 0 ? 1 : 0;
}

static int retry_failed(struct execution *execution, struct error *error)
{
    size_t retried = 0;
    if (execution->study->retries == 0)
        return 0;
    if (store_retry_failed(execution->store, execution->study->retries, &retried, error) < 0)
        return -1;
    if (retried > 0)
        tell_line(execution,
                  retried == 1 ? "the run that failed is done again" : "runs that failed are done again");
    return 0;
}

/* Of a study with a stopping rule, when nothing is left: 1: another repetition was planned; 0: that was all.
 */
static int extend(struct execution *execution, struct error *error)
{
    const struct study *study = execution->study;
    struct stopping stopping;
    if (!stopping_has_rule(study))
        return 0;
    if (stopping_ask(study, execution->store, &stopping, error) < 0)
        return -1;
    AUTO_FREE char *line = stopping_describe(study, &stopping);
    bool more = stopping.state == STOPPING_MORE;
    int64_t repetitions = stopping.repetitions + 1;
    stopping_free(&stopping);
    if (line)
        tell_line(execution, line);
    if (!more)
        return 0;
    return design_store(study, repetitions, execution->store, error) < 0 ? -1 : 1;
}

/* 1: `run` is the next; 0: there is none, or the budget is used up; -1: error. */
static int find_next(struct execution *execution, struct planned_run *run, struct error *error)
{
    int over = stopping_over_budget(execution->study, execution->store, error);
    int found = over < 0 ? -1 : store_next(execution->store, run, error);
    if (found > 0 && over) {
        tell_line(execution, "the budget is used up: what is left of this repetition is not run");
        planned_run_free(run);
        return 0;
    }
    if (found != 0)
        return found;
    int extended = extend(execution, error);
    return extended > 0 ? store_next(execution->store, run, error) : extended;
}

/* Until nothing is left. */
static int run_plan(struct execution *execution, struct error *error)
{
    int result = 1;
    while (result > 0) {
        struct planned_run run;
        if (retry_failed(execution, error) < 0)
            return -1;
        int found = find_next(execution, &run, error);
        if (found <= 0)
            return found;
        result = store_count(execution->store, &execution->counts, error);
        result = result < 0 ? -1 : step(execution, &run, error);
        planned_run_free(&run);
    }
    return result;
}

enum executor_result executor_run(const struct study *study, struct store *store,
                                  const struct executor_options *options, struct error *error)
{
    struct execution execution = {.study = study, .store = store, .options = options};
    execution.tracing.store = store;
    execution.tracing.samples = calloc(TRACE_BATCH, sizeof *execution.tracing.samples);
    execution.tracing.capacity = TRACE_BATCH;
    if (!execution.tracing.samples)
        return error_memory(error, "trace");
    progress_start(&execution.progress);
    int result = run_plan(&execution, error);
    if (result == 0 && !stopped(&execution) && execution.begun)
        result = practice_conclude(&execution.practice, store, error);
    progress_clear(&execution.progress);
    if (execution.begun)
        practice_end(&execution.practice);
    free(execution.tracing.samples);
    error_clear(&execution.tracing.error);
    if (stopped(&execution))
        return EXECUTOR_STOPPED;
    return result < 0 ? EXECUTOR_FAILED : EXECUTOR_DONE;
}
