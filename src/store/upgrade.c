#include "store/upgrade.h"

#include "base/text.h"

extern const unsigned char store_upgrade[], store_views[];

int upgrade_stamp(struct store *store, struct error *error)
{
    AUTO_FREE char *versions = text_format("PRAGMA application_id = %d; PRAGMA user_version = %d",
                                           STORE_APPLICATION_ID, STORE_VERSION);
    return versions ? sql_exec(store, versions, error) : error_memory(error, store->path);
}

static int upgrade(struct store *store, struct error *error)
{
    if (sql_exec(store, (const char *)store_upgrade, error) < 0 ||
        sql_exec(store, (const char *)store_views, error) < 0)
        return -1;
    return upgrade_stamp(store, error);
}

/* Another process may have been first: whether it was is known under the lock alone. */
static int still_old(struct store *store, struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *version = sql_prepare(store, "PRAGMA user_version", error);
    if (!version || sql_step(store, version, error) < 0)
        return -1;
    return sqlite3_column_int64(version, 0) < STORE_VERSION;
}

int upgrade_in_place(struct store *store, struct error *error)
{
    if (sql_begin(store, error) < 0)
        return -1;
    int result = still_old(store, error);
    if (result > 0)
        result = upgrade(store, error);
    return sql_end(store, result, error);
}

int upgrade_copy(struct store *store, struct error *error)
{
    sqlite3 *copy = NULL;
    int code = sqlite3_open_v2(":memory:", &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, NULL);
    sqlite3_backup *backup =
        code == SQLITE_OK ? sqlite3_backup_init(copy, "main", store->database, "main") : NULL;
    code = backup ? sqlite3_backup_step(backup, -1) : SQLITE_NOMEM;
    if (backup)
        sqlite3_backup_finish(backup);
    if (code != SQLITE_DONE) {
        sqlite3_close(copy);
        return error_set(error, "%s: cannot be read into memory to bring it up to date: %s", store->path,
                         sqlite3_errstr(code));
    }
    sqlite3_close(store->database);
    store->database = copy;
    return upgrade(store, error);
}
