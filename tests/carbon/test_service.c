#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "carbon/hourly.h"
#include "carbon/service.h"
#include "known_places.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Services on loopback: intensity_server.py. Each hour of the day has 100 + 10 x hour g/kWh. */
struct peer {
    char *folder, *log;
    pid_t pid;
    int port;
};

#define HOUR_S 3600

static pid_t start_server(const char *log, int *port)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execlp("python3", "python3", INTENSITY_SERVER, log, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    char line[32];
    assert_non_null(fgets(line, sizeof line, from));
    fclose(from);
    *port = (int)strtol(line, NULL, 10);
    return pid;
}

/* Nothing is remembered, and no key known, from one test to the next. */
static int set_up(void **state)
{
    struct peer *peer = calloc(1, sizeof *peer);
    char folder[] = "/tmp/joulery-service-XXXXXX";
    assert_non_null(mkdtemp(folder));
    peer->folder = strdup(folder);
    peer->log = text_format("%s/log", folder);
    peer->pid = start_server(peer->log, &peer->port);
    setenv("XDG_CACHE_HOME", folder, 1);
    setenv("XDG_CONFIG_HOME", folder, 1);
    setenv("no_proxy", "*", 1);
    setenv("JOULERY_KEY_ELECTRICITYMAPS", "sesame", 1);
    setenv("JOULERY_KEY_WATTTIME", "ali open sesame", 1);
    *state = peer;
    return 0;
}

static int tear_down(void **state)
{
    struct peer *peer = *state;
    kill(peer->pid, SIGTERM);
    waitpid(peer->pid, NULL, 0);
    AUTO_FREE char *remove = text_format("rm -r %s", peer->folder);
    assert_int_equal(system(remove), 0);
    free(peer->folder);
    free(peer->log);
    free(peer);
    return 0;
}

static void behave(const struct peer *peer, const char *how)
{
    static const char *const names[] = {"ELECTRICITYMAPS", "WATTTIME", "UK", "ENERGIDATA"};
    AUTO_FREE char *url = text_format("http://127.0.0.1:%d/%s", peer->port, how);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        AUTO_FREE char *variable = text_format("JOULERY_SERVICE_URL_%s", names[i]);
        setenv(variable, url, 1);
    }
}

static size_t forecasts_in(const struct profile *profile)
{
    size_t count = 0;
    for (size_t i = 0; i < profile->count; i++)
        count += profile->steps[i].forecast;
    return count;
}

static double hour_of(int64_t time_s)
{
    return (double)(time_s / HOUR_S % 24);
}

static const struct {
    const char *given, *place, *title;
    double tolerance; /* five-minute values through another unit */
} asked[] = {{"electricitymaps", "DEU", "Electricity Maps", 0},
             {"electricitymaps:US-CAL-CISO", "US-CA", "Electricity Maps", 0},
             {"uk", "GBR", "Carbon Intensity (Great Britain)", 0},
             {"energidata:DK1", "DNK", "Energi Data Service", 0},
             {"watttime:CAISO_NORTH", "US-CA", "WattTime", 1e-9}};

#define ASKED (sizeof asked / sizeof *asked)

/* Also over more time than one question may ask for. */
static void what_was_is_told_by_the_hour(void **state)
{
    behave(*state, "good");
    int64_t to_s = clock_wall_ns() / NS_PER_S / HOUR_S * HOUR_S - 48 * HOUR_S;
    for (size_t i = 0; i < ASKED; i++)
        for (int days = 0; days <= 40; days += 40) {
            struct error error = ERROR_INIT;
            struct profile profile;
            char *trouble;
            int64_t from_s = to_s - 5 * HOUR_S - days * 86400;
            if (service_ask(asked[i].given, known_location(asked[i].place), from_s, to_s, &profile, &trouble,
                            &error) < 0)
                fail_msg("%s: %s", asked[i].given, error_text(&error));
            assert_null(trouble);
            assert_non_null(strstr(profile.source, asked[i].title));
            assert_int_equal(profile.marginal, strncmp(asked[i].given, "watttime", 8) == 0);
            assert_int_equal(forecasts_in(&profile), 0);
            for (int64_t at = from_s; at < to_s; at += HOUR_S) {
                double known, mean = profile_mean(&profile, (double)at, (double)at + HOUR_S, &known);
                assert_true(known > 1 - 1e-12);
                assert_true(fabs(mean - (100 + 10 * hour_of(at))) <= asked[i].tolerance * mean);
            }
            profile_free(&profile);
        }
}

