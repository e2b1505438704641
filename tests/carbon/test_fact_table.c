#include "carbon/fact_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const columns[] = {"code", "figure", "year"};

static int read_table(struct fact_table *table, const char *text, struct error *error)
{
    return fact_table_read(table, text, strlen(text), "t.csv", columns, 3, error);
}

static void rows_are_read_past_comments(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct fact_table table;
    assert_int_equal(read_table(&table, "# a\ncode,figure,year\n\"a, b\",1.5,2020\n# c\n\nc,2,2021", &error),
                     0);
    assert_int_equal(table.count, 2);
    const char *text;
    double figure;
    int year;
    assert_int_equal(fact_text(&table, 0, 0, &text, &error), 0);
    assert_string_equal(text, "a, b");
    assert_int_equal(fact_number(&table, 0, 1, 0, 10, &figure, &error), 0);
    assert_true(figure == 1.5);
    assert_int_equal(fact_year(&table, 1, 2, &year, &error), 0);
    assert_int_equal(year, 2021);
    assert_int_equal(table.lines[1], 6);
    fact_table_free(&table);
}

static void a_mistake_is_told_by_its_line(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "t.csv: it has no row"},
        {"code,figures,year\n", "t.csv:1: expected the columns code,figure,year"},
        {"code,figure,year\na,1\n", "t.csv:2: expected 3 fields"},
        {"code,figure,year\n\na,\"1,2\n", "t.csv:3: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct fact_table table;
        assert_int_equal(read_table(&table, cases[i][0], &error), -1);
        if (!strstr(error_text(&error), cases[i][1]))
            fail_msg("case %zu: '%s' lacks '%s'", i, error_text(&error), cases[i][1]);
        error_clear(&error);
    }
}

static void a_figure_out_of_its_bounds_is_refused(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct fact_table table;
    assert_int_equal(read_table(&table, "code,figure,year\n,-1,1066\n", &error), 0);
    const char *text;
    double figure;
    int year;
    assert_int_equal(fact_text(&table, 0, 0, &text, &error), -1);
    assert_non_null(strstr(error_text(&error), "t.csv:2: field 1 is empty"));
    error_clear(&error);
    assert_int_equal(fact_number(&table, 0, 1, 0, 10, &figure, &error), -1);
    assert_non_null(strstr(error_text(&error), "from 0 to 10, found '-1'"));
    error_clear(&error);
    assert_int_equal(fact_year(&table, 0, 2, &year, &error), -1);
    error_clear(&error);
    fact_table_free(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read_past_comments),
        cmocka_unit_test(a_mistake_is_told_by_its_line),
        cmocka_unit_test(a_figure_out_of_its_bounds_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
