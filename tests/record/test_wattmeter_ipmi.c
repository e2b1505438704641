/* The recorder with a server's BMC, which ipmi_sim is, on this machine: energies beside the truth, and what a
 * BMC may refuse. */
#include "wall_play.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <math.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct bmc {
    char folder[32];
    struct server server; /* its port, and its power's beginning */
    pid_t pid;
};

static struct bmc bmc;

static void write_file(const char *name, const char *text)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *path = file_join(bmc.folder, name);
    assert_int_equal(file_write(path, text, strlen(text), &error), 0);
}

/* By ASF's ping, which RMCP has for that. */
static void wait_until_it_answers(void)
{
    static const unsigned char ping[] = {6, 0, 0xff, 6, 0, 0, 0x11, 0xbe, 0x80, 0, 0, 0};
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)bmc.server.port),
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct timeval patience = {.tv_usec = 100000};
    unsigned char pong[64];
    ssize_t count = -1;
    int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(descriptor, (const struct sockaddr *)&address, sizeof address), 0);
    for (int i = 0; i < 200 && count < 0; i++) {
        if (send(descriptor, ping, sizeof ping, 0) < 0 ||
            (count = recv(descriptor, pong, sizeof pong, 0)) < 0)
            usleep(50000);
    }
    close(descriptor);
    assert_true(count > 0);
}

/* `kind`: as tests/meter/ipmi_dcmi.c has them; NULL: a BMC without DCMI. */
static void start_bmc(const char *kind)
{
    snprintf(bmc.folder, sizeof bmc.folder, "/tmp/joulery-bmc-XXXXXX");
    assert_non_null(mkdtemp(bmc.folder));
    bmc.server = (struct server){.port = free_port(SOCK_DGRAM), .start_ns = clock_boot_ns()};
    AUTO_FREE char *dcmi =
        kind ? text_format("loadlib \"" IPMI_DCMI "\" \"%lld %s\"\n", (long long)bmc.server.start_ns, kind)
             : strdup("");
    AUTO_FREE char *lan = text_format("name \"bmc\"\n%sset_working_mc 0x20\nstartlan 1\n"
                                      "  addr 127.0.0.1 %u\n  priv_limit admin\n"
                                      "  guid 0123456789abcdef0123456789abcdef\n"
                                      "endlan\nuser 2 true \"meter\" \"Swordfish-9\" admin 10\n",
                                      dcmi, bmc.server.port);
    write_file("lan", lan);
    write_file("commands", "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\n"
                           "mc_enable 0x20\n");
    AUTO_FREE char *lan_path = file_join(bmc.folder, "lan"), *commands = file_join(bmc.folder, "commands");
    AUTO_FREE char *secret = file_join(bmc.folder, "secret");
    write_secret(secret, "Swordfish-9");
    const char *const arguments[] = {"ipmi_sim", "-n", "-c",       lan_path, "-f",
                                     commands,   "-s", bmc.folder, NULL};
    bmc.pid = start_program(arguments);
    wait_until_it_answers();
}

static void stop_bmc(void)
{
    stop_program(bmc.pid);
    bmc.pid = 0;
}

static int clean_up(void **state)
{
    (void)state;
    const char *const remove[] = {"rm", "-r", bmc.folder, NULL};
    if (bmc.pid)
        stop_bmc();
    return waitpid(start_program(remove), NULL, 0) > 0 ? 0 : -1;
}

/* After so many seconds, for so many. */
static pid_t pause_bmc(const char *after_s, const char *for_s)
{
    AUTO_FREE char *pause = text_format("sleep %s; kill -STOP %ld; sleep %s; kill -CONT %ld", after_s,
                                        (long)bmc.pid, for_s, (long)bmc.pid);
    const char *const arguments[] = {"sh", "-c", pause, NULL};
    return start_program(arguments);
}

/* Ten readings a second of 127.0.0.1. */
static void measure_bmc(struct play *play, const char *more, const char *seconds)
{
    AUTO_FREE char *lines = text_format("    preset: ipmi-dcmi\n    interval: 0.1\n    accuracy: 0\n"
                                        "    credentials: %s/secret\n%s",
                                        bmc.folder, more);
    measure(play, &bmc.server, lines, seconds);
}

static void assert_is_true(const struct play *play)
{
    say(play, "plug");
    const struct channel_energy *e = energy_of(play, "plug");
    assert_true(e->known);
    assert_true(fabs(e->energy_j - play->truth_j) <= fmax(0.005 * play->truth_j, 2 * e->uncertainty_j));
    assert_true(e->uncertainty_j < 0.05 * play->truth_j);
}

