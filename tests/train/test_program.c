/* joulery-train as people run it. */
#include "base/file.h"
#include "base/text.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs "joulery-train ARGUMENTS" after `before`, returns its exit status; `*output` is what it wrote to both
 * streams. */
static int run_after(const char *before, const char *arguments, char **output)
{
    AUTO_FREE char *command =
        text_format("%s'%s/joulery-train' 2>&1 %s", before, getenv("JOULERY_BIN"), arguments);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    struct text text = TEXT_INIT;
    char block[4096];
    for (size_t got; (got = fread(block, 1, sizeof block, pipe)) > 0;)
        text_append_bytes(&text, block, got);
    int status = pclose(pipe);
    *output = text_take(&text);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int run(const char *arguments, char **output)
{
    return run_after("", arguments, output);
}

static void expect(const char *arguments, int status, const char *said)
{
    AUTO_FREE char *output = NULL;
    int found = run(arguments, &output);
    if (found != status || !strstr(output, said))
        fail_msg("%s: status %d, expected %d and '%s' in: %s", arguments, found, status, said, output);
}

static json_t *run_json(const char *arguments)
{
    AUTO_FREE char *quiet = text_format("%s --json - 2>/dev/null", arguments);
    AUTO_FREE char *output = NULL;
    assert_int_equal(run(quiet, &output), 0);
    json_error_t error;
    json_t *json = json_loads(output, 0, &error);
    if (!json)
        fail_msg("%s: %s", error.text, output);
    return json;
}

static const char *text_of(json_t *json, const char *key)
{
    return json_string_value(json_object_get(json, key));
}

static json_int_t count_of(json_t *json, const char *key)
{
    return json_integer_value(json_object_get(json, key));
}

static void train_writes_what_docs_json_promises(void **state)
{
    (void)state;
    json_t *json =
        run_json("train --arch lenet5 --data shapes:100 --epochs 2 --batch 40 --threads 1 --log-steps "
                 "--optimizer sgd --lr 0.02 --seed 7 --classes 12");
    assert_string_equal(text_of(json, "schema"), "joulery.train/1");
    assert_string_equal(text_of(json, "architecture"), "lenet5");
    assert_string_equal(text_of(json, "ended"), "finished");
    assert_int_equal(count_of(json, "steps_done"), 6);
    assert_int_equal(count_of(json, "seed"), 7);
    assert_int_equal(count_of(json, "batch"), 40);
    assert_int_equal(count_of(json, "threads"), 1);
    assert_true(count_of(json, "parameters") > 60000);
    assert_true(count_of(json, "peak_rss_bytes") > 1 << 20);
    assert_int_equal(json_array_size(json_object_get(json, "steps")), 6);
    json_t *epochs = json_object_get(json, "epochs");
    assert_int_equal(json_array_size(epochs), 2);
    assert_int_equal(count_of(json_array_get(epochs, 1), "epoch"), 2);
    assert_true(json_is_real(json_object_get(json_array_get(epochs, 1), "val_accuracy")));
    assert_true(json_real_value(json_object_get(json, "images_per_s")) > 0);
    assert_true(json_is_real(json_object_get(json, "loader_wait_share")));
    assert_string_equal(text_of(json_object_get(json, "optimizer"), "name"), "sgd");
    assert_int_equal(count_of(json_object_get(json, "options"), "outputs"), 12);
    assert_int_equal(count_of(json_object_get(json, "data"), "train_images"), 100);
    json_decref(json);
}

static void without_validation_its_figures_are_null(void **state)
{
    (void)state;
    json_t *json = run_json("train --arch lenet5 --data shapes:100 --steps 1 --no-validation");
    json_t *epoch = json_array_get(json_object_get(json, "epochs"), 0);
    assert_true(json_is_null(json_object_get(epoch, "val_loss")));
    assert_true(json_is_null(json_object_get(json, "images_per_s")));
    assert_null(json_object_get(json, "steps"));
    json_decref(json);
}

static void augmentation_is_a_list_or_the_standard(const char *given, const char *expected)
{
    AUTO_FREE char *arguments =
        text_format("train --arch lenet5 --data shapes:100 --steps 2 --no-validation %s", given);
    json_t *json = run_json(arguments);
    json_t *options = json_object_get(json, "options");
    assert_int_equal(json_is_true(json_object_get(options, "augment")), expected != NULL);
    if (expected)
        assert_string_equal(text_of(options, "augmentation"), expected);
    else
        assert_true(json_is_null(json_object_get(options, "augmentation")));
    json_decref(json);
}

static void images_are_changed_and_normalised_as_asked(void **state)
{
    (void)state;
    augmentation_is_a_list_or_the_standard("", NULL);
    augmentation_is_a_list_or_the_standard("--augment", "flip:0.5,crop:4");
    augmentation_is_a_list_or_the_standard("--augment --seed 3", "flip:0.5,crop:4");
    augmentation_is_a_list_or_the_standard("--augment paper,jitter:0.2",
                                           "rotate:15,shift:0.1,flip:0.5,jitter:0.2");
    json_t *json = run_json("train --arch lenet5 --data shapes:100 --steps 2 --normalize imagenet");
    json_t *data = json_object_get(json, "data");
    assert_string_equal(text_of(data, "normalization"), "imagenet");
    assert_true(json_real_value(json_array_get(json_object_get(data, "mean"), 0)) == (double)0.485F);
    assert_true(json_real_value(json_object_get(json, "loader_cpu_s")) > 0);
    json_decref(json);
    expect("train --arch lenet5 --data shapes:100 --steps 2", 0, "of training spent waiting for data");
    expect("train --augment rotat", 2, "--augment: unknown transform 'rotat' (did you mean rotate?)");
    expect("train --augment shift:2", 2, "--augment: shift: expected 0.001 to 0.999 of the size, found 2");
    expect("train --normalize imagnet", 2, "--normalize: unknown normalisation 'imagnet'");
}

static void zoo_lists_torchvisions_counts(void **state)
{
    (void)state;
    json_t *json = run_json("zoo");
    assert_string_equal(text_of(json, "schema"), "joulery.zoo/1");
    size_t i, found = 0;
    json_t *entry;
    json_array_foreach(json_object_get(json, "architectures"), i, entry)
    {
        if (strcmp(text_of(entry, "name"), "resnet18") == 0)
            found += count_of(entry, "parameters") == 11689512;
        if (strcmp(text_of(entry, "name"), "vgg16") == 0)
            found += count_of(entry, "parameters") == 138357544;
        assert_true(count_of(entry, "flops") > 0);
    }
    assert_int_equal(found, 2);
    json_decref(json);
    expect("zoo --size 32 --classes 10", 0, "resnet50");
}

static void wrong_usage_says_what_to_do(void **state)
{
    (void)state;
    expect("", 2, "usage: joulery-train");
    expect("trian", 2, "did you mean train?");
    expect("train -h", 0, "example:");
    expect("zoo -h", 0, "example:");
    expect("train --arch resnet5", 2, "did you mean resnet50?");
    expect("train --bach 3", 2, "did you mean --batch?");
    expect("train --batch 0", 2, "--batch: expected 1 to");
    expect("train --optimizer sdg", 2, "did you mean sgd?");
    expect("train --data shapes:100 --classes 3 --arch lenet5", 2,
           "expected at least the 10 classes of shapes:100");
    expect("train --arch resnet18 --size 4", 2, "too small");
    expect("train --data shapez", 1, "did you mean shapes?");
    expect("train --data cifar10:/nonexistent", 1, "/nonexistent/data_batch_1.bin: no such file");
    expect("train --arch lenet5 --data shapes:100 --steps 1 --batch 900000", 0, "1 steps in");
    expect("train --arch lenet5 --data shapes:100 --steps 1 --batch 900000", 0, "1 steps in");
    expect("train --arch lenet5 --data shapes:100 --steps 1 --json /nonexistent/x.json", 1,
           "/nonexistent/x.json: can't be written to: No such");
}

static void what_does_not_go_together_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *arguments, *said;
    } cases[] = {
        {"--momentum 0.9", "--momentum is of --optimizer sgd, found adam"},
        {"--optimizer adamw --momentum 0", "found adamw"},
        {"--optimizer adamv", "did you mean adam?"},
        {"--nesterov", "--nesterov needs --optimizer sgd"},
        {"--optimizer sgd --momentum 0 --nesterov", "found sgd with momentum 0"},
        {"--label-smoothing 1.1", "--label-smoothing: expected 0 to 1"},
        {"--label-smoothing -0.1", "--label-smoothing: expected 0 to 1"},
        {"--clip-grad-norm -1", "--clip-grad-norm: expected 0 to"},
        {"--lr-scheduler cos", "expected constant, step or cosine, found 'cos'"},
        {"--lr-scheduler step", "needs --lr-step"},
        {"--lr-step 3", "--lr-step needs --lr-scheduler step"},
        {"--lr-scheduler cosine --lr-gamma 0.5", "--lr-gamma needs --lr-scheduler step"},
        {"--lr-scheduler step --lr-step 2 --lr-min 0", "--lr-min needs --lr-scheduler cosine"},
        {"--lr-scheduler cosine --lr-min 1", "expected 0 to the learning rate, 0.001"},
        {"--lr-warmup-start 0.5", "--lr-warmup-start needs --lr-warmup"},
        {"--lr-per step", "--lr-per needs"},
        {"--lr-warmup 5", "a warm-up of 5 epochs in a run of 5"},
        {"--lr-per step --steps 10 --lr-warmup 11", "a warm-up of 11 steps in a run of 10"},
        {"--patience 2 --no-validation", "--no-validation is given"},
        {"--precision fp16", "--precision: expected fp32 or bf16, found 'fp16'"},
        {"--monitor loss", "expected val_loss or val_accuracy, found 'loss'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *arguments = text_format("train %s", cases[i].arguments);
        expect(arguments, 2, cases[i].said);
    }
}

