/* Whole studies of small shell commands, run by the program itself as users run it. */
#include "base/file.h"
#include "base/text.h"
#include "place.h"
#include "study/zoo.h"

#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Until a run is under way. */
static void wait_for_run(const struct place *place)
{
    for (int i = 0; i < 500; i++) {
        sqlite3 *database;
        sqlite3_stmt *statement = NULL;
        int count = 0;
        sqlite3_open_v2(place->database, &database, SQLITE_OPEN_READONLY, NULL);
        sqlite3_prepare_v2(database, "SELECT count(*) FROM run WHERE state = 'running'", -1, &statement,
                           NULL);
        if (statement && sqlite3_step(statement) == SQLITE_ROW)
            count = sqlite3_column_int(statement, 0);
        sqlite3_finalize(statement);
        sqlite3_close(database);
        if (count > 0)
            return;
        usleep(10000);
    }
    fail_msg("no run was begun");
}

static void failed_runs_are_kept_and_stop_nothing(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place(
        "name: a\nrepetitions: 2\nfactors:\n  n: [0, 3, kill]\norder: listed\ncommand:\n  - sh\n  - -c\n"
        "  - 'echo one {n}; test {n} != kill || kill -9 $$; echo two >&2; test {n} = 0 || exit 3'\n");
    run_study(&place, NULL, 1);
    expect(&place, "SELECT group_concat(state || ':' || ended || ':' || exit_status) FROM run",
           "done:exited:0,failed:exited:3,failed:signalled:137,done:exited:0,failed:exited:3,failed:"
           "signalled:137");
    expect(&place, "SELECT output_tail LIKE 'one 3%' AND output_tail LIKE '%two%' FROM run WHERE id = 2",
           "1");
    expect(&place, "SELECT count(*) > 0 FROM energies WHERE run = 1", "1");
    expect_talk(&place, "run 2 of 6: n=3, repetition 1: failed: exit status 3: two\n");
    expect_talk(&place, "failed: ended by signal 9");
    expect_talk(&place, "4 runs failed");
    run_study(&place, NULL, 1); /* nothing is left */
    expect(&place, "SELECT count(*) FROM run", "6");
    run_study(&place, "--redo-failed", 1);
    expect(&place, "SELECT count(*) || ':' || count(*) FILTER (WHERE state = 'cut') FROM run", "10:4");
}

static void a_command_that_does_not_start_is_a_failed_run(void **state)
{
    (void)state;
    AUTO_PLACE struct place place =
        make_place("name: a\nfactors:\n  program: [no-such-program, true, /etc/passwd]\norder: listed\n"
                   "command: '{program}'\n");
    run_study(&place, NULL, 1);
    expect(&place, "SELECT group_concat(state || ':' || ended || ':' || exit_status) FROM run",
           "failed:not started:127,done:exited:0,failed:not started:126");
    expect_talk(&place, "no-such-program could not be started: not found");
}

static void a_run_that_takes_too_long_is_ended(void **state)
{
    (void)state;
    AUTO_PLACE struct place place =
        make_place("name: a\ntimeout: 2\norder: listed\nfactors:\n  s: [60, 0]\ncommand: sleep {s}\n");
    run_study(&place, NULL, 1);
    expect(&place, "SELECT group_concat(state || ':' || exit_status) FROM run", "failed:143,done:0");
    expect(&place, "SELECT wall_s < 30 FROM run WHERE id = 1", "1");
}

static void runs_start_where_the_study_says(void **state)
{
    (void)state;
    AUTO_PLACE struct place study = make_place(
        "name: a\nfactors:\n  n: [1]\ncommand: sh -c 'ls > {scratch}/files; pwd; echo {n} {directory}'\n");
    run_study(&study, NULL, 0);
    AUTO_FREE char *both = text_format("%s\n1 %s\n", study.folder, study.folder);
    expect(&study, "SELECT output_tail FROM run", both);
    AUTO_PLACE struct place scratch = make_place(
        "name: a\nrepetitions: 2\ndirectory: scratch\nfactors:\n  n: [1]\n"
        "command: sh -c 'ls; mkdir -p a/b; touch a/b/c{n}; test . -ef {scratch} && echo same; pwd'\n");
    run_study(&scratch, NULL, 0);
    expect(&scratch, "SELECT count(*) FROM run WHERE output_tail LIKE 'same%'", "2");
    expect(&scratch, "SELECT count(DISTINCT output_tail) FROM run", "2");
    sqlite3 *database;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(scratch.database, &database), SQLITE_OK);
    sqlite3_prepare_v2(database, "SELECT rtrim(substr(output_tail, 6), char(10)) FROM run", -1, &statement,
                       NULL);
    while (sqlite3_step(statement) == SQLITE_ROW)
        assert_false(file_exists((const char *)sqlite3_column_text(statement, 0)));
    sqlite3_finalize(statement);
    sqlite3_close(database);
}

