/* The recorder with wattmeters that answer over HTTP on this machine: energies beside the truth, answers lost
 * or late, devices that are not there, credentials that stay where they are. */
#include "wall_play.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

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
    assert_true(has_note(&play.record, "plug: what it says is taken as true 0.05 s before"));
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

/* ---- TLS ---- */

/* A certificate for localhost that signs itself, and its key: in one file, or the certificate alone. */
static void make_certificate(const char *folder)
{
    AUTO_FREE char *both = file_join(folder, "both.pem"), *certificate = file_join(folder, "certificate.pem");
    const char *const words[] = {"openssl",  "req",           "-x509",   "-newkey",
                                 "rsa:2048", "-nodes",        "-keyout", both,
                                 "-out",     certificate,     "-days",   "2",
                                 "-subj",    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                                 NULL};
    int status;
    assert_true(waitpid(start_program(words), &status, 0) > 0 && status == 0);
    struct error error = ERROR_INIT;
    size_t key_size, size;
    AUTO_FREE char *key = file_read(both, 65536, &key_size, &error);
    AUTO_FREE char *text = file_read(certificate, 65536, &size, &error);
    AUTO_FREE char *all = text_format("%s%s", text, key);
    assert_int_equal(file_write(both, all, strlen(all), &error), 0);
}

static void remove_files(const char *folder, const char *const *names)
{
    for (; *names; names++) {
        AUTO_FREE char *path = file_join(folder, *names);
        unlink(path);
    }
    rmdir(folder);
}

static void a_certificate_is_checked_before_a_token_is_sent(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    char folder[] = "/tmp/joulery-tls-XXXXXX";
    assert_non_null(mkdtemp(folder));
    make_certificate(folder);
    AUTO_FREE char *both = file_join(folder, "both.pem"), *certificate = file_join(folder, "certificate.pem");
    AUTO_FREE char *secret = file_join(folder, "secret");
    assert_int_equal(file_write(secret, "token Swordfish-9\n", 18, &error), 0);
    assert_int_equal(chmod(secret, 0600), 0);
    setenv("WALL_SERVER_TLS", both, 1);
    setenv("WALL_SERVER_TOKEN", "Swordfish-9", 1);
    struct server server = start_server("home-assistant", "0", "0");
    unsetenv("WALL_SERVER_TLS");
    unsetenv("WALL_SERVER_TOKEN");
    AUTO_FREE char *untrusted = text_format("/\n    preset: home-assistant\n    id: s\n    interval: 0.1\n"
                                            "    accuracy: 0\n    credentials: %s\n",
                                            secret);
    AUTO_FREE char *trusted = text_format("%s    ca: %s\n", untrusted, certificate);
    struct play play;
    measure_at(&play, &server, "https://localhost", untrusted, "0.5");
    assert_false(energy_of(&play, "plug")->known);
    assert_true(has_note(&play.record, "name the file with ca: FILE"));
    record_free(&play.record);
    measure_at(&play, &server, "https://localhost", trusted, "1");
    say(&play, "plug");
    const struct channel_energy *e = energy_of(&play, "plug");
    assert_true(e->known);
    assert_true(fabs(e->energy_j - play.truth_j) <= fmax(0.005 * play.truth_j, 2 * e->uncertainty_j));
    record_free(&play.record);
    stop_server(&server);
    static const char *const files[] = {"both.pem", "certificate.pem", "secret", NULL};
    remove_files(folder, files);
}

/* ---- MQTT ---- */

/* A broker that wants a password, and a plug that publishes ten times a second. */
struct broker {
    char folder[32];
    struct server server; /* its port, and the plug's beginning */
    unsigned safe_port;   /* with TLS */
    pid_t broker, plug;
};

