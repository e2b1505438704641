/* Which instruments count where several measure the same, on folders that play the machine; and a run by
 * hwmon with a known truth. The program is also its own workload: `test_record_instruments child MS`. */
#include "record/instruments.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "file_tree.h"
#include "record/recorder.h"

#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char self[] = "/proc/self/exe";

/* ---- machines ---- */

static const char bare_cpu[] =
    "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 7542 32-Core "
    "Processor\nphysical id\t: 0\nflags\t\t: fpu\n";

struct machine {
    struct file_tree *tree;
    char *sysfs, *procfs;
    struct meter_setup setup;
};

static struct machine make_machine(void)
{
    struct machine machine = {.tree = file_tree_make()};
    machine.sysfs = file_join(file_tree_root(machine.tree), "sys");
    machine.procfs = file_join(file_tree_root(machine.tree), "proc");
    machine.setup = (struct meter_setup){.sysfs = machine.sysfs,
                                         .procfs = machine.procfs,
                                         .devfs = file_tree_root(machine.tree),
                                         .nvml = "/nonexistent"};
    file_tree_write(machine.tree, "proc/cpuinfo", bare_cpu);
    file_tree_write(machine.tree, "proc/stat", "cpu  10 0 10 100 0 0 0 0 0 0\n");
    return machine;
}

static void free_machine(struct machine *machine)
{
    file_tree_free(machine->tree);
    free(machine->sysfs);
    free(machine->procfs);
}

static void add_rapl(const struct machine *machine)
{
    file_tree_write(machine->tree, "sys/class/powercap/intel-rapl:0/name", "package-0\n");
    file_tree_write(machine->tree, "sys/class/powercap/intel-rapl:0/max_energy_range_uj", "65532610987\n");
    file_tree_write(machine->tree, "sys/class/powercap/intel-rapl:0/energy_uj", "000000001000000\n");
}

static void add_amd_energy(const struct machine *machine)
{
    file_tree_write(machine->tree, "sys/class/hwmon/hwmon0/name", "amd_energy\n");
    file_tree_write(machine->tree, "sys/class/hwmon/hwmon0/energy1_label", "Esocket0\n");
    file_tree_write(machine->tree, "sys/class/hwmon/hwmon0/energy1_input", "000000001000000\n");
}

static void add_gpu(const struct machine *machine, bool within_processor)
{
    file_tree_write(machine->tree, "sys/class/hwmon/hwmon1/name", "amdgpu\n");
    file_tree_write(machine->tree, "sys/class/hwmon/hwmon1/power1_average", "040000000\n");
    if (within_processor)
        file_tree_write(machine->tree, "sys/class/hwmon/hwmon1/in1_label", "vddnb\n");
}

static void add_grace(const struct machine *machine)
{
    file_tree_write(machine->tree, "sys/class/hwmon/hwmon2/device/name", "power_meter\n");
    file_tree_write(machine->tree, "sys/class/hwmon/hwmon2/device/power1_oem_info", "Grace Power Socket 0\n");
    file_tree_write(machine->tree, "sys/class/hwmon/hwmon2/device/power1_average", "120000000\n");
}

static void add_battery(const struct machine *machine)
{
    file_tree_write(machine->tree, "sys/class/power_supply/BAT0/type", "Battery\n");
    file_tree_write(machine->tree, "sys/class/power_supply/BAT0/status", "Discharging\n");
    file_tree_write(machine->tree, "sys/class/power_supply/BAT0/power_now", "15000000\n");
}

/* ---- help ---- */

static void open_record(const struct machine *machine, const char *const *names, size_t name_count,
                        struct record *record)
{
    struct error error = ERROR_INIT;
    struct instruments instruments;
    *record = (struct record){0};
    if (instruments_open(&machine->setup, names, name_count, &instruments, record, &error) < 0)
        fail_msg("%s", error_text(&error));
    instruments_close(&instruments);
}

static size_t find(const struct record *record, const char *meter, const char *name)
{
    for (size_t i = 0; i < record->channel_count; i++)
        if (strcmp(record->channels[i].meter, meter) == 0 && strcmp(record->channels[i].name, name) == 0)
            return i;
    return record->channel_count;
}

static const struct channel *channel(const struct record *record, const char *meter, const char *name)
{
    size_t at = find(record, meter, name);
    if (at == record->channel_count)
        fail_msg("no channel %s/%s", meter, name);
    return &record->channels[at];
}

static bool has_meter(const struct record *record, const char *meter)
{
    for (size_t i = 0; i < record->channel_count; i++)
        if (strcmp(record->channels[i].meter, meter) == 0)
            return true;
    return false;
}

static bool has_note(const struct record *record, const char *words)
{
    for (size_t i = 0; i < record->note_count; i++)
        if (strstr(record->notes[i], words))
            return true;
    return false;
}

/* ---- promises ---- */

static void processors_that_rapl_measures_are_not_counted_again(void **state)
{
    (void)state;
    struct machine machine = make_machine();
    add_rapl(&machine);
    add_amd_energy(&machine);
    add_gpu(&machine, true);
    add_battery(&machine);
    struct record record;
    open_record(&machine, NULL, 0, &record);
    assert_false(channel(&record, "rapl", "package-0")->apart);
    assert_true(channel(&record, "hwmon", "package-0")->apart);
    assert_true(channel(&record, "hwmon", "apu-amd-0")->apart);
    assert_int_equal(channel(&record, "battery", "BAT0")->scope, SCOPE_PLATFORM);
    record_free(&record);
    free_machine(&machine);
}

