/* store.h: the database of one study: one SQLite file (WAL). schema.sql has the tables and views.
 *
 * A run is written in one transaction when it ends; its power trace in compressed blocks as they come. Killed
 * at any instant, the file opens, and a run that was under way is found and marked as cut. One process at a
 * time runs a study (store_claim); any number may read meanwhile. */
#ifndef JOULERY_STORE_STORE_H
#define JOULERY_STORE_STORE_H

#include "base/error.h"
#include "record/record.h"
#include "record/recorder.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STORE_VERSION 3

struct store;

enum store_mode { STORE_READ, STORE_WRITE }; /* STORE_WRITE creates the file where there is none */

/* Errors: no database of Joulery's, another schema version (which, and what to do), read-only, not a file. A
 * file in a folder that can't be written, or on a full disk, is still read. */
struct store *store_open(const char *path, enum store_mode mode, struct error *error);
void store_close(struct store *store);

/* ---- the study and its plan ---- */

struct plan_factor {
    char *factor;
    char *level; /* as text: "resnet18", "32" */
};

struct planned_run {
    int64_t position;   /* order of execution, from 0 */
    int64_t repetition; /* from 1 */
    struct plan_factor *factors;
    size_t factor_count;
};

/* What the store says of its study. What decides the runs is in the fingerprint; the rest may change. */
struct study_identity {
    char *name;
    char *question;    /* NULL: none */
    char *definition;  /* the file's text */
    char *fingerprint; /* a JSON object: when another comes, its members that differ are named */
    char *location;    /* NULL: none */
    double pue;        /* 0: none */
    int64_t seed;
};

/* Writes study and plan in one transaction. Into a store that has them: with the same fingerprint and the
 * same runs first, further runs are added to the plan and what the fingerprint leaves out (name, question,
 * location, …) is renewed; else -1 and an error that says what differs and what to do. */
int store_put_study(struct store *store, const struct study_identity *study, const struct planned_run *plan,
                    size_t count, struct error *error);
/* Owned by the caller, freed with study_identity_free. -1 if the store holds no study. */
int store_get_study(struct store *store, struct study_identity *study, struct error *error);
void study_identity_free(struct study_identity *study);

/* ---- runs ---- */

/* Makes this process the one that runs the study, until store_close, and marks as cut the runs that a former
 * owner left 'running' (`*cut` of them). Fails, naming its pid, while another process that lives is the
 * owner. Keeps some disk space in reserve, so that a run that has been measured can still be written when the
 * disk fills up. */
int store_claim(struct store *store, size_t *cut, struct error *error);

/* The process that runs the study now, 0 if none does (then a run that is 'running' was cut short). -1:
 * error. */
int store_owner(struct store *store, int64_t *pid, struct error *error);

/* The next planned run that has neither been done nor failed, in plan order. 1: `*next` is filled (caller
 * frees with planned_run_free); 0: none is left; -1: error. */
int store_next(struct store *store, struct planned_run *next, struct error *error);
void planned_run_free(struct planned_run *run);

/* A run with state 'running' at a planned position; fails if that has a run already, and without store_claim.
 */
int store_begin_run(struct store *store, int64_t position, int64_t *run, struct error *error);
/* Adds a block of the trace in a transaction of its own. Thread-safe against the other calls of this store.
 */
int store_add_trace(struct store *store, int64_t run, const struct trace_sample *samples, size_t count,
                    struct error *error);
/* Ends the run: everything of the record in one transaction; state done, or failed if the command's exit
 * status isn't 0. On a full disk the reserve is given up for it; store_reserve_used then says so. */
int store_end_run(struct store *store, int64_t run, const struct record *record, struct error *error);
bool store_reserve_used(const struct store *store);
/* Whether the last call that writes failed only because another process kept the database locked (10 s of
 * waiting are in it): nothing has changed, and it can be made again. */
bool store_locked(const struct store *store);
/* Ends it as cut (stopped by the user): it will be done again. */
int store_cut_run(struct store *store, int64_t run, struct error *error);
/* Adds a note to a run that has ended. */
int store_add_note(struct store *store, int64_t run, const char *note, struct error *error);
/* Marks as cut the failed runs of planned runs that were begun and ended at most `retries` times, so that
 * they are done again; `*count` of them. */
int store_retry_failed(struct store *store, int64_t retries, size_t *count, struct error *error);
/* Marks all failed runs as cut, so that they are done again; `*count` of them. */
int store_redo_failed(struct store *store, size_t *count, struct error *error);

struct store_counts {
    size_t planned, done, failed, cut, running;
    double expected_s; /* sum over what is left of the mean wall_s of runs with the same levels, or of all; 0:
                          not known */
};
int store_count(struct store *store, struct store_counts *counts, struct error *error);

/* ---- what comes afterwards ---- */

/* A channel that is laid over runs after they have ended. All between begin and end is one transaction, which
 * end commits if `result` is 0 and else takes back; nothing that was measured is touched. */
int store_begin_overlay(struct store *store, struct error *error);
/* record->channels[channel] with its energies and gaps, in the place of an earlier channel of its meter and
 * name, which had the same position; the windows' hardware totals, anew; and a note, `note_start` and `note`,
 * in the place of those that begin with `note_start`. */
int store_overlay(struct store *store, int64_t run, const struct record *record, size_t channel,
                  const char *note_start, const char *note, struct error *error);
/* Returns 0 or -1. */
int store_end_overlay(struct store *store, int result, struct error *error);

/* ---- reading ---- */

/* A run that has ended, as store_end_run was given it. The caller frees it with record_free. */
int store_read_record(struct store *store, int64_t run, struct record *record, struct error *error);

/* What is known of a run without reading its record. Valid during the call only. */
struct run_line {
    int64_t run, position, repetition;
    const char *state;   /* "done", … */
    const char *factors; /* a JSON object */
    const char *ended;   /* "exited", "signalled", "not started"; NULL before it ended */
    int exit_status;
    double wall_s;
    const char *output_tail; /* NULL: none */
    bool disturbed;          /* other load took much of the machine's time: one of its notes says so */
};

/* What notes begin with that are of one kind: the first makes a run disturbed, the others are of interest for
 * one run, not for all together. */
#define STORE_DISTURBED       "disturbed: "
#define STORE_DISTURBED_SHARE STORE_DISTURBED "other programs took about " /* "30 % of …" */
#define STORE_BEFORE_RUN      "before this run: "
#define STORE_ENVIRONMENT     "environment: "

/* Calls `row` for each run in the order they were begun. -1 from `row` stops (and is no error). */
int store_list_runs(struct store *store, int (*row)(void *context, const struct run_line *run), void *context,
                    struct error *error);

/* Calls `row` for each trace sample of a run, in the order they were added: a channel's are in time order. -1
 * from `row` stops (and is no error). */
int store_read_trace(struct store *store, int64_t run,
                     int (*row)(void *context, const struct trace_sample *sample), void *context,
                     struct error *error);

/* For rooms that ask their own questions (report, study): the handle, to prepare statements on the tables and
 * views. Owned by the store. */
struct sqlite3 *store_database(struct store *store);

#endif
