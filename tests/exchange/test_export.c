/* What comes out of a database: each figure of it, under the names that columns.md explains; reports that
 * BoAmps' own schemas take. */
#include "base/csv.h"
#include "base/file.h"
#include "base/text.h"
#include "exchange/boamps.h"
#include "exchange/export.h"
#include "known_places.h"
#include "synthetic.h"

#include <math.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct shop {
    char *folder, *database, *out;
    struct store *store;
    char *text; /* the last file read */
};

static int open_shop(void **state)
{
    struct shop *shop = calloc(1, sizeof *shop);
    char folder[] = "/tmp/joulery-export-XXXXXX";
    shop->folder = strdup(mkdtemp(folder));
    shop->database = file_join(shop->folder, "s.db");
    shop->out = file_join(shop->folder, "out");
    *state = shop;
    return 0;
}

static int close_shop(void **state)
{
    struct shop *shop = *state;
    store_close(shop->store);
    AUTO_FREE char *command = text_format("rm -rf '%s'", shop->folder);
    int result = system(command);
    free(shop->folder);
    free(shop->database);
    free(shop->out);
    free(shop->text);
    free(shop);
    return result;
}

static void fill(struct shop *shop, const struct synthetic *synthetic)
{
    struct error error = ERROR_INIT;
    assert_int_equal(synthetic_store(shop->database, synthetic, &error), 0);
    shop->store = store_open(shop->database, STORE_READ, &error);
    assert_non_null(shop->store);
}

static const char *slurp(struct shop *shop, const char *name)
{
    struct error error = ERROR_INIT;
    size_t size;
    AUTO_FREE char *path = file_join(shop->out, name);
    free(shop->text);
    shop->text = file_read(path, 1 << 26, &size, &error);
    if (!shop->text)
        fail_msg("%s", error_text(&error));
    return shop->text;
}

/* ---- a CSV file, asked by name of column ---- */

struct sheet {
    struct csv_row *rows; /* the first is the header */
    size_t count;
};

static struct sheet read_sheet(const char *text)
{
    struct sheet sheet = {0};
    struct error error = ERROR_INIT;
    for (size_t at = 0, size = strlen(text); at < size; at += sheet.rows[sheet.count++].size) {
        sheet.rows = realloc(sheet.rows, (sheet.count + 1) * sizeof *sheet.rows);
        assert_int_equal(csv_parse_row(text + at, size - at, &sheet.rows[sheet.count], &error), 0);
        assert_int_equal(sheet.rows[sheet.count].count, sheet.rows[0].count);
    }
    return sheet;
}

static void free_sheet(struct sheet *sheet)
{
    for (size_t i = 0; i < sheet->count; i++)
        csv_row_free(&sheet->rows[i]);
    free(sheet->rows);
}

static const char *cell(const struct sheet *sheet, size_t row, const char *column)
{
    for (size_t i = 0; i < sheet->rows[0].count; i++)
        if (strcmp(sheet->rows[0].fields[i], column) == 0)
            return sheet->rows[row].fields[i];
    return NULL;
}

static double number(const struct sheet *sheet, size_t row, const char *column)
{
    double value = NAN;
    const char *text = cell(sheet, row, column);
    if (!text)
        fail_msg("no column %s", column);
    text_to_double(text, &value);
    return value;
}

