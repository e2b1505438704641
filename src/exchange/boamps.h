/* boamps.h: runs as reports in the data model of BoAmps (github.com/Boavizta/BoAmps,
 * model/report_schema.json, format version 1.1.0), in which the energy of AI tasks is published.
 *
 * A report says what the database knows of a run. What the schema requires and no database knows is asked of
 * the caller; everything else that is not known is left out. docs/json.md lists where each field comes from.
 */
#ifndef JOULERY_EXCHANGE_BOAMPS_H
#define JOULERY_EXCHANGE_BOAMPS_H

#include "exchange/export.h"
#include "record/record.h"

#include <jansson.h>
#include <stdbool.h>

#define BOAMPS_VERSION "1.1.0"

struct boamps_options {
    struct export_place place;
    /* Words of the schema; NULL: what the database knows, or the report is refused. */
    const char *task_stage;     /* "training"; known of runs with epochs and of `joulery train` */
    const char *task_family;    /* "image classification"; known of `joulery train` */
    const char *data_type;      /* "image", …; known of `joulery train` */
    const char *infrastructure; /* "onPremise", …: never known */
    const char *method;         /* "codecarbon": known of all but tables (joulery import csv) */
};

/* What is known of a run beside its record. */
struct boamps_run {
    int64_t id, repetition;
    const char *study;
    const char *factors;                         /* a JSON object */
    const char *tool, *tool_version, *gpu_model; /* of imported runs, as their file says; NULL: it does not */
    int64_t gpu_count;                           /* 0: not known */
};

/* Words that the schema does not have; `error` lists those that it has. */
int boamps_check(const struct boamps_options *options, struct error *error);

/* A new reference. NULL and `error`: the run has no energy, or something that the schema requires is not
 * known, with the option that says it. */
json_t *boamps_report(const struct record *record, const struct boamps_run *run,
                      const struct boamps_options *options, struct error *error);

struct boamps_outcome {
    size_t written, left_out; /* of the runs that are done */
    char *first_left_out;     /* which and why; NULL: none was. The caller frees it, after -1 too */
};

/* boamps-run-N.json for each run that is done, in a folder that is made if it is not there. Errors: as above,
 * for the first run, if there is none that could be written. */
int boamps_export(struct store *store, const char *folder, const struct boamps_options *options,
                  struct boamps_outcome *outcome, struct error *error);

#endif
