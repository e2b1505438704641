#include "train/train.h"

#include "base/clock.h"
#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/features.h"
#include "train/parameters.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

struct train {
    struct network *network;
    const struct dataset *dataset;
    const struct train_options *options;
    struct mark_sender *sender;
    const struct train_observer *observer;
    struct train_result *result;
    struct loader *loader, *test_loader;
    struct features features; /* if they are kept */
    struct checkpoint from;   /* where the next epoch begins: anew, but for one that is resumed */
    uint64_t batches;         /* done of the epoch under way */
    size_t step_room;
    int64_t begin_ns;
    uint64_t timed_images; /* of all steps but the first */
    double timed_s;
    double val_s;             /* the last validation took */
    struct confusion scoring; /* of the validation under way */
    uint64_t units;           /* of the schedule */
    double rate;              /* the network's now */
    double best;              /* what the best epoch's monitored figure is */
    uint64_t without_better;
    struct parameters_copy *best_weights; /* with keep_best */
};

static double since_s(int64_t begin_ns)
{
    return (double)(clock_boot_ns() - begin_ns) / NS_PER_S;
}

static void mark_window(struct train *train, enum mark_kind kind, const char *window, uint64_t index,
                        const struct mark_metric *metrics, size_t metric_count)
{
    struct mark mark = {.kind = kind,
                        .window = window,
                        .index = (int64_t)index,
                        .metrics = metrics,
                        .metric_count = metric_count};
    mark_send(train->sender, &mark);
}

static void mark_epoch_end(struct train *train, const struct train_epoch *epoch)
{
    const struct {
        const char *name;
        double value;
    } all[] = {{"loss", epoch->loss},         {"accuracy", epoch->accuracy},
               {"val_loss", epoch->val_loss}, {"val_accuracy", epoch->val_accuracy},
               {"val_top5", epoch->val_top5}, {"val_f1", epoch->val_f1}};
    struct mark_metric metrics[sizeof all / sizeof *all];
    size_t count = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (isfinite(all[i].value))
            metrics[count++] = (struct mark_metric){all[i].name, all[i].value};
    mark_window(train, MARK_END, "epoch", epoch->epoch, metrics, count);
}

static int log_step(struct train *train, double loss, struct error *error)
{
    struct train_result *result = train->result;
    if (!train->options->log_steps)
        return 0;
    if (result->step_count == train->step_room) {
        size_t room = train->step_room ? 2 * train->step_room : 256;
        struct train_step *steps = reallocarray(result->steps, room, sizeof *steps);
        if (!steps)
            return error_memory(error, "losses of the steps");
        result->steps = steps;
        train->step_room = room;
    }
    result->steps[result->step_count++] = (struct train_step){result->steps_done, loss, train->rate};
    return 0;
}

/* Epochs that there will be at the most; both limits count, and at least one is set. */
static uint64_t epochs_to_do(const struct train *train)
{
    const struct train_options *options = train->options;
    uint64_t batches = loader_batches(train->loader);
    uint64_t by_steps = options->steps ? (options->steps - 1) / batches + 1 : UINT64_MAX;
    return options->epochs && options->epochs < by_steps ? options->epochs : by_steps;
}

static uint64_t steps_to_do(const struct train *train)
{
    const struct train_options *options = train->options;
    uint64_t by_epochs = options->epochs ? options->epochs * loader_batches(train->loader) : UINT64_MAX;
    return options->steps && options->steps < by_epochs ? options->steps : by_epochs;
}

/* Batches still to be trained on in an epoch of which `done` are. */
static uint64_t batches_in_epoch(const struct train *train, uint64_t done)
{
    uint64_t batches = loader_batches(train->loader), steps = train->options->steps;
    if (!steps)
        return batches;
    uint64_t left = steps - train->result->steps_done + done;
    return left < batches ? left : batches;
}

