#include "exchange/wall_summary.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"
#include "exchange/csv.h"
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

struct reading {
    double time_s, power_w;
};

struct columns {
    size_t time, power, count;
};

static size_t find_name(const struct csv_row *header, const char *const *names, size_t count)
{
    for (size_t i = 0; i < header->count; i++)
        for (size_t k = 0; k < count; k++)
            if (strcasecmp(header->fields[i], names[k]) == 0)
                return i;
    return SIZE_MAX;
}

static int read_header(const char *name, const struct csv_row *header, struct columns *columns,
                       struct error *error)
{
    static const char *const times[] = {"time", "timestamp", "datetime", "date", "time_s", "t"};
    static const char *const powers[] = {"power", "power_w", "watt", "watts", "w", "apower"};
    *columns = (struct columns){find_name(header, times, COUNT(times)),
                                find_name(header, powers, COUNT(powers)), header->count};
    if (columns->time != SIZE_MAX && columns->power != SIZE_MAX)
        return 0;
    return error_set(error,
                     "%s:1: expected JSON with \"joules\", or CSV whose first line names a column time and a "
                     "column power",
                     name);
}

static int read_reading(const char *name, size_t line, const struct csv_row *fields,
                        const struct columns *columns, struct reading *reading, struct error *error)
{
    int64_t wall_ns;
    if (fields->count != columns->count)
        return error_set(error, "%s:%zu: expected %zu fields, as the first line has columns, found %zu", name,
                         line, columns->count, fields->count);
    if (clock_parse_time(fields->fields[columns->time], &wall_ns) < 0)
        return error_set(error, "%s:%zu: expected a time, found '%s'", name, line,
                         fields->fields[columns->time]);
    if (text_to_double(fields->fields[columns->power], &reading->power_w) < 0)
        return error_set(error, "%s:%zu: expected watts, found '%s'", name, line,
                         fields->fields[columns->power]);
    reading->time_s = (double)wall_ns / (double)NS_PER_S;
    return 0;
}

static int add_reading(const char *name, size_t line, const struct reading *before,
                       const struct reading *reading, struct wall_summary *summary, struct error *error)
{
    summary->samples++;
    if (summary->samples == 1)
        return 0;
    double apart_s = reading->time_s - before->time_s;
    if (!(apart_s > 0))
        return error_set(error, "%s:%zu: expected a time after that of the row before: sort the rows", name,
                         line);
    summary->energy_j += (before->power_w + reading->power_w) / 2 * apart_s;
    summary->wall_s += apart_s;
    summary->longest_s = fmax(summary->longest_s, apart_s);
    return 0;
}

static int take_line(const char *name, size_t line, const struct csv_row *fields, struct columns *columns,
                     struct reading *before, struct wall_summary *summary, struct error *error)
{
    struct reading reading;
    if (fields->count == 1 && !fields->fields[0][0])
        return 0;
    if (columns->count == 0)
        return read_header(name, fields, columns, error);
    if (read_reading(name, line, fields, columns, &reading, error) < 0 ||
        add_reading(name, line, before, &reading, summary, error) < 0)
        return -1;
    *before = reading;
    return 0;
}

static int parse_csv(const char *name, const char *text, size_t size, struct wall_summary *summary,
                     struct error *error)
{
    struct columns columns = {0};
    struct reading before = {0};
    size_t line = 1;
    for (size_t at = 0; at < size; line++) {
        struct csv_row fields;
        if (csv_parse_row(text + at, size - at, &fields, error) < 0) {
            AUTO_FREE char *reason = strdup(error_text(error));
            return error_set(error, "%s:%zu: %s", name, line, reason ? reason : "not CSV");
        }
        at += fields.size;
        int result = take_line(name, line, &fields, &columns, &before, summary, error);
        csv_row_free(&fields);
        if (result < 0)
            return -1;
    }
    if (summary->samples < 2)
        return error_set(error, "%s: expected at least two readings, found %.0f", name, summary->samples);
    if (!(summary->energy_j > 0) || isinf(summary->energy_j))
        return error_set(error, "%s: its readings come to %g J: expected powers above 0 W", name,
                         summary->energy_j);
    return 0;
}

int wall_summary_parse(const char *name, const char *text, size_t size, struct wall_summary *summary,
                       struct error *error)
{
    size_t at = 0;
    while (at < size && strchr(" \t\r\n", text[at]) && text[at])
        at++;
    *summary = (struct wall_summary){.longest_s = NAN};
    bool json = at < size && text[at] == '{';
    if (!json)
        summary->longest_s = 0;
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
        keep_number(run, channel, "samples", summary->samples, error) < 0)
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
