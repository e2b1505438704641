/* Whole imports into a store: what comes together, and that a failed one changes nothing. */
#include "base/file.h"
#include "base/text.h"
#include "exchange/curves.h"
#include "exchange/import.h"
#include "exchange/wall_summary.h"

#include <math.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define HEADER "timestamp,run_id,duration,cpu_energy,ram_energy,energy_consumed\n"

struct shop {
    char *folder, *database;
    struct store *store;
    char *message; /* of the last import that failed */
};

static int open_shop(void **state)
{
    struct error error = ERROR_INIT;
    struct shop *shop = calloc(1, sizeof *shop);
    char folder[] = "/tmp/joulery-import-XXXXXX";
    shop->folder = strdup(mkdtemp(folder));
    shop->database = file_join(shop->folder, "p.db");
    shop->store = store_open(shop->database, STORE_WRITE, &error);
    *state = shop;
    return shop->store ? 0 : -1;
}

static int close_shop(void **state)
{
    struct shop *shop = *state;
    store_close(shop->store);
    AUTO_FREE char *command = text_format("rm -rf '%s'", shop->folder);
    int result = system(command);
    free(shop->folder);
    free(shop->database);
    free(shop->message);
    free(shop);
    return result;
}

static char *put(const struct shop *shop, const char *name, const char *content)
{
    struct error error = ERROR_INIT;
    char *path = file_join(shop->folder, name);
    assert_int_equal(file_write(path, content, strlen(content), &error), 0);
    return path;
}

static char *published(const char *name)
{
    AUTO_FREE char *folder = file_join(getenv("JOULERY_TEST_DATA"), "imported");
    return file_join(folder, name);
}

typedef int import_function(struct store *store, const struct import_request *request,
                            struct import_outcome *outcome, struct error *error);

/* Imports one file, of runs with arch=`level`; how many lines came out, or -1 and shop->message. */
static int import(struct shop *shop, import_function *function, const char *path, const char *level,
                  int64_t repetition)
{
    struct error error = ERROR_INIT;
    struct import_outcome outcome;
    const struct plan_factor factor = {(char *)"arch", (char *)level};
    const struct import_request request = {.files = &path,
                                           .file_count = 1,
                                           .study = "published",
                                           .factors = &factor,
                                           .factor_count = 1,
                                           .repetition = repetition,
                                           .channel = "wall"};
    int result = function(shop->store, &request, &outcome, &error);
    result = result == 0 ? (int)outcome.count : -1;
    free(shop->message);
    shop->message = strdup(error_text(&error));
    import_outcome_free(&outcome);
    error_clear(&error);
    return result;
}

static void expect(struct shop *shop, const char *sql, const char *expected)
{
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_prepare_v2(store_database(shop->store), sql, -1, &statement, NULL), SQLITE_OK);
    const char *answer =
        sqlite3_step(statement) == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    if (!answer || strcmp(answer, expected) != 0)
        fail_msg("%s: expected %s, found %s", sql, expected, answer ? answer : "nothing");
    sqlite3_finalize(statement);
}

static void says(const struct shop *shop, const char *words)
{
    if (!strstr(shop->message, words))
        fail_msg("expected '%s', found '%s'", words, shop->message);
}

