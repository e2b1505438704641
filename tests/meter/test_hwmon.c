/* The hwmon driver on folders as the kernel's drivers make them. */
#include "meter/meter.h"

#include "base/file.h"
#include "base/text.h"
#include "file_tree.h"
#include "meter/amd_visible.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define CHANNELS_MOST 16

static const struct meter_driver *hwmon(void)
{
    size_t count;
    const struct meter_driver *const *drivers = meter_drivers(&count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(drivers[i]->name, "hwmon") == 0)
            return drivers[i];
    fail_msg("no driver hwmon");
    return NULL;
}

static struct meter *open_tree(const struct file_tree *tree)
{
    struct error error = ERROR_INIT;
    const struct meter_setup setup = {.sysfs = file_tree_root(tree), .procfs = "/nonexistent"};
    struct meter *meter = meter_open(hwmon(), &setup, &error);
    if (!meter)
        fail_msg("%s", error_text(&error));
    return meter;
}

static size_t position(const struct meter *meter, const char *name)
{
    size_t count;
    const struct channel *channels = meter_channels(meter, &count);
    assert_true(count <= CHANNELS_MOST);
    for (size_t i = 0; i < count; i++)
        if (strcmp(channels[i].name, name) == 0)
            return i;
    fail_msg("no channel %s", name);
    return 0;
}

static const struct channel *channel(const struct meter *meter, const char *name)
{
    size_t count;
    return &meter_channels(meter, &count)[position(meter, name)];
}

static size_t channel_count(const struct meter *meter)
{
    size_t count;
    meter_channels(meter, &count);
    return count;
}

static double value(struct meter *meter, const char *name)
{
    double values[CHANNELS_MOST];
    struct meter_reading reading = {.values = values};
    struct error error = ERROR_INIT;
    size_t at = position(meter, name);
    if (meter_read(meter, &reading, &error) < 0)
        fail_msg("%s", error_text(&error));
    return values[at];
}

static bool has_note(const struct meter *meter, const char *part)
{
    size_t count;
    const char *const *notes = meter_notes(meter, &count);
    for (size_t i = 0; i < count; i++)
        if (strstr(notes[i], part))
            return true;
    return false;
}

static void unusable_because(const struct file_tree *tree, const char *reason, const char *remedy)
{
    struct meter_probe probe;
    const struct meter_setup setup = {.sysfs = file_tree_root(tree), .procfs = "/nonexistent"};
    hwmon()->probe(&setup, &probe);
    assert_false(probe.usable);
    if (!strstr(probe.reason, reason) || !strstr(probe.remedy, remedy))
        fail_msg("expected '%s' and '%s', found '%s' and '%s'", reason, remedy, probe.reason, probe.remedy);
    meter_probe_free(&probe);
}

/* ---- processors ---- */

static void make_amd_energy(const struct file_tree *tree)
{
    file_tree_write(tree, "class/hwmon/hwmon3/name", "amd_energy\n");
    file_tree_write(tree, "class/hwmon/hwmon3/energy1_label", "Ecore000\n");
    file_tree_write(tree, "class/hwmon/hwmon3/energy1_input", "111\n");
    file_tree_write(tree, "class/hwmon/hwmon3/energy2_label", "Esocket0\n");
    file_tree_write(tree, "class/hwmon/hwmon3/energy2_input", "5000000\n");
    file_tree_write(tree, "class/hwmon/hwmon3/energy3_label", "Esocket1\n");
    file_tree_write(tree, "class/hwmon/hwmon3/energy3_input", "7000000\n");
}

static void sockets_of_amd_energy_are_processors_and_their_cores_left_out(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    make_amd_energy(tree);
    struct meter *meter = open_tree(tree);
    assert_int_equal(channel_count(meter), 2);
    const struct channel *socket = channel(meter, "package-1");
    assert_int_equal(socket->scope, SCOPE_CPU);
    assert_int_equal(socket->kind, KIND_COUNTER);
    assert_false(socket->apart);
    assert_true(value(meter, "package-0") == 5);
    file_tree_write(tree, "class/hwmon/hwmon3/energy2_input", "5250000\n");
    assert_true(value(meter, "package-0") == 5.25);
    assert_true(value(meter, "package-1") == 7);
    meter_close(meter);
    file_tree_free(tree);
}

