/* program.h: the parts of the program joulery-train; inside the room only. */
#ifndef JOULERY_TRAIN_PROGRAM_H
#define JOULERY_TRAIN_PROGRAM_H

#include "base/error.h"
#include "base/options.h"
#include "base/progress.h"
#include "base/subcommands.h"
#include "nn/nn.h"
#include "train/train.h"

#include <math.h>
#include <stdio.h>

int command_train(int argc, char **argv);
int command_zoo(int argc, char **argv);

/* Cores that this process may use: its affinity, and no more than the control group's CPU quota. At least 1.
 */
size_t program_cores(void);

/* How to learn, as given on the command line; NULL, NaN and 0: not given. */
struct recipe {
    const char *optimizer, *scheduler, *lr_per, *monitor;
    double lr, momentum, weight_decay, label_smoothing, clip_norm;
    double lr_gamma, lr_least, lr_warmup_start;
    uint64_t lr_step, lr_warmup, patience;
    bool nesterov;
};
#define RECIPE_INIT                                                                                          \
    {                                                                                                        \
        .lr = NAN, .momentum = NAN, .weight_decay = NAN, .lr_gamma = NAN, .lr_least = NAN,                   \
        .lr_warmup_start = NAN                                                                               \
    }

/* Transfer learning, as given on the command line; NULL and 0: not given. */
struct transfer {
    const char *head, *freeze;
    double dropout;
    bool cache_features;
};

struct training;
/* Fills training->head, ->zoo and ->train. -1: options that don't go together (names them). */
int transfer_apply(const struct transfer *transfer, struct training *training, struct error *error);
/* Fills the optimiser, the loss and the schedule of `training`, whose limits and validation are known. -1:
 * options that don't go together (names them). */
int recipe_apply(const struct recipe *recipe, struct training *training, struct error *error);
const char *optimizer_name(enum optimizer_kind kind);
const char *monitor_name(enum train_monitor monitor);

/* What one run of `joulery train` is and does. */
struct training {
    const char *architecture;
    struct zoo_options zoo;
    size_t *head; /* owned; what zoo.head points to, or NULL */
    struct train_options train;
    struct normalisation normalisation;
    struct optimizer_options optimizer;
    double label_smoothing, clip_norm;
    size_t threads;
    uint64_t parameters, trainable_parameters, flops;
    size_t memory_bytes; /* of the network */
    const struct dataset *dataset;
    struct train_result result;
    int signal; /* that stopped it, or 0 */
};

/* The observer that draws progress and writes a line an epoch to standard error. */
struct console {
    struct progress progress;
};
void console_start(struct console *console);
void console_progress(void *context, const struct train_progress *progress);
void console_epoch(void *context, const struct train_epoch *epoch);
/* What is trained on what, to standard error; the results, to `stream`. */
void console_describe(const struct training *training);
void console_results(const struct training *training, FILE *stream);

/* Writes joulery.train/1 (docs/json.md) to `path`, "-" for standard output. */
int training_write_json(const struct training *training, const char *path, struct error *error);
uint64_t program_peak_rss_bytes(void);

#endif
