#include "calibrate/calibration.h"

#include "base/clock.h"
#include "base/text.h"
#include "record/host.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A run's powers may lie this far beyond the range that was seen, as a share of it. */
#define DOMAIN_SLACK 0.02
/* MemTotal is what the kernel leaves over, and changes with it. */
#define MEMORY_SLACK   0.05
#define OLD_S          (CALIBRATION_OLD_DAYS * 24 * 3600.0)
#define LEVERAGE_SLACK 1.05

/* ---- the machine ---- */

int calibration_same_machine(const struct host *then, const struct host *now, struct error *error)
{
    if (strcmp(then->name, now->name) != 0)
        return error_set(error, "of host '%s', and this is '%s'", then->name, now->name);
    if (strcmp(then->cpu_model, now->cpu_model) != 0)
        return error_set(error, "of '%s', and this is '%s'", then->cpu_model, now->cpu_model);
    if (then->sockets != now->sockets || then->logical_cpus != now->logical_cpus)
        return error_set(error, "of %u sockets with %u logical CPUs, and this has %u with %u", then->sockets,
                         then->logical_cpus, now->sockets, now->logical_cpus);
    double apart = fabs((double)then->memory_bytes - (double)now->memory_bytes);
    if (apart > MEMORY_SLACK * (double)then->memory_bytes)
        return error_set(error, "of a machine with %.4g GiB of memory, and this has %.4g GiB",
                         (double)then->memory_bytes / (1u << 30), (double)now->memory_bytes / (1u << 30));
    return 0;
}

/* ---- what software sees ---- */

static int add_channel(struct calibration_scope *scope, const struct channel *from, struct error *error)
{
    struct calibration_channel *grown =
        reallocarray(scope->channels, scope->channel_count + 1, sizeof *grown);
    if (!grown)
        return error_memory(error, "calibration");
    scope->channels = grown;
    struct calibration_channel *channel = &grown[scope->channel_count++];
    *channel = (struct calibration_channel){.meter = strdup(from->meter),
                                            .name = strdup(from->name),
                                            .label = from->label ? strdup(from->label) : NULL,
                                            .estimated = from->kind == KIND_MODEL};
    return channel->meter && channel->name && (channel->label || !from->label)
               ? 0
               : error_memory(error, "calibration");
}

int calibration_scopes_of(const struct record *record, struct calibration_scope *scopes, struct error *error)
{
    memset(scopes, 0, CALIBRATION_SCOPES * sizeof *scopes);
    for (size_t i = 0; i < record->channel_count; i++)
        if (channel_in_software(record->channels, record->channel_count, i) &&
            add_channel(&scopes[record->channels[i].scope], &record->channels[i], error) < 0)
            return -1;
    return 0;
}

void calibration_scopes_free(struct calibration_scope *scopes)
{
    for (size_t s = 0; s < CALIBRATION_SCOPES; s++) {
        for (size_t i = 0; i < scopes[s].channel_count; i++) {
            free(scopes[s].channels[i].meter);
            free(scopes[s].channels[i].name);
            free(scopes[s].channels[i].label);
        }
        free(scopes[s].channels);
        free(scopes[s].left_out);
        scopes[s] = (struct calibration_scope){0};
    }
}

static bool is_same_channel(const struct calibration_channel *a, const struct calibration_channel *b)
{
    return strcmp(a->meter, b->meter) == 0 && strcmp(a->name, b->name) == 0 &&
           strcmp(a->label ? a->label : "", b->label ? b->label : "") == 0;
}

/* "rapl/package-0 + rapl/package-1", "nvml/gpu-0 (NVIDIA L4, GPU-…)", "none". */
static char *list_channels(const struct calibration_scope *scope)
{
    struct text list = TEXT_INIT;
    for (size_t i = 0; i < scope->channel_count; i++) {
        const struct calibration_channel *channel = &scope->channels[i];
        text_printf(&list, "%s%s/%s", i ? " + " : "", channel->meter, channel->name);
        if (channel->label)
            text_printf(&list, " (%s)", channel->label);
    }
    if (scope->channel_count == 0)
        text_append(&list, "none");
    return text_take(&list);
}

