/* characterise.h: what an instrument's readings tell of the instrument: pure functions of readings and of the
 * instants at which a load went on and off. docs/method.md has the formulas. */
#ifndef JOULERY_RECORD_CHARACTERISE_H
#define JOULERY_RECORD_CHARACTERISE_H

#include "meter/meter.h"

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

/* Each NAN where the readings don't tell. */
struct characteristics {
    double update_s;          /* real update period; no better than the readings come */
    double smallest_step;     /* smallest change seen, J or W: the resolution is this or finer */
    double averaging_s;       /* KIND_POWER: a reading is the mean of about this long */
    double lag_s;             /* from the load to what the averaging leaves of the delay */
    double response_w;        /* power under the load above power without */
    double read_s;            /* median time that one read of the instrument takes */
    double idle_w;            /* mean power at rest */
    double idle_sd_w;         /* standard deviation of means over 1 s at rest */
    double idle_reading_sd_w; /* the same over 0.1 s: of the power between readings of a usual run */
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
