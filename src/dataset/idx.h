/* idx.h: the IDX format of MNIST (magic 0, 0, type, dimensions; big-endian sizes; data), plain or gzip.
 * Source: the description on the MNIST page, http://yann.lecun.com/exdb/mnist/. */
#ifndef JOULERY_DATASET_IDX_H
#define JOULERY_DATASET_IDX_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct idx {
    size_t dimensions; /* 1 (labels) or 3 (images) */
    size_t sizes[3];
    const uint8_t *data; /* sizes[0] x … bytes, inside the bytes that were parsed */
};

/* Parses an uncompressed file of unsigned bytes with `dimensions` (1 or 3) dimensions; its length must fit.
 */
int idx_parse(const uint8_t *bytes, size_t size, size_t dimensions, struct idx *idx, struct error *error);

/* What a gzip file holds, at most `limit` bytes; `*out` is the caller's to free. If `bytes` aren't gzip,
 * `*out` is NULL and the result 0: use them as they are. */
int idx_inflate(const uint8_t *bytes, size_t size, size_t limit, uint8_t **out, size_t *out_size,
                struct error *error);

#endif
