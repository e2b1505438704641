/* Tools of the lowering: values, layouts, and steps added to the program. */
#include "nn/cpu_lower.h"

#include <stdlib.h>
#include <string.h>

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

struct layout make_layout(struct lowering *l, dnnl_data_type_t type, int dim_count, const dnnl_dims_t dims,
                          dnnl_format_tag_t tag)
{
    struct layout layout = {0};
    if (!l->failed)
        lowering_check(l, layout_by_tag(&l->cpu->layouts, &layout, type, dim_count, dims, tag));
    return layout;
}

struct layout image_layout(struct lowering *l, dnnl_data_type_t type, struct shape shape,
                           dnnl_format_tag_t tag)
{
    dnnl_dims_t dims = {(dnnl_dim_t)l->program->images, (dnnl_dim_t)shape.channels, (dnnl_dim_t)shape.height,
                        (dnnl_dim_t)shape.width};
    return make_layout(l, type, 4, dims, tag);
}

struct layout shape_layout(struct lowering *l, struct shape shape, dnnl_format_tag_t tag)
{
    return image_layout(l, l->cpu->type, shape, tag);
}

struct layout float_layout(struct lowering *l, struct shape shape, dnnl_format_tag_t tag)
{
    return image_layout(l, dnnl_f32, shape, tag);
}

enum element element_of(const struct lowering *l)
{
    return l->cpu->type == dnnl_bf16 ? ELEMENT_BF16 : ELEMENT_FLOAT;
}

size_t add_value(struct lowering *l, struct layout layout)
{
    if (l->failed)
        return 0;
    size_t value = program_add_value(l->program, &layout, NULL);
    if (!value)
        lowering_fail(l, dnnl_out_of_memory);
    return value;
}

size_t parameter_value(struct lowering *l, struct parameter *parameter)
{
    if (l->failed)
        return 0;
    size_t value = program_add_value(l->program, &parameter->layout, &parameter->data);
    if (!value)
        lowering_fail(l, dnnl_out_of_memory);
    return value;
}

struct layout value_layout(const struct lowering *l, size_t value)
{
    return l->program->values[value].layout;
}

size_t value_elements(const struct lowering *l, size_t value)
{
    const struct value *v = &l->program->values[value];
    return v->bytes / (layout_type(&v->layout) == dnnl_bf16 ? sizeof(uint16_t) : sizeof(float));
}

struct description_options description_options(const struct lowering *l, dnnl_primitive_desc_t forward)
{
    return (struct description_options){.engine = l->cpu->engine,
                                        .attributes = l->cpu->attributes[0][0],
                                        .kind = l->training ? dnnl_forward_training : dnnl_forward_inference,
                                        .forward = forward};
}

dnnl_primitive_desc_t keep_description(struct lowering *l, dnnl_status_t status,
                                       dnnl_primitive_desc_t description, bool required)
{
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

struct layout wanted_layout(struct lowering *l, dnnl_primitive_desc_t description, int argument)
{
    struct layout layout = {0};
    if (!l->failed && description)
        lowering_check(l, layout_of_argument(&l->cpu->layouts, &layout, description, argument));
    return layout;
}

static void add_argument(struct lowering *l, struct step *step, int argument, size_t value,
                         struct layout layout)
{
    if (l->failed)
        return;
    dnnl_memory_t memory = NULL;
    lowering_check(l, memory_of_layout(&memory, &layout, l->cpu->engine, DNNL_MEMORY_NONE));
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
    struct layout scratch = wanted_layout(l, description, DNNL_ARG_SCRATCHPAD);
    if (layout_bytes(&scratch) > 0)
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
    step.type =
        layout_type(&l->program->values[values[0]].layout) == dnnl_bf16 ? ELEMENT_BF16 : ELEMENT_FLOAT;
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

void emit_reorder(struct lowering *l, struct layout from, size_t src, struct layout to, size_t dst)
{
    if (l->failed)
        return;
    dnnl_primitive_desc_t description = NULL;
    const struct description_options options = description_options(l, NULL);
    lowering_check(l, reorder(&description, &options, &from, &to));
    EMIT(l, description, {DNNL_ARG_SRC, src}, {DNNL_ARG_DST, dst});
    if (description)
        dnnl_primitive_desc_destroy(description);
}

size_t as_layout(struct lowering *l, size_t value, struct layout want)
{
    if (l->failed)
        return 0;
    struct layout own = value_layout(l, value), have = own;
    if (layout_rank(&own) != layout_rank(&want)) {
        struct layout_facts to = layout_facts(&want);
        lowering_check(l, layout_reshape(&l->cpu->layouts, &have, &own, to.rank, to.dims));
    }
    if (l->failed || layout_same(&have, &want))
        return value;
    size_t copy = add_value(l, want);
    emit_reorder(l, have, value, want, copy);
    return copy;
}

size_t new_output(struct lowering *l, struct shape shape, dnnl_primitive_desc_t description, int argument)
{
    struct layout wanted = wanted_layout(l, description, argument);
    return l->failed || layout_rank(&wanted) == 4 ? add_value(l, wanted) : new_plain_output(l, shape);
}

size_t new_plain_output(struct lowering *l, struct shape shape)
{
    /* The same memory for single pixels, but batch normalisation is faster on what is called channels-last.
     */
    bool pixel = shape.height * shape.width == 1;
    struct layout plain = shape_layout(l, shape, pixel ? dnnl_nhwc : dnnl_nchw);
    return add_value(l, plain);
}

struct parameter *parameter_of(const struct lowering *l, size_t node, enum tensor_role role)
{
    return &l->cpu->parameters[l->cpu->first_parameter[node] + role];
}

size_t input_of(const struct lowering *l, size_t node)
{
    return l->nodes[l->graph->nodes[node].inputs[0]].out;
}
