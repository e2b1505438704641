/* `joulery run`: the measuring, once or again and again, and what repetitions say. */
#include "base/text.h"
#include "base/units.h"
#include "carbon/hourly.h"
#include "cli/cli.h"
#include "cli/run.h"
#include "exchange/codecarbon.h"
#include "record/share.h"
#include "record/windows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

double run_energy_j(const struct record *record)
{
    struct energy_totals totals = record_totals(record, 0);
    return isnan(totals.software_j) ? totals.hardware_j : totals.software_j;
}

double run_quantity_energy_j(const struct record *record, size_t index)
{
    (void)index;
    return run_energy_j(record);
}

double run_quantity_above_idle_j(const struct record *record, size_t index)
{
    (void)index;
    double uncertainty_j;
    return record_above_idle_j(record, 0, &uncertainty_j);
}

double run_quantity_calibrated_j(const struct record *record, size_t index)
{
    (void)index;
    return record->calibrated.known ? record->calibrated.wall_j : NAN;
}

double run_quantity_wall_s(const struct record *record, size_t index)
{
    (void)index;
    return record->wall_s;
}

double run_quantity_channel_j(const struct record *record, size_t index)
{
    if (index >= record->channel_count || !record->windows[0].energies[index].known)
        return NAN;
    return record->windows[0].energies[index].energy_j;
}

int run_summarise(const struct run_call *call, double (*quantity)(const struct record *record, size_t index),
                  size_t index, struct repeated *repeated, struct error *error)
{
    double *values = calloc(call->record_count + 1, sizeof *values);
    if (!values)
        return error_memory(error, "repetitions");
    size_t known = 0;
    for (size_t i = 0; i < call->record_count; i++) {
        double value = quantity(&call->records[i], index);
        if (isfinite(value))
            values[known++] = value;
    }
    repeated->unknown = call->record_count - known;
    int result = stats_summarise(values, known, &repeated->summary, error);
    free(values);
    return result;
}

bool run_is_precise(const struct run_call *call)
{
    struct repeated energy;
    struct error ignored = ERROR_INIT;
    bool known = run_summarise(call, run_quantity_energy_j, 0, &energy, &ignored) == 0;
    error_clear(&ignored);
    const struct summary *summary = &energy.summary;
    return known && summary->count >= REPEAT_LEAST && summary->mean > 0 &&
           (summary->high - summary->low) / 2 <= call->options->precision * summary->mean;
}

/* ---- one run ---- */

struct tracing {
    const struct run_call *call;
    const struct record *record;
    struct energy_course course;
};

/* Only what is in the total, so that the course has its shape. */
static void add_to_course(struct tracing *tracing, const struct trace_sample *samples, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct trace_sample *s = &samples[i];
        const struct channel *channel = &tracing->record->channels[s->channel];
        bool counts =
            channel->scope == SCOPE_CPU || channel->scope == SCOPE_DRAM || channel->scope == SCOPE_GPU;
        if (counts && !channel->part_of && !channel->apart)
            course_add(&tracing->course, fmax(s->start_s, 0), s->start_s + s->wall_s, s->power_w * s->wall_s);
    }
}

static int add_trace(void *context, const struct trace_sample *samples, size_t count)
{
    struct tracing *tracing = context;
    add_to_course(tracing, samples, count);
    if (!tracing->call->trace)
        return 0;
    return trace_csv_add(tracing->call->trace, tracing->record->channels, samples, count,
                         tracing->call->record_count + 1);
}

/* What is known of the machine at rest goes into the record. */
static int use_baseline(const struct run_call *call, struct record *record, struct error *error)
{
    if (call->has_baseline) {
        if (baseline_apply(&call->baseline, call->setup, record, error) < 0)
            return -1;
        share_attribute(record);
        return 0;
    }
    if (call->baseline_refused)
        record_note(record, text_format("no baseline is used: %s", call->baseline_refused));
    return 0;
}

/* Where no wattmeter measured the wall. */
static void use_calibration(const struct run_call *call, struct record *record)
{
    struct error why = ERROR_INIT;
    if (isfinite(record_totals(record, 0).hardware_j) || record->joined)
        return;
    if (call->calibration_refused)
        record_note(record, text_format("no calibration is used: %s", call->calibration_refused));
    else if (call->has_calibration &&
             calibration_predict(&call->calibration, record, 0, &record->calibrated, &why) < 0)
        record_note(record, text_format("no wall energy is predicted: %s", error_text(&why)));
    error_clear(&why);
}

static void append_emissions(struct run_call *call, const struct record *record)
{
    const struct run_options *options = call->options;
    const struct codecarbon_options row = {
        .project = options->project ? options->project : "joulery",
        .experiment = call->experiment,
        .location = options->location,
        .intensity_g_per_kwh = call->charges[call->record_count - 1].charge.intensity_g_per_kwh,
        .pue = options->pue};
    struct error error = ERROR_INIT;
    if (codecarbon_append(options->emissions_csv, record, &row, &error) == 0)
        return;
    cli_fail("run", &error, CLI_FAILED);
    call->not_written = true;
}

static int measure_once(struct run_call *call, struct record *record, struct error *error)
{
    const struct run_options *options = call->options;
    bool hourly = options->location && hourly_is_asked(options->hourly, options->location);
    struct tracing tracing = {.call = call, .record = record};
    const struct recorder_options recording = {.command = call->command,
                                               .setup = call->setup,
                                               .meters = options->meter_names.items,
                                               .meter_count = options->meter_names.count,
                                               .rate_hz = options->rate_hz,
                                               .timeout_s = options->timeout_s,
                                               .budget_j = options->budget_j,
                                               .trace = call->trace || hourly ? add_trace : NULL,
                                               .context = &tracing};
    if (recorder_run(&recording, record, error) < 0 || use_baseline(call, record, error) < 0) {
        record_free(record);
        return -1;
    }
    use_calibration(call, record);
    if (call->has_waited && call->record_count == 0)
        record_note(record, run_waited_note(&call->waited));
    call->record_count++;
    run_charge(call, &tracing.course);
    if (options->emissions_csv && record->end != END_NOT_STARTED)
        append_emissions(call, record);
    return 0;
}

/* ---- again and again ---- */

static void print_progress(const struct run_call *call)
{
    const struct record *record = &call->records[call->record_count - 1];
    double energy_j = run_energy_j(record);
    AUTO_FREE char *energy = isnan(energy_j) ? text_format("not known") : units_energy(energy_j);
    AUTO_FREE char *elapsed = units_duration(record->wall_s);
    fprintf(stderr, "  run %zu: %s in %s\n", call->record_count, energy ? energy : "",
            elapsed ? elapsed : "");
}

int run_repeat(struct run_call *call, struct error *error)
{
    const struct run_options *options = call->options;
    size_t most = options->repeat ? options->repeat : options->precision > 0 ? REPEAT_USUAL : 1;
    call->records = calloc(most, sizeof *call->records);
    call->charges = calloc(most, sizeof *call->charges);
    if (!call->records || !call->charges)
        return error_memory(error, "repetitions");
    for (size_t i = 0; i < most; i++) {
        if (measure_once(call, &call->records[i], error) < 0)
            return -1;
        if (run_is_repeated(options) && !options->quiet)
            print_progress(call);
        if (call->records[i].exit_status || (options->precision > 0 && run_is_precise(call)))
            return 0;
    }
    return 0;
}
