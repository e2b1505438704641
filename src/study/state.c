#include "study/state.h"

#include "base/file.h"
#include "base/text.h"
#include "record/share.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_MOST     4096
#define REVISION_MOST 200
#define HOT_C         90
#define BUSY_CPUS     0.5 /* one busy core of many keeps the whole package awake */
#define BUSY_SHARE    0.03
#define LOAD_LEAST    0.15 /* an idle system has moments of load */

extern char **environ;

/* ---- small files ---- */

/* The first line of "directory/name"; NULL: not there. */
static char *read_line(const char *directory, const char *name)
{
    struct error ignored = ERROR_INIT;
    AUTO_FREE char *path = file_join(directory, name);
    char *text = path ? file_read(path, FILE_MOST, NULL, &ignored) : NULL;
    error_clear(&ignored);
    if (text)
        text[strcspn(text, "\n")] = '\0';
    return text;
}

static bool read_number(const char *directory, const char *name, double *number)
{
    AUTO_FREE char *line = read_line(directory, name);
    return line && text_to_double(line, number) == 0;
}

/* Calls `look` with the path of each entry of "root/name" that begins with `start`. */
static void each_entry(const char *root, const char *name, const char *start,
                       void (*look)(struct machine_state *state, const char *path),
                       struct machine_state *state)
{
    AUTO_FREE char *folder = file_join(root, name);
    DIR *directory = folder ? opendir(folder) : NULL;
    struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        if (strncmp(entry->d_name, start, strlen(start)) != 0)
            continue;
        AUTO_FREE char *path = file_join(folder, entry->d_name);
        if (path)
            look(state, path);
    }
    if (directory)
        closedir(directory);
}

/* ---- what is looked at ---- */

static void look_at_policy(struct machine_state *state, const char *path)
{
    char *governor = read_line(path, "scaling_governor");
    if (!governor || !state->governor) {
        state->governor = governor ? governor : state->governor;
        return;
    }
    if (strcmp(governor, state->governor) != 0) {
        free(state->governor);
        state->governor = strdup("mixed");
    }
    free(governor);
}

static void read_turbo(const char *sysfs, struct machine_state *state)
{
    double number;
    AUTO_FREE char *folder = file_join(sysfs, "devices/system/cpu");
    if (folder && read_number(folder, "intel_pstate/no_turbo", &number))
        state->turbo = number == 0 ? TURBO_ON : TURBO_OFF;
    else if (folder && read_number(folder, "cpufreq/boost", &number))
        state->turbo = number != 0 ? TURBO_ON : TURBO_OFF;
}

static bool is_processor(const char *name)
{
    static const char *const sensors[] = {"coretemp",    "k10temp",      "zenpower",
                                          "cpu_thermal", "x86_pkg_temp", "cpu-thermal"};
    for (size_t i = 0; i < sizeof sensors / sizeof *sensors; i++)
        if (strncmp(name, sensors[i], strlen(sensors[i])) == 0)
            return true;
    return false;
}

static void take_temperature(struct machine_state *state, const char *folder, const char *name)
{
    double millidegrees;
    if (read_number(folder, name, &millidegrees))
        state->temperature_c =
            fmax(state->temperature_c, millidegrees / 1000); /* of NAN and a number: that */
}

static void look_at_chip(struct machine_state *state, const char *path)
{
    AUTO_FREE char *name = read_line(path, "name");
    if (!name || !is_processor(name))
        return;
    for (int i = 1; i <= 64; i++) {
        AUTO_FREE char *input = text_format("temp%d_input", i);
        if (input)
            take_temperature(state, path, input);
    }
}

static void look_at_zone(struct machine_state *state, const char *path)
{
    AUTO_FREE char *type = read_line(path, "type");
    if (type && is_processor(type))
        take_temperature(state, path, "temp");
}

static void look_at_supply(struct machine_state *state, const char *path)
{
    double online;
    AUTO_FREE char *type = read_line(path, "type");
    if (type && strcmp(type, "Mains") == 0 && read_number(path, "online", &online))
        state->on_battery = online == 0;
}

