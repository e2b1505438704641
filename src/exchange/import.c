#include "exchange/import.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "exchange/curves.h"
#include "exchange/emissions.h"
#include "exchange/tool_runs.h"
#include "exchange/wall_summary.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MOST (256u << 20)

struct importing {
    struct store *store;
    const struct import_request *request;
    struct import_outcome *outcome;
    struct error *error;
    struct import_place place; /* of the next run */
    struct combination *combinations;
    size_t combination_count;
};

/* Factors whose runs have a repetition number to go on from. */
struct combination {
    char *levels;
    int64_t next;
};

void import_outcome_free(struct import_outcome *outcome)
{
    for (size_t i = 0; i < outcome->count; i++)
        free(outcome->lines[i].source);
    free(outcome->lines);
    *outcome = (struct import_outcome){0};
}

static int add_line(const struct importing *in, struct import_line line, const char *source)
{
    struct import_outcome *outcome = in->outcome;
    struct import_line *grown = reallocarray(outcome->lines, outcome->count + 1, sizeof *grown);
    if (!grown)
        return error_memory(in->error, "import");
    outcome->lines = grown;
    line.source = strdup(source);
    if (!line.source)
        return error_memory(in->error, "import");
    grown[outcome->count++] = line;
    return 0;
}

/* Each file by `take`, within one transaction. */
static int import_files(struct importing *in, int (*take)(struct importing *in, size_t number,
                                                          const char *name, const char *text, size_t size))
{
    if (store_import_begin(in->store, in->request->study, in->error) < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < in->request->file_count && result == 0; i++) {
        size_t size;
        AUTO_FREE char *text = file_read(in->request->files[i], FILE_BYTES_MOST, &size, in->error);
        result = text ? take(in, i, in->request->files[i], text, size) : -1;
    }
    return store_import_end(in->store, result, in->error);
}

/* ---- CodeCarbon ---- */

static int check_new(const struct importing *in, const struct emissions *file,
                     const struct emissions_row *row)
{
    int64_t run;
    if (!row->run_id[0])
        return 0;
    if (store_imported_find(in->store, EMISSIONS_TOOL, "run_id", row->run_id, "timestamp", row->timestamp,
                            &run, in->error) < 0)
        return -1;
    if (run > 0)
        return error_set(
            in->error,
            "%s:%zu: the row of run_id %s and %s is in the database already, as run %lld: nothing "
            "was imported",
            file->name, row->line, row->run_id, row->timestamp, (long long)run);
    if (store_imported_find(in->store, EMISSIONS_TOOL, "run_id", row->run_id, NULL, NULL, &run, in->error) <
        0)
        return -1;
    if (run > 0)
        return error_set(
            in->error,
            "%s:%zu: run %lld of the database has the same run_id %s: such rows are cumulative and "
            "can only be told apart when they are imported in one file; nothing was imported",
            file->name, row->line, (long long)run, row->run_id);
    return 0;
}

static int add_row(struct importing *in, const struct emissions *file, const struct emissions_row *row)
{
    struct imported_run run;
    struct import_line line = {.repetition = in->place.repetition, .differenced = row->since_line > 0};
    int result = emissions_to_run(file, row, in->request->sockets, &run, in->error);
    if (result == 0)
        result = store_import_run(in->store, &run, in->request->factors, in->request->factor_count,
                                  &in->place, &line.run, in->error);
    if (result == 0) {
        AUTO_FREE char *source = text_format("%s:%zu", file->name, row->line);
        line.energy_j = record_totals(&run.record, 0).software_j;
        result = add_line(in, line, source ? source : file->name);
    }
    imported_run_free(&run);
    return result;
}

static int take_emissions(struct importing *in, size_t number, const char *name, const char *text,
                          size_t size)
{
    struct emissions file;
    if (number == 0 && store_import_place(in->store, in->request->factors, in->request->factor_count,
                                          &in->place, in->error) < 0)
        return -1;
    if (emissions_parse(name, text, size, &file, in->error) < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < file.row_count && result == 0; i++)
        result = check_new(in, &file, &file.rows[i]);
    for (size_t i = 0; i < file.row_count && result == 0; i++)
        result = add_row(in, &file, &file.rows[i]);
    emissions_free(&file);
    return result;
}

int import_codecarbon_check(const struct import_request *request, struct error *error)
{
    for (size_t i = 0; i < request->file_count; i++) {
        size_t size;
        struct emissions file;
        AUTO_FREE char *text = file_read(request->files[i], FILE_BYTES_MOST, &size, error);
        if (!text || emissions_parse(request->files[i], text, size, &file, error) < 0)
            return -1;
        emissions_free(&file);
    }
    return 0;
}

