/* joulery where, as a user runs it: on a synthetic study, on a record, on an energy that is given. */
#include "base/text.h"
#include "shop.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int open_shop(void **state)
{
    *state = shop_open(NULL, 0);
    return *state && shop_script(*state, MAKE_STORE " plain.db plain && " MAKE_STORE " silent.db silent") == 0
               ? 0
               : -1;
}

static int close_shop(void **state)
{
    return shop_close(*state);
}

static double number_of(const json_t *object, const char *name)
{
    const json_t *member = json_object_get(object, name);
    assert_true(json_is_number(member));
    return json_number_value(member);
}

static const json_t *place_of(const json_t *document, const char *code)
{
    size_t i;
    json_t *item, *places = json_object_get(document, "places");
    json_array_foreach(places, i, item)
    {
        if (strcmp(json_string_value(json_object_get(json_object_get(item, "place"), "code")), code) == 0)
            return item;
    }
    fail_msg("no place %s", code);
    return NULL;
}

/* By hand: 12.3 kWh x 1.2 x 40.7 g and so on, with the table's own intensities. */
static void an_energy_is_ranked_by_the_tables_intensities(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(
        joulery(shop, "where 12.3kWh --among EU,NOR --location Germany --pue 1.2 --json where.json"), 0);
    json_t *document = load(shop, "where.json"), *places = json_object_get(document, "places");
    assert_string_equal(json_string_value(json_object_get(document, "schema")), "joulery.where/1");
    assert_int_equal(json_array_size(places), 28);
    double before = 0;
    size_t i;
    json_t *item;
    json_array_foreach(places, i, item)
    {
        double intensity = number_of(json_object_get(item, "place"), "intensity_g_per_kwh");
        double kg = number_of(item, "kg_co2e");
        assert_true(fabs(kg / (12.3 * 1.2 * intensity / 1000) - 1) < 1e-12 && kg >= before);
        before = kg;
    }
    const json_t *best = json_array_get(places, 0), *worst = json_array_get(places, 27);
    double factor =
        number_of(json_object_get(json_object_get(document, "factors"), "worst_over_best"), "value");
    assert_true(fabs(factor / (number_of(worst, "kg_co2e") / number_of(best, "kg_co2e")) - 1) < 1e-12);
    assert_string_equal(json_string_value(json_object_get(document, "here")), "DEU");
    assert_true(json_is_true(json_object_get(place_of(document, "DEU"), "here")));
    assert_true(json_array_size(json_object_get(document, "equivalents")) >= 3);
    json_decref(document);
}

static void people_see_a_ranked_table_with_here_marked_and_what_choosing_is_worth(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "where 12.3kWh --among EU --location Germany --top 2"), 0);
    const char *output = shop->output;
    const char *sweden = strstr(output, "  Sweden (SWE) "), *here = strstr(output, "> Germany (DEU) ");
    const char *poland = strstr(output, "  Poland (POL) "), *more = strstr(output, "more: --top N");
    assert_true(sweden && more && here && poland && sweden < more && more < here && here < poland);
    assert_non_null(strstr(output, "Choosing among 27 places would change emissions by a factor of "));
    assert_non_null(strstr(output, "km driven by"));
    for (const char *line = output; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        size_t columns = 0, length = strcspn(line, "\n");
        for (size_t i = 0; i < length; i++)
            columns += ((unsigned char)line[i] & 0xC0) != 0x80;
        assert_true(columns <= 80 || strstr(line, "US EPA") || strstr(line, "European Environment"));
    }
}

static void a_run_is_told_with_its_uncertainty_and_here_is_the_studys(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "where plain.db:3 --among Nordic --json where.json"), 0);
    json_t *document = load(shop, "where.json"), *energy = json_object_get(document, "energy");
    double share = number_of(energy, "uncertainty_j") / number_of(energy, "energy_j");
    const json_t *sweden = place_of(document, "SWE");
    assert_true(fabs(number_of(sweden, "uncertainty_kg_co2e") / number_of(sweden, "kg_co2e") / share - 1) <
                1e-9);
    assert_string_equal(json_string_value(json_object_get(document, "here")), "SWE");
    assert_string_equal(json_string_value(json_object_get(energy, "what")), "run 3 of plain.db");
    assert_true(json_is_false(json_object_get(energy, "estimated")));
    json_decref(document);
}

static void what_a_model_estimated_is_marked_everywhere(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "where silent.db --among Nordic --json where.json"), 0);
    assert_non_null(strstr(shop->output, ", estimated)"));
    assert_non_null(strstr(shop->output, "the energy is an estimate of a model"));
    json_t *document = load(shop, "where.json");
    assert_true(json_is_true(json_object_get(json_object_get(document, "energy"), "estimated")));
    assert_true(json_is_true(json_object_get(place_of(document, "NOR"), "estimated")));
    json_decref(document);
}

