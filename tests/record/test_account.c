#include "record/account.h"

#include "base/clock.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S NS_PER_S

static const struct channel counter = {.meter = (char *)"test",
                                       .name = (char *)"counter",
                                       .kind = KIND_COUNTER,
                                       .range_j = 6000,
                                       .max_power_w = 2000,
                                       .update_s = 0.001,
                                       .accuracy = 0.01};
static const struct channel power = {.meter = (char *)"test",
                                     .name = (char *)"power",
                                     .kind = KIND_POWER,
                                     .max_power_w = 500,
                                     .accuracy = 0.02};

static void add(struct account *account, int64_t boot_ns, double value)
{
    const struct meter_reading reading = {.boot_ns = boot_ns, .values = &value};
    account_add(account, 0, 1, &reading, NULL);
}

static struct channel_energy energy_of(struct account *account, int64_t window)
{
    struct channel_energy energy;
    account_energies(account, window, &energy);
    return energy;
}

static void is_near(double found, double expected, double relative)
{
    if (fabs(found - expected) > relative * fabs(expected) + 1e-12)
        fail_msg("expected %.9g, found %.9g", expected, found);
}

static void a_day_with_a_wrap_each_minute_loses_nothing(void **state)
{
    (void)state;
    struct account *account = account_open(&counter, 1, 10);
    const int64_t day = 24 * 3600;
    add(account, 0, 0);
    account_begin(account, 0);
    int64_t hour = account_begin(account, 3600 * S);
    for (int64_t tenth = 1; tenth <= day * 10; tenth++) {
        add(account, tenth * S / 10, fmod(100.0 * (double)tenth / 10, 6000)); /* 100 W wrap at 60 s */
        if (tenth == 72000)
            account_end(account, hour, 7200 * S);
    }
    account_finish(account, day * S);
    is_near(energy_of(account, 0).energy_j, 100.0 * (double)day, 1e-9);
    is_near(energy_of(account, hour).energy_j, 360000, 1e-9);
    assert_true(energy_of(account, 0).gap_s == 0);
    size_t gaps, unlisted;
    free(account_take_gaps(account, &gaps, &unlisted));
    assert_int_equal(gaps + unlisted, 0);
    account_close(account);
}

/* Whole microwatts and microjoules, so that the truth is exact. */
struct day_channel {
    double max_power_w;
    int64_t power_uw, start_uj;
};

static const struct day_channel day_channels[] = {
    {2000, 100000000, 0},       {2000, 61234567, 59000000}, {1000, 8000001, 1},
    {2000, 70000000, 35000000}, {1000, 6543210, 6000000},   {20000, 220000000, 13199999999},
};

#define DAY_CHANNELS (sizeof day_channels / sizeof *day_channels)

static int64_t range_uj(const struct day_channel *channel)
{
    return 60 * channel->power_uw; /* a wrap a minute */
}

static void add_to_all(struct account *account, int64_t tenth)
{
    double values[DAY_CHANNELS];
    for (size_t i = 0; i < DAY_CHANNELS; i++) {
        const struct day_channel *channel = &day_channels[i];
        int64_t energy_uj =
            channel->start_uj + channel->power_uw / 10 * tenth + channel->power_uw % 10 * tenth / 10;
        values[i] = (double)(energy_uj % range_uj(channel)) * 1e-6;
    }
    const struct meter_reading reading = {.boot_ns = tenth * S / 10, .values = values};
    account_add(account, 0, DAY_CHANNELS, &reading, NULL);
}

static void check_day(struct account *account, int64_t window, double wall_s, double relative)
{
    struct channel_energy energies[DAY_CHANNELS];
    account_energies(account, window, energies);
    for (size_t i = 0; i < DAY_CHANNELS; i++) {
        assert_true(energies[i].known && energies[i].gap_s == 0);
        is_near(energies[i].energy_j, (double)day_channels[i].power_uw * 1e-6 * wall_s, relative);
        assert_int_equal(account_left_out(account, i), 0);
    }
}

