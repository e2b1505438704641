/* trace.h: blocks of a power trace, as they lie in the table `trace`. trace.c has the format. */
#ifndef JOULERY_STORE_TRACE_H
#define JOULERY_STORE_TRACE_H

#include "base/error.h"
#include "record/recorder.h"

#include <stddef.h>

#define TRACE_SAMPLES_MOST  65536 /* in a block */
#define TRACE_CHANNELS_MOST 4096

/* Packs 1..TRACE_SAMPLES_MOST samples: times to the microsecond, powers to 0.1 mW. The caller frees `*block`.
 * Samples with values that are not finite, or out of range, are an error. */
int trace_encode(const struct trace_sample *samples, size_t count, void **block, size_t *size,
                 struct error *error);

/* Unpacks a block that must hold exactly `count` samples. The caller frees `*samples`. Whatever the bytes
 * are, it takes no more memory than such a block needs. */
int trace_decode(const void *block, size_t size, size_t count, struct trace_sample **samples,
                 struct error *error);

#endif
