/* upgrade.h: stores that an earlier Joulery wrote. Only for src/store/. */
#ifndef JOULERY_STORE_UPGRADE_H
#define JOULERY_STORE_UPGRADE_H

#include "store/sql.h"

/* The oldest version that can be upgraded. */
#define UPGRADE_OLDEST 1

/* Brings a store of an earlier version up to STORE_VERSION, in one transaction. */
int upgrade_in_place(struct store *store, struct error *error);
/* Goes on with an upgraded copy in memory: for reading, which must not change the file. */
int upgrade_copy(struct store *store, struct error *error);

/* Sets application_id and user_version. */
int upgrade_stamp(struct store *store, struct error *error);

#endif
