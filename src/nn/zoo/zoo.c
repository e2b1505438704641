/* The one table of architectures. */
#include "nn/zoo/zoo.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

/* name, family, usual image size, least image size */
#define ARCHITECTURE_TABLE(X)                                                                                \
    X(lenet5, lenet, 32, 32)                                                                                 \
    X(alexnet, alexnet, 224, 63)                                                                             \
    X(vgg11, vgg, 224, 32)                                                                                   \
    X(vgg11_bn, vgg, 224, 32)                                                                                \
    X(vgg13, vgg, 224, 32)                                                                                   \
    X(vgg13_bn, vgg, 224, 32)                                                                                \
    X(vgg16, vgg, 224, 32)                                                                                   \
    X(vgg16_bn, vgg, 224, 32)                                                                                \
    X(vgg19, vgg, 224, 32)                                                                                   \
    X(vgg19_bn, vgg, 224, 32)                                                                                \
    X(resnet18, resnet, 224, 32)                                                                             \
    X(resnet34, resnet, 224, 32)                                                                             \
    X(resnet50, resnet, 224, 32)                                                                             \
    X(resnet50_v1, resnet_keras, 224, 32)                                                                    \
    X(resnet101, resnet, 224, 32)                                                                            \
    X(resnet152, resnet, 224, 32)                                                                            \
    X(resnext50_32x4d, resnet, 224, 32)                                                                      \
    X(wide_resnet50_2, resnet, 224, 32)                                                                      \
    X(resnet20, resnet_cifar, 32, 32)                                                                        \
    X(resnet56, resnet_cifar, 32, 32)                                                                        \
    X(squeezenet1_0, squeezenet, 224, 32)                                                                    \
    X(squeezenet1_1, squeezenet, 224, 32)                                                                    \
    X(densenet121, densenet, 224, 32)                                                                        \
    X(densenet169, densenet, 224, 32)                                                                        \
    X(googlenet, googlenet, 224, 32)                                                                         \
    X(inception_v3, inception_v3, 299, 75)                                                                   \
    X(xception, xception, 299, 71)                                                                           \
    X(mobilenet_v2, mobilenet_v2, 224, 32)                                                                   \
    X(mobilenet_v3_small, mobilenet_v3, 224, 32)                                                             \
    X(mobilenet_v3_large, mobilenet_v3, 224, 32)                                                             \
    X(shufflenet_v2_x1_0, shufflenet, 224, 32)                                                               \
    X(mnasnet1_0, mnasnet, 224, 32)                                                                          \
    X(efficientnet_b0, efficientnet, 224, 32)                                                                \
    X(efficientnet_b1, efficientnet, 240, 32)                                                                \
    X(regnet_y_400mf, regnet, 224, 32)                                                                       \
    X(convnext_tiny, convnext, 224, 32)

static const struct architecture {
    const char *name;
    zoo_builder *build;
    size_t usual_size, least_size;
} architectures[] = {
#define ARCHITECTURE(name, family, usual, least) {#name, zoo_##family, usual, least},
    ARCHITECTURE_TABLE(ARCHITECTURE)};

static const char *const names[] = {
#define NAME(name, family, usual, least) #name,
    ARCHITECTURE_TABLE(NAME)};
#define ARCHITECTURES (sizeof architectures / sizeof *architectures)

const char *const *zoo_names(size_t *count)
{
    *count = ARCHITECTURES;
    return names;
}

size_t zoo_width(const struct zoo_options *options, size_t channels)
{
    double scaled = round((double)channels * options->width);
    return scaled < 1 ? 1 : (size_t)scaled;
}

size_t zoo_eighths(size_t channels)
{
    size_t rounded = (channels + 4) / 8 * 8;
    rounded = rounded < 8 ? 8 : rounded;
    return 10 * rounded < 9 * channels ? rounded + 8 : rounded;
}

size_t zoo_input(struct graph *graph, const struct zoo_options *options)
{
    return graph_input(graph, (struct shape){options->channels, options->size, options->size});
}

const void *zoo_row(const void *rows, size_t count, size_t size, const char *name)
{
    const char *row = rows;
    for (size_t i = 0; i + 1 < count && strcmp(*(const char *const *)(const void *)row, name) != 0; i++)
        row += size;
    return row;
}

size_t zoo_conv_bn(struct graph *graph, size_t input, const char *convolution_name, const char *norm_name,
                   struct convolution convolution)
{
    return graph_batch_norm(graph, graph_convolution(graph, input, convolution_name, convolution), norm_name);
}

size_t zoo_unit(struct graph *graph, size_t input, const char *name, struct convolution convolution,
                enum activation activation)
{
    size_t scope = graph_enter(graph, "%s.", name);
    size_t x = graph_activation(graph, zoo_conv_bn(graph, input, "0", "1", convolution), activation);
    graph_leave(graph, scope);
    return x;
}

size_t zoo_numbered_unit(struct graph *graph, size_t input, const char *prefix, size_t number,
                         struct convolution convolution, enum activation activation)
{
    size_t scope = graph_enter(graph, "%s%zu.", prefix, number);
    size_t x = graph_activation(graph, zoo_conv_bn(graph, input, "0", "1", convolution), activation);
    graph_leave(graph, scope);
    return x;
}

size_t zoo_named_unit(struct graph *graph, size_t input, const char *name, struct convolution convolution)
{
    size_t scope = graph_enter(graph, "%s.", name);
    size_t x = graph_relu(graph, zoo_conv_bn(graph, input, "conv", "bn", convolution));
    graph_leave(graph, scope);
    return x;
}

