#include "study/stopping.h"

#include "base/text.h"
#include "study/design.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A store with a study of two treatments, and runs whose figures the test gives. */
struct lab {
    struct study *study;
    struct store *store;
    char *path;
};

static struct lab open_lab(const char *rule, int64_t repetitions)
{
    struct error error = ERROR_INIT;
    struct lab lab = {.path = strdup("/tmp/joulery-stopping-XXXXXX")};
    int file = mkstemp(lab.path);
    assert_true(file >= 0);
    close(file);
    AUTO_FREE char *text =
        text_format("name: a\norder: listed\n%s\nfactors:\n  n: [1, 2]\ncommand: x {n}\n", rule);
    lab.study = study_parse("a.yaml", text, strlen(text), &error);
    lab.store = lab.study ? store_open(lab.path, STORE_WRITE, &error) : NULL;
    size_t cut;
    if (!lab.store || design_store(lab.study, repetitions, lab.store, &error) < 0 ||
        store_claim(lab.store, &cut, &error) < 0)
        fail_msg("%s", error_text(&error));
    return lab;
}

static void close_lab(struct lab *lab)
{
    store_close(lab->store);
    study_free(lab->study);
    unlink(lab->path);
    free(lab->path);
}

#define AUTO_LAB __attribute__((cleanup(close_lab)))

/* The next planned run: energies NAN where nothing measures. */
static void add_run(const struct lab *lab, double software_j, double hardware_j, double accuracy,
                    int exit_status)
{
    struct error error = ERROR_INIT;
    char cpu[] = "cpu", wall[] = "wall", meter[] = "m", source[] = "", name[] = "run",
         metric[] = "val_accuracy";
    struct channel channels[] = {
        {.meter = meter, .name = cpu, .scope = SCOPE_CPU, .kind = KIND_COUNTER, .accuracy_source = source},
        {.meter = meter, .name = wall, .scope = SCOPE_WALL, .kind = KIND_COUNTER, .accuracy_source = source}};
    struct channel_energy energies[] = {{.known = isfinite(software_j), .energy_j = software_j},
                                        {.known = isfinite(hardware_j), .energy_j = hardware_j}};
    struct metric metrics[] = {{metric, accuracy}};
    struct window window = {.name = name,
                            .parent = -1,
                            .wall_s = 2,
                            .complete = true,
                            .energies = energies,
                            .metrics = metrics,
                            .metric_count = isfinite(accuracy)};
    struct record record = {.end = END_EXITED,
                            .exit_status = exit_status,
                            .wall_s = 2,
                            .channels = channels,
                            .channel_count = isfinite(hardware_j) ? 2 : 1,
                            .windows = &window,
                            .window_count = 1};
    struct planned_run next;
    int64_t run;
    assert_int_equal(store_next(lab->store, &next, &error), 1);
    if (store_begin_run(lab->store, next.position, &run, &error) < 0 ||
        store_end_run(lab->store, run, &record, &error) < 0)
        fail_msg("%s", error_text(&error));
    planned_run_free(&next);
}

static void add_energies(const struct lab *lab, const double *energies_j, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_run(lab, energies_j[i], NAN, NAN, 0);
}

static void expect_state(const struct lab *lab, enum stopping_state state, const char *words)
{
    struct error error = ERROR_INIT;
    struct stopping stopping;
    if (stopping_ask(lab->study, lab->store, &stopping, &error) < 0)
        fail_msg("%s", error_text(&error));
    AUTO_FREE char *text = stopping_describe(lab->study, &stopping);
    if (stopping.state != state || !strstr(text, words))
        fail_msg("expected state %d and '%s', found %d and '%s'", state, words, stopping.state, text);
    stopping_free(&stopping);
}

/* scipy.stats.t.ppf(0.975, n - 1) * stdev / sqrt(n) / mean: 0.22583071 for 10, 11, 12; 0.02459542 for 100,
 * 101, 102 */
static void repetitions_are_added_until_each_interval_is_narrow(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    AUTO_LAB struct lab lab = open_lab("repetitions: 3\nuntil: {interval: 22.6%, most: 5}", 3);
    add_energies(&lab, (const double[]){10, 100, 11, 101, 12, 102}, 6);
    struct stopping stopping;
    assert_int_equal(stopping_ask(lab.study, lab.store, &stopping, &error), 0);
    assert_int_equal(stopping.state, STOPPING_MET);
    assert_true(fabs(stopping.widest_share - 0.22583071) < 1e-7);
    assert_string_equal(stopping.widest, "{\"n\":\"1\"}");
    assert_true(stopping.treatments == 2 && stopping.met == 2 && stopping.spent_j == 336);
    stopping_free(&stopping);

    lab.study->until.share = 0.2258;
    expect_state(&lab, STOPPING_MORE,
                 "energy is known to within 22.6 % in 1 of 2 combinations (widest: 23 %");
    lab.study->until.share = 0.0245;
    expect_state(&lab, STOPPING_MORE, "in 0 of 2 combinations");
    lab.study->until.most = 3;
    expect_state(&lab, STOPPING_MOST, "3 repetitions: no more are allowed");
}

