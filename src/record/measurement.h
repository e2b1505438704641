/* measurement.h: instruments under sampling and the account they fill. recorder_run, the C API, idle, watch
 * and characterise share it. Thread-safe but for open, start, stop and close. */
#ifndef JOULERY_RECORD_MEASUREMENT_H
#define JOULERY_RECORD_MEASUREMENT_H

#include "record/account.h"
#include "record/record.h"
#include "record/recorder.h"

struct measurement;

struct measurement_options {
    const struct meter_setup *setup; /* NULL: the real machine */
    const char *const *meters;       /* names of drivers to use; NULL: the best that there are */
    size_t meter_count;
    double rate_hz; /* 0: 10 */
    /* As in recorder_options; starts with the first window. */
    int (*trace)(void *context, const struct trace_sample *samples, size_t count);
    void *context;
    double trace_patience_s; /* the trace comes at least so often; 0: each 2 s */
};

/* Opens the instruments; sets rate_hz, channels and notes of `record`, which must outlive the measurement and
 * keep its channels. No thread runs yet. NULL and `error`: nothing can be measured. */
struct measurement *measurement_open(const struct measurement_options *options, struct record *record,
                                     struct error *error);
/* Starts a thread for each instrument, with the caller's signal mask; the first readings are in the account
 * when this returns. */
int measurement_start(struct measurement *measurement, struct error *error);
/* For windows; NULL before the start. */
struct account *measurement_account(struct measurement *measurement);
/* Asks every instrument for a reading soon: an edge of a window has passed. Never waits. */
void measurement_wake(struct measurement *measurement);
/* Reads instruments in the caller's thread, now: all, or those that take less than a tenth of a millisecond,
 * while the others are woken. */
void measurement_read(struct measurement *measurement, bool all);
/* Takes a last reading of every instrument and ends the threads. */
void measurement_stop(struct measurement *measurement);
/* Stops if need be, and closes the instruments. Accepts NULL. */
void measurement_close(struct measurement *measurement);

#endif
