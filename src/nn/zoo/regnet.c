/* RegNet: Radosavovic, Kosaraju, Girshick, He, Dollar, "Designing network design spaces", 2020, RegNetY-400MF
 * of table 7, as torchvision's: groups of 8 channels, and squeeze and excitation to a quarter of a block's
 * input. */
#include "nn/zoo/zoo.h"

static const struct stage {
    size_t channels, blocks;
} stages[] = {{48, 1}, {104, 3}, {208, 6}, {440, 6}};

enum { GROUP = 8 };

struct block {
    size_t in, out, stride;
};

static size_t residual(struct graph *g, size_t x, const struct block *b)
{
    size_t groups = b->out % GROUP ? 1 : b->out / GROUP;
    const struct convolution reduce = {.out = b->out, .kernel = 1};
    const struct convolution middle = {
        .out = b->out, .kernel = 3, .stride = b->stride, .padding = 1, .groups = groups};
    x = zoo_unit(g, x, "f.a", reduce, ACTIVATION_RELU);
    x = zoo_unit(g, x, "f.b", middle, ACTIVATION_RELU);
    size_t scope = graph_enter(g, "f.se.");
    x = zoo_squeeze(g, x, b->in / 4 ? b->in / 4 : 1, ACTIVATION_RELU, ACTIVATION_SIGMOID);
    graph_leave(g, scope);
    return zoo_unit(g, x, "f.c", reduce, ACTIVATION_NONE);
}

static size_t block(struct graph *g, size_t x, const struct block *b)
{
    size_t y = residual(g, x, b);
    if (b->stride != 1 || b->in != b->out)
        x = zoo_unit(g, x, "proj", (struct convolution){.out = b->out, .kernel = 1, .stride = b->stride},
                     ACTIVATION_NONE);
    return graph_relu(g, graph_add(g, y, x));
}

struct graph *zoo_regnet(const char *name, const struct zoo_options *options, struct error *error)
{
    struct graph *g = graph_new(name, INIT_KAIMING_01);
    if (!g)
        return graph_finish(g, 0, error);
    size_t channels = zoo_width(options, 32), x = zoo_input(g, options);
    x = zoo_unit(g, x, "stem", (struct convolution){.out = channels, .kernel = 3, .stride = 2, .padding = 1},
                 ACTIVATION_RELU);
    for (size_t s = 0; s < sizeof stages / sizeof *stages; s++) {
        for (size_t i = 0; i < stages[s].blocks; i++) {
            const struct block b = {.in = channels,
                                    .out = zoo_eighths(zoo_width(options, stages[s].channels)),
                                    .stride = i == 0 ? 2 : 1};
            size_t scope = graph_enter(g, "trunk_output.block%zu.block%zu-%zu.", s + 1, s + 1, i);
            x = block(g, x, &b);
            graph_leave(g, scope);
            channels = b.out;
        }
    }
    return zoo_finish(g, x, "fc", options, error);
}
