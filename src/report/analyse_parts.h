/* analyse_parts.h: what the files of the analysis share. Only for src/report/. */
#ifndef JOULERY_REPORT_ANALYSE_PARTS_H
#define JOULERY_REPORT_ANALYSE_PARTS_H

#include "report/analyse.h"
#include "report/analysis.h"
#include "report/place_effect.h"

/* analyse_groups.c. `costs` may be NULL; analyse_reach follows analyse_groups. */
int analyse_correlations(struct analysis *analysis, const struct network_costs *costs, struct error *error);
int analyse_groups(struct analysis *analysis, struct error *error);
int analyse_reach(struct analysis *analysis, struct store *store, struct error *error);

#endif
