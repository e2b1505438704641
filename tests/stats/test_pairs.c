/* Golden values: golden_pairs.py (NumPy and SciPy) and golden_lowess.R. */
#include "stats/pairs.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static const double x[] = {102.5, 155.25, 98.0, 201.0, 250.5, 180.75, 120.0, 305.25, 275.0, 222.5};
static const double y[] = {150.0, 212.5, 149.25, 260.0, 322.5, 238.75, 176.5, 388.75, 345.0, 288.0};
static const double ties_x[] = {1, 2, 2, 3, 5, 5, 7, 8}, ties_y[] = {2, 2, 3, 3, 4, 9, 7, 7};
static const double skewed[] = {0.1, 0.2, 0.15, 0.3, 0.22, 0.18, 9.0, 0.12, 0.25, 0.4, 0.33, 14.0};
enum { N = 10 };

static void near(double value, double golden, double share)
{
    if (!(fabs(value - golden) <= share * fabs(golden)))
        fail_msg("expected %.15g, found %.15g", golden, value);
}

static void interval_near(struct interval found, const double *golden)
{
    near(found.value, golden[0], 1e-9);
    near(found.low, golden[1], 1e-9);
    near(found.high, golden[2], 1e-9);
}

static void limits_of_agreement_are_bland_and_altmans(void **state)
{
    (void)state;
    static const double golden[] = {10.76052456383465, 62.05,
                                    54.35238444158859, 69.74761555841141,
                                    40.95937185488408, 27.626710610582855,
                                    54.29203309918531, 83.14062814511591,
                                    69.80796690081468, 96.47328938941715};
    struct agreement a;
    stats_bland_altman(x, y, N, &a);
    near(a.sd, golden[0], 1e-9);
    interval_near(a.bias, golden + 1);
    interval_near(a.lower, golden + 4);
    interval_near(a.upper, golden + 7);
}

static void lines_are_least_squares_and_demings(void **state)
{
    (void)state;
    static const double squares[] = {1.1403638564486318, 1.1023908236032718, 1.1783368892939918,
                                     35.2299761290777,   27.51534130502855,  42.94461095312685,
                                     3.594449965870924,  308.9173016767494,  300.0276188229255,
                                     317.8069845305733},
                        equal[] = {1.14143965965821,  1.0852580679875943, 1.1976212513288256,
                                   35.02441703080754, 25.192627564200528, 44.856206497414554},
                        more[] = {1.1410150261755436, 1.0849293505561055, 1.1971007017949817,
                                  35.10555387350803,  25.29896701548924,  44.91214073152682};
    struct line line;
    stats_least_squares(x, y, N, &line);
    interval_near(line.slope, squares);
    interval_near(line.offset, squares + 3);
    near(line.residual_sd, squares[6], 1e-9);
    interval_near(stats_predict(&line, 240), squares + 7);
    stats_deming(x, y, N, 1, &line);
    interval_near(line.slope, equal);
    interval_near(line.offset, equal + 3);
    stats_deming(x, y, N, 2.5, &line);
    interval_near(line.slope, more);
    interval_near(line.offset, more + 3);
}

/* R gives them in the order of x. */
static void check_lowess(const double *a, const double *b, size_t count, double share, const double *golden)
{
    struct error error = ERROR_INIT;
    double smooth[12];
    assert_int_equal(stats_lowess(a, b, count, share, smooth, &error), 0);
    for (size_t i = 0; i < count; i++) {
        size_t before = 0;
        for (size_t k = 0; k < count; k++)
            before += a[k] < a[i];
        near(smooth[i], golden[before], 1e-9);
    }
}

