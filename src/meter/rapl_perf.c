/* RAPL through the kernel's power PMU: perf_event_open(2), arch/x86/events/rapl.c.
 *
 * sysfs says all that is needed (Documentation/ABI/testing/sysfs-bus-event_source-devices-events):
 * devices/power has type, cpumask (one CPU a package or die) and events/energy-* with their scale and unit.
 * AMD's cores have a PMU of their own, power_core, with one CPU a core in its cpumask; they are summed by
 * package. The kernel extends the counters to 64 bits, from 0 at the time of opening: they never wrap.
 *
 * The events of one CPU are opened as a group: one system call, and one interruption of that CPU, reads all.
 */
#include "base/file.h"
#include "base/text.h"
#include "meter/driver.h"
#include "meter/rapl_domain.h"
#include "meter/rapl_text.h"
#include "meter/rapl_topology.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENTRY_BYTES_MOST 4096
#define GROUP_MOST       RAPL_DOMAINS

static const struct {
    const char *file;
    enum rapl_domain domain;
} known_events[] = {
    {"energy-pkg", RAPL_PACKAGE}, {"energy-cores", RAPL_CORE}, {"energy-gpu", RAPL_UNCORE},
    {"energy-ram", RAPL_DRAM},    {"energy-psys", RAPL_PSYS},
};

/* An event as its PMU describes it. */
struct event {
    enum rapl_domain domain;
    uint64_t config;
    double scale_j;
};

struct pmu {
    char *directory;
    uint64_t type;
    struct event events[RAPL_DOMAINS];
    size_t event_count;
};

/* Events of one CPU, read together. */
struct group {
    int leader;
    size_t count;
    int members[GROUP_MOST];     /* descriptors; members[0] is the leader */
    size_t channels[GROUP_MOST]; /* what each adds to */
    double scales_j[GROUP_MOST];
};

struct perf {
    struct rapl_processor processor;
    struct group *groups;
    size_t group_count;
    struct rapl_counter *counters;
    struct channel *channels; /* one a counter */
    size_t count;
    bool denied; /* the kernel refused an event for want of permission */
};

/* ---- what sysfs says ---- */

static char *read_entry(const char *directory, const char *name, const char *suffix, struct error *error)
{
    AUTO_FREE char *path = text_format("%s/%s%s", directory, name, suffix);
    size_t size;
    char *text = path ? file_read(path, ENTRY_BYTES_MOST, &size, error) : NULL;
    if (!path)
        error_memory(error, "rapl-perf");
    if (!text || strlen(text) == size)
        return text;
    error_set(error, "%s: expected text, found a zero byte", path);
    free(text);
    return NULL;
}

static int read_event(const char *events, const char *name, struct event *event, struct error *error)
{
    AUTO_FREE char *config = read_entry(events, name, "", error);
    if (!config)
        return -1;
    if (rapl_parse_event(config, &event->config, error) < 0)
        return error_prefix(error, "%s/%s", events, name);
    AUTO_FREE char *scale = read_entry(events, name, ".scale", error);
    if (!scale)
        return -1;
    if (rapl_parse_scale(scale, &event->scale_j, error) < 0)
        return error_prefix(error, "%s/%s.scale", events, name);
    AUTO_FREE char *unit = read_entry(events, name, ".unit", error);
    if (!unit)
        return -1;
    unit[strcspn(unit, "\n")] = '\0';
    if (strcmp(unit, "Joules") != 0)
        return error_set(error, "%s/%s.unit: expected Joules, found '%s'", events, name, unit);
    return 0;
}

/* Adds the event if the PMU has it. */
static int add_event(struct pmu *pmu, const char *name, enum rapl_domain domain, struct error *error)
{
    AUTO_FREE char *events = file_join(pmu->directory, "events");
    AUTO_FREE char *path = events ? file_join(events, name) : NULL;
    if (!path)
        return error_memory(error, "rapl-perf");
    if (!file_exists(path))
        return 0;
    struct event *event = &pmu->events[pmu->event_count];
    event->domain = domain;
    if (read_event(events, name, event, error) < 0)
        return -1;
    pmu->event_count++;
    return 0;
}

