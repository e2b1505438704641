/* RAPL from the processor's own registers, through /dev/cpu/N/msr (msr(4)).
 *
 * Intel SDM volume 3B, "RAPL Interfaces", and volume 4 for the addresses; AMD PPR for family 17h; units by
 * model as in Linux's drivers/powercap/intel_rapl_common.c. Energy registers hold 32 bits and wrap. One that
 * can't be read, or holds 0, is not there: that is how the kernel tells, too.
 *
 * AMD has an energy register in each core; they are summed by package, each unwrapped on its own. */
#include "base/file.h"
#include "base/text.h"
#include "meter/driver.h"
#include "meter/rapl_domain.h"
#include "meter/rapl_topology.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STEPS_OF_RANGE 4294967296.0

struct layout {
    uint32_t unit; /* bits 12:8: energy unit, 2^-ESU J */
    uint32_t energy[RAPL_DOMAINS];
    enum rapl_share share;
};

static const struct layout intel_layout = {
    0x606,
    {[RAPL_PACKAGE] = 0x611,
     [RAPL_CORE] = 0x639,
     [RAPL_UNCORE] = 0x641,
     [RAPL_DRAM] = 0x619,
     [RAPL_PSYS] = 0x64d},
    SHARED_BY_DIE,
};

static const struct layout amd_layout = {0xc0010299, {[RAPL_PACKAGE] = 0xc001029b}, SHARED_BY_PACKAGE};

#define AMD_CORE_ENERGY 0xc001029a

struct source {
    int descriptor; /* of the CPU's msr; borrowed from msr->files */
    uint32_t address;
    double unit_j;
    size_t channel;
    bool summed;    /* one of several that make up the channel */
    uint32_t last;  /* of a summed one: what it held, */
    uint64_t steps; /* and how far it has gone since it was opened */
};

struct msr {
    struct rapl_processor processor;
    int *files;
    size_t file_count;
    struct source *sources;
    size_t source_count;
    struct rapl_counter *counters;
    struct channel *channels; /* one a counter */
    size_t count;
};

/* Why the registers cannot be read, as far as the remedy depends on it. */
enum trouble { TROUBLE_NONE, TROUBLE_DENIED, TROUBLE_MODULE };

static int read_register(int descriptor, uint32_t address, uint64_t *value)
{
    ssize_t size;
    do
        size = pread(descriptor, value, sizeof *value, (off_t)address);
    while (size < 0 && errno == EINTR);
    if (size >= 0 && size != (ssize_t)sizeof *value)
        errno = EIO;
    return size == (ssize_t)sizeof *value ? 0 : -1;
}

/* ---- opening ---- */

/* The descriptor is the driver's. */
static int open_cpu(struct msr *msr, const struct meter_setup *setup, uint32_t cpu, enum trouble *trouble,
                    struct error *error)
{
    AUTO_FREE char *path = text_format("%s/cpu/%u/msr", meter_devfs(setup), cpu);
    int *files = realloc(msr->files, (msr->file_count + 1) * sizeof *files);
    if (files)
        msr->files = files;
    if (!path || !files)
        return error_memory(error, "rapl-msr");
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        int number = errno;
        bool denied = number == EACCES || number == EPERM;
        *trouble = denied ? TROUBLE_DENIED : number == ENOENT ? TROUBLE_MODULE : TROUBLE_NONE;
        return error_errno(error, number, path);
    }
    files[msr->file_count++] = descriptor;
    return descriptor;
}

/* Silvermont and Airmont give 2^ESU µJ instead of 2^-ESU J (rapl_check_unit_atom in intel_rapl_common.c). */
static bool counts_microjoules(const struct rapl_processor *processor)
{
    static const uint32_t models[] = {0x37, 0x4a, 0x4c, 0x5a};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (processor->intel && processor->family == 6 && processor->model == models[i])
            return true;
    return false;
}

static int read_unit(const struct msr *msr, int descriptor, uint32_t address, double *unit_j,
                     struct error *error)
{
    uint64_t unit;
    if (read_register(descriptor, address, &unit) < 0 || unit == 0)
        return error_set(error, "register %#x holds no units: this processor, or a virtual one, has no RAPL",
                         address);
    int exponent = (int)(unit >> 8 & 0x1f);
    *unit_j = counts_microjoules(&msr->processor) ? ldexp(1e-6, exponent) : ldexp(1, -exponent);
    return 0;
}

static int add_counter(struct msr *msr, const struct rapl_counter *counter, struct error *error)
{
    struct rapl_counter *counters = realloc(msr->counters, (msr->count + 1) * sizeof *counters);
    if (!counters)
        return error_memory(error, "rapl-msr");
    msr->counters = counters;
    counters[msr->count++] = *counter;
    return 0;
}

static int add_source(struct msr *msr, const struct source *source, struct error *error)
{
    struct source *sources = realloc(msr->sources, (msr->source_count + 1) * sizeof *sources);
    if (!sources)
        return error_memory(error, "rapl-msr");
    msr->sources = sources;
    sources[msr->source_count++] = *source;
    return 0;
}

