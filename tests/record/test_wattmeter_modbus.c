/* The recorder with meters on Modbus, which libmodbus answers on this machine, over TCP and on a serial line
 * of pseudo-terminals: energies beside the truth, neighbours on one line, answers lost or late, meters that
 * come back, refuse or are not there. */
#include "wall_play.h"

#include "base/clock.h"
#include "base/text.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* The beginning is the test's own, so that several meters have the same truth. */
static struct server start_meter(const char *kind, const char *shape, const char *fault, int64_t start_ns,
                                 unsigned port)
{
    AUTO_FREE char *start = text_format("%lld", (long long)start_ns), *number = text_format("%u", port);
    const char *const arguments[] = {MODBUS_SERVER, kind, shape, fault, start, number, NULL};
    return start_peer(arguments);
}

static struct server start_tcp(const char *shape, const char *fault)
{
    return start_meter("tcp", shape, fault, clock_boot_ns(), 0);
}

static char *address_of(const char *kind, const struct server *server)
{
    return strcmp(kind, "tcp") == 0 ? text_format("modbus://127.0.0.1:%u/1", server->port)
                                    : text_format("modbus-rtu:///dev/pts/%u/1", server->port);
}

/* A half percent, or two of what the reading itself is unsure by: a machine that stalls makes readings late.
 */
static void assert_power_is_true(const struct play *play, const char *name, double times)
{
    const struct channel_energy *e = energy_of(play, name);
    double truth_j = times * play->truth_j;
    say(play, name);
    assert_true(e->known);
    assert_true(fabs(e->energy_j - truth_j) <= fmax(0.005 * truth_j, 2 * e->uncertainty_j));
}

static void assert_counter_is_true(const struct play *play, const char *name, double times, double step_j)
{
    const struct channel_energy *e = energy_of(play, name);
    say(play, name);
    assert_true(e->known);
    assert_true(fabs(e->energy_j - times * play->truth_j) <=
                step_j + 2 * (e->uncertainty_j - step_j / sqrt(6)));
}

/* A meter with a counter fine enough for two seconds: 0.01 Wh. */
#define NEAR                                                                                                 \
    "    power: {at: 'holding:100:int32:low-first', unit: W, scale: 0.1}\n"                                  \
    "    energy: {at: 'holding:104:int32:low-first', unit: Wh, scale: 0.01, step: 0.01}\n"                   \
    "    accuracy: 0\n"
#define NEAR_STEP_J 36.0

/* Registers, word orders, types and scales of each preset, all at once beside one truth. */
static void presets_read_their_meters(void **state)
{
    (void)state;
    static const struct {
        const char *preset;
        double step_j;
    } cases[] = {{"sdm120", 36e3},
                 {"sdm630", 36e3},
                 {"gavazzi-em24", 360e3},
                 {"gavazzi-em340", 360e3},
                 {"janitza-umg", 3600}};
    enum { CASES = sizeof cases / sizeof *cases };
    struct server servers[CASES];
    struct text site = TEXT_INIT;
    struct play play;
    int64_t start_ns = clock_boot_ns();
    text_append(&site, "wattmeters:\n");
    for (size_t i = 0; i < CASES; i++) {
        servers[i] = start_meter("tcp", cases[i].preset, "none", start_ns, 0);
        text_printf(
            &site,
            "  - name: %s\n    preset: %s\n    address: 127.0.0.1:%u\n    interval: 0.1\n    accuracy: 0\n",
            cases[i].preset, cases[i].preset, servers[i].port);
    }
    measure_site(&play, &servers[0], site.data, "2");
    for (size_t i = 0; i < CASES; i++) {
        AUTO_FREE char *power = text_format("%s/power", cases[i].preset);
        assert_power_is_true(&play, power, 1);
        assert_true(energy_of(&play, power)->uncertainty_j < 0.3 * play.truth_j);
        const struct channel_energy *e = energy_of(&play, cases[i].preset);
        assert_true(e->known && fabs(e->energy_j - play.truth_j) <= cases[i].step_j);
        stop_server(&servers[i]);
    }
    record_free(&play.record);
    text_free(&site);
}

/* Two figures by one request, or by two where the meter wants that. */
static void counters_are_right_to_a_step(void **state)
{
    (void)state;
    static const char *const shapes[] = {"near", "near-strict"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        struct server server = start_tcp(shapes[i], "none");
        struct play play;
        measure_at(&play, &server, "modbus://127.0.0.1", "/1\n" NEAR "    interval: 0.1\n", "2");
        assert_counter_is_true(&play, "plug", 1, NEAR_STEP_J);
        assert_power_is_true(&play, "plug/power", 1);
        assert_false(has_note(&play.record, "plug:"));
        record_free(&play.record);
        stop_server(&server);
    }
}