static void make_acpi_meter(const struct file_tree *tree, const char *folder, const char *info,
                            const char *power_uw)
{
    const char *const files[][2] = {{"name", "power_meter\n"},
                                    {"power1_oem_info", info},
                                    {"power1_average", power_uw},
                                    {"power1_average_interval", "50\n"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        AUTO_FREE char *path = text_format("class/hwmon/%s/device/%s", folder, files[i][0]);
        file_tree_write(tree, path, files[i][1]);
    }
}

static void rails_of_grace_are_parts_of_its_socket(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    make_acpi_meter(tree, "hwmon1", "Module Power Socket 0\n", "300000000\n");
    make_acpi_meter(tree, "hwmon2", "Grace Power Socket 0\n", "100000000\n");
    make_acpi_meter(tree, "hwmon3", "CPU Power Socket 0\n", "80000000\n");
    make_acpi_meter(tree, "hwmon4", "SysIO Power Socket 0\n", "5000000\n");
    make_acpi_meter(tree, "hwmon5", "Total Power in uW socket 0\n", "90000000\n");
    struct meter *meter = open_tree(tree);
    assert_int_equal(channel_count(meter), 5);
    const struct channel *grace = channel(meter, "grace-0");
    assert_int_equal(grace->scope, SCOPE_CPU);
    assert_string_equal(grace->part_of, "module-0");
    assert_true(grace->has_memory);
    assert_true(fabs(grace->averaging_s - 0.05) < 1e-12);
    assert_int_equal(channel(meter, "module-0")->scope, SCOPE_PLATFORM); /* its GPU is NVML's */
    assert_string_equal(channel(meter, "grace-0/cpu")->part_of, "grace-0");
    assert_string_equal(channel(meter, "grace-0/sysio")->part_of, "grace-0");
    /* a meter that says something else is the board's, which no total holds */
    assert_int_equal(channel(meter, "power-meter-4")->scope, SCOPE_PLATFORM);
    assert_true(value(meter, "grace-0/cpu") == 80);
    meter_close(meter);
    file_tree_free(tree);
}

static void a_part_without_its_whole_stands_for_itself(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    make_acpi_meter(tree, "hwmon3", "CPU Power Socket 1\n", "80000000\n");
    struct meter *meter = open_tree(tree);
    assert_null(channel(meter, "grace-1/cpu")->part_of);
    meter_close(meter);
    file_tree_free(tree);
}

static void two_meters_of_one_name_are_counted_once(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    make_acpi_meter(tree, "hwmon1", "Grace Power Socket 0\n", "100000000\n");
    make_acpi_meter(tree, "hwmon2", "Grace Power Socket 0\n", "100000000\n");
    struct meter *meter = open_tree(tree);
    assert_int_equal(channel_count(meter), 2);
    assert_false(channel(meter, "grace-0")->apart);
    assert_true(channel(meter, "grace-0 again (1)")->apart);
    meter_close(meter);
    file_tree_free(tree);
}

/* ---- Jetson ---- */

static void make_ina3221(const struct file_tree *tree)
{
    static const char *const files[][2] = {
        {"name", "ina3221\n"},   {"update_interval", "20\n"}, {"in1_label", "VDD_IN\n"},
        {"in1_input", "5000\n"}, {"curr1_input", "2000\n"},   {"in2_label", "VDD_CPU_GPU_CV\n"},
        {"in2_input", "4992\n"}, {"curr2_input", "500\n"},    {"in3_label", "VDD_SOC\n"},
        {"in3_input", "4992\n"}, {"curr3_input", "300\n"},    {"in7_label", "sum of shunt voltages\n"},
        {"in7_input", "123\n"},  {"curr4_input", "2800\n"},   {"in4_input", "40\n"},
    };
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        AUTO_FREE char *path = text_format("class/hwmon/hwmon0/%s", files[i][0]);
        file_tree_write(tree, path, files[i][1]);
    }
}

