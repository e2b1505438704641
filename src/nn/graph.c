#include "nn/graph.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* Larger tensors than this a side are mistakes, and products of four such sides fit 64 bits after checks. */
#define MOST_SIDE ((size_t)1 << 28)

struct graph *graph_new(const char *architecture, enum init_scheme init)
{
    struct graph *graph = calloc(1, sizeof *graph);
    if (!graph)
        return NULL;
    graph->init = init;
    graph->normalisation = (struct norm_options){.epsilon = 1e-5, .momentum = 0.1};
    graph->architecture = strdup(architecture);
    if (!graph->architecture) {
        free(graph);
        return NULL;
    }
    return graph;
}

void graph_free(struct graph *graph)
{
    if (!graph)
        return;
    for (size_t i = 0; i < graph->count; i++)
        free(graph->nodes[i].name);
    free(graph->nodes);
    free(graph->architecture);
    free(graph->scope);
    error_clear(&graph->error);
    free(graph);
}

struct graph *graph_copy(const struct graph *graph, struct error *error)
{
    struct graph *copy = graph_new(graph->architecture, graph->init);
    if (!copy)
        goto memory;
    copy->nodes = calloc(graph->count, sizeof *copy->nodes);
    if (!copy->nodes)
        goto memory;
    copy->counts_statistics = graph->counts_statistics;
    copy->base = graph->base;
    copy->frozen = graph->frozen;
    copy->capacity = graph->count;
    for (size_t i = 0; i < graph->count; i++) {
        copy->nodes[i] = graph->nodes[i];
        copy->nodes[i].name = strdup(graph->nodes[i].name);
        copy->count = i + 1;
        if (!copy->nodes[i].name)
            goto memory;
    }
    return copy;
memory:
    graph_free(copy);
    error_memory(error, "graph");
    return NULL;
}

static const char *kind_name(enum node_kind kind)
{
    static const char *const names[] = {
        [NODE_INPUT] = "input",
        [NODE_CONVOLUTION] = "convolution",
        [NODE_BATCH_NORM] = "batch normalisation",
        [NODE_RELU] = "ReLU",
        [NODE_ACTIVATION] = "activation",
        [NODE_MAX_POOL] = "max pooling",
        [NODE_AVERAGE_POOL] = "average pooling",
        [NODE_ADAPTIVE_POOL] = "adaptive pooling",
        [NODE_DENSE] = "dense layer",
        [NODE_DROPOUT] = "dropout",
        [NODE_ADD] = "addition",
        [NODE_CONCAT] = "concatenation",
        [NODE_SLICE] = "slice of channels",
        [NODE_WIDEN] = "widening",
        [NODE_SHUFFLE] = "shuffle of channels",
        [NODE_GATE] = "gate",
        [NODE_LAYER_NORM] = "layer normalisation",
        [NODE_LAYER_SCALE] = "layer scale",
        [NODE_STOCHASTIC_DEPTH] = "stochastic depth",
        [NODE_FLATTEN] = "flatten",
        [NODE_LOSS] = "loss",
    };
    return names[kind];
}

static size_t fail(struct graph *graph, const struct node *node, const char *reason)
{
    if (!graph->failed) {
        graph->failed = true;
        error_set(&graph->error, "%s: %s%s%s: %s", graph->architecture, kind_name(node->kind),
                  node->name && *node->name ? " " : "", node->name ? node->name : "", reason);
    }
    return 0;
}

static size_t fail_memory(struct graph *graph)
{
    if (!graph->failed) {
        graph->failed = true;
        error_memory(&graph->error, "graph");
    }
    return 0;
}

static bool sane(struct shape shape)
{
    size_t all;
    return shape.channels > 0 && shape.height > 0 && shape.width > 0 && shape.channels <= MOST_SIDE &&
           shape.height <= MOST_SIDE && shape.width <= MOST_SIDE &&
           !__builtin_mul_overflow(shape.height * shape.width, shape.channels, &all) && all <= SIZE_MAX / 64;
}

