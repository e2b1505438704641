/* Convolutions and dense layers.
 *
 * Both are one "product" of a source, weights and a bias: a convolution whose window is the whole image is
 * computed as a dense layer. */
#include "nn/cpu_lower.h"

#include <string.h>

static const char *implementation(dnnl_primitive_desc_t description)
{
    const char *name = NULL;
    if (!description || dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name))
        return "ref";
    return name;
}

static bool is_reference(dnnl_primitive_desc_t description)
{
    return strncmp(implementation(description), "ref", 3) == 0;
}

/* What the node computes with. */
static struct parameter *weights_of(const struct lowering *l, size_t node)
{
    struct folded *folded = &l->cpu->folded[node];
    return folded->used ? &folded->weights : parameter_of(l, node, TENSOR_WEIGHT);
}

/* NULL if it has none. */
static struct parameter *bias_of(const struct lowering *l, size_t node)
{
    const struct node *n = &l->graph->nodes[node];
    bool own = n->kind == NODE_CONVOLUTION ? n->convolution.bias : n->dense_bias;
    struct folded *folded = &l->cpu->folded[node];
    return folded->norm ? &folded->bias : own ? parameter_of(l, node, TENSOR_BIAS) : NULL;
}

static dnnl_primitive_attr_t forward_attributes(const struct lowering *l, size_t node)
{
    return l->cpu->attributes[l->nodes[node].addend != 0][l->nodes[node].relu != 0];
}

static struct product_geometry geometry_of(const struct lowering *l, size_t node)
{
    const struct node *n = &l->graph->nodes[node];
    const struct shape *in = &l->graph->nodes[n->inputs[0]].shape;
    const struct parameter *weights = weights_of(l, node);
    struct window w = convolution_window(&n->convolution);
    const size_t in_size[] = {in->height, in->width}, out_size[] = {n->shape.height, n->shape.width};
    struct product_geometry g = {{0}, {0}, {0}, {0}};
    for (int d = 0; d < 2; d++) {
        dnnl_dim_t kernel = weights->dims[weights->dim_count - 2 + d];
        dnnl_dim_t extent = (kernel - 1) * (dnnl_dim_t)w.dilation + 1;
        g.strides[d] = (dnnl_dim_t)w.stride;
        g.dilates[d] = (dnnl_dim_t)w.dilation - 1;
        g.before[d] = (dnnl_dim_t)w.padding[d] - (dnnl_dim_t)(weights->first_tap[d] * w.dilation);
        g.after[d] =
            (dnnl_dim_t)(out_size[d] - 1) * g.strides[d] + extent - (dnnl_dim_t)in_size[d] - g.before[d];
        g.after[d] = g.after[d] > 0 ? g.after[d] : 0;
    }
    return g;
}

enum product { PRODUCT_FORWARD, PRODUCT_BACKWARD_DATA, PRODUCT_BACKWARD_WEIGHTS };

/* Gradients of weights are float, as the weights are that they change. */
static dnnl_data_type_t weights_type(const struct lowering *l, enum product which)
{
    return which == PRODUCT_BACKWARD_WEIGHTS ? dnnl_f32 : l->cpu->type;
}

/* The layouts of a product's operands. */
struct operands {
    struct layout src, weights, bias, dst;
    bool dense;
};

/* `stored`: the weights' is that in which they are kept. `images`: that of a convolution's images. */
static struct operands operands_of(struct lowering *l, size_t node, enum product which, bool stored,
                                   dnnl_format_tag_t images)
{
    const struct node *n = &l->graph->nodes[node];
    const struct parameter *weights = weights_of(l, node);
    struct operands o = {.dense = weights->dense};
    o.weights = stored ? weights->layout
                       : make_layout(l, weights_type(l, which), weights->dim_count, weights->dims,
                                     dnnl_format_tag_any);
    if (bias_of(l, node))
        o.bias = bias_of(l, node)->layout;
    if (o.dense) {
        dnnl_dims_t src = {(dnnl_dim_t)l->program->images, weights->dims[1]},
                    dst = {src[0], weights->dims[0]};
        o.src = make_layout(l, l->cpu->type, 2, src, dnnl_nc);
        o.dst = make_layout(l, l->cpu->type, 2, dst, dnnl_nc);
    } else {
        size_t addend = l->nodes[node].addend;
        o.src = shape_layout(l, l->graph->nodes[n->inputs[0]].shape, images);
        o.dst = addend ? value_layout(l, l->nodes[addend].out) : shape_layout(l, n->shape, images);
    }
    return o;
}

/* The image (channels, height, width) a dense layer sees, and where it lies in its input's value. False: it
 * is all of it. */
