/* What an inference computes with: weights with the batch normalisation after them folded in (with moving
 * statistics it only scales and shifts each channel, scale = weight / sqrt(variance + epsilon)), rounded
 * where activations are.
 *
 * Folded weights in float tell the weights they came from but for the last place: divided by the scale again
 * they are them or one of their two neighbours. Which one is kept, in two bits a weight, and the memory of
 * the weights themselves is given back to the system. */
#include "nn/cpu_program.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The batch normalisation that is the only reader of the node; 0: something else reads it. */
static size_t norm_after(const struct graph *graph, size_t node)
{
    size_t readers = 0, last = 0;
    for (size_t i = node + 1; i < graph->count; i++) {
        for (size_t k = 0; k < graph->nodes[i].input_count; k++) {
            if (graph->nodes[i].inputs[k] != node)
                continue;
            readers++;
            last = i;
        }
    }
    return readers == 1 && graph->nodes[last].kind == NODE_BATCH_NORM ? last : 0;
}

void cpu_find_folds(struct cpu *cpu)
{
    for (size_t i = 0; i < cpu->graph->count; i++) {
        struct folded *folded = &cpu->folded[i];
        bool convolution = cpu->graph->nodes[i].kind == NODE_CONVOLUTION;
        if (!convolution && cpu->graph->nodes[i].kind != NODE_DENSE)
            continue;
        folded->norm = convolution ? norm_after(cpu->graph, i) : 0;
        folded->used = folded->norm || cpu->type != dnnl_f32;
        if (!folded->used)
            continue;
        struct parameter *own = &cpu->parameters[cpu->first_parameter[i]];
        folded->weights = *own;
        folded->weights.form = FORM_WHOLE;
        if (folded->norm)
            folded->bias = cpu->parameters[cpu->first_parameter[folded->norm] + TENSOR_BIAS];
        own->decided = true;
        own->layout = own->plain;
    }
}

/* weights: (channels, row), plain. */
struct fold {
    const float *weights, *bias; /* bias may be NULL */
    const float *scale, *shift, *mean, *variance;
    size_t channels, row;
    double epsilon;
};

static struct fold fold_of(const struct cpu *cpu, size_t node)
{
    const struct folded *folded = &cpu->folded[node];
    const struct parameter *own = &cpu->parameters[cpu->first_parameter[node]];
    const struct parameter *norm = &cpu->parameters[cpu->first_parameter[folded->norm]];
    const struct node *nodes = cpu->graph->nodes;
    size_t channels = nodes[node].shape.channels;
    return (struct fold){.weights = own->data,
                         .bias = nodes[node].convolution.bias ? own[TENSOR_BIAS].data : NULL,
                         .scale = norm[TENSOR_WEIGHT].data,
                         .shift = norm[TENSOR_BIAS].data,
                         .mean = norm[TENSOR_RUNNING_MEAN].data,
                         .variance = norm[TENSOR_RUNNING_VAR].data,
                         .channels = channels,
                         .row = plain_count(own) / channels,
                         .epsilon = nodes[folded->norm].normalisation.epsilon};
}

static double scale_of(const struct fold *f, size_t channel)
{
    return (double)f->scale[channel] / sqrt((double)f->variance[channel] + f->epsilon);
}

static void fold(const struct fold *f, float *weights, float *bias)
{
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < f->channels; c++) {
        double scale = scale_of(f, c);
        double own = f->bias ? (double)f->bias[c] : 0;
        bias[c] = (float)((own - (double)f->mean[c]) * scale + (double)f->shift[c]);
        for (size_t k = 0; k < f->row; k++)
            weights[c * f->row + k] = (float)(scale * (double)f->weights[c * f->row + k]);
    }
}

/* ---- the way back ---- */

/* Fewer floats than this are not worth giving back. */
enum { RELEASE_LEAST = 65536 };

/* Channels whose last places one thread writes: no two threads share a byte. */
enum { LAST_PLACES_A_BYTE = 4 };

