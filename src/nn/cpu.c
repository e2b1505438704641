/* The CPU backend: parameters in the layouts oneDNN likes, programs for the batch sizes that occur, one
 * arena. */
#include "base/memory.h"
#include "base/text.h"
#include "base/units.h"
#include "nn/backend.h"
#include "nn/cpu_program.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT ((size_t)64)
#define HUGE_PAGE ((size_t)1 << 21)

/* Slots of cpu->programs. A program for another number of images than its slot holds replaces it. */
enum { TRAIN_BATCH, TRAIN_REST, EVALUATE_BATCH, EVALUATE_REST };

/* ---- forms of parameters ---- */

/* Weight decay gives each of a tensor's elements a gradient of its own, which Adam's division makes more than
 * a decay; AdamW decays apart from it. */
static bool may_simplify(const struct cpu *cpu)
{
    const struct optimizer_options *o = &cpu->options.optimizer;
    return o->kind != OPTIMIZER_ADAM || o->weight_decay == 0;
}

/* The taps [*begin, *end) of one dimension that ever meet the image. */
static void live_taps(size_t in, size_t out, size_t kernel, size_t stride, size_t padding, size_t *begin,
                      size_t *end)
{
    *begin = kernel;
    *end = 0;
    for (size_t tap = 0; tap < kernel; tap++) {
        bool live = false;
        for (size_t o = 0; o < out && !live; o++)
            live = o * stride + tap >= padding && o * stride + tap - padding < in;
        if (live) {
            *begin = tap < *begin ? tap : *begin;
            *end = tap + 1;
        }
    }
}

/* Whether a flattening and the pooling before it have one reader each. */
static bool sole_readers(const struct graph *graph, size_t flatten)
{
    size_t pool = graph->nodes[flatten].inputs[0], of_flatten = 0, of_pool = 0;
    for (size_t i = 0; i < graph->count; i++) {
        for (size_t k = 0; k < graph->nodes[i].input_count; k++) {
            of_flatten += graph->nodes[i].inputs[k] == flatten;
            of_pool += graph->nodes[i].inputs[k] == pool;
        }
    }
    return of_flatten == 1 && of_pool == 1;
}

/* Whether the taps [begin, end) meet the image wherever the window lies, when it lies in one place only. */
static bool inside(size_t in, size_t begin, size_t end, size_t padding)
{
    return begin >= padding && end - padding <= in;
}

/* A convolution with one output pixel is a dense layer on the part of the image under its live taps. */
static void form_convolution(struct cpu *cpu, const struct tensor *tensor, struct parameter *p)
{
    const struct node *node = &cpu->graph->nodes[tensor->node];
    const struct shape *in = &cpu->graph->nodes[node->inputs[0]].shape;
    struct window w = convolution_window(&node->convolution);
    const size_t in_size[] = {in->height, in->width}, out_size[] = {node->shape.height, node->shape.width};
    bool dense = w.groups == 1 && w.dilation == 1 && node->shape.height == 1 && node->shape.width == 1;
    for (int d = 0; d < 2; d++) {
        size_t begin = 0, end = w.kernel[d];
        if (may_simplify(cpu) && w.dilation == 1)
            live_taps(in_size[d], out_size[d], w.kernel[d], w.stride, w.padding[d], &begin, &end);
        p->full_kernel[d] = w.kernel[d];
        p->kernel[d] = end - begin;
        p->first_tap[d] = begin;
        p->region[d] = begin - w.padding[d];
        if (end - begin != w.kernel[d])
            p->form = FORM_CROPPED;
        dense = dense && inside(in_size[d], begin, end, w.padding[d]);
    }
    p->dense = dense;
    int k = 0;
    if (w.groups > 1)
        p->dims[k++] = (dnnl_dim_t)w.groups;
    p->dims[k++] = (dnnl_dim_t)(tensor->dims[0] / w.groups);
    p->dims[k++] = (dnnl_dim_t)(dense ? tensor->dims[1] * p->kernel[0] * p->kernel[1] : tensor->dims[1]);
    for (int d = 0; d < 2 && !dense; d++)
        p->dims[k++] = (dnnl_dim_t)p->kernel[d];
    p->dim_count = k;
}

