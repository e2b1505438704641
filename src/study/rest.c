#include "study/rest.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"
#include "calibrate/idle.h"
#include "record/measurement.h"
#include "record/windows.h"
#include "study/state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_NS (2 * NS_PER_S) /* at the power: longer than common instruments' own period */

static bool stopped(const struct rest_options *options)
{
    return options->stop && *options->stop;
}

static double temperature(const struct rest_options *options)
{
    struct machine_state state;
    state_read(options->setup, &state);
    double temperature_c = state.temperature_c;
    state_free(&state);
    return temperature_c;
}

/* ---- measured ---- */

static void show_second(void *context, double elapsed_s)
{
    const struct rest_options *options = context;
    AUTO_FREE char *elapsed = units_duration(elapsed_s);
    AUTO_FREE char *doing = elapsed ? text_format("measuring the machine at rest, %s", elapsed) : NULL;
    if (doing && options->progress)
        options->progress(options->context, doing);
}

/* The software total of watts, one a channel. */
static struct energy_totals total_power(const struct record *record, const struct baseline *baseline)
{
    struct channel_energy *powers = calloc(record->channel_count + 1, sizeof *powers);
    struct energy_totals totals = {.software_j = NAN, .software_uncertainty_j = NAN};
    for (size_t i = 0; powers && i < record->channel_count; i++) {
        const struct idle_power *idle = &baseline->channels[i].idle;
        powers[i].known = isfinite(idle->power_w);
        powers[i].energy_j = powers[i].known ? idle->power_w : 0;
        powers[i].uncertainty_j = powers[i].known ? idle->uncertainty_w : 0;
    }
    if (powers)
        totals = energy_totals(record->channels, powers, record->channel_count);
    free(powers);
    return totals;
}

int rest_measure(const struct study *study, const struct rest_options *options, struct rest *rest,
                 struct error *error)
{
    *rest = (struct rest){.power_w = NAN, .uncertainty_w = NAN, .temperature_c = temperature(options)};
    if (study->idle_s <= 0)
        return 0;
    struct record record = {0};
    const struct idle_options measuring = {.setup = options->setup,
                                           .meters = options->meters,
                                           .meter_count = options->meter_count,
                                           .rate_hz = options->rate_hz,
                                           .duration_s = (uint64_t)study->idle_s,
                                           .stop = options->stop,
                                           .progress = show_second,
                                           .context = (void *)options};
    int result = idle_measure(&measuring, &record, &rest->baseline, error);
    if (result == 0) {
        struct energy_totals totals = total_power(&record, &rest->baseline);
        rest->power_w = totals.software_j;
        rest->uncertainty_w = totals.software_uncertainty_j;
        rest->disturbed = idle_was_disturbed(&rest->baseline, &record.host);
    }
    record_free(&record);
    return result;
}

void rest_free(struct rest *rest)
{
    baseline_free(&rest->baseline);
    *rest = (struct rest){0};
}

/* ---- waited for ---- */

struct waiting {
    const struct study *study;
    const struct rest_options *options;
    const struct rest *rest;
    int64_t start_ns;
    double power_w, temperature_c; /* as last seen */
};

static void sleep_until(const struct waiting *waiting, int64_t until_ns)
{
    const struct rest_options *options = waiting->options;
    while (clock_boot_ns() < until_ns && !stopped(options)) {
        if (options->progress)
            options->progress(options->context, "cooling down");
        int64_t next = clock_boot_ns() + NS_PER_S / 5;
        clock_sleep_until(next < until_ns ? next : until_ns);
    }
}

static bool is_warm(const struct waiting *waiting)
{
    return waiting->temperature_c > waiting->rest->temperature_c + waiting->study->cooldown.temperature_k;
}

static bool draws_more(const struct waiting *waiting)
{
    const struct rest *rest = waiting->rest;
    double most_w = rest->power_w * (1 + waiting->study->cooldown.power_share) + 2 * rest->uncertainty_w;
    return waiting->power_w > most_w;
}

