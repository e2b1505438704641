#include "audit/facts.h"

#include "base/clock.h"
#include "base/text.h"
#include "meter/cpu_tdp.h"
#include "record/record.h"
#include "store/disturbance.h"
#include "store/query.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct loading {
    struct store *store;
    sqlite3 *database;
    struct audit *audit;
    struct facts *facts;
    struct error *error;
};

static int name_figure(struct figure *figure, const char *name, double energy_j, double wall_s,
                       struct error *error)
{
    *figure = (struct figure){.name = strdup(name),
                              .energy_j = energy_j,
                              .mean_w = wall_s > 0 ? energy_j / wall_s : NAN,
                              .closing_w = NAN};
    return figure->name ? 0 : error_memory(error, "audit");
}

/* ---- runs ---- */

static int count_runs(const struct loading *l, size_t *count)
{
    AUTO_QUERY sqlite3_stmt *row =
        query_prepare(l->database, "SELECT count(*) FROM runs WHERE state = 'done'", l->error);
    if (!row || query_step(row, l->error) < 0)
        return -1;
    *count = (size_t)sqlite3_column_int64(row, 0);
    return 0;
}

static int read_run(const struct loading *l, sqlite3_stmt *row, struct audited_run *run, struct facts *facts)
{
    *facts = (struct facts){.run = run,
                            .slowest = NO_CHANNEL,
                            .host = sqlite3_column_int64(row, 7),
                            .sockets = sqlite3_column_int64(row, 8),
                            .cpu_model = query_text(row, 9)};
    *run = (struct audited_run){.run = sqlite3_column_int64(row, 0),
                                .repetition = sqlite3_column_int64(row, 1),
                                .factors = query_text(row, 2),
                                .wall_s = query_number(row, 3),
                                .repaired_j = NAN,
                                .repaired_uncertainty_j = NAN};
    if (sqlite3_column_type(row, 10) != SQLITE_NULL)
        run->source = query_text(row, 10);
    AUTO_FREE char *started = query_text(row, 6);
    if (!run->factors || !facts->cpu_model || !started)
        return error_memory(l->error, "audit");
    if (clock_parse_iso8601(started, &facts->started_ns) < 0)
        facts->started_ns = 0;
    if (name_figure(&run->whole, "run", NAN, run->wall_s, l->error) < 0 ||
        name_figure(&run->epochs, "epochs", NAN, run->wall_s, l->error) < 0 ||
        name_figure(&run->software, "software total", query_number(row, 4), run->wall_s, l->error) < 0)
        return -1;
    return name_figure(&run->hardware, "hardware total", query_number(row, 5), run->wall_s, l->error);
}

/* Looking through the table takes longer than all else of a run, and runs share their machines. */
static void find_design_power(struct facts *facts, const struct facts *before)
{
    bool known = before && strcmp(before->cpu_model, facts->cpu_model) == 0;
    facts->tdp_w = known ? before->tdp_w : cpu_tdp_find(facts->cpu_model);
}

static int read_runs(struct loading *l)
{
    static const char sql[] =
        "SELECT r.run, r.repetition, r.factors, r.wall_s, r.software_j, r.hardware_j, r.started, "
        "coalesce(host.id, 0), coalesce(host.sockets, 0), host.cpu_model, r.source FROM runs r JOIN run ON "
        "run.id = r.run LEFT JOIN host ON host.id = run.host WHERE r.state = 'done' ORDER BY r.run";
    size_t room;
    if (count_runs(l, &room) < 0)
        return -1;
    l->audit->runs = calloc(room + 1, sizeof *l->audit->runs);
    l->facts = calloc(room + 1, sizeof *l->facts);
    AUTO_QUERY sqlite3_stmt *row = query_prepare(l->database, sql, l->error);
    if (!l->audit->runs || !l->facts)
        return error_memory(l->error, "audit");
    int more = row ? 0 : -1;
    while (row && l->audit->count < room && (more = query_step(row, l->error)) > 0) {
        size_t i = l->audit->count++;
        if (read_run(l, row, &l->audit->runs[i], &l->facts[i]) < 0)
            return -1;
        find_design_power(&l->facts[i], i ? &l->facts[i - 1] : NULL);
    }
    return more < 0 ? -1 : 0;
}

/* ---- channels ---- */

/* From the ordinals that the rows have. */
static void find_wholes(struct facts *facts)
{
    for (size_t i = 0; i < facts->run->channel_count; i++)
        for (size_t k = 0; k < facts->run->channel_count && facts->channels[i].whole_ordinal >= 0; k++)
            if (facts->channels[k].ordinal == facts->channels[i].whole_ordinal)
                facts->channels[i].whole = k;
}