static bool has_psys(const struct msr *msr)
{
    for (size_t i = 0; i < msr->count; i++)
        if (msr->counters[i].domain == RAPL_PSYS)
            return true;
    return false;
}

static int add_domain(struct msr *msr, const struct layout *layout, enum rapl_domain domain, int descriptor,
                      const struct rapl_place *place, bool dies, double unit_j, struct error *error)
{
    uint64_t value;
    if (!layout->energy[domain] || read_register(descriptor, layout->energy[domain], &value) < 0 ||
        (uint32_t)value == 0 || (domain == RAPL_PSYS && has_psys(msr)))
        return 0;
    double fixed_j = rapl_fixed_unit_j(&msr->processor, domain);
    double step_j = fixed_j > 0 ? fixed_j : unit_j;
    const struct source source = {
        .descriptor = descriptor, .address = layout->energy[domain], .unit_j = step_j, .channel = msr->count};
    const struct rapl_counter counter = {.domain = domain,
                                         .package = place->package,
                                         .die = dies ? place->die : 0,
                                         .dies = dies,
                                         .resolution_j = step_j,
                                         .range_j = step_j * STEPS_OF_RANGE};
    return add_source(msr, &source, error) == 0 ? add_counter(msr, &counter, error) : -1;
}

static int open_package(struct msr *msr, const struct meter_setup *setup, const struct layout *layout,
                        const struct rapl_place *place, bool dies, enum trouble *trouble, struct error *error)
{
    double unit_j;
    int descriptor = open_cpu(msr, setup, place->cpu, trouble, error);
    if (descriptor < 0 || read_unit(msr, descriptor, layout->unit, &unit_j, error) < 0)
        return -1;
    size_t before = msr->count;
    for (int domain = 0; domain < RAPL_DOMAINS; domain++)
        if (add_domain(msr, layout, (enum rapl_domain)domain, descriptor, place, dies, unit_j, error) < 0)
            return -1;
    if (msr->count == before || msr->counters[before].domain != RAPL_PACKAGE)
        return error_set(error, "CPU %u: register %#x does not count: no RAPL here", place->cpu,
                         layout->energy[RAPL_PACKAGE]);
    return 0;
}

/* One core of AMD's. The first of a package makes its counter. */
static int open_core(struct msr *msr, const struct meter_setup *setup, const struct rapl_place *place,
                     bool first, enum trouble *trouble, struct error *error)
{
    double unit_j;
    uint64_t value;
    int descriptor = open_cpu(msr, setup, place->cpu, trouble, error);
    if (descriptor < 0 || read_unit(msr, descriptor, amd_layout.unit, &unit_j, error) < 0)
        return -1;
    if (read_register(descriptor, AMD_CORE_ENERGY, &value) < 0)
        return error_errno(error, errno, "register of a core's energy");
    const struct rapl_counter counter = {
        .domain = RAPL_CORE, .package = place->package, .resolution_j = unit_j};
    if (first && add_counter(msr, &counter, error) < 0)
        return -1;
    const struct source source = {.descriptor = descriptor,
                                  .address = AMD_CORE_ENERGY,
                                  .unit_j = unit_j,
                                  .channel = msr->count - 1,
                                  .summed = true,
                                  .last = (uint32_t)value};
    return add_source(msr, &source, error);
}

static int open_cores(struct msr *msr, const struct meter_setup *setup, const struct rapl_cpus *cpus,
                      enum trouble *trouble, struct error *error)
{
    struct rapl_places places;
    if (rapl_find_places(meter_sysfs(setup), cpus, SHARED_BY_CORE, &places, error) < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < places.count && result == 0; i++) {
        bool first = i == 0 || places.items[i].package != places.items[i - 1].package;
        result = open_core(msr, setup, &places.items[i], first, trouble, error);
    }
    free(places.items);
    return result;
}

static int open_packages(struct msr *msr, const struct meter_setup *setup, const struct layout *layout,
                         const struct rapl_cpus *cpus, enum trouble *trouble, struct error *error)
{
    struct rapl_places places;
    if (rapl_find_places(meter_sysfs(setup), cpus, layout->share, &places, error) < 0)
        return -1;
    bool dies = rapl_have_dies(&places);
    int result = 0;
    for (size_t i = 0; i < places.count && result == 0; i++)
        result = open_package(msr, setup, layout, &places.items[i], dies, trouble, error);
    free(places.items);
    return result;
}

/* ---- mirrors ---- */

/* Before any cores are added, there is one source a counter. */
static int read_source(void *state, size_t i, uint64_t *value)
{
    const struct msr *msr = state;
    if (read_register(msr->sources[i].descriptor, msr->sources[i].address, value) < 0)
        return -1;
    *value = (uint32_t)*value;
    return 0;
}

