/* The ladder from its loads to a calibration, on a machine whose power follows its steps: two rails in a
 * folder that plays /sys, and a wattmeter on loopback that reads them. */
#include "calibrate/ladder.h"

#include "base/clock.h"
#include "base/text.h"
#include "calibrate/load.h"
#include "file_tree.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

enum { REPETITIONS = 2, STEPS = 9 };

/* ---- the machine ---- */

struct machine_room {
    struct file_tree *sysfs;
    char *step; /* at which its rails are */
    pid_t server;
    int server_input;
    char site[64];
};

static void set_rail(const struct machine_room *room, int rail, double power_w)
{
    AUTO_FREE char *path = text_format("class/hwmon/hwmon0/curr%d_input", rail);
    AUTO_FREE char *content = text_format("%05.0f\n", power_w / 5 * 1000);
    file_tree_write(room->sysfs, path, content);
}

/* "cpu 50 %": 12 W at rest, 60 W more at full load; streaming raises the memory's 2 W by 9 W, computing by 1
 * W. */
static void follow_step(void *context, double done_s, double total_s, const char *step)
{
    struct machine_room *room = context;
    int percent = 0;
    bool streams = sscanf(step, "memory %d", &percent) == 1;
    (void)done_s;
    (void)total_s;
    if (strcmp(room->step, step) == 0)
        return;
    if (!streams)
        sscanf(step, "cpu %d", &percent);
    set_rail(room, 1, 12 + 0.6 * percent);
    set_rail(room, 2, 2 + (streams ? 0.09 : 0.01) * percent);
    free(room->step);
    room->step = strdup(step);
}

