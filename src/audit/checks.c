/* The checks, one function each and the table at the end; docs/method.md says why each may be believed. */
#include "audit/facts.h"

#include "base/clock.h"
#include "base/text.h"
#include "base/units.h"
#include "meter/cpu_tdp.h"

#include <math.h>
#include <string.h>

/* 3 W for each 8 GB of memory, which CodeCarbon took for it before version 3. */
#define RAM_W_PER_GIB 0.375
/* Figures written and read again agree to this. */
#define SAME 1e-6
/* Two runs that touch are not yet at once: timestamps are in whole seconds. */
#define OVERLAP_LEAST_S 2.0
/* A wattmeter's time against the run's. */
#define TIME_SHARE_MOST 0.02
/* A processor smaller than this may rest at less than PROCESSOR_LEAST_W. */
#define SMALL_PROCESSOR_W 65.0
/* A processor may draw more than its design power for this long. */
#define TURBO_S 120.0
/* A difference is one if it is above this many standard uncertainties, and this share. */
#define UNCERTAINTIES_MOST 3.0
#define DIFFERENCE_SHARE   0.05
/* Nothing that runs leaves a machine less than half of what it draws at rest. */
#define IDLE_SHARE_IMPOSSIBLE 0.5
/* Fewer steps than this, and half a step is 5 % and more. */
#define STEPS_LEAST 10
/* What closing and mean power of steady training agree to; a smaller PUE can't be told from it. */
#define STEADY_SHARE 0.02
#define PUE_LEAST    1.05

static bool same(double a, double b)
{
    return fabs(a - b) <= SAME * fmax(fabs(a), fabs(b));
}

static char *energy_words(double energy_j)
{
    AUTO_FREE char *size = units_energy(fabs(energy_j));
    return size ? text_format("%s%s", energy_j < 0 ? "-" : "", size) : NULL;
}

/* ---- one energy ---- */

static int check_negative(struct facts *facts, struct figure *figure, struct error *error)
{
    (void)facts;
    if (!(figure->energy_j < 0))
        return 0;
    AUTO_FREE char *energy = energy_words(figure->energy_j);
    return finding_add(figure, "negative", VERDICT_IMPOSSIBLE, error,
                       "%s is less than nothing: a counter started again at 0 and its range was not put back",
                       energy ? energy : "it");
}

static int check_closing_power(struct facts *facts, struct figure *figure, struct error *error)
{
    (void)facts;
    if (!(figure->closing_w > 0) || !isfinite(figure->mean_w) || figure->kind == KIND_MODEL)
        return 0;
    double low_w = fmin(figure->mean_w, figure->closing_w), high_w = fmax(figure->mean_w, figure->closing_w);
    if (low_w * POWER_FACTOR_DOUBTFUL >= high_w)
        return 0;
    bool impossible = low_w * POWER_FACTOR_IMPOSSIBLE < high_w;
    return finding_add(figure, "closing power", impossible ? VERDICT_IMPOSSIBLE : VERDICT_DOUBTFUL, error,
                       "a mean power of %.3g W, where the closing power of the same row is %.3g W",
                       figure->mean_w, figure->closing_w);
}

static bool is_processor(const struct figure *figure)
{
    return figure->scope == SCOPE_CPU && figure->kind != KIND_MODEL && !figure->apart &&
           isfinite(figure->mean_w);
}

static int check_floor(struct facts *facts, struct figure *figure, struct error *error)
{
    int64_t known = processors_of(facts, figure), processors = known > 0 ? known : 1;
    double least_w = PROCESSOR_LEAST_W * (double)processors;
    if (!is_processor(figure) || facts->tdp_w < SMALL_PROCESSOR_W || figure->mean_w < 0 ||
        figure->mean_w >= least_w)
        return 0;
    return finding_add(
        figure, "power floor", VERDICT_DOUBTFUL, error,
        "a mean power of %.3g W: %lld processor%s with a design power of %g W draw%s at least %g W "
        "at rest",
        figure->mean_w, (long long)processors, processors == 1 ? "" : "s", facts->tdp_w,
        processors == 1 ? "s" : "", least_w);
}