static char *line_site(const struct server *server, const int *units, size_t count, const char *lines)
{
    struct text site = TEXT_INIT;
    text_append(&site, "wattmeters:\n");
    for (size_t i = 0; i < count; i++)
        text_printf(&site, "  - name: unit-%d\n    url: modbus-rtu:///dev/pts/%u/%d\n%s", units[i],
                    server->port, units[i], lines);
    return text_take(&site);
}

/* Each answers for itself: the second has twice the power. A third, which is not there, does not keep them
 * waiting. */
static void units_on_one_line_are_asked_in_turn(void **state)
{
    (void)state;
    static const int units[] = {1, 2, 9};
    for (size_t count = 2; count <= 3; count++) {
        struct server server = start_meter("rtu", "near", "none", clock_boot_ns(), 0);
        AUTO_FREE char *site = line_site(&server, units, count,
                                         NEAR "    interval: 0.1\n    timeout: 0.3\n    serial: 19200 8E1\n");
        struct play play;
        measure_site(&play, &server, site, "2");
        assert_counter_is_true(&play, "unit-1", 1, NEAR_STEP_J);
        assert_counter_is_true(&play, "unit-2", 2, NEAR_STEP_J);
        assert_power_is_true(&play, "unit-1/power", 1);
        assert_power_is_true(&play, "unit-2/power", 2);
        assert_true(has_note(&play.record, "no answer from unit 9 on /dev/pts/") == (count == 3));
        record_free(&play.record);
        stop_server(&server);
    }
}

/* A late answer on a serial line must not be taken for that to the next question. */
static void lost_and_late_answers_widen_the_interval(void **state)
{
    (void)state;
    static const char *const kinds[][2] = {
        {"tcp", "lost"}, {"tcp", "late"}, {"rtu", "lost"}, {"rtu", "late"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct server server = start_meter(kinds[i][0], "near-strict", kinds[i][1], clock_boot_ns(), 0);
        AUTO_FREE char *address = address_of(kinds[i][0], &server);
        AUTO_FREE char *site = text_format("wattmeters:\n  - name: plug\n    url: %s\n" NEAR
                                           "    interval: 0.1\n    timeout: 0.3\n",
                                           address);
        struct play play;
        measure_site(&play, &server, site, "3");
        print_message("%s, %s: ", kinds[i][0], kinds[i][1]);
        say(&play, "plug");
        say(&play, "plug/power");
        const struct channel_energy *energy = energy_of(&play, "plug"),
                                    *power = energy_of(&play, "plug/power");
        assert_true(energy->known && power->known);
        assert_true(fabs(energy->energy_j - play.truth_j) <= 3 * energy->uncertainty_j);
        assert_true(fabs(power->energy_j - play.truth_j) <= 3 * power->uncertainty_j);
        /* nor is an energy taken for a power: at most it is 140 W all the time */
        assert_true(power->energy_j < 1.5 * play.truth_j);
        assert_true(has_note(&play.record, "no answer from "));
        record_free(&play.record);
        stop_server(&server);
    }
}

static void words_that_are_no_number_are_no_news(void **state)
{
    (void)state;
    struct server server = start_tcp("sdm120", "nan");
    struct play play;
    measure(&play, &server,
            "    preset: sdm120\n    prefer_power: true\n    interval: 0.1\n    accuracy: 0\n", "2");
    assert_power_is_true(&play, "plug", 1);
    assert_false(has_note(&play.record, "plug:"));
    record_free(&play.record);
    stop_server(&server);
}

static void *restart(void *argument)
{
    struct server *server = argument;
    usleep(700000);
    stop_server(server);
    usleep(200000);
    *server = start_meter("tcp", "near", "none", server->start_ns, server->port);
    return NULL;
}

static void readings_go_on_after_the_meter_was_away(void **state)
{
    (void)state;
    struct server server = start_tcp("near", "none"), same = server;
    struct play play;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, restart, &same), 0);
    measure_at(&play, &server, "modbus://127.0.0.1", "/1\n" NEAR "    interval: 0.1\n", "3");
    pthread_join(thread, NULL);
    assert_counter_is_true(&play, "plug", 1, NEAR_STEP_J);
    assert_true(has_note(&play.record, " questions went so"));
    record_free(&play.record);
    stop_server(&same);
}

