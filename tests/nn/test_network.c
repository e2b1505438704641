#include "base/random.h"
#include "nn/cpu_kernels.h"
#include "nn/graph.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct graph *zoo(const char *name, size_t size, double width)
{
    struct error error = ERROR_INIT;
    struct graph *graph =
        zoo_build(name, &(struct zoo_options){.classes = 10, .size = size, .width = width}, &error);
    if (!graph)
        fail_msg("%s", error_text(&error));
    return graph;
}

static struct network *open_network(const struct graph *graph, size_t batch, uint64_t seed,
                                    struct optimizer_options optimizer)
{
    struct error error = ERROR_INIT;
    struct network_options options = {.batch = batch, .seed = seed, .optimizer = optimizer};
    struct network *network = network_new(graph, &options, &error);
    if (!network)
        fail_msg("%s", error_text(&error));
    return network;
}

static const struct optimizer_options adam = {.kind = OPTIMIZER_ADAM, .learning_rate = 1e-3};

enum { MOST = 8, SIZE = 32, PIXELS = 3 * SIZE * SIZE, LARGEST = 75 * 75 * 3 };

struct batch {
    float images[MOST * LARGEST]; /* enough for the largest least size */
    int32_t labels[MOST];
};

static struct batch *random_batch(uint64_t seed)
{
    struct batch *batch = malloc(sizeof *batch);
    struct random_stream random;
    assert_non_null(batch);
    random_seed(&random, seed, 0);
    for (size_t i = 0; i < MOST * LARGEST; i++)
        batch->images[i] = (float)random_normal(&random);
    for (size_t i = 0; i < MOST; i++)
        batch->labels[i] = (int32_t)random_below(&random, 10);
    return batch;
}

static double train(struct network *network, const struct batch *batch, size_t count)
{
    struct error error = ERROR_INIT;
    struct step_result result;
    if (network_train(network, batch->images, batch->labels, count, &result, &error))
        fail_msg("%s", error_text(&error));
    return result.loss;
}

static struct step_result evaluate(struct network *network, const struct batch *batch, size_t from,
                                   size_t count)
{
    struct error error = ERROR_INIT;
    struct step_result result;
    if (network_evaluate(network, batch->images + from * PIXELS, batch->labels + from, count, &result,
                         &error))
        fail_msg("%s", error_text(&error));
    return result;
}

static void parameters_are_torchvisions(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t parameters;
        double gflops; /* torchvision's table counts a multiply-add once */
    } known[] = {{"vgg16", 138357544, 2 * 15.47},
                 {"vgg19", 143667240, 2 * 19.63},
                 {"resnet18", 11689512, 2 * 1.814},
                 {"resnet50", 25557032, 2 * 4.089}};
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct graph *graph = zoo_build(known[i].name, &(struct zoo_options){0}, &error);
        assert_non_null(graph);
        assert_true(graph_parameters(graph) == known[i].parameters);
        assert_true(fabs((double)graph_flops(graph) / 1e9 / known[i].gflops - 1) < 0.002);
        graph_free(graph);
    }
    struct graph *lenet = zoo("lenet5", 32, 1), *larger = zoo("lenet5", 57, 1);
    assert_true(graph_parameters(lenet) == 62006);
    assert_true(graph_parameters(larger) == 62006);
    graph_free(lenet);
    graph_free(larger);
}

/* One batch is soon learnt by heart; deep networks get worse for some steps first. */
static void every_architecture_trains_at_small_width(void **state)
{
    (void)state;
    size_t count;
    const char *const *names = zoo_names(&count);
    struct batch *batch = random_batch(1);
    assert_true(count >= 5);
    for (size_t i = 0; i < count; i++) {
        size_t least = zoo_least_size(names[i]);
        assert_true(3 * least * least <= LARGEST);
        struct graph *graph = zoo(names[i], least, 0.25);
        struct network *network = open_network(graph, MOST, 1, adam);
        double first = train(network, batch, MOST), last = first;
        for (int step = 0; step < 60 && !(last < 0.8 * first); step++)
            last = train(network, batch, MOST);
        if (!(last < 0.8 * first))
            fail_msg("%s: loss %g, then %g", names[i], first, last);
        network_free(network);
        graph_free(graph);
    }
    free(batch);
}

static void the_same_seed_gives_the_same_losses(void **state)
{
    (void)state;
    struct batch *batch = random_batch(2);
    double losses[3][4];
    for (int run = 0; run < 3; run++) {
        struct graph *graph = zoo("vgg16", 32, 0.2); /* with dropout */
        struct network *network = open_network(graph, MOST, run == 2 ? 6 : 5, adam);
        for (int step = 0; step < 4; step++)
            losses[run][step] = train(network, batch, step == 2 ? 5 : MOST);
        network_free(network);
        graph_free(graph);
    }
    assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
    assert_true(losses[0][0] != losses[2][0]);
    free(batch);
}