static void interrupted_it_says_how_to_go_on(void **state)
{
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < 2; i++) {
        AUTO_PLACE struct place place = make_place("name: a\norder: listed\nfactors:\n  n: [1, 2]\n"
                                                   "command: sh -c 'test -e {directory}/quick || { touch "
                                                   "{directory}/began; sleep 20; }; echo {n}'\n");
        AUTO_FREE char *quick = file_join(place.folder, "quick");
        AUTO_FREE char *began = file_join(place.folder, "began");
        pid_t child = start(&place, NULL);
        for (int k = 0; k < 500 && !file_exists(began); k++)
            usleep(10000);
        kill(child, signals[i]);
        assert_int_equal(wait_for(child), 130);
        expect_talk(&place, "the same command goes on with what is left");
        expect(&place, "SELECT group_concat(state) FROM run", "cut");
        write_text(quick, "");
        run_study(&place, NULL, 0);
        expect(&place, "SELECT group_concat(state) FROM run", "cut,done,done");
    }
}

static void a_cool_down_is_kept_and_can_be_interrupted(void **state)
{
    (void)state;
    AUTO_PLACE struct place place =
        make_place("name: a\ncooldown: 30\nfactors:\n  n: [1, 2]\ncommand: echo {n}\n");
    pid_t child = start(&place, NULL);
    for (int i = 0; i < 500; i++) {
        usleep(10000);
        AUTO_FREE char *talk = file_exists(place.talk) ? talk_of(&place) : NULL;
        if (talk && strstr(talk, "run 1 of 2"))
            break;
    }
    assert_int_equal(kill(child, SIGINT), 0);
    assert_int_equal(wait_for(child), 130);
    expect(&place, "SELECT group_concat(state) FROM run", "done");
}

static void a_second_study_on_the_database_stops(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place("name: a\nfactors:\n  n: [1]\ncommand: sleep 2{n}\n");
    pid_t child = start(&place, NULL);
    wait_for_run(&place);
    AUTO_FREE char *named = text_format("process %d is running a study", (int)child);
    struct place second = place;
    second.talk = file_join(place.folder, "talk2");
    run_study(&second, NULL, 1);
    expect_talk(&second, named);
    free(second.talk);
    expect(&place, "SELECT count(*) FROM runs", "1"); /* reading goes on meanwhile */
    kill(child, SIGINT);
    assert_int_equal(wait_for(child), 130);
}

static void a_changed_study_is_refused(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place("name: a\nfactors:\n  n: [1]\ncommand: echo {n}\n");
    run_study(&place, NULL, 0);
    write_text(place.study, "name: b\n# a comment\nrepetitions: 2\nfactors:\n  n: [1]\ncommand: echo {n}\n");
    run_study(&place, NULL, 0);
    expect(&place, "SELECT count(*) || name FROM run, study", "2b");
    write_text(place.study, "name: b\nrepetitions: 2\nfactors:\n  n: [1, 2]\ncommand: echo {n}\n");
    run_study(&place, NULL, 1);
    expect_talk(&place, "what differs: factors)");
}

/* One goes at SIGTERM, one has to be killed, one has a session of its own. */
static void what_a_killed_study_leaves_running_is_ended_by_the_next(void **state)
{
    (void)state;
    AUTO_PLACE struct place place =
        make_place("name: a\nfactors:\n  n: [1]\ncommand:\n  - sh\n  - -c\n"
                   "  - 'test -e {directory}/pids && exit; sleep 60 & echo $! >> pids1; (trap : TERM; while "
                   ":; do sleep 0.1; done) & "
                   "echo $! >> pids1; setsid sleep 60 & echo $! >> pids1; mv pids1 pids; wait; echo {n}'\n");
    AUTO_FREE char *pids = file_join(place.folder, "pids");
    pid_t child = start(&place, NULL);
    for (int i = 0; i < 500 && !file_exists(pids); i++)
        usleep(10000);
    kill(child, SIGKILL);
    assert_int_equal(wait_for(child), -SIGKILL);
    struct error error = ERROR_INIT;
    AUTO_FREE char *text = file_read(pids, 1000, NULL, &error);
    long left[3];
    assert_int_equal(sscanf(text, "%ld %ld %ld", &left[0], &left[1], &left[2]), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(kill((pid_t)left[i], 0), 0);
    run_study(&place, NULL, 0);
    expect_talk(&place, "had left running: process");
    for (size_t i = 0; i < 3; i++) {
        AUTO_FREE char *path = text_format("/proc/%ld/environ", left[i]);
        AUTO_FREE char *environment = file_read(path, 1 << 20, NULL, &error); /* a zombie has none */
        error_clear(&error);
        assert_true(!environment || !*environment);
    }
    expect(&place, "SELECT group_concat(state) FROM run", "cut,done");
}

/* On a disk of 4 MiB that its first run fills up. */
static void check_full_disk(const struct place *place)
{
    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("tmpfs", place->folder, "tmpfs", 0, "size=4m") < 0)
        _exit(77);
    write_text(place->study, "name: a\nfactors:\n  n: [1, 2]\n"
                             "command: sh -c 'head -c 64M /dev/zero > {directory}/ballast{n}; true'\n");
    struct place outside = *place;
    outside.talk = text_format("%s.talk", place->folder);
    AUTO_FREE char *clean = text_format("rm %s/ballast?", place->folder);
    run_study(&outside, NULL, 1);
    expect_talk(&outside, "disk");
    expect_talk(&outside, "run the same command again");
    expect(&outside, "SELECT group_concat(state) FROM run", "done");
    if (system(clean) != 0)
        _exit(2);
    run_study(&outside, NULL, 1);
    expect(&outside, "SELECT group_concat(state) FROM run", "done,done");
    if (system(clean) != 0)
        _exit(3);
    run_study(&outside, NULL, 0);
    unlink(outside.talk);
    free(outside.talk);
    _exit(0);
}

