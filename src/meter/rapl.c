/* RAPL through Linux's powercap: Documentation/power/powercap/powercap.rst, ABI sysfs-class-powercap.
 *
 * /sys/class/powercap holds one entry a zone, flat: intel-rapl:N are packages and psys, intel-rapl:N:M what
 * hangs below package N. AMD's processors appear under the same names. intel-rapl-mmio:N are a second way to
 * the same package counters and are read only where the first is missing.
 *
 * core and uncore (power planes 0 and 1) lie on the processor's die: their energy is in the package's. dram
 * hangs below the package in the tree, but is a supply of its own that the package's counter leaves out
 * (Intel SDM volume 3B, "RAPL Domains"). psys is the platform's: it has the packages and more. */
#include "base/file.h"
#include "base/text.h"
#include "meter/cpuinfo.h"
#include "meter/driver.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct zone {
    char *entry;      /* "intel-rapl:0:1" */
    unsigned package; /* N */
    unsigned sub;     /* M + 1; 0: top-level */
    bool mmio;
    char *kernel_name; /* "package-0", "core", "dram", "psys" */
    int energy;        /* descriptor of energy_uj */
    double range_j;
};

struct rapl {
    struct zone *zones;
    struct channel *channels; /* one a zone */
    size_t count;
};

/* What is known of each kind of domain. Update period: Intel SDM volume 3B, "approximately 1 millisecond". */
struct domain {
    const char *prefix;
    enum channel_scope scope;
    double still_most_s;
    double max_power_w; /* well above any part sold; only to tell nonsense */
    double accuracy;
    const char *source;
};

#define UPDATE_S 1e-3
/* A package and the platform draw tens of milliwatts at the very least, hundreds of steps a second. QEMU
 * renews its guests' counters once a second (MSR_ENERGY_THREAD_SLEEP_US): three periods. Planes and memory
 * may sleep. */
#define STILL_MOST_S 3
#define RESOLUTION_J 61.04e-6 /* 2^-14 J, the coarsest unit of Intel's and AMD's energy counters in use */

static const struct domain domains[] = {
    {"package-", SCOPE_CPU, STILL_MOST_S, 2000, 0.03,
     "taken as 3 %: Haswell and later measure on the die (Hackenberg et al., HPPAC 2015; Khan et al., "
     "TOMPECS 2018)"},
    {"core", SCOPE_CPU, 0, 2000, 0.05,
     "taken as 5 %: a plane of the package; no published validation against a supply"},
    {"uncore", SCOPE_CPU, 0, 1000, 0.05,
     "taken as 5 %: a plane of the package; no published validation against a supply"},
    {"dram", SCOPE_DRAM, 0, 1000, 0.1,
     "taken as 10 %: follows measured DIMM power up to an offset (Desrochers, Paradis, Weaver, MEMSYS 2016)"},
    {"psys", SCOPE_PLATFORM, STILL_MOST_S, 20000, 0.1,
     "taken as 10 %: depends on the board's own sensors; no published validation"},
};

static const char amd_source[] =
    "taken as 10 %: AMD's counters are modelled, not measured (Schoene et al., CLUSTER 2021)";

static const struct domain *find_domain(const char *name)
{
    for (size_t i = 0; i < sizeof domains / sizeof *domains; i++)
        if (strncmp(name, domains[i].prefix, strlen(domains[i].prefix)) == 0)
            return &domains[i];
    return NULL;
}

