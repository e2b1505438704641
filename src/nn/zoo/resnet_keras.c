/* ResNet-50 as keras.applications has it, and the study this laboratory grew from used: bottlenecks stride in
 * their first 1x1 convolution (as in the paper; torchvision strides in the 3x3), convolutions have biases,
 * batch normalisation an epsilon of 1.001e-5. Names are those of Keras's layers. */
#include "nn/zoo/zoo.h"

struct block {
    size_t width, stride;
    bool projects;
};

static size_t block(struct graph *g, size_t x, const struct block *b)
{
    const struct convolution reduce = {.out = b->width, .kernel = 1, .stride = b->stride, .bias = true};
    const struct convolution middle = {.out = b->width, .kernel = 3, .padding = 1, .bias = true};
    const struct convolution expand = {.out = 4 * b->width, .kernel = 1, .bias = true};
    const struct convolution project = {.out = 4 * b->width, .kernel = 1, .stride = b->stride, .bias = true};
    size_t y = graph_relu(g, zoo_conv_bn(g, x, "1_conv", "1_bn", reduce));
    y = graph_relu(g, zoo_conv_bn(g, y, "2_conv", "2_bn", middle));
    y = zoo_conv_bn(g, y, "3_conv", "3_bn", expand);
    if (b->projects)
        x = zoo_conv_bn(g, x, "0_conv", "0_bn", project);
    return graph_relu(g, graph_add(g, y, x));
}

struct graph *zoo_resnet_keras(const char *name, const struct zoo_options *options, struct error *error)
{
    static const size_t blocks[] = {3, 4, 6, 3};
    struct graph *g = graph_new(name, INIT_KERAS);
    if (!g)
        return graph_finish(g, 0, error);
    g->counts_statistics = true;
    g->normalisation = (struct norm_options){.epsilon = 1.001e-5, .momentum = 0.01};
    size_t x = zoo_input(g, options);
    x = zoo_conv_bn(g, x, "conv1_conv", "conv1_bn",
                    (struct convolution){
                        .out = zoo_width(options, 64), .kernel = 7, .stride = 2, .padding = 3, .bias = true});
    /* Keras pads with zeros, which after a ReLU no maximum tells from none. */
    x = graph_max_pool(g, graph_relu(g, x), (struct pooling){.kernel = 3, .stride = 2, .padding = 1});
    for (size_t s = 0; s < 4; s++) {
        for (size_t i = 0; i < blocks[s]; i++) {
            struct block b = {.width = zoo_width(options, (size_t)64 << s),
                              .stride = s > 0 && i == 0 ? 2 : 1,
                              .projects = i == 0};
            size_t scope = graph_enter(g, "conv%zu_block%zu_", s + 2, i + 1);
            x = block(g, x, &b);
            graph_leave(g, scope);
        }
    }
    return zoo_finish(g, x, "predictions", options, error);
}
