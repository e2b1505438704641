/* `joulery when` and `joulery run --when-clean` from outside. */
#include "shop.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "sample.h"

#include <math.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct hour {
    double length_s, g_per_kwh; /* g_per_kwh below 0: a hole */
};

/* A forecast that begins `after_s` from now; returns its begin. */
static int64_t forecast(const struct shop *shop, const char *name, double after_s, const struct hour *hours,
                        size_t count)
{
    struct text csv = TEXT_INIT;
    struct error error = ERROR_INIT;
    int64_t begin_s = clock_wall_ns() / NS_PER_S + (int64_t)after_s, at_s = begin_s;
    text_append(&csv, "from,to,g_per_kwh\n");
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *from = clock_iso8601(at_s * NS_PER_S);
        at_s += (int64_t)hours[i].length_s;
        AUTO_FREE char *to = clock_iso8601(at_s * NS_PER_S);
        if (hours[i].g_per_kwh >= 0)
            text_printf(&csv, "%s,%s,%g\n", from, to, hours[i].g_per_kwh);
    }
    AUTO_FREE char *path = file_join(shop->folder, name);
    assert_int_equal(file_write(path, csv.data, csv.length, &error), 0);
    text_free(&csv);
    return begin_s;
}

static double number(const json_t *json, const char *object, const char *member)
{
    json_t *value = json_object_get(object ? json_object_get(json, object) : json, member);
    if (!json_is_number(value))
        fail_msg("%s.%s is no number", object ? object : "", member);
    return json_number_value(value);
}

static const char *string(const json_t *json, const char *object, const char *member)
{
    return json_string_value(json_object_get(object ? json_object_get(json, object) : json, member));
}

static const struct hour cheap_later[] = {{7200, 300}, {3600, 100}, {7200, 200}, {14400, 400}};

/* 12 kWh over 1 h: at 100 g/kWh and PUE 1.5 that is 1.8 kg; now, at 300, 5.4 kg. */
static void the_answer_is_the_hand_calculation(void **state)
{
    struct shop *shop = *state;
    int64_t begin_s = forecast(shop, "f.csv", -60, cheap_later, 4);
    assert_int_equal(joulery(shop,
                             "when --duration 1h --energy 12kWh --location GBR --hourly f.csv --pue 1.5 "
                             "--within 6h --json w.json"),
                     0);
    json_t *json = load(shop, "w.json");
    AUTO_FREE char *start = clock_iso8601((begin_s + 7200) * NS_PER_S);
    assert_string_equal(string(json, NULL, "schema"), "joulery.when/1");
    assert_string_equal(string(json, "best", "start"), start);
    assert_true(fabs(number(json, "best", "kg_co2e") - 1.8) < 1e-9);
    assert_true(fabs(number(json, "now", "kg_co2e") - 5.4) < 1e-9);
    assert_true(fabs(number(json, "worst", "kg_co2e") - 7.2) < 1e-9);
    assert_true(fabs(number(json, NULL, "saved_kg_co2e") - 3.6) < 1e-9);
    assert_true(fabs(number(json, NULL, "saved_share") - 2.0 / 3) < 1e-9);
    assert_string_equal(string(json, "forecast", "source"), "f.csv");
    assert_true(json_is_null(json_object_get(json_object_get(json, "forecast"), "accounting")));
    assert_non_null(strstr(shop->output, "saves 3.60 kg (66.7 %)"));
    assert_non_null(strstr(shop->output, "━"));
    assert_non_null(strstr(shop->output, "source: f.csv, a file: its age and kind are not known"));
    json_decref(json);
}

static void times_are_local_with_their_offset(void **state)
{
    struct shop *shop = *state;
    forecast(shop, "f.csv", -60, cheap_later, 4);
    assert_int_equal(shop_script(shop, "TZ=XXX-5:30 $J when -d 1h -l GBR --hourly f.csv"), 0);
    assert_non_null(strstr(shop->output, " +05:30"));
    assert_int_equal(shop_script(shop, "TZ=YYY9:30 $J when -d 1h -l GBR --hourly f.csv --json -"), 0);
    json_t *json = json_loads(shop->output, 0, NULL);
    assert_true(json_is_null(json_object_get(json_object_get(json, "best"), "kg_co2e")));
    const char *start = string(json, "best", "start");
    assert_true(start && start[strlen(start) - 1] == 'Z');
    json_decref(json);
}