static double left_s(const struct train *train, uint64_t epoch, uint64_t done)
{
    if (train->timed_images == 0)
        return NAN;
    double epochs_left = (double)(epochs_to_do(train) - epoch);
    double all = (double)train->dataset->train.count;
    double images =
        all * epochs_left + (double)(batches_in_epoch(train, done) - done) * (double)train->options->batch;
    if (train->options->steps) {
        double by_steps =
            (double)(train->options->steps - train->result->steps_done) * (double)train->options->batch;
        images = by_steps < images ? by_steps : images;
    }
    double validations = train->options->validate ? (epochs_left + 1) * train->val_s : 0;
    return images * train->timed_s / (double)train->timed_images + validations;
}

static void show(const struct train *train, const struct train_epoch *epoch, bool validating, uint64_t done,
                 uint64_t total, double loss, double accuracy)
{
    if (!train->observer->progress)
        return;
    struct train_progress progress = {
        .epoch = epoch->epoch,
        .epochs = epochs_to_do(train),
        .validating = validating,
        .done = done,
        .total = total,
        .loss = loss,
        .accuracy = accuracy,
        .images_per_s = train->timed_s > 0 ? (double)train->timed_images / train->timed_s : NAN,
        .left_s = left_s(train, epoch->epoch, validating ? batches_in_epoch(train, 0) : done),
    };
    train->observer->progress(train->observer->context, &progress);
}

static bool asked_to_stop(struct train *train)
{
    if (!train->observer->stop || !train->observer->stop(train->observer->context))
        return false;
    train->result->end = TRAIN_STOPPED;
    return true;
}

struct sums {
    double loss; /* over images */
    uint64_t correct, images;
};

static void add_step(struct sums *sums, const struct step_result *step, size_t count)
{
    sums->loss += step->loss * (double)count;
    sums->correct += step->correct;
    sums->images += count;
}

static double mean(double sum, uint64_t count)
{
    return count ? sum / (double)count : NAN;
}

static void set_rate(struct train *train, uint64_t epoch)
{
    const struct schedule *schedule = &train->options->schedule;
    uint64_t at = schedule->per_step ? train->result->steps_done : epoch - 1;
    if (!schedule_varies(schedule))
        return;
    train->rate = schedule_rate(schedule, at, train->units);
    network_set_learning_rate(train->network, train->rate);
}

/* One optimiser step with the wait for its batch. 1: done; 0: the epoch has no more batches; -1: error. */
static int train_batch(struct train *train, struct sums *sums, struct error *error)
{
    int64_t begin = clock_boot_ns();
    const struct batch *batch = loader_next(train->loader);
    if (!batch)
        return 0;
    struct step_result step;
    if (network_train(train->network, batch->images, batch->labels, batch->count, &step, error) < 0)
        return -1;
    train->batches++;
    if (train->result->steps_done++ > train->result->resumed_steps) {
        train->timed_s += since_s(begin);
        train->timed_images += batch->count;
    }
    add_step(sums, &step, batch->count);
    train->result->last_loss = step.loss;
    if (log_step(train, step.loss, error) < 0)
        return -1;
    if (!isfinite(step.loss))
        train->result->end = TRAIN_DIVERGED;
    return 1;
}

static int train_epoch(struct train *train, struct train_epoch *epoch, struct sums *sums, struct error *error)
{
    int64_t begin = clock_boot_ns();
    const struct checkpoint from = train->from;
    train->from = (struct checkpoint){0};
    train->batches = from.batches;
    *sums = (struct sums){from.loss_sum, from.correct, from.images};
    uint64_t total = batches_in_epoch(train, from.batches);
    int result = 1;
    epoch->cut = total < loader_batches(train->loader);
    loader_start_at(train->loader, epoch->epoch - 1, from.batches);
    while (train->batches < total && result > 0 && train->result->end == TRAIN_FINISHED) {
        if (asked_to_stop(train))
            break;
        set_rate(train, epoch->epoch);
        result = train_batch(train, sums, error);
        show(train, epoch, false, train->batches, total, mean(sums->loss, sums->images),
             mean((double)sums->correct, sums->images));
    }
    epoch->cut = epoch->cut || train->result->end != TRAIN_FINISHED || result < 0;
    epoch->loss = mean(sums->loss, sums->images);
    epoch->accuracy = mean((double)sums->correct, sums->images);
    epoch->images = sums->images;
    epoch->learning_rate = train->rate;
    epoch->train_s = from.train_s + since_s(begin);
    epoch->waited_s = from.waited_s + loader_waited_s(train->loader);
    train->result->train_s += since_s(begin);
    train->result->waited_s += loader_waited_s(train->loader);
    train->result->loader_busy_s += loader_busy_s(train->loader);
    return result < 0 ? -1 : 0;
}

