/* LeNet-5: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", 1998,
 * with ReLU for tanh, plain average pooling, and softmax for the radial basis output, as it is taught today.
 *
 * It was drawn for 32x32 pixels, where the second pooling gives 5x5. Larger images are averaged to 5x5 there,
 * so that the dense layers, and the number of parameters, stay the same. */
#include "nn/zoo/zoo.h"

struct graph *zoo_lenet(const char *name, const struct zoo_options *options, struct error *error)
{
    struct graph *g = graph_new(name, INIT_PYTORCH);
    if (!g)
        return graph_finish(g, 0, error);
    size_t x = zoo_input(g, options);
    x = graph_convolution(g, x, "conv1",
                          (struct convolution){.out = zoo_width(options, 6), .kernel = 5, .bias = true});
    x = graph_average_pool(g, graph_relu(g, x), (struct pooling){.kernel = 2});
    x = graph_convolution(g, x, "conv2",
                          (struct convolution){.out = zoo_width(options, 16), .kernel = 5, .bias = true});
    x = graph_average_pool(g, graph_relu(g, x), (struct pooling){.kernel = 2});
    x = graph_flatten(g, graph_adaptive_pool(g, graph_end_base(g, x), 5, 5));
    x = graph_relu(g, graph_dense(g, x, "fc1", zoo_width(options, 120)));
    x = graph_relu(g, graph_dense(g, x, "fc2", zoo_width(options, 84)));
    x = graph_dense(g, x, "fc3", options->classes);
    return graph_finish(g, x, error);
}