static int check_ceiling(struct facts *facts, struct figure *figure, struct error *error)
{
    double design_w = facts->tdp_w * (double)processors_of(facts, figure);
    if (!is_processor(figure) || !(design_w > 0) || figure->mean_w <= design_w)
        return 0;
    bool impossible = figure->mean_w > TDP_FACTOR_IMPOSSIBLE * design_w;
    if (!impossible && facts->run->wall_s < TURBO_S)
        return 0;
    return finding_add(figure, "power ceiling", impossible ? VERDICT_IMPOSSIBLE : VERDICT_DOUBTFUL, error,
                       "a mean power of %.4g W over %.0f s: its processors' design power is %g W",
                       figure->mean_w, facts->run->wall_s, design_w);
}

static int check_constant(struct facts *facts, struct figure *figure, struct error *error)
{
    if (!from_codecarbon(figure))
        return 0;
    if (figure->scope == SCOPE_DRAM && same(facts->ram_w, RAM_W_PER_GIB * facts->ram_gib))
        return finding_add(
            figure, "constant", VERDICT_DOUBTFUL, error,
            "no measurement: %.4g W is 3 W for each 8 GB of the machine's %.0f GB, used or not", facts->ram_w,
            facts->ram_gib);
    if (figure->scope == SCOPE_CPU && cpu_tdp_is_default(facts->cpu_w, facts->tdp_w))
        return finding_add(
            figure, "constant", VERDICT_DOUBTFUL, error,
            "no measurement: %.4g W is half a design power, CodeCarbon's constant where it can't "
            "measure",
            facts->cpu_w);
    return 0;
}

static int check_above_wall(struct facts *facts, struct figure *figure, struct error *error)
{
    double hardware_j = facts->run->hardware.energy_j;
    if (!isfinite(hardware_j) || figure->scope == SCOPE_WALL || figure == &facts->run->hardware ||
        !(figure->energy_j > hardware_j))
        return 0;
    AUTO_FREE char *inside = energy_words(figure->energy_j), *outside = energy_words(hardware_j);
    return finding_add(figure, "above the wall", VERDICT_IMPOSSIBLE, error,
                       "%s inside the machine, where %s went into it: other times, another machine, or wrong",
                       inside ? inside : "more", outside ? outside : "less");
}

/* ---- one channel ---- */

static int check_mirrored(struct facts *facts, size_t channel, struct error *error)
{
    struct figure *figure = &facts->run->channels[channel];
    const struct channel_facts *known = &facts->channels[channel];
    if (known->mirror == NO_CHANNEL)
        return 0;
    return finding_add(
        figure, "mirrored", VERDICT_DOUBTFUL, error,
        "the energies of %s, to the last digit, in %lld windows: one register that is shown twice",
        facts->run->channels[known->mirror].name, (long long)known->mirrored);
}

/* Over the time that readings cover: a gap makes an energy small for another reason. */
static double covered_w(const struct facts *facts, size_t channel)
{
    double covered_s = facts->run->wall_s - facts->channels[channel].gap_s;
    return covered_s > 0 ? facts->run->channels[channel].energy_j / covered_s : NAN;
}

static int check_idle(struct facts *facts, size_t channel, struct error *error)
{
    struct figure *figure = &facts->run->channels[channel];
    const struct channel_facts *known = &facts->channels[channel];
    double power_w = covered_w(facts, channel);
    if (figure->kind == KIND_MODEL || !(known->idle_w > 0) || !isfinite(known->idle_uncertainty_w) ||
        !(power_w < known->idle_w - UNCERTAINTIES_MOST * known->idle_uncertainty_w) ||
        !(power_w < (1 - DIFFERENCE_SHARE) * known->idle_w))
        return 0;
    bool impossible = power_w < IDLE_SHARE_IMPOSSIBLE * known->idle_w;
    return finding_add(figure, "below idle", impossible ? VERDICT_IMPOSSIBLE : VERDICT_DOUBTFUL, error,
                       "a mean power of %.4g W, where the machine at rest had %.4g W ± %.2g W", power_w,
                       known->idle_w, known->idle_uncertainty_w);
}

