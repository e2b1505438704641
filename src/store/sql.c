#include "store/sql.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static int describe_io(struct store *store, struct error *error)
{
    int number = sqlite3_system_errno(store->database);
    return error_set(
        error,
        "%s: the database could not be written or read: %s; what is in it is safe: mend that and run "
        "the same command again",
        store->path, number ? strerror(number) : sqlite3_errmsg(store->database));
}

int sql_fail(struct store *store, struct error *error)
{
    switch (sqlite3_errcode(store->database) & 0xff) {
    case SQLITE_FULL:
        return error_set(
            error,
            "%s: the disk is full; what is in the database is safe: free some space and run the same "
            "command again",
            store->path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(error,
                         "%s: another process keeps the database locked: try again when it has finished",
                         store->path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return error_set(
            error, "%s: the database can't be written: check the permissions of the file and its folder",
            store->path);
    case SQLITE_NOTADB:
        return error_set(error, "%s: not a database: expected one that `joulery study run` wrote",
                         store->path);
    case SQLITE_CORRUPT:
        return error_set(
            error,
            "%s: the database is damaged (%s): restore a copy, or save what is left with `sqlite3 %s "
            ".recover`",
            store->path, sqlite3_errmsg(store->database), store->path);
    case SQLITE_NOMEM:
        return error_memory(error, store->path);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        return describe_io(store, error);
    default:
        return error_set(error, "%s: %s", store->path, sqlite3_errmsg(store->database));
    }
}

int sql_exec(struct store *store, const char *sql, struct error *error)
{
    return sqlite3_exec(store->database, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : sql_fail(store, error);
}

sqlite3_stmt *sql_prepare(struct store *store, const char *sql, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->database, sql, -1, &statement, NULL) != SQLITE_OK)
        sql_fail(store, error);
    return statement;
}

void sql_finalize(sqlite3_stmt **statement)
{
    sqlite3_finalize(*statement);
}

sqlite3_stmt *sql_keep(struct store *store, const char *sql, struct error *error)
{
    for (size_t i = 0; i < store->kept_count; i++)
        if (strcmp(sqlite3_sql(store->kept[i]), sql) == 0)
            return store->kept[i];
    sqlite3_stmt **grown = reallocarray(store->kept, store->kept_count + 1, sizeof *grown);
    if (!grown) {
        error_memory(error, store->path);
        return NULL;
    }
    store->kept = grown;
    grown[store->kept_count] = sql_prepare(store, sql, error);
    return grown[store->kept_count] ? grown[store->kept_count++] : NULL;
}

void sql_reset(sqlite3_stmt **statement)
{
    sqlite3_reset(*statement);
}

void sql_keep_none(struct store *store)
{
    for (size_t i = 0; i < store->kept_count; i++)
        sqlite3_finalize(store->kept[i]);
    free(store->kept);
    store->kept = NULL;
    store->kept_count = 0;
}

static int bind_text(sqlite3_stmt *statement, int parameter, const char *text)
{
    if (!text)
        return sqlite3_bind_null(statement, parameter);
    char *clean = text_utf8(text, strlen(text));
    return clean ? sqlite3_bind_text(statement, parameter, clean, -1, free) : SQLITE_NOMEM;
}

static int bind_all(struct store *store, sqlite3_stmt *statement, struct error *error, const char *types,
                    va_list values)
{
    sqlite3_reset(statement);
    for (int i = 0; types[i]; i++) {
        int result;
        if (types[i] == 'i')
            result = sqlite3_bind_int64(statement, i + 1, va_arg(values, int64_t));
        else if (types[i] == 'd')
            result = sqlite3_bind_double(statement, i + 1, va_arg(values, double));
        else
            result = bind_text(statement, i + 1, va_arg(values, const char *));
        if (result == SQLITE_NOMEM)
            return error_memory(error, store->path);
        if (result != SQLITE_OK)
            return sql_fail(store, error);
    }
    return 0;
}

int sql_step(struct store *store, sqlite3_stmt *statement, struct error *error)
{
    int result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        return 1;
    return result == SQLITE_DONE ? 0 : sql_fail(store, error);
}

static int finish(struct store *store, sqlite3_stmt *statement, struct error *error)
{
    int result;
    do
        result = sql_step(store, statement, error);
    while (result > 0);
    sqlite3_reset(statement);
    return result;
}

int sql_bind(struct store *store, sqlite3_stmt *statement, struct error *error, const char *types, ...)
{
    va_list values;
    va_start(values, types);
    int result = bind_all(store, statement, error, types, values);
    va_end(values);
    return result;
}

int sql_run(struct store *store, sqlite3_stmt *statement, struct error *error, const char *types, ...)
{
    va_list values;
    va_start(values, types);
    int result = bind_all(store, statement, error, types, values);
    va_end(values);
    return result < 0 ? -1 : finish(store, statement, error);
}

int sql_do(struct store *store, const char *sql, struct error *error, const char *types, ...)
{
    AUTO_RESET sqlite3_stmt *statement = sql_keep(store, sql, error);
    if (!statement)
        return -1;
    va_list values;
    va_start(values, types);
    int result = bind_all(store, statement, error, types, values);
    va_end(values);
    return result < 0 ? -1 : finish(store, statement, error);
}

int sql_text(sqlite3_stmt *statement, int column, char **text, struct error *error)
{
    const char *found = (const char *)sqlite3_column_text(statement, column);
    *text = found ? strdup(found) : NULL;
    if (*text || sqlite3_column_type(statement, column) == SQLITE_NULL)
        return 0;
    return error_memory(error, "text from the database");
}

int sql_begin(struct store *store, struct error *error)
{
    pthread_mutex_lock(&store->mutex);
    int result = sql_exec(store, "BEGIN IMMEDIATE", error);
    store->locked = result < 0 && (sqlite3_errcode(store->database) & 0xff) == SQLITE_BUSY;
    if (result == 0)
        return 0;
    pthread_mutex_unlock(&store->mutex);
    return -1;
}

int sql_end(struct store *store, int result, struct error *error)
{
    if (result == 0)
        result = sql_exec(store, "COMMIT", error);
    /* some failures have ended the transaction already: then this fails, and that is well */
    if (result < 0 && !sqlite3_get_autocommit(store->database))
        sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&store->mutex);
    return result < 0 ? -1 : 0;
}
