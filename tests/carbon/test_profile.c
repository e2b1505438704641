#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "carbon/charge.h"
#include "carbon/profile.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct profile parse(const char *text)
{
    struct error error = ERROR_INIT;
    struct profile profile;
    if (profile_parse(text, strlen(text), "a.csv", &profile, &error) < 0)
        fail_msg("%s", error_text(&error));
    return profile;
}

static int64_t at(const char *time)
{
    int64_t ns;
    assert_int_equal(clock_parse_time(time, &ns), 0);
    return ns / NS_PER_S;
}

static void hours_last_until_the_next_and_missing_ones_are_holes(void **state)
{
    (void)state;
    struct profile p =
        parse("# ours\nzone,time,g_per_kwh\nDE,2026-01-01T00:00Z,100\nDE,2026-01-01T01:00Z,200\n"
              "DE,2026-01-01T04:00Z,300\n");
    double known;
    double start = (double)at("2026-01-01T00:00:00Z");
    assert_int_equal(p.count, 3);
    assert_true(profile_mean(&p, start, start + 3600, &known) == 100 && known == 1);
    assert_true(profile_mean(&p, start + 1800, start + 5400, &known) == 150 && known == 1);
    assert_true(profile_mean(&p, start + 3600, start + 4 * 3600, &known) == 200);
    assert_true(fabs(known - 1.0 / 3) < 1e-12);
    assert_true(isnan(profile_mean(&p, start + 2 * 3600, start + 4 * 3600, &known)) && known == 0);
    assert_true(isnan(profile_mean(&p, start - 10, start, &known)) && known == 0);
    assert_true(profile_mean(&p, start + 4 * 3600, start + 9 * 3600, &known) == 300 &&
                fabs(known - 0.2) < 1e-12);
    profile_free(&p);
}

/* 2026-10-25: three o'clock in Central Europe comes after two o'clock twice. */
static void a_change_of_clocks_is_no_gap(void **state)
{
    (void)state;
    struct profile p = parse("time,g_per_kwh\n2026-10-25T01:00+02:00,1\n2026-10-25T02:00+02:00,2\n"
                             "2026-10-25T02:00+01:00,3\n2026-10-25T03:00+01:00,4\n");
    double known;
    double from = (double)at("2026-10-24T23:00:00Z");
    assert_true(profile_mean(&p, from, from + 4 * 3600, &known) == 2.5 && known == 1);
    profile_free(&p);
}

static void ends_can_be_given(void **state)
{
    (void)state;
    struct profile p = parse("from,to,g_per_kwh\n2026-01-01T00:00Z,2026-01-01T00:30Z,100\n"
                             "2026-01-01T00:30Z,2026-01-01T06:00Z,50\n");
    double known, from = (double)at("2026-01-01T00:00:00Z");
    assert_true(profile_mean(&p, from, from + 3600, &known) == 75 && known == 1);
    profile_free(&p);
}

static void every_mistake_is_told_by_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"time,g_per_kwh,low_g_per_kwh\n1970-01-01T00:00Z,1,1\n",
         "a.csv:1: a range has two columns, low_g_per_kwh and high_g_per_kwh"},
        {"from,to,g_per_kwh,low_g_per_kwh,high_g_per_kwh\n1970-01-01T00:00Z,1970-01-01T01:00Z,9,10,12\n",
         "a.csv:2: the range of an intensity holds it: 9 is not from 10 to 12"},
        {"from,to,g_per_kwh,low_g_per_kwh,high_g_per_kwh\n1970-01-01T00:00Z,1970-01-01T01:00Z,9,x,12\n",
         "a.csv:2: low_g_per_kwh: expected a number, found 'x'"},
        {"", "a.csv: no intensity in it"},
        {"time,g_per_kwh\n", "a.csv: no intensity in it"},
        {"time,g\n", "a.csv:1: expected a row that names the columns"},
        {"time,from,g_per_kwh\n", "a.csv:1: column from"},
        {"time,g_per_kwh\n2026-01-01T00:00,5\n", "a.csv:2: time: '2026-01-01T00:00' has no zone"},
        {"time,g_per_kwh\nyesterday,5\n", "a.csv:2: time: expected a time as"},
        {"time,g_per_kwh\n2026-01-01T00:00Z,-1\n", "a.csv:2: an intensity is from 0"},
        {"time,g_per_kwh\n2026-01-01T00:00Z,nan\n", "a.csv:2: g_per_kwh: expected a number"},
        {"time,g_per_kwh\n2026-01-01T00:00Z,5,6\n", "a.csv:2: expected 2 fields"},
        {"time,g_per_kwh\n2026-01-01T01:00Z,5\n\n2026-01-01T01:00Z,5\n",
         "a.csv:4: a step of the intensity begins"},
        {"time,g_per_kwh\n2026-01-01T01:00Z,5\n", "add a column 'to'"},
        {"from,to,g_per_kwh\n2026-01-01T01:00Z,2026-01-01T01:00Z,5\n",
         "a.csv:2: a step of the intensity ends"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct profile p;
        assert_int_equal(profile_parse(cases[i].text, strlen(cases[i].text), "a.csv", &p, &error), -1);
        if (!strstr(error_text(&error), cases[i].words))
            fail_msg("case %zu: '%s' lacks '%s'", i, error_text(&error), cases[i].words);
        error_clear(&error);
    }
}

static const struct location somewhere = {
    .code = "X", .name = "X", .intensity_g_per_kwh = 400, .low_g_per_kwh = 300, .high_g_per_kwh = 500};

