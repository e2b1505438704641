/* Activations but ReLU. Their backward passes read what they were given, but ReLU6's what it gave, so that it
 * can work in place. */
#include "nn/cpu_lower.h"

static const struct elementwise {
    dnnl_alg_kind_t forward, backward;
    float alpha, beta;
} elementwise[] = {
    [ACTIVATION_RELU6] = {dnnl_eltwise_clip_v2, dnnl_eltwise_clip_v2_use_dst_for_bwd, 0, 6},
    [ACTIVATION_HARDSWISH] = {dnnl_eltwise_hardswish, dnnl_eltwise_hardswish, 1.0f / 6, 0.5f},
    [ACTIVATION_SILU] = {dnnl_eltwise_swish, dnnl_eltwise_swish, 1, 0},
    [ACTIVATION_SIGMOID] = {dnnl_eltwise_logistic, dnnl_eltwise_logistic, 0, 0},
    [ACTIVATION_GELU] = {dnnl_eltwise_gelu_erf, dnnl_eltwise_gelu_erf, 0, 0},
};

static void run_hardsigmoid(const struct step *step, void *const *data, struct pass *pass)
{
    (void)pass;
    kernel_hardsigmoid(step->type, data[1], data[0], step->elements);
}

static void run_hardsigmoid_backward(const struct step *step, void *const *data, struct pass *pass)
{
    (void)pass;
    kernel_hardsigmoid_backward(step->type, data[2], data[0], data[1], step->elements);
}

/* The sigmoids of 0 are not 0, which a layout's padding must stay: they work on plain layouts. */
static size_t activation_source(struct lowering *l, size_t node)
{
    const struct node *n = &l->graph->nodes[node];
    bool pads = n->activation == ACTIVATION_SIGMOID || n->activation == ACTIVATION_HARDSIGMOID;
    struct layout plain = shape_layout(l, n->shape, dnnl_nchw);
    return pads ? as_layout(l, input_of(l, node), plain) : input_of(l, node);
}

void lower_activation(struct lowering *l, size_t node)
{
    struct lowered *to = &l->nodes[node];
    const struct node *n = &l->graph->nodes[node];
    const struct elementwise *e = &elementwise[n->activation];
    to->src = activation_source(l, node);
    if (l->failed)
        return;
    const struct layout layout = value_layout(l, to->src);
    if (n->activation == ACTIVATION_HARDSIGMOID) {
        to->out = add_value(l, layout);
        EMIT_FUNCTION(l, run_hardsigmoid, ((struct step){.elements = value_elements(l, to->src)}), to->src,
                      to->out);
        return;
    }
    const struct description_options options = description_options(l, NULL);
    dnnl_primitive_desc_t forward = NULL;
    dnnl_status_t status = elementwise_forward(&forward, &options, l->training ? e->backward : e->forward,
                                               &layout, e->alpha, e->beta);
    to->forward = keep_description(l, status, forward, true);
    if (l->training && n->activation != ACTIVATION_RELU6)
        to->out = add_value(l, layout);
    else
        to->out = to->src == input_of(l, node) ? in_place_output(l, n->inputs[0], false) : to->src;
    EMIT(l, to->forward, {DNNL_ARG_SRC, to->src}, {DNNL_ARG_DST, to->out});
}

void lower_activation_backward(struct lowering *l, size_t node)
{
    const struct lowered *from = &l->nodes[node];
    const struct node *n = &l->graph->nodes[node];
    const struct elementwise *e = &elementwise[n->activation];
    size_t gradient = take_gradient(l, node, 0);
    if (l->failed)
        return;
    const struct layout layout = value_layout(l, from->src);
    gradient = as_layout(l, gradient, layout);
    size_t out = free_to_overwrite(l, gradient) ? gradient : add_value(l, layout);
    if (n->activation == ACTIVATION_HARDSIGMOID) {
        EMIT_FUNCTION(l, run_hardsigmoid_backward, ((struct step){.elements = value_elements(l, out)}),
                      gradient, from->src, out);
    } else {
        bool reads_output = n->activation == ACTIVATION_RELU6;
        const struct description_options options = description_options(l, from->forward);
        dnnl_primitive_desc_t d = NULL;
        dnnl_status_t status = elementwise_backward(&d, &options, e->backward, &layout, e->alpha, e->beta);
        d = keep_description(l, status, d, true);
        EMIT(l, d, {reads_output ? DNNL_ARG_DST : DNNL_ARG_SRC, reads_output ? from->out : from->src},
             {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_DIFF_SRC, out});
    }
    give_gradient(l, n->inputs[0], out);
}
