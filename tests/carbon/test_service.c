#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "carbon/fact_table.h"
#include "carbon/hourly.h"
#include "carbon/service.h"
#include "carbon/service/cache.h"
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
    setenv("JOULERY_KEY_ENTSOE", "sesame", 1);
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
    static const char *const names[] = {"ELECTRICITYMAPS", "WATTTIME", "UK", "ENERGIDATA", "ENTSOE"};
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
    double tolerance; /* through another unit, or of a mix */
    bool no_forecast;
} asked[] = {{"electricitymaps", "DEU", "Electricity Maps", 0, false},
             {"electricitymaps:US-CAL-CISO", "US-CA", "Electricity Maps", 0, false},
             {"uk", "GBR", "Carbon Intensity (Great Britain)", 0, false},
             {"energidata:DK1", "DNK", "Energi Data Service", 0, false},
             {"watttime:CAISO_NORTH", "US-CA", "WattTime", 1e-9, false},
             {"entsoe", "DEU", "ENTSO-E", 1e-7, true}};

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
        assert_int_equal(service_forecasts(service_find(asked[i].given)), !asked[i].no_forecast);
        if (asked[i].no_forecast) {
            assert_true(known < 0.1 && forecasts_in(&profile) == 0);
            profile_free(&profile);
            continue;
        }
        assert_true(known > 0.9);
        assert_true(forecasts_in(&profile) > 0 && forecasts_in(&profile) < profile.count);
        assert_true(profile.asked_s >= now_s);
        profile_free(&profile);
    }
}

static const struct {
    const char *how, *words;
    const char *xml_words; /* of who answers in XML; NULL: the same */
    bool is_long;          /* enough that one service is tried, and by the caller alone */
} failures[] = {{"garbage", "no JSON object", "it is no GL_MarketDocument", false},
                {"cut", "no JSON object", "it is no XML", false},
                {"negative", "expected a carbon intensity from 0",
                 "quantity: expected 'a number of MW', found 'nan'", false},
                {"list", "is missing, a list", "line 1: a figure without its period", false},
                {"401", "refuses the key", NULL, false},
                {"403", "refuses the key", NULL, false},
                {"404", "nothing of this time", NULL, false},
                {"500", "failed (HTTP 500)", NULL, false},
                {"away", "sends elsewhere, which is not followed (HTTP 302)", NULL, false},
                {"huge", "the answer is longer than", NULL, true},
                {"slow", "gave no whole answer within", NULL, true}};

static void expect_line(size_t f, size_t i, const char *line)
{
    /* a login that fails is a failure of its own */
    bool xml = i == 5 && failures[f].xml_words;
    bool said = strstr(line, xml ? failures[f].xml_words : failures[f].words) ||
                (i == 4 && strstr(line, asked[i].title));
    if (!said || !strstr(line, asked[i].title) || strstr(line, "sesame"))
        fail_msg("%s, %s: '%s'", failures[f].how, asked[i].given, line);
}

static void service_fails(size_t f, size_t i, int64_t to_s)
{
    struct error error = ERROR_INIT;
    struct profile profile;
    char *trouble;
    assert_int_equal(service_ask(asked[i].given, known_location(asked[i].place), to_s - HOUR_S, to_s,
                                 &profile, &trouble, &error),
                     -1);
    expect_line(f, i, error_text(&error));
    assert_null(trouble);
    error_clear(&error);
}

static void caller_goes_on(size_t f, size_t i, int64_t to_s)
{
    struct error error = ERROR_INIT;
    struct profile profile;
    char *trouble;
    assert_int_equal(hourly_get(asked[i].given, known_location(asked[i].place), to_s - HOUR_S, to_s, &profile,
                                &trouble, &error),
                     0);
    expect_line(f, i, trouble);
    assert_int_equal(profile.count, 0);
    free(trouble);
    profile_free(&profile);
}

/* Without anything remembered: nothing is known, and the caller charges by the yearly figure. */
static void every_failure_ends_in_a_clear_line(void **state)
{
    const struct peer *peer = *state;
    int64_t to_s = clock_wall_ns() / NS_PER_S - 48 * HOUR_S;
    for (size_t f = 0; f < sizeof failures / sizeof *failures; f++) {
        behave(peer, failures[f].how);
        for (size_t i = 0; i < (failures[f].is_long ? 1 : ASKED); i++) {
            if (!failures[f].is_long)
                service_fails(f, i, to_s);
            caller_goes_on(f, i, to_s);
        }
    }
}

