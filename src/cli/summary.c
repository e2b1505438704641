/* `joulery run`: the summary, in the manner of `perf stat`. */
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/run.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOWS_SHOWN   20
#define GAPS_SHOWN      5
#define NOTES_SHOWN     20
#define RESOLUTION_MOST 0.05 /* beyond it repeating is offered */

static const char *or_empty(const char *string)
{
    return string ? string : "";
}

static void print_value(const char *label, double energy_j, double uncertainty_j, double wall_s,
                        const char *flag)
{
    if (isnan(energy_j)) {
        fprintf(stderr, "  %11s   %10s  %10s   %s%s\n", "not known", "", "", label, flag);
        return;
    }
    AUTO_FREE char *energy = units_energy(energy_j);
    AUTO_FREE char *uncertainty = units_energy(uncertainty_j);
    AUTO_FREE char *power = wall_s > 0 ? units_power(energy_j / wall_s) : strdup("");
    /* as uncertain as it is large: a stretch that the instrument can't resolve */
    bool unresolved = uncertainty_j >= fabs(energy_j);
    fprintf(stderr, "  %11s ± %-10s  %10s   %s%s%s\n", or_empty(energy), or_empty(uncertainty),
            or_empty(power), label, flag, unresolved ? "  not resolved" : "");
}

/* "nvml gpu-0, NVIDIA L4, GPU-…" */
static char *channel_label(const struct channel *channel)
{
    AUTO_FREE char *inside = channel->part_of ? text_format(" (in %s)", channel->part_of) : strdup("");
    AUTO_FREE char *hardware = channel->label ? text_printable(channel->label) : NULL;
    return text_format("%s %s%s%s%s", channel->meter, channel->name, or_empty(inside), hardware ? ", " : "",
                       or_empty(hardware));
}

static void print_channels(const struct record *record)
{
    const struct window *run = &record->windows[0];
    for (size_t i = 0; i < record->channel_count; i++) {
        const struct channel *channel = &record->channels[i];
        const struct channel_energy *energy = &run->energies[i];
        AUTO_FREE char *label = channel_label(channel);
        print_value(or_empty(label), energy->known ? energy->energy_j : NAN, energy->uncertainty_j,
                    run->wall_s - energy->gap_s, cli_channel_flag(channel));
    }
}

/* Of the intensity: the ± before it is the energy's. */
static void print_range(const struct run_options *options, const struct charge *charge,
                        const struct energy_totals *totals)
{
    if (isnan(charge->low_g_per_kwh) || isnan(totals->software_j) ||
        charge->low_g_per_kwh == charge->high_g_per_kwh)
        return;
    AUTO_FREE char *low =
        units_mass(carbon_emissions_kg(totals->software_j, options->pue, charge->low_g_per_kwh));
    AUTO_FREE char *high =
        units_mass(carbon_emissions_kg(totals->software_j, options->pue, charge->high_g_per_kwh));
    fprintf(stderr, "  %11s   %-10s  %s to %s by the range of the intensity, %.4g to %.4g g/kWh\n", "", "",
            or_empty(low), or_empty(high), charge->low_g_per_kwh, charge->high_g_per_kwh);
}

static void print_hourly(const struct run_charge *charged)
{
    if (charged->charge.by_the_hour > 0)
        fprintf(stderr, "  %11s   %.3g %% of the energy is charged by the hour, by %s\n", "",
                100 * charged->charge.by_the_hour, or_empty(charged->source));
    if (charged->charge.by_the_hour < 1)
        fprintf(stderr, "  %11s   the yearly figure holds for %s%s%s\n", "",
                charged->charge.by_the_hour > 0 ? "the rest" : "all of it", charged->trouble ? ": " : "",
                or_empty(charged->trouble));
    if (charged->charge.mixed)
        fprintf(stderr, "  %11s   part of it by marginal, part by average figures: a sum of two kinds\n", "");
}

