/* The figures of each group, and their order. */
#include "report/analysis.h"

#include "base/units.h"
#include "carbon/carbon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double run_value(const struct report *report, const struct run *run, enum run_figure figure)
{
    switch (figure) {
    case FIGURE_ENERGY:
        return run->energy_j;
    case FIGURE_WALL:
        return run->wall_s;
    case FIGURE_ACCURACY:
        return run->accuracy;
    case FIGURE_SCORE:
        return run->score_per_kwh;
    case FIGURE_HARDWARE:
        return run->hardware_j;
    case FIGURE_POWER:
        return run->wall_s > 0 ? run->energy_j / run->wall_s : NAN;
    case FIGURE_EMISSIONS:
        return report_run_kg(report, run);
    }
    return NAN;
}

size_t report_values(const struct report *report, size_t group, enum run_figure figure, double *values)
{
    size_t count = 0;
    for (size_t i = 0; i < report->run_count; i++) {
        const struct run *run = &report->runs[i];
        if (run->group != group || run->state != RUN_DONE)
            continue;
        double value = run_value(report, run, figure);
        if (isfinite(value))
            values[count++] = value;
    }
    return count;
}

static int summarise_group(struct report *report, size_t place, double *values, struct error *error)
{
    struct group *group = &report->groups[place];
    struct {
        enum run_figure figure;
        struct summary *summary;
    } figures[] = {
        {FIGURE_ENERGY, &group->energy_j},     {FIGURE_WALL, &group->wall_s},
        {FIGURE_ACCURACY, &group->accuracy},   {FIGURE_SCORE, &group->score_per_kwh},
        {FIGURE_HARDWARE, &group->hardware_j}, {FIGURE_POWER, &group->power_w},
        {FIGURE_EMISSIONS, &group->kg_co2e},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++) {
        size_t count = report_values(report, place, figures[i].figure, values);
        if (stats_summarise(values, count, figures[i].summary, error) < 0)
            return -1;
        bool share = figures[i].figure == FIGURE_ACCURACY && report->accuracy_is_fraction;
        if (figures[i].summary->least >= 0)
            stats_bound_interval(figures[i].summary, 0, share ? 1 : INFINITY);
    }
    double relative = 0, low_kg = 0, high_kg = 0;
    size_t known = 0, measured = 0;
    for (size_t i = 0; i < report->run_count; i++) {
        const struct run *run = &report->runs[i];
        if (run->group != place || run->state != RUN_DONE)
            continue;
        group->estimated = group->estimated || (run->estimated && isfinite(run->energy_j));
        group->unmeasured += !isfinite(run->energy_j);
        if (isfinite(run->energy_j)) {
            low_kg += carbon_emissions_kg(run->energy_j, report->pue, run->low_g_per_kwh);
            high_kg += carbon_emissions_kg(run->energy_j, report->pue, run->high_g_per_kwh);
            measured++;
        }
        if (run->energy_j > 0 && isfinite(run->uncertainty_j)) {
            relative += run->uncertainty_j / run->energy_j;
            known++;
        }
    }
    group->instrument_uncertainty = known ? relative / (double)known : NAN;
    group->low_kg_co2e = measured ? low_kg / (double)measured : NAN;
    group->high_kg_co2e = measured ? high_kg / (double)measured : NAN;
    return 0;
}

static int mark_front(struct report *report, struct error *error)
{
    double *cost = report_alloc(report, report->group_count, sizeof *cost, error);
    double *gain = report_alloc(report, report->group_count, sizeof *gain, error);
    bool *front = report_alloc(report, report->group_count, sizeof *front, error);
    size_t *place = report_alloc(report, report->group_count, sizeof *place, error);
    if (!cost || !gain || !front || !place)
        return -1;
    size_t count = 0;
    for (size_t i = 0; i < report->group_count; i++) {
        const struct group *group = &report->groups[i];
        if (!group->energy_j.count || !group->accuracy.count)
            continue;
        cost[count] = group->energy_j.mean;
        gain[count] = group->accuracy.mean;
        place[count++] = i;
    }
    if (stats_pareto(cost, gain, count, front, error) < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        report->groups[place[i]].front = front[i];
    return 0;
}

/* The most accuracy per kWh first, then the least energy, then what has neither. */
static int best_first(const void *a, const void *b)
{
    const struct group *p = a, *q = b;
    if (p->score_per_kwh.count && q->score_per_kwh.count)
        return (p->score_per_kwh.mean < q->score_per_kwh.mean) -
               (p->score_per_kwh.mean > q->score_per_kwh.mean);
    if (p->score_per_kwh.count || q->score_per_kwh.count)
        return p->score_per_kwh.count ? -1 : 1;
    if (p->energy_j.count && q->energy_j.count)
        return (p->energy_j.mean > q->energy_j.mean) - (p->energy_j.mean < q->energy_j.mean);
    if (p->energy_j.count || q->energy_j.count)
        return p->energy_j.count ? -1 : 1;
    return strcmp(p->label, q->label);
}

/* `level` of a group is its identity, wherever sorting has put it. */
static int order_groups(struct report *report, struct error *error)
{
    size_t **before = report_alloc(report, report->group_count, sizeof *before, error);
    if (!before)
        return -1;
    for (size_t i = 0; i < report->group_count; i++)
        before[i] = report->groups[i].level;
    qsort(report->groups, report->group_count, sizeof *report->groups, best_first);
    size_t *now = report_alloc(report, report->group_count, sizeof *now, error);
    if (!now)
        return -1;
    for (size_t i = 0; i < report->group_count; i++)
        for (size_t k = 0; k < report->group_count; k++)
            if (report->groups[k].level == before[i])
                now[i] = k;
    for (size_t i = 0; i < report->run_count; i++)
        if (report->runs[i].group != NO_GROUP)
            report->runs[i].group = now[report->runs[i].group];
    return 0;
}

int report_group(struct report *report, struct error *error)
{
    double *values = report_alloc(report, report->run_count, sizeof *values, error);
    if (!values)
        return -1;
    for (size_t i = 0; i < report->run_count; i++) {
        struct run *run = &report->runs[i];
        run->score_per_kwh = run->energy_j > 0 ? run->accuracy / (run->energy_j / J_PER_KWH) : NAN;
    }
    for (size_t i = 0; i < report->group_count; i++)
        if (summarise_group(report, i, values, error) < 0)
            return -1;
    if (mark_front(report, error) < 0)
        return -1;
    return order_groups(report, error);
}

const char *report_main_level(const struct report *report, const struct group *group)
{
    if (report->main_factor == SIZE_MAX)
        return group->label;
    return report->factors[report->main_factor].levels[group->level[report->main_factor]];
}