static void a_run_gets_its_wattmeter_and_its_epochs(void **state)
{
    struct shop *shop = *state;
    AUTO_FREE char *emissions = published("vgg16_emissions.csv");
    AUTO_FREE char *wattmeter = published("vgg16_wattmeter.json");
    AUTO_FREE char *accuracy = published("vgg16_accuracy.txt");
    assert_int_equal(import(shop, import_codecarbon, emissions, "vgg16", 1), 1);
    assert_int_equal(import(shop, import_wattmeter, wattmeter, "vgg16", 1), 1);
    assert_int_equal(import(shop, import_accuracy, accuracy, "vgg16", 1), 1);
    expect(
        shop,
        "SELECT round(software_j) || ' ' || (software_uncertainty_j IS NULL) || ' ' || round(hardware_j) || "
        "' ' "
        "|| (hardware_uncertainty_j IS NULL) || ' ' || round(val_accuracy, 4) || ' ' || estimated FROM runs",
        "2761482.0 1 5511970.0 1 0.5928 1");
    expect(shop,
           "SELECT count(*) || ' ' || count(wall_s) || ' ' || max(epoch) || ' ' || round(min(val_loss), 4) "
           "FROM epochs",
           "5 0 5 1.185");
    expect(shop, "SELECT value FROM imported WHERE source = 'wattmeter' AND name = 'wall/identifier'",
           "1339477-CIFAR10_VGG16_1");
    expect(shop, "SELECT value FROM imported WHERE name = 'cpu_power'", "208.06927278501274");
    expect(
        shop,
        "SELECT count(rate_hz) + count(recorder_cpu_s) + count(recorder_peak_rss) + count(command) FROM run",
        "0");
    expect(shop, "SELECT name || fingerprint FROM study", "published{\"imported\":true}");
    struct record record;
    struct error error = ERROR_INIT;
    assert_int_equal(store_read_record(shop->store, 1, &record, &error), 0);
    assert_true(record.window_count == 6 && isnan(record.windows[3].wall_s) &&
                record.windows[3].metric_count == 2);
    assert_true(isnan(record.windows[0].energies[0].uncertainty_j) && isnan(record.channels[0].accuracy));
    json_t *json = record_to_json(&record);
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(json, "windows"), 3), "wall_s")));
    assert_true(
        json_is_null(json_object_get(json_array_get(json_object_get(json, "channels"), 0), "accuracy")));
    json_decref(json);
    record_free(&record);
}

static void repetitions_count_on(void **state)
{
    struct shop *shop = *state;
    AUTO_FREE char *two =
        put(shop, "two.csv", HEADER "2022-01-01T00:00:00,a,9,1,1,2\n2022-01-01T01:00:00,b,9,1,1,2\n");
    AUTO_FREE char *one = put(shop, "one.csv", HEADER "2022-01-01T02:00:00,c,9,1,1,2\n");
    AUTO_FREE char *more = put(shop, "more.csv", HEADER "2022-01-01T03:00:00,d,9,1,1,2\n");
    assert_int_equal(import(shop, import_codecarbon, two, "x", 1), 2);
    assert_int_equal(import(shop, import_codecarbon, one, "y", 1), 1);
    assert_int_equal(import(shop, import_codecarbon, more, "x", 1), 1);
    expect(shop, "SELECT group_concat(json_extract(factors, '$.arch') || repetition) FROM runs",
           "x1,x2,y1,x3");
}

static void a_row_comes_in_once(void **state)
{
    struct shop *shop = *state;
    AUTO_FREE char *first = put(shop, "first.csv", HEADER "2022-01-01T00:00:00,a,9,1,1,2\n");
    AUTO_FREE char *again =
        put(shop, "again.csv", HEADER "2022-01-01T05:00:00,new,9,1,1,2\n2022-01-01T00:00:00,a,9,1,1,2\n");
    AUTO_FREE char *later = put(shop, "later.csv", HEADER "2022-01-01T01:00:00,a,99,2,2,4\n");
    assert_int_equal(import(shop, import_codecarbon, first, "x", 1), 1);
    assert_int_equal(import(shop, import_codecarbon, again, "x", 1), -1);
    says(shop,
         "again.csv:3: the row of run_id a and 2022-01-01T00:00:00 is in the database already, as run 1: "
         "nothing was imported");
    assert_int_equal(import(shop, import_codecarbon, later, "x", 1), -1);
    says(shop, "such rows are cumulative");
    expect(shop, "SELECT count(*) FROM runs", "1");
}

