/* `joulery meters --characterise`. */
#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "base/units.h"
#include "calibrate/datasheet.h"
#include "cli/cli.h"
#include "cli/meters.h"

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
    if (!isfinite(value))
        return text_format("-");
    if (value > 0 && value < 0.9995e-3)
        return text_format("%.3g µs", value * 1e6);
    return value < 1 ? text_format("%.3g ms", value * 1e3) : text_format("%.3g s", value);
}

static char *quantity(double value, const char *unit)
{
    if (!isfinite(value))
        return text_format("-");
    return value != 0 && fabs(value) < 1e-3 ? text_format("%.3g µ%s", value * 1e6, unit)
                                            : text_format("%.3g %s", value, unit);
}

/* One line a figure; "-": the readings did not tell. */
static void show_sheet(const struct sheet *sheet)
{
    const struct characteristics *found = &sheet->found;
    bool power = sheet->kind == KIND_POWER;
    const struct {
        const char *what;
        char *value;
        const char *meaning;
    } lines[] = {
        {"update", seconds(found->update_s), "between two changes of its value"},
        {"step", quantity(found->smallest_step, power ? "W" : "J"),
         "smallest change seen: resolves this or finer"},
        {"averaging", power ? seconds(found->averaging_s) : text_format("none"),
         power ? "a reading is the mean of about this long" : "it counts joules"},
        {"lag", seconds(found->lag_s), "behind the load, beyond the averaging"},
        {"response", quantity(found->response_w, "W"), "more under load on all cores than without"},
        {"read cost", seconds(found->read_s), "median of one read of its instrument"},
        {"at rest", quantity(found->idle_w, "W"), "mean power"},
        {"noise, 1 s", quantity(found->idle_sd_w, "W"), "standard deviation of means over 1 s at rest"},
        {"noise, 0.1 s", quantity(found->idle_reading_sd_w, "W"), "of means over 0.1 s"},
    };
    printf("%s/%s\n", sheet->meter, sheet->name);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        printf("  %-12s  %10s  %s\n", lines[i].what, lines[i].value ? lines[i].value : "?", lines[i].meaning);
        free(lines[i].value);
    }
}

int meters_characterise(const struct meter_setup *setup, double wall_s, const char *json,
                        const char *subcommand)
{
    struct progress progress;
    struct sheets sheets;
    struct error error = ERROR_INIT;
    progress_start(&progress);
    const struct datasheet_options options = {
        .setup = setup, .wall_s = wall_s, .progress = show_progress, .context = &progress};
    int result = datasheet_make(&options, &sheets, &error);
    progress_clear(&progress);
    if (result < 0)
        return cli_fail(subcommand, &error, CLI_FAILED);
    AUTO_FREE char *path = sheets_path(sheets.host);
    bool shown = !json || strcmp(json, "-") != 0;
    for (size_t i = 0; i < sheets.count && shown; i++)
        show_sheet(&sheets.sheets[i]);
    result = path ? sheets_save(&sheets, path, &error)
                  : error_set(&error, "neither XDG_STATE_HOME nor HOME names a folder: the data sheets are "
                                      "not kept");
    if (result == 0 && shown)
        printf("\nModels are not characterised: nothing of them is measured.\nKept for later runs: %s\n",
               path);
    if (result == 0 && json)
        result = cli_write_json(sheets_to_json(&sheets), json, &error);
    sheets_free(&sheets);
    return result == 0 ? CLI_DONE : cli_fail(subcommand, &error, CLI_FAILED);
}