static void an_evaluation_in_parts_is_the_same(void **state)
{
    (void)state;
    struct batch *batch = random_batch(3);
    struct graph *graph = zoo("resnet18", 32, 0.3);
    struct network *network = open_network(graph, MOST, 1, adam);
    for (int step = 0; step < 3; step++)
        train(network, batch, MOST);
    struct step_result all = evaluate(network, batch, 0, MOST);
    struct step_result head = evaluate(network, batch, 0, 3), tail = evaluate(network, batch, 3, 5);
    double parts = (3 * head.loss + 5 * tail.loss) / 8;
    assert_true(fabs(parts - all.loss) < 1e-5 * all.loss);
    assert_int_equal(head.correct + tail.correct, all.correct);
    struct step_result again = evaluate(network, batch, 0, MOST);
    assert_true(again.loss == all.loss);
    network_free(network);
    graph_free(graph);
    free(batch);
}

/* A batch of five in a network made for eight learns what a network made for five learns. */
static void a_partial_batch_is_exact(void **state)
{
    (void)state;
    struct batch *batch = random_batch(4);
    double losses[2][5];
    for (int run = 0; run < 2; run++) {
        struct graph *graph = zoo("resnet18", 32, 0.25);
        struct network *network =
            open_network(graph, run ? 5 : MOST, 1, (struct optimizer_options){.learning_rate = 1e-4});
        for (int step = 0; step < 5; step++)
            losses[run][step] = train(network, batch, 5);
        network_free(network);
        graph_free(graph);
    }
    for (int step = 0; step < 5; step++)
        assert_true(fabs(losses[0][step] - losses[1][step]) < 1e-3 * losses[1][step]);
    free(batch);
}

static void a_single_image_keeps_the_network_sane(void **state)
{
    (void)state;
    struct batch *batch = random_batch(5);
    struct graph *graph = zoo("resnet18", 32, 0.25);
    struct network *network = open_network(graph, MOST, 1, adam);
    train(network, batch, MOST);
    assert_true(isfinite(train(network, batch, 1)));
    assert_true(isfinite(evaluate(network, batch, 0, MOST).loss));
    network_free(network);
    graph_free(graph);
    free(batch);
}

static float *get(const struct network *network, const char *name, size_t count)
{
    struct error error = ERROR_INIT;
    float *data = malloc(count * sizeof *data);
    assert_non_null(data);
    if (network_get_tensor(network, name, data, count, &error))
        fail_msg("%s", error_text(&error));
    return data;
}

/* At 32x32 the last stage of a resnet18 sees single pixels: of a 3x3 kernel only the middle tap meets them.
 */
static void taps_without_image_only_decay(void **state)
{
    (void)state;
    enum { CHANNELS = 64, COUNT = CHANNELS * CHANNELS * 9, STEPS = 6 };
    const double rate = 0.01, momentum = 0.9, decay = 0.5;
    static const char name[] = "layer4.1.conv1.weight";
    struct batch *batch = random_batch(6);
    struct graph *graph = zoo("resnet18", 32, 0.125);
    struct network *network = open_network(
        graph, MOST, 1,
        (struct optimizer_options){.learning_rate = rate, .momentum = momentum, .weight_decay = decay});
    float *before = get(network, name, COUNT);
    for (int step = 0; step < STEPS; step++)
        train(network, batch, MOST);
    float *after = get(network, name, COUNT);
    double w = 1, m = 0;
    for (int step = 0; step < STEPS; step++) {
        m = momentum * m + decay * w;
        w -= rate * m;
    }
    size_t moved = 0;
    for (size_t i = 0; i < COUNT; i++) {
        bool as_decayed = fabs(after[i] - w * before[i]) <= 1e-6 * fabs(before[i]);
        if (i % 9 == 4)
            moved += !as_decayed;
        else
            assert_true(as_decayed);
    }
    assert_true(moved > COUNT / 18);
    network_free(network);
    graph_free(graph);
    free(before);
    free(after);
    free(batch);
}

