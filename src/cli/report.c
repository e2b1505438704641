/* joulery report */
#include "report/report.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "report/figures.h"
#include "report/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
    const char *page, *json, *latex, *figures, *location, *among, *site_factor, *hourly, *calibration,
        *embodied_text, *lifetime_text;
    struct embodied embodied; /* worked out from the texts above */
    double pue, figure_width_mm;
    bool repaired, sound;
};

static int write_page(const struct report *report, const char *path, struct error *error)
{
    size_t size;
    AUTO_FREE char *page = report_page(report, &size, error);
    return page ? file_write(path, page, size, error) : -1;
}

static int write_answer(const struct report *report, const struct request *request, const char *tables,
                        const char *figures, struct error *error)
{
    bool taken = (request->page && strcmp(request->page, "-") == 0) ||
                 (request->json && strcmp(request->json, "-") == 0);
    if (taken)
        return 0;
    AUTO_FREE char *answer = report_answer(report);
    if (!answer)
        return error_memory(error, "report");
    fputs(answer, stdout);
    if (request->page)
        printf("The page: %s\n", request->page);
    if (tables)
        printf("The tables, in %s: %s\n", request->latex, tables);
    if (figures)
        printf("The figures, in %s: %s\n", request->figures, figures);
    return 0;
}

static int write_all(const struct report *report, struct store *store, const struct request *request,
                     const struct report_options *options, struct error *error)
{
    AUTO_FREE char *tables = NULL, *figures = NULL;
    if (request->page && write_page(report, request->page, error) < 0)
        return -1;
    if (request->json && cli_write_json(report_to_json(report), request->json, error) < 0)
        return -1;
    if (request->latex && report_write_tables(report, store, options, request->latex, &tables, error) < 0)
        return -1;
    if (request->figures &&
        report_write_figures(report, store, request->figures, request->figure_width_mm, &figures, error) < 0)
        return -1;
    return write_answer(report, request, tables, figures, error);
}

static int build_and_write(struct store *store, const struct request *request,
                           const struct report_options *options, struct error *error)
{
    struct report *report = report_build(store, options, error);
    int result = report ? write_all(report, store, request, options, error) : -1;
    report_free(report);
    return result;
}

static int write_report(struct store *store, struct places *places, const struct request *request,
                        const struct calibration *calibration, struct error *error)
{
    AUTO_FREE char *among = request->among ? strdup(request->among) : NULL;
    const char **names = NULL;
    size_t count = 0;
    if (request->among && (!among || cli_split_names(among, &names, &count, error) < 0)) {
        free(names);
        return among ? -1 : error_memory(error, "--among");
    }
    const struct report_options options = {.places = places,
                                           .location = request->location,
                                           .pue = request->pue,
                                           .among = names,
                                           .among_count = count,
                                           .site_factor = request->site_factor,
                                           .hourly = request->hourly,
                                           .repaired = request->repaired,
                                           .sound = request->sound,
                                           .embodied = request->embodied,
                                           .calibration = calibration};
    int result = build_and_write(store, request, &options, error);
    free(names);
    return result;
}

static int open_and_write(const char *path, const struct request *request, struct error *error)
{
    struct calibration calibration = {0};
    if (request->calibration && calibration_read(request->calibration, &calibration, error) < 0)
        return -1;
    struct places *places = places_open(NULL, error);
    struct store *store = places ? store_open(path, STORE_READ, error) : NULL;
    const struct calibration *with = request->calibration ? &calibration : NULL;
    int result = store ? write_report(store, places, request, with, error) : -1;
    store_close(store);
    places_close(places);
    calibration_free(&calibration);
    return result;
}

int cli_report(int argc, char **argv)
{
    struct request request = {.figure_width_mm = FIGURE_WIDTH_MM};
    const struct option options[] = {
        {"--output", 'o', OPTION_TEXT, &request.page, "FILE", "write the page (HTML, works offline)", 0, 0},
        {"--location", 0, OPTION_TEXT, &request.location, "PLACE",
         "place for emissions; without it the study's, if it names one", 0, 0},
        {"--pue", 0, OPTION_NUMBER, &request.pue, "X",
         "power usage effectiveness of the building; without it the study's, the place's provider's, or 1", 1,
         10},
        {"--embodied", 0, OPTION_TEXT, &request.embodied_text, "MASS",
         "CO2e that making the machine emitted (1200kg): the runs' share by time is shown apart", 0, 0},
        {"--lifetime", 0, OPTION_TEXT, &request.lifetime_text, "TIME",
         "how long the machine is used (4y); needed with --embodied", 0, 0},
        {"--among", 0, OPTION_TEXT, &request.among, "PLACES",
         "places, or groups of them, to compare emissions in: SWE,US-OR,gcp,EU (default: a spread of grids)",
         0, 0},
        {"--hourly", 0, OPTION_TEXT, &request.hourly, "FILE|SERVICE",
         "charge each run by the hour it ran in: a CSV file of time and g_per_kwh, or a service", 0, 0},
        {"--site-factor", 0, OPTION_TEXT, &request.site_factor, "FACTOR",
         "a factor whose levels name the places in which the runs ran: each is charged in its own", 0, 0},
        {"--calibration", 0, OPTION_TEXT, &request.calibration, "FILE",
         "what `joulery calibrate` stored: the wall energy of runs without a wattmeter, predicted", 0, 0},
        {"--repaired", 0, OPTION_FLAG, &request.repaired, NULL,
         "with the audit's reconstructions of energies that can't be, instead of those published", 0, 0},
        {"--sound", 0, OPTION_FLAG, &request.sound, NULL,
         "without the energies that the audit does not hold for sound", 0, 0},
        {"--figures", 0, OPTION_TEXT, &request.figures, "DIR",
         "write figures for a paper (SVG) into a folder", 0, 0},
        {"--figure-width", 0, OPTION_NUMBER, &request.figure_width_mm, "MM",
         "how wide they are (default 85, a column)", FIGURE_WIDTH_LEAST_MM, FIGURE_WIDTH_MOST_MM},
        {"--latex", 0, OPTION_TEXT, &request.latex, "DIR", "write the tables for a paper into a folder", 0,
         0},
        {"--json", 0, OPTION_TEXT, &request.json, "FILE",
         "write the figures as joulery.report/1 to a file, or - for standard output", 0, 0},
    };
    const struct command_line line = {
        .usage = "joulery report DB [-o report.html] [options]",
        .purpose = "Says what a study found: which setting bought the most accuracy for its energy, how sure "
                   "that is, and\n"
                   "what it emits where. Reads the study's database; nothing is run.",
        .example = "joulery report quick.db -o report.html --location SWE --among SWE,DEU,IND",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .operands_least = 1,
        .operands_most = 1,
    };
    struct operands operands;
    struct error error = ERROR_INIT;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    if (parsed != OPTIONS_OK)
        return cli_parse_result(parsed, argv[0], &error);
    if (embodied_parse(request.embodied_text, request.lifetime_text, &request.embodied, &error) < 0)
        return cli_fail(argv[0], &error, CLI_USAGE);
    if (request.repaired && request.sound) {
        error_set(&error, "--repaired and --sound: one of the two at the most");
        return cli_fail(argv[0], &error, CLI_USAGE);
    }
    int result = open_and_write(operands.items[0], &request, &error);
    return result == 0 ? CLI_DONE : cli_fail(argv[0], &error, CLI_FAILED);
}
