/* MnasNet: Tan, Chen, Pang, Vasudevan, Sandler, Howard, Le, "MnasNet: platform-aware neural architecture
 * search for mobile", 2018, the variant B1, without squeeze and excitation, as torchvision's. */
#include "nn/zoo/zoo.h"

static const struct stage {
    size_t expansion, kernel, stride, channels, blocks;
} stages[] = {
    {3, 3, 2, 24, 3}, {3, 5, 2, 40, 3},  {6, 5, 2, 80, 3},
    {6, 3, 1, 96, 2}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1},
};

struct block {
    size_t in, out, hidden, kernel, stride;
};

static size_t block(struct graph *g, size_t x, const struct block *b)
{
    const struct convolution expand = {.out = b->hidden, .kernel = 1}, project = {.out = b->out, .kernel = 1};
    const struct convolution depthwise = {.out = b->hidden,
                                          .kernel = b->kernel,
                                          .stride = b->stride,
                                          .padding = b->kernel / 2,
                                          .groups = b->hidden};
    size_t y = graph_relu(g, zoo_conv_bn(g, x, "layers.0", "layers.1", expand));
    y = graph_relu(g, zoo_conv_bn(g, y, "layers.3", "layers.4", depthwise));
    y = zoo_conv_bn(g, y, "layers.6", "layers.7", project);
    return b->stride == 1 && b->in == b->out ? graph_add(g, y, x) : y;
}

struct graph *zoo_mnasnet(const char *name, const struct zoo_options *options, struct error *error)
{
    struct graph *g = graph_new(name, INIT_MNASNET);
    if (!g)
        return graph_finish(g, 0, error);
    g->normalisation.momentum = 1 - 0.9997;
    size_t first = zoo_width(options, 32), channels = zoo_width(options, 16), x = zoo_input(g, options);
    const struct convolution stem = {.out = first, .kernel = 3, .stride = 2, .padding = 1};
    const struct convolution depthwise = {.out = first, .kernel = 3, .padding = 1, .groups = first};
    const struct convolution last = {.out = zoo_width(options, 1280), .kernel = 1};
    x = graph_relu(g, zoo_conv_bn(g, x, "layers.0", "layers.1", stem));
    x = graph_relu(g, zoo_conv_bn(g, x, "layers.3", "layers.4", depthwise));
    x = zoo_conv_bn(g, x, "layers.6", "layers.7", (struct convolution){.out = channels, .kernel = 1});
    for (size_t s = 0; s < sizeof stages / sizeof *stages; s++) {
        for (size_t i = 0; i < stages[s].blocks; i++) {
            const struct block b = {.in = channels,
                                    .out = zoo_width(options, stages[s].channels),
                                    .hidden = channels * stages[s].expansion,
                                    .kernel = stages[s].kernel,
                                    .stride = i == 0 ? stages[s].stride : 1};
            size_t scope = graph_enter(g, "layers.%zu.%zu.", s + 8, i);
            x = block(g, x, &b);
            graph_leave(g, scope);
            channels = b.out;
        }
    }
    x = graph_relu(g, zoo_conv_bn(g, x, "layers.14", "layers.15", last));
    x = graph_dropout(g, graph_flatten(g, graph_adaptive_pool(g, graph_end_base(g, x), 1, 1)), 0.2);
    return graph_finish(g, graph_dense(g, x, "classifier.1", options->classes), error);
}
