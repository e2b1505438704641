/* The state of a training, out and in: the parameters as they are kept, the optimiser's memory, counters. */
#include "nn/cpu_program.h"

#include <string.h>

/* Of the whole state: steps and the powers of the betas; of each parameter: its decay and that's momentum. */
enum { SCALARS = 3, PARAMETER_SCALARS = 2 };

static float *part_of(const struct parameter *p, enum network_part part)
{
    float *const parts[] = {
        [PART_VALUES] = p->data, [PART_FIRST] = p->first, [PART_SECOND] = p->second, [PART_REST] = p->rest};
    return parts[part];
}

size_t cpu_part_count(const void *state, size_t tensor, enum network_part part)
{
    const struct cpu *cpu = state;
    const struct parameter *p = &cpu->parameters[tensor];
    if (!part_of(p, part))
        return 0;
    return part == PART_REST ? p->count : plain_count(p);
}

int cpu_get_part(const void *state, size_t tensor, enum network_part part, float *data, struct error *error)
{
    const struct cpu *cpu = state;
    const struct parameter *p = &cpu->parameters[tensor];
    const float *kept = part_of(p, part);
    if (part == PART_REST) {
        memcpy(data, kept, p->count * sizeof *data);
        return 0;
    }
    return part == PART_VALUES ? cpu_plain_values(cpu, tensor, data, error)
                               : cpu_reorder(cpu, &p->layout, kept, &p->plain, data, error);
}

int cpu_set_part(void *state, size_t tensor, enum network_part part, const float *data, struct error *error)
{
    struct cpu *cpu = state;
    struct parameter *p = &cpu->parameters[tensor];
    float *kept = part_of(p, part);
    if (cpu_restore(cpu, error))
        return -1;
    cpu->folds_stale = cpu->remembers = true;
    if (part == PART_REST) {
        memcpy(kept, data, p->count * sizeof *data);
        return 0;
    }
    return cpu_reorder(cpu, &p->plain, data, &p->layout, kept, error);
}

size_t cpu_scalar_count(const void *state)
{
    const struct cpu *cpu = state;
    return SCALARS + PARAMETER_SCALARS * cpu->parameter_count;
}

void cpu_get_scalars(const void *state, double *scalars)
{
    const struct cpu *cpu = state;
    *scalars++ = (double)cpu->steps;
    *scalars++ = cpu->beta1_power;
    *scalars++ = cpu->beta2_power;
    for (size_t i = 0; i < cpu->parameter_count; i++) {
        *scalars++ = cpu->parameters[i].decay;
        *scalars++ = cpu->parameters[i].decay_momentum;
    }
}

void cpu_set_scalars(void *state, const double *scalars)
{
    struct cpu *cpu = state;
    cpu->steps = (uint64_t)*scalars++;
    cpu->beta1_power = *scalars++;
    cpu->beta2_power = *scalars++;
    for (size_t i = 0; i < cpu->parameter_count; i++) {
        cpu->parameters[i].decay = *scalars++;
        cpu->parameters[i].decay_momentum = *scalars++;
    }
}
