/* A laptop's battery while it runs the machine: Linux Documentation/ABI/testing/sysfs-class-power.
 *
 * What the battery gives is what the whole machine takes, screen and losses included; it stands beside the
 * software's total and is never in it. Two figures are offered by most batteries: the power now (or a
 * current, µA, times a voltage, µV; some drivers give a discharging current a minus sign) and the energy
 * left. The power is taken: the energy left moves in steps of 10 mWh or more. ACPI leaves the sampling time
 * to the maker
 * (_BMS, ACPI 6.0 section 10.2.2.5); the kernel asks the battery at most once a second (acpi/battery.c,
 * cache_time), and many renew their figure only every 10 to 60 s. */
#include "base/file.h"
#include "base/text.h"
#include "meter/driver.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UPDATE_S    30
#define MAX_POWER_W 500
#define ACCURACY    0.1

struct cell {
    char *name;
    int status;       /* descriptor of `status` */
    int power;        /* of power_now, or of current_now */
    int voltage;      /* of voltage_now with a current; else -1 */
    bool discharging; /* at open */
};

struct batteries {
    struct cell *cells;
    struct channel *channels; /* one a cell */
    size_t count;
};

static void close_cell(struct cell *cell)
{
    int *descriptors[] = {&cell->status, &cell->power, &cell->voltage};
    for (size_t i = 0; i < sizeof descriptors / sizeof *descriptors; i++) {
        if (*descriptors[i] >= 0)
            close(*descriptors[i]);
        *descriptors[i] = -1;
    }
    free(cell->name);
    cell->name = NULL;
}

/* Whether a file holds just this word; files of sysfs are read from their start each time. */
static bool holds(int descriptor, const char *word)
{
    char text[64];
    ssize_t size = pread(descriptor, text, sizeof text - 1, 0);
    if (size <= 0)
        return false;
    text[size - (text[size - 1] == '\n')] = '\0';
    return strcmp(text, word) == 0;
}