/* A checkpoint that can't be written is told, and the old one stays; the training is worth more. */
static void write_checkpoint(struct train *train, struct checkpoint *at)
{
    const struct train_options *options = train->options;
    struct train_result *result = train->result;
    struct error error = ERROR_INIT;
    if (!options->checkpoint)
        return;
    at->steps_done = result->steps_done;
    at->rate = train->rate;
    at->last_loss = result->last_loss;
    at->best = train->best;
    at->best_epoch = result->best_epoch;
    at->without_better = train->without_better;
    at->epochs = result->epochs;
    int status = checkpoint_write(options->checkpoint, options->checkpoint_options, train->network,
                                  train->best_weights, at, &error);
    result->checkpoint_failed = status < 0;
    if (status < 0 && train->observer->warn) {
        error_prefix(&error, "the checkpoint after step %" PRIu64 " was not written", result->steps_done);
        train->observer->warn(train->observer->context, error_text(&error));
    }
    error_clear(&error);
}

/* In the middle of an epoch, or after its last batch: its validation is then still to come. */
static void checkpoint_within(struct train *train, const struct train_epoch *epoch, const struct sums *sums)
{
    struct checkpoint at = {.epoch = epoch->epoch,
                            .batches = train->batches,
                            .loss_sum = sums->loss,
                            .correct = sums->correct,
                            .images = sums->images,
                            .train_s = epoch->train_s,
                            .waited_s = epoch->waited_s};
    write_checkpoint(train, &at);
}

/* What a complete validation tells. */
static void take_scores(struct train *train, struct train_epoch *epoch, const struct scores *scores)
{
    struct train_result *result = train->result;
    epoch->val_loss = scores->loss;
    epoch->val_accuracy = scores->accuracy;
    epoch->val_top5 = scores->top5;
    epoch->val_f1 = scores->macro_f1;
    struct confusion last = result->confusion;
    result->confusion = train->scoring;
    result->confusion_epoch = epoch->epoch;
    train->scoring = last;
}

struct validation {
    struct train *train;
    const struct train_epoch *epoch;
};

static bool stop_validation(void *context)
{
    const struct validation *validation = context;
    return asked_to_stop(validation->train);
}

static void show_validation(void *context, uint64_t done, uint64_t total)
{
    const struct validation *validation = context;
    const struct train_epoch *epoch = validation->epoch;
    show(validation->train, epoch, true, done, total, epoch->loss, epoch->accuracy);
}

static int validate(struct train *train, struct train_epoch *epoch, struct error *error)
{
    int64_t begin = clock_boot_ns();
    struct validation validation = {train, epoch};
    const struct evaluate_watch watch = {&validation, stop_validation, show_validation};
    struct scores scores;
    mark_window(train, MARK_BEGIN, "validation", epoch->epoch, NULL, 0);
    int result = evaluate(train->network, train->test_loader, &watch, &train->scoring, &scores, error);
    mark_window(train, MARK_END, "validation", epoch->epoch, NULL, 0);
    epoch->val_s = train->val_s = since_s(begin);
    /* figures of a part would pass for figures of the whole */
    if (result == 0)
        take_scores(train, epoch, &scores);
    return result < 0 ? -1 : 0;
}

