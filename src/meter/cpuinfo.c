#include "meter/cpuinfo.h"

#include "base/file.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKET_IDS         4096
#define CPUINFO_BYTES_MOST (64u << 20) /* a few KiB a logical CPU */

/* The value of a line "key<tabs>: value", or NULL if it is another key's. */
static const char *value_of(const char *line, size_t length, const char *key, size_t *size)
{
    size_t key_length = strlen(key);
    if (length < key_length || strncmp(line, key, key_length) != 0)
        return NULL;
    const char *at = line + key_length, *end = line + length;
    while (at < end && (*at == ' ' || *at == '\t'))
        at++;
    if (at == end || *at != ':')
        return NULL;
    at++;
    while (at < end && *at == ' ')
        at++;
    *size = (size_t)(end - at);
    return at;
}

static bool has_word(const char *words, size_t size, const char *word)
{
    size_t length = strlen(word);
    for (size_t i = 0; i + length <= size; i++) {
        bool starts = i == 0 || words[i - 1] == ' ';
        bool ends = i + length == size || words[i + length] == ' ';
        if (starts && ends && memcmp(words + i, word, length) == 0)
            return true;
    }
    return false;
}

static int keep_first(char **field, const char *value, size_t size, struct error *error)
{
    if (*field || size == 0)
        return 0;
    *field = strndup(value, size);
    return *field ? 0 : error_memory(error, "cpuinfo");
}

/* The first that is given counts. */
static void keep_number(uint32_t *field, const char *value, size_t size)
{
    AUTO_FREE char *digits = strndup(value, size);
    uint64_t number;
    if (*field == 0 && digits && text_to_u64(digits, &number) == 0 && number <= UINT32_MAX)
        *field = (uint32_t)number;
}

/* Each logical CPU names its socket's id; `seen` has a bit for every id met. */
static void count_socket(const char *value, size_t size, struct cpuinfo *info, uint64_t seen[SOCKET_IDS / 64])
{
    AUTO_FREE char *digits = strndup(value, size);
    uint64_t id;
    if (!digits || text_to_u64(digits, &id) < 0 || id >= SOCKET_IDS)
        return;
    uint64_t bit = UINT64_C(1) << id % 64;
    info->sockets += !(seen[id / 64] & bit);
    seen[id / 64] |= bit;
}

static int parse_line(const char *line, size_t length, struct cpuinfo *info, uint64_t seen[SOCKET_IDS / 64],
                      struct error *error)
{
    size_t size;
    const char *value;
    if (value_of(line, length, "processor", &size))
        info->logical_cpus++;
    else if ((value = value_of(line, length, "vendor_id", &size)))
        return keep_first(&info->vendor, value, size, error);
    else if ((value = value_of(line, length, "model name", &size)))
        return keep_first(&info->model, value, size, error);
    else if ((value = value_of(line, length, "cpu family", &size)))
        keep_number(&info->family, value, size);
    else if ((value = value_of(line, length, "model", &size)))
        keep_number(&info->model_number, value, size);
    else if ((value = value_of(line, length, "flags", &size)))
        info->guest = info->guest || has_word(value, size, "hypervisor");
    else if ((value = value_of(line, length, "physical id", &size)))
        count_socket(value, size, info, seen);
    return 0;
}

int cpuinfo_parse(const char *text, struct cpuinfo *info, struct error *error)
{
    *info = (struct cpuinfo){0};
    uint64_t seen[SOCKET_IDS / 64] = {0};
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (parse_line(text, length, info, seen, error) < 0) {
            cpuinfo_free(info);
            return -1;
        }
        text += length + (text[length] == '\n');
    }
    if (info->sockets == 0)
        info->sockets = 1;
    return 0;
}

int cpuinfo_read(const char *procfs, struct cpuinfo *info, struct error *error)
{
    *info = (struct cpuinfo){0};
    AUTO_FREE char *path = file_join(procfs, "cpuinfo");
    if (!path)
        return error_memory(error, "cpuinfo");
    AUTO_FREE char *text = file_read(path, CPUINFO_BYTES_MOST, NULL, error);
    return text ? cpuinfo_parse(text, info, error) : -1;
}

