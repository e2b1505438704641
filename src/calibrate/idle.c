#include "calibrate/idle.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "meter/cpuinfo.h"
#include "record/host.h"
#include "record/measurement.h"
#include "record/windows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Busy and total time of all CPUs; false where /proc doesn't say. */
static bool read_load(const struct meter_setup *setup, struct cpu_ticks *ticks)
{
    struct error ignored = ERROR_INIT;
    AUTO_FREE char *path = file_join(meter_procfs(setup), "stat");
    AUTO_FREE char *text = path ? file_read(path, 1u << 24, NULL, &ignored) : NULL;
    if (text)
        text[strcspn(text, "\n")] = '\0';
    bool read = text && cpu_ticks_parse(text, ticks, &ignored) == 0;
    error_clear(&ignored);
    return read;
}

static bool stopped(const struct idle_options *options)
{
    return options->stop && *options->stop;
}

/* One window a second, beside the whole. Returns the instant of the end. */
static int64_t watch_rest(const struct idle_options *options, struct measurement *measurement,
                          int64_t start_ns)
{
    struct account *account = measurement_account(measurement);
    for (uint64_t second = 0; second < options->duration_s && !stopped(options); second++) {
        int64_t begin_ns = start_ns + (int64_t)second * NS_PER_S, end_ns = begin_ns + NS_PER_S;
        int64_t window = account_begin(account, begin_ns);
        while (clock_boot_ns() < end_ns && !stopped(options))
            clock_sleep_until(end_ns);
        if (window >= 0)
            account_end(account, window, end_ns);
        measurement_wake(measurement);
        if (options->progress)
            options->progress(options->context, (double)(second + 1));
    }
    return start_ns + (int64_t)options->duration_s * NS_PER_S;
}

/* Scatter of a channel's seconds, as the standard deviation of their mean; 0 with fewer than two known. */
struct scatter {
    double sum, squares;
    size_t count;
};

static double deviation_of_mean(const struct scatter *scatter)
{
    double n = (double)scatter->count;
    if (scatter->count < 2)
        return 0;
    double variance = (scatter->squares - scatter->sum * scatter->sum / n) / (n - 1);
    return sqrt(fmax(variance, 0) / n);
}

static int sum_seconds(const struct idle_options *options, const struct record *record,
                       struct account *account, struct scatter *scatter, struct error *error)
{
    struct channel_energy *energies = calloc(record->channel_count + 1, sizeof *energies);
    if (!energies)
        return error_memory(error, "baseline");
    for (uint64_t second = 0; second < options->duration_s; second++) {
        account_energies(account, (int64_t)second + 1, energies);
        for (size_t i = 0; i < record->channel_count; i++) {
            double covered_s = 1 - energies[i].gap_s;
            double power_w = energies[i].energy_j / covered_s;
            if (!energies[i].known || covered_s < 0.5)
                continue;
            scatter[i].sum += power_w;
            scatter[i].squares += power_w * power_w;
            scatter[i].count++;
        }
    }
    free(energies);
    return 0;
}

static struct idle_power idle_of(const struct channel_energy *energy, double wall_s,
                                 const struct scatter *scatter)
{
    double covered_s = wall_s - energy->gap_s;
    if (!energy->known || covered_s <= 0)
        return (struct idle_power){NAN, NAN};
    return (struct idle_power){.power_w = energy->energy_j / covered_s,
                               .uncertainty_w =
                                   hypot(energy->uncertainty_j / covered_s, deviation_of_mean(scatter))};
}

static int fill_channels(const struct record *record, const struct scatter *scatter,
                         struct baseline *baseline, struct error *error)
{
    baseline->channels = calloc(record->channel_count + 1, sizeof *baseline->channels);
    if (!baseline->channels)
        return error_memory(error, "baseline");
    const struct window *whole = &record->windows[0];
    for (size_t i = 0; i < record->channel_count; i++) {
        struct baseline_channel *channel = &baseline->channels[baseline->channel_count++];
        channel->meter = strdup(record->channels[i].meter);
        channel->name = strdup(record->channels[i].name);
        channel->idle = idle_of(&whole->energies[i], whole->wall_s, &scatter[i]);
        if (!channel->meter || !channel->name)
            return error_memory(error, "baseline");
    }
    return 0;
}

static int describe(const struct idle_options *options, const struct record *record,
                    struct baseline *baseline, struct error *error)
{
    *baseline = (struct baseline){.host = strdup(record->host.name),
                                  .cpu_model = strdup(record->host.cpu_model),
                                  .kernel = strdup(record->host.kernel),
                                  .boot_id = baseline_boot_id(options->setup),
                                  .measured_wall_ns = clock_wall_ns(),
                                  .duration_s = (double)options->duration_s,
                                  .load = NAN};
    return baseline->host && baseline->cpu_model && baseline->kernel && baseline->boot_id
               ? 0
               : error_memory(error, "baseline");
}

static int conclude(const struct idle_options *options, struct measurement *measurement, int64_t end_ns,
                    struct record *record, struct baseline *baseline, struct error *error)
{
    struct account *account = measurement_account(measurement);
    account_finish(account, end_ns);
    if (windows_finish(record, account, end_ns, error) < 0)
        return -1;
    size_t unlisted;
    record->wall_s = (double)options->duration_s;
    record->gaps = account_take_gaps(account, &record->gap_count, &unlisted);
    struct scatter *scatter = calloc(record->channel_count + 1, sizeof *scatter);
    int result =
        scatter ? sum_seconds(options, record, account, scatter, error) : error_memory(error, "baseline");
    if (result == 0)
        result = fill_channels(record, scatter, baseline, error);
    free(scatter);
    return result;
}

static int measure(const struct idle_options *options, struct measurement *measurement, struct record *record,
                   struct baseline *baseline, struct error *error)
{
    if (measurement_start(measurement, error) < 0)
        return -1;
    struct cpu_ticks before, after;
    bool known = read_load(options->setup, &before);
    int64_t start_ns = clock_boot_ns();
    record->started_wall_ns = clock_wall_ns();
    if (windows_start(record, measurement_account(measurement), start_ns, error) < 0)
        return -1;
    int64_t end_ns = watch_rest(options, measurement, start_ns);
    measurement_stop(measurement);
    if (stopped(options))
        return error_set(error, "stopped while the machine was measured at rest");
    known =
        known && read_load(options->setup, &after) && after.total > before.total && after.busy >= before.busy;
    if (known)
        baseline->load = fmin((double)(after.busy - before.busy) / (double)(after.total - before.total), 1);
    return conclude(options, measurement, end_ns, record, baseline, error);
}

int idle_measure(const struct idle_options *options, struct record *record, struct baseline *baseline,
                 struct error *error)
{
    *record = (struct record){0};
    *baseline = (struct baseline){0};
    const struct measurement_options measuring = {.setup = options->setup,
                                                  .meters = options->meters,
                                                  .meter_count = options->meter_count,
                                                  .rate_hz = options->rate_hz};
    if (host_describe(options->setup, &record->host, error) < 0 ||
        describe(options, record, baseline, error) < 0)
        return -1;
    struct measurement *measurement = measurement_open(&measuring, record, error);
    int result = measurement ? measure(options, measurement, record, baseline, error) : -1;
    measurement_close(measurement);
    return result;
}

bool idle_was_disturbed(const struct baseline *baseline, const struct host *host)
{
    return isfinite(baseline->load) &&
           (baseline->load > IDLE_LOAD_MOST || baseline->load * host->logical_cpus > IDLE_CPUS_MOST);
}