size_t zoo_squeeze(struct graph *graph, size_t input, size_t squeeze, enum activation inner,
                   enum activation gate)
{
    size_t channels = graph->failed ? 1 : graph->nodes[input].shape.channels;
    const struct convolution fc1 = {.out = squeeze, .kernel = 1, .bias = true},
                             fc2 = {.out = channels, .kernel = 1, .bias = true};
    size_t x = graph_adaptive_pool(graph, input, 1, 1);
    x = graph_activation(graph, graph_convolution(graph, x, "fc1", fc1), inner);
    x = graph_activation(graph, graph_convolution(graph, x, "fc2", fc2), gate);
    return graph_gate(graph, input, x);
}

struct graph *zoo_finish(struct graph *graph, size_t input, const char *name,
                         const struct zoo_options *options, struct error *error)
{
    size_t x = graph_flatten(graph, graph_adaptive_pool(graph, graph_end_base(graph, input), 1, 1));
    return graph_finish(graph, graph_dense(graph, x, name, options->classes), error);
}

static int check(const struct architecture *architecture, const struct zoo_options *options,
                 struct error *error)
{
    if (options->size < architecture->least_size)
        return error_set(error, "%s: images of %zux%zu are too small: it needs at least %zux%zu",
                         architecture->name, options->size, options->size, architecture->least_size,
                         architecture->least_size);
    if (options->size > 16384)
        return error_set(error, "%s: images of %zux%zu: expected at most 16384x16384", architecture->name,
                         options->size, options->size);
    if (!(options->width > 0 && options->width <= 64))
        return error_set(error, "%s: width %g: expected more than 0 and at most 64", architecture->name,
                         options->width);
    if (options->classes < 2 || options->classes > 1000000 || options->channels > 1024)
        return error_set(error,
                         "%s: %zu classes and %zu input channels: expected 2 to 1000000 and at most 1024",
                         architecture->name, options->classes, options->channels);
    return 0;
}

static int check_head(const struct architecture *architecture, const struct zoo_options *options,
                      struct error *error)
{
    for (size_t i = 0; i < options->head_count; i++)
        if (options->head[i] == 0 || options->head[i] > 1000000)
            return error_set(error, "%s: a dense layer of %zu units in the head: expected 1 to 1000000",
                             architecture->name, options->head[i]);
    if (!(options->dropout >= 0 && options->dropout < 1))
        return error_set(error, "%s: dropout %g: expected at least 0 and below 1", architecture->name,
                         options->dropout);
    if (options->dropout > 0 && !options->head_count)
        return error_set(error,
                         "%s: dropout is given for a head of one's own: expected the units of its layers",
                         architecture->name);
    return 0;
}

/* Another head in place of the architecture's own. */
static struct graph *put_head(struct graph *graph, const struct zoo_options *options, struct error *error)
{
    size_t x = graph_flatten(graph, graph_drop_head(graph));
    for (size_t i = 0; i < options->head_count; i++) {
        AUTO_FREE char *name = text_format("head.%zu", i);
        x = graph_relu(graph, graph_dense(graph, x, name, options->head[i]));
    }
    if (options->dropout > 0)
        x = graph_dropout(graph, x, options->dropout);
    AUTO_FREE char *name = text_format("head.%zu", options->head_count);
    return graph_finish(graph, graph_dense(graph, x, name, options->classes), error);
}

static const struct architecture *find(const char *name, struct error *error)
{
    for (size_t i = 0; i < ARCHITECTURES; i++)
        if (strcmp(name, architectures[i].name) == 0)
            return &architectures[i];
    const char *nearest = text_nearest(name, names, ARCHITECTURES);
    if (nearest) {
        error_set(error, "unknown architecture '%s' (did you mean %s?)", name, nearest);
        return NULL;
    }
    struct text all = TEXT_INIT;
    for (size_t i = 0; i < ARCHITECTURES; i++)
        text_printf(&all, "%s%s", i ? ", " : "", names[i]);
    AUTO_FREE char *list = text_take(&all);
    error_set(error, "unknown architecture '%s': expected one of %s", name, list ? list : names[0]);
    return NULL;
}

size_t zoo_least_size(const char *name)
{
    for (size_t i = 0; i < ARCHITECTURES; i++)
        if (strcmp(name, architectures[i].name) == 0)
            return architectures[i].least_size;
    return 0;
}

struct graph *zoo_build(const char *name, const struct zoo_options *options, struct error *error)
{
    const struct architecture *architecture = find(name, error);
    if (!architecture)
        return NULL;
    struct zoo_options filled = {
        .classes = options->classes ? options->classes : 1000,
        .channels = options->channels ? options->channels : 3,
        .size = options->size ? options->size : architecture->usual_size,
        .width = options->width != 0 ? options->width : 1,
        .head = options->head,
        .head_count = options->head_count,
        .dropout = options->dropout,
        .freeze_base = options->freeze_base,
    };
    if (check(architecture, &filled, error) || check_head(architecture, &filled, error))
        return NULL;
    struct graph *graph = architecture->build(architecture->name, &filled, error);
    if (graph && filled.head_count)
        graph = put_head(graph, &filled, error);
    if (graph && filled.freeze_base && graph->base == 0) {
        error_set(error, "%s: it has no base that could be frozen", architecture->name);
        graph_free(graph);
        return NULL;
    }
    if (graph)
        graph->frozen = filled.freeze_base;
    return graph;
}
