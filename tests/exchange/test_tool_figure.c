/* What other tools write, read: joulery.tool/1, perf stat's and EnergiBridge's CSV. */
#include "exchange/tool_figure.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef int parse_function(const char *text, size_t size, struct tool_figure *figure, struct error *error);

static struct tool_figure read_with(parse_function *parse, const char *text)
{
    struct tool_figure figure;
    struct error error = ERROR_INIT;
    if (parse(text, strlen(text), &figure, &error) < 0)
        fail_msg("%s", error_text(&error));
    return figure;
}

static void refuses(parse_function *parse, const char *text, const char *why)
{
    struct tool_figure figure;
    struct error error = ERROR_INIT;
    assert_int_equal(parse(text, strlen(text), &figure, &error), -1);
    if (!strstr(error_text(&error), why))
        fail_msg("expected '%s' in '%s'", why, error_text(&error));
    assert_int_equal(figure.part_count, 0);
    error_clear(&error);
}

static void a_document_of_our_scripts_is_read(void **state)
{
    (void)state;
    struct tool_figure figure = read_with(
        tool_figure_parse,
        "{\"schema\": \"joulery.tool/1\", \"version\": \"3.3.0\", \"energy_j\": 58.5, \"covered_s\": 2.05, "
        "\"pue\": 1.2, \"note\": null, \"parts\": ["
        "{\"covers\": [\"cpu\", \"dram\"], \"energy_j\": 30, \"basis\": \"measured\", \"how\": \"RAPL\"}, "
        "{\"covers\": [\"gpu\"], \"energy_j\": 18.75, \"basis\": \"constant\"}]}");
    assert_string_equal(figure.version, "3.3.0");
    assert_true(figure.energy_j == 58.5 && figure.covered_s == 2.05 && figure.pue == 1.2);
    assert_null(figure.note);
    assert_int_equal(figure.part_count, 2);
    assert_true(figure.parts[0].covers[SCOPE_CPU] && figure.parts[0].covers[SCOPE_DRAM] &&
                !figure.parts[0].covers[SCOPE_GPU]);
    assert_int_equal(figure.parts[0].basis, BASIS_MEASURED);
    assert_string_equal(figure.parts[0].how, "RAPL");
    assert_int_equal(figure.parts[1].basis, BASIS_CONSTANT);
    assert_null(figure.parts[1].how);
    tool_figure_free(&figure);
    figure =
        read_with(tool_figure_parse,
                  "{\"schema\": \"joulery.tool/1\", \"energy_j\": 0, \"parts\": [], \"covered_s\": null}");
    assert_true(isnan(figure.covered_s) && figure.pue == 1);
    tool_figure_free(&figure);
}

static void a_document_that_lacks_something_is_refused(void **state)
{
    (void)state;
    refuses(tool_figure_parse, "", "no JSON");
    refuses(tool_figure_parse, "{\"schema\": \"joulery.tool/2\"}", "expected joulery.tool/1");
    refuses(tool_figure_parse, "{\"schema\": \"joulery.tool/1\", \"parts\": []}",
            "energy_j: expected a number");
    refuses(tool_figure_parse, "{\"schema\": \"joulery.tool/1\", \"energy_j\": 1}", "parts: expected a list");
    refuses(tool_figure_parse, "{\"schema\": \"joulery.tool/1\", \"energy_j\": 1, \"pue\": 0, \"parts\": []}",
            "pue above 0");
    refuses(
        tool_figure_parse,
        "{\"schema\": \"joulery.tool/1\", \"energy_j\": 1, \"parts\": [{\"covers\": [\"cpu\"], \"energy_j\": "
        "1, \"basis\": \"measured\"}, {\"covers\": [\"wall\"], \"energy_j\": 1, \"basis\": \"measured\"}]}",
        "covers: expected cpu, dram or gpu");
    refuses(
        tool_figure_parse,
        "{\"schema\": \"joulery.tool/1\", \"energy_j\": 1, \"parts\": [{\"covers\": [\"cpu\"], \"energy_j\": "
        "1, \"basis\": \"guessed\"}]}",
        "basis: expected measured, model or constant");
}

