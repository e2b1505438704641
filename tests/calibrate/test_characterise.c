/* The analysis of instruments whose truth is known because the test makes their readings. */
#include "calibrate/characterise.h"

#include "base/clock.h"
#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define START_NS   (1000 * NS_PER_S)
#define EDGES      36
#define IDLE_W     20.0
#define RESPONSE_W 60.0

/* A simulated instrument: renewed each period, it tells the mean power of the `averaging_s` that ended
 * `lag_s` before, in steps of `step`; a counter tells joules. */
struct truth {
    enum channel_kind kind;
    double period_s, averaging_s, lag_s, step, noise_w, range_j;
    double response_w;
};

struct simulated {
    struct channel channel;
    struct series series;
    int64_t *boot_ns;
    double *values;
    int64_t edges_ns[EDGES];
    struct load_edges load;
};

static double on_until_s(const struct simulated *at, double time_s)
{
    double on_s = 0;
    for (size_t i = 0; i + 1 < EDGES; i += 2) {
        double begin_s = (double)(at->edges_ns[i] - START_NS) / NS_PER_S;
        double end_s = (double)(at->edges_ns[i + 1] - START_NS) / NS_PER_S;
        on_s += fmax(fmin(end_s, time_s) - begin_s, 0);
    }
    return on_s;
}

static double energy_j(const struct simulated *at, const struct truth *truth, double time_s)
{
    return IDLE_W * time_s + truth->response_w * on_until_s(at, time_s);
}

static double value_at(const struct simulated *at, const struct truth *truth, double time_s,
                       struct random_stream *random)
{
    double value;
    if (truth->kind == KIND_COUNTER)
        value = fmod(energy_j(at, truth, time_s - truth->lag_s) + 100, truth->range_j);
    else
        value = (energy_j(at, truth, time_s - truth->lag_s) -
                 energy_j(at, truth, time_s - truth->lag_s - truth->averaging_s)) /
                    truth->averaging_s +
                truth->noise_w * random_normal(random);
    return floor(value / truth->step) * truth->step;
}

/* `wall_s` of readings each `poll_s`, with the load's edges between 1 s and 0.4 to 1.2 s apart. */
static void simulate(struct simulated *at, const struct truth *truth, double wall_s, double poll_s,
                     bool loaded)
{
    struct random_stream random;
    random_seed(&random, 7, 3);
    size_t count = (size_t)(wall_s / poll_s);
    *at = (struct simulated){.channel = {.kind = truth->kind, .range_j = truth->range_j},
                             .boot_ns = calloc(count, sizeof *at->boot_ns),
                             .values = calloc(count, sizeof *at->values),
                             .load = {at->edges_ns, loaded ? EDGES : 0}};
    int64_t edge_ns = START_NS + NS_PER_S;
    for (size_t i = 0; i < EDGES; i++) {
        at->edges_ns[i] = loaded ? edge_ns : START_NS;
        edge_ns += (int64_t)((0.4 + 0.8 * random_uniform(&random)) * NS_PER_S);
    }
    int64_t renewed = -1;
    double value = 0;
    for (size_t i = 0; i < count; i++) {
        double time_s = (double)i * poll_s;
        int64_t now = (int64_t)(time_s / truth->period_s);
        if (now != renewed)
            value = value_at(at, truth, (double)now * truth->period_s, &random);
        renewed = now;
        at->boot_ns[i] = START_NS + (int64_t)(time_s * NS_PER_S);
        at->values[i] = value;
    }
    at->series = (struct series){at->boot_ns, at->values, count};
}

static void forget(struct simulated *at)
{
    free(at->boot_ns);
    free(at->values);
}

static void near(double found, double expected, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance))
        fail_msg("expected %g within %g, found %g", expected, tolerance, found);
}

static const struct truth rapl = {
    .kind = KIND_COUNTER, .period_s = 1e-3, .step = 61.035e-6, .range_j = 260, .response_w = RESPONSE_W};
static const struct truth gpu = {.kind = KIND_POWER,
                                 .period_s = 0.1,
                                 .averaging_s = 1,
                                 .lag_s = 0.05,
                                 .step = 1e-3,
                                 .noise_w = 0.5,
                                 .response_w = RESPONSE_W};
static const struct truth board = {.kind = KIND_POWER,
                                   .period_s = 0.02,
                                   .averaging_s = 0.02,
                                   .lag_s = 0.3,
                                   .step = 0.125,
                                   .noise_w = 0.3,
                                   .response_w = RESPONSE_W};

static void update_period_and_step_are_found(void **state)
{
    (void)state;
    const struct truth *const truths[] = {&rapl, &gpu, &board};
    const double polls_s[] = {1e-4, 1e-3, 1e-3};
    for (size_t i = 0; i < 3; i++) {
        struct simulated at;
        struct characteristics found = characteristics_unknown();
        simulate(&at, truths[i], 6, polls_s[i], false);
        characterise_updates(&at.channel, &at.series, &found);
        near(found.update_s, truths[i]->period_s, 0.1 * truths[i]->period_s);
        assert_true(found.smallest_step >= truths[i]->step * 0.999);
        forget(&at);
    }
}

