/* Golden values: golden_linear.R (made with R 4.2). */
#include "stats/linear.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { N = 14 };

static const double cpu[N] = {12.1, 11.9, 31.5, 30.8, 52.4, 51.9, 74.2,
                              73.1, 95.5, 96.2, 33.3, 54.1, 76.8, 97.0};
static const double dram[N] = {2.1, 2.0, 2.4, 2.5, 2.6, 2.9, 3.1, 2.8, 3.3, 3.0, 7.5, 9.1, 10.4, 11.2};
static const double wall[N] = {71.3,  70.9,  93.2,  92.9,  117.8, 116.6, 142.3,
                               140.2, 166.4, 167.8, 102.1, 127.9, 154.4, 178.3};
static const size_t step[N] = {1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8, 9};

static void near(double value, double golden)
{
    if (!(fabs(value - golden) <= 1e-9 * (1 + fabs(golden))))
        fail_msg("expected %.15g, found %.15g", golden, value);
}

static void interval_near(struct interval found, const double *golden)
{
    near(found.value, golden[0]);
    near(found.low, golden[1]);
    near(found.high, golden[2]);
}

static void fill(double *x)
{
    for (size_t i = 0; i < N; i++) {
        x[2 * i] = cpu[i];
        x[2 * i + 1] = dram[i];
    }
}

static struct linear fitted(void)
{
    double x[2 * N];
    struct linear fit;
    struct error error = ERROR_INIT;
    fill(x);
    assert_int_equal(stats_linear_fit(x, wall, N, 2, &fit, &error), 1);
    return fit;
}

static void a_plane_is_rs_lm(void **state)
{
    (void)state;
    static const double coefficients[3][3] = {{54.9544199509877, 54.3865610377959, 55.5222788641796},
                                              {1.12501684816663, 1.11586466097372, 1.13416903535955},
                                              {1.28004309947608, 1.19822699078015, 1.36185920817202}};
    static const double unscaled[] = {0.38811580016922,     -0.00411800882558116,  -0.0181371313266487,
                                      -0.00411800882558116, 0.000100816175432434,  -0.000340112603602963,
                                      -0.0181371313266487,  -0.000340112603602963, 0.00805671626351779};
    struct linear fit = fitted();
    near(fit.sd, 0.414135701015155);
    near(fit.degrees_of_freedom, 11);
    for (size_t i = 0; i < 3; i++) {
        interval_near(stats_linear_coefficient(&fit, i), coefficients[i]);
        for (size_t k = 0; k < 3; k++)
            near(fit.unscaled[i][k], unscaled[3 * i + k]);
    }
}

static void prediction_intervals_are_rs(void **state)
{
    (void)state;
    static const double inside[] = {106.355309375033, 105.397584240611, 107.313034509456},
                        outside[] = {191.876506380198, 190.690558864749, 193.062453895647};
    struct linear fit = fitted();
    interval_near(stats_linear_predict(&fit, (double[]){40, 5}), inside);
    interval_near(stats_linear_predict(&fit, (double[]){120, 1.5}), outside);
}

static void leaving_a_group_out_leaves_all_of_it_out(void **state)
{
    (void)state;
    static const double golden[N] = {
        0.0653848196450184, 0.0184991551552542, -0.296428694869931, 0.0630247346256994, 0.583115099183217,
        -0.439431177929066, -0.234619208250706, -0.716367974308383, 0.160169242083782,  1.17143456382001,
        0.107712611117933,  0.570620401395146,  -0.383680859689832, -0.196934566853315};
    double x[2 * N], errors[N];
    struct error error = ERROR_INIT;
    fill(x);
    assert_int_equal(stats_linear_leave_out(x, wall, step, N, 2, errors, &error), 0);
    for (size_t i = 0; i < N; i++)
        near(errors[i], golden[i]);
}

static void inflation_is_of_the_other_regressors(void **state)
{
    (void)state;
    double x[2 * N], factors[2];
    struct error error = ERROR_INIT;
    fill(x);
    assert_int_equal(stats_linear_inflation(x, N, 2, factors, &error), 0);
    near(factors[0], 1.16606580921092);
    near(factors[1], 1.16606580921092);
    for (size_t i = 0; i < N; i++)
        x[2 * i + 1] = 3 + 0.25 * x[2 * i];
    assert_int_equal(stats_linear_inflation(x, N, 2, factors, &error), 0);
    assert_true(factors[0] > 1e9 && factors[1] > 1e9);
    assert_int_equal(stats_linear_inflation(cpu, N, 1, factors, &error), 0);
    near(factors[0], 1);
}

static void what_cannot_be_told_apart_is_not_fitted(void **state)
{
    (void)state;
    double x[2 * N], errors[N];
    struct linear fit;
    struct error error = ERROR_INIT;
    fill(x);
    assert_int_equal(stats_linear_fit(x, wall, 3, 2, &fit, &error), 0); /* as many as terms */
    for (size_t i = 0; i < N; i++)
        x[2 * i + 1] = 3 + 0.25 * x[2 * i];
    assert_int_equal(stats_linear_fit(x, wall, N, 2, &fit, &error), 0);
    fill(x);
    for (size_t i = 0; i < N; i++)
        x[2 * i + 1] = step[i] == 9; /* rests on one group alone */
    assert_int_equal(stats_linear_leave_out(x, wall, step, N, 2, errors, &error), 0);
    for (size_t i = 0; i < N; i++)
        assert_true(isnan(errors[i]) == (step[i] == 9));
}

static void widening_never_narrows(void **state)
{
    (void)state;
    struct linear fit = fitted();
    struct interval before = stats_linear_predict(&fit, (double[]){40, 5});
    stats_linear_widen(&fit, 0.1, 100);
    struct interval same = stats_linear_predict(&fit, (double[]){40, 5});
    assert_memory_equal(&before, &same, sizeof same);
    stats_linear_widen(&fit, 2 * fit.sd, 11);
    struct interval wide = stats_linear_predict(&fit, (double[]){40, 5});
    near(wide.high - wide.low, 2 * (before.high - before.low));
    stats_linear_widen(&fit, 0, 0);
    near(fit.degrees_of_freedom, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plane_is_rs_lm),
        cmocka_unit_test(prediction_intervals_are_rs),
        cmocka_unit_test(leaving_a_group_out_leaves_all_of_it_out),
        cmocka_unit_test(inflation_is_of_the_other_regressors),
        cmocka_unit_test(what_cannot_be_told_apart_is_not_fitted),
        cmocka_unit_test(widening_never_narrows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
