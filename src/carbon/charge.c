#include "carbon/charge.h"

#include <math.h>

#define MIXED_FROM 1e-9 /* rounding apart */

bool charge_is_mixed(const struct profile *profile, const struct location *location, double by_the_hour)
{
    return profile->marginal != location->marginal && by_the_hour > 0 && by_the_hour < 1 - MIXED_FROM;
}

struct charge charge_energy(const struct location *location, const struct profile *profile,
                            const struct energy_piece *pieces, size_t count)
{
    double energy_j = 0, by_profile_j = 0, sum = 0, low_sum = 0, high_sum = 0;
    for (size_t i = 0; i < count; i++) {
        const struct energy_piece *piece = &pieces[i];
        double part = 0, low, high;
        double mean = profile ? profile_mean(profile, piece->from_s, piece->to_s, &part) : NAN;
        energy_j += piece->energy_j;
        if (!(part > 0))
            continue;
        profile_range(profile, piece->from_s, piece->to_s, &low, &high);
        by_profile_j += part * piece->energy_j;
        sum += part * piece->energy_j * mean;
        low_sum += part * piece->energy_j * low;
        high_sum += part * piece->energy_j * high;
    }
    double rest_j = fmax(energy_j - by_profile_j, 0);
    /* what nothing is charged by can't make the range unknown */
    double rest_low = rest_j > 0 ? rest_j * location->low_g_per_kwh : 0;
    double rest_high = rest_j > 0 ? rest_j * location->high_g_per_kwh : 0;
    return (struct charge){
        .intensity_g_per_kwh = (sum + rest_j * location->intensity_g_per_kwh) / energy_j,
        .low_g_per_kwh = (low_sum + rest_low) / energy_j,
        .high_g_per_kwh = (high_sum + rest_high) / energy_j,
        .by_the_hour = by_profile_j / energy_j,
        .mixed = profile && charge_is_mixed(profile, location, by_profile_j / energy_j),
    };
}
