#include "store/import.h"

#include "base/clock.h"
#include "base/text.h"
#include "store/save.h"

#include <stdlib.h>
#include <string.h>

/* Decides, as for every study, what may be added; nothing else has it. */
static const char fingerprint[] = "{\"imported\":true}";

void imported_run_free(struct imported_run *run)
{
    record_free(&run->record);
    for (size_t i = 0; i < run->value_count; i++) {
        free(run->values[i].name);
        free(run->values[i].value);
    }
    free(run->values);
    *run = (struct imported_run){0};
}

/* ---- one transaction ---- */

static int add_study(struct store *store, const char *name, struct error *error)
{
    AUTO_FREE char *created = clock_iso8601(clock_wall_ns());
    return sql_do(store,
                  "INSERT INTO study (id, name, definition, fingerprint, seed, created) VALUES (1, ?, "
                  "'imported by joulery import', ?, 0, ?)",
                  error, "ttt", name, fingerprint, created);
}

static int check_study(struct store *store, const char *name, struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *study = sql_prepare(store, "SELECT fingerprint, name FROM study", error);
    int row = study ? sql_step(store, study, error) : -1;
    if (row <= 0)
        return row < 0 ? -1 : add_study(store, name, error);
    const char *found = (const char *)sqlite3_column_text(study, 0);
    if (found && strcmp(found, fingerprint) == 0)
        return 0;
    return error_set(error,
                     "%s: the database holds the study '%s', which was run here: imported runs do not belong "
                     "in it; give another file with --db",
                     store->path, (const char *)sqlite3_column_text(study, 1));
}

int store_import_begin(struct store *store, const char *name, struct error *error)
{
    /* the index of values is written all over: it should fit into memory */
    if (sql_exec(store, "PRAGMA cache_size = -65536", error) < 0 || sql_begin(store, error) < 0)
        return -1;
    return check_study(store, name, error) == 0 ? 0 : sql_end(store, -1, error);
}

int store_import_end(struct store *store, int result, struct error *error)
{
    return sql_end(store, result, error);
}

/* ---- the plan grows with the runs ---- */

static bool has_factor(const struct plan_factor *factors, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(factors[i].factor, name) == 0)
            return true;
    return false;
}

static int other_factors(struct store *store, const struct text *stored, struct error *error)
{
    return error_set(error,
                     "%s: the runs in it have the factors %s: give each of them with --factor, and no other",
                     store->path, stored->length ? stored->data : "(none)");
}

/* All runs of a study have the same factors. */
static int check_factors(struct store *store, const struct plan_factor *factors, size_t count,
                         struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *row =
        sql_prepare(store, "SELECT factor FROM plan_factor GROUP BY factor ORDER BY min(ordinal)", error);
    AUTO_STATEMENT sqlite3_stmt *planned = sql_prepare(store, "SELECT count(*) FROM plan", error);
    if (!row || !planned || sql_step(store, planned, error) < 0)
        return -1;
    struct text names = TEXT_INIT;
    size_t found = 0;
    bool same = true;
    int more;
    while ((more = sql_step(store, row, error)) > 0) {
        const char *name = (const char *)sqlite3_column_text(row, 0);
        text_printf(&names, "%s%s", found++ ? ", " : "", name ? name : "");
        same = same && name && has_factor(factors, count, name);
    }
    bool first = sqlite3_column_int64(planned, 0) == 0;
    int result = more < 0 ? -1 : 0;
    if (result == 0 && !first && (!same || found != count))
        result = other_factors(store, &names, error);
    text_free(&names);
    return result;
}

/* Positions that have all the given levels; the caller adds what else is asked. */
static const char with_levels[] =
    " FROM plan WHERE (SELECT count(*) FROM plan_factor f JOIN json_each(?1) g ON f.factor = g.key AND "
    "f.level = g.value WHERE f.position = plan.position) = (SELECT count(*) FROM json_each(?1))";

