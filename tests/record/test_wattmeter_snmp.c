/* Rack PDUs over SNMP: net-snmp's snmpd on this machine with the trees of known devices, energies beside the
 * truth, users and communities right and wrong, values that are none, an agent that goes and comes back. */
#include "wall_play.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "meter/wall/transport.h"

#include <arpa/inet.h>
#include <ftw.h>
#include <math.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the agent ---- */

struct agent {
    char folder[32];
    struct server server; /* its port, and the curve's beginning */
    pid_t pid;            /* 0: it does not run */
};

static struct agent agent;

/* Who may ask. */
static const char rights[] =
    "rocommunity Swordfish-9\n"
    "createUser meter SHA Swordfish-9 AES Goldfish-77\n"
    "createUser meter256 SHA-256 Swordfish-9 AES Goldfish-77\n"
    "createUser meter512 SHA-512 Swordfish-9\n"
    "createUser old MD5 Swordfish-9\n"
    "rouser meter priv\nrouser meter256 priv\nrouser meter512 auth\nrouser old auth\n";

/* A question for .1.3.6.1.4.1.55555.1, SNMPv2c in BER. */
static const char question[] =
    "\x30\x2c\x02\x01\x01\x04\x0bSwordfish-9\xa0\x1a\x02\x01\x01\x02\x01\x00\x02\x01"
    "\x00\x30\x0f\x30\x0d\x06\x09\x2b\x06\x01\x04\x01\x83\xb2\x03\x01\x05\x00";

static bool is_up(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET,
                                        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                        .sin_port = htons((uint16_t)agent.server.port)};
    char answer[1500];
    int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(connect(descriptor, (const struct sockaddr *)&address, sizeof address), 0);
    struct pollfd ready = {.fd = descriptor, .events = POLLIN};
    bool up = send(descriptor, question, sizeof question - 1, 0) > 0 && poll(&ready, 1, 1000) == 1 &&
              recv(descriptor, answer, sizeof answer, 0) > 0;
    close(descriptor);
    if (!up)
        usleep(100000);
    return up;
}

/* Again on the same port, with the same state. */
static void run_agent(void)
{
    AUTO_FREE char *settings = file_join(agent.folder, "snmpd.conf");
    AUTO_FREE char *state = file_join(agent.folder, "state");
    AUTO_FREE char *place = text_format("udp:127.0.0.1:%u", agent.server.port);
    const char *const words[] = {"snmpd", "-f", "-C", "-c", settings, "-Ln", place, NULL};
    setenv("SNMP_PERSISTENT_DIR", state, 1);
    setenv("MIBS", "", 1);
    agent.pid = start_program(words);
    unsetenv("SNMP_PERSISTENT_DIR");
    unsetenv("MIBS");
    int tries = 0;
    while (!is_up())
        if (++tries == 200 || waitpid(agent.pid, NULL, WNOHANG) != 0)
            fail_msg("snmpd does not start");
}

static void end_agent(void)
{
    if (agent.pid)
        stop_program(agent.pid);
    agent.pid = 0;
}