static void counts_of_perf_are_read(void **state)
{
    (void)state;
    struct tool_figure figure =
        read_with(perf_stat_parse, "# started on Fri Nov 27 23:27:16 2026\n\n"
                                   "52.31;Joules;power/energy-pkg/;2002512995;100.00;;\n"
                                   "7,25;Joules;power/energy-ram/;2002512995;100.00;;\n"
                                   "2002512995;ns;duration_time;2002512995;100.00;;\n");
    assert_true(fabs(figure.energy_j - 59.56) < 1e-12);
    assert_true(fabs(figure.covered_s - 2.002512995) < 1e-12);
    assert_int_equal(figure.part_count, 2);
    assert_true(figure.parts[0].covers[SCOPE_CPU] && figure.parts[0].energy_j == 52.31);
    assert_true(figure.parts[1].covers[SCOPE_DRAM] && figure.parts[1].energy_j == 7.25);
    tool_figure_free(&figure);
    figure = read_with(perf_stat_parse, "<not supported>;Joules;power/energy-ram/;0;100.00;;\n"
                                        "3.5;Joules;power/energy-pkg/;1;100.00;;");
    assert_int_equal(figure.part_count, 1);
    assert_true(figure.energy_j == 3.5 && isnan(figure.covered_s));
    tool_figure_free(&figure);
}

static void counts_of_other_things_are_refused(void **state)
{
    (void)state;
    refuses(perf_stat_parse, "", "found neither");
    refuses(perf_stat_parse, "3.97;msec;cpu-clock;3976749;100.00;1.998;CPUs utilized\n", "found neither");
    refuses(perf_stat_parse, "<not counted>;Joules;power/energy-pkg/;0;0.00;;\n", "found neither");
    refuses(perf_stat_parse, "12;;power/energy-pkg/;0;100.00;;\n", "expected a count in Joules, found ''");
    refuses(perf_stat_parse, "1,234.5;Joules;power/energy-pkg/;0;100.00;;\n", "expected a count, found");
    refuses(perf_stat_parse, "-3;Joules;power/energy-pkg/;0;100.00;;\n", "expected a count, found '-3'");
}

#define INTEL_HEADER "Delta,Time,CPU_USAGE_0,DRAM_ENERGY (J),PACKAGE_ENERGY (J),PP0_ENERGY (J)\n"

static void rows_of_energibridge_are_summed(void **state)
{
    (void)state;
    struct tool_figure figure =
        read_with(energibridge_parse, INTEL_HEADER "0,1697704464320,46.5,10,1000.5,700\n"
                                                   "201,1697704464521,46.5,11,1004.75,702\n"
                                                   "199,1697704464720,46.5,12,1010.5,704\n");
    assert_true(fabs(figure.energy_j - 10) < 1e-9);
    assert_true(fabs(figure.covered_s - 0.4) < 1e-9);
    assert_int_equal(figure.part_count, 1);
    assert_true(figure.parts[0].covers[SCOPE_CPU] && !figure.parts[0].covers[SCOPE_DRAM]);
    assert_string_equal(figure.note, "its summary leaves DRAM_ENERGY out");
    tool_figure_free(&figure);
    figure = read_with(energibridge_parse, "Delta,Time,CORE0_ENERGY (J),CPU_ENERGY (J)\n"
                                           "0,1000,5,65530\n200,1200,6,65534\n200,1400,6,3\n");
    assert_true(fabs(figure.energy_j + 65527) < 1e-9); /* as it says it: the wrap is not put back */
    assert_non_null(strstr(figure.note, "counter went back"));
    tool_figure_free(&figure);
}

static void a_table_without_energy_is_refused(void **state)
{
    (void)state;
    refuses(energibridge_parse, "Delta,Time,CPU_USAGE_0\n0,1,2\n1,2,3\n", "expected the columns Time and");
    refuses(energibridge_parse, INTEL_HEADER, "at least two rows of readings, found 0");
    refuses(energibridge_parse, INTEL_HEADER "0,1697704464320,46.5,10,1000.5,700\n", "found 1");
    refuses(energibridge_parse, INTEL_HEADER "0,1,2,3,4,5\n0,1,2\n", "row 2: expected 6 fields, found 3");
    refuses(energibridge_parse, INTEL_HEADER "0,1,2,3,4,5\n0,1,2,3,inf,5\n", "row 2: expected numbers");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document_of_our_scripts_is_read),
        cmocka_unit_test(a_document_that_lacks_something_is_refused),
        cmocka_unit_test(counts_of_perf_are_read),
        cmocka_unit_test(counts_of_other_things_are_refused),
        cmocka_unit_test(rows_of_energibridge_are_summed),
        cmocka_unit_test(a_table_without_energy_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
