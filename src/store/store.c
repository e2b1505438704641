/* Opening, and who owns the study. */
#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "store/sql.h"
#include "store/upgrade.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUSY_MS       10000
#define RESERVE_BYTES (2 << 20)

extern const unsigned char store_schema[], store_views[];

static int read_pragma(struct store *store, const char *sql, int64_t *number, struct error *error)
{
    AUTO_STATEMENT sqlite3_stmt *statement = sql_prepare(store, sql, error);
    if (!statement || sql_step(store, statement, error) < 0)
        return -1;
    *number = sqlite3_column_int64(statement, 0);
    return 0;
}

enum { VERSION_OURS, VERSION_EMPTY, VERSION_EARLIER };

/* Which of these; -1: something else. */
static int check_version(struct store *store, struct error *error)
{
    int64_t application = 0, version = 0, objects = 0;
    if (read_pragma(store, "PRAGMA application_id", &application, error) < 0 ||
        read_pragma(store, "PRAGMA user_version", &version, error) < 0 ||
        read_pragma(store, "SELECT count(*) FROM sqlite_master", &objects, error) < 0)
        return -1;
    if (application == 0 && version == 0 && objects == 0)
        return VERSION_EMPTY;
    if (application != STORE_APPLICATION_ID)
        return error_set(
            error, "%s: an SQLite database, but not one of Joulery's: nothing was changed; give another file",
            store->path);
    if (version == STORE_VERSION)
        return VERSION_OURS;
    if (version >= UPGRADE_OLDEST && version < STORE_VERSION)
        return VERSION_EARLIER;
    return error_set(error,
                     "%s: the database has schema version %lld, this is Joulery " JOULERY_VERSION
                     " with schema version %d: %s",
                     store->path, (long long)version, STORE_VERSION,
                     version > STORE_VERSION
                         ? "use the newer Joulery that wrote it"
                         : "use the Joulery that wrote it, or run the study into a new file");
}

static int create_tables(struct store *store, struct error *error)
{
    if (sql_exec(store, "PRAGMA journal_mode = WAL", error) < 0 || sql_begin(store, error) < 0)
        return -1;
    /* another process may have been first */
    int result = check_version(store, error);
    if (result == VERSION_EMPTY) {
        result = sql_exec(store, (const char *)store_schema, error);
        if (result == 0)
            result = sql_exec(store, (const char *)store_views, error);
        if (result == 0)
            result = upgrade_stamp(store, error);
    }
    return sql_end(store, result, error);
}

/* What SQLite would say poorly, or not at all: it opens a file that it can't write as read-only, and waits on
 * a pipe. */
static int check_path(const char *path, enum store_mode mode, struct error *error)
{
    struct stat status;
    if (stat(path, &status) == 0) {
        if (!S_ISREG(status.st_mode))
            return error_set(error, "%s: not a file: expected a database", path);
        int wanted = mode == STORE_WRITE ? R_OK | W_OK : R_OK;
        if (faccessat(AT_FDCWD, path, wanted, AT_EACCESS) == 0)
            return 0;
        return error_set(error, "%s: %s: the database must be %s", path, strerror(errno),
                         mode == STORE_WRITE ? "writable: change its permissions, or copy it" : "readable");
    }
    if (mode == STORE_READ || errno != ENOENT)
        return error_errno(error, errno, path);
    return 0;
}

static int check_folder(const char *path, struct error *error)
{
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    if (!folder)
        return error_memory(error, path);
    if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0)
        return 0;
    return error_set(error, "%s: %s: the folder of the database must exist and be writable", folder,
                     strerror(errno));
}

static bool has_log(const char *path)
{
    AUTO_FREE char *log = text_format("%s-wal", path);
    struct stat status;
    return !log || (stat(log, &status) == 0 && status.st_size > 0);
}

static char *immutable_uri(const char *path)
{
    struct text uri = TEXT_INIT;
    text_append(&uri, "file:");
    for (const unsigned char *at = (const unsigned char *)path; *at; at++) {
        bool plain = isalnum(*at) || strchr("/._-", *at);
        text_printf(&uri, plain ? "%c" : "%%%02x", *at);
    }
    text_append(&uri, "?immutable=1");
    return text_take(&uri);
}

