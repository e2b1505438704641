#include "train/train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { TRAIN = 200, TEST = 40, BATCH = 32, BATCHES = 7 };

struct world {
    struct dataset *dataset;
    struct graph *graph;
};

static int open_world(void **state)
{
    struct error error = ERROR_INIT;
    struct world *world = calloc(1, sizeof *world);
    struct dataset_options options = {.size = 32, .threads = 2};
    struct zoo_options zoo = {.classes = 10, .size = 32, .width = 1};
    world->dataset = dataset_open("shapes:200", &options, &error);
    world->graph = zoo_build("lenet5", &zoo, &error);
    *state = world;
    return world->dataset && world->graph ? 0 : -1;
}

static int close_world(void **state)
{
    struct world *world = *state;
    dataset_free(world->dataset);
    graph_free(world->graph);
    free(world);
    return 0;
}

struct seen {
    size_t epochs, batches;
    size_t stop_after; /* batches; 0: never */
};

static void see_progress(void *context, const struct train_progress *progress)
{
    struct seen *seen = context;
    seen->batches += !progress->validating;
    assert_true(progress->done <= progress->total);
    assert_true(isnan(progress->left_s) || progress->left_s >= 0);
}

static void see_epoch(void *context, const struct train_epoch *epoch)
{
    struct seen *seen = context;
    assert_int_equal(epoch->epoch, ++seen->epochs);
}

static bool see_stop(void *context)
{
    struct seen *seen = context;
    return seen->stop_after && seen->batches >= seen->stop_after;
}

static struct train_result train(struct world *world, const struct train_options *options,
                                 double learning_rate, struct mark_sender *sender, struct seen *seen)
{
    struct error error = ERROR_INIT;
    struct network_options network_options = {
        .batch = options->batch,
        .seed = options->seed,
        .optimizer = {.kind = OPTIMIZER_SGD, .learning_rate = learning_rate, .momentum = 0.9}};
    struct network *network = network_new(world->graph, &network_options, &error);
    assert_non_null(network);
    struct train_observer observer = {seen, see_progress, see_epoch, see_stop, NULL};
    struct train_result result;
    if (train_run(network, world->dataset, options, sender, &observer, &result, &error) < 0)
        fail_msg("%s", error_text(&error));
    network_free(network);
    return result;
}

static struct train_options two_epochs(void)
{
    return (struct train_options){
        .epochs = 2, .batch = BATCH, .seed = 1, .validate = true, .log_steps = true};
}

static void every_epoch_trains_on_all_images_and_scores_all_test_images(void **state)
{
    struct seen seen = {0};
    struct train_options options = two_epochs();
    struct train_result result = train(*state, &options, 0.01, NULL, &seen);
    assert_int_equal(result.end, TRAIN_FINISHED);
    assert_int_equal(result.epoch_count, 2);
    assert_int_equal(result.steps_done, 2 * BATCHES);
    assert_int_equal(result.step_count, 2 * BATCHES);
    assert_int_equal(seen.epochs, 2);
    assert_int_equal(seen.batches, 2 * BATCHES);
    for (size_t i = 0; i < 2; i++) {
        const struct train_epoch *epoch = &result.epochs[i];
        assert_int_equal(epoch->images, TRAIN);
        assert_false(epoch->cut);
        assert_true(epoch->loss > 1 && epoch->loss < 4 && epoch->val_loss > 1 && epoch->val_loss < 4);
        assert_true(epoch->accuracy >= 0 && epoch->accuracy <= 1);
        double right = epoch->val_accuracy * TEST;
        assert_true(fabs(right - round(right)) < 1e-9);
        /* the epoch's loss is the mean over images: the last batch, of 8, counts less */
        double sum = 0;
        for (size_t s = 0; s < BATCHES; s++)
            sum += result.steps[i * BATCHES + s].loss * (s + 1 < BATCHES ? BATCH : TRAIN % BATCH);
        assert_true(fabs(sum / TRAIN - epoch->loss) < 1e-9);
    }
    assert_true(result.images_per_s > 0 && result.waited_s >= 0 && result.waited_s <= result.train_s);
    train_result_free(&result);
}

