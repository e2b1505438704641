#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    int result = rmdir(folder);
    free(folder);
    return result;
}

static void a_file_is_replaced_whole_or_not_at_all(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    AUTO_FREE char *path = file_join(folder, "a");
    assert_int_equal(file_write(path, "one", 3, &error), 0);
    assert_int_equal(file_write(path, "three", 5, &error), 0);
    size_t size;
    char *data = file_read(path, 100, &size, &error);
    assert_string_equal(data, "three");
    assert_int_equal(size, 5);
    free(data);
    assert_null(file_read(path, 4, &size, &error));
    assert_non_null(strstr(error_text(&error), "larger than the 4 bytes"));
    unlink(path);
    AUTO_FREE char *missing = file_join(folder, "no/such");
    assert_int_equal(file_write(missing, "x", 1, &error), -1);
    assert_non_null(strstr(error_text(&error), "No such file"));
    error_clear(&error);
}

static void times_are_utc(void **state)
{
    (void)state;
    AUTO_FREE char *text = clock_iso8601(1700000000LL * NS_PER_S);
    assert_string_equal(text, "2023-11-14T22:13:20Z");
    int64_t before = clock_boot_ns();
    clock_sleep_until(before + NS_PER_S / 100);
    assert_true(clock_boot_ns() >= before + NS_PER_S / 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_replaced_whole_or_not_at_all),
        cmocka_unit_test(times_are_utc),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
