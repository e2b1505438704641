#include "base/file.h"
#include "base/text.h"
#include "study/state.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void put(const char *root, const char *path, const char *text)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *whole = file_join(root, path);
    if (file_make_folders(whole, &error) < 0 || file_write(whole, text, strlen(text), &error) < 0)
        fail_msg("%s", error_text(&error));
}

static void remove_root(char **root)
{
    AUTO_FREE char *command = text_format("rm -rf '%s'", *root);
    assert_int_equal(system(command), 0);
    free(*root);
}

static char *make_root(void)
{
    char *root = strdup("/tmp/joulery-state-XXXXXX");
    assert_non_null(mkdtemp(root));
    return root;
}

#define AUTO_ROOT __attribute__((cleanup(remove_root)))

static char *describe(const struct meter_setup *setup)
{
    struct machine_state state;
    state_read(setup, &state);
    char *text = state_describe(&state);
    state_free(&state);
    return text;
}

static void the_state_is_what_the_kernel_says(void **state)
{
    (void)state;
    AUTO_ROOT char *root = make_root();
    const struct meter_setup setup = {.sysfs = root, .procfs = root};
    AUTO_FREE char *nothing = describe(&setup);
    assert_string_equal(nothing, "nothing is known");

    put(root, "devices/system/cpu/cpufreq/policy0/scaling_governor", "performance\n");
    put(root, "devices/system/cpu/cpufreq/policy1/scaling_governor", "performance\n");
    put(root, "devices/system/cpu/intel_pstate/no_turbo", "1\n");
    put(root, "class/hwmon/hwmon0/name", "nvme\n");
    put(root, "class/hwmon/hwmon0/temp1_input", "91000\n");
    put(root, "class/hwmon/hwmon1/name", "coretemp\n");
    put(root, "class/hwmon/hwmon1/temp1_input", "41000\n");
    put(root, "class/hwmon/hwmon1/temp7_input", "47600\n");
    put(root, "class/thermal/thermal_zone0/type", "x86_pkg_temp\n");
    put(root, "class/thermal/thermal_zone0/temp", "46000\n");
    put(root, "loadavg", "0.12 0.50 0.90 1/200 4242\n");
    AUTO_FREE char *all = describe(&setup);
    assert_string_equal(all, "governor performance, turbo off, load 0.12, 48 °C");

    put(root, "devices/system/cpu/cpufreq/policy1/scaling_governor", "powersave\n");
    put(root, "devices/system/cpu/intel_pstate/no_turbo", "?\n");
    put(root, "devices/system/cpu/cpufreq/boost", "1\n");
    put(root, "class/power_supply/AC/type", "Mains\n");
    put(root, "class/power_supply/AC/online", "0\n");
    put(root, "loadavg", "x\n");
    AUTO_FREE char *other = describe(&setup);
    assert_string_equal(other, "governor mixed, turbo on, on battery, 48 °C");
}

static void add_warning(void *context, char *warning)
{
    struct text *all = context;
    text_printf(all, "%s\n", warning);
    free(warning);
}

static char *warnings(const struct machine_state *state, bool rested)
{
    struct text all = TEXT_INIT;
    text_append(&all, "");
    state_warn(state, rested, add_warning, &all);
    return text_take(&all);
}

static void what_spoils_a_measurement_is_warned_of(void **state)
{
    (void)state;
    char performance[] = "performance", powersave[] = "powersave";
    struct machine_state machine = {
        .governor = performance, .load = 0.1, .logical_cpus = 16, .temperature_c = 45};
    AUTO_FREE char *fine = warnings(&machine, true);
    assert_string_equal(fine, "");
    machine.load = 2;
    AUTO_FREE char *after_a_run = warnings(&machine, false);
    assert_string_equal(after_a_run, "");
    AUTO_FREE char *load = warnings(&machine, true);
    assert_non_null(strstr(load, "a load of 2.00"));
    machine = (struct machine_state){
        .governor = powersave, .load = NAN, .logical_cpus = 16, .temperature_c = 95, .on_battery = true};
    AUTO_FREE char *all = warnings(&machine, true);
    assert_non_null(strstr(all, "governor is powersave"));
    assert_non_null(strstr(all, "on battery"));
    assert_non_null(strstr(all, "at 90 °C or more"));
}

static void other_load_is_the_machines_time_less_the_commands(void **state)
{
    (void)state;
    char basis[] = "process tree";
    struct record record = {.wall_s = 10,
                            .recorder_cpu_s = 0.5,
                            .host.logical_cpus = 4,
                            .attribution = {.basis = basis, .command_cpu_s = 14.5, .machine_cpu_s = 20}};
    assert_true(fabs(state_disturbance(&record) - 0.25) < 1e-12);
    record.attribution.machine_cpu_s = 15.5; /* 0.5 s in 10 s: any system's own */
    assert_true(state_disturbance(&record) == 0);
    record.attribution.command_cpu_s = 16; /* ticks are coarse */
    assert_true(state_disturbance(&record) == 0);
    record.wall_s = 0.1; /* 40 ms of a clock with ticks of 10 ms on each of 4 processors */
    record.recorder_cpu_s = 0;
    record.attribution.command_cpu_s = 0.06;
    record.attribution.machine_cpu_s = 0.1;
    assert_true(state_disturbance(&record) == 0);
    record.attribution.basis = NULL; /* not known */
    record.wall_s = 10;
    record.attribution.machine_cpu_s = 30;
    assert_true(state_disturbance(&record) == 0);
}

static void only_names_of_the_environment_are_told(void **state)
{
    (void)state;
    assert_int_equal(setenv("JOULERY_TEST_TOKEN", "hunter2=hunter2", 1), 0);
    AUTO_FREE char *names = state_environment();
    assert_non_null(strstr(names, "JOULERY_TEST_TOKEN"));
    assert_null(strstr(names, "hunter2"));
    assert_null(strchr(names, '='));
    unsetenv("JOULERY_TEST_TOKEN");
}

static void the_workloads_revision_is_gits(void **state)
{
    (void)state;
    AUTO_ROOT char *root = make_root();
    assert_null(state_revision(root));
    AUTO_FREE char *commit = text_format("cd %s && git init -q . && git config user.email a@b.c && git "
                                         "config user.name a && touch file && git add . && "
                                         "git commit -qm a 2>&1",
                                         root);
    if (system("git --version > /dev/null 2>&1") != 0)
        skip();
    assert_int_equal(system(commit), 0);
    AUTO_FREE char *clean = state_revision(root);
    assert_non_null(clean);
    assert_int_equal(strspn(clean, "0123456789abcdef"), 40);
    assert_int_equal(strlen(clean), 40);
    put(root, "file", "changed");
    AUTO_FREE char *dirty = state_revision(root);
    AUTO_FREE char *expected = text_format("%s-dirty", clean);
    assert_string_equal(dirty, expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_state_is_what_the_kernel_says),
        cmocka_unit_test(what_spoils_a_measurement_is_warned_of),
        cmocka_unit_test(other_load_is_the_machines_time_less_the_commands),
        cmocka_unit_test(only_names_of_the_environment_are_told),
        cmocka_unit_test(the_workloads_revision_is_gits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
