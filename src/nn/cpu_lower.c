/* From a graph to a program: which primitive computes each layer, forward and backward, and in which layouts.
 *
 * Layouts: each primitive is asked for the one it likes best (format_tag_any) and a reorder is put between
 * two that differ. A weight is stored as the first program's forward primitive likes it; later primitives are
 * constrained to that, or read a reordered copy if that would leave them with a reference implementation.
 *
 * Gradients: nodes are visited from the last to the first; each takes the sum of what its readers gave,
 * computes its parameters' gradients, steps the optimiser at once (so that no gradient outlives its layer),
 * and gives its inputs theirs. */
#include "nn/cpu_program.h"

#include <stdlib.h>
#include <string.h>

/* What became of a node. Values are numbers in the program; 0 is none. */
struct lowered {
    size_t out, src;
    size_t workspace, mean, variance;
    dnnl_primitive_desc_t forward;
    size_t readers;
    size_t relu;       /* the ReLU computed together with this node, or 0 */
    bool fused;        /* this is such a ReLU */
    size_t pending[2]; /* gradients given, not yet taken */
    size_t pending_count;
};

/* After the first failure all that follows does nothing, and cpu_lower returns the error. */
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
};

static const dnnl_memory_desc_t no_layout;

/* ---- small tools ---- */

static void fail(struct lowering *l, dnnl_status_t status)
{
    if (!l->failed)
        dnnl_fail(l->error, status, l->name);
    l->failed = true;
}

static void check(struct lowering *l, dnnl_status_t status)
{
    if (status != dnnl_success)
        fail(l, status);
}

static dnnl_memory_desc_t layout(struct lowering *l, int dim_count, const dnnl_dims_t dims,
                                 dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t md = no_layout;
    if (!l->failed)
        check(l, dnnl_memory_desc_init_by_tag(&md, dim_count, dims, dnnl_f32, tag));
    return md;
}

/* (images, channels, height, width) of a shape. */
static dnnl_memory_desc_t shape_layout(struct lowering *l, struct shape shape, dnnl_format_tag_t tag)
{
    dnnl_dims_t dims = {(dnnl_dim_t)l->program->images, (dnnl_dim_t)shape.channels, (dnnl_dim_t)shape.height,
                        (dnnl_dim_t)shape.width};
    return layout(l, 4, dims, tag);
}

static size_t new_value(struct lowering *l, const dnnl_memory_desc_t *md)
{
    if (l->failed)
        return 0;
    size_t value = program_add_value(l->program, md, NULL);
    if (!value)
        fail(l, dnnl_out_of_memory);
    return value;
}

static size_t parameter_value(struct lowering *l, struct parameter *parameter)
{
    if (l->failed)
        return 0;
    size_t value = program_add_value(l->program, &parameter->md, &parameter->data);
    if (!value)
        fail(l, dnnl_out_of_memory);
    return value;
}

static const dnnl_memory_desc_t *value_layout(const struct lowering *l, size_t value)
{
    return &l->program->values[value].md;
}

static size_t value_floats(const struct lowering *l, size_t value)
{
    return l->program->values[value].bytes / sizeof(float);
}

/* Keeps the description until the lowering is done. NULL if oneDNN has no implementation; the caller says
 * whether that is a failure. */
static dnnl_primitive_desc_t describe(struct lowering *l, const void *operation,
                                      dnnl_primitive_attr_t attributes, dnnl_primitive_desc_t forward,
                                      bool required)
{
    dnnl_primitive_desc_t description = NULL;
    if (l->failed)
        return NULL;
    dnnl_status_t status =
        dnnl_primitive_desc_create(&description, operation, attributes, l->cpu->engine, forward);
    if (status != dnnl_success) {
        if (required || status != dnnl_unimplemented)
            fail(l, status);
        return NULL;
    }
    if (l->description_count == l->description_capacity) {
        size_t capacity = l->description_capacity ? 2 * l->description_capacity : 64;
        dnnl_primitive_desc_t *all = realloc(l->descriptions, capacity * sizeof *all);
        if (!all) {
            dnnl_primitive_desc_destroy(description);
            fail(l, dnnl_out_of_memory);
            return NULL;
        }
        l->descriptions = all;
        l->description_capacity = capacity;
    }
    return l->descriptions[l->description_count++] = description;
}

static bool is_reference(dnnl_primitive_desc_t description)
{
    const char *name = NULL;
    return !description || dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name) ||
           strncmp(name, "ref", 3) == 0;
}

/* The layout the primitive wants for an argument. */
static const dnnl_memory_desc_t *wanted(const struct lowering *l, dnnl_primitive_desc_t description,
                                        int argument)
{
    const dnnl_memory_desc_t *md = NULL;
    if (!l->failed && description)
        md = dnnl_primitive_desc_query_md(description, dnnl_query_exec_arg_md, argument);
    return md ? md : &no_layout;
}

struct use {
    int argument;
    size_t value;
};

