#include "meter/meter.h"

#include "base/text.h"
#include "rapl_tree.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define RANGE_J 262143.328850

static const struct meter_driver *find_driver(const char *name)
{
    size_t count;
    const struct meter_driver *const *drivers = meter_drivers(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(drivers[i]->name, name) == 0)
            return drivers[i];
    fail_msg("no driver %s", name);
    return NULL;
}

/* On a processor of that vendor, whichever the tests run on. */
static struct meter *open_rapl_of(const struct rapl_tree *tree, const char *vendor)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *cpuinfo = text_format("processor\t: 0\nvendor_id\t: %s\n", vendor);
    rapl_tree_write(tree, "proc/cpuinfo", cpuinfo);
    AUTO_FREE char *procfs = rapl_tree_folder(tree, "proc");
    const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree), .procfs = procfs};
    struct meter *meter = meter_open(find_driver("rapl"), &setup, &error);
    if (!meter)
        fail_msg("%s", error_text(&error));
    return meter;
}

static struct meter *open_rapl(const struct rapl_tree *tree)
{
    return open_rapl_of(tree, "GenuineIntel");
}

static const struct channel *find_channel(const struct meter *meter, const char *name)
{
    size_t count;
    const struct channel *channels = meter_channels(meter, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(channels[i].name, name) == 0)
            return &channels[i];
    fail_msg("no channel %s", name);
    return NULL;
}

static void two_sockets_are_described_as_the_hardware_is(void **state)
{
    (void)state;
    const struct rapl_zone zones[] = {
        {"intel-rapl:1", "package-1", RANGE_J, 5, 50, 0},
        {"intel-rapl:0", "package-0", RANGE_J, 7, 50, 0},
        {"intel-rapl:0:0", "core", RANGE_J, 1, 30, 0},
        {"intel-rapl:0:1", "dram", 65712.999613, 1, 5, 0},
        {"intel-rapl:1:0", "uncore", RANGE_J, 1, 2, 0},
        {"intel-rapl:2", "psys", RANGE_J, 1, 90, 0},
        {"intel-rapl-mmio:0", "package-0", RANGE_J, 1, 50, 0},
        {"intel-rapl:1:1", "unheard-of", RANGE_J, 1, 1, 0},
    };
    struct rapl_tree *tree = rapl_tree_make(zones, sizeof zones / sizeof *zones);
    struct meter *meter = open_rapl(tree);
    size_t count;
    const struct channel *channels = meter_channels(meter, &count);
    assert_int_equal(count, 6);
    assert_string_equal(channels[0].name, "package-0");
    assert_string_equal(channels[0].part_of, "psys");
    assert_string_equal(find_channel(meter, "package-0/core")->part_of, "package-0");
    assert_string_equal(find_channel(meter, "package-1/uncore")->part_of, "package-1");
    const struct channel *dram = find_channel(meter, "package-0/dram");
    assert_null(dram->part_of); /* below the package in the tree, but not in its energy */
    assert_int_equal(dram->scope, SCOPE_DRAM);
    assert_true(fabs(dram->range_j - 65712.999613) < 1e-9);
    assert_int_equal(find_channel(meter, "psys")->scope, SCOPE_PLATFORM);
    /* the range is 2^32 - 1 steps */
    assert_true(fabs(channels[0].resolution - 61.035e-6) < 1e-9 && fabs(dram->resolution - 15.3e-6) < 1e-9);
    double values[6];
    struct meter_reading reading = {.values = values};
    struct error error = ERROR_INIT;
    assert_int_equal(meter_read(meter, &reading, &error), 0);
    assert_true(values[0] >= 7 && values[0] < 60);
    assert_true(reading.boot_ns > 0 && reading.span_ns >= 0);
    meter_close(meter);
    rapl_tree_free(tree);
}

static void a_twin_serves_where_it_stands_alone(void **state)
{
    (void)state;
    const struct rapl_zone zones[] = {{"intel-rapl-mmio:0", "package-0", RANGE_J, 1, 50, 0}};
    struct rapl_tree *tree = rapl_tree_make(zones, 1);
    struct meter *meter = open_rapl(tree);
    size_t count;
    meter_channels(meter, &count);
    assert_int_equal(count, 1);
    meter_close(meter);
    rapl_tree_free(tree);
}

/* The names of all channels, in order, with a space after each. */
static void channels_are(const struct meter *meter, const char *expected)
{
    size_t count;
    const struct channel *channels = meter_channels(meter, &count);
    struct text names = TEXT_INIT;
    for (size_t i = 0; i < count; i++)
        text_printf(&names, "%s ", channels[i].name);
    assert_string_equal(names.data, expected);
    text_free(&names);
}

