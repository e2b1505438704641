/* MobileNetV3: Howard et al., "Searching for MobileNetV3", 2019, tables 1 and 2, as torchvision's. */
#include "nn/zoo/zoo.h"

#include <string.h>

struct row {
    size_t kernel, expanded, out;
    bool squeezes;
    enum activation activation;
    size_t stride;
};

#define RE ACTIVATION_RELU
#define HS ACTIVATION_HARDSWISH

static const struct row large[] = {
    {3, 16, 16, false, RE, 1},  {3, 64, 24, false, RE, 2},  {3, 72, 24, false, RE, 1},
    {5, 72, 40, true, RE, 2},   {5, 120, 40, true, RE, 1},  {5, 120, 40, true, RE, 1},
    {3, 240, 80, false, HS, 2}, {3, 200, 80, false, HS, 1}, {3, 184, 80, false, HS, 1},
    {3, 184, 80, false, HS, 1}, {3, 480, 112, true, HS, 1}, {3, 672, 112, true, HS, 1},
    {5, 672, 160, true, HS, 2}, {5, 960, 160, true, HS, 1}, {5, 960, 160, true, HS, 1},
};
static const struct row small[] = {
    {3, 16, 16, true, RE, 2},  {3, 72, 24, false, RE, 2}, {3, 88, 24, false, RE, 1},
    {5, 96, 40, true, HS, 2},  {5, 240, 40, true, HS, 1}, {5, 240, 40, true, HS, 1},
    {5, 120, 48, true, HS, 1}, {5, 144, 48, true, HS, 1}, {5, 288, 96, true, HS, 2},
    {5, 576, 96, true, HS, 1}, {5, 576, 96, true, HS, 1},
};

static const struct mobilenet {
    const char *name;
    const struct row *rows;
    size_t count, last;
} mobilenets[] = {
    {"mobilenet_v3_small", small, sizeof small / sizeof *small, 1024},
    {"mobilenet_v3_large", large, sizeof large / sizeof *large, 1280},
};

static size_t block(struct graph *g, size_t x, size_t in, const struct row *r,
                    const struct zoo_options *options)
{
    size_t expanded = zoo_width(options, r->expanded), out = zoo_width(options, r->out), y = x;
    const struct convolution expand = {.out = expanded, .kernel = 1}, project = {.out = out, .kernel = 1};
    const struct convolution depthwise = {.out = expanded,
                                          .kernel = r->kernel,
                                          .stride = r->stride,
                                          .padding = r->kernel / 2,
                                          .groups = expanded};
    size_t number = 0;
    if (expanded != in)
        y = zoo_numbered_unit(g, y, "block.", number++, expand, r->activation);
    y = zoo_numbered_unit(g, y, "block.", number++, depthwise, r->activation);
    if (r->squeezes) {
        size_t scope = graph_enter(g, "block.%zu.", number++);
        y = zoo_squeeze(g, y, zoo_eighths(expanded / 4), ACTIVATION_RELU, ACTIVATION_HARDSIGMOID);
        graph_leave(g, scope);
    }
    y = zoo_numbered_unit(g, y, "block.", number, project, ACTIVATION_NONE);
    return r->stride == 1 && in == out ? graph_add(g, y, x) : y;
}

struct graph *zoo_mobilenet_v3(const char *name, const struct zoo_options *options, struct error *error)
{
    const struct mobilenet *m = ZOO_ROW(mobilenets, name);
    struct graph *g = graph_new(name, INIT_KAIMING_01);
    if (!g)
        return graph_finish(g, 0, error);
    g->normalisation = (struct norm_options){.epsilon = 0.001, .momentum = 0.01};
    size_t channels = zoo_width(options, 16), x = zoo_input(g, options);
    x = zoo_unit(g, x, "features.0",
                 (struct convolution){.out = channels, .kernel = 3, .stride = 2, .padding = 1}, HS);
    for (size_t i = 0; i < m->count; i++) {
        size_t scope = graph_enter(g, "features.%zu.", i + 1);
        x = block(g, x, channels, &m->rows[i], options);
        graph_leave(g, scope);
        channels = zoo_width(options, m->rows[i].out);
    }
    x = zoo_numbered_unit(g, x, "features.", m->count + 1,
                          (struct convolution){.out = 6 * channels, .kernel = 1}, HS);
    x = graph_flatten(g, graph_adaptive_pool(g, graph_end_base(g, x), 1, 1));
    x = graph_activation(g, graph_dense(g, x, "classifier.0", zoo_width(options, m->last)), HS);
    x = graph_dropout(g, x, 0.2);
    return graph_finish(g, graph_dense(g, x, "classifier.3", options->classes), error);
}
