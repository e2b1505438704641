#include "meter/rapl_domain.h"

#include "base/clock.h"
#include "base/text.h"
#include "meter/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Intel SDM volume 3B: energy status is updated "approximately 1 millisecond". */
#define UPDATE_S 1e-3
/* A package and the platform draw tens of milliwatts at the very least, hundreds of steps a second. QEMU
 * renews its guests' counters once a second (MSR_ENERGY_THREAD_SLEEP_US): three periods. Planes and memory
 * may sleep. */
#define STILL_MOST_S 3

struct domain {
    const char *name;
    enum channel_scope scope;
    double still_most_s;
    double max_power_w; /* well above any part sold; only to tell nonsense */
    double accuracy;
    const char *source;
};

#define PLANE_SOURCE "taken as 5 %: a plane of the package; no published validation against a supply"

static const struct domain domains[RAPL_DOMAINS] = {
    [RAPL_PACKAGE] = {"package", SCOPE_CPU, STILL_MOST_S, 2000, 0.03,
                      "taken as 3 %: Haswell and later measure on the die (Hackenberg et al., HPPAC 2015; "
                      "Khan et al., TOMPECS 2018)"},
    [RAPL_CORE] = {"core", SCOPE_CPU, 0, 2000, 0.05, PLANE_SOURCE},
    [RAPL_UNCORE] = {"uncore", SCOPE_CPU, 0, 1000, 0.05, PLANE_SOURCE},
    [RAPL_DRAM] = {"dram", SCOPE_DRAM, 0, 1000, 0.1,
                   "taken as 10 %: follows measured DIMM power up to an offset (Desrochers, Paradis, Weaver, "
                   "MEMSYS 2016)"},
    [RAPL_PSYS] = {"psys", SCOPE_PLATFORM, STILL_MOST_S, 20000, 0.1,
                   "taken as 10 %: depends on the board's own sensors; no published validation"},
};

#define AMD_SOURCE      "taken as 10 %: AMD's counters are modelled, not measured (Schoene et al., CLUSTER 2021)"
#define ONE_CORE_SOURCE AMD_SOURCE "; the kernel shows the counter of one core here, not of all"

/* ---- the processor ---- */

void rapl_processor_read(const struct meter_setup *setup, struct rapl_processor *processor)
{
    struct machine own = {0};
    struct error ignored = ERROR_INIT;
    const struct cpuinfo *cpu = machine_cpu(setup, &own, &ignored);
    *processor = (struct rapl_processor){0};
    if (cpu) {
        const char *vendor = cpu->vendor ? cpu->vendor : "";
        processor->intel = strcmp(vendor, "GenuineIntel") == 0;
        processor->amd = strcmp(vendor, "AuthenticAMD") == 0 || strcmp(vendor, "HygonGenuine") == 0;
        processor->family = cpu->family;
        processor->model = cpu->model_number;
    }
    error_clear(&ignored);
    machine_free(&own);
}

/* Models of Intel's family 6, as intel_rapl_common.c has them. DRAM: "Intel Xeon Processor E5-1600 and
 * E5-2600 v3 Product Families, Volume 2" gives 15.3 µJ; psys of Sapphire and Emerald Rapids counts joules. */
static const struct {
    uint32_t model;
    enum rapl_domain domain;
    double unit_j;
} fixed_units[] = {
    {0x3f, RAPL_DRAM, 15.3e-6}, /* Haswell-X */
    {0x4f, RAPL_DRAM, 15.3e-6}, /* Broadwell-X */
    {0x55, RAPL_DRAM, 15.3e-6}, /* Skylake-X, Cascade Lake, Cooper Lake */
    {0x6a, RAPL_DRAM, 15.3e-6}, /* Ice Lake-X */
    {0x6c, RAPL_DRAM, 15.3e-6}, /* Ice Lake-D */
    {0x57, RAPL_DRAM, 15.3e-6}, /* Knights Landing */
    {0x85, RAPL_DRAM, 15.3e-6}, /* Knights Mill */
    {0x8f, RAPL_PSYS, 1},       /* Sapphire Rapids */
    {0xcf, RAPL_PSYS, 1},       /* Emerald Rapids */
};