/* By the rule of the totals: a package in psys is in one, its cores are not. */
static int set_apart(const struct loading *l, struct facts *facts)
{
    struct audited_run *run = facts->run;
    struct channel *channels = calloc(run->channel_count + 1, sizeof *channels); /* names are borrowed */
    if (!channels)
        return error_memory(l->error, "audit");
    for (size_t i = 0; i < run->channel_count; i++) {
        const struct figure *figure = &run->channels[i];
        size_t whole = facts->channels[i].whole;
        channels[i] = (struct channel){.meter = figure->meter,
                                       .name = figure->name,
                                       .part_of = whole != NO_CHANNEL ? run->channels[whole].name : NULL,
                                       .scope = figure->scope,
                                       .kind = figure->kind,
                                       .apart = figure->apart};
    }
    for (size_t i = 0; i < run->channel_count; i++) {
        bool wall = channels[i].scope == SCOPE_WALL && !channels[i].part_of && !channels[i].apart;
        run->channels[i].apart = !wall && !channel_in_software(channels, run->channel_count, i);
    }
    free(channels);
    return 0;
}

static int add_channel(const struct loading *l, struct facts *facts)
{
    struct audited_run *run = facts->run;
    struct figure *figures = reallocarray(run->channels, run->channel_count + 1, sizeof *figures);
    if (!figures)
        return error_memory(l->error, "audit");
    run->channels = figures;
    struct channel_facts *known = reallocarray(facts->channels, run->channel_count + 1, sizeof *known);
    if (!known)
        return error_memory(l->error, "audit");
    facts->channels = known;
    return 0;
}

static void read_channel_facts(sqlite3_stmt *row, struct channel_facts *known)
{
    *known = (struct channel_facts){.twin = sqlite3_column_int64(row, 7) != 0,
                                    .resolution = query_number(row, 8),
                                    .update_s = query_number(row, 9),
                                    .averaging_s = query_number(row, 10),
                                    .idle_w = query_number(row, 11),
                                    .idle_uncertainty_w = query_number(row, 12),
                                    .uncertainty_j = query_number(row, 13),
                                    .gap_s = query_number(row, 14),
                                    .whole_ordinal = sqlite3_column_int64(row, 6),
                                    .whole = NO_CHANNEL,
                                    .ordinal = sqlite3_column_int64(row, 15),
                                    .mirror = NO_CHANNEL};
}

static int read_channel(const struct loading *l, sqlite3_stmt *row, struct facts *facts)
{
    struct audited_run *run = facts->run;
    AUTO_FREE char *name = query_text(row, 1);
    if (add_channel(l, facts) < 0)
        return -1;
    struct figure *figure = &run->channels[run->channel_count];
    if (name_figure(figure, name ? name : "", query_number(row, 4), run->wall_s, l->error) < 0)
        return -1;
    figure->meter = query_text(row, 0);
    read_channel_facts(row, &facts->channels[run->channel_count]);
    run->channel_count++;
    figure->apart = sqlite3_column_int64(row, 5) != 0;
    const char *scope = (const char *)sqlite3_column_text(row, 2);
    const char *kind = (const char *)sqlite3_column_text(row, 3);
    if (!figure->meter || !scope || !kind)
        return error_memory(l->error, "audit");
    if (channel_scope_parse(scope, &figure->scope) < 0 || channel_kind_parse(kind, &figure->kind) < 0)
        return error_set(l->error, "run %lld: a channel of scope '%s' and kind '%s', which no Joulery writes",
                         (long long)run->run, scope, kind);
    return 0;
}

static int read_channels(const struct loading *l, struct facts *facts, sqlite3_stmt *row)
{
    sqlite3_reset(row);
    sqlite3_bind_int64(row, 1, facts->run->run);
    int more;
    while ((more = query_step(row, l->error)) > 0)
        if (read_channel(l, row, facts) < 0)
            return -1;
    find_wholes(facts);
    return more < 0 ? -1 : set_apart(l, facts);
}

/* ---- epochs and other windows ---- */

static size_t find_slowest(const struct facts *facts)
{
    size_t slowest = NO_CHANNEL;
    for (size_t i = 0; i < facts->run->channel_count; i++)
        if (!facts->run->channels[i].apart && facts->channels[i].update_s > 0 &&
            (slowest == NO_CHANNEL || facts->channels[i].update_s > facts->channels[slowest].update_s))
            slowest = i;
    return slowest;
}

static int count_epochs(const struct loading *l, struct facts *facts, sqlite3_stmt *row)
{
    facts->slowest = find_slowest(facts);
    if (facts->slowest == NO_CHANNEL)
        return 0;
    sqlite3_reset(row);
    sqlite3_bind_int64(row, 1, facts->run->run);
    sqlite3_bind_double(row, 2, facts->channels[facts->slowest].update_s);
    if (query_step(row, l->error) < 0)
        return -1;
    facts->epochs = sqlite3_column_int64(row, 0);
    facts->short_epochs = sqlite3_column_int64(row, 1);
    return 0;
}