/* At 32x32 vgg16's first dense layer sees 49 copies of a pixel: their weights' gradients are equal. */
static void weights_of_a_repeated_pixel_move_together(void **state)
{
    (void)state;
    enum { HIDDEN = 512, CHANNELS = 64, COUNT = HIDDEN * CHANNELS * 49 };
    struct batch *batch = random_batch(7);
    struct graph *graph = zoo("vgg16", 32, 0.125);
    struct network *network = open_network(graph, MOST, 1, adam);
    float *before = get(network, "classifier.0.weight", COUNT);
    for (int step = 0; step < 3; step++)
        train(network, batch, MOST);
    float *after = get(network, "classifier.0.weight", COUNT);
    size_t moved = 0;
    for (size_t i = 0; i < HIDDEN * CHANNELS; i++) {
        double step = (double)after[i * 49] - before[i * 49];
        moved += fabs(step) > 1e-4;
        for (size_t k = 1; k < 49; k++)
            assert_true(fabs((double)after[i * 49 + k] - before[i * 49 + k] - step) < 1e-6);
    }
    assert_true(moved > 1000);
    network_free(network);
    graph_free(graph);
    free(before);
    free(after);
    free(batch);
}

static void tensors_come_back_as_they_were_set(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct graph *graph = zoo("vgg16", 32, 0.07);
    struct network *network = open_network(graph, MOST, 1, adam);
    size_t count;
    struct tensor *tensors = graph_tensors(graph, &count, &error);
    for (size_t i = 0; i < count; i++) {
        float *set = malloc(tensors[i].count * sizeof *set);
        for (size_t k = 0; k < tensors[i].count; k++)
            set[k] = sinf((float)k);
        assert_int_equal(network_set_tensor(network, tensors[i].name, set, tensors[i].count, &error), 0);
        float *got = get(network, tensors[i].name, tensors[i].count);
        for (size_t k = 0; k < tensors[i].count; k++)
            assert_true(fabsf(set[k] - got[k]) < 1e-6f);
        free(set);
        free(got);
    }
    graph_tensors_free(tensors, count);
    network_free(network);
    graph_free(graph);
}

static void dropout_keeps_the_mean_and_repeats(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    float *x = malloc(COUNT * sizeof *x), *y = malloc(COUNT * sizeof *y), *z = malloc(COUNT * sizeof *z);
    for (size_t i = 0; i < COUNT; i++)
        x[i] = 1;
    kernel_dropout(ELEMENT_FLOAT, y, x, 0.3, 99, COUNT);
    kernel_dropout(ELEMENT_FLOAT, z, x, 0.3, 99, COUNT);
    assert_memory_equal(y, z, COUNT * sizeof *y);
    double sum = 0;
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(y[i] == 0 || fabsf(y[i] - 1 / 0.7f) < 1e-6f);
        sum += y[i];
    }
    assert_true(fabs(sum / COUNT - 1) < 0.01);
    kernel_dropout(ELEMENT_FLOAT, z, x, 0.3, 100, COUNT);
    assert_true(memcmp(y, z, COUNT * sizeof *y) != 0);
    free(x);
    free(y);
    free(z);
}

static void the_five_highest_scores_and_each_prediction_are_told(void **state)
{
    (void)state;
    /* the label's rank: 0, 4, 5, then 5 of equals (the first counts as higher), 0 of equals */
    static const float scores[5][7] = {{9, 1, 2, 3, 4, 5, 6},
                                       {3, 4, 5, 6, 7, 1, 2},
                                       {2, 3, 4, 5, 6, 7, 1},
                                       {1, 1, 1, 1, 1, 1, 1},
                                       {1, 1, 1, 1, 1, 1, 1}};
    static const int32_t labels[5] = {0, 0, 0, 5, 0};
    int32_t predictions[5];
    struct loss_options options = {.labels = labels, .count = 5, .classes = 7, .predictions = predictions};
    struct step_result result;
    kernel_loss(NULL, scores[0], &options, &result);
    assert_int_equal(result.correct, 2);
    assert_int_equal(result.top5, 3);
    assert_ptr_equal(result.predictions, predictions);
    const int32_t expected[5] = {0, 4, 5, 0, 0};
    assert_memory_equal(predictions, expected, sizeof expected);
}

/* Clipping that never bites is none but for the order of additions (gradients that wait for the norm of all
 * are computed apart), and takes the memory of the gradients that it keeps. */