static void rails_of_a_jetson_are_parts_of_its_module(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    make_ina3221(tree);
    file_tree_write(tree, "firmware/devicetree/base/compatible", "nvidia,p3768-0000+p3767-0000");
    struct meter *meter = open_tree(tree);
    assert_int_equal(channel_count(meter), 3);
    const struct channel *module = channel(meter, "module");
    assert_int_equal(module->scope, SCOPE_CPU);
    assert_int_equal(module->kind, KIND_POWER);
    assert_true(module->has_memory);
    assert_true(fabs(module->update_s - 0.02) < 1e-12);
    assert_string_equal(channel(meter, "module/cpu-gpu-cv")->part_of, "module");
    assert_string_equal(channel(meter, "module/soc")->part_of, "module");
    assert_true(fabs(value(meter, "module") - 10) < 1e-9); /* 5 V x 2 A */
    assert_true(fabs(value(meter, "module/soc") - 4.992 * 0.3) < 1e-9);
    meter_close(meter);
    file_tree_free(tree);
}

static void older_jetsons_have_rails_of_their_own(void **state)
{
    (void)state;
    static const char *const boards[][4] = {
        {"POM_5V_IN", "POM_5V_GPU", "POM_5V_CPU", "module/gpu"},   /* Nano */
        {"VDD_IN", "VDD_SYS_CPU", "VDD_SYS_DDR", "module/memory"}, /* TX2, one of its two monitors */
        {"GPU", "CPU", "SOC", "module/gpu"},                       /* Xavier AGX, the same */
    };
    for (size_t b = 0; b < sizeof boards / sizeof *boards; b++) {
        struct file_tree *tree = file_tree_make();
        make_ina3221(tree);
        for (int i = 0; i < 3; i++) {
            AUTO_FREE char *path = text_format("class/hwmon/hwmon0/in%d_label", i + 1);
            file_tree_write(tree, path, boards[b][i]);
        }
        file_tree_write(tree, "firmware/devicetree/base/compatible", "nvidia,tegra");
        struct meter *meter = open_tree(tree);
        assert_int_equal(channel_count(meter), 3);
        assert_false(channel(meter, boards[b][3])->apart);
        if (b < 2)
            assert_string_equal(channel(meter, boards[b][3])->part_of, "module");
        meter_close(meter);
        file_tree_free(tree);
    }
}

static void rails_of_an_unknown_board_are_in_no_total(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    make_ina3221(tree);
    struct meter *meter = open_tree(tree);
    assert_int_equal(channel_count(meter), 3);
    const struct channel *rail = channel(meter, "ina3221-0/power1");
    assert_true(rail->apart);
    assert_int_equal(rail->scope, SCOPE_PLATFORM);
    assert_string_equal(rail->label, "VDD_IN");
    meter_close(meter);
    file_tree_free(tree);
}

/* ---- GPUs ---- */

/* hwmonN is a link into its device's folder, as in sysfs. */
static void make_card(const struct file_tree *tree, const char *hwmon_name, const char *address,
                      const char *const (*files)[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        AUTO_FREE char *path = text_format("devices/pci0000:00/%s/%s/%s", address, hwmon_name, files[i][0]);
        file_tree_write(tree, path, files[i][1]);
    }
    AUTO_FREE char *folder = text_format("devices/pci0000:00/%s", address);
    AUTO_FREE char *device = text_format("%s/%s/device", folder, hwmon_name);
    AUTO_FREE char *inner = text_format("%s/%s", folder, hwmon_name);
    AUTO_FREE char *link = text_format("class/hwmon/%s", hwmon_name);
    file_tree_link(tree, device, folder);
    file_tree_link(tree, link, inner);
}

static void make_amdgpu(const struct file_tree *tree, const char *hwmon_name, const char *address,
                        const char *power_uw)
{
    const char *const files[][2] = {{"name", "amdgpu\n"},
                                    {"power1_label", "PPT\n"},
                                    {"power1_average", power_uw},
                                    {"power1_input", "999000000\n"},
                                    {"power1_cap", "300000000\n"}};
    make_card(tree, hwmon_name, address, files, sizeof files / sizeof *files);
}