static void what_will_be_is_told_and_is_a_forecast(void **state)
{
    behave(*state, "good");
    int64_t now_s = clock_wall_ns() / NS_PER_S;
    for (size_t i = 0; i < ASKED; i++) {
        struct error error = ERROR_INIT;
        struct profile profile;
        char *trouble;
        if (service_ask(asked[i].given, known_location(asked[i].place), now_s - HOUR_S, now_s + 12 * HOUR_S,
                        &profile, &trouble, &error) < 0)
            fail_msg("%s: %s", asked[i].given, error_text(&error));
        double known;
        profile_mean(&profile, (double)now_s, (double)now_s + 11 * HOUR_S, &known);
        assert_true(known > 0.9);
        assert_true(forecasts_in(&profile) > 0 && forecasts_in(&profile) < profile.count);
        assert_true(profile.asked_s >= now_s);
        profile_free(&profile);
    }
}

static const struct {
    const char *how, *words;
    bool asks_once; /* enough that one service is tried */
} failures[] = {{"garbage", "no JSON object", false},
                {"cut", "no JSON object", false},
                {"negative", "expected a carbon intensity from 0", false},
                {"list", "is missing, a list", false},
                {"401", "refuses the key", false},
                {"403", "refuses the key", false},
                {"404", "nothing of this time", false},
                {"500", "failed (HTTP 500)", false},
                {"away", "sends elsewhere, which is not followed (HTTP 302)", false},
                {"huge", "the answer is longer than", true},
                {"slow", "gave no whole answer within", true}};

/* Without anything remembered: nothing is known, and the caller charges by the yearly figure. */
static void every_failure_ends_in_a_clear_line(void **state)
{
    const struct peer *peer = *state;
    int64_t to_s = clock_wall_ns() / NS_PER_S - 48 * HOUR_S;
    for (size_t f = 0; f < sizeof failures / sizeof *failures; f++) {
        behave(peer, failures[f].how);
        for (size_t i = 0; i < (failures[f].asks_once ? 1 : ASKED); i++) {
            struct error error = ERROR_INIT;
            struct profile profile;
            char *trouble;
            assert_int_equal(service_ask(asked[i].given, known_location(asked[i].place), to_s - HOUR_S, to_s,
                                         &profile, &trouble, &error),
                             -1);
            /* a login that fails is a failure of its own */
            bool said = strstr(error_text(&error), failures[f].words) ||
                        (i == 4 && strstr(error_text(&error), asked[i].title));
            if (!said || !strstr(error_text(&error), asked[i].title) || strstr(error_text(&error), "sesame"))
                fail_msg("%s, %s: '%s'", failures[f].how, asked[i].given, error_text(&error));
            assert_null(trouble);
            error_clear(&error);
            assert_int_equal(hourly_get(asked[i].given, known_location(asked[i].place), to_s - HOUR_S, to_s,
                                        &profile, &trouble, &error),
                             0);
            assert_non_null(strstr(trouble, asked[i].title));
            assert_int_equal(profile.count, 0);
            free(trouble);
            profile_free(&profile);
        }
    }
}

