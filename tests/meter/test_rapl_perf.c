/* The power PMU of a simulated sysfs counts a software clock of the kernel's, so that the real system call is
 * made and the energy is known. */
#include "base/clock.h"
#include "base/text.h"
#include "meter/driver.h"
#include "rapl_tree.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define POWER "bus/event_source/devices/power"

struct machine {
    struct rapl_tree *tree;
    char *procfs;
    struct meter_setup setup;
};

/* Whether the kernel lets us count a clock on a whole CPU, as the driver does. */
static bool may_count(void)
{
    struct perf_event_attr attributes = {.type = PERF_TYPE_SOFTWARE, .size = sizeof attributes};
    int descriptor = (int)syscall(SYS_perf_event_open, &attributes, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
    if (descriptor < 0)
        print_message("the kernel refuses to count on a CPU: %s\n", strerror(errno));
    else
        close(descriptor);
    return descriptor >= 0;
}

/* A package of one CPU, the first, with events of 65, 40, 2, 5 and 90 W. */
static struct machine machine_make(const char *vendor)
{
    struct machine machine = {.tree = rapl_tree_make(NULL, 0)};
    AUTO_FREE char *cpuinfo =
        text_format("processor\t: 0\nvendor_id\t: %s\ncpu family\t: 6\nmodel\t\t: 143\n", vendor);
    rapl_tree_write(machine.tree, "proc/cpuinfo", cpuinfo);
    rapl_tree_write(machine.tree, "proc/sys/kernel/perf_event_paranoid", "2\n");
    rapl_tree_cpu(machine.tree, 0, 0, 0, 0);
    rapl_tree_write(machine.tree, POWER "/cpumask", "0\n");
    rapl_tree_event(machine.tree, "power", "energy-pkg", 65);
    rapl_tree_event(machine.tree, "power", "energy-cores", 40);
    rapl_tree_event(machine.tree, "power", "energy-gpu", 2);
    rapl_tree_event(machine.tree, "power", "energy-ram", 5);
    rapl_tree_event(machine.tree, "power", "energy-psys", 90);
    machine.procfs = rapl_tree_folder(machine.tree, "proc");
    machine.setup = (struct meter_setup){.sysfs = rapl_tree_sysfs(machine.tree), .procfs = machine.procfs};
    return machine;
}

static void machine_free(struct machine *machine)
{
    rapl_tree_free(machine->tree);
    free(machine->procfs);
}

static struct meter *open_perf(const struct machine *machine)
{
    struct error error = ERROR_INIT;
    struct meter *meter = meter_open(&rapl_perf_driver, &machine->setup, &error);
    if (!meter)
        fail_msg("%s", error_text(&error));
    return meter;
}

static void read_all(struct meter *meter, struct meter_reading *reading)
{
    struct error error = ERROR_INIT;
    if (meter_read(meter, reading, &error) < 0)
        fail_msg("%s", error_text(&error));
}

static void every_event_counts_its_watts(void **state)
{
    (void)state;
    static const struct {
        const char *name, *part_of;
        double power_w;
    } expected[] = {{"package-0", "psys", 65},
                    {"package-0/core", "package-0", 40},
                    {"package-0/uncore", "package-0", 2},
                    {"package-0/dram", NULL, 5},
                    {"psys", NULL, 90}};
    if (!may_count())
        skip();
    struct machine machine = machine_make("GenuineIntel");
    struct meter *meter = open_perf(&machine);
    size_t count;
    const struct channel *channels = meter_channels(meter, &count);
    assert_int_equal(count, 5);
    double before[5], after[5];
    struct meter_reading first = {.values = before}, last = {.values = after};
    read_all(meter, &first);
    clock_sleep_until(first.boot_ns + NS_PER_S / 5);
    read_all(meter, &last);
    double elapsed_s = (double)(last.boot_ns - first.boot_ns) / NS_PER_S;
    double slack_s = (double)(first.span_ns + last.span_ns) / NS_PER_S + 1e-4;
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(channels[i].name, expected[i].name);
        assert_string_equal(channels[i].part_of ? channels[i].part_of : "",
                            expected[i].part_of ? expected[i].part_of : "");
        assert_true(channels[i].range_j == 0);
        double off_s = (after[i] - before[i]) / expected[i].power_w - elapsed_s;
        if (!(fabs(off_s) <= slack_s))
            fail_msg("%s: off by %g s, allowed %g s", channels[i].name, off_s, slack_s);
    }
    assert_true(fabs(channels[4].resolution - 1) < 1e-9); /* psys of a Sapphire Rapids counts joules */
    meter_close(meter);
    machine_free(&machine);
}

static void dies_and_packages_are_told_apart(void **state)
{
    (void)state;
    if (!may_count())
        skip();
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
        print_message("two logical CPUs are needed\n");
        skip();
    }
    static const struct {
        const char *vendor;
        unsigned package;
        const char *first, *second; /* of the second CPU; NULL: it has no counter of its own */
    } cases[] = {{"GenuineIntel", 1, "package-0", "package-1"},
                 {"GenuineIntel", 0, "package-0-die-0", "package-0-die-1"},
                 {"AuthenticAMD", 0, "package-0", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct machine machine = machine_make(cases[i].vendor);
        rapl_tree_write(machine.tree, POWER "/cpumask", "0-1\n");
        rapl_tree_cpu(machine.tree, 1, cases[i].package, 1, 0);
        struct meter *meter = open_perf(&machine);
        size_t count;
        const struct channel *channels = meter_channels(meter, &count);
        assert_int_equal(count, cases[i].second ? 9 : 5); /* psys is one */
        assert_string_equal(channels[0].name, cases[i].first);
        if (cases[i].second)
            assert_string_equal(channels[5].name, cases[i].second);
        meter_close(meter);
        machine_free(&machine);
    }
}

