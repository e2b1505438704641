/* Threats to the validity of what a report says, found in the study's own data. docs/method.md has the
 * limits. */
#include "report/analysis.h"

#include "base/text.h"
#include "stats/pairs.h"
#include "store/disturbance.h"

#include <math.h>
#include <stdlib.h>

#define THREATS_MOST     8
#define REPETITIONS_FEW  3 /* below which an interval is hardly one */
#define DRIFT_RUNS_LEAST 8
#define GAP_SHARE        0.05 /* of a run's time */

static int add(struct report *report, struct text *text, struct error *error)
{
    char *threat = report_keep(report, text_take(text), error);
    if (!threat)
        return -1;
    report->threats[report->threat_count++] = threat;
    return 0;
}

static int find_few_repetitions(struct report *report, struct error *error)
{
    size_t few = 0, once = 0;
    struct text text = TEXT_INIT;
    for (size_t i = 0; i < report->group_count; i++) {
        few += report->groups[i].energy_j.count > 0 && report->groups[i].energy_j.count < REPETITIONS_FEW;
        once += report->groups[i].energy_j.count == 1;
    }
    if (few == 0)
        return 0;
    text_printf(&text, "Few repetitions: %zu of %zu settings were run less than %d times%s.", few,
                report->group_count, REPETITIONS_FEW,
                once == few ? ", so that nothing is known of their scatter"
                            : ", so that their intervals are wide or none");
    return add(report, &text, error);
}

/* Of each run: how far its energy lies from the mean of its kind. Kinds of one run tell nothing. */
static size_t deviations(const struct report *report, double *order, double *deviation)
{
    size_t count = 0;
    for (size_t i = 0; i < report->run_count; i++) {
        const struct run *run = &report->runs[i];
        if (run->state != RUN_DONE || run->group == NO_GROUP || !isfinite(run->energy_j))
            continue;
        const struct summary *energy_j = &report->groups[run->group].energy_j;
        if (energy_j->count < 2 || !(energy_j->mean > 0))
            continue;
        order[count] = (double)count;
        deviation[count++] = run->energy_j / energy_j->mean - 1;
    }
    return count;
}

/* Runs are in order of execution. */
static int find_drift(struct report *report, struct error *error)
{
    double *order = calloc(report->run_count + 1, sizeof *order);
    double *deviation = calloc(report->run_count + 1, sizeof *deviation);
    struct text text = TEXT_INIT;
    int result = order && deviation ? 0 : error_memory(error, "report");
    size_t count = result == 0 ? deviations(report, order, deviation) : 0;
    if (result == 0 && count >= DRIFT_RUNS_LEAST) {
        struct line line;
        struct interval r = stats_pearson(order, deviation, count);
        stats_least_squares(order, deviation, count, &line);
        double change = line.slope.value * (double)(count - 1);
        if (r.low > 0 || r.high < 0) {
            text_printf(
                &text,
                "Drift: energies %s by %.2g %% from the first run to the last (correlation with the order "
                "of execution %.2f, 95 %% interval %.2f to %.2f): the machine warmed up, or something else "
                "changed.",
                change > 0 ? "rose" : "fell", 100 * fabs(change), r.value, r.low, r.high);
            result = add(report, &text, error);
        }
    }
    free(order);
    free(deviation);
    return result;
}

static int find_estimates(struct report *report, struct error *error)
{
    size_t estimated = 0, done = 0;
    struct text text = TEXT_INIT;
    for (size_t i = 0; i < report->run_count; i++) {
        done += report->runs[i].state == RUN_DONE;
        estimated += report->runs[i].state == RUN_DONE && report->runs[i].estimated;
    }
    if (estimated == 0)
        return 0;
    text_printf(
        &text,
        "Estimates: a model's figures are in the energies of %zu of %zu runs. What all of them share is "
        "not in the intervals.",
        estimated, done);
    return add(report, &text, error);
}

static int find_gaps(struct report *report, struct error *error)
{
    size_t count = 0;
    double most = 0;
    struct text text = TEXT_INIT;
    for (size_t i = 0; i < report->run_count; i++) {
        const struct run *run = &report->runs[i];
        double share = run->state == RUN_DONE && run->wall_s > 0 ? run->gap_s / run->wall_s : 0;
        count += share > GAP_SHARE;
        most = fmax(most, share);
    }
    if (count == 0)
        return 0;
    text_printf(&text,
                "Gaps: in %zu runs an instrument was silent for more than %.0f %% of the time, at the most "
                "for %.0f %%: "
                "their energies are too small.",
                count, 100 * GAP_SHARE, 100 * fmin(most, 1));
    return add(report, &text, error);
}

static int find_disturbed(struct report *report, struct error *error)
{
    size_t disturbed = 0;
    double most = 0;
    struct text text = TEXT_INIT;
    for (size_t i = 0; i < report->run_count; i++) {
        disturbed += report->runs[i].others_share > 0;
        most = fmax(most, report->runs[i].others_share);
    }
    if (disturbed == 0)
        return 0;
    text_printf(
        &text,
        "Disturbed runs: in %zu run%s other programs took more than %.0f %% of the processors' busy time, "
        "at the most %.0f %%: their energies are in part those of others.",
        disturbed, disturbed == 1 ? "" : "s", 100 * SHARE_DISTURBED, 100 * most);
    return add(report, &text, error);
}

static int find_unfinished(struct report *report, struct error *error)
{
    size_t failed = report->states[RUN_FAILED], without = 0;
    struct text text = TEXT_INIT;
    for (size_t i = 0; i < report->group_count; i++)
        without += report->groups[i].planned > 0 && report->groups[i].energy_j.count == 0;
    if (failed == 0 && without == 0)
        return 0;
    text_printf(&text, "Missing runs: %zu failed", failed);
    if (without)
        text_printf(&text, ", and %zu settings have no energy at all", without);
    text_append(&text, ". If runs fail for what is studied, those that are left are no fair sample.");
    return add(report, &text, error);
}

static int find_hosts(struct report *report, struct error *error)
{
    struct text text = TEXT_INIT;
    if (report->host_count < 2)
        return 0;
    text_printf(&text,
                "Several machines, or one that changed: runs are from %zu descriptions of a machine. Unless "
                "that is a "
                "factor, its effect is in the others.",
                report->host_count);
    return add(report, &text, error);
}

int report_find_threats(struct report *report, struct error *error)
{
    static int (*const finders[])(struct report *, struct error *) = {
        find_few_repetitions, find_drift,      find_estimates, find_gaps,
        find_disturbed,       find_unfinished, find_hosts};
    report->threats = report_alloc(report, THREATS_MOST, sizeof *report->threats, error);
    int result = report->threats ? 0 : -1;
    for (size_t i = 0; i < sizeof finders / sizeof *finders && result == 0; i++)
        result = finders[i](report, error);
    return result;
}
