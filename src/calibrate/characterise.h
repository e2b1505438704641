/* characterise.h: what an instrument's readings tell of the instrument: pure functions of readings and of the
 * instants at which a load went on and off. docs/method.md has the formulas. */
#ifndef JOULERY_CALIBRATE_CHARACTERISE_H
#define JOULERY_CALIBRATE_CHARACTERISE_H

#include "calibrate/wave.h"
#include "record/sheets.h"

#include <stddef.h>
#include <stdint.h>

/* Readings of one channel, in order of time; NAN where there was none. Borrowed. */
struct series {
    const int64_t *boot_ns;
    const double *values; /* J or W */
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
/* response_w, response_p, lag_s and, of a power, averaging_s, from readings under the load. response_p is NAN
 * where readings or edges are too few to judge; the others are NAN unless it is at most RESPONSE_P_MOST.
 * lag_s and averaging_s are NAN also where the load explains less than a quarter of the channel's variance,
 * or where they would be longer than 5 and 10 times load->least_s. The test is exact if the load was drawn
 * independently of the channel, whatever the channel's noise is like. */
void characterise_response(const struct channel *channel, const struct series *loaded,
                           const struct load_wave *load, struct characteristics *result);

/* Of the load for channels that follow within tenths of a second; slower ones take a slower load. */
#define LOAD_SPAN_LEAST_S 0.4

/* Median of values[0 .. count), which get sorted; NAN of none. */
double median_of(double *values, size_t count);

#endif
