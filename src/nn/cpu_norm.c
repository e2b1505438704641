/* Batch normalisation, with the ReLU after it where there is one, and layer normalisation. */
#include "nn/cpu_lower.h"

static void run_running_statistics(const struct step *step, void *const *data, struct pass *pass)
{
    (void)pass;
    kernel_running_statistics(data[0], data[1], data[2], data[3], step->sizes[0], step->sizes[1],
                              (float)step->share);
}

static float epsilon_of(const struct lowering *l, size_t node)
{
    return (float)l->graph->nodes[node].normalisation.epsilon;
}

void lower_batch_norm(struct lowering *l, size_t node)
{
    struct lowered *to = &l->nodes[node];
    const struct shape *shape = &l->graph->nodes[node].shape;
    size_t running_mean = parameter_value(l, parameter_of(l, node, TENSOR_RUNNING_MEAN));
    size_t running_var = parameter_value(l, parameter_of(l, node, TENSOR_RUNNING_VAR));
    unsigned flags = dnnl_use_scale | dnnl_use_shift;
    flags |= to->relu ? dnnl_fuse_norm_relu : 0;
    flags |= l->training ? 0 : dnnl_use_global_stats;
    to->src = input_of(l, node);
    struct layout layout = value_layout(l, to->src);
    if (l->failed)
        return;
    const struct description_options options = description_options(l, NULL);
    dnnl_primitive_desc_t forward = NULL;
    dnnl_status_t status = batch_norm_forward(&forward, &options, &layout, epsilon_of(l, node), flags);
    to->forward = keep_description(l, status, forward, true);
    to->out = add_value(l, layout);
    to->mean = l->training ? add_value(l, wanted_layout(l, to->forward, DNNL_ARG_MEAN)) : running_mean;
    to->variance = l->training ? add_value(l, wanted_layout(l, to->forward, DNNL_ARG_VARIANCE)) : running_var;
    if (l->training && to->relu)
        to->workspace = add_value(l, wanted_layout(l, to->forward, DNNL_ARG_WORKSPACE));
    EMIT(l, to->forward, {DNNL_ARG_SRC, to->src}, {DNNL_ARG_DST, to->out}, {DNNL_ARG_MEAN, to->mean},
         {DNNL_ARG_VARIANCE, to->variance}, {DNNL_ARG_WORKSPACE, to->workspace},
         {DNNL_ARG_SCALE, parameter_value(l, parameter_of(l, node, TENSOR_WEIGHT))},
         {DNNL_ARG_SHIFT, parameter_value(l, parameter_of(l, node, TENSOR_BIAS))});
    if (l->training)
        EMIT_FUNCTION(
            l, run_running_statistics,
            ((struct step){.sizes = {shape->channels, l->program->images * shape->height * shape->width},
                           .share = l->graph->nodes[node].normalisation.momentum}),
            running_mean, running_var, to->mean, to->variance);
}

void lower_batch_norm_backward(struct lowering *l, size_t node)
{
    struct lowered *from = &l->nodes[node];
    const struct layout layout = value_layout(l, from->src);
    size_t gradient = as_layout(l, take_gradient(l, node, 0), layout);
    unsigned flags = dnnl_use_scale | dnnl_use_shift;
    flags |= from->relu ? dnnl_fuse_norm_relu : 0;
    if (l->failed)
        return;
    const struct description_options options = description_options(l, from->forward);
    dnnl_primitive_desc_t d = NULL;
    dnnl_status_t status = batch_norm_backward(&d, &options, &layout, epsilon_of(l, node), flags);
    d = keep_description(l, status, d, true);
    size_t out = free_to_overwrite(l, gradient) ? gradient : add_value(l, layout);
    struct parameter *scale = parameter_of(l, node, TENSOR_WEIGHT),
                     *shift = parameter_of(l, node, TENSOR_BIAS);
    size_t dscale = add_value(l, wanted_layout(l, d, DNNL_ARG_DIFF_SCALE));
    size_t dshift = add_value(l, wanted_layout(l, d, DNNL_ARG_DIFF_SHIFT));
    EMIT(l, d, {DNNL_ARG_SRC, from->src}, {DNNL_ARG_MEAN, from->mean}, {DNNL_ARG_VARIANCE, from->variance},
         {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_WORKSPACE, from->workspace},
         {DNNL_ARG_SCALE, parameter_value(l, scale)},
         {DNNL_ARG_SHIFT, BATCH_NORM_BACKWARD_TAKES_SHIFT ? parameter_value(l, shift) : 0},
         {DNNL_ARG_DIFF_SRC, out}, {DNNL_ARG_DIFF_SCALE, dscale}, {DNNL_ARG_DIFF_SHIFT, dshift});
    emit_update(l, scale, dscale);
    emit_update(l, shift, dshift);
    give_gradient(l, l->graph->nodes[node].inputs[0], out);
}

