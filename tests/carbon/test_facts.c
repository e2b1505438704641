/* The program's tables against their sources' figures: facts.csv, made by facts.py. */
#include "base/csv.h"
#include "base/file.h"
#include "base/text.h"
#include "carbon/fact_table.h"
#include "carbon/places.h"
#include "known_places.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum column { PLACE, CODE, NAME, FIGURE, COLUMNS };

static const char *const columns[COLUMNS] = {"place", "code", "name", "g_per_kwh"};
static const char *const tables[] = {JOULERY_DATA "/places_country.csv", JOULERY_DATA "/places_region.csv",
                                     JOULERY_DATA "/places_cloud.csv"};

static struct fact_table facts;
static char *facts_text;

static int read_facts(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    size_t size;
    facts_text = file_read(JOULERY_FACTS, 1 << 20, &size, &error);
    return facts_text ? fact_table_read(&facts, facts_text, size, JOULERY_FACTS, columns, COLUMNS, &error)
                      : -1;
}

static int free_facts(void **state)
{
    (void)state;
    places_close(known_places());
    fact_table_free(&facts);
    free(facts_text);
    return 0;
}

/* By that name it is found, or listed among those that may be meant. */
static void found_as(size_t row, const char *name)
{
    const char *code = facts.rows[row].fields[PLACE];
    double g_per_kwh = strtod(facts.rows[row].fields[FIGURE], NULL);
    struct error error = ERROR_INIT;
    const struct location *location = places_find(known_places(), name, &error);
    if (location && (strcmp(location->code, code) != 0 || location->intensity_g_per_kwh != g_per_kwh))
        fail_msg("'%s' is %s with %g, not %s with %g", name, location->code, location->intensity_g_per_kwh,
                 code, g_per_kwh);
    AUTO_FREE char *listed = text_format("(%s, ", code);
    if (!location && !strstr(error_text(&error), listed))
        fail_msg("'%s' is not %s: %s", name, code, error_text(&error));
    error_clear(&error);
}

static void every_figure_of_the_sources_is_found_by_code_and_by_name(void **state)
{
    (void)state;
    size_t by_code = 0;
    assert_int_equal(facts.count, 213 + 75 + 40);
    for (size_t i = 0; i < facts.count; i++) {
        struct error error = ERROR_INIT;
        const struct location *location = places_find(known_places(), facts.rows[i].fields[PLACE], &error);
        assert_non_null(location);
        assert_true(location->intensity_g_per_kwh == strtod(facts.rows[i].fields[FIGURE], NULL));
        found_as(i, facts.rows[i].fields[CODE]);
        found_as(i, facts.rows[i].fields[NAME]);
        by_code++;
    }
    assert_int_equal(by_code, facts.count);
}

static void the_programs_tables_have_no_mistake(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        struct error error = ERROR_INIT;
        AUTO_FREE char *mistakes = places_check(tables[i], &error);
        assert_non_null(mistakes);
        assert_string_equal(mistakes, "");
    }
}

static void every_location_has_a_source_and_stands_somewhere(void **state)
{
    (void)state;
    size_t count, ranges = 0;
    const struct location *const *all = places_all(known_places(), &count);
    for (size_t i = 0; i < count; i++) {
        assert_true(*all[i]->source && all[i]->year >= 2009);
        assert_true(fabs(all[i]->latitude) <= 90 && fabs(all[i]->longitude) <= 180);
        bool ranged = !isnan(all[i]->low_g_per_kwh);
        assert_true(all[i]->kind != LOCATION_COUNTRY || ranged);
        assert_true(!ranged || (all[i]->low_g_per_kwh <= all[i]->intensity_g_per_kwh &&
                                all[i]->high_g_per_kwh >= all[i]->intensity_g_per_kwh));
        /* one or the other: they are of different kinds */
        bool apart = !isnan(all[i]->life_cycle_low_g_per_kwh);
        assert_true(!apart || (!ranged && all[i]->scope == FIGURE_DIRECT &&
                               all[i]->life_cycle_low_g_per_kwh <= all[i]->life_cycle_high_g_per_kwh));
        assert_true(all[i]->kind != LOCATION_REGION || ranged || apart);
        ranges += ranged;
    }
    assert_true(ranges >= 213 + 13);
}

static void near(const char *code, double latitude, double longitude)
{
    const struct location *location = known_location(code);
    if (fabs(location->latitude - latitude) > 1.5 || fabs(location->longitude - longitude) > 1.5)
        fail_msg("%s is at %g, %g", code, location->latitude, location->longitude);
}

/* From an atlas. */
static void coordinates_are_where_the_place_is(void **state)
{
    (void)state;
    near("DEU", 51, 10);
    near("NZL", -44, 171); /* the South Island */
    near("US-OR", 44, -120.5);
    near("SE3", 59.3, 18.1);
    near("CA-QC", 46.8, -71.2);
    near("gcp:us-east5", 40, -83);
    near("aws:ap-southeast-2", -33.9, 151.2);
    near("FJI", -18, 178);
}

/* France's and Bahrain's ranges by hand, from data/mix_country.csv and data/energy_source.csv. */
static void ranges_are_the_mix_with_the_least_and_greatest_of_each_source(void **state)
{
    (void)state;
    static const double twh[] = {2.16, 31.43, 9.71, 335.65, 53.19, 48.61, 23.26, 10.1};
    static const double low[] = {751, 403, 611, 5.1, 4, 7.8, 8, 18},
                        high[] = {1095, 743, 840, 29, 147, 26, 83, 230};
    double low_g = 0, high_g = 0, total = 0;
    for (size_t i = 0; i < sizeof twh / sizeof *twh; i++) {
        low_g += twh[i] * low[i];
        high_g += twh[i] * high[i];
        total += twh[i];
    }
    const struct location *france = known_location("FRA"), *bahrain = known_location("BHR");
    assert_true(fabs(france->low_g_per_kwh - low_g / total) < 0.01);
    assert_true(fabs(france->high_g_per_kwh - high_g / total) < 0.1);
    /* gas, old: widened to its own figure */
    assert_true(fabs(bahrain->low_g_per_kwh - 403) < 1);
    assert_true(bahrain->high_g_per_kwh == bahrain->intensity_g_per_kwh);
}

