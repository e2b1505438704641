/* RAPL through Linux's powercap: Documentation/power/powercap/powercap.rst, ABI sysfs-class-powercap.
 *
 * /sys/class/powercap holds one entry a zone, flat: intel-rapl:N are packages and psys, intel-rapl:N:M what
 * hangs below package N. AMD's processors appear under the same names. intel-rapl-mmio:N are a second way to
 * the same package counters and are read only where the first is missing. A zone's `enabled` is about power
 * limits: its energy is counted either way. */
#include "base/file.h"
#include "base/text.h"
#include "meter/driver.h"
#include "meter/rapl_domain.h"
#include "meter/rapl_text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS_OF_RANGE 4294967295.0 /* max_energy_range_uj is this many steps (intel_rapl_common.c) */
#define J_PER_UJ       1e-6

#define HIDDEN                                                                                               \
    "container runtimes hide the counters: docker run --security-opt systempaths=unconfined, podman run "    \
    "--security-opt unmask=ALL, or measure on the host"

struct zone {
    char *name; /* "intel-rapl:0:1" */
    struct rapl_entry entry;
    int energy; /* descriptor of energy_uj */
    struct rapl_counter counter;
};

struct rapl {
    struct rapl_processor processor;
    struct zone *zones;
    struct channel *channels; /* one a zone */
    size_t count;
};

/* Why the zones cannot be read, as far as the remedy depends on it. */
enum trouble { TROUBLE_NONE, TROUBLE_DENIED, TROUBLE_HIDDEN };

static void free_zone(struct zone *zone)
{
    if (zone->energy >= 0)
        close(zone->energy);
    free(zone->name);
}

/* ---- which zones there are ---- */

static int add_zone(struct rapl *rapl, const char *name, struct error *error)
{
    struct rapl_entry entry;
    if (!rapl_parse_entry(name, &entry))
        return 0;
    struct zone *zones = realloc(rapl->zones, (rapl->count + 1) * sizeof *zones);
    if (!zones)
        return error_memory(error, "rapl");
    rapl->zones = zones;
    zones[rapl->count] = (struct zone){.name = strdup(name), .entry = entry, .energy = -1};
    return zones[rapl->count++].name ? 0 : error_memory(error, "rapl");
}

static int list_zones(struct rapl *rapl, const char *powercap, struct error *error)
{
    DIR *directory = opendir(powercap);
    if (!directory)
        return error_errno(error, errno, powercap);
    struct dirent *entry;
    int result = 0;
    while (result == 0 && (entry = readdir(directory)))
        result = add_zone(rapl, entry->d_name, error);
    closedir(directory);
    return result;
}

/* Packages before what hangs below them. */
static int compare_entries(const void *left, const void *right)
{
    const struct rapl_entry *a = &((const struct zone *)left)->entry;
    const struct rapl_entry *b = &((const struct zone *)right)->entry;
    if (a->zone != b->zone)
        return a->zone < b->zone ? -1 : 1;
    return a->sub < b->sub ? -1 : a->sub > b->sub;
}

static int compare_counters(const void *left, const void *right)
{
    const struct zone *a = left, *b = right;
    int order = rapl_compare(&a->counter, &b->counter);
    return order ? order : compare_entries(left, right);
}

/* Leaves out the zones for which `drop` says so. */
static void filter_zones(struct rapl *rapl, const bool *drop)
{
    size_t kept = 0;
    for (size_t i = 0; i < rapl->count; i++) {
        if (drop[i])
            free_zone(&rapl->zones[i]);
        else
            rapl->zones[kept++] = rapl->zones[i];
    }
    rapl->count = kept;
}

static void drop_twins(struct rapl *rapl, bool *drop)
{
    bool msr = false;
    for (size_t i = 0; i < rapl->count; i++)
        msr = msr || !rapl->zones[i].entry.mmio;
    for (size_t i = 0; i < rapl->count; i++)
        drop[i] = msr && rapl->zones[i].entry.mmio;
    filter_zones(rapl, drop);
}

/* ---- what a zone is ---- */

static const struct rapl_counter *find_parent(const struct rapl *rapl, const struct zone *zone)
{
    for (size_t i = 0; i < rapl->count; i++)
        if (rapl->zones[i].entry.zone == zone->entry.zone && rapl->zones[i].entry.sub == 0)
            return &rapl->zones[i].counter;
    return NULL;
}

