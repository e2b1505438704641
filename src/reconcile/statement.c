#include "reconcile/statement.h"

#include <math.h>
#include <stdlib.h>

/* The quantities of a tool, in the order of the columns of `table`. */
enum {
    COLUMN_LEVELS,
    COLUMN_STEPS = LEVELS,
    COLUMN_MORE_J = LEVELS + STEPS,
    COLUMN_MORE_S,
    COLUMN_COVERED,
    COLUMN_COMMAND,
    COLUMNS
};

static void put(double *table, size_t rounds, size_t column, size_t row, double value)
{
    table[column * rounds + row] = value;
}

/* One round: its row of the table. */
static void add_round(struct tool_statement *tool, double *table, size_t capacity,
                      const struct reconcile_run *under, const struct reconcile_run *alone)
{
    struct waterfall waterfall;
    size_t row = tool->rounds++;
    waterfall_build(&under->figure, &under->command, &alone->command, &waterfall);
    for (size_t i = 0; i < LEVELS; i++)
        put(table, capacity, COLUMN_LEVELS + i, row, waterfall.levels[i]);
    for (size_t i = 0; i < STEPS; i++) {
        put(table, capacity, COLUMN_STEPS + i, row, waterfall.step_j[i]);
        tool->taken[i] = tool->taken[i] || waterfall.taken[i];
        tool->estimated[i] = tool->estimated[i] || waterfall.estimated[i];
    }
    put(table, capacity, COLUMN_MORE_J, row, under->whole.software_j - alone->whole.software_j);
    put(table, capacity, COLUMN_MORE_S, row, under->whole.wall_s - alone->whole.wall_s);
    put(table, capacity, COLUMN_COVERED, row, under->figure.covered_s);
    put(table, capacity, COLUMN_COMMAND, row, under->command.wall_s);
    tool->figure = &under->figure;
    tool->pue = under->figure.pue;
}

/* A quantity that some round lacks is not known: means over other rounds would not add up. */
static int summarise(const double *values, size_t count, struct summary *summary, struct error *error)
{
    size_t known = 0;
    while (known < count && isfinite(values[known]))
        known++;
    return stats_summarise(values, known == count ? count : 0, summary, error);
}

static int summarise_tool(struct tool_statement *tool, const double *table, size_t capacity,
                          struct error *error)
{
    struct summary *const others[] = {&tool->more_j, &tool->more_s, &tool->covered_s, &tool->command_s};
    for (size_t i = 0; i < COLUMNS; i++) {
        struct summary *to = i < COLUMN_STEPS    ? &tool->levels[i]
                             : i < COLUMN_MORE_J ? &tool->steps[i - COLUMN_STEPS]
                                                 : others[i - COLUMN_MORE_J];
        if (summarise(table + i * capacity, tool->rounds, to, error) < 0)
            return -1;
    }
    for (size_t i = 0; i < STEPS; i++) /* some round had no wattmeter's energy */
        if (waterfall_steps[i].level == LEVEL_WALL && tool->levels[LEVEL_WALL].count == 0)
            tool->taken[i] = false;
    return 0;
}

static int build_tool(const struct reconciliation *of, size_t condition, struct tool_statement *tool,
                      struct error *error)
{
    double *table = calloc(COLUMNS * of->rounds + 1, sizeof *table);
    if (!table)
        return error_memory(error, "statement");
    *tool = (struct tool_statement){.condition = condition, .pue = 1};
    for (size_t round = 0; round < of->rounds; round++) {
        const struct reconcile_run *under = reconciliation_find(of, round, condition);
        const struct reconcile_run *alone = reconciliation_find(of, round, 0);
        if (under && alone)
            add_round(tool, table, of->rounds, under, alone);
    }
    int result = summarise_tool(tool, table, of->rounds, error);
    free(table);
    return result;
}

/* One quantity of the runs without a tool. */
static double alone_quantity(const struct reconcile_run *run, size_t quantity)
{
    const double values[] = {run->command.software_j, run->command.hardware_j, run->command.wall_s};
    return values[quantity];
}

static int build_alone(struct statement *statement, struct error *error)
{
    const struct reconciliation *of = statement->of;
    struct summary *const to[] = {&statement->alone_j, &statement->alone_wall_j, &statement->alone_s};
    double *values = calloc(of->rounds + 1, sizeof *values);
    if (!values)
        return error_memory(error, "statement");
    int result = 0;
    for (size_t quantity = 0; quantity < sizeof to / sizeof *to && result == 0; quantity++) {
        size_t count = 0;
        for (size_t round = 0; round < of->rounds; round++) {
            const struct reconcile_run *run = reconciliation_find(of, round, 0);
            if (run)
                values[count++] = alone_quantity(run, quantity);
        }
        result = summarise(values, count, to[quantity], error);
    }
    free(values);
    return result;
}

int statement_build(const struct reconciliation *reconciliation, struct statement *statement,
                    struct error *error)
{
    *statement = (struct statement){.of = reconciliation};
    statement->tools = calloc(reconciliation->condition_count + 1, sizeof *statement->tools);
    if (!statement->tools)
        return error_memory(error, "statement");
    for (size_t i = 0; i < reconciliation->run_count; i++)
        statement->estimated = statement->estimated || reconciliation->runs[i].command.estimated;
    for (size_t i = 1; i < reconciliation->condition_count; i++) {
        if (!reconciliation->conditions[i].used)
            continue;
        if (build_tool(reconciliation, i, &statement->tools[statement->tool_count], error) < 0)
            return -1;
        statement->tool_count++;
    }
    return build_alone(statement, error);
}

void statement_free(struct statement *statement)
{
    free(statement->tools);
    *statement = (struct statement){0};
}
