/* What studies do around their runs, seen from outside. */
#include "place.h"

#include "base/file.h"
#include "base/text.h"

#include <jansson.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void a_warm_up_is_run_first_and_not_counted(void **state)
{
    (void)state;
    AUTO_PLACE struct place place =
        make_place("name: a\norder: listed\nwarm_up: true\nfactors:\n  n: [1, 2]\n"
                   "command: sh -c 'echo {n} >> {directory}/all'\n");
    run_study(&place, NULL, 0);
    AUTO_FREE char *all = file_join(place.folder, "all");
    struct error error = ERROR_INIT;
    AUTO_FREE char *text = file_read(all, 100, NULL, &error);
    assert_string_equal(text, "1\n1\n2\n");
    expect(&place, "SELECT count(*) FROM run", "2");
    expect(
        &place,
        "SELECT group_concat(run) FROM note WHERE text LIKE 'a warm-up run went before, not counted: n=1, %'",
        "1");
    expect_talk(&place, "a warm-up run went before");
    run_study(&place, NULL, 0); /* nothing left: nothing to warm up for */
    AUTO_FREE char *again = file_read(all, 100, NULL, &error);
    assert_string_equal(again, text);
}

static void what_a_killed_warm_up_leaves_running_is_ended_by_the_next(void **state)
{
    (void)state;
    AUTO_PLACE struct place place =
        make_place("name: a\nwarm_up: true\nfactors:\n  n: [1]\ncommand:\n  - sh\n  - -c\n"
                   "  - 'test -e {directory}/pid && exit; setsid sleep 60 & echo $! > pid1; mv pid1 pid; "
                   "wait; echo {n}'\n");
    AUTO_FREE char *path = file_join(place.folder, "pid");
    pid_t child = start(&place, NULL);
    for (int i = 0; i < 500 && !file_exists(path); i++)
        usleep(10000);
    kill(child, SIGKILL);
    assert_int_equal(wait_for(child), -SIGKILL);
    expect(&place, "SELECT count(*) FROM run", "0");
    run_study(&place, NULL, 0);
    expect_talk(&place, "had left running: process");
}

static void the_machine_at_rest_is_measured_before_and_after(void **state)
{
    (void)state;
    AUTO_PLACE struct place place =
        make_place("name: a\nidle: 2\nrepetitions: 2\nfactors:\n  n: [1]\ncommand: sleep 0.{n}\n");
    run_study(&place, NULL, 0);
    expect(&place, "SELECT count(*) FROM run WHERE baseline LIKE '2% s at rest, %'", "2");
    expect(&place, "SELECT count(*) > 0 FROM channel WHERE idle_w > 0", "1");
    expect(&place,
           "SELECT group_concat(run) FROM note WHERE text LIKE 'at rest before the study % W, after it % W%'",
           "2");
}

static void at_rest_can_be_interrupted(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place("name: a\nidle: 600\nfactors:\n  n: [1]\ncommand: echo {n}\n");
    pid_t child = start(&place, NULL);
    for (int i = 0; i < 500 && !file_exists(place.database); i++)
        usleep(10000);
    usleep(500000);
    kill(child, SIGINT);
    assert_int_equal(wait_for(child), 130);
    expect(&place, "SELECT count(*) FROM run", "0");
}

/* A machine whose temperature the runs raise, and nobody lowers. */
static void a_cool_down_waits_for_the_temperature_up_to_its_limit(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place(
        "name: a\norder: listed\ncooldown: {most: 1, temperature: 2}\nfactors:\n  t: [46000, 80000, 45000]\n"
        "command: sh -c 'echo {t} > {directory}/class/thermal/thermal_zone0/temp'\n");
    AUTO_FREE char *type = file_join(place.folder, "class/thermal/thermal_zone0/type");
    AUTO_FREE char *temperature = file_join(place.folder, "class/thermal/thermal_zone0/temp");
    struct error error = ERROR_INIT;
    assert_int_equal(file_make_folders(type, &error), 0);
    write_text(type, "x86_pkg_temp\n");
    write_text(temperature, "45000\n");
    assert_int_equal(setenv("JOULERY_SYSFS", place.folder, 1), 0);
    run_study(&place, NULL, 0);
    unsetenv("JOULERY_SYSFS");
    expect(&place,
           "SELECT group_concat(run) FROM note WHERE text = 'not cooled down within 1 s before this run: 80 "
           "°C, before "
           "the study 45 °C'",
           "3");
    expect(&place, "SELECT group_concat(substr(text, -6), '') FROM note WHERE text LIKE 'before this run: %'",
           " 45 °C 46 °C 80 °C");
}

