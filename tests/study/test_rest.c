/* Cool-downs on a machine whose power and temperature the test sets: a rail and a thermal zone in a folder
 * that plays /sys. */
#include "study/rest.h"

#include "base/clock.h"
#include "base/text.h"
#include "file_tree.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define REST_W 10
#define HOT_W  30

struct machine {
    struct file_tree *sysfs;
    int64_t calm_ns; /* when it is back at rest; 0: never */
};

static void set_power(const struct machine *machine, double power_w)
{
    AUTO_FREE char *content = text_format("%05.0f\n", power_w / 5 * 1000);
    file_tree_write(machine->sysfs, "class/hwmon/hwmon0/curr1_input", content);
}

static void set_temperature(const struct machine *machine, double temperature_c)
{
    AUTO_FREE char *content = text_format("%05.0f\n", temperature_c * 1000);
    file_tree_write(machine->sysfs, "class/thermal/thermal_zone0/temp", content);
}

static void make_machine(struct machine *machine)
{
    static const char *const files[][2] = {
        {"class/hwmon/hwmon0/name", "ina3221\n"},
        {"class/hwmon/hwmon0/update_interval", "20\n"},
        {"class/hwmon/hwmon0/in1_label", "VDD_SYS_CPU\n"},
        {"class/hwmon/hwmon0/in1_input", "5000\n"},
        {"firmware/devicetree/base/compatible", "nvidia,tegra"},
        {"class/thermal/thermal_zone0/type", "cpu-thermal\n"},
    };
    *machine = (struct machine){.sysfs = file_tree_make()};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        file_tree_write(machine->sysfs, files[i][0], files[i][1]);
    set_power(machine, REST_W);
    set_temperature(machine, 40);
}

static void free_machine(struct machine *machine)
{
    file_tree_free(machine->sysfs);
}

#define AUTO_MACHINE __attribute__((cleanup(free_machine)))

/* Comes about each second, or more often. */
static void calm_down(void *context, const char *doing)
{
    struct machine *machine = context;
    (void)doing;
    if (machine->calm_ns == 0 || clock_boot_ns() < machine->calm_ns)
        return;
    set_power(machine, REST_W);
    set_temperature(machine, 41);
    machine->calm_ns = 0;
}

static struct study study_of(double idle_s, double most_s)
{
    return (struct study){
        .idle_s = idle_s,
        .cooldown = {.least_s = 0.2, .most_s = most_s, .power_share = 0.1, .temperature_k = 3}};
}

/* Seconds that it took; `*note` is the caller's. */
static double await(struct machine *machine, const struct study *study, double calm_s, char **note)
{
    static const char *const meters[] = {"hwmon"};
    struct error error = ERROR_INIT;
    struct meter_setup setup = {.sysfs = file_tree_root(machine->sysfs)};
    const struct rest_options options = {.setup = &setup,
                                         .meters = meters,
                                         .meter_count = 1,
                                         .rate_hz = 20,
                                         .progress = calm_down,
                                         .context = machine};
    struct rest rest;
    if (rest_measure(study, &options, &rest, &error) < 0)
        fail_msg("%s", error_text(&error));
    assert_true(study->idle_s > 0 ? fabs(rest.power_w - REST_W) < 0.5 : isnan(rest.power_w));
    assert_true(rest.temperature_c == 40);
    set_power(machine, HOT_W);
    set_temperature(machine, 70);
    int64_t start_ns = clock_boot_ns();
    machine->calm_ns = calm_s > 0 ? start_ns + (int64_t)(calm_s * 1e9) : 0;
    if (rest_await(study, &options, &rest, note, &error) < 0)
        fail_msg("%s", error_text(&error));
    rest_free(&rest);
    return (double)(clock_boot_ns() - start_ns) / NS_PER_S;
}

static void the_next_run_waits_until_the_machine_is_back_at_rest(void **state)
{
    (void)state;
    AUTO_MACHINE struct machine machine;
    make_machine(&machine);
    struct study study = study_of(2, 120);
    char *note;
    double waited_s = await(&machine, &study, 3, &note);
    assert_null(note);
    assert_true(waited_s >= 3 && waited_s < 60);
}

static void after_the_limit_it_begins_in_any_case_and_says_so(void **state)
{
    (void)state;
    AUTO_MACHINE struct machine machine;
    make_machine(&machine);
    struct study study = study_of(2, 3);
    char *note;
    double waited_s = await(&machine, &study, 0, &note);
    assert_true(waited_s >= 3);
    if (!note || strncmp(note, "not cooled down within 3 s before this run: ", 44) != 0 ||
        !strstr(note, ", at rest ") || !strstr(note, " W; 70 °C, before the study 40 °C"))
        fail_msg("found '%s'", note ? note : "no note");
    double power_w = strtod(note + 44, NULL);
    assert_true(fabs(power_w - HOT_W) < 1);
    free(note);
}

static void without_the_power_at_rest_the_temperature_is_waited_for(void **state)
{
    (void)state;
    AUTO_MACHINE struct machine machine;
    make_machine(&machine);
    struct study study = study_of(0, 120);
    char *note;
    double waited_s = await(&machine, &study, 2, &note);
    assert_null(note);
    assert_true(waited_s >= 2 && waited_s < 60);
}

static void a_fixed_rest_asks_nothing(void **state)
{
    (void)state;
    AUTO_MACHINE struct machine machine;
    make_machine(&machine);
    struct study study = study_of(0, 0);
    char *note;
    assert_true(await(&machine, &study, 0, &note) >= 0.2);
    assert_null(note);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_run_waits_until_the_machine_is_back_at_rest),
        cmocka_unit_test(after_the_limit_it_begins_in_any_case_and_says_so),
        cmocka_unit_test(without_the_power_at_rest_the_temperature_is_waited_for),
        cmocka_unit_test(a_fixed_rest_asks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
