#include "meter/rapl_text.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define NUMBER_MOST 65534

/* All of the `length` characters are digits of a number of at most `most`. */
static bool parse_number(const char *text, size_t length, uint32_t most, uint32_t *number)
{
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text[i] - '0');
        if (value > most)
            return false;
    }
    *number = (uint32_t)value;
    return length > 0;
}

static size_t line_length(const char *text)
{
    size_t length = strlen(text);
    return length && text[length - 1] == '\n' ? length - 1 : length;
}

bool rapl_parse_entry(const char *text, struct rapl_entry *entry)
{
    static const struct {
        const char *prefix;
        bool mmio;
    } kinds[] = {{"intel-rapl:", false}, {"intel-rapl-mmio:", true}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t length = strlen(kinds[i].prefix);
        if (strncmp(text, kinds[i].prefix, length) != 0)
            continue;
        const char *zone = text + length, *colon = strchr(zone, ':');
        *entry = (struct rapl_entry){.mmio = kinds[i].mmio};
        if (!colon)
            return parse_number(zone, strlen(zone), NUMBER_MOST, &entry->zone);
        bool fine = parse_number(zone, (size_t)(colon - zone), NUMBER_MOST, &entry->zone) &&
                    parse_number(colon + 1, strlen(colon + 1), NUMBER_MOST, &entry->sub);
        entry->sub++;
        return fine;
    }
    return false;
}

bool rapl_parse_package(const char *text, uint32_t *package, uint32_t *die, bool *dies)
{
    static const char prefix[] = "package-", middle[] = "-die-";
    if (strncmp(text, prefix, sizeof prefix - 1) != 0)
        return false;
    const char *number = text + sizeof prefix - 1, *end = text + line_length(text);
    const char *second = strstr(number, middle);
    *die = 0;
    *dies = second != NULL;
    if (second && !parse_number(second + sizeof middle - 1, (size_t)(end - second) - (sizeof middle - 1),
                                NUMBER_MOST, die))
        return false;
    return end > number &&
           parse_number(number, (size_t)((second ? second : end) - number), NUMBER_MOST, package);
}

/* "18" or "18-19" */
static bool parse_range(const char *text, size_t length, uint32_t *first, uint32_t *last)
{
    const char *dash = memchr(text, '-', length);
    size_t before = dash ? (size_t)(dash - text) : length;
    if (!parse_number(text, before, RAPL_CPU_MOST, first))
        return false;
    *last = *first;
    return !dash || (parse_number(dash + 1, length - before - 1, RAPL_CPU_MOST, last) && *last > *first);
}

static int add_range(struct rapl_cpus *cpus, uint32_t first, uint32_t last, struct error *error)
{
    size_t more = (size_t)last - first + 1;
    uint32_t *items = realloc(cpus->items, (cpus->count + more) * sizeof *items);
    if (!items)
        return error_memory(error, "list of CPUs");
    cpus->items = items;
    for (size_t i = 0; i < more; i++)
        items[cpus->count++] = first + (uint32_t)i;
    return 0;
}

int rapl_parse_cpus(const char *text, struct rapl_cpus *cpus, struct error *error)
{
    *cpus = (struct rapl_cpus){0};
    const char *at = text, *end = text + line_length(text);
    int result = 0;
    while (result == 0 && at < end) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const char *stop = comma ? comma : end;
        uint32_t first, last;
        bool fine = parse_range(at, (size_t)(stop - at), &first, &last) && stop + 1 != end &&
                    (cpus->count == 0 || first > cpus->items[cpus->count - 1]);
        result = fine ? add_range(cpus, first, last, error)
                      : error_set(error, "expected an ascending list of CPUs like 0,18-19");
        at = comma ? comma + 1 : end;
    }
    if (result < 0) {
        free(cpus->items);
        *cpus = (struct rapl_cpus){0};
    }
    return result;
}

static int hex_digit(char digit)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = digit ? strchr(digits, digit | 0x20) : NULL;
    return found ? (int)(found - digits) : -1;
}

int rapl_parse_event(const char *text, uint64_t *config, struct error *error)
{
    static const char prefix[] = "event=0x";
    size_t length = line_length(text), skip = sizeof prefix - 1;
    uint64_t value = 0;
    bool fine = length > skip && length <= skip + 8 && strncmp(text, prefix, skip) == 0;
    for (size_t i = skip; fine && i < length; i++) {
        int digit = hex_digit(text[i]);
        fine = digit >= 0;
        value = value * 16 + (uint64_t)(digit & 15);
    }
    if (!fine || value > 0xff)
        return error_set(error, "expected an event like event=0x02");
    *config = value;
    return 0;
}

int rapl_parse_scale(const char *text, double *scale_j, struct error *error)
{
    AUTO_FREE char *number = strndup(text, line_length(text));
    if (!number)
        return error_memory(error, "scale");
    double value;
    if (text_to_double(number, &value) < 0 || !(value > 0) || value > 1000)
        return error_set(error, "expected a scale above 0 and at most 1000 J");
    *scale_j = value;
    return 0;
}
