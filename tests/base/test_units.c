#include "base/units.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void energies_are_read_with_their_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double energy_j;
    } right[] = {{"50Wh", 180000}, {"1.5 kJ", 1500}, {"2kWh", 7.2e6},
                 {"1e3J", 1000},   {"5mWh", 18},     {"1MJ", 1e6}};
    static const char *const wrong[] = {"",     "50",     "Wh",    "-5Wh",   "0Wh",
                                        "50wh", "50  Wh", "50Whx", "1e999J", "nanJ",
                                        "infJ", "0x5J",   "1,5kJ", "1.2.3J", " 5J"};
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        double energy_j = 0;
        assert_int_equal(units_parse_energy(right[i].text, &energy_j, &error), 0);
        assert_true(fabs(energy_j - right[i].energy_j) < 1e-9 * right[i].energy_j);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        double energy_j = 7;
        assert_int_equal(units_parse_energy(wrong[i], &energy_j, &error), -1);
        assert_true(energy_j == 7);
        assert_non_null(strstr(error_text(&error), wrong[i]));
    }
    error_clear(&error);
}

static void durations_are_read_with_their_unit(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double duration_s;
    } right[] = {{"6h", 21600}, {"90 min", 5400}, {"1.5h", 5400}, {"2d", 172800}, {"45s", 45}};
    static const char *const wrong[] = {"",   "6",    "h",    "-6h",    "0h",  "6H",   "6  h",
                                        "6m", "6h30", "nanh", "1e999h", "6hh", "0x5h", " 6h"};
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        double duration_s = 0;
        assert_int_equal(units_parse_duration(right[i].text, &duration_s, &error), 0);
        assert_true(duration_s == right[i].duration_s);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        double duration_s = 7;
        assert_int_equal(units_parse_duration(wrong[i], &duration_s, &error), -1);
        assert_true(duration_s == 7);
        assert_non_null(strstr(error_text(&error), wrong[i]));
    }
    error_clear(&error);
}

static void shares_need_their_sign(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    double share = 0;
    assert_int_equal(units_parse_share("2%", &share, &error), 0);
    assert_true(fabs(share - 0.02) < 1e-12);
    static const char *const wrong[] = {"2", "0.02", "0%", "-2%", "101%", "%", "2%%", "two%"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(units_parse_share(wrong[i], &share, &error), -1);
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(energies_are_read_with_their_unit),
        cmocka_unit_test(durations_are_read_with_their_unit),
        cmocka_unit_test(shares_need_their_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
