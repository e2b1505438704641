/* Logs with a known wall curve, laid over a study's database made through the store. */
#include "exchange/log_overlay.h"

#include "base/clock.h"
#include "base/text.h"
#include "report/compare.h"

#include <math.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { RUNS = 3, EPOCHS = 5, WINDOWS = 1 + EPOCHS, RATE = 10 };

static const struct power_log_columns columns = {.time = "time", .power = "P (W)"};
static const struct power_log_columns counter = {.time = "time", .energy = "Wh"};

/* Runs whose starts the store keeps without the fraction. The clock of the log is 7.3 s ahead, 200 ppm fast.
 */
static const double starts_s[RUNS] = {1795000000.37, 1795000700.81, 1795001400.05};
static const double wall_s = 600, delay_s = 7.3, drift = 200e-6, log_start_s = 1794999950;
static const double rest_w = 12;

/* In [-1, 1). */
static double chance(double i)
{
    double v = sin(12.9898 * i + 4.1414) * 43758.5453;
    return 2 * (v - floor(v)) - 1;
}

/* A network that is trained: a slow start, then epochs, each with a validation, and steps of uneven length.
 */
static double software_w(double into_s, size_t run)
{
    double epoch_s = fmod(into_s, 119.37), step = floor(into_s / 5.37);
    double base = into_s < 20.43 ? 25 : epoch_s > 100 ? 38 : 60;
    return base + 8 * chance(step + 1000 * (double)run) + 1.5 * chance(floor(into_s * RATE) + 5e4);
}

static double wall_w(double at_s)
{
    for (size_t run = 0; run < RUNS; run++)
        if (at_s >= starts_s[run] && at_s < starts_s[run] + wall_s)
            return 50 + 1.3 * software_w(at_s - starts_s[run], run);
    return 50 + 1.3 * rest_w;
}

static double wall_j(size_t run, double from_s, double long_s)
{
    double sum_j = 0, step_s = 0.01;
    for (size_t i = 0; i < (size_t)llround(long_s / step_s); i++)
        sum_j += (50 + 1.3 * software_w(from_s + ((double)i + 0.5) * step_s, run)) * step_s;
    return sum_j;
}

/* ---- the database ---- */

struct made {
    struct channel channels[3];
    struct channel_energy energies[WINDOWS][3];
    struct window windows[WINDOWS];
    struct record record;
};

static void make_record(struct made *made, size_t run, bool walled)
{
    *made = (struct made){.channels = {{.meter = "rapl",
                                        .name = "package-0",
                                        .scope = SCOPE_CPU,
                                        .kind = KIND_COUNTER,
                                        .accuracy = 0.03,
                                        .accuracy_source = "x"},
                                       {.meter = "rapl",
                                        .name = "package-0/core",
                                        .part_of = "package-0",
                                        .scope = SCOPE_CPU,
                                        .kind = KIND_COUNTER,
                                        .accuracy_source = "x"},
                                       {.meter = "wattmeter",
                                        .name = "plug",
                                        .scope = SCOPE_WALL,
                                        .kind = KIND_POWER,
                                        .accuracy_source = "x"}}};
    size_t channels = walled ? 3 : 2;
    made->record = (struct record){.started_wall_ns = (int64_t)(starts_s[run] * 1000) * 1000000,
                                   .wall_s = wall_s,
                                   .channels = made->channels,
                                   .channel_count = channels,
                                   .windows = made->windows,
                                   .window_count = WINDOWS,
                                   .rate_hz = RATE};
    for (size_t i = 0; i < WINDOWS; i++) {
        struct window *window = &made->windows[i];
        double long_s = i ? wall_s / EPOCHS : wall_s, from_s = i ? (double)(i - 1) * long_s : 0;
        *window = (struct window){.name = i ? "epoch" : "run",
                                  .index = (int64_t)i,
                                  .parent = i ? 0 : -1,
                                  .start_s = from_s,
                                  .wall_s = long_s,
                                  .complete = true,
                                  .energies = made->energies[i]};
        double software_j = (wall_j(run, from_s, long_s) - 50 * long_s) / 1.3;
        const double energies_j[] = {software_j, software_j / 2, 12345};
        for (size_t c = 0; c < channels; c++)
            made->energies[i][c] = (struct channel_energy){true, energies_j[c], 1, 0};
    }
}

