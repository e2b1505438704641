/* Wattmeters at the plug, as the user's site file lists them.
 *
 * A thread asks each (wall/poller.c); reading takes what has come, with the time at which it was true. The
 * threads are started by the first reading: whoever measures forks its command before. */
#include "base/clock.h"
#include "base/text.h"
#include "meter/driver.h"
#include "meter/wall/poller.h"
#include "meter/wall/transport.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Before a run begins a wattmeter is waited for, for as long at the most. */
#define FIRST_ANSWER_S 5

struct wattmeter {
    struct wall_device *device;
    void *transport;
    struct poller *poller;      /* NULL: not started */
    size_t channel;             /* the first of its channels */
    size_t power, energy, none; /* of its channels: which is what; `none` where it has no such */
};

struct wattmeters {
    struct wall_site site;
    struct wattmeter *meters;
    struct channel *channels;
    size_t channel_count;
    void (*thread_begins)(void);
    bool started;
    int64_t stamp_ns, span_ns; /* of the latest reading; 0: there was no news */
    char **notes;
    size_t note_count;
};

static void wattmeters_close(void *state)
{
    struct wattmeters *w = state;
    for (size_t i = 0; w->meters && i < w->site.count; i++) {
        if (w->meters[i].poller)
            poller_stop(w->meters[i].poller);
        if (w->meters[i].transport)
            transport_of(w->meters[i].device->url)->close(w->meters[i].transport);
    }
    for (size_t i = 0; i < w->channel_count; i++)
        channel_free(&w->channels[i]);
    for (size_t i = 0; i < w->note_count; i++)
        free(w->notes[i]);
    free(w->notes);
    free(w->channels);
    free(w->meters);
    wall_site_free(&w->site);
    free(w);
}

/* ---- channels ---- */

static char *accuracy_source(const struct wall_device *device)
{
    return device->accuracy_given
               ? strdup("the site file")
               : strdup("assumed: give `accuracy` in the site file as the data sheet has it");
}

static int add_channel(struct wattmeters *w, const struct wall_device *device, bool energy, bool second,
                       struct error *error)
{
    const struct wall_quantity *quantity = energy ? &device->energy : &device->power;
    struct channel *channel = &w->channels[w->channel_count++];
    *channel = (struct channel){
        .meter = strdup("wattmeter"),
        .name =
            second ? text_format("%s/%s", device->name, energy ? "energy" : "power") : strdup(device->name),
        .part_of = second ? strdup(device->name) : NULL,
        .scope = SCOPE_WALL,
        .kind = energy ? KIND_COUNTER : KIND_POWER,
        .resolution = quantity->step,
        .update_s = device->update_s,
        .max_power_w = device->max_power_w,
        .accuracy = device->accuracy,
        .accuracy_source = accuracy_source(device),
        .apart = second || device->apart,
        .twin = second,
    };
    if (channel->meter && channel->name && channel->accuracy_source && (channel->part_of || !second))
        return 0;
    return error_memory(error, "wattmeter");
}

/* The energy counter counts, and the power stands beside it, unless the file wants it the other way. */
static int add_meter(struct wattmeters *w, size_t number, struct error *error)
{
    struct wall_device *device = &w->site.devices[number];
    bool both = device->power.at && device->energy.at;
    bool energy_first = device->energy.at && !(both && device->prefer_power);
    size_t first = w->channel_count, none = SIZE_MAX;
    w->meters[number] = (struct wattmeter){.device = device,
                                           .channel = first,
                                           .none = none,
                                           .energy = energy_first ? first
                                                     : both       ? first + 1
                                                                  : none,
                                           .power = !energy_first ? first
                                                    : both        ? first + 1
                                                                  : none};
    if (add_channel(w, device, energy_first, false, error) < 0 ||
        (both && add_channel(w, device, !energy_first, true, error) < 0))
        return -1;
    w->meters[number].transport = transport_of(device->url)->open(device, error);
    return w->meters[number].transport ? 0 : -1;
}

static void *open_site(const struct meter_setup *setup, const char *path, struct error *error)
{
    struct wattmeters *w = calloc(1, sizeof *w);
    if (!w) {
        error_memory(error, "wattmeter");
        return NULL;
    }
    w->thread_begins = setup ? setup->thread_begins : NULL;
    int result = wall_site_read(path, &w->site, error);
    if (result == 0) {
        w->meters = calloc(w->site.count, sizeof *w->meters);
        w->channels = calloc(2 * w->site.count, sizeof *w->channels);
        w->notes = calloc(2 * w->site.count, sizeof *w->notes);
        result = w->meters && w->channels && w->notes ? 0 : error_memory(error, "wattmeter");
    }
    for (size_t i = 0; i < w->site.count && result == 0; i++)
        result = add_meter(w, i, error);
    if (result == 0)
        return w;
    wattmeters_close(w);
    return NULL;
}

static void *wattmeters_open(const struct meter_setup *setup, const struct channel **channels, size_t *count,
                             struct error *error)
{
    AUTO_FREE char *path = wall_site_path(setup ? setup->site : NULL, error);
    if (!path) {
        if (!error->message)
            error_set(error, "wattmeter: there is no site file that lists any");
        return NULL;
    }
    struct wattmeters *w = open_site(setup, path, error);
    if (!w) {
        error_prefix(error, "wattmeter");
        return NULL;
    }
    *channels = w->channels;
    *count = w->channel_count;
    return w;
}

