#include "study/estimate.h"

#include <jansson.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* Means by levels: an object whose keys are levels as levels_key has them, and whose values are [wall_s,
 * energy_j or null]. */
struct means {
    json_t *by_levels;
    double wall_s, energy_j; /* of all; NAN: not known */
};

static int fail(struct store *store, struct error *error)
{
    return error_set(error, "%s", sqlite3_errmsg(store_database(store)));
}

static double column(sqlite3_stmt *statement, int number)
{
    return sqlite3_column_type(statement, number) == SQLITE_NULL ? NAN
                                                                 : sqlite3_column_double(statement, number);
}

/* Takes over `levels`; the same text for the same levels, in whichever order. The caller frees it. */
static char *levels_key(json_t *levels)
{
    char *key = levels ? json_dumps(levels, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    json_decref(levels);
    return key;
}

static char *run_key(const struct planned_run *run)
{
    json_t *levels = json_object();
    for (size_t i = 0; i < run->factor_count; i++)
        json_object_set_new(levels, run->factors[i].factor, json_string(run->factors[i].level));
    return levels_key(levels);
}

static int take_mean(struct means *means, sqlite3_stmt *row, struct error *error)
{
    const char *factors = (const char *)sqlite3_column_text(row, 0);
    char *key = levels_key(json_loads(factors ? factors : "", 0, NULL));
    double energy_j = column(row, 2);
    int failed = key ? json_object_set_new(means->by_levels, key,
                                           json_pack("[f, o]", column(row, 1),
                                                     isfinite(energy_j) ? json_real(energy_j) : json_null()))
                     : -1;
    free(key);
    return failed ? error_memory(error, "estimate") : 0;
}

static int read_means(struct store *store, struct means *means, struct error *error)
{
    static const char sql[] =
        "SELECT factors, avg(wall_s), avg(coalesce(hardware_j, software_j)) FROM runs WHERE state = "
        "'done' AND wall_s IS NOT NULL GROUP BY factors";
    sqlite3_stmt *statement = NULL;
    if (!means->by_levels)
        return error_memory(error, "estimate");
    if (sqlite3_prepare_v2(store_database(store), sql, -1, &statement, NULL) != SQLITE_OK)
        return fail(store, error);
    int result = 0, row = SQLITE_DONE;
    while (result == 0 && (row = sqlite3_step(statement)) == SQLITE_ROW)
        result = take_mean(means, statement, error);
    sqlite3_finalize(statement);
    return result == 0 && row != SQLITE_DONE ? fail(store, error) : result;
}

/* Bytes a run, the count of earlier runs, and their means. */
static int read_whole(struct store *store, struct means *means, struct estimate *estimate, double *run_bytes,
                      struct error *error)
{
    static const char sql[] =
        "SELECT count(*), avg(wall_s), avg(coalesce(hardware_j, software_j)), (SELECT page_count FROM "
        "pragma_page_count) * "
        "(SELECT page_size FROM pragma_page_size) FROM runs WHERE state = 'done' AND wall_s IS NOT NULL";
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store_database(store), sql, -1, &statement, NULL) != SQLITE_OK)
        return fail(store, error);
    int row = sqlite3_step(statement);
    if (row == SQLITE_ROW) {
        estimate->earlier = (size_t)sqlite3_column_int64(statement, 0);
        means->wall_s = column(statement, 1);
        means->energy_j = column(statement, 2);
        *run_bytes = column(statement, 3) / fmax((double)estimate->earlier, 1);
    }
    sqlite3_finalize(statement);
    return row == SQLITE_ROW ? 0 : fail(store, error);
}

/* Which positions have been run, if the store holds this very study; of another, none has. */
static int read_done(const struct study *study, struct store *store, bool *done, size_t count,
                     struct error *error)
{
    struct study_identity identity;
    sqlite3_stmt *statement = NULL;
    if (store_get_study(store, &identity, error) < 0)
        return -1;
    char *fingerprint = study_fingerprint(study);
    bool same = fingerprint && strcmp(fingerprint, identity.fingerprint) == 0;
    free(fingerprint);
    study_identity_free(&identity);
    if (!same)
        return 0;
    if (sqlite3_prepare_v2(store_database(store),
                           "SELECT position FROM run WHERE state IN ('done', 'failed')", -1, &statement,
                           NULL) != SQLITE_OK)
        return fail(store, error);
    int row;
    while ((row = sqlite3_step(statement)) == SQLITE_ROW) {
        int64_t position = sqlite3_column_int64(statement, 0);
        if (position >= 0 && (size_t)position < count)
            done[position] = true;
    }
    sqlite3_finalize(statement);
    return row == SQLITE_DONE ? 0 : fail(store, error);
}

static int add_run(const struct planned_run *run, const struct means *means, struct estimate *estimate,
                   struct error *error)
{
    char *key = run_key(run);
    json_t *mean = key ? json_object_get(means->by_levels, key) : NULL;
    if (!key)
        return error_memory(error, "estimate");
    free(key);
    json_t *energy = json_array_get(mean, 1);
    estimate->left++;
    estimate->same += mean != NULL;
    estimate->wall_s += mean ? json_real_value(json_array_get(mean, 0)) : means->wall_s;
    estimate->energy_j += json_is_real(energy) ? json_real_value(energy) : means->energy_j;
    return 0;
}

static void add_rest(const struct study *study, const struct means *means, struct estimate *estimate)
{
    if (estimate->left == 0)
        return;
    double rests = (double)(estimate->left - 1 + study->warm_up);
    estimate->rest_s = rests * study->cooldown.least_s + 2 * study->idle_s;
    estimate->wall_s += estimate->rest_s + (study->warm_up ? means->wall_s : 0);
}

int estimate_plan(const struct study *study, const struct planned_run *plan, size_t count,
                  struct store *store, struct estimate *estimate, struct error *error)
{
    struct means means = {.by_levels = json_object()};
    bool *done = calloc(count, sizeof *done);
    double run_bytes = 0;
    *estimate = (struct estimate){0};
    int result = done ? 0 : error_memory(error, "estimate");
    if (result == 0)
        result = read_whole(store, &means, estimate, &run_bytes, error);
    if (result == 0)
        result = read_means(store, &means, error);
    if (result == 0)
        result = read_done(study, store, done, count, error);
    for (size_t i = 0; i < count && result == 0; i++)
        if (!done[i])
            result = add_run(&plan[i], &means, estimate, error);
    add_rest(study, &means, estimate);
    estimate->disk_bytes = run_bytes * (double)estimate->left;
    json_decref(means.by_levels);
    free(done);
    return result;
}
