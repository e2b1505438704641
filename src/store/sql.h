/* sql.h: the store's own half: SQLite with our errors, and parameters bound in one call. Only for src/store/.
 */
#ifndef JOULERY_STORE_SQL_H
#define JOULERY_STORE_SQL_H

#include "store/store.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>

#define STORE_APPLICATION_ID 0x4a6f756c /* "Joul" */

struct store {
    sqlite3 *database;
    char *path;
    bool claimed;
    bool reserve_used;
    bool locked;         /* the last store_end_run failed because another process held the lock */
    int reserve;         /* an unlinked file that holds disk space, -1: none */
    sqlite3_stmt **kept; /* statements that are used again and again, see sql_keep */
    size_t kept_count;
    pthread_mutex_t mutex; /* one transaction at a time: the sampler's thread adds traces */
};

/* The last failure of the database, as a message that says what to do. Always returns -1. */
int sql_fail(struct store *store, struct error *error);

/* Statements without parameters. */
int sql_exec(struct store *store, const char *sql, struct error *error);

sqlite3_stmt *sql_prepare(struct store *store, const char *sql, struct error *error);
void sql_finalize(sqlite3_stmt **statement);
#define AUTO_STATEMENT __attribute__((cleanup(sql_finalize)))

/* The same of a statement that the store owns and gives again for the same text: a run takes some twenty, and
 * parsing them takes longer than running them. It is in use until the next call with that text, and must be
 * reset after use. For texts that are constants; not for store_add_trace, which another thread calls. */
sqlite3_stmt *sql_keep(struct store *store, const char *sql, struct error *error);
void sql_reset(sqlite3_stmt **statement);
#define AUTO_RESET __attribute__((cleanup(sql_reset)))
/* Finalizes all that were kept. */
void sql_keep_none(struct store *store);

/* Binds from the first parameter on, a letter of `types` each: i int64_t, d double (NAN: NULL), t const char
 * * (NULL: NULL; what is not UTF-8 is replaced). Resets the statement first. */
int sql_bind(struct store *store, sqlite3_stmt *statement, struct error *error, const char *types, ...);
/* sql_bind, then all steps: for statements that return no rows. */
int sql_run(struct store *store, sqlite3_stmt *statement, struct error *error, const char *types, ...);
/* sql_keep, sql_run. */
int sql_do(struct store *store, const char *sql, struct error *error, const char *types, ...);

/* 1: a row; 0: no more; -1: error. */
int sql_step(struct store *store, sqlite3_stmt *statement, struct error *error);
/* A new string of a column; NULL for NULL. -1 only if memory ran out. */
int sql_text(sqlite3_stmt *statement, int column, char **text, struct error *error);

/* A transaction that writes. The lock is the store's mutex, held from begin to commit or rollback. */
int sql_begin(struct store *store, struct error *error);
/* Commits if result is 0, else rolls back; returns 0 or -1. */
int sql_end(struct store *store, int result, struct error *error);

#endif