static void a_wrong_file_changes_nothing(void **state)
{
    struct shop *shop = *state;
    AUTO_FREE char *good = put(shop, "good.csv", HEADER "2022-01-01T00:00:00,a,9,1,1,2\n");
    AUTO_FREE char *bad =
        put(shop, "bad.csv", HEADER "2022-01-01T01:00:00,b,9,1,1,2\n2022-01-01T02:00:00,c,9,1,x,2\n");
    AUTO_FREE char *nothing = put(shop, "nothing.json", "{\"volts\": 230}");
    assert_int_equal(import(shop, import_codecarbon, bad, "x", 1), -1);
    says(shop, "bad.csv:3: expected a number in column 'ram_energy', found 'x'");
    expect(shop, "SELECT (SELECT count(*) FROM study) + (SELECT count(*) FROM plan)", "0");
    assert_int_equal(import(shop, import_codecarbon, good, "x", 1), 1);
    assert_int_equal(import(shop, import_codecarbon, bad, "x", 1), -1);
    assert_int_equal(import(shop, import_wattmeter, nothing, "x", 1), -1);
    says(shop, "nothing.json: expected an energy above 0");
    assert_int_equal(import(shop, import_wattmeter, nothing, "x", 2), -1);
    expect(shop, "SELECT count(*) || ' ' || count(hardware_j) FROM runs", "1 0");
}

static void what_does_not_belong_together_is_refused(void **state)
{
    struct shop *shop = *state;
    struct error error = ERROR_INIT;
    AUTO_FREE char *first = put(shop, "first.csv", HEADER "2022-01-01T00:00:00,a,9,1,1,2\n");
    AUTO_FREE char *summary = put(shop, "w.json", "{\"Wh\": 2}");
    AUTO_FREE char *accuracy = put(shop, "a.txt", "acc: [0.5]\n");
    assert_int_equal(import(shop, import_codecarbon, first, "x", 1), 1);
    AUTO_FREE char *second = put(shop, "second.csv", HEADER "2022-01-01T09:00:00,b,9,1,1,2\n");
    const struct plan_factor other = {(char *)"site", (char *)"oregon"};
    const char *path = second;
    const struct import_request request = {
        .files = &path, .file_count = 1, .study = "s", .factors = &other, .factor_count = 1};
    struct import_outcome outcome;
    assert_int_equal(import_codecarbon(shop->store, &request, &outcome, &error), -1);
    import_outcome_free(&outcome);
    assert_non_null(strstr(error_text(&error), "the runs in it have the factors arch: give each of them"));
    error_clear(&error);
    assert_int_equal(import(shop, import_wattmeter, summary, "y", 1), -1);
    says(shop, "no run with the levels {\"arch\":\"y\"} and repetition 1");
    assert_int_equal(import(shop, import_wattmeter, summary, "x", 1), 1);
    assert_int_equal(import(shop, import_wattmeter, summary, "x", 1), -1);
    says(shop, "w.json: the run has an energy of wattmeter/wall already");
    assert_int_equal(import(shop, import_accuracy, accuracy, "x", 1), 1);
    assert_int_equal(import(shop, import_accuracy, accuracy, "x", 1), -1);
    says(shop, "a.txt: the run has epochs already");
    assert_int_equal(
        sqlite3_exec(store_database(shop->store), "UPDATE study SET fingerprint = '{}'", NULL, NULL, NULL),
        0);
    assert_int_equal(import(shop, import_codecarbon, second, "x", 1), -1);
    says(shop, "the database holds the study 'published', which was run here");
}

/* ---- wattmeters ---- */

static void readings_are_integrated_over_their_times(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct wall_summary summary;
    /* 100 W rising to 300 W over 2 s, then flat for 8 s */
    static const char csv[] = "note,Time,power_w\nx,2022-01-01T00:00:00Z,100\nx,2022-01-01T00:00:02Z,300\n"
                              "x,2022-01-01T00:00:10Z,300\n";
    assert_int_equal(wall_summary_parse("w.csv", csv, strlen(csv), &summary, &error), 0);
    assert_true(fabs(summary.energy_j - 2800) < 1e-6 && fabs(summary.wall_s - 10) < 1e-6 &&
                summary.samples == 3 && fabs(summary.longest_s - 8) < 1e-6);
    wall_summary_free(&summary);
    static const char epochs[] = "t,w\r\n1650000000.5,50\r\n1650000001.5,50\r\n";
    assert_int_equal(wall_summary_parse("w.csv", epochs, strlen(epochs), &summary, &error), 0);
    assert_true(fabs(summary.energy_j - 50) < 1e-4);
    wall_summary_free(&summary);
}

