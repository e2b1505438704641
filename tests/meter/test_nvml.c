/* The driver against a stand-in library with known truth. */
#include "meter/meter.h"

#include "base/clock.h"
#include "nvml_scenario.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UUID_0 "GPU-00000000-aaaa-4106-c12f-20bd9faed9f6"
#define UUID_1 "GPU-11111111-bbbb-4106-c12f-20bd9faed9f6"
#define TWO                                                                                                  \
    "gpu " UUID_0 "\nname NVIDIA A100-SXM4-40GB\nmean_w 100\nstart_mj 5000000\nlimit_mw 400000\n"            \
    "gpu " UUID_1 "\nname NVIDIA A100-SXM4-40GB\nmean_w 60\nstart_mj 7000000\nlimit_mw 400000\n"

static const struct meter_setup standin = {.nvml = NVML_STANDIN_LIBRARY};

static const struct meter_driver *find_driver(void)
{
    size_t count;
    const struct meter_driver *const *drivers = meter_drivers(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(drivers[i]->name, "nvml") == 0)
            return drivers[i];
    fail_msg("no driver nvml");
    return NULL;
}

static struct meter *open_with(const struct meter_setup *setup)
{
    struct error error = ERROR_INIT;
    struct meter *meter = meter_open(find_driver(), setup, &error);
    if (!meter)
        fail_msg("%s", error_text(&error));
    return meter;
}

static size_t position(const struct meter *meter, const char *name)
{
    size_t count;
    const struct channel *channels = meter_channels(meter, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(channels[i].name, name) == 0)
            return i;
    fail_msg("no channel %s", name);
    return 0;
}

static const struct channel *find_channel(const struct meter *meter, const char *name)
{
    size_t count;
    return &meter_channels(meter, &count)[position(meter, name)];
}

static size_t count_channels(const struct meter *meter)
{
    size_t count;
    meter_channels(meter, &count);
    return count;
}

static bool has_note(const struct meter *meter, const char *part)
{
    size_t count;
    const char *const *notes = meter_notes(meter, &count);
    for (size_t i = 0; i < count; i++)
        if (strstr(notes[i], part))
            return true;
    return false;
}

static size_t count_notes(const struct meter *meter)
{
    size_t count;
    meter_notes(meter, &count);
    return count;
}

static double value_of(struct meter *meter, const char *name)
{
    double values[16];
    struct meter_reading reading = {.values = values};
    struct error error = ERROR_INIT;
    assert_true(count_channels(meter) <= 16);
    assert_int_equal(meter_read(meter, &reading, &error), 0);
    return values[position(meter, name)];
}

static void can_not_be_used(const struct meter_setup *setup, const char *reason, const char *remedy)
{
    struct meter_probe probe = {0};
    find_driver()->probe(setup, &probe);
    assert_false(probe.usable);
    if (!strstr(probe.reason, reason) || !strstr(probe.remedy, remedy))
        fail_msg("expected '%s' and '%s', found '%s' and '%s'", reason, remedy, probe.reason, probe.remedy);
    meter_probe_free(&probe);
    struct error error = ERROR_INIT;
    assert_null(meter_open(find_driver(), setup, &error));
    assert_non_null(strstr(error_text(&error), reason));
    error_clear(&error);
}

/* ---- what is told of each GPU ---- */

static void a_gpu_has_a_counter_and_its_power_beside_it(void **state)
{
    (void)state;
    nvml_scenario_play(TWO);
    struct meter *meter = open_with(&standin);
    assert_int_equal(count_channels(meter), 4);
    const struct channel *counter = find_channel(meter, "gpu-1");
    assert_string_equal(counter->meter, "nvml");
    assert_string_equal(counter->label, "NVIDIA A100-SXM4-40GB, " UUID_1);
    assert_int_equal(counter->kind, KIND_COUNTER);
    assert_int_equal(counter->scope, SCOPE_GPU);
    assert_true(counter->max_power_w == 800 && counter->resolution == 1e-3 && counter->still_most_s > 0);
    assert_true(!counter->apart && !counter->twin && !counter->part_of);
    const struct channel *power = find_channel(meter, "gpu-1/power");
    assert_int_equal(power->kind, KIND_POWER);
    assert_string_equal(power->part_of, "gpu-1");
    assert_true(power->apart && power->twin);
    assert_int_equal(count_notes(meter), 0);
    meter_close(meter);
    assert_int_equal(nvml_scenario_shutdowns(), 1);
}

