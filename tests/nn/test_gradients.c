/* Gradients against differences of the loss, for every kind of layer: the gradient is what one step of SGD at
 * rate 1 takes away; the loss without a step is that of a step at rate 0. */
#include "base/random.h"
#include "nn/graph.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 4, CLASSES = 5 };

static size_t conv(struct graph *g, size_t x, const char *name, struct convolution c)
{
    return graph_convolution(g, x, name, c);
}

static size_t head(struct graph *g, size_t x)
{
    return graph_dense(g, graph_flatten(g, x), "fc", CLASSES);
}

static size_t plain_convolution(struct graph *g, size_t x)
{
    x = conv(g, x, "a", (struct convolution){.out = 6, .kernel = 3, .padding = 1, .bias = true});
    return head(g, conv(g, x, "b", (struct convolution){.out = 20, .kernel = 3, .stride = 2}));
}

static size_t grouped_convolution(struct graph *g, size_t x)
{
    x = conv(g, x, "a", (struct convolution){.out = 32, .kernel = 3, .padding = 1});
    x = conv(g, x, "b",
             (struct convolution){.out = 32, .kernel = 3, .groups = 2, .padding = 1, .bias = true});
    return head(g, conv(g, x, "c", (struct convolution){.out = 32, .kernel = 3, .groups = 32, .padding = 1}));
}

static size_t dilated_oblong_convolution(struct graph *g, size_t x)
{
    x = conv(g, x, "a", (struct convolution){.out = 7, .kernel = 3, .padding = 2, .dilation = 2});
    return head(g, conv(g, x, "b",
                        (struct convolution){
                            .out = 5, .kernel = 1, .kernel_width = 5, .padding_width = 2, .bias = true}));
}

/* Taps that only meet padding; a part of the image seen by a convolution with one output pixel. */
static size_t small_images(struct graph *g, size_t x)
{
    x = conv(g, x, "a", (struct convolution){.out = 6, .kernel = 3, .stride = 4, .padding = 1});
    x = conv(g, x, "b", (struct convolution){.out = 8, .kernel = 3, .padding = 1, .bias = true});
    x = conv(g, x, "c", (struct convolution){.out = 9, .kernel = 1, .stride = 2});
    x = conv(g, x, "d", (struct convolution){.out = 8, .kernel = 3, .padding = 1});
    return head(g, x);
}

static size_t normalised(struct graph *g, size_t x)
{
    x = conv(g, x, "a", (struct convolution){.out = 6, .kernel = 3, .stride = 2});
    x = graph_relu(g, graph_batch_norm(g, x, "n"));
    return head(g, graph_batch_norm(g, conv(g, x, "b", (struct convolution){.out = 16, .kernel = 1}), "m"));
}

static size_t normalised_pixels(struct graph *g, size_t x)
{
    x = conv(g, graph_adaptive_pool(g, x, 1, 1), "a", (struct convolution){.out = 12, .kernel = 1});
    x = graph_relu(g, graph_batch_norm(g, x, "n"));
    return head(g, conv(g, x, "b", (struct convolution){.out = 12, .kernel = 3, .padding = 1}));
}

static size_t pools(struct graph *g, size_t x)
{
    x = graph_relu(g,
                   conv(g, x, "a", (struct convolution){.out = 6, .kernel = 3, .padding = 1, .bias = true}));
    x = graph_max_pool(g, x, (struct pooling){.kernel = 3, .stride = 2, .padding = 1});
    x = conv(g, x, "b", (struct convolution){.out = 6, .kernel = 3, .padding = 1});
    x = graph_average_pool(g, x, (struct pooling){.kernel = 3, .stride = 1, .padding = 1});
    return head(g, x);
}

static size_t uneven_pool(struct graph *g, size_t x)
{
    x = conv(g, x, "a", (struct convolution){.out = 6, .kernel = 2});
    return head(g, graph_adaptive_pool(g, x, 3, 2));
}

static size_t repeating_pool(struct graph *g, size_t x)
{
    x = conv(g, graph_adaptive_pool(g, x, 1, 1), "a",
             (struct convolution){.out = 6, .kernel = 1, .bias = true});
    return head(g, graph_adaptive_pool(g, graph_relu(g, x), 3, 3));
}

/* The pooling has a second reader, so that nothing may be folded. */
static size_t repeating_pool_read_twice(struct graph *g, size_t x)
{
    x = conv(g, graph_adaptive_pool(g, x, 1, 1), "a",
             (struct convolution){.out = 6, .kernel = 1, .bias = true});
    x = graph_adaptive_pool(g, x, 2, 2);
    size_t left = graph_dense(g, graph_flatten(g, x), "left", CLASSES);
    return graph_add(g, left, graph_dense(g, graph_flatten(g, x), "right", CLASSES));
}

