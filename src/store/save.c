/* A run and its trace, from memory into rows. */
#include "store/save.h"
#include "base/clock.h"
#include "base/text.h"
#include "store/trace.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const end_names[] = {
    [END_EXITED] = "exited", [END_SIGNALLED] = "signalled", [END_NOT_STARTED] = "not started"};

/* A JSON array of the words; NULL if memory ran out. */
static char *command_text(const struct record *record)
{
    json_t *words = json_array();
    int failed = words ? 0 : -1;
    for (size_t i = 0; i < record->command_count && failed == 0; i++) {
        AUTO_FREE char *word = text_utf8(record->command[i], strlen(record->command[i]));
        failed = json_array_append_new(words, word ? json_string(word) : NULL);
    }
    char *text = failed == 0 ? json_dumps(words, JSON_COMPACT) : NULL;
    json_decref(words);
    return text;
}

#define HOST_COLUMNS                                                                                         \
    "name, cpu_model, kernel, os, virtualisation, version, sockets, logical_cpus, memory_bytes"

static int save_host(struct store *store, const struct host *host, int64_t *id, struct error *error)
{
    const char *values[] = {host->name, host->cpu_model,      host->kernel,
                            host->os,   host->virtualisation, host->version};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        values[i] = values[i] ? values[i] : "";
    /* the change of nothing makes RETURNING give the row that was there */
    AUTO_RESET sqlite3_stmt *statement = sql_keep(
        store,
        "INSERT INTO host (" HOST_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (" HOST_COLUMNS
        ") DO UPDATE SET name = excluded.name RETURNING id",
        error);
    if (!statement ||
        sql_bind(store, statement, error, "ttttttiii", values[0], values[1], values[2], values[3], values[4],
                 values[5], (int64_t)host->sockets, (int64_t)host->logical_cpus,
                 (int64_t)host->memory_bytes) < 0 ||
        sql_step(store, statement, error) < 0)
        return -1;
    *id = sqlite3_column_int64(statement, 0);
    return 0;
}

static int save_run(struct store *store, int64_t run, const struct record *record, struct error *error)
{
    int64_t host;
    const struct attribution *share = &record->attribution;
    AUTO_FREE char *command = command_text(record);
    AUTO_FREE char *started = clock_iso8601(record->started_wall_ns);
    if (!command || !started)
        return error_memory(error, "run");
    if (save_host(store, &record->host, &host, error) < 0)
        return -1;
    bool done = record->end == END_EXITED && record->exit_status == 0;
    int result = sql_do(
        store,
        "UPDATE run SET state = ?, started = ?, command = ?, ended = ?, exit_status = ?, term_signal = "
        "nullif(?, 0), wall_s = ?, host = ?, rate_hz = ?, recorder_cpu_s = ?, recorder_peak_rss = ?, "
        "marks_received = ?, marks_rejected = ?, output_tail = ?, baseline = ?, command_cpu_s = ?, "
        "machine_cpu_s = ?, attributed_j = ?, attributed_uncertainty_j = ?, attribution_basis = ?, source = "
        "? WHERE id = ? AND state = 'running'",
        error, "ttttiididdiiittddddtti", done ? "done" : "failed", started, command, end_names[record->end],
        (int64_t)record->exit_status, (int64_t)record->term_signal, record->wall_s, host, record->rate_hz,
        record->recorder_cpu_s, (int64_t)record->recorder_peak_rss_bytes, (int64_t)record->marks_received,
        (int64_t)record->marks_rejected, record->output_tail, record->baseline,
        share->known ? share->command_cpu_s : NAN, share->known ? share->machine_cpu_s : NAN,
        share->known ? share->energy_j : NAN, share->known ? share->uncertainty_j : NAN,
        share->known ? share->basis : NULL, record->source, run);
    if (result == 0 && sqlite3_changes(store->database) != 1)
        return error_set(error, "%s: run %lld is not under way", store->path, (long long)run);
    return result;
}

static const char channel_sql[] =
    "INSERT INTO channel (run, ordinal, meter, name, part_of, scope, kind, resolution, range_j, "
    "update_s, max_power_w, accuracy, accuracy_source, label, still_most_s, averaging_s, apart, twin, "
    "idle_w, idle_uncertainty_w) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";

static int save_channel(struct store *store, sqlite3_stmt *statement, int64_t run,
                        const struct record *record, size_t number, struct error *error)
{
    const struct channel *channel = &record->channels[number];
    bool rested = record->idle && isfinite(record->idle[number].power_w);
    return sql_run(
        store, statement, error, "iitttttdddddttddiidd", run, (int64_t)number, channel->meter, channel->name,
        channel->part_of, channel_scope_name(channel->scope), channel_kind_name(channel->kind),
        channel->resolution, channel->range_j, channel->update_s, channel->max_power_w, channel->accuracy,
        channel->accuracy_source ? channel->accuracy_source : "", channel->label, channel->still_most_s,
        channel->averaging_s, (int64_t)channel->apart, (int64_t)channel->twin,
        rested ? record->idle[number].power_w : NAN, rested ? record->idle[number].uncertainty_w : NAN);
}

static int save_channels(struct store *store, int64_t run, const struct record *record, struct error *error)
{
    AUTO_RESET sqlite3_stmt *statement = sql_keep(store, channel_sql, error);
    for (size_t i = 0; statement && i < record->channel_count; i++)
        if (save_channel(store, statement, run, record, i, error) < 0)
            return -1;
    return statement ? 0 : -1;
}

struct window_statements {
    sqlite3_stmt *window, *energy, *metric;
};

static int save_window(struct store *store, const struct window_statements *statements, int64_t run,
                       const struct record *record, size_t number, struct error *error)
{
    const struct window *window = &record->windows[number];
    struct energy_totals totals = record_totals(record, number);
    double above_uncertainty_j, above_j = record_above_idle_j(record, number, &above_uncertainty_j);
    if (sql_run(store, statements->window, error, "iitiiddiddidddd", run, (int64_t)number, window->name,
                window->index, window->parent, window->start_s, window->wall_s, (int64_t)window->complete,
                totals.software_j, totals.software_uncertainty_j, (int64_t)totals.estimated,
                totals.hardware_j, totals.hardware_uncertainty_j, above_j, above_uncertainty_j) < 0)
        return -1;
    for (size_t i = 0; i < record->channel_count; i++) {
        const struct channel_energy *energy = &window->energies[i];
        if (energy->known && sql_run(store, statements->energy, error, "iiiddd", run, (int64_t)number,
                                     (int64_t)i, energy->energy_j, energy->uncertainty_j, energy->gap_s) < 0)
            return -1;
    }
    for (size_t i = 0; i < window->metric_count; i++)
        if (isfinite(window->metrics[i].value) &&
            sql_run(store, statements->metric, error, "iitd", run, (int64_t)number, window->metrics[i].name,
                    window->metrics[i].value) < 0)
            return -1;
    return 0;
}

static int save_windows(struct store *store, int64_t run, const struct record *record, struct error *error)
{
    AUTO_RESET sqlite3_stmt *window =
        sql_keep(store, "INSERT INTO window VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", error);
    AUTO_RESET sqlite3_stmt *energy = sql_keep(store, "INSERT INTO energy VALUES (?, ?, ?, ?, ?, ?)", error);
    AUTO_RESET sqlite3_stmt *metric =
        sql_keep(store, "INSERT OR REPLACE INTO metric VALUES (?, ?, ?, ?)", error);
    if (!window || !energy || !metric)
        return -1;
    struct window_statements statements = {window, energy, metric};
    for (size_t i = 0; i < record->window_count; i++)
        if (save_window(store, &statements, run, record, i, error) < 0)
            return -1;
    return 0;
}

static int save_gap(struct store *store, int64_t run, const struct gap *gap, struct error *error)
{
    return sql_do(store, "INSERT INTO gap VALUES (?, ?, ?, ?, ?)", error, "iiddt", run, (int64_t)gap->channel,
                  gap->start_s, gap->wall_s, gap->reason);
}

static int save_remarks(struct store *store, int64_t run, const struct record *record, struct error *error)
{
    for (size_t i = 0; i < record->gap_count; i++)
        if (save_gap(store, run, &record->gaps[i], error) < 0)
            return -1;
    for (size_t i = 0; i < record->note_count; i++)
        if (sql_do(store, "INSERT INTO note VALUES (?, ?)", error, "it", run, record->notes[i]) < 0)
            return -1;
    return 0;
}

int save_parts(struct store *store, int64_t run, const struct record *record, struct error *error)
{
    if (save_channels(store, run, record, error) < 0 || save_windows(store, run, record, error) < 0)
        return -1;
    return save_remarks(store, run, record, error);
}

int save_record(struct store *store, int64_t run, const struct record *record, struct error *error)
{
    if (save_run(store, run, record, error) < 0)
        return -1;
    return save_parts(store, run, record, error);
}

static int end_run(struct store *store, int64_t run, const struct record *record, struct error *error)
{
    if (sql_begin(store, error) < 0)
        return -1;
    return sql_end(store, save_record(store, run, record, error), error);
}

int store_end_run(struct store *store, int64_t run, const struct record *record, struct error *error)
{
    /* a finished run shall outlive a power cut; a block of a trace need not */
    if (sql_exec(store, "PRAGMA synchronous = FULL", error) < 0)
        return -1;
    int result = end_run(store, run, record, error);
    if (result < 0 && !store->locked && store->reserve >= 0) {
        close(store->reserve);
        store->reserve = -1;
        error_clear(error);
        result = end_run(store, run, record, error);
        store->reserve_used = result == 0;
    }
    struct error ignored = ERROR_INIT;
    sql_exec(store, "PRAGMA synchronous = NORMAL", &ignored);
    error_clear(&ignored);
    return result;
}

/* ---- what comes afterwards ---- */

int store_begin_overlay(struct store *store, struct error *error)
{
    return sql_begin(store, error);
}

int store_end_overlay(struct store *store, int result, struct error *error)
{
    return sql_end(store, result, error);
}

static int overlay_windows(struct store *store, int64_t run, const struct record *record, size_t channel,
                           struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *total = sql_prepare(
        store, "UPDATE window SET hardware_j = ?, hardware_uncertainty_j = ? WHERE run = ? AND ordinal = ?",
        error);
    AUTO_STATEMENT sqlite3_stmt *row =
        sql_prepare(store, "INSERT INTO energy VALUES (?, ?, ?, ?, ?, ?)", error);
    if (!total || !row)
        return -1;
    for (size_t i = 0; i < record->window_count; i++) {
        const struct channel_energy *energy = &record->windows[i].energies[channel];
        struct energy_totals totals = record_totals(record, i);
        if (sql_run(store, total, error, "ddii", totals.hardware_j, totals.hardware_uncertainty_j, run,
                    (int64_t)i) < 0)
            return -1;
        if (energy->known && sql_run(store, row, error, "iiiddd", run, (int64_t)i, (int64_t)channel,
                                     energy->energy_j, energy->uncertainty_j, energy->gap_s) < 0)
            return -1;
    }
    return 0;
}

int store_overlay(struct store *store, int64_t run, const struct record *record, size_t channel,
                  const char *note_start, const char *note, struct error *error)
{
    const struct channel *added = &record->channels[channel];
    /* the energies and gaps of an earlier one go with it */
    if (sql_do(store, "DELETE FROM channel WHERE run = ? AND meter = ? AND name = ?", error, "itt", run,
               added->meter, added->name) < 0 ||
        sql_do(store, "DELETE FROM note WHERE run = ?1 AND substr(text, 1, length(?2)) = ?2", error, "it",
               run, note_start) < 0)
        return -1;
    AUTO_STATEMENT sqlite3_stmt *statement = sql_prepare(store, channel_sql, error);
    if (!statement || save_channel(store, statement, run, record, channel, error) < 0 ||
        overlay_windows(store, run, record, channel, error) < 0)
        return -1;
    for (size_t i = 0; i < record->gap_count; i++)
        if (record->gaps[i].channel == channel && save_gap(store, run, &record->gaps[i], error) < 0)
            return -1;
    AUTO_FREE char *text = text_format("%s%s", note_start, note);
    return text ? sql_do(store, "INSERT INTO note VALUES (?, ?)", error, "it", run, text)
                : error_memory(error, "note");
}

static int add_block(struct store *store, int64_t run, const struct trace_sample *samples, size_t count,
                     struct error *error)
{
    void *block;
    size_t size;
    if (trace_encode(samples, count, &block, &size, error) < 0)
        return -1;
    AUTO_STATEMENT sqlite3_stmt *statement = sql_prepare(
        store,
        "INSERT INTO trace (run, sequence, samples, block) VALUES (?1, (SELECT coalesce(max(sequence) + 1, "
        "0) FROM trace WHERE run = ?1), ?2, ?3)",
        error);
    int result = statement ? sql_bind(store, statement, error, "ii", run, (int64_t)count) : -1;
    if (result == 0 && sqlite3_bind_blob64(statement, 3, block, size, SQLITE_STATIC) != SQLITE_OK)
        result = sql_fail(store, error);
    if (result == 0)
        result = sql_step(store, statement, error);
    free(block);
    return result;
}

int store_add_trace(struct store *store, int64_t run, const struct trace_sample *samples, size_t count,
                    struct error *error)
{
    if (sql_begin(store, error) < 0)
        return -1;
    int result = 0;
    for (size_t done = 0; done < count && result == 0;) {
        size_t block = count - done < TRACE_SAMPLES_MOST ? count - done : TRACE_SAMPLES_MOST;
        result = add_block(store, run, samples + done, block, error);
        done += block;
    }
    return sql_end(store, result, error);
}
