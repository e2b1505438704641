/* Energy and power from Linux's hardware monitoring: Documentation/hwmon/sysfs-interface.rst. What each
 * chip's figures mean stands in hwmon_chips.c; here they are found and read.
 *
 * A chip is a folder class/hwmon/hwmonN with its driver's word in `name`; older drivers (acpi_power_meter)
 * keep their files one step further, in hwmonN/device. */
#include "base/file.h"
#include "base/text.h"
#include "meter/amd_visible.h"
#include "meter/driver.h"
#include "meter/hwmon_chips.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct chip {
    char *name;   /* as hwmon_input has it */
    char *folder; /* of its files */
    char *device; /* resolved path of hwmonN/device; "" if there is none */
    unsigned number, instance;
    char *own_label; /* for chips whose label is in their name: i915_gtN */
};

struct sensor {
    int value;   /* descriptor */
    int current; /* of an INA3221; else -1 */
    double unit; /* of what is read, J or W */
};

struct hwmon {
    struct chip *chips;
    size_t chip_count;
    struct sensor *sensors;
    struct channel *channels; /* one a sensor */
    char **addresses;         /* PCI address of each AMD GPU's channel; NULL for others */
    size_t count;
    char **notes;
    size_t note_count;
    bool denied; /* permission lacked for something */
};

/* ---- small files ---- */

/* folder/name without its newline; NULL if it can't be read. */
static char *read_word(const char *folder, const char *name)
{
    struct error ignored = ERROR_INIT;
    AUTO_FREE char *path = file_join(folder, name);
    char *word = path ? file_read(path, 4096, NULL, &ignored) : NULL;
    error_clear(&ignored);
    if (word)
        word[strcspn(word, "\n")] = '\0';
    return word;
}

static bool read_number(const char *folder, const char *name, uint64_t *value)
{
    struct error ignored = ERROR_INIT;
    AUTO_FREE char *path = file_join(folder, name);
    bool read = path && driver_read_u64_at(path, value, &ignored) == 0;
    error_clear(&ignored);
    return read;
}

/* ---- chips ---- */

static void free_chip(struct chip *chip)
{
    free(chip->name);
    free(chip->folder);
    free(chip->device);
    free(chip->own_label);
}

/* Only APUs show their north bridge's voltage, or are one of those that are an APU but don't (Linux
 * amdgpu_pm.c; MI300A, gc 9.4.3, is PCI device 0x74a0). */
static bool is_apu(const struct chip *chip)
{
    AUTO_FREE char *label = read_word(chip->folder, "in1_label");
    AUTO_FREE char *device = read_word(chip->device, "device");
    return (label && strcmp(label, "vddnb") == 0) || (device && strcasecmp(device, "0x74a0") == 0);
}

static bool is_jetson(const char *sysfs)
{
    AUTO_FREE char *board = read_word(sysfs, "firmware/devicetree/base/compatible");
    return board && strncmp(board, "nvidia,", 7) == 0;
}

/* Batteries and chargers show themselves here, too (power_supply_hwmon): they have a driver of their own. */
static bool is_supply(const char *device)
{
    AUTO_FREE char *type = read_word(device, "type");
    return type != NULL;
}

/* The name under which hwmon_chips knows the chip. */
static int rename_chip(const char *sysfs, struct chip *chip)
{
    const char *name = NULL;
    unsigned tile;
    if (strcmp(chip->name, "amdgpu") == 0 && is_apu(chip))
        name = "amdgpu apu";
    else if (strcmp(chip->name, "ina3221") == 0 && is_jetson(sysfs))
        name = "jetson";
    else if (hwmon_parse_name(chip->name, "i915_gt", "", &tile)) {
        name = "i915_gt";
        chip->own_label = text_format("gt%u", tile);
        if (!chip->own_label)
            return -1;
    }
    if (!name)
        return 0;
    free(chip->name);
    chip->name = strdup(name);
    return chip->name ? 0 : -1;
}

