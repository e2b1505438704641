/* CodeCarbon's rows, read: as published, of every version's columns, cumulative, and wrong. */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "exchange/codecarbon.h"
#include "exchange/emissions.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEADER                                                                                               \
    "timestamp,run_id,duration,cpu_power,ram_power,cpu_energy,gpu_energy,ram_energy,energy_consumed,pue\n"

static void near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-9 * (1 + fabs(expected))))
        fail_msg("expected %.12g, found %.12g", expected, value);
}

static struct emissions parse(const char *text)
{
    struct error error = ERROR_INIT;
    struct emissions file;
    if (emissions_parse("e.csv", text, strlen(text), &file, &error) < 0)
        fail_msg("%s", error_text(&error));
    return file;
}

static const struct channel_energy *energy_of(const struct record *record, const char *channel)
{
    for (size_t i = 0; i < record->channel_count; i++)
        if (strcmp(record->channels[i].name, channel) == 0)
            return &record->windows[0].energies[i];
    return NULL;
}

static void a_published_row_becomes_a_run(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    AUTO_FREE char *path = file_join(getenv("JOULERY_TEST_DATA"), "imported/vgg16_emissions.csv");
    AUTO_FREE char *text = file_read(path, 65536, NULL, &error);
    struct emissions file = parse(text);
    assert_int_equal(file.row_count, 1);
    struct imported_run run;
    assert_int_equal(emissions_to_run(&file, &file.rows[0], 2, &run, &error), 0);
    const struct record *record = &run.record;
    assert_string_equal(record->source, "codecarbon, e.csv:2");
    near(record->wall_s, 5472.723586320877);
    near(energy_of(record, "cpu")->energy_j, -0.06046067902656009 * 3.6e6);
    near(energy_of(record, "gpu")->energy_j, 0.5414768586718515 * 3.6e6);
    near(energy_of(record, "ram")->energy_j, 0.2860622250603095 * 3.6e6);
    assert_true(isnan(energy_of(record, "cpu")->uncertainty_j));
    struct energy_totals totals = record_totals(record, 0);
    near(totals.software_j, 0.7670784047056007 * 3.6e6);
    assert_true(isnan(totals.software_uncertainty_j) && totals.estimated && isnan(totals.hardware_j));
    assert_int_equal(record->host.sockets, 2);
    assert_int_equal(record->host.logical_cpus, 80);
    AUTO_FREE char *started = clock_iso8601(record->started_wall_ns);
    assert_string_equal(started, "2022-06-05T23:17:43Z");
    assert_int_equal(run.value_count, 27); /* all but cloud_provider and cloud_region, which are empty */
    imported_run_free(&run);
    emissions_free(&file);
}

static void what_a_version_lacks_is_not_known(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    /* version 1.2: experiment_id, no parts */
    struct emissions file =
        parse("\xef\xbb\xbftimestamp,experiment_id,project_name,duration,emissions,energy_consumed,"
              "country_name\r\n2021-02-03 04:05:06,x1,\"a \"\"b\"\", c\",10,0.1,0.002,\r\n\r\n");
    const struct emissions_row *row = &file.rows[0];
    assert_string_equal(row->run_id, "x1");
    assert_true(isnan(row->cpu_j) && isnan(row->cpu_w) && row->pue == 1);
    struct imported_run run;
    assert_int_equal(emissions_to_run(&file, row, 0, &run, &error), 0);
    assert_int_equal(run.record.channel_count, 1);
    assert_string_equal(run.record.channels[0].name, "total");
    near(record_totals(&run.record, 0).software_j, 7200);
    assert_true(record_totals(&run.record, 0).estimated);
    imported_run_free(&run);
    emissions_free(&file);
}