/* Takes over node->name being borrowed: the graph keeps a copy. */
static size_t add_node(struct graph *graph, struct node node)
{
    if (graph->failed)
        return 0;
    if (!sane(node.shape))
        return fail(graph, &node, "its output would be empty or too large to address");
    if (graph->count == graph->capacity) {
        size_t capacity = graph->capacity ? graph->capacity * 2 : 64;
        struct node *nodes = realloc(graph->nodes, capacity * sizeof *nodes);
        if (!nodes)
            return fail_memory(graph);
        graph->nodes = nodes;
        graph->capacity = capacity;
    }
    bool scoped = graph->scope && node.name && *node.name;
    node.name = text_format("%s%s", scoped ? graph->scope : "", node.name ? node.name : "");
    if (!node.name)
        return fail_memory(graph);
    node.init = graph->init;
    graph->nodes[graph->count] = node;
    return graph->count++;
}

size_t graph_enter(struct graph *graph, const char *format, ...)
{
    size_t entered = graph->scope ? strlen(graph->scope) : 0;
    va_list arguments;
    va_start(arguments, format);
    AUTO_FREE char *prefix = NULL;
    if (vasprintf(&prefix, format, arguments) < 0)
        prefix = NULL;
    va_end(arguments);
    char *scope = prefix ? text_format("%s%s", graph->scope ? graph->scope : "", prefix) : NULL;
    if (!scope) {
        fail_memory(graph);
        return entered;
    }
    free(graph->scope);
    graph->scope = scope;
    return entered;
}

void graph_leave(struct graph *graph, size_t entered)
{
    if (graph->scope && entered < strlen(graph->scope))
        graph->scope[entered] = 0;
}

size_t graph_end_base(struct graph *graph, size_t node)
{
    graph->base = node;
    return node;
}

static void drop_nodes(struct graph *graph, size_t count)
{
    while (graph->count > count)
        free(graph->nodes[--graph->count].name);
}

size_t graph_drop_head(struct graph *graph)
{
    if (!graph->failed && graph->base == 0) {
        graph->failed = true;
        error_set(&graph->error, "%s: it has no base that another head could be put on", graph->architecture);
    }
    if (!graph->failed)
        drop_nodes(graph, graph->base + 1);
    return graph->base;
}

/* The nodes after the base, on an input that stands for it. */
static int keep_head(struct graph *head, struct error *error)
{
    size_t base = head->base;
    for (size_t i = base + 1; i < head->count; i++) {
        struct node *node = &head->nodes[i];
        for (size_t k = 0; k < node->input_count; k++) {
            if (node->inputs[k] < base)
                return error_set(error, "%s: its head reads more than the end of its base",
                                 head->architecture);
            node->inputs[k] -= base;
        }
    }
    for (size_t i = 0; i < base; i++)
        free(head->nodes[i].name);
    memmove(head->nodes, head->nodes + base, (head->count - base) * sizeof *head->nodes);
    head->count -= base;
    head->nodes[0] =
        (struct node){.kind = NODE_INPUT, .name = head->nodes[0].name, .shape = head->nodes[0].shape};
    head->nodes[0].name[0] = 0;
    head->base = 0;
    head->frozen = false;
    return 0;
}

int graph_split(const struct graph *graph, struct graph **base, struct graph **head, struct error *error)
{
    *base = graph_copy(graph, error);
    *head = *base ? graph_copy(graph, error) : NULL;
    if (!*head || keep_head(*head, error)) {
        graph_free(*base);
        graph_free(*head);
        *base = *head = NULL;
        return -1;
    }
    drop_nodes(*base, graph->base + 1);
    return 0;
}

static struct shape shape_of(const struct graph *graph, size_t node)
{
    return graph->failed || node >= graph->count ? (struct shape){0, 0, 0} : graph->nodes[node].shape;
}

static struct node node_on(enum node_kind kind, size_t input, const char *name, struct shape shape)
{
    return (struct node){
        .kind = kind, .name = (char *)name, .inputs = {input, 0}, .input_count = 1, .shape = shape};
}

size_t graph_input(struct graph *graph, struct shape shape)
{
    return add_node(graph, (struct node){.kind = NODE_INPUT, .name = (char *)"", .shape = shape});
}

