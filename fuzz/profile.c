/* Intensities by the hour from any file: refused, or steps in order whose mean lies between their extremes.
 */
#include "carbon/profile.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check(const struct profile *profile)
{
    double least = INFINITY, most = -INFINITY, known;
    for (size_t i = 0; i < profile->count; i++) {
        const struct profile_step *step = &profile->steps[i];
        require(step->to_s > step->from_s && (i == 0 || step->from_s >= step[-1].to_s));
        least = fmin(least, step->intensity_g_per_kwh);
        most = fmax(most, step->intensity_g_per_kwh);
    }
    double from_s = (double)profile->steps[0].from_s, to_s = (double)profile->steps[profile->count - 1].to_s;
    double mean = profile_mean(profile, from_s, to_s, &known);
    require(known > 0 && known <= 1 && mean >= least * (1 - 1e-9) && mean <= most * (1 + 1e-9));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct profile profile;
    if (profile_parse((const char *)data, size, "fuzz", &profile, &error) == 0) {
        require(profile.count > 0);
        check(&profile);
        profile_free(&profile);
    }
    error_clear(&error);
    return 0;
}