static void the_same_seed_gives_the_same_losses_to_the_bit(void **state)
{
    struct seen seen[3] = {{0}};
    struct train_options options = two_epochs();
    options.augment = (struct augmentation){.rotate_deg = 15, .crop = 4, .flip = 0.5};
    struct train_result one = train(*state, &options, 0.01, NULL, &seen[0]);
    struct train_result two = train(*state, &options, 0.01, NULL, &seen[1]);
    options.seed = 2;
    struct train_result other = train(*state, &options, 0.01, NULL, &seen[2]);
    assert_memory_equal(one.steps, two.steps, one.step_count * sizeof *one.steps);
    assert_true(one.epochs[1].val_loss == two.epochs[1].val_loss);
    assert_true(one.steps[0].loss != other.steps[0].loss);
    train_result_free(&one);
    train_result_free(&two);
    train_result_free(&other);
}

/* With everything on that changes the order of work. */
static struct train_result train_with_all(struct world *world, const struct train_options *options)
{
    struct error error = ERROR_INIT;
    struct seen seen = {0};
    struct network_options network_options = {.batch = options->batch,
                                              .seed = options->seed,
                                              .label_smoothing = 0.1,
                                              .clip_norm = 0.5,
                                              .optimizer = {.kind = OPTIMIZER_SGD,
                                                            .learning_rate = 0.02,
                                                            .momentum = 0.9,
                                                            .nesterov = true,
                                                            .weight_decay = 1e-3}};
    struct network *network = network_new(world->graph, &network_options, &error);
    assert_non_null(network);
    struct train_observer observer = {&seen, see_progress, see_epoch, see_stop, NULL};
    struct train_result result;
    if (train_run(network, world->dataset, options, NULL, &observer, &result, &error) < 0)
        fail_msg("%s", error_text(&error));
    network_free(network);
    return result;
}

static void schedule_clipping_and_smoothing_repeat_to_the_bit(void **state)
{
    struct train_options options = two_epochs();
    options.schedule = (struct schedule){
        .kind = SCHEDULE_COSINE, .rate = 0.02, .per_step = true, .warmup = 3, .warmup_start = 0.1};
    struct train_result one = train_with_all(*state, &options), two = train_with_all(*state, &options);
    assert_memory_equal(one.steps, two.steps, one.step_count * sizeof *one.steps);
    assert_true(one.epochs[1].val_loss == two.epochs[1].val_loss);
    for (uint64_t i = 0; i < one.step_count; i++)
        assert_true(one.steps[i].learning_rate == schedule_rate(&options.schedule, i, 2 * BATCHES));
    assert_true(one.steps[0].learning_rate == 0.02 * 0.1);
    assert_true(one.epochs[1].learning_rate == one.steps[2 * BATCHES - 1].learning_rate);
    options.schedule.per_step = false;
    options.schedule.warmup = 1;
    struct train_result by_epoch = train_with_all(*state, &options);
    assert_true(by_epoch.steps[BATCHES - 1].learning_rate == 0.02 * 0.1);
    assert_true(by_epoch.steps[BATCHES].learning_rate == 0.02);
    train_result_free(&one);
    train_result_free(&two);
    train_result_free(&by_epoch);
}

static void a_warm_up_longer_than_the_run_is_refused(void **state)
{
    struct world *world = *state;
    struct error error = ERROR_INIT;
    struct network_options network_options = {.batch = BATCH, .optimizer = {.learning_rate = 0.01}};
    struct network *network = network_new(world->graph, &network_options, &error);
    struct train_observer observer = {NULL, NULL, NULL, NULL, NULL};
    struct train_options options = two_epochs();
    struct train_result result;
    options.schedule = (struct schedule){.rate = 0.01, .per_step = true, .warmup = 2 * BATCHES};
    assert_int_equal(train_run(network, world->dataset, &options, NULL, &observer, &result, &error), -1);
    assert_non_null(strstr(error_text(&error), "a warm-up of 14 steps in a run of 14"));
    assert_int_equal(result.steps_done, 0);
    train_result_free(&result);
    error_clear(&error);
    network_free(network);
}

