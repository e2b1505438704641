/* ReLU, addition, dropout and the loss: functions of our own, in place where nobody else reads the input. */
#include "nn/cpu_lower.h"

static void run_relu(const struct step *step, void *const *data, struct pass *pass)
{
    (void)pass;
    kernel_relu(step->type, data[1], data[0], step->elements);
}

static void run_add(const struct step *step, void *const *data, struct pass *pass)
{
    (void)pass;
    kernel_add(step->type, data[2], data[0], data[1], step->sizes[0], step->elements);
}

static void run_dropout(const struct step *step, void *const *data, struct pass *pass)
{
    kernel_dropout(step->type, data[1], data[0], step->share, pass->dropout_key ^ step->key, step->elements);
}

/* Whether nobody but its one reader sees the value of `node`, under whatever name. */
static bool sole_reader(const struct lowering *l, size_t node)
{
    for (;;) {
        const struct node *n = &l->graph->nodes[node];
        if (n->kind == NODE_INPUT || l->nodes[node].readers > 1)
            return false;
        if (l->nodes[node].out != l->nodes[n->inputs[0]].out)
            return true;
        node = n->inputs[0];
    }
}

/* The node that computed the value of `node`, which may only pass it on. */
static const struct node *producer(const struct lowering *l, size_t node)
{
    const struct node *n = &l->graph->nodes[node];
    while (n->kind != NODE_RELU && n->kind != NODE_ACTIVATION && n->kind != NODE_INPUT &&
           l->nodes[n->inputs[0]].out == l->nodes[n - l->graph->nodes].out)
        n = &l->graph->nodes[n->inputs[0]];
    return n;
}

/* No layer's backward pass reads its output but those of a ReLU, which reads only where it is positive, and
 * of a ReLU6. */
size_t in_place_output(struct lowering *l, size_t input, bool keeps_sign)
{
    const struct node *from = producer(l, input);
    bool relu6 = from->kind == NODE_ACTIVATION && from->activation == ACTIVATION_RELU6;
    bool reads = relu6 || (from->kind == NODE_RELU && !keeps_sign);
    if (sole_reader(l, input) && !reads)
        return l->nodes[input].out;
    return add_value(l, value_layout(l, l->nodes[input].out));
}

void lower_relu(struct lowering *l, size_t node)
{
    size_t src = input_of(l, node);
    l->nodes[node].out = in_place_output(l, l->graph->nodes[node].inputs[0], true);
    EMIT_FUNCTION(l, run_relu, ((struct step){.elements = value_elements(l, src)}), src, l->nodes[node].out);
}

void lower_add(struct lowering *l, size_t node)
{
    const struct node *n = &l->graph->nodes[node];
    size_t a = l->nodes[n->inputs[0]].out;
    size_t b = as_layout(l, l->nodes[n->inputs[1]].out, value_layout(l, a));
    l->nodes[node].out = in_place_output(l, n->inputs[0], false);
    EMIT_FUNCTION(l, run_add,
                  ((struct step){.elements = value_elements(l, a), .sizes = {l->nodes[node].relu != 0}}), a,
                  b, l->nodes[node].out);
}

static struct step dropout_step(const struct lowering *l, size_t node, size_t value)
{
    return (struct step){.elements = value_elements(l, value),
                         .share = l->graph->nodes[node].dropout,
                         .key = (uint64_t)(node + 1) * 0xd1342543de82ef95u};
}

static bool drops(const struct lowering *l, size_t node)
{
    return l->training && l->graph->nodes[node].dropout > 0;
}