static void add_trace(struct store *store, int64_t id, size_t run)
{
    enum { SAMPLES = 600 * RATE };
    struct error error = ERROR_INIT;
    struct trace_sample *samples = calloc(2 * SAMPLES, sizeof *samples);
    for (size_t i = 0; i < SAMPLES; i++) {
        double at_s = (double)i / RATE, power_w = software_w(at_s + 0.5 / RATE, run);
        samples[2 * i] = (struct trace_sample){0, at_s, 1.0 / RATE, power_w};
        samples[2 * i + 1] = (struct trace_sample){1, at_s, 1.0 / RATE, 100 - power_w};
    }
    assert_int_equal(store_add_trace(store, id, samples, 2 * SAMPLES, &error), 0);
    free(samples);
}

static struct store *make_store(char *path, bool walled)
{
    struct error error = ERROR_INIT;
    int descriptor = mkstemp(path);
    close(descriptor);
    unlink(path);
    struct store *store = store_open(path, STORE_WRITE, &error);
    assert_non_null(store);
    struct plan_factor factors[RUNS] = {{"arch", "a"}, {"arch", "b"}, {"arch", "c"}};
    struct planned_run plan[RUNS];
    for (size_t i = 0; i < RUNS; i++)
        plan[i] = (struct planned_run){(int64_t)i, 1, &factors[i], 1};
    const struct study_identity study = {.name = "s", .definition = "", .fingerprint = "{}"};
    size_t cut;
    assert_int_equal(store_put_study(store, &study, plan, RUNS, &error), 0);
    assert_int_equal(store_claim(store, &cut, &error), 0);
    for (size_t i = 0; i < RUNS; i++) {
        struct made made;
        int64_t id;
        make_record(&made, i, walled);
        assert_int_equal(store_begin_run(store, (int64_t)i, &id, &error), 0);
        add_trace(store, id, i);
        assert_int_equal(store_end_run(store, id, &made.record, &error), 0);
    }
    return store;
}

static void drop_store(struct store *store, const char *path)
{
    store_close(store);
    unlink(path);
}

