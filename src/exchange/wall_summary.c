#include "exchange/wall_summary.h"

#include "base/text.h"
#include "base/units.h"
#include "exchange/into_record.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define METER       "wattmeter"
#define SAME_ENERGY 1e-3 /* two units of one energy, rounded by whoever wrote them */

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- a summary as JSON ---- */

static const struct {
    const char *name;
    double unit;
} energy_members[] = {{"joules", 1}, {"energy_j", 1}, {"Wh", 3600}, {"kWh", J_PER_KWH}};

static double member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static int read_energy(const char *name, const json_t *object, struct wall_summary *summary,
                       struct error *error)
{
    summary->energy_j = NAN;
    for (size_t i = 0; i < COUNT(energy_members); i++) {
        double energy_j = member(object, energy_members[i].name) * energy_members[i].unit;
        if (isnan(energy_j))
            continue;
        if (isfinite(summary->energy_j) && fabs(energy_j - summary->energy_j) > SAME_ENERGY * fabs(energy_j))
            return error_set(error, "%s: its energies contradict each other: %.9g J and, by '%s', %.9g J",
                             name, summary->energy_j, energy_members[i].name, energy_j);
        summary->energy_j = isfinite(summary->energy_j) ? summary->energy_j : energy_j;
    }
    if (!(summary->energy_j > 0) || isinf(summary->energy_j))
        return error_set(error, "%s: expected an energy above 0 as \"joules\", \"Wh\" or \"kWh\"", name);
    return 0;
}

static int read_object(const char *name, const json_t *object, struct wall_summary *summary,
                       struct error *error)
{
    if (!json_is_object(object))
        return error_set(error, "%s: expected one JSON object with \"joules\" or \"Wh\"", name);
    if (read_energy(name, object, summary, error) < 0)
        return -1;
    summary->wall_s = member(object, "timeExecution");
    summary->samples = member(object, "samples");
    if (isfinite(summary->wall_s) && !(summary->wall_s > 0))
        return error_set(error, "%s: expected \"timeExecution\" above 0 s, found %g", name, summary->wall_s);
    const char *identifier = json_string_value(json_object_get(object, "executionIdentifier"));
    summary->identifier = identifier ? strdup(identifier) : NULL;
    return identifier && !summary->identifier ? error_memory(error, name) : 0;
}

static int parse_json(const char *name, const char *text, size_t size, struct wall_summary *summary,
                      struct error *error)
{
    json_error_t where;
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
    if (!object)
        return error_set(error, "%s:%d: not JSON: %s", name, where.line, where.text);
    int result = read_object(name, object, summary, error);
    json_decref(object);
    return result;
}

/* ---- readings as CSV ---- */

int wall_readings_parse(const char *name, const char *text, size_t size, struct power_log *log,
                        struct error *error)
{
    static const struct power_log_columns columns = {.time = "time|timestamp|datetime|date|time_s|t",
                                                     .power = "power|power_w|watt|watts|w|apower",
                                                     .any = true,
                                                     .utc = true,
                                                     .strict = true};
    if (power_log_parse(text, size, &columns, log, error) == 0)
        return 0;
    return error_prefix(
        error, "%s: expected JSON with \"joules\", or CSV with a column time and a column power", name);
}

int wall_summary_of_span(const char *name, const struct power_span *span, struct wall_summary *summary,
                         struct error *error)
{
    *summary = (struct wall_summary){.energy_j = span->energy_j,
                                     .wall_s = span->wall_s,
                                     .samples = (double)span->samples,
                                     .longest_s = span->longest_s};
    if (span->energy_j > 0 && isfinite(span->energy_j))
        return 0;
    return error_set(error, "%s: its readings come to %g J: expected powers above 0 W", name, span->energy_j);
}

static int parse_csv(const char *name, const char *text, size_t size, struct wall_summary *summary,
                     struct error *error)
{
    struct power_log log;
    struct power_span span;
    if (wall_readings_parse(name, text, size, &log, error) < 0)
        return -1;
    int result = power_log_span(&log, log.wall_ns[0], log.wall_ns[log.count - 1], &span) == 0
                     ? wall_summary_of_span(name, &span, summary, error)
                     : error_set(error, "%s: expected at least two readings of a power", name);
    power_log_free(&log);
    return result;
}

