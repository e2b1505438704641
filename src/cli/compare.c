/* joulery compare */
#include "report/compare.h"
#include "base/text.h"
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Splits "a/b,c/d"; `text` is cut up, `*names` is the caller's to free. */
static int split(char *text, const char *option, const char ***names, size_t *count, struct error *error)
{
    *count = 0;
    *names = calloc(strlen(text) / 2 + 1, sizeof **names);
    if (!*names)
        return error_memory(error, option);
    char *rest = NULL;
    for (char *name = strtok_r(text, ",", &rest); name; name = strtok_r(NULL, ",", &rest))
        (*names)[(*count)++] = name;
    return *count ? 0 : error_set(error, "%s: expected METER/CHANNEL, found none", option);
}

struct request {
    char *software, *hardware;
    const char *json, *by;
    bool epochs, repaired, sound;
};

static int write_comparison(struct store *store, const struct compare_options *options, const char *json,
                            struct error *error)
{
    struct comparison comparison;
    if (compare_build(store, options, &comparison, error) < 0)
        return -1;
    AUTO_FREE char *text = compare_text(&comparison);
    int result = text ? 0 : error_memory(error, "comparison");
    if (result == 0 && json)
        result = cli_write_json(compare_to_json(&comparison), json, error);
    if (result == 0 && !(json && strcmp(json, "-") == 0))
        fputs(text, stdout);
    compare_free(&comparison);
    return result;
}

static int compare(const char *path, const struct request *request, struct error *error)
{
    const char **software = NULL, **hardware = NULL;
    struct compare_options options = {
        .by = request->by, .epochs = request->epochs, .repaired = request->repaired, .sound = request->sound};
    int result = 0;
    if (request->software)
        result = split(request->software, "--software", &software, &options.software_count, error);
    if (result == 0 && request->hardware)
        result = split(request->hardware, "--hardware", &hardware, &options.hardware_count, error);
    options.software = software;
    options.hardware = hardware;
    struct store *store = result == 0 ? store_open(path, STORE_READ, error) : NULL;
    result = store ? write_comparison(store, &options, request->json, error) : -1;
    store_close(store);
    free(software);
    free(hardware);
    return result;
}

int cli_compare(int argc, char **argv)
{
    const char *software = NULL, *hardware = NULL;
    struct request request = {0};
    const struct option options[] = {
        {"--software", 0, OPTION_TEXT, &software, "CHANNELS",
         "METER/CHANNEL, several with commas between: their sum (default: the software total)", 0, 0},
        {"--hardware", 0, OPTION_TEXT, &hardware, "CHANNELS",
         "the like (default: the wattmeters, or where there are none the platform's channels)", 0, 0},
        {"--by", 0, OPTION_TEXT, &request.by, "FACTOR",
         "whose levels are ranked (default: the architecture, or the first that varies)", 0, 0},
        {"--epochs", 0, OPTION_FLAG, &request.epochs, NULL, "epoch by epoch instead of run by run", 0, 0},
        {"--repaired", 0, OPTION_FLAG, &request.repaired, NULL,
         "with the audit's reconstructions of energies that can't be, instead of those published", 0, 0},
        {"--sound", 0, OPTION_FLAG, &request.sound, NULL,
         "without the runs of which the audit does not hold an energy for sound", 0, 0},
        {"--json", 0, OPTION_TEXT, &request.json, "FILE",
         "write the figures as joulery.compare/1; - is standard output", 0, 0},
    };
    const struct command_line line = {
        .usage = "joulery compare DB [options]",
        .purpose =
            "Holds two instruments of a study against each other: how much of what a wattmeter sees does\n"
            "software see, along which line, and would the other one have ranked the networks differently.",
        .example = "joulery compare quick.db --software rapl/package-0,rapl/package-0/dram --by arch",
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
    if (request.repaired && request.sound) {
        error_set(&error, "--repaired and --sound: one of the two at the most");
        return cli_fail(argv[0], &error, CLI_USAGE);
    }
    AUTO_FREE char *software_copy = software ? strdup(software) : NULL;
    AUTO_FREE char *hardware_copy = hardware ? strdup(hardware) : NULL;
    request.software = software_copy;
    request.hardware = hardware_copy;
    int result = compare(operands.items[0], &request, &error);
    return result == 0 ? CLI_DONE : cli_fail(argv[0], &error, CLI_FAILED);
}
