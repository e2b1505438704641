#include "record/record.h"

#include "record/host.h"

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

bool channel_in_software(const struct channel *channels, size_t count, size_t number)
{
    const struct channel *channel = &channels[number];
    if (channel->apart || !in_software(channel->scope) || inside_counted(channels, count, channel))
        return false;
    return channel->kind != KIND_MODEL || !scope_is_measured(channels, count, channel->scope);
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
        if (channel->scope == SCOPE_WALL && !channel->part_of && !channel->apart)
            add_part(&hardware, &energies[i]);
        if (!channel_in_software(channels, count, i))
            continue;
        add_part(&software, &energies[i]);
        estimated = estimated || channel->kind == KIND_MODEL;
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

struct energy_totals record_scope_totals(const struct record *record, size_t window, enum channel_scope scope)
{
    struct energy_totals totals = {NAN, NAN, false, NAN, NAN};
    struct channel *channels =
        window < record->window_count ? calloc(record->channel_count + 1, sizeof *channels) : NULL;
    if (!channels)
        return totals;
    for (size_t i = 0; i < record->channel_count; i++) {
        channels[i] = record->channels[i];
        channels[i].apart = channels[i].apart || channels[i].scope != scope;
    }
    totals = energy_totals(channels, record->windows[window].energies, record->channel_count);
    free(channels);
    return totals;
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

void calibrated_free(struct calibrated *calibrated)
{
    free_strings(calibrated->warnings, calibrated->warning_count);
    free(calibrated->calibration);
    *calibrated = (struct calibrated){0};
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
    calibrated_free(&record->calibrated);
    host_free(&record->host);
    free(record->output_tail);
    free(record->source);
    *record = (struct record){0};
}