static void the_recipe_and_its_scores_are_in_the_results(void **state)
{
    (void)state;
    json_t *json = run_json("train --arch lenet5 --data shapes:100 --epochs 6 --batch 40 --lr 0 --patience 2 "
                            "--optimizer adamw --label-smoothing 0.1 --clip-grad-norm 1 --log-steps");
    json_t *options = json_object_get(json, "options"), *confusion = json_object_get(json, "confusion");
    assert_string_equal(text_of(json, "ended"), "early");
    assert_int_equal(count_of(json, "best_epoch"), 1);
    assert_int_equal(json_array_size(json_object_get(json, "epochs")), 3);
    assert_true(json_number_value(json_object_get(options, "clip_grad_norm")) == 1);
    assert_string_equal(text_of(json_object_get(options, "lr_scheduler"), "name"), "constant");
    assert_string_equal(text_of(json_object_get(json, "optimizer"), "name"), "adamw");
    assert_int_equal(count_of(confusion, "epoch"), 3);
    assert_int_equal(json_array_size(json_object_get(confusion, "counts")), 10);
    json_t *epoch = json_array_get(json_object_get(json, "epochs"), 2);
    assert_true(json_is_real(json_object_get(epoch, "val_top5")));
    assert_true(json_is_real(json_object_get(epoch, "val_f1")));
    json_decref(json);
    expect("train --arch lenet5 --data shapes:100 --epochs 6 --lr 0 --patience 1", 0,
           "stopped early: no better val_loss in 1 epoch\nbest epoch by val_loss: 1 ");
    json = run_json("train --arch lenet5 --data shapes:100 --epochs 3 --optimizer sgd --nesterov --lr 0.1 "
                    "--lr-scheduler step --lr-step 1 --lr-gamma 0.5 --lr-warmup 1 --lr-warmup-start 0.1");
    static const double rates[] = {0.01, 0.1, 0.05};
    for (size_t i = 0; i < 3; i++) {
        json_t *rate = json_object_get(json_array_get(json_object_get(json, "epochs"), i), "learning_rate");
        assert_true(json_number_value(rate) > rates[i] * 0.999999 &&
                    json_number_value(rate) < rates[i] * 1.000001);
    }
    json_decref(json);
}

