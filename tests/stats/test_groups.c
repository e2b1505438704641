/* Golden values: golden_groups.R (R 4.2.2). */
#include "stats/bootstrap.h"
#include "stats/groups.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { PAIRS_MOST = 6 };

static const double plain[] = {812, 799.5,  830.25, 818, 805.5, 841,   829.5, 850, 836.25,
                               790, 801.25, 812.5,  795, 808,   803.5, 835,   822, 846.5},
                    ties[] = {1, 2, 2, 3, 5, 2, 3, 3, 5, 5, 8, 5, 7, 8, 8},
                    spread[] = {10, 10.5, 9.75, 10.25, 12, 18, 9, 25, 14, 30, 31.5, 29};
static const size_t plain_sizes[] = {5, 4, 6, 3}, ties_sizes[] = {5, 6, 4}, spread_sizes[] = {4, 5, 3};

/* Tests: statistic, df1, (df2,) p, and the sizes of effects behind. Contrasts: difference, low, high, p;
 * Dunn's: z, p, adjusted p; effects: Cliff's delta, Hedges' g. */
static const struct {
    struct grouped grouped;
    double anova[6], welch[4], levene[4], kruskal[4];
    double tukey[PAIRS_MOST][4], games_howell[PAIRS_MOST][4], dunn[PAIRS_MOST][3], effects[PAIRS_MOST][2];
} sets[] = {
    {.grouped = {plain, plain_sizes, 4},
     .anova = {14.1289392258354, 3, 14, 0.000161665946548767, 0.751715018214534, 0.686339115349562},
     .welch = {14.7273137569452, 3, 6.17665673407484, 0.00323129970771018},
     .levene = {0.213798152756691, 3, 14, 0.885173738637392},
     .kruskal = {12.0847953216374, 3, 0.0070982608562524, 0.710870313037496},
     .tukey = {{-26.1374999999998, -45.820901517265, -6.45409848273468, 0.00832064369330077},
               {11.3416666666668, -6.42596776223672, 29.1093010955703, 0.290072690496498},
               {-21.4499999999998, -42.8785733864993, -0.0214266135003491, 0.0497343806823674},
               {37.4791666666666, 18.5388047257324, 56.4195286076008, 0.000260028422026215},
               {4.6875, -17.72303847267, 27.09803847267, 0.927860983422032},
               {-32.7916666666666, -53.5397936313906, -12.0435397019426, 0.00208705397132514}},
     .games_howell = {{-26.1375, -48.7716967823211, -3.50330321767896, 0.026141481970319},
                      {11.3416666666666, -9.47426591889073, 32.1575992522239, 0.345822827662045},
                      {-21.45, -56.5599125597409, 13.6599125597408, 0.207500588648131},
                      {37.4791666666666, 18.8817745377238, 56.0765587956094, 0.00154200957047469},
                      {4.6875, -31.9150326987375, 41.2900326987375, 0.936716749594634},
                      {-32.7916666666666, -71.0601192883172, 5.47678595498391, 0.0743063328593891}},
     .dunn = {{-2.0244605567432, 0.0429227864117426, 0.17169114564697},
              {1.03114704148291, 0.302471870800122, 0.604943741600244},
              {-1.53896752812773, 0.123812223821332, 0.371436671463996},
              {3.07118279213238, 0.00213212578583842, 0.0127927547150305},
              {0.306569669742483, 0.759170942664322, 0.759170942664322},
              {-2.47246039985475, 0.0134186579204975, 0.0670932896024874}},
     .effects = {{-0.9, -2.1926402230531},
                 {0.533333333333333, 1.03441847268335},
                 {-0.866666666666667, -1.55397472389159},
                 {1, 4.02860051638664},
                 {0.333333333333333, 0.385274516298344},
                 {-1, -3.04116211363853}}},
    {.grouped = {ties, ties_sizes, 3},
     .anova = {6.72664359861592, 2, 12, 0.010980552922341, 0.528548123980424, 0.432962720732505},
     .welch = {9.35431614637126, 2, 7.81352938763537, 0.00844187764961659},
     .levene = {0.587755102040816, 2, 12, 0.570798503956156},
     .kruskal = {7.17239776951673, 2, 0.0277034344874455, 0.512314126394052},
     .tukey = {{-1.73333333333333, -4.62818964439635, 1.16152297772968, 0.284148172344676},
               {-4.4, -7.6069896154971, -1.19301038450291, 0.00847687189449975},
               {-2.66666666666667, -5.75259386299264, 0.419260529659303, 0.0935049462741832}},
     .games_howell = {{-1.73333333333333, -4.85191480431291, 1.38524813764625, 0.312301678644637},
                      {-4.4, -7.31013044495776, -1.48986955504225, 0.00750045076848515},
                      {-2.66666666666667, -5.89745702272712, 0.564123689393785, 0.104036610707581}},
     .dunn = {{-1.31862166508837, 0.187295627035992, 0.244102426399561},
              {-2.67813326209073, 0.00740337566353342, 0.0222101269906003},
              {-1.54622095979377, 0.122051213199781, 0.244102426399561}},
     .effects = {{-0.533333333333333, -0.83315500511006},
                 {-0.95, -2.65211341982397},
                 {-0.666666666666667, -1.25712384279827}}},
    {.grouped = {spread, spread_sizes, 3},
     .anova = {20.589088636545, 2, 9, 0.000438302881514558, 0.820639160505605, 0.765525060887431},
     .welch = {309.535567220645, 2, 3.79082484212923, 6.31559302194751e-05},
     .levene = {2.87176832514938, 2, 9, 0.108488514042288},
     .kruskal = {7.47692307692308, 2, 0.0237906760311394, 0.67972027972028},
     .tukey = {{-5.475, -13.2896029237455, 2.3396029237455, 0.178930467099825},
               {-20.0416666666667, -28.9389834905716, -11.1443498427618, 0.000375406554070423},
               {-14.5666666666667, -23.0741287580613, -6.05920457527199, 0.00257784841936315}},
     .games_howell = {{-5.475, -15.324845086832, 4.37484508683204, 0.232948769982999},
                      {-20.0416666666667, -24.0237022420602, -16.0596310912731, 0.00153865331258795},
                      {-14.5666666666667, -24.2342966475653, -4.89903668576807, 0.0112900611794192}},
     .dunn = {{-1.11631261130288, 0.264288345226028, 0.264288345226028},
              {-2.72352389700961, 0.00645895426689299, 0.019376862800679},
              {-1.8229308607506, 0.0683138631508988, 0.136627726301798}},
     .effects = {{-0.6, -1.03842099908367}, {-1, -20.1998160868894}, {-1, -2.47854544864341}}},
};
enum { SETS = sizeof sets / sizeof *sets };

