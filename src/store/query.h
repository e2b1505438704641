/* query.h: reading a store by SQL of one's own: for the report, the audit and the like. */
#ifndef JOULERY_STORE_QUERY_H
#define JOULERY_STORE_QUERY_H

#include "base/error.h"

#include <sqlite3.h>

void query_finalize(sqlite3_stmt **query);
#define AUTO_QUERY __attribute__((cleanup(query_finalize)))

/* `database` is store_database's. NULL and `error` if it can't be asked that. */
sqlite3_stmt *query_prepare(sqlite3 *database, const char *sql, struct error *error);
/* 1: a row; 0: no more; -1. */
int query_step(sqlite3_stmt *query, struct error *error);
/* NULL is NAN. */
double query_number(sqlite3_stmt *query, int column);
/* A new string, "" for NULL. NULL if memory ran out. */
char *query_text(sqlite3_stmt *query, int column);

#endif
