/* `joulery study run` keeps its promise under faults: every run exists exactly once, or is marked as cut. */
#include "place.h"

#include "base/file.h"
#include "base/text.h"

#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

/* How often a study is killed: JOULERY_KILLS, or 8. */
static int kills(void)
{
    const char *text = getenv("JOULERY_KILLS");
    int count = text ? atoi(text) : 0;
    return count > 0 ? count : 8;
}

static void check_whole(const struct place *place, const char *planned)
{
    expect(place, "PRAGMA integrity_check", "ok");
    expect(place, "SELECT count(*) FROM pragma_foreign_key_check", "0");
    expect(place, "SELECT count(*) FROM plan", planned);
    expect(place, "SELECT count(DISTINCT position) || '' FROM run WHERE state IN ('done', 'failed')",
           planned);
    expect(place, "SELECT count(*) || '' FROM run WHERE state IN ('done', 'failed')", planned);
    expect(place, "SELECT count(*) FROM run WHERE state NOT IN ('done', 'failed', 'cut')", "0");
    /* a run is there with all its parts, or with none */
    expect(place, "SELECT count(*) FROM run WHERE (wall_s IS NULL) = (id IN (SELECT run FROM window))", "0");
    expect(place, "SELECT count(*) FROM run WHERE state = 'done' AND id NOT IN (SELECT run FROM energy)",
           "0");
    expect(
        place,
        "SELECT count(*) FROM trace WHERE run IN (SELECT id FROM run WHERE state = 'cut' AND wall_s IS NULL)",
        "0");
}

/* Kills it so often at a moment that each time is another, then lets it end. Returns how often it was in
 * time. */
static int kill_again_and_again(const struct place *place, int expected)
{
    unsigned int random = 12345;
    int killed = 0;
    for (int i = 0; i < kills(); i++) {
        pid_t child = start(place, NULL);
        random = random * 1103515245u + 12345u;
        usleep(10000 + (random >> 8) % 200000);
        kill(child, SIGKILL);
        killed += wait_for(child) == -SIGKILL;
    }
    run_study(place, NULL, expected);
    return killed;
}

static void killed_at_any_moment_every_run_exists_once(void **state)
{
    (void)state;
    AUTO_FREE char *text =
        text_format("name: a\nrepetitions: %d\nfactors:\n  n: [1, 2, 3, 4, 5]\ncommand: sleep 0.0{n}\n",
                    4 * kills() / 10);
    AUTO_PLACE struct place place = make_place(text);
    AUTO_FREE char *planned = text_format("%d", 4 * kills() / 10 * 5);
    assert_true(kill_again_and_again(&place, 0) >= kills() / 4);
    check_whole(&place, planned);
    expect(&place, "SELECT count(*) FROM run WHERE state = 'failed'", "0");
}

/* Between a failure and its retry, during warm-ups, and while a repetition is added. */
static void killed_with_retries_and_a_rule_every_run_exists_once(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place("name: a\nwarm_up: true\nretries: 1\nuntil: {interval: "
                                               "0.000001%, response: duration, most: 12}\nfactors:\n"
                                               "  n: [0, 1]\ncommand: sh -c 'sleep 0.02; exit {n}'\n");
    kill_again_and_again(&place, 1);
    check_whole(&place, "24");
    expect(&place,
           "SELECT group_concat(level || state) FROM (SELECT DISTINCT level, state FROM plan_factor JOIN run "
           "USING (position) "
           "WHERE state <> 'cut' ORDER BY level)",
           "0done,1failed");
    /* each was tried twice, whatever was killed in between */
    expect(&place, "SELECT DISTINCT count(*) FROM runs WHERE exit_status = 1 GROUP BY position", "2");
    expect(
        &place,
        "SELECT count(*) FROM (SELECT DISTINCT count(*) FROM runs WHERE exit_status = 1 GROUP BY position)",
        "1");
}

