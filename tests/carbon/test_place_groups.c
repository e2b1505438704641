#include "base/text.h"
#include "carbon/place_groups.h"
#include "known_places.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct place_groups *known_groups(void)
{
    static struct place_groups *groups;
    struct error error = ERROR_INIT;
    if (!groups)
        groups = place_groups_open(&error);
    if (!groups)
        fail_msg("%s", error_text(&error));
    return groups;
}

static int select_places(const char *among, struct place_list *list, struct error *error)
{
    *list = (struct place_list){0};
    return place_groups_select(known_groups(), known_places(), among, list, error);
}

static size_t count_of(const char *among)
{
    struct error error = ERROR_INIT;
    struct place_list list;
    if (select_places(among, &list, &error) < 0)
        fail_msg("%s: %s", among, error_text(&error));
    free(list.items);
    return list.count;
}

/* As many as there are states in them, written down apart from data/. */
static void groups_have_the_members_that_they_should(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t count;
    } groups[] = {{"EU", 27},
                  {"EEA", 29},
                  {"Nordic", 5},
                  {"G7", 7},
                  {"G20", 19},
                  {"US states", 51},
                  {"Canadian provinces", 13}};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        assert_int_equal(count_of(groups[i].name), groups[i].count);
}

static size_t semicolons(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += *text == ';';
    return count;
}

/* A code in data/place_groups.csv that no table has would be left out in silence. */
static void every_member_that_is_named_is_a_place(void **state)
{
    (void)state;
    size_t count;
    const struct place_group *all = place_groups_all(known_groups(), &count);
    assert_true(count >= 10);
    for (size_t i = 0; i < count; i++) {
        bool by_rule = strpbrk(all[i].members, "@*") != NULL;
        assert_true(by_rule ? count_of(all[i].code) > 1
                            : count_of(all[i].code) == semicolons(all[i].members) + 1);
        assert_true(*all[i].source && (by_rule || all[i].year >= 2020));
    }
}

static void groups_that_follow_from_the_tables_have_all_of_them(void **state)
{
    (void)state;
    size_t count, kinds[LOCATION_KINDS] = {0}, gcp = 0;
    const struct location *const *all = places_all(known_places(), &count);
    for (size_t i = 0; i < count; i++) {
        kinds[all[i]->kind]++;
        gcp += strncmp(all[i]->code, "gcp:", 4) == 0;
    }
    assert_int_equal(count_of("world"), count);
    assert_int_equal(count_of("countries"), kinds[LOCATION_COUNTRY]);
    assert_int_equal(count_of("zones"), kinds[LOCATION_ZONE]);
    assert_int_equal(count_of("cloud"), kinds[LOCATION_CLOUD]);
    assert_int_equal(count_of("gcp"), gcp);
}

static void names_are_understood_as_people_write_them_and_each_place_counts_once(void **state)
{
    (void)state;
    assert_int_equal(count_of("european union"), 27);
    assert_int_equal(count_of("eu27, Sweden ,se3"), 28);
    assert_int_equal(count_of("Nordic countries,EU"), 29);
    assert_int_equal(count_of("US,SWE"), 2);
    assert_int_equal(count_of("25 g/kWh,SWE"), 2);
}

/* Else one of the two could never be asked for. */
static void no_group_is_called_as_a_place(void **state)
{
    (void)state;
    size_t count;
    const struct place_group *all = place_groups_all(known_groups(), &count);
    for (size_t i = 0; i < count; i++) {
        struct error error = ERROR_INIT;
        assert_null(places_find(known_places(), all[i].code, &error));
        error_clear(&error);
    }
}

static void what_is_no_place_and_no_group_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"Nordik", "or the group Nordic?"},
        {"SWE,Atlantis under the sea", "groups of places: countries, world, EU"},
        {"Swedne", "did you mean Sweden?"},
        {"Georgia", "Georgia (GEO, country) or Georgia (US-GA, region)"},
        {"", "found none"},
        {" , ,", "found none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct place_list list;
        assert_int_equal(select_places(cases[i][0], &list, &error), -1);
        if (!strstr(error_text(&error), cases[i][1]))
            fail_msg("'%s': '%s' lacks '%s'", cases[i][0], error_text(&error), cases[i][1]);
        free(list.items);
        error_clear(&error);
    }
}

static void a_wrong_table_is_told_by_its_line(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"code,members\nEU,SWE\n", "t.csv:1: "},
        {"code,also,name,members,year,source\nEU,,Europe,,2024,a\n", "t.csv:2: field 4 is empty"},
        {"code,also,name,members,year,source\nEU,,Europe,SWE,24,a\n", "t.csv:2: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        assert_null(place_groups_parse(cases[i][0], strlen(cases[i][0]), "t.csv", &error));
        if (!strstr(error_text(&error), cases[i][1]))
            fail_msg("case %zu: '%s' lacks '%s'", i, error_text(&error), cases[i][1]);
        error_clear(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_have_the_members_that_they_should),
        cmocka_unit_test(every_member_that_is_named_is_a_place),
        cmocka_unit_test(groups_that_follow_from_the_tables_have_all_of_them),
        cmocka_unit_test(names_are_understood_as_people_write_them_and_each_place_counts_once),
        cmocka_unit_test(no_group_is_called_as_a_place),
        cmocka_unit_test(what_is_no_place_and_no_group_is_refused),
        cmocka_unit_test(a_wrong_table_is_told_by_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
