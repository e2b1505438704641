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

static double difference(struct bed *bed, size_t tensor, size_t at, float h)
{
    struct error error = ERROR_INIT;
    const struct tensor *t = &bed->tensors[tensor];
    double sides[2];
    float held = bed->weights[tensor][at];
    for (int side = 0; side < 2; side++) {
        bed->weights[tensor][at] = side ? held + h : held - h;
        network_set_tensor(bed->network, t->name, bed->weights[tensor], t->count, &error);
        sides[side] = loss(bed, 0);
    }
    bed->weights[tensor][at] = held;
    network_set_tensor(bed->network, t->name, bed->weights[tensor], t->count, &error);
    return (sides[1] - sides[0]) / (2 * (double)h);
}

/* A kink of a ReLU or a maximum that changes hands within h spoils a difference: smaller ones are tried. */
static void check_gradient(struct bed *bed, size_t tensor, size_t at, double gradient)
{
    static const float widths[] = {1e-2f, 2e-3f, 5e-4f, 1e-4f};
    double found = 0;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        found = difference(bed, tensor, at, widths[i]);
        if (getenv("JOULERY_TEST_TALK"))
            print_message("%s[%zu] %g: %g, %g\n", bed->tensors[tensor].name, at, (double)widths[i], gradient,
                          found);
        if (fabs(found - gradient) <= 1e-3 + 1e-2 * fabs(gradient))
            return;
    }
    fail_msg("%s[%zu]: gradient %g, by differences %g", bed->tensors[tensor].name, at, gradient, found);
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
        for (int k = 0; bed->tensors[i].trainable && k < 12; k++) {
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
        cmocka_unit_test(gradients_of_residual),
        cmocka_unit_test(gradients_of_dense_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
