/* SqueezeNet: Iandola, Han, Moskewicz, Ashraf, Dally, Keutzer, "SqueezeNet: AlexNet-level accuracy with 50x
 * fewer parameters and <0.5MB model size", 2016, table 1; 1.1 as its authors' repository and torchvision have
 * it. */
#include "nn/zoo/zoo.h"

enum { FIRES = 8 };

static const struct squeezenet {
    const char *name;
    size_t stem, stem_kernel;
    struct fire {
        size_t number, squeeze, expand; /* each expansion, 1x1 and 3x3, has as many */
        bool pool;                      /* before it */
    } fires[FIRES];
} squeezenets[] = {
    {"squeezenet1_0",
     96,
     7,
     {{3, 16, 64, true},
      {4, 16, 64, false},
      {5, 32, 128, false},
      {7, 32, 128, true},
      {8, 48, 192, false},
      {9, 48, 192, false},
      {10, 64, 256, false},
      {12, 64, 256, true}}},
    {"squeezenet1_1",
     64,
     3,
     {{3, 16, 64, true},
      {4, 16, 64, false},
      {6, 32, 128, true},
      {7, 32, 128, false},
      {9, 48, 192, true},
      {10, 48, 192, false},
      {11, 64, 256, false},
      {12, 64, 256, false}}},
};

static size_t convolution(struct graph *g, size_t x, const char *name, struct convolution c)
{
    c.bias = true;
    return graph_relu(g, graph_convolution(g, x, name, c));
}

static size_t fire(struct graph *g, size_t x, const struct fire *f, const struct zoo_options *options)
{
    size_t squeeze = zoo_width(options, f->squeeze), expand = zoo_width(options, f->expand);
    size_t scope = graph_enter(g, "features.%zu.", f->number);
    x = convolution(g, x, "squeeze", (struct convolution){.out = squeeze, .kernel = 1});
    const size_t both[] = {
        convolution(g, x, "expand1x1", (struct convolution){.out = expand, .kernel = 1}),
        convolution(g, x, "expand3x3", (struct convolution){.out = expand, .kernel = 3, .padding = 1}),
    };
    graph_leave(g, scope);
    return graph_concat(g, both, 2);
}

struct graph *zoo_squeezenet(const char *name, const struct zoo_options *options, struct error *error)
{
    const struct squeezenet *s = ZOO_ROW(squeezenets, name);
    struct graph *g = graph_new(name, INIT_SQUEEZENET);
    if (!g)
        return graph_finish(g, 0, error);
    size_t x = zoo_input(g, options);
    x = convolution(
        g, x, "features.0",
        (struct convolution){.out = zoo_width(options, s->stem), .kernel = s->stem_kernel, .stride = 2});
    for (size_t i = 0; i < FIRES; i++) {
        if (s->fires[i].pool)
            x = graph_max_pool(g, x, (struct pooling){.kernel = 3, .stride = 2, .ceil = true});
        x = fire(g, x, &s->fires[i], options);
    }
    g->init = INIT_NORMAL_001;
    x = convolution(g, graph_dropout(g, graph_end_base(g, x), 0.5), "classifier.1",
                    (struct convolution){.out = options->classes, .kernel = 1});
    return graph_finish(g, graph_flatten(g, graph_adaptive_pool(g, x, 1, 1)), error);
}