/* As a quota would. The study's file may grow to 3 MiB, its reserve takes 2. */
static void a_database_that_may_not_grow_loses_nothing(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place("name: a\nrepetitions: 150\nfactors:\n  n: [1]\ncommand: sh "
                                               "-c 'head -c 16000 /dev/urandom | base64; echo {n}'\n");
    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 3 << 20;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    pid_t child = start(&place, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(wait_for(child), 1);
    expect_talk(&place, "joulery study: ");
    expect_talk(&place, "a.db: ");
    expect(&place, "PRAGMA integrity_check", "ok");
    expect(&place, "SELECT count(*) > 20 FROM run WHERE state = 'done'", "1");
    expect(&place, "SELECT count(*) <= 1 FROM run WHERE state <> 'done'", "1");
    run_study(&place, NULL, 0);
    check_whole(&place, "150");
}

static sqlite3 *open_database(const struct place *place, const char *sql)
{
    sqlite3 *database;
    assert_int_equal(sqlite3_open(place->database, &database), SQLITE_OK);
    sqlite3_busy_timeout(database, 5000);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    return database;
}

static void wait_for_file(const char *path)
{
    for (int i = 0; i < 1000 && !file_exists(path); i++)
        usleep(10000);
    assert_true(file_exists(path));
}

/* The lock is held for longer than SQLite waits for it. */
static void a_measured_run_is_stored_when_a_writer_lets_go(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place(
        "name: a\norder: listed\nfactors:\n  n: [1, 2]\n"
        "command: sh -c 'touch {directory}/began{n}; until test -e {directory}/go; do sleep 0.05; done'\n");
    AUTO_FREE char *began = file_join(place.folder, "began1");
    AUTO_FREE char *go = file_join(place.folder, "go");
    pid_t child = start(&place, NULL);
    wait_for_file(began);
    sqlite3 *writer = open_database(&place, "BEGIN IMMEDIATE");
    write_text(go, "");
    for (int i = 0; i < 400; i++) {
        AUTO_FREE char *talk = talk_of(&place);
        if (strstr(talk, "keeps the database locked"))
            break;
        usleep(100000);
    }
    expect_talk(&place,
                "another program keeps the database locked: the run that was just measured is stored when");
    assert_int_equal(sqlite3_exec(writer, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(writer);
    assert_int_equal(wait_for(child), 0);
    check_whole(&place, "2");
    expect(&place, "SELECT count(*) FROM run", "2");
}

static void before_a_run_a_locked_database_is_an_error(void **state)
{
    (void)state;
    AUTO_PLACE struct place place = make_place("name: a\nfactors:\n  n: [1]\ncommand: echo {n}\n");
    run_study(&place, NULL, 0);
    write_text(place.study, "name: a\nrepetitions: 2\nfactors:\n  n: [1]\ncommand: echo {n}\n");
    sqlite3 *writer = open_database(&place, "BEGIN IMMEDIATE");
    run_study(&place, NULL, 1);
    expect_talk(&place, "another process keeps the database locked: try again when it has finished");
    sqlite3_close(writer);
    run_study(&place, NULL, 0);
    check_whole(&place, "2");
}

static void a_reader_that_does_not_end_holds_up_nothing(void **state)
{
    (void)state;
    AUTO_PLACE struct place place =
        make_place("name: a\nrepetitions: 2\nfactors:\n  n: [1, 2, 3]\ncommand: echo {n}\n");
    run_study(&place, NULL, 0);
    sqlite3 *reader = open_database(&place, "BEGIN; SELECT count(*) FROM run");
    write_text(place.study, "name: a\nrepetitions: 6\nfactors:\n  n: [1, 2, 3]\ncommand: echo {n}\n");
    run_study(&place, NULL, 0);
    check_whole(&place, "18");
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(reader, "SELECT count(*) FROM run", -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(statement, 0), 6); /* it sees what was there when it began */
    sqlite3_finalize(statement);
    sqlite3_close(reader);
}

static const char stubborn[] =
    "name: a\norder: listed\n%sfactors:\n  n: [1, 2]\ncommand:\n  - sh\n  - -c\n"
    "  - 'test {n} = 2 && exit; trap : TERM INT; touch {directory}/began; while :; do sleep 0.1; done'\n";

static void a_command_that_ignores_its_end_is_killed(void **state)
{
    (void)state;
    AUTO_FREE char *text = text_format(stubborn, "timeout: 1\n");
    AUTO_PLACE struct place place = make_place(text);
    run_study(&place, NULL, 1);
    expect(&place, "SELECT group_concat(state || ':' || ended || ':' || exit_status) FROM run",
           "failed:signalled:137,done:exited:0");
    expect_talk(&place, "ended by signal 9");
}

static void stopped_with_a_command_that_ignores_it_the_study_ends(void **state)
{
    (void)state;
    AUTO_FREE char *text = text_format(stubborn, "");
    AUTO_PLACE struct place place = make_place(text);
    AUTO_FREE char *began = file_join(place.folder, "began");
    pid_t child = start(&place, NULL);
    wait_for_file(began);
    kill(child, SIGINT);
    assert_int_equal(wait_for(child), 130);
    expect(&place, "SELECT group_concat(state) FROM run", "cut");
}

/* By a day, while the first run goes on; then the study is stopped and goes on in the past. */
static void a_clock_that_is_set_back_changes_only_dates(void **state)
{
    (void)state;
    AUTO_PLACE struct place place =
        make_place("name: a\norder: listed\nretries: 1\ncooldown: 0.2\nrepetitions: 3\nfactors:\n  n: [1]\n"
                   "command: sh -c 'sleep 0.3; touch {directory}/set-back; echo {n}'\n");
    AUTO_FREE char *set_back = file_join(place.folder, "set-back");
    setenv("LD_PRELOAD", CLOCK_BACK, 1);
    setenv("ASAN_OPTIONS", "verify_asan_link_order=0:detect_leaks=0",
           1); /* it wants to be the first that is loaded */
    setenv("JOULERY_TEST_CLOCK", set_back, 1);
    run_study(&place, NULL, 0);
    write_text(place.study,
               "name: a\norder: listed\nretries: 1\ncooldown: 0.2\nrepetitions: 5\nfactors:\n  n: [1]\n"
               "command: sh -c 'sleep 0.3; touch {directory}/set-back; echo {n}'\n");
    run_study(&place, NULL, 0);
    unsetenv("LD_PRELOAD");
    unsetenv("ASAN_OPTIONS");
    check_whole(&place, "5");
    expect(&place, "SELECT count(*) FROM run", "5");
    expect(&place,
           "SELECT (SELECT started FROM run WHERE id = 1) > (SELECT max(started) FROM run WHERE id > 1)",
           "1");
    expect(&place, "SELECT min(wall_s) >= 0.3 AND max(wall_s) < 60 FROM run", "1");
    expect(&place, "SELECT group_concat(position) FROM (SELECT position FROM run ORDER BY id)", "0,1,2,3,4");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment_every_run_exists_once),
        cmocka_unit_test(killed_with_retries_and_a_rule_every_run_exists_once),
        cmocka_unit_test(a_database_that_may_not_grow_loses_nothing),
        cmocka_unit_test(a_measured_run_is_stored_when_a_writer_lets_go),
        cmocka_unit_test(before_a_run_a_locked_database_is_an_error),
        cmocka_unit_test(a_reader_that_does_not_end_holds_up_nothing),
        cmocka_unit_test(a_command_that_ignores_its_end_is_killed),
        cmocka_unit_test(stopped_with_a_command_that_ignores_it_the_study_ends),
        cmocka_unit_test(a_clock_that_is_set_back_changes_only_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
