#include "meter/rapl_topology.h"

#include "base/file.h"
#include "base/text.h"
#include "meter/driver.h"

#include <stdlib.h>
#include <string.h>

#define LIST_BYTES_MOST (1u << 20)

int rapl_read_cpus(const char *path, struct rapl_cpus *cpus, struct error *error)
{
    size_t size;
    AUTO_FREE char *text = file_read(path, LIST_BYTES_MOST, &size, error);
    *cpus = (struct rapl_cpus){0};
    if (!text)
        return -1;
    if (strlen(text) != size)
        return error_set(error, "%s: expected a list of CPUs like 0,18-19", path);
    return rapl_parse_cpus(text, cpus, error) == 0 ? 0 : error_prefix(error, "%s", path);
}

static int read_id(const char *sysfs, uint32_t cpu, const char *file, uint32_t *id, struct error *error)
{
    AUTO_FREE char *path = text_format("%s/devices/system/cpu/cpu%u/topology/%s", sysfs, cpu, file);
    if (!path)
        return error_memory(error, "topology");
    uint64_t value;
    if (!file_exists(path) && strcmp(file, "die_id") == 0) { /* Linux before 5.3 */
        *id = 0;
        return 0;
    }
    if (driver_read_u64_at(path, &value, error) < 0)
        return -1;
    if (value > UINT32_MAX)
        return error_set(error, "%s: expected a number below 2^32", path);
    *id = (uint32_t)value;
    return 0;
}

static int read_place(const char *sysfs, uint32_t cpu, struct rapl_place *place, struct error *error)
{
    place->cpu = cpu;
    if (read_id(sysfs, cpu, "physical_package_id", &place->package, error) < 0 ||
        read_id(sysfs, cpu, "die_id", &place->die, error) < 0)
        return -1;
    return read_id(sysfs, cpu, "core_id", &place->core, error);
}

static int compare_places(const void *left, const void *right)
{
    const struct rapl_place *a = left, *b = right;
    const uint32_t keys[][2] = {
        {a->package, b->package}, {a->die, b->die}, {a->core, b->core}, {a->cpu, b->cpu}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (keys[i][0] != keys[i][1])
            return keys[i][0] < keys[i][1] ? -1 : 1;
    return 0;
}

static bool shares(const struct rapl_place *left, const struct rapl_place *right, enum rapl_share share)
{
    if (left->package != right->package)
        return false;
    return share == SHARED_BY_PACKAGE ||
           (left->die == right->die && (share == SHARED_BY_DIE || left->core == right->core));
}

int rapl_find_places(const char *sysfs, const struct rapl_cpus *cpus, enum rapl_share share,
                     struct rapl_places *places, struct error *error)
{
    *places = (struct rapl_places){.items = calloc(cpus->count + 1, sizeof *places->items)};
    if (!places->items)
        return error_memory(error, "topology");
    int result = cpus->count ? 0 : error_set(error, "expected at least one CPU in the list");
    for (size_t i = 0; i < cpus->count && result == 0; i++)
        result = read_place(sysfs, cpus->items[i], &places->items[i], error);
    if (result < 0) {
        free(places->items);
        *places = (struct rapl_places){0};
        return -1;
    }
    qsort(places->items, cpus->count, sizeof *places->items, compare_places);
    for (size_t i = 0; i < cpus->count; i++)
        if (i == 0 || !shares(&places->items[i], &places->items[places->count - 1], share))
            places->items[places->count++] = places->items[i];
    return 0;
}

bool rapl_have_dies(const struct rapl_places *places)
{
    for (size_t i = 1; i < places->count; i++)
        if (places->items[i].package == places->items[i - 1].package)
            return true;
    return false;
}
