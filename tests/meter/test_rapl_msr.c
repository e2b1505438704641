#include "base/text.h"
#include "meter/driver.h"
#include "rapl_tree.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* Intel SDM volume 4; AMD PPR for family 17h */
#define INTEL_UNIT  0x606
#define PACKAGE     0x611
#define DRAM        0x619
#define CORE        0x639
#define UNCORE      0x641
#define PLATFORM    0x64d
#define AMD_UNIT    0xc0010299
#define AMD_CORE    0xc001029a
#define AMD_PACKAGE 0xc001029b
#define UNIT_2_14   0x000a0e03 /* energy unit 2^-14 J, as most of Intel's processors say */
#define SKYLAKE_X   "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n"
#define SAPPHIRE    "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\n"
#define SILVERMONT  "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 55\n"
#define ZEN         "vendor_id\t: AuthenticAMD\ncpu family\t: 23\nmodel\t\t: 1\n"

struct machine {
    struct rapl_tree *tree;
    char *procfs, *devfs;
    struct meter_setup setup;
};

static struct machine machine_make(const char *cpuinfo, const char *online)
{
    struct machine machine = {.tree = rapl_tree_make(NULL, 0)};
    rapl_tree_write(machine.tree, "proc/cpuinfo", cpuinfo);
    rapl_tree_write(machine.tree, "devices/system/cpu/online", online);
    machine.procfs = rapl_tree_folder(machine.tree, "proc");
    machine.devfs = rapl_tree_folder(machine.tree, "dev");
    machine.setup = (struct meter_setup){
        .sysfs = rapl_tree_sysfs(machine.tree), .procfs = machine.procfs, .devfs = machine.devfs};
    return machine;
}

static void machine_free(struct machine *machine)
{
    rapl_tree_free(machine->tree);
    free(machine->procfs);
    free(machine->devfs);
}

static struct meter *open_msr(const struct machine *machine)
{
    struct error error = ERROR_INIT;
    struct meter *meter = meter_open(&rapl_msr_driver, &machine->setup, &error);
    if (!meter)
        fail_msg("%s", error_text(&error));
    return meter;
}

static void channels_are(const struct meter *meter, const char *expected)
{
    size_t count;
    const struct channel *channels = meter_channels(meter, &count);
    struct text names = TEXT_INIT;
    for (size_t i = 0; i < count; i++)
        text_printf(&names, "%s ", channels[i].name);
    assert_string_equal(names.data, expected);
    text_free(&names);
}

static void values_are(struct meter *meter, const double *expected)
{
    double values[16];
    size_t count;
    const struct channel *channels = meter_channels(meter, &count);
    struct meter_reading reading = {.values = values};
    struct error error = ERROR_INIT;
    assert_true(count <= 16);
    if (meter_read(meter, &reading, &error) < 0)
        fail_msg("%s", error_text(&error));
    for (size_t i = 0; i < count; i++)
        if (!(fabs(values[i] - expected[i]) <= 1e-9 * fabs(expected[i])))
            fail_msg("%s: %.12g J, expected %.12g J", channels[i].name, values[i], expected[i]);
}

static void a_server_counts_in_its_units(void **state)
{
    (void)state;
    struct machine machine = machine_make("processor\t: 0\n" SKYLAKE_X, "0-3\n");
    for (unsigned cpu = 0; cpu < 4; cpu++)
        rapl_tree_cpu(machine.tree, cpu, cpu % 2, 0, cpu / 2);
    for (unsigned cpu = 0; cpu < 2; cpu++) {
        rapl_tree_msr(machine.tree, cpu, INTEL_UNIT, UNIT_2_14);
        rapl_tree_msr(machine.tree, cpu, DRAM, 1000000 + cpu);
        rapl_tree_msr(machine.tree, cpu, PACKAGE,
                      0xabcdef0000004000 + cpu); /* above 32 bits: not the counter */
    }
    struct meter *meter = open_msr(&machine);
    channels_are(meter, "package-0 package-0/dram package-1 package-1/dram ");
    size_t count;
    const struct channel *channels = meter_channels(meter, &count);
    assert_true(fabs(channels[0].range_j - 262144) < 1e-6);
    assert_true(fabs(channels[1].range_j - 4294967296 * 15.3e-6) < 1e-6);
    assert_int_equal(channels[1].scope, SCOPE_DRAM);
    values_are(meter, (double[]){1, 15.3, 1 + 1 / 16384., 1000001 * 15.3e-6});
    rapl_tree_msr(machine.tree, 0, PACKAGE, 0xffffffff);
    values_are(meter, (double[]){0xffffffff / 16384., 15.3, 1 + 1 / 16384., 1000001 * 15.3e-6});
    meter_close(meter);
    machine_free(&machine);
}