/* A dense layer, with the pooling before it set aside if that only repeats one pixel. */
static void form_dense(struct cpu *cpu, const struct tensor *tensor, struct parameter *p)
{
    const struct node *nodes = cpu->graph->nodes;
    const struct node *flatten = &nodes[nodes[tensor->node].inputs[0]];
    const struct node *pool = &nodes[flatten->inputs[0]];
    p->dense = true;
    p->dim_count = 2;
    p->dims[0] = (dnnl_dim_t)tensor->dims[0];
    p->dims[1] = (dnnl_dim_t)tensor->dims[1];
    if (flatten->kind != NODE_FLATTEN || pool->kind != NODE_ADAPTIVE_POOL || !may_simplify(cpu) ||
        !sole_readers(cpu->graph, nodes[tensor->node].inputs[0]))
        return;
    const struct shape *pixel = &nodes[pool->inputs[0]].shape;
    if (pixel->height * pixel->width != 1 || pool->shape.height * pool->shape.width == 1)
        return;
    cpu->repeats[flatten->inputs[0]] = true;
    p->form = FORM_FOLDED;
    p->copies = pool->shape.height * pool->shape.width;
    p->dims[1] = (dnnl_dim_t)pixel->channels;
}

static int form_parameter(struct cpu *cpu, const struct tensor *tensor, struct parameter *p,
                          struct error *error)
{
    static const dnnl_format_tag_t tags[] = {
        dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd, dnnl_abcde};
    bool product = tensor->role == TENSOR_WEIGHT && tensor->dim_count > 1;
    if (product && cpu->graph->nodes[tensor->node].kind == NODE_CONVOLUTION) {
        form_convolution(cpu, tensor, p);
    } else if (product && cpu->graph->nodes[tensor->node].kind == NODE_DENSE) {
        form_dense(cpu, tensor, p);
    } else {
        p->dim_count = 1;
        p->dims[0] = (dnnl_dim_t)tensor->count;
        p->decided = true;
    }
    dnnl_status_t status =
        layout_by_tag(&cpu->layouts, &p->plain, dnnl_f32, p->dim_count, p->dims, tags[p->dim_count]);
    if (p->decided)
        p->layout = p->plain;
    return status ? dnnl_fail(error, status, tensor->name) : 0;
}

static int form_parameters(struct cpu *cpu, struct error *error)
{
    for (size_t i = 0; i < cpu->parameter_count; i++) {
        const struct tensor *tensor = &cpu->tensors[i];
        struct parameter *p = &cpu->parameters[i];
        if (tensor->role == TENSOR_WEIGHT)
            cpu->first_parameter[tensor->node] = i;
        *p = (struct parameter){
            .trainable = tensor->trainable, .count = tensor->count, .copies = 1, .decay = 1};
        if (form_parameter(cpu, tensor, p, error))
            return -1;
    }
    return 0;
}

/* ---- memory ---- */

static size_t round_up(size_t bytes, size_t unit)
{
    return (bytes + unit - 1) / unit * unit;
}

/* -1 if `bytes` more than there are now can't be had; `total` is what the network needs in all. */
static int check_memory(size_t bytes, size_t total, size_t batch, struct error *error)
{
    uint64_t available = memory_available();
    if (bytes < available)
        return 0;
    AUTO_FREE char *needed = units_bytes(total), *left = units_bytes(available);
    return error_set(
        error,
        "too little memory: a batch of %zu needs %s, and %s can be had: use a smaller batch, size or width",
        batch, needed ? needed : "much", left ? left : "less");
}

/* Walks over weights in huge pages miss the TLB less. */
static char *take_memory(struct cpu *cpu, size_t bytes, struct error *error)
{
    size_t total = bytes + cpu->weights_bytes;
    if (check_memory(bytes, total, cpu->options.batch, error))
        return NULL;
    void *memory = memory_take(bytes);
    if (!memory) {
        AUTO_FREE char *needed = units_bytes(total);
        error_memory(error, needed ? needed : "network");
    }
    return memory;
}

/* Where the next `bytes` go in a region laid out twice: first to learn its size (base NULL), then to place.
 */
static float *place(char *base, size_t *offset, size_t bytes)
{
    size_t at = *offset;
    *offset += round_up(bytes, ALIGNMENT);
    return base ? (float *)(void *)(base + at) : NULL;
}

