/* The cleanest start of any job in any forecast: none, or one whose intensity is what charging by the hour
 * gives, not above that of a start now, of the worst or of any start in between. */
#include "carbon/best_start.h"
#include "carbon/charge.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#define HEAD   8 /* bytes that describe the job */
#define PIECES 3

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static bool is_near(double a, double b)
{
    return fabs(a - b) <= 1e-6 * (1 + fabs(a) + fabs(b));
}

static void check_start(const struct profile *profile, const struct job *job, const struct job_start *start)
{
    const struct location location = {.intensity_g_per_kwh = 1, .low_g_per_kwh = 1, .high_g_per_kwh = 1};
    struct energy_piece pieces[PIECES];
    double at_s = start->start_s;
    for (size_t i = 0; i < job->count; i++) {
        double to_s = at_s + job->pieces[i].duration_s;
        pieces[i] = (struct energy_piece){at_s, to_s, job->pieces[i].energy_j};
        at_s = to_s;
    }
    struct charge charge = charge_energy(&location, profile, pieces, job->count);
    require(is_near(charge.by_the_hour, 1) &&
            is_near(charge.intensity_g_per_kwh, start->intensity_g_per_kwh));
}

static void check(const struct profile *profile, const struct job *job, double earliest_s, double latest_s)
{
    struct error error = ERROR_INIT;
    struct best_start found, one;
    if (best_start_find(profile, job, earliest_s, latest_s, &found, &error) == 0) {
        double best = found.best.intensity_g_per_kwh, worst = found.worst.intensity_g_per_kwh;
        double middle_s = (found.best.start_s + found.last_s) / 2;
        require(found.best.start_s >= earliest_s && found.last_s <= latest_s + 1e-3);
        require(found.best.start_s <= found.last_s + 1e-3 && found.worst.start_s <= found.last_s + 1e-3);
        require(best <= worst + 1e-6 && !(found.now.intensity_g_per_kwh < best - 1e-6));
        check_start(profile, job, &found.best);
        check_start(profile, job, &found.worst);
        if (best_start_find(profile, job, middle_s, middle_s, &one, &error) == 0)
            require(one.best.intensity_g_per_kwh >= best - 1e-6 &&
                    one.best.intensity_g_per_kwh <= worst + 1e-6);
    }
    error_clear(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct profile profile;
    if (size < HEAD || profile_parse((const char *)data + HEAD, size - HEAD, "fuzz", &profile, &error) < 0) {
        error_clear(&error);
        return 0;
    }
    /* an odd length for one: edges that meet no step's */
    struct job_piece pieces[PIECES] = {{60.0 * (data[0] + 1), data[1] + 1},
                                       {17.3 * (data[2] + 1), data[3]},
                                       {900.0 * (data[4] + 1), data[5]}};
    const struct job job = {pieces, 1 + data[6] % PIECES};
    double earliest_s = (double)profile.steps[0].from_s - 1000 + 10.0 * data[7];
    check(&profile, &job, earliest_s, earliest_s + 3600.0 * data[6]);
    profile_free(&profile);
    error_clear(&error);
    return 0;
}
