/* `joulery meters`: what can measure here, and what it takes to mend the rest. */
#include "cli/meters.h"
#include "base/text.h"
#include "base/units.h"
#include "calibrate/datasheet.h"
#include "calibrate/probe.h"
#include "cli/cli.h"
#include "meter/machine.h"
#include "meter/wall/device.h"
#include "record/instruments.h"
#include "record/privileges.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH  90
#define INDENT 23 /* of what is said of a channel, right of its name */

/* ---- what is said of one channel ---- */

static const char *const scope_words[] = {[SCOPE_CPU] = "processor",
                                          [SCOPE_DRAM] = "memory",
                                          [SCOPE_GPU] = "GPU",
                                          [SCOPE_PLATFORM] = "platform: beside the totals",
                                          [SCOPE_WALL] = "the whole machine, at its plug"};
static const char *const kind_words[] = {[KIND_COUNTER] = "energy counter",
                                         [KIND_POWER] = "power",
                                         [KIND_MODEL] = "estimated by a model, not measured"};

static const char *why_apart(const struct channel *channel)
{
    if (channel->twin)
        return "the same quantity by another way: compared, never added";
    return "not counted: not of this job, or another way to what is counted";
}

/* "channel: what it covers; part of psys" */
static void say_cover(struct text *text, const struct channel *channel)
{
    text_printf(text, "%s; %s", scope_words[channel->scope], kind_words[channel->kind]);
    if (channel->part_of)
        text_printf(text, "; part of %s", channel->part_of);
    if (channel->label)
        text_printf(text, "; %s", channel->label);
}

static void say_steps(struct text *text, const struct channel *channel)
{
    bool power = channel->kind == KIND_POWER;
    const char *before = "";
    if (channel->kind != KIND_MODEL && channel->resolution > 0) {
        /* steps are often micro-joules, which no other figure is */
        text_printf(text, "steps of %.3g %s", channel->resolution * (channel->resolution < 1e-3 ? 1e6 : 1),
                    power                        ? channel->resolution < 1e-3 ? "µW" : "W"
                    : channel->resolution < 1e-3 ? "µJ"
                                                 : "J");
        before = "; ";
    }
    if (channel->update_s > 0) {
        AUTO_FREE char *update = units_duration(channel->update_s);
        text_printf(text, "%srenewed every %s", before, update ? update : "?");
        before = "; ";
    }
    if (channel->averaging_s > 0) {
        AUTO_FREE char *averaging = units_duration(channel->averaging_s);
        text_printf(text, "%smean of the last %s", before, averaging ? averaging : "?");
        before = "; ";
    }
    if (channel->range_j > 0) {
        AUTO_FREE char *range = units_energy(channel->range_j);
        text_printf(text, "%sstarts again after %s", before, range ? range : "?");
    }
}

static void add_line(struct text *text, const char *line)
{
    if (!line || !*line)
        return;
    text_printf(text, "%*s", INDENT, "");
    text_append_wrapped(text, line, INDENT, INDENT, WIDTH);
    text_append(text, "\n");
}

static void show_channel(struct text *text, const struct channel *channel)
{
    struct text cover = TEXT_INIT, steps = TEXT_INIT;
    say_cover(&cover, channel);
    say_steps(&steps, channel);
    AUTO_FREE char *name = text_printable(channel->name);
    text_printf(text, "  %-*s", INDENT - 2, name ? name : "?");
    if (name && strlen(name) > INDENT - 3)
        text_printf(text, "\n%*s", INDENT, "");
    text_append_wrapped(text, cover.data ? cover.data : "?", INDENT, INDENT, WIDTH);
    text_append(text, "\n");
    add_line(text, steps.data);
    AUTO_FREE char *accuracy = text_format("± %.3g %%: %s", 100 * channel->accuracy,
                                           channel->accuracy_source ? channel->accuracy_source : "?");
    add_line(text, accuracy);
    if (channel->apart)
        add_line(text, why_apart(channel));
    text_free(&cover);
    text_free(&steps);
}

static json_t *number(double value)
{
    return value > 0 ? json_real(value) : json_null();
}