static void readings_are_joules_and_watts(void **state)
{
    (void)state;
    int64_t zero_ns = nvml_scenario_play(TWO);
    struct meter *meter = open_with(&standin);
    int64_t before_ns = clock_boot_ns();
    double energy_j = value_of(meter, "gpu-0");
    int64_t after_ns = clock_boot_ns();
    assert_true(energy_j >= 5000 + nvml_scenario_truth_j(100, 0, zero_ns, zero_ns, before_ns) - 2e-3);
    assert_true(energy_j <= 5000 + nvml_scenario_truth_j(100, 0, zero_ns, zero_ns, after_ns) + 2e-3);
    assert_true(fabs(value_of(meter, "gpu-0/power") - 100) < 1e-9);
    assert_true(fabs(value_of(meter, "gpu-1/power") - 60) < 1e-9);
    meter_close(meter);
}

static void instantaneous_power_is_preferred_and_a_second_long_average_known(void **state)
{
    (void)state;
    nvml_scenario_play("gpu " UUID_0 "\nmean_w 100\narchitecture 9\ninstant 0\n"
                       "gpu " UUID_1 "\nmean_w 100\narchitecture 8\n");
    struct meter *meter = open_with(&standin);
    assert_true(find_channel(meter, "gpu-0/power")->averaging_s <= 0.1);
    assert_true(find_channel(meter, "gpu-1/power")->averaging_s == 1);
    assert_true(fabs(value_of(meter, "gpu-0/power") - 100) < 1e-9);
    meter_close(meter);
}

static void without_a_counter_power_is_all_and_said_to_be(void **state)
{
    (void)state;
    nvml_scenario_play("gpu " UUID_0 "\nmean_w 100\nenergy 3\n");
    struct meter *meter = open_with(&standin);
    assert_int_equal(count_channels(meter), 1);
    const struct channel *channel = find_channel(meter, "gpu-0");
    assert_int_equal(channel->kind, KIND_POWER);
    assert_true(!channel->apart && !channel->twin && !channel->part_of);
    assert_non_null(strstr(channel->accuracy_source, "integrated from power readings"));
    assert_true(has_note(meter, "gpu-0 is integrated from power readings"));
    assert_true(fabs(value_of(meter, "gpu-0") - 100) < 1e-9);
    meter_close(meter);
}

static void a_counter_that_stays_at_zero_is_none(void **state)
{
    (void)state;
    nvml_scenario_play("gpu " UUID_0 "\nmean_w 0.0001\nenergy 0\npower 3\n"
                       "gpu " UUID_1 "\nmean_w 100\n");
    struct meter *meter = open_with(&standin);
    assert_true(
        has_note(meter, "gpu-0 (NVIDIA Stand-in, " UUID_0 ") gives no reading: energy counter: stands at 0"));
    assert_int_equal(find_channel(meter, "gpu-1")->kind, KIND_COUNTER); /* that began at 0 just now */
    assert_int_equal(count_channels(meter), 2);
    meter_close(meter);
}

static void zero_watts_are_no_reading(void **state)
{
    (void)state;
    nvml_scenario_play("gpu " UUID_0 "\nmean_w 100\nenergy 3\nfactor 0\n");
    can_not_be_used(&standin, "gives no reading", "wall");
}

static void a_gpu_without_any_sensor_is_named_and_the_others_go_on(void **state)
{
    (void)state;
    nvml_scenario_play(TWO "energy 3\npower 3\n");
    struct meter *meter = open_with(&standin);
    assert_int_equal(count_channels(meter), 2);
    assert_true(has_note(meter, "gpu-1 (NVIDIA A100-SXM4-40GB, " UUID_1 ") gives no reading"));
    meter_close(meter);
}