static bool seen_of(const struct lowering *l, size_t node, struct shape *seen, dnnl_dims_t offsets)
{
    const struct parameter *weights = weights_of(l, node);
    const struct layout layout = value_layout(l, input_of(l, node));
    struct layout_facts facts = layout_facts(&layout);
    const dnnl_dim_t *in = facts.dims;
    *seen = (struct shape){(size_t)in[1], (size_t)in[2], (size_t)in[3]};
    offsets[0] = offsets[1] = 0;
    offsets[2] = (dnnl_dim_t)weights->region[0];
    offsets[3] = (dnnl_dim_t)weights->region[1];
    if (l->graph->nodes[node].kind == NODE_DENSE ||
        (weights->kernel[0] == seen->height && weights->kernel[1] == seen->width))
        return false;
    seen->height = weights->kernel[0];
    seen->width = weights->kernel[1];
    return true;
}

/* The part of `whole` that `seen` is. */
static struct layout part_layout(struct lowering *l, struct layout whole, struct shape seen,
                                 const dnnl_dims_t offsets)
{
    struct layout part = {0};
    dnnl_dims_t dims = {(dnnl_dim_t)l->program->images, (dnnl_dim_t)seen.channels, (dnnl_dim_t)seen.height,
                        (dnnl_dim_t)seen.width};
    if (!l->failed)
        lowering_check(l, layout_part(&l->cpu->layouts, &part, &whole, dims, offsets));
    return part;
}

/* What a product reads of its input's value: for a dense layer the image it sees, plain. */
static size_t product_source(struct lowering *l, size_t node)
{
    size_t value = input_of(l, node);
    struct shape seen;
    dnnl_dims_t offsets;
    if (l->failed || !weights_of(l, node)->dense)
        return value;
    bool part = seen_of(l, node, &seen, offsets);
    struct layout plain = shape_layout(l, seen, dnnl_nchw);
    if (!part)
        return as_layout(l, value, plain);
    struct layout from = part_layout(l, value_layout(l, value), seen, offsets);
    size_t copy = add_value(l, plain);
    emit_reorder(l, from, value, plain, copy);
    return copy;
}

/* The gradient of the whole input from that of the part a dense layer sees. */
static size_t whole_gradient(struct lowering *l, size_t node, size_t gradient)
{
    struct shape seen;
    dnnl_dims_t offsets;
    if (l->failed || !seen_of(l, node, &seen, offsets))
        return gradient;
    size_t whole = add_value(l, value_layout(l, input_of(l, node)));
    emit_zero(l, whole);
    if (l->failed)
        return 0;
    struct layout to = part_layout(l, value_layout(l, whole), seen, offsets);
    struct layout plain = shape_layout(l, seen, dnnl_nchw);
    emit_reorder(l, plain, gradient, to, whole);
    return whole;
}

size_t seen_gradient(struct lowering *l, size_t node)
{
    struct shape seen;
    dnnl_dims_t offsets;
    if (l->failed)
        return 0;
    seen_of(l, node, &seen, offsets);
    return new_plain_output(l, seen);
}

void give_seen_gradient(struct lowering *l, size_t node, size_t gradient)
{
    give_gradient(l, l->graph->nodes[node].inputs[0], whole_gradient(l, node, gradient));
}

static dnnl_status_t describe_dense(dnnl_primitive_desc_t *d, const struct description_options *options,
                                    enum product which, const struct product_layouts *layouts)
{
    return which == PRODUCT_FORWARD         ? inner_product_forward(d, options, layouts)
           : which == PRODUCT_BACKWARD_DATA ? inner_product_backward_data(d, options, layouts)
                                            : inner_product_backward_weights(d, options, layouts);
}

static dnnl_status_t describe_convolution(dnnl_primitive_desc_t *d, const struct description_options *options,
                                          enum product which, const struct product_layouts *layouts,
                                          const struct product_geometry *g)
{
    return which == PRODUCT_FORWARD         ? convolution_forward(d, options, layouts, g)
           : which == PRODUCT_BACKWARD_DATA ? convolution_backward_data(d, options, layouts, g)
                                            : convolution_backward_weights(d, options, layouts, g);
}

static dnnl_primitive_desc_t describe_with(struct lowering *l, size_t node, enum product which, bool stored,
                                           dnnl_format_tag_t images, bool required)
{
    struct operands o = operands_of(l, node, which, stored, images);
    struct description_options options = description_options(l, l->nodes[node].forward);
    if (which == PRODUCT_FORWARD) {
        options.forward = NULL;
        options.attributes = forward_attributes(l, node);
    }
    const struct product_layouts layouts = {&o.src, &o.weights, bias_of(l, node) ? &o.bias : NULL, &o.dst};
    dnnl_primitive_desc_t d = NULL;
    if (l->failed)
        return NULL;
    struct product_geometry g = {{0}, {0}, {0}, {0}};
    if (!o.dense)
        g = geometry_of(l, node);
    dnnl_status_t status = o.dense ? describe_dense(&d, &options, which, &layouts)
                                   : describe_convolution(&d, &options, which, &layouts, &g);
    return keep_description(l, status, d, required);
}

