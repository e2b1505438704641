/* Xception: Chollet, "Xception: deep learning with depthwise separable convolutions", 2016, figure 5, as
 * keras.applications has it. Names are those of Keras's layers, where it gives them; a separable convolution
 * is two of ours, and shortcuts are named after their block. */
#include "nn/zoo/zoo.h"

static size_t separable(struct graph *g, size_t x, size_t number, size_t out)
{
    size_t in = g->failed ? 1 : g->nodes[x].shape.channels;
    size_t scope = graph_enter(g, "sepconv%zu.", number);
    x = graph_convolution(g, x, "depthwise",
                          (struct convolution){.out = in, .kernel = 3, .padding = 1, .groups = in});
    x = graph_convolution(g, x, "pointwise", (struct convolution){.out = out, .kernel = 1});
    graph_leave(g, scope);
    return graph_batch_norm(g, x, number == 1 ? "sepconv1_bn" : number == 2 ? "sepconv2_bn" : "sepconv3_bn");
}

/* Keras's "same": an even image has its padding after it only. */
static size_t halve(struct graph *g, size_t x)
{
    size_t odd = g->failed ? 0 : g->nodes[x].shape.height % 2;
    return graph_max_pool(g, x, (struct pooling){.kernel = 3, .stride = 2, .padding = odd, .ceil = true});
}

/* Blocks of the entry and exit flows: the image is halved, beside a shortcut that is, too. */
static size_t down(struct graph *g, size_t x, size_t block, const size_t channels[2])
{
    size_t scope = graph_enter(g, "block%zu_", block);
    size_t shortcut = zoo_conv_bn(g, x, "shortcut", "shortcut_bn",
                                  (struct convolution){.out = channels[1], .kernel = 1, .stride = 2});
    for (size_t i = 0; i < 2; i++) {
        if (i > 0 || block > 2)
            x = graph_relu(g, x);
        x = separable(g, x, i + 1, channels[i]);
    }
    graph_leave(g, scope);
    return graph_add(g, halve(g, x), shortcut);
}

static size_t middle(struct graph *g, size_t x, size_t block, size_t channels)
{
    size_t y = x, scope = graph_enter(g, "block%zu_", block);
    for (size_t i = 0; i < 3; i++)
        y = separable(g, graph_relu(g, y), i + 1, channels);
    graph_leave(g, scope);
    return graph_add(g, y, x);
}

struct graph *zoo_xception(const char *name, const struct zoo_options *options, struct error *error)
{
    static const size_t entry[3][2] = {{128, 128}, {256, 256}, {728, 728}};
    static const size_t leaving[2] = {1536, 2048};
    struct graph *g = graph_new(name, INIT_KERAS);
    if (!g)
        return graph_finish(g, 0, error);
    g->counts_statistics = true;
    g->normalisation = (struct norm_options){.epsilon = 0.001, .momentum = 0.01};
    size_t wide = zoo_width(options, 728), x = zoo_input(g, options);
    const struct convolution first = {.out = zoo_width(options, 32), .kernel = 3, .stride = 2};
    const struct convolution second = {.out = zoo_width(options, 64), .kernel = 3};
    x = graph_relu(g, zoo_conv_bn(g, x, "block1_conv1", "block1_conv1_bn", first));
    x = graph_relu(g, zoo_conv_bn(g, x, "block1_conv2", "block1_conv2_bn", second));
    for (size_t i = 0; i < 3; i++)
        x = down(g, x, i + 2,
                 (const size_t[]){zoo_width(options, entry[i][0]), zoo_width(options, entry[i][1])});
    for (size_t i = 0; i < 8; i++)
        x = middle(g, x, i + 5, wide);
    x = down(g, x, 13, (const size_t[]){wide, zoo_width(options, 1024)});
    size_t scope = graph_enter(g, "block14_");
    for (size_t i = 0; i < 2; i++)
        x = graph_relu(g, separable(g, x, i + 1, zoo_width(options, leaving[i])));
    graph_leave(g, scope);
    return zoo_finish(g, x, "predictions", options, error);
}