/* Whether or not this processor has what it takes. */
static void bfloat16_trains_or_is_refused(void **state)
{
    (void)state;
    assert_int_equal(setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1), 0);
    expect("train --arch lenet5 --data shapes:100 --steps 1 --precision bf16", 1,
           "lenet5: precision bf16 takes a processor with AVX-512, which this is not: use fp32");
    assert_int_equal(unsetenv("ONEDNN_MAX_CPU_ISA"), 0);
    json_t *json = run_json("train --arch lenet5 --data shapes:100 --steps 1");
    assert_string_equal(text_of(json_object_get(json, "options"), "precision"), "fp32");
    json_decref(json);
    if (!__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl"))
        return;
    json = run_json("train --arch lenet5 --data shapes:400 --epochs 4 --precision bf16");
    assert_string_equal(text_of(json_object_get(json, "options"), "precision"), "bf16");
    json_t *epochs = json_object_get(json, "epochs");
    assert_true(json_number_value(json_object_get(json_array_get(epochs, 3), "loss")) <
                json_number_value(json_object_get(json_array_get(epochs, 0), "loss")));
    json_decref(json);
}

static void divergence_is_told_and_fails(void **state)
{
    (void)state;
    expect("train --arch lenet5 --data shapes:100 --optimizer sgd --lr 1e6 --epochs 50", 1,
           "training diverged: try a smaller --lr (it is 1e+06)");
}

