/* A run and its trace, from rows into memory. */
#include "base/clock.h"
#include "base/text.h"
#include "store/sql.h"
#include "store/trace.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int damaged(struct store *store, struct error *error)
{
    return error_set(error,
                     "%s: a row of the database holds what no Joulery writes: it was changed or is damaged",
                     store->path);
}

/* One more zeroed element at the end of an array of `*count`; NULL if memory ran out. */
static void *append(void *array, size_t *count, size_t size, struct error *error)
{
    char **items = array;
    char *grown = reallocarray(*items, *count + 1, size);
    if (!grown) {
        error_memory(error, "run from the database");
        return NULL;
    }
    *items = grown;
    return memset(grown + (*count)++ * size, 0, size);
}

/* The inverse of clock_iso8601. */
static int64_t parse_time(const char *text)
{
    struct tm parts = {0};
    const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%SZ", &parts) : NULL;
    return rest && !*rest ? (int64_t)timegm(&parts) * NS_PER_S : 0;
}

static int load_command(struct record *record, const char *text, struct error *error)
{
    json_t *words = text ? json_loads(text, 0, NULL) : NULL;
    size_t i;
    json_t *word;
    int result = 0;
    json_array_foreach(words, i, word)
    {
        char **place = append(&record->command, &record->command_count, sizeof *place, error);
        const char *value = json_string_value(word);
        if (place)
            *place = strdup(value ? value : "");
        if (!place || !*place) {
            result = error_memory(error, "command");
            break;
        }
    }
    json_decref(words);
    return result;
}

static enum run_end parse_end(const char *name)
{
    if (name && strcmp(name, "signalled") == 0)
        return END_SIGNALLED;
    return name && strcmp(name, "not started") == 0 ? END_NOT_STARTED : END_EXITED;
}

static int load_host(sqlite3_stmt *row, int column, struct host *host, struct error *error)
{
    char **texts[] = {&host->name, &host->cpu_model,      &host->kernel,
                      &host->os,   &host->virtualisation, &host->version};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (sql_text(row, column++, texts[i], error) < 0)
            return -1;
    host->sockets = (uint32_t)sqlite3_column_int64(row, column++);
    host->logical_cpus = (uint32_t)sqlite3_column_int64(row, column++);
    host->memory_bytes = (uint64_t)sqlite3_column_int64(row, column);
    return 0;
}

static void load_attribution(sqlite3_stmt *row, int column, struct attribution *share)
{
    share->known = sqlite3_column_type(row, column) != SQLITE_NULL;
    share->command_cpu_s = sqlite3_column_double(row, column);
    share->machine_cpu_s = sqlite3_column_double(row, column + 1);
    share->energy_j = sqlite3_column_double(row, column + 2);
    share->uncertainty_j = sqlite3_column_double(row, column + 3);
}

static int load_run(struct store *store, int64_t run, struct record *record, struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *row = sql_prepare(
        store,
        "SELECT started, command, ended, exit_status, coalesce(term_signal, 0), wall_s, rate_hz, "
        "recorder_cpu_s, "
        "recorder_peak_rss, marks_received, marks_rejected, output_tail, host.name, cpu_model, kernel, os, "
        "virtualisation, version, sockets, logical_cpus, memory_bytes, baseline, command_cpu_s, "
        "machine_cpu_s, "
        "attributed_j, attributed_uncertainty_j, attribution_basis, run.source FROM run JOIN host ON host.id "
        "= "
        "run.host WHERE "
        "run.id = ? AND state IN ('done', 'failed', 'cut')",
        error);
    if (!row || sql_bind(store, row, error, "i", run) < 0)
        return -1;
    int found = sql_step(store, row, error);
    if (found == 0)
        return error_set(error, "%s: no run %lld that has ended", store->path, (long long)run);
    if (found < 0 || load_command(record, (const char *)sqlite3_column_text(row, 1), error) < 0 ||
        sql_text(row, 11, &record->output_tail, error) < 0 ||
        sql_text(row, 21, &record->baseline, error) < 0 ||
        sql_text(row, 26, &record->attribution.basis, error) < 0 ||
        sql_text(row, 27, &record->source, error) < 0)
        return -1;
    load_attribution(row, 22, &record->attribution);
    record->started_wall_ns = parse_time((const char *)sqlite3_column_text(row, 0));
    record->end = parse_end((const char *)sqlite3_column_text(row, 2));
    record->exit_status = sqlite3_column_int(row, 3);
    record->term_signal = sqlite3_column_int(row, 4);
    record->wall_s = sqlite3_column_double(row, 5);
    record->rate_hz = sqlite3_column_double(row, 6);
    record->recorder_cpu_s = sqlite3_column_double(row, 7);
    record->recorder_peak_rss_bytes = (uint64_t)sqlite3_column_int64(row, 8);
    record->marks_received = (uint64_t)sqlite3_column_int64(row, 9);
    record->marks_rejected = (uint64_t)sqlite3_column_int64(row, 10);
    return load_host(row, 12, &record->host, error);
}

