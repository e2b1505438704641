#include "record/baseline.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "record/host.h"
#include "record/json.h"
#include "record/windows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA       "joulery.baseline/1"
#define POWER_MOST_W 1e7 /* more than any machine; keeps nonsense out */
#define OLD_S        (7 * 24 * 3600.0)

/* ---- where ---- */

char *baseline_default_path(const char *host, struct error *error)
{
    return host_state_path("baseline", host, error);
}

char *baseline_boot_id(const struct meter_setup *setup)
{
    AUTO_FREE char *path = file_join(meter_procfs(setup), "sys/kernel/random/boot_id");
    struct error ignored = ERROR_INIT;
    char *id = path ? file_read(path, 256, NULL, &ignored) : NULL;
    error_clear(&ignored);
    if (!id)
        return strdup("");
    id[strcspn(id, "\n")] = '\0';
    return id;
}

/* ---- reading ---- */

static int take_string(const json_t *object, const char *name, char **to, struct error *error)
{
    const char *value = json_string_value(json_object_get(object, name));
    if (!value)
        return error_set(error, "'%s': expected a string", name);
    *to = strdup(value);
    return *to ? 0 : error_memory(error, name);
}

static int take_number(const json_t *object, const char *name, double least, double most, double *to,
                       struct error *error)
{
    const json_t *value = json_object_get(object, name);
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= least && number <= most))
        return error_set(error, "'%s': expected a number from %g to %g", name, least, most);
    *to = number;
    return 0;
}

static bool is_twice(const struct baseline *baseline, const struct baseline_channel *channel)
{
    for (size_t i = 0; i + 1 < baseline->channel_count; i++)
        if (strcmp(baseline->channels[i].meter, channel->meter) == 0 &&
            strcmp(baseline->channels[i].name, channel->name) == 0)
            return true;
    return false;
}

static int parse_channel(const json_t *json, struct baseline *baseline, struct error *error)
{
    struct baseline_channel *channel = &baseline->channels[baseline->channel_count++];
    if (take_string(json, "meter", &channel->meter, error) < 0 ||
        take_string(json, "name", &channel->name, error) < 0 ||
        take_number(json, "mean_w", 0, POWER_MOST_W, &channel->idle.power_w, error) < 0 ||
        take_number(json, "uncertainty_w", 0, POWER_MOST_W, &channel->idle.uncertainty_w, error) < 0)
        return -1;
    if (is_twice(baseline, channel))
        return error_set(error, "it is there twice: %s %s", channel->meter, channel->name);
    return 0;
}

static int parse_channels(const json_t *array, struct baseline *baseline, struct error *error)
{
    size_t count = json_array_size(array);
    if (count == 0 || count > BASELINE_CHANNELS_MOST)
        return error_set(error, "'channels': expected an array of 1 to %d", BASELINE_CHANNELS_MOST);
    baseline->channels = calloc(count, sizeof *baseline->channels);
    if (!baseline->channels)
        return error_memory(error, "baseline");
    for (size_t i = 0; i < count; i++)
        if (parse_channel(json_array_get(array, i), baseline, error) < 0)
            return error_prefix(error, "channel %zu", i);
    return 0;
}

static int parse_document(const json_t *json, struct baseline *baseline, struct error *error)
{
    const char *schema = json_string_value(json_object_get(json, "schema"));
    const char *measured = json_string_value(json_object_get(json, "measured"));
    if (!schema || strcmp(schema, SCHEMA) != 0)
        return error_set(error, "'schema': expected " SCHEMA ", found %s", schema ? schema : "none");
    if (!measured || clock_parse_iso8601(measured, &baseline->measured_wall_ns) < 0)
        return error_set(error, "'measured': expected a time such as 2026-11-23T18:43:43Z");
    if (take_string(json, "host", &baseline->host, error) < 0 ||
        take_string(json, "cpu_model", &baseline->cpu_model, error) < 0 ||
        take_string(json, "kernel", &baseline->kernel, error) < 0 ||
        take_string(json, "boot_id", &baseline->boot_id, error) < 0 ||
        take_number(json, "duration_s", 1e-3, 1e9, &baseline->duration_s, error) < 0)
        return -1;
    baseline->load = NAN;
    if (!json_is_null(json_object_get(json, "load")) &&
        take_number(json, "load", 0, 1, &baseline->load, error) < 0)
        return -1;
    return parse_channels(json_object_get(json, "channels"), baseline, error);
}

int baseline_parse(const char *text, size_t size, struct baseline *baseline, struct error *error)
{
    *baseline = (struct baseline){0};
    json_error_t why;
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        return error_set(error, "line %d: %s", why.line, why.text);
    int result = parse_document(json, baseline, error);
    json_decref(json);
    if (result < 0)
        baseline_free(baseline);
    return result;
}

int baseline_read(const char *path, struct baseline *baseline, struct error *error)
{
    size_t size = 0;
    *baseline = (struct baseline){0};
    AUTO_FREE char *text = file_read(path, BASELINE_BYTES_MOST, &size, error);
    if (!text)
        return -1;
    if (baseline_parse(text, size, baseline, error) == 0)
        return 0;
    error_prefix(error, "%s: not a baseline", path);
    return -1;
}