static void an_answer_of_another_zone_or_unit_is_refused(void **state)
{
    static const struct {
        const char *how;
        size_t asked;
        const char *words;
    } cases[] = {{"zone", 0, "zone: expected 'DE', found 'XX'"},
                 {"zone", 3, "PriceArea: expected 'DK1', found 'XX'"},
                 {"zone", 4, "region: expected 'CAISO_NORTH', found 'XX'"},
                 {"unit", 4, "units: expected 'lbs_co2_per_mwh', found 'kg_per_hour'"}};
    int64_t to_s = clock_wall_ns() / NS_PER_S - 48 * HOUR_S;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct profile profile;
        char *trouble;
        behave(*state, cases[i].how);
        assert_int_equal(service_ask(asked[cases[i].asked].given, known_location(asked[cases[i].asked].place),
                                     to_s - HOUR_S, to_s, &profile, &trouble, &error),
                         -1);
        if (!strstr(error_text(&error), cases[i].words))
            fail_msg("'%s' lacks '%s'", error_text(&error), cases[i].words);
        error_clear(&error);
    }
}

/* The last good answer, with its age. */
static void what_was_told_before_holds_when_a_service_fails(void **state)
{
    struct error error = ERROR_INIT;
    struct profile profile;
    char *trouble;
    int64_t to_s = clock_wall_ns() / NS_PER_S / HOUR_S * HOUR_S - 48 * HOUR_S;
    behave(*state, "good");
    assert_int_equal(
        service_ask("uk", known_location("GBR"), to_s - 5 * HOUR_S, to_s, &profile, &trouble, &error), 0);
    profile_free(&profile);
    behave(*state, "500");
    assert_int_equal(
        service_ask("uk", known_location("GBR"), to_s - 3 * HOUR_S, to_s, &profile, &trouble, &error), 0);
    assert_non_null(strstr(trouble, "HTTP 500"));
    assert_true(profile.asked_s > 0 && profile.asked_s <= clock_wall_ns() / NS_PER_S);
    double known, mean = profile_mean(&profile, (double)to_s - HOUR_S, (double)to_s, &known);
    assert_true(known == 1 && mean == 100 + 10 * hour_of(to_s - HOUR_S));
    free(trouble);
    profile_free(&profile);
    /* of another time nothing is known */
    assert_int_equal(service_ask("uk", known_location("GBR"), to_s - 90 * HOUR_S, to_s - 80 * HOUR_S,
                                 &profile, &trouble, &error),
                     -1);
    error_clear(&error);
}

/* Part of an answer is no answer: what is missing is taken from what was told before, and is as old as that.
 */
static void a_forecast_that_fails_is_the_last_one(void **state)
{
    struct error error = ERROR_INIT;
    struct profile profile;
    char *trouble;
    int64_t now_s = clock_wall_ns() / NS_PER_S;
    const struct location *germany = known_location("DEU");
    behave(*state, "good");
    assert_int_equal(service_ask("electricitymaps", germany, now_s - HOUR_S, now_s + 60 * HOUR_S, &profile,
                                 &trouble, &error),
                     0);
    double known;
    profile_mean(&profile, (double)now_s, (double)now_s + 60 * HOUR_S, &known);
    assert_true(known > 1 - 1e-9);
    profile_free(&profile);
    behave(*state, "past");
    assert_int_equal(service_ask("electricitymaps", germany, now_s - HOUR_S, now_s + 20 * HOUR_S, &profile,
                                 &trouble, &error),
                     0);
    assert_non_null(trouble);
    assert_true(forecasts_in(&profile) > 0 && profile.asked_s >= now_s);
    profile_mean(&profile, (double)now_s, (double)now_s + 20 * HOUR_S, &known);
    assert_true(known > 1 - 1e-9);
    free(trouble);
    profile_free(&profile);
}

/* Great Britain's of an hour that is over but was not measured: a forecast, also when it is remembered. */
static void a_forecast_that_is_remembered_stays_one(void **state)
{
    struct error error = ERROR_INIT;
    struct profile profile;
    char *trouble;
    int64_t to_s = clock_wall_ns() / NS_PER_S - 48 * HOUR_S;
    static const char *const ways[] = {"unsaid", "500"};
    for (size_t i = 0; i < 2; i++) {
        behave(*state, ways[i]);
        assert_int_equal(
            service_ask("uk", known_location("GBR"), to_s - 3 * HOUR_S, to_s, &profile, &trouble, &error), 0);
        assert_true(profile.count >= 6);
        assert_int_equal(forecasts_in(&profile), profile.count);
        AUTO_FREE char *text = profile_text(&profile);
        assert_non_null(strstr(text, ", forecast"));
        free(trouble);
        profile_free(&profile);
    }
}

