/* The study, its plan, and the states of its runs. */
#include "store/plan.h"

#include "base/clock.h"
#include "base/text.h"
#include "store/sql.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void study_identity_free(struct study_identity *study)
{
    free(study->name);
    free(study->question);
    free(study->definition);
    free(study->fingerprint);
    free(study->location);
    *study = (struct study_identity){0};
}

void planned_run_free(struct planned_run *run)
{
    for (size_t i = 0; i < run->factor_count; i++) {
        free(run->factors[i].factor);
        free(run->factors[i].level);
    }
    free(run->factors);
    *run = (struct planned_run){0};
}

/* 1: filled; 0: the store holds no study; -1: error. */
static int read_study(struct store *store, struct study_identity *study, struct error *error)
{
    *study = (struct study_identity){0};
    AUTO_STATEMENT sqlite3_stmt *statement = sql_prepare(
        store, "SELECT name, question, definition, fingerprint, location, pue, seed FROM study", error);
    int row = statement ? sql_step(store, statement, error) : -1;
    if (row <= 0)
        return row;
    study->pue = sqlite3_column_double(statement, 5);
    study->seed = sqlite3_column_int64(statement, 6);
    if (sql_text(statement, 0, &study->name, error) == 0 &&
        sql_text(statement, 1, &study->question, error) == 0 &&
        sql_text(statement, 2, &study->definition, error) == 0 &&
        sql_text(statement, 3, &study->fingerprint, error) == 0 &&
        sql_text(statement, 4, &study->location, error) == 0)
        return 1;
    study_identity_free(study);
    return -1;
}

int store_get_study(struct store *store, struct study_identity *study, struct error *error)
{
    int found = read_study(store, study, error);
    if (found == 0)
        return error_set(error, "%s: the database holds no study: `joulery study run` fills one",
                         store->path);
    return found < 0 ? -1 : 0;
}

char *plan_differing_members(const char *stored, const char *given)
{
    json_t *a = json_loads(stored, 0, NULL), *b = json_loads(given, 0, NULL);
    struct text names = TEXT_INIT;
    const char *key;
    json_t *value;
    json_object_foreach(b, key, value) if (!json_equal(value, json_object_get(a, key)))
        text_printf(&names, "%s%s", names.length ? ", " : "", key);
    json_object_foreach(a, key, value) if (!json_object_get(b, key))
        text_printf(&names, "%s%s", names.length ? ", " : "", key);
    json_decref(a);
    json_decref(b);
    if (names.length == 0)
        text_append(&names, "the design");
    return text_take(&names);
}

static int check_same(struct store *store, const struct study_identity *stored,
                      const struct study_identity *given, struct error *error)
{
    if (strcmp(stored->fingerprint, given->fingerprint) == 0)
        return 0;
    AUTO_FREE char *members = plan_differing_members(stored->fingerprint, given->fingerprint);
    return error_set(
        error,
        "%s: the database belongs to another study ('%s'; what differs: %s): run this one into a new file "
        "with --db, or undo the change in the study file",
        store->path, stored->name, members ? members : "");
}

static int count_planned(struct store *store, int64_t *count, struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *statement = sql_prepare(store, "SELECT count(*) FROM plan", error);
    if (!statement || sql_step(store, statement, error) < 0)
        return -1;
    *count = sqlite3_column_int64(statement, 0);
    return 0;
}

static int add_plan(struct store *store, const struct planned_run *plan, size_t count, struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *run =
        sql_prepare(store, "INSERT INTO plan (position, repetition) VALUES (?, ?)", error);
    AUTO_STATEMENT sqlite3_stmt *factor = sql_prepare(
        store, "INSERT INTO plan_factor (position, factor, level, ordinal) VALUES (?, ?, ?, ?)", error);
    if (!run || !factor)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (sql_run(store, run, error, "ii", plan[i].position, plan[i].repetition) < 0)
            return -1;
        for (size_t k = 0; k < plan[i].factor_count; k++)
            if (sql_run(store, factor, error, "itti", plan[i].position, plan[i].factors[k].factor,
                        plan[i].factors[k].level, (int64_t)k) < 0)
                return -1;
    }
    return 0;
}