static void near(double value, double golden, double share)
{
    if (!(fabs(value - golden) <= share * fabs(golden)))
        fail_msg("expected %.15g, found %.15g", golden, value);
}

static void f_near(const struct group_test *test, const double *golden)
{
    near(test->statistic, golden[0], 1e-9);
    near(test->df1, golden[1], 1e-12);
    near(test->df2, golden[2], 1e-9);
    near(test->p, golden[3], 1e-7);
}

static void tests_of_all_groups_are_rs(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < SETS; i++) {
        struct anova anova;
        struct group_test test;
        double epsilon_squared;
        stats_anova(&sets[i].grouped, &anova);
        f_near(&anova.test, sets[i].anova);
        near(anova.eta_squared, sets[i].anova[4], 1e-9);
        near(anova.omega_squared, sets[i].anova[5], 1e-9);
        stats_welch(&sets[i].grouped, &test);
        f_near(&test, sets[i].welch);
        assert_int_equal(stats_levene(&sets[i].grouped, &test, &error), 0);
        f_near(&test, sets[i].levene);
        assert_int_equal(stats_kruskal(&sets[i].grouped, &test, &epsilon_squared, &error), 0);
        near(test.statistic, sets[i].kruskal[0], 1e-9);
        near(test.df1, sets[i].kruskal[1], 1e-12);
        near(test.p, sets[i].kruskal[2], 1e-7);
        near(epsilon_squared, sets[i].kruskal[3], 1e-9);
    }
}

