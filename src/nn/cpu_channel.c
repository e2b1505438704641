/* Layers that move channels (concatenation, slice, widening, shuffle) or multiply them (gate, layer scale),
 * in whatever order the convolutions around them like images to lie. */
#include "nn/cpu_lower.h"

static bool fits(const struct layout_facts *facts, const dnnl_dims_t strides)
{
    for (int d = 0; d < 4; d++)
        if (facts->dims[d] > 1 && facts->strides[d] != strides[d])
            return false;
    return true;
}

/* False: the images don't lie as blocks of channels. Single pixels are channels-last whatever they are
 * called. */
static bool channel_layout_of(struct layout layout, struct channel_layout *found)
{
    struct layout_facts facts = layout_facts(&layout);
    dnnl_dim_t channels = facts.padded_dims[1], height = facts.dims[2], width = facts.dims[3];
    const dnnl_dims_t last = {channels * height * width, 1, width * channels, channels},
                      first = {channels * height * width, height * width, width, 1};
    if (!facts.blocked || facts.rank != 4 || facts.block_count > 1)
        return false;
    if (facts.block_count == 1) {
        dnnl_dim_t lanes = facts.blocks[0];
        const dnnl_dims_t blocked = {channels * height * width, height * width * lanes, width * lanes, lanes};
        *found = (struct channel_layout){(size_t)lanes, (size_t)(channels / lanes)};
        /* A single block's stride is read by nobody. */
        facts.dims[1] = channels / lanes;
        return facts.block_dims[0] == 1 && fits(&facts, blocked);
    }
    if (fits(&facts, last)) {
        *found = (struct channel_layout){(size_t)channels, 1};
        return true;
    }
    *found = (struct channel_layout){1, (size_t)channels};
    return fits(&facts, first);
}

size_t as_channels(struct lowering *l, size_t value, struct channel_layout *layout)
{
    if (l->failed || channel_layout_of(value_layout(l, value), layout))
        return value;
    struct layout own = value_layout(l, value);
    struct layout_facts facts = layout_facts(&own);
    struct layout plain = make_layout(l, l->cpu->type, 4, facts.dims, dnnl_nchw);
    *layout = (struct channel_layout){1, (size_t)facts.dims[1]};
    return as_layout(l, value, plain);
}

static bool has_blocks(const struct lowering *l, size_t value)
{
    struct layout layout = value_layout(l, value);
    return layout_facts(&layout).block_count == 1;
}

/* A value of this shape that lies as blocks like those of `like`. */
static size_t add_like(struct lowering *l, size_t like, struct shape shape, struct channel_layout *layout)
{
    dnnl_format_tag_t tag = dnnl_nchw;
    if (l->failed)
        return 0;
    bool blocked = channel_layout_of(value_layout(l, like), layout) && has_blocks(l, like);
    if (blocked)
        tag = layout->lanes == 16  ? dnnl_nChw16c
              : layout->lanes == 8 ? dnnl_nChw8c
              : layout->lanes == 4 ? dnnl_nChw4c
                                   : dnnl_nchw;
    else if (layout->blocks == 1)
        tag = dnnl_nhwc;
    struct layout own = shape_layout(l, shape, tag);
    size_t value = add_value(l, own);
    channel_layout_of(own, layout);
    return value;
}

static void run_copy(const struct step *step, void *const *data, struct pass *pass)
{
    (void)pass;
    kernel_copy_channels(data[1], data[0], &step->copy);
}

static void run_clear(const struct step *step, void *const *data, struct pass *pass)
{
    (void)pass;
    kernel_clear_last_block(data[0], &step->copy);
}

/* ---- moved channels: every one of these layers is a few copies of rows of channels ---- */

struct move {
    size_t input, count; /* input: which of the node's */
    size_t from, from_step, to, to_step;
};

/* The moves of a shuffle are its groups, and those of the others one an input. */
static size_t move_count(const struct node *n)
{
    return n->kind == NODE_SHUFFLE ? n->groups : n->input_count;
}

static struct move move_of(const struct lowering *l, size_t node, size_t number)
{
    const struct node *n = &l->graph->nodes[node], *nodes = l->graph->nodes;
    struct move move = {.from_step = 1, .to_step = 1};
    switch (n->kind) {
    case NODE_SHUFFLE:
        move.count = n->shape.channels / n->groups;
        move.from = number * move.count;
        move.to = number;
        move.to_step = n->groups;
        break;
    case NODE_SLICE:
        move.count = n->shape.channels;
        move.from = n->first_channel;
        break;
    default: /* one input after the other */
        move.input = number;
        move.count = nodes[n->inputs[number]].shape.channels;
        for (size_t i = 0; i < number; i++)
            move.to += nodes[n->inputs[i]].shape.channels;
    }
    return move;
}

static void emit_copy(struct lowering *l, size_t from, size_t to, struct channel_copy copy)
{
    EMIT_FUNCTION(l, run_copy, ((struct step){.copy = copy}), from, to);
}

/* Zeros where no copy will write: padding lanes, or all of it where channels are left out. */
static void clear_rest(struct lowering *l, size_t value, size_t channels, size_t written,
                       struct channel_copy copy)
{
    if (written < channels)
        emit_zero(l, value);
    else if (copy.dst.lanes * copy.dst.blocks > channels)
        EMIT_FUNCTION(l, run_clear, ((struct step){.copy = copy}), value);
}

