#include "synthetic.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "carbon/carbon.h"
#include "known_places.h"
#include "report/analyse.h"
#include "report/figures.h"
#include "report/report.h"
#include "report/svg.h"
#include "report/tables.h"
#include "report/trace.h"

#include <math.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char directory[32];
    char *path;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    snprintf(fixture->directory, sizeof fixture->directory, "/tmp/joulery-XXXXXX");
    if (!mkdtemp(fixture->directory))
        return -1;
    fixture->path = file_join(fixture->directory, "study.db");
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        AUTO_FREE char *path = text_format("%s%s", fixture->path, ends[i]);
        unlink(path);
    }
    rmdir(fixture->directory);
    free(fixture->path);
    free(fixture);
    return 0;
}

static struct report *build(const struct fixture *fixture, const struct synthetic *synthetic,
                            const struct report_options *options, struct error *error)
{
    assert_int_equal(synthetic_store(fixture->path, synthetic, error), 0);
    struct store *store = store_open(fixture->path, STORE_READ, error);
    assert_non_null(store);
    struct report_options with_places = *options;
    with_places.places = known_places();
    struct report *report = report_build(store, &with_places, error);
    store_close(store);
    return report;
}

/* "groups/0/energy_j/mean" */
static json_t *at(json_t *json, const char *path)
{
    AUTO_FREE char *copy = strdup(path);
    char *rest = NULL;
    for (char *part = strtok_r(copy, "/", &rest); part; part = strtok_r(NULL, "/", &rest))
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(part)) : json_object_get(json, part);
    return json;
}

static double number_at(json_t *json, const char *path)
{
    json_t *found = at(json, path);
    assert_true(json_is_number(found));
    return json_number_value(found);
}

static void assert_near(double value, double expected)
{
    assert_true(fabs(value - expected) <= 1e-9 * fabs(expected));
}

static void groups_have_the_figures_that_were_put_in(void **state)
{
    struct error error = ERROR_INIT;
    const struct synthetic synthetic = {.repetitions = 3, .traced = 2, .location = "SWE"};
    struct report *report =
        build(*state, &synthetic, &(struct report_options){.places = known_places()}, &error);
    assert_non_null(report);
    json_t *json = report_to_json(report);
    assert_string_equal(json_string_value(at(json, "schema")), "joulery.report/1");
    assert_int_equal(json_array_size(at(json, "groups")), SYNTHETIC_ARCHS);
    /* by accuracy per kWh the order is that of the table */
    for (size_t i = 0; i < SYNTHETIC_ARCHS; i++) {
        json_t *group = json_array_get(at(json, "groups"), i);
        assert_string_equal(json_string_value(at(group, "label")), synthetic_arch(i, false));
        assert_int_equal(json_integer_value(at(group, "energy_j/n")), 3);
        assert_near(number_at(group, "energy_j/mean"), synthetic_energy_j[i]);
        assert_near(number_at(group, "energy_j/median"), synthetic_energy_j[i]);
        assert_near(number_at(group, "energy_j/sd"), synthetic_energy_j[i] * 0.02);
        assert_near(number_at(group, "energy_j/q1"), synthetic_energy_j[i] * 0.99);
        /* t with 2 degrees of freedom: 4.302652729749462 */
        assert_near(number_at(group, "energy_j/high"),
                    synthetic_energy_j[i] * (1 + 4.302652729749462 * 0.02 / sqrt(3)));
        assert_near(number_at(group, "accuracy/mean"), synthetic_accuracy[i]);
        double score = 0;
        for (int r = -1; r <= 1; r++)
            score +=
                (synthetic_accuracy[i] + 0.01 * r) / (synthetic_energy_j[i] * (1 + 0.02 * r) / J_PER_KWH) / 3;
        assert_near(number_at(group, "accuracy_per_kwh/mean"), score);
        /* packages and memory, each within 2 %, are uncertain together by less */
        assert_true(number_at(group, "instrument_uncertainty") > 0.01);
        assert_true(number_at(group, "instrument_uncertainty") <= 0.02 + 1e-9);
        assert_int_equal(json_is_true(at(group, "front")), i != 2);
        assert_false(json_is_true(at(group, "estimated")));
        double kg = carbon_emissions_kg(synthetic_energy_j[i], 1, known_location("SWE")->intensity_g_per_kwh);
        assert_near(number_at(group, "kg_co2e"), kg);
        const struct location *sweden = known_location("SWE");
        assert_near(number_at(group, "low_kg_co2e"),
                    kg * sweden->low_g_per_kwh / sweden->intensity_g_per_kwh);
        assert_near(number_at(group, "high_kg_co2e"),
                    kg * sweden->high_g_per_kwh / sweden->intensity_g_per_kwh);
    }
    json_decref(json);
    report_free(report);
}

