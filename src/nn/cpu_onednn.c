#include "nn/cpu_onednn.h"

#include <stdlib.h>

static layout_handle handle_of(const struct layout *layout)
{
#if DNNL_VERSION_MAJOR >= 3
    return layout ? layout->handle : NULL;
#else
    return layout ? &layout->description : NULL;
#endif
}

size_t layout_bytes(const struct layout *layout)
{
    return dnnl_memory_desc_get_size(handle_of(layout));
}

static bool plain_like(const struct layout_facts *a, const struct layout_facts *b)
{
    if (a->rank != b->rank || a->type != b->type || !a->blocked || !b->blocked || a->block_count ||
        b->block_count || a->offset != b->offset)
        return false;
    for (int d = 0; d < a->rank; d++)
        if (a->dims[d] != b->dims[d] || (a->dims[d] > 1 && a->strides[d] != b->strides[d]))
            return false;
    return true;
}

bool layout_same(const struct layout *a, const struct layout *b)
{
    if (dnnl_memory_desc_equal(handle_of(a), handle_of(b)))
        return true;
    struct layout_facts x = layout_facts(a), y = layout_facts(b);
    return plain_like(&x, &y);
}

dnnl_status_t memory_of_layout(dnnl_memory_t *memory, const struct layout *layout, dnnl_engine_t engine,
                               void *data)
{
    return dnnl_memory_create(memory, handle_of(layout), engine, data);
}

dnnl_status_t reorder(dnnl_primitive_desc_t *description, const struct description_options *options,
                      const struct layout *from, const struct layout *to)
{
    return dnnl_reorder_primitive_desc_create(description, handle_of(from), options->engine, handle_of(to),
                                              options->engine, options->attributes);
}

static layout_handle argument_handle(dnnl_primitive_desc_t description, int argument)
{
    return argument == DNNL_ARG_SCRATCHPAD
               ? dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0)
               : dnnl_primitive_desc_query_md(description, dnnl_query_exec_arg_md, argument);
}

#if DNNL_VERSION_MAJOR >= 3

/* ---- oneDNN 3 ---- */

void layouts_free(struct layouts *layouts)
{
    for (size_t i = 0; i < layouts->count; i++)
        dnnl_memory_desc_destroy((dnnl_memory_desc_t)layouts->handles[i]);
    free(layouts->handles);
    *layouts = (struct layouts){0};
}

/* Takes `made`; gives that of `layouts` which equals it. */
static dnnl_status_t keep(struct layouts *layouts, struct layout *layout, dnnl_memory_desc_t made)
{
    for (size_t i = 0; i < layouts->count; i++) {
        if (!dnnl_memory_desc_equal(layouts->handles[i], made))
            continue;
        layout->handle = layouts->handles[i];
        return dnnl_memory_desc_destroy(made);
    }
    if (layouts->count == layouts->capacity) {
        size_t capacity = layouts->capacity ? 2 * layouts->capacity : 64;
        layout_handle *handles = realloc(layouts->handles, capacity * sizeof *handles);
        if (!handles) {
            dnnl_memory_desc_destroy(made);
            return dnnl_out_of_memory;
        }
        layouts->handles = handles;
        layouts->capacity = capacity;
    }
    layouts->handles[layouts->count++] = made;
    layout->handle = made;
    return dnnl_success;
}

dnnl_status_t layout_by_tag(struct layouts *layouts, struct layout *layout, dnnl_data_type_t type, int rank,
                            const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t made = NULL;
    dnnl_status_t status = dnnl_memory_desc_create_with_tag(&made, rank, dims, type, tag);
    return status ? status : keep(layouts, layout, made);
}

dnnl_status_t layout_part(struct layouts *layouts, struct layout *part, const struct layout *whole,
                          const dnnl_dims_t dims, const dnnl_dims_t offsets)
{
    dnnl_memory_desc_t made = NULL;
    dnnl_status_t status = dnnl_memory_desc_create_submemory(&made, whole->handle, dims, offsets);
    return status ? status : keep(layouts, part, made);
}

dnnl_status_t layout_reshape(struct layouts *layouts, struct layout *layout, const struct layout *from,
                             int rank, const dnnl_dims_t dims)
{
    dnnl_memory_desc_t made = NULL;
    dnnl_status_t status = dnnl_memory_desc_reshape(&made, from->handle, rank, dims);
    return status ? status : keep(layouts, layout, made);
}