static unsigned start_server(struct machine_room *room)
{
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    room->server = fork();
    if (room->server == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execlp("python3", "python3", RAIL_SERVER, file_tree_root(room->sysfs), (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    room->server_input = in[1];
    FILE *answers = fdopen(out[0], "r");
    unsigned port;
    assert_int_equal(fscanf(answers, "%u", &port), 1);
    fclose(answers);
    return port;
}

static int open_room(void **state)
{
    static const char *const files[][2] = {
        {"class/hwmon/hwmon0/name", "ina3221\n"},
        {"class/hwmon/hwmon0/update_interval", "20\n"},
        {"class/hwmon/hwmon0/in1_label", "VDD_SYS_CPU\n"},
        {"class/hwmon/hwmon0/in1_input", "5000\n"},
        {"class/hwmon/hwmon0/in2_label", "VDD_SYS_DDR\n"},
        {"class/hwmon/hwmon0/in2_input", "5000\n"},
        {"firmware/devicetree/base/compatible", "nvidia,tegra"},
    };
    struct machine_room *room = calloc(1, sizeof *room);
    room->sysfs = file_tree_make();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        file_tree_write(room->sysfs, files[i][0], files[i][1]);
    room->step = strdup("");
    follow_step(room, 0, 0, "rest");
    unsigned port = start_server(room);
    strcpy(room->site, "/tmp/joulery-site-XXXXXX");
    int descriptor = mkstemp(room->site);
    AUTO_FREE char *text =
        text_format("wattmeters:\n  - name: plug\n    url: http://127.0.0.1:%u/\n"
                    "    power: {at: /w, unit: W}\n    interval: 0.2\n    accuracy: 0.01\n",
                    port);
    assert_int_equal(write(descriptor, text, strlen(text)), (ssize_t)strlen(text));
    close(descriptor);
    *state = room;
    return 0;
}

static int close_room(void **state)
{
    struct machine_room *room = *state;
    close(room->server_input);
    assert_int_equal(waitpid(room->server, NULL, 0), room->server);
    unlink(room->site);
    file_tree_free(room->sysfs);
    free(room->step);
    free(room);
    return 0;
}

/* ---- climbing ---- */

static const char *const meters[] = {"hwmon", "wattmeter"};

static struct ladder_options options_of(struct machine_room *room, struct meter_setup *setup)
{
    *setup = (struct meter_setup){.sysfs = file_tree_root(room->sysfs), .site = room->site};
    return (struct ladder_options){.setup = setup,
                                   .meters = meters,
                                   .meter_count = 2,
                                   .rate_hz = 20,
                                   .step_s = LADDER_LEAST_S,
                                   .repetitions = REPETITIONS,
                                   .seed = 1,
                                   .progress = follow_step,
                                   .context = room};
}

static void each_step_comes_once_a_repetition_in_another_order(const struct record *record)
{
    bool same = true;
    assert_int_equal(record->window_count, 1 + REPETITIONS * STEPS);
    for (size_t i = 1; i <= STEPS; i++) {
        const struct window *first = &record->windows[i];
        size_t later = 0;
        assert_true(first->index == 1 && first->complete);
        assert_true(first->wall_s > 1 && first->wall_s < 1.5); /* two thirds of 2 s */
        for (size_t k = STEPS + 1; k < record->window_count; k++)
            later += strcmp(first->name, record->windows[k].name) == 0 && record->windows[k].index == 2;
        assert_int_equal(later, 1);
        same = same && strcmp(first->name, record->windows[i + STEPS].name) == 0;
    }
    assert_false(same);
}

static void near_or_within(struct interval found, double truth, double share)
{
    if (!(found.low <= truth && truth <= found.high) && !(fabs(found.value - truth) < share * truth))
        fail_msg("expected %g, found %g (%g to %g)", truth, found.value, found.low, found.high);
}

static void a_ladder_finds_the_machines_line(void **state)
{
    struct machine_room *room = *state;
    struct meter_setup setup;
    const struct ladder_options options = options_of(room, &setup);
    static const struct evidence_origin origin = {"load ladder", "steps", "windows"};
    struct record record;
    struct evidence evidence;
    struct calibration c;
    struct error error = ERROR_INIT;
    if (ladder_climb(&options, &record, &evidence, &error) < 0)
        fail_msg("%s", error_text(&error));
    each_step_comes_once_a_repetition_in_another_order(&record);
    /* readings can be late on a machine that does much else: not in most windows */
    assert_true(evidence.count >= STEPS && evidence.count + evidence.unusable == REPETITIONS * STEPS);
    if (calibration_fit(&evidence, &origin, &c, &error) < 0)
        fail_msg("%s", error_text(&error));
    assert_true(c.scopes[SCOPE_CPU].term == 1 && c.scopes[SCOPE_DRAM].term == 2);
    assert_false(calibration_is_estimated(&c));
    near_or_within(stats_linear_coefficient(&c.fit, 0), 55, 0.01);
    near_or_within(stats_linear_coefficient(&c.fit, 1), 1.12, 0.01);
    near_or_within(stats_linear_coefficient(&c.fit, 2), 1.3, 0.02);
    assert_true(fabs(c.wall_accuracy - 0.01) < 1e-12);
    calibration_free(&c);
    evidence_free(&evidence);
    record_free(&record);
}

static void what_cannot_be_climbed_is_told_before_any_load(void **state)
{
    struct machine_room *room = *state;
    struct meter_setup setup;
    struct ladder_options options = options_of(room, &setup);
    struct record record;
    struct evidence evidence;
    struct error error = ERROR_INIT;
    options.meter_count = 1; /* without the wattmeter */
    assert_int_equal(ladder_climb(&options, &record, &evidence, &error), -1);
    assert_non_null(strstr(error_text(&error), "no wattmeter"));
    evidence_free(&evidence);
    record_free(&record);
    file_tree_write(room->sysfs, "class/hwmon/hwmon0/update_interval", "2000\n");
    options.meter_count = 2;
    assert_int_equal(ladder_climb(&options, &record, &evidence, &error), -1);
    assert_non_null(
        strstr(error_text(&error), "is renewed each 2 s: steps of 2 s are too short for it, --for 16"));
    file_tree_write(room->sysfs, "class/hwmon/hwmon0/update_interval", "20\n");
    evidence_free(&evidence);
    record_free(&record);
    error_clear(&error);
}

/* ---- the load ---- */

static double cpu_s(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / NS_PER_S;
}

static void a_load_takes_no_more_processors_than_it_was_set_to(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct load *load = load_open(&error);
    assert_non_null(load);
    static const struct {
        enum load_kind kind;
        double threads;
    } cases[] = {
        {LOAD_COMPUTE, 0}, {LOAD_COMPUTE, 0.5}, {LOAD_STREAM, 0.25}, {LOAD_COMPUTE, 1}, {LOAD_COMPUTE, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(load_set(load, cases[i].kind, cases[i].threads, &error), 0);
        clock_sleep_until(clock_boot_ns() + NS_PER_S / 4); /* until the load before has ended */
        double before_s = cpu_s();
        int64_t begin_ns = clock_boot_ns();
        clock_sleep_until(begin_ns + NS_PER_S);
        double elapsed_s = (double)(clock_boot_ns() - begin_ns) / NS_PER_S, used_s = cpu_s() - before_s;
        assert_true(used_s <= (cases[i].threads * 1.15 + 0.1) * elapsed_s);
        assert_true(used_s >= 0.1 * cases[i].threads * elapsed_s); /* others may want the processors, too */
    }
    load_close(load);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ladder_finds_the_machines_line),
        cmocka_unit_test(what_cannot_be_climbed_is_told_before_any_load),
        cmocka_unit_test(a_load_takes_no_more_processors_than_it_was_set_to),
    };
    return cmocka_run_group_tests(tests, open_room, close_room);
}