/* In how many windows both are known and not nothing, and in how many of these they differ. */
static int compare_windows(const struct loading *l, const struct facts *facts, size_t one, size_t other,
                           sqlite3_stmt *row, int64_t *differ, int64_t *windows)
{
    sqlite3_reset(row);
    sqlite3_bind_int64(row, 1, facts->run->run);
    sqlite3_bind_int64(row, 2, facts->channels[one].ordinal);
    sqlite3_bind_int64(row, 3, facts->channels[other].ordinal);
    if (query_step(row, l->error) < 0)
        return -1;
    *windows = sqlite3_column_int64(row, 0);
    *differ = sqlite3_column_int64(row, 1);
    return 0;
}

/* Whether the energies over the whole run are the same, in so many steps that it is no chance: only then is
 * it worth looking at the windows. */
static bool may_mirror(const struct facts *facts, size_t one, size_t other)
{
    const struct figure *a = &facts->run->channels[one], *b = &facts->run->channels[other];
    return strcmp(a->meter, b->meter) == 0 && !facts->channels[one].twin && !facts->channels[other].twin &&
           a->kind == KIND_COUNTER && b->kind == KIND_COUNTER && a->energy_j == b->energy_j &&
           steps_in(facts, one) >= MIRROR_STEPS_LEAST && steps_in(facts, other) >= MIRROR_STEPS_LEAST;
}

static int find_mirrors(const struct loading *l, struct facts *facts, sqlite3_stmt *row)
{
    for (size_t i = 0; i < facts->run->channel_count; i++)
        for (size_t k = 0; k < i; k++) {
            int64_t windows = 0, differ = 0;
            if (!may_mirror(facts, i, k))
                continue;
            if (compare_windows(l, facts, i, k, row, &differ, &windows) < 0)
                return -1;
            if (differ > 0 || windows < MIRROR_WINDOWS_LEAST)
                continue;
            facts->channels[i].mirror = k;
            facts->channels[k].mirror = i;
            facts->channels[i].mirrored = facts->channels[k].mirrored = windows;
        }
    return 0;
}

/* ---- what the file of an imported run says ---- */

static const struct value_place {
    const char *tool, *name;
    size_t place;
} value_places[] = {
    {"codecarbon", "cpu_power", offsetof(struct facts, cpu_w)},
    {"codecarbon", "gpu_power", offsetof(struct facts, gpu_w)},
    {"codecarbon", "ram_power", offsetof(struct facts, ram_w)},
    {"codecarbon", "ram_total_size", offsetof(struct facts, ram_gib)},
    {"codecarbon", "cpu_energy", offsetof(struct facts, cpu_kwh)},
    {"codecarbon", "gpu_energy", offsetof(struct facts, gpu_kwh)},
    {"codecarbon", "ram_energy", offsetof(struct facts, ram_kwh)},
    {"codecarbon", "energy_consumed", offsetof(struct facts, total_kwh)},
    {"codecarbon", "pue", offsetof(struct facts, pue)},
    {"codecarbon", "(since line)", offsetof(struct facts, since_line)},
    {"wattmeter", "wall/seconds", offsetof(struct facts, wall_seconds)},
};

#define PLACES (sizeof value_places / sizeof *value_places)

static void take_value(struct facts *facts, const char *tool, const char *name, const char *value)
{
    for (size_t i = 0; i < PLACES; i++)
        if (strcmp(value_places[i].tool, tool) == 0 && strcmp(value_places[i].name, name) == 0)
            text_to_double(value, (double *)(void *)((char *)facts + value_places[i].place));
}

static void set_closing_powers(struct facts *facts)
{
    const struct {
        const char *name;
        double power_w;
    } closing[] = {{"cpu", facts->cpu_w}, {"gpu", facts->gpu_w}, {"ram", facts->ram_w}};
    for (size_t i = 0; i < facts->run->channel_count; i++) {
        struct figure *figure = &facts->run->channels[i];
        for (size_t k = 0; k < sizeof closing / sizeof *closing; k++)
            if (from_codecarbon(figure) && strcmp(figure->name, closing[k].name) == 0)
                figure->closing_w = closing[k].power_w;
    }
}

static int read_values(const struct loading *l, struct facts *facts, sqlite3_stmt *row)
{
    for (size_t i = 0; i < PLACES; i++)
        *(double *)(void *)((char *)facts + value_places[i].place) = NAN;
    sqlite3_reset(row);
    sqlite3_bind_int64(row, 1, facts->run->run);
    int more;
    while ((more = query_step(row, l->error)) > 0)
        take_value(facts, (const char *)sqlite3_column_text(row, 0),
                   (const char *)sqlite3_column_text(row, 1), (const char *)sqlite3_column_text(row, 2));
    set_closing_powers(facts);
    return more;
}

