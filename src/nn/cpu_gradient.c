/* Gradients between nodes, and from nodes to their parameters. */
#include "nn/cpu_lower.h"

#include <math.h>

static void run_gather(const struct step *step, void *const *data, struct pass *pass)
{
    (void)pass;
    kernel_gather_gradient(step->type, data[0], data[1], data[2], data[3], step->elements);
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
        out = add_value(l, value_layout(l, like));
    EMIT_FUNCTION(l, run_gather, ((struct step){.elements = value_elements(l, out)}), out, a, b, mask);
    return out;
}

void give_gradient(struct lowering *l, size_t node, size_t gradient)
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

size_t take_gradient(struct lowering *l, size_t node, size_t mask)
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

bool free_to_overwrite(const struct lowering *l, size_t gradient)
{
    return !l->failed && l->program->values[gradient].pending == 0;
}

bool wants_gradient(const struct lowering *l, size_t node)
{
    return l->graph->nodes[node].kind != NODE_INPUT;
}

/* What the optimiser does to a weight of 1 whose gradient is always 0. */
static void decay_rest(struct parameter *p, const struct update *update)
{
    double rate = (double)update->learning_rate, decay = (double)update->weight_decay;
    double momentum = (double)update->momentum, pull = decay * p->decay;
    if (update->kind == OPTIMIZER_ADAMW) {
        p->decay *= 1 - rate * decay;
    } else if (update->kind == OPTIMIZER_SGD) {
        p->decay_momentum = momentum * p->decay_momentum + pull;
        p->decay -= rate * (update->nesterov ? pull + momentum * p->decay_momentum : p->decay_momentum);
    }
}

/* PyTorch's clip_grad_norm_, its small number in the denominator included. */
static float clip_scale(const struct pass *pass)
{
    double scale = pass->clip_norm > 0 ? pass->clip_norm / (sqrt(pass->squares) + 1e-6) : 1;
    return scale > 1 ? 1 : (float)scale;
}

struct update begin_update(const struct parameter *p, const struct pass *pass)
{
    struct update update = pass->update;
    update.copies = (float)p->copies;
    update.gradient_scale = clip_scale(pass);
    return update;
}

void end_update(struct parameter *p, const struct update *update)
{
    if (p->rest)
        decay_rest(p, update);
}

static void run_update(const struct step *step, void *const *data, struct pass *pass)
{
    struct parameter *p = step->parameter;
    const struct update update = begin_update(p, pass);
    kernel_update(&update, data[0], data[1], p->first, p->second, p->stored_count);
    end_update(p, &update);
}

/* A layout's padding is 0, the taps left out have no gradient, and every copy has the same. */
static void run_squares(const struct step *step, void *const *data, struct pass *pass)
{
    const struct parameter *p = step->parameter;
    pass->squares += (double)p->copies * kernel_squares(data[0], p->stored_count);
}

static void emit_step_of(struct lowering *l, struct parameter *parameter, size_t gradient)
{
    EMIT_FUNCTION(l, run_update, ((struct step){.parameter = parameter}), parameter_value(l, parameter),
                  gradient);
}

void emit_update(struct lowering *l, struct parameter *parameter, size_t gradient)
{
    gradient = as_layout(l, gradient, parameter->layout);
    if (!l->late) {
        emit_step_of(l, parameter, gradient);
        return;
    }
    EMIT_FUNCTION(l, run_squares, ((struct step){.parameter = parameter}), gradient);
    l->late[l->late_count++] = (struct late_update){parameter, gradient};
}

void emit_late_updates(struct lowering *l)
{
    for (size_t i = 0; i < l->late_count && !l->failed; i++)
        emit_step_of(l, l->late[i].parameter, l->late[i].gradient);
}
