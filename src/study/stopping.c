#include "study/stopping.h"

#include "base/text.h"
#include "base/units.h"
#include "stats/stats.h"
#include "study/design.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_LEAST 3 /* two that are alike by chance make a narrow interval */

bool stopping_has_rule(const struct study *study)
{
    return study->until.share > 0 || study->budget_j > 0;
}

/* ---- asking the store ---- */

static int fail(struct store *store, struct error *error)
{
    return error_set(error, "%s", sqlite3_errmsg(store_database(store)));
}

static sqlite3_stmt *prepare(struct store *store, const char *sql, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store_database(store), sql, -1, &statement, NULL) != SQLITE_OK)
        fail(store, error);
    return statement;
}

/* The first row's columns as numbers, NULL as NAN. */
static int ask_numbers(struct store *store, const char *sql, double *numbers, int count, struct error *error)
{
    sqlite3_stmt *statement = prepare(store, sql, error);
    int row = statement ? sqlite3_step(statement) : SQLITE_ERROR;
    for (int i = 0; i < count && row == SQLITE_ROW; i++)
        numbers[i] =
            sqlite3_column_type(statement, i) == SQLITE_NULL ? NAN : sqlite3_column_double(statement, i);
    int result = row == SQLITE_ROW ? 0 : statement ? fail(store, error) : -1;
    sqlite3_finalize(statement);
    return result;
}

int stopping_planned(struct store *store, int64_t *repetitions, struct error *error)
{
    double most;
    if (ask_numbers(store, "SELECT coalesce(max(repetition), 0) FROM plan", &most, 1, error) < 0)
        return -1;
    *repetitions = (int64_t)most;
    return 0;
}

/* ---- the budget ---- */

static int ask_spent(struct store *store, double *spent_j, double *run_j, double *unknown,
                     struct error *error)
{
    double numbers[3];
    if (ask_numbers(
            store,
            "SELECT coalesce(sum(coalesce(hardware_j, software_j)), 0), avg(coalesce(hardware_j, "
            "software_j)), "
            "count(*) FILTER (WHERE state = 'done' AND coalesce(hardware_j, software_j) IS NULL) FROM runs",
            numbers, 3, error) < 0)
        return -1;
    *spent_j = numbers[0];
    *run_j = numbers[1];
    *unknown = numbers[2];
    return 0;
}

int stopping_over_budget(const struct study *study, struct store *store, struct error *error)
{
    double spent_j, run_j, unknown;
    if (study->budget_j <= 0)
        return 0;
    if (ask_spent(store, &spent_j, &run_j, &unknown, error) < 0)
        return -1;
    if (unknown > 0)
        return error_set(
            error,
            "the study has a budget, and the energy of %.0f of its runs is not known: `joulery meters` "
            "says what measures here, or remove budget: from the study",
            unknown);
    return spent_j >= study->budget_j;
}

/* ---- the interval ---- */

#define DONE_BY_FACTORS "FROM runs WHERE state = 'done' ORDER BY factors, run"

static const char *const response_sql[] = {
    /* one instrument for all runs: the wall only where all have it */
    [RESPONSE_ENERGY] =
        ("SELECT factors, CASE WHEN (SELECT count(hardware_j) = count(*) FROM runs WHERE state = 'done') "
         "THEN hardware_j ELSE software_j END " DONE_BY_FACTORS),
    [RESPONSE_DURATION] = ("SELECT factors, wall_s " DONE_BY_FACTORS),
    [RESPONSE_ACCURACY] = ("SELECT factors, coalesce(val_accuracy, accuracy) " DONE_BY_FACTORS),
};

/* The values of one treatment, as the rows come. */
struct group {
    char *factors;
    double *values;
    size_t count, capacity;
};

static int close_group(const struct study *study, struct group *group, struct stopping *stopping,
                       struct error *error)
{
    struct summary summary;
    if (!group->factors)
        return 0;
    if (stats_summarise(group->values, group->count, &summary, error) < 0)
        return -1;
    double share =
        group->count >= VALUES_LEAST ? (summary.high - summary.low) / 2 / fabs(summary.mean) : INFINITY;
    if (isnan(share)) /* all of them 0 */
        share = 0;
    stopping->treatments++;
    stopping->met += share <= study->until.share;
    if (group->count == 0)
        stopping->state = STOPPING_UNKNOWN;
    if (stopping->widest && share <= stopping->widest_share) {
        free(group->factors);
    } else {
        free(stopping->widest);
        stopping->widest = group->factors;
        stopping->widest_share = share;
    }
    group->factors = NULL;
    group->count = 0;
    return 0;
}

static int add_value(struct group *group, double value, struct error *error)
{
    if (group->count == group->capacity) {
        size_t capacity = group->capacity ? 2 * group->capacity : 16;
        double *values = reallocarray(group->values, capacity, sizeof *values);
        if (!values)
            return error_memory(error, "stopping rule");
        group->values = values;
        group->capacity = capacity;
    }
    group->values[group->count++] = value;
    return 0;
}

