/* load.h: a load on all cores, which goes on and off at random times, for instruments to show how they
 * follow.
 */
#ifndef JOULERY_CALIBRATE_WAVE_H
#define JOULERY_CALIBRATE_WAVE_H

#include "base/error.h"
#include "base/random.h"

#include <stddef.h>
#include <stdint.h>

/* On at edges_ns[0], off at edges_ns[1], on again, …: when the switch was thrown. Between two edges lies what
 * wave_span_s drew. */
struct load_wave {
    double least_s; /* a stretch is at least so long */
    int64_t *edges_ns;
    size_t count;
};

/* How long the load stays on, or off, this time: `least_s` to three times that. No update period falls into
 * step with it. */
double wave_span_s(struct random_stream *random, double least_s);

/* Makes the load until `until_ns`, and off it is afterwards. `tell` is called several times a second with
 * what happens, in the caller's thread. The caller frees wave->edges_ns, also after -1. */
int wave_make(struct load_wave *wave, int64_t until_ns, void (*tell)(void *context, const char *phase),
              void *context, struct error *error);

/* Waits, and tells of it. */
void wave_wait(int64_t until_ns, void (*tell)(void *context, const char *phase), void *context,
               const char *phase);

#endif
