#include "base/file.h"
#include "base/scratch.h"
#include "base/text.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char *folder;

static int make_folder(void **state)
{
    (void)state;
    folder = strdup("/tmp/joulery-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    int result = rmdir(folder); /* fails if a test leaves something */
    free(folder);
    return result;
}

static struct scratch open_scratch(void)
{
    struct scratch scratch;
    struct error error = ERROR_INIT;
    if (scratch_open(&scratch, folder, "a-run", &error) < 0)
        fail_msg("%s", error_text(&error));
    return scratch;
}

static void a_folder_goes_with_all_that_is_in_it(void **state)
{
    (void)state;
    struct scratch scratch = open_scratch();
    struct stat status;
    assert_int_equal(stat(scratch.path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    AUTO_FREE char *path = strdup(scratch.path);
    AUTO_FREE char *inner = file_join(path, "b");
    assert_int_equal(mkdir(inner, 0700), 0);
    AUTO_FREE char *link = file_join(inner, "c");
    assert_int_equal(symlink("/etc", link), 0);
    scratch_close(&scratch);
    assert_false(file_exists(path));
    assert_true(file_exists("/etc"));
    scratch_close(&scratch);
}

/* The path of a folder whose maker is killed once it has said that it is ready. */
static char *leave_one(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        struct scratch scratch = open_scratch();
        AUTO_FREE char *content = file_join(scratch.path, "content");
        struct error error = ERROR_INIT;
        if (file_write(content, "x", 1, &error) < 0 ||
            write(ends[1], scratch.path, strlen(scratch.path) + 1) < 0)
            _exit(1);
        pause();
    }
    close(ends[1]);
    char *path = calloc(1, 4096);
    assert_true(read(ends[0], path, 4095) > 0);
    close(ends[0]);
    struct scratch meanwhile = open_scratch();
    assert_true(file_exists(path)); /* its maker lives */
    scratch_close(&meanwhile);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
    return path;
}

static void what_a_killed_process_leaves_is_removed_by_the_next(void **state)
{
    (void)state;
    AUTO_FREE char *left = leave_one();
    assert_true(file_exists(left));
    struct scratch first = open_scratch(), second = open_scratch();
    assert_false(file_exists(left));
    assert_true(file_exists(first.path));
    scratch_close(&first);
    assert_true(file_exists(second.path));
    scratch_close(&second);
}

static void nothing_else_is_touched(void **state)
{
    (void)state;
    static const char *const names[] = {"a-run", "a-runs-abcdef", "a-run-abcde", "a-run-abcdefg",
                                        "b-run-abcdef"};
    char *paths[sizeof names / sizeof *names];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        paths[i] = file_join(folder, names[i]);
        assert_int_equal(mkdir(paths[i], 0700), 0);
    }
    AUTO_FREE char *link = file_join(folder, "a-run-links1");
    AUTO_FREE char *file = file_join(folder, "a-run-file01");
    AUTO_FREE char *other = file_join(folder, "a-run-other1");
    struct error error = ERROR_INIT;
    assert_int_equal(symlink(paths[0], link), 0);
    assert_int_equal(file_write(file, "x", 1, &error), 0);
    assert_int_equal(mkdir(other, 0755), 0);
    bool root = chown(other, 65534, 65534) == 0; /* only root can make somebody else's */
    struct scratch scratch = open_scratch();
    assert_int_equal(file_exists(other), root);
    rmdir(other);
    assert_int_equal(unlink(link), 0);
    assert_int_equal(unlink(file), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(rmdir(paths[i]), 0);
        free(paths[i]);
    }
    scratch_close(&scratch);
}

static void without_a_place_the_error_says_where(void **state)
{
    (void)state;
    struct scratch scratch;
    struct error error = ERROR_INIT;
    assert_int_equal(scratch_open(&scratch, "/no/such", "a-run", &error), -1);
    assert_non_null(strstr(error_text(&error), "/no/such/a-run-"));
    assert_null(scratch.path);
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_goes_with_all_that_is_in_it),
        cmocka_unit_test(what_a_killed_process_leaves_is_removed_by_the_next),
        cmocka_unit_test(nothing_else_is_touched),
        cmocka_unit_test(without_a_place_the_error_says_where),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
