/* charge.h: what an energy that was used over some time emitted, by the hour where a profile knows it. */
#ifndef JOULERY_CARBON_CHARGE_H
#define JOULERY_CARBON_CHARGE_H

#include "carbon/places.h"
#include "carbon/profile.h"

/* A piece of time and the energy that was used in it, evenly. */
struct energy_piece {
    double from_s, to_s; /* since 1970, UTC */
    double energy_j;
};

struct charge {
    double intensity_g_per_kwh;           /* weighted by energy */
    double low_g_per_kwh, high_g_per_kwh; /* weighted alike, of the profile's range and the location's; NAN:
                                             the range is not known */
    double by_the_hour;                   /* the part of the energy charged by the profile, 0..1 */
    bool mixed;                           /* charge_is_mixed */
};

/* Each piece by the profile where that knows its time, by the location's yearly figure where it doesn't.
 * `profile` may be NULL. The energies' sum must be over 0. */
struct charge charge_energy(const struct location *location, const struct profile *profile,
                            const struct energy_piece *pieces, size_t count);

/* Whether part of an energy, `by_the_hour` of it, is charged by marginal and the rest by average figures, so
 * that the sum is of two kinds. */
bool charge_is_mixed(const struct profile *profile, const struct location *location, double by_the_hour);

#endif
