#include "calibrate/probe.h"

#include "base/clock.h"
#include "base/text.h"
#include "calibrate/characterise.h"
#include "meter/wall/poller.h"
#include "meter/wall/transport.h"
#include "record/json.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define REST_SHARE 0.25
/* Often enough for updates of half a second, and no burden to a plug. A site file or a preset that asks more
 * seldom than once a second has a reason to. */
#define ASK_S      0.2
#define SELDOM_S   1.0
#define PAUSE_S    0.5 /* after a question that failed */
#define STRETCHES  28  /* least lengths of the load in the time that it has */
#define SLOW_SHARE 0.95

/* One device, asked by a thread of its own until the end. */
struct asker {
    const struct wall_device *device;
    void *transport; /* NULL: it could not be opened */
    struct probed *probed;
    int64_t until_ns;
    int64_t *boot_ns;
    double *power_w, *energy_j, *took_s;
    size_t count, capacity;
    pthread_t thread;
    bool running;
};

static void take_trouble(struct probed *probed, const struct error *error)
{
    free(probed->trouble);
    probed->trouble = strdup(error_text(error));
}

static bool ask_once(struct asker *asker)
{
    struct error error = ERROR_INIT;
    struct wall_sample sample;
    bool answered = poller_ask(asker->device, asker->transport, &sample, &error) == 0;
    asker->probed->asked++;
    if (!answered) {
        asker->probed->failed++;
        take_trouble(asker->probed, &error);
    } else if (asker->count == 0 || sample.boot_ns > asker->boot_ns[asker->count - 1]) {
        size_t i = asker->count++;
        asker->boot_ns[i] = sample.boot_ns;
        asker->took_s[i] = (double)sample.span_ns / NS_PER_S;
        asker->power_w[i] = sample.power_w;
        asker->energy_j[i] = sample.energy_j;
    }
    error_clear(&error);
    return answered;
}

static void *keep_asking(void *argument)
{
    struct asker *asker = argument;
    int64_t period_ns = (int64_t)(asker->probed->ask_s * NS_PER_S);
    for (int64_t next_ns = clock_boot_ns(); asker->count < asker->capacity;) {
        bool answered = ask_once(asker);
        int64_t now_ns = clock_boot_ns();
        if (now_ns >= asker->until_ns)
            break;
        if (!answered)
            next_ns = now_ns + (int64_t)(fmax(PAUSE_S, asker->probed->ask_s) * NS_PER_S);
        else if (asker->probed->pushes)
            continue;
        else
            next_ns = now_ns > next_ns + period_ns ? now_ns : next_ns + period_ns;
        clock_sleep_until(next_ns < asker->until_ns ? next_ns : asker->until_ns);
    }
    return NULL;
}

/* What is wrong with one device is said of it, and the others are asked. */
static int start_asker(struct asker *asker, const struct wall_device *device, struct probed *probed,
                       int64_t until_ns, struct error *error)
{
    struct error own = ERROR_INIT;
    const struct transport *transport = transport_of(device->url);
    *asker = (struct asker){.device = device, .probed = probed, .until_ns = until_ns};
    *probed = (struct probed){.name = strdup(device->name),
                              .pushes = transport->pushes,
                              .ask_s = device->interval_s > SELDOM_S ? device->interval_s : ASK_S,
                              .slow_read_s = NAN,
                              .has_power = device->power.at,
                              .has_energy = device->energy.at,
                              .power = characteristics_unknown(),
                              .energy = characteristics_unknown(),
                              .update_s = NAN,
                              .delay_s = NAN};
    /* a device that pushes may be quicker than ours */
    asker->capacity = (size_t)((double)(until_ns - clock_boot_ns()) / NS_PER_S * 100) + 16;
    asker->boot_ns = calloc(asker->capacity, sizeof *asker->boot_ns);
    asker->power_w = calloc(asker->capacity, sizeof *asker->power_w);
    asker->energy_j = calloc(asker->capacity, sizeof *asker->energy_j);
    asker->took_s = calloc(asker->capacity, sizeof *asker->took_s);
    if (!probed->name || !asker->boot_ns || !asker->power_w || !asker->energy_j || !asker->took_s)
        return error_memory(error, device->name);
    asker->transport = transport->open(device, &own);
    if (!asker->transport) {
        take_trouble(probed, &own);
        error_clear(&own);
        return 0;
    }
    int number = pthread_create(&asker->thread, NULL, keep_asking, asker);
    asker->running = number == 0;
    return number ? error_errno(error, number, device->name) : 0;
}

static void end_asker(struct asker *asker)
{
    if (asker->running)
        pthread_join(asker->thread, NULL);
    if (asker->transport)
        transport_of(asker->device->url)->close(asker->transport);
    asker->running = false;
    asker->transport = NULL;
}

static void free_asker(struct asker *asker)
{
    end_asker(asker);
    free(asker->boot_ns);
    free(asker->power_w);
    free(asker->energy_j);
    free(asker->took_s);
}

/* ---- what the readings tell ---- */

static void judge(const struct asker *asker, const double *values, bool power, size_t at_rest,
                  const struct load_wave *wave, struct characteristics *found)
{
    const struct channel channel = {.kind = power ? KIND_POWER : KIND_COUNTER};
    const struct series all = {asker->boot_ns, values, asker->count},
                        rest = {asker->boot_ns, values, at_rest};
    characterise_updates(&channel, &all, found);
    if (at_rest > 0)
        characterise_rest(&channel, &rest, found);
    characterise_response(&channel, &all, wave, found);
}

