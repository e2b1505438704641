/* checkpoint.h: where a training stands, in a file: to go on from there to the very same losses.
 *
 * The file is safetensors: each part of each tensor's state (network_part) as a flat tensor "NAME:PART", and
 * the best epoch's weights, if they are kept, as "NAME:best"; the rest is JSON in the metadata. */
#ifndef JOULERY_TRAIN_CHECKPOINT_H
#define JOULERY_TRAIN_CHECKPOINT_H

#include "base/error.h"
#include "nn/nn.h"
#include "train/parameters.h"
#include "train/train.h"

#include <stddef.h>
#include <stdint.h>

struct checkpoint {
    uint64_t epoch, batches; /* the epoch under way, from 1, and how many of its batches are done */
    uint64_t steps_done;
    double loss_sum; /* of that epoch so far, over images */
    uint64_t correct, images;
    double train_s, waited_s;
    double rate, last_loss;
    double best; /* the best epoch's figure, where there is one */
    uint64_t best_epoch, without_better;
    struct train_epoch *epochs; /* those before it; after checkpoint_read the caller's to free */
};

/* `best` may be NULL. -1, with the old file untouched: a value that is no number, a full disk. */
int checkpoint_write(const char *path, const char *options, const struct network *network,
                     const struct parameters_copy *best, const struct checkpoint *checkpoint,
                     struct error *error);

/* Into `network`, and `best` where it isn't NULL. `options`: a JSON object of texts, which must be the ones
 * it was written with. -1: no checkpoint, one of other options (which, and both values), a broken one; the
 * network may then be changed in part. */
int checkpoint_read(const char *path, const char *options, struct network *network,
                    struct parameters_copy *best, struct checkpoint *checkpoint, struct error *error);

#endif
