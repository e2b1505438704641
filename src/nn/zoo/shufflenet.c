/* ShuffleNet V2: Ma, Zhang, Zheng, Sun, "ShuffleNet V2: practical guidelines for efficient CNN architecture
 * design", 2018, table 5, 1x, as torchvision's. */
#include "nn/zoo/zoo.h"

static const struct stage {
    size_t channels, blocks;
} stages[] = {{116, 4}, {232, 8}, {464, 4}};

static size_t depthwise(struct graph *g, size_t x, const char *conv, const char *bn, size_t channels,
                        size_t stride)
{
    return zoo_conv_bn(g, x, conv, bn,
                       (struct convolution){
                           .out = channels, .kernel = 3, .stride = stride, .padding = 1, .groups = channels});
}

static size_t pointwise(struct graph *g, size_t x, const char *conv, const char *bn, size_t channels)
{
    return graph_relu(g, zoo_conv_bn(g, x, conv, bn, (struct convolution){.out = channels, .kernel = 1}));
}

static size_t right(struct graph *g, size_t x, size_t half, size_t stride)
{
    x = pointwise(g, x, "branch2.0", "branch2.1", half);
    x = depthwise(g, x, "branch2.3", "branch2.4", half, stride);
    return pointwise(g, x, "branch2.5", "branch2.6", half);
}

/* Halves the image and takes `in` channels to 2 * half. */
static size_t down(struct graph *g, size_t x, size_t in, size_t half)
{
    size_t left = depthwise(g, x, "branch1.0", "branch1.1", in, 2);
    left = pointwise(g, left, "branch1.2", "branch1.3", half);
    return graph_shuffle(g, graph_concat(g, (const size_t[]){left, right(g, x, half, 2)}, 2), 2);
}

static size_t block(struct graph *g, size_t x, size_t half)
{
    size_t left = graph_slice(g, x, 0, half);
    size_t other = right(g, graph_slice(g, x, half, half), half, 1);
    return graph_shuffle(g, graph_concat(g, (const size_t[]){left, other}, 2), 2);
}

struct graph *zoo_shufflenet(const char *name, const struct zoo_options *options, struct error *error)
{
    struct graph *g = graph_new(name, INIT_PYTORCH);
    if (!g)
        return graph_finish(g, 0, error);
    size_t channels = zoo_width(options, 24), x = zoo_input(g, options);
    const struct convolution stem = {.out = channels, .kernel = 3, .stride = 2, .padding = 1};
    x = zoo_unit(g, x, "conv1", stem, ACTIVATION_RELU);
    x = graph_max_pool(g, x, (struct pooling){.kernel = 3, .stride = 2, .padding = 1});
    for (size_t s = 0; s < sizeof stages / sizeof *stages; s++) {
        size_t half = zoo_width(options, stages[s].channels / 2);
        for (size_t i = 0; i < stages[s].blocks; i++) {
            size_t scope = graph_enter(g, "stage%zu.%zu.", s + 2, i);
            x = i == 0 ? down(g, x, channels, half) : block(g, x, half);
            graph_leave(g, scope);
        }
        channels = 2 * half;
    }
    const struct convolution last = {.out = zoo_width(options, 1024), .kernel = 1};
    return zoo_finish(g, zoo_unit(g, x, "conv5", last, ACTIVATION_RELU), "fc", options, error);
}