static void units_follow_the_model(void **state)
{
    (void)state;
    static const struct {
        const char *cpuinfo;
        uint32_t address;
        double unit_j;
    } cases[] = {{SAPPHIRE, PLATFORM, 1},
                 {SAPPHIRE, DRAM, 1 / 16384.},
                 {SKYLAKE_X, PLATFORM, 1 / 16384.},
                 {SILVERMONT, CORE, 16384e-6},
                 {SKYLAKE_X, UNCORE, 1 / 16384.}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        AUTO_FREE char *cpuinfo = text_format("processor\t: 0\n%s", cases[i].cpuinfo);
        struct machine machine = machine_make(cpuinfo, "0\n");
        rapl_tree_cpu(machine.tree, 0, 0, 0, 0);
        rapl_tree_msr(machine.tree, 0, INTEL_UNIT, UNIT_2_14);
        rapl_tree_msr(machine.tree, 0, PACKAGE, 5);
        rapl_tree_msr(machine.tree, 0, cases[i].address, 50000);
        struct meter *meter = open_msr(&machine);
        size_t count;
        const struct channel *channels = meter_channels(meter, &count);
        assert_int_equal(count, 2);
        assert_true(fabs(channels[1].resolution / cases[i].unit_j - 1) < 1e-9);
        double package_j = 5 * (cases[i].unit_j == 16384e-6 ? 16384e-6 : 1 / 16384.);
        values_are(meter, (double[]){package_j, 50000 * cases[i].unit_j});
        meter_close(meter);
        machine_free(&machine);
    }
}

static void dies_with_one_counter_are_one_package(void **state)
{
    (void)state;
    struct machine machine = machine_make("processor\t: 0\n" SAPPHIRE, "0-1\n");
    for (unsigned cpu = 0; cpu < 2; cpu++) {
        rapl_tree_cpu(machine.tree, cpu, 0, cpu, 0);
        rapl_tree_msr(machine.tree, cpu, INTEL_UNIT, UNIT_2_14);
        rapl_tree_msr(machine.tree, cpu, PACKAGE, 16384);
    }
    struct meter *meter = open_msr(&machine);
    channels_are(meter, "package-0 ");
    values_are(meter, (double[]){1});
    meter_close(meter);
    rapl_tree_msr(machine.tree, 1, PACKAGE, 32768);
    meter = open_msr(&machine);
    channels_are(meter, "package-0-die-0 package-0-die-1 ");
    values_are(meter, (double[]){1, 2});
    meter_close(meter);
    machine_free(&machine);
}

/* AMD's registers stand side by side, a byte apart in a file: five bytes from the unit's on. The second is
 * the unit's exponent and the lowest of the core's counter. */
static void write_amd(const struct machine *machine, unsigned cpu, const unsigned char bytes[5])
{
    uint64_t value = 0;
    for (size_t i = 0; i < 5; i++)
        value |= (uint64_t)bytes[i] << 8 * (i + 1);
    rapl_tree_msr(machine->tree, cpu, AMD_PACKAGE, value >> 24);
    rapl_tree_msr(machine->tree, cpu, AMD_UNIT, value);
}

