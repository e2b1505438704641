/* `joulery reconcile` with stand-ins of other tools that say known figures, over a simulated machine; and
 * `joulery window`, which it stands on. */
#include "base/file.h"
#include "base/text.h"
#include "shop.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#define PACKAGE_W 20.0
#define MEMORY_W  4.0

/* Half a second, of which a busy machine's tree may sleep through some: its counters stand still then. What
 * Joulery makes of them is tested where it is measured; here, that the steps are made of what was seen. */
#define COMMAND "sleep 0.5"

static const struct rapl_zone zones[] = {
    {.entry = "intel-rapl:0", .name = "package-0", .range_j = 262143, .mean_w = PACKAGE_W},
    {.entry = "intel-rapl:0:0", .name = "dram", .range_j = 65712, .mean_w = MEMORY_W},
};

/* ---- the stand-ins, in the shape of the real ones ---- */

/* 30 J of processors by a counter, 10 J of memory by its size, both times a PUE of 1.5; it covers exactly the
 * time between start and stop. */
static const char codecarbon[] =
    "import time\n"
    "__version__ = '3.3.0'\n"
    "class CPU: _mode = 'intel_rapl'; _tdp = 85\n"
    "class RAM: pass\n"
    "class Data: pue = 1.5; energy_consumed = 60 / 3.6e6; cpu_energy = 45 / 3.6e6; ram_energy = 15 / 3.6e6; "
    "gpu_energy = 0.0; ram_power = 20.0; duration = 99.0\n"
    "class OfflineEmissionsTracker:\n"
    "    def __init__(self, country_iso_code, output_dir, log_level):\n"
    "        self._hardware = [RAM(), CPU()]\n"
    "        self._start_time = None\n"
    "        self.folder = output_dir\n"
    "    def start(self): self._start_time = time.perf_counter()\n"
    "    def stop(self):\n"
    "        self._last_measured_time = time.perf_counter()\n"
    "        self.final_emissions_data = Data()\n"
    "        open(self.folder + '/emissions.csv', 'w').write('energy_consumed\\n')\n";

/* Half of 100 W for 2 s that it makes up, times 1.58. */
static const char carbontracker[] =
    "class GenericCPU: pass\n"
    "class Component:\n"
    "    name = 'cpu'\n"
    "    handler = GenericCPU()\n"
    "    def energy_usage(self, times): return [50 * t / 3.6e6 for t in times]\n"
    "class Thread:\n"
    "    components = [Component()]\n"
    "    epoch_times = []\n"
    "    def total_energy_per_epoch(self): return [1.58 * e for e in "
    "Component().energy_usage(self.epoch_times)]\n"
    "class CarbonTracker:\n"
    "    def __init__(self, epochs, epochs_before_pred, monitor_epochs, verbose, log_dir):\n"
    "        self.tracker = Thread()\n"
    "    def epoch_start(self): pass\n"
    "    def epoch_end(self):\n"
    "        self.tracker.epoch_times.append(2.0)\n"
    "        self._output_energy('Actual consumption:', 2.0, sum(self.tracker.total_energy_per_epoch()), 0, "
    "None)\n"
    "        del self.tracker\n"
    "    def _output_energy(self, description, time, energy, co2eq, conversions): pass\n";

static const char zeus[] = "class Measurement: time = 1.25; gpu_energy = {0: 30.0, 1: 20.0}; cpu_energy = "
                           "{0: 9.0}; dram_energy = None\n";
static const char zeus_monitor[] =
    "from zeus import Measurement\n"
    "class ZeusMonitor:\n"
    "    def begin_window(self, key, sync_execution): assert not sync_execution\n"
    "    def end_window(self, key, sync_execution): return Measurement()\n";

static const char perf[] = "#!/bin/sh\n"
                           "[ \"$1\" = --version ] && { echo 'perf version 6.1'; exit; }\n"
                           "while [ \"$1\" != -- ]; do [ \"$1\" = -o ] && out=$2; shift; done; shift\n"
                           "\"$@\"; status=$?\n"
                           "echo '12.5;Joules;power/energy-pkg/;1;100.00;;' > $out\n"
                           "echo '2.25;Joules;power/energy-ram/;1;100.00;;' >> $out\n"
                           "exit $status\n";

static const char energibridge[] =
    "#!/bin/sh\n"
    "[ \"$1\" = --version ] && { echo 'energibridge 0.0.7'; exit; }\n"
    "while [ \"$1\" != -- ]; do [ \"$1\" = --output ] && out=$2; shift; done; shift\n"
    "\"$@\"; status=$?\n"
    "printf 'Delta,Time,DRAM_ENERGY (J),PACKAGE_ENERGY (J)\\n0,1000,1,100\\n200,1400,2,107.5\\n' > $out\n"
    "exit $status\n";

