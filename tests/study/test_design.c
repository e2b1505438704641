#include "base/text.h"
#include "study/design.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TREATMENTS 12

static struct study *parse(const char *more)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *text =
        text_format("name: a\nfactors:\n  arch: [a, b, c, d]\n  size: [32, 64, 96]\n%s", more);
    struct study *study = study_parse("a.yaml", text, strlen(text), &error);
    if (!study)
        fail_msg("%s", error_text(&error));
    return study;
}

static struct planned_run *plan_of(const char *more, size_t *count)
{
    struct error error = ERROR_INIT;
    struct study *study = parse(more);
    struct planned_run *plan;
    assert_int_equal(design_plan(study, &plan, count, &error), 0);
    study_free(study);
    return plan;
}

static bool same_treatment(const struct planned_run *a, const struct planned_run *b)
{
    for (size_t i = 0; i < a->factor_count; i++)
        if (strcmp(a->factors[i].level, b->factors[i].level) != 0)
            return false;
    return true;
}

static void every_cell_stands_once_in_each_repetition(void **state)
{
    (void)state;
    static const char *const orders[] = {"repetitions: 5\ntrain: {}\n",
                                         "order: listed\nrepetitions: 5\ntrain: {}\n"};
    for (size_t o = 0; o < 2; o++) {
        size_t count;
        struct planned_run *plan = plan_of(orders[o], &count);
        assert_int_equal(count, 5 * TREATMENTS);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(plan[i].position, i);
            assert_int_equal(plan[i].repetition, i / TREATMENTS + 1);
            assert_int_equal(plan[i].factor_count, 2);
            assert_string_equal(plan[i].factors[0].factor, "arch");
            for (size_t k = i / TREATMENTS * TREATMENTS; k < i; k++)
                assert_false(same_treatment(&plan[i], &plan[k]));
        }
        design_free(plan, count);
    }
}

static size_t differences(const struct planned_run *a, const struct planned_run *b, size_t count)
{
    size_t different = 0;
    for (size_t i = 0; i < count; i++)
        different += !same_treatment(&a[i], &b[i]);
    return different;
}

static void the_seed_decides_the_order(void **state)
{
    (void)state;
    size_t count;
    struct planned_run *one = plan_of("repetitions: 3\ntrain: {}\n", &count);
    struct planned_run *again = plan_of("repetitions: 3\ntrain: {}\n", &count);
    struct planned_run *two = plan_of("seed: 2\nrepetitions: 3\ntrain: {}\n", &count);
    struct planned_run *listed = plan_of("order: listed\nrepetitions: 3\ntrain: {}\n", &count);
    assert_int_equal(differences(one, again, count), 0);
    assert_true(differences(one, two, count) > count / 2);
    assert_true(differences(one, listed, count) > count / 2);
    assert_true(differences(one, one + TREATMENTS, TREATMENTS) > TREATMENTS / 2);
    assert_string_equal(listed[1].factors[0].level, "a");
    assert_string_equal(listed[1].factors[1].level, "64");
    design_free(one, count);
    design_free(again, count);
    design_free(two, count);
    design_free(listed, count);
}

static void more_repetitions_only_add_runs(void **state)
{
    (void)state;
    size_t few, many;
    struct planned_run *small = plan_of("repetitions: 2\ntrain: {}\n", &few);
    struct planned_run *large = plan_of("repetitions: 7\ntrain: {}\n", &many);
    assert_int_equal(differences(small, large, few), 0);
    design_free(small, few);
    design_free(large, many);
}

static const char *level(const struct planned_run *run, size_t factor)
{
    return run->factors[factor].level;
}

static void excluded_combinations_are_never_run(void **state)
{
    (void)state;
    size_t count;
    struct planned_run *plan = plan_of(
        "repetitions: 3\ntrain: {}\nexclude:\n  - {arch: a, size: [32, 96]}\n  - {arch: [c, d], size: 64}\n"
        "  - arch: b\n",
        &count);
    assert_int_equal(count, 3 * 5); /* a: 64; c and d: 32, 96 */
    for (size_t i = 0; i < count; i++) {
        bool middle = strcmp(level(&plan[i], 1), "64") == 0;
        assert_true(strcmp(level(&plan[i], 0), "b") != 0);
        assert_int_equal(middle, strcmp(level(&plan[i], 0), "a") == 0);
        for (size_t k = i / 5 * 5; k < i; k++)
            assert_false(same_treatment(&plan[i], &plan[k]));
    }
    design_free(plan, count);
}

static void listed_runs_take_the_place_of_all_combinations(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    static const char text[] = "name: a\norder: listed\nrepetitions: 2\nruns:\n  - {arch: b, size: 64}\n"
                               "  - {size: 32, arch: a}\n  - {arch: b, size: 32}\ntrain: {}\n";
    struct study *study = study_parse("a.yaml", text, strlen(text), &error);
    if (!study)
        fail_msg("%s", error_text(&error));
    struct planned_run *plan;
    size_t count;
    assert_int_equal(design_plan(study, &plan, &count, &error), 0);
    static const char *const expected[] = {"arch=b size=64", "arch=a size=32", "arch=b size=32"};
    assert_int_equal(count, 6);
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *label = design_label(&plan[i]);
        assert_string_equal(label, expected[i % 3]);
    }
    design_free(plan, count);
    study_free(study);
}

/* How often the level changes from one run to the next. */
static size_t changes(const struct planned_run *plan, size_t count, size_t factor)
{
    size_t changed = 0;
    for (size_t i = 1; i < count; i++)
        changed += strcmp(level(&plan[i], factor), level(&plan[i - 1], factor)) != 0;
    return changed;
}

