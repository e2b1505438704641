#include "nn/cpu_program.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT ((size_t)64)

int dnnl_fail(struct error *error, dnnl_status_t status, const char *what)
{
    if (status == dnnl_out_of_memory)
        return error_memory(error, what);
    return error_set(error, "%s: oneDNN refused (%s)", what,
                     status == dnnl_unimplemented ? "unimplemented"
                                                  : "invalid arguments or an internal failure");
}

int program_init(struct program *program, size_t images, struct error *error)
{
    *program = (struct program){.images = images};
    program->values = calloc(64, sizeof *program->values);
    if (!program->values)
        return error_memory(error, "program");
    program->value_capacity = 64;
    program->value_count = 1;
    return 0;
}

void program_free(struct program *program)
{
    if (!program)
        return;
    for (size_t i = 0; i < program->step_count; i++) {
        struct step *step = &program->steps[i];
        for (int k = 0; k < step->argument_count; k++)
            if (step->arguments[k].memory)
                dnnl_memory_destroy(step->arguments[k].memory);
        if (step->primitive)
            dnnl_primitive_destroy(step->primitive);
    }
    free(program->steps);
    free(program->values);
    free(program->data);
    *program = (struct program){0};
}

size_t program_add_value(struct program *program, const struct layout *layout, float *const *fixed)
{
    if (program->value_count == program->value_capacity) {
        struct value *values = realloc(program->values, 2 * program->value_capacity * sizeof *values);
        if (!values)
            return 0;
        program->values = values;
        program->value_capacity *= 2;
    }
    program->values[program->value_count] =
        (struct value){.layout = *layout, .bytes = layout_bytes(layout), .fixed = fixed};
    return program->value_count++;
}

int program_add_step(struct program *program, const struct step *step, struct error *error)
{
    if (program->step_count == program->step_capacity) {
        size_t capacity = program->step_capacity ? 2 * program->step_capacity : 64;
        struct step *steps = realloc(program->steps, capacity * sizeof *steps);
        if (!steps)
            return error_memory(error, "program");
        program->steps = steps;
        program->step_capacity = capacity;
    }
    program->steps[program->step_count++] = *step;
    return 0;
}

/* ---- the arena: values that live at the same time must not overlap ---- */

static void find_lifetimes(struct program *program)
{
    for (size_t v = 0; v < program->value_count; v++) {
        program->values[v].first = SIZE_MAX;
        program->values[v].last = 0;
    }
    for (size_t s = 0; s < program->step_count; s++) {
        for (int k = 0; k < program->steps[s].argument_count; k++) {
            struct value *value = &program->values[program->steps[s].values[k]];
            if (value->first == SIZE_MAX)
                value->first = s;
            value->last = s;
        }
    }
    if (program->output_value)
        program->values[program->output_value].last = program->step_count;
}

static int larger_first(const void *a, const void *b)
{
    const struct value *x = *(struct value *const *)a, *y = *(struct value *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : 1;
}

static int by_offset(const void *a, const void *b)
{
    const struct value *x = *(struct value *const *)a, *y = *(struct value *const *)b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* The lowest gap that holds `value` between those of the `count` placed values that live when it does. */
static size_t find_gap(const struct value *value, struct value **placed, size_t count, struct value **rivals)
{
    size_t rival_count = 0, offset = 0;
    for (size_t i = 0; i < count; i++)
        if (placed[i]->first <= value->last && value->first <= placed[i]->last)
            rivals[rival_count++] = placed[i];
    qsort(rivals, rival_count, sizeof *rivals, by_offset);
    for (size_t i = 0; i < rival_count; i++) {
        if (offset + value->bytes <= rivals[i]->offset)
            break;
        size_t end = rivals[i]->offset + rivals[i]->bytes;
        if (end > offset)
            offset = (end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    return offset;
}

int program_plan(struct program *program, struct error *error)
{
    struct value **order = calloc(program->value_count, 2 * sizeof *order);
    program->data = calloc(program->value_count, sizeof *program->data);
    if (!order || !program->data) {
        free(order);
        return error_memory(error, "plan of the activations");
    }
    struct value **rivals = order + program->value_count;
    size_t count = 0;
    find_lifetimes(program);
    for (size_t v = 1; v < program->value_count; v++)
        if (!program->values[v].fixed && program->values[v].first != SIZE_MAX)
            order[count++] = &program->values[v];
    qsort(order, count, sizeof *order, larger_first);
    program->arena_bytes = 0;
    for (size_t i = 0; i < count; i++) {
        order[i]->offset = find_gap(order[i], order, i, rivals);
        size_t end = order[i]->offset + order[i]->bytes;
        program->arena_bytes = end > program->arena_bytes ? end : program->arena_bytes;
    }
    free(order);
    return 0;
}

int program_bind(struct program *program, char *arena, struct error *error)
{
    for (size_t v = 1; v < program->value_count; v++) {
        struct value *value = &program->values[v];
        program->data[v] = value->fixed ? (void *)*value->fixed : arena + value->offset;
    }
    for (size_t s = 0; s < program->step_count; s++) {
        struct step *step = &program->steps[s];
        for (int k = 0; step->primitive && k < step->argument_count; k++) {
            dnnl_status_t status =
                dnnl_memory_set_data_handle(step->arguments[k].memory, program->data[step->values[k]]);
            if (status != dnnl_success)
                return dnnl_fail(error, status, step->name);
        }
    }
    return 0;
}

static int bind_input(struct program *program, const float *images, struct error *error)
{
    if (program->input == images)
        return 0;
    /* oneDNN's memories are not const; no step writes to the input. */
    program->input = (float *)images;
    program->data[program->input_value] = program->input;
    for (size_t s = 0; s < program->step_count; s++) {
        struct step *step = &program->steps[s];
        for (int k = 0; step->primitive && k < step->argument_count; k++) {
            if (step->values[k] != program->input_value)
                continue;
            dnnl_status_t status = dnnl_memory_set_data_handle(step->arguments[k].memory, program->input);
            if (status != dnnl_success)
                return dnnl_fail(error, status, step->name);
        }
    }
    return 0;
}

int program_run(struct program *program, dnnl_stream_t stream, const float *images, struct pass *pass,
                struct error *error)
{
    if (bind_input(program, images, error))
        return -1;
    for (size_t s = 0; s < program->step_count; s++) {
        const struct step *step = &program->steps[s];
        if (!step->primitive) {
            void *data[STEP_ARGUMENTS];
            for (int k = 0; k < step->argument_count; k++)
                data[k] = program->data[step->values[k]];
            step->run(step, data, pass);
            continue;
        }
        dnnl_status_t status =
            dnnl_primitive_execute(step->primitive, stream, step->argument_count, step->arguments);
        if (status != dnnl_success)
            return dnnl_fail(error, status, step->name);
    }
    return 0;
}