static size_t residual(struct graph *g, size_t x)
{
    x = graph_relu(g,
                   conv(g, x, "a", (struct convolution){.out = 16, .kernel = 3, .stride = 2, .padding = 1}));
    size_t y = graph_relu(
        g, graph_batch_norm(g, conv(g, x, "b", (struct convolution){.out = 16, .kernel = 3, .padding = 1}),
                            "n"));
    size_t z = conv(g, x, "c", (struct convolution){.out = 16, .kernel = 1, .bias = true});
    x = graph_relu(g, graph_add(g, y, x));
    return head(g, graph_add(g, graph_add(g, x, z), graph_relu(g, z)));
}

static size_t dense_layers(struct graph *g, size_t x)
{
    x = graph_dense(g, graph_flatten(g, x), "a", 20);
    x = graph_relu(g, x);
    x = graph_dropout(g, x, 0);
    return graph_dense(g, graph_relu(g, graph_dense(g, x, "b", 17)), "c", CLASSES);
}

static size_t poolings_with_edges(struct graph *g, size_t x)
{
    x = conv(g, x, "a", (struct convolution){.out = 6, .kernel = 3, .padding = 1, .bias = true});
    x = graph_max_pool(g, x, (struct pooling){.kernel = 3, .stride = 2, .ceil = true});
    x = conv(g, x, "b", (struct convolution){.out = 20, .kernel = 1, .bias = true});
    x = graph_average_pool(g, x,
                           (struct pooling){.kernel = 3, .stride = 1, .padding = 1, .exclude_padding = true});
    return head(g, graph_average_pool(g, x, (struct pooling){.kernel = 1, .stride = 2}));
}

static size_t activations(struct graph *g, size_t x)
{
    static const enum activation all[] = {
        ACTIVATION_RELU6, ACTIVATION_HARDSWISH, ACTIVATION_HARDSIGMOID,
        ACTIVATION_SILU,  ACTIVATION_SIGMOID,   ACTIVATION_GELU,
    };
    size_t parts[6];
    for (int i = 0; i < 6; i++) {
        size_t scope = graph_enter(g, "%d.", i);
        parts[i] = conv(g, x, "a", (struct convolution){.out = 5, .kernel = 3, .bias = true});
        /* so that some values are beyond every bend */
        parts[i] = graph_layer_scale(g, graph_batch_norm(g, parts[i], "n"), "s", 4);
        parts[i] = graph_activation(g, parts[i], all[i]);
        parts[i] = conv(g, parts[i], "b", (struct convolution){.out = 2, .kernel = 1});
        graph_leave(g, scope);
    }
    return head(g, graph_concat(g, parts, 6));
}

static size_t activations_in_place(struct graph *g, size_t x)
{
    x = conv(g, x, "a", (struct convolution){.out = 32, .kernel = 3, .bias = true});
    x = graph_activation(g, graph_layer_scale(g, graph_batch_norm(g, x, "n"), "s", 4), ACTIVATION_RELU6);
    x = graph_dropout(g, x, 0);
    x = graph_add(g, x,
                  graph_activation(g, conv(g, x, "b", (struct convolution){.out = 32, .kernel = 1}),
                                   ACTIVATION_HARDSWISH));
    return head(g, graph_relu(g, graph_add(g, x, graph_activation(g, x, ACTIVATION_SILU))));
}

/* Numbers of channels that fill blocks, and that don't. */
static size_t moved_channels(struct graph *g, size_t x)
{
    size_t a = conv(g, x, "a", (struct convolution){.out = 32, .kernel = 3, .padding = 1, .bias = true});
    size_t b = conv(g, a, "b", (struct convolution){.out = 7, .kernel = 1, .bias = true});
    size_t c = graph_relu(g, conv(g, a, "c", (struct convolution){.out = 19, .kernel = 1, .bias = true}));
    size_t all = graph_concat(g, (const size_t[]){b, a, c, x, c}, 5);
    all = conv(g, all, "d", (struct convolution){.out = 36, .kernel = 1});
    size_t left = graph_slice(g, all, 0, 17), right = graph_slice(g, all, 17, 19);
    left = graph_widen(g, conv(g, left, "e", (struct convolution){.out = 9, .kernel = 1}), 17);
    all = graph_shuffle(g, graph_concat(g, (const size_t[]){left, right}, 2), 2);
    return head(g, graph_shuffle(
                       g, conv(g, all, "f", (struct convolution){.out = 48, .kernel = 3, .padding = 1}), 3));
}