/* 1: a chip; 0: none, or one without a name; -1: memory ran out. */
static int find_chip(const char *sysfs, const char *entry, struct chip *chip)
{
    *chip = (struct chip){0};
    if (!hwmon_parse_name(entry, "hwmon", "", &chip->number))
        return 0;
    AUTO_FREE char *folder = text_format("%s/class/hwmon/%s", sysfs, entry);
    AUTO_FREE char *device = folder ? file_join(folder, "device") : NULL;
    if (!device)
        return -1;
    chip->name = read_word(folder, "name");
    bool inner = !chip->name;
    if (inner)
        chip->name = read_word(device, "name");
    if (!chip->name || is_supply(device)) {
        free_chip(chip);
        return 0;
    }
    char *resolved = realpath(device, NULL);
    chip->folder = strdup(inner ? device : folder);
    chip->device = resolved ? resolved : strdup("");
    return chip->folder && chip->device && rename_chip(sysfs, chip) == 0 ? 1 : (free_chip(chip), -1);
}

/* By device, which stays where it is over reboots; numbers of hwmon don't. */
static int compare_chips(const void *left, const void *right)
{
    const struct chip *a = left, *b = right;
    int order = strcmp(a->device, b->device);
    return order ? order : a->number < b->number ? -1 : a->number > b->number;
}

/* Devices of a group get 0, 1, …; chips of one device are the same instance. */
static void count_instances(struct hwmon *hwmon)
{
    for (size_t i = 0; i < hwmon->chip_count; i++) {
        struct chip *chip = &hwmon->chips[i];
        for (size_t k = 0; k < i; k++) {
            const struct chip *other = &hwmon->chips[k];
            if (strcmp(hwmon_group(chip->name), hwmon_group(other->name)) != 0)
                continue;
            bool same = chip->device[0] && strcmp(chip->device, other->device) == 0;
            chip->instance = other->instance + !same;
        }
    }
}

static int list_chips(struct hwmon *hwmon, const char *sysfs, struct error *error)
{
    AUTO_FREE char *folder = file_join(sysfs, "class/hwmon");
    DIR *directory = folder ? opendir(folder) : NULL;
    if (!directory)
        return folder ? error_errno(error, errno, folder) : error_memory(error, "hwmon");
    struct dirent *entry;
    int found = 0;
    while (found >= 0 && (entry = readdir(directory))) {
        struct chip chip;
        found = find_chip(sysfs, entry->d_name, &chip);
        if (found != 1)
            continue;
        struct chip *chips = realloc(hwmon->chips, (hwmon->chip_count + 1) * sizeof *chips);
        if (chips) {
            hwmon->chips = chips;
            chips[hwmon->chip_count++] = chip;
        } else {
            free_chip(&chip);
            found = -1;
        }
    }
    closedir(directory);
    if (found < 0)
        return error_memory(error, "hwmon");
    if (hwmon->chip_count)
        qsort(hwmon->chips, hwmon->chip_count, sizeof *hwmon->chips, compare_chips);
    count_instances(hwmon);
    return 0;
}

/* ---- inputs ---- */

static void add_note(struct hwmon *hwmon, char *note)
{
    char **notes = note ? realloc(hwmon->notes, (hwmon->note_count + 1) * sizeof *notes) : NULL;
    if (!notes) {
        free(note);
        return;
    }
    hwmon->notes = notes;
    notes[hwmon->note_count++] = note;
}

static int open_below(const char *folder, const char *name)
{
    AUTO_FREE char *path = file_join(folder, name);
    return path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
}

static void close_sensor(struct sensor *sensor)
{
    if (sensor->value >= 0)
        close(sensor->value);
    if (sensor->current >= 0)
        close(sensor->current);
}

static double read_sensor(const struct sensor *sensor)
{
    uint64_t value, current = 1;
    if (driver_read_u64(sensor->value, &value) < 0)
        return NAN;
    if (sensor->current >= 0 && driver_read_u64(sensor->current, &current) < 0)
        return NAN;
    return (double)value * (double)current * sensor->unit;
}