struct window convolution_window(const struct convolution *convolution)
{
    bool oblong = convolution->kernel_width != 0;
    return (struct window){
        .kernel = {convolution->kernel, oblong ? convolution->kernel_width : convolution->kernel},
        .padding = {convolution->padding, oblong ? convolution->padding_width : convolution->padding},
        .stride = convolution->stride ? convolution->stride : 1,
        .dilation = convolution->dilation ? convolution->dilation : 1,
        .groups = convolution->groups ? convolution->groups : 1,
    };
}

/* Places a window of `extent` has in `size` with `padding` on both sides; 0 and the graph failed if it has
 * none. */
static size_t places(struct graph *graph, const struct node *node, size_t size, size_t extent, size_t stride,
                     size_t padding)
{
    if (extent == 0 || stride == 0 || extent > MOST_SIDE || padding > MOST_SIDE) {
        fail(graph, node, "its window must have a size and a stride of at least 1");
        return 0;
    }
    if (size + 2 * padding < extent) {
        AUTO_FREE char *reason =
            text_format("its input of %zu pixels is too small for a window of %zu with a padding of %zu: "
                        "use images at least %.1f times as large",
                        size, extent, padding, (double)(extent - 2 * padding) / (double)size);
        fail(graph, node, reason ? reason : "its input is too small");
        return 0;
    }
    return (size + 2 * padding - extent) / stride + 1;
}

size_t graph_convolution(struct graph *graph, size_t input, const char *name, struct convolution convolution)
{
    if (graph->failed)
        return 0;
    struct shape in = shape_of(graph, input);
    struct window w = convolution_window(&convolution);
    struct node node = node_on(NODE_CONVOLUTION, input, name, in);
    node.convolution = convolution;
    if (convolution.out == 0 || in.channels % w.groups || convolution.out % w.groups) {
        AUTO_FREE char *reason = text_format("%zu channels in and %zu out can't be divided into %zu groups",
                                             in.channels, convolution.out, w.groups);
        return fail(graph, &node, reason ? reason : "groups don't divide the channels");
    }
    if (convolution.flat && (w.kernel[0] != 1 || w.kernel[1] != 1 || w.groups != 1))
        return fail(graph, &node, "only a plain 1x1 convolution's weights are a dense layer's");
    if (w.kernel[0] == 0 || w.kernel[0] > 1024 || w.kernel[1] > 1024 || w.dilation > 1024)
        return fail(graph, &node, "its window must be between 1 and 1024 pixels wide");
    node.shape.channels = convolution.out;
    node.shape.height =
        places(graph, &node, in.height, (w.kernel[0] - 1) * w.dilation + 1, w.stride, w.padding[0]);
    if (!graph->failed)
        node.shape.width =
            places(graph, &node, in.width, (w.kernel[1] - 1) * w.dilation + 1, w.stride, w.padding[1]);
    return add_node(graph, node);
}

size_t graph_batch_norm(struct graph *graph, size_t input, const char *name)
{
    struct node node = node_on(NODE_BATCH_NORM, input, name, shape_of(graph, input));
    node.normalisation = graph->normalisation;
    return add_node(graph, node);
}

size_t graph_layer_norm(struct graph *graph, size_t input, const char *name)
{
    struct node node = node_on(NODE_LAYER_NORM, input, name, shape_of(graph, input));
    node.normalisation = graph->normalisation;
    return add_node(graph, node);
}

size_t graph_relu(struct graph *graph, size_t input)
{
    return add_node(graph, node_on(NODE_RELU, input, "", shape_of(graph, input)));
}

size_t graph_activation(struct graph *graph, size_t input, enum activation activation)
{
    struct node node = node_on(NODE_ACTIVATION, input, "", shape_of(graph, input));
    node.activation = activation;
    if (activation == ACTIVATION_NONE)
        return input;
    return activation == ACTIVATION_RELU ? graph_relu(graph, input) : add_node(graph, node);
}

/* Places of a pooling's window. */
static size_t pool_places(struct graph *graph, const struct node *node, size_t size)
{
    const struct pooling *p = &node->pooling;
    size_t count = places(graph, node, size, p->kernel, p->stride, p->padding);
    if (count == 0 || !p->ceil || (size + 2 * p->padding - p->kernel) % p->stride == 0)
        return count;
    return count * p->stride < size + p->padding ? count + 1 : count;
}