static int32_t bits_of(float value)
{
    int32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The neighbour so many last places away, in the direction away from 0. */
static float neighbour(float value, int places)
{
    int32_t bits = bits_of(value) + places;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float divided(float folded, double scale)
{
    return (float)((double)folded / scale);
}

/* last_places: of every weight, in order. False: one can't be told from its folded self. */
static bool find_last_places(const struct fold *f, const float *folded, uint8_t *last_places)
{
    size_t count = f->channels * f->row, bytes = (count + LAST_PLACES_A_BYTE - 1) / LAST_PLACES_A_BYTE;
    bool lost = false;
#pragma omp parallel for schedule(static) reduction(|| : lost)
    for (size_t b = 0; b < bytes; b++) {
        unsigned byte = 0;
        for (size_t i = b * LAST_PLACES_A_BYTE; i < count && i < (b + 1) * LAST_PLACES_A_BYTE; i++) {
            float back = divided(folded[i], scale_of(f, i / f->row));
            int64_t places = (int64_t)bits_of(f->weights[i]) - bits_of(back);
            lost = lost || places < -1 || places > 1;
            byte |= (unsigned)(places + 1) % 4 << i % LAST_PLACES_A_BYTE * 2;
        }
        last_places[b] = (uint8_t)byte;
    }
    return !lost;
}

/* Gives the whole pages of a parameter's floats back; what is read of them now is 0. */
static void release(const struct parameter *p)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uintptr_t begin = ((uintptr_t)p->data + page - 1) / page * page;
    uintptr_t end = (uintptr_t)(p->data + p->stored_count) / page * page;
    if (end > begin)
        madvise((void *)begin, end - begin, MADV_DONTNEED);
}

/* Without memory for the last places, or where they don't tell, the weights stay. */
static void try_release(struct cpu *cpu, size_t node, const float *folded)
{
    struct folded *to = &cpu->folded[node];
    const struct fold f = fold_of(cpu, node);
    size_t count = f.channels * f.row;
    if (cpu->type != dnnl_f32 || count < RELEASE_LEAST)
        return;
    if (!to->last_places)
        to->last_places = malloc((count + LAST_PLACES_A_BYTE - 1) / LAST_PLACES_A_BYTE);
    to->released = to->last_places && find_last_places(&f, folded, to->last_places);
    if (to->released)
        release(&cpu->parameters[cpu->first_parameter[node]]);
}

static const struct folded *released(const struct cpu *cpu, size_t tensor)
{
    const struct tensor *t = &cpu->tensors[tensor];
    const struct folded *folded = &cpu->folded[t->node];
    return t->role == TENSOR_WEIGHT && folded->released ? folded : NULL;
}

int cpu_plain_values(const struct cpu *cpu, size_t tensor, float *plain, struct error *error)
{
    const struct parameter *p = &cpu->parameters[tensor];
    const struct folded *from = released(cpu, tensor);
    if (!from)
        return cpu_reorder(cpu, &p->layout, p->data, &p->plain, plain, error);
    const struct fold f = fold_of(cpu, cpu->tensors[tensor].node);
    if (cpu_reorder(cpu, &from->weights.layout, from->weights.data, &p->plain, plain, error))
        return -1;
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < f.channels; c++) {
        double scale = scale_of(&f, c);
        for (size_t i = c * f.row; i < (c + 1) * f.row; i++) {
            int places = from->last_places[i / LAST_PLACES_A_BYTE] >> i % LAST_PLACES_A_BYTE * 2 & 3;
            plain[i] = neighbour(divided(plain[i], scale), places - 1);
        }
    }
    return 0;
}

int cpu_restore(struct cpu *cpu, struct error *error)
{
    for (size_t i = 0; i < cpu->parameter_count; i++) {
        struct folded *folded = &cpu->folded[cpu->tensors[i].node];
        if (!released(cpu, i))
            continue;
        if (cpu_plain_values(cpu, i, cpu->parameters[i].data, error))
            return -1;
        folded->released = false;
    }
    return 0;
}

static int fold_node(struct cpu *cpu, size_t node, struct error *error)
{
    struct folded *folded = &cpu->folded[node];
    const struct parameter *own = &cpu->parameters[cpu->first_parameter[node]];
    if (!folded->norm)
        return cpu_reorder(cpu, &own->layout, own->data, &folded->weights.layout, folded->weights.data,
                           error);
    const struct fold f = fold_of(cpu, node);
    float *weights = malloc(plain_count(own) * sizeof *weights);
    if (!weights)
        return error_memory(error, cpu->graph->nodes[node].name);
    fold(&f, weights, folded->bias.data);
    int result = cpu_reorder(cpu, &own->plain, weights, &folded->weights.layout, folded->weights.data, error);
    if (result == 0)
        try_release(cpu, node, weights);
    free(weights);
    return result;
}

int cpu_fold(struct cpu *cpu, struct error *error)
{
    if (cpu->folds_stale && cpu_restore(cpu, error))
        return -1;
    for (size_t i = 0; cpu->folds_stale && i < cpu->graph->count; i++)
        if (cpu->folded[i].used && fold_node(cpu, i, error))
            return -1;
    cpu->folds_stale = false;
    return 0;
}