static void gpus_of_amd_are_named_by_their_place(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    make_amdgpu(tree, "hwmon1", "0000:83:00.0", "60000000\n");
    make_amdgpu(tree, "hwmon7", "0000:03:00.0", "30000000\n");
    struct meter *meter = open_tree(tree);
    assert_int_equal(channel_count(meter), 2); /* one figure a card: its average */
    const struct channel *card = channel(meter, "gpu-amd-0");
    assert_int_equal(card->scope, SCOPE_GPU);
    assert_int_equal(card->kind, KIND_POWER);
    assert_string_equal(card->label, "PPT, 0000:03:00.0");
    assert_true(value(meter, "gpu-amd-0") == 30);
    assert_true(value(meter, "gpu-amd-1") == 60);
    meter_close(meter);
    file_tree_free(tree);
}

static void gpus_that_the_job_may_not_use_are_apart(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    make_amdgpu(tree, "hwmon1", "0000:03:00.0", "60000000\n");
    make_amdgpu(tree, "hwmon2", "0000:83:00.0", "30000000\n");
    /* the kernel's list begins with the processor, and need not be in the order of addresses */
    file_tree_write(tree, "class/kfd/kfd/topology/nodes/0/properties", "cpu_cores_count 64\nsimd_count 0\n");
    file_tree_write(tree, "class/kfd/kfd/topology/nodes/1/properties",
                    "simd_count 208\ndomain 0\nlocation_id 33536\nunique_id 255\n"); /* 0x8300 */
    file_tree_write(tree, "class/kfd/kfd/topology/nodes/2/properties",
                    "simd_count 208\ndomain 0\nlocation_id 768\nunique_id 4080\n"); /* 0x0300 */
    setenv("ROCR_VISIBLE_DEVICES", "0", 1);
    struct meter *meter = open_tree(tree);
    assert_true(channel(meter, "gpu-amd-0")->apart);
    assert_false(channel(meter, "gpu-amd-1")->apart);
    assert_true(has_note(meter, "gpu-amd-0 is not among"));
    meter_close(meter);
    setenv("ROCR_VISIBLE_DEVICES", "GPU-0000000000000ff0", 1);
    meter = open_tree(tree);
    assert_false(channel(meter, "gpu-amd-0")->apart);
    assert_true(channel(meter, "gpu-amd-1")->apart);
    meter_close(meter);
    setenv("ROCR_VISIBLE_DEVICES", "1,0", 1); /* the second list counts within the first */
    setenv("HIP_VISIBLE_DEVICES", "1", 1);
    meter = open_tree(tree);
    assert_true(channel(meter, "gpu-amd-0")->apart);
    assert_false(channel(meter, "gpu-amd-1")->apart);
    meter_close(meter);
    unsetenv("ROCR_VISIBLE_DEVICES");
    unsetenv("HIP_VISIBLE_DEVICES");
    file_tree_free(tree);
}

