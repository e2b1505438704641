#include "base/text.h"
#include "carbon/water.h"
#include "known_places.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct water_table *known(void)
{
    struct error error = ERROR_INIT;
    struct water_table *table = water_open(&error);
    if (!table)
        fail_msg("%s", error_text(&error));
    return table;
}

/* By hand, from the review's gallons per MWh: France without its 9.71 TWh of oil. */
static void a_countrys_water_is_its_mix_times_the_reviews_consumption(void **state)
{
    (void)state;
    static const double twh[] = {2.16, 31.43, 335.65, 48.61, 23.26, 10.1}, low[] = {250, 2, 269, 0, 1, 5},
                        high[] = {687, 826, 672, 0, 1, 553};
    double hydro_twh = 53.19, low_l = 0, high_l = 0, known_twh = hydro_twh;
    for (size_t i = 0; i < sizeof twh / sizeof *twh; i++) {
        low_l += twh[i] * low[i] * 3.785412e-3;
        high_l += twh[i] * high[i] * 3.785412e-3;
        known_twh += twh[i];
    }
    struct water_table *table = known();
    struct water water;
    assert_true(water_find(table, known_location("FRA"), &water));
    assert_true(fabs(water.low_l_per_kwh - low_l / known_twh) < 1e-3);
    assert_true(fabs(water.high_l_per_kwh - high_l / known_twh) < 1e-3);
    assert_true(fabs(water.reservoirs_l_per_kwh - hydro_twh * 4491 * 3.785412e-3 / known_twh) < 1e-3);
    assert_true(fabs(water.known_part - known_twh / 514.11) < 1e-4);
    assert_int_equal(water.year, 2023);
    AUTO_FREE char *text = water_text(&water);
    assert_non_null(strstr(text, "l of water consumed per kWh"));
    water_close(table);
}

/* By hand as well: Oregon without its oil. */
static void a_states_water_is_that_of_its_own_mix(void **state)
{
    (void)state;
    double known_percent = 100 - 0.0081, other = 1.7305 + 0.3052;
    double low_l = (3.1541 * 250 + 25.4338 * 2 + 0.068 * 1 + other * 5) * 3.785412e-3;
    double high_l = (3.1541 * 687 + 25.4338 * 826 + 0.068 * 1 + other * 553) * 3.785412e-3;
    struct water_table *table = known();
    struct water oregon, cloud;
    assert_true(water_find(table, known_location("US-OR"), &oregon));
    assert_true(fabs(oregon.low_l_per_kwh - low_l / known_percent) < 1e-3);
    assert_true(fabs(oregon.high_l_per_kwh - high_l / known_percent) < 1e-3);
    assert_true(fabs(oregon.reservoirs_l_per_kwh - 57.4079 * 4491 * 3.785412e-3 / known_percent) < 1e-2);
    assert_int_equal(oregon.year, 2016);
    assert_true(water_find(table, known_location("aws:us-west-2"), &cloud));
    assert_true(cloud.high_l_per_kwh == oregon.high_l_per_kwh);
    water_close(table);
}

static void a_cloud_region_with_a_countrys_figure_has_its_water(void **state)
{
    (void)state;
    struct water_table *table = known();
    struct water region, country;
    assert_true(water_find(table, known_location("aws:eu-west-3"), &region));
    assert_true(water_find(table, known_location("FRA"), &country));
    assert_true(region.high_l_per_kwh == country.high_l_per_kwh);
    water_close(table);
}

static void where_too_little_is_known_there_is_no_water(void **state)
{
    (void)state;
    static const char *const unknown[] = {"gcp:us-west1", "NO1", "25 g/kWh", "BHS" /* oil alone */,
                                          "US-HI" /* two thirds oil */};
    struct water_table *table = known();
    struct water water;
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_false(water_find(table, known_location(unknown[i]), &water));
    water_close(table);
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
        cmocka_unit_test(a_countrys_water_is_its_mix_times_the_reviews_consumption),
        cmocka_unit_test(a_states_water_is_that_of_its_own_mix),
        cmocka_unit_test(a_cloud_region_with_a_countrys_figure_has_its_water),
        cmocka_unit_test(where_too_little_is_known_there_is_no_water),
    };
    return cmocka_run_group_tests(tests, NULL, close_places);
}