static void add_argument(struct lowering *l, struct step *step, int argument, size_t value,
                         const dnnl_memory_desc_t *md)
{
    if (l->failed)
        return;
    dnnl_memory_t memory = NULL;
    check(l, dnnl_memory_create(&memory, md, l->cpu->engine, DNNL_MEMORY_NONE));
    step->values[step->argument_count] = value;
    step->arguments[step->argument_count++] = (dnnl_exec_arg_t){argument, memory};
}

static void drop_step(struct step *step)
{
    for (int k = 0; k < step->argument_count; k++)
        if (step->arguments[k].memory)
            dnnl_memory_destroy(step->arguments[k].memory);
    if (step->primitive)
        dnnl_primitive_destroy(step->primitive);
}

/* Adds a primitive as a step. Uses of value 0 are left out. */
static void emit(struct lowering *l, dnnl_primitive_desc_t description, const struct use *uses, size_t count)
{
    struct step step = {.name = l->name};
    if (l->failed)
        return;
    check(l, dnnl_primitive_create(&step.primitive, description));
    for (size_t i = 0; i < count; i++)
        if (uses[i].value)
            add_argument(l, &step, uses[i].argument, uses[i].value, wanted(l, description, uses[i].argument));
    const dnnl_memory_desc_t *scratch =
        dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
    if (scratch && dnnl_memory_desc_get_size(scratch) > 0)
        add_argument(l, &step, DNNL_ARG_SCRATCHPAD, new_value(l, scratch), scratch);
    if (!l->failed && program_add_step(l->program, &step, l->error))
        l->failed = true;
    if (l->failed)
        drop_step(&step);
}
#define EMIT(l, description, ...)                                                                            \
    emit(l, description, (const struct use[]){__VA_ARGS__},                                                  \
         sizeof((const struct use[]){__VA_ARGS__}) / sizeof(struct use))

/* Adds a function as a step, on `count` values. The caller fills in what it needs besides in `step`. */
static void emit_function(struct lowering *l, step_function *function, struct step step, const size_t *values,
                          int count)
{
    if (l->failed)
        return;
    step.name = l->name;
    step.run = function;
    step.argument_count = count;
    memcpy(step.values, values, (size_t)count * sizeof *values);
    if (program_add_step(l->program, &step, l->error))
        l->failed = true;
}
#define EMIT_FUNCTION(l, function, step, ...)                                                                \
    emit_function(l, function, step, (const size_t[]){__VA_ARGS__},                                          \
                  (int)(sizeof((const size_t[]){__VA_ARGS__}) / sizeof(size_t)))

static void emit_reorder(struct lowering *l, const dnnl_memory_desc_t *from, size_t src,
                         const dnnl_memory_desc_t *to, size_t dst)
{
    if (l->failed)
        return;
    dnnl_primitive_desc_t description = NULL;
    check(l, dnnl_reorder_primitive_desc_create(&description, from, l->cpu->engine, to, l->cpu->engine,
                                                l->cpu->attributes));
    EMIT(l, description, {DNNL_ARG_SRC, src}, {DNNL_ARG_DST, dst});
    if (description)
        dnnl_primitive_desc_destroy(description);
}

/* The value in the wanted layout: itself, or a reordered copy. Dimensions of one may come or go. */
static size_t as_layout(struct lowering *l, size_t value, const dnnl_memory_desc_t *want)
{
    if (l->failed)
        return 0;
    /* Both may move when a value is added. */
    const dnnl_memory_desc_t to = *want;
    dnnl_memory_desc_t have = *value_layout(l, value);
    if (have.ndims != to.ndims)
        check(l, dnnl_memory_desc_reshape(&have, value_layout(l, value), to.ndims, to.dims));
    if (l->failed || same_layout(&have, &to))
        return value;
    size_t copy = new_value(l, &to);
    emit_reorder(l, &have, value, &to, copy);
    return copy;
}

/* A value of a node's shape stored as `description` wants its argument, which may have fewer dimensions. */
static size_t new_output(struct lowering *l, struct shape shape, dnnl_primitive_desc_t description,
                         int argument)
{
    const dnnl_memory_desc_t *md = wanted(l, description, argument);
    if (l->failed || md->ndims == 4)
        return new_value(l, md);
    /* The same memory for single pixels, but batch normalisation is faster on what is called channels-last. */
    bool pixel = shape.height * shape.width == 1;
    dnnl_memory_desc_t plain = shape_layout(l, shape, pixel ? dnnl_nhwc : dnnl_nchw);
    return new_value(l, &plain);
}

static struct parameter *parameter_of(const struct lowering *l, size_t node, enum tensor_role role)
{
    return &l->cpu->parameters[l->cpu->first_parameter[node] + role];
}

static bool has_bias(const struct node *node)
{
    return node->kind == NODE_CONVOLUTION ? node->convolution.bias : node->dense_bias;
}

static size_t input_of(const struct lowering *l, size_t node)
{
    return l->nodes[l->graph->nodes[node].inputs[0]].out;
}

static dnnl_primitive_attr_t forward_attributes(const struct lowering *l, size_t node)
{
    return l->nodes[node].relu ? l->cpu->relu_attributes : l->cpu->attributes;
}

static dnnl_prop_kind_t forward_kind(const struct lowering *l)
{
    return l->training ? dnnl_forward_training : dnnl_forward_inference;
}