/* Kinds of input by the names of their files; N goes between the two parts. Averages before what is there at
 * the moment: the first that a number has is taken. */
struct form {
    const char *prefix, *suffix, *label_suffix;
    bool is_energy;
    const char *current; /* a second file's prefix: voltage (mV) times current (mA) is power (uW) */
};

static const struct form forms[] = {
    {"energy", "_input", "_label", true, NULL},
    {"power", "_average", "_label", false, NULL},
    {"power", "_input", "_label", false, NULL},
    {"in", "_input", "_label", false, "curr"},
};

/* Many chips have voltages and currents that don't belong together; INA3221's first three do. */
static bool form_fits(const struct form *form, const struct chip *chip, unsigned number)
{
    if (!form->current)
        return true;
    bool ina = strcmp(chip->name, "jetson") == 0 || strcmp(chip->name, "ina3221") == 0;
    return ina && number >= 1 && number <= 3;
}

static char *label_of(const struct chip *chip, const struct form *form, unsigned number)
{
    AUTO_FREE char *name = text_format("%s%u%s", form->prefix, number, form->label_suffix);
    AUTO_FREE char *oem = text_format("%s%u_oem_info", form->prefix, number);
    if (chip->own_label)
        return strdup(chip->own_label);
    char *label = name ? read_word(chip->folder, name) : NULL;
    if (!label && oem)
        label = read_word(chip->folder, oem);
    return label;
}

static struct sensor open_sensor(const struct chip *chip, const struct form *form, unsigned number)
{
    struct sensor sensor = {.value = -1, .current = -1, .unit = 1e-6};
    AUTO_FREE char *value = text_format("%s%u%s", form->prefix, number, form->suffix);
    AUTO_FREE char *current = form->current ? text_format("%s%u_input", form->current, number) : NULL;
    if (value)
        sensor.value = open_below(chip->folder, value);
    if (current && sensor.value >= 0)
        sensor.current = open_below(chip->folder, current);
    return sensor;
}

/* How long a figure is an average, where the driver says it: ms. */
static void describe_interval(const struct chip *chip, const struct form *form, unsigned number,
                              struct channel *channel)
{
    AUTO_FREE char *average = text_format("%s%u_average_interval", form->prefix, number);
    const char *name = form->current ? "update_interval" : average;
    uint64_t interval_ms;
    if (channel->kind != KIND_POWER || !name || !read_number(chip->folder, name, &interval_ms))
        return;
    if (interval_ms == 0 || interval_ms > 3600000)
        return;
    channel->averaging_s = channel->update_s = (double)interval_ms * 1e-3;
}

/* "0000:03:00.0" of ".../0000:02:00.0/0000:03:00.0". */
static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Room for one more; what is in it counts only once hwmon->count does. */
static int reserve(struct hwmon *hwmon)
{
    size_t size = hwmon->count + 1;
    struct channel *channels = realloc(hwmon->channels, size * sizeof *channels);
    hwmon->channels = channels ? channels : hwmon->channels;
    struct sensor *sensors = realloc(hwmon->sensors, size * sizeof *sensors);
    hwmon->sensors = sensors ? sensors : hwmon->sensors;
    char **addresses = realloc(hwmon->addresses, size * sizeof *addresses);
    hwmon->addresses = addresses ? addresses : hwmon->addresses;
    return channels && sensors && addresses ? 0 : -1;
}

/* The reserved place becomes a channel, which takes over the strings of `meaning`. */
static int add_channel(struct hwmon *hwmon, const struct chip *chip, const char *label,
                       struct hwmon_meaning *meaning)
{
    AUTO_FREE char *told = text_format("%s%s%s", label ? label : "", label && chip->device[0] ? ", " : "",
                                       last_part(chip->device));
    bool amd = strcmp(chip->name, "amdgpu") == 0;
    char **address = &hwmon->addresses[hwmon->count];
    struct channel *channel = &hwmon->channels[hwmon->count++];
    *address = amd ? strdup(last_part(chip->device)) : NULL;
    *channel = meaning->channel;
    channel->meter = strdup("hwmon");
    channel->name = meaning->name;
    channel->part_of = meaning->part_of;
    channel->label = told && *told ? text_printable(told) : NULL;
    channel->accuracy_source = strdup(meaning->source);
    meaning->name = meaning->part_of = NULL;
    return channel->meter && channel->accuracy_source && !amd == !*address ? 0 : -1;
}

