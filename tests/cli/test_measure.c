/* `joulery run` with repetitions, files and baselines, `joulery idle` and `joulery watch`, over a simulated
 * machine. */
#include "base/file.h"
#include "base/text.h"
#include "shop.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

static const struct rapl_zone zones[] = {
    {.entry = "intel-rapl:0", .name = "package-0", .range_j = 262143, .mean_w = 20},
    {.entry = "intel-rapl:0:0", .name = "dram", .range_j = 65712, .mean_w = 4},
};

static int open_shop(void **state)
{
    *state = shop_open(zones, 2);
    return *state ? 0 : -1;
}

static int close_shop(void **state)
{
    return shop_close(*state);
}

static double number_at(const json_t *json, const char *object, const char *member)
{
    return json_number_value(json_object_get(json_object_get(json, object), member));
}

static void repetitions_are_summed_up(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "run --repeat 4 --json r.json -- sleep 0.2"), 0);
    json_t *json = load(shop, "r.json");
    assert_string_equal(json_string_value(json_object_get(json, "schema")), "joulery.repeat/1");
    const json_t *runs = json_object_get(json, "runs");
    assert_int_equal(json_array_size(runs), 4);
    double sum = 0;
    for (size_t i = 0; i < 4; i++)
        sum += number_at(json_array_get(runs, i), "totals", "software_j");
    double mean = number_at(json, "energy_j", "mean"), seconds = number_at(json, "wall_s", "mean");
    assert_true(fabs(mean - sum / 4) < 1e-9 * sum);
    assert_true(fabs(mean / seconds - 24) <
                1.2); /* the truth is 24 W; a step of the tree is 0.5 % of 0.2 s */
    double half = (number_at(json, "energy_j", "high") - number_at(json, "energy_j", "low")) / 2;
    double expected = 3.18244630528371 * number_at(json, "energy_j", "sd") / 2; /* t(0.975, 3) / sqrt(4) */
    assert_true(fabs(half - expected) < 1e-6 * expected);
    says(shop, "run 4: ");
    says(shop, "4 runs: mean ± 95 % interval");
    json_decref(json);
}

/* Half the 95 % interval of the mean of the first `count` runs' energies, relative to it. */
static double relative_half(const json_t *runs, size_t count)
{
    static const double t[] = {4.302652729749464,  3.182446305283708,  2.776445105197793,  2.5705818366147395,
                               2.446911848791681,  2.3646242510102993, 2.3060041350333704, 2.2621571627409915,
                               2.2281388519649385, 2.200985160082949}; /* t(0.975, df), df 2..11 */
    double sum = 0, squares = 0;
    assert_in_range(count, 3, 12);
    for (size_t i = 0; i < count; i++)
        sum += number_at(json_array_get(runs, i), "totals", "software_j");
    double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += pow(number_at(json_array_get(runs, i), "totals", "software_j") - mean, 2);
    return t[count - 3] * sqrt(squares / (double)(count - 1) / (double)count) / mean;
}

/* How many runs that takes depends on the machine: a late one is a run that is not like the others. */
static void repeating_ends_when_precise_or_when_the_command_fails(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "run --precision 100% --repeat 12 --json p.json -- sleep 0.05"), 0);
    json_t *json = load(shop, "p.json");
    const json_t *runs = json_object_get(json, "runs");
    size_t count = json_array_size(runs);
    bool reached = json_is_true(json_object_get(json, "precision_reached"));
    assert_true(reached ? relative_half(runs, count) <= 1 : count == 12);
    for (size_t i = 3; i < count; i++)
        assert_true(relative_half(runs, i) > 1);
    json_decref(json);
    assert_int_equal(joulery(shop, "run --precision 0.00001% --repeat 3 --json p.json -- sleep 0.05"), 0);
    says(shop, "not precise to 1e-05 % after 3 runs");
    json = load(shop, "p.json");
    assert_true(json_is_false(json_object_get(json, "precision_reached")));
    json_decref(json);
    assert_int_equal(joulery(shop, "run --repeat 9 --json p.json -- sh -c 'echo x >> count; test $(wc -l < "
                                   "count) -lt 3 || exit 7'"),
                     7);
    json = load(shop, "p.json");
    assert_int_equal(json_array_size(json_object_get(json, "runs")), 3);
    json_decref(json);
}

