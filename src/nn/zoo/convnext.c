/* ConvNeXt: Liu, Mao, Wu, Feichtenhofer, Darrell, Xie, "A ConvNet for the 2020s", 2022, ConvNeXt-T, as
 * torchvision's: with stochastic depth that grows linearly to 0.1. */
#include "nn/zoo/zoo.h"

enum { STAGES = 4, BLOCKS = 18 };

static const struct stage {
    size_t channels, blocks;
} stages[STAGES] = {{96, 3}, {192, 3}, {384, 9}, {768, 3}};

#define LOST  0.1
#define SCALE 1e-6

static size_t block(struct graph *g, size_t x, size_t channels, double lost)
{
    const struct convolution depthwise = {
        .out = channels, .kernel = 7, .padding = 3, .groups = channels, .bias = true};
    const struct convolution expand = {.out = 4 * channels, .kernel = 1, .bias = true, .flat = true};
    const struct convolution project = {.out = channels, .kernel = 1, .bias = true, .flat = true};
    size_t y = graph_layer_norm(g, graph_convolution(g, x, "block.0", depthwise), "block.2");
    y = graph_activation(g, graph_convolution(g, y, "block.3", expand), ACTIVATION_GELU);
    y = graph_layer_scale(g, graph_convolution(g, y, "block.5", project), "layer_scale", SCALE);
    return graph_add(g, graph_stochastic_depth(g, y, lost), x);
}

/* From one stage to the next. */
static size_t down(struct graph *g, size_t x, size_t number, size_t channels)
{
    size_t scope = graph_enter(g, "features.%zu.", number);
    x = graph_convolution(g, graph_layer_norm(g, x, "0"), "1",
                          (struct convolution){.out = channels, .kernel = 2, .stride = 2, .bias = true});
    graph_leave(g, scope);
    return x;
}

struct graph *zoo_convnext(const char *name, const struct zoo_options *options, struct error *error)
{
    struct graph *g = graph_new(name, INIT_CONVNEXT);
    if (!g)
        return graph_finish(g, 0, error);
    g->normalisation.epsilon = 1e-6;
    const struct convolution stem = {
        .out = zoo_width(options, stages[0].channels), .kernel = 4, .stride = 4, .bias = true};
    size_t done = 0, x = graph_convolution(g, zoo_input(g, options), "features.0.0", stem);
    x = graph_layer_norm(g, x, "features.0.1");
    for (size_t s = 0; s < STAGES; s++) {
        size_t channels = zoo_width(options, stages[s].channels);
        if (s > 0)
            x = down(g, x, 2 * s, channels);
        for (size_t i = 0; i < stages[s].blocks; i++) {
            size_t scope = graph_enter(g, "features.%zu.%zu.", 2 * s + 1, i);
            x = block(g, x, channels, LOST * (double)done++ / (BLOCKS - 1));
            graph_leave(g, scope);
        }
    }
    x = graph_layer_norm(g, graph_adaptive_pool(g, graph_end_base(g, x), 1, 1), "classifier.0");
    x = graph_flatten(g, x);
    return graph_finish(g, graph_dense(g, x, "classifier.2", options->classes), error);
}
