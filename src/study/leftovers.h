/* leftovers.h: the processes that a run leaves behind when its study is killed. The kernel ends the run's own
 * process with the study (recorder.h), but not what that one started; it would disturb every measurement that
 * comes after.
 *
 * The processes of a run are known by their environment: JOULERY_RUN is "DATABASE:RUN", with the database's
 * absolute path and the run's number in it. */
#ifndef JOULERY_STUDY_LEFTOVERS_H
#define JOULERY_STUDY_LEFTOVERS_H

#include "store/store.h"

#include <stdio.h>

/* In the place of a run's number: the warm-up, which is no run of the store's. */
#define LEFTOVERS_WARM_UP 0

/* Marks what this process starts from now on as part of the run. Changes the environment: call it while there
 * is one thread. */
int leftovers_mark(const char *database, int64_t run, struct error *error);

/* Ends the processes of the last run if that was cut, and those of a warm-up: SIGTERM, after 2 s SIGKILL.
 * Only processes of our own user, and none if we are part of that run ourselves. A line on `talk` names those
 * that were there. For after store_claim, which makes sure that no study is running on the database. */
int leftovers_end(struct store *store, const char *database, FILE *talk, struct error *error);

#endif