static double number_or_nan(sqlite3_stmt *row, int column)
{
    return sqlite3_column_type(row, column) == SQLITE_NULL ? NAN : sqlite3_column_double(row, column);
}

/* Of the newest channel. */
static int load_idle(sqlite3_stmt *row, int column, struct record *record, struct error *error)
{
    struct idle_power *idle = realloc(record->idle, record->channel_count * sizeof *idle);
    if (!idle)
        return error_memory(error, "channels from the database");
    record->idle = idle;
    idle[record->channel_count - 1] =
        (struct idle_power){number_or_nan(row, column), number_or_nan(row, column + 1)};
    return 0;
}

static int load_channel(struct store *store, sqlite3_stmt *row, struct record *record, struct error *error)
{
    struct channel *channel = append(&record->channels, &record->channel_count, sizeof *channel, error);
    if (!channel || sql_text(row, 0, &channel->meter, error) < 0 ||
        sql_text(row, 1, &channel->name, error) < 0 || sql_text(row, 2, &channel->part_of, error) < 0 ||
        sql_text(row, 10, &channel->accuracy_source, error) < 0 ||
        sql_text(row, 11, &channel->label, error) < 0)
        return -1;
    channel->resolution = sqlite3_column_double(row, 5);
    channel->range_j = sqlite3_column_double(row, 6);
    channel->update_s = sqlite3_column_double(row, 7);
    channel->max_power_w = sqlite3_column_double(row, 8);
    channel->accuracy = number_or_nan(row, 9);
    channel->still_most_s = sqlite3_column_double(row, 12);
    channel->averaging_s = sqlite3_column_double(row, 13);
    channel->apart = sqlite3_column_int(row, 14) != 0;
    channel->twin = sqlite3_column_int(row, 15) != 0;
    const char *scope = (const char *)sqlite3_column_text(row, 3);
    const char *kind = (const char *)sqlite3_column_text(row, 4);
    if (!scope || !kind || channel_scope_parse(scope, &channel->scope) < 0 ||
        channel_kind_parse(kind, &channel->kind) < 0)
        return damaged(store, error);
    return record->baseline ? load_idle(row, 16, record, error) : 0;
}

static int load_window(struct store *store, sqlite3_stmt *row, struct record *record, struct error *error)
{
    struct window *window = append(&record->windows, &record->window_count, sizeof *window, error);
    if (!window || sql_text(row, 0, &window->name, error) < 0)
        return -1;
    window->index = sqlite3_column_int64(row, 1);
    window->parent = sqlite3_column_int64(row, 2);
    window->start_s = number_or_nan(row, 3);
    window->wall_s = number_or_nan(row, 4);
    window->complete = sqlite3_column_int(row, 5) != 0;
    if (window->parent < -1 || window->parent >= (int64_t)record->window_count)
        return damaged(store, error);
    window->energies = calloc(record->channel_count + 1, sizeof *window->energies);
    return window->energies ? 0 : error_memory(error, "windows from the database");
}

static int load_energy(struct store *store, sqlite3_stmt *row, struct record *record, struct error *error)
{
    int64_t window = sqlite3_column_int64(row, 0), channel = sqlite3_column_int64(row, 1);
    if (window < 0 || (size_t)window >= record->window_count || channel < 0 ||
        (size_t)channel >= record->channel_count)
        return damaged(store, error);
    record->windows[window].energies[channel] = (struct channel_energy){
        true, sqlite3_column_double(row, 2), number_or_nan(row, 3), sqlite3_column_double(row, 4)};
    return 0;
}

static int load_metric(struct store *store, sqlite3_stmt *row, struct record *record, struct error *error)
{
    int64_t number = sqlite3_column_int64(row, 0);
    if (number < 0 || (size_t)number >= record->window_count)
        return damaged(store, error);
    struct window *window = &record->windows[number];
    struct metric *metric = append(&window->metrics, &window->metric_count, sizeof *metric, error);
    if (!metric)
        return -1;
    metric->value = sqlite3_column_double(row, 2);
    return sql_text(row, 1, &metric->name, error);
}

static int load_gap(struct store *store, sqlite3_stmt *row, struct record *record, struct error *error)
{
    int64_t channel = sqlite3_column_int64(row, 0);
    if (channel < 0 || (size_t)channel >= record->channel_count)
        return damaged(store, error);
    struct gap *gap = append(&record->gaps, &record->gap_count, sizeof *gap, error);
    if (!gap)
        return -1;
    gap->channel = (size_t)channel;
    gap->start_s = sqlite3_column_double(row, 1);
    gap->wall_s = sqlite3_column_double(row, 2);
    return sql_text(row, 3, &gap->reason, error);
}