static int leave_out_mirrors(struct msr *msr, struct error *error)
{
    bool *drop = calloc(msr->count + 1, sizeof *drop);
    if (!drop)
        return error_memory(error, "rapl-msr");
    rapl_drop_mirrors(msr->counters, msr->count, read_source, msr, drop);
    size_t kept = 0;
    for (size_t i = 0; i < msr->count; i++) {
        if (drop[i])
            continue;
        msr->counters[kept] = msr->counters[i];
        msr->sources[kept] = msr->sources[i];
        msr->sources[kept].channel = kept;
        kept++;
    }
    msr->count = msr->source_count = kept;
    free(drop);
    return 0;
}

/* ---- the driver ---- */

static void msr_close(void *state)
{
    struct msr *msr = state;
    rapl_free_channels(msr->channels, msr->count);
    for (size_t i = 0; i < msr->file_count; i++)
        close(msr->files[i]);
    free(msr->files);
    free(msr->sources);
    free(msr->counters);
    free(msr);
}

static int open_registers(struct msr *msr, const struct meter_setup *setup, enum trouble *trouble,
                          struct error *error)
{
    if (!msr->processor.intel && !msr->processor.amd)
        return error_set(error,
                         "expected a processor of Intel, AMD or Hygon: no registers are known of others");
    AUTO_FREE char *online = file_join(meter_sysfs(setup), "devices/system/cpu/online");
    struct rapl_cpus cpus;
    if (!online)
        return error_memory(error, "rapl-msr");
    if (rapl_read_cpus(online, &cpus, error) < 0)
        return -1;
    const struct layout *layout = msr->processor.amd ? &amd_layout : &intel_layout;
    int result = open_packages(msr, setup, layout, &cpus, trouble, error);
    if (result == 0)
        result = leave_out_mirrors(msr, error);
    if (result == 0 && msr->processor.amd)
        result = open_cores(msr, setup, &cpus, trouble, error);
    free(cpus.items);
    return result;
}

static struct msr *open_all(const struct meter_setup *setup, enum trouble *trouble, struct error *error)
{
    struct msr *msr = calloc(1, sizeof *msr);
    if (!msr) {
        error_memory(error, "rapl-msr");
        return NULL;
    }
    rapl_processor_read(setup, &msr->processor);
    if (open_registers(msr, setup, trouble, error) == 0)
        return msr;
    error_prefix(error, "rapl-msr");
    msr_close(msr);
    return NULL;
}

static void *msr_open(const struct meter_setup *setup, const struct channel **channels, size_t *count,
                      struct error *error)
{
    enum trouble trouble = TROUBLE_NONE;
    struct msr *msr = open_all(setup, &trouble, error);
    if (!msr)
        return NULL;
    msr->channels = rapl_describe("rapl-msr", &msr->processor, msr->counters, msr->count, error);
    if (!msr->channels) {
        msr_close(msr);
        return NULL;
    }
    *channels = msr->channels;
    *count = msr->count;
    return msr;
}

static void msr_probe(const struct meter_setup *setup, struct meter_probe *probe)
{
    static const char *const remedies[] = {
        [TROUBLE_NONE] = RAPL_ON_HOST,
        [TROUBLE_DENIED] = "registers are root's alone (CAP_SYS_RAWIO, no kernel lockdown): " RAPL_FOR_GOOD,
        [TROUBLE_MODULE] = "on bare metal: sudo modprobe msr; " RAPL_ON_HOST,
    };
    struct error error = ERROR_INIT;
    enum trouble trouble = TROUBLE_NONE;
    struct msr *msr = open_all(setup, &trouble, &error);
    if (msr) {
        *probe = (struct meter_probe){.usable = true};
        msr_close(msr);
        return;
    }
    driver_unusable(probe, strdup(error_text(&error)), strdup(remedies[trouble]));
    error_clear(&error);
}

static double energy_j(struct source *source, uint64_t value)
{
    if (!source->summed)
        return (double)(uint32_t)value * source->unit_j;
    source->steps += (uint32_t)((uint32_t)value - source->last);
    source->last = (uint32_t)value;
    return (double)source->steps * source->unit_j;
}

static int msr_read(void *state, double *values, struct error *error)
{
    struct msr *msr = state;
    size_t got = 0;
    for (size_t i = 0; i < msr->count; i++)
        values[i] = 0;
    for (size_t i = 0; i < msr->source_count; i++) {
        struct source *source = &msr->sources[i];
        uint64_t value;
        bool read = read_register(source->descriptor, source->address, &value) == 0;
        values[source->channel] += read ? energy_j(source, value) : NAN;
        got += read;
    }
    if (got)
        return 0;
    return error_set(error, "rapl-msr: no register gave a reading: %s", strerror(errno));
}

const struct meter_driver rapl_msr_driver = {
    .name = "rapl-msr",
    .purpose = "the same counters from the processor's registers (/dev/cpu/N/msr)",
    .model = false,
    .family = "rapl",
    .probe = msr_probe,
    .open = msr_open,
    .read = msr_read,
    .close = msr_close,
};
