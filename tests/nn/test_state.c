/* The state of a training, taken out and given to another network: it goes on to the same losses. */
#include "base/random.h"
#include "nn/nn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { IMAGES = 8, CLASSES = 4, SIZE = 32, FLOATS = IMAGES * 3 * SIZE * SIZE, STEPS = 4 };

static struct network *compile(const struct optimizer_options *optimizer)
{
    struct error error = ERROR_INIT;
    /* channels that are no multiple of a vector, batch normalisation, dropout */
    const struct zoo_options zoo = {.classes = CLASSES, .size = SIZE, .width = 0.1};
    struct graph *graph = zoo_build("vgg11_bn", &zoo, &error);
    const struct network_options options = {.batch = IMAGES, .seed = 3, .optimizer = *optimizer};
    struct network *network = graph ? network_new(graph, &options, &error) : NULL;
    graph_free(graph);
    if (!network)
        fail_msg("%s", error_text(&error));
    return network;
}

static double step(struct network *network, uint64_t number)
{
    static const int32_t labels[IMAGES] = {0, 1, 2, 3, 0, 1, 2, 3};
    struct error error = ERROR_INIT;
    struct random_stream random;
    struct step_result result;
    float *images = malloc(FLOATS * sizeof *images);
    assert_non_null(images);
    random_seed(&random, 5, number);
    for (size_t i = 0; i < FLOATS; i++)
        images[i] = (float)random_normal(&random);
    if (network_train(network, images, labels, IMAGES, &result, &error) < 0)
        fail_msg("%s", error_text(&error));
    free(images);
    return result.loss;
}

/* The parts there are are counted: 0 would leave something behind. */
static size_t copy_state(const struct network *from, struct network *to)
{
    struct error error = ERROR_INIT;
    size_t parts = 0;
    for (size_t i = 0; i < network_tensor_count(from); i++)
        for (enum network_part part = 0; part < NETWORK_PARTS; part++) {
            size_t count = network_part_count(from, i, part);
            assert_int_equal(count, network_part_count(to, i, part));
            if (!count)
                continue;
            float *data = malloc(count * sizeof *data);
            assert_non_null(data);
            assert_int_equal(network_get_part(from, i, part, data, &error), 0);
            assert_int_equal(network_set_part(to, i, part, data, &error), 0);
            free(data);
            parts++;
        }
    double *scalars = calloc(network_scalar_count(from), sizeof *scalars);
    assert_non_null(scalars);
    network_get_scalars(from, scalars);
    network_set_scalars(to, scalars);
    free(scalars);
    return parts;
}

static void goes_on_with(const struct optimizer_options *optimizer, size_t memories)
{
    struct network *first = compile(optimizer), *second = compile(optimizer);
    for (uint64_t i = 0; i < STEPS; i++)
        step(first, i);
    size_t tensors = network_tensor_count(first), trainable = 0;
    for (size_t i = 0; i < tensors; i++)
        trainable += network_part_count(first, i, PART_FIRST) > 0;
    assert_true(trainable > 0 && trainable < tensors);
    assert_true(copy_state(first, second) >= tensors + memories * trainable);
    for (uint64_t i = STEPS; i < (uint64_t)2 * STEPS; i++) {
        double expected = step(first, i), found = step(second, i);
        assert_memory_equal(&expected, &found, sizeof expected);
    }
    network_free(first);
    network_free(second);
}

static void training_goes_on_to_the_same_losses_with_adam(void **state)
{
    (void)state;
    goes_on_with(
        &(struct optimizer_options){.kind = OPTIMIZER_ADAMW, .learning_rate = 0.003, .weight_decay = 0.1}, 2);
}

static void training_goes_on_to_the_same_losses_with_momentum(void **state)
{
    (void)state;
    goes_on_with(
        &(struct optimizer_options){
            .kind = OPTIMIZER_SGD, .learning_rate = 0.02, .momentum = 0.9, .weight_decay = 0.01},
        1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(training_goes_on_to_the_same_losses_with_adam),
        cmocka_unit_test(training_goes_on_to_the_same_losses_with_momentum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
