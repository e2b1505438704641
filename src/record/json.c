/* joulery.run/1; docs/json.md. */
#include "record/json.h"
#include "base/clock.h"
#include "base/text.h"
#include "record/record.h"

#include <math.h>
#include <string.h>

json_t *json_known(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *json_text(const char *text)
{
    if (!text)
        return json_null();
    AUTO_FREE char *clean = text_utf8(text, strlen(text));
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
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:f, s:o, s:o}", "meter",
                     json_text(channel->meter), "name", json_text(channel->name), "scope",
                     json_text(channel_scope_name(channel->scope)), "part_of", json_text(channel->part_of),
                     "kind", json_text(channel_kind_name(channel->kind)), "estimated",
                     channel->kind == KIND_MODEL, "energy_j", json_known(known ? energy->energy_j : NAN),
                     "uncertainty_j", json_known(known ? energy->uncertainty_j : NAN), "mean_w",
                     json_known(known && covered_s > 0 ? energy->energy_j / covered_s : NAN), "gap_s",
                     energy->gap_s, "idle_w", json_known(idle_w), "above_idle_j",
                     json_known(known ? energy->energy_j - idle_w * covered_s : NAN));
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
            json_pack("{s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:b, s:b}", "resolution", channel->resolution,
                      "update_s", channel->update_s, "averaging_s", channel->averaging_s, "range_j",
                      json_known(channel->range_j > 0 ? channel->range_j : NAN), "accuracy",
                      json_known(channel->accuracy), "accuracy_source", json_text(channel->accuracy_source),
                      "label", json_text(channel->label), "apart", channel->apart, "twin", channel->twin);
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
    return json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o}", "software_j", json_known(totals.software_j),
                     "software_uncertainty_j", json_known(totals.software_uncertainty_j), "estimated",
                     totals.estimated, "hardware_j", json_known(totals.hardware_j), "hardware_uncertainty_j",
                     json_known(totals.hardware_uncertainty_j), "software_above_idle_j", json_known(above_j),
                     "software_above_idle_uncertainty_j", json_known(above_uncertainty_j));
}

static json_t *metrics_to_json(const struct window *window)
{
    json_t *object = json_object();
    for (size_t i = 0; object && i < window->metric_count; i++) {
        if (json_object_set_new(object, window->metrics[i].name, json_known(window->metrics[i].value)) < 0) {
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
        array = append(array, json_pack("{s:o, s:I, s:I, s:o, s:o, s:b, s:o, s:o, s:o}", "name",
                                        json_text(window->name), "index", (json_int_t)window->index, "parent",
                                        (json_int_t)window->parent, "start_s", json_known(window->start_s),
                                        "wall_s", json_known(window->wall_s), "complete", window->complete,
                                        "channels", window_channels(record, window), "totals",
                                        totals_to_json(record, i), "metrics", metrics_to_json(window)));
    }
    return array;
}

static json_t *gaps_to_json(const struct record *record)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < record->gap_count; i++) {
        const struct gap *gap = &record->gaps[i];
        const struct channel *channel = &record->channels[gap->channel];
        array = append(array, json_pack("{s:o, s:o, s:f, s:f, s:o}", "meter", json_text(channel->meter),
                                        "name", json_text(channel->name), "start_s", gap->start_s, "wall_s",
                                        gap->wall_s, "reason", json_text(gap->reason)));
    }
    return array;
}

static json_t *strings_to_json(char *const *strings, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < count; i++)
        array = append(array, json_text(strings[i]));
    return array;
}

static json_t *host_to_json(const struct host *host)
{
    return json_pack("{s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "name", json_text(host->name),
                     "cpu_model", json_text(host->cpu_model), "sockets", (json_int_t)host->sockets,
                     "logical_cpus", (json_int_t)host->logical_cpus, "memory_bytes",
                     (json_int_t)host->memory_bytes, "kernel", json_text(host->kernel), "os",
                     json_text(host->os), "virtualisation", json_text(host->virtualisation),
                     "joulery_version", json_text(host->version));
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
                     attribution->machine_cpu_s, "basis", json_text(attribution->basis));
}

static json_t *calibrated_to_json(const struct calibrated *calibrated)
{
    if (!calibrated->known)
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:b, s:o, s:o}", "wall_j", calibrated->wall_j, "low_j",
                     calibrated->low_j, "high_j", calibrated->high_j, "estimated", calibrated->estimated,
                     "calibration", json_text(calibrated->calibration), "warnings",
                     strings_to_json(calibrated->warnings, calibrated->warning_count));
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
        "{s:s, s:o, s:s, s:i, s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "schema", "joulery.run/1", "command", strings_to_json(record->command, record->command_count), "end",
        end_name(record->end), "exit_status", record->exit_status, "term_signal", signal, "started",
        json_text(started), "wall_s", record->wall_s, "channels", run_channels(record), "totals",
        totals_to_json(record, 0), "windows", windows_to_json(record), "gaps", gaps_to_json(record), "notes",
        strings_to_json(record->notes, record->note_count), "host", host_to_json(&record->host), "recorder",
        recorder_to_json(record), "output_tail", json_text(record->output_tail), "baseline",
        json_text(record->baseline), "attribution", attribution_to_json(&record->attribution), "calibrated",
        calibrated_to_json(&record->calibrated), "joined", joined_to_json(record));
}
