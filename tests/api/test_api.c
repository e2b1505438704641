#include "joulery.h"

#include "base/clock.h"
#include "rapl_tree.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
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

static struct joulery *open_on(const struct rapl_tree *tree)
{
    unsetenv("JOULERY_SOCKET");
    setenv("JOULERY_SYSFS", rapl_tree_sysfs(tree), 1);
    const char *meters[] = {"rapl"};
    const struct joulery_options options = {.size = sizeof options, .meters = meters, .meter_count = 1};
    char *error = NULL;
    struct joulery *joulery = joulery_open(&options, &error);
    if (!joulery)
        fail_msg("%s", error);
    return joulery;
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
    usleep(300000);
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
    usleep(20000);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nested_windows_have_their_true_energies),
        cmocka_unit_test(a_window_shorter_than_an_update_is_not_known),
        cmocka_unit_test(a_fork_gets_an_error_and_disturbs_nothing),
        cmocka_unit_test(threads_share_one_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
