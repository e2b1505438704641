#include "reconcile/reconcile.h"

#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "reconcile/order.h"
#include "record/recorder.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define OUTPUT_TAIL_BYTES 16384
#define FAILURES_MOST     2 /* of a tool that never worked */

struct reconciling {
    const struct reconcile_options *options;
    struct reconciliation *result;
    struct toolbox toolbox;
    size_t *order; /* of a round: positions in `used` */
    size_t *used;  /* conditions that are run */
    size_t used_count;
};

/* ---- looking about ---- */

const char *condition_title(const struct condition *condition)
{
    return condition->tool ? condition->tool->title : "none";
}

const char *condition_name(const struct condition *condition)
{
    return condition->tool ? condition->tool->name : "none";
}

size_t reconciliation_used(const struct reconciliation *reconciliation)
{
    size_t used = 0;
    for (size_t i = 0; i < reconciliation->condition_count; i++)
        used += reconciliation->conditions[i].used;
    return used;
}

const struct reconcile_run *reconciliation_find(const struct reconciliation *reconciliation, size_t round,
                                                size_t condition)
{
    for (size_t i = 0; i < reconciliation->run_count; i++) {
        const struct reconcile_run *run = &reconciliation->runs[i];
        if (run->round == round && run->condition == condition && !run->failure)
            return run;
    }
    return NULL;
}

static void free_run(struct reconcile_run *run)
{
    free(run->failure);
    tool_figure_free(&run->figure);
    *run = (struct reconcile_run){0};
}

void reconciliation_free(struct reconciliation *reconciliation)
{
    for (size_t i = 0; i < reconciliation->condition_count; i++)
        tool_probe_free(&reconciliation->conditions[i].probe);
    for (size_t i = 0; i < reconciliation->run_count; i++)
        free_run(&reconciliation->runs[i]);
    for (size_t i = 0; i < reconciliation->note_count; i++)
        free(reconciliation->notes[i]);
    free(reconciliation->conditions);
    free(reconciliation->runs);
    free(reconciliation->notes);
    *reconciliation = (struct reconciliation){0};
}

static bool stopped(const struct reconciling *reconciling)
{
    return reconciling->options->stop && *reconciling->options->stop;
}

/* ---- which tools ---- */

static bool is_asked_for(const struct reconcile_options *options, const char *name)
{
    for (size_t i = 0; i < options->tool_count; i++)
        if (strcmp(options->tools[i], name) == 0)
            return true;
    return options->tool_count == 0;
}

static int check_names(const struct reconcile_options *options, struct error *error)
{
    const char **names = calloc(reconcile_tool_count + 1, sizeof *names);
    if (!names)
        return error_memory(error, "tools");
    for (size_t i = 0; i < reconcile_tool_count; i++)
        names[i] = reconcile_tools[i].name;
    int result = 0;
    for (size_t i = 0; i < options->tool_count && result == 0; i++) {
        bool known = false;
        for (size_t k = 0; k < reconcile_tool_count; k++)
            known = known || strcmp(names[k], options->tools[i]) == 0;
        const char *nearest = known ? NULL : text_nearest(options->tools[i], names, reconcile_tool_count);
        if (!known)
            result = error_set(error, "unknown tool '%s'%s%s%s", options->tools[i],
                               nearest ? " (did you mean " : ": `joulery reconcile -h` lists them",
                               nearest ? nearest : "", nearest ? "?)" : "");
    }
    free(names);
    return result;
}

