/* What an inference computes with: weights with the batch normalisation after them folded in (with moving
 * statistics it only scales and shifts each channel, scale = weight / sqrt(variance + epsilon)), rounded
 * where activations are. */
#include "nn/cpu_program.h"

#include <math.h>
#include <stdlib.h>

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

static void fold(const struct fold *f, float *weights, float *bias)
{
#pragma omp parallel for schedule(static)
    for (size_t c = 0; c < f->channels; c++) {
        double scale = (double)f->scale[c] / sqrt((double)f->variance[c] + f->epsilon);
        double own = f->bias ? (double)f->bias[c] : 0;
        bias[c] = (float)((own - (double)f->mean[c]) * scale + (double)f->shift[c]);
        for (size_t k = 0; k < f->row; k++)
            weights[c * f->row + k] = (float)(scale * (double)f->weights[c * f->row + k]);
    }
}

static int fold_node(struct cpu *cpu, size_t node, struct error *error)
{
    struct folded *folded = &cpu->folded[node];
    const struct parameter *own = &cpu->parameters[cpu->first_parameter[node]];
    if (!folded->norm)
        return cpu_reorder(cpu, &own->layout, own->data, &folded->weights.layout, folded->weights.data,
                           error);
    const struct parameter *norm = &cpu->parameters[cpu->first_parameter[folded->norm]];
    const struct node *nodes = cpu->graph->nodes;
    size_t count = plain_count(own), channels = nodes[node].shape.channels;
    float *weights = malloc(count * sizeof *weights);
    if (!weights)
        return error_memory(error, nodes[node].name);
    fold(&(struct fold){.weights = own->data,
                        .bias = nodes[node].convolution.bias ? own[TENSOR_BIAS].data : NULL,
                        .scale = norm[TENSOR_WEIGHT].data,
                        .shift = norm[TENSOR_BIAS].data,
                        .mean = norm[TENSOR_RUNNING_MEAN].data,
                        .variance = norm[TENSOR_RUNNING_VAR].data,
                        .channels = channels,
                        .row = count / channels,
                        .epsilon = nodes[folded->norm].normalisation.epsilon},
         weights, folded->bias.data);
    int result = cpu_reorder(cpu, &own->plain, weights, &folded->weights.layout, folded->weights.data, error);
    free(weights);
    return result;
}

int cpu_fold(struct cpu *cpu, struct error *error)
{
    for (size_t i = 0; cpu->folds_stale && i < cpu->graph->count; i++)
        if (cpu->folded[i].used && fold_node(cpu, i, error))
            return -1;
    cpu->folds_stale = false;
    return 0;
}
