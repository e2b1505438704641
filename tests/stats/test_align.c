/* Logs made from runs whose clocks are known. Golden values: golden_align.py (SciPy). */
#include "stats/align.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { RUNS_MOST = 12, STEPS_MOST = 4000, READINGS_MOST = 20000 };

/* Where the run's power is known, and the truth about it. */
struct made_run {
    double at_s[STEPS_MOST + 1], energy_j[STEPS_MOST + 1], covered_s[STEPS_MOST + 1];
    double truly_s; /* its start, of which align_run says only the second */
    double wall_s;
    unsigned seed;
};

struct scene {
    struct made_run made[RUNS_MOST];
    struct align_run runs[RUNS_MOST];
    size_t count;
    double (*load_w)(double at_s, unsigned seed);
    double delay_s, drift, reference_s; /* of the log's clock */
    double at_s[READINGS_MOST], power_w[READINGS_MOST];
    struct align_log log;
};

/* In [-1, 1), as golden_align.py has it. */
static double chance(double i)
{
    double v = sin(12.9898 * i + 4.1414) * 43758.5453;
    return 2 * (v - floor(v)) - 1;
}

static double waves_w(double at_s, unsigned seed)
{
    (void)seed;
    return 30 + 14 * sin(at_s / 6.1) + 9 * sin(at_s / 2.3 + 1) + 5 * sin(at_s / 17);
}

/* Busy and idle in turns, of which chance decides which. */
static double turns_of(double long_s, double at_s, unsigned seed)
{
    double turn = floor(at_s / long_s + 0.37 * seed);
    return 40 + 20 * (chance(turn + 1000.0 * seed) > 0) + 2 * chance(floor(at_s * 4) + 7e4);
}

static double turns_w(double at_s, unsigned seed)
{
    return turns_of(3.71, at_s, seed);
}

static double short_turns_w(double at_s, unsigned seed)
{
    return turns_of(1.3, at_s, seed);
}

static double long_turns_w(double at_s, unsigned seed)
{
    return turns_of(19.37, at_s, seed);
}

static double hardly_turns_w(double at_s, unsigned seed)
{
    return turns_of(61.3, at_s, seed);
}

static double flat_w(double at_s, unsigned seed)
{
    return 40 + 0.5 * chance(floor(at_s * 4) + 1000.0 * seed);
}

static double regular_w(double at_s, unsigned seed)
{
    (void)seed;
    return 40 + 20 * sin(at_s * 2 * M_PI / 25);
}

static struct scene *new_scene(double (*load_w)(double, unsigned), double delay_s, double drift)
{
    struct scene *scene = calloc(1, sizeof *scene);
    assert_non_null(scene);
    scene->load_w = load_w;
    scene->delay_s = delay_s;
    scene->drift = drift;
    return scene;
}

/* Steps of a quarter of a second, each with the power of its middle. */
static void add_run(struct scene *scene, double truly_s, double told_s, double told_sd_s, double wall_s,
                    unsigned seed)
{
    struct made_run *made = &scene->made[scene->count];
    size_t steps = (size_t)(wall_s * 4);
    assert_true(steps <= STEPS_MOST && scene->count < RUNS_MOST);
    made->truly_s = truly_s;
    made->wall_s = wall_s;
    made->seed = seed;
    for (size_t i = 0; i < steps; i++) {
        made->at_s[i + 1] = made->covered_s[i + 1] = (double)(i + 1) / 4;
        made->energy_j[i + 1] = made->energy_j[i] + scene->load_w(((double)i + 0.5) / 4, seed) / 4;
    }
    scene->runs[scene->count++] =
        (struct align_run){told_s, told_sd_s, made->at_s, made->energy_j, made->covered_s, steps + 1};
}

static double truth_w(const struct scene *scene, double at_s, double rest_w)
{
    for (size_t i = 0; i < scene->count; i++) {
        const struct made_run *made = &scene->made[i];
        if (at_s >= made->truly_s && at_s < made->truly_s + made->wall_s)
            return scene->load_w(at_s - made->truly_s, made->seed);
    }
    return rest_w;
}