/* Watts over the next LOOK_NS; NAN: not known. */
static double look(const struct waiting *waiting, struct measurement *measurement,
                   const struct record *record)
{
    struct account *account = measurement_account(measurement);
    struct channel_energy *energies = calloc(record->channel_count + 1, sizeof *energies);
    int64_t begin_ns = clock_boot_ns(), end_ns = begin_ns + LOOK_NS;
    int64_t window = energies ? account_begin(account, begin_ns) : -1;
    double power_w = NAN;
    measurement_wake(measurement);
    sleep_until(waiting, end_ns);
    if (window >= 0) {
        end_ns = clock_boot_ns();
        account_end(account, window, end_ns);
        measurement_read(measurement, true);
        account_so_far(account, window, energies);
        power_w = energy_totals(record->channels, energies, record->channel_count).software_j /
                  ((double)(end_ns - begin_ns) / NS_PER_S);
    }
    free(energies);
    return power_w;
}

static int watch(struct waiting *waiting, int64_t limit_ns, struct error *error)
{
    const struct rest_options *options = waiting->options;
    const struct measurement_options measuring = {.setup = options->setup,
                                                  .meters = options->meters,
                                                  .meter_count = options->meter_count,
                                                  .rate_hz = options->rate_hz};
    struct record record = {0};
    struct measurement *measurement = measurement_open(&measuring, &record, error);
    int result = measurement ? measurement_start(measurement, error) : -1;
    if (result == 0) /* the first window is the whole's */
        account_begin(measurement_account(measurement), clock_boot_ns());
    while (result == 0 && !stopped(options)) {
        waiting->power_w = look(waiting, measurement, &record);
        waiting->temperature_c = temperature(options);
        if ((!draws_more(waiting) && !is_warm(waiting)) || clock_boot_ns() >= limit_ns)
            break;
    }
    measurement_close(measurement);
    record_free(&record);
    return result;
}

static void watch_temperature(struct waiting *waiting, int64_t limit_ns)
{
    waiting->temperature_c = temperature(waiting->options);
    while (is_warm(waiting) && clock_boot_ns() < limit_ns && !stopped(waiting->options)) {
        sleep_until(waiting, clock_boot_ns() + NS_PER_S);
        waiting->temperature_c = temperature(waiting->options);
    }
}

/* Only what was missed: that it took a while is as it should be. */
static char *describe(const struct waiting *waiting)
{
    struct text note = TEXT_INIT;
    if (!draws_more(waiting) && !is_warm(waiting))
        return NULL;
    text_printf(&note, "not cooled down within %.0f s before this run:", waiting->study->cooldown.most_s);
    if (draws_more(waiting))
        text_printf(&note, " %.3g W, at rest %.3g W%s", waiting->power_w, waiting->rest->power_w,
                    is_warm(waiting) ? ";" : "");
    if (is_warm(waiting))
        text_printf(&note, " %.0f °C, before the study %.0f °C", waiting->temperature_c,
                    waiting->rest->temperature_c);
    return text_take(&note);
}

int rest_await(const struct study *study, const struct rest_options *options, const struct rest *rest,
               char **note, struct error *error)
{
    struct waiting waiting = {study, options, rest, clock_boot_ns(), NAN, NAN};
    int64_t limit_ns = waiting.start_ns + (int64_t)(study->cooldown.most_s * 1e9);
    *note = NULL;
    sleep_until(&waiting, waiting.start_ns + (int64_t)(study->cooldown.least_s * 1e9));
    if (study->cooldown.most_s <= 0 || stopped(options))
        return 0;
    if (isfinite(rest->power_w)) {
        if (watch(&waiting, limit_ns, error) < 0)
            return -1;
    } else {
        watch_temperature(&waiting, limit_ns);
    }
    *note = stopped(options) ? NULL : describe(&waiting);
    return 0;
}