static void a_day_of_six_channels_that_wrap_each_minute_loses_nothing(void **state)
{
    (void)state;
    struct channel channels[DAY_CHANNELS];
    for (size_t i = 0; i < DAY_CHANNELS; i++) {
        channels[i] = counter;
        channels[i].range_j = (double)range_uj(&day_channels[i]) * 1e-6;
        channels[i].max_power_w = day_channels[i].max_power_w;
    }
    struct account *account = account_open(channels, DAY_CHANNELS, 10);
    const int64_t day = 24 * 3600, hour = 3600;
    add_to_all(account, 0);
    account_begin(account, 0);
    int64_t last_hour = account_begin(account, (day - hour) * S);
    for (int64_t tenth = 1; tenth <= 10 * day; tenth++)
        add_to_all(account, tenth);
    account_finish(account, day * S);
    check_day(account, 0, (double)day, 1e-9);
    check_day(account, last_hour, (double)hour, 1e-8);
    size_t gaps, unlisted;
    free(account_take_gaps(account, &gaps, &unlisted));
    assert_int_equal(gaps + unlisted, 0);
    account_close(account);
}

static void edges_lie_between_readings(void **state)
{
    (void)state;
    struct account *account = account_open(&counter, 1, 10);
    add(account, 0, 10);
    account_begin(account, S / 2);
    int64_t inner = account_begin(account, S);
    add(account, 2 * S, 210);
    account_end(account, inner, 3 * S);
    add(account, 4 * S, 210);
    add(account, 6 * S, 310);
    account_finish(account, 5 * S);
    struct channel_energy energy = energy_of(account, inner);
    assert_true(energy.known && energy.gap_s == 0);
    is_near(energy.energy_j, 100, 1e-12);
    is_near(energy_of(account, 0).energy_j, 150 + 50, 1e-12);
    /* between readings 200 J apart the edge half-way is uncertain by 200 x 0.5 x 0.5 J */
    assert_true(energy.uncertainty_j > 50 && energy.uncertainty_j < 51);
    account_close(account);
}

static void the_gap_is(struct account *account, double start_s, double wall_s, const char *reason)
{
    size_t count, unlisted;
    struct gap *gaps = account_take_gaps(account, &count, &unlisted);
    assert_int_equal(count, 1);
    is_near(gaps[0].start_s, start_s, 1e-9);
    is_near(gaps[0].wall_s, wall_s, 1e-9);
    assert_non_null(strstr(gaps[0].reason, reason));
    free(gaps[0].reason);
    free(gaps);
}

static void a_reset_is_a_gap_and_widens_the_uncertainty(void **state)
{
    (void)state;
    struct account *account = account_open(&counter, 1, 1);
    account_begin(account, 0);
    for (int64_t t = 0; t <= 10; t++)
        add(account, t * S, t <= 5 ? 1000 + 100.0 * (double)t : 100.0 * (double)(t - 6) + 20);
    account_finish(account, 10 * S);
    struct channel_energy energy = energy_of(account, 0);
    is_near(energy.energy_j, 900, 1e-12);
    is_near(energy.gap_s, 1, 1e-12);
    assert_true(energy.uncertainty_j >= 100);
    the_gap_is(account, 5, 1, "counter reset");
    account_close(account);
}

static void one_absurd_reading_loses_nothing(void **state)
{
    (void)state;
    struct account *account = account_open(&counter, 1, 10);
    account_begin(account, 0);
    for (int64_t t = 0; t <= 10; t++)
        add(account, t * S / 10, t == 4 ? 5500 : 10.0 * (double)t);
    account_finish(account, S);
    struct channel_energy energy = energy_of(account, 0);
    is_near(energy.energy_j, 100, 1e-12);
    assert_true(energy.gap_s == 0);
    assert_int_equal(account_left_out(account, 0), 1);
    account_close(account);
}

static void a_jump_that_stays_is_a_gap(void **state)
{
    (void)state;
    struct account *account = account_open(&counter, 1, 10);
    account_begin(account, 0);
    for (int64_t t = 0; t <= 10; t++)
        add(account, t * S / 10, (t >= 4 ? 4000 : 0) + 10.0 * (double)t);
    account_finish(account, S);
    is_near(energy_of(account, 0).energy_j, 90, 1e-12);
    the_gap_is(account, 0.3, 0.1, "implies 40100 W");
    account_close(account);
}