static size_t add_pool(struct graph *graph, enum node_kind kind, size_t input, struct pooling pooling)
{
    if (graph->failed)
        return 0;
    struct shape in = shape_of(graph, input);
    struct node node = node_on(kind, input, "", in);
    if (pooling.stride == 0)
        pooling.stride = pooling.kernel;
    node.pooling = pooling;
    if (pooling.padding > pooling.kernel / 2)
        return fail(graph, &node, "its padding must be at most half its window");
    if (pooling.ceil && kind != NODE_MAX_POOL)
        return fail(graph, &node, "windows that end outside are only defined for a maximum");
    node.shape.height = pool_places(graph, &node, in.height);
    if (!graph->failed)
        node.shape.width = pool_places(graph, &node, in.width);
    return add_node(graph, node);
}

size_t graph_max_pool(struct graph *graph, size_t input, struct pooling pooling)
{
    return add_pool(graph, NODE_MAX_POOL, input, pooling);
}

size_t graph_average_pool(struct graph *graph, size_t input, struct pooling pooling)
{
    return add_pool(graph, NODE_AVERAGE_POOL, input, pooling);
}

size_t graph_adaptive_pool(struct graph *graph, size_t input, size_t height, size_t width)
{
    struct shape in = shape_of(graph, input);
    return add_node(graph,
                    node_on(NODE_ADAPTIVE_POOL, input, "", (struct shape){in.channels, height, width}));
}

size_t graph_flatten(struct graph *graph, size_t input)
{
    struct shape in = shape_of(graph, input);
    size_t all = in.channels * in.height * in.width;
    return add_node(graph, node_on(NODE_FLATTEN, input, "", (struct shape){all, 1, 1}));
}

size_t graph_dense(struct graph *graph, size_t input, const char *name, size_t out)
{
    if (graph->failed)
        return 0;
    struct shape in = shape_of(graph, input);
    struct node node = node_on(NODE_DENSE, input, name, (struct shape){out, 1, 1});
    node.dense_bias = true;
    if (in.height != 1 || in.width != 1)
        return fail(graph, &node, "its input must be flattened first");
    return add_node(graph, node);
}

size_t graph_dropout(struct graph *graph, size_t input, double probability)
{
    struct node node = node_on(NODE_DROPOUT, input, "", shape_of(graph, input));
    node.dropout = probability;
    if (!(probability >= 0 && probability < 1))
        return graph->failed ? 0 : fail(graph, &node, "its probability must be at least 0 and below 1");
    return add_node(graph, node);
}

size_t graph_stochastic_depth(struct graph *graph, size_t input, double probability)
{
    struct node node = node_on(NODE_STOCHASTIC_DEPTH, input, "", shape_of(graph, input));
    node.dropout = probability;
    if (!(probability >= 0 && probability < 1))
        return graph->failed ? 0 : fail(graph, &node, "its probability must be at least 0 and below 1");
    return add_node(graph, node);
}

size_t graph_concat(struct graph *graph, const size_t *inputs, size_t count)
{
    if (graph->failed)
        return 0;
    struct node node = node_on(NODE_CONCAT, inputs[0], "", shape_of(graph, inputs[0]));
    node.shape.channels = 0;
    node.input_count = count;
    for (size_t i = 0; i < count && i < NODE_INPUTS; i++) {
        struct shape in = shape_of(graph, inputs[i]);
        if (in.height != node.shape.height || in.width != node.shape.width)
            return fail(graph, &node, "its inputs must have one height and width");
        node.shape.channels += in.channels;
        node.inputs[i] = inputs[i];
    }
    if (count < 1 || count > NODE_INPUTS)
        return fail(graph, &node, "it takes between 1 and 6 inputs");
    return add_node(graph, node);
}

size_t graph_slice(struct graph *graph, size_t input, size_t first, size_t count)
{
    if (graph->failed)
        return 0;
    struct node node = node_on(NODE_SLICE, input, "", shape_of(graph, input));
    node.first_channel = first;
    if (first > node.shape.channels || count > node.shape.channels - first)
        return fail(graph, &node, "its input has fewer channels");
    node.shape.channels = count;
    return add_node(graph, node);
}

