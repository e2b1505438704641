/* What each run emitted: in the place and at the hours it ran in, as far as those are known. */
#include "report/analysis.h"
#include "report/rows.h"

#include "base/clock.h"
#include "base/text.h"
#include "carbon/course.h"
#include "carbon/hourly.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- places ---- */

size_t report_find_factor(const struct report *report, const char *name, struct error *error)
{
    const char **names = calloc(report->factor_count + 1, sizeof *names);
    for (size_t f = 0; f < report->factor_count; f++) {
        if (strcmp(report->factors[f].name, name) == 0) {
            free(names);
            return f;
        }
        if (names)
            names[f] = report->factors[f].name;
    }
    const char *nearest = names ? text_nearest(name, names, report->factor_count) : NULL;
    error_set(error, "no factor '%s'%s%s%s", name, nearest ? " (did you mean " : "", nearest ? nearest : "",
              nearest ? "?)" : "");
    free(names);
    return NO_GROUP;
}

int report_find_sites(struct report *report, const char *factor_name, struct error *error)
{
    report->site_factor = report_find_factor(report, factor_name, error);
    if (report->site_factor == NO_GROUP)
        return -1;
    const struct factor *factor = &report->factors[report->site_factor];
    report->sites = report_alloc(report, factor->level_count + 1, sizeof(struct location *), error);
    if (!report->sites)
        return -1;
    for (size_t i = 0; i < factor->level_count; i++) {
        report->sites[i] = places_find(report->places, factor->levels[i], error);
        if (!report->sites[i])
            return error_prefix(error, "factor %s", factor->name);
    }
    return 0;
}

static const struct location *place_of(const struct report *report, const struct run *run)
{
    if (!report->sites)
        return report->location;
    size_t level = run->group == NO_GROUP ? SIZE_MAX : report->groups[run->group].level[report->site_factor];
    return level < report->factors[report->site_factor].level_count ? report->sites[level] : NULL;
}

/* ---- hours ---- */

static int add_epochs(struct report *report, struct store *store, const struct run *run,
                      struct energy_course *course, struct error *error)
{
    AUTO_FREE char *sql =
        text_format("SELECT start_s, wall_s, %s FROM window WHERE run = %lld AND parent = 0 "
                    "AND start_s IS NOT NULL AND wall_s > 0",
                    strcmp(report->basis, "hardware") == 0 ? "hardware_j" : "software_j", (long long)run->id);
    AUTO_ROWS struct rows rows = {0};
    if (!sql || rows_open(&rows, report, store, sql, error) < 0)
        return sql ? -1 : error_memory(error, "windows");
    double in_windows_j = 0, in_windows_s = 0;
    int got;
    while ((got = rows_next(&rows, error)) == 1) {
        double start_s = rows_number(&rows, 0), wall_s = rows_number(&rows, 1),
               energy_j = rows_number(&rows, 2);
        if (!(energy_j > 0))
            continue;
        course_add(course, start_s, start_s + wall_s, energy_j);
        in_windows_j += energy_j;
        in_windows_s += wall_s;
    }
    /* what lies between the windows */
    if (got == 0 && in_windows_s < run->wall_s)
        course_add(course, 0, run->wall_s, run->energy_j - in_windows_j);
    return got;
}

struct traced {
    struct energy_course *course;
    bool counts[64]; /* by channel */
};

static int add_sample(void *context, const struct trace_sample *sample)
{
    struct traced *traced = context;
    if (sample->channel < sizeof traced->counts / sizeof *traced->counts && traced->counts[sample->channel])
        course_add(traced->course, fmax(sample->start_s, 0), sample->start_s + sample->wall_s,
                   sample->power_w * sample->wall_s);
    return 0;
}

/* Of the channels that are in the total, so that the course has its shape. 1: there is a trace. */
static int add_trace(struct report *report, struct store *store, const struct run *run,
                     struct energy_course *course, struct error *error)
{
    struct traced traced = {.course = course};
    bool hardware = strcmp(report->basis, "hardware") == 0;
    AUTO_FREE char *sql =
        text_format("SELECT ordinal FROM channel WHERE run = %lld AND apart = 0 AND twin = 0 AND "
                    "%s AND EXISTS (SELECT 1 FROM trace WHERE run = %lld)",
                    (long long)run->id,
                    hardware ? "scope = 'wall'" : "part_of IS NULL AND scope IN ('cpu', 'dram', 'gpu')",
                    (long long)run->id);
    AUTO_ROWS struct rows rows = {0};
    if (!sql || rows_open(&rows, report, store, sql, error) < 0)
        return sql ? -1 : error_memory(error, "power trace");
    int got;
    bool any = false;
    while ((got = rows_next(&rows, error)) == 1) {
        int64_t ordinal = rows_integer(&rows, 0);
        if (ordinal >= 0 && (size_t)ordinal < sizeof traced.counts / sizeof *traced.counts)
            any = traced.counts[ordinal] = true;
    }
    if (got < 0 || !any)
        return got;
    return store_read_trace(store, run->id, add_sample, &traced, error) < 0 ? -1 : course->bin_s > 0;
}

