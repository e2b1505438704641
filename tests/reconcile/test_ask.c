/* Questions to other programs: answers, failures, and programs that never end. */
#include "reconcile/ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static int ask_shell(const char *script, double timeout_s, struct answer *answer, struct error *error)
{
    char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
    return ask_program(argv, timeout_s, NULL, answer, error);
}

static void both_streams_and_the_status_come_back(void **state)
{
    (void)state;
    struct answer answer;
    struct error error = ERROR_INIT;
    assert_int_equal(ask_shell("echo out; echo err >&2; exit 3", 30, &answer, &error), 0);
    assert_string_equal(answer.output, "out\n");
    assert_string_equal(answer.errors, "err\n");
    assert_int_equal(answer.status, 3);
    answer_free(&answer);
    assert_int_equal(ask_shell("kill -9 $$", 30, &answer, &error), 0);
    assert_int_equal(answer.status, 137);
    answer_free(&answer);
}

static void a_long_answer_is_cut_and_does_not_block(void **state)
{
    (void)state;
    struct answer answer;
    struct error error = ERROR_INIT;
    assert_int_equal(ask_shell("head -c 3000000 /dev/zero | tr '\\0' x", 60, &answer, &error), 0);
    assert_int_equal(strlen(answer.output), ASK_BYTES_MOST);
    answer_free(&answer);
}

static void one_that_does_not_end_is_given_up(void **state)
{
    (void)state;
    struct answer answer;
    struct error error = ERROR_INIT;
    assert_int_equal(ask_shell("sleep 600 & sleep 600", 0.2, &answer, &error), -1);
    assert_non_null(strstr(error_text(&error), "sh: no answer within 0.2 s"));
    error_clear(&error);
}

static void a_stop_ends_the_wait(void **state)
{
    (void)state;
    struct answer answer;
    struct error error = ERROR_INIT;
    const volatile sig_atomic_t stop = 1;
    char *argv[] = {(char *)"sleep", (char *)"600", NULL};
    assert_int_equal(ask_program(argv, 600, &stop, &answer, &error), -1);
    assert_string_equal(error_text(&error), "sleep: stopped before it answered");
    error_clear(&error);
}

static void one_that_leaves_others_running_is_not_waited_for(void **state)
{
    (void)state;
    struct answer answer;
    struct error error = ERROR_INIT;
    assert_int_equal(ask_shell("sleep 600 & echo done", 60, &answer, &error), 0);
    assert_string_equal(answer.output, "done\n");
    answer_free(&answer);
}

static void one_that_is_not_there_is_an_error(void **state)
{
    (void)state;
    struct answer answer;
    struct error error = ERROR_INIT;
    char *argv[] = {(char *)"joulery-no-such-program", NULL};
    assert_int_equal(ask_program(argv, 5, NULL, &answer, &error), -1);
    assert_string_equal(error_text(&error), "joulery-no-such-program: No such file or directory");
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_streams_and_the_status_come_back),
        cmocka_unit_test(a_long_answer_is_cut_and_does_not_block),
        cmocka_unit_test(one_that_does_not_end_is_given_up),
        cmocka_unit_test(a_stop_ends_the_wait),
        cmocka_unit_test(one_that_leaves_others_running_is_not_waited_for),
        cmocka_unit_test(one_that_is_not_there_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
