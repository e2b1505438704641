/* safetensors.h: files of named tensors: eight bytes with the header's length (little-endian), the header in
 * JSON, then the tensors' values without gaps. Source: the format's description in the README of
 * huggingface/safetensors. */
#ifndef JOULERY_WEIGHTS_SAFETENSORS_H
#define JOULERY_WEIGHTS_SAFETENSORS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct safetensor {
    const char *name;
    const char *type; /* "F32", "BF16", "I64" …: static */
    size_t *dims;     /* dim_count of them; none for a single value */
    size_t dim_count, count;
    size_t begin, end; /* bytes, in the values */
};

struct safetensors; /* a file, mapped: values are read from the disk when they are asked for */

/* NULL and an error, which names the file and the tensor: a file that is cut off, a header over 100 MB or
 * that isn't the format's JSON, an unknown type, a shape that doesn't fit its bytes, values that overlap,
 * leave gaps or end elsewhere than the file. Python's pickles are refused with what to do. */
struct safetensors *safetensors_open(const char *path, struct error *error);
/* The same from memory, which must outlive it; `name` is for messages. */
struct safetensors *safetensors_parse(const char *name, const void *bytes, size_t size, struct error *error);
void safetensors_close(struct safetensors *file);

const char *safetensors_path(const struct safetensors *file);
size_t safetensors_count(const struct safetensors *file);
/* In the order of their values in the file. */
const struct safetensor *safetensors_tensor(const struct safetensors *file, size_t number);
/* NULL: no such tensor. */
const struct safetensor *safetensors_find(const struct safetensors *file, const char *name);
/* An entry of the header's __metadata__, or NULL. */
const char *safetensors_metadata(const struct safetensors *file, const char *key);

/* tensor->count floats, from F32, F16, BF16 or F64 (rounded to nearest). -1: another type. */
int safetensors_read(const struct safetensors *file, const struct safetensor *tensor, float *data,
                     struct error *error);

/* "64x3x7x7", "scalar"; the caller frees it; NULL if memory ran out. */
char *safetensors_shape(const size_t *dims, size_t dim_count);

/* ---- writing ---- */

struct safetensors_entry {
    const char *name;
    const size_t *dims;
    size_t dim_count;
};

struct safetensors_contents {
    const struct safetensors_entry *entries;
    size_t count;
    const char *const *metadata; /* key, value, key, value …, NULL */
    /* Fills in all values of one entry, in the order of the entries. */
    int (*fill)(void *context, size_t entry, float *data, struct error *error);
    void *context;
};

/* Writes F32 values beside `path`, syncs and renames: on failure, as with a full disk, the old file stays. */
int safetensors_write(const char *path, const struct safetensors_contents *contents, struct error *error);

#endif
