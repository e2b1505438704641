/* `joulery calibrate`: what the wall draws over what software sees, for later runs without a wattmeter. */
#include "base/clock.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/text.h"
#include "base/units.h"
#include "calibrate/given.h"
#include "calibrate/ladder.h"
#include "cli/cli.h"
#include "meter/machine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct given {
    uint64_t seconds, repetitions;
    double rate_hz, tdp_w;
    struct option_list meters, from;
    const char *site, *output, *host, *json;
    bool epochs;
};

static const struct evidence_origin of_ladder = {"load ladder", "steps", "windows"},
                                    of_runs = {"given runs", "settings", "runs"};

/* ---- printing ---- */

static void show_progress(void *context, double done_s, double total_s, const char *step)
{
    progress_update(context, done_s, total_s, step);
}

static void print_coefficient(const char *name, struct interval value)
{
    if (*name)
        printf(" %c %.4g (%.4g to %.4g) x %s", value.value < 0 ? '-' : '+', fabs(value.value), value.low,
               value.high, name);
    else
        printf("   wall = %.4g W (%.4g to %.4g)", value.value, value.low, value.high);
}

static void print_line(const struct calibration *c)
{
    print_coefficient("", stats_linear_coefficient(&c->fit, 0));
    for (size_t s = 0; s < CALIBRATION_SCOPES; s++)
        if (c->scopes[s].term)
            print_coefficient(channel_scope_name((enum channel_scope)s),
                              stats_linear_coefficient(&c->fit, c->scopes[s].term));
    printf("%s\n\n", calibration_is_estimated(c) ? "   estimated" : "");
}

static void print_scope(const struct calibration_scope *scope, const char *name)
{
    if (scope->channel_count == 0)
        return;
    printf("  %s from %.4g to %.4g W", name, scope->low_w, scope->high_w);
    if (scope->term)
        printf("\n");
    else {
        AUTO_FREE char *why = text_printable(scope->left_out);
        printf("; not in the fit: %s\n", why ? why : "");
    }
}

static void print_result(const struct calibration *c)
{
    AUTO_FREE char *host = text_printable(c->host.name);
    printf("\n Wall over software on %s, %zu windows, %zu %s:\n\n", host ? host : "", c->windows, c->groups,
           c->groups_are);
    print_line(c);
    for (size_t s = 0; s < CALIBRATION_SCOPES; s++)
        print_scope(&c->scopes[s], channel_scope_name((enum channel_scope)s));
    printf(
        "  with its %s left out in turn, the wall is predicted to %.3g W (root mean square), %.3g W at the "
        "worst: %.2g %% of %.4g W\n",
        c->groups_are, c->left_out_rms_w, c->left_out_most_w, 100 * c->left_out_rms_w / c->wall_mean_w,
        c->wall_mean_w);
    if (c->wall_accuracy > 0)
        printf("  the wattmeter's own accuracy, ± %.2g %%, comes on top in every prediction\n",
               100 * c->wall_accuracy);
    printf("  intervals are of 95 %%\n");
    for (size_t i = 0; i < c->doubt_count; i++)
        cli_print_note(stdout, c->doubts[i]);
}

static bool has_gpu(const struct calibration *calibration)
{
    return calibration->scopes[SCOPE_GPU].channel_count > 0;
}

/* ---- windows as JSON ---- */

static json_t *power(const struct calibration *c, const struct evidence_window *window, size_t scope)
{
    return c->scopes[scope].channel_count ? json_real(window->power_w[scope]) : json_null();
}

static json_t *to_json(const struct calibration *c, const struct evidence *evidence)
{
    json_t *json = calibration_to_json(c), *windows = json_array();
    for (size_t i = 0; windows && i < evidence->count; i++) {
        const struct evidence_window *w = &evidence->windows[i];
        json_array_append_new(windows, json_pack("{s:s, s:s, s:o, s:o, s:o, s:f, s:f}", "group", w->group,
                                                 "run", w->run, "cpu_w", power(c, w, SCOPE_CPU), "dram_w",
                                                 power(c, w, SCOPE_DRAM), "gpu_w", power(c, w, SCOPE_GPU),
                                                 "wall_w", w->wall_w, "left_out_w", w->left_out_w));
    }
    if (json && json_object_set_new(json, "evidence", windows) == 0)
        return json;
    json_decref(json);
    return NULL;
}

/* ---- measuring, reading, storing ---- */

static int store(const struct given *given, const struct calibration *calibration,
                 const struct evidence *evidence, struct error *error)
{
    AUTO_FREE char *path =
        given->output ? strdup(given->output) : calibration_default_path(calibration->host.name, error);
    bool taken = path && (strcmp(path, "-") == 0 || (given->json && strcmp(given->json, "-") == 0));
    if (!path)
        return -1;
    if (!taken)
        print_result(calibration);
    if (calibration_write(path, calibration, error) < 0)
        return -1;
    if (!taken)
        printf("  stored in %s\n", path);
    return given->json ? cli_write_json(to_json(calibration, evidence), given->json, error) : 0;
}

static int fit_and_store(const struct given *given, struct evidence *evidence,
                         const struct evidence_origin *origin, struct error *error)
{
    struct calibration calibration;
    if (calibration_fit(evidence, origin, &calibration, error) < 0)
        return -1;
    int result = store(given, &calibration, evidence, error);
    if (result == 0 && has_gpu(&calibration) && origin == &of_ladder)
        fprintf(stderr,
                "joulery calibrate: a ladder can't load GPUs: runs of theirs without a wattmeter need a "
                "calibration --from runs with one\n");
    calibration_free(&calibration);
    return result;
}

