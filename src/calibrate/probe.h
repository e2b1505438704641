/* probe.h: what a site's wattmeters are like: asks each of them often, at rest and under a load that goes on
 * and off, for characterise.h to judge. */
#ifndef JOULERY_CALIBRATE_PROBE_H
#define JOULERY_CALIBRATE_PROBE_H

#include "meter/meter.h"
#include "record/sheets.h"

#define PROBE_LEAST_S 20

struct probed {
    char *name;
    bool pushes; /* it is not asked: readings come when it likes */
    uint64_t asked, failed;
    char *trouble;      /* of the last that failed; NULL: none did */
    double ask_s;       /* from one question to the next */
    double slow_read_s; /* 95 of 100 answers come within; NAN: it pushes, or never answered */
    bool has_power, has_energy;
    /* All NAN where the device does not tell it; read_s is the median of its answers' times. */
    struct characteristics power, energy;
    /* For the site file, NAN: not found. What the power, or where there is none the energy, says was true so
     * long ago: lag, and half of what is averaged over. */
    double update_s, delay_s;
};

struct probes {
    char *path; /* of the site file */
    char *made; /* UTC, ISO 8601 */
    double wall_s;
    struct probed *devices;
    size_t count;
};

struct probe_options {
    const struct meter_setup *setup; /* for the site file */
    double wall_s;                   /* at least PROBE_LEAST_S */
    /* How far it is, from the calling thread; NULL: nobody asks. */
    void (*progress)(void *context, double done_s, double total_s, const char *phase);
    void *context;
};

/* Takes options->wall_s and loads all cores for half of it. A device that does not answer is no error: its
 * `trouble` says why. The caller frees `probes`. */
int probe_make(const struct probe_options *options, struct probes *probes, struct error *error);
void probe_free(struct probes *probes);

/* joulery.probe/1, docs/json.md. NULL: no memory. */
json_t *probe_to_json(const struct probes *probes);

#endif
