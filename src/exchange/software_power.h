/* software_power.h: the power that software saw in a run, from its stored trace: the sum of the channels that
 * make the software total. */
#ifndef JOULERY_EXCHANGE_SOFTWARE_POWER_H
#define JOULERY_EXCHANGE_SOFTWARE_POWER_H

#include "store/store.h"

/* Energy so far and time covered so far at rising instants, s since the start of the run; covered is where
 * all of the channels have samples. count 0: there is no trace of them. */
struct software_power {
    double *at_s, *energy_j, *covered_s;
    size_t count;
    bool estimated; /* a model is among the channels */
};

/* The caller frees `power` with software_power_free either way. */
int software_power_read(struct store *store, int64_t run, const struct record *record,
                        struct software_power *power, struct error *error);
void software_power_free(struct software_power *power);

#endif