/* A reading a second, up to 0.2 s off, of 50 W + 1.3 times the load, +- noise_w. */
static void make_log(struct scene *scene, double from_s, size_t count, double noise_w, double rest_w)
{
    assert_true(count <= READINGS_MOST);
    for (size_t i = 0; i < count; i++) {
        double at_s = from_s + (double)i + 0.2 * chance((double)i);
        scene->at_s[i] = at_s + scene->delay_s + scene->drift * (at_s - scene->reference_s);
        scene->power_w[i] = 50 + 1.3 * truth_w(scene, at_s, rest_w) + noise_w * chance(1000 + (double)i);
    }
    scene->log = (struct align_log){scene->at_s, scene->power_w, count};
}

static struct alignment align(const struct scene *scene, double search_s)
{
    struct alignment alignment;
    struct error error = ERROR_INIT;
    assert_int_equal(stats_align(&scene->log, scene->runs, scene->count, search_s, &alignment, &error), 0);
    return alignment;
}

/* How far a run's times at `into_s` are from the truth. */
static double error_s(const struct scene *scene, const struct alignment *a, size_t run, double into_s)
{
    double truly_s = scene->made[run].truly_s + into_s;
    double log_s = truly_s + scene->delay_s + scene->drift * (truly_s - scene->reference_s);
    double found_s =
        log_s - a->runs[run].delay_s - a->drift * (log_s - a->runs[run].middle_s) - scene->runs[run].start_s;
    return found_s - into_s;
}

static void near(double value, double golden, double within)
{
    if (!(fabs(value - golden) <= within))
        fail_msg("expected %.9g +- %.3g, found %.9g", golden, within, value);
}

/* Within a tenth of its standard errors; the drift is drawn to 0 as 500 ppm are weighed against its own. */
static void the_fit_is_that_of_least_squares(void **state)
{
    (void)state;
    static const double golden[] = {49.4611235, 1.31482854, 7.32386259, -322.051659},
                        errors[] = {0.357325, 0.0108852, 0.0322211, 382.604};
    struct scene *scene = new_scene(waves_w, 7.3, 200e-6);
    scene->reference_s = 150;
    add_run(scene, 0, 0, 0, 300, 0);
    make_log(scene, -40, 380, 4, 5);
    struct alignment a = align(scene, 60);
    assert_int_equal(a.verdict, ALIGN_FOUND);
    assert_true(a.runs[0].own);
    near(a.runs[0].offset_w, golden[0], errors[0] / 10);
    near(a.runs[0].slope, golden[1], errors[1] / 10);
    near(a.runs[0].delay_s, golden[2], errors[2] / 10);
    near(a.runs[0].delay_sd_s, errors[2], errors[2] / 3);
    double own = errors[3] * errors[3], clocks = 500.0 * 500.0;
    near(a.drift * 1e6, golden[3] * clocks / (clocks + own), errors[3] / 10);
    align_free(&a);
    free(scene);
}

static void a_delay_of_7_3_s_and_200_ppm_is_found_within_0_2_s_at_both_ends(void **state)
{
    (void)state;
    struct scene *scene = new_scene(turns_w, 7.3, 200e-6);
    add_run(scene, 0.4, 0.5, 0.29, 600, 1);
    make_log(scene, -30, 660, 10, 20);
    struct alignment a = align(scene, 600);
    assert_int_equal(a.verdict, ALIGN_FOUND);
    assert_true(fabs(error_s(scene, &a, 0, 0)) < 0.2);
    assert_true(fabs(error_s(scene, &a, 0, 600)) < 0.2);
    align_free(&a);
    free(scene);
}

