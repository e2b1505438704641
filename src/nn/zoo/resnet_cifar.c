/* ResNet for CIFAR: He, Zhang, Ren, Sun, "Deep residual learning for image recognition", 2015, section 4.2:
 * 6n + 2 layers, and shortcuts without parameters (option A): every second pixel, and zeros for the channels
 * that are new. These come after the others, as in Facebook's fb.resnet.torch (models/resnet.lua, shortcut
 * type A). Names are as those of torchvision's resnet18. */
#include "nn/zoo/zoo.h"

static const struct resnet {
    const char *name;
    size_t blocks; /* n, in each of three stages */
} resnets[] = {{"resnet20", 3}, {"resnet56", 9}};

static size_t block(struct graph *g, size_t x, size_t channels, size_t stride)
{
    const struct convolution first = {.out = channels, .kernel = 3, .stride = stride, .padding = 1};
    const struct convolution second = {.out = channels, .kernel = 3, .padding = 1};
    size_t y = graph_relu(g, zoo_conv_bn(g, x, "conv1", "bn1", first));
    y = zoo_conv_bn(g, y, "conv2", "bn2", second);
    if (stride > 1)
        x = graph_widen(g, graph_average_pool(g, x, (struct pooling){.kernel = 1, .stride = stride}),
                        channels);
    return graph_relu(g, graph_add(g, y, x));
}

struct graph *zoo_resnet_cifar(const char *name, const struct zoo_options *options, struct error *error)
{
    const struct resnet *r = ZOO_ROW(resnets, name);
    struct graph *g = graph_new(name, INIT_KAIMING_IN);
    if (!g)
        return graph_finish(g, 0, error);
    size_t x = zoo_input(g, options);
    x = graph_relu(
        g, zoo_conv_bn(g, x, "conv1", "bn1",
                       (struct convolution){.out = zoo_width(options, 16), .kernel = 3, .padding = 1}));
    for (size_t s = 0; s < 3; s++) {
        for (size_t i = 0; i < r->blocks; i++) {
            size_t scope = graph_enter(g, "layer%zu.%zu.", s + 1, i);
            x = block(g, x, zoo_width(options, (size_t)16 << s), s > 0 && i == 0 ? 2 : 1);
            graph_leave(g, scope);
        }
    }
    return zoo_finish(g, x, "fc", options, error);
}