static void epochs_are_summed_and_averaged_over_repetitions(void **state)
{
    struct error error = ERROR_INIT;
    const struct synthetic synthetic = {.repetitions = 3};
    struct report *report =
        build(*state, &synthetic, &(struct report_options){.places = known_places()}, &error);
    assert_non_null(report);
    json_t *json = report_to_json(report);
    assert_int_equal(json_array_size(at(json, "epochs")), SYNTHETIC_ARCHS * SYNTHETIC_EPOCHS);
    for (size_t i = 0; i < json_array_size(at(json, "epochs")); i++) {
        json_t *epoch = json_array_get(at(json, "epochs"), i);
        size_t group = (size_t)json_integer_value(at(epoch, "group"));
        double number = (double)json_integer_value(at(epoch, "epoch"));
        double energy_j = synthetic_energy_j[group] * 0.9 / SYNTHETIC_EPOCHS;
        assert_near(number_at(epoch, "energy_j/mean"), energy_j);
        assert_near(number_at(epoch, "energy_so_far_j/mean"), energy_j * number);
        if (number == SYNTHETIC_EPOCHS)
            assert_near(number_at(epoch, "accuracy/mean"), synthetic_accuracy[group]);
    }
    json_decref(json);
    report_free(report);
}

static void all_factors_that_vary_make_the_groups(void **state)
{
    struct error error = ERROR_INIT;
    const struct synthetic synthetic = {.repetitions = 2, .batches = 2};
    struct report *report =
        build(*state, &synthetic, &(struct report_options){.places = known_places()}, &error);
    assert_non_null(report);
    json_t *json = report_to_json(report);
    assert_int_equal(json_array_size(at(json, "groups")), 2 * SYNTHETIC_ARCHS);
    assert_string_equal(json_string_value(at(json, "groups/0/label")), "lenet5 · batch 32");
    assert_string_equal(json_string_value(at(json, "groups/1/label")), "lenet5 · batch 64");
    assert_string_equal(json_string_value(at(json, "groups/1/main")), "lenet5");
    assert_near(number_at(json, "groups/1/energy_j/mean"), synthetic_energy_j[0] * 1.25);
    assert_true(json_is_true(at(json, "factors/0/main")));
    assert_false(json_is_true(at(json, "factors/1/main")));
    json_decref(json);
    report_free(report);
}

static void the_analysis_is_the_one_that_analyse_makes(void **state)
{
    const struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    const struct synthetic synthetic = {.repetitions = 3, .batches = 2, .location = "SWE"};
    struct report *report = build(fixture, &synthetic, &(struct report_options){.pue = 1.5}, &error);
    assert_non_null(report);
    struct store *store = store_open(fixture->path, STORE_READ, &error);
    assert_non_null(store);
    struct analysis analysis;
    assert_int_equal(
        analyse_build(store, &(struct analyse_options){.places = known_places()}, &analysis, &error), 0);
    json_t *json = report_to_json(report), *alone = analyse_to_json(&analysis);
    assert_string_equal(json_string_value(at(json, "analysis/schema")), "joulery.analysis/1");
    assert_string_equal(json_string_value(at(json, "analysis/location")), "Sweden");
    assert_near(number_at(json, "analysis/pue"), 1.5);
    /* of energy, emissions, duration, accuracy and score the first and the fourth */
    assert_int_equal(json_array_size(at(alone, "responses")), 5);
    assert_int_equal(json_array_size(at(json, "analysis/responses")), 2);
    assert_string_equal(json_string_value(at(json, "analysis/responses/1/response")), "accuracy");
    assert_true(json_equal(at(json, "analysis/responses/0"), at(alone, "responses/0")));
    assert_true(json_equal(at(json, "analysis/responses/1"), at(alone, "responses/3")));
    json_decref(json);
    json_decref(alone);
    analyse_free(&analysis);
    store_close(store);
    report_free(report);
}

