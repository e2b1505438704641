/* MobileNetV2: Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2: inverted residuals and linear
 * bottlenecks", 2018, table 2, as torchvision's. */
#include "nn/zoo/zoo.h"

static const struct stage {
    size_t expansion, channels, blocks, stride;
} stages[] = {
    {1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1},
};

struct block {
    size_t in, out, expansion, stride;
};

static size_t block(struct graph *g, size_t x, const struct block *b)
{
    size_t hidden = b->in * b->expansion, y = x;
    const struct convolution expand = {.out = hidden, .kernel = 1};
    const struct convolution depthwise = {
        .out = hidden, .kernel = 3, .stride = b->stride, .padding = 1, .groups = hidden};
    const struct convolution project = {.out = b->out, .kernel = 1};
    bool expands = b->expansion != 1;
    if (expands)
        y = zoo_unit(g, y, "conv.0", expand, ACTIVATION_RELU6);
    y = zoo_unit(g, y, expands ? "conv.1" : "conv.0", depthwise, ACTIVATION_RELU6);
    y = zoo_conv_bn(g, y, expands ? "conv.2" : "conv.1", expands ? "conv.3" : "conv.2", project);
    return b->stride == 1 && b->in == b->out ? graph_add(g, y, x) : y;
}

struct graph *zoo_mobilenet_v2(const char *name, const struct zoo_options *options, struct error *error)
{
    struct graph *g = graph_new(name, INIT_KAIMING_01);
    if (!g)
        return graph_finish(g, 0, error);
    size_t channels = zoo_width(options, 32), number = 1;
    size_t x = zoo_input(g, options);
    x = zoo_unit(g, x, "features.0",
                 (struct convolution){.out = channels, .kernel = 3, .stride = 2, .padding = 1},
                 ACTIVATION_RELU6);
    for (size_t s = 0; s < sizeof stages / sizeof *stages; s++) {
        for (size_t i = 0; i < stages[s].blocks; i++) {
            const struct block b = {.in = channels,
                                    .out = zoo_width(options, stages[s].channels),
                                    .expansion = stages[s].expansion,
                                    .stride = i == 0 ? stages[s].stride : 1};
            size_t scope = graph_enter(g, "features.%zu.", number++);
            x = block(g, x, &b);
            graph_leave(g, scope);
            channels = b.out;
        }
    }
    x = zoo_unit(g, x, "features.18", (struct convolution){.out = zoo_width(options, 1280), .kernel = 1},
                 ACTIVATION_RELU6);
    x = graph_dropout(g, graph_flatten(g, graph_adaptive_pool(g, graph_end_base(g, x), 1, 1)), 0.2);
    return graph_finish(g, graph_dense(g, x, "classifier.1", options->classes), error);
}