static void an_old_library_gives_power_alone(void **state)
{
    (void)state;
    nvml_scenario_play("gpu " UUID_0 "\nmean_w 100\n");
    const struct meter_setup old = {.nvml = NVML_STANDIN_OLD_LIBRARY};
    struct meter *meter = open_with(&old);
    assert_int_equal(count_channels(meter), 1);
    assert_int_equal(find_channel(meter, "gpu-0")->kind, KIND_POWER);
    assert_true(find_channel(meter, "gpu-0")->max_power_w > 800);
    assert_true(has_note(meter, "not known to this driver"));
    meter_close(meter);
}

/* ---- whose they are ---- */

static void neighbours_are_apart_and_only_counted(void **state)
{
    (void)state;
    nvml_scenario_play(TWO);
    setenv("CUDA_VISIBLE_DEVICES", UUID_1, 1);
    struct meter *meter = open_with(&standin);
    assert_int_equal(count_channels(meter), 3);
    assert_true(find_channel(meter, "gpu-0")->apart);
    assert_false(find_channel(meter, "gpu-1")->apart);
    assert_string_equal(find_channel(meter, "gpu-1/power")->part_of, "gpu-1");
    assert_true(has_note(meter, "counted by CUDA_VISIBLE_DEVICES: gpu-1; others', beside the totals: gpu-0"));
    meter_close(meter);
    setenv("CUDA_VISIBLE_DEVICES", "", 1);
    meter = open_with(&standin);
    assert_true(find_channel(meter, "gpu-0")->apart && find_channel(meter, "gpu-1")->apart);
    assert_true(has_note(meter, "counted by CUDA_VISIBLE_DEVICES: none"));
    meter_close(meter);
}

static void slurm_numbers_are_those_of_the_device_files(void **state)
{
    (void)state;
    nvml_scenario_play("gpu " UUID_0 "\nmean_w 100\nminor 3\ngpu " UUID_1 "\nmean_w 100\nminor 1\n");
    setenv("SLURM_JOB_GPUS", "3", 1);
    struct meter *meter = open_with(&standin);
    assert_false(find_channel(meter, "gpu-0")->apart);
    assert_true(find_channel(meter, "gpu-1")->apart);
    meter_close(meter);
}

static void gpus_that_may_not_be_opened_have_no_cuda_number(void **state)
{
    (void)state;
    nvml_scenario_play("gpu " UUID_0 "\nhandle 4\ngpu " UUID_1 "\nmean_w 100\n");
    setenv("CUDA_VISIBLE_DEVICES", "0", 1);
    struct meter *meter = open_with(&standin);
    assert_int_equal(count_channels(meter), 2);
    assert_false(find_channel(meter, "gpu-1")->apart);
    assert_true(has_note(meter, "1 of the machine's GPUs can't be opened"));
    meter_close(meter);
}

static void a_gpu_with_instances_is_counted_once_and_as_a_whole(void **state)
{
    (void)state;
    nvml_scenario_play("gpu " UUID_0 "\nmean_w 100\narchitecture 7\nmig MIG-aaaa\nmig MIG-bbbb\n"
                       "gpu " UUID_1 "\nmean_w 100\narchitecture 7\n");
    setenv("CUDA_VISIBLE_DEVICES", "MIG-bbbb,MIG-aaaa", 1);
    struct meter *meter = open_with(&standin);
    assert_int_equal(count_channels(meter), 3);
    assert_false(find_channel(meter, "gpu-0")->apart);
    assert_true(find_channel(meter, "gpu-1")->apart);
    assert_non_null(strstr(find_channel(meter, "gpu-0")->label, "MIG mode: the whole GPU"));
    assert_true(has_note(meter, "gpu-0 is in MIG mode: its figures are the whole GPU's"));
    assert_false(has_note(meter, "gpu-1 is in MIG mode"));
    meter_close(meter);
}

/* ---- what goes wrong ---- */

static void a_library_that_lacks_or_is_another_is_named(void **state)
{
    (void)state;
    can_not_be_used(&(struct meter_setup){.nvml = "libjoulery-no-such.so.1"}, "libjoulery-no-such.so.1",
                    "install NVIDIA's driver");
    can_not_be_used(&(struct meter_setup){.nvml = "libm.so.6"}, "no nvmlInit_v2", "install NVIDIA's driver");
}

