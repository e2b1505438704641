/* A model of the CPU where nothing measures it: thermal design power times a fraction that depends on the
 * load.
 *
 * The fraction is the mean of four curves measured with RAPL on two machines (data/cpu_load_power.csv), each
 * over its machine's thermal design power; docs/method.md has the derivation and why TDP x load would be
 * worse. */
#include "meter/cpu_model.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "meter/cpu_tdp.h"
#include "meter/cpuinfo.h"
#include "meter/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* At 0, 10, … 100 % load; tests/meter recomputes it from data/cpu_load_power.csv. */
static const double load_curve[] = {0.0045, 0.1475, 0.2652, 0.3415, 0.3830, 0.4343,
                                    0.5039, 0.5387, 0.6002, 0.6088, 0.6055};

/* Loads are taken over at least this long: /proc/stat counts in ticks of 10 ms. */
#define LOAD_SPAN_NS (80 * NS_PER_S / 1000)

struct cpu_model {
    struct channel channel;
    int stat;
    double tdp_w;
    struct cpu_ticks ticks; /* at `since_ns`, when `energy_j` stood as here */
    int64_t since_ns;
    double energy_j;
    double shown_j; /* what was last handed out: a better load never takes joules back */
};

double cpu_model_fraction(double load)
{
    size_t last = sizeof load_curve / sizeof *load_curve - 1;
    double at = fmin(fmax(load, 0), 1) * (double)last;
    size_t i = (size_t)at < last ? (size_t)at : last - 1;
    return load_curve[i] + (load_curve[i + 1] - load_curve[i]) * (at - (double)i);
}

static int read_ticks(int descriptor, struct cpu_ticks *ticks, struct error *error)
{
    char line[512]; /* the first line of /proc/stat: ten numbers */
    ssize_t size = pread(descriptor, line, sizeof line - 1, 0);
    if (size < 0)
        return error_errno(error, errno, "stat");
    line[size] = '\0';
    line[strcspn(line, "\n")] = '\0';
    return cpu_ticks_parse(line, ticks, error);
}

/* Where the thermal design power comes from decides what can be claimed. */
static void choose_power(struct cpu_model *model, const struct meter_setup *setup, const struct cpuinfo *cpu,
                         char **source)
{
    double guess_w = CPU_MODEL_TDP_PER_CPU_W * cpu->logical_cpus;
    double table_w = cpu->model ? cpu_tdp_find(cpu->model) * cpu->sockets : 0;
    const char *name = cpu->model ? cpu->model : "a processor without a name";
    model->channel.accuracy = CPU_MODEL_ACCURACY;
    if (setup && setup->tdp_w > 0) {
        model->tdp_w = setup->tdp_w;
        *source = text_format("estimated from the CPU load and %g W of thermal design power, as given",
                              model->tdp_w);
        return;
    }
    if (table_w > 0 && !cpu->guest) {
        model->tdp_w = table_w;
        *source = text_format("estimated from the CPU load and the thermal design power of %s, %g W", name,
                              table_w);
        return;
    }
    model->channel.accuracy = CPU_MODEL_GUESS_ACCURACY;
    model->tdp_w = table_w > 0 ? fmin(guess_w, table_w) : guess_w;
    const char *why = cpu->guest
                          ? "a virtual machine: only its own share of the host's processor is estimated"
                          : "not in the table of thermal design powers (--tdp W gives it)";
    *source = text_format(
        "estimated from the CPU load and %.3g W of thermal design power, %g W a logical CPU: %s is %s",
        model->tdp_w, CPU_MODEL_TDP_PER_CPU_W, name, why);
}

static int describe(struct cpu_model *model, const struct meter_setup *setup, struct error *error)
{
    struct cpuinfo cpu;
    if (cpuinfo_read(meter_procfs(setup), &cpu, error) < 0)
        return -1;
    if (cpu.logical_cpus == 0)
        cpu.logical_cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    model->channel = (struct channel){.scope = SCOPE_CPU, .kind = KIND_MODEL, .resolution = 1e-9};
    choose_power(model, setup, &cpu, &model->channel.accuracy_source);
    model->channel.meter = strdup("cpu-model");
    model->channel.name = strdup("cpu");
    cpuinfo_free(&cpu);
    if (!model->channel.accuracy_source || !model->channel.meter || !model->channel.name)
        return error_memory(error, "cpu-model");
    return 0;
}

static void cpu_model_close(void *state)
{
    struct cpu_model *model = state;
    if (model->stat >= 0)
        close(model->stat);
    channel_free(&model->channel);
    free(model);
}

static int open_stat(struct cpu_model *model, const struct meter_setup *setup, struct error *error)
{
    AUTO_FREE char *path = file_join(meter_procfs(setup), "stat");
    if (!path)
        return error_memory(error, "cpu-model");
    model->stat = open(path, O_RDONLY | O_CLOEXEC);
    if (model->stat < 0)
        return error_errno(error, errno, path);
    model->since_ns = clock_boot_ns();
    return read_ticks(model->stat, &model->ticks, error);
}

static void *cpu_model_open(const struct meter_setup *setup, const struct channel **channels, size_t *count,
                            struct error *error)
{
    struct cpu_model *model = calloc(1, sizeof *model);
    if (!model) {
        error_memory(error, "cpu-model");
        return NULL;
    }
    model->stat = -1;
    if (open_stat(model, setup, error) < 0 || describe(model, setup, error) < 0) {
        error_prefix(error, "cpu-model");
        cpu_model_close(model);
        return NULL;
    }
    *channels = &model->channel;
    *count = 1;
    return model;
}

static void cpu_model_probe(const struct meter_setup *setup, struct meter_probe *probe)
{
    struct error error = ERROR_INIT;
    const struct channel *channels;
    size_t count;
    void *model = cpu_model_open(setup, &channels, &count, &error);
    if (model) {
        *probe = (struct meter_probe){.usable = true};
        cpu_model_close(model);
        return;
    }
    driver_unusable(probe, strdup(error_text(&error)), strdup("it needs /proc mounted"));
    error_clear(&error);
}

static int cpu_model_read(void *state, double *values, struct error *error)
{
    struct cpu_model *model = state;
    struct cpu_ticks ticks;
    int64_t now_ns = clock_boot_ns();
    if (read_ticks(model->stat, &ticks, error) < 0)
        return error_prefix(error, "cpu-model");
    double load = 0;
    if (ticks.total > model->ticks.total && ticks.busy > model->ticks.busy)
        load = (double)(ticks.busy - model->ticks.busy) / (double)(ticks.total - model->ticks.total);
    double elapsed_s = (double)(now_ns - model->since_ns) / NS_PER_S;
    double energy_j = model->energy_j + cpu_model_fraction(load) * model->tdp_w * elapsed_s;
    model->shown_j = fmax(model->shown_j, energy_j);
    if (now_ns - model->since_ns >= LOAD_SPAN_NS) {
        model->ticks = ticks;
        model->since_ns = now_ns;
        model->energy_j = energy_j;
    }
    values[0] = model->shown_j;
    return 0;
}

const struct meter_driver cpu_model_driver = {
    .name = "cpu-model",
    .purpose = "estimate of the processor's energy from its load and thermal design power",
    .model = true,
    .probe = cpu_model_probe,
    .open = cpu_model_open,
    .read = cpu_model_read,
    .close = cpu_model_close,
};