int import_codecarbon(struct store *store, const struct import_request *request,
                      struct import_outcome *outcome, struct error *error)
{
    *outcome = (struct import_outcome){0};
    return import_files(
        &(struct importing){.store = store, .request = request, .outcome = outcome, .error = error},
        take_emissions);
}

/* ---- runs of other tools ---- */

static int (*const readers[])(const char *name, const char *text, size_t size,
                              const struct tool_options *options, struct tool_runs *runs,
                              struct error *error) = {
    [IMPORT_CARBONTRACKER] = carbontracker_runs,
    [IMPORT_ZEUS] = zeus_runs,
    [IMPORT_ENERGIBRIDGE] = energibridge_runs,
    [IMPORT_CSV] = csv_runs,
};

static int read_runs(const struct import_request *request, const char *name, const char *text, size_t size,
                     struct tool_runs *runs, struct error *error)
{
    const struct tool_options options = {request->sockets, request->window, request->map};
    return readers[request->tool](name, text, size, &options, runs, error);
}

/* The request's factors and those that the run's own file gives; they point into both. The caller frees the
 * array. */
static struct plan_factor *all_factors(const struct importing *in, const struct tool_run *run, size_t *count)
{
    size_t given = in->request->factor_count;
    struct plan_factor *factors = calloc(given + run->factor_count + 1, sizeof *factors);
    *count = given + run->factor_count;
    for (size_t i = 0; factors && i < *count; i++)
        factors[i] = i < given ? in->request->factors[i] : run->factors[i - given];
    if (!factors)
        error_memory(in->error, "import");
    return factors;
}

static struct combination *find_combination(const struct importing *in, const char *levels)
{
    for (size_t i = 0; i < in->combination_count; i++)
        if (strcmp(in->combinations[i].levels, levels) == 0)
            return &in->combinations[i];
    return NULL;
}

static struct combination *add_combination(struct importing *in, const char *levels,
                                           const struct plan_factor *factors, size_t count)
{
    if (store_import_place(in->store, factors, count, &in->place, in->error) < 0)
        return NULL;
    struct combination *grown = reallocarray(in->combinations, in->combination_count + 1, sizeof *grown);
    if (grown)
        in->combinations = grown;
    char *copy = strdup(levels);
    if (!grown || !copy) {
        free(copy);
        error_memory(in->error, "import");
        return NULL;
    }
    grown[in->combination_count] = (struct combination){copy, in->place.repetition};
    return &grown[in->combination_count++];
}

/* Sets in->place. */
static struct combination *find_place(struct importing *in, const struct plan_factor *factors, size_t count)
{
    struct text levels = TEXT_INIT;
    for (size_t i = 0; i < count; i++) {
        text_printf(&levels, "%zu ", strlen(factors[i].level)); /* so that no two lists are alike */
        text_append(&levels, factors[i].level);
    }
    text_append(&levels, "");
    struct combination *known = levels.failed ? NULL : find_combination(in, levels.data);
    if (levels.failed)
        error_memory(in->error, "import");
    else if (!known)
        known = add_combination(in, levels.data, factors, count);
    if (known)
        in->place.repetition = known->next;
    text_free(&levels);
    return known;
}

static int check_new_run(const struct importing *in, const struct tool_run *run)
{
    int64_t before;
    if (!run->id)
        return 0;
    if (store_imported_find(in->store, run->run.tool, TOOL_RUN_ID, run->id, NULL, NULL, &before, in->error) <
        0)
        return -1;
    if (before == 0)
        return 0;
    return error_set(in->error,
                     "%s: %s's run '%s' is in the database already, as run %lld: nothing was imported",
                     run->where, run->run.tool, run->id, (long long)before);
}

static int add_tool_run(struct importing *in, const struct tool_run *run)
{
    size_t count;
    struct plan_factor *factors = all_factors(in, run, &count);
    struct combination *known = factors ? find_place(in, factors, count) : NULL;
    struct import_line line = {.repetition = in->place.repetition};
    int result = known ? check_new_run(in, run) : -1;
    if (result == 0)
        result = store_import_run(in->store, &run->run, factors, count, &in->place, &line.run, in->error);
    free(factors);
    if (result < 0)
        return -1;
    known->next = in->place.repetition;
    struct energy_totals totals = record_totals(&run->run.record, 0);
    line.energy_j = isfinite(totals.software_j) ? totals.software_j : totals.hardware_j;
    return add_line(in, line, run->where);
}