static int find_tools(struct reconciling *reconciling, struct error *error)
{
    struct reconciliation *result = reconciling->result;
    result->conditions = calloc(reconcile_tool_count + 1, sizeof *result->conditions);
    reconciling->used = calloc(reconcile_tool_count + 1, sizeof *reconciling->used);
    reconciling->order = calloc(reconcile_tool_count + 1, sizeof *reconciling->order);
    if (!result->conditions || !reconciling->used || !reconciling->order)
        return error_memory(error, "tools");
    result->conditions[result->condition_count++].used = true;
    reconciling->used[reconciling->used_count++] = 0;
    for (size_t i = 0; i < reconcile_tool_count && !stopped(reconciling); i++) {
        const struct tool *tool = &reconcile_tools[i];
        if (!is_asked_for(reconciling->options, tool->name))
            continue;
        struct condition *condition = &result->conditions[result->condition_count];
        condition->tool = tool;
        tool_probe(tool, &reconciling->toolbox, &condition->probe);
        condition->used = !condition->probe.why;
        if (condition->used)
            reconciling->used[reconciling->used_count++] = result->condition_count;
        result->condition_count++;
    }
    return 0;
}

/* ---- one run ---- */

/* -1: the window never came, or never ended. */
static int64_t find_window(const struct record *record)
{
    for (size_t i = 1; i < record->window_count; i++)
        if (strcmp(record->windows[i].name, RECONCILE_WINDOW) == 0 && record->windows[i].complete)
            return (int64_t)i;
    return -1;
}

static double metric_of(const struct window *window, const char *name)
{
    for (size_t i = 0; i < window->metric_count; i++)
        if (strcmp(window->metrics[i].name, name) == 0)
            return window->metrics[i].value;
    return NAN;
}

/* "what: the last line of output". */
static char *tell_failure(const char *what, const struct record *record)
{
    AUTO_FREE char *last = record->output_tail ? text_last_line(record->output_tail) : NULL;
    AUTO_FREE char *line = last ? text_printable(last) : NULL;
    return text_format("%s%s%s", what, line && *line ? ": " : "", line ? line : "");
}

static char *judge_command(const struct condition *condition, const struct record *record, int64_t window)
{
    if (window < 0) {
        AUTO_FREE char *what =
            text_format("%s ended before the command did (exit status %d)",
                        condition->tool ? condition->tool->title : "the run", record->exit_status);
        return tell_failure(what ? what : "failed", record);
    }
    double status = metric_of(&record->windows[window], "exit_status");
    if (status == 0)
        return NULL;
    AUTO_FREE char *what = text_format("the command failed: exit status %g", status);
    return tell_failure(what ? what : "the command failed", record);
}

static char *judge_figure(const struct condition *condition, const struct record *record, const char *folder,
                          struct tool_figure *figure)
{
    struct error error = ERROR_INIT;
    if (!condition->tool || tool_read(condition->tool, folder, figure, &error) == 0)
        return NULL;
    AUTO_FREE char *what = text_format("no figure: %s", error_text(&error));
    error_clear(&error);
    return tell_failure(what ? what : "no figure", record);
}

static void take_notes(struct reconciliation *result, const struct record *record)
{
    if (result->run_count > 0 || result->notes || record->note_count == 0)
        return;
    result->notes = calloc(record->note_count, sizeof *result->notes);
    for (size_t i = 0; result->notes && i < record->note_count; i++) {
        result->notes[result->note_count] = strdup(record->notes[i]);
        result->note_count += result->notes[result->note_count] != NULL;
    }
}

static int write_text(const char *folder, const char *name, const char *text, struct error *error)
{
    AUTO_FREE char *path = file_join(folder, name);
    return path ? file_write(path, text, strlen(text), error) : error_memory(error, name);
}

/* What Joulery itself knows of the run, beside what the tool left there. */
static int keep_record(const struct record *record, const char *folder, struct error *error)
{
    json_t *document = record_to_json(record);
    AUTO_FREE char *text = document ? json_dumps(document, JSON_INDENT(1) | JSON_REAL_PRECISION(15)) : NULL;
    json_decref(document);
    if (!text)
        return error_memory(error, "record.json");
    if (write_text(folder, "record.json", text, error) < 0)
        return -1;
    return write_text(folder, "output.txt", record->output_tail ? record->output_tail : "", error);
}