/* ---- writing ---- */

/* NULL if memory ran out. */
static json_t *channels_to_json(const struct baseline *baseline)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < baseline->channel_count; i++) {
        const struct baseline_channel *channel = &baseline->channels[i];
        if (!isfinite(channel->idle.power_w))
            continue;
        json_t *item = json_pack("{s:o, s:o, s:f, s:f}", "meter", json_text(channel->meter), "name",
                                 json_text(channel->name), "mean_w", channel->idle.power_w, "uncertainty_w",
                                 channel->idle.uncertainty_w);
        if (!item || json_array_append_new(array, item) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *to_json(const struct baseline *baseline)
{
    AUTO_FREE char *measured = clock_iso8601(baseline->measured_wall_ns);
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:f, s:o, s:o}", "schema", SCHEMA, "host",
                     json_text(baseline->host), "cpu_model", json_text(baseline->cpu_model), "kernel",
                     json_text(baseline->kernel), "boot_id", json_text(baseline->boot_id), "measured",
                     json_text(measured), "duration_s", baseline->duration_s, "load",
                     json_known(baseline->load), "channels", channels_to_json(baseline));
}

int baseline_write(const char *path, const struct baseline *baseline, struct error *error)
{
    json_t *json = to_json(baseline);
    AUTO_FREE char *bytes = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    AUTO_FREE char *text = bytes ? text_format("%s\n", bytes) : NULL;
    if (!text)
        return error_memory(error, "baseline");
    if (strcmp(path, "-") != 0 && *path && file_make_folders(path, error) < 0)
        return -1;
    return file_write(path, text, strlen(text), error);
}

/* ---- using ---- */

int baseline_check_host(const struct baseline *baseline, const struct host *host, struct error *error)
{
    if (strcmp(baseline->host, host->name) != 0)
        return error_set(error, "measured on host '%s', and this is '%s': `joulery idle` measures this one",
                         baseline->host, host->name);
    if (strcmp(baseline->cpu_model, host->cpu_model) != 0)
        return error_set(error, "measured with '%s', and this is '%s': `joulery idle` measures it",
                         baseline->cpu_model, host->cpu_model);
    return 0;
}

static const struct idle_power *find_idle(const struct baseline *baseline, const struct channel *channel)
{
    for (size_t i = 0; i < baseline->channel_count; i++)
        if (strcmp(baseline->channels[i].meter, channel->meter) == 0 &&
            strcmp(baseline->channels[i].name, channel->name) == 0)
            return &baseline->channels[i].idle;
    return NULL;
}

static void note_doubts(const struct baseline *baseline, const struct meter_setup *setup, double age_s,
                        struct record *record)
{
    AUTO_FREE char *boot_id = baseline_boot_id(setup);
    bool rebooted = boot_id && boot_id[0] && strcmp(boot_id, baseline->boot_id) != 0;
    if (age_s > OLD_S)
        record_note(record, text_format("the baseline is %.0f days old: `joulery idle` makes a new one",
                                        age_s / (24 * 3600)));
    if (age_s < 0)
        record_note(record, strdup("the baseline was measured later than this run, by its date"));
    if (strcmp(baseline->kernel, record->host.kernel) != 0)
        record_note(record,
                    text_format("the baseline was measured with another kernel (%s)", baseline->kernel));
    else if (rebooted)
        record_note(record, strdup("the baseline was measured before the last boot"));
}

int baseline_apply(const struct baseline *baseline, const struct meter_setup *setup, struct record *record,
                   struct error *error)
{
    double age_s = (double)(record->started_wall_ns - baseline->measured_wall_ns) / NS_PER_S;
    AUTO_FREE char *measured = clock_iso8601(baseline->measured_wall_ns);
    AUTO_FREE char *age = units_duration(fmax(age_s, 0));
    AUTO_FREE char *duration = units_duration(baseline->duration_s);
    if (!measured || !age || !duration)
        return error_memory(error, "baseline");
    record->idle = calloc(record->channel_count + 1, sizeof *record->idle);
    record->baseline = text_format("%s at rest, %s, %s before", duration, measured, age);
    if (!record->idle || !record->baseline)
        return error_memory(error, "baseline");
    for (size_t i = 0; i < record->channel_count; i++) {
        const struct idle_power *idle = find_idle(baseline, &record->channels[i]);
        record->idle[i] = idle ? *idle : (struct idle_power){NAN, NAN};
        if (!idle)
            record_note(record,
                        text_format("the baseline does not know %s %s: `joulery idle` makes a new one",
                                    record->channels[i].meter, record->channels[i].name));
    }
    note_doubts(baseline, setup, age_s, record);
    return 0;
}

void baseline_free(struct baseline *baseline)
{
    for (size_t i = 0; i < baseline->channel_count; i++) {
        free(baseline->channels[i].meter);
        free(baseline->channels[i].name);
    }
    free(baseline->channels);
    free(baseline->host);
    free(baseline->cpu_model);
    free(baseline->kernel);
    free(baseline->boot_id);
    *baseline = (struct baseline){0};
}