void lower_dropout(struct lowering *l, size_t node)
{
    size_t src = input_of(l, node);
    l->nodes[node].out = src;
    if (!drops(l, node))
        return;
    /* Values in (image, channel, height, width) order: the same are lost whatever layout a CPU likes best. */
    struct layout own = value_layout(l, src); /* a flattened image still has its own dimensions */
    struct layout_facts facts = layout_facts(&own);
    struct layout plain = make_layout(l, l->cpu->type, 4, facts.dims, dnnl_nchw);
    size_t input = src;
    src = as_layout(l, input, plain);
    l->nodes[node].out = src == input ? in_place_output(l, l->graph->nodes[node].inputs[0], true) : src;
    EMIT_FUNCTION(l, run_dropout, dropout_step(l, node, src), src, l->nodes[node].out);
}

void lower_dropout_backward(struct lowering *l, size_t node)
{
    size_t gradient = take_gradient(l, node, 0);
    if (drops(l, node)) {
        gradient = as_layout(l, gradient, value_layout(l, l->nodes[node].out));
        size_t out = free_to_overwrite(l, gradient) ? gradient : add_value(l, value_layout(l, gradient));
        EMIT_FUNCTION(l, run_dropout, dropout_step(l, node, gradient), gradient, out);
        gradient = out;
    }
    give_gradient(l, l->graph->nodes[node].inputs[0], gradient);
}

static void run_drop_images(const struct step *step, void *const *data, struct pass *pass)
{
    kernel_drop_images(step->type, data[1], data[0], step->share, pass->dropout_key ^ step->key,
                       step->sizes[0], step->elements);
}

static void emit_drop_images(struct lowering *l, size_t node, size_t from, size_t to)
{
    struct step step = dropout_step(l, node, from);
    step.sizes[0] = l->program->images;
    step.elements /= l->program->images;
    EMIT_FUNCTION(l, run_drop_images, step, from, to);
}

void lower_stochastic_depth(struct lowering *l, size_t node)
{
    size_t src = input_of(l, node);
    l->nodes[node].out = src;
    if (!drops(l, node))
        return;
    l->nodes[node].out = in_place_output(l, l->graph->nodes[node].inputs[0], false);
    emit_drop_images(l, node, src, l->nodes[node].out);
}

void lower_stochastic_depth_backward(struct lowering *l, size_t node)
{
    size_t gradient = take_gradient(l, node, 0);
    if (drops(l, node)) {
        size_t out = free_to_overwrite(l, gradient) ? gradient : add_value(l, value_layout(l, gradient));
        emit_drop_images(l, node, gradient, out);
        gradient = out;
    }
    give_gradient(l, l->graph->nodes[node].inputs[0], gradient);
}

void lower_relu_backward(struct lowering *l, size_t node)
{
    size_t input = l->graph->nodes[node].inputs[0];
    bool done_below = l->nodes[node].fused && l->graph->nodes[input].kind == NODE_BATCH_NORM;
    give_gradient(l, input, take_gradient(l, node, done_below ? 0 : l->nodes[node].out));
}

void lower_add_backward(struct lowering *l, size_t node)
{
    size_t gradient = take_gradient(l, node, 0);
    for (int i = 0; i < 2; i++)
        give_gradient(l, l->graph->nodes[node].inputs[i], gradient);
}

static void run_loss(const struct step *step, void *const *data, struct pass *pass)
{
    struct loss_options options = {.labels = pass->labels,
                                   .count = step->sizes[0],
                                   .classes = step->sizes[1],
                                   .smoothing = pass->smoothing,
                                   .predictions = pass->predictions};
    kernel_loss(data[1], data[0], &options, &pass->result);
}

void lower_loss(struct lowering *l, size_t node)
{
    struct shape shape = l->graph->nodes[node].shape;
    struct layout layout = float_layout(l, shape, dnnl_nchw), plain = shape_layout(l, shape, dnnl_nchw);
    size_t scores = as_layout(l, input_of(l, node), layout);
    size_t gradient = l->training ? add_value(l, layout) : 0;
    EMIT_FUNCTION(l, run_loss, ((struct step){.sizes = {l->program->images, shape.channels}}), scores,
                  gradient);
    if (l->training)
        give_gradient(l, l->graph->nodes[node].inputs[0], as_layout(l, gradient, plain));
}
