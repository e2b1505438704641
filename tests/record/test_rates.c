/* The recorder at all its rates, and when it or a driver fails for a while. It measures in a process of its
 * own where it has to be stopped. `test_rates child WHAT` is the workload, `test_rates measure SYSFS` the
 * recorder. */
#include "record/recorder.h"

#include "base/clock.h"
#include "base/text.h"
#include "rapl_tree.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PACKAGE_RANGE_J 262143.328850
#define DRAM_RANGE_J    65712.999613
#define ZONES           6
#define RUN_S           2.5

static char self[] = "/proc/self/exe";

static void sleep_s(double s)
{
    clock_sleep_until(clock_boot_ns() + (int64_t)(s * NS_PER_S));
}

static void run_with(struct record *record, struct recorder_options options)
{
    struct error error = ERROR_INIT;
    if (recorder_run(&options, record, &error) < 0)
        fail_msg("%s", error_text(&error));
}

/* Each wraps in the middle of a run; in the order of the recorder's channels. */
static const struct rapl_zone six_zones[ZONES] = {
    {"intel-rapl:0", "package-0", PACKAGE_RANGE_J, PACKAGE_RANGE_J - 120, 90, 50},
    {"intel-rapl:0:0", "core", PACKAGE_RANGE_J, PACKAGE_RANGE_J - 80, 60, 30},
    {"intel-rapl:0:1", "dram", DRAM_RANGE_J, DRAM_RANGE_J - 10, 8, 3},
    {"intel-rapl:1", "package-1", PACKAGE_RANGE_J, PACKAGE_RANGE_J - 90, 70, 20},
    {"intel-rapl:1:0", "dram", DRAM_RANGE_J, DRAM_RANGE_J - 8, 6, 2},
    {"intel-rapl:2", "psys", PACKAGE_RANGE_J, PACKAGE_RANGE_J - 280, 220, 60},
};

static double total_of(const double *joules)
{
    return joules[0] + joules[2] + joules[3] + joules[4];
}

/* 0.1 %, or what is claimed without the instrument's own scale, which the truth does not have; and on a busy
 * machine the counters themselves stand still now and then. */
static double bound_j(const struct rapl_tree *tree, const struct rapl_zone *zone,
                      const struct channel *channel, const struct channel_energy *energy, double truth_j)
{
    double scale_j = channel->accuracy * energy->energy_j;
    double claimed_j = sqrt(fmax(energy->uncertainty_j * energy->uncertainty_j - scale_j * scale_j, 0));
    double still_s = (double)rapl_tree_slowest_ns(tree) / NS_PER_S;
    return fmax(0.001 * truth_j, 3 * claimed_j) + (zone->mean_w + zone->swing_w) * fmax(still_s - 0.002, 0);
}

/* NULL if the run had no gap and every channel and the total are true; else what was not, to be freed. */
static char *untruth(const struct rapl_tree *tree, const struct record *record)
{
    int64_t from = record->started_wall_ns - (clock_wall_ns() - clock_boot_ns());
    int64_t to = from + (int64_t)(record->wall_s * NS_PER_S);
    assert_int_equal(record->channel_count, ZONES);
    if (record->gap_count > 0)
        return text_format("%zu gaps, the first: %s", record->gap_count, record->gaps[0].reason);
    double truths_j[ZONES], bounds_j[ZONES];
    for (size_t i = 0; i < ZONES; i++) {
        const struct channel_energy *energy = &record->windows[0].energies[i];
        assert_true(energy->known && energy->gap_s == 0);
        truths_j[i] = rapl_tree_truth_j(tree, i, from, to);
        bounds_j[i] = bound_j(tree, &six_zones[i], &record->channels[i], energy, truths_j[i]);
        print_message("%s: %.4f %%\n", record->channels[i].name, 100 * (energy->energy_j / truths_j[i] - 1));
        if (!(fabs(energy->energy_j - truths_j[i]) <= bounds_j[i]))
            return text_format("%s: %.4f J instead of %.4f", record->channels[i].name, energy->energy_j,
                               truths_j[i]);
    }
    struct energy_totals totals = record_totals(record, 0);
    assert_false(totals.estimated);
    if (!(fabs(totals.software_j - total_of(truths_j)) <= total_of(bounds_j)))
        return text_format("total: %.4f J instead of %.4f", totals.software_j, total_of(truths_j));
    return NULL;
}

/* A machine that stops the recorder, or the counters' writer, for milliseconds now and then makes one run
 * untrue; a recorder that is wrong is wrong each time. */
static void is_true(double seconds, struct recorder_options options,
                    void (*started)(void *context, pid_t child))
{
    enum { TRIES = 5 };
    AUTO_FREE char *length = text_format("%g", seconds);
    char *command[] = {self, "child", "sleep", length, NULL};
    char *wrong = NULL;
    for (int i = 0; i == 0 || (wrong && i < TRIES); i++) {
        if (wrong)
            print_message("try %d: %s\n", i, wrong);
        free(wrong);
        struct rapl_tree *tree = rapl_tree_make(six_zones, ZONES);
        const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree)};
        struct record record;
        options.command = command;
        options.setup = &setup;
        options.started = started;
        options.context = tree;
        run_with(&record, options);
        wrong = untruth(tree, &record);
        record_free(&record);
        rapl_tree_free(tree);
    }
    if (wrong)
        fail_msg("%d times; the last: %s", TRIES, wrong);
}