static void each_failure_has_its_reason_and_remedy(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *reason, *remedy;
    } failures[] = {
        {"init 9\n", "driver is not loaded", "modprobe nvidia"},
        {"init 18\n", "different versions", "reboot"},
        {"init 4\n", "permission denied", "/dev/nvidiactl"},
        {"init 17\n", "blocked by", "/dev/nvidia*"},
        {"init 999\n", "inside the driver", "nvidia-smi"},
        {"init 77\n", "not documented", "nvidia-smi"},
        {"init 0\n", "shows no GPU", "nvidia-smi -L"},
        {"gpu " UUID_0 "\nhandle 4\n", "none of the GPUs can be opened", "/dev/nvidia"},
        {"gpu " UUID_0 "\nhandle 15\n", "gpu-0 gives no reading: the GPU is lost", "xid"},
        {"gpu " UUID_0 "\nhandle 8\n", "power cables", "attach"},
        {"gpu " UUID_0 "\nenergy 3\npower 3\n", "not supported", "on the host"},
        {"gpu " UUID_0 "\nenergy 999\npower 999\n", "inside the driver", "nvidia-smi"},
    };
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        nvml_scenario_play(failures[i].lines);
        can_not_be_used(&standin, failures[i].reason, failures[i].remedy);
        bool began = strncmp(failures[i].lines, "init", 4) != 0 || strcmp(failures[i].lines, "init 0\n") == 0;
        assert_int_equal(nvml_scenario_shutdowns(), began ? 2 : 0);
    }
}

static void a_lost_gpu_takes_no_other_with_it(void **state)
{
    (void)state;
    int64_t zero_ns = nvml_scenario_play(TWO "lost_s 1\n");
    struct meter *meter = open_with(&standin);
    assert_false(isnan(value_of(meter, "gpu-1")));
    clock_sleep_until(zero_ns + 105 * (NS_PER_S / 100));
    assert_true(isnan(value_of(meter, "gpu-1")) && isnan(value_of(meter, "gpu-1/power")));
    assert_true(value_of(meter, "gpu-0") > 5000 && value_of(meter, "gpu-0/power") > 99);
    meter_close(meter);
}

static void when_all_are_lost_reading_fails(void **state)
{
    (void)state;
    int64_t zero_ns = nvml_scenario_play("gpu " UUID_0 "\nmean_w 100\nstart_mj 5\nlost_s 1\n");
    struct meter *meter = open_with(&standin);
    clock_sleep_until(zero_ns + 105 * (NS_PER_S / 100));
    double values[2];
    struct meter_reading reading = {.values = values};
    struct error error = ERROR_INIT;
    assert_int_equal(meter_read(meter, &reading, &error), -1);
    assert_non_null(strstr(error_text(&error), "nvml"));
    error_clear(&error);
    meter_close(meter);
}

static int end_scenario(void **state)
{
    (void)state;
    nvml_scenario_end();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_gpu_has_a_counter_and_its_power_beside_it),
        cmocka_unit_test(readings_are_joules_and_watts),
        cmocka_unit_test(instantaneous_power_is_preferred_and_a_second_long_average_known),
        cmocka_unit_test(without_a_counter_power_is_all_and_said_to_be),
        cmocka_unit_test(a_counter_that_stays_at_zero_is_none),
        cmocka_unit_test(zero_watts_are_no_reading),
        cmocka_unit_test(a_gpu_without_any_sensor_is_named_and_the_others_go_on),
        cmocka_unit_test(an_old_library_gives_power_alone),
        cmocka_unit_test(neighbours_are_apart_and_only_counted),
        cmocka_unit_test(slurm_numbers_are_those_of_the_device_files),
        cmocka_unit_test(gpus_that_may_not_be_opened_have_no_cuda_number),
        cmocka_unit_test(a_gpu_with_instances_is_counted_once_and_as_a_whole),
        cmocka_unit_test(a_library_that_lacks_or_is_another_is_named),
        cmocka_unit_test(each_failure_has_its_reason_and_remedy),
        cmocka_unit_test(a_lost_gpu_takes_no_other_with_it),
        cmocka_unit_test(when_all_are_lost_reading_fails),
    };
    return cmocka_run_group_tests(tests, NULL, end_scenario);
}
