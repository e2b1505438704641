/* dataset.h: labelled images, decoded and in memory as bytes, and batches of them as floats.
 *
 * A data set is two splits, train and test. Images are uint8, planar: (count, channels, size, size). */
#ifndef JOULERY_DATASET_DATASET_H
#define JOULERY_DATASET_DATASET_H

#include "base/error.h"
#include "dataset/augment.h"
#include "dataset/normalise.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATASET_CHANNELS NORMALISED_CHANNELS

struct dataset_split {
    uint8_t *images; /* (count, channels, size, size) */
    int32_t *labels; /* (count), 0 <= label < classes */
    size_t count;
};

struct dataset {
    char *name;      /* the spec it came from */
    char *note;      /* what users should know of it (how it was split), or NULL */
    size_t channels; /* always 3: grey is repeated */
    size_t size;     /* height and width */
    size_t classes;
    char **class_names; /* classes entries */
    struct dataset_split train, test;
    /* Images are normalised with these, of pixels / 255: those of the training split, unless others were
     * given. */
    float mean[DATASET_CHANNELS], deviation[DATASET_CHANNELS];
    size_t skipped;         /* files that could not be decoded */
    char **skipped_reasons; /* the first of them, skipped_reason_count entries: "path: why" */
    size_t skipped_reason_count;
};

struct dataset_options {
    size_t size;       /* height and width; 0: the data's own, but at least `least_size` */
    size_t least_size; /* 0: no least */
    size_t threads;    /* that decode and draw; 0: one. The result is the same with any number */
    const struct normalisation *normalisation; /* NULL: computed */
};

/* Opens a data set from its spec:
 *   shapes[:N[:SEED]]  N drawn training images (10,000) and N/5 test images, the same on every machine
 *   cifar10:DIR        the binary version: data_batch_1.bin … data_batch_5.bin, test_batch.bin
 *   mnist:DIR          IDX, plain or gzip: train-images-idx3-ubyte[.gz], …; also Fashion-MNIST and the like
 *   folder:DIR         DIR/train and DIR/test (or val) with a folder of JPEG and PNG files for each class; or
 * the classes' folders directly, then every class is split 80 to 20, always in the same way Images are
 * resized to size x size as PIL does (bilinear, antialiased), whatever their proportions. NULL and an error:
 * an unknown spec (with the nearest), a missing, truncated or wrong file, a single class, nothing that can be
 * decoded, more memory needed than the machine has. Files of a folder that can't be decoded are skipped and
 * counted. */
struct dataset *dataset_open(const char *spec, const struct dataset_options *options, struct error *error);
void dataset_free(struct dataset *dataset);

struct batch {
    const float *images; /* (count, channels, size, size), normalised: (pixel/255 - mean) / deviation; or the
                            loader's rows */
    const int32_t *labels; /* (count) */
    size_t count;          /* the last batch of an epoch may be smaller */
};

struct loader_options {
    size_t batch;
    bool train;    /* true: the training split, shuffled by (seed, epoch); false: the test split, in order */
    bool in_order; /* the training split is not shuffled either */
    /* What happens to an image depends on (seed, epoch, its place in the split) alone: not on the batch, the
     * threads, or what came before. */
    struct augmentation augment;
    uint64_t seed;
    size_t threads; /* that prepare batches; 0: one. The batches are the same with any number */
    /* Not NULL: batches are of these, (count of the split, row_floats), instead of its images. */
    const float *rows;
    size_t row_floats;
};

/* Threads prepare the next batches while the caller works on the last. Same seed, same batches. One caller at
 * a time; the data set must outlive the loader. NULL and an error: a batch of 0, padding as large as the
 * images, no memory, no thread. */
struct loader;
struct loader *loader_open(const struct dataset *dataset, const struct loader_options *options,
                           struct error *error);
/* Starts epoch `epoch` (0, 1, …): an order of its own. What is left of an epoch under way is dropped. */
void loader_start(struct loader *loader, uint64_t epoch);
/* The same from batch `batch` of that epoch on (0, 1, …; from loader_batches on: none is left). Those before
 * it are not prepared, and those that follow are what they would be after them. */
void loader_start_at(struct loader *loader, uint64_t epoch, size_t batch);
/* The next batch, valid until the next call; NULL at the end of the epoch. */
const struct batch *loader_next(struct loader *loader);
/* Batches in an epoch. */
size_t loader_batches(const struct loader *loader);
/* Seconds the caller has spent in loader_start and, waiting, in loader_next since. */
double loader_waited_s(const struct loader *loader);
/* Seconds of processor time that its threads have used on batches since loader_start, also on those not yet
 * taken. */
double loader_busy_s(struct loader *loader);
void loader_close(struct loader *loader);

#endif
