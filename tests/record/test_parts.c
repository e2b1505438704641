#include "record/parts.h"

#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct given {
    const char *name, *part_of;
    double energy_j, uncertainty_j, gap_s;
};

/* A run of 100 s; each channel 5 % accurate. */
static struct record record_of(const struct given *given, size_t count)
{
    struct record record = {.channels = calloc(count, sizeof *record.channels),
                            .channel_count = count,
                            .windows = calloc(1, sizeof *record.windows),
                            .window_count = 1};
    record.windows[0] =
        (struct window){.wall_s = 100, .energies = calloc(count, sizeof *record.windows[0].energies)};
    for (size_t i = 0; i < count; i++) {
        record.channels[i] = (struct channel){.meter = strdup("rapl"),
                                              .name = strdup(given[i].name),
                                              .part_of = given[i].part_of ? strdup(given[i].part_of) : NULL,
                                              .accuracy = 0.05};
        record.windows[0].energies[i] = (struct channel_energy){.known = true,
                                                                .energy_j = given[i].energy_j,
                                                                .uncertainty_j = given[i].uncertainty_j,
                                                                .gap_s = given[i].gap_s};
    }
    return record;
}

/* The only note, or none. */
static void noted(const struct given *given, size_t count, const char *expected)
{
    struct record record = record_of(given, count);
    parts_check(&record);
    assert_int_equal(record.note_count, expected ? 1 : 0);
    if (expected && !strstr(record.notes[0], expected))
        fail_msg("expected '%s', found '%s'", expected, record.notes[0]);
    record_free(&record);
}

static void a_part_that_exceeds_its_whole_is_noted(void **state)
{
    (void)state;
    noted((struct given[]){{"package-0", NULL, 6000, 300, 0}, {"package-0/core", "package-0", 6120, 306, 0}},
          2, "rapl/package-0/core claims more than the whole, package-0: 61.2 W against 60.0 W");
}

static void parts_that_exceed_it_together_are_noted(void **state)
{
    (void)state;
    noted((struct given[]){{"psys", NULL, 9000, 450, 0},
                           {"package-0", "psys", 5000, 250, 0},
                           {"package-1", "psys", 5000, 250, 0}},
          3, "the parts of rapl/psys together claim more than the whole, psys: 100 W against 90.0 W");
}

static void what_fits_is_not_noted(void **state)
{
    (void)state;
    noted((struct given[]){{"package-0", NULL, 6000, 300, 0},
                           {"package-0/core", "package-0", 4000, 200, 0},
                           {"package-0/uncore", "package-0", 1999, 100, 0},
                           {"package-0/dram", NULL, 7000, 350, 0}},
          4, NULL);
}

static void what_reading_leaves_open_is_not_noted(void **state)
{
    (void)state;
    /* 20 J of edges and resolution each, beside 5 % of scale: 30 J more are within twice that */
    noted((struct given[]){{"package-0", NULL, 400, 28.3, 0}, {"package-0/core", "package-0", 430, 29.4, 0}},
          2, NULL);
}

static void what_covers_other_times_is_not_compared(void **state)
{
    (void)state;
    noted((struct given[]){{"package-0", NULL, 4000, 200, 50}, {"package-0/core", "package-0", 9000, 450, 0}},
          2, NULL);
    struct record record = record_of(
        (struct given[]){{"package-0", NULL, 4000, 200, 0}, {"package-0/core", "package-0", 9000, 450, 0}},
        2);
    record.windows[0].energies[0] = (struct channel_energy){.known = false};
    parts_check(&record);
    assert_int_equal(record.note_count, 0);
    record_free(&record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_that_exceeds_its_whole_is_noted),
        cmocka_unit_test(parts_that_exceed_it_together_are_noted),
        cmocka_unit_test(what_fits_is_not_noted),
        cmocka_unit_test(what_reading_leaves_open_is_not_noted),
        cmocka_unit_test(what_covers_other_times_is_not_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
