/* VGG: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014, table
 * 1, columns D and E. As torchvision, an adaptive pooling to 7x7 before the classifier takes any image size.
 */
#include "nn/zoo/zoo.h"

#include "base/text.h"

#define POOL 0

static struct graph *vgg(const char *name, const size_t *layers, size_t layer_count,
                         const struct zoo_options *options, struct error *error)
{
    struct graph *g = graph_new(name, INIT_KAIMING_01);
    if (!g)
        return graph_finish(g, 0, error);
    size_t x = zoo_input(g, options);
    size_t module = 0; /* its number in torchvision's Sequential: ReLUs and poolings count */
    for (size_t i = 0; i < layer_count; i++) {
        if (layers[i] == POOL) {
            x = graph_max_pool(g, x, (struct pooling){.kernel = 2});
            module++;
            continue;
        }
        AUTO_FREE char *layer = text_format("features.%zu", module);
        x = graph_convolution(
            g, x, layer,
            (struct convolution){
                .out = zoo_width(options, layers[i]), .kernel = 3, .padding = 1, .bias = true});
        x = graph_relu(g, x);
        module += 2;
    }
    x = graph_flatten(g, graph_adaptive_pool(g, x, 7, 7));
    x = graph_relu(g, graph_dense(g, x, "classifier.0", zoo_width(options, 4096)));
    x = graph_dropout(g, x, 0.5);
    x = graph_relu(g, graph_dense(g, x, "classifier.3", zoo_width(options, 4096)));
    x = graph_dropout(g, x, 0.5);
    x = graph_dense(g, x, "classifier.6", options->classes);
    return graph_finish(g, x, error);
}

struct graph *zoo_vgg16(const char *name, const struct zoo_options *options, struct error *error)
{
    static const size_t layers[] = {64,   64,  POOL, 128, 128,  POOL, 256, 256, 256,
                                    POOL, 512, 512,  512, POOL, 512,  512, 512, POOL};
    return vgg(name, layers, sizeof layers / sizeof *layers, options, error);
}

struct graph *zoo_vgg19(const char *name, const struct zoo_options *options, struct error *error)
{
    static const size_t layers[] = {64,  64,  POOL, 128, 128,  POOL, 256, 256, 256, 256, POOL,
                                    512, 512, 512,  512, POOL, 512,  512, 512, 512, POOL};
    return vgg(name, layers, sizeof layers / sizeof *layers, options, error);
}