/* A JSON object of factors and levels; NULL without memory. */
static char *levels_text(const struct plan_factor *factors, size_t count)
{
    json_t *object = json_object();
    for (size_t i = 0; object && i < count; i++) {
        AUTO_FREE char *name = text_utf8(factors[i].factor, strlen(factors[i].factor));
        AUTO_FREE char *level = text_utf8(factors[i].level, strlen(factors[i].level));
        if (!name || !level || json_object_set_new(object, name, json_string(level)) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    return text;
}

int store_import_place(struct store *store, const struct plan_factor *factors, size_t factor_count,
                       struct import_place *place, struct error *error)
{
    if (check_factors(store, factors, factor_count, error) < 0)
        return -1;
    AUTO_FREE char *levels = levels_text(factors, factor_count);
    AUTO_FREE char *sql = text_format(
        "SELECT coalesce(max(repetition), 0) + 1, (SELECT coalesce(max(position), -1) + 1 FROM plan)%s",
        with_levels);
    if (!levels || !sql)
        return error_memory(error, "import");
    AUTO_STATEMENT sqlite3_stmt *row = sql_prepare(store, sql, error);
    if (!row || sql_bind(store, row, error, "t", levels) < 0 || sql_step(store, row, error) < 0)
        return -1;
    *place = (struct import_place){.repetition = sqlite3_column_int64(row, 0),
                                   .position = sqlite3_column_int64(row, 1)};
    return 0;
}

static int add_place(struct store *store, const struct plan_factor *factors, size_t count,
                     const struct import_place *place, struct error *error)
{
    if (sql_do(store, "INSERT INTO plan (position, repetition) VALUES (?, ?)", error, "ii", place->position,
               place->repetition) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (sql_do(store, "INSERT INTO plan_factor (position, factor, level, ordinal) VALUES (?, ?, ?, ?)",
                   error, "itti", place->position, factors[i].factor, factors[i].level, (int64_t)i) < 0)
            return -1;
    return 0;
}

/* ---- runs ---- */

static int add_values(struct store *store, int64_t run, const struct imported_run *imported,
                      struct error *error)
{
    AUTO_RESET sqlite3_stmt *row = sql_keep(
        store, "INSERT OR REPLACE INTO imported (run, source, name, value) VALUES (?, ?, ?, ?)", error);
    if (!row)
        return -1;
    for (size_t i = 0; i < imported->value_count; i++)
        if (sql_run(store, row, error, "ittt", run, imported->tool, imported->values[i].name,
                    imported->values[i].value) < 0)
            return -1;
    return 0;
}

/* No recorder of ours was there; a start that is not known is no date. */
static int forget_recorder(struct store *store, int64_t run, struct error *error)
{
    return sql_do(store,
                  "UPDATE run SET started = iif(started = '1970-01-01T00:00:00Z', '', started), command = "
                  "NULL, rate_hz = NULL, recorder_cpu_s = NULL, recorder_peak_rss = NULL, "
                  "marks_received = NULL, marks_rejected = NULL WHERE id = ?",
                  error, "i", run);
}

int store_import_run(struct store *store, const struct imported_run *run, const struct plan_factor *factors,
                     size_t factor_count, struct import_place *place, int64_t *id, struct error *error)
{
    if (add_place(store, factors, factor_count, place, error) < 0 ||
        sql_do(store, "INSERT INTO run (position, state, started) VALUES (?, 'running', '')", error, "i",
               place->position) < 0)
        return -1;
    *id = sqlite3_last_insert_rowid(store->database);
    place->position++;
    place->repetition++;
    if (save_record(store, *id, &run->record, error) < 0 || forget_recorder(store, *id, error) < 0)
        return -1;
    return add_values(store, *id, run, error);
}

int store_imported_find(struct store *store, const char *tool, const char *name, const char *value,
                        const char *also, const char *also_value, int64_t *run, struct error *error)
{
    AUTO_RESET sqlite3_stmt *row = sql_keep(
        store,
        "SELECT coalesce(max(run), 0) FROM imported i WHERE source = ?1 AND name = ?2 AND value = ?3 AND (?4 "
        "IS NULL OR EXISTS (SELECT 1 FROM imported a WHERE a.run = i.run AND a.source = ?1 AND a.name = ?4 "
        "AND "
        "a.value = ?5))",
        error);
    if (!row || sql_bind(store, row, error, "ttttt", tool, name, value, also, also_value) < 0 ||
        sql_step(store, row, error) < 0)
        return -1;
    *run = sqlite3_column_int64(row, 0);
    return 0;
}

int store_import_which(struct store *store, const struct plan_factor *factors, size_t factor_count,
                       int64_t repetition, int64_t *run, struct error *error)
{
    AUTO_FREE char *levels = levels_text(factors, factor_count);
    AUTO_FREE char *sql = text_format("SELECT (SELECT id FROM run WHERE run.position = plan.position)%s AND "
                                      "repetition = ?2",
                                      with_levels);
    if (!levels || !sql)
        return error_memory(error, "import");
    AUTO_STATEMENT sqlite3_stmt *row = sql_prepare(store, sql, error);
    if (!row || sql_bind(store, row, error, "ti", levels, repetition) < 0)
        return -1;
    int found = sql_step(store, row, error);
    if (found < 0)
        return -1;
    if (found == 0)
        return error_set(error,
                         "%s: no run with the levels %s and repetition %lld: import its energies first, or "
                         "`joulery study status` lists what is there",
                         store->path, levels, (long long)repetition);
    *run = sqlite3_column_int64(row, 0);
    found = sql_step(store, row, error);
    if (found > 0)
        return error_set(error,
                         "%s: several runs have the levels %s and repetition %lld: give more of their "
                         "factors with --factor",
                         store->path, levels, (long long)repetition);
    return found;
}

/* 0 where there is none. */
static int run_of_number(struct store *store, const char *name, int64_t *run, struct error *error)
{
    int64_t number;
    *run = 0;
    if (text_to_i64(name, &number) < 0)
        return 0;
    AUTO_STATEMENT sqlite3_stmt *row =
        sql_prepare(store, "SELECT id FROM run WHERE id = ? AND source IS NOT NULL", error);
    if (!row || sql_bind(store, row, error, "i", number) < 0)
        return -1;
    int found = sql_step(store, row, error);
    if (found > 0)
        *run = sqlite3_column_int64(row, 0);
    return found < 0 ? -1 : 0;
}

int store_import_named(struct store *store, const char *name, int64_t *run, struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *row = sql_prepare(store,
                                                   "SELECT count(DISTINCT run), coalesce(min(run), 0), "
                                                   "coalesce(max(run), 0) FROM imported WHERE name IN "
                                                   "('run_id', 'id') AND value = ?",
                                                   error);
    if (!row || sql_bind(store, row, error, "t", name) < 0 || sql_step(store, row, error) < 0)
        return -1;
    int64_t count = sqlite3_column_int64(row, 0);
    *run = sqlite3_column_int64(row, 1);
    if (count > 1)
        return error_set(
            error, "%s: %lld runs are called '%s', from run %lld to run %lld: give the run's number",
            store->path, (long long)count, name, (long long)*run, (long long)sqlite3_column_int64(row, 2));
    if (count == 0 && run_of_number(store, name, run, error) < 0)
        return -1;
    return *run > 0 ? 0
                    : error_set(error, "%s: no imported run has the number or the identifier '%s'",
                                store->path, name);
}

int store_import_amend(struct store *store, int64_t run, const struct imported_run *changed,
                       struct error *error)
{
    static const char *const parts[] = {"DELETE FROM window WHERE run = ?",
                                        "DELETE FROM channel WHERE run = ?",
                                        "DELETE FROM note WHERE run = ?"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (sql_do(store, parts[i], error, "i", run) < 0)
            return -1;
    if (save_parts(store, run, &changed->record, error) < 0)
        return -1;
    return add_values(store, run, changed, error);
}
