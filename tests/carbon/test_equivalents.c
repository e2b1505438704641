#include "base/text.h"
#include "carbon/equivalents.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct equivalents *known(void)
{
    struct error error = ERROR_INIT;
    struct equivalents *equivalents = equivalents_open(&error);
    if (!equivalents)
        fail_msg("%s", error_text(&error));
    return equivalents;
}

static const struct equivalent *find(const struct equivalents *equivalents, const char *code)
{
    size_t count;
    const struct equivalent *all = equivalents_all(equivalents, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].code, code) == 0)
            return &all[i];
    fail_msg("no equivalent %s", code);
    return NULL;
}

/* The sources' own figures, in the units that they publish them in. */
static void figures_are_the_sources(void **state)
{
    (void)state;
    struct equivalents *equivalents = known();
    assert_true(fabs(find(equivalents, "car-us")->g_co2e * 1.609344 - 393) < 0.1);
    assert_true(fabs(find(equivalents, "petrol")->g_co2e * 3.785411784 - 8887) < 2);
    assert_true(find(equivalents, "phone")->g_co2e == 12.4);
    assert_true(find(equivalents, "tree")->g_co2e == 60000);
    assert_true(find(equivalents, "car-eu-new")->g_co2e == 108.1);
    equivalents_close(equivalents);
}

static void each_has_a_source_and_a_year_and_a_code_of_its_own(void **state)
{
    (void)state;
    struct equivalents *equivalents = known();
    size_t count;
    const struct equivalent *all = equivalents_all(equivalents, &count);
    assert_true(count >= 4);
    for (size_t i = 0; i < count; i++) {
        assert_true(*all[i].source && all[i].year >= 2015 && all[i].g_co2e > 0);
        assert_ptr_equal(find(equivalents, all[i].code), &all[i]);
    }
    equivalents_close(equivalents);
}

static void a_mass_is_told_in_units(void **state)
{
    (void)state;
    struct equivalents *equivalents = known();
    const struct equivalent *phone = find(equivalents, "phone");
    assert_true(fabs(equivalent_units(phone, 1.24) - 100) < 1e-9);
    AUTO_FREE char *text = equivalent_text(phone, 1.24);
    assert_string_equal(text, "100 charges of a smartphone");
    assert_true(equivalent_units(phone, 0) == 0);
    equivalents_close(equivalents);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_the_sources),
        cmocka_unit_test(each_has_a_source_and_a_year_and_a_code_of_its_own),
        cmocka_unit_test(a_mass_is_told_in_units),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