static void a_missed_reading_of_a_counter_loses_nothing_but_a_long_silence_does(void **state)
{
    (void)state;
    const struct channel slow = {
        .meter = (char *)"t", .name = (char *)"c", .kind = KIND_COUNTER, .range_j = 1e6, .max_power_w = 2000};
    struct account *account = account_open(&slow, 1, 1);
    account_begin(account, 0);
    for (int64_t t = 0; t <= 100; t++) {
        bool missing = t == 3 || (t > 10 && t < 60);
        add(account, t * S, missing ? NAN : 50.0 * (double)t);
    }
    account_finish(account, 100 * S);
    struct channel_energy energy = energy_of(account, 0);
    is_near(energy.energy_j, 50 * 50, 1e-12);
    is_near(energy.gap_s, 50, 1e-12);
    the_gap_is(account, 10, 50, "no reading");
    account_close(account);
}

static void a_counter_unseen_for_a_whole_wrap_is_late(void **state)
{
    (void)state;
    struct account *account = account_open(&counter, 1, 10);
    account_begin(account, 0);
    add(account, 0, 0);
    add(account, S, 100);
    add(account, 6 * S, 200); /* 2000 W for 5 s is more than 6000 J: how many wraps? */
    add(account, 7 * S, 300);
    account_finish(account, 7 * S);
    is_near(energy_of(account, 0).energy_j, 200, 1e-12);
    the_gap_is(account, 1, 5, "late reading");
    account_close(account);
}

static void a_counter_that_falls_silent_leaves_a_gap_to_the_end(void **state)
{
    (void)state;
    struct account *account = account_open(&counter, 1, 10);
    account_begin(account, 0);
    add(account, 0, 0);
    add(account, S, 100);
    int64_t after = account_begin(account, 2 * S);
    add(account, 2 * S, NAN);
    account_end(account, after, 3 * S);
    account_finish(account, 4 * S);
    is_near(energy_of(account, 0).energy_j, 100, 1e-12);
    is_near(energy_of(account, 0).gap_s, 3, 1e-12);
    assert_false(energy_of(account, after).known);
    the_gap_is(account, 1, 3, "no reading");
    account_close(account);
}

static const struct channel live = {.meter = (char *)"test",
                                    .name = (char *)"live",
                                    .kind = KIND_COUNTER,
                                    .range_j = 1e6,
                                    .max_power_w = 2000,
                                    .still_most_s = 3,
                                    .accuracy = 0.01};

static void a_live_counter_that_stands_still_is_a_gap(void **state)
{
    (void)state;
    struct account *account = account_open(&live, 1, 10);
    account_begin(account, 0);
    int64_t inside = -1;
    for (int64_t t = 0; t <= 300; t++) { /* 50 W, stuck from second 10 on, moves again at 20 */
        add(account, t * S / 10, t <= 100 ? 5.0 * (double)t : t < 200 ? 500 : 5.0 * (double)t);
        if (t == 140)
            inside = account_begin(account, 14 * S);
        if (t == 180)
            account_end(account, inside, 18 * S);
    }
    account_finish(account, 30 * S);
    struct channel_energy energy = energy_of(account, 0);
    is_near(energy.energy_j, 1000, 1e-12);
    is_near(energy.gap_s, 10, 1e-12);
    assert_true(energy.uncertainty_j >= 500);
    assert_false(energy_of(account, inside).known);
    the_gap_is(account, 10, 10, "counter stands still");
    account_close(account);
}

static void a_live_counter_that_moves_seldom_loses_nothing(void **state)
{
    (void)state;
    struct account *account = account_open(&live, 1, 10);
    account_begin(account, 0);
    int64_t inside = -1;
    for (int64_t t = 0; t <= 100; t++) { /* 300 W, renewed once a second; one odd reading, one missed */
        add(account, t * S / 10, t == 33 ? 9e5 : t == 57 ? NAN : 300.0 * (double)(t / 10));
        if (t == 25)
            inside = account_begin(account, 5 * S / 2);
        if (t == 75)
            account_end(account, inside, 15 * S / 2);
    }
    account_finish(account, 10 * S);
    is_near(energy_of(account, 0).energy_j, 3000, 1e-12);
    is_near(energy_of(account, inside).energy_j, 1500, 1e-12);
    assert_true(energy_of(account, 0).gap_s == 0);
    assert_int_equal(account_left_out(account, 0), 1);
    account_close(account);
}

