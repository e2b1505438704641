#include "exchange/tool_runs.h"

#include "base/text.h"
#include "exchange/into_record.h"
#include "exchange/tool_figure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void tool_runs_free(struct tool_runs *runs)
{
    for (size_t i = 0; i < runs->count; i++) {
        struct tool_run *run = &runs->items[i];
        imported_run_free(&run->run);
        for (size_t k = 0; k < run->factor_count; k++) {
            free(run->factors[k].factor);
            free(run->factors[k].level);
        }
        free(run->factors);
        free(run->where);
    }
    free(runs->items);
    *runs = (struct tool_runs){0};
}

static int fill(struct tool_run *run, const struct tool_origin *origin, struct error *error)
{
    struct record *record = &run->run.record;
    run->run.tool = origin->tool;
    run->where = origin->line ? text_format("%s:%zu", origin->file, origin->line) : strdup(origin->file);
    record->started_wall_ns = origin->started_wall_ns;
    record->source = text_format("%s%s%s, %s", origin->tool, origin->version[0] ? " " : "", origin->version,
                                 run->where ? run->where : "");
    const char *model = origin->cpu_model ? origin->cpu_model : "";
    record->host = (struct host){.name = strdup("(imported)"),
                                 .cpu_model = text_utf8(model, strlen(model)),
                                 .kernel = strdup(""),
                                 .os = strdup(""),
                                 .virtualisation = strdup(""),
                                 .version = strdup(JOULERY_VERSION),
                                 .sockets = origin->sockets};
    if (!run->where || !record->source || !record->host.name || !record->host.cpu_model ||
        !record->host.version)
        return error_memory(error, "import");
    if (record_begin(record, origin->wall_s, error) < 0)
        return -1;
    return origin->version[0] ? imported_add_value(&run->run, "version", origin->version, error) : 0;
}

struct tool_run *tool_runs_add(struct tool_runs *runs, const struct tool_origin *origin, struct error *error)
{
    if ((runs->count & (runs->count - 1)) == 0) { /* a power of two: full */
        struct tool_run *grown = reallocarray(runs->items, runs->count ? 2 * runs->count : 1, sizeof *grown);
        if (!grown) {
            error_memory(error, "import");
            return NULL;
        }
        runs->items = grown;
    }
    struct tool_run *run = &runs->items[runs->count++];
    *run = (struct tool_run){0};
    return fill(run, origin, error) == 0 ? run : NULL;
}

int tool_run_channel(struct tool_run *run, const char *name, enum channel_scope scope, enum channel_kind kind,
                     double energy_j, struct error *error)
{
    AUTO_FREE char *source = text_format("imported from %s, which states no accuracy", run->run.tool);
    const struct channel channel = {.meter = (char *)run->run.tool,
                                    .name = (char *)name,
                                    .label = (char *)"imported",
                                    .scope = scope,
                                    .kind = kind,
                                    .accuracy = NAN,
                                    .accuracy_source = source};
    return source ? record_add_channel(&run->run.record, &channel, energy_j, error)
                  : error_memory(error, "import");
}

int tool_run_identify(struct tool_run *run, const char *id, struct error *error)
{
    if (imported_add_value(&run->run, TOOL_RUN_ID, id, error) < 0)
        return -1;
    run->id = run->run.values[run->run.value_count - 1].value;
    return 0;
}

/* ---- EnergiBridge ---- */

static int add_figure(const char *name, const struct tool_figure *figure, const struct tool_options *options,
                      struct tool_runs *runs, struct error *error)
{
    if (!(figure->covered_s > 0))
        return error_set(error, "%s: expected rows over more than 0 s", name);
    struct tool_run *run = tool_runs_add(runs,
                                         &(struct tool_origin){.tool = "energibridge",
                                                               .version = "",
                                                               .file = name,
                                                               .started_wall_ns = figure->started_wall_ns,
                                                               .wall_s = figure->covered_s,
                                                               .sockets = options->sockets},
                                         error);
    AUTO_FREE char *id = text_format("%lld", (long long)figure->started_wall_ns);
    if (!run || !id)
        return run ? error_memory(error, name) : -1;
    if (figure->started_wall_ns > 0 && tool_run_identify(run, id, error) < 0)
        return -1;
    if (tool_run_channel(run, "cpu", SCOPE_CPU, KIND_COUNTER, figure->energy_j, error) < 0)
        return -1;
    return record_add_note(&run->run.record, error, "energibridge: cpu is %s%s%s", figure->parts[0].how,
                           figure->note ? "; " : "", figure->note ? figure->note : "");
}

int energibridge_runs(const char *name, const char *text, size_t size, const struct tool_options *options,
                      struct tool_runs *runs, struct error *error)
{
    struct tool_figure figure;
    *runs = (struct tool_runs){0};
    if (energibridge_parse(text, size, &figure, error) < 0)
        return error_prefix(error, "%s", name);
    int result = add_figure(name, &figure, options, runs, error);
    tool_figure_free(&figure);
    return result;
}
