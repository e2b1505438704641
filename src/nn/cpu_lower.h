/* cpu_lower.h: what the lowering of a graph to a program is made of; for the cpu_*.c files only.
 *
 * cpu_lower.c walks the graph; a file for each family of layers says how one is lowered, forward and
 * backward; cpu_emit.c and cpu_gradient.c are their tools. After the first failure every function does
 * nothing, returns 0 or NULL, and cpu_lower returns the error. Values are numbers in the program; 0 is none.
 */
#ifndef JOULERY_NN_CPU_LOWER_H
#define JOULERY_NN_CPU_LOWER_H

#include "nn/cpu_program.h"

/* What became of a node. */
struct lowered {
    size_t out, src;
    size_t workspace, mean, variance;
    dnnl_primitive_desc_t forward;
    size_t readers;
    size_t relu;       /* the ReLU computed together with this node, or 0 */
    size_t addend;     /* the node whose value a convolution adds its own to, in place; 0: none */
    bool fused;        /* a node before computes this one, too */
    size_t pending[2]; /* gradients given, not yet taken */
    size_t pending_count;
};

/* An update that waits for the norm of all gradients. */
struct late_update {
    struct parameter *parameter;
    size_t gradient;
};

struct lowering {
    struct cpu *cpu;
    const struct graph *graph;
    struct program *program;
    bool training, failed;
    struct error *error;
    struct lowered *nodes;
    const char *name; /* of the node at work, for messages */
    dnnl_primitive_desc_t *descriptions;
    size_t description_count, description_capacity;
    struct late_update *late; /* room for every parameter; NULL unless gradients are clipped */
    size_t late_count;
};

/* ---- cpu_emit.c ---- */

void lowering_fail(struct lowering *l, dnnl_status_t status);
void lowering_check(struct lowering *l, dnnl_status_t status);

struct layout make_layout(struct lowering *l, dnnl_data_type_t type, int dim_count, const dnnl_dims_t dims,
                          dnnl_format_tag_t tag);
/* (images, channels, height, width) of a shape. */
struct layout image_layout(struct lowering *l, dnnl_data_type_t type, struct shape shape,
                           dnnl_format_tag_t tag);
/* Of the type activations have. */
struct layout shape_layout(struct lowering *l, struct shape shape, dnnl_format_tag_t tag);
/* In float: for scores, factors and sums. No gradient that is given may stay so. */
struct layout float_layout(struct lowering *l, struct shape shape, dnnl_format_tag_t tag);
enum element element_of(const struct lowering *l); /* the type of activations */
size_t add_value(struct lowering *l, struct layout layout);
size_t parameter_value(struct lowering *l, struct parameter *parameter);
struct layout value_layout(const struct lowering *l, size_t value);
size_t value_elements(const struct lowering *l, size_t value);

/* To describe a primitive without post-operations; `forward` is NULL for a forward one. */
struct description_options description_options(const struct lowering *l, dnnl_primitive_desc_t forward);
/* Keeps what was described with `status` until the lowering is done. NULL if oneDNN has no implementation,
 * which is a failure only where one is `required`. */
dnnl_primitive_desc_t keep_description(struct lowering *l, dnnl_status_t status,
                                       dnnl_primitive_desc_t description, bool required);
/* The layout the primitive wants for an argument. */
struct layout wanted_layout(struct lowering *l, dnnl_primitive_desc_t description, int argument);

struct use {
    int argument;
    size_t value;
};
/* Adds a primitive as a step. Uses of value 0 are left out. */
void emit_primitive(struct lowering *l, dnnl_primitive_desc_t description, const struct use *uses,
                    size_t count);
#define EMIT(l, description, ...)                                                                            \
    emit_primitive(l, description, (const struct use[]){__VA_ARGS__},                                        \
                   sizeof((const struct use[]){__VA_ARGS__}) / sizeof(struct use))

/* Adds a function as a step, on `count` values. The caller fills in what it needs besides in `step`. */
void emit_function(struct lowering *l, step_function *function, struct step step, const size_t *values,
                   int count);
#define EMIT_FUNCTION(l, function, step, ...)                                                                \
    emit_function(l, function, step, (const size_t[]){__VA_ARGS__},                                          \
                  (int)(sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t)))