static double ask(struct store *store, const char *sql)
{
    sqlite3_stmt *statement;
    if (sqlite3_prepare_v2(store_database(store), sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(store_database(store)));
    double value = sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_type(statement, 0) != SQLITE_NULL
                       ? sqlite3_column_double(statement, 0)
                       : NAN;
    sqlite3_finalize(statement);
    return value;
}

/* ---- the log ---- */

static double log_clock(double at_s)
{
    return at_s + delay_s + drift * (at_s - starts_s[0]);
}

/* A reading a second, up to 0.15 s early or late, 2 W of noise; every 41st line is lost, every 97th garbled.
 * With steps of a watt-hour: the counter. */
static struct power_log make_log(bool energies, double step_wh)
{
    struct text text = TEXT_INIT;
    text_append(&text, "some logger\n\"time\",P (W),Wh\n");
    double energy_j = 0, last_s = log_start_s;
    for (size_t i = 0; i < 2200; i++) {
        double at_s = log_start_s + (double)i + 0.15 * chance((double)i);
        for (; last_s < at_s - 0.005; last_s += 0.01)
            energy_j += wall_w(last_s + 0.005) * 0.01;
        double power_w = wall_w(at_s) + 2 * chance(1000 + (double)i);
        if (i % 41 == 40)
            continue;
        if (i % 97 == 96)
            text_append(&text, "17950\"00,??\n");
        else
            text_printf(&text, "%.3f,%.1f,%.6f\n", log_clock(at_s), power_w,
                        floor(energy_j / 3600 / step_wh) * step_wh);
    }
    struct power_log log;
    struct error error = ERROR_INIT;
    if (power_log_parse(text.data, text.length, energies ? &counter : &columns, &log, &error) < 0)
        fail_msg("%s", error_text(&error));
    text_free(&text);
    return log;
}

static struct log_overlay laid(struct store *store, const struct power_log *log,
                               const struct log_overlay_options *options)
{
    struct log_overlay overlay;
    struct error error = ERROR_INIT;
    if (log_overlay_lay(store, log, options, &overlay, &error) < 0)
        fail_msg("%s", error_text(&error));
    return overlay;
}

static const struct log_overlay_options usual = {
    .name = "pdu.csv", .search = true, .search_s = 600, .accuracy = 0.001};

/* How far a run's own time `into_s` is from where the log is laid. */
static double error_s(const struct log_overlay *overlay, size_t run, double into_s)
{
    const struct aligned_run *at = &overlay->runs[run].at;
    double origin_s = (double)overlay->origin_ns / NS_PER_S, told_s = floor(starts_s[run]) - origin_s + 0.5;
    double log_s = log_clock(starts_s[run] + into_s) - origin_s;
    return log_s - at->delay_s - overlay->alignment.drift * (log_s - at->middle_s) - told_s - into_s;
}

static void check_energies(struct store *store, double times)
{
    struct error error = ERROR_INIT;
    for (size_t run = 0; run < RUNS; run++) {
        struct record record;
        assert_int_equal(store_read_record(store, (int64_t)run + 1, &record, &error), 0);
        for (size_t i = 0; i < record.window_count; i++) {
            const struct window *window = &record.windows[i];
            const struct channel_energy *energy = &window->energies[record.channel_count - 1];
            double truth_j = wall_j(run, window->start_s, window->wall_s);
            assert_true(energy->known);
            if (!(fabs(energy->energy_j - truth_j) < times * energy->uncertainty_j))
                fail_msg("run %zu, window %zu: expected %.2f J, found %.2f +- %.2f J", run, i, truth_j,
                         energy->energy_j, energy->uncertainty_j);
            assert_true(energy->uncertainty_j < 0.05 * energy->energy_j);
        }
        record_free(&record);
    }
}

/* ---- promises ---- */

static void a_log_7_3_s_ahead_and_200_ppm_fast_is_laid_over_to_within_0_2_s(void **state)
{
    (void)state;
    char path[] = "/tmp/joulery_overlay_XXXXXX";
    struct store *store = make_store(path, false);
    struct power_log log = make_log(false, 1);
    assert_int_equal(log.rows, 2200 - 2200 / 41);
    assert_true(log.bad > 15);
    struct log_overlay overlay = laid(store, &log, &usual);
    assert_int_equal(overlay.laid, RUNS);
    assert_true(fabs(overlay.alignment.drift - drift) < 3 * overlay.alignment.drift_sd);
    for (size_t run = 0; run < RUNS; run++) {
        assert_true(overlay.runs[run].at.own);
        assert_true(fabs(error_s(&overlay, run, 0)) < 0.2);
        assert_true(fabs(error_s(&overlay, run, wall_s)) < 0.2);
    }
    check_energies(store, 2);
    log_overlay_free(&overlay);
    power_log_free(&log);
    drop_store(store, path);
}

static void the_runs_are_compared_with_the_wall_after_it(void **state)
{
    (void)state;
    char path[] = "/tmp/joulery_overlay_XXXXXX";
    struct store *store = make_store(path, false);
    struct power_log log = make_log(false, 1);
    struct log_overlay overlay = laid(store, &log, &usual);
    struct comparison comparison;
    const struct compare_options options = {.epochs = true};
    struct error error = ERROR_INIT;
    assert_int_equal(compare_build(store, &options, &comparison, &error), 0);
    assert_int_equal(comparison.pair_count, RUNS * EPOCHS);
    assert_string_equal(comparison.hardware, "wall");
    assert_true(fabs(comparison.least_squares.slope.value - 1.3) < 0.1);
    compare_free(&comparison);
    assert_true(
        ask(store, "SELECT count(*) FROM note WHERE text LIKE 'log/pdu.csv: laid over with a delay of %'") ==
        RUNS);
    assert_true(
        ask(store,
            "SELECT count(*) FROM channel WHERE meter = 'log' AND scope = 'wall' AND kind = 'power'") ==
        RUNS);
    log_overlay_free(&overlay);
    power_log_free(&log);
    drop_store(store, path);
}

static void a_second_time_takes_the_place_of_the_first_and_leaves_the_rest(void **state)
{
    (void)state;
    static const char all[] = "SELECT (SELECT count(*) FROM energy) + 1e3 * (SELECT count(*) FROM note) + "
                              "1e6 * (SELECT count(*) FROM "
                              "channel) + 1e9 * (SELECT count(*) FROM gap)";
    static const char measured[] = "SELECT sum(energy_j * (channel + 1)) FROM energy WHERE channel < 2";
    char path[] = "/tmp/joulery_overlay_XXXXXX";
    struct store *store = make_store(path, false);
    struct power_log log = make_log(false, 1);
    double before = ask(store, measured), software_j = ask(store, "SELECT sum(software_j) FROM window");
    struct log_overlay_options wrong = usual;
    wrong.search = false;
    wrong.delay_s = 60;
    struct log_overlay overlay = laid(store, &log, &wrong);
    double once = ask(store, all), first_j = ask(store, "SELECT sum(hardware_j) FROM window");
    log_overlay_free(&overlay);
    overlay = laid(store, &log, &usual);
    assert_true(ask(store, all) == once);
    assert_true(ask(store, measured) == before);
    assert_true(ask(store, "SELECT sum(software_j) FROM window") == software_j);
    assert_true(ask(store, "SELECT sum(hardware_j) FROM window") != first_j);
    assert_true(ask(store, "SELECT count(*) FROM note WHERE text LIKE '%as it was told%'") == 0);
    check_energies(store, 2);
    log_overlay_free(&overlay);
    power_log_free(&log);
    drop_store(store, path);
}

static void beside_a_wattmeter_that_counts_it_is_apart(void **state)
{
    (void)state;
    char path[] = "/tmp/joulery_overlay_XXXXXX";
    struct store *store = make_store(path, true);
    struct power_log log = make_log(false, 1);
    struct log_overlay overlay = laid(store, &log, &usual);
    assert_true(overlay.runs[0].apart);
    assert_true(ask(store, "SELECT count(*) FROM channel WHERE meter = 'log' AND apart") == RUNS);
    assert_true(ask(store, "SELECT min(hardware_j) FROM window") == 12345);
    assert_true(ask(store, "SELECT max(hardware_j) FROM window") == 12345);
    log_overlay_free(&overlay);
    power_log_free(&log);
    drop_store(store, path);
}

static void a_counter_is_worth_its_steps(void **state)
{
    (void)state;
    char path[] = "/tmp/joulery_overlay_XXXXXX";
    struct store *store = make_store(path, false);
    struct power_log log = make_log(true, 0.02);
    struct log_overlay overlay = laid(store, &log, &usual);
    assert_int_equal(overlay.kind, KIND_COUNTER);
    for (size_t run = 0; run < RUNS; run++)
        assert_true(fabs(error_s(&overlay, run, wall_s / 2)) < 3 * overlay.runs[run].at.delay_sd_s);
    assert_true(fabs(ask(store, "SELECT max(resolution) FROM channel WHERE meter = 'log'") - 72) < 1e-6);
    check_energies(store, 2);
    log_overlay_free(&overlay);
    power_log_free(&log);
    drop_store(store, path);
}

static void one_run_alone_can_be_chosen_and_a_dry_run_writes_nothing(void **state)
{
    (void)state;
    char path[] = "/tmp/joulery_overlay_XXXXXX";
    struct store *store = make_store(path, false);
    struct power_log log = make_log(false, 1);
    struct log_overlay_options options = usual;
    options.run = 2;
    options.dry_run = true;
    struct log_overlay overlay = laid(store, &log, &options);
    assert_int_equal(overlay.count, 1);
    assert_true(isnan(ask(store, "SELECT max(hardware_j) FROM window")));
    log_overlay_free(&overlay);
    options.dry_run = false;
    overlay = laid(store, &log, &options);
    assert_true(
        ask(store,
            "SELECT count(DISTINCT run) FROM energy e JOIN channel c USING (run) WHERE c.meter = 'log'") ==
        1);
    double truth_j = wall_j(1, 0, wall_s), found_j = overlay.runs[0].energy.energy_j;
    assert_true(fabs(found_j - truth_j) < 2 * overlay.runs[0].energy.uncertainty_j);
    log_overlay_free(&overlay);
    power_log_free(&log);
    drop_store(store, path);
}

static void refused(struct store *store, const struct power_log *log,
                    const struct log_overlay_options *options, const char *why)
{
    struct log_overlay overlay;
    struct error error = ERROR_INIT;
    assert_int_equal(log_overlay_lay(store, log, options, &overlay, &error), -1);
    if (!strstr(error_text(&error), why))
        fail_msg("expected '%s' in '%s'", why, error_text(&error));
    assert_true(isnan(ask(store, "SELECT max(hardware_j) FROM window")));
    assert_true(ask(store, "SELECT count(*) FROM channel WHERE meter = 'log'") == 0);
    error_clear(&error);
    log_overlay_free(&overlay);
}

static void what_cannot_be_told_is_refused_and_nothing_is_written(void **state)
{
    (void)state;
    char path[] = "/tmp/joulery_overlay_XXXXXX";
    struct store *store = make_store(path, false);
    struct power_log log = make_log(false, 1);
    struct log_overlay_options options = usual;
    options.run = 9;
    refused(store, &log, &options, "no run 9 that has ended");
    options.run = 0;
    options.search = false;
    options.delay_s = 1e6;
    refused(store, &log, &options, "covers none of the runs");
    power_log_free(&log);
    struct text text = TEXT_INIT;
    text_append(&text, "time,P (W)\n");
    for (size_t i = 0; i < 2200; i++)
        text_printf(&text, "%.3f,%.2f\n", log_start_s + (double)i, 120 + chance((double)i));
    struct error error = ERROR_INIT;
    assert_int_equal(power_log_parse(text.data, text.length, &columns, &log, &error), 0);
    refused(store, &log, &usual, "don't tell how the log's clock stands");
    text_free(&text);
    power_log_free(&log);
    drop_store(store, path);
}

static void a_delay_that_is_told_is_taken(void **state)
{
    (void)state;
    char path[] = "/tmp/joulery_overlay_XXXXXX";
    struct store *store = make_store(path, false);
    struct power_log log = make_log(false, 1);
    struct log_overlay_options options = usual;
    options.search = false;
    options.delay_s = 7.3;
    struct log_overlay overlay = laid(store, &log, &options);
    assert_int_equal(overlay.laid, RUNS);
    assert_false(overlay.searched);
    check_energies(store, 2); /* the starts, known to the second, are in the uncertainty */
    json_t *json = log_overlay_to_json(&overlay, &log, &options);
    assert_non_null(json);
    assert_true(json_is_null(json_object_get(json, "alignment")));
    json_decref(json);
    log_overlay_free(&overlay);
    power_log_free(&log);
    drop_store(store, path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_7_3_s_ahead_and_200_ppm_fast_is_laid_over_to_within_0_2_s),
        cmocka_unit_test(the_runs_are_compared_with_the_wall_after_it),
        cmocka_unit_test(a_second_time_takes_the_place_of_the_first_and_leaves_the_rest),
        cmocka_unit_test(beside_a_wattmeter_that_counts_it_is_apart),
        cmocka_unit_test(a_counter_is_worth_its_steps),
        cmocka_unit_test(one_run_alone_can_be_chosen_and_a_dry_run_writes_nothing),
        cmocka_unit_test(what_cannot_be_told_is_refused_and_nothing_is_written),
        cmocka_unit_test(a_delay_that_is_told_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
