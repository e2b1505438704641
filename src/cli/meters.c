/* `joulery meters`: what can measure here, and what it takes to mend the rest. */
#include "base/text.h"
#include "cli/cli.h"
#include "meter/meter.h"
#include "meter/surroundings.h"

#include <stdio.h>
#include <string.h>

static json_t *channel_to_json(const struct channel *channel)
{
    return json_pack("{s:s, s:s?, s:s, s:s, s:f, s:o, s:f, s:f, s:s}", "name", channel->name, "part_of",
                     channel->part_of, "scope", channel_scope_name(channel->scope), "kind",
                     channel_kind_name(channel->kind), "resolution", channel->resolution, "range_j",
                     channel->range_j > 0 ? json_real(channel->range_j) : json_null(), "update_s",
                     channel->update_s, "accuracy", channel->accuracy, "accuracy_source",
                     channel->accuracy_source);
}

static void print_channel(const struct channel *channel)
{
    AUTO_FREE char *inside = channel->part_of ? text_format(", in %s", channel->part_of) : strdup("");
    printf("    %-20s %s, %s%s, ± %.3g %%%s\n", channel->name, channel_scope_name(channel->scope),
           channel_kind_name(channel->kind), inside ? inside : "", 100 * channel->accuracy,
           channel->kind == KIND_MODEL ? ", estimated" : "");
    printf("    %-20s %s\n", "", channel->accuracy_source);
}

/* The channels of a usable instrument, printed or as JSON. */
static json_t *list_channels(const struct meter_driver *driver, const struct meter_setup *setup, bool print)
{
    struct error error = ERROR_INIT;
    json_t *list = json_array();
    struct meter *meter = meter_open(driver, setup, &error);
    size_t count = 0;
    const struct channel *channels = meter ? meter_channels(meter, &count) : NULL;
    for (size_t i = 0; i < count; i++) {
        if (print)
            print_channel(&channels[i]);
        json_array_append_new(list, channel_to_json(&channels[i]));
    }
    meter_close(meter);
    error_clear(&error);
    return list;
}

static json_t *show_driver(const struct meter_driver *driver, const struct meter_setup *setup, bool print)
{
    struct meter_probe probe = {0};
    driver->probe(setup, &probe);
    if (print) {
        printf("%s: %s\n", driver->name, driver->purpose);
        if (!probe.usable)
            printf("    can't be used: %s\n    what to do: %s\n", probe.reason ? probe.reason : "?",
                   probe.remedy ? probe.remedy : "?");
    }
    json_t *channels = probe.usable ? list_channels(driver, setup, print) : json_array();
    json_t *json = json_pack("{s:s, s:s, s:b, s:b, s:s?, s:s?, s:o}", "name", driver->name, "purpose",
                             driver->purpose, "model", driver->model, "usable", probe.usable, "reason",
                             probe.reason, "remedy", probe.remedy, "channels", channels);
    meter_probe_free(&probe);
    return json;
}

/* Where the machine is somebody else's, what its owner would have to share. */
static json_t *show_surroundings(const struct meter_setup *setup, bool print)
{
    struct error error = ERROR_INIT;
    struct surroundings around;
    if (surroundings_find(setup, &around, &error) < 0) {
        error_clear(&error);
        return json_null();
    }
    const char *kind = surroundings_kind_name(around.kind);
    if (print && around.kind != SURROUNDINGS_BARE)
        printf("in a %s: %s\n    to see the processor's counters here: %s\n", kind, around.name,
               around.remedy);
    json_t *json = json_pack("{s:s, s:s, s:s?}", "kind", kind, "name", around.name, "remedy", around.remedy);
    surroundings_free(&around);
    return json;
}

static json_t *show_drivers(const struct meter_setup *setup, bool print)
{
    size_t count;
    const struct meter_driver *const *drivers = meter_drivers(&count);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, show_driver(drivers[i], setup, print));
    return list;
}

int cli_meters(int argc, char **argv)
{
    const char *path = NULL;
    struct meter_setup setup = {0};
    const struct option options[] = {
        {"--tdp", 0, OPTION_NUMBER, &setup.tdp_w, "W",
         "thermal design power of all processors, for the model", 0.1, 100000},
        {"--json", 0, OPTION_TEXT, &path, "FILE", "write the list as joulery.meters/1; - is standard output",
         0, 0},
    };
    const struct command_line line = {
        .usage = "joulery meters [options]",
        .purpose =
            "Lists the instruments: what each can measure here, or why it can't and what to do about it.",
        .example = "joulery meters",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    struct error error = ERROR_INIT;
    struct operands operands;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    if (parsed != OPTIONS_OK)
        return cli_parse_result(parsed, argv[0], &error);
    bool print = !path || strcmp(path, "-") != 0;
    json_t *around = show_surroundings(&setup, print);
    json_t *list = show_drivers(&setup, print);
    json_t *document =
        json_pack("{s:s, s:o, s:o}", "schema", "joulery.meters/1", "surroundings", around, "meters", list);
    int result = path ? cli_write_json(document, path, &error) : 0;
    if (!path)
        json_decref(document);
    return result < 0 ? cli_fail(argv[0], &error, CLI_FAILED) : CLI_DONE;
}
