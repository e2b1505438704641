/* Analyses of stores with known figures. Golden values: tests/stats/golden_groups.R. */
#include "report/analyse.h"
#include "synthetic.h"

#include "base/text.h"
#include "carbon/carbon.h"
#include "known_places.h"

#include <math.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A finished run; energy_j NAN: not known. */
struct made_run {
    const char *arch, *batch; /* batch NULL: no such factor */
    double energy_j;
};

struct fixture {
    char path[32];
    struct store *store;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    strcpy(fixture->path, "/tmp/joulery-analyse-XXXXXX");
    close(mkstemp(fixture->path));
    unlink(fixture->path);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    static const char *const ends[] = {"", "-wal", "-shm"};
    store_close(fixture->store);
    for (size_t i = 0; i < 3; i++) {
        AUTO_FREE char *file = text_format("%s%s", fixture->path, ends[i]);
        unlink(file);
    }
    free(fixture);
    return 0;
}

static void run_sql(struct store *store, const char *sql)
{
    char *reason = NULL;
    if (sqlite3_exec(store_database(store), sql, NULL, NULL, &reason) != SQLITE_OK)
        fail_msg("%s: %s", sql, reason);
}

static void add_run(struct store *store, size_t i, const struct made_run *run)
{
    AUTO_FREE char *energy =
        isfinite(run->energy_j) ? text_format("%.17g, 1", run->energy_j) : strdup("NULL, NULL");
    AUTO_FREE char *rows = text_format(
        "INSERT INTO plan VALUES (%zu, %zu); INSERT INTO plan_factor VALUES (%zu, 'arch', '%s', 0);"
        "INSERT INTO run (id, position, state, started, wall_s) VALUES (%zu, %zu, 'done', "
        "'2026-01-01T00:00:00Z', %zu);"
        "INSERT INTO window VALUES (%zu, 0, 'run', 0, -1, 0, 10, 1, %s, 0, NULL, NULL, NULL, NULL);",
        i, i + 1, i, run->arch, i + 1, i, 10 + i % 3, i + 1, energy);
    run_sql(store, rows);
    if (!run->batch)
        return;
    AUTO_FREE char *batch =
        text_format("INSERT INTO plan_factor VALUES (%zu, 'batch', '%s', 1);", i, run->batch);
    run_sql(store, batch);
}

static void make_store(struct fixture *fixture, const struct made_run *runs, size_t count)
{
    struct error error = ERROR_INIT;
    fixture->store = store_open(fixture->path, STORE_WRITE, &error);
    if (!fixture->store)
        fail_msg("%s", error_text(&error));
    run_sql(fixture->store,
            "INSERT INTO study VALUES (1, 'made', NULL, '', '{}', 7, NULL, NULL, '2026-01-01')");
    for (size_t i = 0; i < count; i++)
        add_run(fixture->store, i, &runs[i]);
}

static void make_synthetic(struct fixture *fixture, const struct synthetic *synthetic)
{
    struct error error = ERROR_INIT;
    assert_int_equal(synthetic_store(fixture->path, synthetic, &error), 0);
    fixture->store = store_open(fixture->path, STORE_READ, &error);
    assert_non_null(fixture->store);
}

static struct analysis build(struct fixture *fixture, const struct analyse_options *options)
{
    struct error error = ERROR_INIT;
    struct analysis analysis;
    struct analyse_options with_places = *options;
    with_places.places = known_places();
    if (analyse_build(fixture->store, &with_places, &analysis, &error) < 0)
        fail_msg("%s", error_text(&error));
    return analysis;
}

static const struct analyse_options energy_only = {.response = "energy"};

static void near(double value, double expected, double share)
{
    if (!(fabs(value - expected) <= share * (fabs(expected) + 1e-12)))
        fail_msg("expected %.12g, found %.12g", expected, value);
}

/* ---- which test ---- */

static const struct made_run plain[] = {
    {"a", NULL, 812},   {"b", NULL, 841},    {"c", NULL, 790},   {"d", NULL, 835},    {"a", NULL, 799.5},
    {"b", NULL, 829.5}, {"c", NULL, 801.25}, {"d", NULL, 822},   {"a", NULL, 830.25}, {"b", NULL, 850},
    {"c", NULL, 812.5}, {"d", NULL, 846.5},  {"a", NULL, 818},   {"b", NULL, 836.25}, {"c", NULL, 795},
    {"a", NULL, 805.5}, {"c", NULL, 808},    {"c", NULL, 803.5}, {"d", NULL, NAN},
};