static void wrong_use_is_told(void **state)
{
    struct shop *shop = *state;
    static const char *const wrong[] = {
        "run --repeat 0 -- touch ran",
        "run --repeat -1 -- touch ran",
        "run --precision 2 -- touch ran",
        "run --precision -2% -- touch ran",
        "run --precision 0% -- touch ran",
        "run --precision 2% --repeat 2 -- touch ran",
        "run --project a -- touch ran",
        "run --budget 50 -- touch ran",
        "run --budget 50W -- touch ran",
        "run --budget -5J -- touch ran",
        "run --budget 0J -- touch ran",
        "run --budget '' -- touch ran",
        "idle --for 1",
        "idle --for soon",
        "meters --meter rapl",
        "meters --for 20",
        "meters --characterise --for 1",
        "watch --for -1",
        "watch --rate 5000",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(joulery(shop, wrong[i]), 2);
    assert_int_equal(joulery(shop, "run --trace /nonexistent/t.csv -- touch ran"), 1);
    says(shop, "/nonexistent/t.csv: No such file");
    assert_int_equal(joulery(shop, "run --emissions-csv err -- touch ran"), 0); /* empty: a new file */
    assert_int_equal(joulery(shop, "run --emissions-csv / -- touch run2"), 1);
    assert_int_equal(joulery(shop, "run --baseline /nonexistent/b.json -- touch ran2"), 1);
    says(shop, "/nonexistent/b.json");
    assert_int_equal(joulery(shop, "idle --for 2 --output /nonexistent/b.json"), 1);
    assert_int_equal(joulery(shop, "meters --characterise --json /nonexistent/c.json"), 1);
    says(shop, "/nonexistent/c.json");
    assert_int_equal(joulery(shop, "meters --characterise --meter rappl"), 1);
    says(shop, "did you mean rapl?");
    assert_int_equal(joulery(shop, "watch --meter rappl"), 1);
    says(shop, "did you mean rapl?");
    AUTO_FREE char *path = file_join(shop->folder, "ran2");
    assert_false(file_exists(path));
}

static void a_baseline_is_used_by_later_runs(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "idle --for 2"), 0);
    assert_non_null(strstr(shop->output, "stored in "));
    assert_int_equal(joulery(shop, "run --json b.json -- sleep 0.5"), 0);
    says(shop, "above idle (2.0 s at rest, ");
    json_t *json = load(shop, "b.json");
    assert_non_null(json_string_value(json_object_get(json, "baseline")));
    const json_t *package = json_array_get(json_object_get(json, "channels"), 0);
    assert_true(fabs(json_number_value(json_object_get(package, "idle_w")) - 20) < 0.5);
    /* the simulated machine draws the same all the time: nothing is above idle */
    double above_j = number_at(json, "totals", "software_above_idle_j");
    assert_true(fabs(above_j) < 0.05 * number_at(json, "totals", "software_j"));
    assert_true(number_at(json, "totals", "software_above_idle_uncertainty_j") > 0);
    json_decref(json);
    assert_int_equal(joulery(shop, "run --baseline none --json b.json -- true"), 0);
    json = load(shop, "b.json");
    assert_true(json_is_null(json_object_get(json, "baseline")));
    json_decref(json);
    assert_int_equal(joulery(shop, "idle --for 2 --output mine.json"), 0);
    AUTO_FREE char *edit =
        text_format("cd %s && sed -i 's/\"host\": \".*\"/\"host\": \"elsewhere\"/' mine.json && "
                    "for f in state/joulery/*; do echo '{' > $f; done",
                    shop->folder);
    assert_int_equal(system(edit), 0);
    assert_int_equal(joulery(shop, "run --baseline mine.json -- touch ran3"), 1);
    says(shop, "measured on host 'elsewhere'");
    assert_int_equal(joulery(shop, "run -- true"), 0); /* the stored one is corrupt now */
    says(shop, "no baseline is used: ");
    says(shop, "not a baseline");
}

static const json_t *channel_at(const json_t *json, size_t i)
{
    return json_array_get(json_object_get(json, "channels"), i);
}

/* At rest and then at work: two machines with the same channels. */
static const struct rapl_zone busy_zones[] = {
    {.entry = "intel-rapl:0", .name = "package-0", .range_j = 262143, .mean_w = 50},
    {.entry = "intel-rapl:0:0", .name = "dram", .range_j = 65712, .mean_w = 6},
};

static const char some_work[] = "-- sh -c 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; sleep 0.4'";

/* `other` plays the shop's machine while `joulery …` runs. */
static int joulery_on(struct shop *shop, struct rapl_tree *other, const char *arguments)
{
    struct rapl_tree *own = shop->tree;
    shop->tree = other;
    int status = joulery(shop, arguments);
    shop->tree = own;
    return status;
}

static void near_truth(double found, double truth, double uncertainty)
{
    if (!(fabs(found - truth) <= 3 * uncertainty))
        fail_msg("expected %g ± %g, found %g", truth, uncertainty, found);
}