static void without_energy_and_accuracy_there_is_no_analysis(void **state)
{
    const struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    const struct synthetic synthetic = {.repetitions = 2, .silent = true};
    assert_int_equal(synthetic_store(fixture->path, &synthetic, &error), 0);
    sqlite3 *database;
    assert_int_equal(sqlite3_open(fixture->path, &database), SQLITE_OK);
    assert_int_equal(
        sqlite3_exec(database, "UPDATE window SET software_j = NULL, hardware_j = NULL", NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(database);
    struct store *store = store_open(fixture->path, STORE_READ, &error);
    assert_non_null(store);
    struct report *report = report_build(store, &(struct report_options){.places = known_places()}, &error);
    assert_non_null(report);
    json_t *json = report_to_json(report);
    assert_true(json_is_null(at(json, "analysis")));
    json_decref(json);
    report_free(report);
    store_close(store);
}

static void failed_and_cut_runs_count_in_no_figure(void **state)
{
    struct error error = ERROR_INIT;
    const struct synthetic synthetic = {.repetitions = 3, .troubles = true, .hostile = true, .apart = true};
    struct report *report =
        build(*state, &synthetic, &(struct report_options){.places = known_places()}, &error);
    assert_non_null(report);
    json_t *json = report_to_json(report);
    assert_int_equal(json_integer_value(at(json, "counts/done")), 12);
    assert_int_equal(json_integer_value(at(json, "counts/failed")), 1);
    assert_int_equal(json_integer_value(at(json, "counts/cut")), 1);
    assert_int_equal(json_integer_value(at(json, "groups/0/energy_j/n")), 3);
    assert_near(number_at(json, "groups/0/energy_j/mean"), synthetic_energy_j[0]);
    json_t *last = json_array_get(at(json, "runs"), 13);
    assert_string_equal(json_string_value(at(last, "state")), "failed");
    assert_non_null(strstr(json_string_value(at(last, "output_tail")), "onerror"));
    assert_int_equal(json_integer_value(at(json, "instruments/0/gaps")), 1);
    assert_true(json_is_false(at(json, "instruments/0/apart")) &&
                json_is_true(at(json, "instruments/1/apart")));
    json_decref(json);
    report_free(report);
}

static void without_marks_there_is_an_answer_about_energy(void **state)
{
    struct error error = ERROR_INIT;
    const struct synthetic synthetic = {.repetitions = 3, .silent = true, .estimated = true};
    struct report *report =
        build(*state, &synthetic, &(struct report_options){.places = known_places()}, &error);
    assert_non_null(report);
    json_t *json = report_to_json(report);
    assert_true(json_is_null(at(json, "accuracy")));
    assert_true(json_is_null(at(json, "groups/0/accuracy_per_kwh")));
    assert_true(json_is_true(at(json, "groups/0/estimated")));
    assert_int_equal(json_array_size(at(json, "epochs")), 0);
    AUTO_FREE char *answer = report_answer(report);
    assert_non_null(strstr(answer, "lenet5 used the least energy: 812 J a run, estimated"));
    assert_non_null(strstr(answer, "estimates from a model, not measurements"));
    json_decref(json);
    report_free(report);
}

static bool warns(json_t *json, const char *part)
{
    size_t i;
    json_t *threat;
    json_array_foreach(at(json, "answer/threats"), i,
                       threat) if (strstr(json_string_value(threat), part)) return true;
    return false;
}

/* In the synthetic study repetition by repetition takes more, from 2 % less than the mean to 2 % more. */
/* 10 of 30 s; nothing of the other runs is known, but what a note says of one. */
static void disturbed_runs_are_said(void **state)
{
    const struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    struct report *report = build(fixture, &(struct synthetic){.repetitions = 3},
                                  &(struct report_options){.places = known_places()}, &error);
    assert_non_null(report);
    json_t *json = report_to_json(report);
    assert_false(warns(json, "Disturbed runs"));
    json_decref(json);
    report_free(report);
    struct store *store = store_open(fixture->path, STORE_WRITE, &error);
    static const char sql[] =
        "UPDATE run SET machine_cpu_s = 30, command_cpu_s = 20, recorder_cpu_s = 0 WHERE id = 1;"
        "INSERT INTO note VALUES (2, 'disturbed: other programs took about 50 % of the processors'' busy "
        "time')";
    assert_int_equal(sqlite3_exec(store_database(store), sql, NULL, NULL, NULL), SQLITE_OK);
    report = report_build(store, &(struct report_options){.places = known_places()}, &error);
    assert_non_null(report);
    json = report_to_json(report);
    assert_true(warns(json,
                      "Disturbed runs: in 2 runs other programs took more than 10 % of the processors' busy "
                      "time, at the most 50 %"));
    json_decref(json);
    report_free(report);
    store_close(store);
}

static void what_may_mislead_is_said(void **state)
{
    static const struct {
        struct synthetic synthetic;
        bool few, drift, estimates, missing;
    } cases[] = {
        {{.repetitions = 1}, true, false, false, false},
        {{.repetitions = 6}, false, true, false, false},
        {{.repetitions = 3, .estimated = true}, false, true, true, false},
        {{.repetitions = 3, .troubles = true}, false, true, false, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        void *fixture;
        assert_int_equal(setup(&fixture), 0);
        struct report *report =
            build(fixture, &cases[i].synthetic, &(struct report_options){.places = known_places()}, &error);
        assert_non_null(report);
        json_t *json = report_to_json(report);
        assert_true(warns(json, "Few repetitions: ") == cases[i].few);
        assert_true(warns(json, "Drift: energies rose by ") == cases[i].drift);
        assert_true(warns(json, "Estimates: ") == cases[i].estimates);
        assert_true(warns(json, "Missing runs: 1 failed") == cases[i].missing);
        json_decref(json);
        report_free(report);
        teardown(&fixture);
    }
    (void)state;
}

static void a_place_with_a_pue_of_its_own_is_reckoned_with_it_unless_one_is_given(void **state)
{
    struct error error = ERROR_INIT;
    const struct synthetic synthetic = {.repetitions = 3};
    static const double given[] = {0, 1.4};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        remove(((const struct fixture *)*state)->path);
        struct report *report =
            build(*state, &synthetic, &(struct report_options){.location = "gcp:us-west1", .pue = given[i]},
                  &error);
        assert_non_null(report);
        json_t *json = report_to_json(report);
        assert_near(number_at(json, "emissions/pue"), given[i] > 0 ? given[i] : 1.1);
        assert_int_equal(json_is_string(at(json, "emissions/pue_source")), given[i] == 0);
        assert_int_equal(json_is_true(at(json, "emissions/pue_given")), given[i] > 0);
        assert_true(json_is_null(at(json, "groups/0/low_kg_co2e"))); /* no range is known */
        AUTO_FREE char *answer = report_answer(report);
        assert_int_equal(!strstr(answer, "of Google's data centres, 2024"), given[i] > 0);
        assert_null(strstr(answer, "by the range of its intensity"));
        json_decref(json);
        report_free(report);
    }
}

/* Places called as the synthetic study's architectures are. */
static void where_each_run_has_a_place_no_places_pue_stands_for_all(void **state)
{
    struct error error = ERROR_INIT;
    const struct fixture *fixture = *state;
    static const char table[] = "code,name,g_per_kwh,pue,source\nlenet5,A,100,1.5,s\nresnet18,B,200,,s\n"
                                "vgg16,C,300,,s\nresnet50,D,400,,s\n";
    assert_int_equal(synthetic_store(fixture->path, &(struct synthetic){.repetitions = 3}, &error), 0);
    struct places *places = places_parse(table, strlen(table), "own.csv", &error);
    assert_non_null(places);
    static const char *const factors[] = {NULL, "arch"};
    static const char *const among[] = {"lenet5"};
    for (size_t i = 0; i < sizeof factors / sizeof *factors; i++) {
        struct store *store = store_open(fixture->path, STORE_READ, &error);
        const struct report_options options = {.places = places,
                                               .location = "lenet5",
                                               .site_factor = factors[i],
                                               .among = among,
                                               .among_count = 1};
        struct report *report = report_build(store, &options, &error);
        assert_non_null(report);
        json_t *json = report_to_json(report);
        assert_near(number_at(json, "emissions/pue"), factors[i] ? 1 : 1.5);
        double kg = synthetic_energy_j[1] / J_PER_KWH * (factors[i] ? 200 : 1.5 * 100) / 1000;
        size_t g;
        json_t *group;
        json_array_foreach(json_object_get(json, "groups"), g, group)
        {
            if (strcmp(json_string_value(json_object_get(group, "main")), "resnet18") == 0)
                assert_near(number_at(group, "kg_co2e"), kg);
        }
        json_decref(json);
        report_free(report);
        store_close(store);
    }
    places_close(places);
}

static void making_the_machine_is_shared_out_and_added_to_nothing(void **state)
{
    struct error error = ERROR_INIT;
    const struct synthetic synthetic = {.repetitions = 3};
    /* by hand: a machine of 1000 kg in 1e7 s is 0.1 g a second */
    const struct report_options options = {.location = "SWE", .embodied = {1000, 1e7}};
    struct report *report = build(*state, &synthetic, &options, &error);
    assert_non_null(report);
    json_t *json = report_to_json(report);
    double wall_s = 0;
    size_t i;
    json_t *run, *runs = json_object_get(json, "runs");
    json_array_foreach(runs, i, run) wall_s += json_number_value(json_object_get(run, "wall_s"));
    assert_near(number_at(json, "emissions/embodied/wall_s"), wall_s);
    assert_near(number_at(json, "emissions/embodied/kg_co2e"), wall_s * 1e-4);
    double kg = carbon_emissions_kg(synthetic_energy_j[0], 1, known_location("SWE")->intensity_g_per_kwh);
    assert_near(number_at(json, "groups/0/kg_co2e"), kg);
    AUTO_FREE char *answer = report_answer(report);
    assert_non_null(strstr(answer, "not in the figures above"));
    json_decref(json);
    report_free(report);
}

static void the_answer_says_by_how_much_and_how_sure(void **state)
{
    struct error error = ERROR_INIT;
    const struct synthetic synthetic = {.repetitions = 3};
    const struct report_options options = {.location = "germany", .pue = 1.5};
    struct report *report = build(*state, &synthetic, &options, &error);
    assert_non_null(report);
    AUTO_FREE char *answer = report_answer(report);
    assert_non_null(strstr(answer, "lenet5 bought the most accuracy per joule: 54.0 % for 812 J."));
    /* golden: (0.54 / 812) / (0.78 / 2410) and its like for the other repetitions, geometric mean 2.0538 */
    assert_non_null(strstr(answer, "2.05 times the accuracy of resnet18"));
    assert_non_null(strstr(answer, "do not overlap"));
    assert_non_null(strstr(answer, "On the Pareto front: lenet5, resnet18, resnet50. Not on it: vgg16;"));
    assert_non_null(strstr(answer, "CO2e in Germany"));
    assert_non_null(strstr(answer, "PUE 1.50"));
    assert_non_null(strstr(answer, "by the range of its intensity, 291 to 483 g/kWh"));
    report_free(report);
}

static void one_run_of_each_kind_claims_no_certainty(void **state)
{
    struct error error = ERROR_INIT;
    const struct synthetic synthetic = {.repetitions = 1};
    struct report *report =
        build(*state, &synthetic, &(struct report_options){.places = known_places()}, &error);
    assert_non_null(report);
    AUTO_FREE char *answer = report_answer(report);
    assert_non_null(strstr(answer, "no interval: too few repetitions"));
    assert_null(strstr(answer, "do not overlap"));
    assert_null(strstr(answer, "more than repetitions"));
    report_free(report);
}

static void what_cannot_be_reported_is_said(void **state)
{
    struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    const struct synthetic unfinished = {.repetitions = 2, .unfinished = true};
    assert_null(build(fixture, &unfinished, &(struct report_options){.places = known_places()}, &error));
    assert_non_null(strstr(error_text(&error), "no finished run yet"));
    error_clear(&error);
}

static void a_place_that_does_not_exist_names_the_nearest(void **state)
{
    struct error error = ERROR_INIT;
    const struct synthetic synthetic = {.repetitions = 1};
    const struct report_options options = {.location = "Swedne"};
    assert_null(build(*state, &synthetic, &options, &error));
    assert_non_null(strstr(error_text(&error), "did you mean Sweden?"));
    error_clear(&error);
}

static void nothing_from_outside_gets_out_of_the_page(void **state)
{
    struct error error = ERROR_INIT;
    const struct synthetic synthetic = {.repetitions = 2, .hostile = true, .troubles = true, .traced = 4};
    struct report *report =
        build(*state, &synthetic, &(struct report_options){.places = known_places()}, &error);
    assert_non_null(report);
    size_t size;
    AUTO_FREE char *page = report_page(report, &size, &error);
    assert_non_null(page);
    assert_int_equal(strlen(page), size);
    assert_null(strstr(page, "<img src=x"));
    assert_null(strstr(page, "JOULERY_DATA"));
    assert_non_null(strstr(page, "\\u003cimg src=x onerror"));
    assert_non_null(strstr(page, "<title>quick&lt;/script&gt;&lt;img src=x"));
    report_free(report);
}

static void traces_keep_their_energy_when_they_are_thinned(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct trace_bins bins;
    assert_int_equal(trace_bins_init(&bins, 2, 7, 10, &error), 0);
    double sum_j = 0;
    for (int i = 0; i < 93; i++) {
        struct trace_sample sample = {1, i * 0.1, 0.1, 50 + 13 * sin(i)};
        sum_j += sample.power_w * sample.wall_s;
        trace_bins_add(&bins, &sample);
    }
    trace_bins_add(&bins, &(struct trace_sample){2, 0, 1, 1e6}); /* no such channel */
    trace_bins_add(&bins, &(struct trace_sample){1, 9.3, 0, 1e6});
    trace_bins_add(&bins, &(struct trace_sample){1, 9.3, 1, NAN});
    double kept_j = 0, covered_s = 0;
    for (size_t bin = 0; bin < 7; bin++) {
        assert_true(isnan(trace_bins_power(&bins, 0, bin)));
        kept_j += trace_bins_power(&bins, 1, bin) * bins.covered_s[7 + bin];
        covered_s += bins.covered_s[7 + bin];
    }
    assert_near(kept_j, sum_j);
    assert_near(covered_s, 9.3);
    trace_bins_free(&bins);
    /* one long sample over all bins, and beyond the end */
    assert_int_equal(trace_bins_init(&bins, 1, 4, 8, &error), 0);
    trace_bins_add(&bins, &(struct trace_sample){0, 1, 9, 20});
    assert_near(bins.covered_s[0], 1);
    assert_near(bins.covered_s[1], 2);
    assert_near(bins.covered_s[3], 4);
    assert_near(trace_bins_power(&bins, 0, 3), 20);
    trace_bins_free(&bins);
}

#define FIRST_RUN_S 1795000000
#define BOUNDARY_S  (FIRST_RUN_S + 8 * 90)

static void write_profile(const char *path, int64_t end_s)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *from = clock_iso8601((int64_t)FIRST_RUN_S * NS_PER_S),
                   *middle = clock_iso8601((int64_t)BOUNDARY_S * NS_PER_S),
                   *end = clock_iso8601(end_s * NS_PER_S);
    AUTO_FREE char *text =
        text_format("from,to,g_per_kwh\n%s,%s,100\n%s,%s,200\n", from, middle, middle, end);
    assert_int_equal(file_write(path, text, strlen(text), &error), 0);
}

/* Charged by a profile of 100 g/kWh until a boundary and 200 after it. */
static void runs_are_charged_by_the_hour_they_ran_in(void **state)
{
    const struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    AUTO_FREE char *path = text_format("%s.csv", fixture->path);
    write_profile(path, BOUNDARY_S + 86400);
    struct report *report = build(fixture, &(struct synthetic){.repetitions = 5},
                                  &(struct report_options){.location = "POL", .hourly = path}, &error);
    assert_non_null(report);
    json_t *json = report_to_json(report), *run;
    size_t i, before = 0, after = 0;
    double kg = 0;
    json_array_foreach(json_object_get(json, "runs"), i, run)
    {
        int64_t ns;
        assert_int_equal(clock_parse_iso8601(json_string_value(json_object_get(run, "started")), &ns), 0);
        double start_s = (double)ns / NS_PER_S, intensity = number_at(run, "intensity_g_per_kwh");
        kg += number_at(run, "energy_j") / J_PER_KWH * intensity / 1000;
        if (start_s + number_at(run, "wall_s") <= BOUNDARY_S)
            before++, assert_near(intensity, 100);
        else if (start_s >= BOUNDARY_S)
            after++, assert_near(intensity, 200);
        else
            assert_true(intensity > 100 && intensity < 200);
    }
    assert_true(before > 3 && after > 3);
    double grouped = 0;
    json_t *group;
    json_array_foreach(json_object_get(json, "groups"), i, group) grouped +=
        number_at(group, "kg_co2e") * number_at(group, "energy_j/n");
    assert_near(grouped, kg);
    assert_near(number_at(json, "emissions/hourly/part"), 1);
    json_decref(json);
    report_free(report);
    unlink(path);
}

/* What a profile does not reach is charged by the yearly figure, and told. */
static void a_profile_that_ends_early_is_said(void **state)
{
    const struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    AUTO_FREE char *path = text_format("%s.csv", fixture->path);
    write_profile(path, BOUNDARY_S + 90);
    struct report *report = build(fixture, &(struct synthetic){.repetitions = 5},
                                  &(struct report_options){.location = "POL", .hourly = path}, &error);
    json_t *json = report_to_json(report);
    double part = number_at(json, "emissions/hourly/part");
    assert_true(part > 0.2 && part < 0.8);
    double poland = known_location("POL")->intensity_g_per_kwh, most = 0;
    json_t *run;
    size_t i;
    json_array_foreach(json_object_get(json, "runs"), i, run) most =
        fmax(most, number_at(run, "intensity_g_per_kwh"));
    assert_near(most, poland);
    /* the range is of what the yearly figure charges: a file of one column has none */
    double energy_j = 0, below_kg = 0, low = known_location("POL")->low_g_per_kwh;
    json_t *group;
    json_array_foreach(json_object_get(json, "groups"), i, group)
    {
        energy_j += number_at(group, "energy_j/n") * number_at(group, "energy_j/mean");
        below_kg +=
            number_at(group, "energy_j/n") * (number_at(group, "kg_co2e") - number_at(group, "low_kg_co2e"));
    }
    assert_near(below_kg, carbon_emissions_kg((1 - part) * energy_j, 1, poland - low));
    AUTO_FREE char *answer = report_answer(report);
    assert_non_null(strstr(answer, "% of the energy by the hour"));
    json_decref(json);
    report_free(report);
    unlink(path);
    unlink(fixture->path);
    assert_null(build(fixture, &(struct synthetic){.repetitions = 1},
                      &(struct report_options){.location = "POL", .hourly = path}, &error));
    assert_non_null(strstr(error_text(&error), path));
    unlink(fixture->path);
    assert_null(build(fixture, &(struct synthetic){.repetitions = 1},
                      &(struct report_options){.hourly = path}, &error));
    assert_non_null(strstr(error_text(&error), "--hourly needs a place"));
    error_clear(&error);
}

/* The tables of a store with two instruments and names that LaTeX would take for its own. */
static void tables_for_a_paper_are_whole_and_escaped(void **state)
{
    const struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    const struct synthetic synthetic = {.repetitions = 3, .walled = true, .hostile = true};
    assert_int_equal(synthetic_store(fixture->path, &synthetic, &error), 0);
    struct store *store = store_open(fixture->path, STORE_READ, &error);
    assert_non_null(store);
    const struct report_options options = {.places = known_places(), .location = "POL"};
    struct report *report = report_build(store, &options, &error);
    assert_non_null(report);
    AUTO_FREE char *folder = text_format("%s.tex", fixture->path), *written = NULL;
    if (report_write_tables(report, store, &options, folder, &written, &error) < 0)
        fail_msg("%s", error_text(&error));
    assert_string_equal(written, "summary.tex, analysis.tex, agreement.tex");
    static const char *const names[] = {"summary.tex", "analysis.tex", "agreement.tex"};
    for (size_t i = 0; i < 3; i++) {
        AUTO_FREE char *path = file_join(folder, names[i]), *text = file_read(path, 1 << 20, NULL, &error);
        assert_non_null(text);
        assert_non_null(strstr(text, "\\toprule"));
        assert_null(strstr(text, "</script>"));
        assert_null(strstr(text, "<b>"));
        if (i == 0) {
            assert_non_null(strstr(text, "lenet5 & 3 & $0.812$"));
            assert_non_null(strstr(text, "Poland"));
        }
        unlink(path);
    }
    rmdir(folder);
    AUTO_FREE char *nothing = NULL;
    assert_int_equal(report_write_tables(report, store, &options, fixture->path, &nothing, &error), -1);
    assert_non_null(strstr(error_text(&error), fixture->path));
    error_clear(&error);
    report_free(report);
    store_close(store);
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
        count++;
    return count;
}

/* 0.3 and 0.1 + 0.2 are no scale: no step tells them apart. */
static void axes_of_values_that_rounding_tells_apart_end(void **state)
{
    (void)state;
    struct svg svg;
    svg_begin(&svg, 100, 100, "title", "description");
    svg.x = (struct svg_scale){0.3, 0.1 + 0.2, 10, 90};
    svg.y = (struct svg_scale){-5, -5, 90, 10};
    svg_scale_round(&svg.x);
    svg_scale_round(&svg.y);
    assert_true(svg.x.high - svg.x.low > 0.01 && svg.y.low < -5 && svg.y.high > -5);
    svg_axes(&svg, "x", "y");
    AUTO_FREE char *document = svg_end(&svg);
    assert_true(count_of(document, "<line") > 6 && count_of(document, "<line") < 100);
}

/* Every run is a dot; what comes from outside is text and nothing else; nothing outside is referred to. */
static void figures_for_a_paper_show_every_run(void **state)
{
    const struct fixture *fixture = *state;
    struct error error = ERROR_INIT;
    const struct synthetic synthetic = {.repetitions = 3, .walled = true, .hostile = true};
    assert_int_equal(synthetic_store(fixture->path, &synthetic, &error), 0);
    struct store *store = store_open(fixture->path, STORE_READ, &error);
    struct report *report =
        report_build(store, &(struct report_options){.places = known_places(), .location = "POL"}, &error);
    assert_non_null(report);
    AUTO_FREE char *folder = text_format("%s.svg", fixture->path), *written = NULL, *nothing = NULL;
    if (report_write_figures(report, store, folder, FIGURE_WIDTH_MM, &written, &error) < 0)
        fail_msg("%s", error_text(&error));
    static const struct {
        const char *name;
        size_t dots;
    } figures[] = {{"energy.svg", 12}, {"duration.svg", 12},  {"power.svg", 12},    {"accuracy.svg", 12},
                   {"score.svg", 12},  {"emissions.svg", 12}, {"tradeoff.svg", 4},  {"epochs.svg", 20},
                   {"order.svg", 12},  {"places.svg", 0},     {"agreement.svg", 12}};
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        AUTO_FREE char *path = file_join(folder, figures[i].name),
                       *text = file_read(path, 1 << 20, NULL, &error);
        assert_non_null(strstr(written, figures[i].name));
        assert_non_null(text);
        assert_int_equal(count_of(text, "<circle "), figures[i].dots);
        assert_int_equal(count_of(text, "http"), 1); /* the name space */
        assert_null(strstr(text, "href"));
        assert_null(strstr(text, "<script"));
        assert_null(strstr(text, "<b>"));
        assert_null(strstr(text, "nan"));
        AUTO_FREE char *command =
            text_format("python3 -c 'import sys, xml.dom.minidom as m; m.parse(sys.argv[1])' %s", path);
        assert_int_equal(system(command), 0);
        unlink(path);
    }
    rmdir(folder);
    assert_int_equal(report_write_figures(report, store, fixture->path, FIGURE_WIDTH_MM, &nothing, &error),
                     -1);
    assert_non_null(strstr(error_text(&error), fixture->path));
    error_clear(&error);
    report_free(report);
    store_close(store);
}