static void put(const struct shop *shop, const char *name, const char *content, mode_t mode)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *path = file_join(shop->folder, name);
    if (file_make_folders(path, &error) < 0 || file_write(path, content, strlen(content), &error) < 0)
        fail_msg("%s", error_text(&error));
    assert_int_equal(chmod(path, mode), 0);
}

/* An empty folder of programs and one of modules stand first: real tools of this machine must not be found.
 */
static const char preamble[] =
    "export PYTHONPATH=$PWD/modules PYTHONDONTWRITEBYTECODE=1\n"
    "mkdir -p bin modules; for p in perf energibridge; do [ -x bin/$p ] || { echo '#!/bin/sh'; echo 'echo "
    "not "
    "here >&2; exit 9'; } > bin/$p; chmod +x bin/$p; done\n"
    "for m in codecarbon carbontracker zeus; do [ -d modules/$m ] || { mkdir modules/$m; echo 'raise "
    "ImportError(\"not here\")' > modules/$m/__init__.py; }; done\n"
    "PATH=$PWD/bin:$PATH\n";

static int reconcile(struct shop *shop, const char *arguments)
{
    AUTO_FREE char *script = text_format("%s$J reconcile %s", preamble, arguments);
    return shop_script(shop, script);
}

static int open_shop(void **state)
{
    *state = shop_open(zones, 2);
    return *state ? 0 : -1;
}

static int close_shop(void **state)
{
    return shop_close(*state);
}

/* ---- what the document says ---- */

static const json_t *find(const json_t *list, const char *member, const char *value)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i);
        if (strcmp(json_string_value(json_object_get(entry, member)), value) == 0)
            return entry;
    }
    fail_msg("no entry whose %s is %s", member, value);
    return NULL;
}

static const json_t *tool_of(const json_t *document, const char *name)
{
    return find(json_object_get(document, "tools"), "name", name);
}

static double mean_of(const json_t *entry, const char *member)
{
    return json_number_value(json_object_get(json_object_get(entry, member), "mean"));
}

static double step_of(const json_t *document, const char *tool, const char *step, const char *scope)
{
    const json_t *steps = json_object_get(json_object_get(tool_of(document, tool), "waterfall"), "steps");
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *entry = json_array_get(steps, i);
        const char *of = json_string_value(json_object_get(entry, "scope"));
        if (strcmp(json_string_value(json_object_get(entry, "step")), step) == 0 &&
            (scope ? of && strcmp(of, scope) == 0 : !of))
            return mean_of(entry, "energy_j");
    }
    fail_msg("%s has no step %s", tool, step);
    return NAN;
}

static void adds_up(const json_t *document, const char *tool)
{
    const json_t *waterfall = json_object_get(tool_of(document, tool), "waterfall");
    const json_t *steps = json_object_get(waterfall, "steps");
    double level = mean_of(waterfall, "figure_j"); /* without a wattmeter */
    for (size_t i = 0; i < json_array_size(steps); i++)
        level += mean_of(json_array_get(steps, i), "energy_j");
    assert_true(fabs(level - mean_of(waterfall, "software_alone_j")) < 1e-9 * (1 + fabs(level)));
}

static double number(const json_t *object, const char *member)
{
    return json_number_value(json_object_get(object, member));
}

/* What Joulery saw of a domain in a tool's runs, over the tool's own time: the mean of `rounds` runs. */
static double seen_j(const json_t *document, const char *tool, const char *domain, size_t rounds)
{
    const json_t *runs = json_object_get(document, "runs");
    double sum_j = 0;
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i), *command = json_object_get(run, "command");
        if (strcmp(json_string_value(json_object_get(run, "tool")), tool) != 0)
            continue;
        const json_t *covered = json_object_get(run, "covered_s");
        double share = json_is_null(covered) ? 1 : json_number_value(covered) / number(command, "wall_s");
        sum_j += number(command, domain) * share;
        count++;
    }
    assert_int_equal(count, rounds);
    return sum_j / (double)count;
}

static bool same(double value, double expected)
{
    return fabs(value - expected) <= 1e-9 * (1 + fabs(expected));
}

static bool roughly(double value, double truth)
{
    return fabs(value - truth) <= 0.4 * truth;
}