/* Pixels of a side, up to which blocks of channels are tried. */
enum { SMALL_IMAGE = 8 };

/* oneDNN's first choice for inference is channels last, which on small images reaches half of what it does
 * with blocks of channels (bench_step vgg16 32 32 20 adam 2 base). NULL: not so here. */
static dnnl_primitive_desc_t describe_blocked(struct lowering *l, size_t node, bool stored)
{
    const struct node *n = &l->graph->nodes[node];
    const struct shape *in = &l->graph->nodes[n->inputs[0]].shape;
    if (!l->cpu->inference || l->cpu->type != dnnl_f32 || weights_of(l, node)->dense ||
        n->convolution.groups > 1 || in->height > SMALL_IMAGE || in->channels % 16 || n->shape.channels % 16)
        return NULL;
    dnnl_primitive_desc_t d = describe_with(l, node, PRODUCT_FORWARD, stored, dnnl_nChw16c, false);
    return strncmp(implementation(d), "jit", 3) == 0 ? d : NULL;
}

/* Describes a product with the weights as they are stored or, where that is not to be had well, as it likes.
 * A convolution's backward pass wants channels swapped within a block: a reordered copy is far cheaper. */
static dnnl_primitive_desc_t describe_product(struct lowering *l, size_t node, enum product which)
{
    const struct parameter *weights = weights_of(l, node);
    bool stored = weights->decided && layout_type(&weights->layout) == weights_type(l, which);
    for (int attempt = stored ? 0 : 1; attempt < 2; attempt++) {
        dnnl_primitive_desc_t blocked =
            which == PRODUCT_FORWARD ? describe_blocked(l, node, attempt == 0) : NULL;
        if (blocked)
            return blocked;
        dnnl_primitive_desc_t description =
            describe_with(l, node, which, attempt == 0, dnnl_format_tag_any, attempt == 1);
        if (attempt == 1 || !is_reference(description))
            return description;
    }
    return NULL;
}

/* Weights are kept as the forward pass reads them; those it reads rounded, as their gradient comes, so that
 * the optimiser's step needs no copy of it. */
static void decide_layout(struct lowering *l, size_t node)
{
    struct parameter *weights = weights_of(l, node);
    bool rounded = l->cpu->type != dnnl_f32 && !l->cpu->inference;
    dnnl_primitive_desc_t d =
        rounded ? describe_product(l, node, PRODUCT_BACKWARD_WEIGHTS) : l->nodes[node].forward;
    if (l->failed)
        return;
    weights->layout = wanted_layout(l, d, rounded ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS);
    weights->decided = true;
}

void lower_product(struct lowering *l, size_t node)
{
    struct lowered *to = &l->nodes[node];
    struct parameter *weights = weights_of(l, node);
    struct parameter *bias = bias_of(l, node);
    to->forward = describe_product(l, node, PRODUCT_FORWARD);
    if (l->failed)
        return;
    if (!weights->decided)
        decide_layout(l, node);
    to->src = as_layout(l, product_source(l, node), wanted_layout(l, to->forward, DNNL_ARG_SRC));
    size_t w = as_layout(l, parameter_value(l, weights), wanted_layout(l, to->forward, DNNL_ARG_WEIGHTS));
    size_t b = bias ? parameter_value(l, bias) : 0;
    to->out = to->addend ? l->nodes[to->addend].out
                         : new_output(l, l->graph->nodes[node].shape, to->forward, DNNL_ARG_DST);
    EMIT(l, to->forward, {DNNL_ARG_SRC, to->src}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, b},
         {DNNL_ARG_DST, to->out});
}

static void lower_product_backward_data(struct lowering *l, size_t node, size_t gradient)
{
    const struct node *n = &l->graph->nodes[node];
    dnnl_primitive_desc_t d = describe_product(l, node, PRODUCT_BACKWARD_DATA);
    if (l->failed)
        return;
    gradient = as_layout(l, gradient, wanted_layout(l, d, DNNL_ARG_DIFF_DST));
    size_t w = as_layout(l, parameter_value(l, weights_of(l, node)), wanted_layout(l, d, DNNL_ARG_WEIGHTS));
    /* A dense layer's source may be an image: the gradient has the shape of what it sees, not of a flat node.
     */
    bool dense = weights_of(l, node)->dense;
    size_t out = dense ? seen_gradient(l, node)
                       : new_output(l, l->graph->nodes[n->inputs[0]].shape, d, DNNL_ARG_DIFF_SRC);
    EMIT(l, d, {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DIFF_SRC, out});
    if (dense)
        give_seen_gradient(l, node, out);
    else
        give_gradient(l, n->inputs[0], out);
}