/* The less there is to go by, the more often it is refused; what is told holds. */
static void errors_are_no_larger_than_the_standard_uncertainty_says(void **state)
{
    (void)state;
    static double (*const loads[])(double, unsigned) = {short_turns_w, turns_w, long_turns_w, hardly_turns_w};
    enum { TIMES = 100 };
    for (size_t load = 0; load < sizeof loads / sizeof *loads; load++) {
        double squares = 0;
        size_t found = 0;
        for (unsigned i = 0; i < TIMES; i++) {
            struct scene *scene = new_scene(loads[load], 40 * chance(i), 300e-6 * chance(300 + i));
            add_run(scene, 0, 0, 0, 200, 3 + i);
            make_log(scene, -30 - 0.7 * i, 330, 20, 20);
            struct alignment a = align(scene, 60);
            double z = a.verdict == ALIGN_FOUND ? error_s(scene, &a, 0, 100) / a.runs[0].delay_sd_s : 0;
            assert_true(fabs(z) < 4.5);
            found += a.verdict == ALIGN_FOUND;
            squares += z * z;
            align_free(&a);
            free(scene);
        }
        print_message("found in %zu of %d: mean square of errors by their uncertainty %.2f\n", found, TIMES,
                      squares / (double)found);
        assert_true(squares / (double)found < 1.2 &&
                    (load > 1 || (found > 95 && squares / (double)found > 0.3)));
    }
}

/* Twelve runs in five hours whose starts are known to the second: each has its own delay, the clock one
 * drift. */
static void runs_hours_apart_share_the_clocks_drift(void **state)
{
    (void)state;
    struct scene *scene = new_scene(turns_w, -31.7, 200e-6);
    scene->reference_s = 9000;
    for (unsigned i = 0; i < 12; i++) {
        double start_s = 1500.0 * i + 0.5 + 0.5 * chance(i);
        add_run(scene, start_s, floor(start_s) + 0.5, 1 / sqrt(12), 120, i);
    }
    make_log(scene, -60, 17000, 10, 20);
    struct alignment a = align(scene, 600);
    assert_int_equal(a.verdict, ALIGN_FOUND);
    near(a.drift, 200e-6, fmin(3 * a.drift_sd, 60e-6));
    double squares = 0;
    for (size_t i = 0; i < 12; i++) {
        double first_s = error_s(scene, &a, i, 0), last_s = error_s(scene, &a, i, 120);
        assert_true(a.runs[i].own);
        assert_true(fmax(fabs(first_s), fabs(last_s)) < 4 * a.runs[i].delay_sd_s);
        squares += (first_s * first_s + last_s * last_s) / 24;
    }
    assert_true(sqrt(squares) < 0.15); /* by the second alone it would be 0.29 */
    align_free(&a);
    free(scene);
}

/* The fifth of the runs has nothing to go by: it gets what the others say of the clock. */
static double all_but_one_turn_w(double at_s, unsigned seed)
{
    return seed == 5 ? 50 : turns_w(at_s, seed);
}

static void a_run_without_edges_or_trace_lies_where_the_others_say(void **state)
{
    (void)state;
    struct scene *scene = new_scene(all_but_one_turn_w, 12.25, 100e-6);
    for (unsigned i = 0; i < 8; i++) {
        double start_s = 300.0 * i + 0.5 + 0.5 * chance(i);
        add_run(scene, start_s, floor(start_s) + 0.5, 1 / sqrt(12), 120, i);
    }
    make_log(scene, -60, 2600, 10, 20);
    scene->runs[0].count = 0;
    struct alignment a = align(scene, 120);
    assert_int_equal(a.verdict, ALIGN_FOUND);
    assert_false(a.runs[5].own);
    assert_false(a.runs[0].own);
    assert_true(fabs(a.runs[0].delay_s - a.runs[5].delay_s) < 0.5);
    assert_true(a.runs[4].own);
    near(a.runs[5].delay_sd_s, 0.31, 0.06);
    assert_true(fabs(error_s(scene, &a, 5, 60)) < 3 * a.runs[5].delay_sd_s);
    align_free(&a);
    free(scene);
}