static void pairs_near(const struct contrast *found, const double (*golden)[4], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        near(found[i].difference, golden[i][0], 1e-9);
        double width = golden[i][2] - golden[i][1];
        assert_true(fabs(found[i].low - golden[i][1]) < 1e-6 * width);
        assert_true(fabs(found[i].high - golden[i][2]) < 1e-6 * width);
        assert_true(fabs(found[i].adjusted_p - golden[i][3]) < 1e-7); /* so far off is R's ptukey */
    }
}

static void all_pairs_are_tukeys_games_and_howells_and_dunns(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < SETS; i++) {
        struct contrast contrasts[PAIRS_MOST];
        size_t k = sets[i].grouped.groups, pairs = k * (k - 1) / 2;
        stats_tukey(&sets[i].grouped, contrasts);
        pairs_near(contrasts, sets[i].tukey, pairs);
        assert_true(contrasts[0].a == 0 && contrasts[0].b == 1 && contrasts[pairs - 1].b == k - 1);
        stats_games_howell(&sets[i].grouped, contrasts);
        pairs_near(contrasts, sets[i].games_howell, pairs);
        assert_int_equal(stats_dunn(&sets[i].grouped, contrasts, &error), 0);
        for (size_t p = 0; p < pairs; p++) {
            near(contrasts[p].statistic, sets[i].dunn[p][0], 1e-9);
            near(contrasts[p].p, sets[i].dunn[p][1], 1e-7);
            near(contrasts[p].adjusted_p, sets[i].dunn[p][2], 1e-7);
        }
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void effects_are_of_all_pairs_of_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETS; i++) {
        const struct grouped *g = &sets[i].grouped;
        double sorted[18], *a = sorted;
        size_t pair = 0;
        memcpy(sorted, g->values, stats_grouped_count(g) * sizeof *sorted);
        for (size_t k = 0; k < g->groups; a += g->sizes[k++])
            qsort(a, g->sizes[k], sizeof *a, by_value);
        a = sorted;
        for (size_t k = 0; k < g->groups; a += g->sizes[k++]) {
            const double *b = a + g->sizes[k];
            for (size_t m = k + 1; m < g->groups; b += g->sizes[m++], pair++) {
                near(stats_cliff(a, g->sizes[k], b, g->sizes[m]), sets[i].effects[pair][0], 1e-12);
                near(stats_hedges(a, g->sizes[k], b, g->sizes[m]), sets[i].effects[pair][1], 1e-9);
            }
        }
    }
    assert_string_equal(stats_delta_word(-0.5), "large");
    assert_string_equal(stats_delta_word(0.146), "negligible");
    assert_string_equal(stats_g_word(-0.5), "medium");
    assert_string_equal(stats_share_word(0.02), "small");
    assert_string_equal(stats_share_word(NAN), "");
}

