#include "reconcile/waterfall.h"

#include <math.h>

const struct step waterfall_steps[STEPS] = {
    {STEP_PUE, SCOPE_WALL, LEVEL_UNDER, "PUE folded in"},
    {STEP_CONSTANT, SCOPE_CPU, LEVEL_UNDER, "processors: its constant"},
    {STEP_CONSTANT, SCOPE_DRAM, LEVEL_UNDER, "memory: its constant"},
    {STEP_CONSTANT, SCOPE_GPU, LEVEL_UNDER, "GPUs: its constant"},
    {STEP_MODEL, SCOPE_CPU, LEVEL_UNDER, "processors: its model"},
    {STEP_MODEL, SCOPE_DRAM, LEVEL_UNDER, "memory: its model"},
    {STEP_MODEL, SCOPE_GPU, LEVEL_UNDER, "GPUs: its model"},
    {STEP_EXTRA, SCOPE_CPU, LEVEL_UNDER, "processors: Joulery has none"},
    {STEP_EXTRA, SCOPE_DRAM, LEVEL_UNDER, "memory: Joulery has none"},
    {STEP_EXTRA, SCOPE_GPU, LEVEL_UNDER, "GPUs: Joulery has none"},
    {STEP_MISSING, SCOPE_CPU, LEVEL_UNDER, "processors: not read by it"},
    {STEP_MISSING, SCOPE_DRAM, LEVEL_UNDER, "memory: not read by it"},
    {STEP_MISSING, SCOPE_GPU, LEVEL_UNDER, "GPUs: not read by it"},
    {STEP_EDGES, SCOPE_WALL, LEVEL_UNDER, "edges of its window"},
    {STEP_REST, SCOPE_WALL, LEVEL_UNDER, "rest: readings and noise"},
    {STEP_OVERHEAD, SCOPE_WALL, LEVEL_ALONE, "its own overhead"},
    {STEP_UNSEEN, SCOPE_WALL, LEVEL_WALL, "not seen by software"},
};

const char *step_kind_name(enum step_kind kind)
{
    static const char *const names[] = {
        [STEP_PUE] = "pue",     [STEP_CONSTANT] = "constant", [STEP_MODEL] = "model",
        [STEP_EXTRA] = "extra", [STEP_MISSING] = "missing",   [STEP_EDGES] = "edges",
        [STEP_REST] = "rest",   [STEP_OVERHEAD] = "overhead", [STEP_UNSEEN] = "unseen",
    };
    return names[kind];
}

bool step_has_scope(enum step_kind kind)
{
    return kind >= STEP_CONSTANT && kind <= STEP_MISSING;
}

void observation_take(const struct record *record, size_t window, struct observation *observation)
{
    struct energy_totals totals = record_totals(record, window);
    *observation = (struct observation){.wall_s = record->windows[window].wall_s,
                                        .software_j = totals.software_j,
                                        .hardware_j = totals.hardware_j,
                                        .estimated = totals.estimated};
    for (size_t scope = 0; scope < CLAIMED_SCOPES; scope++) {
        totals = record_scope_totals(record, window, (enum channel_scope)scope);
        observation->scope_j[scope] = totals.software_j;
        observation->scope_estimated[scope] = totals.estimated;
    }
}

static size_t find_step(enum step_kind kind, enum channel_scope scope)
{
    size_t at = 0;
    while (at + 1 < STEPS &&
           (waterfall_steps[at].kind != kind || (step_has_scope(kind) && waterfall_steps[at].scope != scope)))
        at++;
    return at;
}

static void add(struct waterfall *waterfall, enum step_kind kind, enum channel_scope scope, double energy_j,
                bool estimated)
{
    size_t at = find_step(kind, scope);
    waterfall->step_j[at] += energy_j;
    waterfall->taken[at] = true;
    waterfall->estimated[at] = waterfall->estimated[at] || estimated;
}

/* The scopes of a part that Joulery has too: their energy over the tool's time, NAN if there is none. */
static double seen_j(const struct tool_part *part, const struct observation *under, double share,
                     bool *estimated)
{
    double energy_j = 0;
    bool any = false;
    for (size_t scope = 0; scope < CLAIMED_SCOPES; scope++) {
        if (!part->covers[scope] || isnan(under->scope_j[scope]))
            continue;
        energy_j += under->scope_j[scope] * share;
        *estimated = *estimated || under->scope_estimated[scope];
        any = true;
    }
    return any ? energy_j : NAN;
}

static enum channel_scope first_scope(const struct tool_part *part)
{
    size_t scope = 0;
    while (scope + 1 < CLAIMED_SCOPES && !part->covers[scope])
        scope++;
    return (enum channel_scope)scope;
}

/* Marks in `had` the scopes that need no step of their own any more. */
static void add_part(struct waterfall *waterfall, const struct tool_part *part,
                     const struct observation *under, double share, bool had[CLAIMED_SCOPES])
{
    enum channel_scope scope = first_scope(part);
    bool estimated = false;
    double joulery_j = seen_j(part, under, share, &estimated);
    if (part->basis == BASIS_CONSTANT) {
        add(waterfall, STEP_CONSTANT, scope, -part->energy_j, true);
        return;
    }
    if (isnan(joulery_j))
        add(waterfall, STEP_EXTRA, scope, -part->energy_j, part->basis == BASIS_MODEL);
    else if (part->basis == BASIS_MODEL)
        add(waterfall, STEP_MODEL, scope, joulery_j - part->energy_j, true);
    for (size_t i = 0; i < CLAIMED_SCOPES; i++)
        had[i] = had[i] || part->covers[i];
}

static double sum_steps(const struct waterfall *waterfall)
{
    double sum_j = 0;
    for (size_t i = 0; i < STEPS; i++)
        sum_j += waterfall->step_j[i];
    return sum_j;
}

void waterfall_build(const struct tool_figure *figure, const struct observation *under,
                     const struct observation *alone, struct waterfall *waterfall)
{
    bool had[CLAIMED_SCOPES] = {false};
    double share = isnan(figure->covered_s) ? 1 : figure->covered_s / under->wall_s;
    *waterfall = (struct waterfall){.levels = {[LEVEL_FIGURE] = figure->energy_j,
                                               [LEVEL_UNDER] = under->software_j,
                                               [LEVEL_ALONE] = alone->software_j,
                                               [LEVEL_WALL] = alone->hardware_j}};
    if (figure->pue != 1)
        add(waterfall, STEP_PUE, SCOPE_WALL, figure->energy_j / figure->pue - figure->energy_j, false);
    for (size_t i = 0; i < figure->part_count; i++)
        add_part(waterfall, &figure->parts[i], under, share, had);
    for (size_t scope = 0; scope < CLAIMED_SCOPES; scope++)
        if (!had[scope] && !isnan(under->scope_j[scope]))
            add(waterfall, STEP_MISSING, (enum channel_scope)scope, under->scope_j[scope] * share,
                under->scope_estimated[scope]);
    if (!isnan(figure->covered_s))
        add(waterfall, STEP_EDGES, SCOPE_WALL, under->software_j * (1 - share), under->estimated);
    add(waterfall, STEP_REST, SCOPE_WALL, under->software_j - figure->energy_j - sum_steps(waterfall),
        under->estimated);
    add(waterfall, STEP_OVERHEAD, SCOPE_WALL, alone->software_j - under->software_j, alone->estimated);
    if (!isnan(alone->hardware_j))
        add(waterfall, STEP_UNSEEN, SCOPE_WALL, alone->hardware_j - alone->software_j, alone->estimated);
}