static void times_without_readings_or_without_power_are_left_out(void **state)
{
    (void)state;
    struct scene *scene = new_scene(turns_w, 7.3, 0);
    add_run(scene, 0, 0, 0, 300, 1);
    make_log(scene, -30, 360, 10, 20);
    size_t kept = 0;
    for (size_t i = 0; i < scene->log.count; i++)
        if (i < 150 || i > 180) {
            scene->at_s[kept] = scene->at_s[i];
            scene->power_w[kept++] = scene->power_w[i];
        }
    scene->log.count = kept;
    struct made_run *made = &scene->made[0];
    for (size_t i = 800; i <= 1200; i++) { /* from 200 s on 20 s are not known */
        double lost_s = fmin((double)i / 4 - 200, 20);
        made->covered_s[i] -= lost_s;
        made->energy_j[i] = i <= 880 ? made->energy_j[799] : made->energy_j[i];
    }
    for (size_t i = 881; i <= 1200; i++)
        made->energy_j[i] = made->energy_j[i - 1] + turns_w(((double)i - 0.5) / 4, 1) / 4;
    struct alignment a = align(scene, 60);
    assert_int_equal(a.verdict, ALIGN_FOUND);
    assert_true(a.runs[0].pairs > 235 && a.runs[0].pairs < 255);
    assert_true(fabs(error_s(scene, &a, 0, 150)) < 4 * a.runs[0].delay_sd_s);
    align_free(&a);
    free(scene);
}

static enum align_verdict verdict_of(double (*load_w)(double, unsigned), double delay_s, double search_s,
                                     bool forever)
{
    struct scene *scene = new_scene(load_w, delay_s, 0);
    add_run(scene, 0, 0.5, 0.29, 400, 1);
    make_log(scene, -200, 800, 8, 20);
    for (size_t i = 0; forever && i < scene->log.count; i++) { /* as if other machines did the same */
        double at_s = scene->at_s[i] - delay_s;
        scene->power_w[i] = 50 + 1.3 * load_w(at_s, 1) + 8 * chance(1000 + (double)i);
    }
    struct alignment a = align(scene, search_s);
    enum align_verdict verdict = a.verdict;
    align_free(&a);
    free(scene);
    return verdict;
}

static void what_cannot_be_told_is_not_guessed(void **state)
{
    (void)state;
    assert_int_equal(verdict_of(turns_w, 20, 100, true), ALIGN_FOUND);
    assert_int_equal(verdict_of(flat_w, 20, 100, true), ALIGN_FLAT);
    assert_int_equal(verdict_of(regular_w, 20, 100, true), ALIGN_TWO_WAYS);
    assert_int_equal(verdict_of(turns_w, 20, 20, true), ALIGN_AT_EDGE);
    assert_int_equal(verdict_of(turns_w, 5000, 100, true), ALIGN_APART);
    assert_int_equal(verdict_of(turns_w, 150, 100, true), ALIGN_FLAT);
}

/* The end of the run tells which of its waves is which. */
static void a_regular_load_that_ends_within_the_log_is_found(void **state)
{
    (void)state;
    assert_int_equal(verdict_of(regular_w, 20, 100, false), ALIGN_FOUND);
}

/* Logs that know nothing of the run. */
static void a_log_of_something_else_is_found_in_less_than_one_of_a_hundred(void **state)
{
    (void)state;
    size_t found = 0;
    enum { TIMES = 200 };
    for (unsigned i = 0; i < TIMES; i++) {
        struct scene *scene = new_scene(turns_w, 0, 0);
        add_run(scene, 0, 0.5, 0.29, 200, i);
        make_log(scene, -100, 400, 20, 20);
        for (size_t k = 0; k < scene->log.count; k++)
            scene->power_w[k] = 50 + turns_w(scene->at_s[k] + 200, 500 + i) + 10 * chance(5e4 + (double)k);
        struct alignment a = align(scene, 60);
        found += a.verdict == ALIGN_FOUND;
        align_free(&a);
        free(scene);
    }
    print_message("found in %zu of %d\n", found, TIMES);
    assert_true(found < TIMES / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fit_is_that_of_least_squares),
        cmocka_unit_test(a_delay_of_7_3_s_and_200_ppm_is_found_within_0_2_s_at_both_ends),
        cmocka_unit_test(errors_are_no_larger_than_the_standard_uncertainty_says),
        cmocka_unit_test(runs_hours_apart_share_the_clocks_drift),
        cmocka_unit_test(a_run_without_edges_or_trace_lies_where_the_others_say),
        cmocka_unit_test(times_without_readings_or_without_power_are_left_out),
        cmocka_unit_test(what_cannot_be_told_is_not_guessed),
        cmocka_unit_test(a_regular_load_that_ends_within_the_log_is_found),
        cmocka_unit_test(a_log_of_something_else_is_found_in_less_than_one_of_a_hundred),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
