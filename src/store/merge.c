#include "store/merge.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "store/plan.h"
#include "store/sql.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A part while it is merged. */
struct part {
    struct store *store;
    struct study_identity study;
    char *level;
    char *first;   /* of its runs: host and time; the same in a copy */
    char *factors; /* names: "arch, batch" */
};

struct merging {
    struct store *into;
    const char *factor;
    struct part *parts;
    size_t count;
};

static void close_part(struct part *part)
{
    study_identity_free(&part->study);
    store_close(part->store);
    free(part->level);
    free(part->first);
    free(part->factors);
}

/* ---- what a part is ---- */

/* The first column of the first row; NULL: none. -1: error. */
static int ask_text(struct store *store, const char *sql, char **text, struct error *error)
{
    *text = NULL;
    AUTO_STATEMENT sqlite3_stmt *statement = sql_prepare(store, sql, error);
    int row = statement ? sql_step(store, statement, error) : -1;
    return row > 0 ? sql_text(statement, 0, text, error) : row;
}

static int find_level(struct part *part, const char *given, struct error *error)
{
    AUTO_FREE char *hosts = NULL;
    if (given) {
        part->level = strdup(given);
        return part->level ? 0 : error_memory(error, given);
    }
    if (ask_text(part->store,
                 "SELECT group_concat(DISTINCT name) FROM host WHERE id IN (SELECT host FROM run)", &hosts,
                 error) < 0 ||
        ask_text(
            part->store,
            "SELECT min(name) FROM host WHERE id IN (SELECT host FROM run) HAVING count(DISTINCT name) = 1",
            &part->level, error) < 0)
        return -1;
    if (part->level && *part->level)
        return 0;
    return error_set(error, "%s: its runs are of %s%s: say what to call it, as in oregon=%s",
                     part->store->path, hosts ? "several hosts: " : "no host that is known",
                     hosts ? hosts : "", part->store->path);
}

static int describe_part(struct part *part, const char *level, struct error *error)
{
    int64_t owner;
    if (store_get_study(part->store, &part->study, error) < 0 || store_owner(part->store, &owner, error) < 0)
        return -1;
    if (owner)
        return error_set(error, "%s: process %lld is running the study on it: merge when it has ended",
                         part->store->path, (long long)owner);
    if (ask_text(part->store,
                 "SELECT coalesce(host.name, '') || ' ' || run.started || ' ' || run.wall_s FROM run LEFT "
                 "JOIN host ON host.id = "
                 "run.host WHERE "
                 "run.wall_s IS NOT NULL ORDER BY run.id LIMIT 1",
                 &part->first, error) < 0 ||
        ask_text(part->store,
                 "SELECT group_concat(factor, ', ') FROM (SELECT DISTINCT factor FROM plan_factor ORDER BY "
                 "factor)",
                 &part->factors, error) < 0)
        return -1;
    if (!part->first || !part->factors)
        return error_set(error, "%s: holds no runs that have ended: there is nothing to merge",
                         part->store->path);
    return find_level(part, level, error);
}

/* ---- what belongs together ---- */

static int check_pair(const struct part *a, const struct part *b, struct error *error)
{
    if (strcmp(a->study.fingerprint, b->study.fingerprint) != 0) {
        AUTO_FREE char *members = plan_differing_members(a->study.fingerprint, b->study.fingerprint);
        return error_set(
            error,
            "%s: holds another study than %s (what differs: %s): only databases of one study can be merged",
            b->store->path, a->store->path, members ? members : "");
    }
    if (strcmp(a->factors, b->factors) != 0)
        return error_set(error,
                         "%s: its runs have the factors %s, those of %s have %s: only databases of one study "
                         "can be merged",
                         b->store->path, b->factors, a->store->path, a->factors);
    if (strcmp(a->first, b->first) == 0)
        return error_set(error, "%s: holds the same runs as %s: leave one out", b->store->path,
                         a->store->path);
    if (strcmp(a->level, b->level) == 0)
        return error_set(error, "%s and %s are both of '%s': say what to call them, as in oregon=%s",
                         a->store->path, b->store->path, a->level, b->store->path);
    return 0;
}