double rapl_fixed_unit_j(const struct rapl_processor *processor, enum rapl_domain domain)
{
    if (!processor->intel || processor->family != 6)
        return 0;
    for (size_t i = 0; i < sizeof fixed_units / sizeof *fixed_units; i++)
        if (fixed_units[i].model == processor->model && fixed_units[i].domain == domain)
            return fixed_units[i].unit_j;
    return 0;
}

/* ---- mirrors ---- */

#define ROUNDS   5
#define ROUND_NS 3000000

struct pair {
    int (*read)(void *state, size_t i, uint64_t *value);
    void *state;
    size_t first, second;
};

/* Counters move on between two reads: the second's value must lie between two of the first's. One that wraps
 * just then looks unequal, and is asked again. */
static bool equal_now(const struct pair *pair)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        uint64_t before, other, after;
        if (pair->read(pair->state, pair->first, &before) < 0 ||
            pair->read(pair->state, pair->second, &other) < 0 ||
            pair->read(pair->state, pair->first, &after) < 0)
            return false;
        if (other == 0 && before == 0)
            return false; /* two that do not count are not one */
        if (before <= other && other <= after)
            return true;
    }
    return false;
}

static bool is_mirror(const struct pair *pair)
{
    for (int round = 0; round < ROUNDS; round++) {
        if (!equal_now(pair))
            return false;
        clock_sleep_until(clock_boot_ns() + ROUND_NS);
    }
    return true;
}

static bool same_package(const struct rapl_counter *left, const struct rapl_counter *right)
{
    return left->domain != RAPL_PSYS && right->domain != RAPL_PSYS && left->package == right->package &&
           left->die == right->die && left->dies == right->dies;
}

static void drop_planes(const struct rapl_counter *counters, size_t count, size_t package, bool *dropped)
{
    for (size_t i = 0; i < count; i++) {
        bool plane = counters[i].domain == RAPL_CORE || counters[i].domain == RAPL_UNCORE;
        if (plane && same_package(&counters[i], &counters[package]))
            dropped[i] = true;
    }
}

/* A package whose dies turned out to share one counter is named like one that has no dies. */
static void join_dies(struct rapl_counter *counters, size_t count, uint32_t package, const bool *dropped)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++)
        left += !dropped[i] && counters[i].domain == RAPL_PACKAGE && counters[i].package == package;
    for (size_t i = 0; i < count && left == 1; i++)
        if (counters[i].package == package && !dropped[i])
            counters[i].dies = false, counters[i].die = 0;
}

void rapl_drop_mirrors(struct rapl_counter *counters, size_t count,
                       int (*read)(void *state, size_t i, uint64_t *value), void *state, bool *dropped)
{
    for (size_t i = 0; i < count; i++) {
        bool mirror = false;
        for (size_t j = 0; j < i && !mirror && !dropped[i]; j++) {
            const struct pair pair = {read, state, j, i};
            mirror = !dropped[j] && counters[j].domain == counters[i].domain && is_mirror(&pair);
        }
        dropped[i] = dropped[i] || mirror;
        if (mirror && counters[i].domain == RAPL_PACKAGE)
            drop_planes(counters, count, i, dropped);
    }
    for (size_t i = 0; i < count; i++)
        if (dropped[i] && counters[i].domain == RAPL_PACKAGE && counters[i].dies)
            join_dies(counters, count, counters[i].package, dropped);
}

/* ---- channels ---- */

int rapl_compare(const struct rapl_counter *left, const struct rapl_counter *right)
{
    const uint32_t keys[][2] = {
        {left->domain == RAPL_PSYS, right->domain == RAPL_PSYS},
        {left->package, right->package},
        {left->die, right->die},
        {left->domain, right->domain},
    };
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return 0;
}

