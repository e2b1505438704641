/* characterise.h: what an instrument's readings tell of the instrument: pure functions of readings and of the
 * instants at which a load went on and off. docs/method.md has the formulas. */
#ifndef JOULERY_CALIBRATE_CHARACTERISE_H
#define JOULERY_CALIBRATE_CHARACTERISE_H

#include "record/sheets.h"

#include <stddef.h>
#include <stdint.h>

/* Readings of one channel, in order of time; NAN where there was none. Borrowed. */
struct series {
    const int64_t *boot_ns;
    const double *values; /* J or W */
    size_t count;
};

/* A load on all cores: on at edges_ns[0], off at edges_ns[1], on again, … Borrowed. */
struct load_edges {
    const int64_t *edges_ns;
    size_t count;
};

/* All NAN. */
struct characteristics characteristics_unknown(void);

/* update_s, smallest_step from readings that come much faster than the instrument's updates. */
void characterise_updates(const struct channel *channel, const struct series *fast,
                          struct characteristics *result);
/* idle_w, idle_sd_w, idle_reading_sd_w from readings at rest, at least three seconds of them. */
void characterise_rest(const struct channel *channel, const struct series *rest,
                       struct characteristics *result);
/* response_w, lag_s and, of a power, averaging_s, from readings under the load. All NAN if the load doesn't
 * explain a quarter of the channel's variance. */
void characterise_response(const struct channel *channel, const struct series *loaded,
                           const struct load_edges *load, struct characteristics *result);

/* Median of values[0 .. count), which get sorted; NAN of none. */
double median_of(double *values, size_t count);

#endif