/* ---- gradients between nodes ---- */

static void run_gather(const struct step *step, float *const *data, struct pass *pass)
{
    (void)pass;
    kernel_gather_gradient(data[0], data[1], data[2], data[3], step->elements);
}

static size_t gather(struct lowering *l, size_t a, size_t b, size_t mask, size_t like)
{
    a = as_layout(l, a, value_layout(l, like));
    b = b ? as_layout(l, b, value_layout(l, like)) : 0;
    const struct value *values = l->program->values;
    size_t out = !values[a].pending && !values[a].fixed        ? a
                 : b && !values[b].pending && !values[b].fixed ? b
                                                               : 0;
    if (!out)
        out = new_value(l, value_layout(l, like));
    EMIT_FUNCTION(l, run_gather, ((struct step){.elements = value_floats(l, out)}), out, a, b, mask);
    return out;
}

static void give(struct lowering *l, size_t node, size_t gradient)
{
    struct lowered *to = &l->nodes[node];
    if (l->failed || l->graph->nodes[node].kind == NODE_INPUT)
        return;
    if (to->pending_count == 2) {
        for (int i = 0; i < 2; i++)
            l->program->values[to->pending[i]].pending--;
        to->pending[0] = gather(l, to->pending[0], to->pending[1], 0, to->out);
        l->program->values[to->pending[0]].pending++;
        to->pending_count = 1;
    }
    to->pending[to->pending_count++] = gradient;
    l->program->values[gradient].pending++;
}

/* The gradient of the node's output: the sum of what was given, where `mask` is positive if it is a value. */
static size_t take(struct lowering *l, size_t node, size_t mask)
{
    struct lowered *from = &l->nodes[node];
    if (l->failed)
        return 0;
    for (size_t i = 0; i < from->pending_count; i++)
        l->program->values[from->pending[i]].pending--;
    size_t a = from->pending[0], b = from->pending_count == 2 ? from->pending[1] : 0;
    if (!b && !mask)
        return a;
    return gather(l, a, b, mask, from->out);
}

/* Whether a gradient just taken is nobody else's, so that its place can be used for the next. */
static bool free_to_overwrite(const struct lowering *l, size_t gradient)
{
    return !l->failed && l->program->values[gradient].pending == 0;
}

static bool wants_gradient(const struct lowering *l, size_t node)
{
    return l->graph->nodes[node].kind != NODE_INPUT;
}

static void run_update(const struct step *step, float *const *data, struct pass *pass)
{
    struct parameter *p = step->parameter;
    struct update update = pass->update;
    update.copies = (float)p->copies;
    kernel_update(&update, data[0], data[1], p->first, p->second, p->stored_count);
    if (p->rest && update.kind == OPTIMIZER_SGD) {
        p->decay_momentum =
            (double)update.momentum * p->decay_momentum + (double)update.weight_decay * p->decay;
        p->decay -= (double)update.learning_rate * p->decay_momentum;
    }
}

static void emit_update(struct lowering *l, struct parameter *parameter, size_t gradient)
{
    gradient = as_layout(l, gradient, &parameter->md);
    EMIT_FUNCTION(l, run_update, ((struct step){.parameter = parameter}), parameter_value(l, parameter),
                  gradient);
}

/* ---- convolution, and dense layers ----
 *
 * Both are one "product" of a source, weights and a bias: a convolution whose window is the whole image is
 * computed as a dense layer. */

struct geometry {
    dnnl_dims_t strides, dilates, before, after;
};

static struct geometry geometry_of(const struct lowering *l, size_t node)
{
    const struct node *n = &l->graph->nodes[node];
    const struct shape *in = &l->graph->nodes[n->inputs[0]].shape;
    const struct parameter *weights = parameter_of(l, node, TENSOR_WEIGHT);
    struct window w = convolution_window(&n->convolution);
    const size_t in_size[] = {in->height, in->width}, out_size[] = {n->shape.height, n->shape.width};
    struct geometry g = {{0}, {0}, {0}, {0}};
    for (int d = 0; d < 2; d++) {
        dnnl_dim_t kernel = weights->dims[weights->dim_count - 2 + d];
        dnnl_dim_t extent = (kernel - 1) * (dnnl_dim_t)w.dilation + 1;
        g.strides[d] = (dnnl_dim_t)w.stride;
        g.dilates[d] = (dnnl_dim_t)w.dilation - 1;
        g.before[d] = (dnnl_dim_t)w.padding[d] - (dnnl_dim_t)(weights->first_tap[d] * w.dilation);
        g.after[d] =
            (dnnl_dim_t)(out_size[d] - 1) * g.strides[d] + extent - (dnnl_dim_t)in_size[d] - g.before[d];
        g.after[d] = g.after[d] > 0 ? g.after[d] : 0;
    }
    return g;
}

/* The layouts of a product's operands; `weights` is what the caller wants them to be stored as. */
struct operands {
    dnnl_memory_desc_t src, weights, bias, dst;
    bool dense;
};