size_t graph_widen(struct graph *graph, size_t input, size_t channels)
{
    if (graph->failed)
        return 0;
    struct node node = node_on(NODE_WIDEN, input, "", shape_of(graph, input));
    if (channels < node.shape.channels)
        return fail(graph, &node, "its input has more channels");
    node.shape.channels = channels;
    return add_node(graph, node);
}

size_t graph_shuffle(struct graph *graph, size_t input, size_t groups)
{
    if (graph->failed)
        return 0;
    struct node node = node_on(NODE_SHUFFLE, input, "", shape_of(graph, input));
    node.groups = groups;
    if (groups == 0 || node.shape.channels % groups)
        return fail(graph, &node, "its groups must divide the channels");
    return add_node(graph, node);
}

size_t graph_gate(struct graph *graph, size_t input, size_t gate)
{
    if (graph->failed)
        return 0;
    struct node node = node_on(NODE_GATE, input, "", shape_of(graph, input));
    struct shape factors = shape_of(graph, gate);
    node.inputs[1] = gate;
    node.input_count = 2;
    if (factors.channels != node.shape.channels || factors.height != 1 || factors.width != 1)
        return fail(graph, &node, "it must have one value a channel");
    return add_node(graph, node);
}

size_t graph_layer_scale(struct graph *graph, size_t input, const char *name, double scale)
{
    struct node node = node_on(NODE_LAYER_SCALE, input, name, shape_of(graph, input));
    node.layer_scale = scale;
    return add_node(graph, node);
}

size_t graph_add(struct graph *graph, size_t a, size_t b)
{
    if (graph->failed)
        return 0;
    struct shape left = shape_of(graph, a), right = shape_of(graph, b);
    struct node node = node_on(NODE_ADD, a, "", left);
    node.inputs[1] = b;
    node.input_count = 2;
    if (a == b || left.channels != right.channels || left.height != right.height ||
        left.width != right.width) {
        AUTO_FREE char *reason =
            text_format("expected two tensors of one shape, found %zux%zux%zu and %zux%zux%zu", left.channels,
                        left.height, left.width, right.channels, right.height, right.width);
        return fail(graph, &node, reason ? reason : "shapes differ");
    }
    return add_node(graph, node);
}

struct graph *graph_finish(struct graph *graph, size_t logits, struct error *error)
{
    if (!graph) {
        error_memory(error, "graph");
        return NULL;
    }
    struct shape shape = shape_of(graph, logits);
    struct node node = node_on(NODE_LOSS, logits, "", shape);
    if (!graph->failed && (shape.height != 1 || shape.width != 1))
        fail(graph, &node, "the scores must be flat");
    add_node(graph, node);
    if (!graph->failed)
        return graph;
    error_set(error, "%s", error_text(&graph->error));
    graph_free(graph);
    return NULL;
}

const struct shape *graph_input_shape(const struct graph *graph)
{
    return &graph->nodes[0].shape;
}

size_t graph_classes(const struct graph *graph)
{
    return graph->nodes[graph->count - 1].shape.channels;
}

/* ---- parameter tensors ---- */

static struct init constant(double value)
{
    return (struct init){INIT_CONSTANT, value};
}

enum fan { FAN_NONE, FAN_IN, FAN_OUT, FAN_SUM };

/* Weights: of this kind, with a scale of gain / sqrt(fan). */
struct init_rule {
    enum init_kind kind;
    double gain;
    enum fan fan;
    bool random_bias; /* uniform in +-1/sqrt(fan in), PyTorch's default; else 0 */
};

#define SQRT2 1.4142135623730951
#define SQRT3 1.7320508075688772
#define SQRT6 2.449489742783178

