/* Tools of the lowering: values, layouts, and steps added to the program. */
#include "nn/cpu_lower.h"

#include <stdlib.h>
#include <string.h>

static const dnnl_memory_desc_t no_layout;

void lowering_fail(struct lowering *l, dnnl_status_t status)
{
    if (!l->failed)
        dnnl_fail(l->error, status, l->name);
    l->failed = true;
}

void lowering_check(struct lowering *l, dnnl_status_t status)
{
    if (status != dnnl_success)
        lowering_fail(l, status);
}

dnnl_memory_desc_t make_layout(struct lowering *l, dnnl_data_type_t type, int dim_count,
                               const dnnl_dims_t dims, dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t md = no_layout;
    if (!l->failed)
        lowering_check(l, dnnl_memory_desc_init_by_tag(&md, dim_count, dims, type, tag));
    return md;
}

dnnl_memory_desc_t image_layout(struct lowering *l, dnnl_data_type_t type, struct shape shape,
                                dnnl_format_tag_t tag)
{
    dnnl_dims_t dims = {(dnnl_dim_t)l->program->images, (dnnl_dim_t)shape.channels, (dnnl_dim_t)shape.height,
                        (dnnl_dim_t)shape.width};
    return make_layout(l, type, 4, dims, tag);
}

dnnl_memory_desc_t shape_layout(struct lowering *l, struct shape shape, dnnl_format_tag_t tag)
{
    return image_layout(l, l->cpu->type, shape, tag);
}

dnnl_memory_desc_t float_layout(struct lowering *l, struct shape shape, dnnl_format_tag_t tag)
{
    return image_layout(l, dnnl_f32, shape, tag);
}

enum element element_of(const struct lowering *l)
{
    return l->cpu->type == dnnl_bf16 ? ELEMENT_BF16 : ELEMENT_FLOAT;
}

size_t add_value(struct lowering *l, const dnnl_memory_desc_t *md)
{
    if (l->failed)
        return 0;
    size_t value = program_add_value(l->program, md, NULL);
    if (!value)
        lowering_fail(l, dnnl_out_of_memory);
    return value;
}

size_t parameter_value(struct lowering *l, struct parameter *parameter)
{
    if (l->failed)
        return 0;
    size_t value = program_add_value(l->program, &parameter->md, &parameter->data);
    if (!value)
        lowering_fail(l, dnnl_out_of_memory);
    return value;
}

const dnnl_memory_desc_t *value_layout(const struct lowering *l, size_t value)
{
    return &l->program->values[value].md;
}

size_t value_elements(const struct lowering *l, size_t value)
{
    const struct value *v = &l->program->values[value];
    return v->bytes / (v->md.data_type == dnnl_bf16 ? sizeof(uint16_t) : sizeof(float));
}

dnnl_primitive_desc_t describe_primitive(struct lowering *l, const void *operation,
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
            lowering_fail(l, status);
        return NULL;
    }
    if (l->description_count == l->description_capacity) {
        size_t capacity = l->description_capacity ? 2 * l->description_capacity : 64;
        dnnl_primitive_desc_t *all = realloc(l->descriptions, capacity * sizeof *all);
        if (!all) {
            dnnl_primitive_desc_destroy(description);
            lowering_fail(l, dnnl_out_of_memory);
            return NULL;
        }
        l->descriptions = all;
        l->description_capacity = capacity;
    }
    return l->descriptions[l->description_count++] = description;
}

const dnnl_memory_desc_t *wanted_layout(const struct lowering *l, dnnl_primitive_desc_t description,
                                        int argument)
{
    const dnnl_memory_desc_t *md = NULL;
    if (!l->failed && description)
        md = dnnl_primitive_desc_query_md(description, dnnl_query_exec_arg_md, argument);
    return md ? md : &no_layout;
}