static void a_live_counter_that_never_moves_is_not_known_however_short_the_run(void **state)
{
    (void)state;
    struct account *account = account_open(&live, 1, 10);
    account_begin(account, 0);
    for (int64_t t = 0; t <= 10; t++)
        add(account, t * S / 10, 77);
    account_finish(account, S);
    assert_false(energy_of(account, 0).known);
    the_gap_is(account, 0, 1, "counter stands still");
    account_close(account);
}

static void a_plane_may_stand_still(void **state)
{
    (void)state;
    struct account *account = account_open(&counter, 1, 10);
    account_begin(account, 0);
    for (int64_t t = 0; t <= 100; t++)
        add(account, t * S / 10, 77);
    account_finish(account, 10 * S);
    assert_true(energy_of(account, 0).known && energy_of(account, 0).gap_s == 0);
    account_close(account);
}

static void power_is_integrated_over_actual_times(void **state)
{
    (void)state;
    struct account *account = account_open(&power, 1, 1);
    account_begin(account, 0);
    static const double times[] = {0, 0.9, 2.1, 3, 4.2, 5};
    for (size_t i = 0; i < 6; i++)
        add(account, (int64_t)(times[i] * S), 100 + 20 * times[i]);
    account_finish(account, 5 * S);
    is_near(energy_of(account, 0).energy_j, 500 + 10 * 25, 1e-9); /* a ramp: the trapezoids are exact */
    account_close(account);
}

static void absurd_and_late_powers_are_gaps(void **state)
{
    (void)state;
    struct account *account = account_open(&power, 1, 1);
    account_begin(account, 0);
    add(account, 0, 100);
    add(account, S, 100);
    for (int64_t t = 2; t < 8; t++)
        add(account, t * S, t % 2 ? -5 : 70000);
    add(account, 8 * S, 100);
    add(account, 9 * S, 100);
    account_finish(account, 9 * S);
    struct channel_energy energy = energy_of(account, 0);
    is_near(energy.energy_j, 200, 1e-12);
    is_near(energy.gap_s, 7, 1e-12);
    assert_true(energy.uncertainty_j >= 700);
    account_close(account);
}

static void the_trace_sums_to_the_energy(void **state)
{
    (void)state;
    struct account *account = account_open(&counter, 1, 10);
    struct trace_sample samples[64];
    struct trace_batch batch = {.samples = samples, .capacity = 64};
    double value = 0;
    struct meter_reading reading = {.values = &value};
    account_add(account, 0, 1, &reading, &batch);
    account_begin(account, 0);
    for (int64_t t = 1; t <= 40; t++) {
        value = (double)(t * t) / 4;
        reading.boot_ns = t * S / 40; /* four times as often as the rate: marks */
        account_add(account, 0, 1, &reading, &batch);
    }
    account_finish(account, S);
    double sum_j = 0;
    for (size_t i = 0; i < batch.count; i++) {
        assert_true(samples[i].wall_s >= 0.05 - 1e-9);
        sum_j += samples[i].power_w * samples[i].wall_s;
    }
    assert_in_range(batch.count, 10, 20);
    is_near(sum_j, energy_of(account, 0).energy_j, 1e-9);
    account_close(account);
}