static void print_emissions(const struct run_call *call, const struct energy_totals *totals)
{
    const struct run_options *options = call->options;
    const struct location *at = options->location;
    if (!at) {
        fprintf(stderr, "  %11s   CO2e depends on the place: --location PLACE gives it\n", "");
        return;
    }
    const struct run_charge *charged = &call->charges[0];
    double per_j = carbon_emissions_kg(1, options->pue, charged->charge.intensity_g_per_kwh);
    AUTO_FREE char *mass = units_mass(totals->software_j * per_j);
    AUTO_FREE char *uncertainty = units_mass(totals->software_uncertainty_j * per_j);
    AUTO_FREE char *figure = charged->charge.by_the_hour > 0 ? NULL : location_figure_text(at);
    fprintf(stderr, "  %11s ± %-10s  CO2e%s in %s: %.4g g/kWh%s%s%s%s%s, PUE %g%s%s\n", or_empty(mass),
            or_empty(uncertainty), totals->estimated ? ", estimated," : "", at->name,
            charged->charge.intensity_g_per_kwh, figure ? " (" : "", or_empty(figure), figure ? "; " : "",
            figure ? at->source : "", figure ? ")" : "", options->pue, options->pue_own ? " of " : "",
            options->pue_own ? at->pue_source : "");
    if (charged->hourly)
        print_hourly(charged);
    print_range(options, &charged->charge, totals);
}

static void print_embodied(const struct run_options *options, double wall_s)
{
    if (!(options->embodied.machine_kg_co2e > 0))
        return;
    AUTO_FREE char *text = embodied_text(&options->embodied, wall_s);
    fprintf(stderr, "  %11s   %s\n", "", or_empty(text));
}

/* "total (cpu + dram)": what there are instruments for. */
static char *total_label(const struct record *record)
{
    static const enum channel_scope scopes[] = {SCOPE_CPU, SCOPE_DRAM, SCOPE_GPU};
    struct text label = TEXT_INIT;
    for (size_t s = 0; s < sizeof scopes / sizeof *scopes; s++) {
        bool present = false;
        for (size_t i = 0; i < record->channel_count; i++)
            present = present || (record->channels[i].scope == scopes[s] && !record->channels[i].apart);
        if (present)
            text_printf(&label, "%s%s", label.length ? " + " : "total (", channel_scope_name(scopes[s]));
    }
    text_append(&label, label.length ? ")" : "total");
    return text_take(&label);
}

static void print_above_idle(const struct record *record, const struct energy_totals *totals)
{
    if (!record->idle)
        return;
    double uncertainty_j, above_j = record_above_idle_j(record, 0, &uncertainty_j);
    AUTO_FREE char *label = text_format("above idle (%s)", or_empty(record->baseline));
    print_value(or_empty(label), above_j, uncertainty_j, record->wall_s,
                totals->estimated ? "  estimated" : "");
}

static void print_calibrated(const struct record *record)
{
    const struct calibrated *calibrated = &record->calibrated;
    if (!calibrated->known)
        return;
    AUTO_FREE char *energy = units_energy(calibrated->wall_j);
    AUTO_FREE char *low = units_energy(calibrated->low_j);
    AUTO_FREE char *high = units_energy(calibrated->high_j);
    AUTO_FREE char *power =
        record->wall_s > 0 ? units_power(calibrated->wall_j / record->wall_s) : strdup("");
    fprintf(stderr, "  %11s   %10s  %10s   at the wall (calibrated), 95 %% interval %s to %s%s\n",
            or_empty(energy), "", or_empty(power), or_empty(low), or_empty(high),
            calibrated->estimated ? "  estimated" : "");
}

static void print_calibrated_warnings(const struct calibrated *calibrated)
{
    if (calibrated->known) {
        AUTO_FREE char *note =
            text_format("the wall energy is predicted, not measured: by the calibration of %s",
                        or_empty(calibrated->calibration));
        cli_print_note(stderr, or_empty(note));
    }
    for (size_t i = 0; i < calibrated->warning_count; i++) {
        AUTO_FREE char *note = text_format("the wall energy is doubtful: %s", calibrated->warnings[i]);
        cli_print_note(stderr, or_empty(note));
    }
}