dnnl_status_t layout_of_argument(struct layouts *layouts, struct layout *layout,
                                 dnnl_primitive_desc_t description, int argument)
{
    layout_handle handle = argument_handle(description, argument);
    dnnl_memory_desc_t made = NULL;
    *layout = (struct layout){0};
    if (!handle || dnnl_memory_desc_get_size(handle) == 0)
        return dnnl_success;
    dnnl_status_t status = dnnl_memory_desc_clone(&made, handle);
    return status ? status : keep(layouts, layout, made);
}

int layout_rank(const struct layout *layout)
{
    int rank = 0;
    dnnl_memory_desc_query(layout->handle, dnnl_query_ndims_s32, &rank);
    return rank;
}

dnnl_data_type_t layout_type(const struct layout *layout)
{
    dnnl_data_type_t type = dnnl_data_type_undef;
    dnnl_memory_desc_query(layout->handle, dnnl_query_data_type, &type);
    return type;
}

/* A query of dimensions gives the place of `count` of them. */
static void copy_dims(const struct layout *layout, dnnl_query_t what, int count, dnnl_dims_t dims)
{
    dnnl_dims_t *found = NULL;
    if (dnnl_memory_desc_query(layout->handle, what, &found) != dnnl_success || !found)
        return;
    for (int d = 0; d < count; d++)
        dims[d] = (*found)[d];
}

struct layout_facts layout_facts(const struct layout *layout)
{
    struct layout_facts facts = {.type = layout_type(layout), .rank = layout_rank(layout)};
    dnnl_format_kind_t kind = dnnl_format_kind_undef;
    dnnl_memory_desc_query(layout->handle, dnnl_query_format_kind, &kind);
    copy_dims(layout, dnnl_query_dims, facts.rank, facts.dims);
    copy_dims(layout, dnnl_query_padded_dims, facts.rank, facts.padded_dims);
    facts.blocked = kind == dnnl_blocked;
    if (!facts.blocked)
        return facts;
    dnnl_memory_desc_query(layout->handle, dnnl_query_submemory_offset_s64, &facts.offset);
    dnnl_memory_desc_query(layout->handle, dnnl_query_inner_nblks_s32, &facts.block_count);
    copy_dims(layout, dnnl_query_strides, facts.rank, facts.strides);
    copy_dims(layout, dnnl_query_inner_blks, facts.block_count, facts.blocks);
    copy_dims(layout, dnnl_query_inner_idxs, facts.block_count, facts.block_dims);
    return facts;
}

dnnl_status_t convolution_forward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                  const struct product_layouts *l, const struct product_geometry *g)
{
    return dnnl_convolution_forward_primitive_desc_create(
        description, o->engine, o->kind, dnnl_convolution_direct, handle_of(l->src), handle_of(l->weights),
        handle_of(l->bias), handle_of(l->dst), g->strides, g->dilates, g->before, g->after, o->attributes);
}

dnnl_status_t convolution_backward_data(dnnl_primitive_desc_t *description,
                                        const struct description_options *o, const struct product_layouts *l,
                                        const struct product_geometry *g)
{
    return dnnl_convolution_backward_data_primitive_desc_create(
        description, o->engine, dnnl_convolution_direct, handle_of(l->src), handle_of(l->weights),
        handle_of(l->dst), g->strides, g->dilates, g->before, g->after, o->forward, o->attributes);
}

dnnl_status_t convolution_backward_weights(dnnl_primitive_desc_t *description,
                                           const struct description_options *o,
                                           const struct product_layouts *l, const struct product_geometry *g)
{
    return dnnl_convolution_backward_weights_primitive_desc_create(
        description, o->engine, dnnl_convolution_direct, handle_of(l->src), handle_of(l->weights),
        handle_of(l->bias), handle_of(l->dst), g->strides, g->dilates, g->before, g->after, o->forward,
        o->attributes);
}

dnnl_status_t inner_product_forward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                    const struct product_layouts *l)
{
    return dnnl_inner_product_forward_primitive_desc_create(
        description, o->engine, o->kind, handle_of(l->src), handle_of(l->weights), handle_of(l->bias),
        handle_of(l->dst), o->attributes);
}

