/* From the store into the report: the study, its factors and plan, its runs. */
#include "report/rows.h"

#include "base/text.h"
#include "store/disturbance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A place in the plan. */
struct slot {
    int64_t position;
    size_t *level;
    size_t group;
};

struct plan {
    struct slot *slots; /* by position */
    size_t count;
};

static int count_rows(struct report *report, struct store *store, const char *sql, size_t *count,
                      struct error *error)
{
    double number;
    if (rows_single(report, store, sql, &number, error) < 0)
        return -1;
    *count = number > 0 ? (size_t)number : 0;
    return 0;
}

static int load_study(struct report *report, struct store *store, struct error *error)
{
    AUTO_ROWS struct rows rows = {0};
    if (rows_open(&rows, report, store,
                  "SELECT name, definition, seed, created, question, location, pue FROM study", error) < 0)
        return -1;
    int got = rows_next(&rows, error);
    if (got < 0)
        return -1;
    if (got == 0)
        return error_set(error, "the database holds no study: `joulery study run FILE --db …` writes one");
    report->study_name = rows_name(&rows, 0);
    report->definition = rows_name(&rows, 1);
    report->seed = rows_integer(&rows, 2);
    report->created = rows_name(&rows, 3);
    report->question = rows_text(&rows, 4);
    report->study_location = rows_text(&rows, 5);
    report->study_pue = rows_number(&rows, 6);
    return rows.failed ? error_memory(error, "study") : 0;
}

static int load_factors(struct report *report, struct store *store, struct error *error)
{
    if (count_rows(report, store, "SELECT count(DISTINCT factor) FROM plan_factor", &report->factor_count,
                   error) < 0)
        return -1;
    report->factors = report_alloc(report, report->factor_count, sizeof *report->factors, error);
    if (!report->factors)
        return -1;
    AUTO_ROWS struct rows rows = {0};
    if (rows_open(&rows, report, store,
                  "SELECT factor, count(DISTINCT level) FROM plan_factor GROUP BY factor ORDER BY "
                  "min(ordinal), factor",
                  error) < 0)
        return -1;
    int got = 0;
    for (size_t f = 0; f < report->factor_count && (got = rows_next(&rows, error)) == 1; f++) {
        struct factor *factor = &report->factors[f];
        factor->name = rows_name(&rows, 0);
        size_t room = (size_t)rows_integer(&rows, 1);
        factor->levels = report_alloc(report, room, sizeof *factor->levels, error);
        if (!factor->levels)
            return -1;
    }
    return got < 0 || rows.failed ? -1 : 0;
}

/* Numbers by size, all else as the plan first has it. */
static int load_levels(struct report *report, struct store *store, struct error *error)
{
    AUTO_ROWS struct rows rows = {0};
    static const char sql[] =
        "SELECT factor, level FROM plan_factor GROUP BY factor, level "
        "ORDER BY CASE WHEN level GLOB '[0-9]*' THEN CAST(level AS REAL) END, min(position)";
    if (rows_open(&rows, report, store, sql, error) < 0)
        return -1;
    int got;
    while ((got = rows_next(&rows, error)) == 1) {
        const char *name = rows_name(&rows, 0);
        char *level = rows_name(&rows, 1);
        if (!name || !level)
            return error_memory(error, "levels");
        for (size_t f = 0; f < report->factor_count; f++)
            if (strcmp(report->factors[f].name, name) == 0)
                report->factors[f].levels[report->factors[f].level_count++] = level;
    }
    return got;
}

static void choose_main_factor(struct report *report)
{
    report->main_factor = SIZE_MAX;
    for (size_t f = report->factor_count; f-- > 0;) {
        const struct factor *factor = &report->factors[f];
        if (factor->level_count < 2)
            continue;
        bool taken = report->main_factor != SIZE_MAX;
        if (taken && strncmp(report->factors[report->main_factor].name, "arch", 4) == 0 &&
            strncmp(factor->name, "arch", 4) != 0)
            continue;
        report->main_factor = f;
    }
}

static int compare_slots(const void *a, const void *b)
{
    const struct slot *p = a, *q = b;
    return (p->position > q->position) - (p->position < q->position);
}

static struct slot *find_slot(const struct plan *plan, int64_t position)
{
    const struct slot key = {.position = position};
    return bsearch(&key, plan->slots, plan->count, sizeof key, compare_slots);
}