/* By hand, from data/mix_region.csv and data/energy_source.csv: Québec's range; Oregon's figure is direct, so
 * it has none, and what its mix gives over the life cycle stands apart. */
static void a_direct_figure_has_no_range_and_its_life_cycle_apart(void **state)
{
    (void)state;
    const struct location *quebec = known_location("CA-QC"), *oregon = known_location("US-OR");
    double low = 0.2 * 403 + 0.3 * 611 + 92.1 * 4 + 6.7 * 7.8 + 0.01 * 8 + 0.7 * 18;
    double high = 0.2 * 743 + 0.3 * 840 + 92.1 * 147 + 6.7 * 26 + 0.01 * 83 + 0.7 * 230;
    assert_true(fabs(quebec->low_g_per_kwh - low / 100.01) < 0.001);
    assert_true(fabs(quebec->high_g_per_kwh - high / 100.01) < 0.1);
    assert_true(isnan(quebec->life_cycle_low_g_per_kwh));
    low = 3.1541 * 751 + 25.4338 * 403 + 0.0081 * 611 + 57.4079 * 4 + 11.8924 * 7.8 + 0.068 * 8 + 2.0357 * 18;
    high = 3.1541 * 1095 + 25.4338 * 743 + 0.0081 * 840 + 57.4079 * 147 + 11.8924 * 26 + 0.068 * 83 +
           2.0357 * 230;
    assert_true(isnan(oregon->low_g_per_kwh) && isnan(oregon->high_g_per_kwh));
    assert_true(fabs(oregon->life_cycle_low_g_per_kwh - low / 100) < 0.1);
    assert_true(fabs(oregon->life_cycle_high_g_per_kwh - high / 100) < 0.1);
    const struct location *cloud = known_location("aws:us-west-2");
    assert_true(cloud->life_cycle_high_g_per_kwh == oregon->life_cycle_high_g_per_kwh);
}

enum { ENERGIES = 9, MIX_COLUMNS = ENERGIES + 2 };

/* A region's figure out of its mix, with these numbers of coal, gas, oil, nuclear, hydro, wind, solar, other
 * fossil fuels and others. */
static double from_mix(const struct fact_table *mix, size_t row, const double numbers[ENERGIES])
{
    double sum = 0, known = 0, total;
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < ENERGIES - 1; i++) {
        double percent;
        assert_int_equal(fact_number(mix, row, 2 + i, 0, 100, &percent, &error), 0);
        sum += percent * numbers[i];
        known += percent;
    }
    assert_int_equal(fact_number(mix, row, MIX_COLUMNS - 1, 0, 101, &total, &error), 0);
    assert_true(total > 98 && known < total + 0.001);
    return (sum + fmax(total - known, 0) * numbers[ENERGIES - 1]) / fmax(total, known);
}

/* Provinces: with numbers of data/energy_source.csv, to the figure's last digit. States: with what burning
 * emits, by mix_fit.py; the figure of each is within 15 % of that, of 50 of 51 within 10 %. */
static void a_regions_figure_is_near_what_its_mix_gives(void **state)
{
    (void)state;
    static const char *const names[MIX_COLUMNS] = {
        "code",          "year",         "coal_percent",  "gas_percent",    "oil_percent",  "nuclear_percent",
        "hydro_percent", "wind_percent", "solar_percent", "fossil_percent", "total_percent"};
    static const double life_cycle[ENERGIES] = {995, 743, 816, 29, 26, 26, 48, 0, 230},
                        burning[ENERGIES] = {1003, 414, 789, 0, 0, 0, 0, 0, 110};
    struct error error = ERROR_INIT;
    struct fact_table mix;
    size_t size, close = 0;
    AUTO_FREE char *text = file_read(JOULERY_DATA "/mix_region.csv", 1 << 20, &size, &error);
    assert_non_null(text);
    assert_int_equal(fact_table_read(&mix, text, size, "mix_region.csv", names, MIX_COLUMNS, &error), 0);
    assert_int_equal(mix.count, 52 + 13);
    for (size_t i = 0; i < mix.count; i++) {
        const struct location *region = known_location(mix.rows[i].fields[0]);
        bool direct = region->scope == FIGURE_DIRECT;
        double own = region->intensity_g_per_kwh, given = from_mix(&mix, i, direct ? burning : life_cycle);
        if (fabs(own - given) > (direct ? 0.15 * given : 0.0501))
            fail_msg("%s: %g, its mix gives %g", region->code, own, given);
        close += direct && *region->code == 'U' && fabs(own - given) < 0.1 * given;
    }
    assert_int_equal(close, 50);
    fact_table_free(&mix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_figure_of_the_sources_is_found_by_code_and_by_name),
        cmocka_unit_test(the_programs_tables_have_no_mistake),
        cmocka_unit_test(every_location_has_a_source_and_stands_somewhere),
        cmocka_unit_test(coordinates_are_where_the_place_is),
        cmocka_unit_test(ranges_are_the_mix_with_the_least_and_greatest_of_each_source),
        cmocka_unit_test(a_direct_figure_has_no_range_and_its_life_cycle_apart),
        cmocka_unit_test(a_regions_figure_is_near_what_its_mix_gives),
    };
    return cmocka_run_group_tests(tests, read_facts, free_facts);
}
