/* evaluate.h: how well a network does on one split, whoever asks. */
#ifndef JOULERY_TRAIN_EVALUATE_H
#define JOULERY_TRAIN_EVALUATE_H

#include "base/error.h"
#include "dataset/dataset.h"
#include "nn/nn.h"
#include "train/score.h"

#include <stdbool.h>
#include <stdint.h>

/* Loss is the mean cross-entropy an image, without label smoothing; accuracy and top5 are shares from 0 to 1,
 * top5 NaN where there are no more than five outputs; macro_f1 as confusion_macro_f1 says. */
struct scores {
    double loss, accuracy, top5, macro_f1;
    uint64_t images;
};

/* Both functions may be NULL. */
struct evaluate_watch {
    void *context;
    bool (*stop)(void *context); /* asked before each batch */
    void (*batch)(void *context, uint64_t done, uint64_t total);
};

/* Scores all that `loader` gives, from its first batch on; `confusion`, of the data's classes and the
 * network's outputs, is cleared first. 1: stopped before the end, with nothing in `scores`; -1: an error of
 * the engine. */
int evaluate(struct network *network, struct loader *loader, const struct evaluate_watch *watch,
             struct confusion *confusion, struct scores *scores, struct error *error);

#endif