static struct operands operands_of(struct lowering *l, size_t node, bool stored)
{
    const struct node *n = &l->graph->nodes[node];
    const struct parameter *weights = parameter_of(l, node, TENSOR_WEIGHT);
    struct operands o = {.src = no_layout};
    o.dense = weights->dense;
    o.weights = stored ? weights->md : layout(l, weights->dim_count, weights->dims, dnnl_format_tag_any);
    if (has_bias(n))
        o.bias = parameter_of(l, node, TENSOR_BIAS)->md;
    if (o.dense) {
        dnnl_dims_t src = {(dnnl_dim_t)l->program->images, weights->dims[1]},
                    dst = {src[0], weights->dims[0]};
        o.src = layout(l, 2, src, dnnl_nc);
        o.dst = layout(l, 2, dst, dnnl_nc);
    } else {
        o.src = shape_layout(l, l->graph->nodes[n->inputs[0]].shape, dnnl_format_tag_any);
        o.dst = shape_layout(l, n->shape, dnnl_format_tag_any);
    }
    return o;
}

/* The image (channels, height, width) a dense layer sees, and where it lies in its input's value. False: it
 * is all of it. */
static bool seen_of(const struct lowering *l, size_t node, struct shape *seen, dnnl_dims_t offsets)
{
    const struct parameter *weights = parameter_of(l, node, TENSOR_WEIGHT);
    const dnnl_dim_t *in = value_layout(l, input_of(l, node))->dims;
    *seen = (struct shape){(size_t)in[1], (size_t)in[2], (size_t)in[3]};
    offsets[0] = offsets[1] = 0;
    offsets[2] = (dnnl_dim_t)weights->region[0];
    offsets[3] = (dnnl_dim_t)weights->region[1];
    if (l->graph->nodes[node].kind == NODE_DENSE ||
        (weights->kernel[0] == seen->height && weights->kernel[1] == seen->width))
        return false;
    seen->height = weights->kernel[0];
    seen->width = weights->kernel[1];
    return true;
}

/* The part of `whole` that `seen` is. */
static dnnl_memory_desc_t part_layout(struct lowering *l, const dnnl_memory_desc_t *whole, struct shape seen,
                                      const dnnl_dims_t offsets)
{
    dnnl_memory_desc_t part = no_layout;
    dnnl_dims_t dims = {(dnnl_dim_t)l->program->images, (dnnl_dim_t)seen.channels, (dnnl_dim_t)seen.height,
                        (dnnl_dim_t)seen.width};
    if (!l->failed)
        check(l, dnnl_memory_desc_init_submemory(&part, whole, dims, offsets));
    return part;
}

/* What a product reads of its input's value: for a dense layer the image it sees, plain. */
static size_t product_source(struct lowering *l, size_t node)
{
    size_t value = input_of(l, node);
    struct shape seen;
    dnnl_dims_t offsets;
    if (l->failed || !parameter_of(l, node, TENSOR_WEIGHT)->dense)
        return value;
    bool part = seen_of(l, node, &seen, offsets);
    dnnl_memory_desc_t plain = shape_layout(l, seen, dnnl_nchw);
    if (!part)
        return as_layout(l, value, &plain);
    dnnl_memory_desc_t from = part_layout(l, value_layout(l, value), seen, offsets);
    size_t copy = new_value(l, &plain);
    emit_reorder(l, &from, value, &plain, copy);
    return copy;
}

static void run_zero(const struct step *step, float *const *data, struct pass *pass)
{
    (void)pass;
    memset(data[0], 0, step->elements * sizeof *data[0]);
}

/* The gradient of the whole input from that of the part a dense layer sees. */
static size_t whole_gradient(struct lowering *l, size_t node, size_t gradient)
{
    struct shape seen;
    dnnl_dims_t offsets;
    if (l->failed || !parameter_of(l, node, TENSOR_WEIGHT)->dense || !seen_of(l, node, &seen, offsets))
        return gradient;
    size_t whole = new_value(l, value_layout(l, input_of(l, node)));
    EMIT_FUNCTION(l, run_zero, ((struct step){.elements = value_floats(l, whole)}), whole);
    if (l->failed)
        return 0;
    dnnl_memory_desc_t to = part_layout(l, value_layout(l, whole), seen, offsets);
    dnnl_memory_desc_t plain = shape_layout(l, seen, dnnl_nchw);
    emit_reorder(l, &plain, gradient, &to, whole);
    return whole;
}

enum product { PRODUCT_FORWARD, PRODUCT_BACKWARD_DATA, PRODUCT_BACKWARD_WEIGHTS };

static dnnl_primitive_desc_t describe_dense(struct lowering *l, size_t node, enum product which,
                                            const struct operands *o, const dnnl_memory_desc_t *bias,
                                            bool required)
{
    dnnl_inner_product_desc_t operation;
    dnnl_primitive_desc_t forward = l->nodes[node].forward;
    if (l->failed)
        return NULL;
    if (which == PRODUCT_FORWARD) {
        check(l, dnnl_inner_product_forward_desc_init(&operation, forward_kind(l), &o->src, &o->weights, bias,
                                                      &o->dst));
        return describe(l, &operation, forward_attributes(l, node), NULL, required);
    }
    if (which == PRODUCT_BACKWARD_DATA)
        check(l, dnnl_inner_product_backward_data_desc_init(&operation, &o->src, &o->weights, &o->dst));
    else
        check(l,
              dnnl_inner_product_backward_weights_desc_init(&operation, &o->src, &o->weights, bias, &o->dst));
    return describe(l, &operation, l->cpu->attributes, forward, required);
}

