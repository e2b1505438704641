/* Data sheets: written, read back, refused, applied; and made on a powercap tree. */
#include "record/sheets.h"

#include "base/file.h"
#include "base/text.h"

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
    folder = strdup("/tmp/joulery-sheets-XXXXXX");
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

static const char good[] =
    "{\"schema\":\"joulery.characteristics/1\",\"host\":\"h\",\"cpu_model\":\"c\",\"made\":\"2026\","
    "\"wall_s\":60,\"channels\":[{\"meter\":\"nvml\",\"name\":\"gpu-0\",\"kind\":\"power\",\"update_s\":0.1,"
    "\"smallest_step\":0.001,\"averaging_s\":1,\"lag_s\":null,\"response_w\":null,\"read_s\":0.0001,"
    "\"idle_w\":50,\"idle_sd_w\":0.1,\"idle_reading_sd_w\":0.2,\"new\":[]}]}";

static void sheets_come_back_as_they_were_written(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct sheets sheets, again;
    assert_int_equal(sheets_parse(good, strlen(good), &sheets, &error), 0);
    AUTO_FREE char *path = sheets_path("some/host", &error);
    assert_non_null(strstr(path, "/joulery/characteristics-some_host.json"));
    assert_int_equal(sheets_save(&sheets, path, &error), 0);
    size_t size;
    AUTO_FREE char *text = file_read(path, SHEETS_BYTES_MOST, &size, &error);
    assert_int_equal(sheets_parse(text, size, &again, &error), 0);
    assert_int_equal(again.count, 1);
    assert_string_equal(again.sheets[0].name, "gpu-0");
    assert_true(again.sheets[0].found.averaging_s == 1 && isnan(again.sheets[0].found.lag_s));
    sheets_free(&sheets);
    sheets_free(&again);
}

static void what_is_no_sheet_is_refused(void **state)
{
    (void)state;
    static const char *const changes[][2] = {
        {"characteristics/1", "characteristics/2"},
        {"\"update_s\":0.1", "\"update_s\":-1"},
        {"\"update_s\":0.1", "\"update_s\":\"1\""},
        {"\"update_s\":0.1", "\"update\":1"},
        {"\"new\":[]", "\"response_p\":2"},
        {"\"update_s\":0.1", "\"update_s\":1e9"},
        {"\"power\"", "\"horse\""},
        {"\"name\":\"gpu-0\",", ""},
        {"]}]}", "]}"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const char *at = strstr(good, changes[i][0]);
        assert_non_null(at);
        AUTO_FREE char *text =
            text_format("%.*s%s%s", (int)(at - good), good, changes[i][1], at + strlen(changes[i][0]));
        struct error error = ERROR_INIT;
        struct sheets sheets;
        if (sheets_parse(text, strlen(text), &sheets, &error) == 0)
            fail_msg("taken: %s", text);
        error_clear(&error);
    }
}

static void a_sheet_corrects_its_channel_only(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct sheets sheets;
    assert_int_equal(sheets_parse(good, strlen(good), &sheets, &error), 0);
    struct channel channels[] = {
        {.meter = (char[]){"nvml"}, .name = (char[]){"gpu-0"}, .kind = KIND_POWER, .resolution = 0.5},
        {.meter = (char[]){"nvml"}, .name = (char[]){"gpu-0"}, .kind = KIND_COUNTER, .update_s = 7},
        {.meter = (char[]){"nvml"}, .name = (char[]){"gpu-1"}, .kind = KIND_POWER, .update_s = 7},
    };
    assert_int_equal(sheets_apply(&sheets, channels, 3), 1);
    assert_true(channels[0].update_s == 0.1 && channels[0].averaging_s == 1 &&
                channels[0].resolution == 0.001);
    assert_true(channels[1].update_s == 7 && channels[2].update_s == 7);
    sheets.sheets[0].found.smallest_step = 2; /* a coarser step than stated proves nothing */
    sheets_apply(&sheets, channels, 1);
    assert_true(channels[0].resolution == 0.001);
    sheets_free(&sheets);
}

static void windows_too_short_have_a_wide_interval(void **state)
{
    (void)state;
    const struct channel power = {.kind = KIND_POWER, .update_s = 0.1, .averaging_s = 1};
    const struct channel counter = {.kind = KIND_COUNTER, .update_s = 0.1};
    assert_true(channel_resolves(&counter, 0.2) && !channel_resolves(&counter, 0.19));
    assert_true(channel_resolves(&power, 1) && !channel_resolves(&power, 0.9));
    struct channel_energy energy = {.known = true, .energy_j = 9, .uncertainty_j = 1};
    channel_widen(&power, 2, &energy);
    assert_true(energy.uncertainty_j == 1);
    channel_widen(&power, 0.5, &energy);
    assert_true(fabs(energy.uncertainty_j - 9 / sqrt(3)) < 1e-12);
    struct channel_energy unknown = {0};
    channel_widen(&power, 0.5, &unknown);
    assert_true(!unknown.known && unknown.uncertainty_j == 0);
}

static void sheets_of_other_channels_are_kept(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct sheets gpu, rapl, both;
    AUTO_FREE char *path = text_format("%s/kept/sheets.json", folder);
    AUTO_FREE char *other = strdup(good);
    memcpy(strstr(other, "nvml"), "rapl", 4);
    assert_int_equal(sheets_parse(good, strlen(good), &gpu, &error), 0);
    assert_int_equal(sheets_parse(other, strlen(other), &rapl, &error), 0);
    const struct sheets *const saved[] = {&gpu, &rapl, &rapl}; /* one that is there is replaced */
    const size_t counts[] = {1, 2, 2};
    for (size_t i = 0; i < 3; i++) {
        size_t size;
        rapl.sheets[0].found.idle_w = (double)i;
        assert_int_equal(sheets_save(saved[i], path, &error), 0);
        AUTO_FREE char *text = file_read(path, SHEETS_BYTES_MOST, &size, &error);
        assert_int_equal(sheets_parse(text, size, &both, &error), 0);
        assert_int_equal(both.count, counts[i]);
        assert_true(both.sheets[0].found.idle_w == (i ? (double)i : 50));
        sheets_free(&both);
    }
    free(rapl.host); /* another machine's are not */
    rapl.host = strdup("another");
    assert_int_equal(sheets_save(&rapl, path, &error), 0);
    size_t size;
    AUTO_FREE char *text = file_read(path, SHEETS_BYTES_MOST, &size, &error);
    assert_int_equal(sheets_parse(text, size, &both, &error), 0);
    assert_int_equal(both.count, 1);
    sheets_free(&both);
    sheets_free(&gpu);
    sheets_free(&rapl);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sheets_come_back_as_they_were_written),
        cmocka_unit_test(what_is_no_sheet_is_refused),
        cmocka_unit_test(a_sheet_corrects_its_channel_only),
        cmocka_unit_test(sheets_of_other_channels_are_kept),
        cmocka_unit_test(windows_too_short_have_a_wide_interval),
    };
    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
