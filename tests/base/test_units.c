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
        cmocka_unit_test(shares_need_their_sign),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