static void repeated_values_are_no_longer_period(void **state)
{
    (void)state;
    struct truth coarse = board; /* its noise moves it a step only now and then */
    coarse.step = 0.5;
    struct simulated at;
    struct characteristics found = characteristics_unknown();
    simulate(&at, &coarse, 20, 1e-3, false);
    characterise_updates(&at.channel, &at.series, &found);
    near(found.update_s, coarse.period_s, 0.1 * coarse.period_s);
    near(found.smallest_step, 0.5, 1e-9);
    forget(&at);
}

static void what_never_moves_has_no_period(void **state)
{
    (void)state;
    struct truth still = board;
    still.noise_w = 0;
    still.step = 0.3; /* 20 W lie between two steps */
    struct simulated at;
    struct characteristics found = characteristics_unknown();
    simulate(&at, &still, 5, 1e-3, false);
    characterise_updates(&at.channel, &at.series, &found);
    assert_true(isnan(found.update_s) && isnan(found.smallest_step));
    forget(&at);
}

static void lag_and_averaging_are_told_apart(void **state)
{
    (void)state;
    const struct truth *const truths[] = {&gpu, &board};
    for (size_t i = 0; i < 2; i++) {
        struct simulated at;
        struct characteristics found = characteristics_unknown();
        simulate(&at, truths[i], 32, 1e-3, true);
        characterise_response(&at.channel, &at.series, &at.load, &found);
        near(found.response_w, RESPONSE_W, 0.03 * RESPONSE_W);
        near(found.averaging_s, truths[i]->averaging_s, 0.03);
        near(found.lag_s, truths[i]->lag_s, 0.02);
        forget(&at);
    }
}

static void a_counter_has_a_lag_and_wraps_without_harm(void **state)
{
    (void)state;
    struct truth late = rapl;
    late.lag_s = 0.04;
    struct simulated at;
    struct characteristics found = characteristics_unknown();
    simulate(&at, &late, 32, 1e-3, true);
    found.update_s = 1e-3;
    characterise_response(&at.channel, &at.series, &at.load, &found);
    near(found.response_w, RESPONSE_W, 0.03 * RESPONSE_W);
    near(found.lag_s, 0.04, 0.003);
    assert_true(isnan(found.averaging_s));
    forget(&at);
}

static void what_the_load_does_not_move_has_no_lag(void **state)
{
    (void)state;
    struct truth idle = gpu;
    idle.response_w = 0;
    struct simulated at;
    struct characteristics found = characteristics_unknown();
    simulate(&at, &idle, 32, 1e-3, true);
    characterise_response(&at.channel, &at.series, &at.load, &found);
    assert_true(isnan(found.lag_s) && isnan(found.averaging_s) && isnan(found.response_w));
    forget(&at);
}

static void rest_gives_mean_and_noise(void **state)
{
    (void)state;
    struct truth noisy = board;
    noisy.noise_w = 2;
    struct simulated at;
    struct characteristics found = characteristics_unknown();
    simulate(&at, &noisy, 60, 0.01, false);
    at.values[17] = NAN; /* a reading that failed */
    characterise_rest(&at.channel, &at.series, &found);
    near(found.idle_w, IDLE_W - noisy.step / 2, 0.2);
    /* 50 independent readings a second, 5 in a tenth */
    near(found.idle_sd_w, 2 / sqrt(50), 0.1);
    near(found.idle_reading_sd_w, 2 / sqrt(5), 0.25);
    forget(&at);
    simulate(&at, &rapl, 30, 0.01, false);
    characterise_rest(&at.channel, &at.series, &found);
    near(found.idle_w, IDLE_W, 0.05);
    assert_true(found.idle_sd_w < 0.1);
    forget(&at);
}

static void too_few_readings_tell_nothing(void **state)
{
    (void)state;
    const int64_t boot_ns[] = {1, 2};
    const double values[] = {NAN, 3};
    const struct channel channel = {.kind = KIND_COUNTER, .range_j = 10};
    for (size_t count = 0; count <= 2; count++) {
        const struct series series = {boot_ns, values, count};
        const struct load_edges load = {boot_ns, 1};
        struct characteristics found = characteristics_unknown();
        characterise_updates(&channel, &series, &found);
        characterise_rest(&channel, &series, &found);
        characterise_response(&channel, &series, &load, &found);
        assert_true(isnan(found.update_s) && isnan(found.idle_w) && isnan(found.lag_s));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(update_period_and_step_are_found),
        cmocka_unit_test(repeated_values_are_no_longer_period),
        cmocka_unit_test(what_never_moves_has_no_period),
        cmocka_unit_test(lag_and_averaging_are_told_apart),
        cmocka_unit_test(a_counter_has_a_lag_and_wraps_without_harm),
        cmocka_unit_test(what_the_load_does_not_move_has_no_lag),
        cmocka_unit_test(rest_gives_mean_and_noise),
        cmocka_unit_test(too_few_readings_tell_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
