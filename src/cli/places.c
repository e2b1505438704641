/* joulery places */
#include "base/text.h"
#include "carbon/location_json.h"
#include "carbon/service.h"
#include "carbon/water.h"
#include "cli/cli.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "places"

static json_t *water_to_json(const struct water_table *table, const struct location *location)
{
    struct water water;
    if (!water_find(table, location, &water))
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:f, s:i, s:s}", "low_l_per_kwh", water.low_l_per_kwh, "high_l_per_kwh",
                     water.high_l_per_kwh, "reservoirs_l_per_kwh", water.reservoirs_l_per_kwh, "known_part",
                     water.known_part, "year", water.year, "source", water.source);
}

static json_t *life_cycle_to_json(const struct location *location)
{
    if (isnan(location->life_cycle_low_g_per_kwh))
        return json_null();
    return json_pack("{s:f, s:f}", "low_g_per_kwh", location->life_cycle_low_g_per_kwh, "high_g_per_kwh",
                     location->life_cycle_high_g_per_kwh);
}

static int write_json(const struct location *const *locations, size_t count, const char *path,
                      struct error *error)
{
    struct water_table *table = water_open(error);
    if (!table)
        return -1;
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *place = location_to_json(locations[i]);
        json_object_set_new(place, "life_cycle", life_cycle_to_json(locations[i]));
        json_object_set_new(place, "water", water_to_json(table, locations[i]));
        json_array_append_new(list, place);
    }
    water_close(table);
    return cli_write_json(json_pack("{s:s, s:o}", "schema", "joulery.places/1", "places", list), path, error);
}

static void print_table(const struct location *const *locations, size_t count)
{
    printf("%-24s %-44s %8s %15s  %s\n", "code", "name", "g/kWh", "range", "figure");
    for (size_t i = 0; i < count; i++) {
        const struct location *l = locations[i];
        AUTO_FREE char *range = isnan(l->low_g_per_kwh)
                                    ? strdup("-")
                                    : text_format("%.0f to %.0f", l->low_g_per_kwh, l->high_g_per_kwh);
        AUTO_FREE char *figure = location_figure_text(l), *name = text_printable(l->name);
        printf("%-24s %-44s %8.1f %15s  %s\n", l->code, name ? name : "", l->intensity_g_per_kwh,
               range ? range : "", figure ? figure : "");
    }
}

/* A figure of the burning alone has no range among figures over the life cycle. */
static void print_no_range(const struct location *location)
{
    if (location->scope == FIGURE_DIRECT)
        printf("range: not known for a figure of the burning alone\n");
    else
        printf("range: not known\n");
    if (!isnan(location->life_cycle_low_g_per_kwh))
        printf("the same electricity over the life cycle: %.0f to %.0f g/kWh\n",
               location->life_cycle_low_g_per_kwh, location->life_cycle_high_g_per_kwh);
}

/* A place that was asked for shows whom to cite, and what else is known of it. */
static int print_rest(const struct location *location, struct error *error)
{
    if (isnan(location->low_g_per_kwh))
        print_no_range(location);
    AUTO_FREE char *source = text_printable(location->source);
    printf("source: %s\n", source ? source : "");
    AUTO_FREE char *pue_source = text_printable(location->pue_source);
    if (!isnan(location->pue))
        printf("PUE %g: %s\n", location->pue, pue_source ? pue_source : "");
    struct water_table *table = water_open(error);
    struct water water;
    if (table && water_find(table, location, &water)) {
        AUTO_FREE char *text = water_text(&water);
        printf("%s (mix of %d; %s)\n", text ? text : "", water.year, water.source);
    }
    water_close(table);
    return table ? 0 : -1;
}

static int check(const char *path, struct error *error)
{
    AUTO_FREE char *mistakes = places_check(path, error);
    if (!mistakes)
        return cli_fail(NAME, error, CLI_FAILED);
    if (*mistakes) {
        fputs(mistakes, stderr);
        return CLI_FAILED;
    }
    printf("%s: good\n", path);
    return CLI_DONE;
}

/* Asks none of them. */
static int list_services(void)
{
    size_t count;
    const struct service *const *all = service_all(&count);
    for (size_t i = 0; i < count; i++) {
        const char *variable = service_key_variable(all[i]);
        printf("%-16s %s: %s\n", service_name(all[i]), service_title(all[i]), service_about(all[i]));
        if (variable)
            printf("%-16s wants %s='%s'%s, or a line '%s %s' in ~/.config/joulery/keys\n", "", variable,
                   service_key_form(all[i]), secure_getenv(variable) ? " (set)" : "", service_name(all[i]),
                   service_key_form(all[i]));
    }
    printf("\n--hourly NAME or NAME:ZONE of run, report, analyse and when asks one of them "
           "(docs/services.md)\n");
    return CLI_DONE;
}

static int show(struct places *places, const char *name, const char *json, struct error *error)
{
    size_t count;
    const struct location *const *locations = places_all(places, &count), *one = NULL;
    if (name) {
        one = places_find(places, name, error);
        locations = &one;
        count = 1;
    }
    if (name && !one)
        return cli_fail(NAME, error, CLI_FAILED);
    if (json && write_json(locations, count, json, error) < 0)
        return cli_fail(NAME, error, CLI_FAILED);
    if (!json)
        print_table(locations, count);
    if (!json && one && print_rest(one, error) < 0)
        return cli_fail(NAME, error, CLI_FAILED);
    return CLI_DONE;
}

int cli_places(int argc, char **argv)
{
    const char *json = NULL, *table = NULL;
    bool services = false;
    const struct option options[] = {
        {"--check", 0, OPTION_TEXT, &table, "FILE", "look for mistakes in a table of places of one's own", 0,
         0},
        {"--services", 0, OPTION_FLAG, &services, NULL, "list the services that know intensities by the hour",
         0, 0},
        {"--json", 0, OPTION_TEXT, &json, "FILE", "write them as JSON to a file, or - for standard output", 0,
         0},
    };
    const struct command_line line = {
        .usage = "joulery places [NAME] [options]",
        .purpose =
            "Lists the places whose carbon intensity is known, or looks one up by code or name: countries,\n"
            "states and provinces, bidding zones, regions of cloud providers, and those of one's own table.",
        .example = "joulery places oregon",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .operands_most = 1,
    };
    struct operands operands;
    struct error error = ERROR_INIT;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    if (parsed != OPTIONS_OK)
        return cli_parse_result(parsed, argv[0], &error);
    if (services)
        return list_services();
    if (table)
        return check(table, &error);
    struct places *places = places_open(NULL, &error);
    if (!places)
        return cli_fail(NAME, &error, CLI_FAILED);
    int result = show(places, operands.count ? operands.items[0] : NULL, json, &error);
    places_close(places);
    return result;
}