static double ask(const struct shop *shop, const char *sql)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(store_database(shop->store), sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    double value = sqlite3_column_double(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static double sum(const struct sheet *sheet, const char *column)
{
    double sum = 0;
    for (size_t i = 1; i < sheet->count; i++)
        sum += isnan(number(sheet, i, column)) ? 0 : number(sheet, i, column);
    return sum;
}

static void export_to_csv(struct shop *shop, const char *location, struct export_count *counts)
{
    struct error error = ERROR_INIT;
    struct export_place place;
    assert_int_equal(export_find_place(shop->store, known_places(), location, 0, &place, &error), 0);
    assert_int_equal(export_csv(shop->store, shop->out, &place, counts, &error), 0);
}

/* ---- tables ---- */

static void every_figure_comes_out_as_it_is_in_the_database(void **state)
{
    struct shop *shop = *state;
    struct export_count counts[EXPORT_TABLES];
    fill(shop, &(struct synthetic){.repetitions = 2, .batches = 2, .walled = true, .troubles = true});
    export_to_csv(shop, NULL, counts);
    struct sheet runs = read_sheet(slurp(shop, "runs.csv"));
    struct sheet windows = read_sheet(slurp(shop, "windows.csv"));
    struct sheet energies = read_sheet(slurp(shop, "energies.csv"));
    assert_true(runs.count - 1 == counts[0].rows && counts[0].rows == ask(shop, "SELECT count(*) FROM run"));
    assert_true(windows.count - 1 == counts[1].rows);
    assert_true(energies.count - 1 == ask(shop, "SELECT count(*) FROM energies"));
    assert_true(sum(&runs, "software_j") == ask(shop, "SELECT total(software_j) FROM runs"));
    assert_true(sum(&runs, "hardware_j") == ask(shop, "SELECT total(hardware_j) FROM runs"));
    assert_true(sum(&energies, "energy_j") == ask(shop, "SELECT total(energy_j) FROM energies"));
    assert_true(sum(&windows, "metric_val_accuracy") == ask(shop, "SELECT total(val_accuracy) FROM epochs"));
    assert_string_equal(cell(&runs, 1, "factor_arch"), "lenet5");
    assert_non_null(cell(&energies, energies.count - 1, "factor_batch"));
    assert_true(ask(shop, "SELECT count(*) FROM run WHERE state = 'cut'") > 0);
    size_t cut = 0;
    for (size_t i = 1; i < runs.count; i++)
        cut += strcmp(cell(&runs, i, "state"), "cut") == 0;
    assert_true(cut == ask(shop, "SELECT count(*) FROM run WHERE state = 'cut'"));
    free_sheet(&runs);
    free_sheet(&windows);
    free_sheet(&energies);
}

static void emissions_are_there_for_a_named_place_alone(void **state)
{
    struct shop *shop = *state;
    struct error error = ERROR_INIT;
    struct export_count counts[EXPORT_TABLES];
    fill(shop, &(struct synthetic){.repetitions = 1});
    export_to_csv(shop, NULL, counts);
    struct sheet runs = read_sheet(slurp(shop, "runs.csv"));
    assert_null(cell(&runs, 0, "software_kg_co2e"));
    assert_non_null(strstr(slurp(shop, "columns.md"), "There are no emissions here"));
    free_sheet(&runs);
    export_to_csv(shop, "SWE", counts);
    runs = read_sheet(slurp(shop, "runs.csv"));
    double expected =
        number(&runs, 1, "software_j") / 3.6e6 * known_location("SWE")->intensity_g_per_kwh / 1000;
    assert_true(fabs(number(&runs, 1, "software_kg_co2e") / expected - 1) < 1e-12);
    free_sheet(&runs);
    struct export_place place;
    assert_int_equal(export_find_place(shop->store, known_places(), "Atlantis", 0, &place, &error), -1);
    error_clear(&error);
    assert_int_equal(export_find_place(shop->store, known_places(), NULL, 0.5, &place, &error), -1);
    error_clear(&error);
}

static void every_column_is_explained(void **state)
{
    struct shop *shop = *state;
    struct export_count counts[EXPORT_TABLES];
    static const char *const files[] = {"runs.csv", "windows.csv", "energies.csv"};
    fill(shop, &(struct synthetic){.repetitions = 1, .hostile = true, .location = "FRA"});
    export_to_csv(shop, NULL, counts);
    AUTO_FREE char *columns = strdup(slurp(shop, "columns.md"));
    for (size_t i = 0; i < EXPORT_TABLES; i++) {
        struct sheet sheet = read_sheet(slurp(shop, files[i]));
        for (size_t k = 0; k < sheet.rows[0].count; k++) {
            AUTO_FREE char *row = text_format("\n| %s | ", sheet.rows[0].fields[k]);
            if (!strstr(columns, row))
                fail_msg("columns.md says nothing of %s", sheet.rows[0].fields[k]);
        }
        free_sheet(&sheet);
    }
}

static void json_lines_hold_the_same_rows(void **state)
{
    struct shop *shop = *state;
    struct error error = ERROR_INIT;
    struct export_count counts[EXPORT_TABLES];
    fill(shop, &(struct synthetic){.repetitions = 2, .hostile = true, .troubles = true});
    export_to_csv(shop, "SWE", counts);
    AUTO_FREE char *path = file_join(shop->out, "all.jsonl");
    struct export_place place;
    assert_int_equal(export_find_place(shop->store, known_places(), "SWE", 1.5, &place, &error), 0);
    assert_int_equal(export_jsonl(shop->store, path, &place, counts, &error), 0);
    size_t lines = 0, rows = counts[0].rows + counts[1].rows + counts[2].rows;
    double software_j = 0;
    AUTO_FREE char *text = strdup(slurp(shop, "all.jsonl"));
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest), lines++) {
        json_t *object = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
        assert_true(json_is_object(object));
        const char *table = json_string_value(json_object_get(object, "table"));
        if (lines == 0)
            assert_string_equal(json_string_value(json_object_get(object, "schema")), "joulery.rows/1");
        if (table && strcmp(table, "runs") == 0)
            software_j += json_number_value(json_object_get(object, "software_j"));
        json_decref(object);
    }
    assert_int_equal(lines, rows + 1);
    assert_true(software_j == ask(shop, "SELECT total(software_j) FROM runs"));
}