static void a_constant_is_a_model_and_no_gpu_is_no_channel(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct emissions file = parse(HEADER "2022-01-01T00:00:00,a,100,42.5,3,0.00118,0,0.0001,0.00128,\n"
                                         "2022-01-01T00:00:00,b,100,42.7,3,0.00118,0,0.0001,0.00128,\n");
    for (size_t i = 0; i < 2; i++) {
        struct imported_run run;
        assert_int_equal(emissions_to_run(&file, &file.rows[i], 0, &run, &error), 0);
        assert_int_equal(run.record.channel_count, 2);
        assert_int_equal(run.record.channels[0].kind, i == 0 ? KIND_MODEL : KIND_COUNTER);
        assert_string_equal(run.record.channels[1].name, "ram");
        imported_run_free(&run);
    }
    emissions_free(&file);
}

static void rows_of_one_run_id_are_differenced(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    /* run a: flushed twice, its duration counts on, and the second part lost a counter range; run b is
     * between; run c: a tracker started again, whose duration is its own */
    struct emissions file = parse(HEADER "2022-01-01T00:01:40,a,100,50,3,0.002,0.01,0.0001,0.0121,\n"
                                         "2022-01-01T00:02:00,b,20,50,3,0.001,0.01,0.0001,0.0111,\n"
                                         "2022-01-01T00:05:00,a,300,50,3,0.001,0.03,0.0003,0.0313,\n"
                                         "2022-01-01T01:00:00,c,100,50,3,0.002,0.01,0.0001,0.0121,\n"
                                         "2022-01-01T01:05:00,c,110,50,3,0.005,0.02,0.0002,0.0252,\n");
    const struct {
        size_t since;
        double duration_s, cpu_j, gpu_j;
    } expected[] = {
        {0, 100, 7200, 36000}, {0, 20, 3600, 36000},   {2, 200, -3600, 72000},
        {0, 100, 7200, 36000}, {5, 110, 10800, 36000},
    };
    assert_true(file.cumulative);
    for (size_t i = 0; i < 5; i++) {
        const struct emissions_row *row = &file.rows[i];
        assert_int_equal(row->since_line, expected[i].since);
        near(row->duration_s, expected[i].duration_s);
        near(row->cpu_j, expected[i].cpu_j);
        near(row->gpu_j, expected[i].gpu_j);
    }
    struct imported_run run;
    assert_int_equal(emissions_to_run(&file, &file.rows[2], 0, &run, &error), 0);
    assert_non_null(strstr(run.record.notes[1],
                           "rows of run_id a are cumulative: energies and duration are line 4's "
                           "less line 2's"));
    imported_run_free(&run);
    emissions_free(&file);
}

static void rows_that_fall_or_are_tasks_are_left_alone(void **state)
{
    (void)state;
    struct emissions file = parse(HEADER "2022-01-01T00:01:40,a,100,50,3,0.002,0.01,0.0003,0.0123,\n"
                                         "2022-01-01T00:05:00,a,100,50,3,0.001,0.01,0.0001,0.0111,\n");
    assert_true(!file.cumulative);
    near(file.rows[1].cpu_j, 3600);
    emissions_free(&file);
    file = parse("task_name,timestamp,run_id,duration,cpu_energy,energy_consumed\n"
                 "t1,2022-01-01T00:01:40,a,100,0.002,0.002\nt2,2022-01-01T00:05:00,a,300,0.004,0.004\n");
    assert_true(!file.cumulative);
    near(file.rows[1].duration_s, 300);
    emissions_free(&file);
}

static void a_pue_is_taken_out_and_noted(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct emissions file = parse(HEADER "2022-01-01T00:01:40,a,100,50,3,0.002,0.01,0.0003,0.0123,1.25\n");
    near(file.rows[0].gpu_j, 0.01 * 3.6e6 / 1.25);
    struct imported_run run;
    assert_int_equal(emissions_to_run(&file, &file.rows[0], 0, &run, &error), 0);
    assert_non_null(strstr(run.record.notes[1], "multiplied by a PUE of 1.25"));
    imported_run_free(&run);
    emissions_free(&file);
}

