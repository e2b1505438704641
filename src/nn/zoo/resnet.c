/* ResNet: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015, table 1. Bottlenecks
 * stride in their 3x3 convolution ("version 1.5"), as torchvision's.
 * ResNeXt: Xie, Girshick, Dollar, Tu, He, "Aggregated residual transformations for deep neural networks",
 * 2016: the 3x3 convolution in groups. Wide ResNet: Zagoruyko, Komodakis, "Wide residual networks", 2016: the
 * 3x3 convolution twice as wide. */
#include "nn/zoo/zoo.h"

static const struct resnet {
    const char *name;
    size_t blocks[4];
    bool bottleneck;
    size_t groups, group_width; /* of the 3x3 convolution in the first stage's bottlenecks */
} resnets[] = {
    {"resnet18", {2, 2, 2, 2}, false, 1, 64},        {"resnet34", {3, 4, 6, 3}, false, 1, 64},
    {"resnet50", {3, 4, 6, 3}, true, 1, 64},         {"resnet101", {3, 4, 23, 3}, true, 1, 64},
    {"resnet152", {3, 8, 36, 3}, true, 1, 64},       {"resnext50_32x4d", {3, 4, 6, 3}, true, 32, 4},
    {"wide_resnet50_2", {3, 4, 6, 3}, true, 1, 128},
};

struct block {
    size_t in, width, out, stride, groups;
    bool bottleneck;
};

static size_t residual(struct graph *g, size_t x, const struct block *b)
{
    if (!b->bottleneck) {
        x = graph_relu(g, zoo_conv_bn(g, x, "conv1", "bn1",
                                      (struct convolution){
                                          .out = b->out, .kernel = 3, .stride = b->stride, .padding = 1}));
        return zoo_conv_bn(g, x, "conv2", "bn2",
                           (struct convolution){.out = b->out, .kernel = 3, .padding = 1});
    }
    x = graph_relu(g, zoo_conv_bn(g, x, "conv1", "bn1", (struct convolution){.out = b->width, .kernel = 1}));
    x = graph_relu(
        g, zoo_conv_bn(
               g, x, "conv2", "bn2",
               (struct convolution){
                   .out = b->width, .kernel = 3, .stride = b->stride, .padding = 1, .groups = b->groups}));
    return zoo_conv_bn(g, x, "conv3", "bn3", (struct convolution){.out = b->out, .kernel = 1});
}

static size_t block(struct graph *g, size_t x, const struct block *b)
{
    size_t y = residual(g, x, b);
    if (b->stride != 1 || b->in != b->out)
        x = zoo_conv_bn(g, x, "downsample.0", "downsample.1",
                        (struct convolution){.out = b->out, .kernel = 1, .stride = b->stride});
    return graph_relu(g, graph_add(g, y, x));
}

struct graph *zoo_resnet(const char *name, const struct zoo_options *options, struct error *error)
{
    const struct resnet *r = ZOO_ROW(resnets, name);
    struct graph *g = graph_new(name, INIT_KAIMING);
    if (!g)
        return graph_finish(g, 0, error);
    size_t channels = zoo_width(options, 64);
    size_t x = zoo_input(g, options);
    x = graph_relu(
        g, zoo_conv_bn(g, x, "conv1", "bn1",
                       (struct convolution){.out = channels, .kernel = 7, .stride = 2, .padding = 3}));
    x = graph_max_pool(g, x, (struct pooling){.kernel = 3, .stride = 2, .padding = 1});
    for (size_t s = 0; s < 4; s++) {
        size_t width = zoo_width(options, (size_t)64 << s);
        for (size_t i = 0; i < r->blocks[s]; i++) {
            struct block b = {.in = channels,
                              .width = r->groups * zoo_width(options, r->group_width << s),
                              .out = r->bottleneck ? 4 * width : width,
                              .stride = s > 0 && i == 0 ? 2 : 1,
                              .groups = r->groups,
                              .bottleneck = r->bottleneck};
            size_t scope = graph_enter(g, "layer%zu.%zu.", s + 1, i);
            x = block(g, x, &b);
            graph_leave(g, scope);
            channels = b.out;
        }
    }
    return zoo_finish(g, x, "fc", options, error);
}
