/* From a store to a report, and the memory that it lives in. */
#include "audit/audit.h"
#include "report/analyse.h"
#include "report/analysis.h"
#include "report/compare.h"
#include "report/place_effect.h"
#include "report/rows.h"

#include "base/text.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

struct allocation {
    struct allocation *next;
    void *memory;
};

static int pool_add(struct report *report, void *memory)
{
    struct allocation *allocation = malloc(sizeof *allocation);
    if (!allocation)
        return -1;
    *allocation = (struct allocation){report->pool, memory};
    report->pool = allocation;
    return 0;
}

void *report_alloc(struct report *report, size_t count, size_t size, struct error *error)
{
    void *memory = calloc(count ? count : 1, size);
    if (!memory || pool_add(report, memory) < 0) {
        free(memory);
        error_memory(error, "report");
        return NULL;
    }
    return memory;
}

char *report_keep(struct report *report, char *text, struct error *error)
{
    if (!text || pool_add(report, text) < 0) {
        free(text);
        error_memory(error, "report");
        return NULL;
    }
    return text;
}

char *report_copy(struct report *report, const char *text, bool *failed)
{
    if (!text)
        return NULL;
    char *copy = strdup(text);
    if (copy && pool_add(report, copy) == 0)
        return copy;
    free(copy);
    *failed = true;
    return NULL;
}

void report_free(struct report *report)
{
    if (!report)
        return;
    for (size_t i = 0; i < report->trace_count; i++)
        trace_bins_free(&report->traces[i].bins);
    json_decref(report->comparison);
    json_decref(report->analysis);
    while (report->pool) {
        struct allocation *allocation = report->pool;
        report->pool = allocation->next;
        free(allocation->memory);
        free(allocation);
    }
    free(report);
}

/* That there is nothing to compare with is no failure. */
static void compare_instruments(struct report *report, struct store *store)
{
    struct comparison comparison;
    struct error ignored = ERROR_INIT;
    if (compare_build(store, &(struct compare_options){.repaired = report->repaired, .sound = report->sound},
                      &comparison, &ignored) == 0) {
        report->comparison = compare_to_json(&comparison);
        compare_free(&comparison);
    }
    error_clear(&ignored);
}

/* At the report's place. A report says what it can without one. */
static void analyse_factors(struct report *report, struct store *store)
{
    const struct analyse_options options = {
        .places = report->places,
        .location = report->location ? report->location->code : NULL,
        .pue = report->pue_own ? 0 : report->pue,
        .site_factor = report->sites ? report->factors[report->site_factor].name : NULL,
        .hourly = report->hourly,
        .repaired = report->repaired,
        .sound = report->sound,
        .brief = true};
    struct analysis analysis;
    struct error ignored = ERROR_INIT;
    if (analyse_build(store, &options, &analysis, &ignored) == 0 && analysis.response_count > 0)
        report->analysis = analyse_to_json(&analysis);
    analyse_free(&analysis);
    error_clear(&ignored);
}

/* What was measured here was watched while it was. */
static int audit_imported(struct report *report, struct store *store, struct error *error)
{
    double imported;
    struct audit audit;
    if (rows_single(report, store, "SELECT count(source) FROM run", &imported, error) < 0)
        return -1;
    report->imported = (size_t)imported;
    if (report->imported == 0)
        return 0;
    if (audit_build(store, &audit, error) < 0)
        return -1;
    report->impossible = audit.figures[VERDICT_IMPOSSIBLE];
    report->doubtful = audit.figures[VERDICT_DOUBTFUL];
    audit_free(&audit);
    return 0;
}

static int find_place_effect(struct report *report, struct error *error)
{
    report->place = report_place_text(report, error);
    if (!report->place && error->message)
        return -1;
    report->place_effect = report_alloc(report, 1, sizeof *report->place_effect, error);
    return report->place_effect ? report_place_effect(report, report->place_effect, error) : -1;
}

static int build(struct report *report, struct store *store, const struct report_options *options,
                 struct error *error)
{
    if (report_load(report, store, error) < 0)
        return -1;
    if (report->states[RUN_DONE] == 0)
        return error_set(error,
                         "study '%s' has no finished run yet (%zu planned, %zu failed, %zu cut short): "
                         "`joulery study run` goes on with it",
                         report->study_name, report->planned, report->states[RUN_FAILED],
                         report->states[RUN_CUT]);
    if (report_take_view(report, store, options->repaired, options->sound, error) < 0)
        return -1;
    if (report_place(report, options, error) < 0 || report_charge(report, store, options, error) < 0 ||
        report_group(report, error) < 0 || report_load_details(report, store, error) < 0 ||
        report_load_epochs(report, store, error) < 0 || report_load_traces(report, store, error) < 0 ||
        find_place_effect(report, error) < 0)
        return -1;
    if (options->calibration && report_calibrate(report, store, options->calibration, error) < 0)
        return -1;
    if (audit_imported(report, store, error) < 0)
        return -1;
    compare_instruments(report, store);
    analyse_factors(report, store);
    return report_conclude(report, error) < 0 ? -1 : report_find_threats(report, error);
}

struct report *report_build(struct store *store, const struct report_options *options, struct error *error)
{
    struct report *report = calloc(1, sizeof *report);
    if (!report) {
        error_memory(error, "report");
        return NULL;
    }
    sqlite3 *database = store_database(store);
    char *reason = NULL;
    int result;
    if (sqlite3_exec(database, "BEGIN", NULL, NULL, &reason) != SQLITE_OK)
        result = error_set(error, "the database can't be read: %s", reason ? reason : "");
    else {
        result = build(report, store, options, error);
        sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
    }
    sqlite3_free(reason);
    if (result == 0)
        return report;
    report_free(report);
    return NULL;
}