static void an_empty_answer_is_nothing_and_no_failure(void **state)
{
    struct error error = ERROR_INIT;
    struct profile profile;
    char *trouble;
    int64_t to_s = clock_wall_ns() / NS_PER_S - 48 * HOUR_S;
    behave(*state, "empty");
    for (size_t i = 0; i < ASKED; i++) {
        assert_int_equal(service_ask(asked[i].given, known_location(asked[i].place), to_s - HOUR_S, to_s,
                                     &profile, &trouble, &error),
                         0);
        assert_int_equal(profile.count, 0);
        assert_non_null(strstr(trouble, "knows nothing of this time"));
        free(trouble);
        profile_free(&profile);
    }
}

static void spoil_cache(const struct peer *peer)
{
    AUTO_FREE char *path = text_format("%s/joulery/intensity/uk-elsewhere-national.csv", peer->folder);
    struct error error = ERROR_INIT;
    assert_true(file_exists(path));
    assert_int_equal(file_write(path, "from,to\nx", 9, &error), 0);
}

static void a_spoilt_cache_is_as_if_there_were_none(void **state)
{
    struct error error = ERROR_INIT;
    struct profile profile;
    char *trouble;
    int64_t to_s = clock_wall_ns() / NS_PER_S - 48 * HOUR_S;
    for (int round = 0; round < 2; round++) {
        behave(*state, "good");
        assert_int_equal(
            service_ask("uk", known_location("GBR"), to_s - HOUR_S, to_s, &profile, &trouble, &error), 0);
        profile_free(&profile);
        spoil_cache(*state);
    }
    behave(*state, "500");
    assert_int_equal(
        service_ask("uk", known_location("GBR"), to_s - HOUR_S, to_s, &profile, &trouble, &error), -1);
    error_clear(&error);
}

static size_t questions(const struct peer *peer)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *log = file_read(peer->log, 1 << 20, NULL, &error);
    size_t count = 0;
    for (const char *c = log ? log : ""; *c; c++)
        count += *c == '\n';
    error_clear(&error);
    return count;
}

static void a_service_that_has_had_enough_is_left_alone(void **state)
{
    const struct peer *peer = *state;
    struct error error = ERROR_INIT;
    struct profile profile;
    char *trouble;
    int64_t to_s = clock_wall_ns() / NS_PER_S - 48 * HOUR_S;
    behave(peer, "429");
    assert_int_equal(
        service_ask("uk", known_location("GBR"), to_s - HOUR_S, to_s, &profile, &trouble, &error), -1);
    assert_non_null(strstr(error_text(&error), "not asked again for 120 s (HTTP 429)"));
    behave(peer, "good");
    assert_int_equal(
        service_ask("uk", known_location("GBR"), to_s - HOUR_S, to_s, &profile, &trouble, &error), -1);
    assert_non_null(strstr(error_text(&error), "was asked too often"));
    assert_int_equal(questions(peer), 1);
    error_clear(&error);
}

static void write_keys(const struct peer *peer, mode_t mode)
{
    AUTO_FREE char *folder = text_format("%s/joulery", peer->folder), *path = text_format("%s/keys", folder);
    static const char keys[] = "# ours\nelectricitymaps sesame\nwatttime ali open sesame\n";
    struct error error = ERROR_INIT;
    mkdir(folder, 0700);
    assert_int_equal(file_write(path, keys, sizeof keys - 1, &error), 0);
    assert_int_equal(chmod(path, mode), 0);
}