static void the_waterfall_of_each_tool_leads_from_its_figure_to_the_command(void **state)
{
    struct shop *shop = *state;
    put(shop, "modules/codecarbon/__init__.py", codecarbon, 0644);
    put(shop, "modules/carbontracker/__init__.py", "", 0644);
    put(shop, "modules/carbontracker/tracker.py", carbontracker, 0644);
    put(shop, "modules/zeus/__init__.py", zeus, 0644);
    put(shop, "modules/zeus/monitor.py", zeus_monitor, 0644);
    put(shop, "bin/perf", perf, 0755);
    put(shop, "bin/energibridge", energibridge, 0755);
    assert_int_equal(reconcile(shop, "--rounds 2 --json r.json --keep kept -- " COMMAND), 0);
    json_t *json = load(shop, "r.json");
    assert_string_equal(json_string_value(json_object_get(json, "schema")), "joulery.reconcile/1");
    assert_true(json_is_false(json_object_get(json, "estimated")));
    static const char *const names[] = {"codecarbon", "carbontracker", "zeus", "energibridge", "perf"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(json_integer_value(json_object_get(tool_of(json, names[i]), "counted")), 2);
        adds_up(json, names[i]);
    }

    const json_t *tool = tool_of(json, "codecarbon");
    assert_true(roughly(mean_of(json_object_get(tool, "waterfall"), "software_under_j"),
                        (PACKAGE_W + MEMORY_W) * mean_of(tool, "command_s")));
    assert_true(same(step_of(json, "codecarbon", "pue", NULL), -20));
    assert_true(same(step_of(json, "codecarbon", "constant", "dram"), -10));
    assert_true(
        same(step_of(json, "codecarbon", "missing", "dram"), seen_j(json, "codecarbon", "dram_j", 2)));
    assert_true(same(step_of(json, "codecarbon", "rest", NULL), seen_j(json, "codecarbon", "cpu_j", 2) - 30));
    assert_true(mean_of(tool, "covered_s") < 50); /* not its duration of 99 s */

    assert_true(same(step_of(json, "carbontracker", "constant", "cpu"), -100));
    assert_true(same(step_of(json, "carbontracker", "pue", NULL), -58));
    assert_true(
        same(step_of(json, "carbontracker", "missing", "cpu"), seen_j(json, "carbontracker", "cpu_j", 2)));
    assert_true(same(step_of(json, "carbontracker", "rest", NULL), 0));

    assert_true(same(step_of(json, "zeus", "extra", "gpu"), -50));
    assert_true(same(step_of(json, "zeus", "missing", "dram"), seen_j(json, "zeus", "dram_j", 2)));
    assert_true(same(step_of(json, "zeus", "rest", NULL), seen_j(json, "zeus", "cpu_j", 2) - 9));

    assert_true(same(mean_of(json_object_get(tool_of(json, "energibridge"), "waterfall"), "figure_j"), 7.5));
    assert_true(
        same(step_of(json, "energibridge", "missing", "dram"), seen_j(json, "energibridge", "dram_j", 2)));

    assert_true(same(step_of(json, "perf", "rest", NULL), seen_j(json, "perf", "software_j", 2) - 14.75));
    assert_string_equal(json_string_value(json_object_get(tool_of(json, "perf"), "version")), "6.1");
    json_decref(json);

    assert_non_null(strstr(shop->output, "memory: its constant (20 W by its size)"));
    assert_non_null(strstr(shop->output, "PUE folded in: 1.58"));
    assert_non_null(strstr(shop->output, "Joulery's, of the command without a tool"));
    says(shop, "CodeCarbon says 60.0 J");
    static const char *const kept[] = {"kept/round-1-codecarbon/emissions.csv", "kept/round-2-perf/perf.csv",
                                       "kept/round-2-none/record.json", "kept/warm-up/record.json"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        AUTO_FREE char *content = slurp(shop, kept[i]);
        assert_true(content[0] != '\0');
    }
    assert_int_equal(reconcile(shop, "--rounds 1 --keep kept -- " COMMAND), 1);
    says(shop, "kept/warm-up: is there already");
}

