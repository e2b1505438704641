#include "joulery.h"

#include "base/clock.h"
#include "base/text.h"
#include "mark/mark.h"
#include "rapl_tree.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define RANGE_J 262143.328850

static const struct rapl_zone zones[] = {
    {"intel-rapl:0", "package-0", RANGE_J, RANGE_J - 5, 90, 50},
    {"intel-rapl:0:0", "dram", 65712.999613, 1, 8, 3},
};

static const char *const rapl[] = {"rapl"};

static struct joulery *open_with(const struct joulery_options *options)
{
    char *error = NULL;
    struct joulery *joulery = joulery_open(options, &error);
    if (!joulery)
        fail_msg("%s", error);
    return joulery;
}

static struct joulery *open_on(const struct rapl_tree *tree)
{
    unsetenv("JOULERY_SOCKET");
    setenv("JOULERY_SYSFS", rapl_tree_sysfs(tree), 1);
    return open_with(
        &(struct joulery_options){.size = sizeof(struct joulery_options), .meters = rapl, .meter_count = 1});
}

static void nested_windows_have_their_true_energies(void **state)
{
    (void)state;
    struct rapl_tree *tree = rapl_tree_make(zones, 2);
    struct joulery *joulery = open_on(tree);
    size_t count;
    assert_string_equal(joulery_channels(joulery, &count)[0].name, "package-0");
    assert_int_equal(count, 2);
    int64_t from = clock_boot_ns();
    int64_t outer = joulery_begin(joulery, "outer", 1, NULL);
    int64_t inner = joulery_begin(joulery, "inner", 2, NULL);
    assert_true(outer > 0 && inner > 0);
    rapl_tree_move_for(tree, 0.3);
    struct joulery_totals totals;
    struct joulery_energy energies[2];
    int64_t to = clock_boot_ns();
    assert_int_equal(joulery_end(joulery, inner, &totals, energies, NULL), 0);
    double truth_j = rapl_tree_truth_j(tree, 0, from, to);
    assert_true(fabs(energies[0].energy_j - truth_j) < 4 * energies[0].uncertainty_j);
    assert_true(fabs(totals.software_j - energies[0].energy_j - energies[1].energy_j) < 1e-6);
    assert_int_equal(totals.estimated, 0);
    assert_int_equal(joulery_end(joulery, outer, &totals, NULL, NULL), 0);
    assert_true(totals.wall_s >= 0.3 && totals.software_j > truth_j * 0.9);
    char *error = NULL;
    assert_int_equal(joulery_end(joulery, inner, NULL, NULL, &error), -1);
    assert_non_null(strstr(error, "is not open"));
    joulery_free(error);
    assert_int_equal(joulery_close(joulery, NULL), 0);
    rapl_tree_free(tree);
}

static void a_window_shorter_than_an_update_is_not_known(void **state)
{
    (void)state;
    struct rapl_tree *tree = rapl_tree_make(zones, 2);
    struct joulery *joulery = open_on(tree);
    size_t brief = 0;
    for (int64_t i = 0; i < 1000; i++) {
        struct joulery_totals totals;
        int64_t window = joulery_begin(joulery, "brief", i, NULL);
        assert_int_equal(joulery_end(joulery, window, &totals, NULL, NULL), 0);
        if (totals.wall_s >= 0.001)
            continue;
        brief++;
        assert_true(isnan(totals.software_j));
    }
    assert_true(brief > 0);
    joulery_close(joulery, NULL);
    rapl_tree_free(tree);
}

