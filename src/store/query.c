#include "store/query.h"

#include <math.h>
#include <string.h>

void query_finalize(sqlite3_stmt **query)
{
    sqlite3_finalize(*query);
}

sqlite3_stmt *query_prepare(sqlite3 *database, const char *sql, struct error *error)
{
    sqlite3_stmt *query = NULL;
    if (sqlite3_prepare_v2(database, sql, -1, &query, NULL) != SQLITE_OK)
        error_set(error, "the database can't be asked: %s", sqlite3_errmsg(database));
    return query;
}

int query_step(sqlite3_stmt *query, struct error *error)
{
    int code = sqlite3_step(query);
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return code == SQLITE_ROW;
    return error_set(error, "the database can't be read: %s", sqlite3_errmsg(sqlite3_db_handle(query)));
}

double query_number(sqlite3_stmt *query, int column)
{
    return sqlite3_column_type(query, column) == SQLITE_NULL ? NAN : sqlite3_column_double(query, column);
}

char *query_text(sqlite3_stmt *query, int column)
{
    const char *text = (const char *)sqlite3_column_text(query, column);
    return strdup(text ? text : "");
}
