/* `joulery meters --probe`. */
#include "calibrate/probe.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/meters.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void show_progress(void *context, double done_s, double total_s, const char *phase)
{
    progress_update(context, done_s, total_s, phase);
}

/* How often it was asked, and what went wrong. */
static void show_answers(const struct probed *probed)
{
    if (probed->pushes)
        printf("  answers          pushed by the device");
    else if (isfinite(probed->slow_read_s))
        printf("  answers          asked every %.3g s; 95 of 100 came within %.3g s", probed->ask_s,
               probed->slow_read_s);
    else
        printf("  answers          none");
    printf(probed->failed ? "; %" PRIu64 " of %" PRIu64 " questions failed\n" : "\n", probed->failed,
           probed->asked);
    AUTO_FREE char *trouble = probed->trouble ? text_printable(probed->trouble) : NULL;
    if (trouble)
        printf("  %s           %s\n", "wrong", trouble);
}

/* What is known better now than the site file may have it. */
static void show_advice(const struct probed *probed)
{
    if (isnan(probed->update_s) && isnan(probed->delay_s))
        return;
    printf("  for the site file:");
    if (isfinite(probed->update_s))
        printf(" update: %.3g", probed->update_s);
    if (isfinite(probed->delay_s))
        printf("%s delay: %.2g", isfinite(probed->update_s) ? "," : "", probed->delay_s);
    printf("\n");
}

static void show_device(const struct probed *probed, double wall_s)
{
    AUTO_FREE char *name = text_printable(probed->name);
    printf("%s\n", name ? name : "?");
    show_answers(probed);
    if (probed->failed == probed->asked)
        return;
    if (probed->has_power) {
        printf(" power\n");
        meters_show_figures(&probed->power, KIND_POWER, wall_s);
    }
    if (probed->has_energy) {
        printf(" energy\n");
        meters_show_figures(&probed->energy, KIND_COUNTER, wall_s);
    }
    show_advice(probed);
}

int meters_probe(const struct meter_setup *setup, double wall_s, const char *json, const char *subcommand)
{
    struct error error = ERROR_INIT;
    struct probes probes = {0};
    struct progress progress;
    const struct probe_options options = {
        .setup = setup, .wall_s = wall_s, .progress = show_progress, .context = &progress};
    if (json && file_check_writable(json, &error) < 0)
        return cli_fail(subcommand, &error, CLI_FAILED);
    progress_start(&progress);
    int result = probe_make(&options, &probes, &error);
    progress_clear(&progress);
    for (size_t i = 0; i < probes.count && !(json && strcmp(json, "-") == 0); i++)
        show_device(&probes.devices[i], wall_s);
    if (result == 0 && json)
        result = cli_write_json(probe_to_json(&probes), json, &error);
    probe_free(&probes);
    return result == 0 ? CLI_DONE : cli_fail(subcommand, &error, CLI_FAILED);
}
