/* when_job.h: the job that `joulery when` is asked about. */
#ifndef JOULERY_CLI_WHEN_JOB_H
#define JOULERY_CLI_WHEN_JOB_H

#include "carbon/best_start.h"

struct when_job {
    struct job job;
    bool energy_known; /* false: job's energies are proportions */
    bool estimated;    /* the energy is a model's */
    char *run;         /* "run 3 of study.db"; NULL: a job as given */
};

/* Uses its energy (0: not known) evenly. */
int when_job_even(double duration_s, double energy_j, struct when_job *when, struct error *error);

/* As long as a run that was measured, with its energy: `name` is DB:RUN (DB alone where it holds one finished
 * run), then as its power trace had it, or a file of joulery.run/1 (its name ends in .json), then evenly. */
int when_job_of_run(const char *name, struct when_job *when, struct error *error);

/* What owns nothing stays as it is. */
void when_job_free(struct when_job *when);

#endif