int calibration_same_channels(const struct calibration_scope *then, const struct calibration_scope *now,
                              struct error *error)
{
    for (size_t s = 0; s < CALIBRATION_SCOPES; s++) {
        bool same = then[s].channel_count == now[s].channel_count;
        for (size_t i = 0; same && i < then[s].channel_count; i++)
            same = is_same_channel(&then[s].channels[i], &now[s].channels[i]);
        if (same)
            continue;
        AUTO_FREE char *before = list_channels(&then[s]), *after = list_channels(&now[s]);
        return error_set(error, "the %s's channels were %s, and here are %s",
                         channel_scope_name((enum channel_scope)s), before ? before : "?",
                         after ? after : "?");
    }
    return 0;
}

/* What of a channel's uncertainty is not its scale: that is the same whenever it is read, and in the fit. */
static double beyond_scale_j(const struct channel *channel, const struct channel_energy *energy)
{
    double scale_j = channel->accuracy * energy->energy_j, all_j = energy->uncertainty_j;
    return sqrt(fmax(all_j * all_j - scale_j * scale_j, 0));
}

int calibration_power(const struct record *record, size_t window, struct software_power *power,
                      struct error *error)
{
    *power = (struct software_power){0};
    const struct window *at = &record->windows[window];
    for (size_t i = 0; i < record->channel_count; i++) {
        const struct channel *channel = &record->channels[i];
        const struct channel_energy *energy = &at->energies[i];
        double covered_s = at->wall_s - energy->gap_s;
        if (!channel_in_software(record->channels, record->channel_count, i))
            continue;
        if (!energy->known || !(covered_s > 0))
            return error_set(error, "the energy of %s/%s is not known", channel->meter, channel->name);
        power->power_w[channel->scope] += energy->energy_j / covered_s;
        power->uncertainty_w[channel->scope] += beyond_scale_j(channel, energy) / covered_s;
    }
    return 0;
}

/* ---- prediction ---- */

char *calibration_describe(const struct calibration *calibration)
{
    AUTO_FREE char *measured = clock_iso8601(calibration->measured_wall_ns);
    return measured
               ? text_format("%s, %s of %zu windows", measured, calibration->source, calibration->windows)
               : NULL;
}

bool calibration_is_estimated(const struct calibration *calibration)
{
    for (size_t s = 0; s < CALIBRATION_SCOPES; s++)
        for (size_t i = 0; calibration->scopes[s].term && i < calibration->scopes[s].channel_count; i++)
            if (calibration->scopes[s].channels[i].estimated)
                return true;
    return false;
}

/* Takes over `warning`; one for which there is no memory is left out. */
static void warn(struct calibrated *calibrated, char *warning)
{
    char **grown =
        warning ? reallocarray(calibrated->warnings, calibrated->warning_count + 1, sizeof *grown) : NULL;
    if (!grown) {
        free(warning);
        return;
    }
    calibrated->warnings = grown;
    grown[calibrated->warning_count++] = warning;
}

static double beyond_w(const struct calibration_scope *scope, double power_w, double slack_w)
{
    return fmax(fmax(scope->low_w - slack_w - power_w, power_w - scope->high_w - slack_w), 0);
}

/* A scope without a term was always about the same: what it does otherwise, nothing here can tell. */
static int check_unfitted(const struct calibration *calibration, const struct software_power *power,
                          struct error *error)
{
    for (size_t s = 0; s < CALIBRATION_SCOPES; s++) {
        const struct calibration_scope *scope = &calibration->scopes[s];
        double slack_w = fmax(calibration->fit.sd, 0.05 * scope->high_w);
        if (scope->term || scope->channel_count == 0 || beyond_w(scope, power->power_w[s], slack_w) == 0)
            continue;
        return error_set(error,
                         "%s drew %.4g W, the calibration saw %.4g to %.4g W and has no term for it: "
                         "calibrate with runs that load it",
                         channel_scope_name((enum channel_scope)s), power->power_w[s], scope->low_w,
                         scope->high_w);
    }
    return 0;
}

static void warn_of_domain(const struct calibration *calibration, const struct software_power *power,
                           const double *x, struct calibrated *calibrated)
{
    size_t outside = 0;
    for (size_t s = 0; s < CALIBRATION_SCOPES; s++) {
        const struct calibration_scope *scope = &calibration->scopes[s];
        double slack_w = DOMAIN_SLACK * (scope->high_w - scope->low_w);
        if (!scope->term || beyond_w(scope, power->power_w[s], slack_w) == 0)
            continue;
        outside++;
        warn(calibrated, text_format("outside the calibration: %s drew %.4g W, and it saw %.4g to %.4g W",
                                     channel_scope_name((enum channel_scope)s), power->power_w[s],
                                     scope->low_w, scope->high_w));
    }
    double leverage = stats_linear_leverage(&calibration->fit, x);
    if (!outside && leverage > LEVERAGE_SLACK * calibration->leverage_most)
        warn(calibrated,
             text_format("outside the calibration: each power is within what it saw, but no window had "
                         "them together like this"));
}

