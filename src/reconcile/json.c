/* joulery.reconcile/1, docs/json.md. */
#include "record/json.h"
#include "reconcile/order.h"
#include "reconcile/statement.h"

#include <math.h>

static json_t *interval(const struct summary *summary)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o}", "n", (json_int_t)summary->count, "mean",
                     json_known(summary->mean), "sd", json_known(summary->sd), "low",
                     json_known(summary->low), "high", json_known(summary->high));
}

static json_t *scopes_of(const bool covers[CLAIMED_SCOPES])
{
    json_t *list = json_array();
    for (size_t i = 0; i < CLAIMED_SCOPES; i++)
        if (covers[i])
            json_array_append_new(list, json_string(channel_scope_name((enum channel_scope)i)));
    return list;
}

static json_t *parts_of(const struct tool_figure *figure)
{
    json_t *list = json_array();
    for (size_t i = 0; figure && i < figure->part_count; i++) {
        const struct tool_part *part = &figure->parts[i];
        json_array_append_new(list, json_pack("{s:o, s:o, s:s, s:o}", "covers", scopes_of(part->covers),
                                              "energy_j", json_known(part->energy_j), "basis",
                                              part_basis_name(part->basis), "how", json_text(part->how)));
    }
    return list;
}

static json_t *steps_of(const struct tool_statement *tool)
{
    json_t *list = json_array();
    for (size_t i = 0; i < STEPS; i++) {
        const struct step *step = &waterfall_steps[i];
        const char *scope = step_has_scope(step->kind) ? channel_scope_name(step->scope) : NULL;
        if (tool->taken[i])
            json_array_append_new(list, json_pack("{s:s, s:s?, s:o, s:b}", "step", step_kind_name(step->kind),
                                                  "scope", scope, "energy_j", interval(&tool->steps[i]),
                                                  "estimated", tool->estimated[i]));
    }
    return list;
}

static json_t *waterfall_of(const struct tool_statement *tool)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "rounds", (json_int_t)tool->rounds, "figure_j",
                     interval(&tool->levels[LEVEL_FIGURE]), "steps", steps_of(tool), "software_under_j",
                     interval(&tool->levels[LEVEL_UNDER]), "software_alone_j",
                     interval(&tool->levels[LEVEL_ALONE]), "wall_alone_j",
                     interval(&tool->levels[LEVEL_WALL]));
}

/* What a tool that was run adds to its entry. */
static json_t *measured(const struct tool_statement *tool)
{
    const struct tool_figure *figure = tool->figure;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "waterfall", waterfall_of(tool), "more_j",
                     interval(&tool->more_j), "more_s", interval(&tool->more_s), "covered_s",
                     interval(&tool->covered_s), "command_s", interval(&tool->command_s), "pue",
                     figure ? json_real(tool->pue) : json_null(), "parts", parts_of(figure), "note",
                     json_text(figure ? figure->note : NULL));
}

static json_t *tool_of(const struct statement *statement, size_t condition)
{
    const struct condition *at = &statement->of->conditions[condition];
    json_t *entry =
        json_pack("{s:s, s:s, s:s, s:o, s:b, s:o, s:b, s:I, s:I}", "name", at->tool->name, "title",
                  at->tool->title, "install", at->tool->install, "version", json_text(at->probe.version),
                  "used", at->used, "why_not", json_text(at->probe.why), "left_out", at->left_out, "counted",
                  (json_int_t)at->counted, "failed", (json_int_t)at->failed);
    for (size_t i = 0; entry && i < statement->tool_count; i++)
        if (statement->tools[i].condition == condition)
            json_object_update_new(entry, measured(&statement->tools[i]));
    return entry;
}

static json_t *observed(const struct observation *seen)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:b}", "wall_s", json_known(seen->wall_s), "software_j",
                     json_known(seen->software_j), "cpu_j", json_known(seen->scope_j[SCOPE_CPU]), "dram_j",
                     json_known(seen->scope_j[SCOPE_DRAM]), "gpu_j", json_known(seen->scope_j[SCOPE_GPU]),
                     "hardware_j", json_known(seen->hardware_j), "estimated", seen->estimated);
}

static json_t *run_of(const struct reconciliation *of, const struct reconcile_run *run)
{
    const struct condition *condition = &of->conditions[run->condition];
    bool figure = condition->tool && !run->failure;
    json_t *command = run->command.wall_s > 0 ? observed(&run->command) : json_null();
    return json_pack("{s:I, s:I, s:s, s:o, s:o, s:o, s:o, s:o}", "round", (json_int_t)run->round + 1, "place",
                     (json_int_t)run->place + 1, "tool", condition_name(condition), "failure",
                     json_text(run->failure), "figure_j",
                     figure ? json_known(run->figure.energy_j) : json_null(), "covered_s",
                     figure ? json_known(run->figure.covered_s) : json_null(), "command", command, "run",
                     observed(&run->whole));
}

static json_t *words_of(char *const *command)
{
    json_t *list = json_array();
    for (size_t i = 0; command[i]; i++)
        json_array_append_new(list, json_text(command[i]));
    return list;
}

static json_t *notes_of(const struct reconciliation *of)
{
    json_t *list = json_array();
    for (size_t i = 0; i < of->note_count; i++)
        json_array_append_new(list, json_text(of->notes[i]));
    return list;
}

json_t *statement_to_json(const struct statement *statement, char *const *command)
{
    const struct reconciliation *of = statement->of;
    json_t *tools = json_array(), *runs = json_array();
    size_t used = reconciliation_used(of);
    for (size_t i = 1; i < of->condition_count; i++)
        json_array_append_new(tools, tool_of(statement, i));
    for (size_t i = 0; i < of->run_count; i++)
        json_array_append_new(runs, run_of(of, &of->runs[i]));
    return json_pack("{s:s, s:o, s:I, s:b, s:b, s:b, s:{s:o, s:o, s:o}, s:o, s:o, s:o}", "schema",
                     "joulery.reconcile/1", "command", words_of(command), "rounds", (json_int_t)of->rounds,
                     "balanced", of->rounds % order_rounds_of_places(used) == 0, "stopped", of->stopped,
                     "estimated", statement->estimated, "alone", "software_j", interval(&statement->alone_j),
                     "wall_j", interval(&statement->alone_wall_j), "command_s", interval(&statement->alone_s),
                     "tools", tools, "runs", runs, "notes", notes_of(of));
}
