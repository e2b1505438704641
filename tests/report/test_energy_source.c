/* An energy by number, from a record, from a run, from a study: synthetic.h has the study's figures. */
#include "synthetic.h"

#include "base/file.h"
#include "base/text.h"
#include "report/energy_source.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/joulery-XXXXXX";

static char *in_folder(const char *name)
{
    char *path = file_join(folder, name);
    assert_non_null(path);
    return path;
}

static char *make_store(const char *name, const struct synthetic *synthetic)
{
    struct error error = ERROR_INIT;
    char *path = in_folder(name);
    if (synthetic_store(path, synthetic, &error) < 0)
        fail_msg("%s", error_text(&error));
    return path;
}

static int make_stores(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    free(make_store("plain.db", &(struct synthetic){.repetitions = 3, .troubles = true, .location = "SWE"}));
    free(make_store("estimated.db", &(struct synthetic){.repetitions = 1, .estimated = true}));
    free(make_store("none.db", &(struct synthetic){.repetitions = 1, .unfinished = true}));
    return 0;
}

static int drop_stores(void **state)
{
    (void)state;
    AUTO_FREE char *command = text_format("rm -rf '%s'", folder);
    return system(command);
}

static struct energy_source find(const char *text)
{
    struct error error = ERROR_INIT;
    struct energy_source source;
    if (energy_source_find(text, &source, &error) < 0)
        fail_msg("%s: %s", text, error_text(&error));
    return source;
}

static void refused(const char *text, const char *words)
{
    struct error error = ERROR_INIT;
    struct energy_source source;
    assert_int_equal(energy_source_find(text, &source, &error), -1);
    if (!strstr(error_text(&error), words))
        fail_msg("'%s': '%s' lacks '%s'", text, error_text(&error), words);
    assert_null(source.what);
    error_clear(&error);
}

static void an_energy_is_given_with_its_unit(void **state)
{
    (void)state;
    struct energy_source source = find("12.3kWh");
    assert_true(fabs(source.energy_j - 12.3 * 3.6e6) < 1e-6);
    assert_true(isnan(source.uncertainty_j) && !source.estimated && !source.basis && source.runs == 0);
    energy_source_free(&source);
    refused("12.3", "expected an energy with its unit");
    refused("-2kWh", "expected an energy above 0, found '-2kWh'");
    refused("0 J", "above 0");
    refused("12.3 horses", "found '12.3 horses'");
    refused("", "expected an energy");
}

/* Three repetitions whose mean is the architecture's. */
static void a_study_is_the_sum_of_its_finished_runs(void **state)
{
    (void)state;
    AUTO_FREE char *path = in_folder("plain.db");
    struct energy_source source = find(path);
    double sum_j = 0;
    for (size_t a = 0; a < SYNTHETIC_ARCHS; a++)
        sum_j += 3 * synthetic_energy_j[a];
    assert_true(fabs(source.energy_j / sum_j - 1) < 1e-9);
    assert_int_equal(source.runs, 3 * SYNTHETIC_ARCHS);
    assert_string_equal(source.location, "SWE");
    assert_string_equal(source.basis, "software");
    assert_true(source.uncertainty_j > 0 && source.uncertainty_j < source.energy_j);
    energy_source_free(&source);
}

static void runs_have_numbers_and_together_make_the_study(void **state)
{
    (void)state;
    AUTO_FREE char *path = in_folder("estimated.db");
    struct energy_source study = find(path);
    double sum_j = 0, uncertainties_j = 0;
    for (size_t run = 1; run <= SYNTHETIC_ARCHS; run++) {
        AUTO_FREE char *text = text_format("%s:%zu", path, run);
        struct energy_source source = find(text);
        sum_j += source.energy_j;
        uncertainties_j += source.uncertainty_j;
        assert_true(source.runs == 1 && source.estimated);
        energy_source_free(&source);
    }
    assert_true(fabs(study.energy_j / sum_j - 1) < 1e-12);
    assert_true(fabs(study.uncertainty_j / uncertainties_j - 1) < 1e-12);
    assert_true(study.estimated);
    energy_source_free(&study);
}