static int put_first(struct store *store, const struct study_identity *study, struct error *error)
{
    AUTO_FREE char *created = clock_iso8601(clock_wall_ns());
    return sql_do(
        store,
        "INSERT INTO study (id, name, question, definition, fingerprint, location, pue, seed, created) "
        "VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?)",
        error, "tttttdit", study->name, study->question, study->definition, study->fingerprint,
        study->location, study->pue > 0 ? study->pue : (double)NAN, study->seed, created);
}

static int renew(struct store *store, const struct study_identity *stored, const struct study_identity *given,
                 struct error *error)
{
    if (check_same(store, stored, given, error) < 0)
        return -1;
    return sql_do(store, "UPDATE study SET name = ?, question = ?, definition = ?, location = ?, pue = ?",
                  error, "ttttd", given->name, given->question, given->definition, given->location,
                  given->pue > 0 ? given->pue : (double)NAN);
}

static int put_study(struct store *store, const struct study_identity *study, const struct planned_run *plan,
                     size_t count, struct error *error)
{
    struct study_identity stored;
    int found = read_study(store, &stored, error);
    if (found < 0)
        return -1;
    int result = found ? renew(store, &stored, study, error) : put_first(store, study, error);
    study_identity_free(&stored);
    int64_t planned = 0;
    if (result < 0 || count_planned(store, &planned, error) < 0)
        return -1;
    if ((size_t)planned > count)
        return error_set(
            error,
            "%s: the database plans %lld runs, the study file only %zu: repetitions can be added, not "
            "taken away: undo that, or run into a new file with --db",
            store->path, (long long)planned, count);
    return add_plan(store, plan + planned, count - (size_t)planned, error);
}

int store_put_study(struct store *store, const struct study_identity *study, const struct planned_run *plan,
                    size_t count, struct error *error)
{
    if (sql_begin(store, error) < 0)
        return -1;
    return sql_end(store, put_study(store, study, plan, count, error), error);
}

/* ---- what is next ---- */

static int add_factor(struct planned_run *run, sqlite3_stmt *statement, struct error *error)
{
    struct plan_factor *factors = realloc(run->factors, (run->factor_count + 1) * sizeof *factors);
    if (!factors)
        return error_memory(error, "plan");
    run->factors = factors;
    struct plan_factor *factor = &factors[run->factor_count++];
    *factor = (struct plan_factor){0};
    if (sql_text(statement, 0, &factor->factor, error) < 0)
        return -1;
    return sql_text(statement, 1, &factor->level, error);
}

static int read_factors(struct store *store, struct planned_run *run, struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *statement = sql_prepare(
        store, "SELECT factor, level FROM plan_factor WHERE position = ? ORDER BY ordinal", error);
    if (!statement || sql_bind(store, statement, error, "i", run->position) < 0)
        return -1;
    int row;
    while ((row = sql_step(store, statement, error)) > 0)
        if (add_factor(run, statement, error) < 0)
            return -1;
    return row;
}

int store_next(struct store *store, struct planned_run *next, struct error *error)
{
    *next = (struct planned_run){0};
    AUTO_STATEMENT sqlite3_stmt *statement = sql_prepare(
        store,
        "SELECT position, repetition FROM plan WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.position = "
        "plan.position AND run.state IN ('running', 'done', 'failed')) ORDER BY position LIMIT 1",
        error);
    int row = statement ? sql_step(store, statement, error) : -1;
    if (row <= 0)
        return row;
    next->position = sqlite3_column_int64(statement, 0);
    next->repetition = sqlite3_column_int64(statement, 1);
    if (read_factors(store, next, error) == 0)
        return 1;
    planned_run_free(next);
    return -1;
}

static int begin_run(struct store *store, int64_t position, struct error *error)
{
    AUTO_FREE char *started = clock_iso8601(clock_wall_ns());
    if (!store->claimed)
        return error_set(error, "%s: a run can't begin before the study is claimed", store->path);
    int result = sql_do(store, "INSERT INTO run (position, state, started) VALUES (?, 'running', ?)", error,
                        "it", position, started);
    if (result < 0 && sqlite3_errcode(store->database) == SQLITE_CONSTRAINT)
        return error_set(error, "%s: planned run %lld has been done already, or was never planned",
                         store->path, (long long)position + 1);
    return result;
}