/* Stops a training that would go on for long, once it has begun, and reads what it wrote. */
static double number_of(json_t *json, const char *key)
{
    json_t *value = json_object_get(json, key);
    assert_true(json_is_number(value));
    return json_number_value(value);
}

/* A folder of its own, which is the test's; removed at the end. */
static char *new_folder(void)
{
    char *folder = strdup("/tmp/joulery-weights-XXXXXX");
    assert_non_null(mkdtemp(folder));
    return folder;
}

static void remove_folder(char *folder)
{
    static const char *const names[] = {"a", "b", "bad"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        AUTO_FREE char *path = file_join(folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
    free(folder);
}

/* The best epoch is seldom the last with so large a rate. */
static void saved_weights_score_as_the_best_epoch_did(void **state)
{
    (void)state;
    char *folder = new_folder();
    AUTO_FREE char *train = text_format(
        "train --arch lenet5 --data shapes:200 --epochs 5 --lr 0.02 --seed 4 --threads 1 --monitor "
        "val_accuracy --save %s/a",
        folder);
    json_t *trained = run_json(train);
    json_t *weights = json_object_get(trained, "weights");
    json_int_t best = count_of(trained, "best_epoch");
    assert_int_equal(count_of(weights, "saved_epoch"), best);
    assert_true(best < 5);
    json_t *epoch = json_array_get(json_object_get(trained, "epochs"), (size_t)best - 1);
    AUTO_FREE char *eval = text_format("eval --weights %s/a --data shapes:200 --threads 1", folder);
    json_t *scored = run_json(eval);
    assert_string_equal(text_of(scored, "schema"), "joulery.eval/1");
    assert_string_equal(text_of(scored, "architecture"), "lenet5");
    assert_string_equal(text_of(scored, "split"), "test");
    assert_int_equal(count_of(scored, "images"), 40);
    assert_true(number_of(scored, "accuracy") == number_of(epoch, "val_accuracy"));
    assert_true(number_of(scored, "macro_f1") == number_of(epoch, "val_f1"));
    assert_true(fabs(number_of(scored, "loss") - number_of(epoch, "val_loss")) <
                1e-5 * number_of(epoch, "val_loss"));
    json_decref(scored);
    AUTO_FREE char *more = text_format("%s --split train", eval);
    scored = run_json(more);
    assert_int_equal(count_of(scored, "images"), 200);
    json_decref(scored);
    json_decref(trained);
    remove_folder(folder);
}

static void a_frozen_base_is_saved_as_it_was_loaded(void **state)
{
    (void)state;
    char *folder = new_folder();
    AUTO_FREE char *first = text_format("train --arch resnet18 --width 0.1 --data shapes:100 --epochs 1 "
                                        "--threads 1 --no-validation --save %s/a",
                                        folder);
    json_t *json = run_json(first);
    assert_true(json_is_null(json_object_get(json_object_get(json, "weights"), "loaded")));
    json_decref(json);
    /* the same head: nothing starts anew, and with no rate nothing changes */
    AUTO_FREE char *again =
        text_format("train --weights %s/a --freeze base --lr 0 --data shapes:100 --epochs 1 "
                    "--threads 1 --no-validation --save %s/b",
                    folder, folder);
    json = run_json(again);
    assert_true(json_is_true(json_object_get(json_object_get(json, "weights"), "head_loaded")));
    assert_string_equal(text_of(json, "architecture"), "resnet18");
    json_decref(json);
    struct error error = ERROR_INIT;
    AUTO_FREE char *a = text_format("%s/a", folder);
    AUTO_FREE char *b = text_format("%s/b", folder);
    size_t a_size, b_size;
    AUTO_FREE char *a_bytes = file_read(a, 1 << 26, &a_size, &error);
    AUTO_FREE char *b_bytes = file_read(b, 1 << 26, &b_size, &error);
    assert_non_null(a_bytes);
    assert_non_null(b_bytes);
    assert_int_equal(a_size, b_size);
    assert_memory_equal(a_bytes, b_bytes, a_size);
    AUTO_FREE char *other =
        text_format("train --weights %s/a --freeze base --head 16 --data shapes:100 --steps 1", folder);
    expect(other, 0, "note: the head starts anew");
    remove_folder(folder);
}

static void weights_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    char *folder = new_folder();
    AUTO_FREE char *train =
        text_format("train --arch lenet5 --data shapes:100 --steps 1 --no-validation --save %s/a", folder);
    json_decref(run_json(train));
    AUTO_FREE char *shape = text_format("eval --weights %s/a --data shapes:100 --width 2", folder);
    expect(shape, 1, "expects 12x3x5x5, found 6x3x5x5");
    AUTO_FREE char *outputs = text_format("eval --weights %s/a --data shapes:100 --classes 11", folder);
    expect(outputs, 1, "give --classes and --head as they were for it (it was saved as lenet5)");
    AUTO_FREE char *architecture =
        text_format("train --weights %s/a --arch alexnet --steps 1 --size 64 --data shapes:100", folder);
    expect(architecture, 1, "no weights of alexnet as it is built here");
    AUTO_FREE char *cut = text_format("head -c 3000 %s/a > %s/bad;", folder, folder);
    AUTO_FREE char *bad = text_format("eval --weights %s/bad --data shapes:100", folder);
    AUTO_FREE char *said = NULL;
    assert_int_equal(run_after(cut, bad, &said), 1);
    assert_non_null(strstr(said, "cut off"));
    expect("eval --weights /nowhere/x", 1, "/nowhere/x: No such file");
    expect("eval", 2, "expected --weights FILE");
    expect("eval --weights x --split both", 2, "--split: expected test or train, found 'both'");
    expect("train --save - --steps 1", 1, "expected a file");
    expect("train --save /nowhere/x --steps 1", 1, "/nowhere/x");
    remove_folder(folder);
}

/* The old weights stay, and the results are told all the same. */
static void a_full_disk_leaves_the_old_weights(void **state)
{
    (void)state;
    char *folder = new_folder();
    struct error error = ERROR_INIT;
    AUTO_FREE char *train =
        text_format("train --arch lenet5 --data shapes:100 --steps 1 --no-validation --save %s/a", folder);
    json_decref(run_json(train));
    AUTO_FREE char *path = text_format("%s/a", folder);
    size_t before_size, after_size;
    AUTO_FREE char *before = file_read(path, 1 << 26, &before_size, &error);
    AUTO_FREE char *said = NULL;
    AUTO_FREE char *again = text_format("%s --seed 9", train);
    assert_int_equal(run_after("ulimit -f 16;", again, &said), 1);
    assert_non_null(strstr(said, "1 steps in"));
    assert_non_null(strstr(said, "--save: "));
    AUTO_FREE char *after = file_read(path, 1 << 26, &after_size, &error);
    assert_int_equal(before_size, after_size);
    assert_memory_equal(before, after, before_size);
    remove_folder(folder);
}

enum { LOGGED_MOST = 64 };

/* The losses of the steps that this run did, at their places. */
static void take_losses(json_t *json, double *losses)
{
    json_t *entry;
    size_t i;
    json_array_foreach(json_object_get(json, "steps"), i, entry)
    {
        json_int_t step = count_of(entry, "step");
        assert_true(step >= 1 && step < LOGGED_MOST);
        losses[step] = number_of(entry, "loss");
    }
}

static void same_epochs(json_t *expected, json_t *found)
{
    static const char *const figures[] = {"loss",         "accuracy", "val_loss",
                                          "val_accuracy", "val_f1",   "learning_rate"};
    json_t *all = json_object_get(expected, "epochs"), *others = json_object_get(found, "epochs");
    assert_int_equal(json_array_size(all), json_array_size(others));
    for (size_t i = 0; i < json_array_size(all); i++) {
        json_t *one = json_array_get(all, i), *other = json_array_get(others, i);
        assert_int_equal(count_of(one, "images"), count_of(other, "images"));
        for (size_t k = 0; k < sizeof figures / sizeof *figures; k++)
            assert_true(number_of(one, figures[k]) == number_of(other, figures[k]));
    }
}

/* Broken off within the second epoch, and after it. */
static void goes_on_to_the_same_losses(const char *options)
{
    char *folder = new_folder();
    double expected[LOGGED_MOST] = {0}, found[LOGGED_MOST] = {0};
    AUTO_FREE char *common = text_format("train --data shapes:100 --threads 1 --log-steps %s", options);
    AUTO_FREE char *whole = text_format("%s --epochs 4 --save %s/a", common, folder);
    json_t *all = run_json(whole);
    take_losses(all, expected);
    static const char *const limits[] = {"--epochs 4 --steps 6", "--epochs 2", "--epochs 4"};
    json_t *last = NULL;
    for (size_t i = 0; i < 3; i++) {
        AUTO_FREE char *part =
            text_format("%s %s --checkpoint %s/b --resume --save %s/bad", common, limits[i], folder, folder);
        json_decref(last);
        last = run_json(part);
        take_losses(last, found);
    }
    assert_true(expected[16] > 0);
    assert_memory_equal(expected, found, sizeof expected);
    assert_int_equal(count_of(last, "resumed_at_step"), 8);
    assert_int_equal(count_of(last, "best_epoch"), count_of(all, "best_epoch"));
    same_epochs(all, last);
    json_decref(all);
    json_decref(last);
    remove_folder(folder);
}

static void a_training_goes_on_to_the_same_losses(void **state)
{
    (void)state;
    goes_on_to_the_same_losses("--arch lenet5 --augment paper --lr-scheduler step --lr-step 3 --lr-per step");
    goes_on_to_the_same_losses("--arch vgg11_bn --width 0.1 --optimizer sgd --lr 0.01 --clip-grad-norm 1");
    goes_on_to_the_same_losses(
        "--arch resnet18 --width 0.1 --freeze base --head 16 --dropout 0.5 --cache-features");
}

static void a_checkpoint_of_something_else_is_refused(void **state)
{
    (void)state;
    char *folder = new_folder();
    AUTO_FREE char *common =
        text_format("train --arch lenet5 --data shapes:100 --steps 3 --checkpoint %s/a", folder);
    AUTO_FREE char *anew = text_format("%s --resume", common);
    expect(anew, 0, "yet: training starts anew");
    AUTO_FREE char *batch = text_format("%s --resume --batch 16", common);
    expect(batch, 1, "--batch was '32' when it was written, and is '16' now");
    AUTO_FREE char *fewer = text_format("%s --resume --steps 2", common);
    expect(fewer, 1, "3 steps are done, and no more than 2 are to be");
    AUTO_FREE char *weights = text_format("train --weights %s/a --data shapes:100", folder);
    expect(weights, 1, "a checkpoint: go on from it with --checkpoint FILE --resume");
    AUTO_FREE char *both = text_format("%s --save %s/a", common, folder);
    expect(both, 1, "--checkpoint and --save: expected two files");
    expect("train --resume", 2, "--resume goes on from --checkpoint FILE");
    AUTO_FREE char *cut = text_format("head -c 9000 %s/a > %s/bad;", folder, folder);
    AUTO_FREE char *bad =
        text_format("train --arch lenet5 --data shapes:100 --steps 3 --checkpoint %s/bad --resume", folder);
    AUTO_FREE char *said = NULL;
    assert_int_equal(run_after(cut, bad, &said), 1);
    assert_non_null(strstr(said, "cut off"));
    remove_folder(folder);
}

/* Training goes on, and the last good one stays. */
static void a_full_disk_leaves_the_old_checkpoint(void **state)
{
    (void)state;
    char *folder = new_folder();
    struct error error = ERROR_INIT;
    AUTO_FREE char *common =
        text_format("train --arch lenet5 --data shapes:100 --checkpoint %s/a --resume", folder);
    AUTO_FREE char *first = text_format("%s --epochs 1", common);
    expect(first, 0, "4 steps in");
    AUTO_FREE char *path = text_format("%s/a", folder);
    size_t before_size, after_size;
    AUTO_FREE char *before = file_read(path, 1 << 26, &before_size, &error);
    AUTO_FREE char *second = text_format("%s --epochs 3", common);
    AUTO_FREE char *said = NULL;
    assert_int_equal(run_after("ulimit -f 64;", second, &said), 1);
    assert_non_null(strstr(said, "warning: the checkpoint after step 8 was not written"));
    assert_non_null(strstr(said, "12 steps in"));
    AUTO_FREE char *after = file_read(path, 1 << 26, &after_size, &error);
    assert_int_equal(before_size, after_size);
    assert_memory_equal(before, after, before_size);
    remove_folder(folder);
}

static void stop_with(int number, const char *name)
{
    AUTO_FREE char *program = text_format("%s/joulery-train", getenv("JOULERY_BIN"));
    AUTO_FREE char *path = text_format("/tmp/joulery-stop-%d.json", (int)getpid());
    int marks[2];
    assert_int_equal(pipe(marks), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(marks[1], STDERR_FILENO);
        close(marks[0]);
        execl(program, program, "train", "--arch", "lenet5", "--data", "shapes:100", "--epochs", "1000000",
              "--json", path, (char *)NULL);
        _exit(99);
    }
    close(marks[1]);
    FILE *talk = fdopen(marks[0], "r");
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, talk) > 0 && strncmp(line, "epoch 2", 7) != 0)
        ;
    assert_int_equal(kill(child, number), 0);
    while (getline(&line, &room, talk) > 0)
        ;
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 128 + number);
    json_error_t error;
    json_t *json = json_load_file(path, 0, &error);
    assert_non_null(json);
    assert_string_equal(text_of(json, "ended"), name);
    assert_true(json_array_size(json_object_get(json, "epochs")) >= 2);
    json_decref(json);
    unlink(path);
    free(line);
    fclose(talk);
}