static void cores_of_amd_add_up(void **state)
{
    (void)state;
    if (!may_count())
        skip();
    struct machine machine = machine_make("AuthenticAMD");
    static const char *const absent[] = {"energy-cores", "energy-gpu", "energy-ram", "energy-psys"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++) {
        AUTO_FREE char *path =
            text_format("%s/" POWER "/events/%s", rapl_tree_sysfs(machine.tree), absent[i]);
        assert_int_equal(unlink(path), 0);
    }
    rapl_tree_event(machine.tree, "power_core", "energy-core", 3);
    long cpus = sysconf(_SC_NPROCESSORS_ONLN) >= 2 ? 2 : 1;
    rapl_tree_write(machine.tree, "bus/event_source/devices/power_core/cpumask", cpus == 2 ? "0-1\n" : "0\n");
    rapl_tree_cpu(machine.tree, 1, 0, 0, 1);
    struct meter *meter = open_perf(&machine);
    size_t count;
    const struct channel *channels = meter_channels(meter, &count);
    assert_int_equal(count, 2);
    assert_string_equal(channels[1].name, "package-0/core");
    assert_string_equal(channels[1].part_of, "package-0");
    double before[2], after[2];
    struct meter_reading first = {.values = before}, last = {.values = after};
    read_all(meter, &first);
    clock_sleep_until(first.boot_ns + NS_PER_S / 10);
    read_all(meter, &last);
    double elapsed_s = (double)(last.boot_ns - first.boot_ns) / NS_PER_S;
    double slack_s = (double)(first.span_ns + last.span_ns) / NS_PER_S + 1e-4;
    assert_true(fabs((after[1] - before[1]) / (3 * (double)cpus) - elapsed_s) <= slack_s);
    meter_close(meter);
    machine_free(&machine);
}

static void unusable_because(const struct machine *machine, const char *reason, const char *remedy)
{
    struct meter_probe probe;
    rapl_perf_driver.probe(&machine->setup, &probe);
    assert_false(probe.usable);
    if (!strstr(probe.reason, reason) || !strstr(probe.remedy, remedy))
        fail_msg("expected '%s' and '%s', found '%s' and '%s'", reason, remedy, probe.reason, probe.remedy);
    meter_probe_free(&probe);
}

static void what_sysfs_says_wrongly_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *path, *content, *reason;
    } cases[] = {
        {POWER "/type", "power\n", "power/type: expected a whole number"},
        {POWER "/cpumask", "0;1\n", "power/cpumask: expected an ascending list of CPUs"},
        {POWER "/cpumask", "\n", "power/cpumask: expected at least one CPU"},
        {POWER "/cpumask", "70\n", "cpu70/topology/physical_package_id: No such file"},
        {POWER "/events/energy-pkg", "event=2\n", "energy-pkg: expected an event like event=0x02"},
        {POWER "/events/energy-ram.scale", "-1\n", "energy-ram.scale: expected a scale above 0"},
        {POWER "/events/energy-gpu.unit", "Calories", "energy-gpu.unit: expected Joules, found 'Calories'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct machine machine = machine_make("GenuineIntel");
        rapl_tree_write(machine.tree, cases[i].path, cases[i].content);
        unusable_because(&machine, cases[i].reason, "");
        machine_free(&machine);
    }
    struct machine none = {.tree = rapl_tree_make(NULL, 0)};
    none.setup.sysfs = rapl_tree_sysfs(none.tree);
    unusable_because(&none, "the kernel has no RAPL PMU", "modprobe rapl");
    machine_free(&none);
}

static void denied_permission_says_what_would_do(void **state)
{
    (void)state;
    if (geteuid() == 0) /* root may count anything: look with somebody else's eyes */
        assert_int_equal(seteuid(65534), 0);
    bool may = may_count();
    struct machine machine;
    if (!may) {
        if (getuid() == 0)
            assert_int_equal(seteuid(0), 0); /* the tree is root's to make */
        machine = machine_make("GenuineIntel");
        if (getuid() == 0)
            assert_int_equal(seteuid(65534), 0);
        unusable_because(&machine, "kernel.perf_event_paranoid at 0 or less (it is 2)",
                         "sudo joulery meters --grant --apply");
    }
    if (getuid() == 0)
        assert_int_equal(seteuid(0), 0);
    if (may) {
        print_message("this kernel lets everybody count\n");
        skip();
    }
    machine_free(&machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_event_counts_its_watts),
        cmocka_unit_test(dies_and_packages_are_told_apart),
        cmocka_unit_test(cores_of_amd_add_up),
        cmocka_unit_test(what_sysfs_says_wrongly_is_refused),
        cmocka_unit_test(denied_permission_says_what_would_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
