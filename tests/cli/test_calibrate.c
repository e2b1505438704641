/* `joulery calibrate` from outside, and runs that find what it stored. */
#include "base/file.h"
#include "base/text.h"
#include "shop.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct rapl_zone zones[] = {
    {.entry = "intel-rapl:0", .name = "package-0", .range_j = 262143, .mean_w = 20},
    {.entry = "intel-rapl:0:0", .name = "dram", .range_j = 65712, .mean_w = 4},
};

/* Its own configuration: no site file and no calibration of the user's. */
#define SET_UP "export XDG_CONFIG_HOME=$PWD/config\nunset JOULERY_SITE\n"

static int open_shop(void **state)
{
    *state = shop_open(zones, 2);
    return *state ? 0 : -1;
}

static int close_shop(void **state)
{
    return shop_close(*state);
}

static json_t *scope(const char *name, bool fitted, double low_w, double high_w, const char *channel)
{
    return json_pack("{s:s, s:b, s:s?, s:f, s:f, s:[{s:s, s:s, s:n, s:b}]}", "scope", name, "fitted", fitted,
                     "left_out", fitted ? NULL : "it hardly varied", "low_w", low_w, "high_w", high_w,
                     "channels", "meter", "rapl", "name", channel, "label", "estimated", 0);
}

/* wall = 55 W + 1.5 cpu, of the machine that `run` was measured on, as `host` (NULL: as it is). */
static void write_calibration(const struct shop *shop, const json_t *run, const char *host, const char *path)
{
    struct error error = ERROR_INIT;
    json_t *machine = json_deep_copy(json_object_get(run, "host"));
    if (host)
        json_object_set_new(machine, "name", json_string(host));
    json_t *json = json_pack(
        "{s:s, s:s, s:s, s:o, s:i, s:i, s:s, s:[o, o], s:[{s:s, s:f}, {s:s, s:f}], s:[[f, f], [f, f]], s:f, "
        "s:f, "
        "s:f, s:f, s:f, s:f, s:f, s:f, s:[]}",
        "schema", "joulery.calibration/1", "measured", "2026-01-01T12:00:00Z", "source", "load ladder",
        "host", machine, "windows", 15, "groups", 5, "groups_are", "steps", "scopes",
        scope("cpu", true, 5, 100, "package-0"), scope("dram", false, 3, 5, "package-0/dram"), "coefficients",
        "term", "constant", "value", 55.0, "term", "cpu", "value", 1.5, "unscaled_covariance", 0.2, -0.003,
        -0.003, 8e-5, "sd_w", 1.0, "degrees_of_freedom", 3.0, "residual_sd_w", 1.0, "left_out_rms_w", 1.0,
        "left_out_most_w", 2.0, "leverage_most", 0.4, "wall_mean_w", 120.0, "wall_accuracy", 0.01, "doubts");
    assert_non_null(json);
    AUTO_FREE char *text = json_dumps(json, JSON_INDENT(2)), *place = file_join(shop->folder, path);
    assert_int_equal(file_make_folders(place, &error), 0);
    assert_int_equal(file_write(place, text, strlen(text), &error), 0);
    json_decref(json);
}

static json_t *measured(struct shop *shop, const char *options)
{
    AUTO_FREE char *script = text_format(SET_UP "$J run --json run.json %s -- sleep 0.5", options);
    assert_int_equal(shop_script(shop, script), 0);
    return load(shop, "run.json");
}

static double number(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static char *usual_place(const json_t *run)
{
    return text_format("config/joulery/calibration-%s.json",
                       json_string_value(json_object_get(json_object_get(run, "host"), "name")));
}

static void a_run_without_a_wattmeter_is_told_its_wall_energy(void **state)
{
    struct shop *shop = *state;
    json_t *plain = measured(shop, "");
    assert_true(json_is_null(json_object_get(plain, "calibrated")));
    AUTO_FREE char *place = usual_place(plain);
    write_calibration(shop, plain, NULL, place);
    json_t *run = measured(shop, "");
    says(shop, "at the wall (calibrated), 95 % interval");
    says(shop,
         "note: the wall energy is predicted, not measured: by the calibration of 2026-01-01T12:00:00Z, load "
         "ladder of 15 windows");
    const json_t *calibrated = json_object_get(run, "calibrated");
    double cpu_w = number(json_array_get(json_object_get(run, "channels"), 0), "mean_w");
    double expected_j = (55 + 1.5 * cpu_w) * number(run, "wall_s");
    assert_true(fabs(number(calibrated, "wall_j") - expected_j) < 1e-6 * expected_j);
    assert_true(number(calibrated, "low_j") < expected_j && expected_j < number(calibrated, "high_j"));
    assert_true(json_is_null(json_object_get(json_object_get(run, "totals"), "hardware_j")));
    json_decref(run);
    run = measured(shop, "--calibration none");
    assert_true(json_is_null(json_object_get(run, "calibrated")));
    json_decref(run);
    assert_int_equal(shop_script(shop, SET_UP "$J run --repeat 2 -- sleep 0.3"), 0);
    says(shop, "at the wall (calibrated)");
    says(shop, "and the calibration's own 95 % interval, which repeating does not lessen");
    json_decref(plain);
}

static void another_machines_calibration_is_refused(void **state)
{
    struct shop *shop = *state;
    json_t *plain = measured(shop, "--calibration none");
    AUTO_FREE char *place = usual_place(plain);
    write_calibration(shop, plain, "elsewhere", place);
    json_t *run = measured(shop, "");
    assert_true(json_is_null(json_object_get(run, "calibrated")));
    says(shop, "note: no calibration is used:");
    says(shop, "of host 'elsewhere', and this is");
    json_decref(run);
    write_calibration(shop, plain, "elsewhere", "other.json");
    assert_int_equal(shop_script(shop, SET_UP "$J run --calibration other.json -- touch ran"), 1);
    says(shop, "other.json: of host 'elsewhere', and this is");
    AUTO_FREE char *ran = file_join(shop->folder, "ran");
    assert_false(file_exists(ran));
    json_decref(plain);
}

static void what_cannot_be_calibrated_is_explained(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(shop_script(shop, SET_UP "$J calibrate --for 2 --repeat 1"), 1);
    says(shop, "no wattmeter: a calibration is of what one shows over what software shows");
    assert_int_equal(shop_script(shop, SET_UP "$J calibrate --epochs"), 2);
    says(shop, "--epochs is about given runs: --from DB names them");
    assert_int_equal(shop_script(shop, SET_UP "$J calibrate --from nowhere.db"), 1);
    says(shop, "nowhere.db");
    assert_int_equal(shop_script(shop, SET_UP "echo '{}' >bad.json; $J run --calibration bad.json -- true"),
                     1);
    says(shop, "bad.json: not a calibration: 'schema': expected joulery.calibration/1, found none");
    assert_int_equal(shop_script(shop, "$J calibrate -h"), 0);
    assert_non_null(strstr(shop->output, "example:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_without_a_wattmeter_is_told_its_wall_energy),
        cmocka_unit_test(another_machines_calibration_is_refused),
        cmocka_unit_test(what_cannot_be_calibrated_is_explained),
    };
    return cmocka_run_group_tests(tests, open_shop, close_shop);
}
