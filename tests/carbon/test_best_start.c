#include "base/random.h"
#include "base/text.h"
#include "carbon/best_start.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define EPOCH_S   1795824000 /* 2026-11-28T00:00:00Z */
#define MINUTES   600
#define JOB_MOST  5
#define TICK_S    60
#define NOT_KNOWN -1

static void add(struct profile *profile, int64_t from_s, int64_t to_s, double intensity)
{
    struct error error = ERROR_INIT;
    struct profile_step step = {
        .from_s = EPOCH_S + from_s, .to_s = EPOCH_S + to_s, .intensity_g_per_kwh = intensity};
    if (profile_add(profile, step, &error) < 0)
        fail_msg("%s", error_text(&error));
}

static struct best_start find(const struct profile *profile, const struct job *job, double earliest_s,
                              double latest_s)
{
    struct error error = ERROR_INIT;
    struct best_start found;
    if (best_start_find(profile, job, EPOCH_S + earliest_s, EPOCH_S + latest_s, &found, &error) < 0)
        fail_msg("%s", error_text(&error));
    return found;
}

static void refuses(const struct profile *profile, const struct job *job, double earliest_s, double latest_s,
                    const char *words)
{
    struct error error = ERROR_INIT;
    struct best_start found;
    assert_int_equal(best_start_find(profile, job, EPOCH_S + earliest_s, EPOCH_S + latest_s, &found, &error),
                     -1);
    if (!strstr(error_text(&error), words))
        fail_msg("expected '%s', found '%s'", words, error_text(&error));
    error_clear(&error);
}

/* An even job over hours of 300, 100, 200 g/kWh: it is cleanest from half past on, not on the hour. */
static void the_best_start_may_be_off_the_hour(void **state)
{
    (void)state;
    struct profile profile = {0};
    double hours[] = {300, 100, 200, 250};
    for (size_t i = 0; i < 4; i++)
        add(&profile, 3600 * (int64_t)i, 3600 * (int64_t)(i + 1), hours[i]);
    struct job_piece piece = {5400, 1};
    struct job job = {&piece, 1};
    struct best_start found = find(&profile, &job, 0, 86400);
    assert_true(found.best.start_s == EPOCH_S + 3600);
    assert_true(fabs(found.best.intensity_g_per_kwh - (100 + 0.5 * 200) / 1.5) < 1e-9);
    hours[2] = profile.steps[2].intensity_g_per_kwh = 400;
    found = find(&profile, &job, 0, 86400);
    assert_true(found.best.start_s == EPOCH_S + 1800);
    assert_true(fabs(found.best.intensity_g_per_kwh - (100 + 0.5 * 300) / 1.5) < 1e-9);
    assert_true(fabs(found.now.intensity_g_per_kwh - (300 + 0.5 * 100) / 1.5) < 1e-9);
    assert_true(found.last_s == EPOCH_S + 4 * 3600 - 5400 && found.known_to_s == EPOCH_S + 4 * 3600);
    profile_free(&profile);
}

static void where_the_energy_falls_decides(void **state)
{
    (void)state;
    struct profile profile = {0};
    add(&profile, 0, 3600, 300);
    add(&profile, 3600, 7200, 50);
    add(&profile, 7200, 10800, 300);
    add(&profile, 10800, 14400, 310);
    struct job_piece late[] = {{3600, 1}, {3600, 9}}, early[] = {{3600, 9}, {3600, 1}};
    struct job heavy_end = {late, 2}, heavy_begin = {early, 2};
    struct best_start end = find(&profile, &heavy_end, 0, 86400);
    struct best_start begin = find(&profile, &heavy_begin, 0, 86400);
    assert_true(end.best.start_s == EPOCH_S && begin.best.start_s == EPOCH_S + 3600);
    assert_true(fabs(end.best.intensity_g_per_kwh - 75) < 1e-9);
    assert_true(fabs(begin.best.intensity_g_per_kwh - 75) < 1e-9);
    profile_free(&profile);
}

