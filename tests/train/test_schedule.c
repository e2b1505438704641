/* Learning rates as PyTorch's schedulers give them (schedules.py), and scores as scikit-learn's. */
#include "base/file.h"
#include "base/text.h"
#include "train/schedule.h"
#include "train/score.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void check_line(const char *line)
{
    struct error error = ERROR_INIT;
    struct schedule s = {0};
    char kind[16];
    uint64_t units;
    int at = 0;
    size_t names;
    if (sscanf(line, "%15s %lf %" SCNu64 " %lf %lf %" SCNu64 " %lf %" SCNu64 "%n", kind, &s.rate, &s.step,
               &s.gamma, &s.least, &s.warmup, &s.warmup_start, &units, &at) != 8)
        fail_msg("broken golden file: %s", line);
    while (strcmp(schedule_names(&names)[s.kind], kind))
        s.kind++;
    assert_int_equal(schedule_check(&s, units, &error), 0);
    char *number = (char *)line + at;
    for (uint64_t i = 0; i < units; i++) {
        double expected = strtod(number, &number), found = schedule_rate(&s, i, units);
        if (!(fabs(found - expected) <= 1e-8 * expected))
            fail_msg("%s: unit %" PRIu64 ": expected %.9g, found %.9g", kind, i, expected, found);
    }
}

static void rates_are_pytorchs(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    size_t size, checked = 0;
    const char *directory = getenv("JOULERY_TEST_DATA");
    AUTO_FREE char *path = file_join(directory ? directory : "tests/data", "train_schedules.txt");
    AUTO_FREE char *text = file_read(path, 1 << 20, &size, &error);
    if (!text)
        fail_msg("%s", error_text(&error));
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n")) && *line; checked++)
        check_line(line);
    assert_int_equal(checked, 6);
}

static void refused(struct schedule schedule, uint64_t units, const char *said)
{
    struct error error = ERROR_INIT;
    assert_int_equal(schedule_check(&schedule, units, &error), -1);
    if (!strstr(error_text(&error), said))
        fail_msg("expected '%s' in: %s", said, error_text(&error));
    error_clear(&error);
}

static void schedules_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    refused((struct schedule){.rate = 1, .warmup = 5}, 5, "a warm-up of 5 epochs in a run of 5");
    refused((struct schedule){.rate = 1, .warmup = 9, .per_step = true}, 5, "a warm-up of 9 steps");
    refused((struct schedule){.rate = 1, .warmup = 1, .warmup_start = 2}, 5, "expected 0 to 1");
    refused((struct schedule){.kind = SCHEDULE_STEP, .rate = 1, .gamma = 0.1}, 5, "without its length");
    refused((struct schedule){.kind = SCHEDULE_STEP, .rate = 1, .step = 1}, 5, "expected more than 0");
    refused((struct schedule){.kind = SCHEDULE_COSINE, .rate = 1, .least = 2}, 5, "least learning rate 2");
}

static void macro_f1_is_scikit_learns(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct confusion confusion;
    assert_int_equal(confusion_init(&confusion, 4, 5, &error), 0);
    assert_true(isnan(confusion_macro_f1(&confusion)));
    /* class 0: TP 2, FP 1; 1: FP 2, FN 2; 2: FP 1, FN 2: F1 0.8, 0, 0; classes 3 and 4 never occur */
    const int32_t labels[] = {0, 1, 2, 0, 1, 2}, predictions[] = {0, 2, 1, 0, 0, 1};
    confusion_add(&confusion, labels, predictions, 6);
    assert_true(fabs(confusion_macro_f1(&confusion) - 0.8 / 3) < 1e-12);
    assert_int_equal(confusion.counts[2 * 5 + 1], 2);
    /* an answer that no label is makes a fourth class, with F1 0 */
    confusion_add(&confusion, (const int32_t[]){0}, (const int32_t[]){4}, 1);
    assert_true(fabs(confusion_macro_f1(&confusion) - 4.0 / 6 / 4) < 1e-12);
    confusion_clear(&confusion);
    assert_true(isnan(confusion_macro_f1(&confusion)));
    confusion_free(&confusion);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_pytorchs),
        cmocka_unit_test(schedules_that_make_no_sense_are_refused),
        cmocka_unit_test(macro_f1_is_scikit_learns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
