/* Dense layers whose backward pass and optimiser's step are one walk over their weights
 * (cpu_kernels_dense.c), where the weights lie in tiles that suit it and no gradient has to wait for the norm
 * of all. */
#include "nn/cpu_lower.h"

/* Outputs of a tile; 0: the weights don't lie in tiles of (DENSE_ROWS inputs, outputs), those of a block of
 * outputs one after the other. */
static size_t tile_lanes(const struct layout *layout)
{
    struct layout_facts f = layout_facts(layout);
    if (f.rank != 2 || !f.blocked || f.type != dnnl_f32 || f.offset || f.block_count != 2 ||
        f.block_dims[0] != 1 || f.block_dims[1] != 0 || f.blocks[0] != DENSE_ROWS)
        return 0;
    size_t lanes = (size_t)f.blocks[1];
    bool suits = lanes == DENSE_LANES_MOST || lanes == DENSE_LANES_MOST / 2 || lanes == DENSE_LANES_MOST / 4;
    bool one_after_other = f.strides[1] == (dnnl_dim_t)(lanes * DENSE_ROWS) &&
                           f.strides[0] == f.padded_dims[1] * (dnnl_dim_t)lanes &&
                           f.padded_dims[1] < f.dims[1] + (dnnl_dim_t)DENSE_ROWS &&
                           f.padded_dims[0] < f.dims[0] + (dnnl_dim_t)lanes;
    return suits && one_after_other ? lanes : 0;
}

static struct dense_backward backward_of(const struct parameter *weights, size_t images, enum element type)
{
    return (struct dense_backward){.type = type,
                                   .images = images,
                                   .inputs = (size_t)weights->dims[1],
                                   .outputs = (size_t)weights->dims[0],
                                   .lanes = tile_lanes(&weights->layout)};
}

/* Values: x, dy, weights, scratch; then the bias's gradient if sizes[0], and dx if sizes[1]. */
static void run_dense_backward(const struct step *step, void *const *data, struct pass *pass)
{
    struct parameter *p = step->parameter;
    size_t next = 4;
    float *db = step->sizes[0] ? data[next++] : NULL;
    void *dx = step->sizes[1] ? data[next] : NULL;
    struct update update = begin_update(p, pass);
    struct dense_backward d = backward_of(p, step->sizes[2], step->type);
    d.update = &update;
    d.w = data[2];
    d.first = p->first;
    d.second = p->second;
    kernel_dense_backward(dx, db, data[0], data[1], data[3], &d);
    end_update(p, &update);
}

bool lower_dense_backward(struct lowering *l, size_t node, size_t gradient, struct parameter *weights,
                          struct parameter *bias)
{
    if (l->failed || l->late || !weights->dense || !tile_lanes(&weights->layout))
        return false;
    size_t images = l->program->images, input = l->graph->nodes[node].inputs[0];
    const struct dense_backward d = backward_of(weights, images, element_of(l));
    const dnnl_dims_t in = {(dnnl_dim_t)images, (dnnl_dim_t)d.inputs},
                      out = {(dnnl_dim_t)images, (dnnl_dim_t)d.outputs},
                      floats = {(dnnl_dim_t)kernel_dense_scratch(&d)};
    size_t x = as_layout(l, l->nodes[node].src, make_layout(l, l->cpu->type, 2, in, dnnl_nc));
    size_t dy = as_layout(l, gradient, make_layout(l, l->cpu->type, 2, out, dnnl_nc));
    size_t scratch = add_value(l, make_layout(l, dnnl_f32, 1, floats, dnnl_a));
    size_t values[6] = {x, dy, parameter_value(l, weights), scratch};
    int count = 4;
    size_t db = bias ? values[count++] = add_value(l, bias->layout) : 0;
    size_t dx = wants_gradient(l, input) ? values[count++] = seen_gradient(l, node) : 0;
    emit_function(l, run_dense_backward,
                  (struct step){.parameter = weights, .sizes = {bias != NULL, dx != 0, images}}, values,
                  count);
    if (bias)
        emit_update(l, bias, db);
    if (dx)
        give_seen_gradient(l, node, dx);
    return true;
}
