/* `joulery run` and `joulery meters` from outside. */
#include "base/file.h"
#include "base/text.h"
#include "shop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int open_shop(void **state)
{
    *state = shop_open(NULL, 0);
    return *state ? 0 : -1;
}

static int close_shop(void **state)
{
    return shop_close(*state);
}

static size_t times(const char *text, const char *word)
{
    size_t count = 0;
    for (const char *at = strstr(text, word); at; at = strstr(at + 1, word))
        count++;
    return count;
}

static void the_command_owns_standard_output_and_the_exit_status(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "run --location DEU --pue 1.5 -- sh -c 'echo hello; exit 42'"), 42);
    assert_string_equal(shop->output, "hello\n");
    says(shop, "CO2e, estimated, in Germany");
    says(shop, "PUE 1.5");
    says(shop, "not measured: rapl: /nonexistent/class/powercap");
    says(shop, "exit status was 42");
    /* at the channel, the total, the kWh, the CO2e and in the note */
    assert_true(times(shop->error, "estimated") >= 5);
    assert_int_equal(joulery(shop, "run -q -- sh -c 'kill -9 $$'"), 137);
    assert_string_equal(shop->error, "");
    assert_int_equal(joulery(shop, "run -- true"), 0);
    says(shop, "--location");
}

static void wrong_use_is_told_before_anything_runs(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "run --location Atlantis -- touch ran"), 2);
    says(shop, "Atlantis");
    assert_int_equal(joulery(shop, "run --pue 1.2 -- touch ran"), 2);
    says(shop, "--pue changes only emissions");
    assert_int_equal(joulery(shop, "run --pue 0.5 --location SWE -- touch ran"), 2);
    assert_int_equal(joulery(shop, "run --rate 5000 -- touch ran"), 2);
    assert_int_equal(joulery(shop, "run --metre rapl -- touch ran"), 2);
    says(shop, "did you mean --meter?");
    assert_int_equal(joulery(shop, "run"), 2);
    assert_int_equal(joulery(shop, "run --meter rapl -- touch ran"), 1);
    says(shop, "/nonexistent/class/powercap");
    AUTO_FREE char *path = file_join(shop->folder, "ran");
    assert_int_equal(joulery(shop, "run --json /nonexistent/run.json -- touch ran"), 1);
    says(shop, "/nonexistent/run.json: can't be written to: No such file");
    assert_int_equal(joulery(shop, "run --json / -- touch ran"), 1);
    assert_false(file_exists(path));
    assert_int_equal(joulery(shop, "run -- ./no-such-command"), 127);
    says(shop, "./no-such-command: not found");
    assert_int_equal(joulery(shop, "run -- /etc/passwd"), 126);
    says(shop, "/etc/passwd: Permission denied");
}

static void lost_output_is_a_failure(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "run -q -- sh -c '$JOULERY_BIN/joulery places >/dev/full'"), 1);
    says(shop, "standard output: No space left");
    assert_int_equal(
        joulery(shop, "run -q -- sh -c '$JOULERY_BIN/joulery run -- sh -c \"exit 3\" <&- >&- 2>&-'"), 3);
}

static void json_has_what_others_build_on(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "run --json run.json --tdp 100 --location SWE -- sleep 0.3"), 0);
    json_t *json = load(shop, "run.json");
    const char *schema, *kind, *location, *window;
    int exit_status, estimated;
    double wall_s, energy_j, mean_w, software_j, intensity, pue, kg, cpu_s;
    json_int_t rss;
    assert_int_equal(json_unpack(json,
                                 "{s:s, s:i, s:f, s:[{s:s, s:f, s:f}], s:{s:f, s:b}, s:[{s:s}], s:{s:s, s:f, "
                                 "s:f, s:f}, s:{s:f, s:I}}",
                                 "schema", &schema, "exit_status", &exit_status, "wall_s", &wall_s,
                                 "channels", "kind", &kind, "energy_j", &energy_j, "mean_w", &mean_w,
                                 "totals", "software_j", &software_j, "estimated", &estimated, "windows",
                                 "name", &window, "emissions", "location", &location, "intensity_g_per_kwh",
                                 &intensity, "pue", &pue, "kg_co2e", &kg, "recorder", "cpu_s", &cpu_s,
                                 "peak_rss_bytes", &rss),
                     0);
    assert_string_equal(schema, "joulery.run/1");
    assert_string_equal(kind, "model");
    assert_string_equal(location, "SWE");
    assert_string_equal(window, "run");
    assert_true(estimated && wall_s > 0.3 && wall_s < 2 && cpu_s > 0 && cpu_s < 0.3 && rss > 0);
    assert_true(mean_w > 0.4 && mean_w < 75); /* of 100 W, by the model at any load: 69.3 W at full load */
    double expected_kg = software_j / 3.6e6 * intensity / 1000;
    assert_true(pue == 1 && kg > 0.999 * expected_kg && kg < 1.001 * expected_kg);
    const json_t *emissions = json_object_get(json, "emissions");
    double low = json_number_value(json_object_get(emissions, "low_kg_co2e"));
    double high = json_number_value(json_object_get(emissions, "high_kg_co2e"));
    assert_true(low > 0.2 * kg && low < kg && high > kg && high < 5 * kg);
    json_decref(json);
    assert_int_equal(joulery(shop, "run --tdp 100 --location gcp:us-west1 -- true"), 0);
    says(shop, "PUE 1.1 of Google's data centres, 2024");
    assert_int_equal(joulery(shop, "run --tdp 100 --location SWE -- true"), 0);
    says(shop, "by the range of the intensity");
    assert_int_equal(joulery(shop, "meters --json -"), 0);
    json = json_loads(shop->output, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(json, "schema")), "joulery.meters/1");
    json_decref(json);
    assert_int_equal(joulery(shop, "meters"), 0);
    assert_non_null(strstr(shop->output, "can't be used: rapl: /nonexistent/class/powercap"));
    assert_non_null(strstr(shop->output, "what to do:"));
}

static void any_script_can_mark_its_epochs(void **state)
{
    struct shop *shop = *state;
    if (system("python3 -c 'import time; time.clock_gettime_ns(7)' >/dev/null 2>&1") != 0)
        skip();
    assert_int_equal(joulery(shop, "run --json run.json -- python3 " EXAMPLES "/mark.py"), 0);
    json_t *json = load(shop, "run.json");
    const json_t *windows = json_object_get(json, "windows");
    assert_int_equal(json_array_size(windows), 4);
    const json_t *epoch = json_array_get(windows, 3);
    assert_string_equal(json_string_value(json_object_get(epoch, "name")), "epoch");
    assert_int_equal(json_integer_value(json_object_get(epoch, "index")), 3);
    assert_true(json_is_true(json_object_get(epoch, "complete")));
    assert_true(json_real_value(json_object_get(json_object_get(epoch, "metrics"), "accuracy")) > 0);
    says(shop, "epoch 3, ");
    json_decref(json);
    assert_int_equal(system("env -u JOULERY_SOCKET python3 " EXAMPLES "/mark.py"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_command_owns_standard_output_and_the_exit_status),
        cmocka_unit_test(wrong_use_is_told_before_anything_runs),
        cmocka_unit_test(lost_output_is_a_failure),
        cmocka_unit_test(json_has_what_others_build_on),
        cmocka_unit_test(any_script_can_mark_its_epochs),
    };
    return cmocka_run_group_tests(tests, open_shop, close_shop);
}
