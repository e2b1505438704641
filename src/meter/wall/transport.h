/* transport.h: how a wattmeter is asked; one file a transport. */
#ifndef JOULERY_METER_WALL_TRANSPORT_H
#define JOULERY_METER_WALL_TRANSPORT_H

#include "meter/wall/device.h"

#include <stdint.h>

struct wall_answer {
    double power_w, energy_j; /* NAN: no news */
    int64_t boot_ns;          /* when it came; 0: half-way through the question */
    int64_t span_ns;          /* how wide about that; of no matter where that is 0 */
    int64_t wall_ns;          /* when it was true, by the device's CLOCK_REALTIME; 0: it does not say */
};

struct transport {
    const char *name;
    bool pushes; /* asking waits for what the device sends when it likes */
    bool json;   /* the device's places are JSON pointers */
    bool serial; /* it has settings of a serial line */
    /* Whether url and places are such as it understands; the message is about one device. NULL: any are. */
    int (*check)(const struct wall_device *device, struct error *error);
    /* NULL and `error`: what is missing, and what to do. `device` must outlive it. */
    void *(*open)(const struct wall_device *device, struct error *error);
    /* One question, for `device->timeout_s` at the most. */
    int (*ask)(void *state, struct wall_answer *answer, struct error *error);
    void (*close)(void *state);
};

extern const struct transport http_transport;
extern const struct transport mqtt_transport;
extern const struct transport snmp_transport;
extern const struct transport modbus_transport;
extern const struct transport modbus_rtu_transport;
extern const struct transport ipmi_transport;
extern const struct transport wattsup_transport;

/* ---- transports.c ---- */

/* By the scheme of the url; NULL: there is none for it. */
const struct transport *transport_of(const char *url);
/* All schemes, for people. */
#define TRANSPORT_SCHEMES "http, https, mqtt, mqtts, snmp, modbus, modbus-rtu, ipmi, ipmi-local or wattsup"

/* "scheme://host[:port]rest", with [] around an IPv6 address, which `*host` then lacks. The caller frees
 * `*host`; `*rest` points into the url. */
int wall_url_split(const struct wall_device *device, uint16_t usual_port, char **host, uint16_t *port,
                   const char **rest, struct error *error);

#endif