static void cores_of_amd_add_up_over_their_wraps(void **state)
{
    (void)state;
    struct machine machine = machine_make("processor\t: 0\n" ZEN, "0-3\n");
    for (unsigned cpu = 0; cpu < 4; cpu++) /* two dies, two threads a core: one package */
        rapl_tree_cpu(machine.tree, cpu, 0, cpu / 2, cpu / 2);
    static const unsigned char before[5] = {16, 0, 0, 0xff, 1}, after[5] = {16, 0, 0, 1, 2};
    for (unsigned cpu = 0; cpu < 4; cpu++)
        write_amd(&machine, cpu, before);
    struct meter *meter = open_msr(&machine);
    channels_are(meter, "package-0 package-0/core ");
    size_t count;
    const struct channel *channels = meter_channels(meter, &count);
    assert_true(channels[1].range_j == 0 && fabs(channels[0].range_j - 65536) < 1e-6);
    assert_string_equal(channels[1].part_of, "package-0");
    /* package: 0x01ff0000, then 0x02010000 steps of 2^-16 J; a core: from 0xff000010 to 0x01000010 */
    values_are(meter, (double[]){0x01ff, 0});
    write_amd(&machine, 0, after);
    values_are(meter, (double[]){0x0201, 512});
    write_amd(&machine, 2, after);
    values_are(meter, (double[]){0x0201, 1024});
    meter_close(meter);
    machine_free(&machine);
}

static void unusable_because(const struct machine *machine, const char *reason, const char *remedy)
{
    struct meter_probe probe;
    rapl_msr_driver.probe(&machine->setup, &probe);
    assert_false(probe.usable);
    if (!strstr(probe.reason, reason) || !strstr(probe.remedy, remedy))
        fail_msg("expected '%s' and '%s', found '%s' and '%s'", reason, remedy, probe.reason, probe.remedy);
    meter_probe_free(&probe);
}

static void a_machine_without_registers_says_so(void **state)
{
    (void)state;
    struct machine machine = machine_make("processor\t: 0\nvendor_id\t: CentaurHauls\n", "0\n");
    rapl_tree_cpu(machine.tree, 0, 0, 0, 0);
    unusable_because(&machine, "expected a processor of Intel, AMD or Hygon", "");
    rapl_tree_write(machine.tree, "proc/cpuinfo", "processor\t: 0\n" SKYLAKE_X);
    unusable_because(&machine, "dev/cpu/0/msr: No such file", "sudo modprobe msr");
    rapl_tree_msr(machine.tree, 0, 0x100, 0);
    unusable_because(&machine, "register 0x606 holds no units", "measure on its host");
    rapl_tree_msr(machine.tree, 0, INTEL_UNIT, UNIT_2_14);
    unusable_because(&machine, "CPU 0: register 0x611 does not count", "measure on its host");
    AUTO_FREE char *path = rapl_tree_folder(machine.tree, "dev/cpu/0/msr");
    assert_int_equal(chmod(path, 0), 0);
    bool root = geteuid() == 0;
    if (root)
        assert_int_equal(seteuid(65534), 0);
    unusable_because(&machine, "msr: Permission denied", "sudo joulery meters --grant --apply");
    if (root)
        assert_int_equal(seteuid(0), 0);
    machine_free(&machine);
}

static void a_cpu_that_goes_gives_no_reading(void **state)
{
    (void)state;
    struct machine machine = machine_make("processor\t: 0\n" SKYLAKE_X, "0-1\n");
    for (unsigned cpu = 0; cpu < 2; cpu++) {
        rapl_tree_cpu(machine.tree, cpu, cpu, 0, 0);
        rapl_tree_msr(machine.tree, cpu, INTEL_UNIT, UNIT_2_14);
        rapl_tree_msr(machine.tree, cpu, PACKAGE, 16384 * (cpu + 1));
    }
    struct meter *meter = open_msr(&machine);
    AUTO_FREE char *path = rapl_tree_folder(machine.tree, "dev/cpu/1/msr");
    assert_int_equal(truncate(path, 0), 0);
    double values[2];
    struct meter_reading reading = {.values = values};
    struct error error = ERROR_INIT;
    assert_int_equal(meter_read(meter, &reading, &error), 0);
    assert_true(fabs(values[0] - 1) < 1e-9 && isnan(values[1]));
    meter_close(meter);
    machine_free(&machine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_server_counts_in_its_units),
        cmocka_unit_test(units_follow_the_model),
        cmocka_unit_test(dies_with_one_counter_are_one_package),
        cmocka_unit_test(cores_of_amd_add_up_over_their_wraps),
        cmocka_unit_test(a_machine_without_registers_says_so),
        cmocka_unit_test(a_cpu_that_goes_gives_no_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
