#include "record/record.h"

#include "base/clock.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- totals ---- */

static const struct channel *find_channel(const struct channel *channels, size_t count, const char *meter,
                                          const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(channels[i].meter, meter) == 0 && strcmp(channels[i].name, name) == 0)
            return &channels[i];
    return NULL;
}

static bool in_software(enum channel_scope scope)
{
    return scope == SCOPE_CPU || scope == SCOPE_DRAM || scope == SCOPE_GPU;
}

/* Whether a channel that the software total counts has this one's energy in it. A chain longer than the
 * channels is a ring: nothing in it is counted twice by stopping there. */
static bool inside_counted(const struct channel *channels, size_t count, const struct channel *channel)
{
    const struct channel *at = channel;
    for (size_t steps = 0; at->part_of && steps < count; steps++) {
        at = find_channel(channels, count, at->meter, at->part_of);
        if (!at)
            return false;
        if (in_software(at->scope))
            return true;
    }
    return false;
}

static bool scope_is_measured(const struct channel *channels, size_t count, enum channel_scope scope)
{
    for (size_t i = 0; i < count; i++)
        if (channels[i].scope == scope && channels[i].kind != KIND_MODEL && !channels[i].apart)
            return true;
    return false;
}

/* A sum that is only known if all its parts are. Parts of one instrument share their scale error, parts of
 * different ones don't; taking all as shared never claims too little. */
struct sum {
    double energy_j, uncertainty_j;
    size_t parts;
    bool known;
};

static void add_part(struct sum *sum, const struct channel_energy *energy)
{
    sum->known = (sum->parts == 0 || sum->known) && energy->known;
    sum->energy_j += energy->energy_j;
    sum->uncertainty_j += energy->uncertainty_j;
    sum->parts++;
}

struct energy_totals energy_totals(const struct channel *channels, const struct channel_energy *energies,
                                   size_t count)
{
    struct sum software = {0}, hardware = {0};
    bool estimated = false;
    for (size_t i = 0; i < count; i++) {
        const struct channel *channel = &channels[i];
        if (channel->apart)
            continue;
        if (channel->scope == SCOPE_WALL && !channel->part_of)
            add_part(&hardware, &energies[i]);
        if (!in_software(channel->scope) || inside_counted(channels, count, channel))
            continue;
        bool model = channel->kind == KIND_MODEL;
        if (model && scope_is_measured(channels, count, channel->scope))
            continue;
        add_part(&software, &energies[i]);
        estimated = estimated || model;
    }
    return (struct energy_totals){.software_j = software.known ? software.energy_j : NAN,
                                  .software_uncertainty_j = software.known ? software.uncertainty_j : NAN,
                                  .estimated = estimated,
                                  .hardware_j = hardware.known ? hardware.energy_j : NAN,
                                  .hardware_uncertainty_j = hardware.known ? hardware.uncertainty_j : NAN};
}

struct energy_totals record_totals(const struct record *record, size_t window)
{
    if (window >= record->window_count)
        return (struct energy_totals){NAN, NAN, false, NAN, NAN};
    return energy_totals(record->channels, record->windows[window].energies, record->channel_count);
}

double record_above_idle_j(const struct record *record, size_t window, double *uncertainty_j)
{
    *uncertainty_j = NAN;
    struct channel_energy *above = record->idle && window < record->window_count
                                       ? calloc(record->channel_count + 1, sizeof *above)
                                       : NULL;
    if (!above)
        return NAN;
    const struct window *at = &record->windows[window];
    for (size_t i = 0; i < record->channel_count; i++) {
        const struct idle_power *idle = &record->idle[i];
        double covered_s = at->wall_s - at->energies[i].gap_s;
        above[i] = at->energies[i];
        above[i].known = above[i].known && isfinite(idle->power_w);
        above[i].energy_j -= idle->power_w * covered_s;
        above[i].uncertainty_j = hypot(above[i].uncertainty_j, idle->uncertainty_w * covered_s);
    }
    struct energy_totals totals = energy_totals(record->channels, above, record->channel_count);
    free(above);
    *uncertainty_j = totals.software_uncertainty_j;
    return totals.software_j;
}

/* ---- JSON ---- */

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

