#include "base/random.h"
#include "base/text.h"
#include "base/units.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void numbers_are_parsed_strictly(void **state)
{
    (void)state;
    uint64_t u = 7;
    assert_int_equal(text_to_u64("18446744073709551615", &u), 0);
    assert_true(u == UINT64_MAX);
    static const char *const no_u64[] = {"", " 1", "1 ", "-1", "+1", "0x10", "18446744073709551616", "1.0"};
    for (size_t i = 0; i < sizeof no_u64 / sizeof *no_u64; i++)
        assert_int_equal(text_to_u64(no_u64[i], &u), -1);
    int64_t n;
    assert_int_equal(text_to_i64("-42", &n), 0);
    assert_int_equal(n, -42);
    assert_int_equal(text_to_i64("--42", &n), -1);
    double d = 3;
    assert_int_equal(text_to_double("2.5e-3", &d), 0);
    assert_true(d == 2.5e-3);
    static const char *const no_double[] = {"", "nan", "inf", "1e999", "1,5", "0x1p3", "1.5 ", "."};
    for (size_t i = 0; i < sizeof no_double / sizeof *no_double; i++)
        assert_int_equal(text_to_double(no_double[i], &d), -1);
    assert_true(d == 2.5e-3);
}

static void nearest_name_is_offered_only_when_near(void **state)
{
    (void)state;
    static const char *const names[] = {"lenet5", "vgg16", "vgg19", "resnet18", "resnet50"};
    assert_string_equal(text_nearest("resnet5", names, 5), "resnet50");
    assert_string_equal(text_nearest("VGG-16", names, 5), "vgg16");
    assert_null(text_nearest("transformer", names, 5));
}

static void text_grows(void **state)
{
    (void)state;
    struct text text = TEXT_INIT;
    for (int i = 0; i < 1000; i++)
        text_printf(&text, "%d,", i);
    char *string = text_take(&text);
    assert_int_equal(strlen(string), 10 * 2 + 90 * 3 + 900 * 4);
    assert_memory_equal(string + strlen(string) - 4, "999,", 4);
    free(string);
    string = text_take(&text);
    assert_string_equal(string, "");
    free(string);
}

static void check_unit(char *found, const char *expected)
{
    assert_string_equal(found, expected);
    free(found);
}

static void quantities_read_well(void **state)
{
    (void)state;
    check_unit(units_energy(0), "0 mJ");
    check_unit(units_energy(0.0123), "12.3 mJ");
    check_unit(units_energy(9876), "9876 J");
    check_unit(units_energy(12345), "12.3 kJ");
    check_unit(units_energy(-12345), "-12.3 kJ");
    check_unit(units_kwh(3.6e6 * 0.00345), "0.00345 kWh");
    check_unit(units_kwh(3.6e6 * 12), "12.000 kWh");
    check_unit(units_power(85.25), "85.2 W");
    check_unit(units_mass(0.000312), "312 mg");
    check_unit(units_duration(0.85), "850 ms");
    check_unit(units_duration(200), "3 min 20 s");
    check_unit(units_duration(7500), "2 h 5 min");
    check_unit(units_count(138357544), "138,357,544");
    check_unit(units_count(7), "7");
}

static void random_numbers_are_the_same_everywhere(void **state)
{
    (void)state;
    struct random_stream random;
    random_seed(&random, 42, 0);
    uint64_t first = random_u64(&random);
    random_seed(&random, 42, 0);
    assert_true(random_u64(&random) == first);
    random_seed(&random, 42, 1);
    assert_true(random_u64(&random) != first);

    double sum = 0, squares = 0;
    const int count = 200000;
    for (int i = 0; i < count; i++) {
        double x = random_normal(&random);
        sum += x;
        squares += x * x;
    }
    assert_true(fabs(sum / count) < 0.01);
    assert_true(fabs(squares / count - 1) < 0.015);
    for (int i = 0; i < 1000; i++)
        assert_true(random_below(&random, 3) < 3);
}

static void any_bytes_become_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *expected;
    } cases[] = {
        {"", 0, ""},
        {"a\0b", 3,
         "a\xef\xbf\xbd"
         "b"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\xb1", 14, "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\xb1"},
        {"\xa9x", 2, "\xef\xbf\xbdx"},
        {"\xe2\x82", 2, "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xed\xa0\x80", 3, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
        {"\xf4\x90\x80\x80", 4, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *found = text_utf8(cases[i].bytes, cases[i].length);
        assert_string_equal(found, cases[i].expected);
    }
}

static void the_last_line_is_the_last_that_says_something(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"", ""},
                                           {" \n\r\n", ""},
                                           {"a", "a"},
                                           {"a\nb c\n\n", "b c"},
                                           {"50 %\r100 %\r", "100 %"},
                                           {"a\n\xff", "\xef\xbf\xbd"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *found = text_last_line(cases[i][0]);
        assert_string_equal(found, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_parsed_strictly),
        cmocka_unit_test(nearest_name_is_offered_only_when_near),
        cmocka_unit_test(text_grows),
        cmocka_unit_test(any_bytes_become_utf8),
        cmocka_unit_test(the_last_line_is_the_last_that_says_something),
        cmocka_unit_test(quantities_read_well),
        cmocka_unit_test(random_numbers_are_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