void emit_reorder(struct lowering *l, struct layout from, size_t src, struct layout to, size_t dst);
/* The value in the wanted layout: itself, or a reordered copy. Dimensions of one may come or go. */
size_t as_layout(struct lowering *l, size_t value, struct layout want);
/* A value of a node's shape stored as `description` wants its argument, which may have fewer dimensions. */
size_t new_output(struct lowering *l, struct shape shape, dnnl_primitive_desc_t description, int argument);
/* The like, where it has two dimensions. */
size_t new_plain_output(struct lowering *l, struct shape shape);

struct parameter *parameter_of(const struct lowering *l, size_t node, enum tensor_role role);
size_t input_of(const struct lowering *l, size_t node);

/* The value of `input` where a layer may overwrite it, else a new one. A layer that `keeps_sign` leaves
 * what is positive positive, and nothing else. (cpu_elementwise.c) */
size_t in_place_output(struct lowering *l, size_t input, bool keeps_sign);
/* The value, or a copy, as blocks of channels. (cpu_channel.c) */
size_t as_channels(struct lowering *l, size_t value, struct channel_layout *layout);
/* Fills a value with zeros. */
void emit_zero(struct lowering *l, size_t value);

/* ---- cpu_gradient.c ---- */

void give_gradient(struct lowering *l, size_t node, size_t gradient);
/* The gradient of the node's output: the sum of what was given, where `mask` is positive if it is a value. */
size_t take_gradient(struct lowering *l, size_t node, size_t mask);
/* Whether a gradient just taken is nobody else's, so that its place can be used for the next. */
bool free_to_overwrite(const struct lowering *l, size_t gradient);
bool wants_gradient(const struct lowering *l, size_t node);
/* Steps the optimiser on the parameter: at once, or in emit_late_updates where gradients are clipped. */
void emit_update(struct lowering *l, struct parameter *parameter, size_t gradient);
void emit_late_updates(struct lowering *l);
/* The optimiser's step on a parameter in this pass, for whoever takes it; and what is left to do after it. */
struct update begin_update(const struct parameter *parameter, const struct pass *pass);
void end_update(struct parameter *parameter, const struct update *update);

/* ---- layers: cpu_product.c, cpu_norm.c, cpu_pool.c, cpu_elementwise.c, cpu_activation.c, cpu_channel.c ----
 */

void lower_product(struct lowering *l, size_t node); /* convolution, dense */
void lower_product_backward(struct lowering *l, size_t node);
/* A value for the gradient of what a dense layer sees of its input, and that gradient handed to the input. */
size_t seen_gradient(struct lowering *l, size_t node);
void give_seen_gradient(struct lowering *l, size_t node, size_t gradient);
/* The backward pass of a dense layer and the step on its parameters in one (cpu_dense.c). False: not done, as
 * it can't be. */
bool lower_dense_backward(struct lowering *l, size_t node, size_t gradient, struct parameter *weights,
                          struct parameter *bias);
void lower_batch_norm(struct lowering *l, size_t node);
void lower_batch_norm_backward(struct lowering *l, size_t node);
void lower_layer_norm(struct lowering *l, size_t node);
void lower_layer_norm_backward(struct lowering *l, size_t node);
void lower_pool(struct lowering *l, size_t node);
void lower_pool_backward(struct lowering *l, size_t node);
void lower_relu(struct lowering *l, size_t node);
void lower_relu_backward(struct lowering *l, size_t node);
void lower_activation(struct lowering *l, size_t node);
void lower_activation_backward(struct lowering *l, size_t node);
void lower_channels(struct lowering *l, size_t node); /* concatenation, slice, widening, shuffle */
void lower_channels_backward(struct lowering *l, size_t node);
void lower_gate(struct lowering *l, size_t node); /* and layer scale */
void lower_gate_backward(struct lowering *l, size_t node);
void lower_stochastic_depth(struct lowering *l, size_t node);
void lower_stochastic_depth_backward(struct lowering *l, size_t node);
void lower_add(struct lowering *l, size_t node);
void lower_add_backward(struct lowering *l, size_t node);
void lower_dropout(struct lowering *l, size_t node);
void lower_dropout_backward(struct lowering *l, size_t node);
void lower_loss(struct lowering *l, size_t node); /* gives its gradient at once */

#endif
