#include "place.h"

#include "base/file.h"
#include "base/text.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

void remove_place(struct place *place)
{
    AUTO_FREE char *command = text_format("rm -rf '%s'", place->folder);
    assert_int_equal(system(command), 0);
    free(place->folder);
    free(place->study);
    free(place->database);
    free(place->talk);
}

void write_text(const char *path, const char *text)
{
    struct error error = ERROR_INIT;
    if (file_write(path, text, strlen(text), &error) < 0)
        fail_msg("%s", error_text(&error));
}

struct place make_place(const char *study)
{
    struct place place = {.folder = strdup("/tmp/joulery-runs-XXXXXX")};
    assert_non_null(mkdtemp(place.folder));
    place.study = file_join(place.folder, "a.yaml");
    place.database = file_join(place.folder, "a.db");
    place.talk = file_join(place.folder, "talk");
    write_text(place.study, study);
    return place;
}

char *program(void)
{
    const char *folder = getenv("JOULERY_BIN");
    assert_non_null(folder);
    return file_join(folder, "joulery");
}

/* `joulery study run`, its standard error in place->talk. */
pid_t start(const struct place *place, const char *more)
{
    AUTO_FREE char *path = program();
    char *arguments[] = {path,           (char *)"study", (char *)"run", place->study,
                         (char *)"--db", place->database, (char *)more,  NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, place->talk, O_WRONLY | O_CREAT | O_TRUNC,
                                     0600);
    pid_t child;
    assert_int_equal(posix_spawn(&child, path, &actions, NULL, arguments, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

int wait_for(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

char *talk_of(const struct place *place)
{
    struct error error = ERROR_INIT;
    char *talk = file_read(place->talk, 1 << 20, NULL, &error);
    if (!talk)
        fail_msg("%s", error_text(&error));
    return talk;
}

void expect_talk(const struct place *place, const char *words)
{
    AUTO_FREE char *talk = talk_of(place);
    if (!strstr(talk, words))
        fail_msg("expected '%s', found '%s'", words, talk);
}

void run_study(const struct place *place, const char *more, int expected)
{
    int status = wait_for(start(place, more));
    AUTO_FREE char *talk = talk_of(place);
    if (status != expected)
        fail_msg("expected exit status %d, found %d: %s", expected, status, talk);
}

void expect(const struct place *place, const char *sql, const char *expected)
{
    sqlite3 *database;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open_v2(place->database, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    sqlite3_busy_timeout(database, 5000);
    assert_int_equal(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    const char *found = (const char *)sqlite3_column_text(statement, 0);
    if (!found || strcmp(found, expected) != 0)
        fail_msg("%s: expected %s, found %s", sql, expected, found ? found : "nothing");
    sqlite3_finalize(statement);
    sqlite3_close(database);
}