static void a_fork_gets_an_error_and_disturbs_nothing(void **state)
{
    (void)state;
    struct rapl_tree *tree = rapl_tree_make(zones, 2);
    struct joulery *joulery = open_on(tree);
    int64_t window = joulery_begin(joulery, "outer", 0, NULL);
    pid_t child = fork();
    if (child == 0) {
        alarm(10);
        char *error = NULL;
        bool refused = joulery_begin(joulery, "child", 0, &error) == 0 && error && strstr(error, "fork") &&
                       joulery_end(joulery, window, NULL, NULL, NULL) < 0 && joulery_close(joulery, NULL) < 0;
        _exit(refused ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    rapl_tree_move_for(tree, 0.1);
    struct joulery_totals totals;
    assert_int_equal(joulery_end(joulery, window, &totals, NULL, NULL), 0);
    assert_true(totals.software_j > 0);
    joulery_close(joulery, NULL);
    rapl_tree_free(tree);
}

static void *many_windows(void *joulery)
{
    intptr_t wrong = 0;
    for (int64_t i = 0; i < 2000; i++) {
        int64_t window = joulery_begin(joulery, "threaded", i, NULL);
        wrong += window == 0 || joulery_end(joulery, window, NULL, NULL, NULL) < 0;
    }
    return (void *)wrong;
}

static void threads_share_one_handle(void **state)
{
    (void)state;
    struct rapl_tree *tree = rapl_tree_make(zones, 2);
    struct joulery *joulery = open_on(tree);
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many_windows, joulery), 0);
    for (size_t i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    joulery_close(joulery, NULL);
    rapl_tree_free(tree);
}

/* ---- the document ---- */

static json_t *load(const char *path)
{
    json_error_t wrong;
    json_t *json = json_load_file(path, 0, &wrong);
    if (!json)
        fail_msg("%s:%d: %s", path, wrong.line, wrong.text);
    return json;
}

static double number_of(const json_t *json, const char *name)
{
    const json_t *value = json_object_get(json, name);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static const char *string_of(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

static void the_window_is(const json_t *window, const char *name, int64_t index, int64_t parent,
                          bool complete)
{
    assert_string_equal(string_of(window, "name"), name);
    assert_int_equal(json_integer_value(json_object_get(window, "index")), index);
    assert_int_equal(json_integer_value(json_object_get(window, "parent")), parent);
    assert_int_equal(json_is_true(json_object_get(window, "complete")), complete);
}

static void closing_writes_a_document(void **state)
{
    (void)state;
    struct rapl_tree *tree = rapl_tree_make(zones, 2);
    AUTO_FREE char *path = text_format("%s/run.json", rapl_tree_sysfs(tree));
    setenv("JOULERY_SYSFS", rapl_tree_sysfs(tree), 1);
    unsetenv("JOULERY_SOCKET");
    struct joulery *joulery = open_with(&(struct joulery_options){
        .size = sizeof(struct joulery_options), .meters = rapl, .meter_count = 1, .json_path = path});
    int64_t outer = joulery_begin(joulery, "outer", 1, NULL),
            inner = joulery_begin(joulery, "inner", 2, NULL);
    assert_int_equal(joulery_mark(joulery, inner, "loss", 0.5, NULL), 0);
    assert_int_equal(joulery_mark(joulery, inner, "loss", 0.25, NULL), 0);
    assert_int_equal(joulery_mark(joulery, 0, "parameters", 7, NULL), 0);
    assert_int_equal(joulery_note(joulery, "caf\xe9", NULL), 0);
    rapl_tree_move_for(tree, 0.1);
    struct joulery_totals totals;
    assert_int_equal(joulery_end(joulery, inner, &totals, NULL, NULL), 0);
    assert_true(outer > 0); /* and never ends */
    assert_int_equal(joulery_close(joulery, NULL), 0);

    json_t *json = load(path);
    assert_string_equal(string_of(json, "schema"), "joulery.run/1");
    assert_true(json_is_null(json_object_get(json, "end")));
    const char *program = json_string_value(json_array_get(json_object_get(json, "command"), 0));
    assert_non_null(program);
    assert_non_null(strstr(program, "test_api"));
    assert_true(json_is_null(json_object_get(json, "exit_status")));
    assert_true(json_is_null(json_object_get(json, "joined")));
    assert_true(json_is_null(json_object_get(json_object_get(json, "recorder"), "cpu_s")));
    const json_t *windows = json_object_get(json, "windows");
    assert_int_equal(json_array_size(windows), 3);
    the_window_is(json_array_get(windows, 0), "run", 0, -1, true);
    the_window_is(json_array_get(windows, 1), "outer", 1, 0, false);
    the_window_is(json_array_get(windows, 2), "inner", 2, 1, true);
    const json_t *found = json_array_get(windows, 2);
    assert_true(number_of(json_object_get(found, "metrics"), "loss") == 0.25);
    double inner_j = number_of(json_object_get(found, "totals"), "software_j");
    assert_true(fabs(inner_j - totals.software_j) < 1e-9);
    assert_true(number_of(json_object_get(json_array_get(windows, 0), "metrics"), "parameters") == 7);
    assert_true(number_of(json_object_get(json, "totals"), "software_j") >= inner_j);
    const char *note = json_string_value(json_array_get(json_object_get(json, "notes"), 0));
    assert_string_equal(note, "caf\xef\xbf\xbd");
    json_decref(json);
    assert_int_equal(unlink(path), 0);
    rapl_tree_free(tree);
}

/* ---- beside and under recorders ---- */

static void expect_mark(struct mark_receiver *receiver, enum mark_kind kind, const char *window,
                        int64_t index)
{
    struct mark mark;
    struct mark_owner *owner = NULL;
    struct error error = ERROR_INIT;
    if (mark_receive(receiver, &mark, &owner, &error) != 1)
        fail_msg("no mark: %s", error_text(&error));
    assert_int_equal(mark.kind, kind);
    if (window)
        assert_string_equal(mark.window, window);
    else
        assert_null(mark.window);
    assert_int_equal(mark.index, index);
    if (kind == MARK_METRIC)
        assert_true(mark.metric_count == 1 && mark.metrics[0].value == 0.5);
    if (kind == MARK_NOTE)
        assert_string_equal(mark.text, "words");
    mark_owner_free(owner);
}

static void under_a_recorder_marks_are_sent(void **state)
{
    (void)state;
    struct error reason = ERROR_INIT;
    struct mark_receiver *receiver = mark_receiver_open(&reason);
    if (!receiver)
        fail_msg("%s", error_text(&reason));
    setenv("JOULERY_SOCKET", mark_receiver_path(receiver), 1);
    struct joulery *joulery = open_with(NULL);
    size_t count = 7;
    joulery_channels(joulery, &count);
    assert_int_equal(count, 0);
    int64_t window = joulery_begin(joulery, "epoch", 3, NULL);
    assert_true(window > 0);
    assert_int_equal(joulery_mark(joulery, window, "loss", 0.5, NULL), 0);
    assert_int_equal(joulery_mark(joulery, 0, "loss", 0.5, NULL), 0);
    assert_int_equal(joulery_note(joulery, "words", NULL), 0);
    struct joulery_totals totals;
    assert_int_equal(joulery_end(joulery, window, &totals, NULL, NULL), 0);
    assert_true(isnan(totals.software_j) && isnan(totals.software_uncertainty_j) && isnan(totals.hardware_j));
    assert_true(totals.recorded_elsewhere == 1 && totals.wall_s >= 0);
    assert_int_equal(joulery_end(joulery, window, NULL, NULL, NULL), -1);
    expect_mark(receiver, MARK_BEGIN, "epoch", 3);
    expect_mark(receiver, MARK_METRIC, "epoch", 3);
    expect_mark(receiver, MARK_METRIC, NULL, 0);
    expect_mark(receiver, MARK_NOTE, NULL, 0);
    expect_mark(receiver, MARK_END, "epoch", 3);
    assert_int_equal(joulery_close(joulery, NULL), 0);
    unsetenv("JOULERY_SOCKET");
    mark_receiver_close(receiver);
}

/* ---- in a process of its own: this program again, called with a role ---- */

static int leaves_measuring_to_the_first(void)
{
    struct joulery *rank = joulery_open(NULL, NULL);
    struct joulery_totals totals = {.software_j = 1};
    int64_t window = joulery_begin(rank, "step", 0, NULL);
    bool joined = joulery_end(rank, window, &totals, NULL, NULL) == 0 && totals.recorded_elsewhere == 1 &&
                  isnan(totals.software_j);
    return joulery_close(rank, NULL) == 0 && joined ? 0 : 1;
}

static int measures_all_the_same(void)
{
    const struct joulery_options options = {
        .size = sizeof options, .meters = rapl, .meter_count = 1, .measure_anyway = 1};
    struct joulery *rank = joulery_open(&options, NULL);
    size_t count;
    joulery_channels(rank, &count);
    return joulery_close(rank, NULL) == 0 && count == 2 ? 0 : 1;
}

static int notes_the_other(void)
{
    AUTO_FREE char *path = text_format("%s/other.json", getenv("JOULERY_SYSFS"));
    const struct joulery_options options = {
        .size = sizeof options, .meters = rapl, .meter_count = 1, .json_path = path};
    if (joulery_close(joulery_open(&options, NULL), NULL) < 0)
        return 1;
    json_t *json = json_load_file(path, 0, NULL);
    const char *note = json_string_value(json_array_get(json_object_get(json, "notes"), 0));
    bool noted = note && strstr(note, "another recorder");
    json_decref(json);
    unlink(path);
    return noted ? 0 : 2;
}

static const struct {
    const char *name;
    int (*play)(void); /* 0: it went as it should */
} roles[] = {{"rank", leaves_measuring_to_the_first},
             {"rank that measures", measures_all_the_same},
             {"stranger", notes_the_other}};

static int play(const char *role)
{
    alarm(60);
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (strcmp(roles[i].name, role) == 0)
            return roles[i].play();
    return 127;
}

static int status_of(char *role)
{
    char *command[] = {"/proc/self/exe", role, NULL};
    pid_t child;
    int status;
    assert_int_equal(posix_spawn(&child, command[0], NULL, NULL, command, environ), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void ranks_of_a_job_measure_once(void **state)
{
    (void)state;
    struct rapl_tree *tree = rapl_tree_make(zones, 2);
    setenv("PMIX_RANK", "0", 1);
    setenv("PMIX_NAMESPACE", "job-of-test-api", 1);
    struct joulery *first = open_on(tree);
    assert_int_equal(status_of("rank"), 0);
    assert_int_equal(status_of("rank that measures"), 0);
    struct joulery *second = open_on(tree); /* of the same process */
    size_t count;
    joulery_channels(second, &count);
    assert_int_equal(count, 2);
    joulery_close(second, NULL);
    joulery_close(first, NULL);
    unsetenv("PMIX_RANK");
    unsetenv("PMIX_NAMESPACE");
    rapl_tree_free(tree);
}

static void another_measurement_is_noted(void **state)
{
    (void)state;
    struct rapl_tree *tree = rapl_tree_make(zones, 2);
    AUTO_FREE char *path = text_format("%s/run.json", rapl_tree_sysfs(tree));
    setenv("JOULERY_SYSFS", rapl_tree_sysfs(tree), 1);
    unsetenv("JOULERY_SOCKET");
    struct joulery *first = open_with(&(struct joulery_options){
        .size = sizeof(struct joulery_options), .meters = rapl, .meter_count = 1, .json_path = path});
    assert_int_equal(status_of("stranger"), 0);
    assert_int_equal(joulery_close(first, NULL), 0);
    json_t *json = load(path);
    const char *note = json_string_value(json_array_get(json_object_get(json, "notes"), 0));
    assert_non_null(note);
    assert_non_null(strstr(note, "began to measure this machine meanwhile"));
    json_decref(json);
    assert_int_equal(unlink(path), 0);
    rapl_tree_free(tree);
}

/* ---- wrong use ---- */

static void opening_is_refused(const struct joulery_options *options, const char *because)
{
    char *error = NULL;
    assert_null(joulery_open(options, &error));
    assert_non_null(error);
    if (!strstr(error, because))
        fail_msg("expected '%s' in: %s", because, error);
    joulery_free(error);
}

static void wrong_options_are_refused(void **state)
{
    (void)state;
    const char *unknown[] = {"no-such-instrument"}, *missing[] = {NULL};
    const size_t size = sizeof(struct joulery_options);
    opening_is_refused(&(struct joulery_options){.size = 1}, "expected size");
    opening_is_refused(&(struct joulery_options){.size = size, .rate_hz = NAN}, "a rate");
    opening_is_refused(&(struct joulery_options){.size = size, .tdp_w = -1}, "thermal design power");
    opening_is_refused(&(struct joulery_options){.size = size, .meter_count = 2}, "found NULL as number 1");
    opening_is_refused(&(struct joulery_options){.size = size, .meters = missing, .meter_count = 1}, "NULL");
    opening_is_refused(&(struct joulery_options){.size = size, .meters = unknown, .meter_count = 1},
                       "no-such-instrument");
    opening_is_refused(&(struct joulery_options){.size = size, .json_path = "/nonexistent/run.json"},
                       "/nonexistent");
    assert_null(joulery_open(&(struct joulery_options){.size = 1}, NULL));
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    struct rapl_tree *tree = rapl_tree_make(zones, 2);
    struct joulery *joulery = open_on(tree);
    char *long_name = calloc(1, 258);
    memset(long_name, 'x', 257);
    const char *names[] = {NULL, "", "\xff", long_name};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *error = NULL;
        assert_int_equal(joulery_begin(joulery, names[i], 0, &error), 0);
        assert_non_null(strstr(error, "name of a window"));
        joulery_free(error);
        assert_int_equal(joulery_mark(joulery, 0, names[i], 1, NULL), -1);
    }
    long_name[256] = 0;
    assert_true(joulery_begin(joulery, long_name, 0, NULL) > 0);
    free(long_name);
    assert_int_equal(joulery_begin(joulery, "negative", -1, NULL), 0);
    assert_int_equal(joulery_mark(joulery, 0, "loss", INFINITY, NULL), -1);
    assert_int_equal(joulery_mark(joulery, 12345, "loss", 1, NULL), -1);
    assert_int_equal(joulery_note(joulery, NULL, NULL), -1);
    assert_int_equal(joulery_note(joulery, "", NULL), -1);
    for (int64_t number = -2; number <= 2; number++)
        assert_int_equal(joulery_end(joulery, number, NULL, NULL, NULL), -1);
    joulery_close(joulery, NULL);
    rapl_tree_free(tree);
}

static void no_handle_is_an_error(void **state)
{
    (void)state;
    char *error = NULL;
    size_t count = 7;
    assert_null(joulery_channels(NULL, &count));
    assert_int_equal(count, 0);
    assert_null(joulery_channels(NULL, NULL));
    assert_int_equal(joulery_begin(NULL, "window", 0, &error), 0);
    assert_non_null(strstr(error, "NULL"));
    joulery_free(error);
    assert_int_equal(joulery_end(NULL, 1, NULL, NULL, NULL), -1);
    assert_int_equal(joulery_mark(NULL, 0, "loss", 1, NULL), -1);
    assert_int_equal(joulery_note(NULL, "words", NULL), -1);
    assert_int_equal(joulery_close(NULL, NULL), 0);
}

int main(int argc, char **argv)
{
    if (argc == 2)
        return play(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nested_windows_have_their_true_energies),
        cmocka_unit_test(a_window_shorter_than_an_update_is_not_known),
        cmocka_unit_test(a_fork_gets_an_error_and_disturbs_nothing),
        cmocka_unit_test(threads_share_one_handle),
        cmocka_unit_test(closing_writes_a_document),
        cmocka_unit_test(under_a_recorder_marks_are_sent),
        cmocka_unit_test(ranks_of_a_job_measure_once),
        cmocka_unit_test(another_measurement_is_noted),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(wrong_arguments_are_refused),
        cmocka_unit_test(no_handle_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
