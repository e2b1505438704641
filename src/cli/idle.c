/* `joulery idle`: what the machine draws at rest, kept for later runs. */
#include "calibrate/idle.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"
#include "meter/machine.h"
#include "record/host.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct given {
    uint64_t seconds;
    double rate_hz, tdp_w;
    struct option_list meters;
    const char *output;
};

struct shown {
    struct progress progress;
    uint64_t seconds;
};

static void show_progress(void *context, double elapsed_s)
{
    struct shown *shown = context;
    progress_update(&shown->progress, elapsed_s, (double)shown->seconds,
                    "at rest: please leave the machine alone");
}

static void print_channel(const struct channel *channel, const struct idle_power *idle)
{
    const char *flag = channel->kind == KIND_MODEL ? "  estimated" : "";
    if (isnan(idle->power_w)) {
        printf("  %10s   %-10s  %s %s%s\n", "not known", "", channel->meter, channel->name, flag);
        return;
    }
    AUTO_FREE char *power = units_power(idle->power_w);
    AUTO_FREE char *uncertainty = units_power(idle->uncertainty_w);
    printf("  %10s ± %-10s  %s %s%s\n", power ? power : "", uncertainty ? uncertainty : "", channel->meter,
           channel->name, flag);
}

static void print_result(const struct record *record, const struct baseline *baseline)
{
    AUTO_FREE char *duration = units_duration(baseline->duration_s);
    printf("\n At rest, %s on %s:\n\n", duration ? duration : "", record->host.name);
    for (size_t i = 0; i < record->channel_count; i++)
        print_channel(&record->channels[i], &baseline->channels[i].idle);
    printf("\n");
    for (size_t i = 0; i < record->note_count; i++)
        cli_print_note(stdout, record->notes[i]);
    if (isfinite(baseline->load))
        printf("  the processors were busy %.2g %% of the time\n", 100 * baseline->load);
    else
        printf("  how busy the processors were is not known\n");
}

static void warn_of_load(const struct record *record, const struct baseline *baseline)
{
    if (idle_was_disturbed(baseline, &record->host))
        fprintf(
            stderr,
            "joulery idle: the machine was not at rest (%.2g of %u logical CPUs busy): what runs show above "
            "idle will be too little; end what runs (top lists it) and measure again\n",
            baseline->load * record->host.logical_cpus, record->host.logical_cpus);
}

static bool any_known(const struct baseline *baseline)
{
    for (size_t i = 0; i < baseline->channel_count; i++)
        if (isfinite(baseline->channels[i].idle.power_w))
            return true;
    return false;
}

static int store(const char *path, const struct baseline *baseline, bool usual, struct error *error)
{
    if (!any_known(baseline))
        return error_set(error, "no instrument gave a reading: nothing is stored");
    if (baseline_write(path, baseline, error) < 0)
        return -1;
    if (strcmp(path, "-") != 0)
        printf("  stored in %s\n", path);
    if (usual && geteuid() == 0 && getenv("SUDO_USER"))
        printf("  as root's: %s's own runs find it only with --baseline %s, or stored with --output\n",
               getenv("SUDO_USER"), path);
    return 0;
}

static int measure(const struct given *given, const char *path, struct error *error)
{
    struct shown shown = {.seconds = given->seconds};
    struct machine machine = {0};
    const struct meter_setup setup = {.tdp_w = given->tdp_w, .own_process = true, .machine = &machine};
    const struct idle_options options = {.setup = &setup,
                                         .meters = given->meters.items,
                                         .meter_count = given->meters.count,
                                         .rate_hz = given->rate_hz,
                                         .duration_s = given->seconds,
                                         .progress = show_progress,
                                         .context = &shown};
    struct record record = {0};
    struct baseline baseline = {0};
    progress_start(&shown.progress);
    int result = idle_measure(&options, &record, &baseline, error);
    progress_clear(&shown.progress);
    if (result == 0) {
        if (strcmp(path, "-") != 0)
            print_result(&record, &baseline);
        warn_of_load(&record, &baseline);
        result = store(path, &baseline, !given->output, error);
    }
    baseline_free(&baseline);
    record_free(&record);
    machine_free(&machine);
    return result;
}

static char *usual_path(struct error *error)
{
    struct record record = {0};
    char *path =
        host_describe(NULL, &record.host, error) == 0 ? baseline_default_path(record.host.name, error) : NULL;
    record_free(&record);
    return path;
}

static enum options_result parse(int argc, char **argv, struct given *given, struct error *error)
{
    const struct option options[] = {
        {"--for", 0, OPTION_COUNT, &given->seconds, "S", "how many seconds (default 60)", IDLE_LEAST_S,
         IDLE_MOST_S},
        {"--output", 'o', OPTION_TEXT, &given->output, "FILE",
         "where to store it (default: where `joulery run` looks); - is standard output", 0, 0},
        {"--meter", 'm', OPTION_LIST, &given->meters, "NAME",
         "use this instrument (may repeat; default: the best there are)", 0, 0},
        {"--rate", 'r', OPTION_NUMBER, &given->rate_hz, "HZ", "readings a second (default 10)", 0.1, 1000},
        {"--tdp", 0, OPTION_NUMBER, &given->tdp_w, "W",
         "thermal design power of all processors, where only a model is left", 0.1, 100000},
    };
    const struct command_line line = {
        .usage = "joulery idle [options]",
        .purpose =
            "Measures what the machine draws while nothing runs and stores it: runs then show their energy\n"
            "above idle beside the total.",
        .example = "joulery idle --for 60",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    struct operands none;
    return options_parse(&line, argc, argv, &none, error);
}

int cli_idle(int argc, char **argv)
{
    struct given given = {.seconds = 60};
    struct error error = ERROR_INIT;
    enum options_result parsed = parse(argc, argv, &given, &error);
    int status;
    if (parsed != OPTIONS_OK) {
        status = cli_parse_result(parsed, argv[0], &error);
    } else {
        AUTO_FREE char *path = given.output ? strdup(given.output) : usual_path(&error);
        bool fine = path && (!given.output || file_check_writable(path, &error) == 0) &&
                    measure(&given, path, &error) == 0;
        status = fine ? CLI_DONE : cli_fail(argv[0], &error, CLI_FAILED);
    }
    options_list_free(&given.meters);
    return status;
}