static void a_full_disk_loses_nothing(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place("");
    pid_t child = fork();
    if (child == 0)
        check_full_disk(&place);
    int status = wait_for(child);
    if (status == 77) {
        remove_place(&place); /* skip() jumps out of here */
        skip();               /* mounting a small disk takes root's rights */
    }
    assert_int_equal(status, 0);
}

static void architectures_are_asked_of_the_trainer(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place("");
    AUTO_FREE char *trainer = file_join(place.folder, "trainer");
    struct error error = ERROR_INIT;
    write_text(trainer, "#!/bin/sh\ntest \"$*\" = 'zoo --json -' && echo '{\"schema\":\"joulery.zoo/1\","
                        "\"architectures\":[{\"name\":\"resnet50\"},{\"name\":\"vgg16\"}]}'\n");
    assert_int_equal(chmod(trainer, 0700), 0);
    static const struct {
        const char *study, *message;
    } cases[] = {
        {"name: a\nfactors:\n  arch: [vgg16, resnet50]\ntrain: {}\n", NULL},
        {"name: a\nfactors:\n  arch:\n    - vgg16\n    - resnet5\ntrain: {}\n",
         "a.yaml:5: unknown architecture 'resnet5' (did you mean resnet50?)"},
        {"name: a\nfactors:\n  lr: [1]\ntrain:\n  arch: alexandria\n",
         "a.yaml:5: unknown architecture 'alexandria': `joulery zoo` lists them"},
        {"name: a\nfactors:\n  arch: [mine]\ncommand: x {arch}\n", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct study *study = study_parse("a.yaml", cases[i].study, strlen(cases[i].study), &error);
        assert_non_null(study);
        int result = zoo_check(study, trainer, &error);
        assert_int_equal(result, cases[i].message ? -1 : 0);
        if (cases[i].message)
            assert_string_equal(error_text(&error), cases[i].message);
        study_free(study);
    }
    struct study *study = study_parse("a.yaml", cases[0].study, strlen(cases[0].study), &error);
    write_text(trainer, "#!/bin/sh\necho '{'\n");
    assert_int_equal(chmod(trainer, 0700), 0);
    assert_int_equal(zoo_check(study, trainer, &error), -1);
    assert_non_null(strstr(error_text(&error), "expected joulery.zoo/1"));
    assert_int_equal(zoo_check(study, "/no/such/trainer", &error), -1);
    assert_non_null(strstr(error_text(&error), "joulery-train belongs beside joulery"));
    error_clear(&error);
    study_free(study);
}

/* A database or a document named on the command line. */
static void mistakes_on_the_command_line_change_nothing(void **state)
{
    (void)state;
    AUTO_PLACE struct place place =
        make_place("name: a\nfactors:\n  n: [1]\ncommand: echo {n}\nlocation: Swedn\n");
    run_study(&place, NULL, 1);
    expect_talk(&place, "a.yaml:5: ");
    expect_talk(&place, "Sweden");
    assert_false(file_exists(place.database));
    run_study(&place, "--rat", 2);
    expect_talk(&place, "did you mean --rate?");
    write_text(place.study, "name: a\nfactors:\n  n: [1]\ncommand: echo {n}\n");
    write_text(place.database, "my thesis, the only copy, in a file that is long enough to be a database");
    run_study(&place, NULL, 1);
    expect_talk(&place, "not a database");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failed_runs_are_kept_and_stop_nothing),
        cmocka_unit_test(a_command_that_does_not_start_is_a_failed_run),
        cmocka_unit_test(a_run_that_takes_too_long_is_ended),
        cmocka_unit_test(runs_start_where_the_study_says),
        cmocka_unit_test(interrupted_it_says_how_to_go_on),
        cmocka_unit_test(a_cool_down_is_kept_and_can_be_interrupted),
        cmocka_unit_test(a_second_study_on_the_database_stops),
        cmocka_unit_test(a_changed_study_is_refused),
        cmocka_unit_test(what_a_killed_study_leaves_running_is_ended_by_the_next),
        cmocka_unit_test(a_full_disk_loses_nothing),
        cmocka_unit_test(architectures_are_asked_of_the_trainer),
        cmocka_unit_test(mistakes_on_the_command_line_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
