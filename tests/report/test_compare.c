/* Comparisons of stores with known figures. */
#include "report/compare.h"

#include "base/text.h"

#include <math.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { RUNS = 9, CHANNELS = 3 };

/* Nine runs of three networks, ten seconds each: rapl is at software_w, wall at 50 W + 1.2 of that, and a BMC
 * at what puts the first two networks the other way round. */
static const double software_w[RUNS] = {20, 40, 60, 22, 38, 61, 21, 42, 59};
static const double bmc_w[RUNS] = {50, 45, 90, 51, 44, 91, 52, 46, 89};

static double wall_w(size_t run)
{
    return 50 + 1.2 * software_w[run];
}

static void run_sql(struct store *store, const char *sql)
{
    char *reason = NULL;
    if (sqlite3_exec(store_database(store), sql, NULL, NULL, &reason) != SQLITE_OK)
        fail_msg("%s: %s", sql, reason);
}

static void add_run(struct store *store, size_t run, bool wall)
{
    static const char *const names[] = {"small", "middle", "large"};
    const double powers_w[CHANNELS] = {software_w[run], wall_w(run), bmc_w[run]};
    AUTO_FREE char *hardware = wall ? text_format("%.17g, 1", 10 * powers_w[1]) : strdup("NULL, NULL");
    AUTO_FREE char *rows = text_format(
        "INSERT INTO plan VALUES (%zu, %zu); INSERT INTO plan_factor VALUES (%zu, 'arch', '%s', 0);"
        "INSERT INTO run (id, position, state, started, wall_s) VALUES (%zu, %zu, 'done', "
        "'2026-01-01T00:00:00Z', 10);"
        "INSERT INTO window VALUES (%zu, 0, 'run', 0, -1, 0, 10, 1, %.17g, 1, 0, %s, NULL, NULL);",
        run, run / 3 + 1, run, names[run % 3], run + 1, run, run + 1, 10 * powers_w[0], hardware);
    run_sql(store, rows);
    static const char *const channels[CHANNELS] = {"'rapl', 'package-0', NULL, 'cpu', 'counter', 1e-6",
                                                   "'wattmeter', 'plug', NULL, 'wall', 'counter', 3.6",
                                                   "'bmc', 'node', NULL, 'platform', 'power', 1"};
    for (size_t i = 0; i < CHANNELS; i++) {
        if (i == 1 && !wall)
            continue;
        AUTO_FREE char *one =
            text_format("INSERT INTO channel (run, ordinal, meter, name, part_of, scope, kind, resolution, "
                        "range_j, update_s, "
                        "max_power_w, accuracy, accuracy_source) VALUES (%zu, %zu, %s, 0, 0, 0, 0.02, 'x');"
                        "INSERT INTO energy VALUES (%zu, 0, %zu, %.17g, 1, 0);",
                        run + 1, i, channels[i], run + 1, i, 10 * powers_w[i]);
        run_sql(store, one);
    }
}

static struct store *make_store(char *path, bool wall)
{
    struct error error = ERROR_INIT;
    int descriptor = mkstemp(path);
    close(descriptor);
    unlink(path);
    struct store *store = store_open(path, STORE_WRITE, &error);
    if (!store)
        fail_msg("%s", error_text(&error));
    for (size_t run = 0; run < RUNS; run++)
        add_run(store, run, wall);
    return store;
}

static void drop_store(struct store *store, const char *path)
{
    store_close(store);
    static const char *const ends[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        AUTO_FREE char *file = text_format("%s%s", path, ends[i]);
        unlink(file);
    }
}

static void near(double value, double expected)
{
    if (!(fabs(value - expected) <= 1e-9 * (1 + fabs(expected))))
        fail_msg("expected %.12g, found %.12g", expected, value);
}