dnnl_status_t inner_product_backward_data(dnnl_primitive_desc_t *description,
                                          const struct description_options *o,
                                          const struct product_layouts *l)
{
    return dnnl_inner_product_backward_data_primitive_desc_create(description, o->engine, handle_of(l->src),
                                                                  handle_of(l->weights), handle_of(l->dst),
                                                                  o->forward, o->attributes);
}

dnnl_status_t inner_product_backward_weights(dnnl_primitive_desc_t *description,
                                             const struct description_options *o,
                                             const struct product_layouts *l)
{
    return dnnl_inner_product_backward_weights_primitive_desc_create(
        description, o->engine, handle_of(l->src), handle_of(l->weights), handle_of(l->bias),
        handle_of(l->dst), o->forward, o->attributes);
}

dnnl_status_t batch_norm_forward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                 const struct layout *data, float epsilon, unsigned flags)
{
    return dnnl_batch_normalization_forward_primitive_desc_create(
        description, o->engine, o->kind, handle_of(data), handle_of(data), epsilon, flags, o->attributes);
}

dnnl_status_t batch_norm_backward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                  const struct layout *data, float epsilon, unsigned flags)
{
    return dnnl_batch_normalization_backward_primitive_desc_create(
        description, o->engine, dnnl_backward, handle_of(data), handle_of(data), handle_of(data), epsilon,
        flags, o->forward, o->attributes);
}

dnnl_status_t layer_norm_forward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                 const struct layout *data, const struct layout *statistics, float epsilon,
                                 unsigned flags)
{
    return dnnl_layer_normalization_forward_primitive_desc_create(
        description, o->engine, o->kind, handle_of(data), handle_of(data), handle_of(statistics), epsilon,
        flags, o->attributes);
}

dnnl_status_t layer_norm_backward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                  const struct layout *data, const struct layout *statistics, float epsilon,
                                  unsigned flags)
{
    return dnnl_layer_normalization_backward_primitive_desc_create(
        description, o->engine, dnnl_backward, handle_of(data), handle_of(data), handle_of(data),
        handle_of(statistics), epsilon, flags, o->forward, o->attributes);
}

static const dnnl_dims_t no_dilation = {0, 0};

dnnl_status_t pool_forward(dnnl_primitive_desc_t *description, const struct description_options *o,
                           const struct layout *src, const struct layout *dst, const struct pool *p)
{
    return dnnl_pooling_forward_primitive_desc_create(description, o->engine, o->kind, p->kind,
                                                      handle_of(src), handle_of(dst), p->strides, p->kernel,
                                                      no_dilation, p->before, p->after, o->attributes);
}

dnnl_status_t pool_backward(dnnl_primitive_desc_t *description, const struct description_options *o,
                            const struct layout *src, const struct layout *dst, const struct pool *p)
{
    return dnnl_pooling_backward_primitive_desc_create(description, o->engine, p->kind, handle_of(src),
                                                       handle_of(dst), p->strides, p->kernel, no_dilation,
                                                       p->before, p->after, o->forward, o->attributes);
}

dnnl_status_t elementwise_forward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                  dnnl_alg_kind_t kind, const struct layout *data, float alpha, float beta)
{
    return dnnl_eltwise_forward_primitive_desc_create(description, o->engine, o->kind, kind, handle_of(data),
                                                      handle_of(data), alpha, beta, o->attributes);
}

dnnl_status_t elementwise_backward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                   dnnl_alg_kind_t kind, const struct layout *data, float alpha, float beta)
{
    return dnnl_eltwise_backward_primitive_desc_create(description, o->engine, kind, handle_of(data),
                                                       handle_of(data), handle_of(data), alpha, beta,
                                                       o->forward, o->attributes);
}

dnnl_status_t append_sum(dnnl_post_ops_t operations)
{
    return dnnl_post_ops_append_sum(operations, 1, 0, dnnl_data_type_undef);
}

dnnl_status_t append_relu(dnnl_post_ops_t operations)
{
    return dnnl_post_ops_append_eltwise(operations, dnnl_eltwise_relu, 0, 0);
}

#else

/* ---- oneDNN 2.6: a memory descriptor owns nothing, and primitives are described in two steps ---- */

void layouts_free(struct layouts *layouts)
{
    *layouts = (struct layouts){0};
}

dnnl_status_t layout_by_tag(struct layouts *layouts, struct layout *layout, dnnl_data_type_t type, int rank,
                            const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
    (void)layouts;
    return dnnl_memory_desc_init_by_tag(&layout->description, rank, dims, type, tag);
}

