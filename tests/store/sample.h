/* sample.h: a record with everything in it, made up by a formula, for the tests of the store. */
#ifndef JOULERY_TESTS_STORE_SAMPLE_H
#define JOULERY_TESTS_STORE_SAMPLE_H

#include "store/store.h"

/* Three channels (one inside another, one unknown in every second window), `epochs` nested windows, gaps,
 * notes, text in several scripts. Freed with record_free. */
void sample_record(struct record *record, size_t epochs, int exit_status);

/* A plan of `count` runs of factor "arch" with levels a0, a1, … a2. Freed with sample_plan_free. */
struct planned_run *sample_plan(size_t count);
void sample_plan_free(struct planned_run *plan, size_t count);

/* A study whose fingerprint is {"seed":N}. Its texts are constants: not to be freed. */
struct study_identity sample_study(int64_t seed);

#endif
