/* poller.h: a thread that asks one wattmeter again and again, so that whoever measures never waits for it.
 *
 * Thread-safe. A device that does not answer, answers late or answers nonsense gives no samples meanwhile;
 * nothing is made up. */
#ifndef JOULERY_METER_WALL_POLLER_H
#define JOULERY_METER_WALL_POLLER_H

#include "meter/wall/device.h"

#include <stdint.h>

struct poller;

struct wall_sample {
    int64_t boot_ns;          /* when it was true: as the device says, or half-way through the question */
    int64_t span_ns;          /* how long the question took */
    double power_w, energy_j; /* NAN: no news */
};

/* One question, without a thread. The device's delay is not taken off; poller_start's samples have it off. */
int poller_ask(const struct wall_device *device, void *transport, struct wall_sample *sample,
               struct error *error);

/* `transport` is that of the device, opened; it is the thread's own until poller_stop. `thread_begins` is
 * called first in the thread, unless NULL. `device` must outlive the poller. */
struct poller *poller_start(const struct wall_device *device, void *transport, void (*thread_begins)(void),
                            struct error *error);
/* Waits for the first sample until `boot_ns`; false: none came. */
bool poller_wait(struct poller *poller, int64_t boot_ns);
/* The oldest sample that nobody has been given. False: there is none. */
bool poller_peek(struct poller *poller, struct wall_sample *sample);
void poller_drop(struct poller *poller);
/* Whether the samples up to `boot_ns` have been given, or have had their time to come. */
bool poller_reached(struct poller *poller, int64_t boot_ns);
/* How many questions were asked and how many of them failed; why the last of those did, which the caller
 * frees. NULL: none failed. */
char *poller_trouble(struct poller *poller, uint64_t *asked, uint64_t *failed);
void poller_stop(struct poller *poller);

#endif