static void signals_end_it_cleanly(void **state)
{
    (void)state;
    stop_with(SIGINT, "SIGINT");
    stop_with(SIGTERM, "SIGTERM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(train_writes_what_docs_json_promises),
        cmocka_unit_test(without_validation_its_figures_are_null),
        cmocka_unit_test(images_are_changed_and_normalised_as_asked),
        cmocka_unit_test(zoo_lists_torchvisions_counts),
        cmocka_unit_test(wrong_usage_says_what_to_do),
        cmocka_unit_test(what_does_not_go_together_is_refused),
        cmocka_unit_test(the_recipe_and_its_scores_are_in_the_results),
        cmocka_unit_test(bfloat16_trains_or_is_refused),
        cmocka_unit_test(divergence_is_told_and_fails),
        cmocka_unit_test(saved_weights_score_as_the_best_epoch_did),
        cmocka_unit_test(a_frozen_base_is_saved_as_it_was_loaded),
        cmocka_unit_test(weights_that_do_not_fit_are_refused),
        cmocka_unit_test(a_full_disk_leaves_the_old_weights),
        cmocka_unit_test(a_training_goes_on_to_the_same_losses),
        cmocka_unit_test(a_checkpoint_of_something_else_is_refused),
        cmocka_unit_test(a_full_disk_leaves_the_old_checkpoint),
        cmocka_unit_test(signals_end_it_cleanly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
