#include "base/clock.h"
#include "base/file.h"
#include "base/scratch.h"
#include "base/text.h"
#include "meter/cpu_model.h"
#include "meter/cpu_tdp.h"
#include "meter/cpuinfo.h"
#include "meter/dram_model.h"
#include "meter/driver.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void names_match_however_the_kernel_writes_them(void **state)
{
    (void)state;
    static const struct {
        const char *kernel;
        double tdp_w;
    } known[] = {
        {"Intel(R) Xeon(R) CPU E3-1240 V2 @ 3.40GHz", 69},
        {"AMD EPYC 8024P 8-Core Processor", 90},
        {"Intel(R) Core(TM) i7-8700K CPU @ 3.70GHz", 95},
        {"12th Gen Intel(R) Core(TM) i7-12700K", 190},
        {"AMD Ryzen 7 5800X 8-Core Processor", 105},
        {"AMD Ryzen 7 4700U with Radeon Graphics", 15},
        {"Intel(R) Xeon(R) Processor", 0},
        {"", 0},
        {"CPU", 0},
        {"\xff\xfe", 0},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (cpu_tdp_find(known[i].kernel) != known[i].tdp_w)
            fail_msg("%s: %g W", known[i].kernel, cpu_tdp_find(known[i].kernel));
}

struct measured {
    double tdp_w, cpus, load, power_w;
    bool all;
    char vendor;
};

static size_t read_measured(struct measured *points, size_t most)
{
    FILE *file = fopen(LOAD_POWER_CSV, "r");
    assert_non_null(file);
    char *line = NULL;
    size_t capacity = 0, count = 0;
    while (getline(&line, &capacity, file) > 0 && count < most) {
        struct measured *point = &points[count];
        char kind[8];
        if (sscanf(line, "%lf,%lf,%7[a-z],%lf,%lf,%c", &point->tdp_w, &point->cpus, kind, &point->load,
                   &point->power_w, &point->vendor) == 6) {
            point->all = strcmp(kind, "all") == 0;
            count++;
        }
    }
    free(line);
    fclose(file);
    return count;
}

/* "some": the busy CPUs are fully busy; "all": each is as busy as the whole. */
static double shape_at(const struct measured *point)
{
    double load = point->load / 100;
    return cpu_model_shape(load) * cpu_model_pace_of_load(point->all ? load : 1);
}

struct fit {
    double idle, peak; /* of the TDP */
};

struct weighted {
    double value, weight;
};

static int by_value(const void *a, const void *b)
{
    const struct weighted *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

/* Idle: mean of the points at rest. Peak: least absolute deviations, which is a weighted median. `vendor` 0:
 * all points. */
static struct fit fit_model(const struct measured *points, size_t count, char vendor)
{
    struct weighted *ratios = calloc(count, sizeof *ratios);
    assert_non_null(ratios);
    struct fit fit = {0};
    double rest = 0, half = 0, so_far = 0;
    size_t rests = 0, used = 0, i;
    for (i = 0; i < count; i++)
        if ((!vendor || points[i].vendor == vendor) && points[i].load < 3) {
            rest += points[i].power_w / points[i].tdp_w;
            rests++;
        }
    fit.idle = rest / (double)rests;
    for (i = 0; i < count; i++) {
        double shape_w = shape_at(&points[i]) * points[i].tdp_w;
        if ((vendor && points[i].vendor != vendor) || shape_w <= 0)
            continue;
        double above_w = points[i].power_w - fit.idle * (points[i].tdp_w - shape_w);
        ratios[used++] = (struct weighted){above_w / shape_w, shape_w};
        half += shape_w / 2;
    }
    qsort(ratios, used, sizeof *ratios, by_value);
    for (i = 0; i < used && so_far < half; i++)
        so_far += ratios[i].weight;
    fit.peak = ratios[i - 1].value;
    free(ratios);
    return fit;
}

static double fitted_w(const struct measured *point, const struct fit *fit)
{
    return point->tdp_w * (fit->idle + (fit->peak - fit->idle) * shape_at(point));
}

/* Mean absolute error over a vendor's points (0: all); of TDP x load where there is no fit. */
static double mean_error_w(const struct measured *points, size_t count, char vendor, const struct fit *fit)
{
    double sum = 0;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        const struct measured *point = &points[i];
        if (vendor && point->vendor != vendor)
            continue;
        double model_w = fit ? fitted_w(point, fit) : point->tdp_w * point->load / 100;
        sum += fabs(model_w - point->power_w);
        used++;
    }
    return sum / (double)used;
}

static void the_constants_are_the_fit_to_all_points(void **state)
{
    (void)state;
    struct measured points[64];
    size_t count = read_measured(points, 64);
    assert_int_equal(count, 42);
    struct fit fit = fit_model(points, count, 0);
    assert_true(fabs(fit.idle - CPU_MODEL_IDLE) < 6e-5);
    assert_true(fabs(fit.peak - CPU_MODEL_PEAK) < 6e-5);
    for (size_t i = 0; i < count; i++) {
        double load = points[i].load / 100, pace = cpu_model_pace_of_load(points[i].all ? load : 1);
        double model_w = points[i].tdp_w * cpu_model_share(load, pace);
        assert_true(fabs(model_w - fitted_w(&points[i], &fit)) < 0.02);
    }
    double per_cpu_w = (90.0 / 16 + 69.0 / 8) / 2;
    assert_true(fabs(CPU_MODEL_TDP_PER_CPU_W - per_cpu_w) < 0.05);
}

static void the_model_is_twice_as_close_as_tdp_times_load_on_a_machine_it_was_not_fitted_to(void **state)
{
    (void)state;
    struct measured points[64];
    size_t count = read_measured(points, 64);
    static const char left_out[] = {'A', 'I'};
    double relative2 = 0;
    size_t used = 0;
    for (size_t i = 0; i < sizeof left_out; i++) {
        struct fit fit = fit_model(points, count, left_out[1 - i]);
        double ours_w = mean_error_w(points, count, left_out[i], &fit);
        double usual_w = mean_error_w(points, count, left_out[i], NULL);
        print_message("  fitted without %s: %.2f W off, TDP x load %.2f W: %.2f times\n",
                      left_out[i] == 'A' ? "AMD" : "Intel", ours_w, usual_w, usual_w / ours_w);
        assert_true(usual_w >= 2 * ours_w);
        for (size_t p = 0; p < count; p++) {
            if (points[p].vendor != left_out[i] || points[p].load < 10)
                continue;
            double off = points[p].power_w / fitted_w(&points[p], &fit) - 1;
            relative2 += off * off;
            used++;
        }
    }
    double relative = sqrt(relative2 / (double)used);
    print_message("  relative error from 10 %% load, root mean square: %.3f\n", relative);
    assert_true(CPU_MODEL_ACCURACY >= relative && CPU_MODEL_ACCURACY < relative + 0.02);
    struct fit all = fit_model(points, count, 0);
    double ours_w = mean_error_w(points, count, 0, &all), usual_w = mean_error_w(points, count, 0, NULL);
    print_message("  fitted to all: %.2f W off, TDP x load %.2f W: %.2f times\n", ours_w, usual_w,
                  usual_w / ours_w);
    assert_true(usual_w >= 2 * ours_w);
}

static void loads_outside_are_held_at_the_ends(void **state)
{
    (void)state;
    assert_true(cpu_model_shape(-1) == 0 && cpu_model_shape(2) == 1);
    assert_true(cpu_model_pace_of_load(7) == 1 && cpu_model_pace_of_load(-1) == 0.5);
    assert_true(cpu_model_pace_of_clock(1.2) == 1 && cpu_model_pace_of_clock(-1) == 0);
    for (int load = 0; load < 100; load++)
        assert_true(cpu_model_shape(load / 100.0) < cpu_model_shape((load + 1) / 100.0));
}

/* ---- a simulated machine ---- */

struct machine {
    struct scratch scratch;
    char *cpufreq; /* of CPU 0 */
    struct meter_setup setup;
};

/* In place: who holds the file open sees the change. */
static void put(const char *folder, const char *name, const char *text)
{
    AUTO_FREE char *path = file_join(folder, name);
    int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(descriptor >= 0 && write(descriptor, text, strlen(text)) == (ssize_t)strlen(text));
    close(descriptor);
}

static const char two_cpus_idle[] = "cpu  100 0 0 100 0 0 0 0 0 0\n"
                                    "cpu0 50 0 0 50 0 0 0 0 0 0\n"
                                    "cpu1 50 0 0 50 0 0 0 0 0 0\n"
                                    "intr 1 2 3\n";
static const char one_worked[] = "cpu  110 0 0 110 0 0 0 0 0 0\n"
                                 "cpu0 60 0 0 50 0 0 0 0 0 0\n"
                                 "cpu1 50 0 0 60 0 0 0 0 0 0\n";
static const char both_worked[] = "cpu  110 0 0 110 0 0 0 0 0 0\n"
                                  "cpu0 55 0 0 55 0 0 0 0 0 0\n"
                                  "cpu1 55 0 0 55 0 0 0 0 0 0\n";

static void machine_open(struct machine *machine)
{
    struct error error = ERROR_INIT;
    *machine = (struct machine){.scratch = SCRATCH_INIT};
    if (scratch_open(&machine->scratch, "/tmp", "joulery-test-cpu", &error) < 0)
        fail_msg("%s", error_text(&error));
    const char *root = machine->scratch.path;
    static const char *const folders[] = {"devices", "devices/system", "devices/system/cpu",
                                          "devices/system/cpu/cpu0", "devices/system/cpu/cpu0/cpufreq"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        free(machine->cpufreq);
        machine->cpufreq = file_join(root, folders[i]);
        assert_int_equal(mkdir(machine->cpufreq, 0700), 0);
    }
    put(root, "cpuinfo",
        "processor : 0\nmodel name : AMD EPYC 8024P 8-Core Processor\n"
        "processor : 1\nmodel name : AMD EPYC 8024P 8-Core Processor\n");
    put(root, "stat", two_cpus_idle);
    put(root, "meminfo", "MemTotal:       33554432 kB\nMemFree: 1 kB\n");
    machine->setup = (struct meter_setup){.sysfs = root, .procfs = root};
}

static void machine_close(struct machine *machine)
{
    scratch_close(&machine->scratch);
    free(machine->cpufreq);
}

#define SPAN_NS (NS_PER_S / 5)

/* `taken_ns`: how long opening and reading took, which is how far the readings' times may be from the
 * model's, for which all begins when it is opened. */
static double model_once_w(const struct meter_driver *driver, const struct machine *machine, const char *stat,
                           int64_t *taken_ns)
{
    struct error error = ERROR_INIT;
    int64_t begin_ns = clock_boot_ns();
    struct meter *meter = meter_open(driver, &machine->setup, &error);
    if (!meter)
        fail_msg("%s", error_text(&error));
    double before_j, after_j;
    struct meter_reading before = {.values = &before_j}, after = {.values = &after_j};
    assert_int_equal(meter_read(meter, &before, &error), 0);
    *taken_ns = clock_boot_ns() - begin_ns;
    clock_sleep_until(clock_boot_ns() + SPAN_NS);
    put(machine->scratch.path, "stat", stat);
    begin_ns = clock_boot_ns();
    assert_int_equal(meter_read(meter, &after, &error), 0);
    *taken_ns += clock_boot_ns() - begin_ns;
    put(machine->scratch.path, "stat", two_cpus_idle);
    meter_close(meter);
    return (after_j - before_j) / ((double)(after.boot_ns - before.boot_ns) / NS_PER_S);
}

/* Watts that a model gives for some time in which /proc/stat went on to `stat`. Readings that a busy machine
 * holds up for longer than near() allows are taken again. */
static double model_w(const struct meter_driver *driver, const struct machine *machine, const char *stat)
{
    enum { TRIES = 50 };
    int64_t taken_ns = INT64_MAX;
    double power_w = 0;
    for (int i = 0; i < TRIES && taken_ns > SPAN_NS / 100; i++)
        power_w = model_once_w(driver, machine, stat, &taken_ns);
    return power_w;
}

static bool near(double value, double expected)
{
    return fabs(value - expected) <= 0.01 * expected;
}

static void spread_work_is_taken_as_slower_than_work_of_one_cpu(void **state)
{
    (void)state;
    struct machine machine;
    machine_open(&machine);
    double one_w = model_w(&cpu_model_driver, &machine, one_worked);
    double both_w = model_w(&cpu_model_driver, &machine, both_worked);
    assert_true(near(one_w, 90 * cpu_model_share(0.5, 1)));
    assert_true(near(both_w, 90 * cpu_model_share(0.5, 0.75)));
    machine_close(&machine);
}

static void a_clock_that_can_be_read_counts_against_its_nominal_one(void **state)
{
    (void)state;
    struct machine machine;
    machine_open(&machine);
    put(machine.cpufreq, "scaling_cur_freq", "1000000\n");
    put(machine.cpufreq, "cpuinfo_max_freq", "4000000\n");
    assert_true(near(model_w(&cpu_model_driver, &machine, one_worked), 90 * cpu_model_share(0.5, 0.125)));
    put(machine.cpufreq, "base_frequency", "1000000\n"); /* turbo above it doesn't count */
    assert_true(near(model_w(&cpu_model_driver, &machine, one_worked), 90 * cpu_model_share(0.5, 1)));
    put(machine.cpufreq, "scaling_cur_freq", "<unknown>\n");
    assert_true(near(model_w(&cpu_model_driver, &machine, both_worked), 90 * cpu_model_share(0.5, 0.75)));
    machine_close(&machine);
}

static void memory_is_taken_by_its_capacity(void **state)
{
    (void)state;
    struct machine machine;
    machine_open(&machine);
    assert_true(near(model_w(&dram_model_driver, &machine, one_worked), 32 * DRAM_MODEL_W_PER_GIB));
    struct meter_probe probe = {0};
    put(machine.scratch.path, "meminfo", "MemTotal: 12 MB\n");
    dram_model_driver.probe(&machine.setup, &probe);
    assert_false(probe.usable);
    assert_non_null(strstr(probe.reason, "expected \"MemTotal: NUMBER kB\", found \"MemTotal: 12 MB\""));
    meter_probe_free(&probe);
    machine_close(&machine);
}

static void meminfo_is_read_strictly(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    uint64_t bytes = 0;
    assert_int_equal(meminfo_parse("MemFree: 1 kB\nMemTotal:   24683656 kB\n", "MemTotal", &bytes, &error),
                     0);
    assert_true(bytes == UINT64_C(24683656) * 1024);
    static const char *const wrong[] = {"",
                                        "MemTotal:",
                                        "MemTotal: kB",
                                        "MemTotal: -1 kB",
                                        "MemTotal: 12",
                                        "MemTotal: 1 2 kB",
                                        "XMemTotal: 1 kB",
                                        "MemTotalX: 1 kB",
                                        "MemTotal: 18446744073709551615 kB"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(meminfo_parse(wrong[i], "MemTotal", &bytes, &error), -1);
    error_clear(&error);
}

static void each_cpu_is_told_by_its_number(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct cpu_ticks each[3];
    assert_int_equal(
        cpu_ticks_parse_each("cpu 9\ncpu0 1 2 3 4\ncpu2 5 0 0 5\ncpu7 1 1\nintr 5", each, 3, &error), 0);
    assert_int_equal(each[0].busy, 6);
    assert_int_equal(each[0].total, 10);
    assert_int_equal(each[1].total, 0);
    assert_int_equal(each[2].busy, 5);
    assert_int_equal(cpu_ticks_parse_each("cpu 9\ncpux 1\n", each, 3, &error), -1);
    assert_int_equal(cpu_ticks_parse_each("cpu 9\ncpu1 y\n", each, 3, &error), -1);
    error_clear(&error);
}

static void cpuinfo_counts_sockets_and_knows_a_guest(void **state)
{
    (void)state;
    struct cpuinfo info;
    struct error error = ERROR_INIT;
    assert_int_equal(cpuinfo_parse("processor\t: 0\nvendor_id\t: GenuineIntel\nmodel name\t: Some CPU\n"
                                   "physical id\t: 1\nflags\t\t: fpu hypervisor sse\n\n"
                                   "processor\t: 1\nmodel name\t: Other\nphysical id\t: 0\n"
                                   "processor\t: 2\nphysical id\t: 1\nphysical id\t: 99999999999999999999\n",
                                   &info, &error),
                     0);
    assert_int_equal(info.logical_cpus, 3);
    assert_int_equal(info.sockets, 2);
    assert_string_equal(info.model, "Some CPU");
    assert_string_equal(info.vendor, "GenuineIntel");
    assert_true(info.guest);
    cpuinfo_free(&info);
    assert_int_equal(cpuinfo_parse("processor : 0\nflags : hypervisors\nBogoMIPS : 1", &info, &error), 0);
    assert_null(info.model);
    assert_false(info.guest);
    assert_int_equal(info.sockets, 1);
    cpuinfo_free(&info);
}

static void stolen_time_is_not_ours(void **state)
{
    (void)state;
    struct cpu_ticks ticks;
    struct error error = ERROR_INIT;
    assert_int_equal(cpu_ticks_parse("cpu  10 20 30 400 50 6 7 800 9 9", &ticks, &error), 0);
    assert_int_equal(ticks.busy, 10 + 20 + 30 + 6 + 7);
    assert_int_equal(ticks.total, 1323);
    assert_int_equal(cpu_ticks_parse("cpu 1 2 3 4", &ticks, &error), 0);
    assert_int_equal(ticks.total, 10);
    static const char *const wrong[] = {"",         "cpu",        "cpu0 1 2",
                                        "cpu  1 x", "cpu  0 0 0", "cpu 99999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(cpu_ticks_parse(wrong[i], &ticks, &error), -1);
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_match_however_the_kernel_writes_them),
        cmocka_unit_test(the_constants_are_the_fit_to_all_points),
        cmocka_unit_test(the_model_is_twice_as_close_as_tdp_times_load_on_a_machine_it_was_not_fitted_to),
        cmocka_unit_test(loads_outside_are_held_at_the_ends),
        cmocka_unit_test(cpuinfo_counts_sockets_and_knows_a_guest),
        cmocka_unit_test(stolen_time_is_not_ours),
        cmocka_unit_test(each_cpu_is_told_by_its_number),
        cmocka_unit_test(meminfo_is_read_strictly),
        cmocka_unit_test(spread_work_is_taken_as_slower_than_work_of_one_cpu),
        cmocka_unit_test(a_clock_that_can_be_read_counts_against_its_nominal_one),
        cmocka_unit_test(memory_is_taken_by_its_capacity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
