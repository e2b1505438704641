/* cpu_onednn.h: oneDNN 2.6 and oneDNN 3 as one interface; where theirs differ, cpu_onednn.c alone knows.
 *
 * What differs: memory descriptors (a struct there, an object with an owner here) and how primitives are
 * described. All else of oneDNN is called as it is, by the cpu_*.c files only. */
#ifndef JOULERY_NN_CPU_ONEDNN_H
#define JOULERY_NN_CPU_ONEDNN_H

#include <oneapi/dnnl/dnnl.h>
#include <stdbool.h>
#include <stddef.h>

/* ---- layouts: how a tensor lies in memory ---- */

#if DNNL_VERSION_MAJOR >= 3
typedef const_dnnl_memory_desc_t layout_handle;
#else
typedef const dnnl_memory_desc_t *layout_handle;
#endif

/* Copied freely. All zero: of nothing. */
struct layout {
#if DNNL_VERSION_MAJOR >= 3
    layout_handle handle; /* owned by a struct layouts */
#else
    dnnl_memory_desc_t description;
#endif
};

/* What layouts are made in and live as long as. All zero: none yet. */
struct layouts {
    layout_handle *handles;
    size_t count, capacity;
};
void layouts_free(struct layouts *layouts);

/* Of a layout that is decided (not format_tag_any). */
struct layout_facts {
    dnnl_data_type_t type;
    int rank;
    dnnl_dims_t dims, padded_dims, strides;
    bool blocked; /* as below; else in a form of oneDNN's own */
    int block_count;
    dnnl_dims_t blocks, block_dims; /* innermost last: their sizes, and which dimension they are of */
    dnnl_dim_t offset;
};
struct layout_facts layout_facts(const struct layout *layout);
/* What is known of any layout. */
int layout_rank(const struct layout *layout);
dnnl_data_type_t layout_type(const struct layout *layout);
size_t layout_bytes(const struct layout *layout);
/* Equal to the byte: they may differ in how they describe dimensions of one. */
bool layout_same(const struct layout *a, const struct layout *b);

dnnl_status_t layout_by_tag(struct layouts *layouts, struct layout *layout, dnnl_data_type_t type, int rank,
                            const dnnl_dims_t dims, dnnl_format_tag_t tag);
/* The part of `whole` that begins at `offsets`. */
dnnl_status_t layout_part(struct layouts *layouts, struct layout *part, const struct layout *whole,
                          const dnnl_dims_t dims, const dnnl_dims_t offsets);
dnnl_status_t layout_reshape(struct layouts *layouts, struct layout *layout, const struct layout *from,
                             int rank, const dnnl_dims_t dims);
/* What the primitive wants for an argument, DNNL_ARG_SCRATCHPAD included; of nothing if it has no such. */
dnnl_status_t layout_of_argument(struct layouts *layouts, struct layout *layout,
                                 dnnl_primitive_desc_t description, int argument);

dnnl_status_t memory_of_layout(dnnl_memory_t *memory, const struct layout *layout, dnnl_engine_t engine,
                               void *data);

/* ---- descriptions of primitives ---- */

struct description_options {
    dnnl_engine_t engine;
    dnnl_primitive_attr_t attributes;
    dnnl_prop_kind_t kind;         /* of forward primitives */
    dnnl_primitive_desc_t forward; /* of backward primitives: that of the forward one */
};

/* bias may be NULL; `weights`, `bias`, `src` and `dst` stand for their gradients where those are computed. */
struct product_layouts {
    const struct layout *src, *weights, *bias, *dst;
};
struct product_geometry {
    dnnl_dims_t strides, dilates, before, after;
};
dnnl_status_t convolution_forward(dnnl_primitive_desc_t *description,
                                  const struct description_options *options,
                                  const struct product_layouts *layouts, const struct product_geometry *g);
dnnl_status_t convolution_backward_data(dnnl_primitive_desc_t *description,
                                        const struct description_options *options,
                                        const struct product_layouts *layouts,
                                        const struct product_geometry *g);
dnnl_status_t convolution_backward_weights(dnnl_primitive_desc_t *description,
                                           const struct description_options *options,
                                           const struct product_layouts *layouts,
                                           const struct product_geometry *g);
dnnl_status_t inner_product_forward(dnnl_primitive_desc_t *description,
                                    const struct description_options *options,
                                    const struct product_layouts *layouts);
dnnl_status_t inner_product_backward_data(dnnl_primitive_desc_t *description,
                                          const struct description_options *options,
                                          const struct product_layouts *layouts);
dnnl_status_t inner_product_backward_weights(dnnl_primitive_desc_t *description,
                                             const struct description_options *options,
                                             const struct product_layouts *layouts);

/* Source, result and gradients lie alike. Of batch normalisation's backward pass oneDNN 2.6 wants the shift
 * among the arguments, and oneDNN 3 refuses it; neither has a use for it. */
enum { BATCH_NORM_BACKWARD_TAKES_SHIFT = DNNL_VERSION_MAJOR < 3 };
dnnl_status_t batch_norm_forward(dnnl_primitive_desc_t *description,
                                 const struct description_options *options, const struct layout *data,
                                 float epsilon, unsigned flags);
dnnl_status_t batch_norm_backward(dnnl_primitive_desc_t *description,
                                  const struct description_options *options, const struct layout *data,
                                  float epsilon, unsigned flags);
dnnl_status_t layer_norm_forward(dnnl_primitive_desc_t *description,
                                 const struct description_options *options, const struct layout *data,
                                 const struct layout *statistics, float epsilon, unsigned flags);
dnnl_status_t layer_norm_backward(dnnl_primitive_desc_t *description,
                                  const struct description_options *options, const struct layout *data,
                                  const struct layout *statistics, float epsilon, unsigned flags);

struct pool {
    dnnl_alg_kind_t kind;
    dnnl_dims_t strides, kernel, before, after;
};
dnnl_status_t pool_forward(dnnl_primitive_desc_t *description, const struct description_options *options,
                           const struct layout *src, const struct layout *dst, const struct pool *pool);
dnnl_status_t pool_backward(dnnl_primitive_desc_t *description, const struct description_options *options,
                            const struct layout *src, const struct layout *dst, const struct pool *pool);

dnnl_status_t elementwise_forward(dnnl_primitive_desc_t *description,
                                  const struct description_options *options, dnnl_alg_kind_t kind,
                                  const struct layout *data, float alpha, float beta);
dnnl_status_t elementwise_backward(dnnl_primitive_desc_t *description,
                                   const struct description_options *options, dnnl_alg_kind_t kind,
                                   const struct layout *data, float alpha, float beta);

dnnl_status_t reorder(dnnl_primitive_desc_t *description, const struct description_options *options,
                      const struct layout *from, const struct layout *to);

/* What is in the destination is added; then a ReLU. */
dnnl_status_t append_sum(dnnl_post_ops_t operations);
dnnl_status_t append_relu(dnnl_post_ops_t operations);

#endif