static void of_starts_as_good_it_is_the_earliest(void **state)
{
    (void)state;
    struct profile profile = {0};
    for (int64_t i = 0; i < 24; i++)
        add(&profile, 3600 * i, 3600 * (i + 1), 123.4);
    struct job_piece piece = {7 * 3600, 5};
    struct job job = {&piece, 1};
    struct best_start found = find(&profile, &job, 1234.5, 86400);
    assert_true(found.best.start_s == EPOCH_S + 1234.5 && found.worst.start_s == EPOCH_S + 1234.5);
    assert_true(found.last_s == EPOCH_S + 17 * 3600 && found.holes == 0);
    profile_free(&profile);
}

static void what_cannot_be_answered_is_refused(void **state)
{
    (void)state;
    struct profile profile = {0};
    struct job_piece piece = {7200, 1};
    struct job job = {&piece, 1};
    refuses(&profile, &job, 0, 3600, "no forecast is in it");
    profile.source = strdup("a.csv");
    add(&profile, 0, 3600, 100);
    refuses(&profile, &job, 3600, 7200, "a.csv: it ends at 2026-11-28T01:00:00Z");
    refuses(&profile, &job, 0, 7200, "a job of 2 h 0 min does not fit");
    add(&profile, 3660, 7200, 100);
    refuses(&profile, &job, 0, 7200, "at most 1 h 0 min are known without a hole");
    add(&profile, 7200, 10860, 100);
    refuses(&profile, &job, 0, 3600, "begins too late");
    struct best_start found = find(&profile, &job, 0, 3660);
    assert_true(found.holes == 1 && isnan(found.now.intensity_g_per_kwh));
    assert_true(found.best.start_s == EPOCH_S + 3660 && found.last_s == EPOCH_S + 3660);
    profile_free(&profile);
}

/* ---- against trying every minute ---- */

struct trial {
    struct profile profile;
    double minute[MINUTES]; /* g/kWh, or NOT_KNOWN */
    struct job_piece pieces[JOB_MOST];
    struct job job;
    size_t earliest, latest; /* minutes */
};

static struct trial *trial_make(struct random_stream *random)
{
    struct trial *trial = calloc(1, sizeof *trial);
    for (size_t m = 0; m < MINUTES;) {
        size_t length = 1 + random_below(random, 60);
        bool hole = random_below(random, 12) == 0;
        /* few values, so that many starts are as good */
        double intensity = hole ? NOT_KNOWN : (double)(10 * random_below(random, 8));
        length = m + length > MINUTES ? MINUTES - m : length;
        for (size_t i = 0; i < length; i++)
            trial->minute[m + i] = intensity;
        if (!hole)
            add(&trial->profile, (int64_t)m * TICK_S, (int64_t)(m + length) * TICK_S, intensity);
        m += length;
    }
    trial->job = (struct job){trial->pieces, 1 + random_below(random, JOB_MOST)};
    for (size_t i = 0; i < trial->job.count; i++)
        trial->pieces[i] = (struct job_piece){TICK_S * (double)(1 + random_below(random, 30)),
                                              (double)random_below(random, 4) + (i == 0)};
    trial->earliest = random_below(random, MINUTES);
    trial->latest = trial->earliest + random_below(random, MINUTES);
    return trial;
}

/* NAN: some of it is not known. */
static double tried(const struct trial *trial, size_t start)
{
    double sum = 0, energy_j = 0;
    for (size_t i = 0, m = start; i < trial->job.count; i++) {
        size_t length = (size_t)(trial->pieces[i].duration_s / TICK_S);
        energy_j += trial->pieces[i].energy_j;
        for (size_t k = 0; k < length; k++, m++) {
            if (m >= MINUTES || trial->minute[m] == NOT_KNOWN)
                return NAN;
            sum += trial->pieces[i].energy_j / (double)length * trial->minute[m];
        }
    }
    return sum / energy_j;
}