/* In the environment or a file that nobody else can read; and never in what is kept. */
static void keys_are_asked_for_and_kept_to_themselves(void **state)
{
    const struct peer *peer = *state;
    struct error error = ERROR_INIT;
    struct profile profile;
    char *trouble;
    int64_t to_s = clock_wall_ns() / NS_PER_S - 48 * HOUR_S;
    const struct location *germany = known_location("DEU");
    behave(peer, "good");
    unsetenv("JOULERY_KEY_ELECTRICITYMAPS");
    unsetenv("JOULERY_KEY_WATTTIME");
    assert_int_equal(service_check("electricitymaps", germany, &error), -1);
    assert_non_null(strstr(error_text(&error), "JOULERY_KEY_ELECTRICITYMAPS"));
    assert_int_equal(service_check("watttime:X", germany, &error), -1);
    assert_non_null(strstr(error_text(&error), "USER PASSWORD"));
    assert_int_equal(service_check("uk", known_location("GBR"), &error), 0);
    write_keys(peer, 0644);
    assert_int_equal(service_check("electricitymaps", germany, &error), -1);
    assert_non_null(strstr(error_text(&error), "others may read it"));
    write_keys(peer, 0600);
    assert_int_equal(service_check("electricitymaps", germany, &error), 0);
    assert_int_equal(service_ask("electricitymaps", germany, to_s - HOUR_S, to_s, &profile, &trouble, &error),
                     0);
    profile_free(&profile);
    assert_int_equal(
        service_ask("watttime:CAISO_NORTH", germany, to_s - HOUR_S, to_s, &profile, &trouble, &error), 0);
    profile_free(&profile);
    setenv("JOULERY_KEY_ELECTRICITYMAPS", "wrong", 1);
    assert_int_equal(service_ask("electricitymaps", germany, to_s - 90 * HOUR_S, to_s - 80 * HOUR_S, &profile,
                                 &trouble, &error),
                     -1);
    assert_non_null(strstr(error_text(&error), "refuses the key"));
    AUTO_FREE char *grep =
        text_format("! grep -rq -e sesame -e t0ken -e wrong %s/joulery/intensity", peer->folder);
    assert_int_equal(system(grep), 0);
    error_clear(&error);
}

static void a_place_without_one_zone_is_told(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    assert_int_equal(service_check("electricitymaps", known_location("USA"), &error), -1);
    assert_non_null(strstr(error_text(&error), "--hourly electricitymaps:US-CAL-CISO"));
    assert_int_equal(service_check("uk", known_location("DEU"), &error), -1);
    assert_int_equal(service_check("electricitymaps:../x", known_location("DEU"), &error), -1);
    assert_non_null(strstr(error_text(&error), "no name of a zone"));
    assert_int_equal(service_check("uk:SCOTLAND", known_location("GBR"), &error), -1);
    assert_non_null(strstr(error_text(&error), "has no zones"));
    assert_int_equal(service_check("energidata", known_location("DNK"), &error), -1);
    assert_non_null(strstr(error_text(&error), "--hourly energidata:DK1"));
    setenv("JOULERY_SERVICE_URL_ELECTRICITYMAPS", "http://example.org", 1);
    struct profile profile;
    char *trouble;
    assert_int_equal(service_ask("electricitymaps", known_location("DEU"), 0, 1, &profile, &trouble, &error),
                     -1);
    assert_non_null(strstr(error_text(&error), "a key goes to https://"));
    assert_null(service_find("profile.csv"));
    error_clear(&error);
}

static int close_places(void **state)
{
    (void)state;
    places_close(known_places());
    return 0;
}

#define WITH_PEER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        WITH_PEER(what_was_is_told_by_the_hour),
        WITH_PEER(what_will_be_is_told_and_is_a_forecast),
        WITH_PEER(every_failure_ends_in_a_clear_line),
        WITH_PEER(an_answer_of_another_zone_or_unit_is_refused),
        WITH_PEER(what_was_told_before_holds_when_a_service_fails),
        WITH_PEER(a_forecast_that_fails_is_the_last_one),
        WITH_PEER(a_forecast_that_is_remembered_stays_one),
        WITH_PEER(an_empty_answer_is_nothing_and_no_failure),
        WITH_PEER(a_spoilt_cache_is_as_if_there_were_none),
        WITH_PEER(a_service_that_has_had_enough_is_left_alone),
        WITH_PEER(keys_are_asked_for_and_kept_to_themselves),
        WITH_PEER(a_place_without_one_zone_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, close_places);
}
