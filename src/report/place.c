/* Where the study's joules are turned into CO2e, and with which PUE. */
#include "carbon/place_groups.h"
#include "report/analysis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Shown where the reader named no places: grids from nearly free of carbon to nearly all coal. */
static const char *const usual_places[] = {"SWE", "FRA", "GBR", "ESP", "USA",
                                           "DEU", "CHN", "POL", "IND", "ZAF"};

/* The report's pool owns what the list held. */
static int keep_places(struct report *report, const struct place_list *list, struct error *error)
{
    report->among = report_alloc(report, list->count + 1, sizeof *report->among, error);
    if (!report->among)
        return -1;
    memcpy(report->among, list->items, list->count * sizeof *list->items);
    report->among_count = list->count;
    return 0;
}

double report_done_s(const struct report *report)
{
    double wall_s = 0;
    for (size_t i = 0; i < report->run_count; i++)
        if (report->runs[i].state == RUN_DONE && isfinite(report->runs[i].wall_s))
            wall_s += report->runs[i].wall_s;
    return wall_s;
}

static int find_places(struct report *report, const char *const *names, size_t count, struct error *error)
{
    struct place_list list = {0};
    struct place_groups *groups = place_groups_open(error);
    int result = groups && report->location ? place_list_add(&list, report->location, error) : 0;
    for (size_t i = 0; i < count && groups && result == 0; i++)
        result = place_groups_select(groups, report->places, names[i], &list, error);
    if (groups && result == 0)
        result = keep_places(report, &list, error);
    free(list.items);
    place_groups_close(groups);
    return groups ? result : -1;
}

int report_place(struct report *report, const struct report_options *options, struct error *error)
{
    report->places = options->places;
    report->embodied = options->embodied;
    const char *name = options->location ? options->location : report->study_location;
    if (name) {
        report->location = places_find(report->places, name, error);
        if (!report->location)
            return options->location ? -1 : error_prefix(error, "location of the study");
    }
    double pue = options->pue > 0 ? options->pue : report->study_pue;
    report->pue_given = pue > 0;
    /* one for all runs: where each has a place of its own, no place's own */
    report->pue = location_pue(options->site_factor ? NULL : report->location, pue, &report->pue_own);
    if (!(report->pue >= 1) || !isfinite(report->pue))
        return error_set(error, "PUE: expected a number of at least 1, found %g", report->pue);
    if (options->among_count)
        return find_places(report, options->among, options->among_count, error);
    return find_places(report, usual_places, sizeof usual_places / sizeof *usual_places, error);
}