/* Where the run's files go: in the folder of --keep, or one that is removed at the end. */
static char *make_folder(const struct reconciling *reconciling, const char *name, struct error *error)
{
    const char *keep = reconciling->options->keep;
    if (keep && mkdir(keep, 0777) < 0 && errno != EEXIST) {
        error_errno(error, errno, keep);
        return NULL;
    }
    char *folder = file_join(keep ? keep : reconciling->toolbox.scratch.path, name);
    if (!folder) {
        error_memory(error, "folder");
    } else if (mkdir(folder, 0777) < 0) {
        int number = errno;
        if (keep && number == EEXIST)
            error_set(error, "%s: is there already: --keep needs a folder without an earlier call's runs",
                      folder);
        else
            error_errno(error, number, folder);
        free(folder);
        folder = NULL;
    }
    return folder;
}

/* What became of a complete record. */
static int judge(struct reconciling *reconciling, const struct record *record, const char *folder,
                 struct reconcile_run *run, struct error *error)
{
    const struct condition *condition = &reconciling->result->conditions[run->condition];
    int64_t window = find_window(record);
    observation_take(record, 0, &run->whole);
    if (window >= 0)
        observation_take(record, (size_t)window, &run->command);
    run->failure = judge_command(condition, record, window);
    if (!run->failure)
        run->failure = judge_figure(condition, record, folder, &run->figure);
    if (!run->failure && (!isfinite(run->command.software_j) || !(run->command.wall_s > 0)))
        run->failure = strdup("Joulery has no software total of it: too short, or no instrument for it");
    take_notes(reconciling->result, record);
    return reconciling->options->keep ? keep_record(record, folder, error) : 0;
}

/* 0: measured, whatever came of it; -1: nothing could be measured, or kept. */
static int measure(struct reconciling *reconciling, const char *folder, struct reconcile_run *run,
                   struct error *error)
{
    const struct reconcile_options *options = reconciling->options;
    const struct condition *condition = &reconciling->result->conditions[run->condition];
    char **command = tool_command(condition->tool, &reconciling->toolbox, &condition->probe, folder,
                                  options->command, error);
    if (!command)
        return -1;
    const struct recorder_options recording = {.command = command,
                                               .setup = options->setup,
                                               .meters = options->meters,
                                               .meter_count = options->meter_count,
                                               .rate_hz = options->rate_hz,
                                               .output_tail_bytes = OUTPUT_TAIL_BYTES,
                                               .timeout_s = options->timeout_s,
                                               .stop = options->stop};
    struct record record = {0};
    int result = recorder_run(&recording, &record, error);
    if (result == 0)
        result = judge(reconciling, &record, folder, run, error);
    record_free(&record);
    tool_command_free(command);
    return result;
}

static void tell_run(const struct reconciling *reconciling, const char *label,
                     const struct reconcile_run *run)
{
    FILE *talk = reconciling->options->talk;
    if (!talk)
        return;
    const struct condition *condition = &reconciling->result->conditions[run->condition];
    AUTO_FREE char *energy = run->failure ? NULL : units_energy(run->command.software_j);
    AUTO_FREE char *spent = run->failure ? NULL : units_duration(run->command.wall_s);
    AUTO_FREE char *own = condition->tool && !run->failure ? units_energy(run->figure.energy_j) : NULL;
    fprintf(talk, "  %s: %s%s%s%s%s%s%s%s\n", label, run->failure ? "failed: " : "",
            run->failure ? run->failure
            : energy     ? energy
                         : "",
            spent ? " in " : "", spent ? spent : "", own ? "; " : "", own ? condition->tool->title : "",
            own ? " says " : "", own ? own : "");
    fflush(talk);
}