struct verdict {
    double best, worst;
    size_t best_at, worst_at, last;
    bool any;
};

static struct verdict try_all(const struct trial *trial)
{
    struct verdict all = {.best = INFINITY, .worst = -INFINITY};
    for (size_t start = trial->earliest; start <= trial->latest; start++) {
        double intensity = tried(trial, start);
        if (isnan(intensity))
            continue;
        all.any = true;
        all.last = start;
        if (intensity < all.best - 1e-7) {
            all.best = intensity;
            all.best_at = start;
        }
        if (intensity > all.worst + 1e-7) {
            all.worst = intensity;
            all.worst_at = start;
        }
    }
    return all;
}

static void trial_check(const struct trial *trial)
{
    struct verdict all = try_all(trial);
    double earliest_s = (double)(trial->earliest * TICK_S), latest_s = (double)(trial->latest * TICK_S);
    if (!all.any) {
        refuses(&trial->profile, &trial->job, earliest_s, latest_s, "");
        return;
    }
    struct best_start found = find(&trial->profile, &trial->job, earliest_s, latest_s);
    double now = tried(trial, trial->earliest);
    assert_true(fabs(found.best.intensity_g_per_kwh - all.best) < 1e-6);
    assert_true(fabs(found.worst.intensity_g_per_kwh - all.worst) < 1e-6);
    assert_true(found.best.start_s == (double)(EPOCH_S + (int64_t)all.best_at * TICK_S));
    assert_true(found.worst.start_s == (double)(EPOCH_S + (int64_t)all.worst_at * TICK_S));
    assert_true(found.last_s == (double)(EPOCH_S + (int64_t)all.last * TICK_S));
    assert_true(isnan(now) ? isnan(found.now.intensity_g_per_kwh)
                           : fabs(found.now.intensity_g_per_kwh - now) < 1e-6);
}

/* All edges lie on minutes: so does the optimum, and every minute is tried. */
static void it_is_what_trying_every_start_finds(void **state)
{
    (void)state;
    struct random_stream random;
    random_seed(&random, 7, 0);
    for (size_t i = 0; i < 3000; i++) {
        struct trial *trial = trial_make(&random);
        trial_check(trial);
        profile_free(&trial->profile);
        free(trial);
    }
}

/* Lengths that meet no edge: no start of many, anywhere, is better. */
static void no_start_is_better_whatever_the_lengths(void **state)
{
    (void)state;
    struct random_stream random;
    random_seed(&random, 8, 0);
    for (size_t i = 0; i < 300; i++) {
        struct trial *trial = trial_make(&random);
        for (size_t k = 0; k < trial->job.count; k++)
            trial->pieces[k].duration_s *= 0.3 + random_uniform(&random);
        struct best_start found, one;
        struct error error = ERROR_INIT;
        bool any = best_start_find(&trial->profile, &trial->job, EPOCH_S, EPOCH_S + MINUTES * TICK_S, &found,
                                   &error) == 0;
        for (size_t k = 0; k < 200; k++) {
            double at_s = EPOCH_S + random_uniform(&random) * MINUTES * TICK_S;
            if (best_start_find(&trial->profile, &trial->job, at_s, at_s, &one, &error) < 0)
                continue;
            assert_true(any && one.best.intensity_g_per_kwh >= found.best.intensity_g_per_kwh - 1e-6);
            assert_true(one.best.intensity_g_per_kwh <= found.worst.intensity_g_per_kwh + 1e-6);
        }
        error_clear(&error);
        profile_free(&trial->profile);
        free(trial);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_start_may_be_off_the_hour),
        cmocka_unit_test(where_the_energy_falls_decides),
        cmocka_unit_test(of_starts_as_good_it_is_the_earliest),
        cmocka_unit_test(what_cannot_be_answered_is_refused),
        cmocka_unit_test(it_is_what_trying_every_start_finds),
        cmocka_unit_test(no_start_is_better_whatever_the_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
