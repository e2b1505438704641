/* dataset.h: labelled images, decoded and in memory as bytes, and batches of them as floats.
 *
 * A data set is two splits, train and test. Images are uint8, planar: (count, channels, height, width). */
#ifndef JOULERY_DATASET_DATASET_H
#define JOULERY_DATASET_DATASET_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dataset_split {
    uint8_t *images; /* (count, channels, size, size) */
    int32_t *labels; /* (count), 0 <= label < classes */
    size_t count;
};

struct dataset {
    char *name; /* the spec it came from */
    size_t channels; /* always 3: grey is repeated */
    size_t size;     /* height and width */
    size_t classes;
    char **class_names; /* classes entries */
    struct dataset_split train, test;
    float mean[3], deviation[3]; /* of the training split, per channel, of pixels / 255 */
    size_t skipped;              /* files that could not be decoded */
    char **skipped_reasons;      /* the first of them, skipped_reason_count entries: "path: why" */
    size_t skipped_reason_count;
};

/* Opens a data set from its spec: "shapes[:N]", "cifar10:DIR", "mnist:DIR", "folder:DIR". Images are resized
 * (bilinear, antialiased) to size x size; size 0 keeps the format's own. `seed` only matters to shapes. */
struct dataset *dataset_open(const char *spec, size_t size, uint64_t seed, struct error *error);
void dataset_free(struct dataset *dataset);

struct batch {
    float *images;   /* (count, channels, size, size), normalised: (pixel/255 - mean) / deviation */
    int32_t *labels; /* (count) */
    size_t count;    /* the last batch of an epoch may be smaller */
};

struct loader_options {
    size_t batch;
    bool train;      /* true: shuffled by (seed, epoch) and augmented if asked; false: the test split, in order */
    bool augment;    /* random crop with 4 pixels of padding and horizontal flip */
    uint64_t seed;
};

/* A thread prepares the next batches while the caller works on the last. Same seed, same batches. */
struct loader;
struct loader *loader_open(const struct dataset *dataset, const struct loader_options *options,
                           struct error *error);
/* Starts epoch `epoch` (0, 1, …): an order of its own. */
int loader_start(struct loader *loader, uint64_t epoch, struct error *error);
/* The next batch, valid until the next call; NULL at the end of the epoch. */
const struct batch *loader_next(struct loader *loader);
/* Seconds the caller has waited in loader_next since loader_start. */
double loader_waited_s(const struct loader *loader);
void loader_close(struct loader *loader);

#endif
