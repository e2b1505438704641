#include "meter/meter.h"

#include "base/clock.h"
#include "base/text.h"
#include "meter/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct meter {
    const struct meter_driver *driver;
    void *state;
    const struct channel *channels;
    size_t count;
    int64_t asleep_ns;      /* what readings are told */
    int64_t asleep_most_ns; /* an upper limit of the clocks' difference so far */
};

static const char *const scope_names[] = {[SCOPE_CPU] = "cpu",
                                          [SCOPE_DRAM] = "dram",
                                          [SCOPE_GPU] = "gpu",
                                          [SCOPE_PLATFORM] = "platform",
                                          [SCOPE_WALL] = "wall"};
static const char *const kind_names[] = {
    [KIND_COUNTER] = "counter", [KIND_POWER] = "power", [KIND_MODEL] = "model"};

const char *channel_scope_name(enum channel_scope scope)
{
    return scope_names[scope];
}

const char *channel_kind_name(enum channel_kind kind)
{
    return kind_names[kind];
}

static int find_name(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

int channel_scope_parse(const char *name, enum channel_scope *scope)
{
    int found = find_name(scope_names, sizeof scope_names / sizeof *scope_names, name);
    if (found < 0)
        return -1;
    *scope = (enum channel_scope)found;
    return 0;
}

int channel_kind_parse(const char *name, enum channel_kind *kind)
{
    int found = find_name(kind_names, sizeof kind_names / sizeof *kind_names, name);
    if (found < 0)
        return -1;
    *kind = (enum channel_kind)found;
    return 0;
}

int channel_copy(struct channel *to, const struct channel *from, struct error *error)
{
    *to = *from;
    to->meter = from->meter ? strdup(from->meter) : NULL;
    to->name = from->name ? strdup(from->name) : NULL;
    to->label = from->label ? strdup(from->label) : NULL;
    to->part_of = from->part_of ? strdup(from->part_of) : NULL;
    to->accuracy_source = from->accuracy_source ? strdup(from->accuracy_source) : NULL;
    if (!to->meter != !from->meter || !to->name != !from->name || !to->label != !from->label ||
        !to->part_of != !from->part_of || !to->accuracy_source != !from->accuracy_source) {
        channel_free(to);
        return error_memory(error, "channel");
    }
    return 0;
}

void channel_free(struct channel *channel)
{
    free(channel->meter);
    free(channel->name);
    free(channel->label);
    free(channel->part_of);
    free(channel->accuracy_source);
    *channel = (struct channel){0};
}

void meter_probe_free(struct meter_probe *probe)
{
    free(probe->reason);
    free(probe->remedy);
    *probe = (struct meter_probe){0};
}

struct meter *meter_open(const struct meter_driver *driver, const struct meter_setup *setup,
                         struct error *error)
{
    struct meter *meter = calloc(1, sizeof *meter);
    if (!meter) {
        error_memory(error, driver->name);
        return NULL;
    }
    int64_t unused_ns;
    clock_asleep(&unused_ns, &meter->asleep_most_ns);
    meter->driver = driver;
    meter->state = driver->open(setup, &meter->channels, &meter->count, error);
    if (!meter->state) {
        free(meter);
        return NULL;
    }
    return meter;
}

const struct meter_driver *meter_driver_of(const struct meter *meter)
{
    return meter->driver;
}

const struct channel *meter_channels(const struct meter *meter, size_t *count)
{
    *count = meter->count;
    return meter->channels;
}

/* Only what the limits of two measurements of the clocks prove is a sleep: this thread may have been held up
 * between reading one clock and the other. */
static int64_t look_at_clocks(struct meter *meter)
{
    int64_t least_ns, most_ns;
    int64_t boot_ns = clock_asleep(&least_ns, &most_ns);
    if (least_ns > meter->asleep_most_ns) {
        meter->asleep_ns += least_ns - meter->asleep_most_ns;
        meter->asleep_most_ns = most_ns;
    } else if (most_ns < meter->asleep_most_ns) {
        meter->asleep_most_ns = most_ns;
    }
    return boot_ns;
}

const char *const *meter_notes(const struct meter *meter, size_t *count)
{
    *count = 0;
    return meter->driver->notes ? meter->driver->notes(meter->state, count) : NULL;
}

int meter_read(struct meter *meter, struct meter_reading *reading, struct error *error)
{
    int64_t before = look_at_clocks(meter);
    int result = meter->driver->read(meter->state, reading->values, error);
    int64_t after = clock_boot_ns();
    reading->boot_ns = before + (after - before) / 2;
    reading->span_ns = after - before;
    reading->asleep_ns = meter->asleep_ns;
    reading->news = true;
    const struct meter_late *late = meter->driver->late;
    int64_t span_ns, stamp_ns = late && result == 0 ? late->stamp(meter->state, &span_ns) : 0;
    if (late)
        reading->news = stamp_ns != 0;
    if (stamp_ns) {
        reading->boot_ns = stamp_ns;
        reading->span_ns = span_ns;
    }
    return result;
}

bool meter_reached(const struct meter *meter, int64_t boot_ns)
{
    return !meter->driver->late || meter->driver->late->reached(meter->state, boot_ns);
}

void meter_close(struct meter *meter)
{
    if (!meter)
        return;
    meter->driver->close(meter->state);
    free(meter);
}

static const char *root(const char *given, const char *variable, const char *usual)
{
    if (given)
        return given;
    /* of a program with more rights than its caller, the caller must not choose what is read */
    const char *value = secure_getenv(variable);
    return value && value[0] ? value : usual;
}

const char *meter_sysfs(const struct meter_setup *setup)
{
    return root(setup ? setup->sysfs : NULL, "JOULERY_SYSFS", "/sys");
}

const char *meter_procfs(const struct meter_setup *setup)
{
    return root(setup ? setup->procfs : NULL, "JOULERY_PROCFS", "/proc");
}

const char *meter_devfs(const struct meter_setup *setup)
{
    return root(setup ? setup->devfs : NULL, "JOULERY_DEVFS", "/dev");
}

const char *meter_nvml(const struct meter_setup *setup)
{
    return root(setup ? setup->nvml : NULL, "JOULERY_NVML", "libnvidia-ml.so.1");
}

void driver_unusable(struct meter_probe *probe, char *reason, char *remedy)
{
    *probe = (struct meter_probe){.usable = false, .reason = reason, .remedy = remedy};
}

int driver_read_u64(int descriptor, uint64_t *value)
{
    char digits[24]; /* 2^64 has 20 */
    ssize_t size;
    do
        size = pread(descriptor, digits, sizeof digits - 1, 0);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return -1;
    if (size > 0 && digits[size - 1] == '\n')
        size--;
    digits[size] = '\0';
    if (strlen(digits) != (size_t)size || text_to_u64(digits, value) < 0) {
        errno = EBADMSG;
        return -1;
    }
    return 0;
}

int driver_read_u64_at(const char *path, uint64_t *value, struct error *error)
{
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    int result = descriptor < 0 ? -1 : driver_read_u64(descriptor, value);
    if (result < 0 && errno == EBADMSG)
        error_set(error, "%s: expected a whole number", path);
    else if (result < 0)
        error_errno(error, errno, path);
    if (descriptor >= 0)
        close(descriptor);
    return result;
}