static int load_plan(struct report *report, struct store *store, struct plan *plan, struct error *error)
{
    if (count_rows(report, store, "SELECT count(*) FROM plan", &plan->count, error) < 0)
        return -1;
    plan->slots = report_alloc(report, plan->count, sizeof *plan->slots, error);
    AUTO_ROWS struct rows rows = {0};
    if (!plan->slots ||
        rows_open(&rows, report, store, "SELECT position FROM plan ORDER BY position", error) < 0)
        return -1;
    int got = 0;
    for (size_t i = 0; i < plan->count && (got = rows_next(&rows, error)) == 1; i++) {
        plan->slots[i].position = rows_integer(&rows, 0);
        plan->slots[i].group = NO_GROUP;
        plan->slots[i].level = report_alloc(report, report->factor_count, sizeof(size_t), error);
        if (!plan->slots[i].level)
            return -1;
    }
    report->planned = plan->count;
    return got < 0 ? -1 : 0;
}

static size_t find_text(char *const *texts, size_t count, const char *text)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(texts[i], text) == 0)
            return i;
    return SIZE_MAX;
}

static int load_slots(struct report *report, struct store *store, const struct plan *plan,
                      struct error *error)
{
    AUTO_ROWS struct rows rows = {0};
    if (rows_open(&rows, report, store, "SELECT position, factor, level FROM plan_factor", error) < 0)
        return -1;
    int got;
    while ((got = rows_next(&rows, error)) == 1) {
        struct slot *slot = find_slot(plan, rows_integer(&rows, 0));
        const char *name = (const char *)sqlite3_column_text(rows.statement, 1);
        const char *level = (const char *)sqlite3_column_text(rows.statement, 2);
        for (size_t f = 0; slot && name && level && f < report->factor_count; f++) {
            const struct factor *factor = &report->factors[f];
            if (strcmp(factor->name, name) == 0)
                slot->level[f] = find_text(factor->levels, factor->level_count, level);
        }
    }
    return got;
}

/* "resnet18 · batch 32": the levels that differ between runs; a bare number says whose it is. */
static char *group_label(const struct report *report, const size_t *level)
{
    struct text label = TEXT_INIT;
    for (size_t f = 0; f < report->factor_count; f++) {
        const struct factor *factor = &report->factors[f];
        if (factor->level_count < 2 || level[f] >= factor->level_count)
            continue;
        double number;
        const char *name = factor->levels[level[f]];
        bool bare = text_to_double(name, &number) == 0;
        text_printf(&label, "%s%s%s%s", label.length ? " · " : "", bare ? factor->name : "", bare ? " " : "",
                    name);
    }
    if (label.length == 0)
        text_append(&label, report->study_name);
    return text_take(&label);
}

static bool same_levels(const struct report *report, const size_t *a, const size_t *b)
{
    return report->factor_count == 0 || memcmp(a, b, report->factor_count * sizeof *a) == 0;
}

static int make_groups(struct report *report, struct plan *plan, struct error *error)
{
    report->groups = report_alloc(report, plan->count, sizeof *report->groups, error);
    if (!report->groups)
        return -1;
    for (size_t i = 0; i < plan->count; i++) {
        struct slot *slot = &plan->slots[i];
        size_t g = 0;
        while (g < report->group_count && !same_levels(report, report->groups[g].level, slot->level))
            g++;
        slot->group = g;
        if (g == report->group_count) {
            report->groups[g].level = slot->level;
            report->groups[g].label = report_keep(report, group_label(report, slot->level), error);
            if (!report->groups[g].label)
                return -1;
            report->group_count++;
        }
        report->groups[g].planned++;
    }
    return 0;
}

const char *report_state_name(enum run_state state)
{
    static const char *const names[RUN_STATES] = {"running", "done", "failed", "cut"};
    return names[state];
}

static enum run_state parse_state(const char *name)
{
    for (enum run_state state = RUN_RUNNING; state < RUN_STATES; state++)
        if (strcmp(name, report_state_name(state)) == 0)
            return state;
    return RUN_CUT;
}

/* What figures rest on: the software totals, or the wattmeter's where the study has nothing else; the
 * accuracy on data that wasn't trained on, or what there is. Decided once for the study: groups must be
 * comparable. */
