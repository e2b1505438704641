/* What an analysis says beside its responses: correlations, the Pareto front, reaching an accuracy. */
#include "report/analyse_parts.h"
#include "report/costs.h"
#include "report/rows.h"

#include "base/text.h"

#include <math.h>
#include <string.h>

/* ---- correlations ---- */

/* Appends energy's correlation with what each level of a factor counts (NAN: its runs are left out); of_level
 * NULL: with each run's duration. */
static int correlate(struct analysis *analysis, struct correlation c, size_t factor, const double *of_level,
                     struct error *error)
{
    struct report *report = analysis->report;
    double *x = report_alloc(report, report->run_count, sizeof *x, error);
    double *y = report_alloc(report, report->run_count, sizeof *y, error);
    if (!x || !y)
        return -1;
    for (size_t i = 0; i < report->run_count; i++) {
        const struct run *run = &report->runs[i];
        if (run->state != RUN_DONE || run->group == NO_GROUP || !isfinite(run->energy_j))
            continue;
        size_t level = of_level ? report->groups[run->group].level[factor] : 0;
        if (of_level && level >= report->factors[factor].level_count)
            continue;
        double value = of_level ? of_level[level] : run->wall_s;
        if (!isfinite(value))
            continue;
        x[c.count] = value;
        y[c.count++] = run->energy_j;
    }
    c.pearson = stats_pearson(x, y, c.count);
    c.pearson_p = stats_correlation_p(c.pearson.value, c.count);
    if (stats_spearman(x, y, c.count, &c.spearman, error) < 0)
        return -1;
    c.spearman_p = stats_correlation_p(c.spearman, c.count);
    if (isfinite(c.pearson.value))
        analysis->correlations[analysis->correlation_count++] = c;
    return 0;
}

/* By its levels' numbers; two names count 0 and 1; more names have no order. */
static int correlate_levels(struct analysis *analysis, size_t f, double *of_level, struct error *error)
{
    const struct factor *factor = &analysis->report->factors[f];
    bool numbers = true;
    for (size_t i = 0; i < factor->level_count; i++)
        numbers = numbers && text_to_double(factor->levels[i], &of_level[i]) == 0;
    if (!numbers && factor->level_count != 2)
        return 0;
    for (size_t i = 0; !numbers && i < 2; i++)
        of_level[i] = (double)i;
    return correlate(analysis,
                     (struct correlation){.with = factor->name, .second = numbers ? NULL : factor->levels[1]},
                     f, of_level, error);
}

static int correlate_costs(struct analysis *analysis, const struct network_costs *costs, size_t f,
                           double *of_level, struct error *error)
{
    const struct factor *factor = &analysis->report->factors[f];
    for (int flops = 0; flops < 2; flops++) {
        size_t known = 0;
        for (size_t i = 0; i < factor->level_count; i++) {
            const struct network_cost *cost = network_costs_find(costs, factor->levels[i]);
            of_level[i] = !cost ? NAN : flops ? cost->flops : cost->parameters;
            known += isfinite(of_level[i]);
        }
        const struct correlation c = {.with = flops ? "FLOPs" : "parameters"};
        if (known > 1 && correlate(analysis, c, f, of_level, error) < 0)
            return -1;
    }
    return 0;
}

int analyse_correlations(struct analysis *analysis, const struct network_costs *costs, struct error *error)
{
    struct report *report = analysis->report;
    analysis->correlations =
        report_alloc(report, 3 * report->factor_count + 1, sizeof *analysis->correlations, error);
    if (!analysis->correlations ||
        correlate(analysis, (struct correlation){.with = "duration"}, 0, NULL, error) < 0)
        return -1;
    for (size_t f = 0; f < report->factor_count; f++) {
        double *of_level = report_alloc(report, report->factors[f].level_count, sizeof *of_level, error);
        if (!of_level)
            return -1;
        if (report->factors[f].level_count < 2)
            continue;
        if (correlate_levels(analysis, f, of_level, error) < 0 ||
            (costs && correlate_costs(analysis, costs, f, of_level, error) < 0))
            return -1;
    }
    return 0;
}

/* ---- groups ---- */