static dnnl_primitive_desc_t describe_convolution(struct lowering *l, size_t node, enum product which,
                                                  const struct operands *o, const dnnl_memory_desc_t *bias,
                                                  bool required)
{
    dnnl_convolution_desc_t operation;
    dnnl_primitive_desc_t forward = l->nodes[node].forward;
    if (l->failed)
        return NULL;
    struct geometry g = geometry_of(l, node);
    if (which == PRODUCT_FORWARD) {
        check(l, dnnl_dilated_convolution_forward_desc_init(
                     &operation, forward_kind(l), dnnl_convolution_direct, &o->src, &o->weights, bias,
                     &o->dst, g.strides, g.dilates, g.before, g.after));
        return describe(l, &operation, forward_attributes(l, node), NULL, required);
    }
    if (which == PRODUCT_BACKWARD_DATA)
        check(l, dnnl_dilated_convolution_backward_data_desc_init(&operation, dnnl_convolution_direct,
                                                                  &o->src, &o->weights, &o->dst, g.strides,
                                                                  g.dilates, g.before, g.after));
    else
        check(l, dnnl_dilated_convolution_backward_weights_desc_init(
                     &operation, dnnl_convolution_direct, &o->src, &o->weights, bias, &o->dst, g.strides,
                     g.dilates, g.before, g.after));
    return describe(l, &operation, l->cpu->attributes, forward, required);
}

/* Describes a product with the weights as they are stored or, where that is not to be had well, as it likes.
 * A convolution's backward pass wants channels swapped within a block: a reordered copy is far cheaper. */
static dnnl_primitive_desc_t describe_product(struct lowering *l, size_t node, enum product which)
{
    bool stored = parameter_of(l, node, TENSOR_WEIGHT)->decided;
    for (int attempt = stored ? 0 : 1; attempt < 2; attempt++) {
        struct operands o = operands_of(l, node, attempt == 0);
        const dnnl_memory_desc_t *bias = has_bias(&l->graph->nodes[node]) ? &o.bias : NULL;
        dnnl_primitive_desc_t description =
            o.dense ? describe_dense(l, node, which, &o, bias, attempt == 1)
                    : describe_convolution(l, node, which, &o, bias, attempt == 1);
        if (attempt == 1 || !is_reference(description))
            return description;
    }
    return NULL;
}

static void lower_product(struct lowering *l, size_t node)
{
    struct lowered *to = &l->nodes[node];
    struct parameter *weights = parameter_of(l, node, TENSOR_WEIGHT);
    bool bias = has_bias(&l->graph->nodes[node]);
    to->forward = describe_product(l, node, PRODUCT_FORWARD);
    if (l->failed)
        return;
    if (!weights->decided) {
        weights->md = *wanted(l, to->forward, DNNL_ARG_WEIGHTS);
        weights->decided = true;
    }
    to->src = as_layout(l, product_source(l, node), wanted(l, to->forward, DNNL_ARG_SRC));
    size_t w = as_layout(l, parameter_value(l, weights), wanted(l, to->forward, DNNL_ARG_WEIGHTS));
    size_t b = bias ? parameter_value(l, parameter_of(l, node, TENSOR_BIAS)) : 0;
    to->out = new_output(l, l->graph->nodes[node].shape, to->forward, DNNL_ARG_DST);
    EMIT(l, to->forward, {DNNL_ARG_SRC, to->src}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_BIAS, b},
         {DNNL_ARG_DST, to->out});
}

static void lower_product_backward_data(struct lowering *l, size_t node, size_t gradient)
{
    const struct node *n = &l->graph->nodes[node];
    dnnl_primitive_desc_t d = describe_product(l, node, PRODUCT_BACKWARD_DATA);
    if (l->failed)
        return;
    gradient = as_layout(l, gradient, wanted(l, d, DNNL_ARG_DIFF_DST));
    size_t w = as_layout(l, parameter_value(l, parameter_of(l, node, TENSOR_WEIGHT)),
                         wanted(l, d, DNNL_ARG_WEIGHTS));
    /* A dense layer's source may be an image: the gradient has the shape of what it sees, not of a flat node.
     */
    struct shape seen = l->graph->nodes[n->inputs[0]].shape;
    dnnl_dims_t offsets;
    if (parameter_of(l, node, TENSOR_WEIGHT)->dense && !l->failed)
        seen_of(l, node, &seen, offsets);
    size_t out = new_output(l, seen, d, DNNL_ARG_DIFF_SRC);
    EMIT(l, d, {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_WEIGHTS, w}, {DNNL_ARG_DIFF_SRC, out});
    give(l, n->inputs[0], whole_gradient(l, node, out));
}