static void warn_of_change(const struct calibration *calibration, const struct record *record,
                           struct calibrated *calibrated)
{
    double age_s = (double)(record->started_wall_ns - calibration->measured_wall_ns) / NS_PER_S;
    if (fabs(age_s) > OLD_S)
        warn(calibrated, text_format("the calibration was measured %.0f days %s this run: fans, supplies and "
                                     "firmware change",
                                     fabs(age_s) / (24 * 3600), age_s > 0 ? "before" : "after"));
    if (strcmp(calibration->host.kernel, record->host.kernel) != 0)
        warn(calibrated,
             text_format("the calibration was measured with another kernel (%s)", calibration->host.kernel));
}

/* The interval of the fit; beside it, in quadrature, how well this window's own powers are known and the
 * wattmeter's scale. */
static struct interval predict_power(const struct calibration *calibration,
                                     const struct software_power *power, const double *x)
{
    struct interval wall = stats_linear_predict(&calibration->fit, x);
    double squares = pow((wall.high - wall.low) / 2, 2);
    for (size_t s = 0; s < CALIBRATION_SCOPES; s++)
        if (calibration->scopes[s].term)
            squares += pow(1.96 * calibration->fit.coefficients[calibration->scopes[s].term] *
                               power->uncertainty_w[s],
                           2);
    double half = sqrt(squares + pow(1.96 * calibration->wall_accuracy * wall.value, 2));
    return (struct interval){wall.value, wall.value - half, wall.value + half};
}

static int fits(const struct calibration *calibration, const struct record *record, size_t window,
                struct software_power *power, struct error *error)
{
    struct calibration_scope now[CALIBRATION_SCOPES];
    if (calibration_same_machine(&calibration->host, &record->host, error) < 0)
        return error_prefix(error, "the calibration is another machine's");
    int result = calibration_scopes_of(record, now, error);
    if (result == 0 && calibration_same_channels(calibration->scopes, now, error) < 0)
        result = error_prefix(error, "the calibration was made with other instruments or hardware");
    calibration_scopes_free(now);
    if (result == 0)
        result = calibration_power(record, window, power, error);
    return result == 0 ? check_unfitted(calibration, power, error) : -1;
}

int calibration_predict(const struct calibration *calibration, const struct record *record, size_t window,
                        struct calibrated *calibrated, struct error *error)
{
    struct software_power power;
    double x[LINEAR_REGRESSORS_MOST] = {0};
    *calibrated = (struct calibrated){0};
    if (window >= record->window_count)
        return error_set(error, "the run has no such window");
    if (fits(calibration, record, window, &power, error) < 0)
        return -1;
    for (size_t s = 0; s < CALIBRATION_SCOPES; s++)
        if (calibration->scopes[s].term)
            x[calibration->scopes[s].term - 1] = power.power_w[s];
    struct interval wall = predict_power(calibration, &power, x);
    double wall_s = record->windows[window].wall_s;
    *calibrated = (struct calibrated){
        .known = true,
        .wall_j = wall.value * wall_s,
        .low_j = fmin(fmax(wall.low, 0), wall.value) * wall_s,
        .high_j = wall.high * wall_s,
        .estimated = calibration_is_estimated(calibration),
        .calibration = calibration_describe(calibration),
    };
    if (!calibrated->calibration) {
        calibrated_free(calibrated);
        return error_memory(error, "calibration");
    }
    warn_of_domain(calibration, &power, x, calibrated);
    warn_of_change(calibration, record, calibrated);
    return 0;
}

void calibration_free(struct calibration *calibration)
{
    calibration_scopes_free(calibration->scopes);
    host_free(&calibration->host);
    free(calibration->source);
    free(calibration->groups_are);
    for (size_t i = 0; i < calibration->doubt_count; i++)
        free(calibration->doubts[i]);
    free(calibration->doubts);
    *calibration = (struct calibration){0};
}