int store_begin_run(struct store *store, int64_t position, int64_t *run, struct error *error)
{
    if (sql_begin(store, error) < 0)
        return -1;
    int result = begin_run(store, position, error);
    *run = sqlite3_last_insert_rowid(store->database);
    return sql_end(store, result, error);
}

int store_cut_run(struct store *store, int64_t run, struct error *error)
{
    if (sql_begin(store, error) < 0)
        return -1;
    int result =
        sql_do(store, "UPDATE run SET state = 'cut' WHERE id = ? AND state = 'running'", error, "i", run);
    /* without its channels a trace says nothing */
    if (result == 0 && sqlite3_changes(store->database) > 0)
        result = sql_do(store, "DELETE FROM trace WHERE run = ?", error, "i", run);
    return sql_end(store, result, error);
}

int store_add_note(struct store *store, int64_t run, const char *note, struct error *error)
{
    if (sql_begin(store, error) < 0)
        return -1;
    return sql_end(store, sql_do(store, "INSERT INTO note VALUES (?, ?)", error, "it", run, note), error);
}

/* Asked of what is stored, not counted on the way: a study that is killed between the end of a run and its
 * retry tries it all the same. */
int store_retry_failed(struct store *store, int64_t retries, size_t *count, struct error *error)
{
    if (sql_begin(store, error) < 0)
        return -1;
    int result = sql_do(store,
                        "UPDATE run SET state = 'cut' WHERE state = 'failed' AND (SELECT count(*) FROM run "
                        "other WHERE other.position = run.position AND other.ended IS NOT NULL) <= ?",
                        error, "i", retries);
    *count = result == 0 ? (size_t)sqlite3_changes(store->database) : 0;
    return sql_end(store, result, error);
}

int store_redo_failed(struct store *store, size_t *count, struct error *error)
{
    if (sql_begin(store, error) < 0)
        return -1;
    int result = sql_do(store, "UPDATE run SET state = 'cut' WHERE state = 'failed'", error, "");
    *count = result == 0 ? (size_t)sqlite3_changes(store->database) : 0;
    return sql_end(store, result, error);
}

/* ---- counts ---- */

static int count_states(struct store *store, struct store_counts *counts, struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *statement = sql_prepare(
        store,
        "SELECT (SELECT count(*) FROM plan), count(*) FILTER (WHERE state = 'done'), count(*) FILTER "
        "(WHERE state = 'failed'), count(*) FILTER (WHERE state = 'cut'), count(*) FILTER (WHERE state = "
        "'running') FROM run",
        error);
    if (!statement || sql_step(store, statement, error) < 0)
        return -1;
    counts->planned = (size_t)sqlite3_column_int64(statement, 0);
    counts->done = (size_t)sqlite3_column_int64(statement, 1);
    counts->failed = (size_t)sqlite3_column_int64(statement, 2);
    counts->cut = (size_t)sqlite3_column_int64(statement, 3);
    counts->running = (size_t)sqlite3_column_int64(statement, 4);
    return 0;
}

int store_count(struct store *store, struct store_counts *counts, struct error *error)
{
    *counts = (struct store_counts){0};
    if (count_states(store, counts, error) < 0)
        return -1;
    AUTO_STATEMENT sqlite3_stmt *statement = sql_prepare(
        store,
        "WITH cell AS (SELECT position, (SELECT json_group_array(level) FROM (SELECT level FROM plan_factor "
        "f WHERE "
        "f.position = plan.position ORDER BY ordinal)) AS levels FROM plan),"
        " spent AS (SELECT levels, avg(wall_s) AS mean_s FROM run JOIN cell USING (position) WHERE state = "
        "'done' "
        "GROUP BY levels)"
        " SELECT sum(coalesce(spent.mean_s, (SELECT avg(wall_s) FROM run WHERE state = 'done')))"
        " FROM cell LEFT JOIN spent USING (levels) WHERE NOT EXISTS (SELECT 1 FROM run WHERE run.position = "
        "cell.position AND state IN ('done', 'failed'))",
        error);
    if (!statement || sql_step(store, statement, error) < 0)
        return -1;
    counts->expected_s = sqlite3_column_double(statement, 0);
    return 0;
}