static size_t gates(struct graph *g, size_t x)
{
    static const size_t channels[] = {32, 21};
    for (size_t i = 0; i < 2; i++) {
        size_t scope = graph_enter(g, "%zu.", i);
        x = graph_relu(
            g, graph_batch_norm(
                   g, conv(g, x, "a", (struct convolution){.out = channels[i], .kernel = 3, .bias = true}),
                   "n"));
        size_t s = conv(g, graph_adaptive_pool(g, x, 1, 1), "b",
                        (struct convolution){.out = 6, .kernel = 1, .bias = true});
        s = graph_activation(g, s, ACTIVATION_SILU);
        s = conv(g, s, "c", (struct convolution){.out = channels[i], .kernel = 1, .bias = true});
        s = graph_activation(g, s, i ? ACTIVATION_SIGMOID : ACTIVATION_HARDSIGMOID);
        x = graph_gate(g, x, s);
        graph_leave(g, scope);
    }
    return head(g, x);
}

static size_t scaled_layers(struct graph *g, size_t x)
{
    x = conv(g, x, "a", (struct convolution){.out = 20, .kernel = 3, .bias = true});
    size_t y = graph_layer_norm(g, x, "n");
    y = conv(g, y, "b", (struct convolution){.out = 40, .kernel = 1, .bias = true, .flat = true});
    y = conv(g, graph_activation(g, y, ACTIVATION_GELU), "c",
             (struct convolution){.out = 20, .kernel = 1, .flat = true});
    x = graph_add(g, graph_stochastic_depth(g, graph_layer_scale(g, y, "s", 0.5), 0), x);
    x = graph_layer_norm(g, graph_adaptive_pool(g, x, 1, 1), "m");
    x = conv(g, x, "d", (struct convolution){.out = 18, .kernel = 1, .flat = true});
    return head(g, graph_layer_scale(g, x, "t", 2));
}

struct bed {
    struct network *network;
    struct tensor *tensors;
    size_t tensor_count;
    float **weights; /* of each tensor */
    float images[BATCH * 3 * 9 * 9];
    int32_t labels[BATCH];
};

static double loss(struct bed *bed, double rate)
{
    struct error error = ERROR_INIT;
    struct step_result result;
    network_set_learning_rate(bed->network, rate);
    if (network_train(bed->network, bed->images, bed->labels, BATCH, &result, &error))
        fail_msg("%s", error_text(&error));
    return result.loss;
}

static void restore(struct bed *bed)
{
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < bed->tensor_count; i++)
        assert_int_equal(network_set_tensor(bed->network, bed->tensors[i].name, bed->weights[i],
                                            bed->tensors[i].count, &error),
                         0);
}

/* Differences of the loss to the left, to both sides, and to the right. */
static void differences(struct bed *bed, size_t tensor, size_t at, float h, double found[3])
{
    struct error error = ERROR_INIT;
    const struct tensor *t = &bed->tensors[tensor];
    double losses[3];
    float held = bed->weights[tensor][at];
    for (int side = 0; side < 3; side++) {
        bed->weights[tensor][at] = held + (float)(side - 1) * h;
        network_set_tensor(bed->network, t->name, bed->weights[tensor], t->count, &error);
        losses[side] = loss(bed, 0);
    }
    bed->weights[tensor][at] = held;
    network_set_tensor(bed->network, t->name, bed->weights[tensor], t->count, &error);
    found[0] = (losses[1] - losses[0]) / (double)h;
    found[1] = (losses[2] - losses[0]) / (2 * (double)h);
    found[2] = (losses[2] - losses[1]) / (double)h;
}

/* A kink of a ReLU or a maximum that changes hands within h spoils a difference: smaller ones are tried, and,
 * as the kink may be nearer than single precision tells, those of one side, of which the gradient is one. */
static void check_gradient(struct bed *bed, size_t tensor, size_t at, double gradient)
{
    static const float widths[] = {1e-2f, 2e-3f, 5e-4f, 1e-4f};
    double found[3] = {0};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        differences(bed, tensor, at, widths[i], found);
        if (getenv("JOULERY_TEST_TALK"))
            print_message("%s[%zu] %g: %g; %g, %g, %g\n", bed->tensors[tensor].name, at, (double)widths[i],
                          gradient, found[0], found[1], found[2]);
        for (int side = 0; side < 3; side++)
            if (fabs(found[side] - gradient) <= 1e-3 + 1e-2 * fabs(gradient))
                return;
    }
    fail_msg("%s[%zu]: gradient %g, by differences %g", bed->tensors[tensor].name, at, gradient, found[1]);
}

