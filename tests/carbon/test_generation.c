#include "carbon/generation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define HOUR_S 3600

static struct generation_types types;
static struct generation generation;

static int set_up(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    if (generation_types_read(&types, &error) < 0)
        fail_msg("%s", error_text(&error));
    return 0;
}

/* Powers of a type from the given hour on, an hour each; negative: it says nothing. */
static void generates(const char *code, const double *power_mw, size_t count)
{
    struct error error = ERROR_INIT;
    for (size_t i = 0; i < count; i++) {
        const struct generation_block block = {.type = generation_type(&types, code),
                                               .from_s = (int64_t)i * HOUR_S,
                                               .to_s = (int64_t)(i + 1) * HOUR_S,
                                               .power_mw = power_mw[i]};
        if (power_mw[i] >= 0)
            assert_int_equal(generation_add(&generation, block, &error), 0);
    }
}

static struct profile profile_of_it(void)
{
    struct error error = ERROR_INIT;
    struct profile profile = {0};
    if (generation_profile(&generation, &types, HOUR_S, &profile, &error) < 0)
        fail_msg("%s", error_text(&error));
    generation_free(&generation);
    return profile;
}

static double at(const struct profile *profile, int64_t hour)
{
    double known;
    return profile_mean(profile, (double)(hour * HOUR_S), (double)((hour + 1) * HOUR_S), &known);
}

static bool near(double found, double wanted)
{
    return fabs(found - wanted) < 1e-9 * wanted;
}

#define POWERS(...) ((const double[]){__VA_ARGS__}), sizeof((const double[]){__VA_ARGS__}) / sizeof(double)

static void the_intensity_is_the_mean_by_power(void **state)
{
    (void)state;
    generates("B05", POWERS(200, 0));
    generates("B14", POWERS(300, 400));
    generates("B19", POWERS(500, 0));
    struct profile profile = profile_of_it();
    assert_int_equal(profile.count, 2);
    assert_true(near(at(&profile, 0), 0.2 * 820 + 0.3 * 12 + 0.5 * 11));
    assert_true(near(profile.steps[0].low_g_per_kwh, 0.2 * 751 + 0.3 * 5.1 + 0.5 * 7.8));
    assert_true(near(profile.steps[0].high_g_per_kwh, 0.2 * 1095 + 0.3 * 29 + 0.5 * 26));
    assert_true(near(at(&profile, 1), 12));
    assert_true(profile.steps[0].estimated);
    profile_free(&profile);
}

/* What is not told what it is may be the best or the worst of all. */
static void what_nothing_is_known_of_widens_the_range_alone(void **state)
{
    (void)state;
    generates("B04", POWERS(900, 900));
    generates("B20", POWERS(50, 100));
    generates("B99", POWERS(50, -1)); /* not in the table: the same as Other, of which the last holds */
    struct profile profile = profile_of_it();
    assert_true(near(at(&profile, 0), 490));
    assert_true(near(profile.steps[0].low_g_per_kwh, (900 * 403 + 50 * 4) / 950.0));
    assert_true(near(profile.steps[1].high_g_per_kwh, (900 * 743 + 100 * 1095) / 1000.0));
    profile_free(&profile);
    generates("B20", POWERS(50));
    profile = profile_of_it();
    assert_int_equal(profile.count, 0);
    profile_free(&profile);
}

static void storage_does_not_count(void **state)
{
    (void)state;
    generates("B12", POWERS(100, 100));
    generates("B10", POWERS(5000, -1));
    generates("B25", POWERS(7000, 0));
    struct profile profile = profile_of_it();
    assert_true(near(at(&profile, 0), 24) && near(at(&profile, 1), 24));
    profile_free(&profile);
}

/* Solar power is not told at night by all: before and after it was next to nothing. */
static void silence_beside_nothing_is_nothing(void **state)
{
    (void)state;
    generates("B04", POWERS(100, 100, 100, 100, 100, 100));
    generates("B16", POWERS(-1, 0.5, 300, 1, -1, -1));
    struct profile profile = profile_of_it();
    assert_int_equal(profile.count, 6);
    assert_true(near(at(&profile, 0), 490) && near(at(&profile, 5), 490));
    assert_true(near(at(&profile, 2), (100 * 490 + 300 * 48) / 400.0));
    profile_free(&profile);
}

static void silence_beside_much_is_a_hole(void **state)
{
    (void)state;
    generates("B04", POWERS(100, 100, 100, 100, 100, 100));
    generates("B14", POWERS(-1, 300, -1, 300, 0.1, -1));
    generates("B19", POWERS(10, 10, 10, 10, 10, -1));
    struct profile profile = profile_of_it();
    static const bool known[] = {false, true, false, true, true, false};
    for (int64_t hour = 0; hour < 6; hour++)
        assert_int_equal(isnan(at(&profile, hour)), !known[hour]);
    profile_free(&profile);
}

static void times_too_long_are_refused(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct profile profile = {0};
    const struct generation_block block = {
        .type = generation_type(&types, "B04"), .from_s = 0, .to_s = 40LL * 365 * 86400, .power_mw = 1};
    assert_int_equal(generation_add(&generation, block, &error), 0);
    assert_int_equal(generation_profile(&generation, &types, HOUR_S, &profile, &error), -1);
    assert_int_equal(profile.count, 0);
    generation_free(&generation);
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_intensity_is_the_mean_by_power),
        cmocka_unit_test(what_nothing_is_known_of_widens_the_range_alone),
        cmocka_unit_test(storage_does_not_count),
        cmocka_unit_test(silence_beside_nothing_is_nothing),
        cmocka_unit_test(silence_beside_much_is_a_hole),
        cmocka_unit_test(times_too_long_are_refused),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
