/* VGG: Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014, table
 * 1, columns A, B, D and E; with batch normalisation as torchvision has it. As there, an adaptive pooling to
 * 7x7 before the classifier takes any image size. */
#include "nn/zoo/zoo.h"

#include "base/text.h"

enum { STAGES = 5 };

static const struct vgg {
    const char *name;
    size_t convolutions[STAGES]; /* each stage ends in a pooling */
    bool normalised;
} vggs[] = {
    {"vgg11", {1, 1, 2, 2, 2}, false}, {"vgg11_bn", {1, 1, 2, 2, 2}, true},
    {"vgg13", {2, 2, 2, 2, 2}, false}, {"vgg13_bn", {2, 2, 2, 2, 2}, true},
    {"vgg16", {2, 2, 3, 3, 3}, false}, {"vgg16_bn", {2, 2, 3, 3, 3}, true},
    {"vgg19", {2, 2, 4, 4, 4}, false}, {"vgg19_bn", {2, 2, 4, 4, 4}, true},
};
static const size_t channels[STAGES] = {64, 128, 256, 512, 512};

struct graph *zoo_vgg(const char *name, const struct zoo_options *options, struct error *error)
{
    const struct vgg *vgg = ZOO_ROW(vggs, name);
    struct graph *g = graph_new(name, INIT_KAIMING_01);
    if (!g)
        return graph_finish(g, 0, error);
    size_t x = zoo_input(g, options);
    size_t module = 0; /* its number in torchvision's Sequential: ReLUs and poolings count */
    for (int stage = 0; stage < STAGES; stage++) {
        for (size_t i = 0; i < vgg->convolutions[stage]; i++) {
            AUTO_FREE char *conv = text_format("features.%zu", module++);
            AUTO_FREE char *bn = vgg->normalised ? text_format("features.%zu", module++) : NULL;
            x = graph_convolution(
                g, x, conv,
                (struct convolution){
                    .out = zoo_width(options, channels[stage]), .kernel = 3, .padding = 1, .bias = true});
            x = graph_relu(g, vgg->normalised ? graph_batch_norm(g, x, bn) : x);
            module++;
        }
        x = graph_max_pool(g, x, (struct pooling){.kernel = 2});
        module++;
    }
    x = graph_flatten(g, graph_adaptive_pool(g, graph_end_base(g, x), 7, 7));
    x = graph_relu(g, graph_dense(g, x, "classifier.0", zoo_width(options, 4096)));
    x = graph_dropout(g, x, 0.5);
    x = graph_relu(g, graph_dense(g, x, "classifier.3", zoo_width(options, 4096)));
    x = graph_dropout(g, x, 0.5);
    return graph_finish(g, graph_dense(g, x, "classifier.6", options->classes), error);
}
