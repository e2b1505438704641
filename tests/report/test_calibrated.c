/* A study with a wattmeter calibrates; one without it is told what the wall drew. synthetic.h: 60 W + 1.15 x
 * software. */
#include "synthetic.h"

#include "base/file.h"
#include "base/text.h"
#include "calibrate/given.h"
#include "known_places.h"
#include "report/report.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const struct evidence_origin runs = {"given runs", "settings", "runs"};

static struct store *make_store(const char *path, const struct synthetic *synthetic)
{
    struct error error = ERROR_INIT;
    if (synthetic_store(path, synthetic, &error) < 0)
        fail_msg("%s", error_text(&error));
    struct store *store = store_open(path, STORE_READ, &error);
    assert_non_null(store);
    return store;
}

static void drop_store(struct store *store, const char *path)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    store_close(store);
    for (size_t i = 0; i < 3; i++) {
        AUTO_FREE char *file = text_format("%s%s", path, ends[i]);
        unlink(file);
    }
}

static struct calibration calibrate(bool epochs)
{
    char folder[] = "/tmp/joulery-XXXXXX";
    struct error error = ERROR_INIT;
    assert_non_null(mkdtemp(folder));
    AUTO_FREE char *path = file_join(folder, "walled.db");
    struct store *store = make_store(path, &(struct synthetic){.repetitions = 3, .walled = true});
    struct evidence evidence = {0};
    struct calibration calibration;
    const struct given_options options = {.name = "walled.db", .epochs = epochs};
    assert_int_equal(given_add(&evidence, store, &options, &error), 0);
    if (calibration_fit(&evidence, &runs, &calibration, &error) < 0)
        fail_msg("%s", error_text(&error));
    evidence_free(&evidence);
    drop_store(store, path);
    rmdir(folder);
    return calibration;
}

/* The store's figures are exact: what is left is rounding. */
static bool is_near(double value, double truth)
{
    return fabs(value - truth) < 1e-6 * truth;
}

static void given_runs_recover_the_line_that_they_lie_on(void **state)
{
    (void)state;
    for (int epochs = 0; epochs < 2; epochs++) {
        struct calibration c = calibrate(epochs);
        assert_int_equal(c.windows, epochs ? 3 * SYNTHETIC_ARCHS * SYNTHETIC_EPOCHS : 3 * SYNTHETIC_ARCHS);
        assert_true(c.groups == SYNTHETIC_ARCHS && strcmp(c.groups_are, "settings") == 0);
        /* memory is an eighth of the total, always: it has no term, and its share is in the processor's */
        assert_true(c.scopes[SCOPE_CPU].term == 1 && c.scopes[SCOPE_DRAM].term == 0);
        assert_true(is_near(c.fit.coefficients[0], 60) && is_near(c.fit.coefficients[1], 1.15 / 0.875));
        calibration_free(&c);
    }
}

static json_t *report_of(const struct synthetic *synthetic, const struct calibration *calibration,
                         char **answer)
{
    char folder[] = "/tmp/joulery-XXXXXX";
    struct error error = ERROR_INIT;
    assert_non_null(mkdtemp(folder));
    AUTO_FREE char *path = file_join(folder, "study.db");
    struct store *store = make_store(path, synthetic);
    struct report *report = report_build(
        store, &(struct report_options){.places = known_places(), .calibration = calibration}, &error);
    if (!report)
        fail_msg("%s", error_text(&error));
    json_t *json = report_to_json(report);
    *answer = report_answer(report);
    report_free(report);
    drop_store(store, path);
    rmdir(folder);
    return json;
}

static double number(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void runs_without_a_wattmeter_are_told_their_wall_energy(void **state)
{
    (void)state;
    struct calibration c = calibrate(false);
    AUTO_FREE char *answer = NULL;
    json_t *json = report_of(&(struct synthetic){.repetitions = 3}, &c, &answer);
    const json_t *all = json_object_get(json, "runs");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *run = json_array_get(all, i), *wall = json_object_get(run, "calibrated");
        double truth_j = 60 * number(run, "wall_s") + 1.15 * number(run, "energy_j");
        assert_true(is_near(number(wall, "wall_j"), truth_j));
        assert_true(number(wall, "low_j") < truth_j && truth_j < number(wall, "high_j"));
        assert_true(json_is_null(json_object_get(run, "hardware_j"))); /* never mixed */
    }
    const json_t *group = json_array_get(json_object_get(json, "groups"), 0);
    assert_true(number(json_object_get(group, "calibrated"), "wall_j") >
                number(json_object_get(group, "energy_j"), "mean"));
    const json_t *calibration = json_object_get(json, "calibration");
    assert_string_equal(json_string_value(json_object_get(calibration, "calibration")) + 20,
                        ", given runs of 12 windows");
    assert_false(json_is_true(json_object_get(calibration, "estimated")));
    assert_int_equal(json_array_size(json_object_get(calibration, "warnings")), 0);
    assert_non_null(strstr(answer, "At the wall, predicted where no wattmeter measured (calibration of 20"));
    assert_non_null(strstr(answer, "mean of 3 runs"));
    json_decref(json);
    calibration_free(&c);
}

static void what_a_wattmeter_measured_is_not_predicted(void **state)
{
    (void)state;
    struct calibration c = calibrate(false);
    AUTO_FREE char *answer = NULL;
    json_t *json = report_of(&(struct synthetic){.repetitions = 2, .walled = true}, &c, &answer);
    const json_t *all = json_object_get(json, "runs");
    for (size_t i = 0; i < json_array_size(all); i++)
        assert_true(json_is_null(json_object_get(json_array_get(all, i), "calibrated")));
    json_decref(json);
    calibration_free(&c);
}

static void a_calibration_that_fits_no_run_is_an_error(void **state)
{
    (void)state;
    struct calibration c = calibrate(false);
    char folder[] = "/tmp/joulery-XXXXXX";
    struct error error = ERROR_INIT;
    assert_non_null(mkdtemp(folder));
    AUTO_FREE char *path = file_join(folder, "study.db");
    struct store *store = make_store(path, &(struct synthetic){.repetitions = 2, .estimated = true});
    assert_null(
        report_build(store, &(struct report_options){.places = known_places(), .calibration = &c}, &error));
    assert_non_null(strstr(error_text(&error),
                           "the calibration fits no run: not predicted: the calibration was made "
                           "with other instruments or hardware: the cpu's channels were "
                           "rapl/package-0, and here are model/cpu"));
    error_clear(&error);
    drop_store(store, path);
    rmdir(folder);
    calibration_free(&c);
}

static void runs_of_another_machine_can_be_passed_over(void **state)
{
    (void)state;
    char folder[] = "/tmp/joulery-XXXXXX";
    struct error error = ERROR_INIT;
    assert_non_null(mkdtemp(folder));
    AUTO_FREE char *path = file_join(folder, "walled.db");
    struct store *store = make_store(path, &(struct synthetic){.repetitions = 3, .walled = true});
    struct evidence evidence = {0};
    const struct given_options options = {.name = "walled.db", .host = "another"};
    assert_int_equal(given_add(&evidence, store, &options, &error), 0);
    assert_true(evidence.count == 0 && evidence.unusable == 0);
    evidence_free(&evidence);
    drop_store(store, path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(given_runs_recover_the_line_that_they_lie_on),
        cmocka_unit_test(runs_without_a_wattmeter_are_told_their_wall_energy),
        cmocka_unit_test(what_a_wattmeter_measured_is_not_predicted),
        cmocka_unit_test(a_calibration_that_fits_no_run_is_an_error),
        cmocka_unit_test(runs_of_another_machine_can_be_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
