/* The machine at rest, over counters of known power. */
#include "calibrate/idle.h"

#include "rapl_tree.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PACKAGE_W 30.0
#define DRAM_W    4.0

static struct rapl_tree *tree;

static int make_tree(void **state)
{
    (void)state;
    const struct rapl_zone zones[] = {{"intel-rapl:0", "package-0", 262143.32885, 262143, PACKAGE_W, 0},
                                      {"intel-rapl:0:0", "dram", 65712.999613, 7, DRAM_W, 0}};
    tree = rapl_tree_make(zones, 2);
    return 0;
}

static int free_tree(void **state)
{
    (void)state;
    rapl_tree_free(tree);
    return 0;
}

static void count_seconds(void *context, double elapsed_s)
{
    (void)elapsed_s;
    ++*(int *)context;
}

static void measure(struct record *record, struct baseline *baseline)
{
    static const char *const rapl = "rapl";
    int seconds = 0;
    struct error error = ERROR_INIT;
    const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree)};
    const struct idle_options options = {.setup = &setup,
                                         .meters = &rapl,
                                         .meter_count = 1,
                                         .duration_s = IDLE_LEAST_S,
                                         .progress = count_seconds,
                                         .context = &seconds};
    if (idle_measure(&options, record, baseline, &error) < 0)
        fail_msg("%s", error_text(&error));
    assert_int_equal(seconds, IDLE_LEAST_S);
    assert_int_equal(baseline->channel_count, 2);
}

static void near(double found, double truth)
{
    /* counters that others keep from moving are no error of who reads them */
    double late = (double)rapl_tree_slowest_ns(tree) / 1e9 / IDLE_LEAST_S;
    if (!(fabs(found / truth - 1) < 0.01 + late))
        fail_msg("expected %g, found %g", truth, found);
}

static void rest_is_the_counters_power(void **state)
{
    (void)state;
    struct record record;
    struct baseline baseline;
    measure(&record, &baseline); /* the package's counter wraps within it */
    assert_string_equal(baseline.channels[0].name, record.channels[0].name);
    near(baseline.channels[0].idle.power_w, PACKAGE_W);
    near(baseline.channels[1].idle.power_w, DRAM_W);
    assert_true(baseline.channels[0].idle.uncertainty_w >=
                0.03 * PACKAGE_W * 0.9); /* its accuracy, at least */
    assert_true(isnan(baseline.load) || (baseline.load >= 0 && baseline.load <= 1));
    baseline_free(&baseline);
    record_free(&record);
}

static void what_gives_no_reading_is_not_0_watts(void **state)
{
    (void)state;
    struct record record;
    struct baseline baseline;
    rapl_tree_fault(tree, 0, RAPL_STUCK);
    measure(&record, &baseline);
    assert_true(isnan(baseline.channels[0].idle.power_w));
    near(baseline.channels[1].idle.power_w, DRAM_W);
    baseline_free(&baseline);
    record_free(&record);
    rapl_tree_fault(tree, 0, RAPL_FINE);
}

static void a_busy_machine_is_not_at_rest(void **state)
{
    (void)state;
    const struct host many = {.logical_cpus = 64}, few = {.logical_cpus = 4};
    assert_false(idle_was_disturbed(&(struct baseline){.load = NAN}, &many));
    assert_false(idle_was_disturbed(&(struct baseline){.load = 0.005}, &many));
    assert_true(idle_was_disturbed(&(struct baseline){.load = 0.01}, &many)); /* 0.64 of a CPU */
    assert_false(idle_was_disturbed(&(struct baseline){.load = 0.01}, &few));
    assert_true(idle_was_disturbed(&(struct baseline){.load = 0.05}, &few));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rest_is_the_counters_power),
        cmocka_unit_test(what_gives_no_reading_is_not_0_watts),
        cmocka_unit_test(a_busy_machine_is_not_at_rest),
    };
    return cmocka_run_group_tests(tests, make_tree, free_tree);
}
