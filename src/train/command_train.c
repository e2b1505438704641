/* joulery train: options, data set, network, loop, results. */
#include "base/file.h"
#include "base/text.h"
#include "train/program.h"

#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LEAST_SIZE = 32, /* smaller images are enlarged to it: every architecture takes it */
    EPOCHS_DEFAULT = 5,
    COUNT_MOST = 1 << 30, /* of anything counted on the command line: doubles and sizes hold it */
};

/* Whole numbers up to here come through JSON unharmed, whoever reads it. */
#define SEED_MOST 9007199254740992.0

struct arguments {
    const char *arch, *data, *json, *augment, *normalize;
    struct recipe recipe;
    struct transfer transfer;
    uint64_t size, classes, epochs, steps, batch, seed, threads;
    double width;
    bool no_validation, log_steps;
};

static enum options_result parse(int argc, char **argv, struct arguments *a, struct error *error)
{
    struct recipe *r = &a->recipe;
    struct transfer *t = &a->transfer;
    const struct option options[] = {
        {"--arch", 0, OPTION_TEXT, &a->arch, "NAME", "architecture; `joulery zoo` lists them (resnet18)", 0,
         0},
        {"--data", 0, OPTION_TEXT, &a->data, "SPEC",
         "shapes[:N[:SEED]], cifar10:DIR, mnist:DIR or folder:DIR (shapes)", 0, 0},
        {"--size", 0, OPTION_COUNT, &a->size, "PIXELS",
         "height and width; 0: the data's own, at least 32 (0)", 0, 4096},
        {"--width", 0, OPTION_NUMBER, &a->width, "X", "scales the channels of every layer (1)", 0.001, 64},
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
         "0.5,0.5,0.5/0.25,0.25,0.25 (computed)",
         0, 0},
        {"--no-validation", 0, OPTION_FLAG, &a->no_validation, NULL,
         "don't score the test images after each epoch", 0, 0},
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

static int fit_to_data(struct training *training, const struct dataset *dataset, struct error *error)
{
    training->dataset = dataset;
    training->zoo.size = dataset->size;
    if (training->train.batch > dataset->train.count)
        training->train.batch = dataset->train.count;
    if (!training->zoo.classes)
        training->zoo.classes = dataset->classes;
    if (training->zoo.classes < dataset->classes)
        return error_set(error, "--classes %zu: expected at least the %zu classes of %s",
                         training->zoo.classes, dataset->classes, dataset->name);
    return 0;
}

static struct network *compile(struct training *training, struct error *error)
{
    struct graph *graph = zoo_build(training->architecture, &training->zoo, error);
    if (!graph)
        return NULL;
    training->parameters = graph_parameters(graph);
    training->trainable_parameters = graph_trainable_parameters(graph);
    training->flops = graph_flops(graph);
    omp_set_num_threads((int)training->threads);
    struct network_options options = {.batch = training->train.batch,
                                      .seed = training->train.seed,
                                      .optimizer = training->optimizer,
                                      .label_smoothing = training->label_smoothing,
                                      .clip_norm = training->clip_norm};
    struct network *network = network_new(graph, &options, error);
    graph_free(graph);
    if (network)
        training->memory_bytes = network_memory_bytes(network);
    return network;
}

static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
}

struct watch {
    struct console console; /* first: the observer's context is both */
    int signal;
};

/* The signals are blocked while it trains and taken here, between steps: no handler, no shared variable. */
static bool stop_asked(void *context)
{
    struct watch *watch = context;
    sigset_t set;
    stop_signals(&set);
    int got = sigtimedwait(&set, NULL, &(struct timespec){0, 0});
    if (got > 0)
        watch->signal = got;
    return got > 0;
}

static int run(struct training *training, struct network *network, struct error *error)
{
    struct watch watch = {0};
    struct train_observer observer = {&watch, console_progress, console_epoch, stop_asked};
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

static int train_on(struct training *training, const char *json, struct error *error)
{
    struct network *network = compile(training, error);
    if (!network)
        return program_fail("train", error, PROGRAM_FAILED);
    console_describe(training);
    int trained = run(training, network, error);
    network_free(network);
    if (trained < 0)
        return program_fail("train", error, PROGRAM_FAILED);
    if (report(training, json, error) < 0)
        return program_fail("train", error, PROGRAM_FAILED);
    if (training->signal)
        return 128 + training->signal;
    if (training->result.end == TRAIN_DIVERGED) {
        error_diverged(training, error);
        return program_fail("train", error, PROGRAM_FAILED);
    }
    return PROGRAM_DONE;
}

int command_train(int argc, char **argv)
{
    struct error error = ERROR_INIT;
    struct arguments arguments = {.arch = "resnet18",
                                  .data = "shapes",
                                  .normalize = "computed",
                                  .recipe = RECIPE_INIT,
                                  .batch = 32,
                                  .width = 1};
    struct training training = {0};
    enum options_result parsed = parse(argc, argv, &arguments, &error);
    if (parsed != OPTIONS_OK)
        return program_parse_result(parsed, "train", &error);
    if (prepare(&arguments, &training, &error) < 0) {
        free(training.head);
        return program_fail("train", &error, PROGRAM_USAGE);
    }
    if (arguments.json && file_check_writable(arguments.json, &error) < 0) {
        free(training.head);
        return program_fail("train", &error, PROGRAM_FAILED);
    }
    struct dataset_options options = {.size = arguments.size,
                                      .least_size = LEAST_SIZE,
                                      .threads = training.threads,
                                      .normalisation = &training.normalisation};
    struct dataset *dataset = dataset_open(arguments.data, &options, &error);
    if (!dataset) {
        free(training.head);
        return program_fail("train", &error, PROGRAM_FAILED);
    }
    int status;
    sigset_t set, before;
    stop_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, &before); /* before threads start, which inherit it */
    if (fit_to_data(&training, dataset, &error) < 0)
        status = program_fail("train", &error, PROGRAM_USAGE);
    else
        status = train_on(&training, arguments.json, &error);
    train_result_free(&training.result);
    free(training.head);
    dataset_free(dataset);
    return status;
}