static void normal_residuals_of_equal_variance_are_for_anova_and_tukey(void **state)
{
    struct fixture *fixture = *state;
    make_store(fixture, plain, sizeof plain / sizeof *plain);
    struct analysis analysis = build(fixture, &energy_only);
    const struct response_figures *energy = &analysis.responses[0];
    assert_true(analysis.response_count == 1 && energy->count == 18 && energy->missing == 1);
    assert_true(energy->factor_count == 1 && energy->interaction_count == 0);
    const struct factor_figures *arch = &energy->factors[0];
    assert_true(arch->choice == CHOICE_ANOVA && arch->level_count == 4 && arch->pair_count == 6);
    assert_string_equal(arch->levels[2].level, "c");
    assert_int_equal(arch->levels[2].summary.count, 6);
    near(analyse_test(arch)->statistic, 14.1289392258354, 1e-9);
    near(analyse_test(arch)->p, 0.000161665946548767, 1e-7);
    near(arch->anova.eta_squared, 0.751715018214534, 1e-9);
    near(arch->kruskal.p, 0.0070982608562524, 1e-7);
    near(arch->pairs[0].contrast.adjusted_p, 0.00832064369330077, 1e-6);
    near(arch->pairs[0].difference, -26.1375, 1e-9);
    near(arch->pairs[0].cliffs_delta, -0.9, 1e-12);
    near(arch->pairs[0].hedges_g, -2.1926402230531, 1e-9);
    assert_true(strstr(arch->reason, "residuals may be normal") && strstr(arch->reason, "variances equal"));
    AUTO_FREE char *text = analyse_text(&analysis);
    assert_non_null(strstr(text, "ANOVA: F(3, 14) = 14.13, p = 0.00016; eta squared 0.752 (large)"));
    assert_non_null(strstr(text, "1 of 19 finished runs have no value"));
    analyse_free(&analysis);
}

static void unequal_variances_are_for_welch_and_games_and_howell(void **state)
{
    struct fixture *fixture = *state;
    struct made_run runs[24];
    static const double shape[] = {-1.2, -0.7, -0.3, 0, 0.2, 0.6, 1.1, 0.3};
    static const double spreads[] = {2, 6, 14};
    static const char *const names[] = {"a", "b", "c"};
    for (size_t i = 0; i < 24; i++)
        runs[i] =
            (struct made_run){names[i % 3], NULL, 100 + 20 * (double)(i % 3) + spreads[i % 3] * shape[i / 3]};
    make_store(fixture, runs, 24);
    struct analysis analysis = build(fixture, &energy_only);
    const struct factor_figures *arch = &analysis.responses[0].factors[0];
    assert_int_equal(arch->choice, CHOICE_WELCH);
    assert_true(arch->shapiro_p > 0.05 && arch->levene.p < 0.05);
    assert_true(analyse_test(arch) == &arch->welch);
    assert_non_null(strstr(arch->reason, "but variances differ"));
    assert_string_equal(analyse_pairs_name(arch->choice), "Games-Howell");
    assert_true(arch->pairs[1].contrast.low < -40 && arch->pairs[1].contrast.high > -40);
    analyse_free(&analysis);
}

static void skewed_residuals_are_for_kruskal_and_dunn(void **state)
{
    struct fixture *fixture = *state;
    struct made_run runs[20];
    static const double tail[] = {0, 0.1, 0.2, 0.1, 0.3, 0.2, 0.4, 0.1, 9, 25};
    for (size_t i = 0; i < 20; i++)
        runs[i] = (struct made_run){i % 2 ? "b" : "a", NULL, 50 + tail[i / 2] + (i % 2 ? 3 : 0)};
    make_store(fixture, runs, 20);
    struct analysis analysis = build(fixture, &energy_only);
    const struct factor_figures *arch = &analysis.responses[0].factors[0];
    assert_int_equal(arch->choice, CHOICE_KRUSKAL);
    assert_true(arch->shapiro_p < 0.05);
    assert_non_null(strstr(arch->reason, "residuals are not normal"));
    near(arch->pairs[0].contrast.p, arch->pairs[0].contrast.adjusted_p, 1e-12);
    near(arch->pairs[0].contrast.p, arch->kruskal.p, 1e-9); /* of two groups they are the same */
    analyse_free(&analysis);
}

