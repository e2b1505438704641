/* transport.h: how a wattmeter is asked; one file a transport. */
#ifndef JOULERY_METER_WALL_TRANSPORT_H
#define JOULERY_METER_WALL_TRANSPORT_H

#include "meter/wall/device.h"

struct transport {
    const char *name;
    /* NULL and `error`: what is missing, and what to do. `device` must outlive it. */
    void *(*open)(const struct wall_device *device, struct error *error);
    /* One question, for `device->timeout_s` at the most. Power in W and energy in J; NAN: no news. */
    int (*ask)(void *state, double *power_w, double *energy_j, struct error *error);
    void (*close)(void *state);
};

extern const struct transport http_transport;

#endif
