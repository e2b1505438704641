/* Times as other programs write them. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

static int64_t parse(const char *text)
{
    int64_t wall_ns;
    if (clock_parse_time(text, &wall_ns) < 0)
        fail_msg("%s: no time", text);
    return wall_ns;
}

static void times_of_others_are_understood(void **state)
{
    (void)state;
    const int64_t quarter_past = 1772355602250000000; /* 2026-03-01 09:00:02.25 UTC */
    static const char *const ways[] = {"2026-03-01T09:00:02.25Z",
                                       "2026-03-01 10:00:02,250+01:00",
                                       "2026-03-01T04:00:02.25-0500",
                                       "2026-03-01T09:00:02.25+00",
                                       "1772355602.25",
                                       "1772355602250",
                                       "1772355602250000",
                                       "1772355602250000000"};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        assert_int_equal(parse(ways[i]), quarter_past);
    assert_int_equal(parse("2026-03-01T09:00Z"), quarter_past - 2250000000);
    assert_int_equal(parse("2026-03-01 10:00+01:00"), quarter_past - 2250000000);
    setenv("TZ", "UTC-2", 1);
    tzset();
    assert_int_equal(parse("2026-03-01 11:00:02.25"), quarter_past);
    unsetenv("TZ");
    tzset();
}

static void what_is_no_time_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",
                                        "now",
                                        "2026-03-01",
                                        "2026-02-30T00:00:00Z",
                                        "2026-03-01T25:00:00Z",
                                        "2026-03-01T25:00Z",
                                        "2026-03-01T10:0Z",
                                        "2026-03-01T10:00.5Z",
                                        "2026-03-01T10:00:00+25:00",
                                        "2026-03-01T10:00:00+1",
                                        "2026-03-01T10:00:00.",
                                        "2026-03-01T10:00:00Z ",
                                        "-5",
                                        "nan",
                                        "1e30"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        int64_t wall_ns;
        if (clock_parse_time(wrong[i], &wall_ns) == 0)
            fail_msg("'%s' was taken for a time", wrong[i]);
    }
}

static void one_form_is_read_back_exactly(void **state)
{
    (void)state;
    int64_t wall_ns;
    char *text = clock_iso8601(1772355602000000000);
    assert_int_equal(clock_parse_iso8601(text, &wall_ns), 0);
    assert_int_equal(wall_ns, 1772355602000000000);
    free(text);
    assert_int_equal(clock_parse_iso8601("2026-03-01 09:00:02Z", &wall_ns), -1);
    assert_int_equal(clock_parse_iso8601("2026-03-01T09:00:02+00", &wall_ns), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_of_others_are_understood),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(one_form_is_read_back_exactly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
