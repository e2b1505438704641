/* joulery study init, check and merge, as users call them. */
#include "place.h"

#include "base/file.h"
#include "base/text.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

/* `joulery study ARGUMENTS` in the place's folder, both outputs in place->talk. */
static int study(const struct place *place, const char *arguments)
{
    AUTO_FREE char *path = program();
    AUTO_FREE char *absolute = realpath(path, NULL);
    AUTO_FREE char *command =
        text_format("cd '%s' && '%s' study %s > talk 2>&1", place->folder, absolute, arguments);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void expect_study(const struct place *place, const char *arguments, int status, const char *words)
{
    int found = study(place, arguments);
    AUTO_FREE char *talk = talk_of(place);
    if (found != status || !strstr(talk, words))
        fail_msg("%s: expected %d and '%s', found %d and '%s'", arguments, status, words, found, talk);
}

static void the_example_is_a_study_that_runs(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place("");
    expect_study(&place, "init new.yaml", 0, "written to new.yaml");
    expect_study(&place, "check new.yaml", 0, "example: 18 runs: 2 program x 3 level x 3 repetitions");
    AUTO_FREE char *path = file_join(place.folder, "new.yaml");
    write_text(path, "mine");
    expect_study(&place, "init new.yaml", 1, "new.yaml: is there already");
    struct error error = ERROR_INIT;
    AUTO_FREE char *kept = file_read(path, 100, NULL, &error);
    assert_string_equal(kept, "mine");
    expect_study(&place, "init -", 0, "\nfactors:\n");
    expect_study(&place, "init no/such/folder.yaml", 1, "No such file");
}

static json_t *plan_of(const struct place *place, const char *arguments)
{
    AUTO_FREE char *all = text_format("check a.yaml --json plan.json %s", arguments);
    assert_int_equal(study(place, all), 0);
    AUTO_FREE char *path = file_join(place->folder, "plan.json");
    json_t *plan = json_load_file(path, 0, NULL);
    assert_non_null(plan);
    assert_string_equal(json_string_value(json_object_get(plan, "schema")), "joulery.plan/1");
    return plan;
}

static double number(json_t *plan, const char *name)
{
    return json_number_value(json_object_get(json_object_get(plan, "expected"), name));
}

static const char two[] = "name: a\nrepetitions: 2\norder: listed\ncooldown: %s\nfactors:\n  n: [1, "
                          "2]\ncommand: sh -c 'echo {n}'\n";

static void what_a_study_takes_is_known_from_earlier_runs(void **state)
{
    (void)state;
    AUTO_FREE char *text = text_format(two, "0");
    AUTO_PLACE struct place place = make_place(text);
    expect_study(&place, "check a.yaml", 0, "is not known: there is no a.db");
    json_t *unknown = plan_of(&place, "");
    assert_true(json_is_null(json_object_get(unknown, "expected")));
    assert_int_equal(json_array_size(json_object_get(unknown, "runs")), 4);
    json_decref(unknown);
    run_study(&place, NULL, 0);
    expect_study(&place, "check a.yaml", 0, "nothing is left to run, in a.db");

    /* known figures in the place of what this machine took */
    AUTO_FREE char *sql = text_format(
        "python3 -c \"import sqlite3; d = sqlite3.connect('%s'); d.execute('update run set wall_s "
        "= 10 * (position %% 2 + 1)'); d.execute('update window set software_j = 100 * (run - 1) "
        "+ 50, hardware_j = null'); d.commit()\"",
        place.database);
    assert_int_equal(system(sql), 0);
    write_text(place.study,
               "name: a\nrepetitions: 5\norder: listed\nfactors:\n  n: [1, 2]\ncommand: sh -c 'echo {n}'\n");
    json_t *more = plan_of(&place, "");
    assert_true(number(more, "earlier_runs") == 4 && number(more, "left") == 6 &&
                number(more, "left_with_earlier") == 6);
    assert_true(fabs(number(more, "wall_s") - 3 * (10 + 20)) < 1e-9);
    assert_true(fabs(number(more, "energy_j") - 3 * ((50 + 250) / 2 + (150 + 350) / 2)) <
                1e-9); /* means of the levels */
    assert_true(number(more, "disk_bytes") > 0 && number(more, "disk_free_bytes") > 0);
    json_decref(more);
    expect_study(&place, "check a.yaml", 0, "6 runs left: about 90.0 s, 1200 J, by 4 runs done in a.db\n");
}

/* Another study's database is a pilot: nothing of it is done, and levels that it lacks get its mean. */
static void a_pilot_with_the_same_factors_will_do(void **state)
{
    (void)state;
    AUTO_FREE char *text = text_format(two, "0");
    AUTO_PLACE struct place place = make_place(text);
    run_study(&place, NULL, 0);
    AUTO_FREE char *sql = text_format(
        "python3 -c \"import sqlite3; d = sqlite3.connect('%s'); d.execute('update run set wall_s = "
        "10'); d.commit()\"",
        place.database);
    assert_int_equal(system(sql), 0);
    write_text(place.study, "name: a\nwarm_up: true\nidle: 5\ncooldown: 2\nfactors:\n  n: [1, 2, "
                            "3]\ncommand: sh -c 'echo {n}'\n");
    json_t *plan = plan_of(&place, "--db a.db");
    assert_true(number(plan, "left") == 3 && number(plan, "left_with_earlier") == 2);
    assert_true(fabs(number(plan, "rest_s") - (3 * 2 + 2 * 5)) < 1e-9);
    assert_true(fabs(number(plan, "wall_s") - (4 * 10 + 16)) < 1e-9);
    json_decref(plan);
    expect_study(&place, "check a.yaml", 0, "(1 of those left have levels that were not run yet");
}

static void databases_are_merged_by_name(void **state)
{
    (void)state;
    AUTO_FREE char *text = text_format(two, "0");
    AUTO_PLACE struct place place = make_place(text);
    run_study(&place, NULL, 0);
    AUTO_FREE char *other = file_join(place.folder, "b.db");
    AUTO_FREE char *first = place.database;
    place.database = strdup(other);
    run_study(&place, NULL, 0);
    expect_study(&place, "merge out.db a.db b.db", 1, "say what to call them, as in oregon=b.db");
    expect_study(&place, "merge out.db oregon=a.db =b.db", 1, "expected NAME=FILE");
    expect_study(&place, "merge out.db a.db", 2, "usage");
    expect_study(&place, "merge out.db oregon=a.db paris=b.db --as place --json -", 0,
                 "8 runs done, in out.db, with the factor place: oregon, paris");
    AUTO_FREE char *merged = file_join(place.folder, "out.db");
    free(place.database);
    place.database = strdup(merged);
    expect(&place, "SELECT count(*) FROM runs WHERE factors LIKE '%\"place\":\"paris\"%'", "4");
    expect_study(&place, "status out.db", 0, "done     8\n");
    expect_study(&place, "run a.yaml --db out.db", 1, "what differs: merged)"); /* nobody goes on in it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_is_a_study_that_runs),
        cmocka_unit_test(what_a_study_takes_is_known_from_earlier_runs),
        cmocka_unit_test(a_pilot_with_the_same_factors_will_do),
        cmocka_unit_test(databases_are_merged_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
