/* ResNet: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015, table 1. Bottlenecks
 * stride in their 3x3 convolution ("version 1.5"), as torchvision's. */
#include "nn/zoo/zoo.h"

#include "base/text.h"

struct stage {
    struct graph *graph;
    size_t channels, stride; /* of its first block */
    bool bottleneck;
};

/* Convolution and batch normalisation: "PREFIX.conv1", "PREFIX.bn1". */
static size_t conv_bn(struct graph *g, size_t x, const char *prefix, int number,
                      struct convolution convolution)
{
    AUTO_FREE char *conv = text_format("%s.conv%d", prefix, number);
    AUTO_FREE char *bn = text_format("%s.bn%d", prefix, number);
    return graph_batch_norm(g, graph_convolution(g, x, conv, convolution), bn);
}

static size_t shortcut(struct graph *g, size_t x, const char *prefix, size_t out, size_t stride)
{
    AUTO_FREE char *conv = text_format("%s.downsample.0", prefix);
    AUTO_FREE char *bn = text_format("%s.downsample.1", prefix);
    x = graph_convolution(g, x, conv, (struct convolution){.out = out, .kernel = 1, .stride = stride});
    return graph_batch_norm(g, x, bn);
}

/* One residual block; `in` is the number of channels of x. */
static size_t block(const struct stage *stage, size_t x, const char *prefix, size_t in, size_t stride)
{
    struct graph *g = stage->graph;
    size_t c = stage->channels, out = stage->bottleneck ? 4 * c : c;
    size_t y;
    if (stage->bottleneck) {
        y = graph_relu(g, conv_bn(g, x, prefix, 1, (struct convolution){.out = c, .kernel = 1}));
        y = graph_relu(g,
                       conv_bn(g, y, prefix, 2,
                               (struct convolution){.out = c, .kernel = 3, .stride = stride, .padding = 1}));
        y = conv_bn(g, y, prefix, 3, (struct convolution){.out = out, .kernel = 1});
    } else {
        y = graph_relu(g,
                       conv_bn(g, x, prefix, 1,
                               (struct convolution){.out = c, .kernel = 3, .stride = stride, .padding = 1}));
        y = conv_bn(g, y, prefix, 2, (struct convolution){.out = c, .kernel = 3, .padding = 1});
    }
    if (stride != 1 || in != out)
        x = shortcut(g, x, prefix, out, stride);
    return graph_relu(g, graph_add(g, y, x));
}

static struct graph *resnet(const char *name, const size_t blocks[4], bool bottleneck,
                            const struct zoo_options *options, struct error *error)
{
    struct graph *g = graph_new(name, INIT_KAIMING);
    if (!g)
        return graph_finish(g, 0, error);
    size_t channels = zoo_width(options, 64);
    size_t x = zoo_input(g, options);
    x = graph_convolution(g, x, "conv1",
                          (struct convolution){.out = channels, .kernel = 7, .stride = 2, .padding = 3});
    x = graph_relu(g, graph_batch_norm(g, x, "bn1"));
    x = graph_max_pool(g, x, (struct pooling){.kernel = 3, .stride = 2, .padding = 1});
    for (size_t s = 0; s < 4; s++) {
        struct stage stage = {g, zoo_width(options, (size_t)64 << s), s ? 2 : 1, bottleneck};
        for (size_t b = 0; b < blocks[s]; b++) {
            AUTO_FREE char *prefix = text_format("layer%zu.%zu", s + 1, b);
            x = block(&stage, x, prefix ? prefix : "", channels, b ? 1 : stage.stride);
            channels = bottleneck ? 4 * stage.channels : stage.channels;
        }
    }
    x = graph_flatten(g, graph_adaptive_pool(g, x, 1, 1));
    x = graph_dense(g, x, "fc", options->classes);
    return graph_finish(g, x, error);
}

struct graph *zoo_resnet18(const char *name, const struct zoo_options *options, struct error *error)
{
    return resnet(name, (const size_t[]){2, 2, 2, 2}, false, options, error);
}

struct graph *zoo_resnet50(const char *name, const struct zoo_options *options, struct error *error)
{
    return resnet(name, (const size_t[]){3, 4, 6, 3}, true, options, error);
}