static void windows_and_gaps_have_limits(void **state)
{
    (void)state;
    struct account *account = account_open(&counter, 1, 10);
    add(account, 0, 0);
    for (size_t i = 0; i < ACCOUNT_WINDOWS_MOST; i++) {
        int64_t window = account_begin(account, (int64_t)i);
        assert_int_equal(window, i);
        if (i)
            account_end(account, window, (int64_t)i + 1);
        if (i % 64 == 0)
            add(account, (int64_t)i + 2, 0);
    }
    assert_int_equal(account_begin(account, S), -1);
    account_finish(account, S);
    account_close(account);
    account = account_open(&counter, 1, 10);
    account_begin(account, 0);
    for (int64_t i = 0; i < 3 * ACCOUNT_GAPS_MOST; i++) {
        add(account, (6 * i) * S, 3000);
        add(account, (6 * i + 2) * S, 1500);
        add(account, (6 * i + 4) * S, 1501);
    }
    account_finish(account, 18 * (int64_t)ACCOUNT_GAPS_MOST * S);
    size_t count, unlisted;
    struct gap *gaps = account_take_gaps(account, &count, &unlisted);
    assert_int_equal(count, ACCOUNT_GAPS_MOST);
    assert_true(unlisted > 0);
    for (size_t i = 0; i < count; i++)
        free(gaps[i].reason);
    free(gaps);
    account_close(account);
}

static void an_open_window_tells_its_energy_so_far(void **state)
{
    (void)state;
    struct account *account = account_open(&counter, 1, 10);
    struct channel_energy energy;
    account_begin(account, 0);
    account_so_far(account, 0, &energy);
    assert_false(energy.known);
    for (int64_t t = 0; t <= 20; t++)
        add(account, t * S / 10, 10.0 * (double)t);
    int64_t later = account_begin(account, 5 * S);
    account_so_far(account, 0, &energy);
    assert_true(energy.known && energy.uncertainty_j > 0);
    is_near(energy.energy_j, 200, 1e-12);
    account_so_far(account, later, &energy);
    assert_false(energy.known);
    account_end(account, 0, S);
    add(account, 3 * S, 300);
    account_so_far(account, 0, &energy);
    is_near(energy.energy_j, 100, 1e-12);
    account_close(account);
}

/* Ten minutes asleep, after which the counter has begun again at 0. */
static void a_suspend_is_a_gap(void **state)
{
    (void)state;
    struct account *account = account_open(&counter, 1, 1);
    account_begin(account, 0);
    for (int64_t t = 0; t <= 10; t++) {
        double value = t <= 5 ? 1000 + 100.0 * (double)t : 100.0 * (double)(t - 6);
        int64_t asleep_ns = t > 5 ? 600 * S : 0;
        const struct meter_reading reading = {
            .boot_ns = t * S + asleep_ns, .asleep_ns = asleep_ns, .values = &value};
        account_add(account, 0, 1, &reading, NULL);
    }
    account_finish(account, 610 * S);
    is_near(energy_of(account, 0).energy_j, 900, 1e-12);
    is_near(energy_of(account, 0).gap_s, 601, 1e-12);
    is_near(account_asleep_s(account), 600, 1e-12);
    the_gap_is(account, 5, 601, "suspended");
    account_close(account);
}

static struct channel_energy energy_now_of(struct account *account, int64_t window)
{
    struct channel_energy energy;
    account_so_far(account, window, &energy);
    return energy;
}

static void a_window_can_be_asked_for_at_its_end(void **state)
{
    (void)state;
    const int64_t ms = S / 1000;
    struct channel package = counter;
    package.still_most_s = 3;
    package.resolution = 0.01;
    struct account *account = account_open(&package, 1, 10);
    add(account, 0, 0);
    account_begin(account, 0);
    int64_t window = account_begin(account, 100 * ms);
    add(account, 100 * ms, 10);
    account_end(account, window, 200 * ms);
    assert_false(energy_now_of(account, window).known); /* nothing has seen its end */
    add(account, 200 * ms, 20);
    is_near(energy_now_of(account, window).energy_j, 10, 1e-9);

    int64_t held = account_begin(account, 150 * ms);
    add(account, 200 * ms + 400000, 20); /* not renewed since */
    account_end(account, held, 200 * ms + 300000);
    struct channel_energy energy = energy_now_of(account, held);
    is_near(energy.energy_j, 5, 1e-9);
    assert_true(energy.uncertainty_j > 100 * 0.001 / sqrt(12)); /* an update at 100 W */

    int64_t empty = account_begin(account, 200 * ms + 450000);
    add(account, 203 * ms, 20);
    account_end(account, empty, 203 * ms);
    assert_false(energy_now_of(account, empty).known); /* it did not move: that is no 0 J */
    int64_t brief = account_begin(account, 203 * ms);
    account_end(account, brief, 203 * ms + 500000);
    add(account, 204 * ms, 20.4);
    assert_false(energy_now_of(account, brief).known); /* half an update */
    assert_true(energy_now_of(account, empty).known);  /* now it has moved */
    account_close(account);
}

