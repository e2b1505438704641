#include "base/text.h"
#include "carbon/embodied.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void a_machine_is_shared_out_by_time(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct embodied embodied;
    assert_int_equal(embodied_parse("1200kg", "4y", &embodied, &error), 0);
    /* by hand: 1461 days; an hour of 35,064 */
    assert_true(fabs(embodied_share_kg(&embodied, 3600) - 1200.0 / 35064) < 1e-12);
    AUTO_FREE char *text = embodied_text(&embodied, 3600);
    assert_non_null(strstr(text, "34.2 g CO2e of the 1.20 t"));
    assert_non_null(strstr(text, "4 years; not in the figures above"));
}

static void masses_and_lifetimes_are_read_with_their_units(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"1.2 t", "48 months"}, {"1200000 g", "1461 days"}, {"1200 kg", "4 years"}};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        struct error error = ERROR_INIT;
        struct embodied embodied;
        assert_int_equal(embodied_parse(same[i][0], same[i][1], &embodied, &error), 0);
        assert_true(fabs(embodied.machine_kg_co2e - 1200) < 1e-9);
        assert_true(fabs(embodied.lifetime_s - 1461 * 86400.0) < 1e-3);
    }
}

static void nothing_is_assumed_where_none_is_given(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct embodied embodied;
    assert_int_equal(embodied_parse(NULL, NULL, &embodied, &error), 0);
    assert_true(isnan(embodied_share_kg(&embodied, 3600)));
}

static void what_is_no_such_quantity_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"1200kg", NULL, "go together"},
        {NULL, "4y", "go together"},
        {"1200", "4y", "--embodied: expected"},
        {"-1kg", "4y", "--embodied: expected"},
        {"0kg", "4y", "--embodied: expected"},
        {"1200kg", "4", "--lifetime: expected"},
        {"1200kg", "0y", "--lifetime"},
        {"1200kg", "4 centuries", "found '4 centuries'"},
        {"", "", "--embodied"},
        {"kg", "4y", "--embodied"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct embodied embodied;
        assert_int_equal(embodied_parse(cases[i][0], cases[i][1], &embodied, &error), -1);
        if (!strstr(error_text(&error), cases[i][2]))
            fail_msg("case %zu: %s", i, error_text(&error));
        error_clear(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_is_shared_out_by_time),
        cmocka_unit_test(masses_and_lifetimes_are_read_with_their_units),
        cmocka_unit_test(nothing_is_assumed_where_none_is_given),
        cmocka_unit_test(what_is_no_such_quantity_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