static void notes_say_what_the_machine_was_like_and_no_secrets(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place("name: a\nfactors:\n  n: [1]\ncommand: echo {n}\n");
    assert_int_equal(setenv("JOULERY_TEST_TOKEN", "hunter2", 1), 0);
    run_study(&place, NULL, 0);
    unsetenv("JOULERY_TEST_TOKEN");
    expect(&place, "SELECT count(*) FROM note WHERE text LIKE 'before this run: %load %'", "1");
    expect(&place, "SELECT count(*) FROM note WHERE text LIKE 'environment: %JOULERY_TEST_TOKEN%'", "1");
    expect(&place, "SELECT count(*) FROM note WHERE text LIKE '%hunter2%'", "0");
}

static json_t *status_of(const struct place *place)
{
    AUTO_FREE char *path = program();
    AUTO_FREE char *json = file_join(place->folder, "status.json");
    AUTO_FREE char *command = text_format("%s study status %s --json %s", path, place->database, json);
    assert_int_equal(system(command), 0);
    json_t *status = json_load_file(json, 0, NULL);
    assert_non_null(status);
    return status;
}

static void expect_rule(const struct place *place, const char *state, int64_t repetitions)
{
    json_t *status = status_of(place);
    const json_t *rule = json_object_get(status, "rule");
    assert_string_equal(json_string_value(json_object_get(rule, "state")), state);
    assert_int_equal(json_is_true(json_object_get(rule, "met")), strcmp(state, "met") == 0);
    assert_int_equal(json_integer_value(json_object_get(rule, "repetitions")), repetitions);
    assert_true(json_is_null(json_object_get(rule, "budget_j")));
    json_decref(status);
}

static void a_run_disturbed_by_other_load_is_flagged(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place("name: a\nfactors:\n  n: [1]\ncommand: sleep {n}\n");
    pid_t other = fork();
    volatile bool busy = other == 0;
    if (busy)
        alarm(60); /* should the test not get to end it */
    while (busy)
        ;
    run_study(&place, NULL, 0);
    kill(other, SIGKILL);
    wait_for(other);
    expect(&place, "SELECT count(*) FROM note WHERE text GLOB 'disturbed: other programs took about *'", "1");
    json_t *status = status_of(&place);
    assert_int_equal(json_integer_value(json_object_get(status, "disturbed")), 1);
    assert_true(
        json_is_true(json_object_get(json_array_get(json_object_get(status, "runs"), 0), "disturbed")));
    json_decref(status);
}

static void failed_runs_are_retried_as_often_as_the_study_says(void **state)
{
    (void)state;
    AUTO_PLACE struct place place =
        make_place("name: a\norder: listed\nretries: 2\nfactors:\n  n: [1, 2, 9]\n"
                   "command: sh -c 'echo x >> {directory}/{n}; test $(wc -l < {directory}/{n}) -ge {n}'\n");
    run_study(&place, NULL, 1);
    expect(&place, "SELECT group_concat(position || state, ' ') FROM run",
           "0done 1cut 1done 2cut 2cut 2failed");
    run_study(&place, NULL, 1); /* what has failed for good stays so */
    expect(&place, "SELECT count(*) FROM run", "6");
    run_study(&place, "--redo-failed", 1);
    expect(&place, "SELECT count(*) FROM run", "7");
}

