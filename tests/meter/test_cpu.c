#include "base/text.h"
#include "meter/cpu_model.h"
#include "meter/cpu_tdp.h"
#include "meter/cpuinfo.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/* The fraction of the thermal design power at a load, between the points of one machine and kind. */
static double measured_fraction(const struct measured *points, size_t count, char vendor, bool all,
                                double load)
{
    const struct measured *below = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct measured *point = &points[i];
        if (point->vendor != vendor || point->all != all)
            continue;
        double fraction = point->power_w / point->tdp_w;
        if (point->load >= load) {
            if (!below || point->load == load)
                return fraction;
            double part = (load - below->load) / (point->load - below->load);
            return below->power_w / below->tdp_w * (1 - part) + fraction * part;
        }
        below = point;
    }
    return below->power_w / below->tdp_w;
}

static void the_load_curve_is_the_mean_of_the_measured_ones(void **state)
{
    (void)state;
    struct measured points[64];
    size_t count = read_measured(points, 64);
    assert_int_equal(count, 42);
    double spread2 = 0;
    for (int load = 0; load <= 100; load += 10) {
        double sum = 0, sum2 = 0;
        for (int curve = 0; curve < 4; curve++) {
            double fraction = measured_fraction(points, count, curve < 2 ? 'A' : 'I', curve % 2, load);
            sum += fraction;
            sum2 += fraction * fraction;
        }
        double mean = sum / 4, variance = (sum2 - 4 * mean * mean) / 3;
        assert_true(fabs(cpu_model_fraction(load / 100.0) - mean) < 6e-5);
        if (load)
            spread2 += variance / (mean * mean) / 10;
    }
    assert_true(fabs(CPU_MODEL_ACCURACY - sqrt(spread2)) < 0.01);
    double per_cpu_w = (90.0 / 16 + 69.0 / 8) / 2;
    assert_true(fabs(CPU_MODEL_TDP_PER_CPU_W - per_cpu_w) < 0.05);
}

static void loads_outside_are_held_at_the_ends(void **state)
{
    (void)state;
    assert_true(cpu_model_fraction(-1) == cpu_model_fraction(0));
    assert_true(cpu_model_fraction(2) == cpu_model_fraction(1));
    assert_true(cpu_model_fraction(0.05) > cpu_model_fraction(0) &&
                cpu_model_fraction(0.05) < cpu_model_fraction(0.1));
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
        cmocka_unit_test(the_load_curve_is_the_mean_of_the_measured_ones),
        cmocka_unit_test(loads_outside_are_held_at_the_ends),
        cmocka_unit_test(cpuinfo_counts_sockets_and_knows_a_guest),
        cmocka_unit_test(stolen_time_is_not_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