static void what_the_forecast_lacks_is_said(void **state)
{
    struct shop *shop = *state;
    static const struct hour holes[] = {{3600, 300}, {600, -1}, {7200, 100}};
    forecast(shop, "holes.csv", -60, holes, 3);
    assert_int_equal(joulery(shop, "when -d 1h -l GBR --hourly holes.csv --json w.json"), 0);
    json_t *json = load(shop, "w.json");
    assert_true(json_is_null(json_object_get(json, "now")));
    assert_true(json_is_null(json_object_get(json, "saved_share")));
    assert_true(number(json, "forecast", "holes") == 1);
    assert_int_equal(json_array_size(json_object_get(json, "notes")), 3);
    assert_non_null(strstr(shop->output, "the forecast has 1 hole"));
    assert_non_null(strstr(shop->output, "the forecast ends at"));
    assert_non_null(strstr(shop->output, "what waiting saves is not known"));
    json_decref(json);
}

static void bad_input_ends_in_a_clear_line(void **state)
{
    struct shop *shop = *state;
    forecast(shop, "f.csv", -60, cheap_later, 4);
    forecast(shop, "old.csv", -90000, cheap_later, 4);
    static const struct {
        const char *arguments;
        int status;
        const char *says;
    } cases[] = {
        {"when -h", 0, NULL},
        {"when --location GBR --hourly f.csv", 2, "how long is the job? --duration 6h"},
        {"when --duration 6h --hourly f.csv", 2, "--location PLACE is needed"},
        {"when r.json --duration 6h --location GBR", 2, "a run has its own duration and energy"},
        {"when --duration 6h --location GBR --hourly f.csv --within soon", 2,
         "--within: expected a duration"},
        {"when --duration 6 --location GBR --hourly f.csv", 2,
         "--duration: expected a duration with its unit"},
        {"when --duration 6h --energy 12 --location GBR --hourly f.csv", 2, "--energy: expected an energy"},
        {"when --duration 6h --location Atlantis --hourly f.csv", 1, "Atlantis"},
        {"when --duration 6h --location GBR", 1, "there is no forecast for United Kingdom: --hourly"},
        {"when --duration 6h --location GBR --hourly none.csv", 1, "none.csv"},
        {"when --duration 1h --location GBR --hourly old.csv", 1, "a newer forecast is needed"},
        {"when --duration 20h --location GBR --hourly f.csv", 1, "a job of 20 h 0 min does not fit"},
        {"when --duration 400d --location GBR --hourly f.csv", 2, "--duration: at most 366 d"},
        {"when none.db --location GBR --hourly f.csv", 1, "none.db: No such file"},
        {"when f.csv:3 --location GBR --hourly f.csv", 1, "f.csv"},
        {"run --when-clean --duration 1h -- touch ran", 2, "--when-clean needs --location"},
        {"run --when-clean -l GBR --hourly f.csv -- touch ran", 2, "--when-clean needs --duration"},
        {"run --when-clean -l GBR --duration 1h -- touch ran", 2, "there is no forecast for United Kingdom"},
        {"run --when-clean -l GBR --duration 1h --hourly no.csv -- touch ran", 1, "no.csv"},
        {"run --within 3h -- touch ran", 2, "they need --when-clean"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(joulery(shop, cases[i].arguments), cases[i].status);
        if (cases[i].says)
            says(shop, cases[i].says);
    }
    AUTO_FREE char *path = file_join(shop->folder, "ran");
    assert_false(file_exists(path));
}

/* ---- a run that was measured ---- */

/* Two hours that use all of their energy in the first. */
static void put_run(const struct shop *shop, const char *name)
{
    struct error error = ERROR_INIT;
    struct record record;
    int64_t run;
    size_t cut;
    const struct trace_sample samples[] = {{0, 0, 3600, 100}, {0, 3600, 3600, 0}};
    struct study_identity study = sample_study(1);
    struct planned_run *plan = sample_plan(1);
    AUTO_FREE char *path = file_join(shop->folder, name);
    struct store *store = store_open(path, STORE_WRITE, &error);
    assert_non_null(store);
    sample_record(&record, 0, 0);
    record.wall_s = 7200;
    assert_int_equal(store_put_study(store, &study, plan, 1, &error), 0);
    assert_int_equal(store_claim(store, &cut, &error), 0);
    assert_int_equal(store_begin_run(store, 0, &run, &error), 0);
    assert_int_equal(store_add_trace(store, run, samples, 2, &error), 0);
    assert_int_equal(store_end_run(store, run, &record, &error), 0);
    store_close(store);
    record_free(&record);
    sample_plan_free(plan, 1);
}

/* It starts at the beginning of the clean hour; one that uses energy evenly would start before. */
static void a_run_is_laid_over_the_forecast_as_it_used_its_energy(void **state)
{
    struct shop *shop = *state;
    static const struct hour hours[] = {{7200, 300}, {3600, 100}, {10800, 310}};
    int64_t begin_s = forecast(shop, "f.csv", -60, hours, 3);
    put_run(shop, "s.db");
    assert_int_equal(joulery(shop, "when s.db:1 -l GBR --hourly f.csv --json w.json"), 0);
    json_t *json = load(shop, "w.json");
    AUTO_FREE char *start = clock_iso8601((begin_s + 7200) * NS_PER_S);
    assert_string_equal(string(json, "best", "start"), start);
    assert_true(fabs(number(json, "best", "intensity_g_per_kwh") - 100) < 1e-6);
    assert_true(number(json, NULL, "duration_s") == 7200 && number(json, NULL, "energy_j") == 10.5);
    json_decref(json);
    assert_int_equal(joulery(shop, "when s.db -l GBR --hourly f.csv"), 0);
    assert_non_null(strstr(shop->output, "run 1 of s.db"));
    assert_int_equal(joulery(shop, "when s.db:7 -l GBR --hourly f.csv"), 1);
    says(shop, "s.db: run 7 is not in it");
}

static void a_document_of_a_run_is_a_job(void **state)
{
    struct shop *shop = *state;
    forecast(shop, "f.csv", -60, cheap_later, 4);
    assert_int_equal(joulery(shop, "run -q --tdp 100 --json r.json -- sleep 0.3"), 0);
    assert_int_equal(joulery(shop, "when r.json -l GBR --hourly f.csv --json w.json"), 0);
    json_t *run = load(shop, "r.json"), *json = load(shop, "w.json");
    assert_true(number(json, NULL, "energy_j") == number(run, "totals", "software_j"));
    assert_true(json_is_true(json_object_get(json, "estimated")));
    assert_true(json_is_null(json_object_get(run, "waited")));
    json_decref(run);
    json_decref(json);
    assert_int_equal(joulery(shop, "when w.json -l GBR --hourly f.csv"), 1);
    says(shop, "w.json: expected joulery.run/1");
}

/* ---- waiting ---- */

static const struct hour cleaner_soon[] = {{5, 300}, {7200, 100}};

static void the_command_starts_when_it_is_cleanest_and_its_record_says_so(void **state)
{
    struct shop *shop = *state;
    int64_t begin_s = forecast(shop, "f.csv", 0, cleaner_soon, 2);
    assert_int_equal(joulery(shop,
                             "run --when-clean --within 1h --duration 10min -l GBR --hourly f.csv --json "
                             "r.json -- date +%s"),
                     0);
    assert_true(atoll(shop->output) >= begin_s + 5);
    json_t *json = load(shop, "r.json");
    assert_string_equal(string(json, "waited", "end"), "cleanest");
    assert_string_equal(string(json, "waited", "source"), "f.csv");
    assert_true(fabs(number(json, "waited", "started_g_per_kwh") - 100) < 1);
    assert_true(number(json, "waited", "wall_s") < 3600 && number(json, "waited", "within_s") == 3600);
    const char *until = string(json, "waited", "until"), *started = string(json, NULL, "started");
    assert_true(until && started && strcmp(started, until) >= 0); /* measured from the start on */
    json_decref(json);
}

/* In the background, with a command that must not have run before the signal. */
static int signalled(struct shop *shop, const char *signals)
{
    forecast(shop, "f.csv", -60, cheap_later, 4);
    AUTO_FREE char *script =
        text_format("rm -f ran log\n"
                    "$J run --when-clean --duration 10min -l GBR --hourly f.csv --json r.json -- "
                    "touch ran 2>log & p=$!\n"
                    "until grep -q 'kill -USR1' log; do sleep 0.1; done\n"
                    "test -e ran && exit 99\n"
                    "for s in %s; do kill -$s $p; sleep 0.3; done\n"
                    "wait $p; s=$?; cat log >&2; exit $s",
                    signals);
    return shop_script(shop, script);
}

/* A shell's background jobs ignore SIGINT: it is the second signal that counts. */
static void a_signal_starts_it_now(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(signalled(shop, "INT USR1"), 0);
    says(shop, "joulery run: starts, after");
    says(shop, "until somebody told it to start");
    free(slurp(shop, "ran"));
    json_t *json = load(shop, "r.json");
    assert_string_equal(string(json, "waited", "end"), "told");
    json_decref(json);
}

static void a_signal_that_comes_too_late_changes_nothing(void **state)
{
    struct shop *shop = *state;
    static const struct hour clean_now[] = {{7200, 100}};
    forecast(shop, "f.csv", -60, clean_now, 1);
    assert_int_equal(joulery(shop, "run --when-clean --duration 10min -l GBR --hourly f.csv -- sh -c "
                                   "'kill -USR1 $PPID; sleep 0.3; kill -USR1 $$'"),
                     128 + 10);
    says(shop, "starts at once: no later start is cleaner");
    says(shop, "Energy of 'sh -c");
}

static void giving_up_starts_nothing(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(signalled(shop, "TERM"), 128 + 15);
    says(shop, "given up after");
    says(shop, "nothing was started");
    AUTO_FREE char *path = file_join(shop->folder, "ran");
    assert_false(file_exists(path));
}

static void without_a_forecast_it_starts_at_once_and_says_why(void **state)
{
    struct shop *shop = *state;
    forecast(shop, "f.csv", -60, cheap_later, 1);
    assert_int_equal(joulery(shop, "run --when-clean --duration 20h -l GBR --hourly f.csv --json r.json -- "
                                   "sh -c 'exit 5'"),
                     5);
    says(shop,
         "starts at once, for there is no forecast to wait by: f.csv: a job of 20 h 0 min does not fit");
    json_t *json = load(shop, "r.json");
    assert_string_equal(string(json, "waited", "end"), "no forecast");
    assert_non_null(strstr(string(json, "waited", "trouble"), "does not fit"));
    assert_true(json_is_null(json_object_get(json_object_get(json, "waited"), "started_g_per_kwh")));
    json_decref(json);
}

static void a_command_that_is_not_there_is_not_waited_for(void **state)
{
    struct shop *shop = *state;
    forecast(shop, "f.csv", -60, cheap_later, 4);
    assert_int_equal(joulery(shop, "run --when-clean --duration 1h -l GBR --hourly f.csv -- no-such-command"),
                     127);
    says(shop, "no-such-command: not found");
}

/* On a terminal: `key` is typed when it waits. */
static int typed(const struct shop *shop, char key, char **seen)
{
    int terminal;
    struct text output = TEXT_INIT;
    AUTO_FREE char *program = file_join(getenv("JOULERY_BIN"), "joulery");
    AUTO_FREE char *file = file_join(shop->folder, "f.csv");
    /* so wide that no line is wrapped, wherever the times in it would have it */
    struct winsize size = {.ws_row = 24, .ws_col = 1000};
    pid_t child = forkpty(&terminal, NULL, NULL, &size);
    if (child == 0) {
        setenv("TERM", "xterm", 1);
        execl(program, "joulery", "run", "--when-clean", "--duration", "10min", "-l", "GBR", "--hourly", file,
              "--", "echo", "it ran", NULL);
        _exit(99);
    }
    bool done = false;
    char bytes[512];
    for (ssize_t got; (got = read(terminal, bytes, sizeof bytes)) > 0;) {
        text_append_bytes(&output, bytes, (size_t)got);
        if (!done && strstr(output.data, "Enter: now"))
            done = write(terminal, &key, 1) == 1;
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    close(terminal);
    *seen = text_take(&output);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void on_a_terminal_enter_starts_it_and_control_c_gives_up(void **state)
{
    struct shop *shop = *state;
    forecast(shop, "f.csv", -60, cheap_later, 4);
    AUTO_FREE char *started = NULL, *stopped = NULL;
    assert_int_equal(typed(shop, '\n', &started), 0);
    assert_non_null(strstr(started, "it ran"));
    assert_int_equal(typed(shop, '\003', &stopped), 130);
    assert_non_null(strstr(stopped, "nothing was started"));
    assert_null(strstr(stopped, "it ran"));
}

static int open_shop(void **state)
{
    *state = shop_open(NULL, 0);
    return *state ? 0 : -1;
}

static int close_shop(void **state)
{
    return shop_close(*state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_is_the_hand_calculation),
        cmocka_unit_test(times_are_local_with_their_offset),
        cmocka_unit_test(what_the_forecast_lacks_is_said),
        cmocka_unit_test(bad_input_ends_in_a_clear_line),
        cmocka_unit_test(a_run_is_laid_over_the_forecast_as_it_used_its_energy),
        cmocka_unit_test(a_document_of_a_run_is_a_job),
        cmocka_unit_test(the_command_starts_when_it_is_cleanest_and_its_record_says_so),
        cmocka_unit_test(a_signal_starts_it_now),
        cmocka_unit_test(a_signal_that_comes_too_late_changes_nothing),
        cmocka_unit_test(giving_up_starts_nothing),
        cmocka_unit_test(without_a_forecast_it_starts_at_once_and_says_why),
        cmocka_unit_test(a_command_that_is_not_there_is_not_waited_for),
        cmocka_unit_test(on_a_terminal_enter_starts_it_and_control_c_gives_up),
    };
    return cmocka_run_group_tests(tests, open_shop, close_shop);
}
