/* The battery driver on folders of the power_supply class. */
#include "meter/meter.h"

#include "base/text.h"
#include "file_tree.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct meter_driver *battery(void)
{
    size_t count;
    const struct meter_driver *const *drivers = meter_drivers(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(drivers[i]->name, "battery") == 0)
            return drivers[i];
    fail_msg("no driver battery");
    return NULL;
}

static void make_supply(const struct file_tree *tree, const char *name, const char *const (*files)[2],
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *path = text_format("class/power_supply/%s/%s", name, files[i][0]);
        file_tree_write(tree, path, files[i][1]);
    }
}

static void make_laptop(const struct file_tree *tree, const char *status)
{
    const char *const cell[][2] = {
        {"type", "Battery\n"}, {"status", status}, {"power_now", "12340000\n"}, {"energy_now", "40000000\n"}};
    static const char *const mains[][2] = {{"type", "Mains\n"}, {"online", "0\n"}};
    static const char *const mouse[][2] = {
        {"type", "Battery\n"}, {"scope", "Device\n"}, {"status", "Discharging\n"}, {"power_now", "1\n"}};
    make_supply(tree, "BAT0", cell, 4);
    make_supply(tree, "AC", mains, 2);
    make_supply(tree, "hidpp_battery_0", mouse, 4);
}

static struct meter *open_tree(const struct file_tree *tree, size_t expected)
{
    struct error error = ERROR_INIT;
    const struct meter_setup setup = {.sysfs = file_tree_root(tree)};
    struct meter *meter = meter_open(battery(), &setup, &error);
    if (!meter)
        fail_msg("%s", error_text(&error));
    size_t count;
    meter_channels(meter, &count);
    assert_int_equal(count, expected);
    return meter;
}

static int read_all(struct meter *meter, double *values)
{
    struct meter_reading reading = {.values = values};
    struct error error = ERROR_INIT;
    int result = meter_read(meter, &reading, &error);
    error_clear(&error);
    return result;
}

static void unusable_because(const struct file_tree *tree, const char *reason, const char *remedy)
{
    struct meter_probe probe;
    const struct meter_setup setup = {.sysfs = file_tree_root(tree)};
    battery()->probe(&setup, &probe);
    assert_false(probe.usable);
    if (!strstr(probe.reason, reason) || !strstr(probe.remedy, remedy))
        fail_msg("expected '%s' and '%s', found '%s' and '%s'", reason, remedy, probe.reason, probe.remedy);
    meter_probe_free(&probe);
}

static void a_battery_that_discharges_tells_of_the_whole_machine(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    make_laptop(tree, "Discharging\n");
    struct meter *meter = open_tree(tree, 1); /* not the charger, not the mouse */
    size_t count;
    const struct channel *channel = meter_channels(meter, &count);
    assert_string_equal(channel->name, "BAT0");
    assert_int_equal(channel->scope, SCOPE_PLATFORM);
    assert_int_equal(channel->kind, KIND_POWER);
    assert_true(channel->update_s > 1);
    double power_w;
    assert_int_equal(read_all(meter, &power_w), 0);
    assert_true(fabs(power_w - 12.34) < 1e-9);
    meter_close(meter);
    file_tree_free(tree);
}

static void a_current_and_a_voltage_make_a_power_whatever_their_sign(void **state)
{
    (void)state;
    static const char *const cell[][2] = {{"type", "Battery\n"},
                                          {"status", "Discharging\n"},
                                          {"current_now", "-1500000\n"},
                                          {"voltage_now", "12000000\n"}};
    struct file_tree *tree = file_tree_make();
    make_supply(tree, "BAT1", cell, 4);
    struct meter *meter = open_tree(tree, 1);
    double power_w;
    assert_int_equal(read_all(meter, &power_w), 0);
    assert_true(fabs(power_w - 18) < 1e-9);
    meter_close(meter);
    file_tree_free(tree);
}

static void the_mains_are_said_and_give_no_figure(void **state)
{
    (void)state;
    static const char *const others[] = {"Charging\n", "Full\n", "Not charging\n",
                                         "Unknown\n",  "",       "Discharging now\n"};
    struct file_tree *tree = file_tree_make();
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        make_laptop(tree, others[i]);
        unusable_because(tree, "runs from the mains", "unplug the charger");
    }
    file_tree_free(tree);
}

static void plugging_in_in_the_middle_is_no_reading(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    make_laptop(tree, "Discharging\n");
    static const char *const second[][2] = {
        {"type", "Battery\n"}, {"status", "Not charging\n"}, {"power_now", "0\n"}};
    make_supply(tree, "BAT1", second, 3);
    struct meter *meter = open_tree(tree, 2);
    double values[2];
    assert_int_equal(read_all(meter, values), 0);
    assert_true(values[0] > 12 && isnan(values[1])); /* the second rests: nothing, not 0 W */
    file_tree_write(tree, "class/power_supply/BAT0/status", "Charging\n");
    file_tree_write(tree, "class/power_supply/BAT1/status", "Discharging\n");
    file_tree_write(tree, "class/power_supply/BAT1/power_now", "9000000\n");
    assert_int_equal(read_all(meter, values), 0);
    assert_true(isnan(values[0]) && fabs(values[1] - 9) < 1e-9);
    file_tree_write(tree, "class/power_supply/BAT1/power_now", "nine\n");
    assert_int_equal(read_all(meter, values), -1);
    meter_close(meter);
    file_tree_free(tree);
}

static void machines_without_a_battery_are_told_so(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    unusable_because(tree, "class/power_supply", "only a laptop's battery");
    static const char *const dumb[][2] = {{"type", "Battery\n"}, {"status", "Discharging\n"}};
    static const char *const broken[][2] = {
        {"type", "Battery\n"}, {"status", "Discharging\n"}, {"power_now", "12.5\n"}};
    make_supply(tree, "BAT0", dumb, 2);
    make_supply(tree, "BAT1", broken, 3);
    unusable_because(tree, "no battery there tells its power", "only a laptop's battery");
    file_tree_free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_battery_that_discharges_tells_of_the_whole_machine),
        cmocka_unit_test(a_current_and_a_voltage_make_a_power_whatever_their_sign),
        cmocka_unit_test(the_mains_are_said_and_give_no_figure),
        cmocka_unit_test(plugging_in_in_the_middle_is_no_reading),
        cmocka_unit_test(machines_without_a_battery_are_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