static json_t *energy_to_json(const struct channel *channel, const struct channel_energy *energy,
                              double wall_s)
{
    bool known = energy->known;
    double covered_s = wall_s - energy->gap_s;
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:f}", "meter", string(channel->meter), "name",
        string(channel->name), "scope", string(channel_scope_name(channel->scope)), "part_of",
        string(channel->part_of), "kind", string(channel_kind_name(channel->kind)), "estimated",
        channel->kind == KIND_MODEL, "energy_j", number(known ? energy->energy_j : NAN), "uncertainty_j",
        number(known ? energy->uncertainty_j : NAN), "mean_w",
        number(known && covered_s > 0 ? energy->energy_j / covered_s : NAN), "gap_s", energy->gap_s);
}

static json_t *window_channels(const struct record *record, const struct window *window)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < record->channel_count; i++)
        array = append(array, energy_to_json(&record->channels[i], &window->energies[i], window->wall_s));
    return array;
}

/* The run's channels also say what is known of their instruments. */
static json_t *run_channels(const struct record *record)
{
    json_t *array = record->window_count ? window_channels(record, &record->windows[0]) : json_array();
    for (size_t i = 0; array && i < json_array_size(array); i++) {
        const struct channel *channel = &record->channels[i];
        json_t *more =
            json_pack("{s:f, s:f, s:o, s:f, s:o}", "resolution", channel->resolution, "update_s",
                      channel->update_s, "range_j", number(channel->range_j > 0 ? channel->range_j : NAN),
                      "accuracy", channel->accuracy, "accuracy_source", string(channel->accuracy_source));
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
    return json_pack("{s:o, s:o, s:b, s:o, s:o}", "software_j", number(totals.software_j),
                     "software_uncertainty_j", number(totals.software_uncertainty_j), "estimated",
                     totals.estimated, "hardware_j", number(totals.hardware_j), "hardware_uncertainty_j",
                     number(totals.hardware_uncertainty_j));
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

static json_t *attribution_to_json(const struct attribution *attribution)
{
    if (!attribution->known)
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:f, s:o}", "energy_j", attribution->energy_j, "uncertainty_j",
                     attribution->uncertainty_j, "command_cpu_s", attribution->command_cpu_s, "machine_cpu_s",
                     attribution->machine_cpu_s, "basis", string(attribution->basis));
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
    return json_pack("{s:s, s:o, s:s, s:i, s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "schema", "joulery.run/1", "command",
                     strings_to_json(record->command, record->command_count), "end", end_name(record->end),
                     "exit_status", record->exit_status, "term_signal", signal, "started", string(started),
                     "wall_s", record->wall_s, "channels", run_channels(record), "totals",
                     totals_to_json(record, 0), "attribution", attribution_to_json(&record->attribution),
                     "windows", windows_to_json(record), "gaps", gaps_to_json(record), "notes",
                     strings_to_json(record->notes, record->note_count), "host", host_to_json(&record->host),
                     "recorder", recorder_to_json(record), "output_tail", string(record->output_tail),
                     "joined", joined_to_json(record));
}

/* ---- life ---- */

static void free_strings(char **strings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(strings[i]);
    free(strings);
}

static void free_window(struct window *window)
{
    for (size_t i = 0; i < window->metric_count; i++)
        free(window->metrics[i].name);
    free(window->metrics);
    free(window->energies);
    free(window->name);
}

void record_free(struct record *record)
{
    free_strings(record->command, record->command_count);
    free_strings(record->notes, record->note_count);
    for (size_t i = 0; i < record->channel_count; i++)
        channel_free(&record->channels[i]);
    free(record->channels);
    for (size_t i = 0; i < record->window_count; i++)
        free_window(&record->windows[i]);
    free(record->windows);
    for (size_t i = 0; i < record->gap_count; i++)
        free(record->gaps[i].reason);
    free(record->gaps);
    free(record->idle);
    free(record->baseline);
    free(record->attribution.basis);
    free(record->host.name);
    free(record->host.cpu_model);
    free(record->host.kernel);
    free(record->host.os);
    free(record->host.virtualisation);
    free(record->host.version);
    free(record->output_tail);
    *record = (struct record){0};
}