static int load_note(struct store *store, sqlite3_stmt *row, struct record *record, struct error *error)
{
    (void)store;
    char **note = append(&record->notes, &record->note_count, sizeof *note, error);
    return note ? sql_text(row, 0, note, error) : -1;
}

/* The parts of a record: what asks for the rows of a run, and what takes one. In this order. */
static const struct part {
    const char *sql;
    int (*load)(struct store *store, sqlite3_stmt *row, struct record *record, struct error *error);
} parts[] = {
    {"SELECT meter, name, part_of, scope, kind, resolution, range_j, update_s, max_power_w, accuracy, "
     "accuracy_source, label, still_most_s, averaging_s, apart, twin, idle_w, idle_uncertainty_w FROM "
     "channel WHERE run = ? ORDER BY ordinal",
     load_channel},
    {"SELECT name, \"index\", parent, start_s, wall_s, complete FROM window WHERE run = ? ORDER BY ordinal",
     load_window},
    {"SELECT window, channel, energy_j, uncertainty_j, gap_s FROM energy WHERE run = ?", load_energy},
    {"SELECT window, name, value FROM metric WHERE run = ? ORDER BY window, name", load_metric},
    {"SELECT channel, start_s, wall_s, reason FROM gap WHERE run = ? ORDER BY rowid", load_gap},
    {"SELECT text FROM note WHERE run = ? ORDER BY rowid", load_note},
};

static int load_part(struct store *store, const struct part *part, int64_t run, struct record *record,
                     struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *row = sql_prepare(store, part->sql, error);
    if (!row || sql_bind(store, row, error, "i", run) < 0)
        return -1;
    int found;
    while ((found = sql_step(store, row, error)) > 0)
        if (part->load(store, row, record, error) < 0)
            return -1;
    return found;
}

int store_read_record(struct store *store, int64_t run, struct record *record, struct error *error)
{
    *record = (struct record){0};
    int result = load_run(store, run, record, error);
    for (size_t i = 0; i < sizeof parts / sizeof *parts && result == 0; i++)
        result = load_part(store, &parts[i], run, record, error);
    return result;
}

int store_list_runs(struct store *store, int (*row)(void *context, const struct run_line *run), void *context,
                    struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *statement = sql_prepare(
        store,
        "SELECT v.run, v.position, v.repetition, v.state, v.factors, run.ended, v.exit_status, v.wall_s, "
        "v.output_tail, v.run IN (SELECT run FROM note WHERE text GLOB '" STORE_DISTURBED
        "*') FROM runs v JOIN run ON run.id = v.run ORDER BY v.run",
        error);
    int found = statement ? 0 : -1;
    while (statement && (found = sql_step(store, statement, error)) > 0) {
        struct run_line line = {.run = sqlite3_column_int64(statement, 0),
                                .position = sqlite3_column_int64(statement, 1),
                                .repetition = sqlite3_column_int64(statement, 2),
                                .state = (const char *)sqlite3_column_text(statement, 3),
                                .factors = (const char *)sqlite3_column_text(statement, 4),
                                .ended = (const char *)sqlite3_column_text(statement, 5),
                                .exit_status = sqlite3_column_int(statement, 6),
                                .wall_s = sqlite3_column_double(statement, 7),
                                .output_tail = (const char *)sqlite3_column_text(statement, 8),
                                .disturbed = sqlite3_column_int(statement, 9) != 0};
        if (!line.state || !line.factors)
            return damaged(store, error);
        if (row(context, &line) < 0)
            return 0;
    }
    return found;
}

int store_read_trace(struct store *store, int64_t run,
                     int (*row)(void *context, const struct trace_sample *sample), void *context,
                     struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *statement =
        sql_prepare(store, "SELECT samples, block FROM trace WHERE run = ? ORDER BY sequence", error);
    if (!statement || sql_bind(store, statement, error, "i", run) < 0)
        return -1;
    int found;
    while ((found = sql_step(store, statement, error)) > 0) {
        struct trace_sample *samples;
        int64_t count = sqlite3_column_int64(statement, 0);
        const void *block = sqlite3_column_blob(statement, 1);
        if (count < 0 || trace_decode(block, (size_t)sqlite3_column_bytes(statement, 1), (size_t)count,
                                      &samples, error) < 0)
            return count < 0 ? damaged(store, error) : error_prefix(error, "%s", store->path);
        int stop = 0;
        for (int64_t i = 0; i < count && !stop; i++)
            stop = row(context, &samples[i]) < 0;
        free(samples);
        if (stop)
            return 0;
    }
    return found;
}