/* The PMU's folder and type; the caller frees pmu->directory. */
static int find_pmu(const char *sysfs, const char *name, struct pmu *pmu, struct error *error)
{
    pmu->directory = text_format("%s/bus/event_source/devices/%s", sysfs, name);
    AUTO_FREE char *type = pmu->directory ? file_join(pmu->directory, "type") : NULL;
    if (!type)
        return error_memory(error, "rapl-perf");
    if (!file_exists(pmu->directory))
        return error_set(error, "%s: the kernel has no RAPL PMU here", pmu->directory);
    if (driver_read_u64_at(type, &pmu->type, error) < 0)
        return -1;
    return pmu->type <= UINT32_MAX ? 0 : error_set(error, "%s: expected a number below 2^32", type);
}

/* The CPUs on which the PMU's events are to be opened. */
static int find_cpus(const char *sysfs, const struct pmu *pmu, enum rapl_share share,
                     struct rapl_places *places, struct error *error)
{
    AUTO_FREE char *mask = file_join(pmu->directory, "cpumask");
    struct rapl_cpus cpus;
    if (!mask)
        return error_memory(error, "rapl-perf");
    if (rapl_read_cpus(mask, &cpus, error) < 0)
        return -1;
    int result = rapl_find_places(sysfs, &cpus, share, places, error);
    if (result < 0 && cpus.count == 0)
        error_prefix(error, "%s", mask);
    free(cpus.items);
    return result;
}

/* ---- the counters ---- */

static int open_event(const struct pmu *pmu, const struct event *event, uint32_t cpu, int leader)
{
    struct perf_event_attr attributes = {.type = (uint32_t)pmu->type,
                                         .size = sizeof attributes,
                                         .config = event->config,
                                         .read_format = PERF_FORMAT_GROUP};
    return (int)syscall(SYS_perf_event_open, &attributes, -1, (int)cpu, leader, PERF_FLAG_FD_CLOEXEC);
}

static struct group *add_group(struct perf *perf)
{
    struct group *groups = realloc(perf->groups, (perf->group_count + 1) * sizeof *groups);
    if (!groups)
        return NULL;
    perf->groups = groups;
    groups[perf->group_count] = (struct group){.leader = -1};
    return &groups[perf->group_count++];
}

/* Opens one more event of `cpu`, in the last group if `joined` and the kernel lets it, else in a new one. */
static int add_member(struct perf *perf, const struct pmu *pmu, const struct event *event, uint32_t cpu,
                      bool joined, size_t channel, struct error *error)
{
    struct group *group = joined ? &perf->groups[perf->group_count - 1] : NULL;
    int descriptor = group ? open_event(pmu, event, cpu, group->leader) : -1;
    if (descriptor < 0) {
        descriptor = open_event(pmu, event, cpu, -1);
        if (descriptor < 0) {
            perf->denied = errno == EACCES || errno == EPERM;
            return error_errno(error, errno, "perf_event_open");
        }
        group = add_group(perf);
        if (!group) {
            close(descriptor);
            return error_memory(error, "rapl-perf");
        }
        group->leader = descriptor;
    }
    group->members[group->count] = descriptor;
    group->channels[group->count] = channel;
    group->scales_j[group->count++] = event->scale_j;
    return 0;
}

static int add_counter(struct perf *perf, enum rapl_domain domain, const struct rapl_place *place, bool dies,
                       double scale_j, struct error *error)
{
    struct rapl_counter *counters = realloc(perf->counters, (perf->count + 1) * sizeof *counters);
    if (!counters)
        return error_memory(error, "rapl-perf");
    perf->counters = counters;
    double step_j = rapl_fixed_unit_j(&perf->processor, domain);
    counters[perf->count++] =
        (struct rapl_counter){.domain = domain,
                              .package = place->package,
                              .die = dies ? place->die : 0,
                              .dies = dies,
                              .resolution_j = fmax(step_j > 0 ? step_j : RAPL_COARSEST_J, scale_j)};
    return 0;
}