static void print_totals(const struct run_call *call, const struct record *record)
{
    struct energy_totals totals = record_totals(record, 0);
    AUTO_FREE char *label = total_label(record);
    print_value(or_empty(label), totals.software_j, totals.software_uncertainty_j, record->wall_s,
                totals.estimated ? "  estimated" : "");
    if (!isnan(totals.hardware_j))
        print_value("total (wall)", totals.hardware_j, totals.hardware_uncertainty_j, record->wall_s, "");
    print_calibrated(record);
    print_above_idle(record, &totals);
    if (isnan(totals.software_j))
        return;
    AUTO_FREE char *kwh = units_kwh(totals.software_j);
    fprintf(stderr, "  %11s%s\n", or_empty(kwh),
            totals.estimated ? "                         estimated" : "");
    print_emissions(call, &totals);
    print_embodied(call->options, record->wall_s);
}

static void print_attribution(const struct record *record)
{
    const struct attribution *share = &record->attribution;
    if (!share->known)
        return;
    AUTO_FREE char *energy = units_energy(share->energy_j);
    AUTO_FREE char *uncertainty = units_energy(share->uncertainty_j);
    fprintf(stderr,
            "  of the processors' energy above idle, %s ± %s is attributed to the command\n"
            "  (%.3g of %.3g busy CPU seconds, %s)\n",
            or_empty(energy), or_empty(uncertainty), share->command_cpu_s, share->machine_cpu_s,
            or_empty(share->basis));
}

static void print_window(const struct record *record, size_t i)
{
    const struct window *window = &record->windows[i];
    struct energy_totals totals = record_totals(record, i);
    AUTO_FREE char *name = text_printable(window->name);
    struct text label = TEXT_INIT;
    text_printf(&label, "%s %" PRId64, or_empty(name), window->index);
    AUTO_FREE char *elapsed = units_duration(window->wall_s);
    text_printf(&label, ", %s", or_empty(elapsed));
    for (size_t m = 0; m < window->metric_count; m++) {
        AUTO_FREE char *metric = text_printable(window->metrics[m].name);
        text_printf(&label, ", %s %.4g", or_empty(metric), window->metrics[m].value);
    }
    if (!window->complete)
        text_append(&label, ", not ended");
    AUTO_FREE char *line = text_take(&label);
    print_value(or_empty(line), totals.software_j, totals.software_uncertainty_j, window->wall_s,
                totals.estimated ? "  estimated" : "");
}

static void print_windows(const struct record *record)
{
    if (record->window_count < 2)
        return;
    fprintf(stderr, "\n  windows:\n");
    size_t shown = record->window_count - 1 <= WINDOWS_SHOWN ? record->window_count : WINDOWS_SHOWN;
    for (size_t i = 1; i < shown; i++)
        print_window(record, i);
    if (shown < record->window_count)
        fprintf(stderr, "  … and %zu more: --json has them all\n", record->window_count - shown);
}

static void print_gaps(const struct record *record)
{
    for (size_t i = 0; i < record->gap_count && i < GAPS_SHOWN; i++) {
        const struct gap *gap = &record->gaps[i];
        const struct channel *channel = &record->channels[gap->channel];
        AUTO_FREE char *elapsed = units_duration(gap->wall_s);
        fprintf(stderr, "  gap: %s %s, %s from second %.2f: %s\n", channel->meter, channel->name,
                or_empty(elapsed), gap->start_s, or_empty(gap->reason));
    }
    if (record->gap_count > GAPS_SHOWN)
        fprintf(stderr, "  … and %zu more gaps: --json has them all\n", record->gap_count - GAPS_SHOWN);
}

static char *join_command(const struct record *record)
{
    struct text command = TEXT_INIT;
    for (size_t i = 0; i < record->command_count; i++) {
        AUTO_FREE char *word = text_printable(record->command[i]);
        text_printf(&command, "%s%s", i ? " " : "", or_empty(word));
    }
    return text_take(&command);
}

static void print_cost(double cpu_s, double wall_s, uint64_t rss_bytes)
{
    AUTO_FREE char *cpu = units_duration(cpu_s);
    AUTO_FREE char *memory = units_bytes(rss_bytes);
    fprintf(stderr, "\n  measuring took %s of CPU (%.2g %% of one) and %s\n", or_empty(cpu),
            wall_s > 0 ? 100 * cpu_s / wall_s : 0, or_empty(memory));
}