/* ---- BoAmps: as much of JSON Schema as its schemas use ---- */

static json_t *schema(const char *name)
{
    AUTO_FREE char *path = text_format("%s/boamps/%s", getenv("JOULERY_TEST_DATA"), name);
    json_t *loaded = json_load_file(path, 0, NULL);
    assert_non_null(loaded);
    return loaded;
}

static bool has_type(const json_t *value, const char *type)
{
    return (strcmp(type, "object") == 0 && json_is_object(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
           (strcmp(type, "number") == 0 && json_is_number(value));
}

static bool is_listed(const json_t *value, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(value, json_array_get(list, i)))
            return true;
    return false;
}

static void validate(const json_t *value, const json_t *by, const char *where);

static void validate_members(const json_t *value, const json_t *by, const char *where)
{
    const json_t *required = json_object_get(by, "required");
    const char *name;
    json_t *member;
    for (size_t i = 0; i < json_array_size(required) && json_is_object(value); i++)
        if (!json_object_get(value, json_string_value(json_array_get(required, i))))
            fail_msg("%s: %s is required", where, json_string_value(json_array_get(required, i)));
    json_object_foreach((json_t *)value, name, member)
    {
        const json_t *property = json_object_get(json_object_get(by, "properties"), name);
        if (!property)
            fail_msg("%s: the schema has no %s", where, name);
        validate(member, property, name);
    }
}

static void validate(const json_t *value, const json_t *by, const char *where)
{
    const char *reference = json_string_value(json_object_get(by, "$ref"));
    if (reference) {
        json_t *other = schema(strrchr(reference, '/') + 1);
        validate(value, other, where);
        json_decref(other);
        return;
    }
    if (!has_type(value, json_string_value(json_object_get(by, "type"))))
        fail_msg("%s: expected %s", where, json_string_value(json_object_get(by, "type")));
    if (json_object_get(by, "enum") && !is_listed(value, json_object_get(by, "enum")))
        fail_msg("%s: '%s' is not in the schema", where, json_string_value(value));
    const json_t *least = json_object_get(by, "minimum"), *most = json_object_get(by, "maximum");
    assert_true(!least || json_number_value(value) >= json_number_value(least));
    assert_true(!most || json_number_value(value) <= json_number_value(most));
    assert_true((json_int_t)json_array_size(value) >= json_integer_value(json_object_get(by, "minItems")));
    for (size_t i = 0; i < json_array_size(value); i++)
        validate(json_array_get(value, i), json_object_get(by, "items"), where);
    validate_members(value, by, where);
}

static const struct boamps_options given = {.task_stage = "training",
                                            .task_family = "image classification",
                                            .data_type = "image",
                                            .infrastructure = "onPremise"};

static void reports_are_as_the_schemas_of_boamps_want_them(void **state)
{
    struct shop *shop = *state;
    struct error error = ERROR_INIT;
    struct boamps_options options = given;
    struct boamps_outcome outcome;
    fill(shop, &(struct synthetic){.repetitions = 2, .walled = true, .troubles = true, .location = "SWE"});
    assert_int_equal(export_find_place(shop->store, known_places(), NULL, 0, &options.place, &error), 0);
    assert_int_equal(boamps_export(shop->store, shop->out, &options, &outcome, &error), 0);
    assert_true(outcome.written == ask(shop, "SELECT count(*) FROM run WHERE state = 'done'"));
    assert_true(outcome.left_out == 0 && !outcome.first_left_out);
    json_t *rules = schema("report_schema.json");
    json_t *report = json_loads(slurp(shop, "boamps-run-1.json"), 0, NULL);
    validate(report, rules, "report");
    const json_t *measures = json_object_get(report, "measures");
    assert_int_equal(json_array_size(measures), 2);
    double software_kwh = json_number_value(json_object_get(json_array_get(measures, 0), "powerConsumption"));
    double hardware_kwh = json_number_value(json_object_get(json_array_get(measures, 1), "powerConsumption"));
    assert_true(fabs(software_kwh * 3.6e6 / ask(shop, "SELECT software_j FROM runs WHERE run = 1") - 1) <
                1e-9);
    assert_true(fabs(hardware_kwh * 3.6e6 / ask(shop, "SELECT hardware_j FROM runs WHERE run = 1") - 1) <
                1e-9);
    assert_string_equal(json_string_value(json_object_get(json_object_get(report, "environment"), "country")),
                        "Sweden");
    json_decref(report);
    json_decref(rules);
}

static struct record bare_record(struct channel *channel, struct channel_energy *energy,
                                 struct window *window)
{
    *channel = (struct channel){.meter = "codecarbon", .name = "cpu", .scope = SCOPE_CPU};
    *energy = (struct channel_energy){.known = true, .energy_j = 7200, .uncertainty_j = NAN};
    *window =
        (struct window){.name = "run", .parent = -1, .wall_s = 10, .complete = true, .energies = energy};
    return (struct record){.wall_s = 10,
                           .channels = channel,
                           .channel_count = 1,
                           .windows = window,
                           .window_count = 1,
                           .source = "codecarbon, e.csv:2"};
}

static void refused(const struct record *record, const struct boamps_options *options, const char *words)
{
    struct error error = ERROR_INIT;
    const struct boamps_run run = {.id = 1, .study = "s", .factors = "{}", .tool = "codecarbon"};
    json_t *report = boamps_report(record, &run, options, &error);
    assert_null(report);
    if (!strstr(error_text(&error), words))
        fail_msg("expected '%s', found '%s'", words, error_text(&error));
    error_clear(&error);
}

static void what_boamps_requires_and_nobody_knows_is_asked_for(void **state)
{
    (void)state;
    struct channel channel;
    struct channel_energy energy;
    struct window window;
    struct record record = bare_record(&channel, &energy, &window);
    struct boamps_options options = given;
    refused(&record, &options, "requires a component of the machine");
    record.host.memory_bytes = 1;
    options.infrastructure = NULL;
    refused(&record, &options, "give --infrastructure");
    options = given;
    options.task_stage = NULL;
    refused(&record, &options, "give --task-stage");
    options = given;
    options.task_family = NULL;
    refused(&record, &options, "give --task-family");
    options = given;
    options.data_type = NULL;
    refused(&record, &options, "give --data-type");
    energy.known = false;
    refused(&record, &given, "no energy is known");
    energy.known = true;
    channel.meter = "csv";
    const struct boamps_run table = {.id = 1, .study = "s", .factors = "{}", .tool = "csv"};
    struct error unknown = ERROR_INIT;
    assert_null(boamps_report(&record, &table, &given, &unknown));
    assert_non_null(strstr(error_text(&unknown), "how the energy was measured"));
    error_clear(&unknown);
    struct error error = ERROR_INIT;
    options.data_type = "pictures";
    assert_int_equal(boamps_check(&options, &error), -1);
    assert_non_null(strstr(error_text(&error), "'pictures': expected one of tabular, audio"));
    error_clear(&error);
}

static void what_is_not_known_is_left_out_of_a_report(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct channel channel;
    struct channel_energy energy;
    struct window window;
    struct record record = bare_record(&channel, &energy, &window);
    record.host.memory_bytes = 32000000000;
    const struct boamps_run run = {.id = 1, .study = "s", .factors = "{}", .tool = "codecarbon"};
    json_t *report = boamps_report(&record, &run, &given, &error);
    json_t *rules = schema("report_schema.json");
    validate(report, rules, "report");
    static const char *const unknown[] = {"system", "software", "environment", "quality"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_null(json_object_get(report, unknown[i]));
    const json_t *measure = json_array_get(json_object_get(report, "measures"), 0);
    assert_string_equal(json_string_value(json_object_get(measure, "measurementMethod")), "codecarbon");
    assert_null(json_object_get(measure, "version"));
    assert_null(json_object_get(measure, "cpuTrackingMode"));
    assert_true(fabs(json_number_value(json_object_get(measure, "powerConsumption")) - 0.002) < 1e-15);
    const json_t *parts = json_object_get(json_object_get(report, "infrastructure"), "components");
    assert_int_equal(json_array_size(parts), 1);
    assert_null(json_object_get(json_object_get(report, "task"), "measuredAccuracy"));
    json_decref(report);
    json_decref(rules);
}

#define IN_SHOP(test) cmocka_unit_test_setup_teardown(test, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SHOP(every_figure_comes_out_as_it_is_in_the_database),
        IN_SHOP(emissions_are_there_for_a_named_place_alone),
        IN_SHOP(every_column_is_explained),
        IN_SHOP(json_lines_hold_the_same_rows),
        IN_SHOP(reports_are_as_the_schemas_of_boamps_want_them),
        cmocka_unit_test(what_boamps_requires_and_nobody_knows_is_asked_for),
        cmocka_unit_test(what_is_not_known_is_left_out_of_a_report),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
