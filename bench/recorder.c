/* bench_recorder: the recorder against a known truth, and what it costs. Prints tables; run it alone on the
 * machine.
 *
 * Error and cost: 10 s at each rate against a powercap tree of six zones whose counters move at 1 kHz, each
 * wrapping once. The recorder is a process of its own, so that its CPU time and memory are nobody else's; the
 * truth stays here. Added time: the wall time of `true` alone and under `joulery run`, alternating. */
#include "record/recorder.h"
#include "base/clock.h"
#include "base/text.h"
#include "meter/machine.h"
#include "rapl_tree.h"

#include <inttypes.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PACKAGE_RANGE_J 262143.328850
#define DRAM_RANGE_J    65712.999613
#define ZONES           6
#define WRAP_AFTER_S    4
#define RUNS            101

static const struct {
    const char *entry, *name;
    double range_j, mean_w, swing_w;
    bool in_total;
} given[ZONES] = {
    /* in the order of the recorder's channels */
    {"intel-rapl:0", "package-0", PACKAGE_RANGE_J, 90, 50, true},
    {"intel-rapl:0:0", "core", PACKAGE_RANGE_J, 60, 30, false},
    {"intel-rapl:0:1", "dram", DRAM_RANGE_J, 8, 3, true},
    {"intel-rapl:1", "package-1", PACKAGE_RANGE_J, 70, 20, true},
    {"intel-rapl:1:0", "dram", DRAM_RANGE_J, 6, 2, true},
    {"intel-rapl:2", "psys", PACKAGE_RANGE_J, 220, 60, false},
};

static void die(const char *what)
{
    fprintf(stderr, "bench_recorder: %s\n", what);
    exit(1);
}

static struct rapl_tree *make_tree(void)
{
    struct rapl_zone zones[ZONES];
    for (size_t i = 0; i < ZONES; i++)
        zones[i] = (struct rapl_zone){.entry = given[i].entry,
                                      .name = given[i].name,
                                      .range_j = given[i].range_j,
                                      .start_j = given[i].range_j - WRAP_AFTER_S * given[i].mean_w,
                                      .mean_w = given[i].mean_w,
                                      .swing_w = given[i].swing_w};
    return rapl_tree_make(zones, ZONES);
}

/* ---- the recorder's process ---- */

/* What `show` reads. */
static int measure(const char *sysfs, const char *rate)
{
    double rate_hz;
    if (text_to_double(rate, &rate_hz) < 0)
        die("expected a rate in readings a second");
    struct machine machine = {0};
    const struct meter_setup setup = {.sysfs = sysfs, .machine = &machine};
    char *command[] = {"sleep", "10", NULL};
    const struct recorder_options options = {.command = command, .setup = &setup, .rate_hz = rate_hz};
    struct error error = ERROR_INIT;
    struct record record;
    if (recorder_run(&options, &record, &error) < 0)
        die(error_text(&error));
    if (record.channel_count != ZONES)
        die("expected as many channels as the tree has zones");
    int64_t from = record.started_wall_ns - (clock_wall_ns() - clock_boot_ns());
    printf("%" PRId64 " %.17g %.17g %.17g %zu %.17g\n", from, record.wall_s, record.recorder_cpu_s,
           (double)record.recorder_peak_rss_bytes, record.gap_count, record_totals(&record, 0).software_j);
    for (size_t i = 0; i < ZONES; i++) {
        const struct channel_energy *energy = &record.windows[0].energies[i];
        printf("%s %.17g %.17g\n", record.channels[i].name, energy->energy_j, energy->uncertainty_j);
    }
    record_free(&record);
    machine_free(&machine);
    return 0;
}

/* ---- error and cost ---- */

static void show(FILE *answer, const struct rapl_tree *tree, const char *rate)
{
    int64_t from;
    double wall_s, cpu_s, rss_bytes, software_j, total_j = 0;
    size_t gaps;
    if (fscanf(answer, "%" SCNd64 "%lf%lf%lf%zu%lf", &from, &wall_s, &cpu_s, &rss_bytes, &gaps,
               &software_j) != 6)
        die("the recorder gave no answer");
    int64_t to = from + (int64_t)(wall_s * NS_PER_S);
    printf("\n%s Hz\n%-16s %12s %12s %9s %12s\n", rate, "channel", "truth J", "found J", "error %",
           "claimed J");
    for (size_t i = 0; i < ZONES; i++) {
        char name[64];
        double energy_j, uncertainty_j, truth_j = rapl_tree_truth_j(tree, i, from, to);
        if (fscanf(answer, "%63s%lf%lf", name, &energy_j, &uncertainty_j) != 3)
            die("the recorder gave half an answer");
        total_j += given[i].in_total ? truth_j : 0;
        printf("%-16s %12.3f %12.3f %9.4f %12.3f\n", name, truth_j, energy_j, 100 * (energy_j / truth_j - 1),
               uncertainty_j);
    }
    printf("%-16s %12.3f %12.3f %9.4f   packages and dram, without psys\n", "software total", total_j,
           software_j, 100 * (software_j / total_j - 1));
    printf("gaps %zu, wall %.3f s, slowest renewal of the counters %.1f ms\n", gaps, wall_s,
           (double)rapl_tree_slowest_ns(tree) / 1e6);
    printf("recorder: %.2f ms of CPU (%.3f %% of a core), peak memory %.2f MiB\n", 1e3 * cpu_s,
           100 * cpu_s / wall_s, rss_bytes / 1048576);
}

static void bench_rate(const char *rate)
{
    struct rapl_tree *tree = make_tree();
    AUTO_FREE char *command =
        text_format("/proc/%ld/exe --measure %s %s", (long)getpid(), rapl_tree_sysfs(tree), rate);
    FILE *answer = command ? popen(command, "r") : NULL;
    if (!answer)
        die("the recorder's process can't be started");
    show(answer, tree, rate);
    if (pclose(answer) != 0)
        die("the recorder's process failed");
    rapl_tree_free(tree);
}

/* ---- added time ---- */

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
static void bench_added(char *joulery, const char *sysfs, const char *with)
{
    double bare[RUNS], run[RUNS];
    char *plain[] = {"true", NULL};
    char *measured[] = {joulery, "run", "--quiet", "--", "true", NULL};
    setenv("JOULERY_SYSFS", sysfs, 1);
    for (size_t i = 0; i < RUNS; i++) {
        bare[i] = wall_ms(plain);
        run[i] = wall_ms(measured);
    }
    qsort(bare, RUNS, sizeof *bare, compare);
    qsort(run, RUNS, sizeof *run, compare);
    printf("`true` %.2f ms, `joulery run -- true` with %s %.2f ms: added %.2f ms (medians of %d; least %.2f "
           "ms)\n",
           bare[RUNS / 2], with, run[RUNS / 2], run[RUNS / 2] - bare[RUNS / 2], RUNS, run[0] - bare[0]);
}

int main(int argc, char **argv)
{
    static const char *const rates[] = {"1", "10", "1000"};
    if (argc == 4 && strcmp(argv[1], "--measure") == 0)
        return measure(argv[2], argv[3]);
    if (argc != 2)
        die("usage: bench_recorder PATH-OF-JOULERY");
    struct rapl_tree *tree = make_tree();
    bench_added(argv[1], rapl_tree_sysfs(tree), "RAPL");
    rapl_tree_free(tree);
    bench_added(argv[1], "/nonexistent", "the model");
    unsetenv("JOULERY_SYSFS");
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        bench_rate(rates[i]);
    return 0;
}