static void the_best_epoch_is_kept_and_patience_ends(void **state)
{
    struct seen seen = {0};
    struct train_options options = two_epochs();
    options.epochs = 9;
    options.patience = 2;
    struct train_result result = train(*state, &options, 0, NULL, &seen); /* nothing is ever learned */
    assert_int_equal(result.end, TRAIN_EARLY);
    assert_int_equal(result.epoch_count, 3);
    assert_int_equal(result.best_epoch, 1);
    assert_false(result.epochs[2].cut);
    train_result_free(&result);
    seen = (struct seen){0};
    options.epochs = 3; /* the last epoch ends by itself */
    result = train(*state, &options, 0, NULL, &seen);
    assert_int_equal(result.end, TRAIN_FINISHED);
    train_result_free(&result);
    seen = (struct seen){0};
    options.monitor = MONITOR_VAL_ACCURACY;
    options.patience = 0;
    options.epochs = 4;
    result = train(*state, &options, 0.02, NULL, &seen);
    assert_int_equal(result.epoch_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_true(result.epochs[i].val_accuracy <= result.epochs[result.best_epoch - 1].val_accuracy);
    train_result_free(&result);
}

static void the_confusion_matrix_is_of_all_test_images(void **state)
{
    struct seen seen = {0};
    struct train_options options = two_epochs();
    struct train_result result = train(*state, &options, 0.02, NULL, &seen);
    const struct confusion *confusion = &result.confusion;
    uint64_t all = 0, right = 0;
    assert_int_equal(confusion->labels, 10);
    assert_int_equal(confusion->outputs, 10);
    for (size_t i = 0; i < 100; i++) {
        all += confusion->counts[i];
        right += i % 11 == 0 ? confusion->counts[i] : 0;
    }
    const struct train_epoch *last = &result.epochs[1];
    assert_int_equal(result.confusion_epoch, 2);
    assert_int_equal(all, TEST);
    assert_true(fabs((double)right / TEST - last->val_accuracy) < 1e-12);
    assert_true(last->val_f1 == confusion_macro_f1(confusion));
    assert_true(last->val_top5 >= last->val_accuracy && last->val_top5 <= 1);
    train_result_free(&result);
}

static void steps_cut_an_epoch_short_which_is_still_validated(void **state)
{
    struct seen seen = {0};
    struct train_options options = two_epochs();
    options.epochs = 0;
    options.steps = BATCHES + 2;
    struct train_result result = train(*state, &options, 0.01, NULL, &seen);
    assert_int_equal(result.end, TRAIN_FINISHED);
    assert_int_equal(result.steps_done, BATCHES + 2);
    assert_int_equal(result.epoch_count, 2);
    assert_false(result.epochs[0].cut);
    assert_true(result.epochs[1].cut);
    assert_int_equal(result.epochs[1].images, 2 * BATCH);
    assert_true(isfinite(result.epochs[1].val_accuracy));
    train_result_free(&result);
}

static void without_validation_nothing_is_scored(void **state)
{
    struct seen seen = {0};
    struct train_options options = two_epochs();
    options.validate = false;
    options.steps = 1;
    struct train_result result = train(*state, &options, 0.01, NULL, &seen);
    assert_int_equal(result.steps_done, 1);
    assert_true(isnan(result.epochs[0].val_loss) && isnan(result.epochs[0].val_accuracy));
    assert_true(isnan(result.images_per_s)); /* one step is none without the first */
    train_result_free(&result);
}

static void it_stops_at_the_next_step_when_asked(void **state)
{
    struct seen seen = {.stop_after = 3};
    struct train_options options = two_epochs();
    struct train_result result = train(*state, &options, 0.01, NULL, &seen);
    assert_int_equal(result.end, TRAIN_STOPPED);
    assert_int_equal(result.steps_done, 3);
    assert_int_equal(result.epoch_count, 1);
    assert_true(result.epochs[0].cut && isnan(result.epochs[0].val_loss));
    train_result_free(&result);
    seen = (struct seen){.stop_after = 2 * BATCHES - BATCHES};
    result = train(*state, &options, 0.01, NULL, &seen); /* in the first validation */
    assert_int_equal(result.end, TRAIN_STOPPED);
    assert_int_equal(result.epoch_count, 1);
    assert_int_equal(result.epochs[0].images, TRAIN);
    assert_true(isnan(result.epochs[0].val_loss));
    train_result_free(&result);
}

static void a_loss_that_is_no_number_ends_the_training(void **state)
{
    struct seen seen = {0};
    struct train_options options = two_epochs();
    options.epochs = 20;
    struct train_result result = train(*state, &options, 1e30, NULL, &seen);
    assert_int_equal(result.end, TRAIN_DIVERGED);
    assert_false(isfinite(result.last_loss));
    assert_true(result.steps_done < 20 * BATCHES);
    assert_true(result.epochs[result.epoch_count - 1].cut);
    train_result_free(&result);
}

static void expect_mark(struct mark_receiver *receiver, enum mark_kind kind, const char *window,
                        int64_t index, size_t metric_count)
{
    struct error error = ERROR_INIT;
    struct mark mark;
    struct mark_owner *owner;
    assert_int_equal(mark_receive(receiver, &mark, &owner, &error), 1);
    assert_int_equal(mark.kind, kind);
    assert_string_equal(mark.window, window);
    assert_int_equal(mark.index, index);
    assert_int_equal(mark.metric_count, metric_count);
    if (metric_count == 6) {
        assert_string_equal(mark.metrics[0].name, "loss");
        assert_string_equal(mark.metrics[3].name, "val_accuracy");
        assert_string_equal(mark.metrics[4].name, "val_top5");
        assert_string_equal(mark.metrics[5].name, "val_f1");
    }
    mark_owner_free(owner);
}

static void epochs_and_validations_are_marked(void **state)
{
    struct error error = ERROR_INIT;
    struct mark_receiver *receiver = mark_receiver_open(&error);
    assert_non_null(receiver);
    assert_int_equal(setenv(MARK_SOCKET_VARIABLE, mark_receiver_path(receiver), 1), 0);
    struct mark_sender *sender = mark_sender_open();
    assert_non_null(sender);
    struct seen seen = {0};
    struct train_options options = two_epochs();
    struct train_result result = train(*state, &options, 0.01, sender, &seen);
    for (int64_t epoch = 1; epoch <= 2; epoch++) {
        expect_mark(receiver, MARK_BEGIN, "epoch", epoch, 0);
        expect_mark(receiver, MARK_BEGIN, "validation", epoch, 0);
        expect_mark(receiver, MARK_END, "validation", epoch, 0);
        expect_mark(receiver, MARK_END, "epoch", epoch, 6);
    }
    train_result_free(&result);
    mark_sender_close(sender);
    mark_receiver_close(receiver);
    unsetenv(MARK_SOCKET_VARIABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_epoch_trains_on_all_images_and_scores_all_test_images),
        cmocka_unit_test(the_same_seed_gives_the_same_losses_to_the_bit),
        cmocka_unit_test(schedule_clipping_and_smoothing_repeat_to_the_bit),
        cmocka_unit_test(a_warm_up_longer_than_the_run_is_refused),
        cmocka_unit_test(the_best_epoch_is_kept_and_patience_ends),
        cmocka_unit_test(the_confusion_matrix_is_of_all_test_images),
        cmocka_unit_test(steps_cut_an_epoch_short_which_is_still_validated),
        cmocka_unit_test(without_validation_nothing_is_scored),
        cmocka_unit_test(it_stops_at_the_next_step_when_asked),
        cmocka_unit_test(a_loss_that_is_no_number_ends_the_training),
        cmocka_unit_test(epochs_and_validations_are_marked),
    };
    return cmocka_run_group_tests(tests, open_world, close_world);
}