/* "intel-rapl:N[:M]" or "intel-rapl-mmio:N[:M]", and nothing else. */
static bool parse_entry(const char *entry, struct zone *zone)
{
    static const char msr[] = "intel-rapl:", mmio[] = "intel-rapl-mmio:";
    const char *rest = NULL;
    zone->mmio = strncmp(entry, mmio, sizeof mmio - 1) == 0;
    if (zone->mmio)
        rest = entry + sizeof mmio - 1;
    else if (strncmp(entry, msr, sizeof msr - 1) == 0)
        rest = entry + sizeof msr - 1;
    if (!rest)
        return false;
    AUTO_FREE char *numbers = strdup(rest);
    char *colon = numbers ? strchr(numbers, ':') : NULL;
    uint64_t package, sub = 0;
    if (colon)
        *colon = '\0';
    if (!numbers || text_to_u64(numbers, &package) < 0 || package > 65535)
        return false;
    if (colon && (text_to_u64(colon + 1, &sub) < 0 || sub > 65534))
        return false;
    zone->package = (unsigned)package;
    zone->sub = colon ? (unsigned)sub + 1 : 0;
    return true;
}

static int compare_zones(const void *left, const void *right)
{
    const struct zone *a = left, *b = right;
    if (a->package != b->package)
        return a->package < b->package ? -1 : 1;
    return a->sub < b->sub ? -1 : a->sub > b->sub;
}

static void free_zone(struct zone *zone)
{
    if (zone->energy >= 0)
        close(zone->energy);
    free(zone->entry);
    free(zone->kernel_name);
}

/* The zone's name without its newline. */
static char *read_name(const char *directory, struct error *error)
{
    AUTO_FREE char *path = file_join(directory, "name");
    if (!path) {
        error_memory(error, "rapl");
        return NULL;
    }
    size_t size;
    char *name = file_read(path, 256, &size, error);
    if (name && size && name[size - 1] == '\n')
        name[size - 1] = '\0';
    return name;
}

/* 1: a zone to read; 0: one to leave out; -1: an error. `denied` is set if permission is what lacks. */
static int open_zone(const char *powercap, struct zone *zone, bool *denied, struct error *error)
{
    AUTO_FREE char *directory = file_join(powercap, zone->entry);
    AUTO_FREE char *range = directory ? file_join(directory, "max_energy_range_uj") : NULL;
    AUTO_FREE char *energy = directory ? file_join(directory, "energy_uj") : NULL;
    if (!range || !energy)
        return error_memory(error, "rapl");
    zone->kernel_name = read_name(directory, error);
    if (!zone->kernel_name)
        return -1;
    if (!find_domain(zone->kernel_name))
        return 0;
    uint64_t range_uj, energy_uj;
    if (driver_read_u64_at(range, &range_uj, error) < 0)
        return -1;
    if (range_uj == 0)
        return error_set(error, "%s: expected a range above 0", range);
    zone->range_j = (double)range_uj * 1e-6;
    zone->energy = open(energy, O_RDONLY | O_CLOEXEC);
    if (zone->energy >= 0 && driver_read_u64(zone->energy, &energy_uj) == 0)
        return 1;
    *denied = errno == EACCES || errno == EPERM;
    if (zone->sub && !*denied) /* firmware that names a plane it has no counter for: ENODATA, EIO */
        return 0;
    return error_errno(error, errno, energy);
}

static int add_zone(struct rapl *rapl, const struct zone *found, const char *entry)
{
    struct zone *zones = realloc(rapl->zones, (rapl->count + 1) * sizeof *zones);
    if (!zones)
        return -1;
    rapl->zones = zones;
    char *copy = strdup(entry);
    if (!copy)
        return -1;
    zones[rapl->count] = *found;
    zones[rapl->count].energy = -1;
    zones[rapl->count].kernel_name = NULL;
    zones[rapl->count++].entry = copy;
    return 0;
}

static int list_zones(struct rapl *rapl, const char *powercap, struct error *error)
{
    DIR *directory = opendir(powercap);
    if (!directory)
        return error_errno(error, errno, powercap);
    struct dirent *entry;
    int result = 0;
    while (result == 0 && (entry = readdir(directory))) {
        struct zone zone = {0};
        if (parse_entry(entry->d_name, &zone) && add_zone(rapl, &zone, entry->d_name) < 0)
            result = error_memory(error, "rapl");
    }
    closedir(directory);
    return result;
}

