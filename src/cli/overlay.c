/* joulery overlay */
#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"
#include "exchange/log_overlay.h"
#include "meter/wall/device.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct request {
    struct power_log_columns columns;
    struct log_overlay_options options;
    const char *run, *json;
    bool no_search;
};

static void print_log(const char *path, const struct power_log *log)
{
    AUTO_FREE char *rows = units_count(log->rows);
    AUTO_FREE char *used = units_count(log->count);
    AUTO_FREE char *interval = units_duration(log->interval_s);
    printf("%s: %s rows, %s used, one every %s\n", path, rows, used, interval);
    struct text left_out = TEXT_INIT;
    if (log->bad)
        text_printf(&left_out, ", %zu that can't be read (%s)", log->bad, log->first_bad);
    if (log->back)
        text_printf(&left_out, ", %zu with a time before that of a row above", log->back);
    if (log->repeated)
        text_printf(&left_out, ", %zu with the same time as the row above", log->repeated);
    if (left_out.data)
        printf("  left out: %s\n", left_out.data + 2);
    text_free(&left_out);
}

static void print_clock(const struct log_overlay *overlay)
{
    const struct alignment *a = &overlay->alignment;
    if (!overlay->searched)
        return;
    printf("its clock: %.3f s ± %.3f s %s, %s %.0f ppm ± %.0f ppm; correlation %.3f with the software's "
           "power%s\n",
           fabs(a->delay_s), a->delay_sd_s, a->delay_s < 0 ? "behind" : "ahead",
           a->drift < 0 ? "loses" : "gains", fabs(a->drift) * 1e6, a->drift_sd * 1e6, a->correlation,
           overlay->estimated ? ", which is an estimate" : "");
}

static void print_run(const struct log_overlay *overlay, const struct laid_run *run)
{
    if (!run->laid) {
        printf("  run %-4lld left as it is: the log has nothing of its time\n", (long long)run->run);
        return;
    }
    const struct channel_energy *energy = &run->energy;
    AUTO_FREE char *energy_text = units_energy(energy->energy_j);
    AUTO_FREE char *uncertainty = units_energy(energy->uncertainty_j);
    AUTO_FREE char *power = units_power(energy->energy_j / (run->wall_s - energy->gap_s));
    AUTO_FREE char *gap = units_duration(energy->gap_s);
    printf("  run %-4lld %10s ± %-8s %10s   delay %.3f s ± %.3f s%s%s%s%s\n", (long long)run->run,
           energy_text, uncertainty, power, run->at.delay_s, run->at.delay_sd_s,
           overlay->searched && !run->at.own ? " (by the other runs)" : "",
           energy->gap_s > 1e-3 ? ", without " : "", energy->gap_s > 1e-3 ? gap : "",
           run->apart ? ", beside another wattmeter" : "");
}

static void print_overlay(const char *path, const struct power_log *log, const struct log_overlay *overlay,
                          const struct request *request)
{
    print_log(path, log);
    print_clock(overlay);
    for (size_t i = 0; i < overlay->count; i++)
        print_run(overlay, &overlay->runs[i]);
    if (request->options.dry_run)
        printf("nothing was written: --dry-run\n");
    else
        printf("written as %s/%s: `joulery compare` holds it against the software\n", LOG_OVERLAY_METER,
               request->options.name);
}

static int write_overlay(struct store *store, const char *path, const struct power_log *log,
                         const struct request *request, struct error *error)
{
    struct log_overlay overlay;
    bool quiet = request->json && strcmp(request->json, "-") == 0;
    int result = log_overlay_lay(store, log, &request->options, &overlay, error);
    if (result == 0 && request->json) {
        json_t *document = log_overlay_to_json(&overlay, log, &request->options);
        json_t *whole = json_pack("{s:s, s:s}", "schema", "joulery.overlay/1", "version", JOULERY_VERSION);
        if (!document || !whole || json_object_update(whole, document) < 0) {
            json_decref(whole);
            whole = NULL;
        }
        json_decref(document);
        result = cli_write_json(whole, request->json, error);
    }
    if (result == 0 && !quiet)
        print_overlay(path, log, &overlay, request);
    log_overlay_free(&overlay);
    return result;
}

static int overlay(const char *database, const char *path, struct request *request, struct error *error)
{
    /* a store that is opened for writing is made where there is none */
    if (!file_exists(database))
        return error_set(error, "%s: no such file: expected a database that `joulery study run` wrote",
                         database);
    struct power_log log;
    if (power_log_read(path, &request->columns, &log, error) < 0)
        return -1;
    struct store *store = store_open(database, request->options.dry_run ? STORE_READ : STORE_WRITE, error);
    int result = store ? write_overlay(store, path, &log, request, error) : -1;
    store_close(store);
    power_log_free(&log);
    return result;
}