static void check_gradients(struct bed *bed)
{
    struct error error = ERROR_INIT;
    double first = loss(bed, 0);
    assert_true(loss(bed, 1) == first);
    float **after = calloc(bed->tensor_count, sizeof *after);
    for (size_t i = 0; i < bed->tensor_count; i++) {
        after[i] = malloc(bed->tensors[i].count * sizeof **after);
        network_get_tensor(bed->network, bed->tensors[i].name, after[i], bed->tensors[i].count, &error);
    }
    restore(bed);
    struct random_stream random;
    random_seed(&random, 7, 7);
    for (size_t i = 0; i < bed->tensor_count; i++) {
        for (int k = 0; bed->tensors[i].trainable && k < 6; k++) {
            size_t at = (size_t)random_below(&random, bed->tensors[i].count);
            check_gradient(bed, i, at, (double)bed->weights[i][at] - (double)after[i][at]);
        }
        free(after[i]);
    }
    free(after);
}

static void fill(struct bed *bed)
{
    struct random_stream random;
    random_seed(&random, 3, 1);
    for (size_t i = 0; i < sizeof bed->images / sizeof *bed->images; i++)
        bed->images[i] = (float)random_normal(&random);
    for (size_t i = 0; i < BATCH; i++)
        bed->labels[i] = (int32_t)random_below(&random, CLASSES);
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < bed->tensor_count; i++) {
        const struct tensor *t = &bed->tensors[i];
        bed->weights[i] = malloc(t->count * sizeof **bed->weights);
        network_get_tensor(bed->network, t->name, bed->weights[i], t->count, &error);
        for (size_t k = 0; k < t->count && t->dim_count == 1; k++)
            bed->weights[i][k] += (float)(0.2 * random_normal(&random));
    }
    restore(bed);
}

static void check(size_t (*layers)(struct graph *, size_t), size_t size)
{
    struct error error = ERROR_INIT;
    struct graph *g = graph_new("test", INIT_PYTORCH);
    g = graph_finish(g, layers(g, graph_input(g, (struct shape){3, size, size})), &error);
    if (!g)
        fail_msg("%s", error_text(&error));
    struct network_options options = {.batch = BATCH, .seed = 5, .optimizer = {.kind = OPTIMIZER_SGD}};
    struct bed *bed = calloc(1, sizeof *bed);
    bed->network = network_new(g, &options, &error);
    if (!bed->network)
        fail_msg("%s", error_text(&error));
    bed->tensors = graph_tensors(g, &bed->tensor_count, &error);
    bed->weights = calloc(bed->tensor_count, sizeof *bed->weights);
    fill(bed);
    check_gradients(bed);
    for (size_t i = 0; i < bed->tensor_count; i++)
        free(bed->weights[i]);
    free(bed->weights);
    graph_tensors_free(bed->tensors, bed->tensor_count);
    network_free(bed->network);
    graph_free(g);
    free(bed);
}

#define GRADIENTS_OF(layers)                                                                                 \
    static void gradients_of_##layers(void **state)                                                          \
    {                                                                                                        \
        (void)state;                                                                                         \
        check(layers, 9);                                                                                    \
        check(layers, 8);                                                                                    \
    }
GRADIENTS_OF(plain_convolution)
GRADIENTS_OF(grouped_convolution)
GRADIENTS_OF(dilated_oblong_convolution)
GRADIENTS_OF(small_images)
GRADIENTS_OF(normalised)
GRADIENTS_OF(normalised_pixels)
GRADIENTS_OF(pools)
GRADIENTS_OF(uneven_pool)
GRADIENTS_OF(repeating_pool)
GRADIENTS_OF(repeating_pool_read_twice)
GRADIENTS_OF(poolings_with_edges)
GRADIENTS_OF(activations)
GRADIENTS_OF(activations_in_place)
GRADIENTS_OF(moved_channels)
GRADIENTS_OF(gates)
GRADIENTS_OF(scaled_layers)
GRADIENTS_OF(residual)
GRADIENTS_OF(dense_layers)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_plain_convolution),
        cmocka_unit_test(gradients_of_grouped_convolution),
        cmocka_unit_test(gradients_of_dilated_oblong_convolution),
        cmocka_unit_test(gradients_of_small_images),
        cmocka_unit_test(gradients_of_normalised),
        cmocka_unit_test(gradients_of_normalised_pixels),
        cmocka_unit_test(gradients_of_pools),
        cmocka_unit_test(gradients_of_uneven_pool),
        cmocka_unit_test(gradients_of_repeating_pool),
        cmocka_unit_test(gradients_of_repeating_pool_read_twice),
        cmocka_unit_test(gradients_of_poolings_with_edges),
        cmocka_unit_test(gradients_of_activations),
        cmocka_unit_test(gradients_of_activations_in_place),
        cmocka_unit_test(gradients_of_moved_channels),
        cmocka_unit_test(gradients_of_gates),
        cmocka_unit_test(gradients_of_scaled_layers),
        cmocka_unit_test(gradients_of_residual),
        cmocka_unit_test(gradients_of_dense_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
