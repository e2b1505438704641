/* Logs as loggers write them. */
#include "exchange/power_log.h"

#include "base/clock.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct power_log_columns by_name = {.time = "time", .power = "power"};

static struct power_log parsed(const char *text, const struct power_log_columns *columns)
{
    struct power_log log;
    struct error error = ERROR_INIT;
    if (power_log_parse(text, strlen(text), columns, &log, &error) < 0)
        fail_msg("%s", error_text(&error));
    return log;
}

static void refused(const char *text, const struct power_log_columns *columns, const char *why)
{
    struct power_log log;
    struct error error = ERROR_INIT;
    assert_int_equal(power_log_parse(text, strlen(text), columns, &log, &error), -1);
    if (!strstr(error_text(&error), why))
        fail_msg("expected '%s' in '%s'", why, error_text(&error));
    error_clear(&error);
}

static double seconds(const struct power_log *log, size_t i)
{
    return (double)(log->wall_ns[i] - 1763923423LL * NS_PER_S) / 1e9;
}

static void columns_are_found_by_name_below_what_a_logger_says_first(void **state)
{
    (void)state;
    struct power_log log = parsed("Logger X100, serial 7\r\n# interval 1 s\r\n\r\nno,time,power\r\n"
                                  "1,2025-11-23T18:43:43Z,85.25\r\n2,2025-11-23T18:43:44.5Z,86\r\n",
                                  &by_name);
    assert_int_equal(log.count, 2);
    assert_int_equal(log.rows, 2);
    assert_true(seconds(&log, 0) == 0 && seconds(&log, 1) == 1.5);
    assert_true(log.power_w[0] == 85.25 && log.power_w[1] == 86 && isnan(log.energy_j[0]));
    assert_true(log.interval_s == 1.5);
    assert_null(log.first_bad);
    power_log_free(&log);
}

static void columns_are_found_by_number_and_separators_by_what_can_be_read(void **state)
{
    (void)state;
    static const struct power_log_columns numbers = {.time = "2", .power = "1", .power_unit = "kW"};
    static const char *const texts[] = {"1.5,1763923423\n1.25,1763923424\n",
                                        "P;t\n1,5;1763923423\n1,25;1763923424,0\n",
                                        "\xef\xbb\xbf"
                                        "1,5\t1763923423000\n 1.25 \t1763923424000\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct power_log log = parsed(texts[i], &numbers);
        assert_int_equal(log.count, 2);
        assert_true(seconds(&log, 0) == 0 && seconds(&log, 1) == 1);
        assert_true(log.power_w[0] == 1500 && log.power_w[1] == 1250);
        power_log_free(&log);
    }
}

static void a_counter_may_stand_beside_the_power_or_alone(void **state)
{
    (void)state;
    static const struct power_log_columns both = {
        .time = "time", .power = "power", .energy = "total", .energy_unit = "kWh"};
    static const struct power_log_columns alone = {.time = "time", .energy = "total"};
    static const char text[] =
        "time,power,total\n1763923423,5,1\n1763923424,,1\n1763923425,6,\n1763923426,7,1.5\n";
    struct power_log log = parsed(text, &both);
    assert_int_equal(log.count, 4);
    assert_true(isnan(log.power_w[1]) && isnan(log.energy_j[2]));
    assert_true(log.energy_j[3] == 5.4e6 && log.energy_step_j == 1.8e6);
    power_log_free(&log);
    log = parsed(text, &alone);
    assert_int_equal(log.count, 3);
    assert_int_equal(log.bad, 1);
    assert_string_equal(log.first_bad, "line 4: no figure");
    assert_true(log.energy_j[2] == 5400);
    power_log_free(&log);
}

static void rows_with_errors_are_counted_and_the_rest_is_used(void **state)
{
    (void)state;
    struct power_log log =
        parsed("time,power\n1763923423,1\nyesterday,2\n1763923424,ERR\n\"1763923425,3\n"
               "1763923426,4,5,6\n1763923427,nan\n1763923428\n1763923429,1e300\n1763923430,8\n",
               &by_name);
    assert_int_equal(log.rows, 9);
    assert_int_equal(log.bad, 6);
    assert_string_equal(log.first_bad, "line 3: no time");
    assert_int_equal(log.count, 3);
    assert_true(log.power_w[1] == 4 && log.power_w[2] == 8);
    power_log_free(&log);
}

/* One that runs ahead is left out itself, and not what follows. */
static void times_that_repeat_or_go_back_are_left_out(void **state)
{
    (void)state;
    struct power_log log = parsed("time,power\n1763923423,1\n1763923424,2\n1763923424,3\n1763923420,4\n"
                                  "1763923425,5\n1963923426,6\n1763923427,7\n",
                                  &by_name);
    assert_int_equal(log.repeated, 1);
    assert_int_equal(log.back, 2);
    assert_int_equal(log.bad, 0);
    assert_int_equal(log.count, 4);
    assert_true(log.power_w[1] == 2 && log.power_w[2] == 5 && log.power_w[3] == 7);
    power_log_free(&log);
}

