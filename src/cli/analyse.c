/* joulery analyse */
#include "report/analyse.h"
#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct request {
    const char *json, *csv, *latex, *resolve, *zoo, *among;
    struct analyse_options options;
};

static int write_text(char *text, const char *path, struct error *error)
{
    AUTO_FREE char *owned = text;
    return owned ? file_write(path, owned, strlen(owned), error) : error_memory(error, path);
}

static bool taken(const char *path)
{
    return path && strcmp(path, "-") == 0;
}

static int write_analysis(const struct analysis *analysis, const struct request *request, struct error *error)
{
    int result = 0;
    if (request->json)
        result = cli_write_json(analyse_to_json(analysis), request->json, error);
    if (result == 0 && request->csv)
        result = write_text(analyse_csv(analysis), request->csv, error);
    if (result == 0 && request->latex)
        result = write_text(analyse_latex(analysis), request->latex, error);
    if (result < 0 || taken(request->json) || taken(request->csv) || taken(request->latex))
        return result;
    AUTO_FREE char *text = analyse_text(analysis);
    if (!text)
        return error_memory(error, "analysis");
    fputs(text, stdout);
    return 0;
}

static int analyse_store(struct store *store, const struct request *request, struct error *error)
{
    struct analysis analysis;
    int result = analyse_build(store, &request->options, &analysis, error);
    if (result == 0)
        result = write_analysis(&analysis, request, error);
    analyse_free(&analysis);
    return result;
}

static int open_and_analyse(const char *path, struct request *request, struct error *error)
{
    struct network_costs costs = {0};
    if (request->zoo && network_costs_read(request->zoo, &costs, error) < 0)
        return -1;
    request->options.costs = request->zoo ? &costs : NULL;
    request->options.places = places_open(NULL, error);
    struct store *store = request->options.places ? store_open(path, STORE_READ, error) : NULL;
    int result = store ? analyse_store(store, request, error) : -1;
    store_close(store);
    places_close(request->options.places);
    network_costs_free(&costs);
    return result;
}

static int analyse(const char *path, struct request *request, struct error *error)
{
    AUTO_FREE char *among = request->among ? strdup(request->among) : NULL;
    const char **names = NULL;
    if (request->among && !among)
        return error_memory(error, "--among");
    int result = among ? cli_split_names(among, &names, &request->options.among_count, error) : 0;
    request->options.among = names;
    if (result == 0)
        result = open_and_analyse(path, request, error);
    free(names);
    return result;
}

int cli_analyse(int argc, char **argv)
{
    struct request request = {0};
    const struct option options[] = {
        {"--response", 0, OPTION_TEXT, &request.options.response, "NAME",
         "energy, emissions, duration, accuracy or score, accuracy per kWh (default: all that are known)", 0,
         0},
        {"--by", 0, OPTION_TEXT, &request.options.by, "FACTOR", "one factor (default: all that vary)", 0, 0},
        {"--resolve", 0, OPTION_TEXT, &request.resolve, "SHARE",
         "the difference for which repetitions are counted (default: 5%)", 0, 0},
        {"--reach", 0, OPTION_NUMBER, &request.options.reach, "ACCURACY",
         "also tell the energy until an epoch had that accuracy, as the runs gave it: 0.6", 1e-9, 1e9},
        {"--among", 0, OPTION_TEXT, &request.among, "PLACES",
         "how much the place decides, and how much the network: in these places, or groups of them (default: "
         "a spread "
         "of grids)",
         0, 0},
        {"--hourly", 0, OPTION_TEXT, &request.options.hourly, "FILE|SERVICE",
         "charge each run by the hour it ran in: a CSV file of time and g_per_kwh, or a service", 0, 0},
        {"--site-factor", 0, OPTION_TEXT, &request.options.site_factor, "FACTOR",
         "a factor whose levels name the places in which the runs ran: each is charged in its own", 0, 0},
        {"--repaired", 0, OPTION_FLAG, &request.options.repaired, NULL,
         "with the audit's reconstructions of energies that can't be, instead of those published", 0, 0},
        {"--sound", 0, OPTION_FLAG, &request.options.sound, NULL,
         "without the energies that the audit does not hold for sound", 0, 0},
        {"--zoo", 0, OPTION_TEXT, &request.zoo, "FILE",
         "what `joulery zoo --json FILE` wrote: correlations with parameters and FLOPs", 0, 0},
        {"--location", 0, OPTION_TEXT, &request.options.location, "PLACE",
         "place for emissions; without it the study's, if it names one", 0, 0},
        {"--pue", 0, OPTION_NUMBER, &request.options.pue, "X",
         "power usage effectiveness of the building; without it the study's, the place's provider's, or 1", 1,
         10},
        {"--json", 0, OPTION_TEXT, &request.json, "FILE",
         "write the figures as joulery.analysis/1; - is standard output", 0, 0},
        {"--csv", 0, OPTION_TEXT, &request.csv, "FILE", "write a figure a row", 0, 0},
        {"--latex", 0, OPTION_TEXT, &request.latex, "FILE", "write tables for a paper", 0, 0},
    };
    const struct command_line line = {
        .usage = "joulery analyse DB [options]",
        .purpose =
            "Says what a study's factors do: figures by level with intervals, a test that is chosen by the\n"
            "data and says why, pairs and effect sizes, interactions, and how many repetitions it takes.",
        .example = "joulery analyse quick.db --response energy --by arch --latex energy.tex",
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
    if (request.resolve && units_parse_share(request.resolve, &request.options.resolve, &error) < 0) {
        error_prefix(&error, "--resolve");
        return cli_fail(argv[0], &error, CLI_USAGE);
    }
    if (request.options.repaired && request.options.sound) {
        error_set(&error, "--repaired and --sound: one of the two at the most");
        return cli_fail(argv[0], &error, CLI_USAGE);
    }
    if (taken(request.json) + taken(request.csv) + taken(request.latex) > 1) {
        error_set(&error, "only one of --json, --csv and --latex can go to standard output");
        return cli_fail(argv[0], &error, CLI_USAGE);
    }
    int result = analyse(operands.items[0], &request, &error);
    return result == 0 ? CLI_DONE : cli_fail(argv[0], &error, CLI_FAILED);
}