static void lower_product_backward(struct lowering *l, size_t node)
{
    size_t gradient = take(l, node, 0);
    bool bias = has_bias(&l->graph->nodes[node]);
    if (wants_gradient(l, l->graph->nodes[node].inputs[0]))
        lower_product_backward_data(l, node, gradient);
    dnnl_primitive_desc_t d = describe_product(l, node, PRODUCT_BACKWARD_WEIGHTS);
    if (l->failed)
        return;
    gradient = as_layout(l, gradient, wanted(l, d, DNNL_ARG_DIFF_DST));
    size_t src = as_layout(l, l->nodes[node].src, wanted(l, d, DNNL_ARG_SRC));
    size_t dw = new_value(l, wanted(l, d, DNNL_ARG_DIFF_WEIGHTS));
    size_t db = bias ? new_value(l, wanted(l, d, DNNL_ARG_DIFF_BIAS)) : 0;
    EMIT(l, d, {DNNL_ARG_SRC, src}, {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_DIFF_WEIGHTS, dw},
         {DNNL_ARG_DIFF_BIAS, db});
    emit_update(l, parameter_of(l, node, TENSOR_WEIGHT), dw);
    if (bias)
        emit_update(l, parameter_of(l, node, TENSOR_BIAS), db);
}

/* ---- batch normalisation ---- */

#define EPSILON 1e-5f

static void run_running_statistics(const struct step *step, float *const *data, struct pass *pass)
{
    (void)pass;
    kernel_running_statistics(data[0], data[1], data[2], data[3], step->sizes[0], step->sizes[1]);
}

static void lower_batch_norm(struct lowering *l, size_t node)
{
    struct lowered *to = &l->nodes[node];
    const struct shape *shape = &l->graph->nodes[node].shape;
    size_t running_mean = parameter_value(l, parameter_of(l, node, TENSOR_RUNNING_MEAN));
    size_t running_var = parameter_value(l, parameter_of(l, node, TENSOR_RUNNING_VAR));
    unsigned flags = dnnl_use_scale | dnnl_use_shift;
    flags |= to->relu ? dnnl_fuse_norm_relu : 0;
    flags |= l->training ? 0 : dnnl_use_global_stats;
    to->src = input_of(l, node);
    dnnl_memory_desc_t md = *value_layout(l, to->src);
    dnnl_batch_normalization_desc_t operation;
    if (l->failed)
        return;
    check(l, dnnl_batch_normalization_forward_desc_init(&operation, forward_kind(l), &md, EPSILON, flags));
    to->forward = describe(l, &operation, l->cpu->attributes, NULL, true);
    to->out = new_value(l, &md);
    to->mean = l->training ? new_value(l, wanted(l, to->forward, DNNL_ARG_MEAN)) : running_mean;
    to->variance = l->training ? new_value(l, wanted(l, to->forward, DNNL_ARG_VARIANCE)) : running_var;
    if (l->training && to->relu)
        to->workspace = new_value(l, wanted(l, to->forward, DNNL_ARG_WORKSPACE));
    EMIT(l, to->forward, {DNNL_ARG_SRC, to->src}, {DNNL_ARG_DST, to->out}, {DNNL_ARG_MEAN, to->mean},
         {DNNL_ARG_VARIANCE, to->variance}, {DNNL_ARG_WORKSPACE, to->workspace},
         {DNNL_ARG_SCALE, parameter_value(l, parameter_of(l, node, TENSOR_WEIGHT))},
         {DNNL_ARG_SHIFT, parameter_value(l, parameter_of(l, node, TENSOR_BIAS))});
    if (l->training)
        EMIT_FUNCTION(
            l, run_running_statistics,
            ((struct step){.sizes = {shape->channels, l->program->images * shape->height * shape->width}}),
            running_mean, running_var, to->mean, to->variance);
}

static void lower_batch_norm_backward(struct lowering *l, size_t node)
{
    struct lowered *from = &l->nodes[node];
    const dnnl_memory_desc_t md = *value_layout(l, from->src);
    size_t gradient = as_layout(l, take(l, node, 0), &md);
    unsigned flags = dnnl_use_scale | dnnl_use_shift;
    flags |= from->relu ? dnnl_fuse_norm_relu : 0;
    dnnl_batch_normalization_desc_t operation;
    if (l->failed)
        return;
    check(l,
          dnnl_batch_normalization_backward_desc_init(&operation, dnnl_backward, &md, &md, EPSILON, flags));
    dnnl_primitive_desc_t d = describe(l, &operation, l->cpu->attributes, from->forward, true);
    size_t out = free_to_overwrite(l, gradient) ? gradient : new_value(l, &md);
    struct parameter *scale = parameter_of(l, node, TENSOR_WEIGHT),
                     *shift = parameter_of(l, node, TENSOR_BIAS);
    size_t dscale = new_value(l, wanted(l, d, DNNL_ARG_DIFF_SCALE));
    size_t dshift = new_value(l, wanted(l, d, DNNL_ARG_DIFF_SHIFT));
    EMIT(l, d, {DNNL_ARG_SRC, from->src}, {DNNL_ARG_MEAN, from->mean}, {DNNL_ARG_VARIANCE, from->variance},
         {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_WORKSPACE, from->workspace},
         {DNNL_ARG_SCALE, parameter_value(l, scale)}, {DNNL_ARG_SHIFT, parameter_value(l, shift)},
         {DNNL_ARG_DIFF_SRC, out}, {DNNL_ARG_DIFF_SCALE, dscale}, {DNNL_ARG_DIFF_SHIFT, dshift});
    emit_update(l, scale, dscale);
    emit_update(l, shift, dshift);
    give(l, l->graph->nodes[node].inputs[0], out);
}

