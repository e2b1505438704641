/* joulery eval: how well weights do on a data set, without learning. */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "mark/mark.h"
#include "train/program.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    const char *weights, *arch, *data, *split, *head, *normalize, *precision, *json;
    uint64_t size, classes, batch, threads;
    double width;
};

static enum options_result parse(int argc, char **argv, struct arguments *a, struct error *error)
{
    const struct option options[] = {
        {"--weights", 0, OPTION_TEXT, &a->weights, "FILE",
         "what `joulery train --save` wrote, or safetensors with torchvision's names", 0, 0},
        {"--data", 0, OPTION_TEXT, &a->data, "SPEC",
         "shapes[:N[:SEED]], cifar10:DIR, mnist:DIR or folder:DIR (shapes)", 0, 0},
        {"--split", 0, OPTION_TEXT, &a->split, "NAME", "test or train (test)", 0, 0},
        {"--arch", 0, OPTION_TEXT, &a->arch, "NAME", "architecture (as the weights say)", 0, 0},
        {"--size", 0, OPTION_COUNT, &a->size, "PIXELS",
         "height and width (as the weights say; 0: the data's own, at least 32)", 0, 4096},
        {"--width", 0, OPTION_NUMBER, &a->width, "X", "of the channels (as the weights say, or 1)", 0.001,
         64},
        {"--classes", 0, OPTION_COUNT, &a->classes, "N",
         "outputs (as the weights say; 0: as many as the data has classes)", 0, 1 << 20},
        {"--head", 0, OPTION_TEXT, &a->head, "UNITS", "as in training (as the weights say)", 0, 0},
        {"--normalize", 0, OPTION_TEXT, &a->normalize, "HOW",
         "computed, imagenet, caffe, tf or means/deviations, as in training (as the weights say, or "
         "computed)",
         0, 0},
        {"--precision", 0, OPTION_TEXT, &a->precision, "TYPE",
         "fp32, or bf16: activations and products in bfloat16 (fp32)", 0, 0},
        {"--batch", 0, OPTION_COUNT, &a->batch, "N", "images at a time (32)", 1, 1 << 20},
        {"--threads", 0, OPTION_COUNT, &a->threads, "N", "of the engine; 0: the cores there are (0)", 0,
         4096},
        {"--json", 0, OPTION_TEXT, &a->json, "FILE", "results as joulery.eval/1; - for standard output", 0,
         0},
    };
    const struct command_line line = {
        .usage = "joulery eval --weights FILE [options]",
        .purpose = "Scores weights on a data set; defaults are in parentheses. Nothing is learned.",
        .example = "joulery eval --weights resnet18.safetensors --data shapes:2000",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    struct operands operands;
    return options_parse(&line, argc, argv, &operands, error);
}

static void default_to_saved(struct arguments *arguments, const struct saved *saved)
{
    if (!arguments->arch)
        arguments->arch = saved->architecture;
    if (!arguments->head)
        arguments->head = saved->head;
    if (!arguments->size)
        arguments->size = saved->size;
    if (!arguments->classes)
        arguments->classes = saved->classes;
    if (!(arguments->width > 0))
        arguments->width = saved->width > 0 ? saved->width : 1;
    if (!arguments->normalize)
        arguments->normalize = saved->normalisation ? saved->normalisation : "computed";
}

static int check(const struct arguments *arguments, struct error *error)
{
    if (!arguments->weights)
        return error_set(error, "expected --weights FILE: what is to be scored");
    if (strcmp(arguments->split, "test") != 0 && strcmp(arguments->split, "train") != 0)
        return error_set(error, "--split: expected test or train, found '%s'", arguments->split);
    return 0;
}

static int prepare(const struct arguments *arguments, struct training *training, struct error *error)
{
    if (!arguments->arch)
        return error_set(error,
                         "%s does not say of which architecture it is: give --arch (`joulery zoo` "
                         "lists them)",
                         arguments->weights);
    training->weights = arguments->weights;
    training->architecture = arguments->arch;
    training->threads = arguments->threads ? arguments->threads : program_cores();
    training->train.batch = arguments->batch;
    training->optimizer.kind = OPTIMIZER_SGD;
    /* A base that is frozen needs no gradients, and runs with its normalisations folded. */
    training->zoo = (struct zoo_options){.classes = arguments->classes,
                                         .size = arguments->size,
                                         .channels = DATASET_CHANNELS,
                                         .width = arguments->width,
                                         .freeze_base = true};
    if (normalisation_parse(arguments->normalize, &training->normalisation, error) < 0)
        return error_prefix(error, "--normalize");
    if (precision_parse(arguments->precision, &training->precision, error) < 0)
        return -1;
    if (arguments->head && training_set_head(training, arguments->head, error) < 0)
        return -1;
    struct graph *graph = zoo_build(arguments->arch, &training->zoo, error);
    graph_free(graph);
    return graph ? 0 : -1;
}

/* Labels are numbers: the same ones must mean the same. */
static void compare_names(const struct saved *saved, const struct dataset *dataset)
{
    size_t count = json_array_size(saved->class_names);
    for (size_t i = 0; i < count && i < dataset->classes; i++) {
        const char *learned = json_string_value(json_array_get(saved->class_names, i));
        if (learned && strcmp(learned, dataset->class_names[i]) != 0) {
            AUTO_FREE char *shown = text_printable(learned);
            AUTO_FREE char *here = text_printable(dataset->class_names[i]);
            fprintf(stderr, "warning: class %zu was '%s' when the weights were saved, and is '%s' here\n", i,
                    shown ? shown : "?", here ? here : "?");
            return;
        }
    }
}

struct watch {
    struct progress progress;
    int signal;
    int64_t begin_ns, first_ns;
};

static bool stop_asked(void *context)
{
    struct watch *watch = context;
    watch->signal = stop_taken();
    return watch->signal != 0;
}

static void show(void *context, uint64_t done, uint64_t total)
{
    struct watch *watch = context;
    if (done == 1)
        watch->first_ns = clock_boot_ns();
    progress_update(&watch->progress, (double)done, (double)total, "");
}

static void mark_window(struct mark_sender *sender, enum mark_kind kind, const struct scores *scores)
{
    const struct mark_metric metrics[] = {{"val_loss", scores ? scores->loss : NAN},
                                          {"val_accuracy", scores ? scores->accuracy : NAN}};
    const struct mark mark = {.kind = kind,
                              .window = "evaluation",
                              .index = 1,
                              .metrics = metrics,
                              .metric_count = scores ? sizeof metrics / sizeof *metrics : 0};
    mark_send(sender, &mark);
}

/* 1: stopped. The first batch, which warms up, is left out of the rate. */
static int score(struct evaluation *evaluation, struct network *network, struct watch *watch,
                 struct error *error)
{
    const struct training *training = evaluation->training;
    const struct loader_options options = {
        .batch = training->train.batch, .train = evaluation->train_split, .in_order = true};
    const struct evaluate_watch observer = {watch, stop_asked, show};
    struct loader *loader = loader_open(training->dataset, &options, error);
    if (!loader)
        return -1;
    struct mark_sender *sender = mark_sender_open();
    progress_start(&watch->progress);
    mark_window(sender, MARK_BEGIN, NULL);
    watch->begin_ns = clock_boot_ns();
    int status = evaluate(network, loader, &observer, &evaluation->confusion, &evaluation->scores, error);
    int64_t end = clock_boot_ns();
    mark_window(sender, MARK_END, status == 0 ? &evaluation->scores : NULL);
    mark_sender_close(sender);
    progress_clear(&watch->progress);
    loader_close(loader);
    evaluation->wall_s = (double)(end - watch->begin_ns) / NS_PER_S;
    uint64_t timed = evaluation->scores.images - training->train.batch;
    evaluation->images_per_s =
        status == 0 && timed > 0 ? (double)timed * NS_PER_S / (double)(end - watch->first_ns) : NAN;
    return status;
}

static void print_scores(const struct evaluation *evaluation)
{
    const struct training *training = evaluation->training;
    const struct scores *scores = &evaluation->scores;
    AUTO_FREE char *images = units_count(scores->images);
    AUTO_FREE char *wall = units_duration(evaluation->wall_s);
    printf("%s on %s %s images of %s: loss %.4f, accuracy %.2f %%,", training->architecture,
           images ? images : "?", evaluation->train_split ? "training" : "test", training->dataset->name,
           scores->loss, 100 * scores->accuracy);
    if (isfinite(scores->top5))
        printf(" top-5 accuracy %.2f %%,", 100 * scores->top5);
    printf(" macro F1 %.4f; %s", scores->macro_f1, wall ? wall : "?");
    if (isfinite(evaluation->images_per_s))
        printf(", %.0f images/s", evaluation->images_per_s);
    printf("\n");
}

static int evaluate_on(struct evaluation *evaluation, struct training *training, const char *json,
                       struct error *error)
{
    struct watch watch = {0};
    struct network *network = training_compile(training, error);
    int status = network ? training_load(training, network, false, error) : -1;
    if (status == 0)
        status =
            confusion_init(&evaluation->confusion, training->dataset->classes, training->zoo.classes, error);
    if (status == 0)
        status = score(evaluation, network, &watch, error);
    network_free(network);
    if (watch.signal)
        return 128 + watch.signal;
    if (status == 0 && (!json || strcmp(json, "-") != 0))
        print_scores(evaluation);
    fflush(stdout);
    if (status == 0 && json)
        status = evaluation_write_json(evaluation, json, error);
    return status < 0 ? program_fail("eval", error, PROGRAM_FAILED) : PROGRAM_DONE;
}

static int evaluate_with(const struct arguments *arguments, const struct saved *saved,
                         struct training *training, struct error *error)
{
    struct evaluation evaluation = {.training = training,
                                    .train_split = strcmp(arguments->split, "train") == 0};
    if (prepare(arguments, training, error) < 0)
        return program_fail("eval", error, PROGRAM_USAGE);
    if (arguments->json && file_check_writable(arguments->json, error) < 0)
        return program_fail("eval", error, PROGRAM_FAILED);
    struct dataset_options options = {.size = arguments->size,
                                      .least_size = LEAST_SIZE,
                                      .threads = training->threads,
                                      .normalisation = &training->normalisation};
    struct dataset *dataset = dataset_open(arguments->data, &options, error);
    if (!dataset)
        return program_fail("eval", error, PROGRAM_FAILED);
    stop_block();
    const struct dataset_split *split = evaluation.train_split ? &dataset->train : &dataset->test;
    if (training->train.batch > split->count)
        training->train.batch = split->count;
    int status;
    if (training_fit_to_data(training, dataset, error) < 0)
        status = program_fail("eval", error, PROGRAM_USAGE);
    else {
        compare_names(saved, dataset);
        status = evaluate_on(&evaluation, training, arguments->json, error);
    }
    confusion_free(&evaluation.confusion);
    dataset_free(dataset);
    return status;
}

int command_eval(int argc, char **argv)
{
    struct error error = ERROR_INIT;
    struct arguments arguments = {.data = "shapes", .split = "test", .batch = 32};
    struct training training = {0};
    struct saved saved = {0};
    enum options_result parsed = parse(argc, argv, &arguments, &error);
    if (parsed != OPTIONS_OK)
        return program_parse_result(parsed, "eval", &error);
    if (check(&arguments, &error) < 0)
        return program_fail("eval", &error, PROGRAM_USAGE);
    int status;
    if (saved_read(arguments.weights, &saved, &error) < 0) {
        error_prefix(&error, "--weights");
        status = program_fail("eval", &error, PROGRAM_FAILED);
    } else {
        default_to_saved(&arguments, &saved);
        status = evaluate_with(&arguments, &saved, &training, &error);
    }
    free(training.head);
    saved_free(&saved);
    return status;
}