static void place_folded(struct cpu *cpu, char *base, size_t *offset)
{
    for (size_t i = 0; cpu->inference && i < cpu->graph->count; i++) {
        struct folded *folded = &cpu->folded[i];
        if (folded->used)
            folded->weights.data = place(base, offset, layout_bytes(&folded->weights.layout));
        if (folded->norm)
            folded->bias.data = place(base, offset, layout_bytes(&folded->bias.layout));
    }
}

static size_t place_parameters(struct cpu *cpu, char *base)
{
    bool adam = cpu->options.optimizer.kind != OPTIMIZER_SGD;
    bool moment = adam || cpu->options.optimizer.momentum > 0;
    size_t offset = 0;
    place_folded(cpu, base, &offset);
    for (size_t i = 0; i < cpu->parameter_count; i++) {
        struct parameter *p = &cpu->parameters[i];
        size_t bytes = layout_bytes(&p->layout);
        p->stored_count = bytes / sizeof(float);
        p->data = place(base, &offset, bytes);
        if (p->trainable && moment)
            p->first = place(base, &offset, bytes);
        if (p->trainable && adam)
            p->second = place(base, &offset, bytes);
        if (p->form != FORM_WHOLE)
            p->rest = place(base, &offset, p->count * sizeof(float));
    }
    return offset;
}

/* ---- programs ---- */

static int grow_arena(struct cpu *cpu, size_t bytes, struct error *error)
{
    bytes = round_up(bytes ? bytes : 1, HUGE_PAGE);
    if (bytes <= cpu->arena_bytes)
        return 0;
    char *arena = take_memory(cpu, bytes, error);
    if (!arena)
        return -1;
    memory_give_back(cpu->arena, cpu->arena_bytes);
    cpu->arena = arena;
    cpu->arena_bytes = bytes;
    for (int i = 0; i < 4; i++)
        if (cpu->programs[i] && program_bind(cpu->programs[i], arena, error))
            return -1;
    return 0;
}

static void drop_program(struct cpu *cpu, int slot)
{
    program_free(cpu->programs[slot]);
    free(cpu->programs[slot]);
    cpu->programs[slot] = NULL;
}

static int compile(struct cpu *cpu, int slot, size_t images, struct error *error)
{
    bool training = slot == TRAIN_BATCH || slot == TRAIN_REST;
    drop_program(cpu, slot);
    struct program *program = calloc(1, sizeof *program);
    if (!program)
        return error_memory(error, "program");
    cpu->programs[slot] = program;
    if (program_init(program, images, error) || cpu_lower(cpu, program, training, error) ||
        program_plan(program, error)) {
        drop_program(cpu, slot);
        return -1;
    }
    return 0;
}

/* The program for this number of images, compiled when it is first wanted. NULL on error. */
static struct program *program_for(struct cpu *cpu, bool training, size_t images, struct error *error)
{
    bool whole = images == cpu->options.batch;
    int slot = training ? (whole ? TRAIN_BATCH : TRAIN_REST) : (whole ? EVALUATE_BATCH : EVALUATE_REST);
    if (cpu->programs[slot] && cpu->programs[slot]->images == images)
        return cpu->programs[slot];
    if (compile(cpu, slot, images, error))
        return NULL;
    struct program *program = cpu->programs[slot];
    if (grow_arena(cpu, program->arena_bytes, error) || program_bind(program, cpu->arena, error)) {
        drop_program(cpu, slot);
        return NULL;
    }
    return program;
}

/* ---- opening ---- */

static dnnl_status_t make_attributes(dnnl_primitive_attr_t *attributes, bool sum, bool relu)
{
    dnnl_post_ops_t after = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(attributes);
    if (!status)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attributes, dnnl_scratchpad_mode_user);
    if (!status)
        status = dnnl_post_ops_create(&after);
    if (!status && sum)
        status = append_sum(after);
    if (!status && relu)
        status = append_relu(after);
    if (!status)
        status = dnnl_primitive_attr_set_post_ops(*attributes, after);
    if (after)
        dnnl_post_ops_destroy(after);
    return status;
}

static int open_engine(struct cpu *cpu, struct error *error)
{
    dnnl_status_t status = dnnl_engine_create(&cpu->engine, dnnl_cpu, 0);
    if (!status)
        status = dnnl_stream_create(&cpu->stream, cpu->engine, dnnl_stream_default_flags);
    for (int sum = 0; sum < 2; sum++)
        for (int relu = 0; relu < 2 && !status; relu++)
            status = make_attributes(&cpu->attributes[sum][relu], sum, relu);
    return status ? dnnl_fail(error, status, "CPU engine") : 0;
}