static void judge_device(struct asker *asker, int64_t rest_ns, const struct load_wave *wave)
{
    struct probed *probed = asker->probed;
    size_t at_rest = 0;
    while (at_rest < asker->count && asker->boot_ns[at_rest] < rest_ns)
        at_rest++;
    if (probed->has_power)
        judge(asker, asker->power_w, true, at_rest, wave, &probed->power);
    if (probed->has_energy)
        judge(asker, asker->energy_j, false, at_rest, wave, &probed->energy);
    if (!probed->pushes && asker->count > 0) {
        double median_s = median_of(asker->took_s, asker->count); /* and sorts them */
        probed->slow_read_s = asker->took_s[(size_t)(SLOW_SHARE * (double)(asker->count - 1))];
        if (probed->has_power)
            probed->power.read_s = median_s;
        if (probed->has_energy)
            probed->energy.read_s = median_s;
    }
    const struct characteristics *counts = probed->has_power ? &probed->power : &probed->energy;
    probed->update_s = counts->update_s;
    probed->delay_s = probed->has_power ? counts->lag_s + counts->averaging_s / 2 : counts->lag_s;
}

/* ---- all of them ---- */

struct probing {
    const struct probe_options *options;
    int64_t start_ns;
    struct asker *askers;
    size_t count;
};

static void tell(void *context, const char *phase)
{
    const struct probing *probing = context;
    if (probing->options->progress)
        probing->options->progress(probing->options->context,
                                   (double)(clock_boot_ns() - probing->start_ns) / NS_PER_S,
                                   probing->options->wall_s, phase);
}

static int ask_all(struct probing *probing, const struct wall_site *site, struct probes *probes,
                   struct error *error)
{
    double wall_s = probing->options->wall_s, rest_s = REST_SHARE * wall_s;
    struct load_wave wave = {.least_s = (wall_s - rest_s) / STRETCHES};
    probing->start_ns = clock_boot_ns();
    int64_t rest_ns = probing->start_ns + (int64_t)(rest_s * NS_PER_S);
    int64_t end_ns = probing->start_ns + (int64_t)(wall_s * NS_PER_S);
    int result = 0;
    for (size_t i = 0; i < site->count && result == 0; i++, probing->count++)
        result = start_asker(&probing->askers[i], &site->devices[i], &probes->devices[i], end_ns, error);
    probes->count = probing->count;
    if (result == 0) {
        wave_wait(rest_ns, tell, probing, "at rest");
        result = wave_make(&wave, end_ns, tell, probing, error);
    }
    for (size_t i = 0; i < probing->count; i++) {
        end_asker(&probing->askers[i]);
        if (result == 0)
            judge_device(&probing->askers[i], rest_ns, &wave);
    }
    free(wave.edges_ns);
    return result;
}

static int probe_site(const struct probe_options *options, const char *path, struct probes *probes,
                      struct error *error)
{
    struct wall_site site;
    if (wall_site_read(path, &site, error) < 0)
        return -1;
    struct probing probing = {.options = options, .askers = calloc(site.count, sizeof *probing.askers)};
    probes->path = strdup(path);
    probes->made = clock_iso8601(clock_wall_ns());
    probes->wall_s = options->wall_s;
    probes->devices = calloc(site.count, sizeof *probes->devices);
    int result = probing.askers && probes->path && probes->made && probes->devices
                     ? ask_all(&probing, &site, probes, error)
                     : error_memory(error, "probe");
    for (size_t i = 0; i < probing.count; i++)
        free_asker(&probing.askers[i]);
    free(probing.askers);
    wall_site_free(&site);
    return result;
}

int probe_make(const struct probe_options *options, struct probes *probes, struct error *error)
{
    *probes = (struct probes){0};
    if (!(options->wall_s >= PROBE_LEAST_S))
        return error_set(error, "expected at least %d s", PROBE_LEAST_S);
    AUTO_FREE char *path = wall_site_path(options->setup ? options->setup->site : NULL, error);
    if (!path)
        return error->message ? -1
                              : error_set(error, "there is no site file that lists a wattmeter: "
                                                 "docs/instruments.md shows how, a plug takes three lines");
    if (probe_site(options, path, probes, error) == 0)
        return 0;
    probe_free(probes);
    return -1;
}

void probe_free(struct probes *probes)
{
    for (size_t i = 0; i < probes->count; i++) {
        free(probes->devices[i].name);
        free(probes->devices[i].trouble);
    }
    free(probes->devices);
    free(probes->path);
    free(probes->made);
    *probes = (struct probes){0};
}

static json_t *device_to_json(const struct probed *probed)
{
    return json_pack("{s:o, s:b, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
                     json_text(probed->name), "pushes", probed->pushes, "asked", (json_int_t)probed->asked,
                     "failed", (json_int_t)probed->failed, "trouble",
                     probed->trouble ? json_text(probed->trouble) : json_null(), "ask_s",
                     probed->pushes ? json_null() : json_real(probed->ask_s), "slow_read_s",
                     json_known(probed->slow_read_s), "update_s", json_known(probed->update_s), "delay_s",
                     json_known(probed->delay_s), "power",
                     probed->has_power ? characteristics_to_json(&probed->power) : json_null(), "energy",
                     probed->has_energy ? characteristics_to_json(&probed->energy) : json_null());
}

json_t *probe_to_json(const struct probes *probes)
{
    json_t *list = json_array();
    for (size_t i = 0; i < probes->count; i++)
        json_array_append_new(list, device_to_json(&probes->devices[i]));
    return json_pack("{s:s, s:o, s:o, s:f, s:o}", "schema", "joulery.probe/1", "site",
                     json_text(probes->path), "made", json_text(probes->made), "wall_s", probes->wall_s,
                     "wattmeters", list);
}
