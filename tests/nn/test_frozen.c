/* A frozen base: the same values as the network it was taken from, folded and fused as they are; only the
 * head learns; the study's three networks with the parameters that it reports. */
#include "base/random.h"
#include "base/text.h"
#include "nn/graph.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { IMAGES = 6, CLASSES = 4 };

static struct graph *build(const char *architecture, const struct zoo_options *options)
{
    struct error error = ERROR_INIT;
    struct graph *graph = zoo_build(architecture, options, &error);
    if (!graph)
        fail_msg("%s", error_text(&error));
    return graph;
}

static struct network *compile(const struct graph *graph, double rate)
{
    struct error error = ERROR_INIT;
    struct network_options options = {
        .batch = IMAGES, .seed = 3, .optimizer = {.kind = OPTIMIZER_ADAM, .learning_rate = rate}};
    struct network *network = network_new(graph, &options, &error);
    if (!network)
        fail_msg("%s", error_text(&error));
    return network;
}

static float *random_images(size_t floats)
{
    struct random_stream random;
    float *images = malloc(floats * sizeof *images);
    assert_non_null(images);
    random_seed(&random, 5, 0);
    for (size_t i = 0; i < floats; i++)
        images[i] = (float)random_normal(&random);
    return images;
}

static const int32_t labels[IMAGES] = {0, 1, 2, 3, 0, 1};

static void step(struct network *network, const float *images, bool learn, struct step_result *result)
{
    struct error error = ERROR_INIT;
    int status = learn ? network_train(network, images, labels, IMAGES, result, &error)
                       : network_evaluate(network, images, labels, IMAGES, result, &error);
    if (status)
        fail_msg("%s", error_text(&error));
}

/* One that the images are seen through: weights as drawn, moving statistics and shifts as they might be after
 * training. */
static void fill_tensor(const struct tensor *tensor, float *data)
{
    struct random_stream random;
    random_seed(&random, 11, tensor->node * 8 + (size_t)tensor->role);
    for (size_t i = 0; i < tensor->count; i++) {
        if (tensor->role == TENSOR_RUNNING_VAR || (tensor->dim_count == 1 && tensor->role == TENSOR_WEIGHT))
            data[i] = (float)(tensor->role == TENSOR_WEIGHT ? 0.2 + 0.4 * random_uniform(&random)
                                                            : 0.5 + random_uniform(&random));
        else
            data[i] = (float)(0.2 * random_normal(&random));
    }
}

static void copy_tensors(const struct graph *graph, struct network *from, struct network *to)
{
    struct error error = ERROR_INIT;
    size_t count;
    struct tensor *tensors = graph_tensors(graph, &count, &error);
    assert_non_null(tensors);
    for (size_t i = 0; i < count; i++) {
        float *data = malloc(tensors[i].count * sizeof *data);
        assert_non_null(data);
        assert_int_equal(network_get_tensor(from, tensors[i].name, data, tensors[i].count, &error), 0);
        if (tensors[i].dim_count == 1) {
            fill_tensor(&tensors[i], data);
            assert_int_equal(network_set_tensor(from, tensors[i].name, data, tensors[i].count, &error), 0);
        }
        assert_int_equal(network_set_tensor(to, tensors[i].name, data, tensors[i].count, &error), 0);
        free(data);
    }
    graph_tensors_free(tensors, count);
}

static void same_scores(const char *architecture, size_t size)
{
    const size_t head[] = {7};
    struct zoo_options options = {
        .classes = CLASSES, .size = size, .width = 0.25, .head = head, .head_count = 1};
    struct graph *whole_graph = build(architecture, &options);
    options.freeze_base = true;
    struct graph *frozen_graph = build(architecture, &options);
    struct network *whole = compile(whole_graph, 0.01), *frozen = compile(frozen_graph, 0.01);
    float *images = random_images(IMAGES * 3 * size * size);
    struct step_result expected, found;
    assert_true(network_feature_count(whole) == 0 && network_feature_count(frozen) > 0);
    copy_tensors(whole_graph, whole, frozen);
    step(whole, images, false, &expected);
    step(frozen, images, false, &found);
    print_message("%s %zu: %.7f %.7f\n", architecture, size, expected.loss, found.loss);
    assert_true(fabs(found.loss - expected.loss) <= 1e-5 * fabs(expected.loss));
    network_free(whole);
    network_free(frozen);
    graph_free(whole_graph);
    graph_free(frozen_graph);
    free(images);
}

static void a_frozen_base_computes_the_same(void **state)
{
    (void)state;
    size_t count;
    const char *const *names = zoo_names(&count);
    for (size_t i = 0; i < count; i++) {
        size_t least = zoo_least_size(names[i]);
        same_scores(names[i], least < 32 ? 32 : least);
        if (least <= 32)
            same_scores(names[i], 48);
    }
}

