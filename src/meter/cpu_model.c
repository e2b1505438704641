/* A model of the CPU where nothing measures it. cpu_model.h has the formula. */
#include "meter/cpu_model.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "meter/cpu_clock.h"
#include "meter/cpu_tdp.h"
#include "meter/driver.h"
#include "meter/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* /proc/stat counts in ticks of 10 ms: it is not read more often, and loads are taken over at least this
 * long.
 */
#define TICK_NS      (NS_PER_S / 100)
#define LOAD_SPAN_NS (8 * TICK_NS)

#define STAT_LINE_BYTES 256 /* "cpu123" and ten numbers of up to 20 digits */

struct cpu_model {
    struct channel channel;
    double tdp_w;
    size_t cpus;
    int stat;
    char *text; /* room for the lines of all CPUs */
    size_t capacity;
    struct cpu_clocks clocks;
    struct cpu_ticks ticks, *each, *each_now; /* at `since_ns`, when `energy_j` stood as here */
    uint64_t *busy;                           /* of each CPU, in the span now ending */
    int64_t since_ns, read_ns;
    double energy_j, power_w;
    double shown_j; /* what was last handed out: a better load never takes joules back */
};

/* ---- the formula ---- */

double cpu_model_shape(double load)
{
    double u = fmin(fmax(load, 0), 1);
    return 3 * u / (1 + 2 * u);
}

double cpu_model_pace_of_clock(double clock_share)
{
    double share = fmin(fmax(clock_share, 0), 1);
    return share * sqrt(share);
}

double cpu_model_pace_of_load(double working_load)
{
    return (1 + fmin(fmax(working_load, 0), 1)) / 2;
}

double cpu_model_share(double load, double pace)
{
    return CPU_MODEL_IDLE + (CPU_MODEL_PEAK - CPU_MODEL_IDLE) * cpu_model_shape(load) * pace;
}

/* ---- what the machine is ---- */

/* Where the thermal design power comes from decides what can be claimed. */
static void choose_power(struct cpu_model *model, const struct meter_setup *setup, const struct cpuinfo *cpu)
{
    double guess_w = CPU_MODEL_TDP_PER_CPU_W * cpu->logical_cpus;
    double table_w = cpu->model ? cpu_tdp_find(cpu->model) * cpu->sockets : 0;
    struct channel *channel = &model->channel;
    channel->accuracy = CPU_MODEL_ACCURACY;
    if (setup && setup->tdp_w > 0) {
        model->tdp_w = setup->tdp_w;
        channel->accuracy_source = text_format("estimate from load and %g W of TDP, as given", model->tdp_w);
        return;
    }
    if (table_w > 0 && !cpu->guest) {
        model->tdp_w = table_w;
        channel->accuracy_source = text_format("estimate from load and a TDP of %g W (table)", table_w);
        return;
    }
    channel->accuracy = CPU_MODEL_GUESS_ACCURACY;
    model->tdp_w = table_w > 0 ? fmin(guess_w, table_w) : guess_w;
    channel->accuracy_source = text_format(
        cpu->guest ? "estimate from load and %.3g W for this virtual machine's share of a processor"
                   : "estimate from load and %.3g W, as its TDP is not in the table: --tdp W gives it",
        model->tdp_w);
}

static int describe(struct cpu_model *model, const struct meter_setup *setup, struct error *error)
{
    struct machine own = {0};
    const struct cpuinfo *found = machine_cpu(setup, &own, error);
    if (!found)
        return -1;
    struct cpuinfo cpu = *found;
    if (cpu.logical_cpus == 0)
        cpu.logical_cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    long configured = sysconf(_SC_NPROCESSORS_CONF); /* numbers go up to here where some are off */
    model->cpus = configured > (long)cpu.logical_cpus ? (size_t)configured : cpu.logical_cpus;
    model->channel = (struct channel){.scope = SCOPE_CPU,
                                      .kind = KIND_MODEL,
                                      .resolution = 1e-9,
                                      .update_s = (double)TICK_NS / NS_PER_S,
                                      .meter = strdup("cpu-model"),
                                      .name = strdup("cpu")};
    choose_power(model, setup, &cpu);
    machine_free(&own);
    if (!model->channel.accuracy_source || !model->channel.meter || !model->channel.name)
        return error_memory(error, "cpu-model");
    return 0;
}

/* ---- the load ---- */

/* Whole lines from the beginning of /proc/stat, into model->text. */
static int read_stat(struct cpu_model *model, struct cpu_ticks *all, struct error *error)
{
    ssize_t size;
    do
        size = pread(model->stat, model->text, model->capacity - 1, 0);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return error_errno(error, errno, "stat");
    while (size > 0 && model->text[size - 1] != '\n')
        size--;
    model->text[size] = '\0';
    if (cpu_ticks_parse(model->text, all, error) < 0)
        return -1;
    return cpu_ticks_parse_each(model->text, model->each_now, model->cpus, error);
}