static void a_model_that_did_not_move_is_not_known(void **state)
{
    (void)state;
    struct channel model = counter;
    model.kind = KIND_MODEL;
    const struct channel *const channels[] = {&counter, &model};
    for (size_t i = 0; i < 2; i++) {
        struct account *account = account_open(channels[i], 1, 10);
        account_begin(account, 0);
        add(account, 0, 5);
        add(account, S, 5);
        assert_int_equal(energy_now_of(account, 0).known, i == 0); /* the counter: 0 J */
        add(account, 2 * S, 15);
        is_near(energy_now_of(account, 0).energy_j, 10, 1e-12);
        account_close(account);
    }
}

static void released_windows_make_room(void **state)
{
    (void)state;
    struct account *account = account_open(&counter, 1, 10);
    add(account, 0, 0);
    account_begin(account, 0);
    int64_t outer = account_begin(account, 0);
    int64_t most = 0;
    for (int64_t i = 1; i <= 3 * ACCOUNT_WINDOWS_MOST; i++) {
        int64_t window = account_begin(account, (i - 1) * S);
        assert_true(window > outer);
        most = window > most ? window : most;
        account_end(account, window, i * S);
        if (i % 3 == 0) { /* before its end is known */
            account_release(account, window);
            add(account, i * S, fmod((double)i, 6000));
            continue;
        }
        add(account, i * S, fmod((double)i, 6000));
        is_near(energy_now_of(account, window).energy_j, 1, 1e-6);
        account_release(account, window);
    }
    assert_int_equal(most, outer + 1);
    account_end(account, outer, 3LL * ACCOUNT_WINDOWS_MOST * S);
    is_near(energy_now_of(account, outer).energy_j, 3.0 * ACCOUNT_WINDOWS_MOST, 1e-9);
    account_finish(account, 3LL * ACCOUNT_WINDOWS_MOST * S);
    is_near(energy_of(account, 0).energy_j, 3.0 * ACCOUNT_WINDOWS_MOST, 1e-9);
    account_close(account);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_window_can_be_asked_for_at_its_end),
        cmocka_unit_test(a_model_that_did_not_move_is_not_known),
        cmocka_unit_test(released_windows_make_room),
        cmocka_unit_test(a_day_with_a_wrap_each_minute_loses_nothing),
        cmocka_unit_test(a_day_of_six_channels_that_wrap_each_minute_loses_nothing),
        cmocka_unit_test(edges_lie_between_readings),
        cmocka_unit_test(a_reset_is_a_gap_and_widens_the_uncertainty),
        cmocka_unit_test(one_absurd_reading_loses_nothing),
        cmocka_unit_test(a_jump_that_stays_is_a_gap),
        cmocka_unit_test(a_missed_reading_of_a_counter_loses_nothing_but_a_long_silence_does),
        cmocka_unit_test(a_counter_unseen_for_a_whole_wrap_is_late),
        cmocka_unit_test(a_counter_that_falls_silent_leaves_a_gap_to_the_end),
        cmocka_unit_test(a_live_counter_that_stands_still_is_a_gap),
        cmocka_unit_test(a_live_counter_that_moves_seldom_loses_nothing),
        cmocka_unit_test(a_live_counter_that_never_moves_is_not_known_however_short_the_run),
        cmocka_unit_test(a_plane_may_stand_still),
        cmocka_unit_test(power_is_integrated_over_actual_times),
        cmocka_unit_test(absurd_and_late_powers_are_gaps),
        cmocka_unit_test(the_trace_sums_to_the_energy),
        cmocka_unit_test(windows_and_gaps_have_limits),
        cmocka_unit_test(an_open_window_tells_its_energy_so_far),
        cmocka_unit_test(a_suspend_is_a_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
