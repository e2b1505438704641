/* Maximum, average and adaptive pooling. */
#include "nn/cpu_lower.h"

/* False: an adaptive pooling that is no plain one. */
static bool pool_of(const struct lowering *l, size_t node, struct pool *pool)
{
    const struct node *n = &l->graph->nodes[node];
    const struct shape *in = &l->graph->nodes[n->inputs[0]].shape;
    const size_t in_size[] = {in->height, in->width}, out_size[] = {n->shape.height, n->shape.width};
    bool excludes = n->kind == NODE_AVERAGE_POOL && n->pooling.exclude_padding;
    *pool = (struct pool){.kind = n->kind == NODE_MAX_POOL ? dnnl_pooling_max
                                  : excludes               ? dnnl_pooling_avg_exclude_padding
                                                           : dnnl_pooling_avg_include_padding};
    for (int d = 0; d < 2; d++) {
        size_t kernel = n->pooling.kernel, stride = n->pooling.stride, padding = n->pooling.padding;
        if (n->kind == NODE_ADAPTIVE_POOL) {
            if (in_size[d] % out_size[d])
                return false;
            kernel = stride = in_size[d] / out_size[d];
            padding = 0;
        }
        size_t reach = (out_size[d] - 1) * stride + kernel;
        pool->kernel[d] = (dnnl_dim_t)kernel;
        pool->strides[d] = (dnnl_dim_t)stride;
        pool->before[d] = (dnnl_dim_t)padding;
        pool->after[d] = reach > in_size[d] + padding ? (dnnl_dim_t)(reach - in_size[d] - padding) : 0;
    }
    return true;
}

static void run_adaptive_pool(const struct step *step, void *const *data, struct pass *pass)
{
    (void)pass;
    kernel_adaptive_pool(data[1], data[0], step->elements, step->sizes, step->sizes + 2);
}

static void run_adaptive_pool_backward(const struct step *step, void *const *data, struct pass *pass)
{
    (void)pass;
    kernel_adaptive_pool_backward(data[1], data[0], step->elements, step->sizes, step->sizes + 2);
}

static struct step adaptive_step(const struct lowering *l, size_t node)
{
    const struct node *n = &l->graph->nodes[node];
    const struct shape *in = &l->graph->nodes[n->inputs[0]].shape;
    return (struct step){.elements = l->program->images * in->channels,
                         .sizes = {in->height, in->width, n->shape.height, n->shape.width}};
}

static void lower_adaptive_pool(struct lowering *l, size_t node)
{
    struct lowered *to = &l->nodes[node];
    const struct node *n = &l->graph->nodes[node];
    struct layout in = float_layout(l, l->graph->nodes[n->inputs[0]].shape, dnnl_nchw);
    struct layout out = float_layout(l, n->shape, dnnl_nchw), kept = shape_layout(l, n->shape, dnnl_nchw);
    to->src = as_layout(l, input_of(l, node), in);
    size_t pooled = add_value(l, out);
    EMIT_FUNCTION(l, run_adaptive_pool, adaptive_step(l, node), to->src, pooled);
    to->out = as_layout(l, pooled, kept);
}

static void lower_adaptive_pool_backward(struct lowering *l, size_t node, size_t gradient)
{
    const struct node *n = &l->graph->nodes[node];
    struct shape shape = l->graph->nodes[n->inputs[0]].shape;
    struct layout out = float_layout(l, n->shape, dnnl_nchw), in = float_layout(l, shape, dnnl_nchw);
    struct layout given = shape_layout(l, shape, dnnl_nchw);
    gradient = as_layout(l, gradient, out);
    size_t spread = add_value(l, in);
    EMIT_FUNCTION(l, run_adaptive_pool_backward, adaptive_step(l, node), gradient, spread);
    give_gradient(l, n->inputs[0], as_layout(l, spread, given));
}

static bool passes_through(const struct lowering *l, size_t node)
{
    const struct node *n = &l->graph->nodes[node];
    const struct shape *in = &l->graph->nodes[n->inputs[0]].shape;
    return l->cpu->repeats[node] || (in->height == n->shape.height && in->width == n->shape.width);
}

void lower_pool(struct lowering *l, size_t node)
{
    struct lowered *to = &l->nodes[node];
    const struct node *n = &l->graph->nodes[node];
    struct pool pool;
    if (n->kind == NODE_ADAPTIVE_POOL && passes_through(l, node)) {
        to->out = input_of(l, node);
        return;
    }
    if (!pool_of(l, node, &pool)) {
        lower_adaptive_pool(l, node);
        return;
    }
    to->src = input_of(l, node);
    struct layout src = value_layout(l, to->src), dst = shape_layout(l, n->shape, dnnl_format_tag_any);
    if (l->failed)
        return;
    const struct description_options options = description_options(l, NULL);
    dnnl_primitive_desc_t forward = NULL;
    dnnl_status_t status = pool_forward(&forward, &options, &src, &dst, &pool);
    to->forward = keep_description(l, status, forward, true);
    to->out = add_value(l, wanted_layout(l, to->forward, DNNL_ARG_DST));
    if (l->training && n->kind == NODE_MAX_POOL)
        to->workspace = add_value(l, wanted_layout(l, to->forward, DNNL_ARG_WORKSPACE));
    EMIT(l, to->forward, {DNNL_ARG_SRC, to->src}, {DNNL_ARG_DST, to->out},
         {DNNL_ARG_WORKSPACE, to->workspace});
}

void lower_pool_backward(struct lowering *l, size_t node)
{
    struct lowered *from = &l->nodes[node];
    const struct node *n = &l->graph->nodes[node];
    struct pool pool;
    size_t gradient = take_gradient(l, node, 0);
    if (!wants_gradient(l, n->inputs[0]))
        return;
    if (n->kind == NODE_ADAPTIVE_POOL && passes_through(l, node)) {
        give_gradient(l, n->inputs[0], gradient);
        return;
    }
    if (!pool_of(l, node, &pool)) {
        lower_adaptive_pool_backward(l, node, gradient);
        return;
    }
    gradient = as_layout(l, gradient, value_layout(l, from->out));
    size_t out = add_value(l, value_layout(l, from->src));
    if (l->failed)
        return;
    const struct description_options options = description_options(l, from->forward);
    const struct layout src_layout = value_layout(l, from->src), dst_layout = value_layout(l, from->out);
    dnnl_primitive_desc_t d = NULL;
    dnnl_status_t status = pool_backward(&d, &options, &src_layout, &dst_layout, &pool);
    d = keep_description(l, status, d, true);
    EMIT(l, d, {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_DIFF_SRC, out},
         {DNNL_ARG_WORKSPACE, from->workspace});
    give_gradient(l, n->inputs[0], out);
}