#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_STORE(groups_have_the_figures_that_were_put_in),
        WITH_STORE(epochs_are_summed_and_averaged_over_repetitions),
        WITH_STORE(all_factors_that_vary_make_the_groups),
        WITH_STORE(the_analysis_is_the_one_that_analyse_makes),
        WITH_STORE(without_energy_and_accuracy_there_is_no_analysis),
        WITH_STORE(failed_and_cut_runs_count_in_no_figure),
        WITH_STORE(without_marks_there_is_an_answer_about_energy),
        WITH_STORE(where_each_run_has_a_place_no_places_pue_stands_for_all),
        WITH_STORE(making_the_machine_is_shared_out_and_added_to_nothing),
        WITH_STORE(a_place_with_a_pue_of_its_own_is_reckoned_with_it_unless_one_is_given),
        WITH_STORE(the_answer_says_by_how_much_and_how_sure),
        WITH_STORE(one_run_of_each_kind_claims_no_certainty),
        WITH_STORE(what_cannot_be_reported_is_said),
        WITH_STORE(a_place_that_does_not_exist_names_the_nearest),
        WITH_STORE(nothing_from_outside_gets_out_of_the_page),
        cmocka_unit_test(what_may_mislead_is_said),
        WITH_STORE(runs_are_charged_by_the_hour_they_ran_in),
        WITH_STORE(a_profile_that_ends_early_is_said),
        cmocka_unit_test(axes_of_values_that_rounding_tells_apart_end),
        WITH_STORE(figures_for_a_paper_show_every_run),
        WITH_STORE(tables_for_a_paper_are_whole_and_escaped),
        cmocka_unit_test_setup_teardown(disturbed_runs_are_said, setup, teardown),
        cmocka_unit_test(traces_keep_their_energy_when_they_are_thinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