static void joulerys_own_rows_come_back(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    static struct channel channels[] = {
        {.meter = (char *)"rapl", .name = (char *)"package-0", .scope = SCOPE_CPU, .kind = KIND_COUNTER},
        {.meter = (char *)"rapl", .name = (char *)"dram", .scope = SCOPE_DRAM, .kind = KIND_COUNTER},
    };
    static struct channel_energy energies[] = {{true, 5000.5, 1, 0}, {true, 1000.25, 1, 0}};
    static struct window whole = {.name = (char *)"run", .parent = -1, .wall_s = 100, .energies = energies};
    const struct record record = {.wall_s = 100,
                                  .started_wall_ns = 1780000000000000000,
                                  .channels = channels,
                                  .channel_count = 2,
                                  .windows = &whole,
                                  .window_count = 1,
                                  .host = {.name = (char *)"h",
                                           .cpu_model = (char *)"CPU, \"new\"",
                                           .kernel = (char *)"Linux",
                                           .version = (char *)"0"}};
    char path[] = "/tmp/joulery-emissions-XXXXXX";
    close(mkstemp(path));
    const struct codecarbon_options options = {.project = "p", .experiment = "e", .pue = 1};
    assert_int_equal(codecarbon_append(path, &record, &options, &error), 0);
    AUTO_FREE char *text = file_read(path, 65536, NULL, &error);
    unlink(path);
    struct emissions file = parse(text);
    near(file.rows[0].cpu_j, 5000.5);
    near(file.rows[0].ram_j, 1000.25);
    near(file.rows[0].duration_s, 100);
    assert_string_equal(file.rows[0].cpu_model, "CPU, \"new\"");
    emissions_free(&file);
}

static void what_is_wrong_is_named_by_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "e.csv: no rows"},
        {HEADER, "e.csv: no rows"},
        {"a,b\n1,2\n", "e.csv:1: no column 'timestamp': expected a file that CodeCarbon wrote"},
        {HEADER "2022-01-01T00:00:00,a,1,1,1\n",
         "e.csv:2: expected 10 fields, as the first line has columns, found 5"},
        {HEADER "\n2022-01-01T00:00:00,a,ten,1,1,1,1,1,1,\n",
         "e.csv:3: expected a number in column 'duration', found 'ten'"},
        {HEADER "2022-01-01T00:00:00,a,9,1,1,1e304,1,1,1,\n",
         "e.csv:2: expected a number in column 'cpu_energy'"},
        {HEADER "2022-01-01T00:00:00,a,-1,1,1,1,1,1,1,\n", "e.csv:2: expected a duration above 0 s"},
        {HEADER "2022-01-01T00:00:00,a,,1,1,1,1,1,1,\n", "e.csv:2: expected a duration above 0 s"},
        {HEADER "2022-01-01T00:00:00,a,1,1,1,,,,,\n", "e.csv:2: no energy in column 'energy_consumed'"},
        {HEADER "yesterday,a,1,1,1,1,1,1,1,\n", "e.csv:2: expected a time like"},
        {HEADER "2022-01-01T00:00:00,a,1,1,1,1,1,1,1,0.5\n",
         "e.csv:2: expected a PUE of at least 1, found 0.5"},
        {HEADER "\"2022,a\n", "e.csv:2: a quote that never ends"},
        {HEADER "2022-01-01T00:00:00,a,9,1,1,1,1,1,1,\n2022-01-01T00:00:00,a,9,1,1,1,1,1,1,\n",
         "e.csv:3: no time between this row and line 2, which has the same run_id"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct emissions file;
        assert_int_equal(emissions_parse("e.csv", cases[i].text, strlen(cases[i].text), &file, &error), -1);
        if (strncmp(error_text(&error), cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("expected '%s', found '%s'", cases[i].message, error_text(&error));
        error_clear(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_published_row_becomes_a_run),
        cmocka_unit_test(what_a_version_lacks_is_not_known),
        cmocka_unit_test(a_constant_is_a_model_and_no_gpu_is_no_channel),
        cmocka_unit_test(rows_of_one_run_id_are_differenced),
        cmocka_unit_test(rows_that_fall_or_are_tasks_are_left_alone),
        cmocka_unit_test(a_pue_is_taken_out_and_noted),
        cmocka_unit_test(joulerys_own_rows_come_back),
        cmocka_unit_test(what_is_wrong_is_named_by_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
