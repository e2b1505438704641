/* `joulery meters --characterise`. */
#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "base/units.h"
#include "calibrate/datasheet.h"
#include "cli/cli.h"
#include "cli/meters.h"
#include "record/host.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void show_progress(void *context, double done_s, double total_s, const char *phase)
{
    progress_update(context, done_s, total_s, phase);
}

static char *seconds(double value)
{
    if (value > 0 && value < 0.9995e-3)
        return text_format("%.3g µs", value * 1e6);
    return value < 1 ? text_format("%.3g ms", value * 1e3) : text_format("%.3g s", value);
}

static char *quantity(double value, const char *unit)
{
    return value != 0 && fabs(value) < 1e-3 ? text_format("%.3g µ%s", value * 1e6, unit)
                                            : text_format("%.3g %s", value, unit);
}

/* One line: a figure and what it means, or that the readings did not tell it, and why. */
static void show_figure(const char *what, double value, const char *unit, const char *meaning,
                        const char *why_not)
{
    AUTO_FREE char *text = isnan(value)             ? text_format("-")
                           : strcmp(unit, "s") == 0 ? seconds(value)
                                                    : quantity(value, unit);
    printf("  %-12s  %10s  %s\n", what, text ? text : "?", isnan(value) ? why_not : meaning);
}

void meters_show_figures(const struct characteristics *found, enum channel_kind kind, double wall_s)
{
    bool power = kind == KIND_POWER;
    AUTO_FREE char *not_found = text_format("not found in %.4g s", wall_s);
    const char *unknown = not_found ? not_found : "not found";
    const char *unmoved = found->response_p > RESPONSE_P_MOST ? "no response seen" : unknown;
    const struct {
        const char *what;
        double value;
        const char *unit, *meaning, *why_not;
    } lines[] = {
        {"update", found->update_s, "s", "between two changes of its value", unknown},
        {"step", found->smallest_step, power ? "W" : "J", "smallest change seen: resolves this or finer",
         unknown},
        {"averaging", found->averaging_s, "s", "a reading is the mean of about this long",
         power ? unmoved : "none: it counts joules"},
        {"lag", found->lag_s, "s", "behind the load, beyond the averaging", unmoved},
        {"response", found->response_w, "W", "more under load on all cores than without", unmoved},
        {"read cost", found->read_s, "s", "median of one read of its instrument", unknown},
        {"at rest", found->idle_w, "W", "mean power", unknown},
        {"noise, 1 s", found->idle_sd_w, "W", "standard deviation of means over 1 s at rest", unknown},
        {"noise, 0.1 s", found->idle_reading_sd_w, "W",
         "of means over 0.1 s, or over readings that come slower", unknown},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        show_figure(lines[i].what, lines[i].value, lines[i].unit, lines[i].meaning, lines[i].why_not);
}

static void show_sheet(const struct sheet *sheet, double wall_s)
{
    AUTO_FREE char *name = text_printable(sheet->name);
    printf("%s/%s\n", sheet->meter, name ? name : "?");
    meters_show_figures(&sheet->found, sheet->kind, wall_s);
}

/* Where the sheets will be kept; the caller frees it. */
static char *find_place(const struct meter_setup *setup, struct error *error)
{
    struct host host = {0};
    char *path = host_describe(setup, &host, error) == 0 ? sheets_path(host.name, error) : NULL;
    host_free(&host);
    return path;
}

static int make_sheets(const struct datasheet_options *given, struct sheets *sheets, struct error *error)
{
    struct progress progress;
    struct datasheet_options options = *given;
    options.progress = show_progress;
    options.context = &progress;
    progress_start(&progress);
    int result = datasheet_make(&options, sheets, error);
    progress_clear(&progress);
    return result;
}

static int store_sheets(const struct sheets *sheets, const char *path, const char *json, struct error *error)
{
    bool shown = !json || strcmp(json, "-") != 0;
    for (size_t i = 0; i < sheets->count && shown; i++)
        show_sheet(&sheets->sheets[i], sheets->wall_s);
    if (sheets_save(sheets, path, error) < 0)
        return -1;
    if (shown)
        printf("\nModels are not characterised: nothing of them is measured.\nKept for later runs: %s\n",
               path);
    return json ? cli_write_json(sheets_to_json(sheets), json, error) : 0;
}

int meters_characterise(const struct meter_setup *setup, const struct option_list *meters, double wall_s,
                        const char *json, const char *subcommand)
{
    const struct datasheet_options options = {
        .setup = setup, .meters = meters->items, .meter_count = meters->count, .wall_s = wall_s};
    struct sheets sheets = {0};
    struct error error = ERROR_INIT;
    /* better known before the minute than after */
    AUTO_FREE char *path = find_place(setup, &error);
    bool done = path && (!json || file_check_writable(json, &error) == 0) &&
                make_sheets(&options, &sheets, &error) == 0 && store_sheets(&sheets, path, json, &error) == 0;
    sheets_free(&sheets);
    return done ? CLI_DONE : cli_fail(subcommand, &error, CLI_FAILED);
}