static void the_first_that_is_named_counts(void **state)
{
    (void)state;
    struct machine machine = make_machine();
    add_rapl(&machine);
    add_amd_energy(&machine);
    static const char *const names[] = {"hwmon", "rapl"};
    struct record record;
    open_record(&machine, names, 2, &record);
    assert_false(channel(&record, "hwmon", "package-0")->apart);
    assert_true(channel(&record, "rapl", "package-0")->apart);
    record_free(&record);
    free_machine(&machine);
}

static void gpus_count_beside_rapl(void **state)
{
    (void)state;
    struct machine machine = make_machine();
    add_rapl(&machine);
    add_gpu(&machine, false);
    struct record record;
    open_record(&machine, NULL, 0, &record);
    assert_false(channel(&record, "hwmon", "gpu-amd-0")->apart);
    record_free(&record);
    free_machine(&machine);
}

static void a_processor_that_holds_its_memory_wants_no_model(void **state)
{
    (void)state;
    struct machine machine = make_machine();
    add_grace(&machine);
    struct record record;
    open_record(&machine, NULL, 0, &record);
    assert_false(channel(&record, "hwmon", "grace-0")->apart);
    assert_false(has_meter(&record, "cpu-model"));
    record_free(&record);
    free_machine(&machine);
}

static void what_is_in_no_total_leaves_the_model_wanted(void **state)
{
    (void)state;
    struct machine machine = make_machine();
    file_tree_write(machine.tree, "sys/class/hwmon/hwmon5/name", "somepsu\n");
    file_tree_write(machine.tree, "sys/class/hwmon/hwmon5/power1_input", "300000000\n");
    struct record record;
    open_record(&machine, NULL, 0, &record);
    assert_true(channel(&record, "hwmon", "somepsu-0/power1")->apart);
    assert_true(has_meter(&record, "cpu-model"));
    record_free(&record);
    free_machine(&machine);
}

static void a_container_is_noted_only_where_it_hides_the_processors(void **state)
{
    (void)state;
    struct machine machine = make_machine();
    file_tree_write(machine.tree, "proc/self/root/.dockerenv", "");
    struct record record;
    open_record(&machine, NULL, 0, &record);
    assert_true(has_note(&record, "this is a container (docker)"));
    record_free(&record);
    add_rapl(&machine);
    open_record(&machine, NULL, 0, &record);
    assert_false(has_note(&record, "container"));
    record_free(&record);
    free_machine(&machine);
}

/* ---- a run ---- */

#define SOCKET_W 150

struct mover {
    const struct machine *machine;
    int64_t start_ns;
    double gpu_ends_s; /* then its file holds no number any more */
    atomic_bool stop;
};

static void *move(void *argument)
{
    struct mover *mover = argument;
    while (!atomic_load(&mover->stop)) {
        double elapsed_s = (double)(clock_boot_ns() - mover->start_ns) / NS_PER_S;
        AUTO_FREE char *energy = text_format("%015.0f\n", 1e6 * (1 + SOCKET_W * elapsed_s));
        file_tree_write(mover->machine->tree, "sys/class/hwmon/hwmon0/energy1_input", energy);
        if (elapsed_s > mover->gpu_ends_s)
            file_tree_write(mover->machine->tree, "sys/class/hwmon/hwmon1/power1_average", "vanished\n");
        clock_sleep_until(clock_boot_ns() + NS_PER_S / 1000);
    }
    return NULL;
}

static void a_run_by_hwmon_is_true_and_a_gpu_that_ends_is_a_gap_of_its_own(void **state)
{
    (void)state;
    struct machine machine = make_machine();
    add_amd_energy(&machine);
    add_gpu(&machine, false);
    struct mover mover = {.machine = &machine, .start_ns = clock_boot_ns(), .gpu_ends_s = 1};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, move, &mover), 0);
    char *command[] = {self, "child", "2500", NULL};
    struct error error = ERROR_INIT;
    struct record record;
    const struct recorder_options options = {.command = command, .setup = &machine.setup};
    if (recorder_run(&options, &record, &error) < 0)
        fail_msg("%s", error_text(&error));
    atomic_store(&mover.stop, true);
    pthread_join(thread, NULL);
    const struct window *run = &record.windows[0];
    const struct channel_energy *socket = &run->energies[find(&record, "hwmon", "package-0")];
    assert_true(socket->known && socket->gap_s == 0);
    double off = fabs(socket->energy_j / (SOCKET_W * run->wall_s) - 1);
    print_message("socket: %.4f %% off\n", 100 * off);
    assert_true(off < 0.01);
    const struct channel_energy *gpu = &run->energies[find(&record, "hwmon", "gpu-amd-0")];
    assert_true(gpu->known && gpu->gap_s > 0 && gpu->gap_s < run->wall_s);
    /* 40 W as long as it lasted, and nothing made up for the rest */
    assert_true(fabs(gpu->energy_j - 40 * (run->wall_s - gpu->gap_s)) < 1e-6 * gpu->energy_j);
    record_free(&record);
    free_machine(&machine);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "child") == 0)
        return clock_sleep_until(clock_boot_ns() + atoll(argv[2]) * (NS_PER_S / 1000)) < 0;
    static const char *const variables[] = {"ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "container",
                                            "KUBERNETES_SERVICE_HOST"};
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
        unsetenv(variables[i]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(processors_that_rapl_measures_are_not_counted_again),
        cmocka_unit_test(the_first_that_is_named_counts),
        cmocka_unit_test(gpus_count_beside_rapl),
        cmocka_unit_test(a_processor_that_holds_its_memory_wants_no_model),
        cmocka_unit_test(what_is_in_no_total_leaves_the_model_wanted),
        cmocka_unit_test(a_container_is_noted_only_where_it_hides_the_processors),
        cmocka_unit_test(a_run_by_hwmon_is_true_and_a_gpu_that_ends_is_a_gap_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
