/* `joulery run`: measures a command; the command line, what it needs and what becomes of it. */
#include "cli/run.h"
#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "carbon/hourly.h"
#include "cli/cli.h"
#include "exchange/codecarbon.h"
#include "meter/machine.h"
#include "record/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The note that says why; others may follow it. */
static const char *not_started(const struct record *record)
{
    AUTO_FREE char *start = text_format("%s: ", record->command[0]);
    for (size_t i = record->note_count; start && i-- > 0;)
        if (strncmp(record->notes[i], start, strlen(start)) == 0)
            return record->notes[i];
    return record->command[0];
}

static enum options_result parse(int argc, char **argv, struct run_options *given, struct operands *command,
                                 struct error *error)
{
    const struct option options[] = {
        {.kind = OPTION_HEADING, .help = "how often and how long"},
        {"--repeat", 'n', OPTION_COUNT, &given->repeat, "N",
         "run the command N times: mean, spread, 95 % interval", 1, REPEAT_MOST},
        {"--precision", 'p', OPTION_TEXT, &given->precision_text, "SHARE",
         "repeat until the interval is within ± SHARE (2%) of the mean; at most --repeat (default 100) times",
         0, 0},
        {"--timeout", 't', OPTION_NUMBER, &given->timeout_s, "S", "stop the command after so many seconds",
         0.001, 1e9},
        {"--budget", 'b', OPTION_TEXT, &given->budget_text, "ENERGY",
         "stop the command when it has taken so much (50Wh, 20kJ)", 0, 0},
        {.kind = OPTION_HEADING, .help = "measuring"},
        {"--meter", 'm', OPTION_LIST, &given->meter_names, "NAME",
         "use this instrument (may repeat; default: the best there are)", 0, 0},
        {"--rate", 'r', OPTION_NUMBER, &given->rate_hz, "HZ", "readings a second (default 10)", 0.1, 1000},
        {"--tdp", 0, OPTION_NUMBER, &given->tdp_w, "W",
         "thermal design power of all processors, where only a model is left", 0.1, 100000},
        {"--site", 0, OPTION_TEXT, &given->site, "FILE",
         "the site file, which lists wattmeters (default: ~/.config/joulery/site.yaml, if there is one)", 0,
         0},
        {"--baseline", 0, OPTION_TEXT, &given->baseline_path, "FILE",
         "the machine at rest (default: what `joulery idle` stored; none: none)", 0, 0},
        {"--calibration", 0, OPTION_TEXT, &given->calibration_path, "FILE",
         "wall over software (default: what `joulery calibrate` stored; none: none)", 0, 0},
        {.kind = OPTION_HEADING, .help = "emissions"},
        {"--location", 'l', OPTION_TEXT, &given->location_name, "PLACE",
         "place of the grid, as `joulery places` lists them, or '25 g/kWh', for CO2e", 0, 0},
        {"--pue", 0, OPTION_NUMBER, &given->pue, "X",
         "power usage effectiveness of the site (default: its provider's, where it is known, else 1)", 1, 10},
        {"--embodied", 0, OPTION_TEXT, &given->embodied_text, "MASS",
         "CO2e that making the machine emitted (1200kg): the run's share by time is shown apart", 0, 0},
        {"--lifetime", 0, OPTION_TEXT, &given->lifetime_text, "TIME",
         "how long the machine is used (4y); needed with --embodied", 0, 0},
        {"--hourly", 0, OPTION_TEXT, &given->hourly, "FILE|SERVICE",
         "intensity by the hour, of the run and for --when-clean: a CSV file of time and g_per_kwh, or a "
         "service",
         0, 0},
        {.kind = OPTION_HEADING, .help = "waiting for a clean grid"},
        {"--when-clean", 0, OPTION_FLAG, &given->when_clean, NULL,
         "start when the forecast is cleanest; SIGUSR1, or Enter on a terminal, starts now", 0, 0},
        {"--within", 0, OPTION_TEXT, &given->within_text, "TIME", "wait at most so long (default 24h)", 0, 0},
        {"--duration", 0, OPTION_TEXT, &given->duration_text, "TIME", "about how long the command takes", 0,
         0},
        {.kind = OPTION_HEADING, .help = "output"},
        {"--json", 0, OPTION_TEXT, &given->json, "FILE",
         "write everything as joulery.run/1 (repeated: joulery.repeat/1); - is standard output", 0, 0},
        {"--trace", 0, OPTION_TEXT, &given->trace_path, "FILE",
         "write the power trace as CSV, packed if the name ends in .gz", 0, 0},
        {"--emissions-csv", 0, OPTION_TEXT, &given->emissions_csv, "FILE",
         "append a row for each run in the columns of CodeCarbon's emissions.csv", 0, 0},
        {"--project", 0, OPTION_TEXT, &given->project, "NAME", "project_name in those rows (default joulery)",
         0, 0},
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
    options->places = places_open(NULL, error);
    options->location = options->places ? places_find(options->places, options->location_name, error) : NULL;
    options->pue = location_pue(options->location, options->pue, &options->pue_own);
    return options->location ? 0 : -1;
}

static int parse_quantities(struct run_options *options, struct error *error)
{
    if (options->budget_text && units_parse_energy(options->budget_text, &options->budget_j, error) < 0)
        return error_prefix(error, "--budget");
    if (options->precision_text && units_parse_share(options->precision_text, &options->precision, error) < 0)
        return error_prefix(error, "--precision");
    if (options->precision > 0 && options->repeat && options->repeat < REPEAT_LEAST)
        return error_set(error, "--precision needs at least %d runs: --repeat %d or more", REPEAT_LEAST,
                         REPEAT_LEAST);
    if (options->project && !options->emissions_csv)
        return error_set(error, "--project names rows of --emissions-csv FILE, which is not given");
    if (embodied_parse(options->embodied_text, options->lifetime_text, &options->embodied, error) < 0)
        return -1;
    return find_location(options, error) < 0 ? -1 : run_parse_wait(options, error);
}

/* ---- before ---- */

/* The one that `joulery idle` stored, if there is one; why it can't be used is said with the run. */
static int load_usual_baseline(struct run_call *call, const struct host *host)
{
    struct error why = ERROR_INIT;
    AUTO_FREE char *path = baseline_default_path(host->name, &why);
    if (path && file_exists(path)) {
        call->has_baseline = baseline_read(path, &call->baseline, &why) == 0;
        if (call->has_baseline && baseline_check_host(&call->baseline, host, &why) < 0) {
            error_prefix(&why, "%s", path);
            call->has_baseline = false;
        }
        if (!call->has_baseline)
            call->baseline_refused = strdup(error_text(&why));
    }
    error_clear(&why);
    return 0;
}

static int load_baseline(struct run_call *call, struct error *error)
{
    const char *path = call->options->baseline_path;
    if (path && strcmp(path, "none") == 0)
        return 0;
    struct record record = {0};
    int result = host_describe(call->setup, &record.host, error);
    if (result == 0 && !path)
        result = load_usual_baseline(call, &record.host);
    else if (result == 0 && baseline_read(path, &call->baseline, error) < 0)
        result = -1;
    else if (result == 0) {
        call->has_baseline = baseline_check_host(&call->baseline, &record.host, error) == 0;
        result = call->has_baseline ? 0 : error_prefix(error, "%s", path);
    }
    record_free(&record);
    return result;
}

/* As with the baseline: the one that `joulery calibrate` stored, if there is one. */
static void load_usual_calibration(struct run_call *call, const struct host *host)
{
    struct error why = ERROR_INIT;
    AUTO_FREE char *path = calibration_default_path(host->name, &why);
    if (path && file_exists(path)) {
        call->has_calibration = calibration_read(path, &call->calibration, &why) == 0;
        if (call->has_calibration && calibration_same_machine(&call->calibration.host, host, &why) < 0) {
            error_prefix(&why, "%s", path);
            call->has_calibration = false;
        }
        if (!call->has_calibration)
            call->calibration_refused = strdup(error_text(&why));
    }
    error_clear(&why);
}

static int load_given_calibration(struct run_call *call, const struct host *host, struct error *error)
{
    const char *path = call->options->calibration_path;
    if (calibration_read(path, &call->calibration, error) < 0)
        return -1;
    call->has_calibration = calibration_same_machine(&call->calibration.host, host, error) == 0;
    return call->has_calibration ? 0 : error_prefix(error, "%s", path);
}

static int load_calibration(struct run_call *call, struct error *error)
{
    const char *path = call->options->calibration_path;
    if (path && strcmp(path, "none") == 0)
        return 0;
    struct record record = {0};
    int result = host_describe(call->setup, &record.host, error);
    if (result == 0 && path)
        result = load_given_calibration(call, &record.host, error);
    else if (result == 0)
        load_usual_calibration(call, &record.host);
    record_free(&record);
    return result;
}

/* What can't be written is better known before hours of work than after. */
static int open_outputs(struct run_call *call, struct error *error)
{
    const struct run_options *options = call->options;
    if (options->json && file_check_writable(options->json, error) < 0)
        return -1;
    if (options->emissions_csv) {
        if (codecarbon_check(options->emissions_csv, error) < 0)
            return -1;
        call->experiment = codecarbon_new_id();
        if (!call->experiment)
            return error_memory(error, "experiment id");
    }
    if (!options->trace_path)
        return 0;
    call->trace = trace_csv_open(options->trace_path, error);
    return call->trace ? 0 : -1;
}

/* ---- after ---- */

static void report(struct run_call *call, const char *name)
{
    const struct run_options *options = call->options;
    const struct record *last = &call->records[call->record_count - 1];
    struct error error = ERROR_INIT;
    if (last->end == END_NOT_STARTED)
        fprintf(stderr, "joulery run: %s\n", not_started(last));
    else if (!options->quiet && run_is_repeated(options))
        run_print_repeat(call);
    else if (!options->quiet)
        run_print_summary(call);
    if (options->json && run_write_json(call, &error) < 0) {
        cli_fail(name, &error, CLI_FAILED);
        call->not_written = true;
    }
}

static int end_call(struct run_call *call, int status, const char *name)
{
    struct error error = ERROR_INIT;
    if (trace_csv_close(call->trace, &error) < 0) {
        cli_fail(name, &error, CLI_FAILED);
        call->not_written = true;
    }
    for (size_t i = 0; i < call->record_count; i++)
        record_free(&call->records[i]);
    run_charges_free(call);
    free(call->records);
    baseline_free(&call->baseline);
    calibration_free(&call->calibration);
    free(call->baseline_refused);
    free(call->calibration_refused);
    free(call->experiment);
    waited_free(&call->waited);
    return status == 0 && call->not_written ? CLI_FAILED : status;
}

static int check_hourly(const struct run_call *call, struct error *error)
{
    const struct run_options *options = call->options;
    bool asked = options->location && hourly_is_asked(options->hourly, options->location);
    return asked ? hourly_check(options->hourly, options->location, error) : 0;
}

static int call_run(struct run_call *call, const char *name)
{
    struct error error = ERROR_INIT;
    if (check_hourly(call, &error) < 0 || load_baseline(call, &error) < 0 ||
        load_calibration(call, &error) < 0 || open_outputs(call, &error) < 0)
        return end_call(call, cli_fail(name, &error, CLI_FAILED), name);
    int gave_up;
    if (run_wait(call, &gave_up, &error) < 0)
        return end_call(call, cli_fail(name, &error, CLI_FAILED), name);
    if (gave_up)
        return end_call(call, 128 + gave_up, name);
    int status = run_repeat(call, &error) < 0 ? cli_fail(name, &error, CLI_FAILED) : CLI_DONE;
    if (call->record_count) {
        report(call, name);
        int commands = call->records[call->record_count - 1].exit_status;
        status = commands ? commands : status;
    }
    return end_call(call, status, name);
}

int cli_run(int argc, char **argv)
{
    struct run_options options = {0};
    struct operands command;
    struct error error = ERROR_INIT;
    enum options_result parsed = parse(argc, argv, &options, &command, &error);
    if (parsed == OPTIONS_OK && parse_quantities(&options, &error) < 0)
        parsed = OPTIONS_WRONG;
    char **arguments = parsed == OPTIONS_OK ? calloc(command.count + 1, sizeof *arguments) : NULL;
    int status;
    if (parsed != OPTIONS_OK) {
        status = cli_parse_result(parsed, argv[0], &error);
    } else if (!arguments) {
        error_memory(&error, "command");
        status = cli_fail(argv[0], &error, CLI_FAILED);
    } else {
        memcpy(arguments, command.items, command.count * sizeof *arguments);
        struct machine machine = {0};
        const struct meter_setup setup = {
            .tdp_w = options.tdp_w, .site = options.site, .own_process = true, .machine = &machine};
        struct run_call call = {.options = &options, .setup = &setup, .command = arguments};
        status = call_run(&call, argv[0]);
        machine_free(&machine);
    }
    free(arguments);
    places_close(options.places);
    options_list_free(&options.meter_names);
    return status;
}
