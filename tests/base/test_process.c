/* /proc/PID/stat: names that try to look like fields, and the processes that are there. */
#include "base/process.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define REST                                                                                                 \
    " S 41 40 40 34816 40 4194304 1 2 3 4 500 60 7 -0 20 0 1 0 98765 1 2 3 18446744073709551615 1 2\n"

static void any_name_is_passed_over(void **state)
{
    (void)state;
    static const char *const names[] = {"sh", "a b", ") Z 1 1 1 (", "((", "))) R", "", "x\ny", "1 (2) S 3"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[256];
        snprintf(text, sizeof text, "42 (%s)%s", names[i], REST);
        struct process process;
        struct error error = ERROR_INIT;
        if (process_parse(text, &process, &error) < 0)
            fail_msg("%s: %s", text, error_text(&error));
        assert_int_equal(process.pid, 42);
        assert_int_equal(process.parent, 41);
        assert_int_equal(process.group, 40);
        assert_int_equal(process.state, 'S');
        assert_int_equal(process.cpu_ticks, 500 + 60 + 7);
        assert_int_equal(process.start_ticks, 98765);
    }
}

static void what_is_no_stat_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "42",
        "42 (sh",
        "42 sh)" REST,
        "x (sh)" REST,
        "0 (sh)" REST,
        "-1 (sh)" REST,
        "99999999999 (sh)" REST,
        "42 (sh)",
        "42 (sh) S",
        "42 (sh)S 41 40",
        "42 (sh) SS 41 40 40 34816 40 4194304 1 2 3 4 500 60 7 0 20 0 1 0 98765",
        "42 (sh) S 41 40 40 34816 40 4194304 1 2 3 4 500 60 7 0 20 0 1 0",    /* no start */
        "42 (sh) S 41 40 40 34816 40 4194304 1 2 3 4 -5 60 7 0 20 0 1 0 9",   /* ticks below 0 */
        "42 (sh) S 41 40 40 34816 40 4194304 1 2 3 4  500 60 7 0 20 0 1 0 9", /* two spaces */
        "42 (sh) S a 40 40 34816 40 4194304 1 2 3 4 500 60 7 0 20 0 1 0 9",
        "42 (sh) S 99999999999 40 40 34816 40 4194304 1 2 3 4 500 60 7 0 20 0 1 0 9",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct process process;
        struct error error = ERROR_INIT;
        if (process_parse(wrong[i], &process, &error) == 0)
            fail_msg("accepted: %s", wrong[i]);
        assert_true(error_text(&error)[0] != '\0');
        error_clear(&error);
    }
}

static void we_and_our_children_are_listed(void **state)
{
    (void)state;
    pid_t ended = fork();
    if (ended == 0)
        _exit(0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)ended, &info, WEXITED | WNOWAIT), 0);
    struct error error = ERROR_INIT;
    struct process *all, read;
    size_t count;
    assert_int_equal(process_list(&all, &count, &error), 0);
    const struct process *self = process_find(all, count, getpid());
    const struct process *child = process_find(all, count, ended);
    assert_true(self && child);
    assert_int_equal(self->parent, getppid());
    assert_int_equal(self->group, getpgrp());
    assert_int_equal(child->parent, getpid());
    assert_int_equal(child->state, 'Z');
    assert_null(process_find(all, count, 0));
    for (size_t i = 1; i < count; i++)
        assert_true(all[i - 1].pid < all[i].pid);
    assert_int_equal(process_read(getpid(), &read, &error), 0);
    assert_int_equal(read.start_ticks, self->start_ticks);
    free(all);
    assert_int_equal(waitpid(ended, NULL, 0), ended);
    assert_int_equal(process_read(ended, &read, &error), -1);
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_name_is_passed_over),
        cmocka_unit_test(what_is_no_stat_is_refused),
        cmocka_unit_test(we_and_our_children_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
