/* joulery overlay as people call it, over a study that was really run. */
#include "shop.h"

#include "base/text.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A logger that sees 50 W all the time, before, during and after a run. */
static const char study[] =
    "printf 'name: s\\nfactors:\\n  n: [1]\\nrepetitions: 1\\ncommand: [sleep, \"{n}\"]\\n' > s.yaml\n"
    "(i=0; echo 'when;watt'; while [ ! -e stop ]; do echo \"$(date +%s.%N);50,0\"; sleep 0.1; done) > "
    "log.csv &\n"
    "sleep 3\n"
    "$J study run s.yaml --db s.db\n"
    "sleep 3\n"
    "touch stop\n"
    "wait\n";

static void a_log_of_constant_power_gives_that_power_times_the_runs_time(void **state)
{
    (void)state;
    struct shop *shop = shop_open(NULL, 0);
    assert_non_null(shop);
    assert_int_equal(shop_script(shop, study), 0);
    assert_int_equal(joulery(shop, "overlay s.db log.csv --time when --power watt"), 1);
    says(shop, "don't tell how the log's clock stands");
    assert_int_equal(joulery(shop, "overlay s.db log.csv --time when --power watt --no-search --json o.json"),
                     0);
    json_t *document = load(shop, "o.json");
    const json_t *run = json_array_get(json_object_get(document, "runs"), 0);
    double energy_j = json_number_value(json_object_get(run, "energy_j"));
    double truth_j = 50 * json_number_value(json_object_get(run, "wall_s"));
    assert_string_equal(json_string_value(json_object_get(document, "schema")), "joulery.overlay/1");
    assert_true(json_is_true(json_object_get(run, "laid")));
    assert_true(fabs(energy_j - truth_j) < json_number_value(json_object_get(run, "uncertainty_j")));
    json_decref(document);
    assert_int_equal(joulery(shop, "study status s.yaml --db s.db"), 0);
    assert_int_equal(shop_close(shop), 0);
}

static void wrong_usage_is_told_from_failure(void **state)
{
    (void)state;
    static const struct {
        const char *arguments;
        int status;
        const char *says;
    } cases[] = {
        {"overlay -h", 0, NULL},
        {"overlay s.db", 2, "LOG"},
        {"overlay s.db log.csv", 2, "--time COLUMN and --power COLUMN (or --energy COLUMN) are needed"},
        {"overlay s.db log.csv --time 1 --power 2 --delay 3 --no-search", 2, "can't go together"},
        {"overlay s.db log.csv --time 1 --power 2 --run first", 2, "expected the number of a run or 'all'"},
        {"overlay s.db log.csv --time 1 --power 2", 1, "s.db: no such file"},
    };
    struct shop *shop = shop_open(NULL, 0);
    assert_non_null(shop);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(joulery(shop, cases[i].arguments), cases[i].status);
        if (cases[i].says)
            says(shop, cases[i].says);
    }
    assert_int_equal(shop_close(shop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_of_constant_power_gives_that_power_times_the_runs_time),
        cmocka_unit_test(wrong_usage_is_told_from_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