static void what_cannot_be_tested_says_why(void **state)
{
    struct fixture *fixture = *state;
    static const struct made_run runs[] = {{"a", "1", 10},  {"b", "1", 20},  {"c", "1", 30}, {"a", "2", NAN},
                                           {"b", "2", NAN}, {"c", "1", NAN}, {"c", "1", NAN}};
    make_store(fixture, runs, 7);
    struct analysis analysis = build(fixture, &energy_only);
    const struct response_figures *energy = &analysis.responses[0];
    assert_int_equal(energy->factors[0].choice, CHOICE_NONE);
    assert_non_null(strstr(energy->factors[0].reason, "no level has two runs"));
    assert_true(isnan(energy->factors[0].levels[0].bootstrap.mean.low));
    assert_string_equal(energy->factors[1].reason, "fewer than two levels have a value");
    assert_int_equal(energy->factors[1].without_value, 1);
    assert_string_equal(energy->interactions[0].refused, "no run of arch a with batch 2");
    assert_true(isnan(energy->relative_sd) && energy->repetitions == 0);
    AUTO_FREE char *text = analyse_text(&analysis);
    assert_non_null(strstr(text, "no test: no level has two runs"));
    assert_non_null(strstr(text, "repetitions needed: can't be said"));
    AUTO_FREE char *csv = analyse_csv(&analysis);
    AUTO_FREE char *latex = analyse_latex(&analysis);
    assert_true(csv && !strstr(csv, "nan") && latex && !strstr(latex, "nan"));
    analyse_free(&analysis);
    run_sql(fixture->store, "UPDATE window SET software_j = 10");
    analysis = build(fixture, &energy_only);
    assert_non_null(strstr(analysis.responses[0].factors[0].reason, "do not scatter at all"));
    analyse_free(&analysis);
}

/* ---- two factors ---- */

static void interactions_of_uneven_cells_are_those_of_nested_models(void **state)
{
    struct fixture *fixture = *state;
    static const double values[] = {5.1, 4.9, 5.6, 7.2, 7.9, 7.4, 6.1, 6.6, 6.4,
                                    6.5, 6.2, 6.9, 8.8, 9.4, 8.1, 7.7, 7.1, 7.3};
    static const size_t sizes[] = {3, 2, 4, 3, 1, 5};
    static const char *const archs[] = {"x", "y", "z"};
    struct made_run runs[18];
    size_t i = 0;
    for (size_t cell = 0; cell < 6; cell++)
        for (size_t k = 0; k < sizes[cell]; k++, i++)
            runs[i] = (struct made_run){archs[cell / 2], cell % 2 ? "64" : "32", values[i]};
    make_store(fixture, runs, 18);
    struct analysis analysis = build(fixture, &energy_only);
    const struct interaction *both = &analysis.responses[0].interactions[0];
    assert_true(analysis.responses[0].interaction_count == 1 && !both->refused);
    near(both->two_way.interaction.statistic, 7.54113995268365, 1e-9);
    near(both->two_way.rows.statistic, 9.13006465404668, 1e-9);
    near(both->aligned.statistic, 6.62846131458285, 1e-9);
    AUTO_FREE char *text = analyse_text(&analysis);
    assert_non_null(strstr(text, "arch x batch: interaction F(2, 12) = 7.541, p = 0.0076"));
    analyse_free(&analysis);
    analysis = build(fixture, &(struct analyse_options){.response = "energy", .by = "batch"});
    assert_true(analysis.responses[0].factor_count == 1);
    assert_string_equal(analysis.responses[0].factors[0].factor, "batch");
    assert_int_equal(analysis.responses[0].interaction_count, 1);
    analyse_free(&analysis);
}

/* ---- the rest ---- */

