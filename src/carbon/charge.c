#include "carbon/charge.h"

#include <math.h>

struct charge charge_energy(const struct location *location, const struct profile *profile,
                            const struct energy_piece *pieces, size_t count)
{
    double energy_j = 0, by_profile_j = 0, sum = 0;
    for (size_t i = 0; i < count; i++) {
        double part = 0;
        double mean = profile ? profile_mean(profile, pieces[i].from_s, pieces[i].to_s, &part) : NAN;
        double known_j = part > 0 ? part * pieces[i].energy_j : 0;
        energy_j += pieces[i].energy_j;
        by_profile_j += known_j;
        sum += known_j > 0 ? known_j * mean : 0;
    }
    double rest_j = fmax(energy_j - by_profile_j, 0);
    return (struct charge){
        .intensity_g_per_kwh = (sum + rest_j * location->intensity_g_per_kwh) / energy_j,
        .low_g_per_kwh = (sum + rest_j * location->low_g_per_kwh) / energy_j,
        .high_g_per_kwh = (sum + rest_j * location->high_g_per_kwh) / energy_j,
        .by_the_hour = by_profile_j / energy_j,
    };
}
