/* load.h: a load of known size on the processors, for those who measure what it does. */
#ifndef JOULERY_CALIBRATE_LOAD_H
#define JOULERY_CALIBRATE_LOAD_H

#include "base/error.h"

#include <stddef.h>

enum load_kind {
    LOAD_COMPUTE, /* arithmetic in registers */
    LOAD_STREAM   /* reads and writes more memory than caches hold */
};

struct load;

/* A thread for each logical CPU that is online, all at rest. NULL and `error`: no threads, no memory. Closed
 * by load_close. */
struct load *load_open(struct error *error);
/* How many threads there are. */
size_t load_threads(const struct load *load);

/* From now on so many threads are busy: 2.5 is two always and one half of each tenth of a second. 0: rest. -1
 * and `error`: there is not enough memory to stream through; the load is then as before. Not thread-safe. */
int load_set(struct load *load, enum load_kind kind, double threads, struct error *error);

/* Ends the threads. Accepts NULL. */
void load_close(struct load *load);

#endif