static float *tensor_of(struct network *network, const char *name, size_t count)
{
    struct error error = ERROR_INIT;
    float *data = malloc(count * sizeof *data);
    assert_non_null(data);
    if (network_get_tensor(network, name, data, count, &error))
        fail_msg("%s", error_text(&error));
    return data;
}

static void only_the_head_learns(void **state)
{
    (void)state;
    const size_t head[] = {32, 16};
    struct graph *graph = build("resnet18", &(struct zoo_options){.classes = CLASSES,
                                                                  .size = 32,
                                                                  .width = 0.25,
                                                                  .head = head,
                                                                  .head_count = 2,
                                                                  .dropout = 0.2,
                                                                  .freeze_base = true});
    struct network *network = compile(graph, 0.003);
    float *images = random_images((size_t)IMAGES * 3 * 32 * 32);
    for (size_t i = 0; i < (size_t)IMAGES * 3 * 32 * 32; i++)
        images[i] += (float)(3 * labels[i / ((size_t)3 * 32 * 32)]);
    const char *kept[] = {"conv1.weight", "bn1.running_mean", "layer4.1.bn2.weight"};
    const size_t counts[] = {16 * 3 * 49, 16, 128};
    float *before[3], *head_before = tensor_of(network, "head.0.weight", 32 * 128);
    for (int i = 0; i < 3; i++)
        before[i] = tensor_of(network, kept[i], counts[i]);
    struct step_result first, last;
    step(network, images, false, &first);
    for (int i = 0; i < 100; i++)
        step(network, images, true, &last);
    step(network, images, false, &last);
    print_message("loss %.4f, then %.4f\n", first.loss, last.loss);
    assert_true(last.loss < 0.5 * first.loss);
    for (int i = 0; i < 3; i++) {
        float *after = tensor_of(network, kept[i], counts[i]);
        assert_memory_equal(after, before[i], counts[i] * sizeof(float));
        free(after);
        free(before[i]);
    }
    float *head_after = tensor_of(network, "head.0.weight", 32 * 128);
    assert_memory_not_equal(head_after, head_before, 32 * 128 * sizeof(float));
    free(head_after);
    free(head_before);
    free(images);
    network_free(network);
    graph_free(graph);
}

/* Values that a fold may not be told from: a scale of 0, one below 0, weights without a normal number. */
static void odd_values(const struct tensor *tensor, float *data)
{
    fill_tensor(tensor, data);
    bool norm = tensor->dim_count == 1 && tensor->role == TENSOR_WEIGHT;
    if (norm && strstr(tensor->name, "layer3.0"))
        data[3] = 0;
    else if (norm)
        data[1] = -data[1];
    if (tensor->dim_count > 1 && strstr(tensor->name, "layer2"))
        data[5] = 1e-42f;
    if (tensor->dim_count > 1)
        data[7] = -0.0f;
}

static void set_all(const struct graph *graph, struct network *network, const char *but, float value)
{
    struct error error = ERROR_INIT;
    size_t count;
    struct tensor *tensors = graph_tensors(graph, &count, &error);
    assert_non_null(tensors);
    for (size_t i = 0; i < count; i++) {
        float *data = malloc(tensors[i].count * sizeof *data);
        assert_non_null(data);
        odd_values(&tensors[i], data);
        if (but && strcmp(tensors[i].name, but) == 0)
            data[0] = value;
        assert_int_equal(network_set_tensor(network, tensors[i].name, data, tensors[i].count, &error), 0);
        free(data);
    }
    graph_tensors_free(tensors, count);
}

static void expect_all(const struct graph *graph, struct network *network)
{
    struct error error = ERROR_INIT;
    size_t count;
    struct tensor *tensors = graph_tensors(graph, &count, &error);
    assert_non_null(tensors);
    for (size_t i = 0; i < count; i++) {
        float *expected = malloc(tensors[i].count * sizeof *expected);
        assert_non_null(expected);
        odd_values(&tensors[i], expected);
        float *found = tensor_of(network, tensors[i].name, tensors[i].count);
        for (size_t k = 0; k < tensors[i].count; k++)
            if (memcmp(&found[k], &expected[k], sizeof *found) != 0)
                fail_msg("%s[%zu]: expected %.9g, found %.9g", tensors[i].name, k, (double)expected[k],
                         (double)found[k]);
        free(expected);
        free(found);
    }
    graph_tensors_free(tensors, count);
}

