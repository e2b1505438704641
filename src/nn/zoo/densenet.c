/* DenseNet-BC: Huang, Liu, van der Maaten, Weinberger, "Densely connected convolutional networks", 2016,
 * table 1 with growth 32, as torchvision's. */
#include "nn/zoo/zoo.h"

static const struct densenet {
    const char *name;
    size_t layers[4]; /* of each dense block */
} densenets[] = {{"densenet121", {6, 12, 24, 16}}, {"densenet169", {6, 12, 32, 32}}};

static size_t norm_relu(struct graph *g, size_t x, const char *name)
{
    return graph_relu(g, graph_batch_norm(g, x, name));
}

/* What it computes is appended to what it reads. */
static size_t layer(struct graph *g, size_t x, size_t growth)
{
    const struct convolution reduce = {.out = 4 * growth, .kernel = 1};
    const struct convolution grow = {.out = growth, .kernel = 3, .padding = 1};
    size_t y = graph_convolution(g, norm_relu(g, x, "norm1"), "conv1", reduce);
    y = graph_convolution(g, norm_relu(g, y, "norm2"), "conv2", grow);
    return graph_concat(g, (const size_t[]){x, y}, 2);
}

static size_t transition(struct graph *g, size_t x, size_t channels)
{
    x = graph_convolution(g, norm_relu(g, x, "norm"), "conv",
                          (struct convolution){.out = channels, .kernel = 1});
    return graph_average_pool(g, x, (struct pooling){.kernel = 2});
}

struct graph *zoo_densenet(const char *name, const struct zoo_options *options, struct error *error)
{
    const struct densenet *d = ZOO_ROW(densenets, name);
    struct graph *g = graph_new(name, INIT_DENSENET);
    if (!g)
        return graph_finish(g, 0, error);
    size_t channels = zoo_width(options, 64), growth = zoo_width(options, 32);
    size_t outer = graph_enter(g, "features."), x = zoo_input(g, options);
    x = graph_relu(
        g, zoo_conv_bn(g, x, "conv0", "norm0",
                       (struct convolution){.out = channels, .kernel = 7, .stride = 2, .padding = 3}));
    x = graph_max_pool(g, x, (struct pooling){.kernel = 3, .stride = 2, .padding = 1});
    for (size_t b = 0; b < 4; b++) {
        for (size_t i = 0; i < d->layers[b]; i++) {
            size_t scope = graph_enter(g, "denseblock%zu.denselayer%zu.", b + 1, i + 1);
            x = layer(g, x, growth);
            graph_leave(g, scope);
        }
        channels += d->layers[b] * growth;
        if (b == 3)
            break;
        size_t scope = graph_enter(g, "transition%zu.", b + 1);
        x = transition(g, x, channels /= 2);
        graph_leave(g, scope);
    }
    x = norm_relu(g, x, "norm5");
    graph_leave(g, outer);
    return zoo_finish(g, x, "classifier", options, error);
}
