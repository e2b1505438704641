#include "base/text.h"
#include "carbon/where.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KWH 3.6e6

/* Places of known figures; the ranges and PUEs of some are not known. */
static const struct location clean = {.code = "CLN",
                                      .name = "Clean",
                                      .kind = LOCATION_COUNTRY,
                                      .intensity_g_per_kwh = 20,
                                      .low_g_per_kwh = 10,
                                      .high_g_per_kwh = 40,
                                      .pue = NAN,
                                      .scope = FIGURE_LIFE_CYCLE};
static const struct location middle = {.code = "MID",
                                       .name = "Middle",
                                       .kind = LOCATION_COUNTRY,
                                       .intensity_g_per_kwh = 200,
                                       .low_g_per_kwh = NAN,
                                       .high_g_per_kwh = NAN,
                                       .pue = 1.5,
                                       .scope = FIGURE_LIFE_CYCLE};
static const struct location dirty = {.code = "DRT",
                                      .name = "Dirty",
                                      .kind = LOCATION_COUNTRY,
                                      .intensity_g_per_kwh = 800,
                                      .low_g_per_kwh = 600,
                                      .high_g_per_kwh = 1000,
                                      .pue = NAN,
                                      .scope = FIGURE_LIFE_CYCLE};
static const struct location direct = {.code = "DIR",
                                       .name = "Direct",
                                       .kind = LOCATION_COUNTRY,
                                       .intensity_g_per_kwh = 1,
                                       .low_g_per_kwh = NAN,
                                       .high_g_per_kwh = NAN,
                                       .pue = NAN,
                                       .scope = FIGURE_DIRECT};
static const struct location marginal = {.code = "MRG",
                                         .name = "Marginal",
                                         .kind = LOCATION_COUNTRY,
                                         .intensity_g_per_kwh = 2000,
                                         .low_g_per_kwh = NAN,
                                         .high_g_per_kwh = NAN,
                                         .pue = NAN,
                                         .scope = FIGURE_LIFE_CYCLE,
                                         .marginal = true};
static const struct location nothing = {.code = "NIL",
                                        .name = "Nothing",
                                        .kind = LOCATION_COUNTRY,
                                        .intensity_g_per_kwh = 0,
                                        .low_g_per_kwh = NAN,
                                        .high_g_per_kwh = NAN,
                                        .pue = NAN,
                                        .scope = FIGURE_LIFE_CYCLE};

/* Ranks up to four places; the caller frees. */
static struct where rank(struct where_request request, const struct location *a, const struct location *b,
                         const struct location *c, const struct location *d)
{
    const struct location *items[] = {a, b, c, d};
    struct place_list list = {items, 0};
    while (list.count < 4 && items[list.count])
        list.count++;
    struct error error = ERROR_INIT;
    struct where where;
    if (where_rank(&request, &list, &where, &error) < 0)
        fail_msg("%s", error_text(&error));
    return where;
}

static void near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-12 * fabs(expected)))
        fail_msg("expected %.15g, found %.15g", expected, value);
}

/* By hand: 2 kWh x 1.5 x 200 g = 600 g, 2 x 20 = 40 g, 2 x 800 = 1600 g. */
static void emissions_are_energy_times_pue_times_intensity(void **state)
{
    (void)state;
    struct where where =
        rank((struct where_request){.energy_j = 2 * KWH, .here = &middle}, &dirty, &middle, &clean, NULL);
    assert_int_equal(where.count, 3);
    assert_ptr_equal(where.items[0].location, &clean);
    assert_ptr_equal(where.items[2].location, &dirty);
    near(where.items[0].kg_co2e, 0.040);
    near(where.items[0].low_kg_co2e, 0.020);
    near(where.items[0].high_kg_co2e, 0.080);
    near(where.items[1].kg_co2e, 0.600);
    assert_true(isnan(where.items[1].low_kg_co2e));
    near(where.items[2].kg_co2e, 1.600);
    assert_int_equal(where.here, 1);
    where_free(&where);
}

/* 1600 / 40, 600 / 40, 1600 / 600; by ranges 1200 / 80 and 2000 / 20. */
static void factors_are_between_best_here_and_worst(void **state)
{
    (void)state;
    struct where where =
        rank((struct where_request){.energy_j = 2 * KWH, .here = &middle}, &dirty, &middle, &clean, NULL);
    near(where.worst_over_best.value, 40);
    near(where.worst_over_best.low, 15);
    near(where.worst_over_best.high, 100);
    near(where.here_over_best.value, 15);
    assert_true(isnan(where.here_over_best.low) && isnan(where.here_over_best.high));
    near(where.worst_over_here.value, 1600.0 / 600);
    AUTO_FREE char *sentence = where_sentence(&where, true);
    assert_string_equal(sentence,
                        "Choosing among 3 places would change emissions by a factor of 40 (15 to 100 by the "
                        "ranges of both figures): from 40.0 g in Clean to 1.60 kg in Dirty.");
    AUTO_FREE char *bare = where_sentence(&where, false);
    assert_non_null(strstr(bare, "figures): least in Clean, most in Dirty."));
    where_free(&where);
}

