/* EfficientNet: Tan, Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019,
 * table 1 (B0), and its depth scaled (B1), as torchvision's: with stochastic depth that grows linearly to
 * 0.2. */
#include "nn/zoo/zoo.h"

#include <math.h>

enum { STAGES = 7 };

static const struct stage {
    size_t expansion, kernel, stride, channels, blocks;
} stages[STAGES] = {
    {1, 3, 1, 16, 1},  {6, 3, 2, 24, 2},  {6, 5, 2, 40, 2},  {6, 3, 2, 80, 3},
    {6, 5, 1, 112, 3}, {6, 5, 2, 192, 4}, {6, 3, 1, 320, 1},
};

static const struct efficientnet {
    const char *name;
    double depth;
} efficientnets[] = {{"efficientnet_b0", 1}, {"efficientnet_b1", 1.1}};

#define LOST 0.2

struct block {
    size_t in, out, expansion, kernel, stride;
    double lost;
};

static size_t block(struct graph *g, size_t x, const struct block *b)
{
    size_t hidden = zoo_eighths(b->in * b->expansion), number = 0, y = x;
    const struct convolution expand = {.out = hidden, .kernel = 1}, project = {.out = b->out, .kernel = 1};
    const struct convolution depthwise = {
        .out = hidden, .kernel = b->kernel, .stride = b->stride, .padding = b->kernel / 2, .groups = hidden};
    if (hidden != b->in)
        y = zoo_numbered_unit(g, y, "block.", number++, expand, ACTIVATION_SILU);
    y = zoo_numbered_unit(g, y, "block.", number++, depthwise, ACTIVATION_SILU);
    size_t scope = graph_enter(g, "block.%zu.", number++);
    y = zoo_squeeze(g, y, b->in / 4 ? b->in / 4 : 1, ACTIVATION_SILU, ACTIVATION_SIGMOID);
    graph_leave(g, scope);
    y = zoo_numbered_unit(g, y, "block.", number, project, ACTIVATION_NONE);
    if (b->stride != 1 || b->in != b->out)
        return y;
    return graph_add(g, graph_stochastic_depth(g, y, b->lost), x);
}

static size_t blocks_of(const struct efficientnet *e, size_t stage)
{
    return (size_t)ceil((double)stages[stage].blocks * e->depth);
}

struct graph *zoo_efficientnet(const char *name, const struct zoo_options *options, struct error *error)
{
    const struct efficientnet *e = ZOO_ROW(efficientnets, name);
    struct graph *g = graph_new(name, INIT_EFFICIENTNET);
    if (!g)
        return graph_finish(g, 0, error);
    size_t channels = zoo_eighths(zoo_width(options, 32)), all = 0, done = 0, x = zoo_input(g, options);
    for (size_t s = 0; s < STAGES; s++)
        all += blocks_of(e, s);
    x = zoo_unit(g, x, "features.0",
                 (struct convolution){.out = channels, .kernel = 3, .stride = 2, .padding = 1},
                 ACTIVATION_SILU);
    for (size_t s = 0; s < STAGES; s++) {
        for (size_t i = 0; i < blocks_of(e, s); i++) {
            const struct block b = {.in = channels,
                                    .out = zoo_eighths(zoo_width(options, stages[s].channels)),
                                    .expansion = stages[s].expansion,
                                    .kernel = stages[s].kernel,
                                    .stride = i == 0 ? stages[s].stride : 1,
                                    .lost = LOST * (double)done++ / (double)all};
            size_t scope = graph_enter(g, "features.%zu.%zu.", s + 1, i);
            x = block(g, x, &b);
            graph_leave(g, scope);
            channels = b.out;
        }
    }
    x = zoo_unit(g, x, "features.8", (struct convolution){.out = 4 * channels, .kernel = 1}, ACTIVATION_SILU);
    x = graph_dropout(g, graph_flatten(g, graph_adaptive_pool(g, graph_end_base(g, x), 1, 1)), 0.2);
    return graph_finish(g, graph_dense(g, x, "classifier.1", options->classes), error);
}