/* 1: a counter we know; 0: some other zone; -1: a package that would silently be left out. */
static int identify(const struct rapl *rapl, struct zone *zone, const char *name, struct error *error)
{
    static const struct {
        const char *name;
        enum rapl_domain domain;
    } known[] = {{"core", RAPL_CORE}, {"uncore", RAPL_UNCORE}, {"dram", RAPL_DRAM}, {"psys", RAPL_PSYS}};
    struct rapl_counter *counter = &zone->counter;
    if (rapl_parse_package(name, &counter->package, &counter->die, &counter->dies)) {
        counter->domain = RAPL_PACKAGE;
        return 1;
    }
    if (strncmp(name, "package", 7) == 0)
        return error_set(error, "%s/name: expected package-N or package-N-die-M, found '%s'", zone->name,
                         name);
    const struct rapl_counter *parent = zone->entry.sub ? find_parent(rapl, zone) : NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(name, known[i].name) != 0)
            continue;
        if (parent)
            *counter = *parent;
        counter->domain = known[i].domain;
        counter->one_core = counter->domain == RAPL_CORE && rapl->processor.amd;
        return 1;
    }
    return 0;
}

static char *read_name(const char *directory, enum trouble *trouble, struct error *error)
{
    AUTO_FREE char *path = file_join(directory, "name");
    size_t size;
    char *name = path ? file_read(path, 256, &size, error) : NULL;
    if (!path)
        error_memory(error, "rapl");
    else if (!name)
        *trouble = rapl_is_denied(path) ? TROUBLE_DENIED : file_exists(path) ? TROUBLE_NONE : TROUBLE_HIDDEN;
    else if (size && name[size - 1] == '\n')
        name[size - 1] = '\0';
    return name;
}

static int read_range(const char *path, struct rapl_counter *counter, enum trouble *trouble,
                      struct error *error)
{
    uint64_t range_uj;
    if (driver_read_u64_at(path, &range_uj, error) < 0) {
        *trouble = rapl_is_denied(path) ? TROUBLE_DENIED : TROUBLE_NONE;
        return -1;
    }
    if (range_uj == 0)
        return error_set(error, "%s: expected a range above 0", path);
    counter->range_j = (double)range_uj * J_PER_UJ;
    counter->resolution_j = fmax(counter->range_j / STEPS_OF_RANGE, J_PER_UJ);
    return 0;
}

/* 1: a zone to read; 0: one to leave out; -1: an error. */
static int open_zone(struct rapl *rapl, const char *powercap, struct zone *zone, enum trouble *trouble,
                     struct error *error)
{
    AUTO_FREE char *directory = file_join(powercap, zone->name);
    AUTO_FREE char *range = directory ? file_join(directory, "max_energy_range_uj") : NULL;
    AUTO_FREE char *energy = directory ? file_join(directory, "energy_uj") : NULL;
    if (!range || !energy)
        return error_memory(error, "rapl");
    AUTO_FREE char *name = read_name(directory, trouble, error);
    int known = name ? identify(rapl, zone, name, error) : -1;
    if (known <= 0)
        return known;
    if (read_range(range, &zone->counter, trouble, error) < 0)
        return -1;
    uint64_t energy_uj;
    zone->energy = open(energy, O_RDONLY | O_CLOEXEC);
    if (zone->energy >= 0 && driver_read_u64(zone->energy, &energy_uj) == 0)
        return 1;
    bool denied = errno == EACCES || errno == EPERM;
    /* firmware that names a domain it has no counter for: ENODATA, EIO. A package is never left out, or the
     * total would look whole without it */
    if (!denied && zone->counter.domain != RAPL_PACKAGE)
        return 0;
    *trouble = denied ? TROUBLE_DENIED : TROUBLE_NONE;
    return errno == EBADMSG ? error_set(error, "%s: expected a whole number", energy)
                            : error_errno(error, errno, energy);
}

static int read_zone(void *state, size_t i, uint64_t *energy_uj)
{
    return driver_read_u64(((struct rapl *)state)->zones[i].energy, energy_uj);
}

static int leave_out_mirrors(struct rapl *rapl, bool *drop, struct error *error)
{
    struct rapl_counter *counters = calloc(rapl->count + 1, sizeof *counters);
    if (!counters)
        return error_memory(error, "rapl");
    for (size_t i = 0; i < rapl->count; i++) {
        drop[i] = false;
        counters[i] = rapl->zones[i].counter;
    }
    rapl_drop_mirrors(counters, rapl->count, read_zone, rapl, drop);
    for (size_t i = 0; i < rapl->count; i++)
        rapl->zones[i].counter = counters[i];
    free(counters);
    filter_zones(rapl, drop);
    return 0;
}

