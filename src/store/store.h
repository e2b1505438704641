/* store.h: the database of one study: one SQLite file (WAL). schema.sql has the tables and views.
 *
 * A run is written in one transaction when it ends; its power trace in compressed blocks as they come. Killed at
 * any instant, the file opens, and a run that was under way is found and marked as cut. */
#ifndef JOULERY_STORE_STORE_H
#define JOULERY_STORE_STORE_H

#include "base/error.h"
#include "record/record.h"
#include "record/recorder.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_VERSION 1

struct store;

enum store_mode { STORE_READ, STORE_WRITE }; /* STORE_WRITE creates the file where there is none */

/* Errors: no database of Joulery's, another schema version (which, and what to do), read-only, not a file. */
struct store *store_open(const char *path, enum store_mode mode, struct error *error);
void store_close(struct store *store);

/* ---- the study and its plan ---- */

struct plan_factor {
    char *factor;
    char *level; /* as text: "resnet18", "32" */
};

struct planned_run {
    int64_t position; /* order of execution, from 0 */
    int64_t repetition; /* from 1 */
    struct plan_factor *factors;
    size_t factor_count;
};

struct study_identity {
    char *name;
    char *definition;  /* the file's text */
    char *fingerprint;
    int64_t seed;
};

/* Writes study and plan into a new store in one transaction. In a store that has them: 0 if the fingerprint is
 * the same, else -1 and an error that says what to do. */
int store_put_study(struct store *store, const struct study_identity *study, const struct planned_run *plan,
                    size_t count, struct error *error);
/* Owned by the caller, freed with study_identity_free. -1 if the store holds no study. */
int store_get_study(struct store *store, struct study_identity *study, struct error *error);
void study_identity_free(struct study_identity *study);

/* ---- runs ---- */

/* Marks as cut every run that is 'running' and whose owner is no more. `*cut` says how many. A run whose owner
 * lives is left alone; then `*busy_pid` is that owner, else 0. */
int store_recover(struct store *store, size_t *cut, int64_t *busy_pid, struct error *error);

/* The next planned run that has neither been done nor failed, in plan order. 1: `*next` is filled (caller frees with
 * planned_run_free); 0: none is left; -1: error. */
int store_next(struct store *store, struct planned_run *next, struct error *error);
void planned_run_free(struct planned_run *run);

/* Claims a position: a run with state 'running' owned by this process. Fails if another process has it. */
int store_begin_run(struct store *store, int64_t position, int64_t *run, struct error *error);
/* Adds a block of the trace in a transaction of its own. Thread-safe against the other calls of this store. */
int store_add_trace(struct store *store, int64_t run, const struct trace_sample *samples, size_t count,
                    struct error *error);
/* Ends the run: everything of the record in one transaction; state done, or failed if the command's exit status isn't 0.
 * store_cut_run ends it as cut (stopped by the user): it will be done again. */
int store_end_run(struct store *store, int64_t run, const struct record *record, struct error *error);
int store_cut_run(struct store *store, int64_t run, struct error *error);

struct store_counts {
    size_t planned, done, failed, cut, running;
    double mean_wall_s; /* of the runs done; 0 if none */
};
int store_count(struct store *store, struct store_counts *counts, struct error *error);

/* ---- reading ---- */

/* Calls `row` for each trace sample of a run, in time order. -1 from `row` stops (and is no error). */
int store_read_trace(struct store *store, int64_t run,
                     int (*row)(void *context, const struct trace_sample *sample), void *context,
                     struct error *error);

/* For rooms that ask their own questions (report, study): the handle, to prepare statements on the tables and
 * views. Owned by the store. */
struct sqlite3 *store_database(struct store *store);

#endif