static int start_agent(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    snprintf(agent.folder, sizeof agent.folder, "/tmp/joulery-snmp-XXXXXX");
    assert_non_null(mkdtemp(agent.folder));
    agent.server = (struct server){.port = free_port(SOCK_DGRAM), .start_ns = clock_boot_ns()};
    AUTO_FREE char *settings = file_join(agent.folder, "snmpd.conf");
    AUTO_FREE char *text = text_format("%spass_persist .1.3.6.1.4.1 /usr/bin/env python3 %s %lld\n", rights,
                                       WALL_SNMP, (long long)agent.server.start_ns);
    assert_int_equal(file_write(settings, text, strlen(text), &error), 0);
    run_agent();
    return 0;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

static int stop_agent(void **state)
{
    (void)state;
    end_agent();
    return nftw(agent.folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* A file of these lines; the caller frees its path. */
static char *secret_of(const char *lines)
{
    struct error error = ERROR_INIT;
    char *path = file_join(agent.folder, "secret");
    assert_int_equal(file_write(path, lines, strlen(lines), &error), 0);
    assert_int_equal(chmod(path, 0600), 0);
    return path;
}

#define COMMUNITY "community Swordfish-9\n"
#define MEMBER    "user meter\npassword Swordfish-9\nprivacy Goldfish-77\n"

/* ---- runs ---- */

static void measure_rack(struct play *play, const char *secret, const char *lines)
{
    AUTO_FREE char *path = secret_of(secret);
    AUTO_FREE char *more =
        text_format("    credentials: %s\n    interval: 0.1\n    accuracy: 0\n%s", path, lines);
    measure(play, &agent.server, more, "2");
}

/* The bound is a half percent, or two of the stated uncertainties, which is what a machine that stalls
 * widens; and half a step of the power's, where it has large ones. */
static void assert_power(const struct play *play, const char *name, double step_w)
{
    say(play, name);
    const struct channel_energy *e = energy_of(play, name);
    double bound_j = fmax(0.005 * play->truth_j, 2 * e->uncertainty_j) + step_w / 2 * play->record.wall_s;
    assert_true(e->known);
    assert_true(fabs(e->energy_j - play->truth_j) <= bound_j);
    assert_true(e->uncertainty_j < 0.2 * play->truth_j);
}

/* A counter is right to its step. */
static void rack_pdus_are_right_to_a_step(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        double step_w, step_j;
    } cases[] = {
        {"    preset: apc-rpdu2\n", 10, 360000},
        {"    preset: raritan-inlet\n    energy: {step: 0.001}\n", 0.01, 3.6},
        {"    preset: sentry4-outlet\n    id: 1.1.1\n", 1, 3600},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct play play;
        measure_rack(&play, COMMUNITY, cases[i].lines);
        assert_power(&play, "plug/power", cases[i].step_w);
        say(&play, "plug");
        const struct channel_energy *e = energy_of(&play, "plug");
        assert_true(e->known);
        assert_true(fabs(e->energy_j - play.truth_j) <= cases[i].step_j + 2 * e->uncertainty_j);
        assert_true(record_totals(&play.record, 0).hardware_j == e->energy_j);
        record_free(&play.record);
    }
}

/* Two devices of a site file that are one PDU with one user, and a third that is not there: nobody waits for
 * it. */
static void power_is_integrated_whoever_asks_beside(void **state)
{
    (void)state;
    struct play play;
    AUTO_FREE char *path = file_join(agent.folder, "secret");
    AUTO_FREE char *lines = text_format(
        "    preset: raritan-inlet\n    prefer_power: true\n"
        "  - {name: other, preset: sentry4-outlet, id: 1.1.1, address: '127.0.0.1:%u', credentials: %s, "
        "prefer_power: true, interval: 0.1, accuracy: 0, apart: true}\n"
        "  - {name: gone, preset: apc-rpdu2, address: '127.0.0.1:%u', credentials: %s, timeout: 1, apart: "
        "true}\n",
        agent.server.port, path, free_port(SOCK_DGRAM), path);
    measure_rack(&play, MEMBER, lines);
    assert_power(&play, "plug", 0.01);
    assert_power(&play, "other", 1);
    assert_false(energy_of(&play, "gone")->known);
    assert_true(has_note(&play.record, "wattmeter: gone: "));
    json_t *json = record_to_json(&play.record);
    AUTO_FREE char *text = json_dumps(json, 0);
    assert_null(strstr(text, "Swordfish"));
    assert_null(strstr(text, "Goldfish"));
    json_decref(json);
    record_free(&play.record);
}

static void a_wrong_community_is_noted(void **state)
{
    (void)state;
    struct play play;
    measure_rack(&play, "community Swordfish-8\n", "    preset: raritan-inlet\n    timeout: 0.5\n");
    assert_int_equal(play.record.exit_status, 0);
    assert_false(energy_of(&play, "plug")->known);
    assert_true(has_note(&play.record, "no answer from 127.0.0.1:"));
    assert_true(has_note(&play.record, "the community right, for a wrong one gets none"));
    record_free(&play.record);
}

/* ---- single questions ---- */

/* The device of a site file, with its credentials. */
struct asked {
    struct wall_site site;
    void *transport; /* NULL: it could not be opened */
    struct error error;
    struct wall_answer answer;
};

static void open_device(struct asked *asked, const char *secret, const char *lines)
{
    AUTO_FREE char *path = secret_of(secret);
    AUTO_FREE char *site = file_join(agent.folder, "site.yaml");
    AUTO_FREE char *text =
        text_format("wattmeters:\n  - {name: pdu, url: 'snmp://127.0.0.1:%u', credentials: secret, %s}\n",
                    agent.server.port, lines);
    *asked = (struct asked){.error = ERROR_INIT};
    assert_int_equal(file_write(site, text, strlen(text), &asked->error), 0);
    if (wall_site_read(site, &asked->site, &asked->error) < 0)
        fail_msg("%s", error_text(&asked->error));
    if (asked->site.devices[0].timeout_s == 2) /* the usual: the machine may be slow */
        asked->site.devices[0].timeout_s = 20;
    asked->transport = transport_of(asked->site.devices[0].url)->open(&asked->site.devices[0], &asked->error);
}

static int ask(struct asked *asked)
{
    if (!asked->transport)
        return -1;
    error_clear(&asked->error);
    asked->answer = (struct wall_answer){.power_w = NAN, .energy_j = NAN};
    return transport_of(asked->site.devices[0].url)->ask(asked->transport, &asked->answer, &asked->error);
}

static void close_device(struct asked *asked)
{
    if (asked->transport)
        transport_of(asked->site.devices[0].url)->close(asked->transport);
    error_clear(&asked->error);
    wall_site_free(&asked->site);
}

#define POWER "power: {at: .1.3.6.1.4.1.55555.1, unit: W}"

/* In any order: what one login left behind does not open or close the door for the next. */
static void users_are_let_in_by_their_own_passwords_alone(void **state)
{
    (void)state;
    static const struct {
        const char *secret, *lines, *message; /* NULL: they are let in */
    } cases[] = {
        {MEMBER, POWER, NULL},
        {"user meter\npassword Swordfish-8\nprivacy Goldfish-77\n", POWER, "the device refuses the password"},
        {MEMBER, "cipher: AES, auth: SHA, " POWER, NULL},
        {"user meter\npassword Swordfish-9\nprivacy Goldfish-78\n", "timeout: 1, " POWER,
         "and `privacy` right, for a wrong one gets none"},
        {MEMBER, "auth: MD5, " POWER, "the device refuses the password"},
        {"user meter\npassword Swordfish-9\n", POWER, "the device refuses: "},
        {"user meter256\npassword Swordfish-9\nprivacy Goldfish-77\n", "auth: SHA-256, " POWER, NULL},
        {"user meter512\npassword Swordfish-9\n", "auth: SHA-512, " POWER, NULL},
        {"user meter512\npassword Swordfish-9\nprivacy Goldfish-77\n", "auth: SHA-512, " POWER,
         "one without must have none"},
        {"user old\npassword Swordfish-9\n", "auth: MD5, " POWER, NULL},
        {"user nobody\npassword Swordfish-9\n", POWER, "the device knows no such user"},
        {MEMBER, POWER, NULL},
        {"user meter\npassword Sword-9\n", POWER, "SNMPv3's passwords have 8 characters or more"},
        {"user meter\npassword Swordfish-9\nprivacy Gold-77\n", POWER, "have 8 characters or more"},
        {"user meter\npassword Swordfish-9\n", "cipher: AES, " POWER, "a line 'privacy WORD'"},
        {COMMUNITY, "auth: SHA, " POWER, "auth and cipher are SNMPv3's"},
        {"token Swordfish-9\n", POWER, "but no token"},
        {COMMUNITY, POWER, NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct asked asked;
        open_device(&asked, cases[i].secret, cases[i].lines);
        int result = ask(&asked);
        const char *text = error_text(&asked.error);
        if (result == 0 ? cases[i].message != NULL : !cases[i].message || !strstr(text, cases[i].message))
            fail_msg("%zu: expected '%s', found '%s'", i, cases[i].message ? cases[i].message : "an answer",
                     result == 0 ? "an answer" : text);
        assert_true(result == 0 || strncmp(text, "pdu: ", 5) == 0);
        assert_true(result < 0 || (asked.answer.power_w > 59 && asked.answer.power_w < 141));
        assert_null(strstr(text, "Swordfish"));
        close_device(&asked);
    }
}

static void values_that_are_none_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *lines, *message; /* NULL: it is one */
    } cases[] = {
        {"power: {at: 1.3.6.1.4.1.318.1.1.26.4.3.1.5.1, unit: W, scale: 10}", NULL},
        {"power: {at: 1.3.6.1.4.1.318.1.1.26.4.3.1.5.2, unit: W}",
         "pdu: the device does not measure power: it says -1 at 1.3.6.1.4.1.318.1.1.26.4.3.1.5.2"},
        {POWER ", energy: {at: 1.3.6.1.4.1.318.1.1.26.4.3.1.9.2, unit: Wh, step: 1}",
         "the device does not measure energy"},
        {"power: {at: 1.3.6.1.4.1.318.1.1.26.4.3.1.5.3, unit: W}",
         "pdu: the device shows nothing at 1.3.6.1.4.1.318.1.1.26.4.3.1.5.3"},
        {"power: {at: 1.3.6.1.4.1.55555.1, unit: W, digits_at: 1.3.6.1.4.1.55556.1}",
         "the device shows nothing at 1.3.6.1.4.1.55556.1"},
        {"power: {at: 1.3.6.1.4.1.13742.6.5.2.3.1.4.1.2.5, unit: W, digits_at: "
         "1.3.6.1.4.1.13742.6.3.3.4.1.7.1.2.5}",
         "from 0 to 9, found 12"},
        {"power: {at: 1.3.6.1.4.1.55555.2, unit: W}", "pdu: expected a number at 1.3.6.1.4.1.55555.2"},
        {"power: {at: 1.3.6.1.4.1.55555.3, unit: W}", "found SNMP's type 0x40"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct asked asked;
        open_device(&asked, COMMUNITY, cases[i].lines);
        int result = ask(&asked);
        if ((result == 0) != !cases[i].message ||
            (result < 0 && !strstr(error_text(&asked.error), cases[i].message)))
            fail_msg("expected '%s', found '%s'", cases[i].message, error_text(&asked.error));
        close_device(&asked);
    }
}

/* Types and decimals as the devices have them. */
static void numbers_keep_their_sizes(void **state)
{
    (void)state;
    struct asked asked;
    open_device(
        &asked, COMMUNITY,
        "power: {at: .1.3.6.1.4.1.55555.5, unit: mW}, energy: {at: .1.3.6.1.4.1.55555.4, unit: J, step: 1}");
    assert_int_equal(ask(&asked), 0);
    assert_true(fabs(asked.answer.power_w - 4294967.295) < 1e-6);
    assert_true(asked.answer.energy_j > 0x1p40 && asked.answer.energy_j < 0x1p40 + 1e8);
    close_device(&asked);
    open_device(&asked, COMMUNITY, "preset: raritan-inlet, energy: {step: 0.001}");
    int64_t before = clock_boot_ns();
    assert_int_equal(ask(&asked), 0);
    double t = (double)(before - agent.server.start_ns) / NS_PER_S;
    assert_true(asked.answer.power_w > 59.99 && asked.answer.power_w < 140.01);
    assert_true(asked.answer.energy_j > 5e6 + 60 * (t - 1) && asked.answer.energy_j < 5e6 + 140 * (t + 30));
    close_device(&asked);
}

/* With version 3 its engine has begun anew, which the next question finds out. */
static void an_agent_that_goes_is_found_again(void **state)
{
    (void)state;
    static const char *const secrets[] = {COMMUNITY, MEMBER};
    for (size_t i = 0; i < 2; i++) {
        struct asked asked;
        open_device(&asked, secrets[i], POWER);
        assert_int_equal(ask(&asked), 0);
        end_agent();
        asked.site.devices[0].timeout_s = 0.3;
        for (int j = 0; j < 2; j++) {
            assert_int_equal(ask(&asked), -1);
            assert_non_null(strstr(error_text(&asked.error), "pdu: "));
        }
        print_message("%s\n", error_text(&asked.error));
        run_agent();
        asked.site.devices[0].timeout_s = 20;
        assert_int_equal(ask(&asked), 0);
        /* so quickly that no question was asked in between */
        end_agent();
        run_agent();
        if (ask(&asked) < 0)
            assert_int_equal(ask(&asked), 0);
        close_device(&asked);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rack_pdus_are_right_to_a_step),
        cmocka_unit_test(power_is_integrated_whoever_asks_beside),
        cmocka_unit_test(a_wrong_community_is_noted),
        cmocka_unit_test(users_are_let_in_by_their_own_passwords_alone),
        cmocka_unit_test(values_that_are_none_are_explained),
        cmocka_unit_test(numbers_keep_their_sizes),
        cmocka_unit_test(an_agent_that_goes_is_found_again),
    };
    return cmocka_run_group_tests(tests, start_agent, stop_agent);
}
