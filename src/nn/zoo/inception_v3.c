/* Inception v3: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, "Rethinking the Inception architecture for computer
 * vision", 2015, table 1, without the auxiliary classifier, as torchvision's; its names of the mixed layers
 * are the paper's authors'. */
#include "nn/zoo/zoo.h"

/* One line a convolution: where it reads, and whether its output is one of the block's. */
struct unit {
    const char *name;
    int from; /* of the lines before; INPUT or POOLED */
    size_t out, height, width, stride;
    bool padded, last;
};
enum { INPUT = -1, POOLED = -2, UNITS = 10 };

struct mixed {
    bool max_pool; /* a maximum with stride 2, appended as it is; else an average, read by the POOLED lines */
    size_t count;
    struct unit units[UNITS];
};

static const struct mixed a = {false,
                               7,
                               {{"branch1x1", INPUT, 64, 1, 1, 1, false, true},
                                {"branch5x5_1", INPUT, 48, 1, 1, 1, false, false},
                                {"branch5x5_2", 1, 64, 5, 5, 1, true, true},
                                {"branch3x3dbl_1", INPUT, 64, 1, 1, 1, false, false},
                                {"branch3x3dbl_2", 3, 96, 3, 3, 1, true, false},
                                {"branch3x3dbl_3", 4, 96, 3, 3, 1, true, true},
                                {"branch_pool", POOLED, 0, 1, 1, 1, false, true}}};
static const struct mixed b = {true,
                               4,
                               {{"branch3x3", INPUT, 384, 3, 3, 2, false, true},
                                {"branch3x3dbl_1", INPUT, 64, 1, 1, 1, false, false},
                                {"branch3x3dbl_2", 1, 96, 3, 3, 1, true, false},
                                {"branch3x3dbl_3", 2, 96, 3, 3, 2, false, true}}};
static const struct mixed c = {false,
                               10,
                               {{"branch1x1", INPUT, 192, 1, 1, 1, false, true},
                                {"branch7x7_1", INPUT, 0, 1, 1, 1, false, false},
                                {"branch7x7_2", 1, 0, 1, 7, 1, true, false},
                                {"branch7x7_3", 2, 192, 7, 1, 1, true, true},
                                {"branch7x7dbl_1", INPUT, 0, 1, 1, 1, false, false},
                                {"branch7x7dbl_2", 4, 0, 7, 1, 1, true, false},
                                {"branch7x7dbl_3", 5, 0, 1, 7, 1, true, false},
                                {"branch7x7dbl_4", 6, 0, 7, 1, 1, true, false},
                                {"branch7x7dbl_5", 7, 192, 1, 7, 1, true, true},
                                {"branch_pool", POOLED, 192, 1, 1, 1, false, true}}};
static const struct mixed d = {true,
                               6,
                               {{"branch3x3_1", INPUT, 192, 1, 1, 1, false, false},
                                {"branch3x3_2", 0, 320, 3, 3, 2, false, true},
                                {"branch7x7x3_1", INPUT, 192, 1, 1, 1, false, false},
                                {"branch7x7x3_2", 2, 192, 1, 7, 1, true, false},
                                {"branch7x7x3_3", 3, 192, 7, 1, 1, true, false},
                                {"branch7x7x3_4", 4, 192, 3, 3, 2, false, true}}};
static const struct mixed e = {false,
                               9,
                               {{"branch1x1", INPUT, 320, 1, 1, 1, false, true},
                                {"branch3x3_1", INPUT, 384, 1, 1, 1, false, false},
                                {"branch3x3_2a", 1, 384, 1, 3, 1, true, true},
                                {"branch3x3_2b", 1, 384, 3, 1, 1, true, true},
                                {"branch3x3dbl_1", INPUT, 448, 1, 1, 1, false, false},
                                {"branch3x3dbl_2", 4, 384, 3, 3, 1, true, false},
                                {"branch3x3dbl_3a", 5, 384, 1, 3, 1, true, true},
                                {"branch3x3dbl_3b", 5, 384, 3, 1, 1, true, true},
                                {"branch_pool", POOLED, 192, 1, 1, 1, false, true}}};

static const struct block {
    const char *name;
    const struct mixed *mixed;
    size_t channels; /* of the lines that have 0 */
} blocks[] = {
    {"Mixed_5b", &a, 32},  {"Mixed_5c", &a, 64},  {"Mixed_5d", &a, 64},  {"Mixed_6a", &b, 0},
    {"Mixed_6b", &c, 128}, {"Mixed_6c", &c, 160}, {"Mixed_6d", &c, 160}, {"Mixed_6e", &c, 192},
    {"Mixed_7a", &d, 0},   {"Mixed_7b", &e, 0},   {"Mixed_7c", &e, 0},
};

static size_t mixed(struct graph *g, size_t x, const struct block *block, const struct zoo_options *options)
{
    const struct mixed *m = block->mixed;
    size_t outputs[UNITS], parts[NODE_INPUTS], count = 0;
    size_t scope = graph_enter(g, "%s.", block->name);
    size_t pooled = m->max_pool
                        ? graph_max_pool(g, x, (struct pooling){.kernel = 3, .stride = 2})
                        : graph_average_pool(g, x, (struct pooling){.kernel = 3, .stride = 1, .padding = 1});
    for (size_t i = 0; i < m->count; i++) {
        const struct unit *u = &m->units[i];
        size_t from = u->from == INPUT ? x : u->from == POOLED ? pooled : outputs[u->from];
        outputs[i] =
            zoo_named_unit(g, from, u->name,
                           (struct convolution){.out = zoo_width(options, u->out ? u->out : block->channels),
                                                .kernel = u->height,
                                                .kernel_width = u->width,
                                                .stride = u->stride,
                                                .padding = u->padded ? u->height / 2 : 0,
                                                .padding_width = u->padded ? u->width / 2 : 0});
        if (u->last)
            parts[count++] = outputs[i];
    }
    if (m->max_pool)
        parts[count++] = pooled;
    graph_leave(g, scope);
    return graph_concat(g, parts, count);
}

static size_t stem(struct graph *g, size_t x, const struct zoo_options *options)
{
    static const struct {
        const char *name;
        size_t out, kernel, stride, padding;
        bool pool;
    } units[] = {
        {"Conv2d_1a_3x3", 32, 3, 2, 0, false}, {"Conv2d_2a_3x3", 32, 3, 1, 0, false},
        {"Conv2d_2b_3x3", 64, 3, 1, 1, true},  {"Conv2d_3b_1x1", 80, 1, 1, 0, false},
        {"Conv2d_4a_3x3", 192, 3, 1, 0, true},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        x = zoo_named_unit(g, x, units[i].name,
                           (struct convolution){.out = zoo_width(options, units[i].out),
                                                .kernel = units[i].kernel,
                                                .stride = units[i].stride,
                                                .padding = units[i].padding});
        if (units[i].pool)
            x = graph_max_pool(g, x, (struct pooling){.kernel = 3, .stride = 2});
    }
    return x;
}

struct graph *zoo_inception_v3(const char *name, const struct zoo_options *options, struct error *error)
{
    struct graph *g = graph_new(name, INIT_NORMAL_01);
    if (!g)
        return graph_finish(g, 0, error);
    g->normalisation.epsilon = 0.001;
    size_t x = stem(g, zoo_input(g, options), options);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        x = mixed(g, x, &blocks[i], options);
    x = graph_dropout(g, graph_flatten(g, graph_adaptive_pool(g, graph_end_base(g, x), 1, 1)), 0.5);
    return graph_finish(g, graph_dense(g, x, "fc", options->classes), error);
}