static int charge_run(struct report *report, struct store *store, const struct profile *profile,
                      struct run *run, struct error *error)
{
    struct energy_course course = {0};
    int64_t started_ns;
    if (!run->started || clock_parse_iso8601(run->started, &started_ns) < 0 || !(run->wall_s > 0) ||
        !isfinite(run->energy_j))
        return 0;
    int traced = add_trace(report, store, run, &course, error);
    if (traced < 0 || (traced == 0 && add_epochs(report, store, run, &course, error) < 0))
        return -1;
    struct charge charge =
        course_charge(&course, place_of(report, run), profile, (double)started_ns / NS_PER_S, run->wall_s);
    run->intensity_g_per_kwh = charge.intensity_g_per_kwh;
    run->low_g_per_kwh = charge.low_g_per_kwh;
    run->high_g_per_kwh = charge.high_g_per_kwh;
    run->by_the_hour = charge.by_the_hour;
    return 0;
}

/* From the first run's start to the last's end. */
static bool whole_time(const struct report *report, int64_t *from_s, int64_t *to_s)
{
    *from_s = INT64_MAX, *to_s = INT64_MIN;
    for (size_t i = 0; i < report->run_count; i++) {
        const struct run *run = &report->runs[i];
        int64_t ns;
        if (run->state != RUN_DONE || !run->started || clock_parse_iso8601(run->started, &ns) < 0)
            continue;
        int64_t start_s = ns / NS_PER_S, end_s = start_s + (run->wall_s > 0 ? (int64_t)run->wall_s + 1 : 1);
        *from_s = start_s < *from_s ? start_s : *from_s;
        *to_s = end_s > *to_s ? end_s : *to_s;
    }
    return *from_s < *to_s;
}

static int charge_by_the_hour(struct report *report, struct store *store, struct error *error)
{
    struct profile profile;
    char *trouble;
    int64_t from_s, to_s;
    if (!whole_time(report, &from_s, &to_s))
        return 0;
    if (hourly_get(report->hourly, report->location, from_s, to_s, &profile, &trouble, error) < 0)
        return -1;
    int result = 0;
    double energy_j = 0, hourly_j = 0;
    for (size_t i = 0; i < report->run_count && result == 0; i++) {
        struct run *run = &report->runs[i];
        if (run->state != RUN_DONE || !isfinite(run->energy_j))
            continue;
        result = charge_run(report, store, &profile, run, error);
        energy_j += fabs(run->energy_j);
        hourly_j += fabs(run->energy_j) * run->by_the_hour;
    }
    report->hourly_part = energy_j > 0 ? hourly_j / energy_j : 0;
    report->hourly_mixed = charge_is_mixed(&profile, report->location, report->hourly_part);
    report->hourly_source = report_keep(report, profile_text(&profile), error);
    report->hourly_trouble = trouble ? report_keep(report, trouble, error) : NULL;
    profile_free(&profile);
    return report->hourly_source ? result : -1;
}

/* ---- all ---- */

const char *report_place_text(struct report *report, struct error *error)
{
    struct text text = TEXT_INIT;
    if (report->sites) {
        text_printf(&text, "the place that each run's %s names", report->factors[report->site_factor].name);
    } else if (report->location) {
        AUTO_FREE char *figure = location_figure_text(report->location);
        text_printf(&text, "%s (%.4g g/kWh, %s", report->location->name,
                    report->location->intensity_g_per_kwh, figure ? figure : "");
        if (report->hourly_source && report->hourly_part > 0)
            text_printf(&text, "; %.3g %% of the energy by the hour, by %s%s", 100 * report->hourly_part,
                        report->hourly_source,
                        report->hourly_mixed ? "; a sum of marginal and of average figures" : "");
        else if (report->hourly_source)
            text_append(&text, "; nothing is known by the hour");
        text_append(&text, ")");
    } else {
        return NULL;
    }
    return report_keep(report, text_take(&text), error);
}

double report_run_kg(const struct report *report, const struct run *run)
{
    return carbon_emissions_kg(run->energy_j, report->pue, run->intensity_g_per_kwh);
}

int report_charge(struct report *report, struct store *store, const struct report_options *options,
                  struct error *error)
{
    if (options->site_factor && report_find_sites(report, options->site_factor, error) < 0)
        return -1;
    for (size_t i = 0; i < report->run_count; i++) {
        struct run *run = &report->runs[i];
        const struct location *at = place_of(report, run);
        run->intensity_g_per_kwh = at ? at->intensity_g_per_kwh : NAN;
        run->low_g_per_kwh = at ? at->low_g_per_kwh : NAN;
        run->high_g_per_kwh = at ? at->high_g_per_kwh : NAN;
    }
    report->hourly = options->hourly;
    if (options->hourly && (report->sites || !report->location))
        return error_set(error, report->sites
                                    ? "--hourly and --site-factor: one of the two: a profile is of one place"
                                    : "--hourly needs a place: --location PLACE, or the study's own");
    if (report->sites || !report->location || !hourly_is_asked(options->hourly, report->location))
        return 0;
    return charge_by_the_hour(report, store, error);
}