/* What the options can't say by themselves. NAN in delay_s: not given. */
static int check(struct request *request, const char *path, struct error *error)
{
    struct log_overlay_options *o = &request->options;
    if (!request->columns.time || (!request->columns.power && !request->columns.energy))
        return error_set(error,
                         "--time COLUMN and --power COLUMN (or --energy COLUMN) are needed: a name in the "
                         "log's header, or a number from 1");
    if (request->no_search && isfinite(o->delay_s))
        return error_set(error, "--delay and --no-search can't go together: the second is a delay of 0");
    o->search = !request->no_search && !isfinite(o->delay_s);
    o->delay_s = isfinite(o->delay_s) ? o->delay_s : 0;
    if (request->run && strcmp(request->run, "all") != 0 &&
        (text_to_i64(request->run, &o->run) < 0 || o->run < 1))
        return error_set(error, "--run: expected the number of a run or 'all', found '%s'", request->run);
    const char *slash = strrchr(path, '/');
    o->name = o->name ? o->name : slash ? slash + 1 : path;
    if (!*o->name)
        return error_set(error, "--name: expected a name, found none");
    double factor = request->columns.energy
                        ? wall_energy_unit(request->columns.energy_unit ? request->columns.energy_unit : "Wh")
                        : wall_power_unit(request->columns.power_unit ? request->columns.power_unit : "W");
    o->step *= factor;
    return 0;
}

static int run_overlay(int argc, char **argv, struct request *request, struct error *error)
{
    struct power_log_columns *columns = &request->columns;
    struct log_overlay_options *o = &request->options;
    const struct option options[] = {
        {"", 0, OPTION_HEADING, NULL, NULL, "What stands where in the log", 0, 0},
        {"--time", 0, OPTION_TEXT, &columns->time, "COLUMN",
         "of times, by its name in the header or its number from 1", 0, 0},
        {"--power", 0, OPTION_TEXT, &columns->power, "COLUMN", "of powers", 0, 0},
        {"--energy", 0, OPTION_TEXT, &columns->energy, "COLUMN",
         "of an energy counter, which then gives the energies", 0, 0},
        {"--unit", 0, OPTION_TEXT, &columns->power_unit, "UNIT", "of the powers: W, kW, mW, MW (default: W)",
         0, 0},
        {"--energy-unit", 0, OPTION_TEXT, &columns->energy_unit, "UNIT",
         "of the counter: J, kJ, MJ, mWh, Wh, kWh, MWh, Wmin (default: Wh)", 0, 0},
        {"--step", 0, OPTION_NUMBER, &o->step, "X",
         "smallest change of the counter (of the power without one), in its unit (default: as seen)", 0,
         1e12},
        {"--accuracy", 0, OPTION_NUMBER, &o->accuracy, "SHARE",
         "relative standard uncertainty from the data sheet (default: 0.02, assumed)", 0, 1},
        {"--max-power", 0, OPTION_NUMBER, &o->max_power_w, "W", "readings above it are left out", 0, 1e12},
        {"", 0, OPTION_HEADING, NULL, NULL, "Its clock", 0, 0},
        {"--search", 0, OPTION_NUMBER, &o->search_s, "S",
         "search for the delay up to S seconds either way (default: 600)", 1, 1e5},
        {"--delay", 0, OPTION_NUMBER, &o->delay_s, "S",
         "the log's clock is S seconds ahead of this machine's; nothing is searched", -1e9, 1e9},
        {"--no-search", 0, OPTION_FLAG, &request->no_search, NULL, "the two clocks agree: a delay of 0", 0,
         0},
        {"", 0, OPTION_HEADING, NULL, NULL, "Where it goes", 0, 0},
        {"--run", 0, OPTION_TEXT, &request->run, "ID", "one run (default: all that have ended)", 0, 0},
        {"--name", 0, OPTION_TEXT, &o->name, "NAME",
         "of the channel log/NAME; what had that name before is replaced (default: the log's file name)", 0,
         0},
        {"--dry-run", 0, OPTION_FLAG, &o->dry_run, NULL, "say what would be written, and write nothing", 0,
         0},
        {"--json", 0, OPTION_TEXT, &request->json, "FILE",
         "write what was found as joulery.overlay/1; - is standard output", 0, 0},
    };
    const struct command_line line = {
        .usage = "joulery overlay DB LOG --time COLUMN --power COLUMN [options]",
        .purpose =
            "Lays the log file of a wattmeter that knew nothing of Joulery over the runs of a study. How its "
            "clock\nstands to this machine's is found by what both saw; each run gets its energy at the "
            "wall.",
        .example = "joulery overlay quick.db pdu.csv --time timestamp --power 'P (W)'",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .operands_least = 2,
        .operands_most = 2,
    };
    struct operands operands;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, error);
    if (parsed != OPTIONS_OK)
        return cli_parse_result(parsed, argv[0], error);
    if (check(request, operands.items[1], error) < 0)
        return cli_parse_result(OPTIONS_WRONG, argv[0], error);
    int result = overlay(operands.items[0], operands.items[1], request, error);
    return result == 0 ? CLI_DONE : cli_fail(argv[0], error, CLI_FAILED);
}

int cli_overlay(int argc, char **argv)
{
    struct request request = {.options = {.search_s = 600, .delay_s = NAN}};
    struct error error = ERROR_INIT;
    return run_overlay(argc, argv, &request, &error);
}