dnnl_status_t layout_part(struct layouts *layouts, struct layout *part, const struct layout *whole,
                          const dnnl_dims_t dims, const dnnl_dims_t offsets)
{
    (void)layouts;
    return dnnl_memory_desc_init_submemory(&part->description, &whole->description, dims, offsets);
}

dnnl_status_t layout_reshape(struct layouts *layouts, struct layout *layout, const struct layout *from,
                             int rank, const dnnl_dims_t dims)
{
    (void)layouts;
    return dnnl_memory_desc_reshape(&layout->description, &from->description, rank, dims);
}

dnnl_status_t layout_of_argument(struct layouts *layouts, struct layout *layout,
                                 dnnl_primitive_desc_t description, int argument)
{
    (void)layouts;
    layout_handle handle = argument_handle(description, argument);
    *layout = (struct layout){0};
    if (handle)
        layout->description = *handle;
    return dnnl_success;
}

int layout_rank(const struct layout *layout)
{
    return layout->description.ndims;
}

dnnl_data_type_t layout_type(const struct layout *layout)
{
    return layout->description.data_type;
}

struct layout_facts layout_facts(const struct layout *layout)
{
    const dnnl_memory_desc_t *md = &layout->description;
    const dnnl_blocking_desc_t *blocking = &md->format_desc.blocking;
    struct layout_facts facts = {.type = md->data_type,
                                 .rank = md->ndims,
                                 .blocked = md->format_kind == dnnl_blocked,
                                 .offset = md->offset0};
    for (int d = 0; d < md->ndims; d++) {
        facts.dims[d] = md->dims[d];
        facts.padded_dims[d] = md->padded_dims[d];
        facts.strides[d] = facts.blocked ? blocking->strides[d] : 0;
    }
    facts.block_count = facts.blocked ? blocking->inner_nblks : 0;
    for (int b = 0; b < facts.block_count; b++) {
        facts.blocks[b] = blocking->inner_blks[b];
        facts.block_dims[b] = blocking->inner_idxs[b];
    }
    return facts;
}

/* `status` is that of the first step. */
static dnnl_status_t described(dnnl_status_t status, dnnl_primitive_desc_t *description,
                               const struct description_options *o, const void *operation)
{
    return status ? status
                  : dnnl_primitive_desc_create(description, operation, o->attributes, o->engine, o->forward);
}

dnnl_status_t convolution_forward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                  const struct product_layouts *l, const struct product_geometry *g)
{
    dnnl_convolution_desc_t operation;
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &operation, o->kind, dnnl_convolution_direct, handle_of(l->src), handle_of(l->weights),
        handle_of(l->bias), handle_of(l->dst), g->strides, g->dilates, g->before, g->after);
    return described(status, description, o, &operation);
}

dnnl_status_t convolution_backward_data(dnnl_primitive_desc_t *description,
                                        const struct description_options *o, const struct product_layouts *l,
                                        const struct product_geometry *g)
{
    dnnl_convolution_desc_t operation;
    dnnl_status_t status = dnnl_dilated_convolution_backward_data_desc_init(
        &operation, dnnl_convolution_direct, handle_of(l->src), handle_of(l->weights), handle_of(l->dst),
        g->strides, g->dilates, g->before, g->after);
    return described(status, description, o, &operation);
}

dnnl_status_t convolution_backward_weights(dnnl_primitive_desc_t *description,
                                           const struct description_options *o,
                                           const struct product_layouts *l, const struct product_geometry *g)
{
    dnnl_convolution_desc_t operation;
    dnnl_status_t status = dnnl_dilated_convolution_backward_weights_desc_init(
        &operation, dnnl_convolution_direct, handle_of(l->src), handle_of(l->weights), handle_of(l->bias),
        handle_of(l->dst), g->strides, g->dilates, g->before, g->after);
    return described(status, description, o, &operation);
}

dnnl_status_t inner_product_forward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                    const struct product_layouts *l)
{
    dnnl_inner_product_desc_t operation;
    dnnl_status_t status = dnnl_inner_product_forward_desc_init(
        &operation, o->kind, handle_of(l->src), handle_of(l->weights), handle_of(l->bias), handle_of(l->dst));
    return described(status, description, o, &operation);
}

