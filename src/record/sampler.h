/* sampler.h: a thread that reads one instrument at its times into the account. */
#ifndef JOULERY_RECORD_SAMPLER_H
#define JOULERY_RECORD_SAMPLER_H

#include "record/account.h"

#include <pthread.h>

struct sampler;

/* What the samplers of a run share: where they send their traces, one at a time, `lock` sees to it. */
struct trace_sink {
    pthread_mutex_t lock; /* guards `ended` and the calls of `trace` */
    bool ended;
    bool own_process;    /* the threads give up their capabilities (meter_setup) */
    int64_t patience_ns; /* stretches are not kept longer than this; 0: 2 s */
    int (*trace)(void *context, const struct trace_sample *samples, size_t count);
    void *context;
};

/* Starts the thread; the first reading is in the account when this returns. The meter is the sampler's until
 * it is stopped. `first` is the account's channel of the meter's first. Readings reach the account within 50
 * ms, or a period where that is longer; at once when they were asked for. */
struct sampler *sampler_start(struct meter *meter, struct account *account, size_t first, double rate_hz,
                              struct trace_sink *sink, struct error *error);
/* Asks for a reading soon (an edge of a window). Never waits. */
void sampler_wake(struct sampler *sampler);
/* Takes a reading in the caller's thread; unless `even_if_slow`, only where the last one took less than a
 * tenth of a millisecond and none is under way, so that it never waits for a slow instrument. False: it was
 * not taken. */
bool sampler_read(struct sampler *sampler, bool even_if_slow);
/* Takes a last reading and hands over the trace. `sampler_finish` asks for it, `sampler_join` waits and
 * frees: two calls, so that several instruments are read at the same time. */
void sampler_finish(struct sampler *sampler);
void sampler_join(struct sampler *sampler);

#endif
