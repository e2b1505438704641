#include "record/compare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct example {
    struct channel_energy counter, power;
    double averaging_s;
    const char *note; /* a part of it; NULL: none */
};

/* Over a run of 10 s. */
static const struct example examples[] = {
    {{true, 1000, 50, 0}, {true, 1100, 55, 0}, 0, NULL},       /* 10 W apart, 14.9 W explained */
    {{true, 1000, 50, 0}, {true, 1200, 50, 0}, 0, "disagree"}, /* 20 W apart, 14.1 W explained */
    {{true, 1200, 50, 0}, {true, 1000, 50, 0}, 0, "disagree"},
    {{true, 1000, 50, 0}, {true, 1200, 50, 0}, 1, NULL}, /* an average over 1 s explains 12 W more */
    {{true, 1000, 50, 0}, {true, 500, 25, 5}, 0, NULL},  /* half the time, the same power */
    {{true, 1000, 50, 0}, {true, 600, 30, 5}, 0, "disagree"},
    {{true, 0, 0, 0}, {true, 1000, 50, 0}, 0.1, "disagree"},
    {{false, 0, 0, 10}, {true, 1000, 50, 0}, 0, "gave no energy, while gpu-0/power shows 100 W"},
    {{true, 1000, 50, 0}, {false, 0, 0, 10}, 0, NULL},
    {{false, 0, 0, 10}, {false, 0, 0, 10}, 0, NULL},
};

static char meter[] = "nvml", whole[] = "gpu-0", part[] = "gpu-0/power", other[] = "gpu-7";

static void compare(const struct example *example, char *part_of, bool twin, struct record *record)
{
    struct channel_energy energies[] = {example->power, example->counter};
    struct channel channels[] = {{.meter = meter,
                                  .name = part,
                                  .part_of = part_of,
                                  .kind = KIND_POWER,
                                  .averaging_s = example->averaging_s,
                                  .apart = twin,
                                  .twin = twin},
                                 {.meter = meter, .name = whole, .kind = KIND_COUNTER}};
    struct window run = {.wall_s = 10, .energies = energies};
    *record = (struct record){.channels = channels, .channel_count = 2, .windows = &run, .window_count = 1};
    compare_twins(record);
}

static void free_notes(struct record *record)
{
    for (size_t i = 0; i < record->note_count; i++)
        free(record->notes[i]);
    free(record->notes);
}

static void only_what_cannot_be_explained_is_noted(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        struct record record;
        compare(&examples[i], whole, true, &record);
        const char *note = record.note_count ? record.notes[0] : NULL;
        if (!note != !examples[i].note || (note && !strstr(note, examples[i].note)))
            fail_msg("example %zu: %s", i, note ? note : "no note");
        free_notes(&record);
    }
}

static void parts_and_strays_are_not_compared(void **state)
{
    (void)state;
    const struct example far_apart = {{true, 1000, 10, 0}, {true, 100, 1, 0}, 0, NULL};
    struct record record;
    compare(&far_apart, whole, false, &record);
    assert_int_equal(record.note_count, 0);
    compare(&far_apart, other, true, &record);
    assert_int_equal(record.note_count, 0);
    compare(&far_apart, NULL, true, &record);
    assert_int_equal(record.note_count, 0);
    compare(&far_apart, part, true, &record); /* of itself */
    assert_int_equal(record.note_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_cannot_be_explained_is_noted),
        cmocka_unit_test(parts_and_strays_are_not_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