static void an_answer_of_another_zone_or_unit_is_refused(void **state)
{
    static const struct {
        const char *how;
        size_t asked;
        const char *words;
    } cases[] = {
        {"zone", 0, "zone: expected 'DE', found 'XX'"},
        {"zone", 3, "PriceArea: expected 'DK1', found 'XX'"},
        {"zone", 4, "region: expected 'CAISO_NORTH', found 'XX'"},
        {"unit", 4, "units: expected 'lbs_co2_per_mwh', found 'kg_per_hour'"},
        {"zone", 5, "inBiddingZone_Domain.mRID: expected '10Y1001A1001A83F', found '10YXX-----------'"},
        {"unit", 5, "quantity_Measure_Unit.name: expected 'MAW', found 'MWH'"},
        {"bomb", 5, "a DOCTYPE, which no such answer has"}};
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

static struct profile ask_past(const char *given, const char *place, int64_t hours)
{
    struct error error = ERROR_INIT;
    struct profile profile;
    char *trouble;
    int64_t to_s = clock_wall_ns() / NS_PER_S / HOUR_S * HOUR_S - 48 * HOUR_S;
    if (service_ask(given, known_location(place), to_s - hours * HOUR_S, to_s, &profile, &trouble, &error) <
        0)
        fail_msg("%s: %s", given, error_text(&error));
    assert_null(trouble);
    return profile;
}

/* Its regions tell what was forecast, and never what was. */
static void regions_of_great_britain_are_forecasts(void **state)
{
    behave(*state, "good");
    struct profile london = ask_past("uk:13", "GBR", 6);
    assert_true(london.count >= 12);
    assert_int_equal(forecasts_in(&london), london.count);
    assert_non_null(strstr(london.source, "zone 13"));
    profile_free(&london);
    behave(*state, "zone");
    struct error error = ERROR_INIT;
    struct profile profile;
    char *trouble;
    int64_t to_s = clock_wall_ns() / NS_PER_S - 48 * HOUR_S;
    assert_int_equal(
        service_ask("uk:12", known_location("GBR"), to_s - HOUR_S, to_s, &profile, &trouble, &error), -1);
    assert_non_null(strstr(error_text(&error), "regionid: expected 12, found 99"));
    error_clear(&error);
}

static void a_run_of_this_second_is_asked_for(void **state)
{
    behave(*state, "good");
    struct error error = ERROR_INIT;
    struct profile profile;
    char *trouble;
    int64_t now_s = clock_wall_ns() / NS_PER_S;
    assert_int_equal(
        service_ask("entsoe", known_location("DEU"), now_s, now_s + 1, &profile, &trouble, &error), 0);
    double known, mean = profile_mean(&profile, (double)now_s, (double)now_s + 1, &known);
    assert_true(known == 1 && fabs(mean - (100 + 10 * hour_of(now_s))) < 1e-4);
    profile_free(&profile);
}

static void what_is_estimated_is_said(void **state)
{
    static const char *const cases[][3] = {{"good", "electricitymaps", NULL},
                                           {"guess", "electricitymaps", ", estimated"},
                                           {"good", "entsoe", ", estimated"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        behave(*state, cases[i][0]);
        struct profile profile = ask_past(cases[i][1], "DEU", 3);
        AUTO_FREE char *text = profile_text(&profile);
        assert_true(cases[i][2] ? strstr(text, cases[i][2]) != NULL : strstr(text, "estimated") == NULL);
        profile_free(&profile);
    }
}

/* Gas is some 66 % of it at most: the range of both is wide, and told. */
static void a_mix_has_the_range_of_its_sources(void **state)
{
    behave(*state, "good");
    struct profile profile = ask_past("entsoe", "DEU", 3);
    for (size_t i = 0; i < profile.count; i++) {
        const struct profile_step *step = &profile.steps[i];
        double gas = (step->intensity_g_per_kwh - 24) / (490 - 24);
        assert_int_equal(step->to_s - step->from_s, 900);
        assert_true(fabs(step->low_g_per_kwh - (gas * 403 + (1 - gas) * 4)) < 1e-4);
        assert_true(fabs(step->high_g_per_kwh - (gas * 743 + (1 - gas) * 147)) < 1e-4);
    }
    profile_free(&profile);
}

/* Of the last two hours gas is not told yet: what was generated then is not known. */
static void a_source_that_is_late_leaves_a_hole(void **state)
{
    behave(*state, "late");
    struct error error = ERROR_INIT;
    struct profile profile;
    char *trouble;
    int64_t to_s = clock_wall_ns() / NS_PER_S / HOUR_S * HOUR_S - 48 * HOUR_S;
    for (int64_t hours = 1; hours <= 6; hours += 5) {
        double known;
        assert_int_equal(service_ask("entsoe", known_location("DEU"), to_s - hours * HOUR_S, to_s, &profile,
                                     &trouble, &error),
                         0);
        assert_int_equal(trouble && strstr(trouble, "knows nothing of this time"), hours == 1);
        profile_mean(&profile, (double)(to_s - hours * HOUR_S), (double)to_s, &known);
        assert_true(fabs(known - (hours == 1 ? 0 : 4.0 / 6)) < 1e-9);
        free(trouble);
        profile_free(&profile);
    }
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

/* Each process tells an hour of its own; none takes another's away. */
static void several_may_keep_answers_at_once(void **state)
{
    enum { PROCESSES = 8 };
    pid_t pids[PROCESSES];
    int64_t now_s = clock_wall_ns() / NS_PER_S, start_s = now_s / HOUR_S * HOUR_S - 48 * HOUR_S;
    (void)state;
    for (size_t i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] > 0)
            continue;
        struct error error = ERROR_INIT;
        struct profile profile = {0};
        for (size_t k = 0; k < 10; k++) {
            int64_t from_s = start_s + (int64_t)(i + PROCESSES * k) * HOUR_S / 4;
            const struct profile_step step = {
                .from_s = from_s, .to_s = from_s + HOUR_S / 4, .intensity_g_per_kwh = 7, .estimated = true};
            if (profile_add(&profile, step, &error) < 0)
                _exit(1);
            service_cache_add("test", "X", &profile, now_s);
            profile_free(&profile);
        }
        _exit(0);
    }
    for (size_t i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    struct profile kept;
    service_cache_read("test", "X", start_s, now_s, &kept);
    assert_int_equal(kept.count, 10 * PROCESSES);
    for (size_t i = 0; i < kept.count; i++)
        assert_true(kept.steps[i].estimated && !kept.steps[i].forecast);
    profile_free(&kept);
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
    assert_non_null(strstr(error_text(&error), "a region is a number from 1 to 17"));
    assert_int_equal(service_check("uk:18", known_location("GBR"), &error), -1);
    assert_int_equal(service_check("uk:17", known_location("GBR"), &error), 0);
    assert_int_equal(service_check("entsoe", known_location("GBR"), &error), -1);
    assert_non_null(strstr(error_text(&error), "--hourly entsoe:10Y1001A1001A82H"));
    setenv("JOULERY_KEY_ENTSOE", "se/same", 1);
    assert_int_equal(service_check("entsoe", known_location("DEU"), &error), -1);
    assert_non_null(strstr(error_text(&error), "the key of ENTSO-E is letters, digits and '-'"));
    assert_null(strstr(error_text(&error), "same"));
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

extern const unsigned char service_zones_csv[];
extern const size_t service_zones_csv_size;

/* Each row has a service, a place of the tables by its code, and a zone that the service takes. */
static void every_zone_of_the_table_is_of_a_place_and_a_service(void **state)
{
    (void)state;
    static const char *const columns[] = {"service", "location", "zone"};
    struct error error = ERROR_INIT;
    struct fact_table table;
    assert_int_equal(fact_table_read(&table, (const char *)service_zones_csv, service_zones_csv_size, "zones",
                                     columns, 3, &error),
                     0);
    assert_true(table.count > 100);
    for (size_t i = 0; i < table.count; i++) {
        char **fields = table.rows[i].fields;
        const struct location *location = known_location(fields[1]);
        assert_string_equal(location->code, fields[1]);
        if (service_check(fields[0], location, &error) < 0)
            fail_msg("line %zu: %s", table.lines[i], error_text(&error));
        if (i > 0 && strcmp(fields[0], table.rows[i - 1].fields[0]) == 0)
            assert_true(strcmp(fields[1], table.rows[i - 1].fields[1]) > 0); /* in order, and none twice */
    }
    fact_table_free(&table);
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
        WITH_PEER(regions_of_great_britain_are_forecasts),
        WITH_PEER(a_run_of_this_second_is_asked_for),
        WITH_PEER(what_is_estimated_is_said),
        WITH_PEER(a_mix_has_the_range_of_its_sources),
        WITH_PEER(a_source_that_is_late_leaves_a_hole),
        WITH_PEER(a_forecast_that_fails_is_the_last_one),
        WITH_PEER(a_forecast_that_is_remembered_stays_one),
        WITH_PEER(an_empty_answer_is_nothing_and_no_failure),
        WITH_PEER(a_spoilt_cache_is_as_if_there_were_none),
        WITH_PEER(several_may_keep_answers_at_once),
        WITH_PEER(a_service_that_has_had_enough_is_left_alone),
        WITH_PEER(keys_are_asked_for_and_kept_to_themselves),
        WITH_PEER(a_place_without_one_zone_is_told),
        WITH_PEER(every_zone_of_the_table_is_of_a_place_and_a_service),
    };
    return cmocka_run_group_tests(tests, NULL, close_places);
}
