/* executor.h: runs what a study's plan has left, one measured child process after the other, into its store.
 */
#ifndef JOULERY_STUDY_EXECUTOR_H
#define JOULERY_STUDY_EXECUTOR_H

#include "store/store.h"
#include "study/study.h"

#include <signal.h>
#include <stdio.h>

struct executor_options {
    const char *database;            /* path of the store */
    const char *trainer;             /* path of joulery-train, for studies with `train:` */
    const struct meter_setup *setup; /* these three as in recorder_options */
    const char *const *meters;
    size_t meter_count;
    double rate_hz;
    const volatile sig_atomic_t
        *stop;  /* set by the caller's handlers: the run under way is ended and marked as cut */
    FILE *talk; /* a line a run; the progress bar goes to standard error */
};

enum executor_result {
    EXECUTOR_FAILED = -1, /* `error` says why; what was measured is stored, the study can go on */
    EXECUTOR_DONE = 0,    /* nothing is left; some runs may have failed */
    EXECUTOR_STOPPED = 1  /* *stop was set */
};

/* The store holds the study's plan (store_put_study) and is claimed. */
enum executor_result executor_run(const struct study *study, struct store *store,
                                  const struct executor_options *options, struct error *error);

#endif