/* Leaves out the zones for which `keep` says no. */
static void filter_zones(struct rapl *rapl, const bool *keep)
{
    size_t kept = 0;
    for (size_t i = 0; i < rapl->count; i++) {
        if (keep[i])
            rapl->zones[kept++] = rapl->zones[i];
        else
            free_zone(&rapl->zones[i]);
    }
    rapl->count = kept;
}

static void drop_twins(struct rapl *rapl, bool *keep)
{
    bool msr = false;
    for (size_t i = 0; i < rapl->count; i++)
        msr = msr || !rapl->zones[i].mmio;
    for (size_t i = 0; i < rapl->count; i++)
        keep[i] = !(msr && rapl->zones[i].mmio);
    filter_zones(rapl, keep);
}

static int open_zones(struct rapl *rapl, const char *powercap, bool *denied, struct error *error)
{
    if (list_zones(rapl, powercap, error) < 0)
        return -1;
    bool *keep = calloc(rapl->count + 1, sizeof *keep);
    if (!keep)
        return error_memory(error, "rapl");
    drop_twins(rapl, keep);
    int opened = 0;
    for (size_t i = 0; i < rapl->count && opened >= 0; i++) {
        opened = open_zone(powercap, &rapl->zones[i], denied, error);
        keep[i] = opened == 1;
    }
    if (opened >= 0) {
        filter_zones(rapl, keep);
        error_clear(error);
        if (rapl->count)
            qsort(rapl->zones, rapl->count, sizeof *rapl->zones, compare_zones);
        else
            opened = error_set(error, "%s: no RAPL zones (intel-rapl:N) in it", powercap);
    }
    free(keep);
    return opened < 0 ? -1 : 0;
}

static const struct zone *find_parent(const struct rapl *rapl, const struct zone *zone)
{
    for (size_t i = 0; i < rapl->count; i++)
        if (rapl->zones[i].package == zone->package && rapl->zones[i].sub == 0)
            return &rapl->zones[i];
    return NULL;
}

/* The one psys, or NULL: with several it is not said which package is in which. */
static const struct zone *find_psys(const struct rapl *rapl)
{
    const struct zone *psys = NULL;
    for (size_t i = 0; i < rapl->count; i++) {
        if (strncmp(rapl->zones[i].kernel_name, "psys", 4) != 0)
            continue;
        if (psys)
            return NULL;
        psys = &rapl->zones[i];
    }
    return psys;
}

static bool name_taken(const struct rapl *rapl, size_t before, const char *name)
{
    for (size_t i = 0; i < before; i++)
        if (strcmp(rapl->channels[i].name, name) == 0)
            return true;
    return false;
}

static int describe_zone(struct rapl *rapl, size_t i, bool amd)
{
    const struct zone *zone = &rapl->zones[i];
    const struct domain *domain = find_domain(zone->kernel_name);
    const struct zone *parent = zone->sub ? find_parent(rapl, zone) : NULL;
    const struct zone *psys = find_psys(rapl);
    struct channel *channel = &rapl->channels[i];
    *channel = (struct channel){.scope = domain->scope,
                                .kind = KIND_COUNTER,
                                .resolution = RESOLUTION_J,
                                .range_j = zone->range_j,
                                .update_s = UPDATE_S,
                                .still_most_s = domain->still_most_s,
                                .max_power_w = domain->max_power_w,
                                .accuracy = amd ? 0.1 : domain->accuracy};
    channel->meter = strdup("rapl");
    channel->accuracy_source = strdup(amd ? amd_source : domain->source);
    channel->name =
        parent ? text_format("%s/%s", parent->kernel_name, zone->kernel_name) : strdup(zone->kernel_name);
    if (channel->name && name_taken(rapl, i, channel->name)) {
        free(channel->name);
        channel->name = text_format("%s@%s", zone->kernel_name, zone->entry);
    }
    const struct zone *whole = NULL;
    if (domain->scope == SCOPE_CPU)
        whole = parent ? parent : psys;
    if (whole)
        channel->part_of = strdup(whole->kernel_name);
    return channel->meter && channel->accuracy_source && channel->name && (!whole || channel->part_of) ? 0
                                                                                                       : -1;
}