static void the_studentised_range_is_that_of_its_definition(void **state)
{
    (void)state;
    static const struct {
        double q;
        size_t groups;
        double df, p;
    } cases[] = {
        {0.5, 2, 1, 0.783653104061215},     {3.5, 2, 1, 0.244463485271665},
        {10, 2, 1, 0.0894385219503155},     {0.5, 3, 2, 0.935556794427904},
        {3.5, 3, 2, 0.229471520693983},     {10, 3, 2, 0.0352435578526101},
        {1, 4, 7.3, 0.891311393662421},     {3.5, 4, 7.3, 0.145886034661312},
        {8, 4, 7.3, 0.00287134235810096},   {2, 20, 200, 0.997273351743002},
        {5, 20, 200, 0.0594324279517061},   {3, 6, 9990, 0.276189896994994},
        {4.5, 6, 9990, 0.0183615464185834},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        near(stats_studentized_p(cases[i].q, cases[i].groups, cases[i].df), cases[i].p, 1e-9);
    near(stats_studentized_q(0.05, 2, 1), 17.9692870641875, 1e-8);
    near(stats_studentized_q(0.05, 4, 7.3), 4.63038786343575, 1e-8);
    near(stats_studentized_q(0.05, 20, 200), 5.08012236805431, 1e-8);
    near(stats_studentized_q(0.01, 3, 12), 5.04593472518386, 1e-8);
    assert_true(stats_studentized_p(0, 3, 5) == 1 && stats_studentized_p(1e6, 3, 50) < 1e-15);
    assert_true(isnan(stats_studentized_p(1, 3, 0.5)) && isnan(stats_studentized_q(0.05, 1, 5)));
}

static void holms_p_is_rs(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    double p[] = {0.01, 0.04, 0.03, 0.005, 0.5, NAN};
    static const double golden[] = {0.04, 0.09, 0.09, 0.025, 0.5};
    assert_int_equal(stats_holm(p, 6, &error), 0);
    for (size_t i = 0; i < 5; i++)
        near(p[i], golden[i], 1e-12);
    assert_true(isnan(p[5]));
}

static const double by_two[] = {5.1, 4.9, 5.6, 7.2, 7.9, 7.4, 6.1, 6.6, 6.4,
                                6.5, 6.2, 6.9, 8.8, 9.4, 8.1, 7.7, 7.1, 7.3};

static void interactions_are_those_of_nested_models(void **state)
{
    (void)state;
    static const size_t even[] = {3, 3, 3, 3, 3, 3}, uneven[] = {3, 2, 4, 3, 1, 5};
    static const struct {
        struct grouped cells;
        double rows[4], columns[4], interaction[4], aligned[4];
    } cases[] = {
        {.cells = {by_two, even, 6},
         .rows = {34.6955017301038, 2, 12, 1.02713862042282e-05},
         .columns = {3.54325259515572, 1, 12, 0.0842547546064153},
         .interaction = {32.2249134948097, 2, 12, 1.49564469466773e-05},
         .aligned = {34.2592592592593, 2, 12, 1.09575338951117e-05}},
        {.cells = {by_two, uneven, 6},
         .rows = {9.13006465404668, 2, 12, 0.00388922258558279},
         .columns = {2.38086102120934, 1, 12, 0.148779394474236},
         .interaction = {7.54113995268365, 2, 12, 0.0075679131959907},
         .aligned = {6.62846131458285, 2, 12, 0.0115028345505027}},
    };
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct two_way two_way;
        struct group_test aligned;
        assert_int_equal(stats_two_way(&cases[i].cells, 2, &two_way, &error), 0);
        f_near(&two_way.rows, cases[i].rows);
        f_near(&two_way.columns, cases[i].columns);
        f_near(&two_way.interaction, cases[i].interaction);
        assert_int_equal(stats_aligned_rank(&cases[i].cells, 2, &aligned, &error), 0);
        f_near(&aligned, cases[i].aligned);
    }
}

static void repetitions_are_those_of_power_t_test(void **state)
{
    (void)state;
    near(stats_power(1, 1, 2), 0.0913177843617262, 1e-6);
    near(stats_power(0.05, 0.02, 3), 0.635982945996122, 1e-6);
    near(stats_power(-1, 1, 17), 0.807035889516564, 1e-6);
    near(stats_power(0.5, 1, 64), 0.801458623367973, 1e-6);
    near(stats_power(0.06, 1, 4000), 0.765158638287679, 1e-6);
    assert_int_equal(stats_repetitions(1, 1, 0.8), 17);
    assert_int_equal(stats_repetitions(0.05, 0.02, 0.8), 4);
    assert_int_equal(stats_repetitions(0.05, 0.08, 0.8), 42);
    assert_int_equal(stats_repetitions(0.05, 1, 0.8), 6281);
    assert_int_equal(stats_repetitions(100, 1, 0.8), 2);
    assert_int_equal(stats_repetitions(1e-6, 1, 0.8), 0);
    assert_int_equal(stats_repetitions(1, 0, 0.8), 0);
}

/* All 5^5 samples of five values are the distribution that resampling draws from: 400,000 draws come as near
 * to it as their own scatter. */
