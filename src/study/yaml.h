/* yaml.h: a study file as nodes of libyaml, while it is read: what yaml.c and yaml_rules.c share. Only for
 * src/study/.
 *
 * Whatever returns -1 or NULL has set reading->error, with the line. */
#ifndef JOULERY_STUDY_YAML_H
#define JOULERY_STUDY_YAML_H

#include "study/study.h"

#include <yaml.h>

struct reading {
    struct study *study;
    yaml_document_t *document;
    struct error *error;
    /* where the key stands; 0: nowhere */
    size_t train_line, command_line, factors_line, runs_line, fixed_line, keep_line, until_line;
};

/* ---- nodes and text ---- */

size_t reading_line(const yaml_node_t *node);
/* "a list", "keys with values", "a single value" */
const char *reading_describe(const yaml_node_t *node);
yaml_node_t *reading_node(const struct reading *reading, int number);
/* The scalar's text. Everything but plain text without zero bytes is an error: `what` was expected. */
const char *reading_scalar(const struct reading *reading, const yaml_node_t *node, const char *what);
/* A copy of it, with its line. */
int reading_placed(const struct reading *reading, const yaml_node_t *node, const char *what,
                   struct study_text *text);
int reading_whole(struct reading *reading, const yaml_node_t *node, const char *what, int64_t least,
                  int64_t most, int64_t *number);
int reading_real(struct reading *reading, const yaml_node_t *node, const char *what, double least,
                 double most, double *number);
/* One of some words; `*number` is 0 for the first. */
int reading_choice(struct reading *reading, const yaml_node_t *node, const char *const *words, size_t count,
                   size_t *number);
/* Room for one more element, zeroed; NULL if memory ran out. */
void *reading_append(const struct reading *reading, void *array, size_t *count, size_t size);
/* Calls `read` for every pair of a mapping. */
int reading_pairs(struct reading *reading, const yaml_node_t *node, const char *what,
                  int (*read)(struct reading *reading, const yaml_node_t *key, const yaml_node_t *value));

/* ---- which combinations are run (yaml_rules.c) ---- */

int rules_read_exclude(struct reading *reading, const yaml_node_t *node);
int rules_read_runs(struct reading *reading, const yaml_node_t *node);
int rules_read_fixed(struct reading *reading, const yaml_node_t *node);
int rules_read_block(struct reading *reading, const yaml_node_t *node);

/* `runs:` give the study its factors and levels, in the order in which they appear. */
int rules_derive_factors(struct reading *reading);
/* That the rules fit the factors and leave at least one combination. */
int rules_check(struct reading *reading);

/* ---- what is done around a run (yaml_practice.c) ---- */

int practice_read_cooldown(struct reading *reading, const yaml_node_t *node);
int practice_read_warm_up(struct reading *reading, const yaml_node_t *node);
int practice_read_idle(struct reading *reading, const yaml_node_t *node);
int practice_read_keep(struct reading *reading, const yaml_node_t *node);
int practice_read_retries(struct reading *reading, const yaml_node_t *node);
int practice_read_until(struct reading *reading, const yaml_node_t *node);
int practice_read_budget(struct reading *reading, const yaml_node_t *node);
int practice_check(struct reading *reading);

#endif