void state_read(const struct meter_setup *setup, struct machine_state *state)
{
    const char *sysfs = meter_sysfs(setup);
    *state = (struct machine_state){
        .load = NAN, .temperature_c = NAN, .logical_cpus = (double)sysconf(_SC_NPROCESSORS_ONLN)};
    each_entry(sysfs, "devices/system/cpu/cpufreq", "policy", look_at_policy, state);
    read_turbo(sysfs, state);
    each_entry(sysfs, "class/hwmon", "hwmon", look_at_chip, state);
    each_entry(sysfs, "class/thermal", "thermal_zone", look_at_zone, state);
    each_entry(sysfs, "class/power_supply", "", look_at_supply, state);
    AUTO_FREE char *load = read_line(meter_procfs(setup), "loadavg");
    if (load)
        load[strcspn(load, " ")] = '\0';
    if (load)
        text_to_double(load, &state->load);
}

void state_free(struct machine_state *state)
{
    free(state->governor);
    state->governor = NULL;
}

/* ---- in words ---- */

char *state_describe(const struct machine_state *state)
{
    struct text line = TEXT_INIT;
    if (state->governor)
        text_printf(&line, "governor %s, ", state->governor);
    if (state->turbo != TURBO_NOT_KNOWN)
        text_printf(&line, "turbo %s, ", state->turbo == TURBO_ON ? "on" : "off");
    if (state->on_battery)
        text_append(&line, "on battery, ");
    if (isfinite(state->load))
        text_printf(&line, "load %.2f, ", state->load);
    if (isfinite(state->temperature_c))
        text_printf(&line, "%.0f °C, ", state->temperature_c);
    if (line.length == 0 && !line.failed)
        text_append(&line, "nothing is known, ");
    if (!line.failed)
        line.data[line.length -= 2] = '\0';
    return text_take(&line);
}

void state_warn(const struct machine_state *state, bool rested, void (*tell)(void *context, char *warning),
                void *context)
{
    double most = fmin(BUSY_CPUS, fmax(BUSY_SHARE * state->logical_cpus, LOAD_LEAST));
    if (state->governor && strcmp(state->governor, "performance") != 0)
        tell(context,
             text_format("the frequency governor is %s: clocks follow the load, so that short runs and "
                         "idle phases cost other energies than under 'performance'",
                         state->governor));
    if (state->on_battery)
        tell(context, strdup("the machine is on battery: most then hold their clocks down"));
    if (state->temperature_c >= HOT_C)
        tell(context,
             text_format("a processor was at %d °C or more before a run: it may slow itself down; a longer "
                         "cooldown helps",
                         HOT_C));
    if (rested && state->load > most)
        tell(context,
             text_format("the machine was not at rest before the study: a load of %.2f over the last "
                         "minute; top lists what runs",
                         state->load));
}

/* ---- the workload's revision ---- */

static bool start_git(const char *directory, pid_t *child, int *output)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    char *arguments[] = {"git",     "-C",          (char *)directory, "describe", "--always",
                         "--dirty", "--abbrev=40", "--exclude=*",     NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int number = posix_spawnp(child, "git", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *output = ends[0];
    if (number != 0)
        close(ends[0]);
    return number == 0;
}

char *state_revision(const char *directory)
{
    pid_t child;
    int output, status = -1;
    char answer[REVISION_MOST + 1];
    size_t length = 0;
    ssize_t got;
    if (!start_git(directory, &child, &output))
        return NULL;
    while (length < REVISION_MOST &&
           ((got = read(output, answer + length, REVISION_MOST - length)) > 0 || (got < 0 && errno == EINTR)))
        length += got > 0 ? (size_t)got : 0;
    close(output);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    answer[length] = '\0';
    answer[strcspn(answer, "\n")] = '\0';
    return status == 0 && *answer ? text_printable(answer) : NULL;
}

/* ---- the environment ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

char *state_environment(void)
{
    size_t count = 0;
    while (environ && environ[count])
        count++;
    char **sorted = calloc(count + 1, sizeof *sorted);
    if (!sorted)
        return NULL;
    if (count > 0)
        memcpy(sorted, environ, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_names);
    struct text names = TEXT_INIT;
    for (size_t i = 0; i < count; i++)
        text_printf(&names, "%s%.*s", i ? " " : "", (int)strcspn(sorted[i], "="), sorted[i]);
    free(sorted);
    AUTO_FREE char *all = text_take(&names);
    return text_printable(all ? all : "");
}

/* ---- other load ---- */

double state_disturbance(const struct record *record)
{
    const struct attribution *spent = &record->attribution;
    const struct cpu_times times = {.machine_s = spent->basis ? spent->machine_cpu_s : 0,
                                    .command_s = spent->command_cpu_s,
                                    .recorder_s = record->recorder_cpu_s,
                                    .wall_s = record->wall_s,
                                    .logical_cpus = record->host.logical_cpus};
    return share_of_others(&times);
}