static void a_pue_that_is_given_is_for_all_else_each_has_its_own(void **state)
{
    (void)state;
    const struct {
        double given, study;
        const struct location *here;
        double clean, middle;
        enum pue_from clean_from, middle_from;
    } cases[] = {
        {0, 0, NULL, 1, 1.5, PUE_NONE, PUE_OWN},      {1.2, 0, NULL, 1.2, 1.2, PUE_GIVEN, PUE_GIVEN},
        {0, 1.3, NULL, 1.3, 1.5, PUE_STUDY, PUE_OWN}, {0, 1.3, &middle, 1.3, 1.3, PUE_STUDY, PUE_STUDY},
        {0, 0, &middle, 1, 1.5, PUE_NONE, PUE_OWN},   {1.2, 1.3, &middle, 1.2, 1.2, PUE_GIVEN, PUE_GIVEN},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct where where = rank(
            (struct where_request){
                .energy_j = KWH, .here = cases[i].here, .pue = cases[i].given, .study_pue = cases[i].study},
            &clean, &middle, NULL, NULL);
        near(where.items[0].pue, cases[i].clean);
        near(where.items[1].pue, cases[i].middle);
        assert_int_equal(where.items[0].pue_from, cases[i].clean_from);
        assert_int_equal(where.items[1].pue_from, cases[i].middle_from);
        where_free(&where);
    }
}

static void here_is_among_them_once_whether_it_was_listed_or_not(void **state)
{
    (void)state;
    struct where where =
        rank((struct where_request){.energy_j = KWH, .here = &middle}, &clean, &dirty, NULL, NULL);
    assert_int_equal(where.count, 3);
    assert_true(where.items[where.here].here && where.items[where.here].location == &middle);
    where_free(&where);
    where = rank((struct where_request){.energy_j = KWH}, &clean, &dirty, NULL, NULL);
    assert_int_equal(where.count, 2);
    assert_true(where.here == NOWHERE && isnan(where.here_over_best.value));
    where_free(&where);
}

static void figures_of_another_sort_are_marked_and_in_no_factor(void **state)
{
    (void)state;
    struct where where =
        rank((struct where_request){.energy_j = KWH, .pue = 1}, &clean, &dirty, &direct, &marginal);
    assert_int_equal(where.apart, 2);
    assert_true(where.items[0].apart && where.items[3].apart && !where.items[1].apart);
    assert_true(where.items[where.best].location == &clean && where.items[where.worst].location == &dirty);
    near(where.worst_over_best.value, 40);
    AUTO_FREE char *warnings = where_warnings(&where);
    assert_non_null(strstr(warnings,
                           "2 of 4 figures are of another sort than the others (average, over the life "
                           "cycle)"));
    where_free(&where);
    /* here does not decide what the others are held against */
    where =
        rank((struct where_request){.energy_j = KWH, .pue = 1, .here = &clean}, &direct, NULL, NULL, NULL);
    assert_true(where.items[where.here].apart && isnan(where.here_over_best.value));
    assert_null(where_sentence(&where, true));
    where_free(&where);
}

static void a_place_that_emits_nothing_is_neither_best_nor_worst(void **state)
{
    (void)state;
    struct where where = rank((struct where_request){.energy_j = KWH, .pue = 1, .here = &nothing}, &nothing,
                              &clean, &dirty, NULL);
    assert_int_equal(where.nothing, 1);
    assert_ptr_equal(where.items[where.best].location, &clean);
    assert_true(isnan(where.here_over_best.value) && isnan(where.worst_over_here.value));
    AUTO_FREE char *warnings = where_warnings(&where);
    assert_non_null(strstr(warnings, "The figure is 0 in Nothing"));
    where_free(&where);
    where = rank((struct where_request){.energy_j = KWH}, &nothing, NULL, NULL, NULL);
    assert_true(where.best == NOWHERE && where.worst == NOWHERE);
    assert_null(where_sentence(&where, true));
    where_free(&where);
}

static void without_a_place_there_is_no_answer(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct where where;
    assert_int_equal(
        where_rank(&(struct where_request){.energy_j = KWH}, &(struct place_list){0}, &where, &error), -1);
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(emissions_are_energy_times_pue_times_intensity),
        cmocka_unit_test(factors_are_between_best_here_and_worst),
        cmocka_unit_test(a_pue_that_is_given_is_for_all_else_each_has_its_own),
        cmocka_unit_test(here_is_among_them_once_whether_it_was_listed_or_not),
        cmocka_unit_test(figures_of_another_sort_are_marked_and_in_no_factor),
        cmocka_unit_test(a_place_that_emits_nothing_is_neither_best_nor_worst),
        cmocka_unit_test(without_a_place_there_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
