/* score.h: how a network's answers fall on the classes. */
#ifndef JOULERY_TRAIN_SCORE_H
#define JOULERY_TRAIN_SCORE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* counts[label * outputs + prediction]. A network may have more outputs than the data has labels. */
struct confusion {
    size_t labels, outputs;
    uint64_t *counts;
};

int confusion_init(struct confusion *confusion, size_t labels, size_t outputs, struct error *error);
void confusion_free(struct confusion *confusion);
void confusion_clear(struct confusion *confusion);
/* Labels and predictions are below `labels` and `outputs`. */
void confusion_add(struct confusion *confusion, const int32_t *labels, const int32_t *predictions,
                   size_t count);
/* The mean over classes of F1 = 2 TP / (2 TP + FP + FN), each class counting the same whatever its size;
 * over those that are a label or were predicted at least once, as scikit-learn's f1_score(average="macro").
 * NaN without an answer. */
double confusion_macro_f1(const struct confusion *confusion);

#endif