static void lists_of_devices_end_where_they_make_no_sense(void **state)
{
    (void)state;
    const struct kfd_node nodes[4] = {{.unique_id = 1}, {.unique_id = 2}, {.unique_id = 3}, {.unique_id = 4}};
    static const struct {
        const char *list;
        size_t count, first;
    } cases[] = {{NULL, 4, 0},    {"", 4, 0},         {"2", 1, 2},
                 {"3,1", 2, 3},   {"1,9,0", 1, 1},    {"-1", 0, 0},
                 {"1,,2", 1, 1},  {" 1", 0, 0},       {"GPU-0000000000000003", 1, 2},
                 {"GPU-3", 0, 0}, {"0,1,2,3,0", 4, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t chosen[4] = {0, 1, 2, 3}, count = 4;
        amd_visible_filter(cases[i].list, nodes, chosen, &count);
        if (count != cases[i].count || (count && chosen[0] != cases[i].first))
            fail_msg("'%s': %zu, from %zu", cases[i].list ? cases[i].list : "(none)", count, chosen[0]);
    }
}

static void graphics_within_a_processor_are_its_socket(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    static const char *const files[][2] = {{"name", "amdgpu\n"},          {"in1_label", "vddnb\n"},
                                           {"power1_label", "slowPPT\n"}, {"power1_average", "9000000\n"},
                                           {"power2_label", "fastPPT\n"}, {"power2_average", "9000000\n"}};
    make_card(tree, "hwmon1", "0000:04:00.0", files, sizeof files / sizeof *files);
    make_amdgpu(tree, "hwmon2", "0000:03:00.0", "60000000\n");
    setenv("HIP_VISIBLE_DEVICES", "0", 1); /* of GPUs; a processor is never somebody else's */
    struct meter *meter = open_tree(tree);
    assert_int_equal(channel(meter, "apu-amd-0")->scope, SCOPE_CPU);
    assert_false(channel(meter, "apu-amd-0")->apart);
    assert_true(channel(meter, "apu-amd-0")->averaging_s == 5);
    assert_true(channel(meter, "apu-amd-0/fast")->twin && channel(meter, "apu-amd-0/fast")->apart);
    assert_false(channel(meter, "gpu-amd-0")->apart);
    meter_close(meter);
    make_amd_energy(tree); /* and where a chip measures the processor, the graphics' figure is a second one */
    meter = open_tree(tree);
    assert_false(channel(meter, "package-0")->apart);
    assert_true(channel(meter, "apu-amd-0")->apart);
    meter_close(meter);
    unsetenv("HIP_VISIBLE_DEVICES");
    file_tree_free(tree);
}

static void tiles_and_packages_of_intel_are_parts_of_their_card(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    static const char *const card[][2] = {{"name", "i915\n"}, {"energy1_input", "1000000\n"}};
    static const char *const tile[][2] = {{"name", "i915_gt1\n"}, {"energy1_input", "400000\n"}};
    static const char *const xe[][2] = {{"name", "xe\n"},
                                        {"energy1_label", "card\n"},
                                        {"energy1_input", "3000000\n"},
                                        {"energy2_label", "pkg\n"},
                                        {"energy2_input", "2000000\n"}};
    make_card(tree, "hwmon1", "0000:03:00.0", card, 2);
    make_card(tree, "hwmon2", "0000:03:00.0", tile, 2);
    make_card(tree, "hwmon3", "0000:09:00.0", xe, 5);
    struct meter *meter = open_tree(tree);
    assert_int_equal(channel_count(meter), 4);
    assert_int_equal(channel(meter, "gpu-intel-0")->scope, SCOPE_GPU);
    assert_int_equal(channel(meter, "gpu-intel-0")->kind, KIND_COUNTER);
    assert_string_equal(channel(meter, "gpu-intel-0/gt-1")->part_of, "gpu-intel-0");
    assert_string_equal(channel(meter, "gpu-intel-1/package")->part_of, "gpu-intel-1");
    assert_true(value(meter, "gpu-intel-1") == 3);
    meter_close(meter);
    file_tree_free(tree);
}

/* ---- what is wrong or unknown ---- */

static void an_unknown_chip_is_listed_and_in_no_total(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    file_tree_write(tree, "class/hwmon/hwmon0/name", "corsair\x1b[31mpsu\n");
    file_tree_write(tree, "class/hwmon/hwmon0/power1_label", "total\n");
    file_tree_write(tree, "class/hwmon/hwmon0/power1_input", "250000000\n");
    struct meter *meter = open_tree(tree);
    const struct channel *other = channel(meter, "corsair?[31mpsu-0/power1");
    assert_true(other->apart);
    assert_int_equal(other->scope, SCOPE_PLATFORM);
    assert_string_equal(other->label, "total");
    meter_close(meter);
    file_tree_free(tree);
}

static void what_gives_nothing_at_first_is_left_out_and_said(void **state)
{
    (void)state;
    static const char *const wrong[] = {"",    "\n", "-5\n", "1e6\n", "12 W\n", "99999999999999999999\n",
                                        " 5\n"};
    struct file_tree *tree = file_tree_make();
    make_amdgpu(tree, "hwmon1", "0000:03:00.0", "60000000\n");
    make_amdgpu(tree, "hwmon2", "0000:83:00.0", "60000000\n");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        file_tree_write(tree, "class/hwmon/hwmon2/power1_average", wrong[i]);
        struct meter *meter = open_tree(tree);
        assert_int_equal(channel_count(meter), 1);
        assert_true(has_note(meter, "gpu-amd-1 is left out: expected a whole number"));
        meter_close(meter);
    }
    file_tree_write(tree, "class/hwmon/hwmon1/power1_average", "0 W\n");
    unusable_because(tree, "gpu-amd-0 is left out: expected a whole number", "wake the device");
    file_tree_free(tree);
}

