#include "meter/rapl_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void lists_of_cpus_are_taken_strictly(void **state)
{
    (void)state;
    static const uint32_t expected[] = {0, 18, 19, 20};
    struct rapl_cpus cpus;
    struct error error = ERROR_INIT;
    assert_int_equal(rapl_parse_cpus("0,18-20\n", &cpus, &error), 0);
    assert_int_equal(cpus.count, 4);
    assert_memory_equal(cpus.items, expected, sizeof expected);
    free(cpus.items);
    assert_int_equal(rapl_parse_cpus("\n", &cpus, &error), 0);
    assert_int_equal(cpus.count, 0);
    free(cpus.items);
    static const char *const wrong[] = {"0,",  ",0",    "0,,1",         "1-",    "-1", "3-2",
                                        "2-2", "2,1",   "1,1",          "0-3,3", "0 ", "0x1",
                                        "a",   "0\n\n", "0-4294967295", "65536"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (rapl_parse_cpus(wrong[i], &cpus, &error) == 0)
            fail_msg("'%s' was taken", wrong[i]);
        assert_null(cpus.items);
    }
    error_clear(&error);
}

static void events_and_scales_are_taken_strictly(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    uint64_t config;
    double scale_j;
    assert_int_equal(rapl_parse_event("event=0x02\n", &config, &error), 0);
    assert_int_equal(config, 2);
    assert_int_equal(rapl_parse_event("event=0xfF", &config, &error), 0);
    assert_int_equal(config, 255);
    static const char *const events[] = {"",
                                         "event=",
                                         "event=0x",
                                         "event=2",
                                         "event=0x2 ",
                                         "event=0x100",
                                         "event=0x02,umask=1",
                                         "event=0x-1",
                                         "event=0x000000002",
                                         "umask=0x02"};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (rapl_parse_event(events[i], &config, &error) == 0)
            fail_msg("'%s' was taken", events[i]);
    assert_int_equal(rapl_parse_scale("2.3283064365386962890625e-10\n", &scale_j, &error), 0);
    assert_true(scale_j == 1 / 4294967296.);
    static const char *const scales[] = {"", "0", "-1", "nan", "inf", "1e-10 J", "1e400", "1001", " 1"};
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        if (rapl_parse_scale(scales[i], &scale_j, &error) == 0)
            fail_msg("'%s' was taken", scales[i]);
    error_clear(&error);
}

static void names_of_zones_are_taken_strictly(void **state)
{
    (void)state;
    struct rapl_entry entry;
    assert_true(rapl_parse_entry("intel-rapl:12:3", &entry));
    assert_true(entry.zone == 12 && entry.sub == 4 && !entry.mmio);
    assert_true(rapl_parse_entry("intel-rapl-mmio:0", &entry));
    assert_true(entry.zone == 0 && entry.sub == 0 && entry.mmio);
    static const char *const entries[] = {
        "intel-rapl",    "intel-rapl:",    "intel-rapl::0",    "intel-rapl:0:", "intel-rapl:0:1:2",
        "intel-rapl:-1", "intel-rapl:0x0", "intel-rapl:99999", "dtpm:0",        "intel-rapl:0\n"};
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        if (rapl_parse_entry(entries[i], &entry))
            fail_msg("'%s' was taken", entries[i]);
    uint32_t package, die;
    bool dies;
    assert_true(rapl_parse_package("package-1\n", &package, &die, &dies));
    assert_true(package == 1 && die == 0 && !dies);
    assert_true(rapl_parse_package("package-2-die-3", &package, &die, &dies));
    assert_true(package == 2 && die == 3 && dies);
    static const char *const packages[] = {"package-",         "package",        "package-a",
                                           "package--die-1",   "package-0-die-", "package-0-die-x",
                                           "package-0-die-1-", "psys",           "package-0 "};
    for (size_t i = 0; i < sizeof packages / sizeof *packages; i++)
        if (rapl_parse_package(packages[i], &package, &die, &dies))
            fail_msg("'%s' was taken", packages[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_cpus_are_taken_strictly),
        cmocka_unit_test(events_and_scales_are_taken_strictly),
        cmocka_unit_test(names_of_zones_are_taken_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
