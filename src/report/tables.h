/* tables.h: a report's tables for a paper, in LaTeX. */
#ifndef JOULERY_REPORT_TABLES_H
#define JOULERY_REPORT_TABLES_H

#include "report/report.h"

/* In `folder`, which is made if it isn't there: summary.tex (a row a kind of run), analysis.tex (a table a
 * response and factor, where a factor varies) and, where two instruments measured, agreement.tex. `written`
 * (the caller frees it) names them. */
int report_write_tables(const struct report *report, struct store *store,
                        const struct report_options *options, const char *folder, char **written,
                        struct error *error);

#endif