static void the_levels_of_a_block_stay_together(void **state)
{
    (void)state;
    size_t count;
    struct planned_run *plan = plan_of("repetitions: 8\nblock: size\ntrain: {}\n", &count);
    size_t first_levels[3] = {0}, first_arch = 0;
    for (size_t r = 0; r < 8; r++) {
        struct planned_run *repetition = plan + r * TREATMENTS;
        assert_int_equal(changes(repetition, TREATMENTS, 1), 2);
        first_levels[0] += strcmp(level(repetition, 1), "32") == 0;
        first_levels[1] += strcmp(level(repetition, 1), "64") == 0;
        first_levels[2] += strcmp(level(repetition, 1), "96") == 0;
        first_arch += strcmp(level(repetition, 0), "a") == 0;
    }
    assert_true(first_levels[0] < 8 && first_levels[1] < 8 && first_levels[2] < 8 && first_arch < 8);
    design_free(plan, count);
    plan = plan_of("order: listed\nblock: size\ntrain: {}\n", &count);
    assert_int_equal(changes(plan, count, 1), 2);
    assert_string_equal(level(&plan[4], 1), "64");
    assert_string_equal(level(&plan[5], 0), "b");
    design_free(plan, count);
    struct planned_run *plain = plan_of("repetitions: 3\ntrain: {}\n", &count);
    plan = plan_of("repetitions: 3\nblock: repetition\ntrain: {}\n", &count);
    assert_int_equal(differences(plain, plan, count), 0);
    design_free(plan, count);
    design_free(plain, count);
}

static void completely_shuffled_mixes_repetitions(void **state)
{
    (void)state;
    size_t count, seen[6] = {0}, turned = 0;
    struct planned_run *plan = plan_of("order: completely shuffled\nrepetitions: 5\ntrain: {}\n", &count);
    assert_int_equal(count, 5 * TREATMENTS);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(plan[i].position, i);
        seen[plan[i].repetition]++;
        turned += i > 0 && plan[i].repetition < plan[i - 1].repetition;
        for (size_t k = 0; k < i; k++)
            assert_false(plan[k].repetition == plan[i].repetition && same_treatment(&plan[i], &plan[k]));
    }
    for (size_t r = 1; r <= 5; r++)
        assert_int_equal(seen[r], TREATMENTS);
    assert_true(turned > 10);
    design_free(plan, count);
}

static char *command_line(const char *more, size_t position)
{
    struct error error = ERROR_INIT;
    struct study *study = parse(more);
    struct planned_run *plan;
    size_t count;
    assert_int_equal(design_plan(study, &plan, &count, &error), 0);
    struct design_places places = {"/bin/joulery-train", "/tmp/scratch"};
    char **command = design_command(study, &plan[position], &places, &error);
    if (!command)
        fail_msg("%s", error_text(&error));
    struct text line = TEXT_INIT;
    for (size_t i = 0; command[i]; i++)
        text_printf(&line, "%s%s", i ? "|" : "", command[i]);
    design_command_free(command);
    design_free(plan, count);
    study_free(study);
    return text_take(&line);
}

static void workloads_are_given_their_levels_and_seed(void **state)
{
    (void)state;
    struct study *study = parse("repetitions: 3\ntrain: {}\n");
    int64_t first = design_seed(study, 1), second = design_seed(study, 2);
    assert_true(first != second && first >= 0 && second >= 0 && first < 1LL << 31 && second < 1LL << 31);
    study_free(study);

    AUTO_FREE char *train = command_line(
        "order: listed\ntrain:\n  epochs: 3\n  augment: true\n  no-validation: false\n  data: shapes:3 0\n",
        5);
    AUTO_FREE char *expected = text_format(
        "/bin/joulery-train|train|--arch|b|--size|96|--epochs|3|--augment|--data|shapes:3 0|--seed|%lld",
        (long long)first);
    assert_string_equal(train, expected);

    AUTO_FREE char *paper = command_line("order: listed\ntrain:\n  augment: paper,jitter:0.2\n", 5);
    AUTO_FREE char *with_value =
        text_format("/bin/joulery-train|train|--arch|b|--size|96|--augment=paper,jitter:0.2|--seed|%lld",
                    (long long)first);
    assert_string_equal(paper, with_value);
    AUTO_FREE char *without = command_line("order: listed\ntrain:\n  augment: false\n", 5);
    assert_null(strstr(without, "augment"));

    AUTO_FREE char *command = command_line(
        "order: listed\nrepetitions: 2\ncommand: x {arch}-{size} r{repetition} s{seed} '{scratch}/o p'\n",
        12);
    AUTO_FREE char *filled = text_format("x|a-32|r2|s%lld|/tmp/scratch/o p", (long long)second);
    assert_string_equal(command, filled);

    AUTO_FREE char *fixed = command_line(
        "fixed: {epochs: 3, lr: 1e-2}\norder: listed\ncommand: x {arch} {size} {epochs} --lr={lr}\n", 0);
    assert_string_equal(fixed, "x|a|32|3|--lr=1e-2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_cell_stands_once_in_each_repetition),
        cmocka_unit_test(the_seed_decides_the_order),
        cmocka_unit_test(more_repetitions_only_add_runs),
        cmocka_unit_test(excluded_combinations_are_never_run),
        cmocka_unit_test(listed_runs_take_the_place_of_all_combinations),
        cmocka_unit_test(the_levels_of_a_block_stay_together),
        cmocka_unit_test(completely_shuffled_mixes_repetitions),
        cmocka_unit_test(workloads_are_given_their_levels_and_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
