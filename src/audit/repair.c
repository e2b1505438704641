/* Counter ranges that a tool lost, put back. */
#include "audit/facts.h"

#include <math.h>
#include <string.h>

/* What Linux (powercap, max_energy_range_uj) says of a RAPL package that counts in steps of 2^-14 J: most of
 * Intel's. CodeCarbon's processors are the sum of such packages. */
#define RAPL_RANGE_J 262143.328850

struct bounds {
    double low_w, high_w;
};

/* Between what the mean power can be: near the closing power, not below rest, not above the design power, and
 * not so that the machine gives out more than went in. */
static struct bounds find_bounds(const struct facts *facts, const struct figure *figure)
{
    const struct audited_run *run = facts->run;
    int64_t processors = processors_of(facts, figure);
    struct bounds bounds = {
        fmax(figure->closing_w / POWER_FACTOR_DOUBTFUL,
             PROCESSOR_LEAST_W * (double)(processors > 0 ? processors : 1)),
        figure->closing_w * POWER_FACTOR_DOUBTFUL,
    };
    double design_w = facts->tdp_w * (double)processors;
    if (design_w > 0)
        bounds.high_w = fmin(bounds.high_w, design_w);
    double rest_j = run->software.energy_j - figure->energy_j;
    if (isfinite(run->hardware.energy_j) && isfinite(rest_j))
        bounds.high_w = fmin(bounds.high_w, (run->hardware.energy_j - rest_j) / run->wall_s);
    return bounds;
}

static double squares_up_to(double n)
{
    return n * (n + 1) * (2 * n + 1) / 6;
}

/* Each number of wraps that fits is as likely as another: the uncertainty is how far they lie from the one
 * offered, and no less than that of not knowing where within one range the truth is. */
static double wraps_uncertainty(const struct reconstruction *r)
{
    double below = r->wraps - r->least_wraps, above = r->most_wraps - r->wraps;
    double square = (squares_up_to(below) + squares_up_to(above)) / (below + above + 1);
    return sqrt(fmax(square, 1.0 / 12));
}

static bool is_lost_range(const struct figure *figure)
{
    return from_codecarbon(figure) && figure->scope == SCOPE_CPU && figure->kind == KIND_COUNTER &&
           figure->verdict != VERDICT_SOUND && figure->closing_w > 0 && figure->mean_w < figure->closing_w;
}

static void reconstruct(const struct facts *facts, struct figure *figure)
{
    double wall_s = facts->run->wall_s;
    struct bounds bounds = find_bounds(facts, figure);
    struct reconstruction r = {
        .range_j = RAPL_RANGE_J,
        .least_wraps = fmax(1, ceil((bounds.low_w * wall_s - figure->energy_j) / RAPL_RANGE_J)),
        .most_wraps = floor((bounds.high_w * wall_s - figure->energy_j) / RAPL_RANGE_J),
    };
    r.wraps = round((figure->closing_w * wall_s - figure->energy_j) / RAPL_RANGE_J);
    r.wraps = fmin(fmax(r.wraps, r.least_wraps), r.most_wraps);
    r.possible = r.most_wraps >= r.least_wraps && isfinite(r.most_wraps);
    r.energy_j = figure->energy_j + r.wraps * RAPL_RANGE_J;
    r.uncertainty_j = RAPL_RANGE_J * wraps_uncertainty(&r);
    r.mean_w = r.energy_j / wall_s;
    if (r.possible)
        figure->reconstruction = r;
}

static void sum_up(struct audited_run *run, const struct figure *figure)
{
    double before_j = isfinite(run->repaired_j) ? run->repaired_j : run->software.energy_j;
    double before_uncertainty_j = isfinite(run->repaired_uncertainty_j) ? run->repaired_uncertainty_j : 0;
    run->repaired_j = before_j + figure->reconstruction.energy_j - figure->energy_j;
    run->repaired_uncertainty_j = before_uncertainty_j + figure->reconstruction.uncertainty_j;
}

static int repair_run(struct facts *facts, struct error *error)
{
    struct audited_run *run = facts->run;
    for (size_t i = 0; i < run->channel_count; i++) {
        struct figure *figure = &run->channels[i];
        if (!is_lost_range(figure))
            continue;
        reconstruct(facts, figure);
        if (figure->reconstruction.possible && !figure->apart)
            sum_up(run, figure);
        if (!figure->reconstruction.possible &&
            finding_add(figure, "lost ranges", VERDICT_DOUBTFUL, error,
                        "no whole number of counter ranges of %.1f J, put back, leads to a power that can be",
                        RAPL_RANGE_J) < 0)
            return -1;
    }
    return 0;
}

int repair_all(struct facts *facts, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (repair_run(&facts[i], error) < 0)
            return -1;
    return 0;
}
