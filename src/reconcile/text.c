/* A statement of account in words. */
#include "base/text.h"
#include "base/units.h"
#include "reconcile/order.h"
#include "reconcile/statement.h"

#include <math.h>
#include <string.h>

enum { WIDTH = 100, LABEL_WIDTH = 58, ENERGY_WIDTH = 11 };

/* Less is the rounding of sums. */
#define LEAST_J 1e-6

static char *signed_energy(double energy_j, bool plus)
{
    if (fabs(energy_j) < LEAST_J)
        return strdup("0 J");
    AUTO_FREE char *size = isfinite(energy_j) ? units_energy(fabs(energy_j)) : NULL;
    return text_format("%s%s", !size ? "" : energy_j < 0 ? "-" : plus ? "+" : "", size ? size : "-");
}

static char *signed_time(double elapsed_s)
{
    AUTO_FREE char *size = isfinite(elapsed_s) ? units_duration(fabs(elapsed_s)) : NULL;
    return text_format("%s%s", !size ? "" : elapsed_s < 0 ? "-" : "+", size ? size : "-");
}

static void add_energy(struct text *text, const struct summary *energy, bool plus)
{
    AUTO_FREE char *mean = signed_energy(energy->mean, plus);
    text_printf(text, "%*s", ENERGY_WIDTH, mean ? mean : "");
    if (!isfinite(energy->low) || energy->high - energy->low < LEAST_J)
        return;
    AUTO_FREE char *low = signed_energy(energy->low, plus), *high = signed_energy(energy->high, plus);
    text_printf(text, "  (%s to %s)", low ? low : "", high ? high : "");
}

/* ---- the table ---- */

/* "  CodeCarbon 3.3.0". */
static char *name_of(const struct statement *statement, const struct tool_statement *tool)
{
    const struct condition *condition = &statement->of->conditions[tool->condition];
    const char *version =
        tool->figure && tool->figure->version ? tool->figure->version : condition->probe.version;
    AUTO_FREE char *printable = version ? text_printable(version) : NULL;
    return text_format("%s%s%s", condition_title(condition), printable ? " " : "",
                       printable ? printable : "");
}

static void add_share(struct text *text, double energy_j, double of_j)
{
    if (isfinite(energy_j) && of_j > 0)
        text_printf(text, " %11.1f %%", 100 * energy_j / of_j);
    else
        text_printf(text, " %13s", "-");
}

static void add_tool_row(struct text *text, const struct statement *statement,
                         const struct tool_statement *tool)
{
    AUTO_FREE char *name = name_of(statement, tool);
    const struct condition *condition = &statement->of->conditions[tool->condition];
    AUTO_FREE char *figure = signed_energy(tool->levels[LEVEL_FIGURE].mean, false);
    AUTO_FREE char *more = signed_energy(tool->more_j.mean, true), *longer = signed_time(tool->more_s.mean);
    text_printf(text, "  %-22.22s %4zu %12s", name ? name : "", condition->counted, figure ? figure : "");
    add_share(text, tool->levels[LEVEL_FIGURE].mean, tool->levels[LEVEL_UNDER].mean);
    add_share(text, tool->levels[LEVEL_FIGURE].mean, tool->levels[LEVEL_WALL].mean);
    text_printf(text, " %12s %12s\n", more ? more : "", longer ? longer : "");
}

static void add_table(struct text *text, const struct statement *statement)
{
    const struct condition *none = &statement->of->conditions[0];
    text_printf(text, "  %-22s %4s %12s %13s %13s %12s %12s\n", "", "runs", "its figure", "of Joulery's",
                "of the wall", "more energy", "more time");
    for (size_t i = 0; i < statement->tool_count; i++)
        add_tool_row(text, statement, &statement->tools[i]);
    AUTO_FREE char *energy = signed_energy(statement->alone_j.mean, false);
    AUTO_FREE char *lasts =
        isfinite(statement->alone_s.mean) ? units_duration(statement->alone_s.mean) : NULL;
    text_printf(text, "  %-22s %4zu   Joulery: %s in %s", "none", none->counted, energy ? energy : "-",
                lasts ? lasts : "-");
    if (isfinite(statement->alone_j.sd) && statement->alone_j.mean > 0)
        text_printf(text, "; runs scatter by %.2g %%", 100 * statement->alone_j.sd / statement->alone_j.mean);
    text_append(text, "\n");
}

/* ---- a waterfall ---- */

static void add_label(struct text *text, const char *label)
{
    text_printf(text, "  %-*s", LABEL_WIDTH, label);
}

/* How the tool comes by a domain that it takes for granted or models, where it says so. */
static const char *how_of(const struct tool_figure *figure, const struct step *step)
{
    for (size_t i = 0; figure && step_has_scope(step->kind) && i < figure->part_count; i++)
        if (figure->parts[i].covers[step->scope] && step->kind != STEP_MISSING)
            return figure->parts[i].how;
    return NULL;
}

static char *label_of(const struct tool_statement *tool, const struct step *step)
{
    if (step->kind == STEP_PUE)
        return text_format("  %s: %.4g", step->words, tool->pue);
    const char *how = how_of(tool->figure, step);
    AUTO_FREE char *printable = how ? text_printable(how) : NULL;
    return text_format("  %s%s%s%s", step->words, printable ? " (" : "", printable ? printable : "",
                       printable ? ")" : "");
}

static void add_step(struct text *text, const struct tool_statement *tool, size_t step)
{
    AUTO_FREE char *label = label_of(tool, &waterfall_steps[step]);
    add_label(text, label ? label : "");
    add_energy(text, &tool->steps[step], true);
    text_append(text, tool->estimated[step] ? "  estimated\n" : "\n");
}

