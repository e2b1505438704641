#include "base/text.h"
#include "carbon/carbon.h"
#include "carbon/places.h"
#include "known_places.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The sources' figures, written down apart from data/. */
static void known_intensities_are_the_sources(void **state)
{
    (void)state;
    static const struct {
        const char *code;
        int year;
        double g_per_kwh;
    } known[] = {{"ARG", 2023, 354.103}, {"AUS", 2023, 548.692}, {"BRA", 2023, 98.348},
                 {"ZAF", 2023, 707.686}, {"BEL", 2023, 138.107}, {"US-OR", 2016, 138.75},
                 {"CA-QC", 2023, 31.2},  {"SE3", 2024, 18},      {"egrid:USA", 2016, 452.886},
                 {"gcp:us-west1", 0, 94}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct location *location = known_location(known[i].code);
        assert_true(!known[i].year || location->year == known[i].year);
        assert_true(location->intensity_g_per_kwh == known[i].g_per_kwh);
        assert_true(*location->source);
    }
}

static void every_location_is_found_by_its_code_and_among_those_of_its_names(void **state)
{
    (void)state;
    size_t count;
    const struct location *const *all = places_all(known_places(), &count);
    assert_true(count > 300);
    for (size_t i = 0; i < count; i++) {
        struct error error = ERROR_INIT;
        assert_ptr_equal(places_find(known_places(), all[i]->code, &error), all[i]);
        const struct location *named = places_find(known_places(), all[i]->name, &error);
        assert_true(named == all[i] || (!named && strstr(error_text(&error), all[i]->code)));
        for (size_t k = 0; k < all[i]->also_count; k++) {
            error_clear(&error);
            const struct location *also = places_find(known_places(), all[i]->also[k], &error);
            assert_true(also || strstr(error_text(&error), all[i]->code));
        }
        error_clear(&error);
    }
}

static void names_are_understood_as_people_write_them(void **state)
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
                                           {"cote d ivoire", "CIV"},
                                           {"united states of america", "USA"},
                                           {"Oregon", "US-OR"},
                                           {"new-york", "US-NY"},
                                           {"us-west1", "gcp:us-west1"},
                                           {"GCP:US-West1", "gcp:us-west1"},
                                           {"The Dalles", "gcp:us-west1"},
                                           {"Taiwan", "TWN"},
                                           {"se3", "SE3"},
                                           {"quebec", "CA-QC"},
                                           {"QUÉBEC", "CA-QC"}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_string_equal(known_location(pairs[i][0])->code, pairs[i][1]);
}

static void refused(const char *name, const char *words)
{
    struct error error = ERROR_INIT;
    assert_null(places_find(known_places(), name, &error));
    if (!strstr(error_text(&error), words))
        fail_msg("%s: '%s' lacks '%s'", name, error_text(&error), words);
    error_clear(&error);
}

static void several_candidates_are_listed(void **state)
{
    (void)state;
    refused("Georgia", "Georgia (GEO, country) or Georgia (US-GA, region)");
    refused("CA", "Canada (CAN, country) or California (US-CA, region)");
    refused("fi", "Finland (FIN, country)");
}

static void an_unknown_location_names_the_nearest(void **state)
{
    (void)state;
    refused("Swedne", "did you mean Sweden?");
    refused("Oregno", "did you mean Oregon?");
    refused("Atlantis under the sea", "joulery places");
    refused("", "no location");
    refused("XX", "no location 'XX':");
}

static void an_intensity_can_be_given_by_hand(void **state)
{
    (void)state;
    static const char *const texts[] = {"25 g/kWh", "25g/kwh", "0.025 kg/kWh", "25 gCO2e/kWh",
                                        "2.5e1 g CO2eq/kWh"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct location *location = known_location(texts[i]);
        assert_true(fabs(location->intensity_g_per_kwh - 25) < 1e-12);
        assert_string_equal(location->source, "given by hand");
    }
    refused("25", "'25 g/kWh'");
    refused("-1 g/kWh", "from 0 to 3000");
    refused("99999 g/kWh", "from 0 to 3000");
    refused("25 mg/kWh", "no location");
}

static void a_table_of_ones_own_replaces_and_adds(void **state)
{
    (void)state;
    static const char table[] = "# ours\ncode,name,g_per_kwh,source,pue\n"
                                "lab,\"The lab, with its roof\",12.5,contract of 2026,1.2\n";
    struct error error = ERROR_INIT;
    struct places *places = places_parse(table, strlen(table), "own.csv", &error);
    assert_non_null(places);
    const struct location *lab = places_find(places, "the lab with its roof", &error);
    assert_non_null(lab);
    assert_true(lab->kind == LOCATION_SITE && lab->pue == 1.2 && lab->intensity_g_per_kwh == 12.5);
    assert_true(isnan(lab->low_g_per_kwh) && lab->year == 0 && lab->scope == FIGURE_UNKNOWN);
    places_close(places);
}

static void a_figure_can_be_another_locations(void **state)
{
    (void)state;
    static const char table[] =
        "code,name,g_per_kwh,low_g_per_kwh,high_g_per_kwh,year,scope,figure_of,source\n"
        "x:1,Region 1,,,,,,GRID,the provider's list\n"
        "GRID,The grid,40,30,50,2023,direct,,its operator\n";
    struct error error = ERROR_INIT;
    struct places *places = places_parse(table, strlen(table), "own.csv", &error);
    assert_non_null(places);
    const struct location *one = places_find(places, "x:1", &error);
    assert_non_null(one);
    assert_true(one->intensity_g_per_kwh == 40 && one->low_g_per_kwh == 30 && one->high_g_per_kwh == 50);
    assert_true(one->year == 2023 && one->scope == FIGURE_DIRECT);
    assert_string_equal(one->figure_of, "GRID");
    assert_string_equal(one->source, "grid of The grid: its operator");
    places_close(places);
    const struct location *oregon = known_location("aws:us-west-2");
    assert_true(oregon->intensity_g_per_kwh == known_location("US-OR")->intensity_g_per_kwh);
    assert_string_equal(known_location("azure:westus2")->figure_of, "US-WA");
}