static int take_runs(struct importing *in, size_t number, const char *name, const char *text, size_t size)
{
    struct tool_runs runs;
    (void)number;
    int result = read_runs(in->request, name, text, size, &runs, in->error);
    for (size_t i = 0; i < runs.count && result == 0; i++)
        result = add_tool_run(in, &runs.items[i]);
    tool_runs_free(&runs);
    return result;
}

int import_runs_check(const struct import_request *request, struct error *error)
{
    int result = 0;
    for (size_t i = 0; i < request->file_count && result == 0; i++) {
        size_t size;
        struct tool_runs runs = {0};
        AUTO_FREE char *text = file_read(request->files[i], FILE_BYTES_MOST, &size, error);
        result = text ? read_runs(request, request->files[i], text, size, &runs, error) : -1;
        tool_runs_free(&runs);
    }
    return result;
}

int import_runs(struct store *store, const struct import_request *request, struct import_outcome *outcome,
                struct error *error)
{
    *outcome = (struct import_outcome){0};
    struct importing in = {.store = store, .request = request, .outcome = outcome, .error = error};
    int result = import_files(&in, take_runs);
    for (size_t i = 0; i < in.combination_count; i++)
        free(in.combinations[i].levels);
    free(in.combinations);
    return result;
}

/* ---- what is added to a run ---- */

typedef int attach_function(const void *content, const char *file, const struct import_request *request,
                            struct imported_run *run, struct error *error);

/* The line's run, changed by `attach`, goes back into the store. */
static int amend_run(struct importing *in, const struct import_line *line, const char *name,
                     const void *content, attach_function *attach)
{
    struct imported_run run = {0};
    int result = store_read_record(in->store, line->run, &run.record, in->error);
    if (result == 0 && attach(content, name, in->request, &run, in->error) < 0)
        result = error_prefix(in->error, "%s", name);
    if (result == 0)
        result = store_import_amend(in->store, line->run, &run, in->error);
    imported_run_free(&run);
    return result < 0 ? -1 : add_line(in, *line, name);
}

static int find_repetition(const struct importing *in, struct import_line *line)
{
    sqlite3_stmt *row = NULL;
    sqlite3 *database = store_database(in->store);
    if (sqlite3_prepare_v2(database, "SELECT repetition FROM runs WHERE run = ?", -1, &row, NULL) ==
            SQLITE_OK &&
        sqlite3_bind_int64(row, 1, line->run) == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW)
        line->repetition = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    return line->repetition > 0
               ? 0
               : error_set(in->error, "the database can't be read: %s", sqlite3_errmsg(database));
}

/* The run that the file belongs to. */
static int amend(struct importing *in, size_t number, const char *name, const void *content, double energy_j,
                 attach_function *attach)
{
    struct import_line line = {.repetition = in->request->repetition + (int64_t)number, .energy_j = energy_j};
    int result;
    if (in->request->run) {
        line.repetition = 0;
        result = store_import_named(in->store, in->request->run, &line.run, in->error);
        result = result == 0 ? find_repetition(in, &line) : -1;
    } else {
        result = store_import_which(in->store, in->request->factors, in->request->factor_count,
                                    line.repetition, &line.run, in->error);
    }
    return result < 0 ? -1 : amend_run(in, &line, name, content, attach);
}

static int attach_wattmeter(const void *content, const char *file, const struct import_request *request,
                            struct imported_run *run, struct error *error)
{
    return wall_summary_attach(content, file, request->channel, run, error);
}

/* ---- a wattmeter's readings, cut to the runs that they cover ---- */

struct timed_run {
    int64_t run, repetition, started_wall_ns;
    double wall_s;
};

struct run_times {
    struct timed_run *items;
    size_t count;
};

static int add_times(const struct importing *in, sqlite3_stmt *row, struct run_times *times)
{
    struct timed_run timed = {.run = sqlite3_column_int64(row, 0),
                              .repetition = sqlite3_column_int64(row, 1),
                              .wall_s = sqlite3_column_double(row, 3)};
    const char *started = (const char *)sqlite3_column_text(row, 2);
    if (!started || clock_parse_iso8601(started, &timed.started_wall_ns) < 0 ||
        !(timed.wall_s > 0 && timed.wall_s < 1e9))
        return 0;
    struct timed_run *grown = reallocarray(times->items, times->count + 1, sizeof *grown);
    if (!grown)
        return error_memory(in->error, "import");
    times->items = grown;
    grown[times->count++] = timed;
    return 0;
}