void lower_channels(struct lowering *l, size_t node)
{
    const struct node *n = &l->graph->nodes[node];
    struct channel_copy copy = {
        .type = element_of(l), .images = l->program->images, .pixels = n->shape.height * n->shape.width};
    l->nodes[node].out = add_like(l, input_of(l, node), n->shape, &copy.dst);
    size_t written = 0;
    for (size_t i = 0; i < move_count(n); i++)
        written += move_of(l, node, i).count;
    clear_rest(l, l->nodes[node].out, n->shape.channels, written, copy);
    for (size_t i = 0; i < move_count(n); i++) {
        struct move move = move_of(l, node, i);
        size_t src = as_channels(l, l->nodes[n->inputs[move.input]].out, &copy.src);
        copy.count = move.count;
        copy.src_first = move.from;
        copy.src_step = move.from_step;
        copy.dst_first = move.to;
        copy.dst_step = move.to_step;
        emit_copy(l, src, l->nodes[node].out, copy);
    }
}

/* The gradient of one input: what the node's moves took from it. */
static void give_moved(struct lowering *l, size_t node, size_t input, size_t gradient,
                       struct channel_copy copy)
{
    const struct node *n = &l->graph->nodes[node];
    struct shape shape = l->graph->nodes[n->inputs[input]].shape;
    size_t out = add_like(l, l->nodes[n->inputs[input]].out, shape, &copy.dst), written = 0;
    for (size_t i = 0; i < move_count(n); i++)
        if (move_of(l, node, i).input == input)
            written += move_of(l, node, i).count;
    clear_rest(l, out, shape.channels, written, copy);
    for (size_t i = 0; i < move_count(n); i++) {
        struct move move = move_of(l, node, i);
        copy.count = move.count;
        copy.src_first = move.to;
        copy.src_step = move.to_step;
        copy.dst_first = move.from;
        copy.dst_step = move.from_step;
        if (move.input == input)
            emit_copy(l, gradient, out, copy);
    }
    give_gradient(l, n->inputs[input], out);
}

void lower_channels_backward(struct lowering *l, size_t node)
{
    const struct node *n = &l->graph->nodes[node];
    struct channel_copy copy = {
        .type = element_of(l), .images = l->program->images, .pixels = n->shape.height * n->shape.width};
    size_t gradient = as_channels(l, take_gradient(l, node, 0), &copy.src);
    for (size_t i = 0; i < n->input_count; i++)
        if (wants_gradient(l, n->inputs[i]))
            give_moved(l, node, i, gradient, copy);
}

/* ---- multiplied channels ---- */

static void run_gate(const struct step *step, void *const *data, struct pass *pass)
{
    (void)pass;
    kernel_gate(data[2], data[0], data[1], &step->field);
}

static void run_gate_backward(const struct step *step, void *const *data, struct pass *pass)
{
    (void)pass;
    kernel_gate_backward(data[4], data[3], data[0], data[1], data[2], &step->field);
}

static void run_sum_images(const struct step *step, void *const *data, struct pass *pass)
{
    (void)pass;
    kernel_sum_rows(data[1], data[0], step->field.images, step->field.channels);
}

static struct step gate_step(const struct lowering *l, size_t node, struct channel_layout layout)
{
    const struct node *n = &l->graph->nodes[node];
    return (struct step){.field = {.type = element_of(l),
                                   .images = l->program->images,
                                   .pixels = n->shape.height * n->shape.width,
                                   .channels = n->shape.channels,
                                   .layout = layout,
                                   .image_stride = n->kind == NODE_GATE ? n->shape.channels : 0}};
}

/* (images, channels), or the parameters of a layer scale. */
static size_t factors_of(struct lowering *l, size_t node)
{
    const struct node *n = &l->graph->nodes[node];
    if (n->kind == NODE_LAYER_SCALE)
        return parameter_value(l, parameter_of(l, node, TENSOR_WEIGHT));
    struct layout plain = float_layout(l, l->graph->nodes[n->inputs[1]].shape, dnnl_nchw);
    return as_layout(l, l->nodes[n->inputs[1]].out, plain);
}

void lower_gate(struct lowering *l, size_t node)
{
    struct lowered *to = &l->nodes[node];
    struct channel_layout layout;
    to->src = as_channels(l, input_of(l, node), &layout);
    to->workspace = factors_of(l, node);
    if (l->failed)
        return;
    to->out = add_value(l, value_layout(l, to->src));
    EMIT_FUNCTION(l, run_gate, gate_step(l, node, layout), to->src, to->workspace, to->out);
}

void lower_gate_backward(struct lowering *l, size_t node)
{
    const struct lowered *from = &l->nodes[node];
    const struct node *n = &l->graph->nodes[node];
    struct shape factors = {n->shape.channels, 1, 1};
    struct channel_layout layout;
    size_t gradient = take_gradient(l, node, 0);
    if (l->failed)
        return;
    gradient = as_layout(l, gradient, value_layout(l, from->src));
    channel_layout_of(value_layout(l, from->src), &layout);
    struct step step = gate_step(l, node, layout);
    struct layout factor_layout = float_layout(l, factors, dnnl_nchw);
    size_t sums = add_value(l, factor_layout);
    size_t out = free_to_overwrite(l, gradient) ? gradient : add_value(l, value_layout(l, gradient));
    EMIT_FUNCTION(l, run_gate_backward, step, gradient, from->src, from->workspace, sums, out);
    if (n->kind == NODE_LAYER_SCALE) {
        struct parameter *scale = parameter_of(l, node, TENSOR_WEIGHT);
        size_t total = add_value(l, scale->layout);
        EMIT_FUNCTION(l, run_sum_images, step, sums, total);
        emit_update(l, scale, total);
    } else {
        struct layout plain = shape_layout(l, factors, dnnl_nchw);
        give_gradient(l, n->inputs[1], as_layout(l, sums, plain));
    }
    give_gradient(l, n->inputs[0], out);
}