static const struct init_rules {
    struct init_rule convolution, dense;
} init_schemes[] = {
    [INIT_PYTORCH] = {{INIT_UNIFORM, 1, FAN_IN, true}, {INIT_UNIFORM, 1, FAN_IN, true}},
    [INIT_KAIMING] = {{INIT_NORMAL, SQRT2, FAN_OUT, false}, {INIT_UNIFORM, 1, FAN_IN, true}},
    [INIT_KAIMING_01] = {{INIT_NORMAL, SQRT2, FAN_OUT, false}, {INIT_NORMAL, 0.01, FAN_NONE, false}},
    [INIT_KAIMING_IN] = {{INIT_NORMAL, SQRT2, FAN_IN, false}, {INIT_NORMAL, SQRT2, FAN_IN, false}},
    [INIT_KERAS] = {{INIT_UNIFORM, SQRT6, FAN_SUM, false}, {INIT_UNIFORM, SQRT6, FAN_SUM, false}},
    [INIT_DENSENET] = {{INIT_NORMAL, SQRT2, FAN_IN, false}, {INIT_UNIFORM, 1, FAN_IN, false}},
    [INIT_EFFICIENTNET] = {{INIT_NORMAL, SQRT2, FAN_OUT, false}, {INIT_UNIFORM, 1, FAN_OUT, false}},
    [INIT_MNASNET] = {{INIT_NORMAL, SQRT2, FAN_OUT, false}, {INIT_UNIFORM, SQRT3, FAN_OUT, false}},
    [INIT_SQUEEZENET] = {{INIT_UNIFORM, SQRT6, FAN_IN, false}, {INIT_UNIFORM, SQRT6, FAN_IN, false}},
    [INIT_NORMAL_001] = {{INIT_NORMAL, 0.01, FAN_NONE, false}, {INIT_NORMAL, 0.01, FAN_NONE, true}},
    [INIT_NORMAL_01] = {{INIT_NORMAL, 0.1, FAN_NONE, false}, {INIT_NORMAL, 0.1, FAN_NONE, true}},
    [INIT_CONVNEXT] = {{INIT_NORMAL, 0.02, FAN_NONE, false}, {INIT_NORMAL, 0.02, FAN_NONE, false}},
};

static const struct init_rule *init_rule(const struct node *node)
{
    const struct init_rules *rules = &init_schemes[node->init];
    return node->kind == NODE_DENSE ? &rules->dense : &rules->convolution;
}

static struct init weight_init(const struct init_rule *rule, size_t fan_in, size_t fan_out)
{
    const size_t fans[] = {1, fan_in, fan_out, fan_in + fan_out};
    return (struct init){rule->kind, rule->gain / sqrt((double)fans[rule->fan])};
}

static struct init bias_init(const struct init_rule *rule, size_t fan_in)
{
    return rule->random_bias ? (struct init){INIT_UNIFORM, 1 / sqrt((double)fan_in)} : constant(0);
}

/* The tensors of one node, unnamed, into `tensors` (at most four). Returns how many. */
static size_t node_tensors(const struct graph *graph, size_t number, struct tensor *tensors)
{
    const struct node *node = &graph->nodes[number];
    struct shape in = graph->nodes[node->inputs[0]].shape;
    size_t out = node->shape.channels;
    struct tensor flat = {.node = number, .trainable = true, .dims = {out}, .dim_count = 1};
    size_t count = 0;
    if (node->kind == NODE_BATCH_NORM || node->kind == NODE_LAYER_NORM) {
        int last = node->kind == NODE_BATCH_NORM ? TENSOR_RUNNING_VAR : TENSOR_BIAS;
        for (int role = TENSOR_WEIGHT; role <= last; role++) {
            tensors[count] = flat;
            tensors[count].role = role;
            tensors[count].trainable = role <= TENSOR_BIAS;
            tensors[count++].init = constant(role == TENSOR_WEIGHT || role == TENSOR_RUNNING_VAR);
        }
    } else if (node->kind == NODE_LAYER_SCALE) {
        tensors[count] = flat;
        tensors[count].dims[1] = tensors[count].dims[2] = 1;
        tensors[count].dim_count = 3;
        tensors[count++].init = constant(node->layer_scale);
    } else if (node->kind == NODE_CONVOLUTION) {
        struct window w = convolution_window(&node->convolution);
        size_t taps = w.kernel[0] * w.kernel[1], fan_in = in.channels / w.groups * taps;
        tensors[count++] = (struct tensor){.node = number,
                                           .role = TENSOR_WEIGHT,
                                           .trainable = true,
                                           .dims = {out, in.channels / w.groups, w.kernel[0], w.kernel[1]},
                                           .dim_count = node->convolution.flat ? 2 : 4,
                                           .init = weight_init(init_rule(node), fan_in, out * taps)};
        if (node->convolution.bias) {
            tensors[count] = flat;
            tensors[count].role = TENSOR_BIAS;
            tensors[count++].init = bias_init(init_rule(node), fan_in);
        }
    } else if (node->kind == NODE_DENSE) {
        tensors[count++] = (struct tensor){.node = number,
                                           .role = TENSOR_WEIGHT,
                                           .trainable = true,
                                           .dims = {out, in.channels},
                                           .dim_count = 2,
                                           .init = weight_init(init_rule(node), in.channels, out)};
        if (node->dense_bias) {
            tensors[count] = flat;
            tensors[count].role = TENSOR_BIAS;
            tensors[count++].init = bias_init(init_rule(node), in.channels);
        }
    }
    for (size_t k = 0; k < count && graph->frozen && number <= graph->base; k++)
        tensors[k].trainable = false;
    return count;
}