/* For a depthwise convolution on small images oneDNN has nothing but a matrix product for every image and
 * channel, which takes longer than all the rest of the network. */
static bool has_own_gradient(const struct lowering *l, size_t node, dnnl_primitive_desc_t description)
{
    const struct parameter *weights = weights_of(l, node);
    return weights->dim_count == 5 && weights->dims[1] == 1 && weights->dims[2] == 1 &&
           (size_t)(weights->dims[3] * weights->dims[4]) <= DEPTHWISE_TAPS &&
           (is_reference(description) || strstr(implementation(description), ":gemm"));
}

static void run_depthwise_weights(const struct step *step, void *const *data, struct pass *pass)
{
    (void)pass;
    kernel_depthwise_weights(data[2], step->argument_count > 3 ? data[3] : NULL, data[0], data[1],
                             &step->depthwise);
}

/* Channels last where they lie one after the other. */
static size_t as_rows_of_channels(struct lowering *l, size_t value, struct shape shape,
                                  struct channel_layout *layout)
{
    value = as_channels(l, value, layout);
    if (l->failed || layout->lanes > 1)
        return value;
    struct layout last = shape_layout(l, shape, dnnl_nhwc);
    return as_channels(l, as_layout(l, value, last), layout);
}

static void lower_depthwise_weights(struct lowering *l, size_t node, size_t gradient)
{
    const struct node *n = &l->graph->nodes[node];
    const struct shape *in = &l->graph->nodes[n->inputs[0]].shape;
    struct parameter *weights = weights_of(l, node), *bias = bias_of(l, node);
    struct product_geometry g = geometry_of(l, node);
    struct depthwise depthwise = {.type = element_of(l),
                                  .images = l->program->images,
                                  .channels = n->shape.channels,
                                  .in = {in->height, in->width},
                                  .out = {n->shape.height, n->shape.width},
                                  .kernel = {(size_t)weights->dims[3], (size_t)weights->dims[4]},
                                  .stride = (size_t)g.strides[0],
                                  .dilation = (size_t)g.dilates[0] + 1,
                                  .before = {g.before[0], g.before[1]}};
    size_t x = as_rows_of_channels(l, l->nodes[node].src, *in, &depthwise.x);
    size_t dy = as_rows_of_channels(l, gradient, n->shape, &depthwise.dy);
    struct layout plain = make_layout(l, dnnl_f32, weights->dim_count, weights->dims, dnnl_abcde);
    size_t dw = add_value(l, plain), db = bias ? add_value(l, bias->layout) : 0;
    emit_function(l, run_depthwise_weights, (struct step){.depthwise = depthwise},
                  (const size_t[]){x, dy, dw, db}, bias ? 4 : 3);
    emit_update(l, weights, dw);
    if (bias)
        emit_update(l, bias, db);
}

void lower_product_backward(struct lowering *l, size_t node)
{
    size_t gradient = take_gradient(l, node, 0);
    struct parameter *bias = bias_of(l, node);
    if (lower_dense_backward(l, node, gradient, weights_of(l, node), bias))
        return;
    if (wants_gradient(l, l->graph->nodes[node].inputs[0]))
        lower_product_backward_data(l, node, gradient);
    dnnl_primitive_desc_t d = describe_product(l, node, PRODUCT_BACKWARD_WEIGHTS);
    if (l->failed)
        return;
    if (has_own_gradient(l, node, d)) {
        lower_depthwise_weights(l, node, gradient);
        return;
    }
    gradient = as_layout(l, gradient, wanted_layout(l, d, DNNL_ARG_DIFF_DST));
    size_t src = as_layout(l, l->nodes[node].src, wanted_layout(l, d, DNNL_ARG_SRC));
    size_t dw = add_value(l, wanted_layout(l, d, DNNL_ARG_DIFF_WEIGHTS));
    size_t db = bias ? add_value(l, wanted_layout(l, d, DNNL_ARG_DIFF_BIAS)) : 0;
    EMIT(l, d, {DNNL_ARG_SRC, src}, {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_DIFF_WEIGHTS, dw},
         {DNNL_ARG_DIFF_BIAS, db});
    emit_update(l, weights_of(l, node), dw);
    if (bias)
        emit_update(l, bias, db);
}
