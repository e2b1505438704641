/* import.h: runs that other tools measured, in a store of their own.
 *
 * Between store_import_begin and store_import_end lies one transaction: a failed import changes nothing. */
#ifndef JOULERY_STORE_IMPORT_H
#define JOULERY_STORE_IMPORT_H

#include "store/store.h"

/* A figure or a word as the file has it, under the file's name for it. */
struct imported_value {
    char *name, *value;
};

struct imported_run {
    struct record record; /* source is set, the end is an exit with status 0 */
    const char *tool;     /* whose file it is: "codecarbon" */
    struct imported_value *values;
    size_t value_count;
};

/* Frees the record and the values. */
void imported_run_free(struct imported_run *run);

/* Begins an import into a store that is empty or holds imported runs; an empty one becomes a study called
 * `name`. Errors: the store holds a study that was run, or another process writes. */
int store_import_begin(struct store *store, const char *name, struct error *error);
/* Commits if `result` is 0, else nothing has happened; returns 0 or -1. */
int store_import_end(struct store *store, int result, struct error *error);

/* Where the next run with some factors goes. */
struct import_place {
    int64_t position, repetition;
};

/* Behind all runs of the plan, under the repetition that follows those of the same factors. Errors: other
 * factors than the runs before. */
int store_import_place(struct store *store, const struct plan_factor *factors, size_t factor_count,
                       struct import_place *place, struct error *error);
/* Adds a run there, with these factors in this order, and moves the place on to the next. */
int store_import_run(struct store *store, const struct imported_run *run, const struct plan_factor *factors,
                     size_t factor_count, struct import_place *place, int64_t *id, struct error *error);

/* The latest run whose file says `value` under `name` and, unless `also` is NULL, `also_value` under `also`;
 * 0 if there is none. */
int store_imported_find(struct store *store, const char *tool, const char *name, const char *value,
                        const char *also, const char *also_value, int64_t *run, struct error *error);

/* The imported run that the file it came from calls `name` (CodeCarbon's run_id, others' id), or whose number
 * that is. Errors: none, or several. */
int store_import_named(struct store *store, const char *name, int64_t *run, struct error *error);
/* The one imported run with these levels (others may differ) and that repetition. Errors: none, or several.
 */
int store_import_which(struct store *store, const struct plan_factor *factors, size_t factor_count,
                       int64_t repetition, int64_t *run, struct error *error);
/* Replaces channels, windows and notes of an imported run by those of `changed`, its record with something
 * more in it, and adds what the further file says. */
int store_import_amend(struct store *store, int64_t run, const struct imported_run *changed,
                       struct error *error);

#endif