/* ---- all of it ---- */

static int find_disturbed(struct loading *l)
{
    struct disturbances found;
    int result = disturbances_load(l->store, &found, l->error);
    for (size_t i = 0; i < l->audit->count && result == 0; i++)
        l->facts[i].others_share = disturbances_share(&found, l->facts[i].run->run);
    disturbances_free(&found);
    return result;
}

static const char channels_sql[] =
    "SELECT c.meter, c.name, c.scope, c.kind, e.energy_j, c.apart, coalesce((SELECT "
    "w.ordinal FROM channel w WHERE w.run = c.run AND w.meter = c.meter AND w.name = c.part_of), -1), "
    "c.twin, "
    "c.resolution, c.update_s, c.averaging_s, c.idle_w, c.idle_uncertainty_w, e.uncertainty_j, e.gap_s, "
    "c.ordinal FROM channel c LEFT JOIN energy e ON e.run = c.run AND e.channel = c.ordinal AND e.window = 0 "
    "WHERE c.run = ? ORDER BY c.ordinal";
static const char epochs_sql[] = "SELECT count(*), coalesce(sum(wall_s < ?2), 0) FROM window WHERE run = ?1 "
                                 "AND name = 'epoch' AND wall_s > 0";
static const char mirrors_sql[] =
    "SELECT count(*), coalesce(sum(a.energy_j <> b.energy_j), 0) FROM energy a JOIN energy b ON b.run = "
    "a.run "
    "AND b.window = a.window WHERE a.run = ? AND a.channel = ? AND b.channel = ? AND a.energy_j > 0 AND "
    "b.energy_j > 0";

static int load(struct loading *l)
{
    if (read_runs(l) < 0 || find_disturbed(l) < 0)
        return -1;
    AUTO_QUERY sqlite3_stmt *channels = query_prepare(l->database, channels_sql, l->error);
    AUTO_QUERY sqlite3_stmt *epochs = query_prepare(l->database, epochs_sql, l->error);
    AUTO_QUERY sqlite3_stmt *mirrors = query_prepare(l->database, mirrors_sql, l->error);
    AUTO_QUERY sqlite3_stmt *values =
        query_prepare(l->database, "SELECT source, name, value FROM imported WHERE run = ?", l->error);
    if (!channels || !epochs || !mirrors || !values)
        return -1;
    for (size_t i = 0; i < l->audit->count; i++) {
        struct facts *facts = &l->facts[i];
        if (read_channels(l, facts, channels) < 0 || count_epochs(l, facts, epochs) < 0 ||
            find_mirrors(l, facts, mirrors) < 0 || read_values(l, facts, values) < 0)
            return -1;
    }
    return 0;
}

int facts_load(struct store *store, struct audit *audit, struct facts **facts, struct error *error)
{
    struct loading l = {.store = store, .database = store_database(store), .audit = audit, .error = error};
    int result = load(&l);
    *facts = l.facts;
    return result;
}

void facts_free(struct facts *facts, size_t count)
{
    for (size_t i = 0; facts && i < count; i++) {
        free(facts[i].cpu_model);
        free(facts[i].channels);
    }
    free(facts);
}

int finding_add(struct figure *figure, const char *check, enum verdict verdict, struct error *error,
                const char *format, ...)
{
    struct finding *grown = reallocarray(figure->findings, figure->finding_count + 1, sizeof *grown);
    if (!grown)
        return error_memory(error, "audit");
    figure->findings = grown;
    char *reason = NULL;
    va_list values;
    va_start(values, format);
    int length = vasprintf(&reason, format, values);
    va_end(values);
    if (length < 0)
        return error_memory(error, "audit");
    grown[figure->finding_count++] = (struct finding){check, verdict, reason};
    if (verdict > figure->verdict)
        figure->verdict = verdict;
    return 0;
}

double steps_in(const struct facts *facts, size_t channel)
{
    const struct figure *figure = &facts->run->channels[channel];
    double value = figure->kind == KIND_POWER ? figure->mean_w : figure->energy_j;
    double resolution = facts->channels[channel].resolution;
    return resolution > 0 ? value / resolution : NAN;
}

bool from_codecarbon(const struct figure *figure)
{
    return figure->meter && strcmp(figure->meter, "codecarbon") == 0;
}

int64_t processors_of(const struct facts *facts, const struct figure *figure)
{
    static const char *const whole_machine[] = {"codecarbon", "carbontracker", "csv"};
    for (size_t i = 0; figure->meter && i < sizeof whole_machine / sizeof *whole_machine; i++)
        if (strcmp(figure->meter, whole_machine[i]) == 0)
            return facts->sockets;
    return 1;
}