static void dies_that_show_one_counter_are_one_package(void **state)
{
    (void)state;
    const struct rapl_zone zones[] = {
        {"intel-rapl:0", "package-0-die-0", RANGE_J, 5, 68, 0},
        {"intel-rapl:0:0", "core", RANGE_J, 1, 3, 0},
        {"intel-rapl:1", "package-0-die-1", RANGE_J, 5, 68, 0},
        {"intel-rapl:1:0", "core", RANGE_J, 2, 4, 0},
        {"intel-rapl:2", "package-1-die-0", RANGE_J, 9, 68, 0},
        {"intel-rapl:3", "package-1-die-1", RANGE_J, 7, 60, 0},
    };
    struct rapl_tree *tree = rapl_tree_make(zones, sizeof zones / sizeof *zones);
    rapl_tree_mirror(tree, 2, 0);
    struct meter *meter = open_rapl(tree);
    channels_are(meter, "package-0 package-0/core package-1-die-0 package-1-die-1 ");
    assert_string_equal(find_channel(meter, "package-0/core")->part_of, "package-0");
    meter_close(meter);
    rapl_tree_free(tree);
}

static void packages_that_show_one_counter_are_one(void **state)
{
    (void)state;
    const struct rapl_zone zones[] = {
        {"intel-rapl:0", "package-0", RANGE_J, 5, 50, 0}, {"intel-rapl:1", "package-1", RANGE_J, 5, 50, 0},
        {"intel-rapl:2", "package-2", RANGE_J, 5, 50, 0}, {"intel-rapl:2:0", "dram", RANGE_J, 5, 5, 0},
        {"intel-rapl:3", "psys", RANGE_J, 5, 90, 0},      {"intel-rapl:4", "psys", RANGE_J, 5, 90, 0},
    };
    struct rapl_tree *tree = rapl_tree_make(zones, sizeof zones / sizeof *zones);
    rapl_tree_mirror(tree, 1, 0);
    rapl_tree_mirror(tree, 5, 4);
    struct meter *meter = open_rapl(tree);
    channels_are(meter, "package-0 package-2 package-2/dram psys ");
    assert_string_equal(find_channel(meter, "package-2")->part_of, "psys");
    meter_close(meter);
    rapl_tree_free(tree);
}

static void alike_is_not_the_same(void **state)
{
    (void)state;
    /* as two sockets under the same load: the same start and power, but not the same counter */
    const struct rapl_zone zones[] = {{"intel-rapl:0", "package-0-die-0", RANGE_J, 5, 100, 20},
                                      {"intel-rapl:1", "package-0-die-1", RANGE_J, 5, 100, 20},
                                      {"intel-rapl:0:0", "dram", RANGE_J, 0, 0, 0},
                                      {"intel-rapl:1:0", "dram", RANGE_J, 0, 0, 0}};
    struct rapl_tree *tree = rapl_tree_make(zones, 4);
    struct meter *meter = open_rapl(tree);
    channels_are(meter, "package-0-die-0 package-0-die-0/dram package-0-die-1 package-0-die-1/dram ");
    meter_close(meter);
    rapl_tree_free(tree);
}

static void limits_switched_off_change_nothing(void **state)
{
    (void)state;
    const struct rapl_zone zones[] = {{"intel-rapl:0", "package-0", RANGE_J, 5, 50, 0},
                                      {"intel-rapl:0:0", "uncore", RANGE_J, 5, 50, 0},
                                      {"intel-rapl:1", "psys", RANGE_J, 5, 50, 0}};
    struct rapl_tree *tree = rapl_tree_make(zones, 3);
    char *enabled = rapl_tree_path(tree, 0, "enabled");
    char *psys = rapl_tree_path(tree, 2, "energy_uj");
    FILE *file = fopen(enabled, "w");
    fputs("0\n", file);
    fclose(file);
    /* domains that are named but not counted */
    rapl_tree_fault(tree, 1, RAPL_GONE);
    assert_int_equal(unlink(psys), 0);
    struct meter *meter = open_rapl(tree);
    channels_are(meter, "package-0 ");
    meter_close(meter);
    free(enabled);
    free(psys);
    rapl_tree_free(tree);
}

static void amd_is_named_as_what_it_counts(void **state)
{
    (void)state;
    const struct rapl_zone zones[] = {{"intel-rapl:0", "package-0", RANGE_J, 5, 50, 0},
                                      {"intel-rapl:0:0", "core", RANGE_J, 5, 3, 0}};
    struct rapl_tree *tree = rapl_tree_make(zones, 2);
    struct meter *meter = open_rapl_of(tree, "AuthenticAMD");
    channels_are(meter, "package-0 package-0/one-core ");
    assert_true(fabs(find_channel(meter, "package-0")->accuracy - 0.1) < 1e-9);
    assert_non_null(strstr(find_channel(meter, "package-0/one-core")->accuracy_source, "one core"));
    meter_close(meter);
    rapl_tree_free(tree);
}

