/* Rows for files in CodeCarbon's layout, and the CSV they are made of. */
#include "base/csv.h"
#include "base/file.h"
#include "base/text.h"
#include "exchange/codecarbon.h"
#include "known_places.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEADER_2022                                                                                          \
    "timestamp,project_name,run_id,duration,emissions,energy_consumed,cpu_energy,on_cloud,novel"

static struct channel channels[] = {
    {.meter = (char *)"rapl", .name = (char *)"package-0", .scope = SCOPE_CPU, .kind = KIND_COUNTER},
    {.meter = (char *)"rapl", .name = (char *)"dram", .scope = SCOPE_DRAM, .kind = KIND_COUNTER},
};
static struct channel_energy energies[] = {{true, 3.6e6, 1e4, 0}, {true, 1.8e6, 1e4, 0}};
static struct window whole = {.name = (char *)"run", .parent = -1, .wall_s = 100, .energies = energies};
static const struct record record = {.wall_s = 100,
                                     .started_wall_ns = 1780000000000000000,
                                     .channels = channels,
                                     .channel_count = 2,
                                     .windows = &whole,
                                     .window_count = 1,
                                     .host = {.name = (char *)"h",
                                              .cpu_model = (char *)"A \"quoted\", CPU",
                                              .kernel = (char *)"Linux 6",
                                              .version = (char *)"0",
                                              .logical_cpus = 4}};

static char *start_file(const char *content)
{
    char path[] = "/tmp/joulery-csv-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(write(descriptor, content, strlen(content)), strlen(content));
    close(descriptor);
    return strdup(path);
}

static void append(const char *path, const struct location *location, double pue)
{
    struct error error = ERROR_INIT;
    const struct codecarbon_options options = {
        .project = "mine", .experiment = "one call", .location = location, .pue = pue};
    if (codecarbon_append(path, &record, &options, &error) < 0)
        fail_msg("%s", error_text(&error));
}

/* The value of a column in the last line. */
static char *value_of(const char *path, const char *column)
{
    struct error error = ERROR_INIT;
    size_t size = 0, found = SIZE_MAX;
    AUTO_FREE char *text = file_read(path, 1u << 16, &size, &error);
    struct csv_row header, row = {0};
    assert_int_equal(csv_parse_row(text, size, &header, &error), 0);
    for (size_t i = 0; i < header.count; i++)
        if (strcmp(header.fields[i], column) == 0)
            found = i;
    for (size_t at = header.size; at < size; at += row.size) {
        csv_row_free(&row);
        assert_int_equal(csv_parse_row(text + at, size - at, &row, &error), 0);
        assert_int_equal(row.count, header.count);
    }
    assert_true(found < row.count);
    char *value = strdup(row.fields[found]);
    csv_row_free(&row);
    csv_row_free(&header);
    return value;
}

static void expect(const char *path, const char *column, const char *expected)
{
    AUTO_FREE char *value = value_of(path, column);
    assert_string_equal(value, expected);
}

static void expect_near(const char *path, const char *column, double expected)
{
    AUTO_FREE char *value = value_of(path, column);
    double number = 0;
    assert_int_equal(text_to_double(value, &number), 0);
    assert_true(fabs(number - expected) <= 1e-9 * fabs(expected));
}

static void a_new_file_gets_codecarbons_columns_and_units(void **state)
{
    (void)state;
    AUTO_FREE char *path = start_file("");
    append(path, NULL, 0);
    expect_near(path, "energy_consumed", 1.5);
    expect_near(path, "cpu_energy", 1);
    expect_near(path, "ram_energy", 0.5);
    expect_near(path, "cpu_power", 36000);
    expect(path, "gpu_energy", ""); /* no instrument: not known, and not 0 */
    expect(path, "emissions", "");
    expect(path, "country_name", "");
    expect(path, "cpu_model", "A \"quoted\", CPU");
    expect(path, "project_name", "mine");
    expect(path, "experiment_id", "one call");
    const struct location *sweden = known_location("SWE");
    append(path, sweden, 2);
    expect_near(path, "energy_consumed", 3); /* times the PUE, as CodeCarbon does */
    expect_near(path, "emissions", 3 * sweden->intensity_g_per_kwh / 1000);
    expect_near(path, "emissions_rate", 3 * sweden->intensity_g_per_kwh / 1000 / 100);
    expect(path, "country_iso_code", "SWE");
    expect(path, "region", "");
    unlink(path);
}

static void an_older_files_columns_are_kept(void **state)
{
    (void)state;
    AUTO_FREE char *path = start_file(HEADER_2022 "\r\nlast,line,lacks,its,end,1,2,N,x");
    append(path, NULL, 0);
    expect_near(path, "energy_consumed", 1.5);
    expect(path, "novel", "");
    struct error error = ERROR_INIT;
    AUTO_FREE char *text = file_read(path, 1u << 16, NULL, &error);
    assert_string_equal(text + strlen(text) - 2, "\r\n");
    assert_non_null(strstr(text, "its,end,1,2,N,x\n"));
    unlink(path);
}

static void what_is_no_such_file_is_refused_and_left_alone(void **state)
{
    (void)state;
    static const char *const wrong[] = {"name,weight\nx,1\n", "timestamp,\"duration\nenergy_consumed",
                                        "\x1f\x8b"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        AUTO_FREE char *path = start_file(wrong[i]);
        struct error error = ERROR_INIT;
        assert_int_equal(codecarbon_check(path, &error), -1);
        assert_non_null(strstr(error_text(&error), path));
        const struct codecarbon_options options = {.project = "mine", .experiment = "one call", .pue = 1};
        assert_int_equal(codecarbon_append(path, &record, &options, &error), -1);
        error_clear(&error);
        AUTO_FREE char *text = file_read(path, 1u << 16, NULL, &error);
        assert_string_equal(text, wrong[i]);
        unlink(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_file_gets_codecarbons_columns_and_units),
        cmocka_unit_test(an_older_files_columns_are_kept),
        cmocka_unit_test(what_is_no_such_file_is_refused_and_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