static void is_true_at(double rate_hz)
{
    print_message("%g Hz\n", rate_hz);
    is_true(RUN_S, (struct recorder_options){.rate_hz = rate_hz}, NULL);
}

static void one_reading_a_second_is_true(void **state)
{
    (void)state;
    is_true_at(1);
}

static void ten_readings_a_second_are_true(void **state)
{
    (void)state;
    is_true_at(10);
}

static void a_thousand_readings_a_second_are_true(void **state)
{
    (void)state;
    is_true_at(1000);
}

/* A reading is due every ten seconds: the edges of a short run are read all the same. */
static void a_run_shorter_than_a_period_is_true(void **state)
{
    (void)state;
    is_true_at(0.1);
}

/* ---- faults ---- */

static void lose_package_for_a_while(void *context, pid_t child)
{
    (void)child;
    sleep_s(0.3);
    rapl_tree_fault(context, 0, RAPL_GONE);
    sleep_s(0.6);
    rapl_tree_fault(context, 0, RAPL_FINE);
}

/* The counter went on: what it counted meanwhile is in its next reading. */
static void a_zone_that_goes_and_comes_back_loses_nothing(void **state)
{
    (void)state;
    is_true(1.5, (struct recorder_options){0}, lose_package_for_a_while);
}

/* The workload: stops the recorder for longer than the counter's range lasts at the highest power. */
static int child_hold_up(void)
{
    sleep_s(0.5);
    kill(getppid(), SIGSTOP);
    sleep_s(0.8);
    kill(getppid(), SIGCONT);
    sleep_s(0.5);
    return 0;
}

static int measure(const char *sysfs)
{
    const struct meter_setup setup = {.sysfs = sysfs};
    const char *meters[] = {"rapl"};
    char *command[] = {self, "child", "hold-up", NULL};
    const struct recorder_options options = {
        .command = command, .setup = &setup, .meters = meters, .meter_count = 1};
    struct error error = ERROR_INIT;
    struct record record;
    if (recorder_run(&options, &record, &error) < 0)
        return 1;
    const struct channel_energy *energy = &record.windows[0].energies[0];
    printf("%zu %.9g %.9g %.9g %.9g %s\n", record.gap_count, record.wall_s, energy->energy_j,
           energy->uncertainty_j, energy->gap_s, record.gap_count ? record.gaps[0].reason : "none");
    record_free(&record);
    return 0;
}

static void a_late_reading_is_a_gap(void **state)
{
    (void)state;
    const struct rapl_zone zone = {"intel-rapl:0", "package-0", 1000, 900, 100, 0}; /* 0.5 s at 2000 W */
    struct rapl_tree *tree = rapl_tree_make(&zone, 1);
    AUTO_FREE char *line =
        text_format("exec /proc/%ld/exe measure %s", (long)getpid(), rapl_tree_sysfs(tree));
    FILE *answer = popen(line, "r");
    assert_non_null(answer);
    size_t gaps;
    double wall_s, energy_j, uncertainty_j, gap_s;
    char reason[32];
    assert_int_equal(
        fscanf(answer, "%zu%lf%lf%lf%lf %31[^\n]", &gaps, &wall_s, &energy_j, &uncertainty_j, &gap_s, reason),
        6);
    assert_int_equal(pclose(answer), 0);
    assert_true(gaps >= 1);
    assert_string_equal(reason, "late reading");
    assert_true(gap_s >= 0.8 && gap_s < wall_s);
    /* only what was read is counted, and what was missed is within what is claimed */
    double mean_w = energy_j / (wall_s - gap_s);
    assert_true(mean_w > 75 && mean_w < 125);
    assert_true(uncertainty_j >= 0.7 * gap_s * 100);
    rapl_tree_free(tree);
}

static int run_child(const char *what, const char *argument)
{
    if (strcmp(what, "hold-up") == 0)
        return child_hold_up();
    double seconds;
    if (text_to_double(argument, &seconds) < 0)
        return 2;
    sleep_s(seconds);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "child") == 0)
        return run_child(argv[2], argc > 3 ? argv[3] : "");
    if (argc == 3 && strcmp(argv[1], "measure") == 0)
        return measure(argv[2]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_reading_a_second_is_true),
        cmocka_unit_test(ten_readings_a_second_are_true),
        cmocka_unit_test(a_thousand_readings_a_second_are_true),
        cmocka_unit_test(a_run_shorter_than_a_period_is_true),
        cmocka_unit_test(a_zone_that_goes_and_comes_back_loses_nothing),
        cmocka_unit_test(a_late_reading_is_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
