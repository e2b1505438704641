/* The recorder with wattmeters that answer over HTTP on this machine: energies beside the truth, answers lost
 * or late, devices that are not there, credentials that stay where they are. */
#include "record/recorder.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MEAN_W   100.0
#define SWING_W  40.0
#define PERIOD_S 3.0

struct server {
    pid_t pid;
    int input; /* closing it ends the server */
    unsigned port;
    int64_t start_ns;
};

static struct server start_server(const char *shape, const char *lost, const char *update)
{
    struct server server = {0};
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    server.pid = fork();
    if (server.pid == 0) {
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execlp("python3", "python3", WALL_SERVER, shape, lost, update, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    server.input = in[1];
    FILE *answers = fdopen(out[0], "r");
    long long start;
    assert_int_equal(fscanf(answers, "%u %lld", &server.port, &start), 2);
    server.start_ns = start;
    fclose(answers);
    return server;
}

static void stop_server(struct server *server)
{
    close(server->input);
    assert_int_equal(waitpid(server->pid, NULL, 0), server->pid);
}

/* The server's own integral. */
static double energy_at_j(const struct server *server, int64_t boot_ns)
{
    double t = (double)(boot_ns - server->start_ns) / NS_PER_S;
    return MEAN_W * t + SWING_W * PERIOD_S / (2 * M_PI) * (1 - cos(2 * M_PI * t / PERIOD_S));
}

struct play {
    struct record record;
    double truth_j;
};

static void measure(struct play *play, const struct server *server, const char *lines, const char *seconds)
{
    struct error error = ERROR_INIT;
    char path[] = "/tmp/joulery-site-XXXXXX", sleep[] = "sleep", *argument = strdup(seconds);
    int descriptor = mkstemp(path);
    AUTO_FREE char *text =
        text_format("wattmeters:\n  - name: plug\n    address: 127.0.0.1:%u\n%s", server->port, lines);
    assert_int_equal(write(descriptor, text, strlen(text)), (ssize_t)strlen(text));
    close(descriptor);
    const struct meter_setup setup = {.site = path};
    const char *const meters[] = {"wattmeter"};
    char *command[] = {sleep, argument, NULL};
    const struct recorder_options options = {
        .command = command, .setup = &setup, .meters = meters, .meter_count = 1, .rate_hz = 20};
    *play = (struct play){0};
    if (recorder_run(&options, &play->record, &error) < 0)
        fail_msg("%s", error_text(&error));
    int64_t begin_ns = play->record.started_wall_ns - (clock_wall_ns() - clock_boot_ns());
    int64_t end_ns = begin_ns + (int64_t)(play->record.wall_s * NS_PER_S);
    play->truth_j = energy_at_j(server, end_ns) - energy_at_j(server, begin_ns);
    unlink(path);
    free(argument);
}

static const struct channel_energy *energy_of(const struct play *play, const char *name)
{
    for (size_t i = 0; i < play->record.channel_count; i++)
        if (strcmp(play->record.channels[i].name, name) == 0)
            return &play->record.windows[0].energies[i];
    fail_msg("no channel %s", name);
    return NULL;
}

static void say(const struct play *play, const char *name)
{
    const struct channel_energy *e = energy_of(play, name);
    print_message("%s: %.2f J of %.2f (%+.3f %%), ± %.2f J, gaps of %.2f s\n", name, e->energy_j,
                  play->truth_j, 100 * (e->energy_j / play->truth_j - 1), e->uncertainty_j, e->gap_s);
}

/* Ten readings a second for two seconds. A machine that stalls makes readings late, which is their
 * uncertainty's affair: the bound is a half percent, or two of those. */
static void power_is_integrated(void **state)
{
    (void)state;
    struct server server = start_server("home-assistant", "0", "0");
    struct play play;
    measure(&play, &server,
            "    preset: home-assistant\n    id: sensor.plug\n    interval: 0.1\n    accuracy: 0\n", "2");
    say(&play, "plug");
    const struct channel_energy *e = energy_of(&play, "plug");
    assert_true(e->known);
    assert_true(fabs(e->energy_j - play.truth_j) <= fmax(0.005 * play.truth_j, 2 * e->uncertainty_j));
    assert_true(e->uncertainty_j < 0.05 * play.truth_j);
    struct energy_totals totals = record_totals(&play.record, 0);
    assert_true(totals.hardware_j == e->energy_j && isnan(totals.software_j));
    record_free(&play.record);
    stop_server(&server);
}

/* A counter is right to its step; what stands beside it is compared and never added. */
static void counters_are_right_to_a_step(void **state)
{
    (void)state;
    static const struct {
        const char *shape;
        double step_j;
    } cases[] = {{"shelly-gen1", 60}, {"shelly-gen2", 3.6}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct server server = start_server(cases[i].shape, "0", "0");
        AUTO_FREE char *lines =
            text_format("    preset: %s\n    interval: 0.1\n    accuracy: 0\n", cases[i].shape);
        struct play play;
        measure(&play, &server, lines, "2");
        say(&play, "plug");
        say(&play, "plug/power");
        const struct channel_energy *e = energy_of(&play, "plug");
        assert_true(fabs(e->energy_j - play.truth_j) <= cases[i].step_j + 2 * e->uncertainty_j);
        assert_true(record_totals(&play.record, 0).hardware_j == e->energy_j);
        record_free(&play.record);
        stop_server(&server);
    }
}

/* A device that renews its figure every 0.5 s tells, asked ten times a second, of four moments in two
 * seconds. */
static void repetitions_are_no_readings(void **state)
{
    (void)state;
    struct server server = start_server("home-assistant", "0", "0.5");
    struct play play;
    measure(&play, &server,
            "    preset: home-assistant\n    id: sensor.plug\n    interval: 0.1\n    update: 0.5\n"
            "    delay: 0.05\n    accuracy: 0\n",
            "2");
    say(&play, "plug");
    const struct channel_energy *e = energy_of(&play, "plug");
    assert_true(fabs(e->energy_j - play.truth_j) <= 3 * e->uncertainty_j);
    assert_true(e->gap_s < 0.5);
    record_free(&play.record);
    stop_server(&server);
}

static void lost_and_late_answers_widen_the_interval(void **state)
{
    (void)state;
    struct server server = start_server("home-assistant", "0.3", "0");
    struct play play;
    measure(&play, &server,
            "    preset: home-assistant\n    id: sensor.plug\n    interval: 0.1\n    timeout: 0.3\n"
            "    accuracy: 0\n",
            "2");
    say(&play, "plug");
    const struct channel_energy *e = energy_of(&play, "plug");
    assert_true(e->known);
    assert_true(fabs(e->energy_j - play.truth_j) <= 3 * e->uncertainty_j);
    record_free(&play.record);
    stop_server(&server);
}

static bool has_note(const struct record *record, const char *part)
{
    for (size_t i = 0; i < record->note_count; i++)
        if (strstr(record->notes[i], part))
            return true;
    return false;
}

/* The run goes its way; what was not measured is not known. */
static void a_device_that_is_not_there_stops_nothing(void **state)
{
    (void)state;
    struct server server = start_server("netio", "0", "0");
    struct play play;
    stop_server(&server);
    measure(&play, &server, "    preset: netio\n    interval: 0.2\n    timeout: 0.3\n", "0.5");
    assert_int_equal(play.record.exit_status, 0);
    assert_false(energy_of(&play, "plug")->known);
    assert_true(isnan(record_totals(&play.record, 0).hardware_j));
    assert_true(has_note(&play.record, "wattmeter: plug: "));
    assert_true(has_note(&play.record, " questions went so"));
    record_free(&play.record);
}

/* Nothing has been measured yet, so that nothing is lost. */
static void a_site_file_with_a_mistake_stops_the_run_before_it_begins(void **state)
{
    (void)state;
    char path[] = "/tmp/joulery-site-XXXXXX", program[] = "true";
    static const char text[] = "wattmeters:\n  - {name: plug, prest: netio}\n";
    int descriptor = mkstemp(path);
    assert_int_equal(write(descriptor, text, strlen(text)), (ssize_t)strlen(text));
    close(descriptor);
    char *command[] = {program, NULL};
    for (int i = 0; i < 2; i++) {
        struct error error = ERROR_INIT;
        struct record record = {0};
        const struct meter_setup setup = {.site = path};
        const struct recorder_options options = {.command = command, .setup = &setup};
        assert_int_equal(recorder_run(&options, &record, &error), -1);
        assert_non_null(strstr(error_text(&error), path));
        assert_non_null(strstr(error_text(&error), i ? "No such file" : ":2: unknown key 'prest'"));
        error_clear(&error);
        record_free(&record);
        if (i == 0)
            unlink(path);
    }
}

static void credentials_open_the_device_and_are_nowhere_else(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    char folder[] = "/tmp/joulery-wall-XXXXXX";
    static const char right[] = "user meter\npassword Swordfish-9\n",
                      wrong[] = "user meter\npassword Swordfish-8\n";
    assert_non_null(mkdtemp(folder));
    AUTO_FREE char *path = file_join(folder, "secret");
    setenv("WALL_SERVER_PASSWORD", "Swordfish-9", 1);
    struct server server = start_server("netio", "0", "0");
    unsetenv("WALL_SERVER_PASSWORD");
    AUTO_FREE char *lines = text_format("    preset: netio\n    interval: 0.2\n    credentials: %s\n", path);
    for (int i = 0; i < 2; i++) {
        const char *text = i ? right : wrong;
        struct play play;
        assert_int_equal(file_write(path, text, strlen(text), &error), 0);
        assert_int_equal(chmod(path, 0600), 0);
        measure(&play, &server, lines, "0.5");
        assert_true(energy_of(&play, "plug/power")->known == (i == 1));
        assert_true(has_note(&play.record, "the device wants other credentials (HTTP 401)") == (i == 0));
        json_t *json = record_to_json(&play.record);
        AUTO_FREE char *all = json_dumps(json, 0);
        assert_null(strstr(all, "Swordfish"));
        assert_null(strstr(all, "U3dvcmRmaXNo"));
        json_decref(json);
        record_free(&play.record);
    }
    stop_server(&server);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_is_integrated),
        cmocka_unit_test(counters_are_right_to_a_step),
        cmocka_unit_test(repetitions_are_no_readings),
        cmocka_unit_test(lost_and_late_answers_widen_the_interval),
        cmocka_unit_test(a_device_that_is_not_there_stops_nothing),
        cmocka_unit_test(a_site_file_with_a_mistake_stops_the_run_before_it_begins),
        cmocka_unit_test(credentials_open_the_device_and_are_nowhere_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