static void figures_are_those_of_the_study(void **state)
{
    struct fixture *fixture = *state;
    make_synthetic(fixture, &(struct synthetic){.repetitions = 5, .estimated = true, .location = "SWE"});
    struct analysis analysis = build(fixture, &(struct analyse_options){.resolve = 0.02});
    assert_true(analysis.response_count == 5 && analysis.estimated && analysis.done == 20);
    for (size_t a = 0; a < SYNTHETIC_ARCHS; a++) {
        near(analysis.responses[0].factors[0].levels[a].summary.mean, synthetic_energy_j[a], 1e-9);
        near(analysis.responses[1].factors[0].levels[a].summary.mean,
             carbon_emissions_kg(synthetic_energy_j[a], 1, known_location("SWE")->intensity_g_per_kwh), 1e-9);
        near(analysis.responses[3].factors[0].levels[a].summary.mean, synthetic_accuracy[a], 1e-9);
    }
    /* energies of a network are -2, -1, 0, 1, 2 % from the mean */
    near(analysis.responses[0].relative_sd, sqrt(10.0 / 4) / 100, 1e-9);
    assert_int_equal(analysis.responses[0].repetitions, stats_repetitions(0.02, sqrt(10.0 / 4) / 100, 0.8));
    assert_string_equal(analysis.correlations[0].with, "duration");
    const struct group_figures *vgg16 = NULL;
    for (size_t i = 0; i < analysis.group_count; i++)
        vgg16 = strcmp(analysis.groups[i].label, "vgg16") == 0 ? &analysis.groups[i] : vgg16;
    assert_true(vgg16 && !vgg16->front);
    assert_string_equal(vgg16->dominated_by, "resnet18");
    AUTO_FREE char *text = analyse_text(&analysis);
    struct analysis again = build(fixture, &(struct analyse_options){.resolve = 0.02});
    AUTO_FREE char *same = analyse_text(&again);
    assert_string_equal(text, same);
    assert_non_null(strstr(text, "estimated by a model, not measured"));
    assert_non_null(strstr(text, "dominated by resnet18"));
    analyse_free(&again);
    analyse_free(&analysis);
}

static void the_energy_to_reach_an_accuracy_is_that_of_its_epochs(void **state)
{
    struct fixture *fixture = *state;
    make_synthetic(fixture, &(struct synthetic){.repetitions = 1});
    struct analysis analysis = build(fixture, &(struct analyse_options){.response = "energy", .reach = 0.6});
    for (size_t i = 0; i < analysis.group_count; i++) {
        const struct group_figures *group = &analysis.groups[i];
        size_t arch = 0;
        while (strcmp(synthetic_arch(arch, false), group->label) != 0)
            arch++;
        if (synthetic_accuracy[arch] < 0.6) {
            assert_true(group->reached == 0 && isnan(group->reach_energy_j));
            continue;
        }
        /* synthetic.c: what is learnt after an epoch, and each epoch's share */
        double epoch = 1;
        while (synthetic_accuracy[arch] * (1 - exp(-1.1 * epoch)) / (1 - exp(-1.1 * SYNTHETIC_EPOCHS)) < 0.6)
            epoch++;
        assert_int_equal(group->reached, 1);
        near(group->reach_epochs, epoch, 1e-12);
        near(group->reach_energy_j, synthetic_energy_j[arch] * 0.9 / SYNTHETIC_EPOCHS * epoch, 1e-9);
    }
    analyse_free(&analysis);
}

static void energy_goes_with_what_a_network_counts(void **state)
{
    struct fixture *fixture = *state;
    static const char zoo[] = "{\"schema\": \"joulery.zoo/1\", \"architectures\": ["
                              "{\"name\": \"a\", \"parameters\": 10, \"flops\": 100}, {\"name\": \"b\", "
                              "\"parameters\": 40, \"flops\": null}, {\"name\": \"c\", \"parameters\": 20}]}";
    static const struct made_run runs[] = {
        {"a", NULL, 100}, {"b", NULL, 400}, {"c", NULL, 200}, {"d", NULL, 5}};
    struct error error = ERROR_INIT;
    struct network_costs costs;
    assert_int_equal(network_costs_parse(zoo, sizeof zoo - 1, &costs, &error), 0);
    make_store(fixture, runs, 4);
    struct analysis analysis = build(fixture, &(struct analyse_options){.costs = &costs});
    size_t parameters = 0;
    for (size_t i = 0; i < analysis.correlation_count; i++) {
        assert_string_not_equal(analysis.correlations[i].with, "FLOPs"); /* of one network alone */
        if (strcmp(analysis.correlations[i].with, "parameters") != 0)
            continue;
        parameters++;
        near(analysis.correlations[i].pearson.value, 1, 1e-12);
        assert_int_equal(analysis.correlations[i].count, 3);
    }
    assert_int_equal(parameters, 1);
    analyse_free(&analysis);
    network_costs_free(&costs);
    static const char *const wrong[] = {
        "[]", "{\"schema\": \"joulery.zoo/1\", \"architectures\": [{}]}",
        "{\"schema\": \"joulery.zoo/1\", \"architectures\": [{\"name\": \"a\", "
        "\"flops\": -1}]}"};
    static const char *const messages[] = {"expected joulery.zoo/1", "has no name",
                                           "architecture 'a': flops: expected a number of at least 0"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(network_costs_parse(wrong[i], strlen(wrong[i]), &costs, &error), -1);
        assert_non_null(strstr(error_text(&error), messages[i]));
    }
    error_clear(&error);
}

