#include "study/leftovers.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define VARIABLE         "JOULERY_RUN"
#define ENVIRONMENT_MOST (8u << 20)
#define LOOKS            40 /* at what is still there, LOOK_NS apart; from the middle on with SIGKILL */
#define LOOK_NS          (NS_PER_S / 10)

static char *value_of(const char *database, int64_t run, struct error *error)
{
    AUTO_FREE char *path = realpath(database, NULL);
    if (!path) {
        error_errno(error, errno, database);
        return NULL;
    }
    char *value = text_format("%s:%lld", path, (long long)run);
    if (!value)
        error_memory(error, VARIABLE);
    return value;
}

int leftovers_mark(const char *database, int64_t run, struct error *error)
{
    AUTO_FREE char *value = value_of(database, run, error);
    if (!value)
        return -1;
    return setenv(VARIABLE, value, 1) == 0 ? 0 : error_errno(error, errno, VARIABLE);
}

/* Whether the process was started with VARIABLE=value. Another user's environment can't be read, unless we
 * are root. */
static bool has_variable(const char *directory, const char *value)
{
    struct stat status;
    if (stat(directory, &status) < 0 || status.st_uid != geteuid())
        return false;
    struct error ignored = ERROR_INIT;
    AUTO_FREE char *path = file_join(directory, "environ");
    size_t size = 0;
    AUTO_FREE char *environment = path ? file_read(path, ENVIRONMENT_MOST, &size, &ignored) : NULL;
    error_clear(&ignored);
    for (const char *at = environment; at && at < environment + size; at += strlen(at) + 1)
        if (strncmp(at, VARIABLE "=", sizeof VARIABLE) == 0)
            return strcmp(at + sizeof VARIABLE, value) == 0;
    return false;
}

/* The signal goes to the process that was looked at, even if its number is used again meanwhile. */
static bool signal_if_part(const char *name, const char *value, int number)
{
    AUTO_FREE char *directory = file_join("/proc", name);
    int process = directory ? pidfd_open((pid_t)strtol(name, NULL, 10), 0) : -1;
    if (process < 0)
        return false;
    bool part = has_variable(directory, value) && pidfd_send_signal(process, number, NULL, 0) == 0;
    close(process);
    return part;
}

/* Sends the signal to all processes of the run; returns how many there are. `names`: NULL, or gets their
 * pids. */
static size_t signal_all(const char *value, int number, struct text *names)
{
    size_t count = 0;
    DIR *processes = opendir("/proc");
    struct dirent *entry;
    while (processes && (entry = readdir(processes))) {
        if (!isdigit((unsigned char)entry->d_name[0]) || !signal_if_part(entry->d_name, value, number))
            continue;
        if (names)
            text_printf(names, "%s%s", count ? ", " : "", entry->d_name);
        count++;
    }
    if (processes)
        closedir(processes);
    return count;
}

static void end_all(const char *value, FILE *talk)
{
    struct text names = TEXT_INIT;
    size_t left = signal_all(value, SIGTERM, &names);
    if (left > 0)
        fprintf(talk, "ending what the run that was cut short had left running: process%s %s\n",
                left == 1 ? "" : "es", names.data ? names.data : "");
    for (int look = 0; left > 0 && look < LOOKS; look++) {
        clock_sleep_until(clock_boot_ns() + LOOK_NS);
        left = signal_all(value, look < LOOKS / 2 ? 0 : SIGKILL, NULL);
    }
    if (left > 0)
        fprintf(talk, "warning: %zu of them can't be ended and may disturb what is measured now\n", left);
    text_free(&names);
}

static int end_run(const char *database, int64_t run, FILE *talk, struct error *error)
{
    AUTO_FREE char *value = value_of(database, run, error);
    if (!value)
        return -1;
    const char *ours = getenv(VARIABLE);
    if (!ours || strcmp(ours, value) != 0)
        end_all(value, talk);
    return 0;
}

/* Runs come in the order they were begun. */
static int note_last(void *context, const struct run_line *run)
{
    int64_t *last = context;
    *last = strcmp(run->state, "cut") == 0 ? run->run : -1;
    return 0;
}

int leftovers_end(struct store *store, const char *database, FILE *talk, struct error *error)
{
    int64_t last = -1;
    if (store_list_runs(store, note_last, &last, error) < 0)
        return -1;
    const int64_t runs[] = {LEFTOVERS_WARM_UP, last};
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++)
        if (runs[i] >= 0 && end_run(database, runs[i], talk, error) < 0)
            return -1;
    return 0;
}