/* Busy ticks by total ones since `before`, 0 to 1. Some counters of idle time go back now and then. */
static double load_since(const struct cpu_ticks *before, const struct cpu_ticks *now)
{
    if (now->total <= before->total || now->busy <= before->busy)
        return 0;
    return fmin((double)(now->busy - before->busy) / (double)(now->total - before->total), 1);
}

/* How loaded a CPU is that does the work: mean over CPUs, weighted by their load. 1 if some do all of it, the
 * load of the whole if all share it evenly. Notes who was busy. */
static double working_load(struct cpu_model *model)
{
    double sum = 0, sum2 = 0;
    for (size_t i = 0; i < model->cpus; i++) {
        double load = load_since(&model->each[i], &model->each_now[i]);
        model->busy[i] = load > 0 ? model->each_now[i].busy - model->each[i].busy : 0;
        sum += load;
        sum2 += load * load;
    }
    return sum > 0 ? sum2 / sum : 1;
}

static double pace(struct cpu_model *model)
{
    double load = working_load(model);
    double clock_share = cpu_clocks_share(&model->clocks, model->busy, model->cpus);
    return isnan(clock_share) ? cpu_model_pace_of_load(load) : cpu_model_pace_of_clock(clock_share);
}

static void keep(struct cpu_model *model, const struct cpu_ticks *all, int64_t now_ns, double energy_j)
{
    struct cpu_ticks *before = model->each;
    model->each = model->each_now;
    model->each_now = before;
    model->ticks = *all;
    model->since_ns = now_ns;
    model->energy_j = energy_j;
}

/* ---- the driver ---- */

static void cpu_model_close(void *state)
{
    struct cpu_model *model = state;
    if (model->stat >= 0)
        close(model->stat);
    cpu_clocks_close(&model->clocks);
    channel_free(&model->channel);
    free(model->text);
    free(model->each);
    free(model->each_now);
    free(model->busy);
    free(model);
}

static int open_stat(struct cpu_model *model, const struct meter_setup *setup, struct error *error)
{
    AUTO_FREE char *path = file_join(meter_procfs(setup), "stat");
    model->capacity = (model->cpus + 2) * STAT_LINE_BYTES;
    model->text = calloc(model->cpus + 2, STAT_LINE_BYTES);
    model->each = calloc(model->cpus + 1, sizeof *model->each);
    model->each_now = calloc(model->cpus + 1, sizeof *model->each_now);
    model->busy = calloc(model->cpus + 1, sizeof *model->busy);
    if (!path || !model->text || !model->each || !model->each_now || !model->busy)
        return error_memory(error, "cpu-model");
    model->stat = open(path, O_RDONLY | O_CLOEXEC);
    if (model->stat < 0)
        return error_errno(error, errno, path);
    struct cpu_ticks all;
    if (read_stat(model, &all, error) < 0)
        return -1;
    model->read_ns = clock_boot_ns();
    model->power_w = cpu_model_share(0, 1) * model->tdp_w; /* until a tick has passed: never 0 W */
    keep(model, &all, model->read_ns, 0);
    return 0;
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
    if (describe(model, setup, error) < 0 || open_stat(model, setup, error) < 0) {
        error_prefix(error, "cpu-model");
        cpu_model_close(model);
        return NULL;
    }
    cpu_clocks_open(&model->clocks, meter_sysfs(setup), model->cpus);
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

/* Energy up to `now_ns`, from the load since `since_ns`; ends the span if it is long enough. */
static int take_load(struct cpu_model *model, int64_t now_ns, struct error *error)
{
    struct cpu_ticks all;
    if (read_stat(model, &all, error) < 0)
        return -1;
    double elapsed_s = (double)(now_ns - model->since_ns) / NS_PER_S;
    double share = cpu_model_share(load_since(&model->ticks, &all), pace(model));
    model->power_w = share * model->tdp_w;
    model->read_ns = now_ns;
    double energy_j = model->energy_j + model->power_w * elapsed_s;
    model->shown_j = fmax(model->shown_j, energy_j);
    if (now_ns - model->since_ns >= LOAD_SPAN_NS)
        keep(model, &all, now_ns, energy_j);
    return 0;
}

static int cpu_model_read(void *state, double *values, struct error *error)
{
    struct cpu_model *model = state;
    int64_t now_ns = clock_boot_ns();
    if (now_ns - model->read_ns >= TICK_NS && take_load(model, now_ns, error) < 0)
        return error_prefix(error, "cpu-model");
    /* within a tick nothing new is known: the power goes on */
    double after_s = (double)(now_ns - model->since_ns) / NS_PER_S;
    model->shown_j = fmax(model->shown_j, model->energy_j + model->power_w * after_s);
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