static json_t *channel_to_json(const struct channel *channel)
{
    return json_pack("{s:s, s:s?, s:s?, s:s, s:s, s:b, s:s?, s:f, s:o, s:f, s:o, s:f, s:s}", "name",
                     channel->name, "label", channel->label, "part_of", channel->part_of, "scope",
                     channel_scope_name(channel->scope), "kind", channel_kind_name(channel->kind), "apart",
                     channel->apart, "why_apart", channel->apart ? why_apart(channel) : NULL, "resolution",
                     channel->resolution, "range_j", number(channel->range_j), "update_s", channel->update_s,
                     "averaging_s", number(channel->averaging_s), "accuracy", channel->accuracy,
                     "accuracy_source", channel->accuracy_source);
}

/* ---- one instrument ---- */

struct listing {
    const struct meter_setup *setup;
    struct record record; /* of what `joulery run` would use here */
    struct instruments instruments;
    struct text text;
    json_t *list;
};

static struct meter *find_used(const struct listing *listing, const struct meter_driver *driver)
{
    for (size_t i = 0; i < listing->instruments.count; i++)
        if (meter_driver_of(listing->instruments.meters[i]) == driver)
            return listing->instruments.meters[i];
    return NULL;
}

/* Why a usable instrument is passed over; the caller frees it. */
static char *why_not_used(const struct listing *listing, const struct meter_driver *driver)
{
    for (size_t i = 0; driver->family && i < listing->instruments.count; i++) {
        const struct meter_driver *used = meter_driver_of(listing->instruments.meters[i]);
        if (used->family && strcmp(used->family, driver->family) == 0)
            return text_format("%s measures the same counters; --meter %s chooses this one", used->name,
                               driver->name);
    }
    if (driver->model)
        return text_format("another instrument measures what this one estimates; --meter %s chooses it",
                           driver->name);
    return text_format("--meter %s chooses it", driver->name);
}

static void show_line(struct text *text, const char *what, const char *line)
{
    text_printf(text, "  %s", what);
    text_append_wrapped(text, line ? line : "?", strlen(what) + 2, 4, WIDTH);
    text_append(text, "\n");
}

/* The channels and notes of an open instrument; those in the record know their data sheets. */
static json_t *list_channels(struct listing *listing, const struct meter *meter)
{
    json_t *list = json_array();
    size_t count, note_count;
    const struct channel *channels = meter_channels(meter, &count);
    for (size_t i = 0; i < listing->instruments.count; i++)
        if (listing->instruments.meters[i] == meter)
            channels = listing->record.channels + listing->instruments.first[i];
    for (size_t i = 0; i < count; i++) {
        show_channel(&listing->text, &channels[i]);
        json_array_append_new(list, channel_to_json(&channels[i]));
    }
    const char *const *notes = meter_notes(meter, &note_count);
    for (size_t i = 0; i < note_count; i++)
        show_line(&listing->text, "note: ", notes[i]);
    return list;
}

/* Whether those that are asked over a network answer is known afterwards. */
static void ask_once(struct meter *meter)
{
    size_t count;
    meter_channels(meter, &count);
    struct meter_reading reading = {.values = calloc(count + 1, sizeof *reading.values)};
    struct error ignored = ERROR_INIT;
    if (reading.values)
        meter_read(meter, &reading, &ignored);
    error_clear(&ignored);
    free(reading.values);
}