/* An input that gives nothing now is not a channel: it would leave a hole in every total. */
static void leave_out(struct hwmon *hwmon, const struct hwmon_meaning *meaning, int number)
{
    hwmon->denied = hwmon->denied || number == EACCES;
    if (meaning->known)
        add_note(hwmon,
                 text_format("%s is left out: %s", meaning->name,
                             number == EBADMSG ? "expected a whole number in its file" : strerror(number)));
}

static int add_input(struct hwmon *hwmon, const struct chip *chip, const struct form *form, unsigned number)
{
    AUTO_FREE char *label = label_of(chip, form, number);
    const struct hwmon_input input = {.chip = chip->name,
                                      .label = label,
                                      .is_energy = form->is_energy,
                                      .number = number,
                                      .instance = chip->instance};
    struct hwmon_meaning meaning;
    int understood = reserve(hwmon) < 0 ? -1 : hwmon_understand(&input, &meaning);
    if (understood != 1)
        return understood;
    describe_interval(chip, form, number, &meaning.channel);
    struct sensor *sensor = &hwmon->sensors[hwmon->count];
    *sensor = open_sensor(chip, form, number);
    bool opened = sensor->value >= 0 && (!form->current || sensor->current >= 0);
    int result = 0;
    if (opened && isfinite(read_sensor(sensor))) {
        result = add_channel(hwmon, chip, label, &meaning);
    } else {
        leave_out(hwmon, &meaning, errno);
        close_sensor(sensor);
    }
    free(meaning.name);
    free(meaning.part_of);
    return result;
}

struct found {
    const struct form *form;
    unsigned number;
};

static int compare_found(const void *left, const void *right)
{
    const struct found *a = left, *b = right;
    if (a->form != b->form)
        return a->form < b->form ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* Whether an earlier form tells of the same. */
static bool told_better(const struct found *input, const struct found *inputs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (inputs[i].form < input->form && inputs[i].number == input->number &&
            strcmp(inputs[i].form->prefix, input->form->prefix) == 0)
            return true;
    return false;
}

#define INPUTS_MOST 4096 /* amd_energy has one a core */

/* The chip's inputs in order; the caller frees them. NULL: memory ran out. */
static struct found *find_inputs(const struct chip *chip, size_t *count)
{
    struct found *inputs = calloc(INPUTS_MOST, sizeof *inputs);
    DIR *directory = inputs ? opendir(chip->folder) : NULL;
    struct dirent *entry;
    *count = 0;
    while (directory && (entry = readdir(directory)) && *count < INPUTS_MOST) {
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
            unsigned number;
            if (!hwmon_parse_name(entry->d_name, forms[i].prefix, forms[i].suffix, &number) ||
                !form_fits(&forms[i], chip, number))
                continue;
            inputs[(*count)++] = (struct found){&forms[i], number};
            break;
        }
    }
    if (directory)
        closedir(directory);
    if (*count)
        qsort(inputs, *count, sizeof *inputs, compare_found);
    return inputs;
}

static int open_inputs(struct hwmon *hwmon, const struct chip *chip)
{
    size_t count;
    struct found *inputs = find_inputs(chip, &count);
    int result = inputs ? 0 : -1;
    for (size_t i = 0; i < count && result == 0; i++)
        if (!told_better(&inputs[i], inputs, count))
            result = add_input(hwmon, chip, inputs[i].form, inputs[i].number);
    free(inputs);
    return result;
}

/* ---- all channels together ---- */