static void a_known_line_is_found(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    char path[] = "/tmp/joulery-compare-XXXXXX";
    struct store *store = make_store(path, true);
    struct comparison c;
    assert_int_equal(compare_build(store, &(struct compare_options){0}, &c, &error), 0);
    assert_string_equal(c.software, "software total");
    assert_string_equal(c.hardware, "wall");
    assert_string_equal(c.factor, "arch");
    assert_true(c.row_count == RUNS && c.pair_count == RUNS && !c.estimated);
    near(c.least_squares.slope.value, 1.2);
    near(c.least_squares.offset.value, 50);
    near(c.deming.slope.value, 1.2);
    near(c.pearson.value, 1);
    for (size_t i = 0; i < RUNS; i++)
        near(c.rows[i].smooth_w, wall_w(i));
    double software_j = 0, hardware_j = 0;
    for (size_t i = 0; i < RUNS; i++) {
        software_j += 10 * software_w[i];
        hardware_j += 10 * wall_w(i);
    }
    near(c.coverage, software_j / hardware_j);
    near(c.coverage_low, 200 / 740.0);
    near(c.agreement.bias.value, (hardware_j - software_j) / RUNS);
    near(c.kendall, 1);
    near(c.resolution_share, 3.6 / (10 * wall_w(1))); /* run 1 is the median */
    AUTO_FREE char *text = compare_text(&c);
    assert_non_null(
        strstr(text, "least squares, mean powers: hardware = 1.200 (1.200 to 1.200) x software + 50.0 W"));
    assert_non_null(strstr(text, "order of arch: the same by both"));
    assert_null(strstr(text, "estimated"));
    json_t *json = compare_to_json(&c);
    assert_string_equal(json_string_value(json_object_get(json, "schema")), "joulery.compare/1");
    assert_int_equal(json_array_size(json_object_get(json, "rows")), RUNS);
    json_decref(json);
    compare_free(&c);
    drop_store(store, path);
}

static void another_instrument_may_rank_otherwise(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    char path[] = "/tmp/joulery-compare-XXXXXX";
    struct store *store = make_store(path, true);
    struct comparison c;
    const char *const software[] = {"wattmeter/plug"}, *const hardware[] = {"bmc/node"};
    const struct compare_options options = {
        .software = software, .software_count = 1, .hardware = hardware, .hardware_count = 1, .by = "arch"};
    assert_int_equal(compare_build(store, &options, &c, &error), 0);
    AUTO_FREE char *text = compare_text(&c);
    assert_non_null(strstr(text, "order of arch: changes places: small and middle (Kendall's tau-b 0.333)"));
    compare_free(&c);
    drop_store(store, path);
}

static void without_a_wattmeter_the_platform_stands_in(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    char path[] = "/tmp/joulery-compare-XXXXXX";
    struct store *store = make_store(path, false);
    struct comparison c;
    assert_int_equal(compare_build(store, &(struct compare_options){0}, &c, &error), 0);
    assert_string_equal(c.hardware, "bmc/node");
    near(c.rows[0].hardware_j, 500);
    assert_true(isnan(c.resolution_share));
    compare_free(&c);
    drop_store(store, path);
}

static void what_cannot_be_compared_is_explained(void **state)
{
    (void)state;
    char path[] = "/tmp/joulery-compare-XXXXXX";
    struct store *store = make_store(path, true);
    const char *const wrong[] = {"wattmeter/plg"};
    const struct {
        struct compare_options options;
        const char *message;
    } cases[] = {
        {{.hardware = wrong, .hardware_count = 1},
         "no channel 'wattmeter/plg' (did you mean wattmeter/plug?)"},
        {{.by = "arhc"}, "no factor that varies 'arhc' (did you mean arch?)"},
        {{.epochs = true},
         "0 of 0 epochs have both energies (software total, wall): a comparison takes at least two"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct comparison c;
        assert_int_equal(compare_build(store, &cases[i].options, &c, &error), -1);
        if (strcmp(error_text(&error), cases[i].message) != 0)
            fail_msg("expected '%s', found '%s'", cases[i].message, error_text(&error));
        error_clear(&error);
    }
    run_sql(store, "DELETE FROM energy; DELETE FROM channel; UPDATE window SET hardware_j = NULL");
    struct error error = ERROR_INIT;
    struct comparison c;
    assert_int_equal(compare_build(store, &(struct compare_options){0}, &c, &error), -1);
    assert_non_null(strstr(error_text(&error), "no wattmeter measured any run"));
    error_clear(&error);
    drop_store(store, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_known_line_is_found),
        cmocka_unit_test(another_instrument_may_rank_otherwise),
        cmocka_unit_test(without_a_wattmeter_the_platform_stands_in),
        cmocka_unit_test(what_cannot_be_compared_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