/* The share is of the package, which is 30 W above rest; the total's 32 W have the memory in them. */
static void what_is_above_idle_is_told_and_shared_out(void **state)
{
    struct shop *shop = *state;
    struct rapl_tree *busy = rapl_tree_make(busy_zones, 2);
    assert_int_equal(joulery(shop, "idle --for 2 --output rest.json"), 0);
    AUTO_FREE char *run = text_format("run --baseline rest.json --json a.json %s", some_work);
    assert_int_equal(joulery_on(shop, busy, run), 0);
    says(shop, "above idle (2.0 s at rest, ");
    says(shop, "is attributed to the command");
    says(shop, "busy CPU seconds, process tree)");
    json_t *json = load(shop, "a.json");
    double wall_s = json_number_value(json_object_get(json, "wall_s"));
    near_truth(number_at(json, "totals", "software_above_idle_j"), 32 * wall_s,
               number_at(json, "totals", "software_above_idle_uncertainty_j"));
    double package_j = json_number_value(json_object_get(channel_at(json, 0), "above_idle_j"));
    near_truth(package_j, 30 * wall_s, number_at(json, "totals", "software_above_idle_uncertainty_j"));
    double command_s = number_at(json, "attribution", "command_cpu_s");
    double machine_s = fmax(number_at(json, "attribution", "machine_cpu_s"), command_s);
    double share_j = number_at(json, "attribution", "energy_j");
    assert_true(command_s > 0 && share_j > 0 && fabs(share_j - command_s / machine_s * package_j) < 1e-6);
    assert_true(number_at(json, "attribution", "uncertainty_j") > 0);
    json_decref(json);
    AUTO_FREE char *none = text_format("run --baseline none --json a.json %s", some_work);
    assert_int_equal(joulery_on(shop, busy, none), 0);
    assert_null(strstr(shop->error, "attributed"));
    assert_null(strstr(shop->error, "above idle"));
    json = load(shop, "a.json");
    assert_true(json_is_null(json_object_get(json, "attribution")));
    json_decref(json);
    rapl_tree_free(busy);
}

static void the_usual_baseline_of_another_host_is_passed_over(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "idle --for 2"), 0);
    AUTO_FREE char *edit = text_format(
        "cd %s && sed -i 's/\"host\": \".*\"/\"host\": \"elsewhere\"/' state/joulery/*.json", shop->folder);
    assert_int_equal(system(edit), 0);
    assert_int_equal(joulery(shop, "run --json h.json -- true"), 0);
    says(shop, "no baseline is used: ");
    says(shop, "measured on host 'elsewhere'");
    json_t *json = load(shop, "h.json");
    assert_true(json_is_null(json_object_get(json, "baseline")));
    assert_true(json_is_null(json_object_get(json, "attribution")));
    json_decref(json);
}

static void a_budget_ends_the_command(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "run --budget 10J --json g.json -- sleep 100"), 143);
    says(shop, "note: stopped: the budget of 0.002778 Wh was used up (");
    says(shop, "ended by signal 15");
    json_t *json = load(shop, "g.json");
    assert_true(number_at(json, "totals", "software_j") >= 10);
    assert_int_equal(json_integer_value(json_object_get(json, "term_signal")), 15);
    json_decref(json);
    assert_int_equal(joulery(shop, "run --budget 1kWh -- true"), 0);
    assert_null(strstr(shop->error, "stopped"));
    /* of repetitions each has the whole budget, and the first that is stopped is the last */
    assert_int_equal(joulery(shop, "run --repeat 3 --budget 10J --json g.json -- sleep 100"), 143);
    json = load(shop, "g.json");
    assert_int_equal(json_array_size(json_object_get(json, "runs")), 1);
    json_decref(json);
    assert_int_equal(joulery(shop, "run --repeat 5 --budget 60J --json g.json -- sleep 0.6"), 0);
    json = load(shop, "g.json");
    const json_t *runs = json_object_get(json, "runs");
    assert_int_equal(json_array_size(runs), 5);
    double sum_j = 0;
    for (size_t i = 0; i < 5; i++)
        sum_j += number_at(json_array_get(runs, i), "totals", "software_j");
    assert_true(sum_j > 60);
    json_decref(json);
}

static void a_command_that_does_not_mind_its_budget_is_killed(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(
        joulery(shop, "run --budget 5J -- sh -c 'trap \"\" TERM; for i in $(seq 600); do sleep 0.1; done'"),
        137);
    says(shop, "budget of 0.001389 Wh was used up");
    says(shop, "ended by signal 9");
}