static size_t find_channel(const struct hwmon *hwmon, const char *name, size_t before)
{
    for (size_t i = 0; i < before; i++)
        if (strcmp(hwmon->channels[i].name, name) == 0)
            return i;
    return before;
}

/* A part whose whole isn't there stands for itself; of two with one name the second is a mirror. */
static int settle_names(struct hwmon *hwmon)
{
    for (size_t i = 0; i < hwmon->count; i++) {
        struct channel *channel = &hwmon->channels[i];
        if (channel->part_of && find_channel(hwmon, channel->part_of, hwmon->count) == hwmon->count) {
            channel->apart = channel->apart && !channel->twin;
            channel->twin = false;
            free(channel->part_of);
            channel->part_of = NULL;
        }
        if (find_channel(hwmon, channel->name, i) == i)
            continue;
        char *name = text_format("%s again (%zu)", channel->name, i);
        if (!name)
            return -1;
        free(channel->name);
        channel->name = name;
        channel->apart = true;
    }
    return 0;
}

/* A socket's power by its graphics' driver is the processor once more where a chip measures that. */
static void set_twice_measured_apart(struct hwmon *hwmon)
{
    static const char graphics[] = "apu-amd-";
    bool measured = false;
    for (size_t i = 0; i < hwmon->count; i++) {
        const struct channel *channel = &hwmon->channels[i];
        bool other = strncmp(channel->name, graphics, sizeof graphics - 1) != 0;
        measured = measured || (channel->scope == SCOPE_CPU && !channel->apart && other);
    }
    for (size_t i = 0; i < hwmon->count && measured; i++)
        if (strncmp(hwmon->channels[i].name, graphics, sizeof graphics - 1) == 0)
            hwmon->channels[i].apart = true;
}

/* GPUs that the command may not use are other people's. */
static int set_neighbours_apart(struct hwmon *hwmon, const char *sysfs)
{
    const char **addresses = calloc(hwmon->count + 1, sizeof *addresses);
    size_t *places = calloc(hwmon->count + 1, sizeof *places);
    bool *ours = calloc(hwmon->count + 1, sizeof *ours);
    size_t count = 0;
    int result = addresses && places && ours ? 0 : -1;
    for (size_t i = 0; i < hwmon->count && result == 0; i++) {
        if (!hwmon->addresses[i])
            continue;
        places[count] = i;
        addresses[count++] = hwmon->addresses[i];
    }
    if (result == 0)
        result = amd_visible(sysfs, getenv("ROCR_VISIBLE_DEVICES"), getenv("HIP_VISIBLE_DEVICES"), addresses,
                             count, ours);
    for (size_t i = 0; i < count && result == 0; i++) {
        if (ours[i])
            continue;
        hwmon->channels[places[i]].apart = true;
        add_note(hwmon, text_format("%s is not among ROCR_VISIBLE_DEVICES and HIP_VISIBLE_DEVICES: it is in "
                                    "no total",
                                    hwmon->channels[places[i]].name));
    }
    free(addresses);
    free(places);
    free(ours);
    return result;
}

static void hwmon_close(void *state)
{
    struct hwmon *hwmon = state;
    for (size_t i = 0; i < hwmon->chip_count; i++)
        free_chip(&hwmon->chips[i]);
    for (size_t i = 0; i < hwmon->count; i++) {
        close_sensor(&hwmon->sensors[i]);
        channel_free(&hwmon->channels[i]);
        free(hwmon->addresses[i]);
    }
    for (size_t i = 0; i < hwmon->note_count; i++)
        free(hwmon->notes[i]);
    free(hwmon->chips);
    free(hwmon->sensors);
    free(hwmon->channels);
    free(hwmon->addresses);
    free(hwmon->notes);
    free(hwmon);
}