static void unusable_because(const struct rapl_tree *tree, const char *reason, const char *remedy)
{
    struct meter_probe probe;
    const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree)};
    find_driver("rapl")->probe(&setup, &probe);
    assert_false(probe.usable);
    if (!strstr(probe.reason, reason) || !strstr(probe.remedy, remedy))
        fail_msg("expected '%s' and '%s', found '%s' and '%s'", reason, remedy, probe.reason, probe.remedy);
    meter_probe_free(&probe);
}

static void denied_permission_names_the_file_and_the_remedy(void **state)
{
    (void)state;
    const struct rapl_zone zones[] = {{"intel-rapl:0", "package-0", RANGE_J, 1, 50, 0}};
    struct rapl_tree *tree = rapl_tree_make(zones, 1);
    static const char *const files[] = {"energy_uj", "name", "max_energy_range_uj"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = rapl_tree_path(tree, 0, files[i]), reason[64];
        snprintf(reason, sizeof reason, "%s: Permission denied", files[i]);
        assert_int_equal(chmod(path, 0), 0);
        bool root = geteuid() == 0;
        if (root) /* root reads anything: look with somebody else's eyes */
            assert_int_equal(seteuid(65534), 0);
        unusable_because(tree, reason, "sudo joulery meters --grant --apply");
        if (root)
            assert_int_equal(seteuid(0), 0);
        assert_int_equal(chmod(path, 0644), 0);
        free(path);
    }
    rapl_tree_free(tree);
}

static void what_is_no_counter_is_refused(void **state)
{
    (void)state;
    struct rapl_tree *empty = rapl_tree_make(NULL, 0);
    unusable_because(empty, "no RAPL zones", "modprobe intel_rapl_msr");
    rapl_tree_free(empty);
    const struct rapl_zone zones[] = {{"intel-rapl:0", "package-0", RANGE_J, 1, 50, 0}};
    struct rapl_tree *tree = rapl_tree_make(zones, 1);
    char *path = rapl_tree_path(tree, 0, "max_energy_range_uj");
    FILE *file = fopen(path, "w");
    fputs("12 apples\n", file);
    fclose(file);
    unusable_because(tree, "max_energy_range_uj: expected a whole number", "");
    free(path);
    path = rapl_tree_path(tree, 0, "max_energy_range_uj");
    file = fopen(path, "w");
    fputs("262143328850\n", file);
    fclose(file);
    free(path);
    rapl_tree_fault(tree, 0, RAPL_GONE);
    unusable_because(tree, "energy_uj: expected a whole number", "");
    path = rapl_tree_path(tree, 0, "name");
    file = fopen(path, "w");
    fputs("package-zero\n", file);
    fclose(file);
    unusable_because(tree, "expected package-N or package-N-die-M, found 'package-zero'", "");
    /* as where a container runtime mounts something empty over the zones */
    assert_int_equal(unlink(path), 0);
    unusable_because(tree, "name: No such file", "container runtimes hide");
    free(path);
    rapl_tree_free(tree);
}

static void a_counter_that_gives_nothing_is_no_reading(void **state)
{
    (void)state;
    const struct rapl_zone zones[] = {{"intel-rapl:0", "package-0", RANGE_J, 1, 50, 0},
                                      {"intel-rapl:1", "package-1", RANGE_J, 1, 50, 0}};
    struct rapl_tree *tree = rapl_tree_make(zones, 2);
    struct meter *meter = open_rapl(tree);
    double values[2];
    struct meter_reading reading = {.values = values};
    struct error error = ERROR_INIT;
    rapl_tree_fault(tree, 1, RAPL_GONE);
    assert_int_equal(meter_read(meter, &reading, &error), 0);
    assert_true(values[0] >= 1 && isnan(values[1]));
    rapl_tree_fault(tree, 0, RAPL_GONE);
    assert_int_equal(meter_read(meter, &reading, &error), -1);
    error_clear(&error);
    meter_close(meter);
    rapl_tree_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_sockets_are_described_as_the_hardware_is),
        cmocka_unit_test(a_twin_serves_where_it_stands_alone),
        cmocka_unit_test(dies_that_show_one_counter_are_one_package),
        cmocka_unit_test(packages_that_show_one_counter_are_one),
        cmocka_unit_test(alike_is_not_the_same),
        cmocka_unit_test(limits_switched_off_change_nothing),
        cmocka_unit_test(amd_is_named_as_what_it_counts),
        cmocka_unit_test(denied_permission_names_the_file_and_the_remedy),
        cmocka_unit_test(what_is_no_counter_is_refused),
        cmocka_unit_test(a_counter_that_gives_nothing_is_no_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