static void folders_are_kept_as_the_study_says(void **state)
{
    (void)state;
    static const struct {
        const char *keep;
        bool first, second;
    } cases[] = {{"true", true, true}, {"failed", false, true}, {"false", false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *text =
            text_format("name: a\norder: listed\ndirectory: scratch\nkeep: %s\nfactors:\n  n: [0, 1]\n"
                        "command: sh -c 'mkdir a; echo {n} > a/out; exit {n}'\n",
                        cases[i].keep);
        AUTO_PLACE struct place place = make_place(text);
        run_study(&place, NULL, 1);
        AUTO_FREE char *first = file_join(place.folder, "a.db-runs/1/a/out");
        AUTO_FREE char *second = file_join(place.folder, "a.db-runs/2/a/out");
        assert_int_equal(file_exists(first), cases[i].first);
        assert_int_equal(file_exists(second), cases[i].second);
    }
}

/* As after a database was removed and its folders were not. */
static void kept_folders_of_others_are_left_alone(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place("name: a\ndirectory: scratch\nkeep: true\nfactors:\n  n: [1]\n"
                                               "command: touch new{n}\n");
    AUTO_FREE char *kept = file_join(place.folder, "a.db-runs/1/mine");
    struct error error = ERROR_INIT;
    assert_int_equal(file_make_folders(kept, &error), 0);
    write_text(kept, "");
    run_study(&place, NULL, 1);
    expect_talk(&place, "a.db-runs/1: is there already");
    expect(&place, "SELECT group_concat(state) FROM run", "cut");
    assert_true(file_exists(kept));
    run_study(&place, NULL, 0);
    expect(&place, "SELECT group_concat(state) FROM run", "cut,done");
}

static void repetitions_are_run_until_the_rule_is_met(void **state)
{
    (void)state;
    AUTO_PLACE struct place place =
        make_place("name: a\nuntil: {interval: 100%, response: duration, most: 20}\n"
                   "factors:\n  n: [1]\ncommand: sleep {n}\n");
    run_study(&place, NULL, 0);
    expect_talk(&place, "duration is known to within 100 % in 1 of 1 combinations, 3 repetitions\n");
    expect(&place, "SELECT group_concat(repetition) FROM runs WHERE state = 'done'", "1,2,3");
    expect_rule(&place, "met", 3);
    run_study(&place, NULL, 0); /* what is met stays met */
    expect(&place, "SELECT count(*) FROM run", "3");
    write_text(place.study, "name: a\nuntil: {interval: 0.000001%, response: duration, most: 4}\n"
                            "factors:\n  n: [1]\ncommand: sleep {n}\n");
    run_study(&place, NULL, 0);
    expect_talk(&place, "4 repetitions: no more are allowed");
    expect_rule(&place, "most", 4);
    expect(&place, "SELECT count(*) FROM run", "4");
}

static void no_run_begins_beyond_the_budget(void **state)
{
    (void)state;
    AUTO_PLACE struct place place =
        make_place("name: a\nrepetitions: 3\nbudget: 1 mWh\nfactors:\n  n: [1, 2]\ncommand: sleep 1.{n}\n");
    run_study(&place, NULL, 0);
    expect_talk(&place, "the budget is used up");
    expect(&place, "SELECT sum(coalesce(hardware_j, software_j)) >= 3.6 FROM runs", "1");
    expect(&place,
           "SELECT coalesce(sum(coalesce(hardware_j, software_j)) < 3.6, 1) FROM runs WHERE run < (SELECT "
           "max(run) FROM runs)",
           "1");
    run_study(&place, NULL, 0);
    expect(&place, "SELECT count(*) < 6 FROM run", "1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_warm_up_is_run_first_and_not_counted),
        cmocka_unit_test(what_a_killed_warm_up_leaves_running_is_ended_by_the_next),
        cmocka_unit_test(the_machine_at_rest_is_measured_before_and_after),
        cmocka_unit_test(at_rest_can_be_interrupted),
        cmocka_unit_test(a_cool_down_waits_for_the_temperature_up_to_its_limit),
        cmocka_unit_test(notes_say_what_the_machine_was_like_and_no_secrets),
        cmocka_unit_test(a_run_disturbed_by_other_load_is_flagged),
        cmocka_unit_test(failed_runs_are_retried_as_often_as_the_study_says),
        cmocka_unit_test(folders_are_kept_as_the_study_says),
        cmocka_unit_test(repetitions_are_run_until_the_rule_is_met),
        cmocka_unit_test(no_run_begins_beyond_the_budget),
        cmocka_unit_test(kept_folders_of_others_are_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
