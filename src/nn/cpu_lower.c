/* From a graph to a program: which primitive computes each layer, forward and backward, and in which layouts.
 *
 * Layouts: each primitive is asked for the one it likes best (format_tag_any) and a reorder is put between
 * two that differ. A weight is stored as the first program's forward primitive likes it; later primitives are
 * constrained to that, or read a reordered copy if that would leave them with a reference implementation.
 *
 * Gradients: nodes are visited from the last to the first; each takes the sum of what its readers gave,
 * computes its parameters' gradients, steps the optimiser at once (so that no gradient outlives its layer),
 * and gives its inputs theirs. Where gradients are clipped, they are kept, and the optimiser steps at the
 * end.
 */
#include "nn/cpu_lower.h"

#include <stdlib.h>

static void lower_node(struct lowering *l, size_t node)
{
    l->name = l->graph->nodes[node].name;
    if (l->nodes[node].fused) {
        l->nodes[node].out = input_of(l, node);
        return;
    }
    switch (l->graph->nodes[node].kind) {
    case NODE_INPUT: {
        struct layout layout = float_layout(l, l->graph->nodes[node].shape, dnnl_nchw);
        struct layout own = shape_layout(l, l->graph->nodes[node].shape, dnnl_nchw);
        if (!l->failed)
            l->program->input_value = program_add_value(l->program, &layout, &l->program->input);
        l->nodes[node].out = as_layout(l, l->program->input_value, own);
        break;
    }
    case NODE_CONVOLUTION:
    case NODE_DENSE:
        lower_product(l, node);
        break;
    case NODE_BATCH_NORM:
        lower_batch_norm(l, node);
        break;
    case NODE_LAYER_NORM:
        lower_layer_norm(l, node);
        break;
    case NODE_ACTIVATION:
        lower_activation(l, node);
        break;
    case NODE_CONCAT:
    case NODE_SLICE:
    case NODE_WIDEN:
    case NODE_SHUFFLE:
        lower_channels(l, node);
        break;
    case NODE_GATE:
    case NODE_LAYER_SCALE:
        lower_gate(l, node);
        break;
    case NODE_STOCHASTIC_DEPTH:
        lower_stochastic_depth(l, node);
        break;
    case NODE_MAX_POOL:
    case NODE_AVERAGE_POOL:
    case NODE_ADAPTIVE_POOL:
        lower_pool(l, node);
        break;
    case NODE_RELU:
        lower_relu(l, node);
        break;
    case NODE_DROPOUT:
        lower_dropout(l, node);
        break;
    case NODE_ADD:
        lower_add(l, node);
        break;
    case NODE_FLATTEN: /* dense layers read images in any layout */
        l->nodes[node].out = input_of(l, node);
        break;
    case NODE_LOSS:
        lower_loss(l, node);
        break;
    }
}

static void lower_node_backward(struct lowering *l, size_t node)
{
    l->name = l->graph->nodes[node].name;
    switch (l->graph->nodes[node].kind) {
    case NODE_INPUT:
    case NODE_LOSS:
        break;
    case NODE_CONVOLUTION:
    case NODE_DENSE:
        lower_product_backward(l, node);
        break;
    case NODE_BATCH_NORM:
        lower_batch_norm_backward(l, node);
        break;
    case NODE_LAYER_NORM:
        lower_layer_norm_backward(l, node);
        break;
    case NODE_ACTIVATION:
        lower_activation_backward(l, node);
        break;
    case NODE_CONCAT:
    case NODE_SLICE:
    case NODE_WIDEN:
    case NODE_SHUFFLE:
        lower_channels_backward(l, node);
        break;
    case NODE_GATE:
    case NODE_LAYER_SCALE:
        lower_gate_backward(l, node);
        break;
    case NODE_STOCHASTIC_DEPTH:
        lower_stochastic_depth_backward(l, node);
        break;
    case NODE_MAX_POOL:
    case NODE_AVERAGE_POOL:
    case NODE_ADAPTIVE_POOL:
        lower_pool_backward(l, node);
        break;
    case NODE_RELU:
        lower_relu_backward(l, node);
        break;
    case NODE_DROPOUT:
        lower_dropout_backward(l, node);
        break;
    case NODE_ADD:
        lower_add_backward(l, node);
        break;
    case NODE_FLATTEN:
        give_gradient(l, l->graph->nodes[node].inputs[0], take_gradient(l, node, 0));
        break;
    }
}

static bool takes_relu(enum node_kind kind)
{
    return kind == NODE_CONVOLUTION || kind == NODE_DENSE || kind == NODE_BATCH_NORM || kind == NODE_ADD;
}

