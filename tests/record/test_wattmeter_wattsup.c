/* The recorder with a Watts Up? meter on a serial line, which a program plays on a pseudo-terminal: energies
 * beside the truth, noise on the line, a meter that is unplugged. */
#include "wall_play.h"

#include "base/file.h"
#include "base/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Thirty times the usual power, so that the counter's steps of 0.1 Wh are small beside a run of seconds. */
#define SCALE   30
#define STEP_J  360.0
#define EVERY_S "0.1"

static char folder[] = "/tmp/joulery-line-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    AUTO_FREE char *link = file_join(folder, "meter");
    unlink(link);
    return rmdir(folder);
}

/* `lost` in ten, as tests/meter/wattsup_meter.py has it. */
static struct server start_meter(const char *lost, const char *old)
{
    AUTO_FREE char *link = file_join(folder, "meter"), *scale = text_format("%d", SCALE);
    const char *const arguments[] = {"python3", WATTSUP_METER, link, scale, EVERY_S, lost, old, NULL};
    return start_peer(arguments);
}

static void measure_line(struct play *play, const struct server *server, const char *more,
                         const char *seconds)
{
    AUTO_FREE char *site =
        text_format("wattmeters:\n  - name: plug\n    preset: wattsup\n    address: %s/meter\n"
                    "    interval: 0.1\n    accuracy: 0\n%s",
                    folder, more);
    measure_site(play, server, site, seconds);
    play->truth_j *= SCALE;
}

static void power_and_counter_are_true(void **state)
{
    (void)state;
    struct play play;
    struct server server = start_meter("0", NULL);
    measure_line(&play, &server, "", "2");
    say(&play, "plug");
    say(&play, "plug/power");
    const struct channel_energy *counter = energy_of(&play, "plug"), *power = energy_of(&play, "plug/power");
    assert_true(counter->known && power->known);
    assert_true(fabs(counter->energy_j - play.truth_j) <= STEP_J + 2 * counter->uncertainty_j);
    assert_true(counter->uncertainty_j < 2 * STEP_J);
    assert_true(fabs(power->energy_j - play.truth_j) <= fmax(0.005 * play.truth_j, 2 * power->uncertainty_j));
    assert_true(power->uncertainty_j < 0.05 * play.truth_j);
    assert_true(record_totals(&play.record, 0).hardware_j == counter->energy_j);
    assert_false(has_note(&play.record, "questions went so"));
    record_free(&play.record);
    stop_server(&server);
}

/* Such a meter's counter is no news for ever; its power is. */
static void a_meter_without_a_counter_tells_its_power(void **state)
{
    (void)state;
    struct play play;
    struct server server = start_meter("0", "old");
    measure_line(&play, &server, "    prefer_power: true\n", "1");
    say(&play, "plug");
    const struct channel_energy *e = energy_of(&play, "plug");
    assert_true(e->known && !energy_of(&play, "plug/energy")->known);
    assert_true(fabs(e->energy_j - play.truth_j) <= fmax(0.005 * play.truth_j, 2 * e->uncertainty_j));
    record_free(&play.record);
    stop_server(&server);
}

static void spoilt_packets_widen_the_interval(void **state)
{
    (void)state;
    struct play play;
    struct server server = start_meter("3", NULL);
    measure_line(&play, &server, "    prefer_power: true\n", "2");
    say(&play, "plug");
    const struct channel_energy *e = energy_of(&play, "plug");
    assert_true(e->known);
    assert_true(fabs(e->energy_j - play.truth_j) <= 3 * e->uncertainty_j);
    assert_true(e->uncertainty_j < 0.2 * play.truth_j);
    record_free(&play.record);
    stop_server(&server);
}

/* A gap and a note; what came before is kept, and the run goes on. The link goes first: the kernel gives the
 * number of a pseudo-terminal that is gone to the next that asks, and the line would be another test's. */
static void a_meter_that_is_unplugged_leaves_a_gap(void **state)
{
    (void)state;
    struct play play;
    struct server server = start_meter("0", NULL);
    AUTO_FREE char *unplug = text_format("sleep 3; rm %s/meter; kill %ld", folder, (long)server.pid);
    const char *const arguments[] = {"sh", "-c", unplug, NULL};
    pid_t unplugger = start_program(arguments);
    measure_line(&play, &server, "    prefer_power: true\n", "5");
    assert_true(waitpid(unplugger, NULL, 0) > 0);
    say(&play, "plug");
    const struct channel_energy *e = energy_of(&play, "plug");
    assert_int_equal(play.record.exit_status, 0);
    assert_true(e->known && e->gap_s > 1);
    assert_true(fabs(e->energy_j - play.truth_j) <= 3 * e->uncertainty_j);
    /* the one when it goes, the other when it is asked again */
    assert_true(has_note(&play.record, "/meter: there is no such line: is the meter plugged in?") ||
                has_note(&play.record, "/meter: the line is gone: was the meter unplugged?"));
    record_free(&play.record);
    stop_server(&server);
}

/* The line is opened anew, and the meter told anew. */
static void a_meter_that_is_plugged_in_again_goes_on(void **state)
{
    (void)state;
    struct play play;
    struct server server = start_meter("0", NULL);
    AUTO_FREE char *again =
        text_format("sleep 2; rm %s/meter; kill %ld; sleep 1; sleep 30 | exec python3 " WATTSUP_METER
                    " %s/meter %d " EVERY_S " 0",
                    folder, (long)server.pid, folder, SCALE);
    const char *const arguments[] = {"sh", "-c", again, NULL};
    pid_t second = start_program(arguments);
    measure_line(&play, &server, "    prefer_power: true\n", "8");
    stop_program(second);
    say(&play, "plug");
    const struct channel_energy *e = energy_of(&play, "plug");
    /* it was read for 2 s before; what is more came after */
    assert_true(e->known && e->gap_s > 0.5 && e->gap_s < play.record.wall_s - 2.5);
    assert_true(fabs(e->energy_j - play.truth_j) <= 3 * e->uncertainty_j);
    assert_true(has_note(&play.record, "questions went so"));
    record_free(&play.record);
    stop_server(&server);
}

static void a_line_without_a_meter_stops_nothing(void **state)
{
    (void)state;
    struct play play;
    struct server server = start_meter("silent", NULL);
    measure_line(&play, &server, "    timeout: 1.5\n", "0.5");
    assert_int_equal(play.record.exit_status, 0);
    assert_false(energy_of(&play, "plug")->known);
    assert_true(has_note(&play.record, "at 115200 8N1: is this a Watts Up? meter"));
    record_free(&play.record);
    stop_server(&server);
    AUTO_FREE char *link = file_join(folder, "meter");
    assert_int_equal(unlink(link), 0);
    measure_line(&play, &server, "", "0.5");
    assert_true(has_note(&play.record, "there is no such line: is the meter plugged in?"));
    record_free(&play.record);
    measure_site(&play, &server,
                 "wattmeters:\n  - {name: plug, preset: wattsup, address: /dev/null, serial: 19200 8N1}\n",
                 "0.5");
    assert_true(has_note(&play.record, "/dev/null: this is no serial line"));
    record_free(&play.record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(power_and_counter_are_true),
        cmocka_unit_test(a_meter_without_a_counter_tells_its_power),
        cmocka_unit_test(spoilt_packets_widen_the_interval),
        cmocka_unit_test(a_meter_that_is_unplugged_leaves_a_gap),
        cmocka_unit_test(a_meter_that_is_plugged_in_again_goes_on),
        cmocka_unit_test(a_line_without_a_meter_stops_nothing),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