static int climb(const struct given *given, struct error *error)
{
    struct progress progress;
    struct machine machine = {0};
    struct record record = {0};
    struct evidence evidence = {0};
    const struct meter_setup setup = {
        .tdp_w = given->tdp_w, .site = given->site, .own_process = true, .machine = &machine};
    const struct ladder_options options = {.setup = &setup,
                                           .meters = given->meters.items,
                                           .meter_count = given->meters.count,
                                           .rate_hz = given->rate_hz,
                                           .step_s = given->seconds,
                                           .repetitions = given->repetitions,
                                           .seed = (uint64_t)clock_wall_ns(),
                                           .progress = show_progress,
                                           .context = &progress};
    progress_start(&progress);
    int result = ladder_climb(&options, &record, &evidence, error);
    progress_clear(&progress);
    for (size_t i = 0; result == 0 && i < record.note_count; i++)
        cli_print_note(stderr, record.notes[i]);
    if (result == 0)
        result = fit_and_store(given, &evidence, &of_ladder, error);
    evidence_free(&evidence);
    record_free(&record);
    machine_free(&machine);
    return result;
}

static int add_store(const struct given *given, const char *path, struct evidence *evidence,
                     struct error *error)
{
    const struct given_options options = {.name = path, .host = given->host, .epochs = given->epochs};
    struct store *store = store_open(path, STORE_READ, error);
    int result = store ? given_add(evidence, store, &options, error) : -1;
    store_close(store);
    return result;
}

/* "a.db,b.db" names two; `--from` may repeat as well. */
static int read_runs(const struct given *given, struct error *error)
{
    struct evidence evidence = {0};
    int result = 0;
    for (size_t i = 0; i < given->from.count && result == 0; i++) {
        AUTO_FREE char *names = strdup(given->from.items[i]);
        char *rest = NULL;
        for (char *name = names ? strtok_r(names, ",", &rest) : NULL; name && result == 0;
             name = strtok_r(NULL, ",", &rest))
            result = add_store(given, name, &evidence, error);
        if (!names)
            result = error_memory(error, "--from");
    }
    if (result == 0)
        result = fit_and_store(given, &evidence, &of_runs, error);
    evidence_free(&evidence);
    return result;
}

static int check(const struct given *given, struct error *error)
{
    if (!given->from.count && (given->epochs || given->host))
        return error_set(error, "%s is about given runs: --from DB names them",
                         given->epochs ? "--epochs" : "--host");
    return 0;
}

static int calibrate(const struct given *given, struct error *error)
{
    if ((given->output && file_check_writable(given->output, error) < 0) ||
        (given->json && file_check_writable(given->json, error) < 0))
        return -1;
    return given->from.count ? read_runs(given, error) : climb(given, error);
}

static enum options_result parse(int argc, char **argv, struct given *given, struct error *error)
{
    const struct option options[] = {
        {.kind = OPTION_HEADING, .help = "a load ladder on this machine"},
        {"--for", 0, OPTION_COUNT, &given->seconds, "S", "how many seconds a step (default 20)",
         LADDER_LEAST_S, LADDER_MOST_S},
        {"--repeat", 'n', OPTION_COUNT, &given->repetitions, "N",
         "how often the ladder is climbed, each time in another order (default 3)", 1,
         LADDER_REPETITIONS_MOST},
        {"--site", 0, OPTION_TEXT, &given->site, "FILE",
         "the site file, which lists wattmeters (default: ~/.config/joulery/site.yaml, if there is one)", 0,
         0},
        {"--meter", 'm', OPTION_LIST, &given->meters, "NAME",
         "use this instrument (may repeat; default: the best there are)", 0, 0},
        {"--rate", 'r', OPTION_NUMBER, &given->rate_hz, "HZ", "readings a second (default 10)", 0.1, 1000},
        {"--tdp", 0, OPTION_NUMBER, &given->tdp_w, "W",
         "thermal design power of all processors, where only a model is left", 0.1, 100000},
        {.kind = OPTION_HEADING, .help = "or given runs, with a wattmeter"},
        {"--from", 0, OPTION_LIST, &given->from, "DB[,DB]",
         "databases of studies (may repeat); nothing is measured then", 0, 0},
        {"--epochs", 0, OPTION_FLAG, &given->epochs, NULL, "their epochs instead of whole runs", 0, 0},
        {"--host", 0, OPTION_TEXT, &given->host, "NAME", "only runs of this machine", 0, 0},
        {.kind = OPTION_HEADING, .help = "output"},
        {"--output", 'o', OPTION_TEXT, &given->output, "FILE",
         "where to store it (default: where `joulery run` looks); - is standard output", 0, 0},
        {"--json", 0, OPTION_TEXT, &given->json, "FILE",
         "write it there too, as joulery.calibration/1, with the windows that it rests on", 0, 0},
    };
    const struct command_line line = {
        .usage = "joulery calibrate [options]",
        .purpose = "Learns what a wattmeter shows over what software shows, wall = a + b x cpu + c x dram + "
                   "d x gpu,\n"
                   "and stores it: later runs without the wattmeter get a wall energy with an interval.",
        .example = "joulery calibrate --site site.yaml --for 20",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    struct operands none;
    return options_parse(&line, argc, argv, &none, error);
}

int cli_calibrate(int argc, char **argv)
{
    struct given given = {.seconds = 20, .repetitions = 3};
    struct error error = ERROR_INIT;
    enum options_result parsed = parse(argc, argv, &given, &error);
    if (parsed == OPTIONS_OK && check(&given, &error) < 0)
        parsed = OPTIONS_WRONG;
    int status = parsed != OPTIONS_OK             ? cli_parse_result(parsed, argv[0], &error)
                 : calibrate(&given, &error) == 0 ? CLI_DONE
                                                  : cli_fail(argv[0], &error, CLI_FAILED);
    options_list_free(&given.meters);
    options_list_free(&given.from);
    return status;
}