static void what_a_meter_refuses_is_named(void **state)
{
    (void)state;
    struct server server = start_tcp("near", "none");
    static const char *const cases[][2] = {
        {"/1\n    power: {at: 'holding:12:int32', unit: W}\n",
         "plug: the meter refuses registers 0x000C (illegal data address): is the preset, or at:, the "
         "meter's?"},
        {"/1\n    power: {at: 'input:100:int32', unit: W}\n",
         "plug: the meter refuses registers 0x0064 (illegal function): "},
        {"/7\n    power: {at: 'holding:100:int32', unit: W}\n",
         "plug: the gateway gets no answer from unit 7: "},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *lines = text_format("%s    interval: 0.2\n", cases[i][0]);
        struct play play;
        measure_at(&play, &server, "modbus://localhost", lines, "0.5");
        assert_int_equal(play.record.exit_status, 0);
        assert_false(energy_of(&play, "plug")->known);
        assert_true(has_note(&play.record, cases[i][1]));
        record_free(&play.record);
    }
    stop_server(&server);
}

static void what_is_no_modbus_is_no_reading(void **state)
{
    (void)state;
    static const char *const kinds[] = {"tcp", "rtu"};
    for (size_t i = 0; i < 2; i++) {
        struct server server = start_meter(kinds[i], "near", "junk", clock_boot_ns(), 0);
        AUTO_FREE char *address = address_of(kinds[i], &server);
        AUTO_FREE char *site = text_format("wattmeters:\n  - name: plug\n    url: %s\n" NEAR
                                           "    interval: 0.1\n    timeout: 0.3\n",
                                           address);
        struct play play;
        measure_site(&play, &server, site, "0.5");
        assert_false(energy_of(&play, "plug")->known);
        assert_true(has_note(&play.record, " is no answer to the question ("));
        record_free(&play.record);
        stop_server(&server);
    }
}

static void a_meter_that_is_not_there_stops_nothing(void **state)
{
    (void)state;
    AUTO_FREE char *nobody = text_format("modbus://127.0.0.1:%u/1", free_port(SOCK_STREAM));
    const char *const cases[][2] = {
        {nobody, "(nobody listens, or nobody knows the name): is the address right"},
        {"modbus-rtu:///dev/joulery-none/1",
         "plug: /dev/joulery-none: it is not there: is the adapter plugged in?"},
        {"modbus-rtu:///dev/null/1", "plug: /dev/null: it is no serial line"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct server none = {.start_ns = clock_boot_ns()};
        AUTO_FREE char *site = text_format("wattmeters:\n  - name: plug\n    url: %s\n" NEAR
                                           "    interval: 0.2\n    timeout: 0.3\n",
                                           cases[i][0]);
        struct play play;
        measure_site(&play, &none, site, "0.5");
        assert_int_equal(play.record.exit_status, 0);
        assert_false(energy_of(&play, "plug")->known);
        assert_true(has_note(&play.record, cases[i][1]));
        record_free(&play.record);
    }
}

static void a_line_has_one_speed(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    char path[] = "/tmp/joulery-site-XXXXXX", program[] = "true";
    static const char text[] =
        "wattmeters:\n  - {name: a, preset: sdm120, address: 'modbus-rtu:///dev/ttyS0', serial: 9600 8N1}\n"
        "  - {name: b, preset: sdm120, address: 'modbus-rtu:///dev/ttyS0', id: 2, serial: 2400 8N1}\n";
    int descriptor = mkstemp(path);
    assert_int_equal(write(descriptor, text, strlen(text)), (ssize_t)strlen(text));
    close(descriptor);
    char *command[] = {program, NULL};
    struct record record = {0};
    const struct meter_setup setup = {.site = path};
    const struct recorder_options options = {.command = command, .setup = &setup};
    assert_int_equal(recorder_run(&options, &record, &error), -1);
    assert_non_null(strstr(error_text(&error), "b: another wattmeter on /dev/ttyS0 has other settings"));
    error_clear(&error);
    record_free(&record);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(presets_read_their_meters),
        cmocka_unit_test(counters_are_right_to_a_step),
        cmocka_unit_test(units_on_one_line_are_asked_in_turn),
        cmocka_unit_test(lost_and_late_answers_widen_the_interval),
        cmocka_unit_test(words_that_are_no_number_are_no_news),
        cmocka_unit_test(readings_go_on_after_the_meter_was_away),
        cmocka_unit_test(what_a_meter_refuses_is_named),
        cmocka_unit_test(what_is_no_modbus_is_no_reading),
        cmocka_unit_test(a_meter_that_is_not_there_stops_nothing),
        cmocka_unit_test(a_line_has_one_speed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