#define CSV_WANTED "w: expected JSON with \"joules\", or CSV with a column time and a column power: "

static void wattmeters_that_contradict_themselves_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"{\"joules\": 3600, \"Wh\": 1.1}",
         "w: its energies contradict each other: 3600 J and, by 'Wh', 3960 J"},
        {"{\"joules\": -1}", "w: expected an energy above 0"},
        {"{\"joules\": 1, \"timeExecution\": 0}", "w: expected \"timeExecution\" above 0 s"},
        {"{\"joules\": 1,\n}", "w:2: not JSON"},
        {"a,b\n1,2\n", CSV_WANTED "no line names the column"},
        {"t,w\n1,2\n", CSV_WANTED "of 1 rows 1 can be used"},
        {"t,w\n10,2\n10,3\n", CSV_WANTED "line 3: its time is not between"},
        {"t,w\n10,2\n11,x\n", CSV_WANTED "line 3: no number for the power"},
        {"t,w\n10,2\nnoon,3\n", CSV_WANTED "line 3: no time"},
        {"t,w\n10,2,1\n", CSV_WANTED "line 2: another number of fields"},
        {"t,w\n10,0\n11,0\n", "w: its readings come to 0 J"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct wall_summary summary;
        assert_int_equal(wall_summary_parse("w", cases[i].text, strlen(cases[i].text), &summary, &error), -1);
        if (strncmp(error_text(&error), cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("expected '%s', found '%s'", cases[i].message, error_text(&error));
        error_clear(&error);
    }
}

/* ---- curves ---- */

static void curves_are_read_under_marks_names(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct curves curves;
    static const char text[] = "acf: [0.5, nan,0.75]\r\n\nloss : [ 2,1e-1 ,.5]\n";
    assert_int_equal(curves_parse("a", text, strlen(text), &curves, &error), 0);
    assert_int_equal(curves.count, 2);
    assert_string_equal(curves.items[0].metric, "val_accuracy");
    assert_string_equal(curves.items[1].metric, "loss");
    assert_true(curves.items[0].count == 3 && isnan(curves.items[0].values[1]) &&
                curves.items[0].values[2] == 0.75 && curves.items[1].values[1] == 0.1);
    curves_free(&curves);
}

static void wrong_curves_are_named_by_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "a: expected a line like 'val_accuracy: [0.26, 0.29]', found none"},
        {"\nacc 0.5", "a:2: expected a line like"},
        {"acc: [0.5] 7", "a:1: expected a line like"},
        {"val_acuracy: [0.5]", "a:1: unknown curve 'val_acuracy' (did you mean val_accuracy?)"},
        {"f1: [0.5]", "a:1: unknown curve 'f1': expected one of accuracy, acc"},
        {"acc: [0.5, x]", "a:1: expected a number as value 2, found 'x'"},
        {"acc: []", "a:1: expected a number as value 1, found ''"},
        {"acc: [1]\nloss: [1, 2]", "a:2: expected 1 epochs, as the first curve has, found 2"},
        {"acc: [1]\naccuracy: [1]", "a:2: accuracy a second time"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct curves curves;
        assert_int_equal(curves_parse("a", cases[i].text, strlen(cases[i].text), &curves, &error), -1);
        if (strncmp(error_text(&error), cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("expected '%s', found '%s'", cases[i].message, error_text(&error));
        error_clear(&error);
    }
}

#define IN_SHOP(test) cmocka_unit_test_setup_teardown(test, open_shop, close_shop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SHOP(a_run_gets_its_wattmeter_and_its_epochs),
        IN_SHOP(repetitions_count_on),
        IN_SHOP(a_row_comes_in_once),
        IN_SHOP(a_wrong_file_changes_nothing),
        IN_SHOP(what_does_not_belong_together_is_refused),
        cmocka_unit_test(readings_are_integrated_over_their_times),
        cmocka_unit_test(wattmeters_that_contradict_themselves_are_refused),
        cmocka_unit_test(curves_are_read_under_marks_names),
        cmocka_unit_test(wrong_curves_are_named_by_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