/* All of the power PMU's events on one CPU. psys is one for the platform: from the first package. */
static int open_place(struct perf *perf, const struct pmu *pmu, const struct rapl_place *place, bool dies,
                      bool first, struct error *error)
{
    bool joined = false;
    for (size_t i = 0; i < pmu->event_count; i++) {
        const struct event *event = &pmu->events[i];
        if (event->domain == RAPL_PSYS && !first)
            continue;
        if (add_member(perf, pmu, event, place->cpu, joined, perf->count, error) < 0 ||
            add_counter(perf, event->domain, place, dies, event->scale_j, error) < 0)
            return -1;
        joined = true;
    }
    return 0;
}

static int open_power(struct perf *perf, const char *sysfs, struct pmu *pmu, struct error *error)
{
    if (find_pmu(sysfs, "power", pmu, error) < 0)
        return -1;
    for (size_t i = 0; i < sizeof known_events / sizeof *known_events; i++)
        if (add_event(pmu, known_events[i].file, known_events[i].domain, error) < 0)
            return -1;
    if (pmu->event_count == 0)
        return error_set(error, "%s/events: no energy-pkg or other known event in it", pmu->directory);
    struct rapl_places places;
    enum rapl_share share = perf->processor.amd ? SHARED_BY_PACKAGE : SHARED_BY_DIE;
    if (find_cpus(sysfs, pmu, share, &places, error) < 0)
        return -1;
    bool dies = rapl_have_dies(&places);
    int result = 0;
    for (size_t i = 0; i < places.count && result == 0; i++)
        result = open_place(perf, pmu, &places.items[i], dies, i == 0, error);
    free(places.items);
    return result;
}

/* AMD's cores: a counter a package, to which each of its cores adds. */
static int open_cores(struct perf *perf, const char *sysfs, struct pmu *pmu, struct error *error)
{
    AUTO_FREE char *directory = text_format("%s/bus/event_source/devices/power_core", sysfs);
    if (!directory)
        return error_memory(error, "rapl-perf");
    if (!file_exists(directory))
        return 0;
    if (find_pmu(sysfs, "power_core", pmu, error) < 0 || add_event(pmu, "energy-core", RAPL_CORE, error) < 0)
        return -1;
    if (pmu->event_count == 0)
        return 0;
    struct rapl_places places;
    if (find_cpus(sysfs, pmu, SHARED_BY_CORE, &places, error) < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < places.count && result == 0; i++) {
        const struct rapl_place *place = &places.items[i];
        if (i == 0 || place->package != places.items[i - 1].package)
            result = add_counter(perf, RAPL_CORE, place, false, pmu->events[0].scale_j, error);
        if (result == 0)
            result = add_member(perf, pmu, &pmu->events[0], place->cpu, false, perf->count - 1, error);
    }
    free(places.items);
    return result;
}

/* ---- the driver ---- */

static void perf_close(void *state)
{
    struct perf *perf = state;
    for (size_t i = 0; i < perf->group_count; i++)
        for (size_t j = perf->groups[i].count; j > 0; j--)
            close(perf->groups[i].members[j - 1]);
    rapl_free_channels(perf->channels, perf->count);
    free(perf->groups);
    free(perf->counters);
    free(perf);
}

