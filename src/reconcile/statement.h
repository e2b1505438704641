/* statement.h: the account of a reconciliation: means over rounds, their intervals, in words and as JSON. */
#ifndef JOULERY_RECONCILE_STATEMENT_H
#define JOULERY_RECONCILE_STATEMENT_H

#include "reconcile/reconcile.h"
#include "stats/stats.h"

#include <jansson.h>

/* One tool, over the rounds in which both it and the run without a tool count. With no such round all are
 * empty summaries. */
struct tool_statement {
    size_t condition;
    size_t rounds;
    struct summary levels[LEVELS]; /* J; the steps' means lead from one to the next exactly */
    struct summary steps[STEPS];
    bool taken[STEPS], estimated[STEPS]; /* in some round */
    struct summary more_j, more_s;       /* the whole run with the tool less the whole run without */
    struct summary covered_s, command_s; /* the tool's time, and the command's under it */
    const struct tool_figure *figure;    /* of the last such round; NULL: there is none */
    double pue;                          /* of that */
};

struct statement {
    const struct reconciliation *of;
    struct summary alone_j, alone_wall_j, alone_s; /* the command without a tool */
    bool estimated;                                /* some of Joulery's energies are a model's */
    struct tool_statement *tools;                  /* those that were run, in the table's order */
    size_t tool_count;
};

/* `reconciliation` must outlive the statement. -1 only if memory ran out. The caller frees it with
 * statement_free either way. */
int statement_build(const struct reconciliation *reconciliation, struct statement *statement,
                    struct error *error);
void statement_free(struct statement *statement);

/* Each a new string or document; NULL if memory ran out. `command`: argv. */
char *statement_text(const struct statement *statement, char *const *command);
json_t *statement_to_json(const struct statement *statement, char *const *command);

#endif
