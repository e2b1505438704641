/* joulery locations */
#include "carbon/carbon.h"
#include "cli/cli.h"

#include <stdio.h>

static int write_json(const struct location *locations, size_t count, const char *path, struct error *error)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:s, s:i, s:f, s:s}", "code", locations[i].code, "code2",
                                        locations[i].code2, "name", locations[i].name, "year",
                                        locations[i].year, "intensity_g_per_kwh",
                                        locations[i].intensity_g_per_kwh, "source", locations[i].source));
    json_t *document = json_pack("{s:s, s:o}", "schema", "joulery.locations/1", "locations", list);
    return cli_write_json(document, path, error);
}

static void print_table(const struct location *locations, size_t count)
{
    printf("%-4s %-4s %-34s %8s  %s\n", "code", "", "name", "g/kWh", "year");
    for (size_t i = 0; i < count; i++)
        printf("%-4s %-4s %-34s %8.1f  %d\n", locations[i].code, locations[i].code2, locations[i].name,
               locations[i].intensity_g_per_kwh, locations[i].year);
    printf("\n%s; g CO2e per kWh generated, over the life cycle\n", locations->source);
}

int cli_locations(int argc, char **argv)
{
    const char *json = NULL;
    const struct option options[] = {
        {"--json", 0, OPTION_TEXT, &json, "FILE", "write them as JSON to a file, or - for standard output", 0,
         0},
    };
    const struct command_line line = {
        .usage = "joulery locations [NAME] [options]",
        .purpose = "Lists the places whose carbon intensity is known, or looks one up by ISO code or name.",
        .example = "joulery locations sweden",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .operands_most = 1,
    };
    struct operands operands;
    struct error error = ERROR_INIT;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    if (parsed != OPTIONS_OK)
        return cli_parse_result(parsed, argv[0], &error);
    size_t count;
    const struct location *locations = carbon_locations(&count);
    if (operands.count == 1) {
        locations = carbon_find(operands.items[0], &error);
        if (!locations)
            return cli_fail(argv[0], &error, CLI_FAILED);
        count = 1;
    }
    if (json && write_json(locations, count, json, &error) < 0)
        return cli_fail(argv[0], &error, CLI_FAILED);
    if (!json)
        print_table(locations, count);
    return CLI_DONE;
}