/* The wattmeter's power swings about 100 W with a period of 3 s, which is how long the command lasts. */
static void with_a_wattmeter_it_goes_on_to_the_wall(void **state)
{
    struct shop *shop = *state;
    put(shop, "bin/perf", perf, 0755);
    AUTO_FREE char *script = text_format(
        "%smkfifo hold; python3 " WALL_SERVER " netio <hold >port & exec 9>hold\n"
        "until [ -s port ]; do sleep 0.05; done; read PORT START <port\n"
        "printf 'wattmeters:\\n  - name: plug\\n    url: http://127.0.0.1:%%s/\\n    interval: 0.1\\n    "
        "power: "
        "{at: /Outputs/0/Load, unit: W}\\n' $PORT >site.yaml\n"
        "$J reconcile --site site.yaml --tool perf --rounds 1 --no-warm-up --json r.json -- sleep 3",
        preamble);
    assert_int_equal(shop_script(shop, script), 0);
    json_t *json = load(shop, "r.json");
    const json_t *waterfall = json_object_get(tool_of(json, "perf"), "waterfall");
    double wall_j = mean_of(waterfall, "wall_alone_j");
    assert_true(roughly(wall_j, 100 * mean_of(json_object_get(json, "alone"), "command_s")));
    double unseen_j = step_of(json, "perf", "unseen", NULL);
    assert_true(fabs(mean_of(waterfall, "software_alone_j") + unseen_j - wall_j) < 1e-9 * wall_j);
    json_decref(json);
    assert_non_null(strstr(shop->output, "the wall, without a tool"));
}

static void the_order_gives_each_condition_each_place(void **state)
{
    struct shop *shop = *state;
    put(shop, "bin/perf", perf, 0755);
    put(shop, "bin/energibridge", energibridge, 0755);
    assert_int_equal(reconcile(shop, "--no-warm-up --rounds 3 --json r.json -- sleep 0.1"), 0);
    json_t *json = load(shop, "r.json");
    const json_t *runs = json_object_get(json, "runs");
    assert_int_equal(json_array_size(runs), 9);
    assert_true(json_is_true(json_object_get(json, "balanced")));
    size_t places[3] = {0};
    for (size_t i = 0; i < 9; i++) {
        const json_t *run = json_array_get(runs, i);
        assert_int_equal(json_integer_value(json_object_get(run, "round")), i / 3 + 1);
        assert_int_equal(json_integer_value(json_object_get(run, "place")), i % 3 + 1);
        if (strcmp(json_string_value(json_object_get(run, "tool")), "none") == 0)
            places[i % 3]++;
    }
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(places[i], 1);
    json_decref(json);
}

static void where_no_tool_is_there_it_says_how_to_get_them(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(reconcile(shop, "--rounds 2 --json r.json -- sleep 0.1"), 0);
    static const char *const words[] = {
        "CodeCarbon: ImportError: not here (pip install codecarbon)",
        "EnergiBridge: not here (github.com/tdurieux/EnergiBridge, built with cargo)",
        "perf: not here (apt install linux-perf)", "2 rounds of 1 condition;"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (!strstr(shop->output, words[i]))
            fail_msg("expected '%s' in:\n%s", words[i], shop->output);
    json_t *json = load(shop, "r.json");
    assert_int_equal(json_array_size(json_object_get(json, "runs")), 2);
    assert_true(json_is_false(json_object_get(tool_of(json, "zeus"), "used")));
    assert_true(mean_of(json_object_get(json, "alone"), "software_j") > 0);
    json_decref(json);
}

static void a_tool_that_fails_is_told_and_the_others_go_on(void **state)
{
    struct shop *shop = *state;
    put(shop, "modules/zeus/__init__.py", zeus, 0644);
    put(shop, "modules/zeus/monitor.py",
        "class ZeusMonitor:\n    def begin_window(self, key, sync_execution): raise OSError('no GPU "
        "today')\n",
        0644);
    put(shop, "bin/energibridge",
        "#!/bin/sh\n[ \"$1\" = --version ] && { echo 1; exit; }\nwhile [ \"$1\" != -- ]; do shift; done; "
        "shift\n\"$@\"\necho panicked at PP0 >&2\n",
        0755);
    put(shop, "bin/perf", perf, 0755);
    assert_int_equal(reconcile(shop, "--rounds 3 --json r.json -- sleep 0.1"), 0);
    says(shop, "Zeus: failed: Zeus ended before the command did (exit status 70): OSError: no GPU today");
    says(shop, "EnergiBridge: failed: no figure: ");
    says(shop, "panicked at PP0");
    json_t *json = load(shop, "r.json");
    const json_t *failing = tool_of(json, "zeus");
    assert_int_equal(json_integer_value(json_object_get(failing, "failed")), 2); /* then not tried again */
    assert_true(json_is_true(json_object_get(failing, "left_out")));
    assert_int_equal(json_integer_value(json_object_get(tool_of(json, "perf"), "counted")), 3);
    adds_up(json, "perf");
    json_decref(json);
    assert_non_null(strstr(shop->output, "Zeus was not tried again"));
}

static void a_command_that_fails_by_itself_ends_it(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(reconcile(shop, "--rounds 2 -- sh -c 'echo disk full; exit 3'"), 1);
    says(shop, "the command failed: exit status 3: disk full (without any tool)");
    assert_int_equal(reconcile(shop, "--rounds 2 -- joulery-no-such-command"), 1);
    says(shop, "exit status 127");
}

static void an_interrupt_ends_it_with_what_there_is(void **state)
{
    struct shop *shop = *state;
    AUTO_FREE char *script =
        text_format("%s$J reconcile --no-warm-up --rounds 900 --json r.json -- sleep 0.1 & pid=$!\n"
                    "until grep -q 'round 2 of' err; do sleep 0.05; done; kill -INT $pid; wait $pid",
                    preamble);
    assert_int_equal(shop_script(shop, script), 130);
    json_t *json = load(shop, "r.json");
    assert_true(json_is_true(json_object_get(json, "stopped")));
    size_t runs = json_array_size(json_object_get(json, "runs"));
    assert_true(runs >= 2 && runs < 900);
    json_decref(json);
    assert_non_null(strstr(shop->output, "stopped early"));
}

static void wrong_use_is_told(void **state)
{
    struct shop *shop = *state;
    static const char *const wrong[] = {"", "--rounds 0 -- true", "--rounds 1001 -- true", "--tool",
                                        "--timeout 0 -- true"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(reconcile(shop, wrong[i]), 2);
    assert_int_equal(reconcile(shop, "--tool codecarbn -- true"), 1);
    says(shop, "unknown tool 'codecarbn' (did you mean codecarbon?)");
    assert_int_equal(reconcile(shop, "--json /nonexistent/r.json -- touch ran"), 1);
    says(shop, "/nonexistent/r.json");
    assert_int_equal(reconcile(shop, "-h"), 0);
    assert_non_null(strstr(shop->output, "joulery reconcile --rounds 5 -- python3 train.py"));
}

/* ---- joulery window ---- */

static void a_window_is_measured_within_its_run(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop,
                             "run --json w.json -- sh -c '$0 window one -- sleep 0.2; $0 window two sh -c "
                             "\"exit 4\"' $J"),
                     4);
    json_t *json = load(shop, "w.json");
    const json_t *windows = json_object_get(json, "windows");
    const json_t *one = find(windows, "name", "one"), *two = find(windows, "name", "two");
    assert_true(json_number_value(json_object_get(one, "wall_s")) >= 0.2);
    assert_true(json_number_value(json_object_get(json_object_get(one, "metrics"), "exit_status")) == 0);
    assert_true(json_number_value(json_object_get(json_object_get(two, "metrics"), "exit_status")) == 4);
    json_decref(json);
}