dnnl_status_t inner_product_backward_data(dnnl_primitive_desc_t *description,
                                          const struct description_options *o,
                                          const struct product_layouts *l)
{
    dnnl_inner_product_desc_t operation;
    dnnl_status_t status = dnnl_inner_product_backward_data_desc_init(
        &operation, handle_of(l->src), handle_of(l->weights), handle_of(l->dst));
    return described(status, description, o, &operation);
}

dnnl_status_t inner_product_backward_weights(dnnl_primitive_desc_t *description,
                                             const struct description_options *o,
                                             const struct product_layouts *l)
{
    dnnl_inner_product_desc_t operation;
    dnnl_status_t status = dnnl_inner_product_backward_weights_desc_init(
        &operation, handle_of(l->src), handle_of(l->weights), handle_of(l->bias), handle_of(l->dst));
    return described(status, description, o, &operation);
}

dnnl_status_t batch_norm_forward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                 const struct layout *data, float epsilon, unsigned flags)
{
    dnnl_batch_normalization_desc_t operation;
    dnnl_status_t status =
        dnnl_batch_normalization_forward_desc_init(&operation, o->kind, handle_of(data), epsilon, flags);
    return described(status, description, o, &operation);
}

dnnl_status_t batch_norm_backward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                  const struct layout *data, float epsilon, unsigned flags)
{
    dnnl_batch_normalization_desc_t operation;
    dnnl_status_t status = dnnl_batch_normalization_backward_desc_init(
        &operation, dnnl_backward, handle_of(data), handle_of(data), epsilon, flags);
    return described(status, description, o, &operation);
}

dnnl_status_t layer_norm_forward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                 const struct layout *data, const struct layout *statistics, float epsilon,
                                 unsigned flags)
{
    dnnl_layer_normalization_desc_t operation;
    dnnl_status_t status = dnnl_layer_normalization_forward_desc_init(&operation, o->kind, handle_of(data),
                                                                      handle_of(statistics), epsilon, flags);
    return described(status, description, o, &operation);
}

dnnl_status_t layer_norm_backward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                  const struct layout *data, const struct layout *statistics, float epsilon,
                                  unsigned flags)
{
    dnnl_layer_normalization_desc_t operation;
    dnnl_status_t status = dnnl_layer_normalization_backward_desc_init(
        &operation, dnnl_backward, handle_of(data), handle_of(data), handle_of(statistics), epsilon, flags);
    return described(status, description, o, &operation);
}

dnnl_status_t pool_forward(dnnl_primitive_desc_t *description, const struct description_options *o,
                           const struct layout *src, const struct layout *dst, const struct pool *p)
{
    dnnl_pooling_desc_t operation;
    dnnl_status_t status =
        dnnl_pooling_forward_desc_init(&operation, o->kind, p->kind, handle_of(src), handle_of(dst),
                                       p->strides, p->kernel, p->before, p->after);
    return described(status, description, o, &operation);
}

dnnl_status_t pool_backward(dnnl_primitive_desc_t *description, const struct description_options *o,
                            const struct layout *src, const struct layout *dst, const struct pool *p)
{
    dnnl_pooling_desc_t operation;
    dnnl_status_t status = dnnl_pooling_backward_desc_init(
        &operation, p->kind, handle_of(src), handle_of(dst), p->strides, p->kernel, p->before, p->after);
    return described(status, description, o, &operation);
}

dnnl_status_t elementwise_forward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                  dnnl_alg_kind_t kind, const struct layout *data, float alpha, float beta)
{
    dnnl_eltwise_desc_t operation;
    dnnl_status_t status =
        dnnl_eltwise_forward_desc_init(&operation, o->kind, kind, handle_of(data), alpha, beta);
    return described(status, description, o, &operation);
}

dnnl_status_t elementwise_backward(dnnl_primitive_desc_t *description, const struct description_options *o,
                                   dnnl_alg_kind_t kind, const struct layout *data, float alpha, float beta)
{
    dnnl_eltwise_desc_t operation;
    dnnl_status_t status =
        dnnl_eltwise_backward_desc_init(&operation, kind, handle_of(data), handle_of(data), alpha, beta);
    return described(status, description, o, &operation);
}

dnnl_status_t append_sum(dnnl_post_ops_t operations)
{
    return dnnl_post_ops_append_sum(operations, 1);
}

dnnl_status_t append_relu(dnnl_post_ops_t operations)
{
    return dnnl_post_ops_append_eltwise(operations, 1, dnnl_eltwise_relu, 0, 0);
}

#endif