/* Of those that are at least as accurate for no more energy, the one of least energy. */
static const char *dominating(const struct report *report, const struct group *group)
{
    const struct group *best = NULL;
    for (size_t i = 0; i < report->group_count; i++) {
        const struct group *other = &report->groups[i];
        if (!other->front || other->accuracy.mean < group->accuracy.mean ||
            other->energy_j.mean > group->energy_j.mean)
            continue;
        if (!best || other->energy_j.mean < best->energy_j.mean)
            best = other;
    }
    return best ? best->label : NULL;
}

int analyse_groups(struct analysis *analysis, struct error *error)
{
    struct report *report = analysis->report;
    analysis->groups = report_alloc(report, report->group_count, sizeof *analysis->groups, error);
    if (!analysis->groups)
        return -1;
    analysis->group_count = report->group_count;
    for (size_t i = 0; i < report->group_count; i++) {
        const struct group *group = &report->groups[i];
        bool placed = group->energy_j.count && group->accuracy.count;
        analysis->groups[i] = (struct group_figures){
            .label = group->label,
            .count = group->energy_j.count,
            .energy_j = group->energy_j.mean,
            .accuracy = group->accuracy.mean,
            .score_per_kwh = group->score_per_kwh.mean,
            .front = group->front,
            .dominated_by = placed && !group->front ? dominating(report, group) : NULL,
            .reach_energy_j = NAN,
            .reach_s = NAN,
            .reach_epochs = NAN,
        };
        analysis->estimated = analysis->estimated || group->estimated;
    }
    return 0;
}

/* ---- reaching an accuracy ---- */

struct walk {
    int64_t run;
    double energy_j, wall_s; /* so far */
    bool reached;
};

static const struct run *find_run(const struct report *report, int64_t id)
{
    size_t low = 0, high = report->run_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (report->runs[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < report->run_count && report->runs[low].id == id ? &report->runs[low] : NULL;
}

/* Sums first; means at the end. */
static void add_reached(struct group_figures *group, const struct walk *walk, int64_t epoch)
{
    if (group->reached++ == 0)
        group->reach_energy_j = group->reach_s = group->reach_epochs = 0;
    group->reach_energy_j += walk->energy_j;
    group->reach_s += walk->wall_s;
    group->reach_epochs += (double)epoch;
}

int analyse_reach(struct analysis *analysis, struct store *store, struct error *error)
{
    struct report *report = analysis->report;
    static const char sql[] =
        "SELECT e.run, e.epoch, e.software_j, e.hardware_j, e.val_accuracy, e.accuracy, e.wall_s FROM epochs "
        "e "
        "JOIN run ON run.id = e.run AND run.state = 'done' WHERE e.complete ORDER BY e.run, e.epoch";
    bool hardware = strcmp(report->basis, "hardware") == 0;
    bool validated = report->accuracy_metric && strcmp(report->accuracy_metric, "val_accuracy") == 0;
    struct walk walk = {.run = -1};
    AUTO_ROWS struct rows rows = {0};
    if (rows_open(&rows, report, store, sql, error) < 0)
        return -1;
    int got;
    while ((got = rows_next(&rows, error)) == 1) {
        if (rows_integer(&rows, 0) != walk.run)
            walk = (struct walk){.run = rows_integer(&rows, 0)};
        walk.energy_j += rows_number(&rows, hardware ? 3 : 2);
        walk.wall_s += rows_number(&rows, 6);
        const struct run *run = find_run(report, walk.run);
        if (walk.reached || !run || run->group == NO_GROUP || !isfinite(run->energy_j) ||
            !isfinite(walk.energy_j) || !(rows_number(&rows, validated ? 4 : 5) >= analysis->reach))
            continue;
        walk.reached = true;
        add_reached(&analysis->groups[run->group], &walk, rows_integer(&rows, 1));
    }
    for (size_t i = 0; i < analysis->group_count; i++) {
        struct group_figures *group = &analysis->groups[i];
        group->reach_energy_j /= (double)group->reached;
        group->reach_s /= (double)group->reached;
        group->reach_epochs /= (double)group->reached;
    }
    return got;
}