static void a_norm_never_reached_changes_nothing_but_the_memory(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct graph *graph = zoo("lenet5", SIZE, 1);
    struct batch *batch = random_batch(4);
    struct network *plain = open_network(graph, MOST, 3, adam);
    struct network_options options = {.batch = MOST, .seed = 3, .optimizer = adam, .clip_norm = 1e6};
    struct network *clipped = network_new(graph, &options, &error);
    options.clip_norm = 1e-3;
    struct network *tight = network_new(graph, &options, &error);
    assert_true(clipped && tight);
    for (int i = 0; i < 4; i++) {
        double loss = train(plain, batch, MOST);
        assert_true(fabs(train(clipped, batch, MOST) / loss - 1) < 1e-5);
        assert_true(i < 2 || fabs(train(tight, batch, MOST) / loss - 1) > 1e-4);
    }
    assert_true(network_memory_bytes(clipped) >= network_memory_bytes(plain));
    network_free(plain);
    network_free(clipped);
    network_free(tight);
    graph_free(graph);
    free(batch);
    /* where weights outweigh activations, gradients are most of what is added */
    graph = zoo("vgg16", SIZE, 0.5);
    options.batch = 1;
    clipped = network_new(graph, &options, &error);
    plain = open_network(graph, 1, 3, adam);
    size_t gradients = graph_trainable_parameters(graph) * sizeof(float);
    size_t more = network_memory_bytes(clipped) - network_memory_bytes(plain);
    assert_true(network_memory_bytes(clipped) > network_memory_bytes(plain) && more <= gradients * 5 / 4);
    network_free(plain);
    network_free(clipped);
    graph_free(graph);
}

static void expect(struct error *error, const char *part)
{
    if (!strstr(error_text(error), part))
        fail_msg("expected '%s' in: %s", part, error_text(error));
    error_clear(error);
}

static void wrong_architectures_are_explained(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    assert_null(zoo_build("resnet5", &(struct zoo_options){0}, &error));
    expect(&error, "did you mean resnet50?");
    assert_null(zoo_build("transformer", &(struct zoo_options){0}, &error));
    expect(&error, "expected one of lenet5");
    assert_null(zoo_build("vgg16", &(struct zoo_options){.size = 28}, &error));
    expect(&error, "vgg16: images of 28x28 are too small: it needs at least 32x32");
    assert_null(zoo_build("vgg16", &(struct zoo_options){.width = -1}, &error));
    expect(&error, "width -1");
    assert_null(zoo_build("vgg16", &(struct zoo_options){.classes = 1}, &error));
    expect(&error, "1 classes");
    struct graph *g = graph_new("mine", INIT_PYTORCH);
    size_t x = graph_input(g, (struct shape){3, 4, 4});
    x = graph_convolution(g, x, "stem", (struct convolution){.out = 8, .kernel = 7});
    assert_null(graph_finish(g, graph_dense(g, x, "fc", 10), &error));
    expect(&error, "mine: convolution stem: its input of 4 pixels is too small for a window of 7");
}

static void wrong_use_is_explained(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct step_result result;
    struct graph *graph = zoo("lenet5", 32, 1);
    struct network *network = open_network(graph, 4, 1, adam);
    struct batch *batch = random_batch(8);
    float weights[450] = {0};
    assert_int_equal(network_set_tensor(network, "conv1.weights", weights, 450, &error), -1);
    expect(&error, "no tensor 'conv1.weights' in this network (did you mean conv1.weight?)");
    assert_int_equal(network_get_tensor(network, "conv1.weight", weights, 449, &error), -1);
    expect(&error, "conv1.weight: expected 450 values, found 449");
    assert_int_equal(network_train(network, batch->images, batch->labels, 5, &result, &error), -1);
    expect(&error, "5 images: expected 1 to 4");
    assert_int_equal(network_evaluate(network, batch->images, batch->labels, 0, &result, &error), -1);
    expect(&error, "0 images");
    batch->labels[2] = 10;
    assert_int_equal(network_train(network, batch->images, batch->labels, 4, &result, &error), -1);
    expect(&error, "label 10 of image 2: expected 0 to 9");
    network_free(network);
    struct network_options huge = {.batch = 1000000, .optimizer = adam};
    struct graph *large = zoo("vgg19", 224, 1);
    assert_null(network_new(large, &huge, &error));
    expect(&error, "too little memory: ");
    huge.batch = 0;
    assert_null(network_new(graph, &huge, &error));
    expect(&error, "batch of 0 images");
    graph_free(large);
    graph_free(graph);
    free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_torchvisions),
        cmocka_unit_test(every_architecture_trains_at_small_width),
        cmocka_unit_test(the_same_seed_gives_the_same_losses),
        cmocka_unit_test(an_evaluation_in_parts_is_the_same),
        cmocka_unit_test(a_partial_batch_is_exact),
        cmocka_unit_test(a_single_image_keeps_the_network_sane),
        cmocka_unit_test(taps_without_image_only_decay),
        cmocka_unit_test(weights_of_a_repeated_pixel_move_together),
        cmocka_unit_test(tensors_come_back_as_they_were_set),
        cmocka_unit_test(dropout_keeps_the_mean_and_repeats),
        cmocka_unit_test(the_five_highest_scores_and_each_prediction_are_told),
        cmocka_unit_test(a_norm_never_reached_changes_nothing_but_the_memory),
        cmocka_unit_test(wrong_architectures_are_explained),
        cmocka_unit_test(wrong_use_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
