/* figures.h: a report's figures for a paper, as SVG. */
#ifndef JOULERY_REPORT_FIGURES_H
#define JOULERY_REPORT_FIGURES_H

#include "report/report.h"

#define FIGURE_WIDTH_LEAST_MM 60.0
#define FIGURE_WIDTH_MM       85.0 /* one column of most journals */
#define FIGURE_WIDTH_MOST_MM  250.0

/* In `folder`, which is made if it isn't there: those of energy, duration, power, accuracy, score, emissions,
 * tradeoff, epochs, order, places and agreement, each .svg, that the study has figures for; the page's
 * charts, without what only a screen can do. `written` (the caller frees it) names them. */
int report_write_figures(const struct report *report, struct store *store, const char *folder,
                         double width_mm, char **written, struct error *error);

#endif