static void print_end(const struct record *record)
{
    if (record->end == END_SIGNALLED)
        fprintf(stderr, "  the command was ended by signal %d (%s)\n", record->term_signal,
                strsignal(record->term_signal));
    else if (record->exit_status)
        fprintf(stderr, "  the command's exit status was %d\n", record->exit_status);
}

/* How well the energy is known apart from the instruments' scale, which repeating does not improve: relative;
 * NAN: no energy is known. */
static double relative_resolution(const struct record *record)
{
    struct channel_energy *energies = calloc(record->channel_count + 1, sizeof *energies);
    if (!energies)
        return NAN;
    for (size_t i = 0; i < record->channel_count; i++) {
        energies[i] = record->windows[0].energies[i];
        double scale_j = record->channels[i].accuracy * energies[i].energy_j;
        double all_j = energies[i].uncertainty_j;
        energies[i].uncertainty_j = sqrt(fmax(all_j * all_j - scale_j * scale_j, 0));
    }
    struct energy_totals totals = energy_totals(record->channels, energies, record->channel_count);
    free(energies);
    bool software = !isnan(totals.software_j);
    double energy_j = software ? totals.software_j : totals.hardware_j;
    double uncertainty_j = software ? totals.software_uncertainty_j : totals.hardware_uncertainty_j;
    return energy_j > 0 ? uncertainty_j / energy_j : NAN;
}

static void print_short(const struct record *record)
{
    double relative = relative_resolution(record);
    if (isnan(relative))
        fprintf(stderr, "\n  no energy is known: too short for the instruments? --repeat N measures it N "
                        "times\n");
    else if (relative > RESOLUTION_MOST)
        fprintf(stderr,
                "\n  short for these instruments: ± %.0f %% from readings alone; --precision 2%% repeats "
                "the command until the mean is known so well\n",
                100 * relative);
}

/* The summary of repetitions: one line a quantity. */
static void print_repeated(const struct run_call *call, const char *label, const char *flag,
                           double (*quantity)(const struct record *record, size_t index), size_t index,
                           char *(*words)(double value))
{
    struct repeated all;
    struct error ignored = ERROR_INIT;
    if (run_summarise(call, quantity, index, &all, &ignored) < 0 || all.summary.count == 0) {
        error_clear(&ignored);
        fprintf(stderr, "  %11s   %10s  %10s   %s%s\n", "not known", "", "", label, flag);
        return;
    }
    const struct summary *s = &all.summary;
    AUTO_FREE char *mean = words(s->mean);
    AUTO_FREE char *half = s->count > 1 ? words((s->high - s->low) / 2) : strdup("?");
    AUTO_FREE char *spread = s->count > 1 ? words(s->sd) : strdup("?");
    fprintf(stderr, "  %11s ± %-10s  %10s   %s%s\n", or_empty(mean), or_empty(half), or_empty(spread), label,
            flag);
    if (all.unknown)
        fprintf(stderr,
                "  %11s   in %zu of %zu runs it is not known: the mean of the others may be too high\n", "",
                all.unknown, call->record_count);
}

static bool noted_before(const struct run_call *call, size_t run, const char *note)
{
    for (size_t r = 0; r < run; r++)
        for (size_t i = 0; i < call->records[r].note_count; i++)
            if (strcmp(call->records[r].notes[i], note) == 0)
                return true;
    return false;
}

/* Each once. */
static void print_all_notes(const struct run_call *call)
{
    size_t shown = 0;
    for (size_t r = 0; r < call->record_count; r++)
        for (size_t i = 0; i < call->records[r].note_count && shown < NOTES_SHOWN; i++)
            if (!noted_before(call, r, call->records[r].notes[i])) {
                fputs(shown++ ? "" : "\n", stderr);
                cli_print_note(stderr, call->records[r].notes[i]);
            }
}

