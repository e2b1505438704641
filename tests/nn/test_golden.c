/* The same losses as PyTorch's, step by step, from the same weights and images. Golden values: golden.py. */
#include "base/file.h"
#include "base/text.h"
#include "nn/graph.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STEPS = 10 };

struct golden {
    char architecture[16], optimizer[8];
    double width, rate, momentum, decay;
    size_t size, classes, batch, correct;
    double losses[STEPS], loss;
};

static uint64_t mix(uint64_t x)
{
    x ^= x >> 33;
    x *= 0xff51afd7ed558ccdu;
    x ^= x >> 33;
    x *= 0xc4ceb9fe1a85ec53u;
    return x ^ (x >> 33);
}

static uint64_t hash_name(const char *name)
{
    uint64_t key = 0xcbf29ce484222325u;
    for (; *name; name++)
        key = (key ^ (unsigned char)*name) * 0x100000001b3u;
    return key;
}

static uint64_t hash_at(uint64_t key, size_t i)
{
    return mix(i * 0x9e3779b97f4a7c15u + key);
}

static void fill(float *data, size_t count, const char *name, double offset, double scale)
{
    uint64_t key = hash_name(name);
    for (size_t i = 0; i < count; i++)
        data[i] = (float)(offset + scale * ((double)(hash_at(key, i) >> 40) / 8388608.0 - 1));
}

static void fill_tensor(const struct tensor *t, float *data)
{
    bool about_one = t->dim_count == 1 && (t->role == TENSOR_WEIGHT || t->role == TENSOR_RUNNING_VAR);
    if (t->dim_count > 1)
        fill(data, t->count, t->name, 0, sqrt(6 / (double)(t->count / t->dims[0])));
    else
        fill(data, t->count, t->name, about_one, about_one ? 0.25 : 0.1);
}

static void set_weights(struct network *network, const struct graph *graph)
{
    struct error error = ERROR_INIT;
    size_t count;
    struct tensor *tensors = graph_tensors(graph, &count, &error);
    assert_non_null(tensors);
    for (size_t i = 0; i < count; i++) {
        float *data = malloc(tensors[i].count * sizeof *data);
        assert_non_null(data);
        fill_tensor(&tensors[i], data);
        assert_int_equal(network_set_tensor(network, tensors[i].name, data, tensors[i].count, &error), 0);
        free(data);
    }
    graph_tensors_free(tensors, count);
}

static struct network *build(const struct golden *golden, struct graph **graph)
{
    struct error error = ERROR_INIT;
    struct zoo_options zoo = {.classes = golden->classes, .size = golden->size, .width = golden->width};
    *graph = zoo_build(golden->architecture, &zoo, &error);
    if (!*graph)
        fail_msg("%s", error_text(&error));
    for (size_t i = 0; i < (*graph)->count; i++)
        if ((*graph)->nodes[i].kind == NODE_DROPOUT)
            (*graph)->nodes[i].dropout = 0;
    struct network_options options = {
        .batch = golden->batch,
        .optimizer = {.kind = strcmp(golden->optimizer, "sgd") ? OPTIMIZER_ADAM : OPTIMIZER_SGD,
                      .learning_rate = golden->rate,
                      .momentum = golden->momentum,
                      .weight_decay = golden->decay}};
    struct network *network = network_new(*graph, &options, &error);
    if (!network)
        fail_msg("%s", error_text(&error));
    return network;
}

static void near(const struct golden *golden, const char *what, int step, double found, double expected,
                 double tolerance)
{
    if (!(fabs(found - expected) <= tolerance * fabs(expected)))
        fail_msg("%s %gx, %zu pixels, %s, decay %g: %s %d: expected %.7g, found %.7g", golden->architecture,
                 golden->width, golden->size, golden->optimizer, golden->decay, what, step, expected, found);
}

static void check(const struct golden *golden)
{
    struct error error = ERROR_INIT;
    struct graph *graph;
    struct network *network = build(golden, &graph);
    set_weights(network, graph);
    size_t pixels = golden->batch * 3 * golden->size * golden->size;
    float *images = malloc(pixels * sizeof *images);
    int32_t *labels = malloc(golden->batch * sizeof *labels);
    assert_non_null(images);
    assert_non_null(labels);
    fill(images, pixels, "images", 0, 1.7);
    for (size_t i = 0; i < golden->batch; i++)
        labels[i] = (int32_t)(hash_at(hash_name("labels"), i) % golden->classes);
    struct step_result result;
    for (int i = 0; i < STEPS; i++) {
        assert_int_equal(network_train(network, images, labels, golden->batch, &result, &error), 0);
        if (getenv("JOULERY_TEST_TALK"))
            printf("  %.7g %.7g\n", result.loss, golden->losses[i]);
        near(golden, "step", i, result.loss, golden->losses[i], i ? 1e-3 : 1e-4);
    }
    assert_int_equal(network_evaluate(network, images, labels, golden->batch, &result, &error), 0);
    near(golden, "evaluation after step", STEPS, result.loss, golden->loss, 1e-3);
    assert_int_equal(result.correct, golden->correct);
    network_free(network);
    graph_free(graph);
    free(images);
    free(labels);
}

/* One line of the file; false at its end. */
static bool parse(char **rest, struct golden *golden)
{
    char *line = strsep(rest, "\n");
    int at = 0;
    if (!line || !*line)
        return false;
    if (sscanf(line, "%15s %lf %zu %zu %zu %7s %lf %lf %lf%n", golden->architecture, &golden->width,
               &golden->size, &golden->classes, &golden->batch, golden->optimizer, &golden->rate,
               &golden->momentum, &golden->decay, &at) != 9)
        fail_msg("broken golden file: %s", line);
    char *number = line + at;
    for (int i = 0; i < STEPS; i++)
        golden->losses[i] = strtod(number, &number);
    golden->loss = strtod(number, &number);
    golden->correct = strtoul(number, NULL, 10);
    return true;
}

static void check_architecture(const char *architecture)
{
    struct error error = ERROR_INIT;
    size_t size, checked = 0;
    const char *directory = getenv("JOULERY_TEST_DATA");
    AUTO_FREE char *path = file_join(directory ? directory : "tests/data", "nn_golden.txt");
    AUTO_FREE char *text = file_read(path, 1 << 20, &size, &error);
    if (!text)
        fail_msg("%s", error_text(&error));
    char *rest = text;
    for (struct golden golden; parse(&rest, &golden);) {
        if (strcmp(golden.architecture, architecture))
            continue;
        check(&golden);
        checked++;
    }
    assert_true(checked > 0);
}

#define FOLLOWS_PYTORCH(architecture)                                                                        \
    static void architecture##_follows_pytorch(void **state)                                                 \
    {                                                                                                        \
        (void)state;                                                                                         \
        check_architecture(#architecture);                                                                   \
    }
FOLLOWS_PYTORCH(lenet5)
FOLLOWS_PYTORCH(vgg16)
FOLLOWS_PYTORCH(vgg19)
FOLLOWS_PYTORCH(resnet18)
FOLLOWS_PYTORCH(resnet50)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lenet5_follows_pytorch),   cmocka_unit_test(vgg16_follows_pytorch),
        cmocka_unit_test(vgg19_follows_pytorch),    cmocka_unit_test(resnet18_follows_pytorch),
        cmocka_unit_test(resnet50_follows_pytorch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