static int choose_basis(struct report *report, struct store *store, struct error *error)
{
    static const char sql[] =
        "SELECT count(software_j), count(hardware_j), count(val_accuracy), count(accuracy), "
        "max(abs(coalesce(val_accuracy, accuracy))) FROM runs WHERE state = 'done'";
    AUTO_ROWS struct rows rows = {0};
    if (rows_open(&rows, report, store, sql, error) < 0 || rows_next(&rows, error) < 0)
        return -1;
    report->basis = rows_integer(&rows, 0) == 0 && rows_integer(&rows, 1) > 0 ? "hardware" : "software";
    if (rows_integer(&rows, 2) > 0)
        report->accuracy_metric = "val_accuracy";
    else if (rows_integer(&rows, 3) > 0)
        report->accuracy_metric = "accuracy";
    report->accuracy_is_fraction = rows_number(&rows, 4) <= 1;
    return 0;
}

static void fill_run(struct report *report, struct rows *rows, const struct plan *plan, struct run *run)
{
    bool hardware = strcmp(report->basis, "hardware") == 0;
    run->id = rows_integer(rows, 0);
    run->position = rows_integer(rows, 1);
    run->repetition = rows_integer(rows, 2);
    run->state = parse_state((const char *)sqlite3_column_text(rows->statement, 3));
    run->started = rows_name(rows, 4);
    run->exit_status = rows_integer(rows, 5);
    run->term_signal = rows_integer(rows, 6);
    run->wall_s = rows_number(rows, 7);
    run->hardware_j = rows_number(rows, 11);
    run->energy_j = hardware ? run->hardware_j : rows_number(rows, 8);
    run->uncertainty_j = rows_number(rows, hardware ? 12 : 9);
    run->estimated = !hardware && rows_integer(rows, 10) != 0;
    bool validated = report->accuracy_metric && strcmp(report->accuracy_metric, "val_accuracy") == 0;
    run->accuracy = report->accuracy_metric ? rows_number(rows, validated ? 13 : 14) : NAN;
    run->host = rows_text(rows, 15);
    run->recorder_cpu_s = rows_number(rows, 16);
    run->output_tail = rows_text(rows, 17);
    run->gap_s = rows_number(rows, 18);
    const struct slot *slot = find_slot(plan, run->position);
    run->group = slot ? slot->group : NO_GROUP;
}

static int load_runs(struct report *report, struct store *store, const struct plan *plan, struct error *error)
{
    size_t room;
    int64_t owner;
    if (store_owner(store, &owner, error) < 0 ||
        count_rows(report, store, "SELECT count(*) FROM run", &room, error) < 0)
        return -1;
    report->runs = report_alloc(report, room, sizeof *report->runs, error);
    static const char sql[] =
        "SELECT r.run, r.position, r.repetition, r.state, r.started, r.exit_status, run.term_signal, "
        "r.wall_s, "
        "r.software_j, r.software_uncertainty_j, r.estimated, r.hardware_j, r.hardware_uncertainty_j, "
        "r.val_accuracy, r.accuracy, r.host, run.recorder_cpu_s, "
        "CASE WHEN r.state <> 'done' THEN r.output_tail END, "
        "(SELECT max(gap_s) FROM energy e WHERE e.run = r.run AND e.window = 0) "
        "FROM runs r JOIN run ON run.id = r.run ORDER BY r.run";
    AUTO_ROWS struct rows rows = {0};
    if (!report->runs || rows_open(&rows, report, store, sql, error) < 0)
        return -1;
    struct disturbances disturbed;
    int got = disturbances_load(store, &disturbed, error);
    while (got >= 0 && report->run_count < room && (got = rows_next(&rows, error)) == 1) {
        struct run *run = &report->runs[report->run_count++];
        fill_run(report, &rows, plan, run);
        run->others_share = disturbances_share(&disturbed, run->id);
        if (run->state == RUN_RUNNING && owner == 0)
            run->state = RUN_CUT; /* whoever ran it is no more */
        report->states[run->state]++;
    }
    disturbances_free(&disturbed);
    return got < 0 ? -1 : rows.failed ? error_memory(error, "runs") : 0;
}

int report_load(struct report *report, struct store *store, struct error *error)
{
    struct plan plan = {0};
    if (load_study(report, store, error) < 0 || load_factors(report, store, error) < 0 ||
        load_levels(report, store, error) < 0)
        return -1;
    choose_main_factor(report);
    if (load_plan(report, store, &plan, error) < 0 || load_slots(report, store, &plan, error) < 0 ||
        make_groups(report, &plan, error) < 0 || choose_basis(report, store, error) < 0)
        return -1;
    return load_runs(report, store, &plan, error);
}