/* Remembers the best epoch; ends the training where none came for too long. */
static int judge(struct train *train, const struct train_epoch *epoch, struct error *error)
{
    bool by_accuracy = train->options->monitor == MONITOR_VAL_ACCURACY;
    double figure = by_accuracy ? epoch->val_accuracy : -epoch->val_loss;
    if (isnan(epoch->val_accuracy))
        return 0;
    figure = isnan(figure) ? -INFINITY : figure;
    if (!train->result->best_epoch || figure > train->best) {
        train->best = figure;
        train->result->best_epoch = epoch->epoch;
        train->without_better = 0;
        return train->best_weights ? parameters_copy_take(train->best_weights, train->network, error) : 0;
    }
    train->without_better++;
    bool more = epoch->epoch < epochs_to_do(train) && train->result->end == TRAIN_FINISHED;
    if (more && train->options->patience && train->without_better >= train->options->patience)
        train->result->end = TRAIN_EARLY;
    return 0;
}

static int run_epoch(struct train *train, struct train_epoch *epoch, struct error *error)
{
    const struct train_result *result = train->result;
    struct sums sums;
    epoch->val_loss = epoch->val_accuracy = epoch->val_top5 = epoch->val_f1 = NAN;
    mark_window(train, MARK_BEGIN, "epoch", epoch->epoch, NULL, 0);
    int status = train_epoch(train, epoch, &sums, error);
    bool whole = status == 0 && train->batches == loader_batches(train->loader);
    bool good = status == 0 && result->end != TRAIN_DIVERGED;
    if (good && !whole)
        checkpoint_within(train, epoch, &sums);
    if (status == 0 && train->test_loader && result->end == TRAIN_FINISHED)
        status = validate(train, epoch, error);
    epoch->wall_s = epoch->train_s + epoch->val_s;
    mark_epoch_end(train, epoch);
    if (status == 0 && train->observer->epoch && epoch->images > 0)
        train->observer->epoch(train->observer->context, epoch);
    if (status == 0)
        status = judge(train, epoch, error);
    if (status < 0 || !good || !whole)
        return status;
    if (result->end == TRAIN_STOPPED)
        checkpoint_within(train, epoch, &sums);
    else
        write_checkpoint(train, &(struct checkpoint){.epoch = epoch->epoch + 1});
    return 0;
}

static int run_epochs(struct train *train, struct error *error)
{
    struct train_result *result = train->result;
    uint64_t count = epochs_to_do(train);
    for (uint64_t i = result->epoch_count; i < count && result->end == TRAIN_FINISHED; i++) {
        struct train_epoch *epochs = reallocarray(result->epochs, i + 1, sizeof *epochs);
        if (!epochs)
            return error_memory(error, "epochs");
        result->epochs = epochs;
        epochs[i] = (struct train_epoch){.epoch = i + 1};
        result->epoch_count = i + 1;
        if (run_epoch(train, &epochs[i], error) < 0)
            return -1;
    }
    /* an epoch that was stopped before its first step tells nothing */
    if (result->epoch_count && result->epochs[result->epoch_count - 1].images == 0)
        result->epoch_count--;
    return 0;
}

/* Everything as it was when the checkpoint was written. */
static int resume(struct train *train, struct error *error)
{
    const struct train_options *options = train->options;
    struct train_result *result = train->result;
    struct checkpoint *from = &train->from;
    if (checkpoint_read(options->checkpoint, options->checkpoint_options, train->network, train->best_weights,
                        from, error) < 0)
        return -1;
    result->epochs = from->epochs;
    result->epoch_count = from->epoch - 1;
    result->steps_done = result->resumed_steps = from->steps_done;
    result->last_loss = from->last_loss;
    result->best_epoch = from->best_epoch;
    train->rate = from->rate;
    train->best = from->best;
    train->without_better = from->without_better;
    if (from->batches > loader_batches(train->loader))
        return error_set(error, "%s: %" PRIu64 " batches of an epoch, which has %zu: a broken checkpoint",
                         options->checkpoint, from->batches, loader_batches(train->loader));
    if (options->steps && options->steps < from->steps_done)
        return error_set(error,
                         "%s: %" PRIu64 " steps are done, and no more than %" PRIu64 " are to be: give more",
                         options->checkpoint, from->steps_done, options->steps);
    if (options->patience && train->without_better >= options->patience)
        result->end = TRAIN_EARLY;
    return 0;
}

