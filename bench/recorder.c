/* bench_recorder: the recorder against a known truth, and what it costs. Prints a table; run it alone on the
 * machine.
 *
 * Error: 10 s against a powercap tree whose counters move at 1 kHz, each wrapping once. Cost: the recorder's
 * own CPU time at 10 Hz over those seconds, its peak memory, and the wall time it adds to `true`. */
#include "record/recorder.h"
#include "base/clock.h"
#include "rapl_tree.h"

#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RANGE_J 262143.328850
#define RUNS    101

static void die(const char *what)
{
    fprintf(stderr, "bench_recorder: %s\n", what);
    exit(1);
}

static void measure(char *const *command, const struct meter_setup *setup, struct record *record)
{
    struct error error = ERROR_INIT;
    const struct recorder_options options = {.command = command, .setup = setup};
    if (recorder_run(&options, record, &error) < 0)
        die(error_text(&error));
}

static void bench_error(const struct meter_setup *setup, const struct rapl_tree *tree)
{
    char *command[] = {"sleep", "10", NULL};
    struct record record;
    measure(command, setup, &record);
    int64_t from = record.started_wall_ns - (clock_wall_ns() - clock_boot_ns());
    int64_t to = from + (int64_t)(record.wall_s * NS_PER_S);
    printf("%-16s %12s %12s %9s %12s\n", "channel", "truth J", "found J", "error %", "claimed J");
    for (size_t i = 0; i < record.channel_count; i++) {
        const struct channel_energy *energy = &record.windows[0].energies[i];
        double truth_j = rapl_tree_truth_j(tree, i, from, to);
        printf("%-16s %12.3f %12.3f %9.4f %12.3f\n", record.channels[i].name, truth_j, energy->energy_j,
               100 * (energy->energy_j / truth_j - 1), energy->uncertainty_j);
    }
    struct energy_totals totals = record_totals(&record, 0);
    printf("%-16s %12s %12.3f   (packages and dram, without psys)\n", "software total", "",
           totals.software_j);
    printf("gaps %zu, wall %.3f s\n", record.gap_count, record.wall_s);
    record_free(&record);
}

/* The program itself as the recorder: nothing else is in its CPU time. */
static void bench_cost(const char *program, const char *sysfs)
{
    int ends[2];
    if (pipe(ends) < 0)
        die("pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl(program, program, "--cost", sysfs, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    char line[256] = "";
    FILE *stream = fdopen(ends[0], "r");
    if (!stream || !fgets(line, sizeof line, stream))
        die("no answer");
    fclose(stream);
    waitpid(pid, NULL, 0);
    fputs(line, stdout);
}

static int print_cost(const char *sysfs)
{
    const struct meter_setup setup = {.sysfs = sysfs};
    char *command[] = {"sleep", "10", NULL};
    struct record record;
    measure(command, &setup, &record);
    printf("recorder at %g Hz: %.2f ms of CPU over %.1f s (%.3f %% of one), peak memory %.2f MiB\n",
           record.rate_hz, 1e3 * record.recorder_cpu_s, record.wall_s,
           100 * record.recorder_cpu_s / record.wall_s, (double)record.recorder_peak_rss_bytes / 1048576);
    record_free(&record);
    return 0;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double wall_ms(char *const *command)
{
    int64_t before = clock_boot_ns();
    pid_t pid;
    int status;
    if (posix_spawnp(&pid, command[0], NULL, NULL, command, environ) != 0 || waitpid(pid, &status, 0) < 0 ||
        status)
        die(command[0]);
    return (double)(clock_boot_ns() - before) / 1e6;
}

/* Alternating, so that what else the machine does falls on both. */
static void bench_added(char *joulery, const char *sysfs)
{
    double bare[RUNS], run[RUNS];
    char *plain[] = {"true", NULL};
    char *measured[] = {joulery, "run", "--quiet", "--", "true", NULL};
    for (int with_rapl = 1; with_rapl >= 0; with_rapl--) {
        setenv("JOULERY_SYSFS", with_rapl ? sysfs : "/nonexistent", 1);
        for (size_t i = 0; i < RUNS; i++) {
            bare[i] = wall_ms(plain);
            run[i] = wall_ms(measured);
        }
        qsort(bare, RUNS, sizeof *bare, compare);
        qsort(run, RUNS, sizeof *run, compare);
        printf("`true`: %.2f ms; `joulery run -- true` %s: %.2f ms; added %.2f ms (medians of %d)\n",
               bare[RUNS / 2], with_rapl ? "with RAPL" : "with the model", run[RUNS / 2],
               run[RUNS / 2] - bare[RUNS / 2], RUNS);
    }
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "--cost") == 0)
        return print_cost(argv[2]);
    if (argc != 2)
        die("usage: bench_recorder PATH-OF-JOULERY");
    const struct rapl_zone zones[] = {
        {"intel-rapl:0", "package-0", RANGE_J, RANGE_J - 500, 90, 50},
        {"intel-rapl:0:0", "core", RANGE_J, RANGE_J - 300, 60, 30},
        {"intel-rapl:0:1", "dram", 65712.999613, 65712.999613 - 40, 8, 3},
        {"intel-rapl:1", "package-1", RANGE_J, RANGE_J - 400, 70, 20},
        {"intel-rapl:2", "psys", RANGE_J, RANGE_J - 1000, 220, 60},
    };
    struct rapl_tree *tree = rapl_tree_make(zones, sizeof zones / sizeof *zones);
    const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree)};
    bench_error(&setup, tree);
    bench_cost("/proc/self/exe", rapl_tree_sysfs(tree));
    bench_added(argv[1], rapl_tree_sysfs(tree));
    rapl_tree_free(tree);
    return 0;
}