/* A database in write-ahead mode needs a folder it can write, with some room, even to be read, unless nobody
 * else can change it. */
static int open_immutable(struct store *store, struct error *error)
{
    AUTO_FREE char *uri = immutable_uri(store->path);
    if (!uri)
        return error_memory(error, store->path);
    sqlite3_close(store->database);
    store->database = NULL;
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_FULLMUTEX;
    return sqlite3_open_v2(uri, &store->database, flags, NULL) == SQLITE_OK ? 0 : sql_fail(store, error);
}

/* Whether the file beside the database that readers in write-ahead mode share could not be made. */
static bool lacks_index(sqlite3 *database)
{
    int code = sqlite3_errcode(database) & 0xff;
    return code == SQLITE_CANTOPEN || code == SQLITE_READONLY ||
           (code == SQLITE_IOERR && sqlite3_system_errno(database) == ENOSPC);
}

static int open_reading(struct store *store, struct error *error)
{
    int flags = SQLITE_OPEN_READONLY | SQLITE_OPEN_FULLMUTEX;
    if (sqlite3_open_v2(store->path, &store->database, flags, NULL) != SQLITE_OK)
        return sql_fail(store, error);
    sqlite3_busy_timeout(store->database, BUSY_MS);
    int result = check_version(store, error);
    if (result < 0 && lacks_index(store->database) && !has_log(store->path)) {
        error_clear(error);
        if (open_immutable(store, error) < 0)
            return -1;
        result = check_version(store, error);
    }
    if (result == VERSION_EARLIER)
        return upgrade_copy(store, error);
    if (result == VERSION_EMPTY)
        return error_set(error, "%s: an empty database: `joulery study run` fills one", store->path);
    return result;
}

static int open_writing(struct store *store, struct error *error)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
    if (check_folder(store->path, error) < 0)
        return -1;
    if (sqlite3_open_v2(store->path, &store->database, flags, NULL) != SQLITE_OK)
        return sql_fail(store, error);
    sqlite3_busy_timeout(store->database, BUSY_MS);
    if (sql_exec(store, "PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL", error) < 0)
        return -1;
    int result = check_version(store, error);
    if (result == VERSION_EARLIER)
        return upgrade_in_place(store, error);
    return result == VERSION_EMPTY ? create_tables(store, error) : result;
}

struct store *store_open(const char *path, enum store_mode mode, struct error *error)
{
    if (check_path(path, mode, error) < 0)
        return NULL;
    struct store *store = calloc(1, sizeof *store);
    char *copy = strdup(path);
    if (!store || !copy) {
        free(store);
        free(copy);
        error_memory(error, path);
        return NULL;
    }
    store->path = copy;
    store->reserve = -1;
    pthread_mutex_init(&store->mutex, NULL);
    int result = mode == STORE_WRITE ? open_writing(store, error) : open_reading(store, error);
    if (result == 0)
        return store;
    store_close(store);
    return NULL;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    struct error ignored = ERROR_INIT;
    if (store->claimed)
        sql_do(store, "DELETE FROM owner WHERE pid = ?", &ignored, "i", (int64_t)getpid());
    error_clear(&ignored);
    if (store->reserve >= 0)
        close(store->reserve);
    sql_keep_none(store);
    sqlite3_close(store->database);
    pthread_mutex_destroy(&store->mutex);
    free(store->path);
    free(store);
}

struct sqlite3 *store_database(struct store *store)
{
    return store->database;
}

/* ---- the owner ---- */

struct owner {
    int64_t pid;
    char *boot;
    int64_t start;
};

/* In clock ticks since boot; -1 if there is no such process. */
static int64_t process_start(int64_t pid)
{
    struct error ignored = ERROR_INIT;
    struct process process;
    bool there = process_read((pid_t)pid, &process, &ignored) == 0;
    error_clear(&ignored);
    return there ? (int64_t)process.start_ticks : -1;
}

