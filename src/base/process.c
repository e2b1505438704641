#include "base/process.h"

#include "base/file.h"
#include "base/text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define STAT_BYTES_MOST 8192

/* Numbers of the fields, as proc_pid_stat(5) counts them. */
enum { FIELD_PARENT = 4, FIELD_GROUP = 5, FIELD_UTIME = 14, FIELD_CSTIME = 17, FIELD_START = 22 };

static int parse_field(int field, int64_t value, struct process *process)
{
    if (field == FIELD_PARENT || field == FIELD_GROUP) {
        if (value < 0 || value > INT_MAX) /* 0: the kernel's own, and parents of another namespace */
            return -1;
        *(field == FIELD_PARENT ? &process->parent : &process->group) = (pid_t)value;
    } else if (field >= FIELD_UTIME && field <= FIELD_CSTIME) {
        if (value < 0)
            return -1;
        process->cpu_ticks += (uint64_t)value;
    } else if (field == FIELD_START) {
        if (value < 0)
            return -1;
        process->start_ticks = (uint64_t)value;
    }
    return 0;
}

/* The fields from the parent on, each after one space. */
static int parse_fields(char *rest, struct process *process)
{
    int field = FIELD_PARENT;
    for (char *word; field <= FIELD_START && (word = strsep(&rest, " ")); field++) {
        int64_t value;
        bool needed =
            field <= FIELD_GROUP || (field >= FIELD_UTIME && field <= FIELD_CSTIME) || field == FIELD_START;
        if (needed && (text_to_i64(word, &value) < 0 || parse_field(field, value, process) < 0))
            return -1;
    }
    return field > FIELD_START ? 0 : -1;
}

int process_parse(const char *text, struct process *process, struct error *error)
{
    *process = (struct process){0};
    /* the second field, the program's name in brackets, may hold anything, brackets too: its end is the last
     * one */
    const char *open = strstr(text, " ("), *close = strrchr(text, ')');
    AUTO_FREE char *number = open ? strndup(text, (size_t)(open - text)) : NULL;
    int64_t pid;
    if (!number || !close || close < open || text_to_i64(number, &pid) < 0 || pid <= 0 || pid > INT_MAX)
        return error_set(error, "not a process's stat: expected 'PID (NAME) STATE …'");
    process->pid = (pid_t)pid;
    if (close[1] != ' ' || !isalpha((unsigned char)close[2]) || close[3] != ' ')
        return error_set(error, "stat of process %lld: expected a state after its name", (long long)pid);
    process->state = close[2];
    AUTO_FREE char *rest = strdup(close + 4);
    if (!rest)
        return error_memory(error, "stat of a process");
    rest[strcspn(rest, "\n")] = '\0';
    if (parse_fields(rest, process) < 0)
        return error_set(error, "stat of process %lld: expected whole numbers up to field %d", (long long)pid,
                         FIELD_START);
    return 0;
}

int process_read(pid_t pid, struct process *process, struct error *error)
{
    AUTO_FREE char *path = text_format("/proc/%lld/stat", (long long)pid);
    if (!path)
        return error_memory(error, "path");
    AUTO_FREE char *text = file_read(path, STAT_BYTES_MOST, NULL, error);
    return text ? process_parse(text, process, error) : -1;
}

static int by_pid(const void *a, const void *b)
{
    pid_t left = ((const struct process *)a)->pid, right = ((const struct process *)b)->pid;
    return (left > right) - (left < right);
}

/* 0: added, or ended meanwhile. */
static int add(const char *name, struct process **all, size_t *count, size_t *room, struct error *error)
{
    struct error ignored = ERROR_INIT;
    struct process process;
    int64_t pid;
    bool there = text_to_i64(name, &pid) == 0 && process_read((pid_t)pid, &process, &ignored) == 0;
    error_clear(&ignored);
    if (!there)
        return 0;
    if (*count == *room) {
        size_t more = *room ? 2 * *room : 256;
        struct process *larger = realloc(*all, more * sizeof *larger);
        if (!larger)
            return error_memory(error, "processes");
        *all = larger;
        *room = more;
    }
    (*all)[(*count)++] = process;
    return 0;
}

int process_list(struct process **all, size_t *count, struct error *error)
{
    *all = NULL;
    *count = 0;
    DIR *folder = opendir("/proc");
    if (!folder)
        return error_errno(error, errno, "/proc");
    size_t room = 0;
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(folder));)
        if (isdigit((unsigned char)entry->d_name[0]))
            result = add(entry->d_name, all, count, &room, error);
    closedir(folder);
    /* a /proc of another pid namespace has other numbers */
    char own[32] = "";
    ssize_t length = readlink("/proc/self", own, sizeof own - 1);
    if (result == 0 && (length <= 0 || strtoll(own, NULL, 10) != getpid()))
        result = error_set(error, "/proc: does not show process %lld, which is us", (long long)getpid());
    if (result < 0) {
        free(*all);
        *all = NULL;
        *count = 0;
        return -1;
    }
    if (*count > 0)
        qsort(*all, *count, sizeof **all, by_pid);
    return 0;
}

const struct process *process_find(const struct process *all, size_t count, pid_t pid)
{
    const struct process wanted = {.pid = pid};
    return count ? bsearch(&wanted, all, count, sizeof *all, by_pid) : NULL;
}