static int take_row(const struct study *study, sqlite3_stmt *row, struct group *group,
                    struct stopping *stopping, struct error *error)
{
    const char *factors = (const char *)sqlite3_column_text(row, 0);
    if (!factors)
        return error_memory(error, "stopping rule");
    if (!group->factors || strcmp(group->factors, factors) != 0) {
        if (close_group(study, group, stopping, error) < 0)
            return -1;
        group->factors = strdup(factors);
        if (!group->factors)
            return error_memory(error, "stopping rule");
    }
    bool known = sqlite3_column_type(row, 1) != SQLITE_NULL;
    return known ? add_value(group, sqlite3_column_double(row, 1), error) : 0;
}

static int ask_intervals(const struct study *study, struct store *store, struct stopping *stopping,
                         struct error *error)
{
    struct group group = {0};
    sqlite3_stmt *statement = prepare(store, response_sql[study->until.response], error);
    int row = SQLITE_DONE, result = statement ? 0 : -1;
    while (result == 0 && (row = sqlite3_step(statement)) == SQLITE_ROW)
        result = take_row(study, statement, &group, stopping, error);
    if (result == 0 && row != SQLITE_DONE)
        result = fail(store, error);
    if (result == 0)
        result = close_group(study, &group, stopping, error);
    free(group.factors);
    free(group.values);
    sqlite3_finalize(statement);
    return result;
}

static enum stopping_state decide(const struct study *study, const struct stopping *stopping)
{
    bool interval = study->until.share > 0;
    if (stopping->treatments == 0 || (interval && stopping->state == STOPPING_UNKNOWN))
        return STOPPING_UNKNOWN;
    if (interval && stopping->met == stopping->treatments)
        return STOPPING_MET;
    if (stopping->repetitions >= study->until.most)
        return STOPPING_MOST;
    if (study->budget_j > 0 && !(stopping->spent_j + stopping->block_j <= study->budget_j))
        return STOPPING_BUDGET;
    return STOPPING_MORE;
}

int stopping_ask(const struct study *study, struct store *store, struct stopping *stopping,
                 struct error *error)
{
    double run_j, unknown;
    size_t treatments;
    *stopping = (struct stopping){.widest_share = NAN};
    if (stopping_planned(store, &stopping->repetitions, error) < 0 ||
        ask_spent(store, &stopping->spent_j, &run_j, &unknown, error) < 0 ||
        design_treatments(study, NULL, &treatments, error) < 0 ||
        ask_intervals(study, store, stopping, error) < 0)
        return -1;
    stopping->block_j = run_j * (double)treatments;
    stopping->state = decide(study, stopping);
    return 0;
}

void stopping_free(struct stopping *stopping)
{
    free(stopping->widest);
    *stopping = (struct stopping){0};
}

/* ---- in words ---- */

static const char *const response_names[] = {
    [RESPONSE_ENERGY] = "energy", [RESPONSE_DURATION] = "duration", [RESPONSE_ACCURACY] = "accuracy"};

const char *stopping_response(const struct study *study)
{
    return response_names[study->until.response];
}

static void describe_interval(const struct study *study, const struct stopping *stopping, struct text *line)
{
    if (study->until.share <= 0)
        return;
    text_printf(line, "%s is known to within %.3g %% in %zu of %zu combinations", stopping_response(study),
                100 * study->until.share, stopping->met, stopping->treatments);
    if (stopping->met < stopping->treatments && isfinite(stopping->widest_share))
        text_printf(line, " (widest: %.2g %%, %s)", 100 * stopping->widest_share, stopping->widest);
    text_append(line, ", ");
}

static void describe_budget(const struct study *study, const struct stopping *stopping, struct text *line)
{
    if (study->budget_j <= 0)
        return;
    AUTO_FREE char *spent = units_energy(stopping->spent_j);
    AUTO_FREE char *budget = units_energy(study->budget_j);
    AUTO_FREE char *block = isfinite(stopping->block_j) ? units_energy(stopping->block_j) : NULL;
    text_printf(line, ", %s of the budget of %s used", spent ? spent : "", budget ? budget : "");
    if (stopping->state == STOPPING_BUDGET && block)
        text_printf(line, ", a repetition takes about %s", block);
}

char *stopping_describe(const struct study *study, const struct stopping *stopping)
{
    static const char *const ends[] = {
        [STOPPING_MORE] = ": another is run",
        [STOPPING_MET] = "",
        [STOPPING_MOST] = ": no more are allowed",
        [STOPPING_BUDGET] = ": the budget does not suffice for another",
        [STOPPING_UNKNOWN] = ": the rule can't be met, since a response is not known or no run was done"};
    struct text line = TEXT_INIT;
    describe_interval(study, stopping, &line);
    text_printf(&line, "%lld repetition%s", (long long)stopping->repetitions,
                stopping->repetitions == 1 ? "" : "s");
    describe_budget(study, stopping, &line);
    text_append(&line, ends[stopping->state]);
    return text_take(&line);
}