static void the_pue_is_the_one_given_else_the_locations_else_one(void **state)
{
    (void)state;
    bool own;
    const struct location *google = known_location("gcp:us-west1"), *sweden = known_location("SWE");
    assert_true(location_pue(google, 0, &own) == 1.1 && own);
    assert_string_equal(google->pue_source, "Google's data centres, 2024");
    assert_true(location_pue(google, 1.3, &own) == 1.3 && !own);
    assert_true(location_pue(sweden, 0, &own) == 1 && !own);
    assert_true(location_pue(NULL, 0, NULL) == 1);
    assert_true(location_pue(known_location("aws:eu-north-1"), 0, &own) == 1.15 && own);
    assert_true(location_pue(known_location("azure:eastus"), 0, &own) == 1.18 && own);
}

static void every_mistake_in_a_table_is_told_by_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *table, *words;
    } cases[] = {
        {"", "own.csv:1: no row that names the columns"},
        {"code,name,g_per_kwh\n", "column source is missing"},
        {"code,nam,g_per_kwh,source\n", "did you mean name?"},
        {"code,code,name,g_per_kwh,source\n", "column code is there twice"},
        {"code,name,g_per_kwh,source\na,A,-1,s\n", "own.csv:2: g_per_kwh: expected a number from 0 to 3000"},
        {"code,name,g_per_kwh,source\na,A,1,s\n\nA,B,1,s\n", "own.csv:4: code: 'A' is there twice"},
        {"code,name,g_per_kwh,source\na,A,1\n", "own.csv:2: expected 4 fields"},
        {"code,name,g_per_kwh,source\na,A,1,\n", "own.csv:2: source is missing"},
        {"code,name,g_per_kwh,source,pue\na,A,1,s,0.9\n", "own.csv:2: pue: expected a number from 1"},
        {"code,name,g_per_kwh,source,kind\na,A,1,s,town\n",
         "site, country, region, zone or cloud, found 'town'"},
        {"code,name,g_per_kwh,low_g_per_kwh,high_g_per_kwh,source\na,A,9,1,5,s\n", "is not between 1 and 5"},
        {"code,name,g_per_kwh,scope,life_cycle_low_g_per_kwh,source\na,A,9,direct,1,s\n",
         "life_cycle_high_g_per_kwh: one of them is missing"},
        {"code,name,g_per_kwh,scope,life_cycle_low_g_per_kwh,life_cycle_high_g_per_kwh,source\n"
         "a,A,9,direct,7,6,s\n",
         "7 is more than life_cycle_high_g_per_kwh, 6"},
        {"code,name,g_per_kwh,scope,life_cycle_low_g_per_kwh,life_cycle_high_g_per_kwh,source\n"
         "a,A,9,life-cycle,6,7,s\n",
         "for a figure whose scope is direct"},
        {"code,name,g_per_kwh,source,country\na,A,1,s,Sweden\n", "three letters"},
        {"code,name,g_per_kwh,source\n\"a,A,1,s\n", "own.csv:2: a quote that never ends"},
        {"code,name,g_per_kwh,source\na b,A,1,s\n", "own.csv:2: code: expected letters"},
        {"code,name,g_per_kwh,figure_of,source\na,A,1,,s\nb,B,,c,s\n",
         "own.csv:3: figure_of: no location has the code 'c'"},
        {"code,name,g_per_kwh,figure_of,source\na,A,1,,s\nb,B,2,a,s\n",
         "own.csv:3: g_per_kwh: the figure is that of a"},
        {"code,name,g_per_kwh,figure_of,source\na,A,1,,s\nb,B,,a,s\nc,C,,b,s\n",
         "own.csv:4: figure_of: the figure of 'b' is that of 'a' itself"},
        {"code,name,g_per_kwh,figure_of,source\na,A,,a,s\n", "own.csv:2: figure_of"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        assert_null(places_parse(cases[i].table, strlen(cases[i].table), "own.csv", &error));
        if (!strstr(error_text(&error), cases[i].words))
            fail_msg("case %zu: '%s' lacks '%s'", i, error_text(&error), cases[i].words);
        error_clear(&error);
    }
}

static void emissions_are_energy_times_pue_times_intensity(void **state)
{
    (void)state;
    /* 2 kWh at PUE 1.5 and 400 g/kWh: 1200 g */
    assert_true(fabs(carbon_emissions_kg(7.2e6, 1.5, 400) - 1.2) < 1e-15);
    assert_true(carbon_emissions_kg(0, 1.5, 400) == 0);
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
        cmocka_unit_test(known_intensities_are_the_sources),
        cmocka_unit_test(every_location_is_found_by_its_code_and_among_those_of_its_names),
        cmocka_unit_test(names_are_understood_as_people_write_them),
        cmocka_unit_test(several_candidates_are_listed),
        cmocka_unit_test(an_unknown_location_names_the_nearest),
        cmocka_unit_test(an_intensity_can_be_given_by_hand),
        cmocka_unit_test(a_table_of_ones_own_replaces_and_adds),
        cmocka_unit_test(a_figure_can_be_another_locations),
        cmocka_unit_test(the_pue_is_the_one_given_else_the_locations_else_one),
        cmocka_unit_test(every_mistake_in_a_table_is_told_by_its_line),
        cmocka_unit_test(emissions_are_energy_times_pue_times_intensity),
    };
    return cmocka_run_group_tests(tests, NULL, close_places);
}