/* Makes one run of a condition. 1: it was stopped meanwhile, and is none. */
static int make_run(struct reconciling *reconciling, const char *label, const char *folder_name,
                    struct reconcile_run *run, struct error *error)
{
    AUTO_FREE char *folder = make_folder(reconciling, folder_name, error);
    if (!folder || measure(reconciling, folder, run, error) < 0) {
        free_run(run);
        return -1;
    }
    if (stopped(reconciling)) {
        free_run(run);
        return 1;
    }
    tell_run(reconciling, label, run);
    return 0;
}

/* ---- all of them ---- */

/* A command that fails by itself tells nothing about tools. */
static int check_alone(const struct reconcile_run *run, struct error *error)
{
    return run->failure ? error_set(error, "%s (without any tool)", run->failure) : 0;
}

static int warm_up(struct reconciling *reconciling, struct error *error)
{
    struct reconcile_run run = {0};
    int result = make_run(reconciling, "warm-up", "warm-up", &run, error);
    if (result == 0)
        result = check_alone(&run, error);
    free_run(&run);
    return result < 0 ? -1 : 0;
}

static int count_run(struct reconciling *reconciling, const struct reconcile_run *run, struct error *error)
{
    struct condition *condition = &reconciling->result->conditions[run->condition];
    condition->counted += !run->failure;
    condition->failed += run->failure != NULL;
    bool hopeless = condition->counted == 0 && condition->failed >= FAILURES_MOST;
    condition->left_out = condition->tool && hopeless;
    return !condition->tool && condition->counted == 0 ? check_alone(run, error) : 0;
}

static int make_round_run(struct reconciling *reconciling, size_t round, size_t place, struct error *error)
{
    struct reconciliation *result = reconciling->result;
    struct reconcile_run *run = &result->runs[result->run_count];
    *run = (struct reconcile_run){round, place, reconciling->used[reconciling->order[place]], .whole = {0},
                                  .command = {0}};
    const struct condition *condition = &result->conditions[run->condition];
    if (condition->left_out || stopped(reconciling))
        return 0;
    AUTO_FREE char *label = text_format("round %zu of %zu, %s", round + 1, result->rounds,
                                        condition->tool ? condition->tool->title : "no tool");
    AUTO_FREE char *folder = text_format("round-%zu-%s", round + 1, condition_name(condition));
    if (!label || !folder)
        return error_memory(error, "run");
    int made = make_run(reconciling, label, folder, run, error);
    if (made != 0)
        return made < 0 ? -1 : 0;
    result->run_count++;
    return count_run(reconciling, run, error);
}

static int make_rounds(struct reconciling *reconciling, struct error *error)
{
    struct reconciliation *result = reconciling->result;
    result->runs = calloc(result->rounds * reconciling->used_count + 1, sizeof *result->runs);
    if (!result->runs)
        return error_memory(error, "runs");
    for (size_t round = 0; round < result->rounds; round++) {
        order_round(reconciling->used_count, round, reconciling->order);
        for (size_t place = 0; place < reconciling->used_count; place++)
            if (make_round_run(reconciling, round, place, error) < 0)
                return -1;
    }
    return 0;
}

int reconcile_command(const struct reconcile_options *options, struct reconciliation *reconciliation,
                      struct error *error)
{
    struct reconciling reconciling = {.options = options, .result = reconciliation};
    *reconciliation = (struct reconciliation){.rounds = options->rounds};
    if (check_names(options, error) < 0)
        return -1;
    reconciling.toolbox =
        (struct toolbox){.python = options->python, .joulery = options->joulery, .stop = options->stop};
    int result = toolbox_open(&reconciling.toolbox, error);
    if (result == 0)
        result = find_tools(&reconciling, error);
    if (result == 0 && options->warm_up && !stopped(&reconciling))
        result = warm_up(&reconciling, error);
    if (result == 0)
        result = make_rounds(&reconciling, error);
    reconciliation->stopped = stopped(&reconciling);
    toolbox_close(&reconciling.toolbox);
    free(reconciling.order);
    free(reconciling.used);
    return result;
}
