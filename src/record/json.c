/* joulery.run/1; docs/json.md. */
#include "base/clock.h"
#include "base/text.h"
#include "record/record.h"

#include <math.h>
#include <string.h>

/* What is not known is null. */
static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *string(const char *value)
{
    if (!value)
        return json_null();
    AUTO_FREE char *clean = text_utf8(value, strlen(value));
    return clean ? json_string(clean) : NULL;
}

/* Takes `item`; NULL fails the whole. */
static json_t *append(json_t *array, json_t *item)
{
    if (array && json_array_append_new(array, item) == 0)
        return array;
    json_decref(array);
    return NULL;
}

static json_t *energy_to_json(const struct record *record, size_t i, const struct window *window)
{
    const struct channel *channel = &record->channels[i];
    const struct channel_energy *energy = &window->energies[i];
    bool known = energy->known;
    double covered_s = window->wall_s - energy->gap_s;
    double idle_w = record->idle ? record->idle[i].power_w : NAN;
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:f, s:o, s:o}", "meter", string(channel->meter),
        "name", string(channel->name), "scope", string(channel_scope_name(channel->scope)), "part_of",
        string(channel->part_of), "kind", string(channel_kind_name(channel->kind)), "estimated",
        channel->kind == KIND_MODEL, "energy_j", number(known ? energy->energy_j : NAN), "uncertainty_j",
        number(known ? energy->uncertainty_j : NAN), "mean_w",
        number(known && covered_s > 0 ? energy->energy_j / covered_s : NAN), "gap_s", energy->gap_s, "idle_w",
        number(idle_w), "above_idle_j", number(known ? energy->energy_j - idle_w * covered_s : NAN));
}

static json_t *window_channels(const struct record *record, const struct window *window)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < record->channel_count; i++)
        array = append(array, energy_to_json(record, i, window));
    return array;
}

/* The run's channels also say what is known of their instruments. */
static json_t *run_channels(const struct record *record)
{
    json_t *array = record->window_count ? window_channels(record, &record->windows[0]) : json_array();
    for (size_t i = 0; array && i < json_array_size(array); i++) {
        const struct channel *channel = &record->channels[i];
        json_t *more =
            json_pack("{s:f, s:f, s:f, s:o, s:f, s:o, s:o, s:b, s:b}", "resolution", channel->resolution,
                      "update_s", channel->update_s, "averaging_s", channel->averaging_s, "range_j",
                      number(channel->range_j > 0 ? channel->range_j : NAN), "accuracy", channel->accuracy,
                      "accuracy_source", string(channel->accuracy_source), "label", string(channel->label),
                      "apart", channel->apart, "twin", channel->twin);
        int failed = !more || json_object_update(json_array_get(array, i), more) < 0;
        json_decref(more);
        if (failed) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *totals_to_json(const struct record *record, size_t window)
{
    struct energy_totals totals = record_totals(record, window);
    double above_uncertainty_j, above_j = record_above_idle_j(record, window, &above_uncertainty_j);
    return json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o}", "software_j", number(totals.software_j),
                     "software_uncertainty_j", number(totals.software_uncertainty_j), "estimated",
                     totals.estimated, "hardware_j", number(totals.hardware_j), "hardware_uncertainty_j",
                     number(totals.hardware_uncertainty_j), "software_above_idle_j", number(above_j),
                     "software_above_idle_uncertainty_j", number(above_uncertainty_j));
}

static json_t *metrics_to_json(const struct window *window)
{
    json_t *object = json_object();
    for (size_t i = 0; object && i < window->metric_count; i++) {
        if (json_object_set_new(object, window->metrics[i].name, number(window->metrics[i].value)) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *windows_to_json(const struct record *record)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < record->window_count; i++) {
        const struct window *window = &record->windows[i];
        array = append(array, json_pack("{s:o, s:I, s:I, s:f, s:f, s:b, s:o, s:o, s:o}", "name",
                                        string(window->name), "index", (json_int_t)window->index, "parent",
                                        (json_int_t)window->parent, "start_s", window->start_s, "wall_s",
                                        window->wall_s, "complete", window->complete, "channels",
                                        window_channels(record, window), "totals", totals_to_json(record, i),
                                        "metrics", metrics_to_json(window)));
    }
    return array;
}

static json_t *gaps_to_json(const struct record *record)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < record->gap_count; i++) {
        const struct gap *gap = &record->gaps[i];
        const struct channel *channel = &record->channels[gap->channel];
        array = append(array, json_pack("{s:o, s:o, s:f, s:f, s:o}", "meter", string(channel->meter), "name",
                                        string(channel->name), "start_s", gap->start_s, "wall_s", gap->wall_s,
                                        "reason", string(gap->reason)));
    }
    return array;
}

static json_t *strings_to_json(char *const *strings, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < count; i++)
        array = append(array, string(strings[i]));
    return array;
}

static json_t *host_to_json(const struct host *host)
{
    return json_pack("{s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "name", string(host->name), "cpu_model",
                     string(host->cpu_model), "sockets", (json_int_t)host->sockets, "logical_cpus",
                     (json_int_t)host->logical_cpus, "memory_bytes", (json_int_t)host->memory_bytes, "kernel",
                     string(host->kernel), "os", string(host->os), "virtualisation",
                     string(host->virtualisation), "joulery_version", string(host->version));
}

static json_t *recorder_to_json(const struct record *record)
{
    return json_pack("{s:f, s:f, s:I, s:I, s:I}", "rate_hz", record->rate_hz, "cpu_s", record->recorder_cpu_s,
                     "peak_rss_bytes", (json_int_t)record->recorder_peak_rss_bytes, "marks_received",
                     (json_int_t)record->marks_received, "marks_rejected",
                     (json_int_t)record->marks_rejected);
}

static const char *end_name(enum run_end end)
{
    static const char *const names[] = {
        [END_EXITED] = "exited", [END_SIGNALLED] = "signalled", [END_NOT_STARTED] = "not started"};
    return names[end];
}

static json_t *attribution_to_json(const struct attribution *attribution)
{
    if (!attribution->known)
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:f, s:o}", "energy_j", attribution->energy_j, "uncertainty_j",
                     attribution->uncertainty_j, "command_cpu_s", attribution->command_cpu_s, "machine_cpu_s",
                     attribution->machine_cpu_s, "basis", string(attribution->basis));
}

static json_t *joined_to_json(const struct record *record)
{
    if (!record->joined)
        return json_null();
    return json_pack("{s:o}", "pid", record->joined_pid ? json_integer(record->joined_pid) : json_null());
}

json_t *record_to_json(const struct record *record)
{
    AUTO_FREE char *started = clock_iso8601(record->started_wall_ns);
    json_t *signal = record->end == END_SIGNALLED ? json_integer(record->term_signal) : json_null();
    return json_pack(
        "{s:s, s:o, s:s, s:i, s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "schema", "joulery.run/1", "command", strings_to_json(record->command, record->command_count), "end",
        end_name(record->end), "exit_status", record->exit_status, "term_signal", signal, "started",
        string(started), "wall_s", record->wall_s, "channels", run_channels(record), "totals",
        totals_to_json(record, 0), "windows", windows_to_json(record), "gaps", gaps_to_json(record), "notes",
        strings_to_json(record->notes, record->note_count), "host", host_to_json(&record->host), "recorder",
        recorder_to_json(record), "output_tail", string(record->output_tail), "baseline",
        string(record->baseline), "attribution", attribution_to_json(&record->attribution), "joined",
        joined_to_json(record));
}