/* What a base no longer needs once it is folded it does not keep; it is there again for whoever asks. */
static void a_folded_base_comes_back_to_the_bit(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct graph *graph =
        build("resnet18", &(struct zoo_options){.classes = CLASSES, .size = 48, .freeze_base = true});
    struct network *network = compile(graph, 0.01), *fresh = compile(graph, 0.01);
    float *images = random_images((size_t)IMAGES * 3 * 48 * 48);
    size_t count = IMAGES * network_feature_count(network);
    float *found = calloc(count, sizeof *found), *expected = calloc(count, sizeof *expected);
    assert_true(found && expected);
    set_all(graph, network, NULL, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(network_features(network, images, IMAGES, found, &error), 0);
        expect_all(graph, network);
    }
    /* a scale changes under weights that are folded */
    const char *changed = "layer4.0.bn2.weight";
    set_all(graph, fresh, changed, 0.75f);
    float *scales = tensor_of(network, changed, 512);
    scales[0] = 0.75f;
    assert_int_equal(network_set_tensor(network, changed, scales, 512, &error), 0);
    assert_int_equal(network_features(network, images, IMAGES, found, &error), 0);
    assert_int_equal(network_features(fresh, images, IMAGES, expected, &error), 0);
    assert_memory_equal(found, expected, count * sizeof *found);
    free(scales);
    free(found);
    free(expected);
    free(images);
    network_free(network);
    network_free(fresh);
    graph_free(graph);
}

/* A step on features is the step on their images, to the bit. */
static void features_stand_for_images(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct graph *graph = build(
        "vgg11", &(struct zoo_options){.classes = CLASSES, .size = 32, .width = 0.25, .freeze_base = true});
    struct network *direct = compile(graph, 0.05), *cached = compile(graph, 0.05);
    float *images = random_images((size_t)IMAGES * 3 * 32 * 32);
    size_t count = network_feature_count(cached);
    assert_int_equal(count, 128);
    float *features = malloc(IMAGES * count * sizeof *features);
    assert_non_null(features);
    assert_int_equal(network_features(cached, images, 4, features, &error), 0);
    assert_int_equal(
        network_features(cached, images + (size_t)4 * 3 * 32 * 32, 2, features + 4 * count, &error), 0);
    network_read_features(cached, true);
    for (int i = 0; i < 5; i++) {
        struct step_result a, b;
        step(direct, images, i < 4, &a);
        step(cached, features, i < 4, &b);
        assert_true(fabs(a.loss - b.loss) <= 1e-6 * a.loss);
    }
    assert_int_equal(network_features(cached, images, IMAGES + 1, features, &error), -1);
    assert_non_null(strstr(error_text(&error), "expected 1 to 6"));
    error_clear(&error);
    free(features);
    free(images);
    network_free(direct);
    network_free(cached);
    graph_free(graph);
}

/* Xu et al., "Energy efficiency of training neural network architectures", HICSS-56, 2023: parameters, and
 * FLOPs of a batch of 32 as keras-flops counts them. */
static void the_studys_networks_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *architecture;
        size_t size;
        uint64_t parameters, trainable;
        double flops;
    } study[] = {
        {"vgg16", 32, 33638218, 18923530, 21268268928.0},
        {"vgg16", 48, 33638218, 18923530, 46339966848.0},
        {"vgg19", 32, 38947914, 18923530, 26704938880.0},
        {"vgg19", 48, 38947914, 18923530, 58572474240.0},
        {"resnet50_v1", 32, 48802698, 25214986, 6675494400.0},
        {"resnet50_v1", 48, 73968522, 50380810, 16289166848.0},
    };
    const size_t head[] = {4096, 4096};
    for (size_t i = 0; i < sizeof study / sizeof *study; i++) {
        struct graph *graph = build(study[i].architecture, &(struct zoo_options){.classes = 10,
                                                                                 .size = study[i].size,
                                                                                 .head = head,
                                                                                 .head_count = 2,
                                                                                 .dropout = 0.5,
                                                                                 .freeze_base = true});
        double flops = 32 * (double)graph_flops(graph);
        print_message("%s %zu: FLOPs %+.3f %%\n", study[i].architecture, study[i].size,
                      100 * (flops / study[i].flops - 1));
        assert_true(graph_parameters(graph) == study[i].parameters);
        assert_true(graph_trainable_parameters(graph) == study[i].trainable);
        assert_true(fabs(flops / study[i].flops - 1) <= 0.005);
        graph_free(graph);
    }
}

static void wrong_heads_are_refused(void **state)
{
    (void)state;
    const size_t none[] = {16, 0};
    const struct {
        struct zoo_options options;
        const char *message;
    } cases[] = {
        {{.head = none, .head_count = 2}, "a dense layer of 0 units in the head"},
        {{.dropout = 0.5}, "dropout is given for a head of one's own"},
        {{.head = none, .head_count = 1, .dropout = 1}, "dropout 1: expected at least 0 and below 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        assert_null(zoo_build("resnet18", &cases[i].options, &error));
        assert_non_null(strstr(error_text(&error), cases[i].message));
        error_clear(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frozen_base_computes_the_same),
        cmocka_unit_test(only_the_head_learns),
        cmocka_unit_test(features_stand_for_images),
        cmocka_unit_test(the_studys_networks_are_exact),
        cmocka_unit_test(wrong_heads_are_refused),
        cmocka_unit_test(a_folded_base_comes_back_to_the_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