/* ---- pooling ---- */

struct pool {
    dnnl_alg_kind_t kind;
    dnnl_dims_t strides, kernel, before, after;
};

/* False: an adaptive pooling that is no plain one. */
static bool pool_of(const struct lowering *l, size_t node, struct pool *pool)
{
    const struct node *n = &l->graph->nodes[node];
    const struct shape *in = &l->graph->nodes[n->inputs[0]].shape;
    const size_t in_size[] = {in->height, in->width}, out_size[] = {n->shape.height, n->shape.width};
    *pool =
        (struct pool){.kind = n->kind == NODE_MAX_POOL ? dnnl_pooling_max : dnnl_pooling_avg_include_padding};
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

static void run_adaptive_pool(const struct step *step, float *const *data, struct pass *pass)
{
    (void)pass;
    kernel_adaptive_pool(data[1], data[0], step->elements, step->sizes, step->sizes + 2);
}

static void run_adaptive_pool_backward(const struct step *step, float *const *data, struct pass *pass)
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
    dnnl_memory_desc_t in = shape_layout(l, l->graph->nodes[n->inputs[0]].shape, dnnl_nchw);
    dnnl_memory_desc_t out = shape_layout(l, n->shape, dnnl_nchw);
    to->src = as_layout(l, input_of(l, node), &in);
    to->out = new_value(l, &out);
    EMIT_FUNCTION(l, run_adaptive_pool, adaptive_step(l, node), to->src, to->out);
}

static bool passes_through(const struct lowering *l, size_t node)
{
    const struct node *n = &l->graph->nodes[node];
    const struct shape *in = &l->graph->nodes[n->inputs[0]].shape;
    return l->cpu->repeats[node] || (in->height == n->shape.height && in->width == n->shape.width);
}

static void lower_pool(struct lowering *l, size_t node)
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
    dnnl_memory_desc_t src = *value_layout(l, to->src), dst = shape_layout(l, n->shape, dnnl_format_tag_any);
    dnnl_pooling_desc_t operation;
    if (l->failed)
        return;
    check(l, dnnl_pooling_forward_desc_init(&operation, forward_kind(l), pool.kind, &src, &dst, pool.strides,
                                            pool.kernel, pool.before, pool.after));
    to->forward = describe(l, &operation, l->cpu->attributes, NULL, true);
    to->out = new_value(l, wanted(l, to->forward, DNNL_ARG_DST));
    if (l->training && n->kind == NODE_MAX_POOL)
        to->workspace = new_value(l, wanted(l, to->forward, DNNL_ARG_WORKSPACE));
    EMIT(l, to->forward, {DNNL_ARG_SRC, to->src}, {DNNL_ARG_DST, to->out},
         {DNNL_ARG_WORKSPACE, to->workspace});
}

static void lower_pool_backward(struct lowering *l, size_t node)
{
    struct lowered *from = &l->nodes[node];
    const struct node *n = &l->graph->nodes[node];
    struct pool pool;
    size_t gradient = take(l, node, 0);
    if (!wants_gradient(l, n->inputs[0]))
        return;
    if (n->kind == NODE_ADAPTIVE_POOL && passes_through(l, node)) {
        give(l, n->inputs[0], gradient);
        return;
    }
    gradient = as_layout(l, gradient, value_layout(l, from->out));
    size_t out = new_value(l, value_layout(l, from->src));
    if (!pool_of(l, node, &pool)) {
        EMIT_FUNCTION(l, run_adaptive_pool_backward, adaptive_step(l, node), gradient, out);
        give(l, n->inputs[0], out);
        return;
    }
    dnnl_pooling_desc_t operation;
    if (l->failed)
        return;
    check(l, dnnl_pooling_backward_desc_init(&operation, pool.kind, value_layout(l, from->src),
                                             value_layout(l, from->out), pool.strides, pool.kernel,
                                             pool.before, pool.after));
    dnnl_primitive_desc_t d = describe(l, &operation, l->cpu->attributes, from->forward, true);
    EMIT(l, d, {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_DIFF_SRC, out},
         {DNNL_ARG_WORKSPACE, from->workspace});
    give(l, n->inputs[0], out);
}

/* ---- elementwise layers ---- */

static void run_relu(const struct step *step, float *const *data, struct pass *pass)
{
    (void)pass;
    kernel_relu(data[1], data[0], step->elements);
}

static void run_add(const struct step *step, float *const *data, struct pass *pass)
{
    (void)pass;
    kernel_add(data[2], data[0], data[1], step->sizes[0], step->elements);
}