static void a_column_may_have_one_of_several_names(void **state)
{
    (void)state;
    static const struct power_log_columns any = {.time = "time|t", .power = "power|watts|w", .any = true};
    struct power_log log = parsed("no;W;T\n1;5,5;1763923423\n2;6;1763923424\n", &any);
    assert_true(log.count == 2 && log.power_w[0] == 5.5);
    power_log_free(&log);
    refused("no,W,ti\n1,5,1763923423\n", &any, "no line names the column 'time|t'");
}

static void times_without_a_zone_are_utc_where_that_is_asked(void **state)
{
    (void)state;
    static const struct power_log_columns utc = {.time = "time", .power = "power", .utc = true};
    struct power_log log = parsed("time,power\n2025-11-23 18:43:43,1\n2025-11-23T19:43:44+01:00,1\n", &utc);
    assert_true(seconds(&log, 0) == 0 && seconds(&log, 1) == 1);
    power_log_free(&log);
}

static void a_strict_reader_leaves_no_row_out(void **state)
{
    (void)state;
    static const struct power_log_columns strict = {.time = "time", .power = "power", .strict = true};
    refused("time,power\n1763923423,1\n1763923424,x\n", &strict, "line 3: no number for the power");
    refused("time,power\n1763923423,1\n\n1763923423,2\n", &strict, "line 4: its time is not between");
    refused("time,power\n1763923425,1\n1763923423,2\n1763923424,2\n", &strict,
            "line 3: its time is not between");
    refused("time,power\n1763923423,1,5\n1763923424,2\n", &strict, "line 2: another number of fields");
}

static void a_stretch_is_integrated_between_its_ends(void **state)
{
    (void)state;
    /* 100 W rising to 300 W over 2 s, a row without a power, then flat for 8 s */
    struct power_log log =
        parsed("time,power,E\n1763923423,100,\n1763923425,300,\n1763923426,,1\n1763923433,300,\n",
               &(struct power_log_columns){.time = "time", .power = "power", .energy = "E"});
    const int64_t begin_ns = 1763923423LL * NS_PER_S;
    struct power_span span;
    assert_int_equal(power_log_span(&log, begin_ns, begin_ns + 10 * NS_PER_S, &span), 0);
    assert_true(fabs(span.energy_j - 2800) < 1e-9 && span.wall_s == 10 && span.samples == 3 &&
                span.longest_s == 8);
    /* 150 to 300 W over 1.5 s, and 300 W over 3 s */
    assert_int_equal(power_log_span(&log, begin_ns + NS_PER_S / 2, begin_ns + 5 * NS_PER_S, &span), 0);
    assert_true(fabs(span.energy_j - 1237.5) < 1e-9 && span.wall_s == 4.5 && span.samples == 1);
    /* within one step */
    assert_int_equal(power_log_span(&log, begin_ns + 4 * NS_PER_S, begin_ns + 5 * NS_PER_S, &span), 0);
    assert_true(fabs(span.energy_j - 300) < 1e-9 && span.samples == 0);
    assert_int_equal(power_log_span(&log, begin_ns - 1, begin_ns + NS_PER_S, &span), -1);
    assert_int_equal(power_log_span(&log, begin_ns, begin_ns + 10 * NS_PER_S + 1, &span), -1);
    assert_int_equal(power_log_span(&log, begin_ns + 5, begin_ns + 5, &span), -1);
    power_log_free(&log);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    static const struct power_log_columns misspelt = {.time = "time", .power = "powre"},
                                          unit = {.time = "time", .power = "power", .power_unit = "V"},
                                          energy = {.time = "time", .energy = "power", .energy_unit = "kW"},
                                          numbers = {.time = "1", .power = "3"};
    static const char text[] = "time;power\n1763923423;1\n1763923424;2\n";
    refused(text, &misspelt,
            "no line names the column 'powre' (did you mean power?); the first has: time, power");
    refused(text, &unit, "unknown unit of power 'V': expected W, kW, mW or MW");
    refused(text, &energy, "unknown unit of energy 'kW'");
    refused(text, &numbers, "has a time in column 1");
    refused("", &by_name, "it is empty");
    refused("time,power\n1763923423,1\nx,2\n", &by_name,
            "of 2 rows 1 can be used, and at least two are needed; "
            "line 3: no time");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_found_by_name_below_what_a_logger_says_first),
        cmocka_unit_test(columns_are_found_by_number_and_separators_by_what_can_be_read),
        cmocka_unit_test(a_counter_may_stand_beside_the_power_or_alone),
        cmocka_unit_test(rows_with_errors_are_counted_and_the_rest_is_used),
        cmocka_unit_test(times_that_repeat_or_go_back_are_left_out),
        cmocka_unit_test(a_column_may_have_one_of_several_names),
        cmocka_unit_test(times_without_a_zone_are_utc_where_that_is_asked),
        cmocka_unit_test(a_strict_reader_leaves_no_row_out),
        cmocka_unit_test(a_stretch_is_integrated_between_its_ends),
        cmocka_unit_test(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