static char *boot_id(struct error *error)
{
    char *boot = file_read("/proc/sys/kernel/random/boot_id", 256, NULL, error);
    if (boot)
        boot[strcspn(boot, "\n")] = '\0';
    return boot;
}

static int read_owner(struct store *store, struct owner *owner, struct error *error)
{
    *owner = (struct owner){0};
    AUTO_STATEMENT sqlite3_stmt *statement = sql_prepare(store, "SELECT pid, boot, start FROM owner", error);
    int row = statement ? sql_step(store, statement, error) : -1;
    if (row <= 0)
        return row;
    owner->pid = sqlite3_column_int64(statement, 0);
    owner->start = sqlite3_column_int64(statement, 2);
    return sql_text(statement, 1, &owner->boot, error);
}

static bool is_alive(const struct owner *owner, const char *boot)
{
    if (owner->pid <= 0 || strcmp(owner->boot, boot) != 0)
        return false;
    int64_t start = process_start(owner->pid);
    if (start >= 0)
        return start == owner->start;
    return kill((pid_t)owner->pid, 0) < 0 && errno == EPERM; /* hidden from us, but there */
}

int store_owner(struct store *store, int64_t *pid, struct error *error)
{
    struct owner owner;
    *pid = 0;
    AUTO_FREE char *boot = boot_id(error);
    if (!boot || read_owner(store, &owner, error) < 0)
        return -1;
    if (is_alive(&owner, boot))
        *pid = owner.pid;
    free(owner.boot);
    return 0;
}

static int take_over(struct store *store, const char *boot, size_t *cut, struct error *error)
{
    int64_t pid;
    if (store_owner(store, &pid, error) < 0)
        return -1;
    if (pid != 0 && !(store->claimed && pid == getpid()))
        return error_set(error,
                         "%s: process %lld is running a study on this database: wait for it, or give another "
                         "file with --db",
                         store->path, (long long)pid);
    if (sql_do(store, "UPDATE run SET state = 'cut' WHERE state = 'running'", error, "") < 0)
        return -1;
    *cut = (size_t)sqlite3_changes(store->database);
    if (*cut > 0 &&
        sql_do(store,
               "DELETE FROM trace WHERE run IN (SELECT id FROM run WHERE state = 'cut' AND host IS NULL)",
               error, "") < 0)
        return -1;
    return sql_do(store, "INSERT OR REPLACE INTO owner (id, pid, boot, start) VALUES (1, ?, ?, ?)", error,
                  "iti", (int64_t)getpid(), boot, process_start(getpid()));
}

/* Disk space held by a file without a name, so that even kill -9 gives it back. */
static int keep_reserve(struct store *store, struct error *error)
{
    AUTO_FREE char *path = text_format("%s-reserve-XXXXXX", store->path);
    if (!path)
        return error_memory(error, store->path);
    store->reserve = mkostemp(path, O_CLOEXEC);
    if (store->reserve < 0)
        return error_errno(error, errno, path);
    unlink(path);
    int number = posix_fallocate(store->reserve, 0, RESERVE_BYTES);
    if (number == EOPNOTSUPP || number == EINVAL || number == 0)
        return 0;
    close(store->reserve);
    store->reserve = -1;
    return error_set(error,
                     "%s: no room for %d MiB in the folder of the database: %s; free some space and run the "
                     "same command again",
                     store->path, RESERVE_BYTES >> 20, strerror(number));
}

int store_claim(struct store *store, size_t *cut, struct error *error)
{
    AUTO_FREE char *boot = boot_id(error);
    if (!boot || sql_begin(store, error) < 0)
        return -1;
    if (sql_end(store, take_over(store, boot, cut, error), error) < 0)
        return -1;
    store->claimed = true;
    return store->reserve >= 0 ? 0 : keep_reserve(store, error);
}

bool store_reserve_used(const struct store *store)
{
    return store->reserve_used;
}

bool store_locked(const struct store *store)
{
    return store->locked;
}