static void energy_is_charged_by_the_hour_it_was_used_in(void **state)
{
    (void)state;
    struct profile p = parse("time,g_per_kwh\n1970-01-01T00:00Z,100\n1970-01-01T01:00Z,200\n");
    const struct energy_piece pieces[] = {{0, 3600, 10}, {3600, 7200, 30}, {7200, 10800, 40}};
    struct charge all = charge_energy(&somewhere, &p, pieces, 3);
    /* the last hour by the year's figure */
    assert_true(fabs(all.intensity_g_per_kwh - (10 * 100 + 30 * 200 + 40 * 400) / 80.0) < 1e-12);
    assert_true(fabs(all.by_the_hour - 0.5) < 1e-12);
    assert_true(fabs(all.low_g_per_kwh - (10 * 100 + 30 * 200 + 40 * 300) / 80.0) < 1e-12);
    struct charge first = charge_energy(&somewhere, &p, pieces, 2);
    assert_true(fabs(first.intensity_g_per_kwh - 175) < 1e-12 && first.by_the_hour == 1);
    assert_true(first.low_g_per_kwh == first.high_g_per_kwh);
    struct charge yearly = charge_energy(&somewhere, NULL, pieces, 3);
    assert_true(yearly.intensity_g_per_kwh == 400 && yearly.by_the_hour == 0 && yearly.high_g_per_kwh == 500);
    profile_free(&p);
}

static void a_profile_may_tell_ranges(void **state)
{
    (void)state;
    struct profile p = parse("from,to,low_g_per_kwh,g_per_kwh,high_g_per_kwh\n"
                             "1970-01-01T00:00Z,1970-01-01T01:00Z,80,100,150\n"
                             "1970-01-01T01:00Z,1970-01-01T02:00Z,0,200,200\n");
    const struct energy_piece pieces[] = {{0, 3600, 10}, {3600, 7200, 30}, {7200, 10800, 40}};
    struct charge known = charge_energy(&somewhere, &p, pieces, 2);
    assert_true(fabs(known.low_g_per_kwh - (10 * 80 + 0) / 40.0) < 1e-12);
    assert_true(fabs(known.high_g_per_kwh - (10 * 150 + 30 * 200) / 40.0) < 1e-12);
    struct charge all = charge_energy(&somewhere, &p, pieces, 3);
    assert_true(fabs(all.low_g_per_kwh - (10 * 80 + 0 + 40 * 300) / 80.0) < 1e-12);
    /* a place without a range says nothing against one that is not charged by it */
    struct location rangeless = somewhere;
    rangeless.low_g_per_kwh = rangeless.high_g_per_kwh = NAN;
    assert_true(charge_energy(&rangeless, &p, pieces, 2).high_g_per_kwh == known.high_g_per_kwh);
    assert_true(isnan(charge_energy(&rangeless, &p, pieces, 3).high_g_per_kwh));
    profile_free(&p);
}

static void a_sum_of_two_kinds_is_said(void **state)
{
    (void)state;
    struct profile p = parse("from,to,g_per_kwh\n1970-01-01T00:00Z,1970-01-01T01:00Z,100\n");
    const struct energy_piece pieces[] = {{0, 3600, 10}, {3600, 7200, 30}};
    assert_false(charge_energy(&somewhere, &p, pieces, 2).mixed);
    p.marginal = true;
    assert_true(charge_energy(&somewhere, &p, pieces, 2).mixed);
    assert_false(charge_energy(&somewhere, &p, pieces, 1).mixed);     /* all marginal */
    assert_false(charge_energy(&somewhere, &p, pieces + 1, 1).mixed); /* all average */
    assert_false(charge_energy(&somewhere, NULL, pieces, 2).mixed);
    profile_free(&p);
}

/* However a time is cut into pieces of the same power. */
static void cutting_pieces_changes_nothing(void **state)
{
    (void)state;
    struct random_stream random;
    random_seed(&random, 7, 1);
    for (size_t round = 0; round < 200; round++) {
        struct profile p = {0};
        struct error error = ERROR_INIT;
        int64_t time = 0;
        for (size_t i = 0; i < 50; i++) {
            time += (int64_t)random_below(&random, 2) * 600; /* holes */
            int64_t end = time + 1 + (int64_t)random_below(&random, 7200);
            assert_int_equal(
                profile_add(&p,
                            (struct profile_step){.from_s = time,
                                                  .to_s = end,
                                                  .intensity_g_per_kwh = 900 * random_uniform(&random)},
                            &error),
                0);
            time = end;
        }
        double from = 0.7 * (double)time * random_uniform(&random), to = from + 0.5 * (double)time;
        struct energy_piece whole = {from, to, 1000}, parts[20];
        for (size_t i = 0; i < 20; i++)
            parts[i] = (struct energy_piece){from + (to - from) * (double)i / 20,
                                             from + (to - from) * (double)(i + 1) / 20, 50};
        struct charge a = charge_energy(&somewhere, &p, &whole, 1),
                      b = charge_energy(&somewhere, &p, parts, 20);
        assert_true(fabs(a.intensity_g_per_kwh - b.intensity_g_per_kwh) < 1e-9 * a.intensity_g_per_kwh);
        assert_true(fabs(a.by_the_hour - b.by_the_hour) < 1e-9);
        profile_free(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hours_last_until_the_next_and_missing_ones_are_holes),
        cmocka_unit_test(a_change_of_clocks_is_no_gap),
        cmocka_unit_test(ends_can_be_given),
        cmocka_unit_test(every_mistake_is_told_by_its_line),
        cmocka_unit_test(energy_is_charged_by_the_hour_it_was_used_in),
        cmocka_unit_test(a_profile_may_tell_ranges),
        cmocka_unit_test(a_sum_of_two_kinds_is_said),
        cmocka_unit_test(cutting_pieces_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