static void figures_that_are_not_comparable_are_marked_and_warned_of(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "where 1kWh --among gcp,SWE,NOR --top 100 --json where.json"), 0);
    assert_non_null(strstr(shop->output, "are of another sort than the others"));
    assert_non_null(strstr(shop->output, "--pue X reckons all alike"));
    json_t *document = load(shop, "where.json");
    assert_true(json_is_false(json_object_get(place_of(document, "SWE"), "comparable")));
    assert_true(json_is_true(json_object_get(place_of(document, "gcp:us-west1"), "comparable")));
    assert_string_equal(json_string_value(json_object_get(place_of(document, "SWE"), "pue_from")), "none");
    assert_string_equal(json_string_value(json_object_get(place_of(document, "gcp:us-west1"), "pue_from")),
                        "location");
    assert_int_equal(json_array_size(json_object_get(document, "warnings")), 2);
    json_decref(document);
}

static void a_place_without_a_range_is_said_to_have_none(void **state)
{
    static const struct {
        const char *place, *words, *not_words;
    } cases[] = {
        {"US-OR", "range: not known for a figure of the burning alone\n", "range: not known\n"},
        {"US-OR", "the same electricity over the life cycle: 130 to 316 g/kWh\n", "range: not known\n"},
        {"aws:us-west-2", "the same electricity over the life cycle: 130 to 316 g/kWh\n",
         "range: not known\n"},
        {"gcp:us-west1", "range: not known for a figure of the burning alone\n", "life cycle: "},
        {"NO1", "range: not known\n", "life cycle: "},
        {"CA-QC", "7 to 143", "range: not known"},
    };
    struct shop *shop = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *arguments = text_format("places %s", cases[i].place);
        assert_int_equal(joulery(shop, arguments), 0);
        if (!strstr(shop->output, cases[i].words) || strstr(shop->output, cases[i].not_words))
            fail_msg("%s: %s", cases[i].place, shop->output);
    }
    assert_int_equal(joulery(shop, "places US-OR --json oregon.json"), 0);
    json_t *document = load(shop, "oregon.json"),
           *place = json_array_get(json_object_get(document, "places"), 0);
    assert_true(json_is_null(json_object_get(place, "low_g_per_kwh")));
    const json_t *life_cycle = json_object_get(place, "life_cycle");
    assert_true(number_of(life_cycle, "low_g_per_kwh") == 129.8);
    assert_true(number_of(life_cycle, "high_g_per_kwh") == 315.8);
    json_decref(document);
}

static void bad_input_ends_in_a_line_that_says_what_to_do(void **state)
{
    static const struct {
        const char *arguments;
        int status;
        const char *words;
    } cases[] = {
        {"where 12.3", 1, "expected an energy with its unit"},
        {"where -- -3kWh", 1, "expected an energy above 0"},
        {"where 1kWh --among Nordik", 1, "--among: no location 'Nordik'"},
        {"where 1kWh --among Nordik", 1, "or the group Nordic?"},
        {"where 1kWh --among ,", 1, "--among: expected places or groups"},
        {"where 1kWh --among Georgia", 1, "write the code of the one that is meant"},
        {"where 1kWh --location Atlantis", 1, "--location: no location 'Atlantis'"},
        {"where 1kWh --pue 0.5", 2, "--pue"},
        {"where 1kWh --top 0", 2, "--top"},
        {"where", 2, "usage"},
        {"where plain.db:77", 1, "there is no run 77"},
        {"where nothing.db", 1, "no such file"},
        {"where text.db", 1, "text.db"},
        {"where negative.json", 1, "its energy is -5 J"},
    };
    struct shop *shop = *state;
    assert_int_equal(shop_script(shop, "echo text > text.db; echo '{\"schema\":\"joulery.run/1\",\"totals\":"
                                       "{\"software_j\":-5}}' > negative.json"),
                     0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int status = joulery(shop, cases[i].arguments);
        if (status != cases[i].status)
            fail_msg("%s: status %d", cases[i].arguments, status);
        says(shop, cases[i].words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_energy_is_ranked_by_the_tables_intensities),
        cmocka_unit_test(people_see_a_ranked_table_with_here_marked_and_what_choosing_is_worth),
        cmocka_unit_test(a_run_is_told_with_its_uncertainty_and_here_is_the_studys),
        cmocka_unit_test(what_a_model_estimated_is_marked_everywhere),
        cmocka_unit_test(figures_that_are_not_comparable_are_marked_and_warned_of),
        cmocka_unit_test(a_place_without_a_range_is_said_to_have_none),
        cmocka_unit_test(bad_input_ends_in_a_line_that_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, open_shop, close_shop);
}
