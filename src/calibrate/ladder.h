/* ladder.h: loads this machine step by step while a wattmeter and software both measure it. docs/method.md,
 * "Calibration". */
#ifndef JOULERY_CALIBRATE_LADDER_H
#define JOULERY_CALIBRATE_LADDER_H

#include "calibrate/fit.h"

#define LADDER_REPETITIONS_MOST 100
#define LADDER_LEAST_S          2 /* a step */
#define LADDER_MOST_S           3600

struct ladder_options {
    const struct meter_setup *setup; /* NULL: the real machine */
    const char *const *meters;       /* names of drivers to use; NULL: the best that there are */
    size_t meter_count;
    double rate_hz;       /* 0: 10 */
    uint64_t step_s;      /* each step; the first part, at least a third, is for settling and not measured */
    uint64_t repetitions; /* of the whole ladder, each in an order drawn anew */
    uint64_t seed;        /* of the orders */
    /* From the calling thread; NULL: nobody asks. */
    void (*progress)(void *context, double done_s, double total_s, const char *step);
    void *context;
};

/* Rest, then 25, 50, 75 and 100 % of the logical CPUs busy, and where a channel measures the memory, the same
 * with loads that stream through it. `record` gets host, channels, notes, gaps and a window a step, named
 * after its load
 * ("cpu 50 %"), with the repetition (from 1) as index; `evidence` (zeroed) their mean powers. The caller
 * frees both, also after -1. Errors: no wattmeter, or steps too short for how rarely an instrument is
 * renewed. */
int ladder_climb(const struct ladder_options *options, struct record *record, struct evidence *evidence,
                 struct error *error);

#endif
