/* features.h: what a frozen base gives for each image of a data set, computed once. */
#ifndef JOULERY_TRAIN_FEATURES_H
#define JOULERY_TRAIN_FEATURES_H

#include "base/error.h"
#include "dataset/dataset.h"
#include "nn/nn.h"

#include <stdbool.h>
#include <stddef.h>

struct features {
    float *train, *test; /* (images of the split, width); test may be NULL */
    size_t width;
};

/* Of both splits, or of the training split alone. `stop` (may be NULL) is asked before each batch. 1:
 * stopped; -1: no base is frozen, or there is too little memory (says how much it needs). To be freed in any
 * case. */
int features_compute(struct features *features, struct network *network, const struct dataset *dataset,
                     bool test, size_t batch, bool (*stop)(void *context), void *context,
                     struct error *error);
void features_free(struct features *features);

#endif