static void add_argument(struct lowering *l, struct step *step, int argument, size_t value,
                         const dnnl_memory_desc_t *md)
{
    if (l->failed)
        return;
    dnnl_memory_t memory = NULL;
    lowering_check(l, dnnl_memory_create(&memory, md, l->cpu->engine, DNNL_MEMORY_NONE));
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

void emit_primitive(struct lowering *l, dnnl_primitive_desc_t description, const struct use *uses,
                    size_t count)
{
    struct step step = {.name = l->name};
    if (l->failed)
        return;
    lowering_check(l, dnnl_primitive_create(&step.primitive, description));
    for (size_t i = 0; i < count; i++)
        if (uses[i].value)
            add_argument(l, &step, uses[i].argument, uses[i].value,
                         wanted_layout(l, description, uses[i].argument));
    const dnnl_memory_desc_t *scratch =
        dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
    if (scratch && dnnl_memory_desc_get_size(scratch) > 0)
        add_argument(l, &step, DNNL_ARG_SCRATCHPAD, add_value(l, scratch), scratch);
    if (!l->failed && program_add_step(l->program, &step, l->error))
        l->failed = true;
    if (l->failed)
        drop_step(&step);
}

void emit_function(struct lowering *l, step_function *function, struct step step, const size_t *values,
                   int count)
{
    if (l->failed)
        return;
    step.name = l->name;
    step.run = function;
    step.argument_count = count;
    step.type = value_layout(l, values[0])->data_type == dnnl_bf16 ? ELEMENT_BF16 : ELEMENT_FLOAT;
    memcpy(step.values, values, (size_t)count * sizeof *values);
    if (program_add_step(l->program, &step, l->error))
        l->failed = true;
}

static void run_zero(const struct step *step, void *const *data, struct pass *pass)
{
    (void)pass;
    memset(data[0], 0, step->sizes[0]);
}

void emit_zero(struct lowering *l, size_t value)
{
    EMIT_FUNCTION(l, run_zero, ((struct step){.sizes = {l->program->values[value].bytes}}), value);
}

void emit_reorder(struct lowering *l, const dnnl_memory_desc_t *from, size_t src,
                  const dnnl_memory_desc_t *to, size_t dst)
{
    if (l->failed)
        return;
    dnnl_primitive_desc_t description = NULL;
    lowering_check(l, dnnl_reorder_primitive_desc_create(&description, from, l->cpu->engine, to,
                                                         l->cpu->engine, l->cpu->attributes[0][0]));
    EMIT(l, description, {DNNL_ARG_SRC, src}, {DNNL_ARG_DST, dst});
    if (description)
        dnnl_primitive_desc_destroy(description);
}

size_t as_layout(struct lowering *l, size_t value, const dnnl_memory_desc_t *want)
{
    if (l->failed)
        return 0;
    /* Both may move when a value is added. */
    const dnnl_memory_desc_t to = *want;
    dnnl_memory_desc_t have = *value_layout(l, value);
    if (have.ndims != to.ndims)
        lowering_check(l, dnnl_memory_desc_reshape(&have, value_layout(l, value), to.ndims, to.dims));
    if (l->failed || same_layout(&have, &to))
        return value;
    size_t copy = add_value(l, &to);
    emit_reorder(l, &have, value, &to, copy);
    return copy;
}

size_t new_output(struct lowering *l, struct shape shape, dnnl_primitive_desc_t description, int argument)
{
    const dnnl_memory_desc_t *md = wanted_layout(l, description, argument);
    if (l->failed || md->ndims == 4)
        return add_value(l, md);
    /* The same memory for single pixels, but batch normalisation is faster on what is called channels-last.
     */
    bool pixel = shape.height * shape.width == 1;
    dnnl_memory_desc_t plain = shape_layout(l, shape, pixel ? dnnl_nhwc : dnnl_nchw);
    return add_value(l, &plain);
}

struct parameter *parameter_of(const struct lowering *l, size_t node, enum tensor_role role)
{
    return &l->cpu->parameters[l->cpu->first_parameter[node] + role];
}

size_t input_of(const struct lowering *l, size_t node)
{
    return l->nodes[l->graph->nodes[node].inputs[0]].out;
}

dnnl_prop_kind_t forward_kind(const struct lowering *l)
{
    return l->training ? dnnl_forward_training : dnnl_forward_inference;
}