static bool is_configured(const struct meter_setup *setup)
{
    struct error ignored = ERROR_INIT;
    AUTO_FREE char *path = wall_site_path(setup ? setup->site : NULL, &ignored);
    error_clear(&ignored);
    return path != NULL;
}

static void wattmeters_probe(const struct meter_setup *setup, struct meter_probe *probe)
{
    struct error error = ERROR_INIT;
    struct wall_site site;
    AUTO_FREE char *path = wall_site_path(setup ? setup->site : NULL, &error);
    if (path && wall_site_read(path, &site, &error) == 0) {
        *probe = (struct meter_probe){.usable = true};
        wall_site_free(&site);
        return;
    }
    if (path || error.message)
        driver_unusable(probe, text_format("wattmeter: %s", error_text(&error)),
                        strdup("mend the site file as the message says; docs/instruments.md has all keys"));
    else
        driver_unusable(
            probe, strdup("wattmeter: there is no site file that lists any"),
            strdup("list yours in ~/.config/joulery/site.yaml: docs/instruments.md shows how, a plug "
                   "takes three lines"));
    error_clear(&error);
}

/* ---- reading ---- */

static int start(struct wattmeters *w, struct error *error)
{
    w->started = true;
    for (size_t i = 0; i < w->site.count; i++) {
        struct wattmeter *meter = &w->meters[i];
        meter->poller = poller_start(meter->device, meter->transport, w->thread_begins, error);
        if (!meter->poller)
            return -1;
    }
    int64_t until_ns = clock_boot_ns() + FIRST_ANSWER_S * NS_PER_S;
    for (size_t i = 0; i < w->site.count; i++) {
        double timeout_s = w->meters[i].device->timeout_s;
        int64_t own_ns = clock_boot_ns() + (int64_t)(timeout_s * NS_PER_S);
        poller_wait(w->meters[i].poller, own_ns < until_ns ? own_ns : until_ns);
    }
    return 0;
}

/* The device whose oldest sample is the oldest of all: channels are given in the order of time. */
static struct wattmeter *next_sample(struct wattmeters *w, struct wall_sample *oldest)
{
    struct wattmeter *next = NULL;
    for (size_t i = 0; i < w->site.count; i++) {
        struct wall_sample sample;
        struct wattmeter *meter = &w->meters[i];
        if (!meter->poller || !poller_peek(meter->poller, &sample) ||
            (next && sample.boot_ns >= oldest->boot_ns))
            continue;
        *oldest = sample;
        next = meter;
    }
    return next;
}

static int wattmeters_read(void *state, double *values, struct error *error)
{
    struct wattmeters *w = state;
    struct wall_sample sample = {0};
    if (!w->started && start(w, error) < 0)
        return -1;
    for (size_t i = 0; i < w->channel_count; i++)
        values[i] = NAN;
    struct wattmeter *meter = next_sample(w, &sample);
    w->stamp_ns = meter ? sample.boot_ns : 0;
    if (!meter)
        return 0;
    w->span_ns = sample.span_ns;
    if (meter->power != meter->none)
        values[meter->power] = sample.power_w;
    if (meter->energy != meter->none)
        values[meter->energy] = sample.energy_j;
    poller_drop(meter->poller);
    return 0;
}

static int64_t wattmeters_stamp(void *state, int64_t *span_ns)
{
    const struct wattmeters *w = state;
    *span_ns = w->span_ns;
    return w->stamp_ns;
}

static bool wattmeters_reached(void *state, int64_t boot_ns)
{
    struct wattmeters *w = state;
    for (size_t i = 0; i < w->site.count; i++)
        if (w->meters[i].poller && !poller_reached(w->meters[i].poller, boot_ns))
            return false;
    return true;
}

static char *note_of_delay(const struct wall_device *device)
{
    return text_format("%s: what it says is taken as true %g s before (delay, from the site file)",
                       device->name, device->delay_s);
}

/* Of one that did not always answer; NULL: it did. */
static char *note_of(const struct wattmeter *meter)
{
    uint64_t asked = 0, failed = 0;
    AUTO_FREE char *trouble = meter->poller ? poller_trouble(meter->poller, &asked, &failed) : NULL;
    if (!trouble)
        return NULL;
    return text_format("%s; %" PRIu64 " of %" PRIu64 " questions went so", trouble, failed, asked);
}

/* As things stand: the list is made anew. */
static const char *const *wattmeters_notes(void *state, size_t *count)
{
    struct wattmeters *w = state;
    for (size_t i = 0; i < w->note_count; i++)
        free(w->notes[i]);
    w->note_count = 0;
    for (size_t i = 0; i < w->site.count; i++) {
        char *delay = w->meters[i].device->delay_s > 0 ? note_of_delay(w->meters[i].device) : NULL;
        if (delay)
            w->notes[w->note_count++] = delay;
        char *note = note_of(&w->meters[i]);
        if (note)
            w->notes[w->note_count++] = note;
    }
    *count = w->note_count;
    return (const char *const *)w->notes;
}

static const struct meter_late late = {.stamp = wattmeters_stamp, .reached = wattmeters_reached};

const struct meter_driver wattmeter_driver = {
    .name = "wattmeter",
    .purpose = "wattmeters at the plug over HTTP, MQTT, SNMP, Modbus, IPMI or a serial line: smart plugs, "
               "PDUs, BMCs, "
               "as a site file lists them",
    .model = false,
    .unprivileged = true,
    .late = &late,
    .asked_for = is_configured,
    .probe = wattmeters_probe,
    .open = wattmeters_open,
    .notes = wattmeters_notes,
    .read = wattmeters_read,
    .close = wattmeters_close,
};