static char *package_name(const struct rapl_counter *counter)
{
    return counter->dies ? text_format("package-%u-die-%u", counter->package, counter->die)
                         : text_format("package-%u", counter->package);
}

static char *counter_name(const struct rapl_counter *counter)
{
    const char *name = counter->one_core ? "one-core" : domains[counter->domain].name;
    if (counter->domain == RAPL_PSYS)
        return strdup(name);
    AUTO_FREE char *package = package_name(counter);
    if (!package || counter->domain == RAPL_PACKAGE)
        return package ? strdup(package) : NULL;
    return text_format("%s/%s", package, name);
}

static bool name_taken(const struct channel *channels, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(channels[i].name, name) == 0)
            return true;
    return false;
}

/* "package-0-2" where the kernel gives two counters that differ the same name. */
static char *unique_name(const struct channel *channels, size_t count, const struct rapl_counter *counter)
{
    AUTO_FREE char *usual = counter_name(counter);
    char *name = usual ? strdup(usual) : NULL;
    for (unsigned next = 2; name && name_taken(channels, count, name); next++) {
        free(name);
        name = text_format("%s-%u", usual, next);
    }
    return name;
}

/* The counter that has `part`'s energy in it, or NULL. With several psys it is not said which package is in
 * which. DRAM is a supply of its own: it hangs below its package in powercap, and is not in its energy. */
static const struct rapl_counter *find_whole(const struct rapl_counter *counters, size_t count,
                                             const struct rapl_counter *part)
{
    const struct rapl_counter *whole = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct rapl_counter *other = &counters[i];
        bool plane = part->domain == RAPL_CORE || part->domain == RAPL_UNCORE;
        if (plane && other->domain == RAPL_PACKAGE && same_package(part, other))
            return other;
        if (part->domain != RAPL_PACKAGE || other->domain != RAPL_PSYS)
            continue;
        if (whole)
            return NULL;
        whole = other;
    }
    return whole;
}

static int describe(const char *meter, bool amd, const struct rapl_counter *counters, size_t count,
                    struct channel *channels, size_t i)
{
    const struct rapl_counter *counter = &counters[i], *whole = find_whole(counters, count, counter);
    const struct domain *domain = &domains[counter->domain];
    const char *source = counter->one_core ? ONE_CORE_SOURCE : amd ? AMD_SOURCE : domain->source;
    channels[i] = (struct channel){.meter = strdup(meter),
                                   .name = unique_name(channels, i, counter),
                                   .part_of = whole ? counter_name(whole) : NULL,
                                   .scope = domain->scope,
                                   .kind = KIND_COUNTER,
                                   .resolution = counter->resolution_j,
                                   .range_j = counter->range_j,
                                   .update_s = UPDATE_S,
                                   .still_most_s = domain->still_most_s,
                                   .max_power_w = domain->max_power_w,
                                   .accuracy = amd ? 0.1 : domain->accuracy,
                                   .accuracy_source = strdup(source)};
    bool complete = channels[i].meter && channels[i].name && channels[i].accuracy_source;
    return complete && !whole == !channels[i].part_of ? 0 : -1;
}

struct channel *rapl_describe(const char *meter, const struct rapl_processor *processor,
                              const struct rapl_counter *counters, size_t count, struct error *error)
{
    struct channel *channels = calloc(count + 1, sizeof *channels);
    for (size_t i = 0; channels && i < count; i++) {
        if (describe(meter, processor->amd, counters, count, channels, i) == 0)
            continue;
        rapl_free_channels(channels, i + 1);
        channels = NULL;
    }
    if (!channels)
        error_memory(error, meter);
    return channels;
}

void rapl_free_channels(struct channel *channels, size_t count)
{
    for (size_t i = 0; channels && i < count; i++)
        channel_free(&channels[i]);
    free(channels);
}

bool rapl_is_denied(const char *path)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return errno == EACCES || errno == EPERM;
    close(descriptor);
    return false;
}
