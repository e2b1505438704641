#include "record/record.h"

#include "base/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CHANNEL(m, n, p, s, k)                                                                               \
    {                                                                                                        \
        .meter = (char *)(m), .name = (char *)(n), .part_of = (char *)(p), .scope = (s), .kind = (k)         \
    }
#define JOULES(e)                                                                                            \
    {                                                                                                        \
        .known = true, .energy_j = (e), .uncertainty_j = (e) / 100.0                                         \
    }

static void no_joule_is_counted_twice(void **state)
{
    (void)state;
    const struct channel channels[] = {
        CHANNEL("rapl", "psys", NULL, SCOPE_PLATFORM, KIND_COUNTER),
        CHANNEL("rapl", "package-0", "psys", SCOPE_CPU, KIND_COUNTER),
        CHANNEL("rapl", "package-0/core", "package-0", SCOPE_CPU, KIND_COUNTER),
        CHANNEL("rapl", "package-0/dram", NULL, SCOPE_DRAM, KIND_COUNTER),
        CHANNEL("rapl", "package-1", "psys", SCOPE_CPU, KIND_COUNTER),
        CHANNEL("nvml", "gpu-0", NULL, SCOPE_GPU, KIND_COUNTER),
        CHANNEL("nvml", "gpu-0/memory", "gpu-0", SCOPE_GPU, KIND_POWER),
        CHANNEL("plug", "wall", NULL, SCOPE_WALL, KIND_POWER),
        CHANNEL("cpu-model", "cpu", NULL, SCOPE_CPU, KIND_MODEL),
    };
    const struct channel_energy energies[] = {JOULES(5000), JOULES(100),  JOULES(60),
                                              JOULES(10),   JOULES(200),  JOULES(1000),
                                              JOULES(90),   JOULES(6000), JOULES(7777)};
    struct energy_totals totals = energy_totals(channels, energies, 9);
    assert_true(totals.software_j == 100 + 10 + 200 + 1000);
    assert_true(fabs(totals.software_uncertainty_j - 13.1) < 1e-9);
    assert_true(totals.hardware_j == 6000);
    assert_false(totals.estimated); /* the model is of a scope that RAPL measures */
}

static void a_model_counts_only_where_nothing_measures(void **state)
{
    (void)state;
    const struct channel channels[] = {
        CHANNEL("cpu-model", "cpu", NULL, SCOPE_CPU, KIND_MODEL),
        CHANNEL("nvml", "gpu-0", NULL, SCOPE_GPU, KIND_COUNTER),
    };
    const struct channel_energy energies[] = {JOULES(30), JOULES(400)};
    struct energy_totals totals = energy_totals(channels, energies, 2);
    assert_true(totals.software_j == 430);
    assert_true(totals.estimated);
    assert_true(isnan(totals.hardware_j));
}

static void an_estimated_part_makes_an_estimate_with_its_uncertainty(void **state)
{
    (void)state;
    const struct channel channels[] = {
        CHANNEL("rapl", "package-0", NULL, SCOPE_CPU, KIND_COUNTER),
        CHANNEL("dram-model", "dram", NULL, SCOPE_DRAM, KIND_MODEL),
    };
    const struct channel_energy energies[] = {JOULES(100),
                                              {.known = true, .energy_j = 50, .uncertainty_j = 30}};
    struct energy_totals totals = energy_totals(channels, energies, 2);
    assert_true(totals.software_j == 150 && totals.estimated);
    assert_true(totals.software_uncertainty_j == 31);
}

static void a_sum_with_an_unknown_part_is_not_known(void **state)
{
    (void)state;
    const struct channel channels[] = {
        CHANNEL("rapl", "package-0", NULL, SCOPE_CPU, KIND_COUNTER),
        CHANNEL("rapl", "package-1", NULL, SCOPE_CPU, KIND_COUNTER),
        CHANNEL("rapl", "package-1/core", "package-1", SCOPE_CPU, KIND_COUNTER),
    };
    struct channel_energy energies[] = {{.known = false}, JOULES(10), JOULES(5)};
    assert_true(isnan(energy_totals(channels, energies, 3).software_j));
    energies[0] = (struct channel_energy)JOULES(1);
    energies[2].known = false;
    assert_true(energy_totals(channels, energies, 3).software_j == 11);
    assert_true(isnan(energy_totals(channels, energies, 0).software_j));
}

static void channels_that_contain_each_other_end(void **state)
{
    (void)state;
    const struct channel channels[] = {
        CHANNEL("x", "a", "b", SCOPE_PLATFORM, KIND_COUNTER),
        CHANNEL("x", "b", "a", SCOPE_PLATFORM, KIND_COUNTER),
        CHANNEL("x", "c", "a", SCOPE_CPU, KIND_COUNTER),
    };
    const struct channel_energy energies[] = {JOULES(1), JOULES(2), JOULES(4)};
    assert_true(energy_totals(channels, energies, 3).software_j == 4);
}

static void json_holds_what_is_not_known_as_null_and_any_bytes_as_text(void **state)
{
    (void)state;
    struct channel channels[] = {CHANNEL("rapl", "package-0", NULL, SCOPE_CPU, KIND_COUNTER)};
    struct channel_energy energies[] = {{.known = false, .gap_s = 2}};
    struct window windows[] = {{.name = (char *)"run", .parent = -1, .wall_s = 2, .energies = energies}};
    char *command[] = {(char *)"a\xff\x01"};
    channels[0].accuracy_source = (char *)"x";
    const struct record record = {.command = command,
                                  .command_count = 1,
                                  .channels = channels,
                                  .channel_count = 1,
                                  .windows = windows,
                                  .window_count = 1};
    json_t *json = record_to_json(&record);
    assert_non_null(json);
    const json_t *channel = json_array_get(json_object_get(json, "channels"), 0);
    assert_true(json_is_null(json_object_get(channel, "energy_j")));
    assert_true(json_is_null(json_object_get(channel, "mean_w")));
    assert_true(json_is_null(json_object_get(json_object_get(json, "totals"), "software_j")));
    assert_string_equal(json_string_value(json_array_get(json_object_get(json, "command"), 0)),
                        "a\xEF\xBF\xBD\x01");
    json_decref(json);
}

static void text_for_a_terminal_has_no_control_characters(void **state)
{
    (void)state;
    AUTO_FREE char *clean = text_printable("a\x1b[31m\xc2\x9b\x7f\n\xff\xc3\xa9");
    assert_string_equal(clean, "a?[31m????\xEF\xBF\xBD\xc3\xa9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_joule_is_counted_twice),
        cmocka_unit_test(a_model_counts_only_where_nothing_measures),
        cmocka_unit_test(an_estimated_part_makes_an_estimate_with_its_uncertainty),
        cmocka_unit_test(a_sum_with_an_unknown_part_is_not_known),
        cmocka_unit_test(channels_that_contain_each_other_end),
        cmocka_unit_test(json_holds_what_is_not_known_as_null_and_any_bytes_as_text),
        cmocka_unit_test(text_for_a_terminal_has_no_control_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