static void a_window_outside_a_run_only_runs_the_command(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(joulery(shop, "window alone sh -c 'echo said; exit 5'"), 5);
    assert_string_equal(shop->output, "said\n");
    assert_int_equal(joulery(shop, "window alone sh -c 'kill -TERM $$'"), 128 + 15);
    assert_int_equal(joulery(shop, "window alone joulery-no-such-command"), 127);
    says(shop, "joulery-no-such-command: No such file or directory");
    assert_int_equal(joulery(shop, "window alone"), 2);
    assert_int_equal(joulery(shop, "window alone --"), 2);
}

static void a_signal_to_a_window_reaches_the_command(void **state)
{
    struct shop *shop = *state;
    assert_int_equal(
        shop_script(shop,
                    "$J window w sh -c 'trap \"echo told; exit 6\" TERM; echo up; while :; do sleep "
                    "0.05; done' > said & pid=$!\nuntil grep -q up said; do sleep 0.05; done; kill $pid; "
                    "wait $pid"),
        6);
    AUTO_FREE char *said = slurp(shop, "said");
    assert_string_equal(said, "up\ntold\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_waterfall_of_each_tool_leads_from_its_figure_to_the_command,
                                        open_shop, close_shop),
        cmocka_unit_test_setup_teardown(with_a_wattmeter_it_goes_on_to_the_wall, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(the_order_gives_each_condition_each_place, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(where_no_tool_is_there_it_says_how_to_get_them, open_shop,
                                        close_shop),
        cmocka_unit_test_setup_teardown(a_tool_that_fails_is_told_and_the_others_go_on, open_shop,
                                        close_shop),
        cmocka_unit_test_setup_teardown(a_command_that_fails_by_itself_ends_it, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(an_interrupt_ends_it_with_what_there_is, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(wrong_use_is_told, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(a_window_is_measured_within_its_run, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(a_window_outside_a_run_only_runs_the_command, open_shop, close_shop),
        cmocka_unit_test_setup_teardown(a_signal_to_a_window_reaches_the_command, open_shop, close_shop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