/* Layer normalisation is oneDNN's over rows: with channels last, a pixel is one. */
struct rows {
    struct layout images, rows, statistics;
};

static struct rows rows_of(struct lowering *l, size_t node)
{
    struct shape shape = l->graph->nodes[node].shape;
    dnnl_dims_t dims = {(dnnl_dim_t)(l->program->images * shape.height * shape.width),
                        (dnnl_dim_t)shape.channels};
    return (struct rows){.images = shape_layout(l, shape, dnnl_nhwc),
                         .rows = make_layout(l, l->cpu->type, 2, dims, dnnl_ab),
                         .statistics = make_layout(l, dnnl_f32, 1, dims, dnnl_a)};
}

void lower_layer_norm(struct lowering *l, size_t node)
{
    struct lowered *to = &l->nodes[node];
    struct rows r = rows_of(l, node);
    to->src = as_layout(l, input_of(l, node), r.images);
    if (l->failed)
        return;
    const struct description_options options = description_options(l, NULL);
    dnnl_primitive_desc_t forward = NULL;
    dnnl_status_t status = layer_norm_forward(&forward, &options, &r.rows, &r.statistics, epsilon_of(l, node),
                                              dnnl_use_scale | dnnl_use_shift);
    to->forward = keep_description(l, status, forward, true);
    to->out = add_value(l, r.images);
    if (l->training) {
        to->mean = add_value(l, r.statistics);
        to->variance = add_value(l, r.statistics);
    }
    EMIT(l, to->forward, {DNNL_ARG_SRC, to->src}, {DNNL_ARG_DST, to->out}, {DNNL_ARG_MEAN, to->mean},
         {DNNL_ARG_VARIANCE, to->variance},
         {DNNL_ARG_SCALE, parameter_value(l, parameter_of(l, node, TENSOR_WEIGHT))},
         {DNNL_ARG_SHIFT, parameter_value(l, parameter_of(l, node, TENSOR_BIAS))});
}

void lower_layer_norm_backward(struct lowering *l, size_t node)
{
    struct lowered *from = &l->nodes[node];
    struct rows r = rows_of(l, node);
    size_t gradient = as_layout(l, take_gradient(l, node, 0), r.images);
    if (l->failed)
        return;
    const struct description_options options = description_options(l, from->forward);
    dnnl_primitive_desc_t d = NULL;
    dnnl_status_t status = layer_norm_backward(&d, &options, &r.rows, &r.statistics, epsilon_of(l, node),
                                               dnnl_use_scale | dnnl_use_shift);
    d = keep_description(l, status, d, true);
    struct parameter *scale = parameter_of(l, node, TENSOR_WEIGHT),
                     *shift = parameter_of(l, node, TENSOR_BIAS);
    size_t out = add_value(l, r.images), dscale = add_value(l, scale->layout),
           dshift = add_value(l, shift->layout);
    EMIT(l, d, {DNNL_ARG_SRC, from->src}, {DNNL_ARG_MEAN, from->mean}, {DNNL_ARG_VARIANCE, from->variance},
         {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_SCALE, parameter_value(l, scale)},
         {DNNL_ARG_SHIFT, parameter_value(l, shift)}, {DNNL_ARG_DIFF_SRC, out}, {DNNL_ARG_DIFF_SCALE, dscale},
         {DNNL_ARG_DIFF_SHIFT, dshift});
    emit_update(l, scale, dscale);
    emit_update(l, shift, dshift);
    give_gradient(l, l->graph->nodes[node].inputs[0], out);
}
