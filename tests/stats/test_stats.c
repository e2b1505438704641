/* Golden values: golden.py (NumPy and SciPy). */
#include "stats/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const double energy[] = {1204.5, 1187.25, 1243.0, 1199.75, 1310.125};
static const double other[] = {2210.0, 2301.5, 2150.25};

/* SciPy's own t quantiles are good to 4e-11 (two degrees of freedom have a closed form to compare with). */
#define NEAR(value, golden) assert_true(fabs((value) / (golden)-1) < 1e-9)

static void summaries_are_those_of_numpy_and_scipy(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct summary s;
    assert_int_equal(stats_summarise(energy, 5, &s, &error), 0);
    assert_int_equal(s.count, 5);
    NEAR(s.mean, 1228.925);
    NEAR(s.sd, 49.94024554404994);
    NEAR(s.low, 1166.915995046497);
    NEAR(s.high, 1290.9340049535028);
    NEAR(s.least, 1187.25);
    NEAR(s.q1, 1199.75);
    NEAR(s.median, 1204.5);
    NEAR(s.q3, 1243.0);
    NEAR(s.most, 1310.125);
    assert_int_equal(stats_summarise(other, 3, &s, &error), 0);
    NEAR(s.mean, 2220.5833333333335);
    NEAR(s.sd, 76.17838166654195);
    NEAR(s.low, 2031.3457426082498);
    NEAR(s.high, 2409.820924058417);
    NEAR(s.q1, 2180.125);
    NEAR(s.q3, 2255.75);
}

static void one_value_has_no_spread_and_none_has_nothing(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct summary s;
    assert_int_equal(stats_summarise(energy, 1, &s, &error), 0);
    assert_true(s.mean == energy[0] && s.median == energy[0] && s.q1 == energy[0]);
    assert_true(isnan(s.sd) && isnan(s.low) && isnan(s.high));
    assert_int_equal(stats_summarise(NULL, 0, &s, &error), 0);
    assert_int_equal(s.count, 0);
    assert_true(isnan(s.mean) && isnan(s.median));
}

static void ratios_have_welchs_interval(void **state)
{
    (void)state;
    struct ratio r;
    assert_true(stats_ratio(other, 3, energy, 5, &r));
    NEAR(r.ratio, 1.8073933595097624);
    NEAR(r.low, 1.6874822345179947);
    NEAR(r.high, 1.9358252722186813);
    struct ratio back;
    assert_true(stats_ratio(energy, 5, other, 3, &back));
    NEAR(back.low * r.high, 1.0);
    NEAR(back.high * r.low, 1.0);
}

static void a_ratio_that_cannot_be_judged_says_so(void **state)
{
    (void)state;
    struct ratio r;
    assert_true(stats_ratio(other, 1, energy, 5, &r));
    assert_true(r.ratio > 1 && isnan(r.low) && isnan(r.high));
    const double same[] = {2, 2, 2};
    assert_true(stats_ratio(same, 3, same, 3, &r));
    assert_true(r.ratio == 1 && isnan(r.low));
    const double with_zero[] = {2, 0};
    assert_false(stats_ratio(with_zero, 2, energy, 5, &r));
    assert_true(isnan(r.ratio));
    assert_false(stats_ratio(energy, 5, NULL, 0, &r));
}

static void an_interval_ends_where_the_quantity_does(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    const double shares[] = {0.1, 0.9, 1.0};
    struct summary s;
    assert_int_equal(stats_summarise(shares, 3, &s, &error), 0);
    assert_true(s.low < 0 && s.high > 1);
    stats_bound_interval(&s, 0, 1);
    assert_true(s.low == 0 && s.high == 1);
    assert_int_equal(stats_summarise(shares, 1, &s, &error), 0);
    stats_bound_interval(&s, 0, 1);
    assert_true(isnan(s.low) && isnan(s.high));
}

static void the_pareto_front_has_every_point_that_none_beats(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    /*                      front  beaten front  same   dearer but equal  best  beaten */
    const double cost[] = {1.0, 2.0, 2.0, 1.0, 3.0, 4.0, 5.0};
    const double gain[] = {0.5, 0.4, 0.6, 0.5, 0.6, 0.9, 0.9};
    const bool expected[] = {true, false, true, true, false, true, false};
    bool front[7];
    assert_int_equal(stats_pareto(cost, gain, 7, front, &error), 0);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(front[i], expected[i]);
    assert_int_equal(stats_pareto(cost, gain, 0, front, &error), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(summaries_are_those_of_numpy_and_scipy),
        cmocka_unit_test(one_value_has_no_spread_and_none_has_nothing),
        cmocka_unit_test(ratios_have_welchs_interval),
        cmocka_unit_test(a_ratio_that_cannot_be_judged_says_so),
        cmocka_unit_test(an_interval_ends_where_the_quantity_does),
        cmocka_unit_test(the_pareto_front_has_every_point_that_none_beats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