static size_t sole_reader(const struct lowering *l, size_t node)
{
    for (size_t i = node + 1; i < l->graph->count && l->nodes[node].readers == 1; i++)
        for (size_t k = 0; k < l->graph->nodes[i].input_count; k++)
            if (l->graph->nodes[i].inputs[k] == node)
                return i;
    return 0;
}

/* Whether the node's value may be its input's under another name. */
static bool renames(enum node_kind kind)
{
    return kind == NODE_FLATTEN || kind == NODE_DROPOUT || kind == NODE_ADAPTIVE_POOL ||
           kind == NODE_STOCHASTIC_DEPTH;
}

/* Whether nobody reads the node's value, under whatever name, after `writer` but `sum`. */
static bool is_done_with(const struct lowering *l, size_t node, size_t writer, size_t sum)
{
    enum node_kind own = l->graph->nodes[node].kind;
    if (node >= writer || own == NODE_INPUT || renames(own))
        return false;
    for (size_t i = node + 1; i < l->graph->count; i++) {
        for (size_t k = 0; k < l->graph->nodes[i].input_count; k++)
            if (l->graph->nodes[i].inputs[k] == node && i != sum &&
                (i > writer || renames(l->graph->nodes[i].kind)))
                return false;
    }
    return true;
}

/* The addition after `last`, if the convolution can do it in place of the other operand. */
static size_t fuse_sum(struct lowering *l, size_t convolution, size_t last)
{
    size_t sum = sole_reader(l, last);
    if (!sum || l->graph->nodes[sum].kind != NODE_ADD ||
        l->cpu->parameters[l->cpu->first_parameter[convolution]].dense)
        return last;
    const size_t *inputs = l->graph->nodes[sum].inputs;
    size_t other = inputs[0] == last ? inputs[1] : inputs[0];
    if (!is_done_with(l, other, convolution, sum))
        return last;
    l->nodes[convolution].addend = other;
    l->nodes[sum].fused = true;
    return sum;
}

/* Which nodes are computed together with the one before: a ReLU; where the network only infers, all that
 * follows a convolution in a residual block. */
static void find_fusions(struct lowering *l)
{
    for (size_t i = 0; i < l->graph->count; i++)
        for (size_t k = 0; k < l->graph->nodes[i].input_count; k++)
            l->nodes[l->graph->nodes[i].inputs[k]].readers++;
    for (size_t i = 0; i < l->graph->count; i++) {
        size_t last = i;
        enum node_kind kind = l->graph->nodes[i].kind;
        if (l->nodes[i].fused || !takes_relu(kind))
            continue;
        if (l->cpu->folded[i].norm) {
            last = l->cpu->folded[i].norm;
            l->nodes[last].fused = true;
        }
        if (l->cpu->inference && kind == NODE_CONVOLUTION)
            last = fuse_sum(l, i, last);
        size_t relu = sole_reader(l, last);
        if (!relu || l->graph->nodes[relu].kind != NODE_RELU)
            continue;
        l->nodes[i].relu = relu;
        l->nodes[relu].fused = true;
    }
}

/* The last node's value, plain, kept for whoever asked. */
static void keep_output(struct lowering *l)
{
    size_t last = l->graph->count - 1;
    struct layout plain = float_layout(l, l->graph->nodes[last].shape, dnnl_nchw);
    l->program->output_value = as_layout(l, l->nodes[last].out, plain);
}

int cpu_lower(struct cpu *cpu, struct program *program, bool training, struct error *error)
{
    struct lowering l = {
        .cpu = cpu, .graph = cpu->graph, .program = program, .training = training, .error = error};
    l.nodes = calloc(cpu->graph->count, sizeof *l.nodes);
    if (training && cpu->options.clip_norm > 0)
        l.late = calloc(cpu->parameter_count + 1, sizeof *l.late);
    if (!l.nodes || (training && cpu->options.clip_norm > 0 && !l.late)) {
        free(l.nodes);
        return error_memory(error, "program");
    }
    find_fusions(&l);
    for (size_t i = 0; i < cpu->graph->count && !l.failed; i++)
        lower_node(&l, i);
    if (cpu->inference)
        keep_output(&l);
    for (size_t i = cpu->graph->count; training && i-- > 0 && !l.failed;)
        if (l.nodes[i].readers > 0)
            lower_node_backward(&l, i);
    emit_late_updates(&l);
    for (size_t i = 0; i < l.description_count; i++)
        dnnl_primitive_desc_destroy(l.descriptions[i]);
    free(l.descriptions);
    free(l.late);
    free(l.nodes);
    return l.failed ? -1 : 0;
}
