#include "base/memory.h"

#include "base/file.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* What version 1 and 2 of control groups call the same things. */
static const struct group_files {
    const char *mount, *limit, *usage, *reclaimable; /* mount: below cgroupfs */
} v1 = {"/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "\ntotal_inactive_file "},
  v2 = {"", "memory.max", "memory.current", "\ninactive_file "};

static char *read_small(const char *path)
{
    struct error ignored = ERROR_INIT;
    char *text = file_read(path, 1 << 20, NULL, &ignored);
    error_clear(&ignored);
    return text;
}

static char *read_in_group(const struct group_files *files, const char *cgroupfs, const char *group,
                           const char *name)
{
    AUTO_FREE char *path = text_format("%s%s%s/%s", cgroupfs, files->mount, group, name);
    return path ? read_small(path) : NULL;
}

/* The number that follows `key` in `text`, or `otherwise`. */
static uint64_t number_after(const char *text, const char *key, uint64_t otherwise)
{
    const char *at = text ? strstr(text, key) : NULL;
    char *end;
    if (!at)
        return otherwise;
    at += strlen(key);
    uint64_t number = strtoull(at, &end, 10);
    return end == at ? otherwise : number; /* "max" is no number */
}

static uint64_t left_in_group(const struct group_files *files, const char *cgroupfs, const char *group)
{
    AUTO_FREE char *limit = read_in_group(files, cgroupfs, group, files->limit);
    AUTO_FREE char *usage = read_in_group(files, cgroupfs, group, files->usage);
    AUTO_FREE char *stat = read_in_group(files, cgroupfs, group, "memory.stat");
    uint64_t most = number_after(limit, "", UINT64_MAX), used = number_after(usage, "", 0);
    uint64_t cache = number_after(stat, files->reclaimable, 0);
    used -= cache < used ? cache : used;
    if (most == UINT64_MAX)
        return most;
    return used < most ? most - used : 0;
}

/* The least that `group` and those above it leave; cuts `group` short. */
static uint64_t left_up_from(const struct group_files *files, const char *cgroupfs, char *group)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        uint64_t left = left_in_group(files, cgroupfs, group);
        least = left < least ? left : least;
        char *slash = strrchr(group, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* The process's groups: lines "number:controllers:/path", version 2's with no controllers. */
static uint64_t left_in_groups(const char *procfs, const char *cgroupfs)
{
    AUTO_FREE char *path = file_join(procfs, "self/cgroup");
    AUTO_FREE char *text = path ? read_small(path) : NULL;
    uint64_t least = UINT64_MAX;
    char *rest = text;
    for (char *line; rest && (line = strsep(&rest, "\n"));) {
        strsep(&line, ":");
        const char *controllers = strsep(&line, ":");
        if (!line || (*controllers && strcmp(controllers, "memory")))
            continue;
        uint64_t left = left_up_from(*controllers ? &v1 : &v2, cgroupfs, line);
        least = left < least ? left : least;
    }
    return least;
}

uint64_t memory_available_in(const char *procfs, const char *cgroupfs)
{
    AUTO_FREE char *path = file_join(procfs, "meminfo");
    AUTO_FREE char *system = path ? read_small(path) : NULL;
    uint64_t free_kib = number_after(system, "MemAvailable:", UINT64_MAX);
    uint64_t left = left_in_groups(procfs, cgroupfs);
    if (free_kib > UINT64_MAX / 1024)
        return left;
    return free_kib < left / 1024 ? free_kib * 1024 : left;
}

uint64_t memory_available(void)
{
    return memory_available_in("/proc", "/sys/fs/cgroup");
}

void *memory_take(size_t bytes)
{
    void *memory = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    madvise(memory, bytes, MADV_HUGEPAGE);
    return memory;
}

void memory_give_back(void *memory, size_t bytes)
{
    if (memory)
        munmap(memory, bytes ? bytes : 1);
}
