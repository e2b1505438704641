/* given.h: windows of studies' databases as evidence for a calibration. */
#ifndef JOULERY_CALIBRATE_GIVEN_H
#define JOULERY_CALIBRATE_GIVEN_H

#include "calibrate/fit.h"
#include "store/store.h"

struct given_options {
    const char *name; /* of the store: no two of the same for one evidence */
    const char *host; /* runs of this one only; NULL: all must be of one */
    bool epochs;      /* windows are epochs instead of whole runs */
};

/* Adds what the finished runs of a store have. A window's group is the levels of its run's factors, so that
 * what is left out together is a workload. -1 and `error`: as evidence_add; the store can't be read. */
int given_add(struct evidence *evidence, struct store *store, const struct given_options *options,
              struct error *error);

#endif