static int check_update(struct facts *facts, size_t channel, struct error *error)
{
    struct figure *figure = &facts->run->channels[channel];
    double update_s = facts->channels[channel].update_s;
    if (figure->apart || !isfinite(figure->energy_j) || !(facts->run->wall_s < update_s))
        return 0;
    return finding_add(figure, "update period", VERDICT_DOUBTFUL, error,
                       "the run took %.3g s, and the instrument has a new reading every %.3g s",
                       facts->run->wall_s, update_s);
}

static int check_resolution(struct facts *facts, size_t channel, struct error *error)
{
    struct figure *figure = &facts->run->channels[channel];
    double steps = steps_in(facts, channel);
    if (figure->apart || figure->kind == KIND_MODEL || !(steps >= 0 && steps < STEPS_LEAST))
        return 0;
    return finding_add(figure, "resolution", VERDICT_DOUBTFUL, error,
                       "%.2g of the instrument's steps of %.3g %s", steps,
                       facts->channels[channel].resolution, figure->kind == KIND_POWER ? "W" : "J");
}

/* What an average over the past can do at both ends of a run is no disagreement: record/compare.c. */
static bool disagree(const struct facts *facts, size_t twin, size_t whole)
{
    const struct channel_facts *a = &facts->channels[twin], *b = &facts->channels[whole];
    double wall_s = facts->run->wall_s, a_w = covered_w(facts, twin), b_w = covered_w(facts, whole);
    double uncertainty_w =
        hypot(a->uncertainty_j / (wall_s - a->gap_s), b->uncertainty_j / (wall_s - b->gap_s));
    double most_w = fmax(a_w, b_w);
    double explained_w =
        UNCERTAINTIES_MOST * uncertainty_w + most_w * fmin(fmax(a->averaging_s, b->averaging_s) / wall_s, 1);
    return fabs(a_w - b_w) > explained_w && fabs(a_w - b_w) > DIFFERENCE_SHARE * most_w;
}

static int add_to_one(struct facts *facts, size_t channel, size_t other, const char *check, const char *what,
                      struct error *error)
{
    return finding_add(&facts->run->channels[channel], check, VERDICT_DOUBTFUL, error,
                       "a mean power of %.4g W, where %s has %.4g W: %s", covered_w(facts, channel),
                       facts->run->channels[other].name, covered_w(facts, other), what);
}

/* One of the two is wrong, and nothing here tells which; but the whole platform's figure rests on the board's
 * own sensors, and says nothing against a processor's. */
static int add_to_pair(struct facts *facts, size_t channel, size_t whole, const char *check, const char *what,
                       struct error *error)
{
    if (add_to_one(facts, whole, channel, check, what, error) < 0)
        return -1;
    bool board = facts->run->channels[whole].scope == SCOPE_PLATFORM;
    return board ? 0 : add_to_one(facts, channel, whole, check, what, error);
}

static int check_twin(struct facts *facts, size_t channel, struct error *error)
{
    size_t whole = facts->channels[channel].whole;
    if (!facts->channels[channel].twin || whole == NO_CHANNEL || !disagree(facts, channel, whole))
        return 0;
    return add_to_pair(facts, channel, whole, "twin", "one quantity by two ways", error);
}

static int check_part(struct facts *facts, size_t channel, struct error *error)
{
    size_t whole = facts->channels[channel].whole;
    if (facts->channels[channel].twin || whole == NO_CHANNEL || !disagree(facts, channel, whole) ||
        covered_w(facts, channel) < covered_w(facts, whole))
        return 0;
    return add_to_pair(facts, channel, whole, "part above whole", "the one is part of the other", error);
}

/* ---- the total ---- */