static void levels_become_data_in_tables(void **state)
{
    struct fixture *fixture = *state;
    static const struct made_run runs[] = {
        {"[a_1%", NULL, 10}, {"b\\{,\"", NULL, 20}, {"[a_1%", NULL, 11}, {"b\\{,\"", NULL, 21.5}};
    make_store(fixture, runs, 4);
    struct analysis analysis = build(fixture, &energy_only);
    AUTO_FREE char *csv = analyse_csv(&analysis);
    AUTO_FREE char *latex = analyse_latex(&analysis);
    assert_non_null(strstr(csv, "response,unit,factor,level,other_level,figure,value,low,high,p\n"));
    assert_non_null(strstr(csv, "energy,J,arch,\"b\\{,\"\"\",,mean,20.75,"));
    assert_non_null(strstr(latex, "    {[}a\\_1\\% & 2 & $10.5$"));
    assert_non_null(strstr(latex, "b\\textbackslash{}\\{,\""));
    assert_non_null(strstr(latex, "$[10, 11]$"));
    json_t *json = analyse_to_json(&analysis);
    assert_string_equal(json_string_value(json_object_get(json, "schema")), "joulery.analysis/1");
    const json_t *factor =
        json_array_get(json_object_get(json_array_get(json_object_get(json, "responses"), 0), "factors"), 0);
    assert_int_equal(json_array_size(json_object_get(factor, "levels")), 2);
    assert_int_equal(json_array_size(json_object_get(factor, "pairs")), 1);
    json_decref(json);
    analyse_free(&analysis);
    run_sql(fixture->store, "UPDATE plan_factor SET level = CAST(x'62FF' AS TEXT) WHERE level LIKE 'b%'");
    analysis = build(fixture, &energy_only);
    json = analyse_to_json(&analysis);
    assert_non_null(json);
    json_decref(json);
    analyse_free(&analysis);
}

static void what_cannot_be_analysed_is_explained(void **state)
{
    struct fixture *fixture = *state;
    make_store(fixture, plain, 8);
    const struct {
        struct analyse_options options;
        const char *message;
    } cases[] = {
        {{.response = "enrgy"},
         "no response 'enrgy' (did you mean energy?): expected energy, emissions, duration, accuracy or "
         "score"},
        {{.by = "arhc"}, "no factor that varies 'arhc' (did you mean arch?)"},
        {{.response = "emissions"},
         "emissions: no place is known: --location CODE names one (`joulery places` lists them)"},
        {{.response = "accuracy"}, "accuracy: no finished run has one"},
        {{.reach = 0.5}, "--reach: no finished run gave an accuracy"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct analysis analysis;
        struct analyse_options options = cases[i].options;
        options.places = known_places();
        assert_int_equal(analyse_build(fixture->store, &options, &analysis, &error), -1);
        assert_string_equal(error_text(&error), cases[i].message);
        error_clear(&error);
        analyse_free(&analysis);
    }
    struct error error = ERROR_INIT;
    struct analysis analysis;
    run_sql(fixture->store, "UPDATE run SET state = 'failed'");
    assert_int_equal(analyse_build(fixture->store, &energy_only, &analysis, &error), -1);
    assert_non_null(strstr(error_text(&error), "has no finished run yet"));
    error_clear(&error);
    analyse_free(&analysis);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(normal_residuals_of_equal_variance_are_for_anova_and_tukey),
        TEST(unequal_variances_are_for_welch_and_games_and_howell),
        TEST(skewed_residuals_are_for_kruskal_and_dunn),
        TEST(what_cannot_be_tested_says_why),
        TEST(interactions_of_uneven_cells_are_those_of_nested_models),
        TEST(figures_are_those_of_the_study),
        TEST(the_energy_to_reach_an_accuracy_is_that_of_its_epochs),
        TEST(energy_goes_with_what_a_network_counts),
        TEST(levels_become_data_in_tables),
        TEST(what_cannot_be_analysed_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
