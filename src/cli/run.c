/* `joulery run`: measures a command and sums up in the manner of `perf stat`, on standard error. */
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "carbon/carbon.h"
#include "cli/cli.h"
#include "record/recorder.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WINDOWS_SHOWN 20
#define GAPS_SHOWN    5

struct run_options {
    const char *location_name, *json;
    struct option_list meter_names;
    double pue, rate_hz, tdp_w, timeout_s;
    bool quiet;
    const struct location *location; /* NULL: none given */
};

static const char *or_empty(const char *string)
{
    return string ? string : "";
}

/* ---- the summary ---- */

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
    fprintf(stderr, "  %11s ± %-10s  %10s   %s%s\n", or_empty(energy), or_empty(uncertainty), or_empty(power),
            label, flag);
}

static void print_channels(const struct record *record)
{
    const struct window *run = &record->windows[0];
    for (size_t i = 0; i < record->channel_count; i++) {
        const struct channel *channel = &record->channels[i];
        const struct channel_energy *energy = &run->energies[i];
        AUTO_FREE char *inside = channel->part_of ? text_format(" (in %s)", channel->part_of) : strdup("");
        AUTO_FREE char *label = text_format("%s %s%s", channel->meter, channel->name, or_empty(inside));
        print_value(or_empty(label), energy->known ? energy->energy_j : NAN, energy->uncertainty_j,
                    run->wall_s - energy->gap_s, channel->kind == KIND_MODEL ? "  estimated" : "");
    }
}

static void print_emissions(const struct run_options *options, const struct energy_totals *totals)
{
    const struct location *at = options->location;
    if (!at) {
        fprintf(stderr, "  %11s   CO2e depends on the place: --location CODE gives it\n", "");
        return;
    }
    double per_j = carbon_emissions_kg(1, options->pue, at->intensity_g_per_kwh);
    AUTO_FREE char *mass = units_mass(totals->software_j * per_j);
    AUTO_FREE char *uncertainty = units_mass(totals->software_uncertainty_j * per_j);
    fprintf(stderr, "  %11s ± %-10s  CO2e%s in %s: %g g/kWh (%d, %s), PUE %g\n", or_empty(mass),
            or_empty(uncertainty), totals->estimated ? ", estimated," : "", at->name, at->intensity_g_per_kwh,
            at->year, at->source, options->pue);
}

/* "total (cpu + dram)": what there are instruments for. */
static char *total_label(const struct record *record)
{
    static const enum channel_scope scopes[] = {SCOPE_CPU, SCOPE_DRAM, SCOPE_GPU};
    struct text label = TEXT_INIT;
    for (size_t s = 0; s < sizeof scopes / sizeof *scopes; s++) {
        bool present = false;
        for (size_t i = 0; i < record->channel_count; i++)
            present = present || record->channels[i].scope == scopes[s];
        if (present)
            text_printf(&label, "%s%s", label.length ? " + " : "total (", channel_scope_name(scopes[s]));
    }
    text_append(&label, label.length ? ")" : "total");
    return text_take(&label);
}

static void print_totals(const struct record *record, const struct run_options *options)
{
    struct energy_totals totals = record_totals(record, 0);
    AUTO_FREE char *label = total_label(record);
    print_value(or_empty(label), totals.software_j, totals.software_uncertainty_j, record->wall_s,
                totals.estimated ? "  estimated" : "");
    if (!isnan(totals.hardware_j))
        print_value("total (wall)", totals.hardware_j, totals.hardware_uncertainty_j, record->wall_s, "");
    if (isnan(totals.software_j))
        return;
    AUTO_FREE char *kwh = units_kwh(totals.software_j);
    fprintf(stderr, "  %11s%s\n", or_empty(kwh),
            totals.estimated ? "                         estimated" : "");
    print_emissions(options, &totals);
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
            "  (%.3g of %.3g busy CPU seconds)\n",
            or_empty(energy), or_empty(uncertainty), share->command_cpu_s, share->machine_cpu_s);
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

static void print_summary(const struct record *record, const struct run_options *options)
{
    AUTO_FREE char *command = join_command(record);
    AUTO_FREE char *elapsed = units_duration(record->wall_s);
    fprintf(stderr, "\n Energy of '%s', %s:\n\n", or_empty(command), or_empty(elapsed));
    print_channels(record);
    fprintf(stderr, "\n");
    print_totals(record, options);
    print_attribution(record);
    print_windows(record);
    if (record->gap_count || record->note_count)
        fprintf(stderr, "\n");
    print_gaps(record);
    for (size_t i = 0; i < record->note_count; i++) {
        AUTO_FREE char *note = text_printable(record->notes[i]);
        fprintf(stderr, "  note: %s\n", or_empty(note));
    }
    AUTO_FREE char *cpu = units_duration(record->recorder_cpu_s);
    AUTO_FREE char *memory = units_bytes(record->recorder_peak_rss_bytes);
    fprintf(stderr, "\n  measuring took %s of CPU (%.2g %% of one) and %s\n", or_empty(cpu),
            record->wall_s > 0 ? 100 * record->recorder_cpu_s / record->wall_s : 0, or_empty(memory));
    if (record->end == END_SIGNALLED)
        fprintf(stderr, "  the command was ended by signal %d (%s)\n", record->term_signal,
                strsignal(record->term_signal));
    else if (record->exit_status)
        fprintf(stderr, "  the command's exit status was %d\n", record->exit_status);
    fprintf(stderr, "\n");
}

/* ---- JSON ---- */