void cpuinfo_free(struct cpuinfo *info)
{
    free(info->vendor);
    free(info->model);
    *info = (struct cpuinfo){0};
}

/* The next number of a line of /proc/stat; a field that is missing (old kernels) is 0. */
static int next_ticks(const char **at, uint64_t *value)
{
    *value = 0;
    while (**at == ' ')
        (*at)++;
    if (**at == '\n' || **at == '\0')
        return 0;
    size_t digits = strspn(*at, "0123456789");
    AUTO_FREE char *number = strndup(*at, digits);
    *at += digits;
    return number && text_to_u64(number, value) == 0 ? 0 : -1;
}

/* The numbers of one CPU's line, or of all. */
static int parse_ticks(const char *at, struct cpu_ticks *ticks, struct error *error)
{
    static const bool is_busy[] = {true, true, true, false, false, true, true, false};
    *ticks = (struct cpu_ticks){0};
    for (size_t i = 0; i < sizeof is_busy; i++) {
        uint64_t value;
        if (next_ticks(&at, &value) < 0 || __builtin_add_overflow(ticks->total, value, &ticks->total))
            return error_set(error, "stat: expected whole numbers after \"cpu\"");
        if (is_busy[i])
            ticks->busy += value;
    }
    return 0;
}

int cpu_ticks_parse(const char *line, struct cpu_ticks *ticks, struct error *error)
{
    *ticks = (struct cpu_ticks){0};
    if (strncmp(line, "cpu ", 4) != 0)
        return error_set(error, "stat: expected a first line \"cpu …\"");
    if (parse_ticks(line + 4, ticks, error) < 0)
        return -1;
    if (ticks->total == 0)
        return error_set(error, "stat: no time has passed for any CPU");
    return 0;
}

/* The N of a line "cpuN …"; `*rest` is what follows. */
static int cpu_number(const char *line, uint64_t *number, const char **rest)
{
    size_t digits = strspn(line + 3, "0123456789");
    AUTO_FREE char *text = strndup(line + 3, digits);
    *rest = line + 3 + digits;
    return text ? text_to_u64(text, number) : -1;
}

int cpu_ticks_parse_each(const char *text, struct cpu_ticks *each, size_t count, struct error *error)
{
    memset(each, 0, count * sizeof *each);
    const char *line = text + strcspn(text, "\n");
    while (*line == '\n' && strncmp(line + 1, "cpu", 3) == 0) {
        const char *rest;
        uint64_t cpu;
        struct cpu_ticks ticks;
        if (cpu_number(line + 1, &cpu, &rest) < 0 || *rest != ' ')
            return error_set(error, "stat: expected lines \"cpu0 …\", \"cpu1 …\" after the first");
        if (parse_ticks(rest, &ticks, error) < 0)
            return -1;
        if (cpu < count)
            each[cpu] = ticks;
        line = rest + strcspn(rest, "\n");
    }
    return 0;
}

int meminfo_parse(const char *text, const char *key, uint64_t *bytes, struct error *error)
{
    for (const char *line = text; *line;) {
        size_t length = strcspn(line, "\n"), size;
        const char *value = value_of(line, length, key, &size);
        if (value) {
            AUTO_FREE char *digits = size > 3 ? strndup(value, size - 3) : NULL;
            uint64_t kib;
            if (!digits || memcmp(value + size - 3, " kB", 3) != 0 || text_to_u64(digits, &kib) < 0 ||
                __builtin_mul_overflow(kib, UINT64_C(1024), bytes))
                return error_set(error, "meminfo: expected \"%s: NUMBER kB\", found \"%.*s\"", key,
                                 (int)(length < 80 ? length : 80), line);
            return 0;
        }
        line += length + (line[length] == '\n');
    }
    return error_set(error, "meminfo: no line \"%s:\"", key);
}