static int open_listed(struct rapl *rapl, const char *powercap, bool *drop, enum trouble *trouble,
                       struct error *error)
{
    drop_twins(rapl, drop);
    if (rapl->count)
        qsort(rapl->zones, rapl->count, sizeof *rapl->zones, compare_entries);
    for (size_t i = 0; i < rapl->count; i++) {
        int opened = open_zone(rapl, powercap, &rapl->zones[i], trouble, error);
        if (opened < 0)
            return -1;
        drop[i] = opened == 0;
    }
    filter_zones(rapl, drop);
    if (rapl->count == 0)
        return error_set(error, "%s: no RAPL zones (intel-rapl:N) in it", powercap);
    qsort(rapl->zones, rapl->count, sizeof *rapl->zones, compare_counters);
    return leave_out_mirrors(rapl, drop, error);
}

static int open_zones(struct rapl *rapl, const char *powercap, enum trouble *trouble, struct error *error)
{
    if (list_zones(rapl, powercap, error) < 0) {
        *trouble = rapl_is_denied(powercap) ? TROUBLE_DENIED : TROUBLE_NONE;
        return -1;
    }
    bool *drop = calloc(rapl->count + 1, sizeof *drop);
    int result =
        drop ? open_listed(rapl, powercap, drop, trouble, error) : error_memory(error, "list of zones");
    free(drop);
    return result;
}

/* ---- the driver ---- */

static void rapl_close(void *state)
{
    struct rapl *rapl = state;
    rapl_free_channels(rapl->channels, rapl->count);
    for (size_t i = 0; i < rapl->count; i++)
        free_zone(&rapl->zones[i]);
    free(rapl->zones);
    free(rapl);
}

static struct rapl *open_all(const struct meter_setup *setup, enum trouble *trouble, struct error *error)
{
    AUTO_FREE char *powercap = file_join(meter_sysfs(setup), "class/powercap");
    struct rapl *rapl = powercap ? calloc(1, sizeof *rapl) : NULL;
    if (!rapl) {
        error_memory(error, "rapl");
        return NULL;
    }
    rapl_processor_read(setup, &rapl->processor);
    if (open_zones(rapl, powercap, trouble, error) == 0)
        return rapl;
    error_prefix(error, "rapl");
    rapl_close(rapl);
    return NULL;
}

static void *rapl_open(const struct meter_setup *setup, const struct channel **channels, size_t *count,
                       struct error *error)
{
    enum trouble trouble = TROUBLE_NONE;
    struct rapl *rapl = open_all(setup, &trouble, error);
    struct rapl_counter *counters = rapl ? calloc(rapl->count, sizeof *counters) : NULL;
    for (size_t i = 0; counters && i < rapl->count; i++)
        counters[i] = rapl->zones[i].counter;
    if (counters)
        rapl->channels = rapl_describe("rapl", &rapl->processor, counters, rapl->count, error);
    else if (rapl)
        error_memory(error, "rapl");
    free(counters);
    if (rapl && !rapl->channels) {
        rapl_close(rapl);
        return NULL;
    }
    *channels = rapl ? rapl->channels : NULL;
    *count = rapl ? rapl->count : 0;
    return rapl;
}

static void rapl_probe(const struct meter_setup *setup, struct meter_probe *probe)
{
    static const char *const remedies[] = {
        [TROUBLE_NONE] = "on bare metal: sudo modprobe intel_rapl_msr; " RAPL_ON_HOST,
        [TROUBLE_DENIED] = RAPL_FOR_GOOD,
        [TROUBLE_HIDDEN] = HIDDEN,
    };
    struct error error = ERROR_INIT;
    enum trouble trouble = TROUBLE_NONE;
    struct rapl *rapl = open_all(setup, &trouble, &error);
    if (rapl) {
        *probe = (struct meter_probe){.usable = true};
        rapl_close(rapl);
        return;
    }
    driver_unusable(probe, strdup(error_text(&error)), strdup(remedies[trouble]));
    error_clear(&error);
}

static int rapl_read(void *state, double *values, struct error *error)
{
    struct rapl *rapl = state;
    size_t got = 0;
    for (size_t i = 0; i < rapl->count; i++) {
        uint64_t energy_uj;
        bool read = driver_read_u64(rapl->zones[i].energy, &energy_uj) == 0;
        values[i] = read ? (double)energy_uj * J_PER_UJ : NAN;
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
