/* AlexNet: Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014: the network
 * of one GPU, without normalisation, as torchvision's. */
#include "nn/zoo/zoo.h"

struct graph *zoo_alexnet(const char *name, const struct zoo_options *options, struct error *error)
{
    static const struct layer {
        const char *name;
        size_t out, kernel, stride, padding;
        bool pool;
    } layers[] = {
        {"features.0", 64, 11, 4, 2, true},  {"features.3", 192, 5, 1, 2, true},
        {"features.6", 384, 3, 1, 1, false}, {"features.8", 256, 3, 1, 1, false},
        {"features.10", 256, 3, 1, 1, true},
    };
    struct graph *g = graph_new(name, INIT_PYTORCH);
    if (!g)
        return graph_finish(g, 0, error);
    size_t x = zoo_input(g, options);
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        const struct layer *l = &layers[i];
        x = graph_relu(g, graph_convolution(g, x, l->name,
                                            (struct convolution){.out = zoo_width(options, l->out),
                                                                 .kernel = l->kernel,
                                                                 .stride = l->stride,
                                                                 .padding = l->padding,
                                                                 .bias = true}));
        if (l->pool)
            x = graph_max_pool(g, x, (struct pooling){.kernel = 3, .stride = 2});
    }
    x = graph_dropout(g, graph_flatten(g, graph_adaptive_pool(g, graph_end_base(g, x), 6, 6)), 0.5);
    x = graph_relu(g, graph_dense(g, x, "classifier.1", zoo_width(options, 4096)));
    x = graph_dropout(g, x, 0.5);
    x = graph_relu(g, graph_dense(g, x, "classifier.4", zoo_width(options, 4096)));
    return graph_finish(g, graph_dense(g, x, "classifier.6", options->classes), error);
}
