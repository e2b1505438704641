#include "known_places.h"
#include "report/place_effect.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NETWORKS 2
#define SITES    2

static char *networks[] = {"small", "large"}, *sites[] = {"oregon", "Taiwan"};

/* Two networks at two sites, two runs each: energy = 1000 J x 4 for the large x 1.5 at the second site, x and
 * / by 1.1 from run to run. */
struct fixture {
    struct report report;
    struct factor factors[2];
    struct group groups[NETWORKS * SITES];
    size_t levels[NETWORKS * SITES][2];
    struct run runs[NETWORKS * SITES * 2];
    const struct location *among[2];
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->factors[0] = (struct factor){.name = "arch", .levels = networks, .level_count = NETWORKS};
    f->factors[1] = (struct factor){.name = "site", .levels = sites, .level_count = SITES};
    for (size_t g = 0; g < NETWORKS * SITES; g++) {
        f->levels[g][0] = g / SITES;
        f->levels[g][1] = g % SITES;
        f->groups[g].level = f->levels[g];
        for (size_t r = 0; r < 2; r++)
            f->runs[2 * g + r] = (struct run){.group = g,
                                              .state = RUN_DONE,
                                              .energy_j = 1000 * (g / SITES ? 4 : 1) * (g % SITES ? 1.5 : 1) *
                                                          (r ? 1.1 : 1 / 1.1)};
    }
    f->among[0] = known_location("SWE");
    f->among[1] = known_location("POL");
    f->report = (struct report){.factors = f->factors,
                                .factor_count = 2,
                                .groups = f->groups,
                                .group_count = NETWORKS * SITES,
                                .runs = f->runs,
                                .run_count = NETWORKS * SITES * 2,
                                .places = known_places(),
                                .among = f->among,
                                .among_count = 2,
                                .location = f->among[1],
                                .seed = 7};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    struct report *empty = calloc(1, sizeof *empty);
    empty->pool = f->report.pool; /* what the effect was given goes with it */
    report_free(empty);
    free(f);
    return 0;
}

static double half_square(double ratio)
{
    return log(ratio) * log(ratio) / 4; /* of two values, equally often */
}

static void assert_near(double found, double expected)
{
    if (!(fabs(found - expected) < 1e-12))
        fail_msg("%.15g is not %.15g", found, expected);
}

static void variances_of_logarithms_add_up(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct place_effect e;
    assert_int_equal(report_place_effect(&f->report, &e, &error), 0);
    double grids = f->among[1]->intensity_g_per_kwh / f->among[0]->intensity_g_per_kwh;
    double main = half_square(4), others = half_square(1.5), chance = half_square(1.21),
           place = half_square(grids);
    double total = main + others + chance + place;
    assert_true(e.known && !e.observed);
    assert_near(e.by_main.share, main / total);
    assert_near(e.by_others.share, others / total);
    assert_near(e.by_chance.share, chance / total);
    assert_near(e.by_place.share, place / total);
    assert_near(e.by_both.share, 0);
    assert_near(e.main_factor, 4);
    assert_near(e.place_factor, grids);
    assert_true(e.by_place.low <= e.by_place.share && e.by_place.share <= e.by_place.high);
    assert_true(e.by_main.low < e.by_main.high);
    assert_string_equal(e.main_least, "small");
    assert_ptr_equal(e.place_least, f->among[0]);
    /* Poland to Sweden: 662 / 34 is more than 4 */
    assert_int_equal(e.outweighing_count, 1);
    assert_ptr_equal(e.outweighing[0], f->among[0]);
}

static void runs_are_charged_where_they_ran(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct place_effect e;
    assert_int_equal(report_find_sites(&f->report, "site", &error), 0);
    assert_int_equal(report_place_effect(&f->report, &e, &error), 0);
    double grids =
        known_location("Taiwan")->intensity_g_per_kwh / known_location("oregon")->intensity_g_per_kwh;
    double main = half_square(4), place = half_square(1.5 * grids), chance = half_square(1.21);
    double total = main + place + chance;
    assert_true(e.known && e.observed);
    assert_near(e.by_main.share, main / total);
    assert_near(e.by_place.share, place / total);
    assert_near(e.by_chance.share, chance / total);
    assert_near(e.place_factor, 1.5 * grids);
    assert_string_equal(e.place_most->code, "TWN");
    assert_null(e.here);
    char *text = place_effect_text(&e);
    assert_non_null(strstr(text, "each at its own site"));
    free(text);
}

static void a_factor_of_no_places_is_refused(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    assert_int_equal(report_find_sites(&f->report, "sites", &error), -1);
    assert_non_null(strstr(error_text(&error), "did you mean site?"));
    assert_int_equal(report_find_sites(&f->report, "arch", &error), -1);
    assert_non_null(strstr(error_text(&error), "factor arch: no location 'small'"));
    error_clear(&error);
}

static void what_does_not_differ_says_nothing(void **state)
{
    struct fixture *f = *state;
    struct error error = ERROR_INIT;
    struct place_effect e;
    f->report.among_count = 1;
    assert_int_equal(report_place_effect(&f->report, &e, &error), 0);
    assert_false(e.known);
    json_t *json = place_effect_to_json(&e);
    assert_true(json_is_null(json));
    json_decref(json);
    f->report.run_count = 0;
    assert_int_equal(report_place_effect(&f->report, &e, &error), 0);
    assert_false(e.known);
}

static int close_places(void **state)
{
    (void)state;
    places_close(known_places());
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(variances_of_logarithms_add_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(runs_are_charged_where_they_ran, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_factor_of_no_places_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_does_not_differ_says_nothing, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, close_places);
}