static void cpu_close(void *state)
{
    struct cpu *cpu = state;
    for (int i = 0; i < 4; i++)
        drop_program(cpu, i);
    for (int i = 0; i < 4; i++)
        if (cpu->attributes[i / 2][i % 2])
            dnnl_primitive_attr_destroy(cpu->attributes[i / 2][i % 2]);
    if (cpu->stream)
        dnnl_stream_destroy(cpu->stream);
    if (cpu->engine)
        dnnl_engine_destroy(cpu->engine);
    memory_give_back(cpu->weights, cpu->weights_bytes);
    memory_give_back(cpu->arena, cpu->arena_bytes);
    if (cpu->tensors)
        graph_tensors_free(cpu->tensors, cpu->parameter_count);
    layouts_free(&cpu->layouts);
    free(cpu->parameters);
    free(cpu->first_parameter);
    for (size_t i = 0; cpu->folded && cpu->graph && i < cpu->graph->count; i++)
        free(cpu->folded[i].last_places);
    free(cpu->folded);
    free(cpu->repeats);
    free(cpu->predictions);
    graph_free(cpu->graph);
    free(cpu);
}

static int open_tables(struct cpu *cpu, const struct graph *graph, struct error *error)
{
    cpu->graph = graph_copy(graph, error);
    if (!cpu->graph)
        return -1;
    cpu->tensors = graph_tensors(cpu->graph, &cpu->parameter_count, error);
    if (!cpu->tensors)
        return -1;
    cpu->parameters = calloc(cpu->parameter_count + 1, sizeof *cpu->parameters);
    cpu->first_parameter = calloc(graph->count, sizeof *cpu->first_parameter);
    cpu->folded = calloc(graph->count, sizeof *cpu->folded);
    cpu->repeats = calloc(graph->count, sizeof *cpu->repeats);
    cpu->predictions = calloc(cpu->options.batch, sizeof *cpu->predictions);
    if (!cpu->parameters || !cpu->first_parameter || !cpu->folded || !cpu->repeats || !cpu->predictions)
        return error_memory(error, "parameters");
    if (form_parameters(cpu, error))
        return -1;
    if (cpu->inference)
        cpu_find_folds(cpu);
    return 0;
}

static int first_slot(const struct cpu *cpu)
{
    return cpu->inference ? EVALUATE_BATCH : TRAIN_BATCH;
}

static int open_memory(struct cpu *cpu, struct error *error)
{
    size_t bytes = round_up(place_parameters(cpu, NULL) + 1, HUGE_PAGE);
    size_t arena = cpu->programs[first_slot(cpu)]->arena_bytes;
    if (check_memory(bytes + arena, bytes + arena, cpu->options.batch, error))
        return -1;
    cpu->weights = take_memory(cpu, bytes, error);
    if (!cpu->weights)
        return -1;
    cpu->weights_bytes = bytes;
    place_parameters(cpu, cpu->weights);
    if (grow_arena(cpu, arena, error))
        return -1;
    return 0;
}