static void list_driver(struct listing *listing, const struct meter_driver *driver)
{
    struct meter_probe probe = {0};
    struct error error = ERROR_INIT;
    struct meter *used = find_used(listing, driver);
    if (!driver->unprivileged)
        privileges_borrow();
    driver->probe(listing->setup, &probe);
    struct meter *opened = used || !probe.usable ? NULL : meter_open(driver, listing->setup, &error);
    if (!driver->unprivileged)
        privileges_return();
    struct meter *meter = used ? used : opened;
    if (meter && driver->late)
        ask_once(meter);
    AUTO_FREE char *passed_over = opened ? why_not_used(listing, driver) : NULL;
    text_printf(&listing->text, "%s%s: %s\n", listing->text.length ? "\n" : "", driver->name,
                driver->purpose);
    if (!probe.usable) {
        show_line(&listing->text, "can't be used: ", probe.reason);
        show_line(&listing->text, "what to do: ", probe.remedy);
    } else if (!meter) {
        show_line(&listing->text, "can't be used: ", error_text(&error));
    } else {
        show_line(&listing->text, used ? "used" : "not used: ", used ? "" : passed_over);
    }
    json_t *channels = meter ? list_channels(listing, meter) : json_array();
    json_array_append_new(listing->list,
                          json_pack("{s:s, s:s, s:s?, s:b, s:b, s:b, s:s?, s:s?, s:s?, s:o}", "name",
                                    driver->name, "purpose", driver->purpose, "family", driver->family,
                                    "model", driver->model, "usable", meter != NULL, "used", used != NULL,
                                    "not_used", passed_over, "reason",
                                    probe.usable && !meter ? error_text(&error) : probe.reason, "remedy",
                                    probe.remedy, "channels", channels));
    meter_close(opened);
    meter_probe_free(&probe);
    error_clear(&error);
}

/* Where the machine is somebody else's, what its owner would have to share. */
static json_t *show_surroundings(struct listing *listing)
{
    struct error error = ERROR_INIT;
    struct machine own = {0};
    const struct surroundings *around = machine_around(listing->setup, &own, &error);
    if (!around) {
        error_clear(&error);
        return json_null();
    }
    const char *kind = surroundings_kind_name(around->kind);
    if (around->kind != SURROUNDINGS_BARE) {
        text_printf(&listing->text, "in a %s: %s\n", kind, around->name);
        show_line(&listing->text, "to see the processor's counters here: ", around->remedy);
    }
    json_t *json =
        json_pack("{s:s, s:s, s:s?}", "kind", kind, "name", around->name, "remedy", around->remedy);
    machine_free(&own);
    return json;
}

static int list_meters(const struct meter_setup *setup, const char *path, struct error *error)
{
    struct listing listing = {.setup = setup, .text = TEXT_INIT, .list = json_array()};
    struct error unusable = ERROR_INIT; /* that nothing can be used: the list says it of each */
    size_t count;
    const struct meter_driver *const *drivers = meter_drivers(&count);
    json_t *around = show_surroundings(&listing);
    instruments_open(setup, NULL, 0, &listing.instruments, &listing.record, &unusable);
    for (size_t i = 0; i < count; i++)
        list_driver(&listing, drivers[i]);
    error_clear(&unusable);
    instruments_close(&listing.instruments);
    record_free(&listing.record);
    int result = listing.text.failed ? error_memory(error, "meters") : 0;
    if (result == 0 && !(path && strcmp(path, "-") == 0))
        fputs(listing.text.data, stdout);
    text_free(&listing.text);
    json_t *document = json_pack("{s:s, s:o, s:o}", "schema", "joulery.meters/1", "surroundings", around,
                                 "meters", listing.list);
    if (result == 0 && path)
        return cli_write_json(document, path, error);
    json_decref(document);
    return result;
}

/* ---- the command ---- */

struct request {
    struct meter_setup setup;
    const char *json, *group;
    bool grant, revoke, apply, characterise, probe, presets;
    struct option_list meters;
    double for_s; /* 0: not given */
};

static const char *wrong_use(const struct request *request)
{
    if (request->grant + request->revoke + request->characterise + request->probe > 1)
        return "--grant, --revoke, --characterise and --probe: expected one of them";
    if (request->for_s > 0 && !request->characterise && !request->probe)
        return "--for: expected with --characterise or --probe";
    if (request->for_s > 0 && request->probe && request->for_s < PROBE_LEAST_S)
        return "--for: expected at least 20 s with --probe";
    if (request->meters.count > 0 && !request->characterise)
        return "--meter: expected with --characterise";
    if (request->apply && !request->grant && !request->revoke)
        return "--apply: expected with --grant or --revoke";
    if (request->group && !request->grant)
        return "--group: expected with --grant";
    if (request->json && (request->grant || request->revoke))
        return "--json: not with --grant or --revoke";
    return NULL;
}