/* "perf_event_paranoid is 2" */
static void explain_denial(const struct meter_setup *setup, struct error *error)
{
    AUTO_FREE char *path = file_join(meter_procfs(setup), "sys/kernel/perf_event_paranoid");
    struct error ignored = ERROR_INIT;
    AUTO_FREE char *level = path ? file_read(path, 64, NULL, &ignored) : NULL;
    if (level)
        level[strcspn(level, "\n")] = '\0';
    AUTO_FREE char *clean = level ? text_printable(level) : NULL;
    error_set(error,
              "perf_event_open: permission denied: counting a whole package needs CAP_PERFMON, or "
              "kernel.perf_event_paranoid at 0 or less (it is %s)",
              clean ? clean : "not known");
    error_clear(&ignored);
}

static struct perf *open_all(const struct meter_setup *setup, bool *denied, struct error *error)
{
    struct perf *perf = calloc(1, sizeof *perf);
    if (!perf) {
        error_memory(error, "rapl-perf");
        return NULL;
    }
    rapl_processor_read(setup, &perf->processor);
    struct pmu power = {0}, core = {0};
    int result = open_power(perf, meter_sysfs(setup), &power, error);
    if (result == 0 && perf->processor.amd)
        result = open_cores(perf, meter_sysfs(setup), &core, error);
    *denied = perf->denied;
    if (*denied)
        explain_denial(setup, error);
    free(power.directory);
    free(core.directory);
    if (result == 0)
        return perf;
    error_prefix(error, "rapl-perf");
    perf_close(perf);
    return NULL;
}

static void *perf_open(const struct meter_setup *setup, const struct channel **channels, size_t *count,
                       struct error *error)
{
    bool denied;
    struct perf *perf = open_all(setup, &denied, error);
    if (!perf)
        return NULL;
    perf->channels = rapl_describe("rapl-perf", &perf->processor, perf->counters, perf->count, error);
    if (!perf->channels) {
        perf_close(perf);
        return NULL;
    }
    *channels = perf->channels;
    *count = perf->count;
    return perf;
}

static void perf_probe(const struct meter_setup *setup, struct meter_probe *probe)
{
    struct error error = ERROR_INIT;
    bool denied = false;
    struct perf *perf = open_all(setup, &denied, &error);
    if (perf) {
        *probe = (struct meter_probe){.usable = true};
        perf_close(perf);
        return;
    }
    const char *remedy = denied ? RAPL_FOR_GOOD "; or until the next boot: sudo sysctl "
                                                "kernel.perf_event_paranoid=0"
                                : "on bare metal: sudo modprobe rapl; " RAPL_ON_HOST;
    driver_unusable(probe, strdup(error_text(&error)), strdup(remedy));
    error_clear(&error);
}

/* What read(2) gives of a group: PERF_FORMAT_GROUP without times. */
struct group_values {
    uint64_t count;
    uint64_t values[GROUP_MOST];
};

static bool read_group(const struct group *group, double *values)
{
    struct group_values got;
    size_t expected = (1 + group->count) * sizeof got.count;
    ssize_t size;
    do
        size = read(group->leader, &got, sizeof got);
    while (size < 0 && errno == EINTR);
    bool whole = size == (ssize_t)expected && got.count == group->count;
    if (size >= 0 && !whole)
        errno = ENODATA; /* the kernel closed the event: its CPU or its PMU has gone */
    for (size_t i = 0; i < group->count; i++)
        values[group->channels[i]] += whole ? (double)got.values[i] * group->scales_j[i] : NAN;
    return whole;
}

static int perf_read(void *state, double *values, struct error *error)
{
    struct perf *perf = state;
    size_t got = 0;
    for (size_t i = 0; i < perf->count; i++)
        values[i] = 0;
    for (size_t i = 0; i < perf->group_count; i++)
        got += read_group(&perf->groups[i], values);
    if (got)
        return 0;
    return error_set(error, "rapl-perf: no counter gave a reading: %s", strerror(errno));
}

const struct meter_driver rapl_perf_driver = {
    .name = "rapl-perf",
    .purpose = "the same counters through the kernel's power PMU (perf_event_open)",
    .model = false,
    .family = "rapl",
    .probe = perf_probe,
    .open = perf_open,
    .read = perf_read,
    .close = perf_close,
};