/* Of the runs whose start is known. The caller frees the items, after -1 too. */
static int read_times(const struct importing *in, struct run_times *times)
{
    sqlite3_stmt *row = NULL;
    sqlite3 *database = store_database(in->store);
    int code =
        sqlite3_prepare_v2(database,
                           "SELECT run, repetition, started, wall_s FROM runs WHERE state = 'done' AND "
                           "source IS NOT NULL ORDER BY run",
                           -1, &row, NULL);
    int result = 0;
    while (code == SQLITE_OK && result == 0 && (code = sqlite3_step(row)) == SQLITE_ROW) {
        result = add_times(in, row, times);
        code = SQLITE_OK;
    }
    sqlite3_finalize(row);
    if (result == 0 && code != SQLITE_DONE)
        result = error_set(in->error, "the database can't be read: %s", sqlite3_errmsg(database));
    return result;
}

static int amend_by_time(struct importing *in, const char *name, const struct power_log *log,
                         const struct timed_run *timed, size_t *covered)
{
    int64_t shift_ns = (int64_t)(in->request->shift_s * (double)NS_PER_S);
    int64_t from_ns = timed->started_wall_ns - shift_ns;
    struct power_span span;
    struct wall_summary summary;
    if (power_log_span(log, from_ns, from_ns + (int64_t)(timed->wall_s * (double)NS_PER_S), &span) < 0)
        return 0;
    if (wall_summary_of_span(name, &span, &summary, in->error) < 0)
        return -1;
    summary.shift_s = in->request->shift_s;
    const struct import_line line = {
        .run = timed->run, .repetition = timed->repetition, .energy_j = summary.energy_j};
    ++*covered;
    return amend_run(in, &line, name, &summary, attach_wattmeter);
}

static int covers_none(const struct importing *in, const char *name, const struct power_log *log,
                       const struct run_times *times)
{
    AUTO_FREE char *first = clock_iso8601(log->wall_ns[0]);
    AUTO_FREE char *last = clock_iso8601(log->wall_ns[log->count - 1]);
    AUTO_FREE char *run = times->count ? clock_iso8601(times->items[0].started_wall_ns) : NULL;
    return error_set(
        in->error,
        "%s: its readings, from %s to %s, cover no run from begin to end; %zu have times, the first "
        "began at %s: --shift S moves the readings, where the clocks or time zones differ",
        name, first ? first : "", last ? last : "", times->count, run ? run : "(none)");
}

static int take_readings(struct importing *in, const char *name, const char *text, size_t size)
{
    struct power_log log;
    struct run_times times = {0};
    if (wall_readings_parse(name, text, size, &log, in->error) < 0)
        return -1;
    int result = read_times(in, &times);
    size_t covered = 0;
    for (size_t i = 0; i < times.count && result == 0; i++)
        result = amend_by_time(in, name, &log, &times.items[i], &covered);
    if (result == 0 && covered == 0)
        result = covers_none(in, name, &log, &times);
    free(times.items);
    power_log_free(&log);
    return result;
}

static int take_wattmeter(struct importing *in, size_t number, const char *name, const char *text,
                          size_t size)
{
    struct wall_summary summary;
    if (in->request->by_time)
        return take_readings(in, name, text, size);
    if (wall_summary_parse(name, text, size, &summary, in->error) < 0)
        return -1;
    int result = amend(in, number, name, &summary, summary.energy_j, attach_wattmeter);
    wall_summary_free(&summary);
    return result;
}

int import_wattmeter(struct store *store, const struct import_request *request,
                     struct import_outcome *outcome, struct error *error)
{
    *outcome = (struct import_outcome){0};
    return import_files(
        &(struct importing){.store = store, .request = request, .outcome = outcome, .error = error},
        take_wattmeter);
}

static int attach_curves(const void *content, const char *file, const struct import_request *request,
                         struct imported_run *run, struct error *error)
{
    (void)request;
    return curves_attach(content, file, run, error);
}

static int take_curves(struct importing *in, size_t number, const char *name, const char *text, size_t size)
{
    struct curves curves;
    if (curves_parse(name, text, size, &curves, in->error) < 0)
        return -1;
    int result = amend(in, number, name, &curves, NAN, attach_curves);
    curves_free(&curves);
    return result;
}

int import_accuracy(struct store *store, const struct import_request *request, struct import_outcome *outcome,
                    struct error *error)
{
    *outcome = (struct import_outcome){0};
    return import_files(
        &(struct importing){.store = store, .request = request, .outcome = outcome, .error = error},
        take_curves);
}
