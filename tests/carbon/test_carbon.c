#include "base/file.h"
#include "base/text.h"
#include "carbon/carbon.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_row(const char *row, const struct location *location)
{
    AUTO_FREE char *expected =
        text_format("%s,%s,%s,%d,", location->code, location->code2, location->name, location->year);
    size_t length = strlen(expected);
    assert_memory_equal(row, expected, length);
    double intensity;
    assert_int_equal(text_to_double(row + length, &intensity), 0);
    assert_true(intensity == location->intensity_g_per_kwh);
    assert_non_null(strstr(location->source, "Our World in Data"));
}

static void every_row_of_the_table_is_there(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    AUTO_FREE char *table = file_read(GRID_COUNTRY, 1 << 20, NULL, &error);
    assert_non_null(table);
    size_t count;
    const struct location *locations = carbon_locations(&count);
    assert_int_equal(count, 213);
    size_t rows = 0;
    char *rest = NULL;
    for (char *row = strtok_r(table, "\n", &rest); row; row = strtok_r(NULL, "\n", &rest)) {
        if (row[0] == '#' || strncmp(row, "iso3,", 5) == 0)
            continue;
        assert_true(rows < count);
        check_row(row, &locations[rows++]);
    }
    assert_int_equal(rows, count);
}

/* The source's figures for 2023, written down apart from data/. */
static void known_intensities_are_the_sources(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        double g_per_kwh;
    } known[] = {{"ARG", 354.103}, {"AUS", 548.692}, {"BRA", 98.348}, {"ZAF", 707.686}, {"BEL", 138.107}};
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct location *location = carbon_find(known[i].code, &error);
        assert_non_null(location);
        assert_int_equal(location->year, 2023);
        assert_true(location->intensity_g_per_kwh == known[i].g_per_kwh);
    }
}

static void every_location_is_found_by_codes_and_name(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    size_t count;
    const struct location *locations = carbon_locations(&count);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(carbon_find(locations[i].code, &error), &locations[i]);
        assert_ptr_equal(carbon_find(locations[i].code2, &error), &locations[i]);
        assert_ptr_equal(carbon_find(locations[i].name, &error), &locations[i]);
        assert_true(locations[i].intensity_g_per_kwh >= 0 && locations[i].intensity_g_per_kwh < 2000);
    }
}

static void other_names_and_any_case_are_understood(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"uk", "GBR"},
                                           {"USA", "USA"},
                                           {"us", "USA"},
                                           {"South Korea", "KOR"},
                                           {"korea", "KOR"},
                                           {"the netherlands", "NLD"},
                                           {"sWeDeN", "SWE"},
                                           {"Türkiye", "TUR"},
                                           {"Viet Nam", "VNM"},
                                           {"Côte d'Ivoire", "CIV"},
                                           {"united states of america", "USA"}};
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const struct location *location = carbon_find(pairs[i][0], &error);
        assert_non_null(location);
        assert_string_equal(location->code, pairs[i][1]);
    }
}

static void an_unknown_location_names_the_nearest(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    assert_null(carbon_find("Swedne", &error));
    assert_non_null(strstr(error_text(&error), "did you mean Sweden?"));
    assert_null(carbon_find("SWW", &error));
    assert_non_null(strstr(error_text(&error), "did you mean SWE?"));
    assert_null(carbon_find("Atlantis under the sea", &error));
    assert_null(strstr(error_text(&error), "did you mean"));
    assert_non_null(strstr(error_text(&error), "joulery locations"));
    assert_null(carbon_find("", &error));
    assert_null(carbon_find("XX", &error));
    assert_null(strstr(error_text(&error), "did you mean"));
    error_clear(&error);
}

static void emissions_are_energy_times_pue_times_intensity(void **state)
{
    (void)state;
    /* 2 kWh at PUE 1.5 and 400 g/kWh: 1200 g */
    assert_true(fabs(carbon_emissions_kg(7.2e6, 1.5, 400) - 1.2) < 1e-15);
    assert_true(carbon_emissions_kg(0, 1.5, 400) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_table_is_there),
        cmocka_unit_test(known_intensities_are_the_sources),
        cmocka_unit_test(every_location_is_found_by_codes_and_name),
        cmocka_unit_test(other_names_and_any_case_are_understood),
        cmocka_unit_test(an_unknown_location_names_the_nearest),
        cmocka_unit_test(emissions_are_energy_times_pue_times_intensity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