static json_t *emissions_to_json(const struct record *record, const struct run_options *options)
{
    const struct location *at = options->location;
    struct energy_totals totals = record_totals(record, 0);
    if (!at || isnan(totals.software_j))
        return json_null();
    double per_j = carbon_emissions_kg(1, options->pue, at->intensity_g_per_kwh);
    return json_pack("{s:s, s:s, s:i, s:s, s:f, s:f, s:f, s:f, s:b}", "location", at->code, "name", at->name,
                     "year", at->year, "source", at->source, "intensity_g_per_kwh", at->intensity_g_per_kwh,
                     "pue", options->pue, "kg_co2e", totals.software_j * per_j, "uncertainty_kg_co2e",
                     totals.software_uncertainty_j * per_j, "estimated", totals.estimated);
}

static int write_json(const struct record *record, const struct run_options *options, struct error *error)
{
    json_t *json = record_to_json(record);
    int failed = !json || json_object_set_new(json, "emissions", emissions_to_json(record, options)) < 0;
    AUTO_FREE char *bytes = failed ? NULL : json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
    json_decref(json);
    struct text text = TEXT_INIT;
    if (bytes)
        text_printf(&text, "%s\n", bytes);
    size_t size = text.length;
    AUTO_FREE char *line = bytes ? text_take(&text) : NULL;
    if (!line)
        return error_memory(error, "JSON");
    return file_write(options->json, line, size, error);
}

/* ---- the command line ---- */

static enum options_result parse(int argc, char **argv, struct run_options *given, struct operands *command,
                                 struct error *error)
{
    const struct option options[] = {
        {"--location", 'l', OPTION_TEXT, &given->location_name, "PLACE",
         "country of the grid, ISO code or name, for CO2e", 0, 0},
        {"--pue", 0, OPTION_NUMBER, &given->pue, "X", "power usage effectiveness of the site (default 1)", 1,
         10},
        {"--meter", 'm', OPTION_LIST, &given->meter_names, "NAME",
         "use this instrument (may repeat; default: the best there are)", 0, 0},
        {"--rate", 'r', OPTION_NUMBER, &given->rate_hz, "HZ", "readings a second (default 10)", 0.1, 1000},
        {"--tdp", 0, OPTION_NUMBER, &given->tdp_w, "W",
         "thermal design power of all processors, where only a model is left", 0.1, 100000},
        {"--timeout", 't', OPTION_NUMBER, &given->timeout_s, "S", "stop the command after so many seconds",
         0.001, 1e9},
        {"--json", 0, OPTION_TEXT, &given->json, "FILE",
         "write everything as joulery.run/1; - is standard output", 0, 0},
        {"--quiet", 'q', OPTION_FLAG, &given->quiet, NULL, "no summary", 0, 0},
    };
    const struct command_line line = {
        .usage = "joulery run [options] -- COMMAND [ARGUMENTS]",
        .purpose = "Measures the energy of the machine while a command and all its children run. The summary "
                   "goes to\n"
                   "standard error; the exit status is the command's (128 + N if signal N ended it, 127 if "
                   "it was not\n"
                   "found, 126 if it can't be executed).",
        .example = "joulery run --location SWE -- python3 train.py",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .operands_least = 1,
        .operands_most = SIZE_MAX,
        .stop_at_operand = true,
    };
    return options_parse(&line, argc, argv, command, error);
}

static int find_location(struct run_options *options, struct error *error)
{
    if (!options->location_name)
        return options->pue > 0 ? error_set(error, "--pue changes only emissions: it needs --location") : 0;
    options->location = carbon_find(options->location_name, error);
    if (options->pue == 0)
        options->pue = 1;
    return options->location ? 0 : -1;
}

static int report(const struct record *record, const struct run_options *options, const char *name)
{
    struct error error = ERROR_INIT;
    if (record->end == END_NOT_STARTED)
        fprintf(stderr, "joulery run: %s\n", record->notes[record->note_count - 1]);
    else if (!options->quiet)
        print_summary(record, options);
    if (options->json && write_json(record, options, &error) < 0) {
        int status = cli_fail(name, &error, CLI_FAILED);
        return record->exit_status ? record->exit_status : status;
    }
    return record->exit_status;
}

int cli_run(int argc, char **argv)
{
    struct run_options options = {0};
    struct operands command;
    struct error error = ERROR_INIT;
    enum options_result parsed = parse(argc, argv, &options, &command, &error);
    if (parsed != OPTIONS_OK || find_location(&options, &error) < 0) {
        options_list_free(&options.meter_names);
        return cli_parse_result(parsed == OPTIONS_OK ? OPTIONS_WRONG : parsed, argv[0], &error);
    }
    if (options.json && file_check_writable(options.json, &error) < 0) {
        options_list_free(&options.meter_names);
        return cli_fail(argv[0], &error, CLI_FAILED);
    }
    char **arguments = calloc(command.count + 1, sizeof *arguments);
    struct record record = {0};
    int status = CLI_FAILED;
    if (!arguments) {
        error_memory(&error, "command");
        status = cli_fail(argv[0], &error, CLI_FAILED);
        goto out;
    }
    memcpy(arguments, command.items, command.count * sizeof *arguments);
    const struct meter_setup setup = {.tdp_w = options.tdp_w};
    const struct recorder_options recording = {.command = arguments,
                                               .setup = &setup,
                                               .meters = options.meter_names.items,
                                               .meter_count = options.meter_names.count,
                                               .rate_hz = options.rate_hz,
                                               .timeout_s = options.timeout_s};
    if (recorder_run(&recording, &record, &error) < 0)
        status = cli_fail(argv[0], &error, CLI_FAILED);
    else
        status = report(&record, &options, argv[0]);
out:
    record_free(&record);
    free(arguments);
    options_list_free(&options.meter_names);
    return status;
}