/* Without these instructions oneDNN has only its reference loops for bfloat16. */
static int check_precision(const struct cpu *cpu, struct error *error)
{
    if (cpu->type == dnnl_f32 ||
        (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core)
        return 0;
    return error_set(error, "precision bf16 takes a processor with AVX-512, which this is not: use fp32");
}

static void *cpu_open(const struct graph *graph, const struct network_options *options, struct error *error)
{
    struct cpu *cpu = calloc(1, sizeof *cpu);
    if (!cpu) {
        error_memory(error, "network");
        return NULL;
    }
    cpu->options = *options;
    cpu->inference = graph->nodes[graph->count - 1].kind != NODE_LOSS;
    cpu->type = options->precision == PRECISION_BF16 ? dnnl_bf16 : dnnl_f32;
    cpu->beta1_power = cpu->beta2_power = 1;
    if (check_precision(cpu, error) || open_tables(cpu, graph, error) || open_engine(cpu, error) ||
        compile(cpu, first_slot(cpu), options->batch, error) || open_memory(cpu, error)) {
        cpu_close(cpu);
        return NULL;
    }
    return cpu;
}

/* ---- running ---- */

static struct update next_update(struct cpu *cpu)
{
    const struct optimizer_options *o = &cpu->options.optimizer;
    struct update update = {.kind = o->kind,
                            .learning_rate = (float)o->learning_rate,
                            .weight_decay = (float)o->weight_decay,
                            .momentum = (float)o->momentum,
                            .nesterov = o->nesterov,
                            .beta1 = (float)o->beta1,
                            .beta2 = (float)o->beta2,
                            .fresh1 = (float)(1 - o->beta1),
                            .fresh2 = (float)(1 - o->beta2),
                            .keep = (float)(1 - o->learning_rate * o->weight_decay),
                            .epsilon = (float)o->epsilon};
    cpu->beta1_power *= o->beta1;
    cpu->beta2_power *= o->beta2;
    update.step_size = (float)(o->learning_rate / (1 - cpu->beta1_power));
    update.root_scale = (float)(1 / __builtin_sqrt(1 - cpu->beta2_power));
    return update;
}

static int cpu_train(void *state, const struct backend_batch *batch, struct step_result *result,
                     struct error *error)
{
    struct cpu *cpu = state;
    struct program *program = program_for(cpu, true, batch->count, error);
    if (!program)
        return -1;
    cpu->steps++;
    cpu->remembers = true;
    struct pass pass = {.labels = batch->labels,
                        .predictions = cpu->predictions,
                        .smoothing = cpu->options.label_smoothing,
                        .clip_norm = cpu->options.clip_norm,
                        .dropout_key =
                            (cpu->options.seed + 1) * 0x9e3779b97f4a7c15u ^ cpu->steps * 0xbf58476d1ce4e5b9u,
                        .update = next_update(cpu)};
    if (program_run(program, cpu->stream, batch->images, &pass, error))
        return -1;
    *result = pass.result;
    return 0;
}

static int cpu_evaluate(void *state, const struct backend_batch *batch, struct step_result *result,
                        struct error *error)
{
    struct cpu *cpu = state;
    struct program *program = program_for(cpu, false, batch->count, error);
    struct pass pass = {.labels = batch->labels, .predictions = cpu->predictions};
    if (!program || program_run(program, cpu->stream, batch->images, &pass, error))
        return -1;
    *result = pass.result;
    return 0;
}

static const float *cpu_infer(void *state, const float *images, size_t count, struct error *error)
{
    struct cpu *cpu = state;
    struct program *program = program_for(cpu, false, count, error);
    struct pass pass = {0};
    if (!program || cpu_fold(cpu, error) || program_run(program, cpu->stream, images, &pass, error))
        return NULL;
    return program->data[program->output_value];
}

static void cpu_set_learning_rate(void *state, double learning_rate)
{
    struct cpu *cpu = state;
    cpu->options.optimizer.learning_rate = learning_rate;
}

static size_t cpu_memory_bytes(const void *state)
{
    const struct cpu *cpu = state;
    return cpu->weights_bytes + cpu->arena_bytes;
}

/* ---- tensors in and out ---- */

int cpu_reorder(const struct cpu *cpu, const struct layout *from, const float *src, const struct layout *to,
                float *dst, struct error *error)
{
    dnnl_primitive_desc_t description = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_memory_t memories[2] = {NULL, NULL};
    const struct description_options options = {.engine = cpu->engine};
    dnnl_status_t status = reorder(&description, &options, from, to);
    if (!status)
        status = dnnl_primitive_create(&primitive, description);
    if (!status)
        status = memory_of_layout(&memories[0], from, cpu->engine, (float *)src);
    if (!status)
        status = memory_of_layout(&memories[1], to, cpu->engine, dst);
    dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, memories[0]}, {DNNL_ARG_TO, memories[1]}};
    if (!status)
        status = dnnl_primitive_execute(primitive, cpu->stream, 2, arguments);
    for (int i = 0; i < 2; i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    if (primitive)
        dnnl_primitive_destroy(primitive);
    if (description)
        dnnl_primitive_desc_destroy(description);
    return status ? dnnl_fail(error, status, "tensor") : 0;
}

size_t plain_count(const struct parameter *p)
{
    size_t count = 1;
    for (int d = 0; d < p->dim_count; d++)
        count *= (size_t)p->dims[d];
    return count;
}

