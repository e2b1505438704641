/* The analysis of instruments whose truth is known because the test makes their readings. */
#include "calibrate/characterise.h"

#include "base/clock.h"
#include "base/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define START_NS   (1000 * NS_PER_S)
#define EDGES      64
#define IDLE_W     20.0
#define RESPONSE_W 60.0

/* A simulated instrument: renewed each period, it tells the mean power of the `averaging_s` that ended
 * `lag_s` before, in steps of `step`; a counter tells joules. */
struct truth {
    enum channel_kind kind;
    double period_s, averaging_s, lag_s, step, noise_w, range_j;
    double response_w;
    double drift_w; /* of a random walk, each update */
    double hum_w;   /* switched on and off by something else, each for a second or so */
    uint64_t seed;  /* of noise and load */
};

struct simulated {
    struct channel channel;
    struct series series;
    int64_t *boot_ns;
    double *values;
    int64_t edges_ns[EDGES];
    struct load_wave load;
};

static double on_until_s(const struct simulated *at, double time_s)
{
    double on_s = 0;
    for (size_t i = 0; i < at->load.count; i += 2) {
        double begin_s = (double)(at->edges_ns[i] - START_NS) / NS_PER_S;
        double end_s = i + 1 < at->load.count ? (double)(at->edges_ns[i + 1] - START_NS) / NS_PER_S : time_s;
        on_s += fmax(fmin(end_s, time_s) - begin_s, 0);
    }
    return on_s;
}

static double energy_j(const struct simulated *at, const struct truth *truth, double time_s)
{
    return IDLE_W * time_s + truth->response_w * on_until_s(at, time_s);
}

/* What is none of the load's doing. */
struct trouble {
    struct random_stream random;
    double walk_w, hum_until_s;
    bool humming;
};

static double trouble_w(struct trouble *trouble, const struct truth *truth, double time_s)
{
    trouble->walk_w += truth->drift_w * random_normal(&trouble->random);
    if (time_s >= trouble->hum_until_s) {
        trouble->humming = !trouble->humming;
        trouble->hum_until_s = time_s + 0.3 + 1.2 * random_uniform(&trouble->random);
    }
    return truth->noise_w * random_normal(&trouble->random) + trouble->walk_w +
           (trouble->humming ? truth->hum_w : 0);
}

static double value_at(const struct simulated *at, const struct truth *truth, double time_s,
                       struct trouble *trouble)
{
    double value, late_s = time_s - truth->lag_s;
    if (truth->kind == KIND_COUNTER)
        value = fmod(energy_j(at, truth, late_s) + 100, truth->range_j);
    else
        value = (energy_j(at, truth, late_s) - energy_j(at, truth, late_s - truth->averaging_s)) /
                    truth->averaging_s +
                trouble_w(trouble, truth, time_s);
    return floor(value / truth->step) * truth->step;
}

static void draw_load(struct simulated *at, double wall_s, uint64_t seed)
{
    struct random_stream random;
    random_seed(&random, seed, 11);
    for (double at_s = 1; at_s < wall_s && at->load.count < EDGES;
         at_s += wave_span_s(&random, at->load.least_s))
        at->edges_ns[at->load.count++] = START_NS + (int64_t)(at_s * NS_PER_S);
}

/* `wall_s` of readings each `poll_s`, with the load's edges from 1 s on. */
static void simulate(struct simulated *at, const struct truth *truth, double wall_s, double poll_s,
                     bool loaded)
{
    struct trouble trouble = {0};
    random_seed(&trouble.random, truth->seed, 3);
    size_t count = (size_t)(wall_s / poll_s);
    *at = (struct simulated){.channel = {.kind = truth->kind, .range_j = truth->range_j},
                             .boot_ns = calloc(count, sizeof *at->boot_ns),
                             .values = calloc(count, sizeof *at->values),
                             .load = {LOAD_SPAN_LEAST_S, at->edges_ns, 0}};
    assert_true(at->boot_ns && at->values);
    if (loaded)
        draw_load(at, wall_s, truth->seed);
    int64_t renewed = -1;
    double value = 0;
    for (size_t i = 0; i < count; i++) {
        double time_s = (double)i * poll_s;
        int64_t now = (int64_t)(time_s / truth->period_s);
        if (now != renewed)
            value = value_at(at, truth, (double)now * truth->period_s, &trouble);
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

#define SEEDS 200

/* How many of SEEDS channels that know nothing of the load seem to respond to it. */
static size_t false_responses(const struct truth *truth, double wall_s)
{
    size_t count = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct truth one = *truth;
        struct simulated at;
        struct characteristics found = characteristics_unknown();
        one.seed = seed;
        simulate(&at, &one, wall_s, 5e-3, true);
        characterise_response(&at.channel, &at.series, &at.load, &found);
        bool seen = isfinite(found.response_w);
        assert_true(found.response_p > 0 && seen == (found.response_p <= RESPONSE_P_MOST));
        assert_true(seen || (isnan(found.lag_s) && isnan(found.averaging_s)));
        count += seen;
        forget(&at);
    }
    return count;
}

/* The seeds are fixed, so the counts are the same each time. 1 % of 200 are 2; more than 7 come once in a
 * thousand times, if the rate is what it should be. */
static void what_the_load_does_not_move_does_not_respond(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct truth truth;
    } idle[] = {
        {"white noise",
         {.kind = KIND_POWER, .period_s = 0.02, .averaging_s = 0.02, .step = 1e-3, .noise_w = 2}},
        {"random walk",
         {.kind = KIND_POWER, .period_s = 0.1, .averaging_s = 1, .step = 1e-3, .drift_w = 0.5}},
        {"somebody else's load",
         {.kind = KIND_POWER, .period_s = 0.05, .averaging_s = 0.1, .step = 1e-3, .noise_w = 1, .hum_w = 30}},
    };
    static const double walls_s[] = {8, 32};
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++)
        for (size_t k = 0; k < sizeof walls_s / sizeof *walls_s; k++) {
            size_t count = false_responses(&idle[i].truth, walls_s[k]);
            printf("%s, %g s: %zu of %d respond\n", idle[i].name, walls_s[k], count, SEEDS);
            assert_true(count <= 7);
        }
}