static void two_that_are_alike_by_chance_are_not_enough(void **state)
{
    (void)state;
    AUTO_LAB struct lab lab = open_lab("repetitions: 2\nuntil: {interval: 50%}", 2);
    add_energies(&lab, (const double[]){10, 100, 10, 100}, 4);
    expect_state(&lab, STOPPING_MORE, "in 0 of 2 combinations");
}

static void the_wall_counts_where_all_runs_have_it(void **state)
{
    (void)state;
    AUTO_LAB struct lab lab = open_lab("repetitions: 4\nuntil: {interval: 1%}", 4);
    for (int i = 0; i < 6; i++) /* software scatters, the wall does not */
        add_run(&lab, 10 + i, 50, NAN, 0);
    expect_state(&lab, STOPPING_MET, "in 2 of 2");
    add_run(&lab, 10, NAN, NAN, 0);
    expect_state(&lab, STOPPING_MORE, "in 0 of 2");
}

static void accuracy_and_duration_may_decide(void **state)
{
    (void)state;
    AUTO_LAB struct lab lab = open_lab("repetitions: 3\nuntil: {interval: 1%, response: accuracy}", 3);
    for (int i = 0; i < 6; i++)
        add_run(&lab, 10 + i, NAN, 0.9 + 0.0001 * i, 0);
    expect_state(&lab, STOPPING_MET, "accuracy is known to within 1 %");
    lab.study->until.response = RESPONSE_DURATION;
    expect_state(&lab, STOPPING_MET, "duration is known");
    lab.study->until.response = RESPONSE_ENERGY;
    expect_state(&lab, STOPPING_MORE, "energy is known to within 1 % in 0 of 2");
}

static void a_response_that_nobody_gives_ends_the_study(void **state)
{
    (void)state;
    AUTO_LAB struct lab lab = open_lab("repetitions: 1\nuntil: {interval: 1%, response: accuracy}", 1);
    add_energies(&lab, (const double[]){10, 11}, 2);
    expect_state(&lab, STOPPING_UNKNOWN, "can't be met");
    AUTO_LAB struct lab failed = open_lab("repetitions: 1\nuntil: {interval: 1%}", 1);
    add_run(&failed, 10, NAN, NAN, 1);
    add_run(&failed, 10, NAN, NAN, 1);
    expect_state(&failed, STOPPING_UNKNOWN, "no run was done");
}

static void a_treatment_that_always_fails_does_not_hold_up_the_others(void **state)
{
    (void)state;
    AUTO_LAB struct lab lab = open_lab("repetitions: 3\nuntil: {interval: 50%}", 3);
    for (int i = 0; i < 3; i++) {
        add_run(&lab, 10, NAN, NAN, 0);
        add_run(&lab, 20, NAN, NAN, 1);
    }
    expect_state(&lab, STOPPING_MET, "in 1 of 1 combinations");
}

static void no_repetition_begins_that_the_budget_does_not_suffice_for(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    AUTO_LAB struct lab lab = open_lab("budget: 300 J", 1);
    add_energies(&lab, (const double[]){50, 100}, 2);
    expect_state(&lab, STOPPING_MORE, "150 J of the budget of 300 J used: another is run");
    assert_int_equal(stopping_over_budget(lab.study, lab.store, &error), 0);
    assert_int_equal(design_store(lab.study, 2, lab.store, &error), 0);
    add_run(&lab, 60, NAN, NAN, 1); /* what failed was spent all the same */
    add_run(&lab, 80, NAN, NAN, 0);
    expect_state(&lab, STOPPING_BUDGET,
                 "290 J of the budget of 300 J used, a repetition takes about 145 J: the budget");
    assert_int_equal(stopping_over_budget(lab.study, lab.store, &error), 0);
    lab.study->budget_j = 290;
    assert_int_equal(stopping_over_budget(lab.study, lab.store, &error), 1);
}

static void a_budget_needs_energies_that_are_known(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    AUTO_LAB struct lab lab = open_lab("budget: 300 J", 1);
    assert_int_equal(stopping_over_budget(lab.study, lab.store, &error), 0);
    add_run(&lab, NAN, NAN, NAN, 0);
    assert_int_equal(stopping_over_budget(lab.study, lab.store, &error), -1);
    assert_non_null(strstr(error_text(&error), "the energy of 1 of its runs is not known"));
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repetitions_are_added_until_each_interval_is_narrow),
        cmocka_unit_test(two_that_are_alike_by_chance_are_not_enough),
        cmocka_unit_test(the_wall_counts_where_all_runs_have_it),
        cmocka_unit_test(accuracy_and_duration_may_decide),
        cmocka_unit_test(a_response_that_nobody_gives_ends_the_study),
        cmocka_unit_test(a_treatment_that_always_fails_does_not_hold_up_the_others),
        cmocka_unit_test(no_repetition_begins_that_the_budget_does_not_suffice_for),
        cmocka_unit_test(a_budget_needs_energies_that_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