/* `plain` has p->dims in order. */
static int store(const struct cpu *cpu, const struct parameter *p, const float *plain, struct error *error)
{
    return cpu_reorder(cpu, &p->plain, plain, &p->layout, p->data, error);
}

/* Between the live taps, plane by plane, and the full kernels. */
static void copy_taps(const struct parameter *p, float *live, float *full, bool to_live)
{
    size_t taps = p->full_kernel[0] * p->full_kernel[1], width = p->kernel[1];
    for (size_t plane = 0; plane < p->count / taps; plane++) {
        for (size_t h = 0; h < p->kernel[0]; h++) {
            float *a = live + (plane * p->kernel[0] + h) * width;
            float *b = full + plane * taps + (p->first_tap[0] + h) * p->full_kernel[1] + p->first_tap[1];
            memcpy(to_live ? a : b, to_live ? b : a, width * sizeof *a);
        }
    }
}

/* sums = the sum over copies; then full = its difference from the mean. */
static void fold(const struct parameter *p, float *sums, float *full)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < p->count / p->copies; i++) {
        float *copies = full + i * p->copies;
        double sum = 0;
        for (size_t k = 0; k < p->copies; k++)
            sum += copies[k];
        sums[i] = (float)sum;
        for (size_t k = 0; k < p->copies; k++)
            copies[k] -= (float)(sum / (double)p->copies);
    }
}

static void unfold(const struct parameter *p, const float *sums, float *full)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < p->count / p->copies; i++)
        for (size_t k = 0; k < p->copies; k++)
            full[i * p->copies + k] =
                (float)(p->decay * p->rest[i * p->copies + k] + (double)sums[i] / (double)p->copies);
}

static int cpu_get_tensor(const void *state, size_t tensor, float *data, struct error *error)
{
    const struct cpu *cpu = state;
    const struct parameter *p = &cpu->parameters[tensor];
    if (p->form == FORM_WHOLE)
        return cpu_plain_values(cpu, tensor, data, error);
    float *plain = malloc(plain_count(p) * sizeof *plain);
    if (!plain)
        return error_memory(error, cpu->tensors[tensor].name);
    int status = cpu_plain_values(cpu, tensor, plain, error);
    if (p->form == FORM_FOLDED) {
        unfold(p, plain, data);
    } else {
        for (size_t i = 0; i < p->count; i++)
            data[i] = (float)(p->decay * p->rest[i]);
        copy_taps(p, plain, data, false);
    }
    free(plain);
    return status;
}

static int cpu_set_tensor(void *state, size_t tensor, const float *data, struct error *error)
{
    struct cpu *cpu = state;
    struct parameter *p = &cpu->parameters[tensor];
    if (cpu_restore(cpu, error))
        return -1;
    cpu->folds_stale = true;
    if (p->first && cpu->remembers)
        memset(p->first, 0, p->stored_count * sizeof *p->first);
    if (p->second && cpu->remembers)
        memset(p->second, 0, p->stored_count * sizeof *p->second);
    if (p->form == FORM_WHOLE)
        return store(cpu, p, data, error);
    float *plain = malloc(plain_count(p) * sizeof *plain);
    if (!plain)
        return error_memory(error, cpu->tensors[tensor].name);
    p->decay = 1;
    p->decay_momentum = 0;
    if (p->rest != data)
        memcpy(p->rest, data, p->count * sizeof *data);
    if (p->form == FORM_FOLDED)
        fold(p, plain, p->rest);
    else
        copy_taps(p, plain, p->rest, true);
    int status = store(cpu, p, plain, error);
    free(plain);
    return status;
}

static float *cpu_staging(void *state, size_t tensor)
{
    struct cpu *cpu = state;
    return cpu->parameters[tensor].rest;
}

const struct backend cpu_backend = {
    .name = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .train = cpu_train,
    .evaluate = cpu_evaluate,
    .infer = cpu_infer,
    .set_learning_rate = cpu_set_learning_rate,
    .memory_bytes = cpu_memory_bytes,
    .get_tensor = cpu_get_tensor,
    .set_tensor = cpu_set_tensor,
    .staging = cpu_staging,
    .part_count = cpu_part_count,
    .get_part = cpu_get_part,
    .set_part = cpu_set_part,
    .scalar_count = cpu_scalar_count,
    .get_scalars = cpu_get_scalars,
    .set_scalars = cpu_set_scalars,
};
