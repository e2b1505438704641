#include "stats/groups.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* golden_shares.R makes these. */
static void shares_are_those_of_both_orders_of_entry(void **state)
{
    (void)state;
    static const struct {
        size_t count, rows, columns;
        double y[12];
        size_t a[12], b[12];
        double expected[4];
    } sets[] = {{12,
                 2,
                 3,
                 {1, 1.2, 2, 2.3, 3.1, 2.9, 4, 4.4, 1.5, 1.4, 3, 3.3},
                 {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1},
                 {0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2},
                 {0.15810589021944, 0.245942495896906, 0.58026867667619, 0.0156829372074646}},
                {9,
                 3,
                 2,
                 {1, 1.2, 2, 2.3, 3.1, 2.9, 4, 4.4, 1.5},
                 {0, 0, 0, 1, 1, 1, 2, 2, 2},
                 {0, 0, 1, 1, 1, 0, 0, 1, 1},
                 {0.483348487748851, 0.0153593989280245, 0.109781776416539, 0.391510336906585}},
                {7,
                 3,
                 3,
                 {1, 2, 3, 5, 8, 13, 21},
                 {0, 0, 1, 1, 2, 2, 2},
                 {0, 1, 1, 2, 2, 0, 0},
                 {0.597821709302003, 0.215527178290698, 0.0839930005832847, 0.102658111824015}}};
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        struct variance_shares s;
        struct error error = ERROR_INIT;
        assert_int_equal(stats_variance_shares(sets[i].y, sets[i].a, sets[i].rows, sets[i].b, sets[i].columns,
                                               sets[i].count, &s, &error),
                         1);
        const double found[] = {s.rows, s.columns, s.interaction, s.within};
        for (size_t k = 0; k < 4; k++)
            assert_true(fabs(found[k] - sets[i].expected[k]) < 1e-10);
    }
}

static void what_does_not_vary_has_no_shares(void **state)
{
    (void)state;
    const double values[] = {5, 5, 5};
    const size_t levels[] = {0, 1, 0};
    struct variance_shares shares;
    struct error error = ERROR_INIT;
    assert_int_equal(stats_variance_shares(values, levels, 2, levels, 2, 3, &shares, &error), 0);
    assert_true(isnan(shares.rows) && isnan(shares.within));
}

/* A factor that has the same level as the other everywhere takes half of what both tell. */
static void factors_that_can_not_be_told_apart_share(void **state)
{
    (void)state;
    const double values[] = {1, 3, 1, 3};
    const size_t levels[] = {0, 1, 0, 1};
    struct variance_shares shares;
    struct error error = ERROR_INIT;
    assert_int_equal(stats_variance_shares(values, levels, 2, levels, 2, 4, &shares, &error), 1);
    assert_true(fabs(shares.rows - 0.5) < 1e-12 && fabs(shares.columns - 0.5) < 1e-12);
    assert_true(fabs(shares.interaction) < 1e-12 && fabs(shares.within) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_are_those_of_both_orders_of_entry),
        cmocka_unit_test(what_does_not_vary_has_no_shares),
        cmocka_unit_test(factors_that_can_not_be_told_apart_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
