/* idle.h: measures the machine at rest. docs/method.md, "At rest". */
#ifndef JOULERY_CALIBRATE_IDLE_H
#define JOULERY_CALIBRATE_IDLE_H

#include "record/baseline.h"

#include <signal.h>

struct idle_options {
    const struct meter_setup *setup; /* NULL: the real machine */
    const char *const *meters;       /* names of drivers to use; NULL: the best that there are */
    size_t meter_count;
    double rate_hz; /* 0: 10 */
    uint64_t duration_s;
    const volatile sig_atomic_t *stop; /* once set, idle_measure ends with -1 within a second; NULL: never */
    void (*progress)(void *context, double elapsed_s); /* each second; NULL: not told */
    void *context;
};

#define IDLE_LEAST_S 2
#define IDLE_MOST_S  14400

/* More than this share of all logical CPUs, or this many of them, busy: not at rest. One busy core of many
 * keeps the whole package awake. */
#define IDLE_LOAD_MOST 0.03
#define IDLE_CPUS_MOST 0.5

/* Takes duration_s. `record` gets host, channels, notes and the whole as its one window; `baseline` one entry
 * for each of its channels, in their order. The caller frees both, also after -1. */
int idle_measure(const struct idle_options *options, struct record *record, struct baseline *baseline,
                 struct error *error);

/* Whether the load was above what counts as rest; false where it is not known. */
bool idle_was_disturbed(const struct baseline *baseline, const struct host *host);

#endif
