#include "audit/facts.h"

#include "base/clock.h"
#include "base/text.h"
#include "meter/cpu_tdp.h"
#include "store/query.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct loading {
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

static int read_channel(const struct loading *l, sqlite3_stmt *row, struct audited_run *run)
{
    struct figure *grown = reallocarray(run->channels, run->channel_count + 1, sizeof *grown);
    if (!grown)
        return error_memory(l->error, "audit");
    run->channels = grown;
    struct figure *figure = &grown[run->channel_count];
    AUTO_FREE char *name = query_text(row, 1);
    if (name_figure(figure, name ? name : "", query_number(row, 4), run->wall_s, l->error) < 0)
        return -1;
    run->channel_count++;
    figure->meter = query_text(row, 0);
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

static int read_channels(const struct loading *l, struct audited_run *run, sqlite3_stmt *row)
{
    sqlite3_reset(row);
    sqlite3_bind_int64(row, 1, run->run);
    int more;
    while ((more = query_step(row, l->error)) > 0)
        if (read_channel(l, row, run) < 0)
            return -1;
    return more;
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

static int load(struct loading *l)
{
    if (read_runs(l) < 0)
        return -1;
    AUTO_QUERY sqlite3_stmt *channels = query_prepare(
        l->database,
        "SELECT c.meter, c.name, c.scope, c.kind, e.energy_j, c.apart OR c.part_of IS NOT NULL FROM "
        "channel c LEFT JOIN energy e ON e.run = c.run AND e.channel = c.ordinal AND e.window = 0 "
        "WHERE c.run = ? ORDER BY c.ordinal",
        l->error);
    AUTO_QUERY sqlite3_stmt *values =
        query_prepare(l->database, "SELECT source, name, value FROM imported WHERE run = ?", l->error);
    if (!channels || !values)
        return -1;
    for (size_t i = 0; i < l->audit->count; i++)
        if (read_channels(l, l->facts[i].run, channels) < 0 || read_values(l, &l->facts[i], values) < 0)
            return -1;
    return 0;
}

int facts_load(struct store *store, struct audit *audit, struct facts **facts, struct error *error)
{
    struct loading l = {.database = store_database(store), .audit = audit, .error = error};
    int result = load(&l);
    *facts = l.facts;
    return result;
}

void facts_free(struct facts *facts, size_t count)
{
    for (size_t i = 0; facts && i < count; i++)
        free(facts[i].cpu_model);
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