static int open_chips(struct hwmon *hwmon, const char *sysfs, struct error *error)
{
    if (list_chips(hwmon, sysfs, error) < 0)
        return -1;
    for (size_t i = 0; i < hwmon->chip_count; i++)
        if (open_inputs(hwmon, &hwmon->chips[i]) < 0)
            return error_memory(error, "hwmon");
    if (hwmon->count == 0 && (hwmon->note_count || hwmon->denied))
        return error_set(error, "%s/class/hwmon: %s", sysfs,
                         hwmon->note_count ? hwmon->notes[0] : "permission denied");
    if (hwmon->count == 0)
        return error_set(error, "%s/class/hwmon: no chip there tells energy or power", sysfs);
    if (settle_names(hwmon) < 0 || set_neighbours_apart(hwmon, sysfs) < 0)
        return error_memory(error, "hwmon");
    set_twice_measured_apart(hwmon);
    return 0;
}

/* Why nothing could be opened. */
enum trouble { TROUBLE_NO_CHIP, TROUBLE_DENIED, TROUBLE_SILENT };

static struct hwmon *open_all(const struct meter_setup *setup, enum trouble *trouble, struct error *error)
{
    struct hwmon *hwmon = calloc(1, sizeof *hwmon);
    *trouble = TROUBLE_NO_CHIP;
    if (!hwmon) {
        error_memory(error, "hwmon");
        return NULL;
    }
    int opened = open_chips(hwmon, meter_sysfs(setup), error);
    if (hwmon->note_count || hwmon->denied)
        *trouble = hwmon->denied ? TROUBLE_DENIED : TROUBLE_SILENT;
    if (opened == 0)
        return hwmon;
    error_prefix(error, "hwmon");
    hwmon_close(hwmon);
    return NULL;
}

static void *hwmon_open(const struct meter_setup *setup, const struct channel **channels, size_t *count,
                        struct error *error)
{
    enum trouble trouble;
    struct hwmon *hwmon = open_all(setup, &trouble, error);
    if (!hwmon)
        return NULL;
    *channels = hwmon->channels;
    *count = hwmon->count;
    return hwmon;
}

static char *remedy(const struct meter_setup *setup, enum trouble trouble)
{
    if (trouble == TROUBLE_SILENT)
        return strdup("wake the device if it sleeps; else read the file itself to see what the kernel gives");
    if (trouble == TROUBLE_DENIED)
        return text_format(
            "amd_energy: sudo joulery meters --grant --apply; others: run as root, or until the next "
            "boot: sudo chmod a+r "
            "%s/class/hwmon/hwmon*/{energy,power}*_{input,average}",
            meter_sysfs(setup));
    return strdup(
        "nothing: this machine has none of the chips that do (GPUs of AMD and Intel, Grace, Jetson, "
        "amd_energy, ACPI power meters)");
}

static void hwmon_probe(const struct meter_setup *setup, struct meter_probe *probe)
{
    struct error error = ERROR_INIT;
    enum trouble trouble;
    struct hwmon *hwmon = open_all(setup, &trouble, &error);
    if (hwmon) {
        *probe = (struct meter_probe){.usable = true};
        hwmon_close(hwmon);
        return;
    }
    driver_unusable(probe, strdup(error_text(&error)), remedy(setup, trouble));
    error_clear(&error);
}

static const char *const *hwmon_notes(void *state, size_t *count)
{
    const struct hwmon *hwmon = state;
    *count = hwmon->note_count;
    return (const char *const *)hwmon->notes;
}

static int hwmon_read(void *state, double *values, struct error *error)
{
    const struct hwmon *hwmon = state;
    size_t got = 0;
    for (size_t i = 0; i < hwmon->count; i++) {
        values[i] = read_sensor(&hwmon->sensors[i]);
        got += isfinite(values[i]);
    }
    return got ? 0 : error_set(error, "hwmon: no chip gave a reading: %s", strerror(errno));
}

const struct meter_driver hwmon_driver = {
    .name = "hwmon",
    .purpose = "energy and power of processors, GPUs and boards that Linux's hardware monitoring knows",
    .model = false,
    .probe = hwmon_probe,
    .open = hwmon_open,
    .notes = hwmon_notes,
    .read = hwmon_read,
    .close = hwmon_close,
};