static int finish_tensor(const struct graph *graph, struct tensor *tensor, struct error *error)
{
    static const char *const suffixes[] = {".weight", ".bias", ".running_mean", ".running_var"};
    const char *suffix = graph->nodes[tensor->node].kind == NODE_LAYER_SCALE ? "" : suffixes[tensor->role];
    const char *node = graph->nodes[tensor->node].name;
    tensor->count = 1;
    for (int d = 0; d < tensor->dim_count; d++)
        if (__builtin_mul_overflow(tensor->count, tensor->dims[d], &tensor->count) ||
            tensor->count > SIZE_MAX / 64)
            return error_set(error, "%s: %s%s is too large to address", graph->architecture, node, suffix);
    tensor->name = text_format("%s%s", node, suffix);
    return tensor->name ? 0 : error_memory(error, "tensor names");
}

struct tensor *graph_tensors(const struct graph *graph, size_t *count, struct error *error)
{
    struct tensor *tensors = calloc(graph->count, 4 * sizeof *tensors);
    *count = 0;
    if (!tensors) {
        error_memory(error, "tensors");
        return NULL;
    }
    for (size_t i = 0; i < graph->count; i++) {
        size_t added = node_tensors(graph, i, tensors + *count);
        for (size_t k = 0; k < added; k++) {
            if (finish_tensor(graph, &tensors[*count], error)) {
                graph_tensors_free(tensors, *count);
                return NULL;
            }
            ++*count;
        }
    }
    return tensors;
}

void graph_tensors_free(struct tensor *tensors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(tensors[i].name);
    free(tensors);
}

static uint64_t elements_of(const struct tensor *tensor)
{
    uint64_t elements = 1;
    for (int d = 0; d < tensor->dim_count; d++)
        elements *= tensor->dims[d];
    return elements;
}

uint64_t graph_parameters(const struct graph *graph)
{
    uint64_t total = 0;
    for (size_t i = 0; i < graph->count; i++) {
        struct tensor tensors[4];
        size_t count = node_tensors(graph, i, tensors);
        for (size_t k = 0; k < count; k++)
            if (tensors[k].role < TENSOR_RUNNING_MEAN || graph->counts_statistics)
                total += elements_of(&tensors[k]);
    }
    return total;
}

uint64_t graph_trainable_parameters(const struct graph *graph)
{
    uint64_t total = 0;
    for (size_t i = 0; i < graph->count; i++) {
        struct tensor tensors[4];
        size_t count = node_tensors(graph, i, tensors);
        for (size_t k = 0; k < count; k++)
            if (tensors[k].trainable)
                total += elements_of(&tensors[k]);
    }
    return total;
}

uint64_t graph_flops(const struct graph *graph)
{
    uint64_t total = 0;
    for (size_t i = 0; i < graph->count; i++) {
        const struct node *node = &graph->nodes[i];
        struct tensor tensors[4];
        if (node->kind != NODE_CONVOLUTION && node->kind != NODE_DENSE)
            continue;
        node_tensors(graph, i, tensors);
        uint64_t products = 2;
        for (int d = 0; d < tensors[0].dim_count; d++)
            products *= tensors[0].dims[d];
        total += products * node->shape.height * node->shape.width;
    }
    return total;
}