/* Where both splits are rows of features from then on. */
static int keep_features(struct train *train, struct loader_options *loading, struct loader_options *scoring,
                         struct error *error)
{
    const struct train_options *options = train->options;
    if (!options->cache_features)
        return 0;
    if (augmentation_any(&options->augment))
        return error_set(error, "features can't be kept where augmentation changes each epoch's images");
    int64_t begin = clock_boot_ns();
    mark_window(train, MARK_BEGIN, "features", 1, NULL, 0);
    int result = features_compute(&train->features, train->network, train->dataset, options->validate,
                                  options->batch, train->observer->stop, train->observer->context, error);
    mark_window(train, MARK_END, "features", 1, NULL, 0);
    train->result->features_s = since_s(begin);
    if (result > 0)
        train->result->end = TRAIN_STOPPED;
    loading->rows = train->features.train;
    scoring->rows = train->features.test;
    loading->row_floats = scoring->row_floats = train->features.width;
    network_read_features(train->network, true);
    return result < 0 ? -1 : 0;
}

/* Two matrices: one for the validation under way, one for the last complete. */
static int open_scoring(struct train *train, const struct loader_options *scoring, struct error *error)
{
    size_t labels = train->dataset->classes, outputs = network_classes(train->network);
    train->test_loader = loader_open(train->dataset, scoring, error);
    if (!train->test_loader || confusion_init(&train->scoring, labels, outputs, error) < 0)
        return -1;
    return confusion_init(&train->result->confusion, labels, outputs, error);
}

int train_run(struct network *network, const struct dataset *dataset, const struct train_options *options,
              struct mark_sender *sender, const struct train_observer *observer, struct train_result *result,
              struct error *error)
{
    *result = (struct train_result){.last_loss = NAN, .images_per_s = NAN, .features_s = NAN};
    if (!options->epochs && !options->steps)
        return error_set(error, "neither a number of epochs nor of steps: expected at least one");
    if (options->patience && !options->validate)
        return error_set(error, "patience needs validation, which is off");
    struct train train = {.network = network,
                          .dataset = dataset,
                          .options = options,
                          .sender = sender,
                          .observer = observer,
                          .result = result,
                          .rate = options->schedule.rate,
                          .begin_ns = clock_boot_ns()};
    struct loader_options loading = {.batch = options->batch,
                                     .train = true,
                                     .augment = options->augment,
                                     .seed = options->seed,
                                     .threads = options->loader_threads};
    struct loader_options scoring = {.batch = options->batch};
    int status = -1;
    if (keep_features(&train, &loading, &scoring, error) < 0)
        goto out;
    train.loader = loader_open(dataset, &loading, error);
    if (!train.loader)
        goto out;
    train.units = options->schedule.per_step ? steps_to_do(&train) : epochs_to_do(&train);
    if (schedule_check(&options->schedule, train.units, error) < 0)
        goto out;
    if (options->validate && open_scoring(&train, &scoring, error) < 0)
        goto out;
    if (options->keep_best && options->validate &&
        !(train.best_weights = parameters_copy_new(network, error)))
        goto out;
    if (options->resume && resume(&train, error) < 0)
        goto out;
    status = run_epochs(&train, error);
    if (status == 0 && train.best_weights && result->best_epoch)
        status = parameters_copy_restore(train.best_weights, network, error);
    if (train.timed_s > 0)
        result->images_per_s = (double)train.timed_images / train.timed_s;
out:
    if (options->cache_features)
        network_read_features(network, false);
    loader_close(train.loader);
    loader_close(train.test_loader);
    confusion_free(&train.scoring);
    features_free(&train.features);
    parameters_copy_free(train.best_weights);
    result->wall_s = since_s(train.begin_ns);
    return status;
}

void train_result_free(struct train_result *result)
{
    free(result->epochs);
    free(result->steps);
    confusion_free(&result->confusion);
    *result = (struct train_result){0};
}
