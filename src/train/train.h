/* train.h: the training loop: a data set, a network, and marks for whoever listens. It knows nothing of
 * meters.
 *
 * Each epoch is marked as the window "epoch" (index from 1) and ends with the metrics loss, accuracy,
 * val_loss, val_accuracy, val_top5 and val_f1; scoring the test split is the window "validation" inside it.
 * What a frozen base gives is computed before the first epoch, in the window "features", where it is kept.
 */
#ifndef JOULERY_TRAIN_TRAIN_H
#define JOULERY_TRAIN_TRAIN_H

#include "base/error.h"
#include "dataset/dataset.h"
#include "mark/mark.h"
#include "nn/nn.h"
#include "train/schedule.h"
#include "train/score.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What says which epoch is the best. */
enum train_monitor { MONITOR_VAL_LOSS, MONITOR_VAL_ACCURACY };

struct train_options {
    uint64_t epochs; /* 0: as many as the steps need */
    uint64_t steps;  /* optimiser steps over all epochs at the most; 0: no limit */
    size_t batch;
    uint64_t seed; /* of the order and the augmentation */
    struct augmentation augment;
    size_t loader_threads; /* 0: one */
    bool validate, log_steps;
    bool cache_features;      /* a frozen base sees each image once; without augmentation only */
    struct schedule schedule; /* its rate is the one the network was made with */
    enum train_monitor monitor;
    uint64_t patience; /* validations in a row without a better one after which training ends; 0: no end */
    const char *checkpoint;         /* a file that is written after each epoch and when it ends, or NULL */
    const char *checkpoint_options; /* as checkpoint_read says */
    bool resume;                    /* from `checkpoint`, to the same losses as without the break */
    bool keep_best; /* the network is left with the best epoch's weights; without validation, the last */
};

enum train_end {
    TRAIN_FINISHED,
    TRAIN_STOPPED,  /* the observer asked for it */
    TRAIN_EARLY,    /* no better epoch for so many as patience says */
    TRAIN_DIVERGED, /* the loss is no number any more */
};

/* Loss is the mean cross-entropy an image, accuracy a share from 0 to 1, both over the images of the epoch as
 * it went (each before the step that learned from it); val_loss and val_accuracy are of the whole test split
 * after it, NaN if it was not scored. With label smoothing `loss` is the smoothed one, val_loss never is.
 * val_top5 is NaN, too, where there are no more than five classes. */
struct train_epoch {
    uint64_t epoch; /* from 1 */
    double loss, accuracy, val_loss, val_accuracy;
    double val_top5, val_f1; /* shares from 0 to 1; macro F1 as confusion_macro_f1 says */
    double learning_rate;    /* of its last step */
    uint64_t images;         /* trained on */
    double train_s, val_s;
    double wall_s;   /* train_s + val_s */
    double waited_s; /* of train_s, for the loader */
    bool cut;        /* stopped before its last batch */
};

struct train_step {
    uint64_t step; /* from 1, over all epochs */
    double loss, learning_rate;
};

struct train_result {
    enum train_end end;
    struct train_epoch *epochs;
    size_t epoch_count;
    struct train_step *steps; /* with log_steps */
    size_t step_count;
    uint64_t steps_done, resumed_steps; /* the second: of them before this run went on */
    double last_loss;
    uint64_t best_epoch;        /* by options->monitor; the first of equals; 0: none was validated */
    struct confusion confusion; /* of the last complete validation, that of confusion_epoch; 0: none */
    uint64_t confusion_epoch;
    double images_per_s;    /* images trained on / seconds in steps with the wait for their batch, without the
                               first step of the run (it includes warming up); NaN if there was only one */
    bool checkpoint_failed; /* the last could not be written */
    double waited_s, train_s; /* sums over epochs, of this run */
    double loader_busy_s;     /* processor time that its threads used for the training images */
    double features_s;        /* to compute the features before; NaN if they are not kept */
    double wall_s;
};

/* Where training stands, after each batch. */
struct train_progress {
    uint64_t epoch, epochs; /* epochs 0: only steps are limited */
    bool validating;
    uint64_t done, total;  /* batches of this epoch, or of the validation */
    double loss, accuracy; /* of the epoch so far */
    double images_per_s;
    double left_s; /* of the whole run, NaN while unknown */
};

struct train_observer {
    void *context;
    void (*progress)(void *context, const struct train_progress *progress);
    void (*epoch)(void *context, const struct train_epoch *epoch);
    bool (*stop)(void *context); /* asked before each batch */
    void (*warn)(void *context, const char *message);
};

/* Figures of epochs before a break are those of then; all of the result's other times and rates are of this
 * run alone, and `steps` and `confusion` hold what was seen in it.
 *
 * Trains `network` (compiled for options->batch) on `dataset`. `sender` may be NULL. 0, also when stopped or
 * diverged (result->end says so); -1: an error of the engine or the loader, with what was done until then in
 * `result`. */
int train_run(struct network *network, const struct dataset *dataset, const struct train_options *options,
              struct mark_sender *sender, const struct train_observer *observer, struct train_result *result,
              struct error *error);
void train_result_free(struct train_result *result);

#endif
