/* practice.h: what a study does around its runs so that they can be compared, and what it notes of them:
 * the machine at rest, cool-downs, its state, other load, the revision of the workload. docs/studies.md has
 * the reasons. */
#ifndef JOULERY_STUDY_PRACTICE_H
#define JOULERY_STUDY_PRACTICE_H

#include "store/store.h"
#include "study/rest.h"
#include "study/study.h"

struct practice {
    const struct study *study;
    struct rest_options options;
    void (*tell)(void *context, const char *line); /* a line for the user; `options.context` */
    struct rest rest;
    char *revision, *environment; /* NULL: not known */
    char **notes;                 /* for the run that comes */
    size_t note_count;
    char **told; /* warnings, each once */
    size_t told_count;
    int64_t last_run; /* the last that was stored since practice_begin; -1: none */
};

/* Measures the machine at rest if the study says so. `study`, `options` and `tell` are borrowed. -1 and
 * `error` also when stopped; practice_end frees what there is either way. */
int practice_begin(struct practice *practice, const struct study *study, const struct rest_options *options,
                   void (*tell)(void *context, const char *line), struct error *error);

/* A note for the next run; takes it over. */
void practice_note(struct practice *practice, char *note);

/* Waits for the cool-down, then looks at the machine: right before a run. */
int practice_before(struct practice *practice, bool cool_down, struct error *error);

/* Gives a run that has ended its notes, and the machine at rest for its energies above idle. */
int practice_after(struct practice *practice, struct record *record, struct error *error);

/* Measures the machine at rest again, and notes how it compares with the last run. */
int practice_conclude(struct practice *practice, struct store *store, struct error *error);

void practice_end(struct practice *practice);

#endif