static int check_sum(struct facts *facts, struct error *error)
{
    struct figure *total = &facts->run->software;
    const double parts[] = {facts->cpu_kwh, facts->gpu_kwh, facts->ram_kwh};
    double sum_kwh = 0, most_kwh = 0, least_kwh = 0;
    if (isnan(facts->cpu_kwh) || isnan(facts->total_kwh))
        return 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        sum_kwh += isfinite(parts[i]) ? parts[i] : 0;
        most_kwh = fmax(most_kwh, parts[i]);
        least_kwh = fmin(least_kwh, parts[i]);
    }
    if (same(sum_kwh, facts->total_kwh))
        return 0;
    bool above = least_kwh >= 0 && most_kwh > facts->total_kwh;
    return finding_add(total, "sum", above ? VERDICT_IMPOSSIBLE : VERDICT_DOUBTFUL, error,
                       "energy_consumed is %.6g kWh, its parts come to %.6g kWh%s", facts->total_kwh, sum_kwh,
                       above ? ", and one part is above the whole" : "");
}

/* A total is worth no more than what is in it. */
static int check_parts(struct facts *facts, struct error *error)
{
    struct audited_run *run = facts->run;
    for (size_t i = 0; i < run->channel_count; i++) {
        const struct figure *part = &run->channels[i];
        struct figure *total = part->scope == SCOPE_WALL ? &run->hardware : &run->software;
        bool inside = !part->apart && isfinite(total->energy_j);
        if (inside && part->verdict != VERDICT_SOUND &&
            finding_add(total, "parts", part->verdict, error, "%s/%s in it is %s", part->meter, part->name,
                        audit_verdict_name(part->verdict)) < 0)
            return -1;
    }
    return 0;
}

/* Dividing by it undoes what the tool did, whatever the place's true PUE is, if the tool did it: powers are
 * never multiplied. */
static int check_pue(struct facts *facts, struct error *error)
{
    struct figure *total = &facts->run->software;
    const double closing[] = {facts->cpu_w, facts->gpu_w, facts->ram_w};
    double closing_w = 0;
    if (!(facts->pue > 1))
        return 0;
    for (size_t i = 0; i < sizeof closing / sizeof *closing; i++)
        closing_w += isfinite(closing[i]) ? closing[i] : 0;
    double undivided_w = total->mean_w * facts->pue;
    bool was_not =
        closing_w > 0 && facts->pue > PUE_LEAST && fabs(undivided_w - closing_w) <= STEADY_SHARE * closing_w;
    return was_not ? finding_add(
                         total, "PUE", VERDICT_DOUBTFUL, error,
                         "divided by the row's PUE of %g, as CodeCarbon multiplies by it; but undivided its "
                         "mean power, %.4g W, would be the row's closing power",
                         facts->pue, undivided_w)
                   : finding_add(total, "PUE", VERDICT_SOUND, error,
                                 "divided by the row's PUE of %g, by which CodeCarbon multiplies energies",
                                 facts->pue);
}

/* ---- the run ---- */

static int check_epochs(struct facts *facts, struct error *error)
{
    if (facts->short_epochs == 0)
        return 0;
    const struct figure *slowest = &facts->run->channels[facts->slowest];
    return finding_add(&facts->run->epochs, "update period", VERDICT_DOUBTFUL, error,
                       "%lld of %lld are shorter than the %.3g s in which %s/%s has a new reading: "
                       "their energies are shares of what came in between",
                       (long long)facts->short_epochs, (long long)facts->epochs,
                       facts->channels[facts->slowest].update_s, slowest->meter, slowest->name);
}

static int check_other_load(struct facts *facts, struct error *error)
{
    if (!(facts->others_share > 0))
        return 0;
    return finding_add(&facts->run->whole, "other load", VERDICT_DOUBTFUL, error,
                       "other programs took %.0f %% of the processors' busy time", 100 * facts->others_share);
}

static int check_cumulative(struct facts *facts, struct error *error)
{
    if (isnan(facts->since_line))
        return 0;
    return finding_add(&facts->run->whole, "cumulative rows", VERDICT_DOUBTFUL, error,
                       "its row went on counting from line %.0f: the energies are differences of the two",
                       facts->since_line);
}