static void what_is_not_there_is_said(void **state)
{
    (void)state;
    AUTO_FREE char *plain = in_folder("plain.db"), *none = in_folder("none.db"),
                   *other = in_folder("other.db");
    AUTO_FREE char *run = text_format("%s:99", plain), *zero = text_format("%s:0", plain);
    struct error error = ERROR_INIT;
    assert_int_equal(file_write(other, "no database\n", 12, &error), 0);
    refused(run, "run 99: there is no run 99 in it");
    refused(zero, "numbered from 1");
    refused(none, "no finished run yet");
    refused(other, other);
    refused("missing.db", "missing.db: no such file: expected a database, DATABASE:RUN");
}

static int parse(const char *text, struct energy_source *source, struct error *error)
{
    return energy_source_parse(text, strlen(text), source, error);
}

static void a_record_gives_its_software_total_or_else_the_wattmeters(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct energy_source source;
    assert_int_equal(
        parse("{\"schema\":\"joulery.run/1\",\"totals\":{\"software_j\":500,\"software_uncertainty_j\":10,"
              "\"estimated\":true,\"hardware_j\":700},\"emissions\":{\"location\":\"NOR\",\"pue\":1.2}}",
              &source, &error),
        0);
    assert_true(source.energy_j == 500 && source.uncertainty_j == 10 && source.estimated &&
                source.pue == 1.2);
    assert_string_equal(source.location, "NOR");
    energy_source_free(&source);
    assert_int_equal(parse("{\"schema\":\"joulery.run/1\",\"totals\":{\"software_j\":null,\"estimated\":true,"
                           "\"hardware_j\":700},\"emissions\":null}",
                           &source, &error),
                     0);
    assert_true(source.energy_j == 700 && isnan(source.uncertainty_j) && !source.estimated &&
                source.pue == 0);
    assert_string_equal(source.basis, "hardware");
    assert_null(source.location);
    energy_source_free(&source);
}

static void a_records_pue_counts_where_it_was_given(void **state)
{
    (void)state;
    static const struct {
        const char *pue;
        double known;
    } cases[] = {{"1.2", 1.2},
                 {"1", 0},
                 {"null", 0},
                 {"1.1,\"pue_source\":\"Google's data centres, 2024\"", 0},
                 {"1.3,\"pue_source\":null", 1.3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct energy_source source;
        AUTO_FREE char *text =
            text_format("{\"schema\":\"joulery.run/1\",\"totals\":{\"software_j\":5},\"emissions\":"
                        "{\"location\":\"NOR\",\"pue\":%s}}",
                        cases[i].pue);
        assert_int_equal(parse(text, &source, &error), 0);
        assert_true(source.pue == cases[i].known);
        energy_source_free(&source);
    }
}

static void a_record_without_an_energy_is_refused(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"{\"schema\":\"joulery.run/1\",\"totals\":{\"software_j\":null}}", "no instrument gave an energy"},
        {"{\"schema\":\"joulery.run/1\",\"totals\":{\"software_j\":-218000}}", "its energy is -218000 J"},
        {"{\"schema\":\"joulery.run/1\",\"totals\":{\"software_j\":0}}", "only one above 0"},
        {"{\"schema\":\"joulery.run/1\",\"totals\":{\"software_j\":\"12\"}}",
         "software_j: expected a number"},
        {"{\"schema\":\"joulery.repeat/1\",\"totals\":{}}", "expected joulery.run/1"},
        {"{\"schema\":\"joulery.run/1\"}", "with its totals"},
        {"[]", "expected joulery.run/1"},
        {"{\"schema\":", "line 1: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct energy_source source;
        assert_int_equal(parse(cases[i][0], &source, &error), -1);
        if (!strstr(error_text(&error), cases[i][1]))
            fail_msg("case %zu: '%s' lacks '%s'", i, error_text(&error), cases[i][1]);
        error_clear(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_energy_is_given_with_its_unit),
        cmocka_unit_test(a_study_is_the_sum_of_its_finished_runs),
        cmocka_unit_test(runs_have_numbers_and_together_make_the_study),
        cmocka_unit_test(what_is_not_there_is_said),
        cmocka_unit_test(a_record_gives_its_software_total_or_else_the_wattmeters),
        cmocka_unit_test(a_records_pue_counts_where_it_was_given),
        cmocka_unit_test(a_record_without_an_energy_is_refused),
    };
    return cmocka_run_group_tests(tests, make_stores, drop_stores);
}