static void channels_beside_the_total_are_told(void **state)
{
    struct shop *shop = *state;
    static const struct rapl_zone psys[] = {
        {.entry = "intel-rapl:0", .name = "package-0", .range_j = 262143, .mean_w = 20},
        {.entry = "intel-rapl:1", .name = "psys", .range_j = 262143, .mean_w = 70},
    };
    struct rapl_tree *tree = rapl_tree_make(psys, 2);
    assert_int_equal(joulery_on(shop, tree, "run -- sleep 0.2"), 0);
    says(shop, "rapl psys  beside the total");
    assert_int_equal(joulery_on(shop, tree, "watch --for 1.1"), 0);
    assert_non_null(strstr(shop->output, "rapl psys  beside the total"));
    rapl_tree_free(tree);
}

static void a_trace_holds_the_energy(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "run --rate 50 --trace t.csv.gz --json t.json -- sleep 0.6"), 0);
    AUTO_FREE char *path = file_join(shop->folder, "t.csv.gz");
    gzFile file = gzopen(path, "r");
    char line[256];
    assert_non_null(gzgets(file, line, sizeof line));
    assert_string_equal(line, "time_s,meter,channel,power_w,wall_s,run\n");
    double energy_j = 0;
    size_t rows = 0;
    while (gzgets(file, line, sizeof line)) {
        double time_s, power_w, wall_s;
        rows++;
        assert_int_equal(sscanf(line, "%lf,rapl,%*[^,],%lf,%lf,1\n", &time_s, &power_w, &wall_s), 3);
        energy_j += power_w * wall_s;
    }
    gzclose(file);
    json_t *json = load(shop, "t.json");
    double whole_j = number_at(json, "totals", "software_j");
    assert_true(rows >= 20 && fabs(energy_j - whole_j) < 0.15 * whole_j); /* edges are not in the trace */
    json_decref(json);
}

static void a_full_disk_ends_the_trace_and_not_the_run(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "run --rate 1000 --trace /dev/full -- touch ran4"), 1);
    says(shop, "/dev/full: No space left");
    assert_int_equal(joulery(shop, "run -q --rate 1000 --trace t.csv -- sh -c 'exit 5'"), 5);
}

static void each_run_is_a_row_for_codecarbons_readers(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "run -q --repeat 2 --emissions-csv e.csv --location SWE -- true"), 0);
    assert_int_equal(joulery(shop, "run -q --emissions-csv e.csv -- sh -c 'exit 3'"), 3);
    AUTO_FREE char *text = slurp(shop, "e.csv");
    size_t lines = 0;
    for (const char *at = strchr(text, '\n'); at; at = strchr(at + 1, '\n'))
        lines++;
    assert_int_equal(lines, 4);
    assert_int_equal(strncmp(text, "timestamp,project_name,run_id,experiment_id,duration,emissions,", 63), 0);
    assert_int_equal(joulery(shop, "run --emissions-csv t.json -- touch ran5"), 1);
    says(shop, "t.json: ");
    AUTO_FREE char *path = file_join(shop->folder, "ran5");
    assert_false(file_exists(path));
}

static void watch_tells_each_second(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "watch --for 2.1 --json"), 0);
    AUTO_FREE char *line = strndup(shop->output, strcspn(shop->output, "\n"));
    json_t *json = json_loads(line, 0, NULL);
    assert_non_null(json);
    assert_true(fabs(json_number_value(json_object_get(json, "software_w")) - 24) < 2);
    assert_true(json_is_false(json_object_get(json, "estimated")));
    json_decref(json);
    assert_int_equal(joulery(shop, "watch --for 1.1"), 0);
    assert_non_null(strstr(shop->output, "rapl package-0"));
    assert_null(strstr(shop->output, "\033")); /* not a terminal */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repetitions_are_summed_up),
        cmocka_unit_test(repeating_ends_when_precise_or_when_the_command_fails),
        cmocka_unit_test(wrong_use_is_told),
        cmocka_unit_test(a_baseline_is_used_by_later_runs),
        cmocka_unit_test(what_is_above_idle_is_told_and_shared_out),
        cmocka_unit_test(the_usual_baseline_of_another_host_is_passed_over),
        cmocka_unit_test(a_budget_ends_the_command),
        cmocka_unit_test(a_command_that_does_not_mind_its_budget_is_killed),
        cmocka_unit_test(channels_beside_the_total_are_told),
        cmocka_unit_test(a_trace_holds_the_energy),
        cmocka_unit_test(a_full_disk_ends_the_trace_and_not_the_run),
        cmocka_unit_test(each_run_is_a_row_for_codecarbons_readers),
        cmocka_unit_test(watch_tells_each_second),
    };
    return cmocka_run_group_tests(tests, open_shop, close_shop);
}