/* ipmi_sim wants an administrator's privilege for DCMI, and the session begins with a user's. */
static void power_is_integrated(void **state)
{
    (void)state;
    struct play play;
    start_bmc("fair");
    measure_bmc(&play, "", "2");
    assert_is_true(&play);
    assert_false(has_note(&play.record, "questions went so"));
    assert_true(play.record.channels[0].resolution == 1);
    json_t *json = record_to_json(&play.record);
    AUTO_FREE char *all = json_dumps(json, 0);
    assert_null(strstr(all, "Swordfish"));
    json_decref(json);
    record_free(&play.record);
}

static void bytes_the_other_way_round_are_told_and_can_be_read(void **state)
{
    (void)state;
    struct play play;
    start_bmc("big-endian");
    measure_bmc(&play, "", "2");
    assert_true(has_note(&play.record, "which no server takes: if its bytes are the other way round"));
    record_free(&play.record);
    measure_bmc(&play, "    power: {at: 'dcmi:big-endian', unit: W}\n", "2");
    assert_is_true(&play);
    record_free(&play.record);
}

/* The BMC stands still for longer than the time-out, as while it restarts: a gap, and the run goes on. */
static void a_bmc_that_pauses_is_asked_anew(void **state)
{
    (void)state;
    struct play play;
    start_bmc("fair");
    pid_t pauser = pause_bmc("1", "1.5");
    measure_bmc(&play, "    timeout: 0.3\n", "4");
    assert_true(waitpid(pauser, NULL, 0) > 0);
    say(&play, "plug");
    const struct channel_energy *e = energy_of(&play, "plug");
    assert_true(e->known);
    assert_true(fabs(e->energy_j - play.truth_j) <= 3 * e->uncertainty_j);
    assert_true(e->gap_s > 0.5);
    assert_true(has_note(&play.record, "plug: 127.0.0.1:"));
    record_free(&play.record);
}

static void what_a_bmc_refuses_is_told(void **state)
{
    static const struct {
        const char *kind, *message;
    } cases[] = {
        {NULL, "it has no DCMI power readings (completion code 0xc1)"},
        {"stubborn", "it wants more privilege than an administrator's"},
        {"off", "has its power measurement switched off"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct play play;
        start_bmc(cases[i].kind);
        measure_bmc(&play, "", "0.5");
        assert_int_equal(play.record.exit_status, 0);
        assert_false(energy_of(&play, "plug")->known);
        if (!has_note(&play.record, cases[i].message))
            fail_msg("expected '%s', found '%s'", cases[i].message,
                     play.record.note_count ? play.record.notes[0] : "no note");
        record_free(&play.record);
        clean_up(state);
    }
}

/* A BMC may lock out a user who tries too often. That it stands still afterwards goes unnoticed, then. */
static void wrong_credentials_are_told_and_tried_once(void **state)
{
    (void)state;
    struct play play;
    start_bmc("fair");
    AUTO_FREE char *secret = file_join(bmc.folder, "secret");
    write_secret(secret, "Swordfish-8");
    pid_t pauser = pause_bmc("1", "3");
    measure_bmc(&play, "    timeout: 1\n", "2");
    assert_true(waitpid(pauser, NULL, 0) > 0);
    assert_false(energy_of(&play, "plug")->known);
    assert_true(has_note(&play.record, "the BMC refuses user or password, and is not asked again"));
    record_free(&play.record);
}

static void a_bmc_that_is_not_there_stops_nothing(void **state)
{
    (void)state;
    struct play play;
    start_bmc("fair");
    stop_bmc();
    measure_bmc(&play, "    timeout: 0.3\n", "0.5");
    assert_int_equal(play.record.exit_status, 0);
    assert_false(energy_of(&play, "plug")->known);
    assert_true(has_note(&play.record, "nobody answers: is the address right"));
    record_free(&play.record);
    AUTO_FREE char *local =
        text_format("wattmeters:\n  - {name: plug, preset: ipmi-dcmi-local, address: %s/ipmi0, "
                    "interval: 0.1}\n",
                    bmc.folder);
    measure_site(&play, &bmc.server, local, "0.5");
    assert_false(energy_of(&play, "plug")->known);
    assert_true(has_note(&play.record, "ipmi0: there is no such driver: sudo modprobe ipmi_si ipmi_devintf"));
    record_free(&play.record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(power_is_integrated, clean_up),
        cmocka_unit_test_teardown(bytes_the_other_way_round_are_told_and_can_be_read, clean_up),
        cmocka_unit_test_teardown(a_bmc_that_pauses_is_asked_anew, clean_up),
        cmocka_unit_test(what_a_bmc_refuses_is_told),
        cmocka_unit_test_teardown(wrong_credentials_are_told_and_tried_once, clean_up),
        cmocka_unit_test_teardown(a_bmc_that_is_not_there_stops_nothing, clean_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
