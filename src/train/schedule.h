/* schedule.h: the learning rate as training goes on, as PyTorch's schedulers in closed form give it.
 *
 * The rate changes from epoch to epoch, or from step to step; "unit" is one of these, counted from 0.
 *   warm-up    LinearLR: from warmup_start times the rate in unit 0, in equal steps to the rate in unit
 * `warmup` constant   the rate step       StepLR: the rate times gamma for every `step` units since the
 * warm-up cosine     CosineAnnealingLR: from the rate after the warm-up by half a cosine towards `least`,
 * which the unit after the last would have in the order that SequentialLR gives them. */
#ifndef JOULERY_TRAIN_SCHEDULE_H
#define JOULERY_TRAIN_SCHEDULE_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum schedule_kind { SCHEDULE_CONSTANT, SCHEDULE_STEP, SCHEDULE_COSINE };

struct schedule {
    enum schedule_kind kind;
    double rate;
    bool per_step;       /* units are steps, not epochs */
    uint64_t step;       /* SCHEDULE_STEP: units */
    double gamma, least; /* SCHEDULE_STEP; SCHEDULE_COSINE */
    uint64_t warmup;     /* units; 0: none */
    double warmup_start; /* part of the rate, 0 to 1 */
};

/* "constant", "step", "cosine", in the order of the kinds; `*count` of them. Static. */
const char *const *schedule_names(size_t *count);
/* Whether the rate ever changes. */
bool schedule_varies(const struct schedule *schedule);
/* -1: a figure out of range, or a warm-up that doesn't end within `units` (all there are at the most). */
int schedule_check(const struct schedule *schedule, uint64_t units, struct error *error);
/* In unit `at` of `units`. */
double schedule_rate(const struct schedule *schedule, uint64_t at, uint64_t units);

#endif