static void smooth_lines_are_rs(void **state)
{
    (void)state;
    static const double order[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
                        tied[] = {1, 1, 1, 2, 3, 3, 4, 5, 6, 6, 7, 8},
                        bent[] = {1, 4, 9, 16, 25, 90, 49, 64, 81, 100, 121, 144};
    static const double pairs[] = {148.369079238957, 153.471253948385, 173.169039461464, 212.53109146513,
                                   239.527909543701, 262.547724216385, 287.569979620688, 320.303545940902,
                                   350.302803780526, 386.931212420483},
                        outlier[] = {-0.1548587289321, 4.97881030011836, 10.3051412875127, 16.8453141257044,
                                     26.4587277542923, 37.8813715119294, 50.4588899361074, 64.8418428669086,
                                     82.3094532557747, 101.325705847008, 121.978038060473, 142.826843274246},
                        ties[] = {4.25303658632552, 4.25303658632552, 4.25303658632552, 16.5958431801569,
                                  29.4363344308534, 29.4363344308534, 48.0925098953964, 69.3522771294434,
                                  93.2583945531859, 93.2583945531859, 118.870642237663, 144.797170074065};
    check_lowess(x, y, N, LOWESS_SHARE, pairs);
    check_lowess(order, bent, 12, 0.5, outlier);
    check_lowess(tied, bent, 12, LOWESS_SHARE, ties);
}

/* On a line that the pairs lie on but for the rounding of their last digits, no pair is far from the others.
 */
static void rounding_is_no_outlier(void **state)
{
    (void)state;
    static const double powers[] = {31, 52, 64, 58}, energies_j[] = {840, 2100, 3900, 4600};
    double a[24], b[24], smooth[24];
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < 24; i++) {
        double power_w = powers[i % 4], energy_j = energies_j[i % 4] * (0.98 + 0.008 * (double)(i / 4));
        double wall_s = energy_j / power_w;
        a[i] = energy_j / wall_s;
        b[i] = (60 * wall_s + 1.15 * energy_j) / wall_s;
    }
    assert_int_equal(stats_lowess(a, b, 24, LOWESS_SHARE, smooth, &error), 0);
    for (size_t i = 0; i < 24; i++)
        near(smooth[i], b[i], 1e-9);
}

static void correlations_are_scipys(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    static const double pearson[] = {0.9991669701275628, 0.9963398921870119, 0.9998106119855753},
                        lin[] = {0.7331951881974461, 0.47774754352873866, 0.8743227965487242};
    double rho;
    interval_near(stats_pearson(x, y, N), pearson);
    interval_near(stats_concordance(x, y, N), lin);
    assert_int_equal(stats_spearman(ties_x, ties_y, 8, &rho, &error), 0);
    near(rho, 0.8589118694710287, 1e-12);
    near(stats_kendall(ties_x, ties_y, 8), 0.7452413135250994, 1e-12);
    near(stats_kendall(x, y, N), 1, 1e-12);
    /* golden_groups.R */
    static const double shifted[] = {3, 1, 2, 2, 5, 4};
    near(stats_correlation_p(stats_pearson(x, shifted, 6).value, 6), 0.261792893689048, 1e-7);
    assert_int_equal(stats_spearman(x, shifted, 6, &rho, &error), 0);
    near(stats_correlation_p(rho, 6), 0.320632582865828, 1e-7);
    assert_true(isnan(stats_correlation_p(0.5, 2)) && stats_correlation_p(1, 3) == 0);
    assert_true(isnan(stats_kendall(x, (const double[]){1, 1, 1}, 3)));
    assert_true(isnan(stats_pearson(x, (const double[]){1, 1, 1}, 3).value));
}