static void run_dropout(const struct step *step, float *const *data, struct pass *pass)
{
    kernel_dropout(data[1], data[0], step->probability, pass->dropout_key ^ step->key, step->elements);
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

/* The input's own value where a layer may overwrite it, else a new one. No primitive's backward pass reads
 * its output; a ReLU's reads only where it is positive, which `keeps_sign` says the layer leaves as it was.
 */
static size_t in_place_output(struct lowering *l, size_t input, bool keeps_sign)
{
    enum node_kind kind = l->graph->nodes[input].kind;
    bool produced = kind == NODE_BATCH_NORM || kind == NODE_CONVOLUTION || kind == NODE_DENSE;
    if (sole_reader(l, input) && (keeps_sign || produced))
        return l->nodes[input].out;
    return new_value(l, value_layout(l, l->nodes[input].out));
}

static void lower_relu(struct lowering *l, size_t node)
{
    size_t src = input_of(l, node);
    if (l->nodes[node].fused) {
        l->nodes[node].out = src;
        return;
    }
    l->nodes[node].out = in_place_output(l, l->graph->nodes[node].inputs[0], true);
    EMIT_FUNCTION(l, run_relu, ((struct step){.elements = value_floats(l, src)}), src, l->nodes[node].out);
}

static void lower_add(struct lowering *l, size_t node)
{
    const struct node *n = &l->graph->nodes[node];
    size_t a = l->nodes[n->inputs[0]].out;
    size_t b = as_layout(l, l->nodes[n->inputs[1]].out, value_layout(l, a));
    l->nodes[node].out = in_place_output(l, n->inputs[0], false);
    EMIT_FUNCTION(l, run_add,
                  ((struct step){.elements = value_floats(l, a), .sizes = {l->nodes[node].relu != 0}}), a, b,
                  l->nodes[node].out);
}

static struct step dropout_step(const struct lowering *l, size_t node, size_t value)
{
    return (struct step){.elements = value_floats(l, value),
                         .probability = l->graph->nodes[node].dropout,
                         .key = (uint64_t)(node + 1) * 0xd1342543de82ef95u};
}

static bool drops(const struct lowering *l, size_t node)
{
    return l->training && l->graph->nodes[node].dropout > 0;
}

static void lower_dropout(struct lowering *l, size_t node)
{
    size_t src = input_of(l, node);
    l->nodes[node].out = src;
    if (!drops(l, node))
        return;
    l->nodes[node].out = in_place_output(l, l->graph->nodes[node].inputs[0], true);
    EMIT_FUNCTION(l, run_dropout, dropout_step(l, node, src), src, l->nodes[node].out);
}

static void lower_dropout_backward(struct lowering *l, size_t node)
{
    size_t gradient = take(l, node, 0);
    if (drops(l, node)) {
        gradient = as_layout(l, gradient, value_layout(l, l->nodes[node].out));
        size_t out = free_to_overwrite(l, gradient) ? gradient : new_value(l, value_layout(l, gradient));
        EMIT_FUNCTION(l, run_dropout, dropout_step(l, node, gradient), gradient, out);
        gradient = out;
    }
    give(l, l->graph->nodes[node].inputs[0], gradient);
}

static void lower_relu_backward(struct lowering *l, size_t node)
{
    size_t input = l->graph->nodes[node].inputs[0];
    bool done_below = l->nodes[node].fused && l->graph->nodes[input].kind == NODE_BATCH_NORM;
    give(l, input, take(l, node, done_below ? 0 : l->nodes[node].out));
}

static void lower_add_backward(struct lowering *l, size_t node)
{
    size_t gradient = take(l, node, 0);
    for (int i = 0; i < 2; i++)
        give(l, l->graph->nodes[node].inputs[i], gradient);
}

/* ---- loss ---- */

static void run_loss(const struct step *step, float *const *data, struct pass *pass)
{
    kernel_loss(data[1], data[0], pass->labels, step->sizes[0], step->sizes[1], &pass->result);
}

static void lower_loss(struct lowering *l, size_t node)
{
    struct shape shape = l->graph->nodes[node].shape;
    dnnl_memory_desc_t md = shape_layout(l, shape, dnnl_nchw);
    size_t scores = as_layout(l, input_of(l, node), &md);
    size_t gradient = l->training ? new_value(l, &md) : 0;
    EMIT_FUNCTION(l, run_loss, ((struct step){.sizes = {l->program->images, shape.channels}}), scores,
                  gradient);
    if (l->training)
        give(l, l->graph->nodes[node].inputs[0], gradient);
}

/* ---- the graph ---- */

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
        give(l, l->graph->nodes[node].inputs[0], take(l, node, 0));
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
    if (!l.nodes)
        return error_memory(error, "program");
    find_readers(&l);
    for (size_t i = 0; i < cpu->graph->count && !l.failed; i++)
        lower_node(&l, i);
    for (size_t i = cpu->graph->count; training && i-- > 0 && !l.failed;)
        if (l.nodes[i].readers > 0)
            lower_node_backward(&l, i);
    for (size_t i = 0; i < l.description_count; i++)
        dnnl_primitive_desc_destroy(l.descriptions[i]);
    free(l.descriptions);
    free(l.nodes);
    return l.failed ? -1 : 0;
}
