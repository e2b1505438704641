#include "store/upgrade.h"

#include "base/text.h"

extern const unsigned char store_upgrade_1[], store_upgrade_2[], store_views[];

int upgrade_stamp(struct store *store, struct error *error)
{
    AUTO_FREE char *versions = text_format("PRAGMA application_id = %d; PRAGMA user_version = %d",
                                           STORE_APPLICATION_ID, STORE_VERSION);
    return versions ? sql_exec(store, versions, error) : error_memory(error, store->path);
}

static int64_t read_version(struct store *store, struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *version = sql_prepare(store, "PRAGMA user_version", error);
    if (!version || sql_step(store, version, error) < 0)
        return -1;
    return sqlite3_column_int64(version, 0);
}

/* Another process may have been first: the version is what it is under the lock. */
static int upgrade(struct store *store, struct error *error)
{
    static const unsigned char *const steps[STORE_VERSION] = {[1] = store_upgrade_1, [2] = store_upgrade_2};
    int64_t version = read_version(store, error);
    if (version < 0 || version >= STORE_VERSION)
        return version < 0 ? -1 : 0;
    for (; version < STORE_VERSION; version++)
        if (sql_exec(store, (const char *)steps[version], error) < 0)
            return -1;
    if (sql_exec(store, (const char *)store_views, error) < 0)
        return -1;
    return upgrade_stamp(store, error);
}

/* A table that others refer to can only be replaced while they are not looked after, and that can't be said
 * within a transaction. */
int upgrade_in_place(struct store *store, struct error *error)
{
    if (sql_exec(store, "PRAGMA foreign_keys = OFF", error) < 0 || sql_begin(store, error) < 0)
        return -1;
    if (sql_end(store, upgrade(store, error), error) < 0)
        return -1;
    return sql_exec(store, "PRAGMA foreign_keys = ON", error);
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
    if (sql_exec(store, "PRAGMA foreign_keys = OFF", error) < 0)
        return -1;
    return upgrade(store, error);
}
