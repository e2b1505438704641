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
    switch (l->graph->nodes[node].kind) {
    case NODE_INPUT: {
        dnnl_memory_desc_t md = shape_layout(l, l->graph->nodes[node].shape, dnnl_nchw);
        if (!l->failed)
            l->nodes[node].out = program_add_value(l->program, &md, &l->program->input);
        l->program->input_value = l->nodes[node].out;
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

static void find_readers(struct lowering *l)
{
    for (size_t i = 0; i < l->graph->count; i++)
        for (size_t k = 0; k < l->graph->nodes[i].input_count; k++)
            l->nodes[l->graph->nodes[i].inputs[k]].readers++;
    for (size_t i = 0; i < l->graph->count; i++) {
        size_t input = l->graph->nodes[i].inputs[0];
        if (l->graph->nodes[i].kind != NODE_RELU || l->nodes[input].readers != 1 ||
            !takes_relu(l->graph->nodes[input].kind))
            continue;
        l->nodes[input].relu = i;
        l->nodes[i].fused = true;
    }
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
    find_readers(&l);
    for (size_t i = 0; i < cpu->graph->count && !l.failed; i++)
        lower_node(&l, i);
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