static int check_factor(const struct part *part, const char *factor, struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *statement =
        sql_prepare(part->store, "SELECT 1 FROM plan_factor WHERE factor = ? LIMIT 1", error);
    if (!statement || sql_bind(part->store, statement, error, "t", factor) < 0)
        return -1;
    int row = sql_step(part->store, statement, error);
    if (row > 0)
        return error_set(error, "%s: the study has a factor '%s' already: give another name with --as",
                         part->store->path, factor);
    return row;
}

static int check_parts(const struct merging *merging, struct error *error)
{
    for (size_t i = 0; i < merging->count; i++) {
        if (check_factor(&merging->parts[i], merging->factor, error) < 0)
            return -1;
        for (size_t k = 0; k < i; k++)
            if (check_pair(&merging->parts[k], &merging->parts[i], error) < 0)
                return -1;
    }
    return 0;
}

/* ---- the study ---- */

/* No study file has it, so that none goes on in what was merged. */
static char *merged_fingerprint(const struct merging *merging)
{
    json_t *json = json_loads(merging->parts[0].study.fingerprint, 0, NULL);
    json_t *levels = json_array();
    for (size_t i = 0; i < merging->count; i++)
        json_array_append_new(levels, json_string(merging->parts[i].level));
    json_object_set_new(json, "merged", json_pack("{s:s, s:o}", "factor", merging->factor, "levels", levels));
    char *text = json ? json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static int put_study(const struct merging *merging, struct error *error)
{
    const struct study_identity *study = &merging->parts[0].study;
    const char *location = study->location;
    double pue = study->pue;
    for (size_t i = 1; i < merging->count; i++) {
        const struct study_identity *other = &merging->parts[i].study;
        location = same_text(location, other->location) ? location : NULL;
        pue = pue == other->pue ? pue : 0;
    }
    AUTO_FREE char *fingerprint = merged_fingerprint(merging);
    AUTO_FREE char *created = clock_iso8601(clock_wall_ns());
    if (!fingerprint || !created)
        return error_memory(error, "study");
    return sql_do(merging->into,
                  "INSERT INTO study (id, name, question, definition, fingerprint, location, pue, seed, "
                  "created) VALUES (1, "
                  "?, ?, ?, ?, ?, ?, ?, ?)",
                  error, "tttttdit", study->name, study->question, study->definition, fingerprint, location,
                  pue > 0 ? pue : (double)NAN, study->seed, created);
}

/* ---- rows ---- */

/* What is added to numbers that name rows. */
struct offsets {
    int64_t run, position;
    int64_t *hosts; /* [id]: the host's id in the merged database */
    size_t host_count;
};

static int64_t offset_of(const struct offsets *offsets, const char *table, const char *column)
{
    if (strcmp(column, "position") == 0)
        return offsets->position;
    bool names_run = strcmp(column, "run") == 0 || (strcmp(table, "run") == 0 && strcmp(column, "id") == 0);
    return names_run ? offsets->run : 0;
}

static int bind_column(sqlite3_stmt *from, sqlite3_stmt *to, int column, const char *table,
                       const struct offsets *offsets)
{
    const char *name = sqlite3_column_name(from, column);
    int64_t offset = offset_of(offsets, table, name), number = sqlite3_column_int64(from, column);
    bool is_host = strcmp(table, "run") == 0 && strcmp(name, "host") == 0;
    if (is_host && number >= 0 && (size_t)number < offsets->host_count && offsets->hosts[number])
        return sqlite3_bind_int64(to, column + 1, offsets->hosts[number]);
    if (offset && sqlite3_column_type(from, column) == SQLITE_INTEGER)
        return sqlite3_bind_int64(to, column + 1, number + offset);
    return sqlite3_bind_value(to, column + 1, sqlite3_column_value(from, column));
}

/* "INSERT INTO t (a, b) VALUES (?, ?)", with the columns by name: in upgraded files they may stand in another
 * order. */
static char *insertion(sqlite3_stmt *from, const char *table)
{
    struct text sql = TEXT_INIT;
    int columns = sqlite3_column_count(from);
    text_printf(&sql, "INSERT INTO %s (", table);
    for (int i = 0; i < columns; i++)
        text_printf(&sql, "%s\"%s\"", i ? ", " : "", sqlite3_column_name(from, i));
    text_append(&sql, ") VALUES (");
    for (int i = 0; i < columns; i++)
        text_append(&sql, i ? ", ?" : "?");
    text_append(&sql, ")");
    return text_take(&sql);
}

static int copy_table(struct store *into, struct store *from, const char *table,
                      const struct offsets *offsets, struct error *error)
{
    AUTO_FREE char *select = text_format("SELECT * FROM %s", table);
    AUTO_STATEMENT sqlite3_stmt *rows = select ? sql_prepare(from, select, error) : NULL;
    AUTO_FREE char *insert = rows ? insertion(rows, table) : NULL;
    AUTO_STATEMENT sqlite3_stmt *row = insert ? sql_prepare(into, insert, error) : NULL;
    if (!row)
        return rows && !insert ? error_memory(error, table) : -1;
    int found;
    while ((found = sql_step(from, rows, error)) > 0) {
        sqlite3_reset(row);
        for (int i = 0; i < sqlite3_column_count(rows); i++)
            if (bind_column(rows, row, i, table, offsets) != SQLITE_OK)
                return sql_fail(into, error);
        if (sql_step(into, row, error) < 0)
            return -1;
    }
    return found;
}

#define HOST_COLUMNS                                                                                         \
    "name, cpu_model, kernel, os, virtualisation, version, sockets, logical_cpus, memory_bytes"

/* The same host may stand in several parts. */
static int map_host(struct store *into, sqlite3_stmt *from, struct offsets *offsets, struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *row = sql_prepare(
        into,
        "INSERT INTO host (" HOST_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (" HOST_COLUMNS
        ") DO UPDATE SET name = excluded.name RETURNING id",
        error);
    if (!row)
        return -1;
    for (int i = 1; i < sqlite3_column_count(from); i++)
        if (sqlite3_bind_value(row, i, sqlite3_column_value(from, i)) != SQLITE_OK)
            return sql_fail(into, error);
    if (sql_step(into, row, error) < 0)
        return -1;
    size_t number = (size_t)sqlite3_column_int64(from, 0);
    int64_t *grown = number < 1000000 ? reallocarray(offsets->hosts, number + 1, sizeof *grown) : NULL;
    if (!grown)
        return error_memory(error, "hosts");
    for (size_t i = offsets->host_count; i <= number; i++)
        grown[i] = 0;
    offsets->hosts = grown;
    offsets->host_count = number + 1;
    grown[number] = sqlite3_column_int64(row, 0);
    return 0;
}

static int map_hosts(struct store *into, struct store *from, struct offsets *offsets, struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *hosts =
        sql_prepare(from, "SELECT id, " HOST_COLUMNS " FROM host ORDER BY id", error);
    int found = hosts ? 0 : -1;
    while (hosts && (found = sql_step(from, hosts, error)) > 0)
        if (map_host(into, hosts, offsets, error) < 0)
            return -1;
    return found;
}

static int add_factor(const struct merging *merging, const struct part *part, int64_t from_position,
                      struct error *error)
{
    return sql_do(merging->into,
                  "INSERT INTO plan_factor (position, factor, level, ordinal) SELECT position, ?, ?, (SELECT "
                  "max(ordinal) + 1 FROM plan_factor) FROM plan WHERE position >= ?",
                  error, "tti", merging->factor, part->level, from_position);
}

static int64_t ask_number(struct store *store, const char *sql, struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *statement = sql_prepare(store, sql, error);
    return statement && sql_step(store, statement, error) > 0 ? sqlite3_column_int64(statement, 0) : -1;
}

static int copy_part(const struct merging *merging, const struct part *part, struct error *error)
{
    /* an order that foreign keys allow */
    static const char *const tables[] = {"plan",   "plan_factor", "run",  "channel", "window",  "energy",
                                         "metric", "gap",         "note", "trace",   "imported"};
    struct store *into = merging->into;
    struct offsets offsets = {.run = ask_number(into, "SELECT coalesce(max(id), 0) FROM run", error),
                              .position =
                                  ask_number(into, "SELECT coalesce(max(position) + 1, 0) FROM plan", error)};
    int result = offsets.run < 0 || offsets.position < 0 ? -1 : map_hosts(into, part->store, &offsets, error);
    for (size_t i = 0; i < sizeof tables / sizeof *tables && result == 0; i++)
        result = copy_table(into, part->store, tables[i], &offsets, error);
    free(offsets.hosts);
    return result < 0 ? -1 : add_factor(merging, part, offsets.position, error);
}

static int copy_all(const struct merging *merging, struct error *error)
{
    if (put_study(merging, error) < 0)
        return -1;
    for (size_t i = 0; i < merging->count; i++)
        if (copy_part(merging, &merging->parts[i], error) < 0)
            return error_prefix(error, "%s", merging->parts[i].store->path);
    /* whoever ran them is no more */
    if (sql_do(merging->into, "DELETE FROM trace WHERE run IN (SELECT id FROM run WHERE state = 'running')",
               error, "") < 0)
        return -1;
    return sql_do(merging->into, "UPDATE run SET state = 'cut' WHERE state = 'running'", error, "");
}

/* ---- the whole ---- */

static int open_parts(struct merging *merging, const struct merge_part *given, struct error *error)
{
    for (size_t i = 0; i < merging->count; i++) {
        struct part *part = &merging->parts[i];
        part->store = store_open(given[i].path, STORE_READ, error);
        if (!part->store || describe_part(part, given[i].level, error) < 0)
            return -1;
    }
    return check_parts(merging, error);
}

static int write_merged(struct merging *merging, struct error *error)
{
    if (sql_begin(merging->into, error) < 0)
        return -1;
    return sql_end(merging->into, copy_all(merging, error), error);
}

static int tell_result(const struct merging *merging, struct merge_result *result, struct error *error)
{
    result->runs = (size_t)ask_number(merging->into, "SELECT count(*) FROM run WHERE state = 'done'", error);
    result->levels = calloc(merging->count, sizeof *result->levels);
    if (!result->levels)
        return error_memory(error, "merge");
    for (size_t i = 0; i < merging->count; i++) {
        result->levels[result->count++] = merging->parts[i].level;
        merging->parts[i].level = NULL;
    }
    return 0;
}

static int merge(struct merging *merging, const char *path, const struct merge_part *parts,
                 struct merge_result *result, struct error *error)
{
    if (!merging->parts)
        return error_memory(error, "merge");
    if (open_parts(merging, parts, error) < 0)
        return -1;
    if (file_exists(path))
        return error_set(error, "%s: is there already: give the name of a new file", path);
    AUTO_FREE char *part = text_format("%s.part", path);
    if (!part)
        return error_memory(error, path);
    unlink(part); /* of a merge that was killed */
    merging->into = store_open(part, STORE_WRITE, error);
    if (!merging->into)
        return -1;
    int merged = write_merged(merging, error);
    if (merged == 0)
        merged = tell_result(merging, result, error);
    store_close(merging->into); /* takes its log with it */
    merging->into = NULL;
    if (merged == 0 && rename(part, path) < 0)
        merged = error_errno(error, errno, path);
    if (merged < 0)
        unlink(part);
    return merged;
}

int store_merge(const char *path, const char *factor, const struct merge_part *parts, size_t count,
                struct merge_result *result, struct error *error)
{
    struct merging merging = {
        .factor = factor, .parts = calloc(count, sizeof *merging.parts), .count = count};
    *result = (struct merge_result){0};
    int merged = merge(&merging, path, parts, result, error);
    store_close(merging.into);
    for (size_t i = 0; i < count && merging.parts; i++)
        close_part(&merging.parts[i]);
    free(merging.parts);
    return merged;
}

void merge_result_free(struct merge_result *result)
{
    for (size_t i = 0; i < result->count; i++)
        free(result->levels[i]);
    free(result->levels);
    *result = (struct merge_result){0};
}