/* One line a kind of device. */
static int list_presets(void)
{
    size_t count;
    const struct wall_preset *presets = wall_presets(&count);
    for (size_t i = 0; i < count; i++)
        printf("%-21s%s%s\n", presets[i].name, presets[i].what, presets[i].energy_at ? "" : " (power alone)");
    return CLI_DONE;
}

static int obey(const struct request *request, const char *name)
{
    struct error error = ERROR_INIT;
    const char *wrong = wrong_use(request);
    if (wrong) {
        error_set(&error, "%s", wrong);
        return cli_fail(name, &error, CLI_USAGE);
    }
    if (request->presets)
        return list_presets();
    if (request->grant)
        return meters_grant(request->group, request->apply, name);
    if (request->revoke)
        return meters_revoke(request->apply, name);
    if (request->characterise)
        return meters_characterise(&request->setup, &request->meters,
                                   request->for_s > 0 ? request->for_s : 60, request->json, name);
    if (request->probe)
        return meters_probe(&request->setup, request->for_s > 0 ? request->for_s : 90, request->json, name);
    if (list_meters(&request->setup, request->json, &error) < 0)
        return cli_fail(name, &error, CLI_FAILED);
    return CLI_DONE;
}

int cli_meters(int argc, char **argv)
{
    struct machine machine = {0};
    struct request request = {.setup = {.own_process = true, .machine = &machine}};
    const struct option options[] = {
        {"--tdp", 0, OPTION_NUMBER, &request.setup.tdp_w, "W",
         "thermal design power of all processors, for the model", 0.1, 100000},
        {"--site", 0, OPTION_TEXT, &request.setup.site, "FILE",
         "the site file, which lists wattmeters (default: ~/.config/joulery/site.yaml, if there is one)", 0,
         0},
        {"--json", 0, OPTION_TEXT, &request.json, "FILE",
         "write the list as joulery.meters/1, or the data sheets, or what --probe found; - is standard "
         "output",
         0, 0},
        {"--presets", 0, OPTION_FLAG, &request.presets, NULL,
         "list the kinds of wattmeters that a site file can name", 0, 0},
        {"--characterise", 0, OPTION_FLAG, &request.characterise, NULL,
         "make each channel's data sheet: update period, averaging, lag, noise; loads all cores", 0, 0},
        {"--probe", 0, OPTION_FLAG, &request.probe, NULL,
         "find out each wattmeter's update period, delay, noise and steps; loads all cores for half of the "
         "time",
         0, 0},
        {"--for", 0, OPTION_NUMBER, &request.for_s, "SECONDS",
         "for --characterise (without it 60) and --probe (without it 90)", DATASHEET_LEAST_S, 3600},
        {"--meter", 'm', OPTION_LIST, &request.meters, "NAME",
         "for --characterise: this instrument (may repeat; default: those that a run uses)", 0, 0},
        {"--grant", 0, OPTION_FLAG, &request.grant, NULL,
         "show what would let a group read energy counters that are root's, by one udev rule", 0, 0},
        {"--revoke", 0, OPTION_FLAG, &request.revoke, NULL, "show what would take that back", 0, 0},
        {"--apply", 0, OPTION_FLAG, &request.apply, NULL, "with --grant or --revoke: do it, as root", 0, 0},
        {"--group", 0, OPTION_TEXT, &request.group, "NAME", "the group for --grant; without it joulery", 0,
         0},
    };
    const struct command_line line = {
        .usage = "joulery meters [options]",
        .purpose =
            "Lists the instruments: what each can measure here, or why it can't and what to do about it.\n"
            "--grant gives read access without root, which lasts over reboots.",
        .example = "joulery meters\n  sudo joulery meters --grant --apply",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    struct error error = ERROR_INIT;
    struct operands operands;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    int status = parsed == OPTIONS_OK ? obey(&request, argv[0]) : cli_parse_result(parsed, argv[0], &error);
    options_list_free(&request.meters);
    machine_free(&machine);
    return status;
}
