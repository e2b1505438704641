/* GoogLeNet: Szegedy et al., "Going deeper with convolutions", 2014, table 1, without auxiliary classifiers;
 * with batch normalisation, and 3x3 where the paper has 5x5, as torchvision's. */
#include "nn/zoo/zoo.h"

static const struct inception {
    const char *name;
    size_t one, three_reduce, three, five_reduce, five, pool;
    size_t pool_kernel; /* of a maximum before it; 0: none */
} inceptions[] = {
    {"3a", 64, 96, 128, 16, 32, 32, 3},     {"3b", 128, 128, 192, 32, 96, 64, 0},
    {"4a", 192, 96, 208, 16, 48, 64, 3},    {"4b", 160, 112, 224, 24, 64, 64, 0},
    {"4c", 128, 128, 256, 24, 64, 64, 0},   {"4d", 112, 144, 288, 32, 64, 64, 0},
    {"4e", 256, 160, 320, 32, 128, 128, 0}, {"5a", 256, 160, 320, 32, 128, 128, 2},
    {"5b", 384, 192, 384, 48, 128, 128, 0},
};

static size_t unit(struct graph *g, size_t x, const char *name, size_t channels, size_t kernel, size_t stride)
{
    return zoo_named_unit(
        g, x, name,
        (struct convolution){.out = channels, .kernel = kernel, .stride = stride, .padding = kernel / 2});
}

static size_t inception(struct graph *g, size_t x, const struct inception *i, const struct zoo_options *o)
{
    size_t scope = graph_enter(g, "inception%s.", i->name);
    size_t three = unit(g, x, "branch2.0", zoo_width(o, i->three_reduce), 1, 1);
    size_t five = unit(g, x, "branch3.0", zoo_width(o, i->five_reduce), 1, 1);
    size_t pool = graph_max_pool(g, x, (struct pooling){.kernel = 3, .stride = 1, .padding = 1});
    const size_t branches[] = {
        unit(g, x, "branch1", zoo_width(o, i->one), 1, 1),
        unit(g, three, "branch2.1", zoo_width(o, i->three), 3, 1),
        unit(g, five, "branch3.1", zoo_width(o, i->five), 3, 1),
        unit(g, pool, "branch4.1", zoo_width(o, i->pool), 1, 1),
    };
    graph_leave(g, scope);
    return graph_concat(g, branches, 4);
}

struct graph *zoo_googlenet(const char *name, const struct zoo_options *options, struct error *error)
{
    struct graph *g = graph_new(name, INIT_NORMAL_001);
    if (!g)
        return graph_finish(g, 0, error);
    g->normalisation.epsilon = 0.001;
    size_t x = unit(g, zoo_input(g, options), "conv1", zoo_width(options, 64), 7, 2);
    x = graph_max_pool(g, x, (struct pooling){.kernel = 3, .stride = 2, .ceil = true});
    x = unit(g, x, "conv2", zoo_width(options, 64), 1, 1);
    x = unit(g, x, "conv3", zoo_width(options, 192), 3, 1);
    for (size_t i = 0; i < sizeof inceptions / sizeof *inceptions; i++) {
        size_t kernel = inceptions[i].pool_kernel;
        if (kernel)
            x = graph_max_pool(g, x, (struct pooling){.kernel = kernel, .stride = 2, .ceil = true});
        x = inception(g, x, &inceptions[i], options);
    }
    x = graph_dropout(g, graph_flatten(g, graph_adaptive_pool(g, graph_end_base(g, x), 1, 1)), 0.2);
    return graph_finish(g, graph_dense(g, x, "fc", options->classes), error);
}