static int open_below(const char *folder, const char *name)
{
    AUTO_FREE char *path = file_join(folder, name);
    return path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

/* The size of a whole number, which may have a minus sign: which way a current flows `status` says. */
static int read_size(int descriptor, double *size)
{
    char digits[32];
    ssize_t length = pread(descriptor, digits, sizeof digits - 1, 0);
    int64_t value;
    if (length <= 0)
        return -1;
    digits[length - (digits[length - 1] == '\n')] = '\0';
    if (text_to_i64(digits, &value) < 0) {
        errno = EBADMSG;
        return -1;
    }
    *size = fabs((double)value);
    return 0;
}

static double read_power_w(const struct cell *cell)
{
    double power, voltage = 1;
    if (!holds(cell->status, "Discharging") || read_size(cell->power, &power) < 0)
        return NAN;
    if (cell->voltage < 0)
        return power * 1e-6;
    return read_size(cell->voltage, &voltage) < 0 ? NAN : power * 1e-6 * voltage * 1e-6;
}

/* 1: a battery of this machine that tells its power; 0: another supply; mice and pens have batteries, too. */
static int open_cell(const char *folder, const char *name, struct cell *cell)
{
    *cell = (struct cell){.status = -1, .power = -1, .voltage = -1};
    int type = open_below(folder, "type"), scope = open_below(folder, "scope");
    bool ours = holds(type, "Battery") && !holds(scope, "Device");
    if (type >= 0)
        close(type);
    if (scope >= 0)
        close(scope);
    if (!ours)
        return 0;
    cell->status = open_below(folder, "status");
    cell->power = open_below(folder, "power_now");
    if (cell->power < 0) {
        cell->power = open_below(folder, "current_now");
        cell->voltage = open_below(folder, "voltage_now");
    }
    cell->name = text_printable(name);
    if (!cell->name) {
        close_cell(cell);
        return -1;
    }
    double size;
    cell->discharging = holds(cell->status, "Discharging");
    bool whole = cell->power >= 0 && read_size(cell->power, &size) == 0;
    if (whole)
        return 1;
    close_cell(cell);
    return 0;
}

static int list_cells(struct batteries *batteries, const char *folder, struct error *error)
{
    DIR *directory = opendir(folder);
    if (!directory)
        return error_errno(error, errno, folder);
    struct dirent *entry;
    int found = 0;
    while (found >= 0 && (entry = readdir(directory))) {
        if (entry->d_name[0] == '.')
            continue;
        struct cell cell;
        AUTO_FREE char *supply = file_join(folder, entry->d_name);
        found = supply ? open_cell(supply, entry->d_name, &cell) : -1;
        if (found != 1)
            continue;
        struct cell *cells = realloc(batteries->cells, (batteries->count + 1) * sizeof *cells);
        if (cells) {
            batteries->cells = cells;
            cells[batteries->count++] = cell;
        } else {
            close_cell(&cell);
            found = -1;
        }
    }
    closedir(directory);
    return found < 0 ? error_memory(error, "battery") : 0;
}

static int compare_cells(const void *left, const void *right)
{
    const struct cell *a = left, *b = right;
    return strcmp(a->name, b->name);
}

static int describe_cells(struct batteries *batteries, struct error *error)
{
    batteries->channels = calloc(batteries->count + 1, sizeof *batteries->channels);
    if (!batteries->channels)
        return error_memory(error, "battery");
    for (size_t i = 0; i < batteries->count; i++) {
        struct channel *channel = &batteries->channels[i];
        *channel = (struct channel){.meter = strdup("battery"),
                                    .name = strdup(batteries->cells[i].name),
                                    .accuracy_source = strdup("taken as 10 %: the battery's own gauge, "
                                                              "renewed every second to every minute"),
                                    .scope = SCOPE_PLATFORM,
                                    .kind = KIND_POWER,
                                    .resolution = 1e-3,
                                    .update_s = UPDATE_S,
                                    .averaging_s = UPDATE_S,
                                    .max_power_w = MAX_POWER_W,
                                    .accuracy = ACCURACY};
        if (!channel->meter || !channel->name || !channel->accuracy_source)
            return error_memory(error, "battery");
    }
    return 0;
}

static void battery_close(void *state)
{
    struct batteries *batteries = state;
    for (size_t i = 0; i < batteries->count; i++) {
        close_cell(&batteries->cells[i]);
        if (batteries->channels)
            channel_free(&batteries->channels[i]);
    }
    free(batteries->cells);
    free(batteries->channels);
    free(batteries);
}

/* One of several batteries may rest while another gives: all are channels if one discharges. */
static int check_discharging(const struct batteries *batteries, const char *folder, struct error *error)
{
    if (batteries->count == 0)
        return error_set(error, "%s: no battery there tells its power", folder);
    for (size_t i = 0; i < batteries->count; i++)
        if (batteries->cells[i].discharging)
            return 0;
    return error_set(error, "the machine runs from the mains: %s/%s is not discharging", folder,
                     batteries->cells[0].name);
}

static int open_cells(struct batteries *batteries, const char *sysfs, struct error *error)
{
    AUTO_FREE char *folder = file_join(sysfs, "class/power_supply");
    if (!folder)
        return error_memory(error, "battery");
    if (list_cells(batteries, folder, error) < 0 || check_discharging(batteries, folder, error) < 0)
        return error_prefix(error, "battery");
    qsort(batteries->cells, batteries->count, sizeof *batteries->cells, compare_cells);
    return describe_cells(batteries, error);
}

static void *battery_open(const struct meter_setup *setup, const struct channel **channels, size_t *count,
                          struct error *error)
{
    struct batteries *batteries = calloc(1, sizeof *batteries);
    if (!batteries) {
        error_memory(error, "battery");
        return NULL;
    }
    if (open_cells(batteries, meter_sysfs(setup), error) < 0) {
        battery_close(batteries);
        return NULL;
    }
    *channels = batteries->channels;
    *count = batteries->count;
    return batteries;
}

static void battery_probe(const struct meter_setup *setup, struct meter_probe *probe)
{
    struct error error = ERROR_INIT;
    const struct channel *channels;
    size_t count;
    void *batteries = battery_open(setup, &channels, &count, &error);
    if (batteries) {
        *probe = (struct meter_probe){.usable = true};
        battery_close(batteries);
        return;
    }
    bool mains = strstr(error_text(&error), "mains") != NULL;
    driver_unusable(probe, strdup(error_text(&error)),
                    strdup(mains ? "unplug the charger to measure the whole machine by its battery"
                                 : "nothing: only a laptop's battery can tell what the whole machine takes"));
    error_clear(&error);
}

static int battery_read(void *state, double *values, struct error *error)
{
    const struct batteries *batteries = state;
    size_t got = 0;
    for (size_t i = 0; i < batteries->count; i++) {
        values[i] = read_power_w(&batteries->cells[i]);
        got += isfinite(values[i]);
    }
    return got ? 0 : error_set(error, "battery: it does not discharge any more, or tells nothing");
}

const struct meter_driver battery_driver = {
    .name = "battery",
    .purpose = "the whole machine's power while it runs from its battery",
    .model = false,
    .probe = battery_probe,
    .open = battery_open,
    .read = battery_read,
    .close = battery_close,
};