static void bootstrap_intervals_are_those_of_all_samples(void **state)
{
    (void)state;
    static const double values[] = {3.1, 4.7, 2.2, 9.8, 3.9};
    struct error error = ERROR_INIT;
    struct bootstrap found, again;
    struct random_stream random, same;
    random_seed(&random, 1, 0);
    assert_int_equal(stats_bootstrap(values, 5, 400000, &random, &found, &error), 0);
    near(found.mean.value, 4.74, 1e-12);
    near(found.mean.low, 3.06, 0.01);
    near(found.mean.high, 8.28, 0.01);
    assert_true(found.median.value == 3.9 && found.median.low == 2.2 && found.median.high == 9.8);
    random_seed(&random, 7, 0);
    random_seed(&same, 7, 0);
    assert_int_equal(stats_bootstrap(values, 5, 999, &random, &found, &error), 0);
    assert_int_equal(stats_bootstrap(values, 5, 999, &same, &again, &error), 0);
    assert_memory_equal(&found, &again, sizeof found);
}

static void what_cannot_be_said_is_nan(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct anova anova;
    struct group_test test;
    struct bootstrap bootstrap;
    struct contrast contrasts[3];
    struct two_way two_way;
    struct random_stream random;
    double epsilon_squared;
    random_seed(&random, 1, 0);
    const struct grouped constant = {(const double[]){0.1, 0.1, 0.1, 0.3, 0.3, 0.3}, (const size_t[]){3, 3},
                                     2},
                         alike = {(const double[]){0.1, 0.1, 0.1, 0.1}, (const size_t[]){2, 2}, 2},
                         single = {plain, (const size_t[]){1, 1, 1}, 3},
                         twos = {plain, (const size_t[]){2, 2, 2}, 3},
                         lonely = {plain, (const size_t[]){1, 3}, 2}, one = {plain, (const size_t[]){5}, 1};
    const struct grouped *const without_spread[] = {&constant, &alike, &single, &one};
    for (size_t i = 0; i < 4; i++) {
        stats_anova(without_spread[i], &anova);
        assert_true(isnan(anova.test.p) && isnan(anova.eta_squared));
        stats_welch(without_spread[i], &test);
        assert_true(isnan(test.p));
        assert_int_equal(stats_levene(without_spread[i], &test, &error), 0);
        assert_true(isnan(test.p));
        if (i < 2) {
            assert_int_equal(stats_two_way(without_spread[i], 1, &two_way, &error), 0);
            assert_true(isnan(two_way.interaction.p));
        }
    }
    assert_int_equal(stats_levene(&twos, &test, &error), 0);
    assert_true(isnan(test.p)); /* two values are equally far from their median */
    stats_welch(&lonely, &test);
    assert_true(isnan(test.p));
    stats_anova(&lonely, &anova);
    assert_true(anova.test.p > 0 && anova.test.df2 == 2);
    assert_int_equal(stats_kruskal(&alike, &test, &epsilon_squared, &error), 0);
    assert_true(isnan(test.p) && isnan(epsilon_squared));
    assert_int_equal(stats_kruskal(&constant, &test, &epsilon_squared, &error), 0);
    assert_true(test.p < 0.05);
    stats_tukey(&single, contrasts);
    assert_true(isnan(contrasts[2].adjusted_p) && contrasts[2].difference == plain[1] - plain[2]);
    assert_int_equal(stats_dunn(&alike, contrasts, &error), 0);
    assert_true(isnan(contrasts[0].adjusted_p));
    assert_int_equal(stats_bootstrap(plain, 1, 100, &random, &bootstrap, &error), 0);
    assert_true(isnan(bootstrap.mean.low));
    assert_int_equal(stats_bootstrap(alike.values, 4, 100, &random, &bootstrap, &error), 0);
    assert_true(bootstrap.mean.low == bootstrap.mean.high);
    assert_true(isnan(stats_cliff(plain, 0, plain, 3)) && isnan(stats_hedges(plain, 1, plain, 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tests_of_all_groups_are_rs),
        cmocka_unit_test(all_pairs_are_tukeys_games_and_howells_and_dunns),
        cmocka_unit_test(effects_are_of_all_pairs_of_values),
        cmocka_unit_test(the_studentised_range_is_that_of_its_definition),
        cmocka_unit_test(holms_p_is_rs),
        cmocka_unit_test(interactions_are_those_of_nested_models),
        cmocka_unit_test(repetitions_are_those_of_power_t_test),
        cmocka_unit_test(bootstrap_intervals_are_those_of_all_samples),
        cmocka_unit_test(what_cannot_be_said_is_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