/* Royston's approximation; SciPy's own is in single precision in places. */
static void shapiro_and_wilks_test_is_scipys(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    double differences[N], many[60], w, p;
    for (size_t i = 0; i < N; i++)
        differences[i] = y[i] - x[i];
    for (size_t i = 0; i < 60; i++)
        many[i] = pow(sin((double)i), 3);
    const struct {
        const double *values;
        size_t count;
        double w, p;
    } cases[] = {
        {x, N, 0.9494383931159973, 0.6618607044219971},
        {differences, N, 0.9477367997169495, 0.6418071985244751},
        {skewed, 12, 0.5058121085166931, 1.9504943338688463e-05},
        {x, 3, 0.8085592985153198, 0.13509929180145264},
        {x, 5, 0.9192375540733337, 0.5250329375267029},
        {ties_y, 8, 0.8664798736572266, 0.13920481503009796},
        {many, 60, 0.9500244855880737, 0.015616877935826778},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(stats_shapiro_wilk(cases[i].values, cases[i].count, &w, &p, &error), 0);
        near(w, cases[i].w, 1e-6);
        near(p, cases[i].p, 1e-3);
    }
    assert_int_equal(stats_shapiro_wilk(x, 2, &w, &p, &error), 0);
    assert_true(isnan(w) && isnan(p));
    assert_int_equal(stats_shapiro_wilk((const double[]){3, 3, 3}, 3, &w, &p, &error), 0);
    assert_true(isnan(w) && isnan(p));
}

static void paired_tests_are_scipys(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    double t, p, sum, shifted[N];
    bool exact;
    stats_paired_t(x, y, N, &t, &p);
    near(t, 18.23510811665511, 1e-9);
    near(p, 2.047570492149758e-08, 1e-6);
    for (size_t i = 0; i < N; i++)
        shifted[i] = y[i] - 60.1;
    assert_int_equal(stats_wilcoxon(x, shifted, N, &sum, &p, &exact, &error), 0);
    assert_true(exact && sum == 30.0);
    near(p, 0.845703125, 1e-12);
    assert_int_equal(stats_wilcoxon(ties_x, ties_y, 8, &sum, &p, &exact, &error), 0);
    assert_true(!exact && sum == 10.0);
    near(p, 0.5716076449533316, 1e-9);
}

static void the_test_is_chosen_by_the_differences(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct paired paired;
    assert_int_equal(stats_paired(x, y, N, &paired, &error), 0);
    assert_true(paired.test == PAIR_T && paired.normal_p > 0.05 && paired.p < 1e-6);
    static const double zeros[12];
    assert_int_equal(stats_paired(zeros, skewed, 12, &paired, &error), 0);
    assert_true(paired.test == PAIR_WILCOXON && paired.normal_p < 0.05 && paired.exact);
    near(paired.p, 2 * ldexp(1, -12), 1e-12);
    assert_int_equal(stats_paired(x, x, N, &paired, &error), 0);
    assert_true(paired.test == PAIR_NONE && isnan(paired.p));
    assert_int_equal(stats_paired(x, y, 2, &paired, &error), 0);
    assert_true(paired.test == PAIR_NONE);
}

static void too_few_pairs_say_nothing(void **state)
{
    (void)state;
    struct agreement a;
    struct line line;
    stats_bland_altman(x, y, 1, &a);
    assert_true(a.bias.value == y[0] - x[0] && isnan(a.sd) && isnan(a.bias.low));
    stats_bland_altman(x, y, 0, &a);
    assert_true(isnan(a.bias.value));
    stats_least_squares(x, y, 2, &line);
    assert_true(isnan(line.slope.value) && isnan(stats_predict(&line, 1).value));
    stats_least_squares((const double[]){1, 1, 1}, y, 3, &line);
    assert_true(isnan(line.slope.value));
    stats_deming((const double[]){1, 1, 1}, y, 3, 1, &line);
    assert_true(isnan(line.slope.value));
    assert_true(isnan(stats_pearson(x, y, 3).low) && stats_pearson(x, y, 3).value > 0.9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits_of_agreement_are_bland_and_altmans),
        cmocka_unit_test(lines_are_least_squares_and_demings),
        cmocka_unit_test(smooth_lines_are_rs),
        cmocka_unit_test(rounding_is_no_outlier),
        cmocka_unit_test(correlations_are_scipys),
        cmocka_unit_test(shapiro_and_wilks_test_is_scipys),
        cmocka_unit_test(paired_tests_are_scipys),
        cmocka_unit_test(the_test_is_chosen_by_the_differences),
        cmocka_unit_test(too_few_pairs_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
