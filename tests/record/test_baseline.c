#include "record/baseline.h"

#include "base/clock.h"
#include "base/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CHANNEL "{\"meter\": \"rapl\", \"name\": \"package-0\", \"mean_w\": 12.5, \"uncertainty_w\": 0.5}"
#define DOCUMENT(schema, measured, duration, channels)                                                       \
    "{\"schema\": \"" schema                                                                                 \
    "\", \"host\": \"h\", \"cpu_model\": \"c\", \"kernel\": \"k\", \"boot_id\": \"\", "                      \
    "\"measured\": \"" measured "\", \"duration_s\": " duration ", \"load\": null, \"channels\": [" channels \
    "]}"
#define GOOD DOCUMENT("joulery.baseline/1", "2026-11-23T10:00:00Z", "60", CHANNEL)

static struct baseline parse(const char *text)
{
    struct error error = ERROR_INIT;
    struct baseline baseline;
    if (baseline_parse(text, strlen(text), &baseline, &error) < 0)
        fail_msg("%s", error_text(&error));
    return baseline;
}

static void what_is_written_reads_the_same(void **state)
{
    (void)state;
    struct baseline baseline = parse(GOOD), again;
    assert_true(baseline.channels[0].idle.power_w == 12.5 && isnan(baseline.load));
    char folder[] = "/tmp/joulery-baseline-XXXXXX";
    assert_non_null(mkdtemp(folder));
    AUTO_FREE char *path = text_format("%s/new/b.json", folder);
    struct error error = ERROR_INIT;
    assert_int_equal(baseline_write(path, &baseline, &error), 0);
    assert_int_equal(baseline_read(path, &again, &error), 0);
    assert_string_equal(again.channels[0].name, "package-0");
    assert_true(again.measured_wall_ns == baseline.measured_wall_ns && again.duration_s == 60);
    baseline_free(&baseline);
    baseline_free(&again);
    AUTO_FREE char *remove = text_format("rm -r %s", folder);
    assert_int_equal(system(remove), 0);
}

static void whatever_is_not_a_baseline_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "{",
        "[]",
        DOCUMENT("joulery.run/1", "2026-11-23T10:00:00Z", "60", CHANNEL),
        DOCUMENT("joulery.baseline/1", "2026-02-30T10:00:00Z", "60", CHANNEL),
        DOCUMENT("joulery.baseline/1", "yesterday", "60", CHANNEL),
        DOCUMENT("joulery.baseline/1", "2026-11-23T10:00:00Z", "-1", CHANNEL),
        DOCUMENT("joulery.baseline/1", "2026-11-23T10:00:00Z", "\"60\"", CHANNEL),
        DOCUMENT("joulery.baseline/1", "2026-11-23T10:00:00Z", "60", ""),
        DOCUMENT("joulery.baseline/1", "2026-11-23T10:00:00Z", "60", CHANNEL ", " CHANNEL),
        DOCUMENT("joulery.baseline/1", "2026-11-23T10:00:00Z", "60", "{\"meter\": \"rapl\"}"),
        GOOD "x",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error error = ERROR_INIT;
        struct baseline baseline;
        assert_int_equal(baseline_parse(wrong[i], strlen(wrong[i]), &baseline, &error), -1);
        assert_true(strlen(error_text(&error)) > 0);
        error_clear(&error);
    }
}

static void another_machines_is_refused(void **state)
{
    (void)state;
    struct baseline baseline = parse(GOOD);
    struct error error = ERROR_INIT;
    struct host host = {.name = (char *)"h", .cpu_model = (char *)"c"};
    assert_int_equal(baseline_check_host(&baseline, &host, &error), 0);
    host.cpu_model = (char *)"another";
    assert_int_equal(baseline_check_host(&baseline, &host, &error), -1);
    assert_non_null(strstr(error_text(&error), "another"));
    host = (struct host){.name = (char *)"elsewhere", .cpu_model = (char *)"c"};
    assert_int_equal(baseline_check_host(&baseline, &host, &error), -1);
    assert_non_null(strstr(error_text(&error), "elsewhere"));
    error_clear(&error);
    baseline_free(&baseline);
}

static void an_old_baseline_and_unknown_channels_are_noted(void **state)
{
    (void)state;
    struct baseline baseline = parse(GOOD);
    struct record record = {.channels = calloc(2, sizeof *record.channels), .channel_count = 2};
    record.channels[0] = (struct channel){.meter = strdup("rapl"), .name = strdup("package-0")};
    record.channels[1] = (struct channel){.meter = strdup("rapl"), .name = strdup("dram")};
    record.host.kernel = strdup("k2");
    record.started_wall_ns = baseline.measured_wall_ns + 8LL * 24 * 3600 * NS_PER_S;
    struct error error = ERROR_INIT;
    assert_int_equal(baseline_apply(&baseline, NULL, &record, &error), 0);
    assert_true(record.idle[0].power_w == 12.5 && isnan(record.idle[1].power_w));
    assert_non_null(strstr(record.baseline, "2026-11-23T10:00:00Z"));
    assert_int_equal(record.note_count, 3);
    assert_non_null(strstr(record.notes[0], "does not know rapl dram"));
    assert_non_null(strstr(record.notes[1], "8 days old"));
    assert_non_null(strstr(record.notes[2], "another kernel"));
    baseline_free(&baseline);
    record_free(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_reads_the_same),
        cmocka_unit_test(whatever_is_not_a_baseline_is_refused),
        cmocka_unit_test(another_machines_is_refused),
        cmocka_unit_test(an_old_baseline_and_unknown_channels_are_noted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
