/* recorder.h: measures a command with all its children, from its start to its end. */
#ifndef JOULERY_RECORD_RECORDER_H
#define JOULERY_RECORD_RECORDER_H

#include "record/record.h"

#include <signal.h>

/* A stretch of a power trace: mean watts of one channel between two consecutive readings. Gaps are not sent.
 */
struct trace_sample {
    uint32_t channel;
    double start_s; /* since the start of the run */
    double wall_s;
    double power_w;
};

struct recorder_options {
    char *const *command;            /* argv, NULL-terminated */
    const char *directory;           /* working directory of the child; NULL: ours */
    const struct meter_setup *setup; /* NULL: the real machine */
    const char *const *meters;       /* names of drivers to use; NULL: the best that there are */
    size_t meter_count;
    double rate_hz;           /* 0: 10 */
    size_t output_tail_bytes; /* > 0: capture output, keep its tail, no input; 0: the child has our
                                 descriptors */
    bool output_shown;        /* with output_tail_bytes: also pass it on to ours */
    double timeout_s;         /* 0: none; SIGTERM, after 5 s SIGKILL, to the child's process group */
    double budget_j; /* > 0: as a timeout, once the software total has reached this; 0: none. An error where
                        no instrument gives that total */
    /* Signals that came in are forwarded to the child. NULL: the recorder forwards SIGINT, SIGTERM, SIGHUP
     * and SIGQUIT itself while it runs. A caller that sets this pointer (to a sig_atomic_t it sets in its own
     * handlers) asks for an early stop: the child is stopped (SIGTERM, after 5 s SIGKILL, to its process
     * group) and the record completed. Its child gets no terminal, and SIGKILL should the caller die; what it
     * leaves running at its end in its process group is killed. */
    const volatile sig_atomic_t *stop;
    /* Called from the sampler's thread with batches of the power trace; NULL: none is kept. -1 ends tracing,
     * not the run. */
    int (*trace)(void *context, const struct trace_sample *samples, size_t count);
    /* Called when the child was started, and for each mark, from the thread that called recorder_run. */
    void (*started)(void *context, pid_t child);
    void (*marked)(void *context, const struct record *record);
    void *context;
};

/* Runs and measures the command; registers as the machine's recorder while it does (registry.h), and where
 * the recorder of its job or the one that it runs in measures already, joins that: the record then has no
 * channels. Named instruments and `stop` ask for a measurement of one's own. 0: `record` is complete,
 * whatever became of the command (see record->end). -1: nothing could be measured or started at all. The
 * caller frees `record` with record_free either way. */
int recorder_run(const struct recorder_options *options, struct record *record, struct error *error);

#endif
