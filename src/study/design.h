/* design.h: from a study to its plan: every treatment once a repetition, in order of execution. The
 * treatments are all combinations of levels without those that are excluded, or those that the study lists.
 *
 * ORDER_SHUFFLED makes randomised complete blocks: a repetition is a block, in it every treatment once, in an
 * order drawn for that block from the study's seed. So what drifts slowly (temperature, neighbours) hits all
 * treatments alike, and more repetitions only add blocks at the end. With `block:` the treatments of a level
 * of that factor stay together in the repetition (a split plot), both the levels and what is within each in
 * orders drawn. ORDER_COMPLETELY_SHUFFLED is one order for all runs. */
#ifndef JOULERY_STUDY_DESIGN_H
#define JOULERY_STUDY_DESIGN_H

#include "store/store.h"
#include "study/study.h"

/* The plan in order of execution; the caller frees it with design_free. */
int design_plan(const struct study *study, struct planned_run **plan, size_t *count, struct error *error);
void design_free(struct planned_run *plan, size_t count);

/* Puts the study and the plan of its first `repetitions` into the store (store_put_study). */
int design_store(const struct study *study, int64_t repetitions, struct store *store, struct error *error);

/* The treatments as numbers of levels, [count][factor_count], in the order of the file (the last factor
 * changing fastest); the caller frees them. `levels` NULL: they are only counted. */
int design_treatments(const struct study *study, size_t **levels, size_t *count, struct error *error);

/* The seed of the workload in a repetition (from 1): below 2^31, drawn from the study's. All treatments of a
 * block share it, so that they see the same data in the same order. */
int64_t design_seed(const struct study *study, int64_t repetition);

/* What the workload of a run is made of, besides the study. */
struct design_places {
    const char *trainer; /* path of joulery-train */
    const char *scratch; /* the run's own folder */
};

/* argv of a run, NULL-terminated; the caller frees it with design_command_free. */
char **design_command(const struct study *study, const struct planned_run *run,
                      const struct design_places *places, struct error *error);
void design_command_free(char **command);

/* "arch=vgg16 size=32": the caller frees it; NULL if memory ran out. */
char *design_label(const struct planned_run *run);

#endif