int wall_summary_parse(const char *name, const char *text, size_t size, struct wall_summary *summary,
                       struct error *error)
{
    size_t at = 0;
    while (at < size && strchr(" \t\r\n", text[at]) && text[at])
        at++;
    *summary = (struct wall_summary){.longest_s = NAN};
    bool json = at < size && text[at] == '{';
    int result =
        json ? parse_json(name, text, size, summary, error) : parse_csv(name, text, size, summary, error);
    if (result < 0)
        wall_summary_free(summary);
    return result;
}

void wall_summary_free(struct wall_summary *summary)
{
    free(summary->identifier);
    *summary = (struct wall_summary){0};
}

/* ---- into a run ---- */

static int check_new(const struct record *record, const char *channel, struct error *error)
{
    for (size_t i = 0; i < record->channel_count; i++)
        if (strcmp(record->channels[i].meter, METER) == 0 && strcmp(record->channels[i].name, channel) == 0)
            return error_set(error,
                             "the run has an energy of " METER
                             "/%s already: another wattmeter of the same run "
                             "takes a name of its own (--channel)",
                             channel);
    return 0;
}

static int keep_value(struct imported_run *run, const char *channel, const char *name, const char *value,
                      struct error *error)
{
    AUTO_FREE char *full = text_format("%s/%s", channel, name);
    return full ? imported_add_value(run, full, value, error) : error_memory(error, name);
}

static int keep_number(struct imported_run *run, const char *channel, const char *name, double value,
                       struct error *error)
{
    AUTO_FREE char *number = text_format("%.17g", value);
    return isfinite(value) ? keep_value(run, channel, name, number ? number : "", error) : 0;
}

static int keep_values(const struct wall_summary *summary, const char *file, const char *channel,
                       struct imported_run *run, struct error *error)
{
    run->tool = METER;
    if (keep_value(run, channel, "file", file, error) < 0 ||
        keep_number(run, channel, "joules", summary->energy_j, error) < 0 ||
        keep_number(run, channel, "seconds", summary->wall_s, error) < 0 ||
        keep_number(run, channel, "samples", summary->samples, error) < 0 ||
        (summary->shift_s != 0 && keep_number(run, channel, "shift_s", summary->shift_s, error) < 0))
        return -1;
    return summary->identifier ? keep_value(run, channel, "identifier", summary->identifier, error) : 0;
}

static int add_note(const struct wall_summary *summary, const char *file, const char *channel,
                    struct record *record, struct error *error)
{
    AUTO_FREE char *identifier = summary->identifier ? text_format(" (%s)", summary->identifier) : strdup("");
    AUTO_FREE char *longest =
        summary->longest_s > 0 ? text_format(", %.3g s apart at the most", summary->longest_s) : strdup("");
    if (!identifier || !longest)
        return error_memory(error, file);
    if (isnan(summary->wall_s))
        return record_add_note(record, error,
                               METER "/%s: imported from %s%s; it does not say over which time", channel,
                               file, identifier);
    return record_add_note(record, error,
                           METER "/%s: imported from %s%s: over %.1f s, where the run took %.1f s, from %.0f "
                                 "readings%s",
                           channel, file, identifier, summary->wall_s, record->wall_s, summary->samples,
                           longest);
}

int wall_summary_attach(const struct wall_summary *summary, const char *file, const char *channel,
                        struct imported_run *run, struct error *error)
{
    const struct channel wall = {.meter = (char *)METER,
                                 .name = (char *)channel,
                                 .label = (char *)"imported",
                                 .scope = SCOPE_WALL,
                                 .kind = KIND_POWER,
                                 .accuracy = NAN,
                                 .accuracy_source = (char *)"imported; the file states no accuracy"};
    if (check_new(&run->record, channel, error) < 0 ||
        record_add_channel(&run->record, &wall, summary->energy_j, error) < 0 ||
        add_note(summary, file, channel, &run->record, error) < 0)
        return -1;
    return keep_values(summary, file, channel, run, error);
}