static void start_broker(struct broker *b)
{
    struct error error = ERROR_INIT;
    snprintf(b->folder, sizeof b->folder, "/tmp/joulery-mqtt-XXXXXX");
    assert_non_null(mkdtemp(b->folder));
    b->server = (struct server){.port = free_port(SOCK_STREAM), .start_ns = clock_boot_ns()};
    AUTO_FREE char *passwords = file_join(b->folder, "passwords"),
                   *settings = file_join(b->folder, "settings");
    AUTO_FREE char *secret = file_join(b->folder, "secret");
    AUTO_FREE char *both = file_join(b->folder, "both.pem"),
                   *certificate = file_join(b->folder, "certificate.pem");
    make_certificate(b->folder);
    b->safe_port = free_port(SOCK_STREAM);
    AUTO_FREE char *text = text_format("allow_anonymous false\npassword_file %s\nlistener %u 127.0.0.1\n"
                                       "listener %u 127.0.0.1\ncertfile %s\nkeyfile %s\n",
                                       passwords, b->server.port, b->safe_port, certificate, both);
    const char *const words[] = {"mosquitto_passwd", "-b", "-c", passwords, "meter", "Swordfish-9", NULL};
    int status;
    assert_true(waitpid(start_program(words), &status, 0) > 0 && status == 0);
    assert_int_equal(chmod(b->folder, 0755) | chmod(passwords, 0644) | chmod(both, 0644),
                     0); /* as root, mosquitto becomes another */
    assert_int_equal(file_write(settings, text, strlen(text), &error), 0);
    write_secret(secret, "Swordfish-9");
    const char *const server[] = {"mosquitto", "-c", settings, NULL};
    b->broker = start_program(server);
    /* the broker may need a moment: the plug tries again */
    AUTO_FREE char *pipe =
        text_format("until python3 %s lines %lld | mosquitto_pub -h 127.0.0.1 -p %u -u meter -P "
                    "Swordfish-9 -t tele/plug/SENSOR -l; do sleep 0.1; done",
                    WALL_SERVER, (long long)b->server.start_ns, b->server.port);
    const char *const plug[] = {"sh", "-c", pipe, NULL};
    b->plug = start_program(plug);
}

static void stop_broker(struct broker *b)
{
    stop_program(b->plug);
    stop_program(b->broker);
    static const char *const files[] = {"passwords", "settings",        "secret",
                                        "both.pem",  "certificate.pem", NULL};
    remove_files(b->folder, files);
    b->plug = b->broker = 0;
}

static struct broker broker;

static int stop_left_over(void **state)
{
    (void)state;
    if (broker.plug)
        stop_broker(&broker);
    return 0;
}

#define PLUG "/tele/plug/SENSOR\n    power: {at: /ENERGY/Power, unit: W}\n    accuracy: 0\n"

static void messages_are_readings(void **state)
{
    (void)state;
    struct play play;
    start_broker(&broker);
    AUTO_FREE char *secret = file_join(broker.folder, "secret");
    AUTO_FREE char *lines =
        text_format(PLUG "    update: 0.1\n    timeout: 5\n    credentials: %s\n", secret);
    measure_at(&play, &broker.server, "mqtt://127.0.0.1", lines, "2");
    say(&play, "plug");
    const struct channel_energy *e = energy_of(&play, "plug");
    assert_true(e->known);
    assert_true(fabs(e->energy_j - play.truth_j) <= fmax(0.005 * play.truth_j, 2 * e->uncertainty_j));
    record_free(&play.record);
    struct server safe = broker.server;
    safe.port = broker.safe_port;
    AUTO_FREE char *certificate = file_join(broker.folder, "certificate.pem");
    AUTO_FREE char *trusted = text_format("%s    ca: %s\n", lines, certificate);
    measure_at(&play, &safe, "mqtts://localhost", trusted, "1");
    assert_true(energy_of(&play, "plug")->known);
    record_free(&play.record);
    AUTO_FREE char *untrusted = text_format(PLUG "    timeout: 0.5\n    credentials: %s\n", secret);
    measure_at(&play, &safe, "mqtts://localhost", untrusted, "0.5");
    assert_false(energy_of(&play, "plug")->known);
    record_free(&play.record);
    write_secret(secret, "Swordfish-8");
    AUTO_FREE char *wrong = text_format(PLUG "    timeout: 0.5\n    credentials: %s\n", secret);
    measure_at(&play, &broker.server, "mqtt://127.0.0.1", wrong, "0.5");
    assert_false(energy_of(&play, "plug")->known);
    assert_true(has_note(&play.record, "not authorised"));
    record_free(&play.record);
    stop_broker(&broker);
    measure_at(&play, &broker.server, "mqtt://127.0.0.1", PLUG "    timeout: 0.5\n", "0.5");
    assert_true(has_note(&play.record, "no connection to the broker 127.0.0.1:"));
    record_free(&play.record);
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
        cmocka_unit_test(a_certificate_is_checked_before_a_token_is_sent),
        cmocka_unit_test_teardown(messages_are_readings, stop_left_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
