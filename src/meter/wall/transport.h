/* transport.h: how a wattmeter is asked; one file a transport. */
#ifndef JOULERY_METER_WALL_TRANSPORT_H
#define JOULERY_METER_WALL_TRANSPORT_H

#include "meter/wall/device.h"

#include <stdint.h>

struct wall_answer {
    double power_w, energy_j; /* NAN: no news */
    int64_t boot_ns;          /* when it came; 0: half-way through the question */
};

struct transport {
    const char *name;
    bool pushes; /* asking waits for what the device sends when it likes */
    /* NULL and `error`: what is missing, and what to do. `device` must outlive it. */
    void *(*open)(const struct wall_device *device, struct error *error);
    /* One question, for `device->timeout_s` at the most. */
    int (*ask)(void *state, struct wall_answer *answer, struct error *error);
    void (*close)(void *state);
};

extern const struct transport http_transport;
extern const struct transport mqtt_transport;

/* By the scheme of the url; NULL: there is none for it. (transports.c) */
const struct transport *transport_of(const char *url);

#endif
