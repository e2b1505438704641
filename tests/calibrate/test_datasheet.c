/* Data sheets made on a powercap tree, stored, and used by the next who opens it. */
#include "calibrate/datasheet.h"

#include "base/text.h"
#include "rapl_tree.h"
#include "record/instruments.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *folder;

static int open_folder(void **state)
{
    (void)state;
    folder = strdup("/tmp/joulery-datasheet-XXXXXX");
    return mkdtemp(folder) && setenv("XDG_STATE_HOME", folder, 1) == 0 ? 0 : -1;
}

static int close_folder(void **state)
{
    (void)state;
    AUTO_FREE char *command = text_format("rm -rf '%s'", folder);
    int status = system(command);
    free(folder);
    return status;
}

static struct rapl_tree *make_tree(void)
{
    const struct rapl_zone zones[] = {{"intel-rapl:0", "package-0", 262143.32885, 7, 100, 40},
                                      {"intel-rapl:0:0", "dram", 65712.999613, 7, 9, 2}};
    return rapl_tree_make(zones, 2);
}

static void a_machine_is_characterised_and_its_sheets_are_used(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct rapl_tree *tree = make_tree();
    const struct meter_setup setup = {.sysfs = rapl_tree_sysfs(tree)};
    static const char *const rapl = "rapl";
    const struct datasheet_options options = {
        .setup = &setup, .meters = &rapl, .meter_count = 1, .wall_s = DATASHEET_LEAST_S};
    struct sheets sheets;
    if (datasheet_make(&options, &sheets, &error) < 0)
        fail_msg("%s", error_text(&error));
    assert_int_equal(sheets.count, 2);
    const struct characteristics *package = &sheets.sheets[0].found;
    /* moves each millisecond; on a machine that is busy, at no period that can be told */
    assert_true(isnan(package->update_s) || (package->update_s > 2e-4 && package->update_s < 0.1));
    /* 1.3 s of load are too few to judge, and the tree would not follow it */
    assert_true(isnan(package->response_w) && isnan(package->lag_s));
    assert_true(package->idle_w > 50 && package->idle_w < 150); /* 100 W and 40 W of swing */
    assert_true(package->smallest_step > 0 && package->read_s > 0);
    sheets.sheets[0].found.update_s = 0.25;
    AUTO_FREE char *path = sheets_path(sheets.host, &error);
    assert_int_equal(sheets_save(&sheets, path, &error), 0);
    struct record record = {0};
    struct instruments instruments;
    assert_int_equal(instruments_open(&setup, &rapl, 1, &instruments, &record, &error), 0);
    assert_true(record.channels[0].update_s == 0.25);
    instruments_close(&instruments);
    record_free(&record);
    free(sheets.host);
    sheets.host = strdup("another");
    assert_int_equal(sheets_save(&sheets, path, &error), 0);
    assert_int_equal(instruments_open(&setup, &rapl, 1, &instruments, &record, &error), 0);
    assert_true(record.channels[0].update_s < 0.25);
    bool noted = false;
    for (size_t i = 0; i < record.note_count; i++)
        noted = noted || strstr(record.notes[i], "data sheets not used: they are of another machine");
    assert_true(noted);
    instruments_close(&instruments);
    record_free(&record);
    sheets_free(&sheets);
    rapl_tree_free(tree);
}

static void models_alone_are_not_characterised(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    static const char *const model = "cpu-model";
    const struct datasheet_options options = {.meters = &model, .meter_count = 1, .wall_s = 5};
    struct sheets sheets;
    assert_int_equal(datasheet_make(&options, &sheets, &error), -1);
    assert_non_null(strstr(error_text(&error), "only models do"));
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_machine_is_characterised_and_its_sheets_are_used),
        cmocka_unit_test(models_alone_are_not_characterised),
    };
    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