static int describe_zones(struct rapl *rapl, const struct meter_setup *setup, struct error *error)
{
    struct cpuinfo cpu = {0};
    struct error ignored = ERROR_INIT;
    bool amd = cpuinfo_read(meter_procfs(setup), &cpu, &ignored) == 0 && cpu.vendor &&
               strcmp(cpu.vendor, "AuthenticAMD") == 0;
    error_clear(&ignored);
    cpuinfo_free(&cpu);
    rapl->channels = calloc(rapl->count, sizeof *rapl->channels);
    if (!rapl->channels)
        return error_memory(error, "rapl");
    for (size_t i = 0; i < rapl->count; i++)
        if (describe_zone(rapl, i, amd) < 0)
            return error_memory(error, "rapl");
    return 0;
}

static void rapl_close(void *state)
{
    struct rapl *rapl = state;
    for (size_t i = 0; i < rapl->count; i++) {
        free_zone(&rapl->zones[i]);
        if (rapl->channels)
            channel_free(&rapl->channels[i]);
    }
    free(rapl->zones);
    free(rapl->channels);
    free(rapl);
}

static struct rapl *open_all(const struct meter_setup *setup, bool *denied, struct error *error)
{
    AUTO_FREE char *powercap = file_join(meter_sysfs(setup), "class/powercap");
    struct rapl *rapl = powercap ? calloc(1, sizeof *rapl) : NULL;
    if (!rapl) {
        error_memory(error, "rapl");
        return NULL;
    }
    if (open_zones(rapl, powercap, denied, error) == 0)
        return rapl;
    error_prefix(error, "rapl");
    rapl_close(rapl);
    return NULL;
}

static void *rapl_open(const struct meter_setup *setup, const struct channel **channels, size_t *count,
                       struct error *error)
{
    bool denied = false;
    struct rapl *rapl = open_all(setup, &denied, error);
    if (!rapl)
        return NULL;
    if (describe_zones(rapl, setup, error) < 0) {
        rapl_close(rapl);
        return NULL;
    }
    *channels = rapl->channels;
    *count = rapl->count;
    return rapl;
}

static void rapl_probe(const struct meter_setup *setup, struct meter_probe *probe)
{
    struct error error = ERROR_INIT;
    bool denied = false;
    struct rapl *rapl = open_all(setup, &denied, &error);
    if (rapl) {
        *probe = (struct meter_probe){.usable = true};
        rapl_close(rapl);
        return;
    }
    const char *sysfs = meter_sysfs(setup);
    char *remedy =
        denied
            ? text_format("run as root, or until the next boot: sudo chmod a+r "
                          "%s/class/powercap/intel-rapl*/energy_uj",
                          sysfs)
            : text_format(
                  "on bare metal: sudo modprobe intel_rapl_msr; in a virtual machine: measure on its host");
    driver_unusable(probe, strdup(error_text(&error)), remedy);
    error_clear(&error);
}

static int rapl_read(void *state, double *values, struct error *error)
{
    struct rapl *rapl = state;
    size_t got = 0;
    for (size_t i = 0; i < rapl->count; i++) {
        uint64_t energy_uj;
        bool read = driver_read_u64(rapl->zones[i].energy, &energy_uj) == 0;
        values[i] = read ? (double)energy_uj * 1e-6 : NAN;
        got += read;
    }
    if (got)
        return 0;
    return error_set(error, "rapl: no counter gave a reading: %s", strerror(errno));
}

const struct meter_driver rapl_driver = {
    .name = "rapl",
    .purpose = "energy counters of the processor and its memory (Linux powercap)",
    .model = false,
    .family = "rapl",
    .probe = rapl_probe,
    .open = rapl_open,
    .read = rapl_read,
    .close = rapl_close,
};