static void a_channel_that_ends_in_the_middle_is_no_reading(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    make_amdgpu(tree, "hwmon1", "0000:03:00.0", "60000000\n");
    make_amdgpu(tree, "hwmon2", "0000:83:00.0", "30000000\n");
    struct meter *meter = open_tree(tree);
    file_tree_write(tree, "class/hwmon/hwmon2/power1_average", "");
    assert_true(isnan(value(meter, "gpu-amd-1")));
    assert_true(value(meter, "gpu-amd-0") == 60);
    file_tree_write(tree, "class/hwmon/hwmon1/power1_average", "garbage\n");
    double values[2];
    struct meter_reading reading = {.values = values};
    struct error error = ERROR_INIT;
    assert_int_equal(meter_read(meter, &reading, &error), -1);
    error_clear(&error);
    meter_close(meter);
    file_tree_free(tree);
}

static void denied_permission_names_the_remedy(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    make_amd_energy(tree);
    file_tree_deny(tree, "class/hwmon/hwmon3/energy2_input");
    file_tree_deny(tree, "class/hwmon/hwmon3/energy3_input");
    bool root = geteuid() == 0;
    if (root) /* root reads anything: look with somebody else's eyes */
        assert_int_equal(seteuid(65534), 0);
    unusable_because(tree, "Permission denied", "sudo chmod a+r");
    if (root)
        assert_int_equal(seteuid(0), 0);
    file_tree_free(tree);
}

static void machines_without_such_chips_are_told_so(void **state)
{
    (void)state;
    struct file_tree *tree = file_tree_make();
    unusable_because(tree, "class/hwmon", "this machine has none");
    file_tree_write(tree, "class/hwmon/hwmon0/name", "coretemp\n");
    file_tree_write(tree, "class/hwmon/hwmon0/temp1_input", "45000\n");
    file_tree_write(tree, "class/hwmon/hwmon1/device/type", "Battery\n"); /* the battery driver's */
    file_tree_write(tree, "class/hwmon/hwmon1/name", "BAT0\n");
    file_tree_write(tree, "class/hwmon/hwmon1/power1_input", "9000000\n");
    unusable_because(tree, "no chip there tells energy or power", "this machine has none");
    file_tree_free(tree);
}

int main(void)
{
    static const char *const variables[] = {"ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "container",
                                            "KUBERNETES_SERVICE_HOST"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_of_amd_energy_are_processors_and_their_cores_left_out),
        cmocka_unit_test(rails_of_grace_are_parts_of_its_socket),
        cmocka_unit_test(a_part_without_its_whole_stands_for_itself),
        cmocka_unit_test(two_meters_of_one_name_are_counted_once),
        cmocka_unit_test(rails_of_a_jetson_are_parts_of_its_module),
        cmocka_unit_test(older_jetsons_have_rails_of_their_own),
        cmocka_unit_test(rails_of_an_unknown_board_are_in_no_total),
        cmocka_unit_test(gpus_of_amd_are_named_by_their_place),
        cmocka_unit_test(gpus_that_the_job_may_not_use_are_apart),
        cmocka_unit_test(lists_of_devices_end_where_they_make_no_sense),
        cmocka_unit_test(graphics_within_a_processor_are_its_socket),
        cmocka_unit_test(tiles_and_packages_of_intel_are_parts_of_their_card),
        cmocka_unit_test(an_unknown_chip_is_listed_and_in_no_total),
        cmocka_unit_test(what_gives_nothing_at_first_is_left_out_and_said),
        cmocka_unit_test(a_channel_that_ends_in_the_middle_is_no_reading),
        cmocka_unit_test(denied_permission_names_the_remedy),
        cmocka_unit_test(machines_without_such_chips_are_told_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