static int check_time(struct facts *facts, struct error *error)
{
    double wall_s = facts->run->wall_s;
    if (isnan(facts->wall_seconds) || fabs(facts->wall_seconds - wall_s) <= TIME_SHARE_MOST * wall_s)
        return 0;
    return finding_add(&facts->run->hardware, "time", VERDICT_DOUBTFUL, error,
                       "the wattmeter measured over %.1f s, the run took %.1f s", facts->wall_seconds,
                       wall_s);
}

/* A wattmeter may have been added to one of the two. */
static bool is_duplicate(const struct audited_run *a, const struct audited_run *b)
{
    size_t count = a->channel_count < b->channel_count ? a->channel_count : b->channel_count;
    if (a->wall_s != b->wall_s || a->software.energy_j != b->software.energy_j)
        return false;
    for (size_t i = 0; i < count && a->channels[i].scope != SCOPE_WALL; i++)
        if (a->channels[i].energy_j != b->channels[i].energy_j)
            return false;
    return true;
}

static double overlap_s(const struct facts *a, const struct facts *b)
{
    double apart_s = (double)(b->started_ns - a->started_ns) / (double)NS_PER_S;
    double begin_s = fmax(0, apart_s), end_s = fmin(a->run->wall_s, apart_s + b->run->wall_s);
    bool known = a->started_ns > 0 && b->started_ns > 0 && a->host == b->host && a->host > 0;
    return known ? end_s - begin_s : 0;
}

/* With each run before it. Of runs that were measured here, one recorder a machine saw to it. */
static int check_others(struct facts *facts, size_t number, struct error *error)
{
    struct facts *own = &facts[number];
    for (size_t i = 0; i < number && own->run->source; i++) {
        const struct facts *other = &facts[i];
        if (!other->run->source)
            continue;
        if (is_duplicate(other->run, own->run))
            return finding_add(&own->run->whole, "duplicate", VERDICT_DOUBTFUL, error,
                               "duration and energies are those of run %lld, to the last digit",
                               (long long)other->run->run);
        double both_s = overlap_s(other, own);
        if (both_s > OVERLAP_LEAST_S)
            return finding_add(
                &own->run->whole, "overlap", VERDICT_DOUBTFUL, error,
                "%.0f s of it lie within run %lld: if that was on the same machine, both hold the "
                "same joules",
                both_s, (long long)other->run->run);
    }
    return 0;
}

/* ---- the table ---- */

static int (*const of_energies[])(struct facts *facts, struct figure *figure, struct error *error) = {
    check_negative, check_closing_power, check_floor, check_ceiling, check_constant, check_above_wall,
};

static int (*const of_channels[])(struct facts *facts, size_t channel, struct error *error) = {
    check_mirrored, check_idle, check_update, check_resolution, check_twin, check_part,
};

/* In this order: the parts' verdicts come first. */
static int (*const of_runs[])(struct facts *facts, struct error *error) = {
    check_sum, check_pue, check_cumulative, check_time, check_epochs, check_other_load, check_parts,
};

static int check_energy(struct facts *facts, struct figure *figure, struct error *error)
{
    for (size_t i = 0; i < sizeof of_energies / sizeof *of_energies; i++)
        if (of_energies[i](facts, figure, error) < 0)
            return -1;
    return 0;
}

static int check_channel(struct facts *facts, size_t channel, struct error *error)
{
    for (size_t i = 0; i < sizeof of_channels / sizeof *of_channels; i++)
        if (of_channels[i](facts, channel, error) < 0)
            return -1;
    return 0;
}

static int check_run(struct facts *facts, struct error *error)
{
    struct audited_run *run = facts->run;
    for (size_t i = 0; i < run->channel_count; i++)
        if (check_energy(facts, &run->channels[i], error) < 0 || check_channel(facts, i, error) < 0)
            return -1;
    if (check_above_wall(facts, &run->software, error) < 0)
        return -1;
    for (size_t i = 0; i < sizeof of_runs / sizeof *of_runs; i++)
        if (of_runs[i](facts, error) < 0)
            return -1;
    return 0;
}

int checks_run(struct facts *facts, size_t count, struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (check_run(&facts[i], error) < 0 || check_others(facts, i, error) < 0)
            return -1;
    return 0;
}