static void add_level(struct text *text, const struct statement *statement, const struct tool_statement *tool,
                      enum level level)
{
    static const char *const words[] = {
        [LEVEL_FIGURE] = "its figure",
        [LEVEL_UNDER] = "Joulery's software total of the same run",
        [LEVEL_ALONE] = "Joulery's, of the command without a tool",
        [LEVEL_WALL] = "the wall, without a tool",
    };
    add_label(text, words[level]);
    add_energy(text, &tool->levels[level], false);
    bool software = level == LEVEL_UNDER || level == LEVEL_ALONE;
    text_append(text, software && statement->estimated ? "  estimated\n" : "\n");
}

static void add_note(struct text *text, const char *label, const char *note)
{
    text_printf(text, "  %s", label);
    text_append_wrapped(text, note, strlen(label) + 2, strlen(label) + 2, WIDTH);
    text_append(text, "\n");
}

static void add_overhead(struct text *text, const struct tool_statement *tool)
{
    AUTO_FREE char *more = signed_time(tool->more_s.mean);
    text_printf(text, "  %-*s", LABEL_WIDTH, "the whole run, with its start and end, against none");
    add_energy(text, &tool->more_j, true);
    text_printf(text, ", %s", more ? more : "");
    if (isfinite(tool->more_s.low)) {
        AUTO_FREE char *low = signed_time(tool->more_s.low), *high = signed_time(tool->more_s.high);
        text_printf(text, "  (%s to %s)", low ? low : "", high ? high : "");
    }
    text_append(text, "\n");
}

static void add_waterfall(struct text *text, const struct statement *statement,
                          const struct tool_statement *tool)
{
    AUTO_FREE char *name = name_of(statement, tool);
    text_printf(text, "\n%s, %zu round%s\n", name ? name : "", tool->rounds, tool->rounds == 1 ? "" : "s");
    if (tool->rounds == 0) {
        text_append(text, "  no round in which its run and the one without a tool both count\n");
        return;
    }
    add_level(text, statement, tool, LEVEL_FIGURE);
    for (size_t i = 0; i < STEPS; i++) {
        bool last = i + 1 == STEPS || waterfall_steps[i + 1].level != waterfall_steps[i].level;
        bool known = waterfall_steps[i].level != LEVEL_WALL || tool->levels[LEVEL_WALL].count > 0;
        if (tool->taken[i])
            add_step(text, tool, i);
        if (last && known)
            add_level(text, statement, tool, waterfall_steps[i].level);
    }
    add_overhead(text, tool);
    if (tool->figure && tool->figure->note)
        add_note(text, "note: ", tool->figure->note);
}

/* ---- what a reader must know ---- */

static void add_failures(struct text *text, const struct reconciliation *of)
{
    for (size_t i = 0; i < of->run_count; i++) {
        const struct reconcile_run *run = &of->runs[i];
        if (!run->failure)
            continue;
        AUTO_FREE char *line = text_format("round %zu, %s: %s", run->round + 1,
                                           condition_title(&of->conditions[run->condition]), run->failure);
        add_note(text, "failed: ", line ? line : "");
    }
    for (size_t i = 0; i < of->condition_count; i++) {
        AUTO_FREE char *line =
            text_format("%s was not tried again: it failed each time", condition_title(&of->conditions[i]));
        if (of->conditions[i].left_out)
            add_note(text, "failed: ", line ? line : "");
    }
}

static void add_missing(struct text *text, const struct reconciliation *of)
{
    for (size_t i = 0; i < of->condition_count; i++) {
        const struct condition *condition = &of->conditions[i];
        if (condition->used)
            continue;
        AUTO_FREE char *line =
            text_format("%s: %s (%s)", condition_title(condition),
                        condition->probe.why ? condition->probe.why : "", condition->tool->install);
        add_note(text, "can't be used: ", line ? line : "");
    }
}

static void add_notes(struct text *text, const struct statement *statement)
{
    const struct reconciliation *of = statement->of;
    size_t used = reconciliation_used(of);
    text_append(text, "\n");
    add_failures(text, of);
    add_missing(text, of);
    if (of->stopped)
        add_note(text, "note: ", "stopped early: what was run until then is here");
    if (of->rounds % order_rounds_of_places(used) != 0) {
        AUTO_FREE char *line = text_format("with %zu conditions each has had every place equally often after "
                                           "%zu rounds, or multiples of that",
                                           used, order_rounds_of_places(used));
        add_note(text, "note: ", line ? line : "");
    }
    if (statement->alone_wall_j.count == 0)
        add_note(text, "note: ", "no wattmeter: what software does not see is not known");
    if (statement->estimated)
        add_note(text, "note: ",
                 "some of Joulery's own energies are a model's: what is marked estimated tells "
                 "how two estimates differ, not which is right");
    for (size_t i = 0; i < of->note_count; i++)
        add_note(text, "note: ", of->notes[i]);
}

char *statement_text(const struct statement *statement, char *const *command)
{
    struct text text = TEXT_INIT, words = TEXT_INIT;
    for (size_t i = 0; command[i]; i++)
        text_printf(&words, "%s%s", i ? " " : "", command[i]);
    AUTO_FREE char *joined = text_take(&words);
    AUTO_FREE char *printable = joined ? text_printable(joined) : NULL;
    size_t used = reconciliation_used(statement->of);
    text_printf(&text, "'%s': %zu round%s of %zu condition%s; intervals are of 95 %%\n\n",
                printable ? printable : "", statement->of->rounds, statement->of->rounds == 1 ? "" : "s",
                used, used == 1 ? "" : "s");
    add_table(&text, statement);
    for (size_t i = 0; i < statement->tool_count; i++)
        add_waterfall(&text, statement, &statement->tools[i]);
    add_notes(&text, statement);
    return text_take(&text);
}