static void print_reached(const struct run_call *call)
{
    const struct run_options *options = call->options;
    if (options->precision <= 0)
        return;
    if (run_is_precise(call))
        fprintf(stderr, "\n  precise to %g %%, after %zu runs\n", 100 * options->precision,
                call->record_count);
    else
        fprintf(stderr,
                "\n  not precise to %g %% after %zu runs: --repeat allows more, longer runs scatter less\n",
                100 * options->precision, call->record_count);
}

static double instrument_share(const struct run_call *call)
{
    const struct record *record = &call->records[call->record_count - 1];
    struct energy_totals totals = record_totals(record, 0);
    double uncertainty_j =
        isnan(totals.software_j) ? totals.hardware_uncertainty_j : totals.software_uncertainty_j;
    double energy_j = run_energy_j(record);
    return energy_j > 0 ? uncertainty_j / energy_j : NAN;
}

static void print_calibrated_share(const struct run_call *call)
{
    const struct calibrated *first = &call->records[0].calibrated;
    if (first->known && first->wall_j > 0)
        fprintf(
            stderr,
            "  %11s   and the calibration's own 95 %% interval, which repeating does not lessen: ± %.2g %%\n",
            "", 100 * (first->high_j - first->wall_j) / first->wall_j);
}

void run_print_repeat(const struct run_call *call)
{
    const struct record *first = &call->records[0];
    AUTO_FREE char *command = join_command(first);
    fprintf(stderr, "\n Energy of '%s', %zu %s: mean ± 95 %% interval, spread (s)\n\n", or_empty(command),
            call->record_count, call->record_count == 1 ? "run" : "runs");
    for (size_t i = 0; i < first->channel_count; i++) {
        AUTO_FREE char *label = channel_label(&first->channels[i]);
        print_repeated(call, or_empty(label), cli_channel_flag(&first->channels[i]), run_quantity_channel_j,
                       i, units_energy);
    }
    fprintf(stderr, "\n");
    AUTO_FREE char *label = total_label(first);
    const char *flag = record_totals(first, 0).estimated ? "  estimated" : "";
    print_repeated(call, or_empty(label), flag, run_quantity_energy_j, 0, units_energy);
    if (first->calibrated.known)
        print_repeated(call, "at the wall (calibrated)", first->calibrated.estimated ? "  estimated" : "",
                       run_quantity_calibrated_j, 0, units_energy);
    if (first->idle)
        print_repeated(call, "above idle", flag, run_quantity_above_idle_j, 0, units_energy);
    print_repeated(call, "time", "", run_quantity_wall_s, 0, units_duration);
    double share = instrument_share(call);
    if (!isnan(share))
        fprintf(stderr,
                "  %11s   and the instruments' own uncertainty, which repeating does not lessen: ± %.2g %%\n",
                "", 100 * share);
    print_calibrated_share(call);
    print_reached(call);
    print_all_notes(call);
    print_calibrated_warnings(&first->calibrated);
    double cpu_s = 0, wall_s = 0;
    for (size_t i = 0; i < call->record_count; i++) {
        cpu_s += call->records[i].recorder_cpu_s;
        wall_s += call->records[i].wall_s;
    }
    print_cost(cpu_s, wall_s, call->records[call->record_count - 1].recorder_peak_rss_bytes);
    print_end(&call->records[call->record_count - 1]);
    fprintf(stderr, "\n");
}

void run_print_summary(const struct run_call *call)
{
    const struct record *record = &call->records[0];
    AUTO_FREE char *command = join_command(record);
    AUTO_FREE char *elapsed = units_duration(record->wall_s);
    fprintf(stderr, "\n Energy of '%s', %s:\n\n", or_empty(command), or_empty(elapsed));
    print_channels(record);
    fprintf(stderr, "\n");
    print_totals(call, record);
    print_attribution(record);
    print_short(record);
    print_windows(record);
    if (record->gap_count || record->note_count || record->calibrated.known)
        fprintf(stderr, "\n");
    print_gaps(record);
    print_calibrated_warnings(&record->calibrated);
    for (size_t i = 0; i < record->note_count; i++)
        cli_print_note(stderr, record->notes[i]);
    print_cost(record->recorder_cpu_s, record->wall_s, record->recorder_peak_rss_bytes);
    print_end(record);
    fprintf(stderr, "\n");
}
