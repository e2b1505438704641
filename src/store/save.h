/* save.h: a record into rows, within a transaction of the caller's. Only for src/store/. */
#ifndef JOULERY_STORE_SAVE_H
#define JOULERY_STORE_SAVE_H

#include "store/sql.h"

/* All of a record into the run, which must be 'running': it is then done or failed. */
int save_record(struct store *store, int64_t run, const struct record *record, struct error *error);
/* Channels, windows, gaps and notes alone, into a run that has none. */
int save_parts(struct store *store, int64_t run, const struct record *record, struct error *error);

#endif
