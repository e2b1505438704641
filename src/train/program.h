/* program.h: the parts of the program joulery-train; inside the room only. */
#ifndef JOULERY_TRAIN_PROGRAM_H
#define JOULERY_TRAIN_PROGRAM_H

#include "base/error.h"
#include "base/options.h"
#include "base/progress.h"
#include "base/subcommands.h"
#include "nn/nn.h"
#include "train/evaluate.h"
#include "train/train.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

int command_train(int argc, char **argv);
int command_convert(int argc, char **argv);
int command_eval(int argc, char **argv);
int command_zoo(int argc, char **argv);

/* Cores that this process may use: its affinity, and no more than the control group's CPU quota. At least 1.
 */
size_t program_cores(void);

/* How to learn, as given on the command line; NULL, NaN and 0: not given. */
struct recipe {
    const char *optimizer, *scheduler, *lr_per, *monitor, *precision;
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
/* "4096,4096": the caller frees it. NULL: not the units of dense layers. */
size_t *head_parse(const char *text, size_t *count, struct error *error);
json_t *head_json(const struct zoo_options *zoo);
int training_set_head(struct training *training, const char *text, struct error *error);
/* Fills training->head, ->zoo and ->train. -1: options that don't go together (names them). */
int transfer_apply(const struct transfer *transfer, struct training *training, struct error *error);
/* Fills the optimiser, the loss and the schedule of `training`, whose limits and validation are known. -1:
 * options that don't go together (names them). */
int recipe_apply(const struct recipe *recipe, struct training *training, struct error *error);
/* NULL: fp32. -1: none of their names. */
int precision_parse(const char *name, enum precision *precision, struct error *error);
const char *precision_name(enum precision precision);
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
    enum precision precision;
    size_t threads;
    uint64_t parameters, trainable_parameters, flops;
    size_t memory_bytes; /* of the network */
    const struct dataset *dataset;
    struct train_result result;
    int signal;                 /* that stopped it, or 0 */
    const char *weights, *save; /* files, or NULL */
    bool head_loaded;           /* of the weights */
    uint64_t saved_epoch;       /* whose weights were saved; 0: none */
    char *checkpoint_options;   /* owned */
    bool wants_resume;          /* from a checkpoint, if there is one */
};

/* Smaller images are enlarged to it: every architecture takes it. */
enum { LEAST_SIZE = 32 };

/* Takes the data's size and classes. -1: fewer --classes than it has. */
int training_fit_to_data(struct training *training, const struct dataset *dataset, struct error *error);
/* Fills in what it costs. NULL on error. */
struct network *training_compile(struct training *training, struct error *error);
/* Of training->weights; with `head_may_differ` another head starts anew, which is said on standard error. */
int training_load(struct training *training, struct network *network, bool head_may_differ,
                  struct error *error);
/* To training->save, with what `saved_read` reads. */
int training_save(const struct training *training, const struct network *network, struct error *error);

/* What must be the same for a training to go on, as a JSON object of options and their texts; of one that
 * fits its data. The caller frees it. */
char *training_fingerprint(const struct training *training, struct error *error);

/* What a file that was saved says of the network in it, checked; NULL and 0: nothing. */
struct saved {
    char *architecture, *head, *normalisation;
    json_t *class_names;
    uint64_t size, classes;
    double width;
};
/* -1: no safetensors file, or figures out of range. To be freed in any case. */
int saved_read(const char *path, struct saved *saved, struct error *error);
void saved_free(struct saved *saved);

/* SIGINT and SIGTERM are blocked, before threads start, which inherit it, and taken between steps: no
 * handler, no shared variable. */
void stop_block(void);
/* The signal that has come, or 0. */
int stop_taken(void);

/* What `joulery eval` found. */
struct evaluation {
    const struct training *training; /* its network, data and options */
    bool train_split;
    struct scores scores;
    struct confusion confusion;
    double wall_s, images_per_s;
};
/* joulery.eval/1 to `path`, "-" for standard output. */
int evaluation_write_json(const struct evaluation *evaluation, const char *path, struct error *error);

/* The observer that draws progress and writes a line an epoch to standard error. */
struct console {
    struct progress progress;
};
void console_start(struct console *console);
void console_progress(void *context, const struct train_progress *progress);
void console_epoch(void *context, const struct train_epoch *epoch);
void console_warn(void *context, const char *message);
/* What is trained on what, to standard error; the results, to `stream`. */
void console_describe(const struct training *training);
void console_results(const struct training *training, FILE *stream);

/* Writes joulery.train/1 (docs/json.md) to `path`, "-" for standard output. */
int training_write_json(const struct training *training, const char *path, struct error *error);
uint64_t program_peak_rss_bytes(void);

#endif
