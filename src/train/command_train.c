/* joulery train: options, data set, network, loop, results. */
#include "base/file.h"
#include "base/text.h"
#include "train/program.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    EPOCHS_DEFAULT = 5,
    COUNT_MOST = 1 << 30, /* of anything counted on the command line: doubles and sizes hold it */
};

/* Whole numbers up to here come through JSON unharmed, whoever reads it. */
#define SEED_MOST 9007199254740992.0

struct arguments {
    const char *arch, *data, *json, *augment, *normalize, *weights, *save, *checkpoint;
    struct recipe recipe;
    struct transfer transfer;
    uint64_t size, classes, epochs, steps, batch, seed, threads;
    double width;
    bool no_validation, log_steps, resume;
};

static enum options_result parse(int argc, char **argv, struct arguments *a, struct error *error)
{
    struct recipe *r = &a->recipe;
    struct transfer *t = &a->transfer;
    const struct option options[] = {
        {"--arch", 0, OPTION_TEXT, &a->arch, "NAME",
         "architecture; `joulery zoo` lists them (the one of --weights, or resnet18)", 0, 0},
        {"--data", 0, OPTION_TEXT, &a->data, "SPEC",
         "shapes[:N[:SEED]], cifar10:DIR, mnist:DIR or folder:DIR (shapes)", 0, 0},
        {"--size", 0, OPTION_COUNT, &a->size, "PIXELS",
         "height and width; 0: the data's own, at least 32 (0)", 0, 4096},
        {"--width", 0, OPTION_NUMBER, &a->width, "X", "scales the channels of every layer (1)", 0.001, 64},
        {"--weights", 0, OPTION_TEXT, &a->weights, "FILE",
         "start from these: safetensors with torchvision's names, or what --save wrote; a head of other "
         "outputs or layers starts anew",
         0, 0},
        {"--save", 0, OPTION_TEXT, &a->save, "FILE",
         "the weights as safetensors, of the best epoch by --monitor; without validation, of the last", 0, 0},
        {"--classes", 0, OPTION_COUNT, &a->classes, "N", "outputs; 0: as many as the data has classes (0)", 0,
         1 << 20},
        {"--head", 0, OPTION_TEXT, &t->head, "UNITS",
         "dense layers with ReLU, as 4096,4096, on the flattened base in place of the network's own head", 0,
         0},
        {"--dropout", 0, OPTION_NUMBER, &t->dropout, "P", "before the last layer of --head (0)", 0, 0.999999},
        {"--freeze", 0, OPTION_TEXT, &t->freeze, "PART",
         "base: only the head learns, the base just infers; none (none)", 0, 0},
        {"--cache-features", 0, OPTION_FLAG, &t->cache_features, NULL,
         "with --freeze base: run the base over each image once, before the first epoch", 0, 0},
        {"--epochs", 0, OPTION_COUNT, &a->epochs, "N",
         "passes over the training images (5, or what --steps needs)", 1, COUNT_MOST},
        {"--steps", 0, OPTION_COUNT, &a->steps, "N", "stop after so many steps, also within an epoch", 1,
         COUNT_MOST},
        {"--batch", 0, OPTION_COUNT, &a->batch, "N", "images a step (32)", 1, 1 << 20},
        {"--optimizer", 0, OPTION_TEXT, &r->optimizer, "NAME", "adam, adamw or sgd (adam)", 0, 0},
        {"--lr", 0, OPTION_NUMBER, &r->lr, "RATE", "learning rate (adam and adamw 0.001, sgd 0.01)", 0, 1e6},
        {"--momentum", 0, OPTION_NUMBER, &r->momentum, "M", "of sgd (0.9)", 0, 0.999999},
        {"--nesterov", 0, OPTION_FLAG, &r->nesterov, NULL, "Nesterov's momentum, with sgd", 0, 0},
        {"--weight-decay", 0, OPTION_NUMBER, &r->weight_decay, "D",
         "sgd, adam: times the weights is added to the gradient (0); adamw: decays apart from it (0.01)", 0,
         1e6},
        {"--label-smoothing", 0, OPTION_NUMBER, &r->label_smoothing, "E",
         "the part of each label that is spread over all classes (0)", 0, 1},
        {"--clip-grad-norm", 0, OPTION_NUMBER, &r->clip_norm, "NORM",
         "scales the gradients down to this norm over all of them; 0: never (0)", 0, 1e30},
        {"--lr-scheduler", 0, OPTION_TEXT, &r->scheduler, "NAME",
         "constant; step: times --lr-gamma every --lr-step; cosine: down to --lr-min (constant)", 0, 0},
        {"--lr-per", 0, OPTION_TEXT, &r->lr_per, "UNIT",
         "epoch or step: when the rate changes, and what --lr-step and --lr-warmup count (epoch)", 0, 0},
        {"--lr-step", 0, OPTION_COUNT, &r->lr_step, "N", "of --lr-scheduler step", 1, COUNT_MOST},
        {"--lr-gamma", 0, OPTION_NUMBER, &r->lr_gamma, "X", "of --lr-scheduler step (0.1)", 0, 1e6},
        {"--lr-min", 0, OPTION_NUMBER, &r->lr_least, "RATE", "of --lr-scheduler cosine (0)", 0, 1e6},
        {"--lr-warmup", 0, OPTION_COUNT, &r->lr_warmup, "N",
         "the rate rises in a line over so many epochs, or steps, first (0)", 0, COUNT_MOST},
        {"--lr-warmup-start", 0, OPTION_NUMBER, &r->lr_warmup_start, "X",
         "the part of the rate that the warm-up starts from (0.01)", 0, 1},
        {"--patience", 0, OPTION_COUNT, &r->patience, "N",
         "stop when so many epochs in a row were not better than the best; 0: don't (0)", 0, COUNT_MOST},
        {"--monitor", 0, OPTION_TEXT, &r->monitor, "FIGURE",
         "val_loss or val_accuracy: says which epoch is the best (val_loss)", 0, 0},
        {"--augment", 0, OPTION_MAYBE, &a->augment, "[LIST]",
         "change training images at random: some of rotate:DEGREES, shift:PART, flip[:PROBABILITY], "
         "crop:PIXELS, resized-crop:PART, jitter:PART with commas between them, standard (crop:4,flip) or "
         "paper (rotate:15,shift:0.1,flip, as Keras does it); without a value standard",
         0, 0},
        {"--normalize", 0, OPTION_TEXT, &a->normalize, "HOW",
         "computed (from the training images), imagenet (for torchvision's weights), caffe (for Keras' VGG "
         "and ResNet), tf (for its Inception, Xception and MobileNet), or means/deviations as "
         "0.5,0.5,0.5/0.25,0.25,0.25 (as --save noted it in --weights, or computed)",
         0, 0},
        {"--checkpoint", 0, OPTION_TEXT, &a->checkpoint, "FILE",
         "write there, after each epoch and when training is stopped, all that it takes to go on", 0, 0},
        {"--resume", 0, OPTION_FLAG, &a->resume, NULL,
         "go on from --checkpoint, to the same losses; from the start if there is no such file", 0, 0},
        {"--no-validation", 0, OPTION_FLAG, &a->no_validation, NULL,
         "don't score the test images after each epoch", 0, 0},
        {"--precision", 0, OPTION_TEXT, &r->precision, "TYPE",
         "fp32, or bf16: activations and products in bfloat16, weights and optimiser in fp32 (fp32)", 0, 0},
        {"--seed", 0, OPTION_COUNT, &a->seed, "N", "of weights, order, augmentation and dropout (0)", 0,
         SEED_MOST},
        {"--threads", 0, OPTION_COUNT, &a->threads, "N", "of the engine; 0: the cores there are (0)", 0,
         4096},
        {"--log-steps", 0, OPTION_FLAG, &a->log_steps, NULL, "put the loss of every step into the JSON", 0,
         0},
        {"--json", 0, OPTION_TEXT, &a->json, "FILE", "results as joulery.train/1; - for standard output", 0,
         0},
    };
    const struct command_line line = {
        .usage = "joulery train [options]",
        .purpose = "Trains a network and says how well it learned; defaults are in parentheses.",
        .example =
            "joulery train --arch resnet18 --width 0.25 --data shapes:2000 --epochs 3 --json result.json",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    struct operands operands;
    return options_parse(&line, argc, argv, &operands, error);
}

/* One prepares far more images than a small machine's cores can learn from; many cores take more. */
static size_t loader_threads(size_t cores)
{
    size_t threads = 1 + cores / 16;
    return threads < 4 ? threads : 4;
}

static int image_options_apply(const struct arguments *arguments, struct training *training,
                               struct error *error)
{
    const char *augment = arguments->augment;
    if (augment && augmentation_parse(*augment ? augment : "standard", &training->train.augment, error) < 0)
        return error_prefix(error, "--augment");
    if (normalisation_parse(arguments->normalize, &training->normalisation, error) < 0)
        return error_prefix(error, "--normalize");
    return 0;
}

/* Everything that can be said to be wrong before the data is read. */
static int prepare(const struct arguments *arguments, struct training *training, struct error *error)
{
    training->architecture = arguments->arch;
    training->weights = arguments->weights;
    training->save = arguments->save;
    training->wants_resume = arguments->resume;
    training->threads = arguments->threads ? arguments->threads : program_cores();
    training->zoo = (struct zoo_options){.classes = arguments->classes,
                                         .size = arguments->size,
                                         .channels = DATASET_CHANNELS,
                                         .width = arguments->width};
    training->train = (struct train_options){
        .epochs = arguments->epochs || arguments->steps ? arguments->epochs : EPOCHS_DEFAULT,
        .steps = arguments->steps,
        .batch = arguments->batch,
        .seed = arguments->seed,
        .loader_threads = loader_threads(training->threads),
        .validate = !arguments->no_validation,
        .keep_best = arguments->save != NULL,
        .checkpoint = arguments->checkpoint,
        .resume = arguments->resume && file_exists(arguments->checkpoint),
        .log_steps = arguments->log_steps,
    };
    if (image_options_apply(arguments, training, error) < 0 ||
        transfer_apply(&arguments->transfer, training, error) < 0 ||
        recipe_apply(&arguments->recipe, training, error) < 0)
        return -1;
    struct graph *graph = zoo_build(arguments->arch, &training->zoo, error);
    if (!graph)
        return -1;
    graph_free(graph);
    return 0;
}

struct watch {
    struct console console; /* first: the observer's context is both */
    int signal;
};

static bool stop_asked(void *context)
{
    struct watch *watch = context;
    if (!watch->signal)
        watch->signal = stop_taken();
    return watch->signal != 0;
}

static int run(struct training *training, struct network *network, struct error *error)
{
    struct watch watch = {0};
    struct train_observer observer = {&watch, console_progress, console_epoch, stop_asked, console_warn};
    console_start(&watch.console);
    struct mark_sender *sender = mark_sender_open();
    int result =
        train_run(network, training->dataset, &training->train, sender, &observer, &training->result, error);
    mark_sender_close(sender);
    progress_clear(&watch.console.progress);
    training->signal = watch.signal;
    return result;
}

static int error_diverged(const struct training *training, struct error *error)
{
    const struct train_result *result = &training->result;
    return error_set(
        error,
        "the loss is %f at step %" PRIu64 " (epoch %zu): training diverged: try a smaller --lr (it is "
        "%g), or another --seed",
        result->last_loss, result->steps_done, result->epoch_count, training->optimizer.learning_rate);
}

/* What there is, also of a run that was stopped or diverged. */
static int report(const struct training *training, const char *json, struct error *error)
{
    if (!json || strcmp(json, "-") != 0)
        console_results(training, stdout);
    fflush(stdout);
    return json ? training_write_json(training, json, error) : 0;
}

/* The best epoch's, or the last's. What was learned before a divergence is kept. */
static int save(struct training *training, const struct network *network, struct error *error)
{
    const struct train_result *result = &training->result;
    if (!training->save)
        return 0;
    uint64_t epoch = result->best_epoch ? result->best_epoch : result->epoch_count;
    if (!epoch || (result->end == TRAIN_DIVERGED && !result->best_epoch)) {
        fprintf(stderr, "note: %s is not written: training ended before there were weights worth keeping\n",
                training->save);
        return 0;
    }
    if (training_save(training, network, error) < 0)
        return error_prefix(error, "--save");
    training->saved_epoch = epoch;
    return 0;
}

static int trained_status(const struct training *training, struct error *error)
{
    if (training->signal)
        return 128 + training->signal;
    if (training->result.end != TRAIN_DIVERGED)
        return PROGRAM_DONE;
    error_diverged(training, error);
    return program_fail("train", error, PROGRAM_FAILED);
}

static int train_on(struct training *training, const char *json, struct error *error)
{
    struct error unsaved = ERROR_INIT;
    struct network *network = training_compile(training, error);
    int saved = -1, trained = -1;
    if (network && training->train.checkpoint) {
        training->checkpoint_options = training_fingerprint(training, error);
        training->train.checkpoint_options = training->checkpoint_options;
        if (!training->checkpoint_options) {
            network_free(network);
            network = NULL;
        }
    }
    if (network && (!training->weights || training_load(training, network, true, error) == 0)) {
        console_describe(training);
        if (training->train.checkpoint && !training->train.resume && training->wants_resume)
            fprintf(stderr, "note: there is no %s yet: training starts anew\n", training->train.checkpoint);
        trained = run(training, network, error);
        saved = trained < 0 ? -1 : save(training, network, &unsaved);
    }
    network_free(network);
    if (trained < 0 || report(training, json, error) < 0) {
        error_clear(&unsaved);
        return program_fail("train", error, PROGRAM_FAILED);
    }
    int status = trained_status(training, error);
    if (saved < 0)
        return program_fail("train", &unsaved, PROGRAM_FAILED);
    if (status == PROGRAM_DONE && training->result.checkpoint_failed) {
        error_set(error, "--checkpoint: the last one was not written");
        return program_fail("train", error, PROGRAM_FAILED);
    }
    return status;
}

/* What isn't given is as the weights say, if they were saved here. */
static int default_to_saved(struct arguments *arguments, struct saved *saved, struct error *error)
{
    if (arguments->weights && saved_read(arguments->weights, saved, error) < 0)
        return error_prefix(error, "--weights");
    if (!arguments->arch)
        arguments->arch = saved->architecture ? saved->architecture : "resnet18";
    if (!(arguments->width > 0))
        arguments->width = saved->width > 0 ? saved->width : 1;
    if (!arguments->normalize)
        arguments->normalize = saved->normalisation ? saved->normalisation : "computed";
    return 0;
}

static int check_outputs(const struct arguments *arguments, struct error *error)
{
    if (arguments->checkpoint && arguments->save && strcmp(arguments->checkpoint, arguments->save) == 0)
        return error_set(error, "--checkpoint and --save: expected two files, found %s for both",
                         arguments->save);
    if (arguments->save && strcmp(arguments->save, "-") == 0)
        return error_set(error, "--save: expected a file: weights don't go to standard output");
    if (arguments->save && file_check_writable(arguments->save, error) < 0)
        return error_prefix(error, "--save");
    if (arguments->checkpoint && file_check_writable(arguments->checkpoint, error) < 0)
        return error_prefix(error, "--checkpoint");
    return arguments->json ? file_check_writable(arguments->json, error) : 0;
}

static int train_with(const struct arguments *arguments, struct training *training, struct error *error)
{
    if (arguments->resume && !arguments->checkpoint) {
        error_set(error, "--resume goes on from --checkpoint FILE: give both");
        return program_fail("train", error, PROGRAM_USAGE);
    }
    if (prepare(arguments, training, error) < 0)
        return program_fail("train", error, PROGRAM_USAGE);
    if (check_outputs(arguments, error) < 0)
        return program_fail("train", error, PROGRAM_FAILED);
    struct dataset_options options = {.size = arguments->size,
                                      .least_size = LEAST_SIZE,
                                      .threads = training->threads,
                                      .normalisation = &training->normalisation};
    struct dataset *dataset = dataset_open(arguments->data, &options, error);
    if (!dataset)
        return program_fail("train", error, PROGRAM_FAILED);
    stop_block();
    int status = training_fit_to_data(training, dataset, error) < 0
                     ? program_fail("train", error, PROGRAM_USAGE)
                     : train_on(training, arguments->json, error);
    dataset_free(dataset);
    return status;
}

int command_train(int argc, char **argv)
{
    struct error error = ERROR_INIT;
    struct arguments arguments = {.data = "shapes", .recipe = RECIPE_INIT, .batch = 32};
    struct training training = {0};
    struct saved saved = {0};
    enum options_result parsed = parse(argc, argv, &arguments, &error);
    if (parsed != OPTIONS_OK)
        return program_parse_result(parsed, "train", &error);
    int status = default_to_saved(&arguments, &saved, &error) < 0
                     ? program_fail("train", &error, PROGRAM_FAILED)
                     : train_with(&arguments, &training, &error);
    train_result_free(&training.result);
    free(training.checkpoint_options);
    free(training.head);
    saved_free(&saved);
    return status;
}