/* The other side: in the same short time, what does respond is seen. */
static void a_response_is_seen_in_a_short_run(void **state)
{
    (void)state;
    size_t seen = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct truth one = gpu;
        struct simulated at;
        struct characteristics found = characteristics_unknown();
        one.seed = seed;
        simulate(&at, &one, 12, 1e-3, true);
        characterise_response(&at.channel, &at.series, &at.load, &found);
        seen += isfinite(found.response_w) && fabs(found.response_w - RESPONSE_W) < 0.1 * RESPONSE_W;
        forget(&at);
    }
    printf("12 s: %zu of 10 seen\n", seen);
    assert_true(seen >= 9);
}

static void a_response_in_much_noise_is_told_without_a_lag(void **state)
{
    (void)state;
    struct truth loud = board;
    loud.noise_w = 2 * RESPONSE_W;
    struct simulated at;
    struct characteristics found = characteristics_unknown();
    simulate(&at, &loud, 40, 1e-3, true);
    characterise_response(&at.channel, &at.series, &at.load, &found);
    near(found.response_w, RESPONSE_W, 0.3 * RESPONSE_W);
    assert_true(isnan(found.lag_s) && isnan(found.averaging_s));
    forget(&at);
}

static void a_lag_beyond_what_is_searched_is_not_told(void **state)
{
    (void)state;
    struct truth late = board;
    late.lag_s = 2.15;
    struct simulated at;
    struct characteristics found = characteristics_unknown();
    simulate(&at, &late, 40, 1e-3, true);
    characterise_response(&at.channel, &at.series, &at.load, &found);
    assert_true(isnan(found.lag_s) && isnan(found.averaging_s));
    forget(&at);
}

/* Too few edges are no test at all, which is not the same as no response. */
static void a_load_of_few_edges_tells_nothing(void **state)
{
    (void)state;
    struct simulated at;
    struct characteristics found = characteristics_unknown();
    simulate(&at, &board, 20, 1e-3, true);
    const struct load_wave few = {LOAD_SPAN_LEAST_S, at.edges_ns, 5};
    characterise_response(&at.channel, &at.series, &few, &found);
    assert_true(isnan(found.response_p) && isnan(found.response_w) && isnan(found.lag_s));
    forget(&at);
}

static void changes_at_random_times_have_no_period(void **state)
{
    (void)state;
    struct simulated at;
    struct truth still = board;
    size_t found_count = 0;
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct characteristics found = characteristics_unknown();
        struct random_stream random;
        random_seed(&random, seed, 5);
        simulate(&at, &still, 6, 1e-3, false);
        double value = 0;
        for (size_t i = 0; i < at.series.count; i++)
            at.values[i] = value += random_uniform(&random) < 0.02;
        characterise_updates(&at.channel, &at.series, &found);
        found_count += isfinite(found.update_s);
        near(found.smallest_step, 1, 1e-9);
        forget(&at);
    }
    printf("random changes: %zu of 100 have a period\n", found_count);
    assert_int_equal(found_count, 0);
}

static void what_changes_with_each_reading_has_no_known_period(void **state)
{
    (void)state;
    struct simulated at;
    struct characteristics found = characteristics_unknown();
    simulate(&at, &board, 6, board.period_s, false);
    characterise_updates(&at.channel, &at.series, &found);
    assert_true(isnan(found.update_s));
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
        int64_t edge_ns = boot_ns[0];
        const struct load_wave load = {LOAD_SPAN_LEAST_S, &edge_ns, 1};
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
        cmocka_unit_test(what_the_load_does_not_move_does_not_respond),
        cmocka_unit_test(a_response_is_seen_in_a_short_run),
        cmocka_unit_test(a_response_in_much_noise_is_told_without_a_lag),
        cmocka_unit_test(a_lag_beyond_what_is_searched_is_not_told),
        cmocka_unit_test(a_load_of_few_edges_tells_nothing),
        cmocka_unit_test(changes_at_random_times_have_no_period),
        cmocka_unit_test(what_changes_with_each_reading_has_no_known_period),
        cmocka_unit_test(rest_gives_mean_and_noise),
        cmocka_unit_test(too_few_readings_tell_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
