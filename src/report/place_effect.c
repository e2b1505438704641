#include "report/place_effect.h"

#include "base/random.h"
#include "base/text.h"
#include "stats/groups.h"

#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWINGS = 1000 };

/* One finished run with an energy. */
struct logged {
    double energy, grid; /* logarithms; grid: of its site's intensity */
    size_t level, group, site;
};

struct effect_data {
    struct logged *runs; /* those of a group one after another */
    size_t count, levels, groups, sites;
    double grid_variance; /* of the places compared */
    /* of one drawing */
    double *values;
    size_t *rows, *columns;
};

struct shares {
    double main, place, both, others, chance;
};

/* ---- the runs ---- */

static int by_group(const void *a, const void *b)
{
    const struct logged *one = a, *other = b;
    return (one->group > other->group) - (one->group < other->group);
}

static int collect(const struct report *report, size_t site, const struct location *const *at,
                   struct effect_data *data, struct error *error)
{
    size_t size = report->run_count + 1;
    data->runs = calloc(size, sizeof *data->runs);
    data->values = calloc(size, sizeof *data->values);
    data->rows = calloc(size, sizeof *data->rows);
    data->columns = calloc(size, sizeof *data->columns);
    if (!data->runs || !data->values || !data->rows || !data->columns)
        return error_memory(error, "emissions by place");
    for (size_t i = 0; i < report->run_count; i++) {
        const struct run *run = &report->runs[i];
        if (run->state != RUN_DONE || run->group == NO_GROUP || !(run->energy_j > 0) ||
            !isfinite(run->energy_j))
            continue;
        const size_t *level = report->groups[run->group].level;
        size_t main = level[report->main_factor], where = site == NO_GROUP ? 0 : level[site];
        if (main >= report->factors[report->main_factor].level_count ||
            (site != NO_GROUP && where >= report->factors[site].level_count))
            continue;
        data->runs[data->count++] = (struct logged){
            log(run->energy_j), at ? log(at[where]->intensity_g_per_kwh) : 0, main, run->group, where};
    }
    qsort(data->runs, data->count, sizeof *data->runs, by_group);
    data->levels = report->factors[report->main_factor].level_count;
    data->groups = report->group_count;
    data->sites = site == NO_GROUP ? 1 : report->factors[site].level_count;
    return 0;
}

static void effect_data_free(struct effect_data *data)
{
    free(data->runs);
    free(data->values);
    free(data->rows);
    free(data->columns);
}

/* ---- shares ---- */

static void draw(const struct effect_data *d, const size_t *drawn, size_t (*column)(const struct logged *))
{
    for (size_t i = 0; i < d->count; i++) {
        const struct logged *run = &d->runs[drawn[i]];
        d->values[i] = run->energy + run->grid;
        d->rows[i] = run->level;
        d->columns[i] = column(run);
    }
}

static size_t group_of(const struct logged *run)
{
    return run->group;
}

static size_t site_of(const struct logged *run)
{
    return run->site;
}

static double variance(const double *values, size_t count)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        mean += values[i] / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += (values[i] - mean) * (values[i] - mean) / (double)count;
    return squares;
}

/* 0 where nothing varies at all. */
static double between(const double *values, const size_t *levels, size_t level_count, size_t count)
{
    double share = stats_share_between(values, levels, level_count, count);
    return isnan(share) ? 0 : share;
}

/* Each run in every place: the logarithm is a sum of two numbers that know nothing of each other, and
 * variances add. */
static void crossed_shares(const struct effect_data *d, const size_t *drawn, struct shares *shares)
{
    draw(d, drawn, group_of);
    double of_runs = variance(d->values, d->count), total = of_runs + d->grid_variance;
    double level = between(d->values, d->rows, d->levels, d->count);
    double group = between(d->values, d->columns, d->groups, d->count);
    *shares = (struct shares){level * of_runs / total, d->grid_variance / total, 0,
                              (group - level) * of_runs / total, (1 - group) * of_runs / total};
}

static int observed_shares(const struct effect_data *d, const size_t *drawn, struct shares *shares,
                           struct error *error)
{
    struct variance_shares s;
    draw(d, drawn, group_of);
    double group = between(d->values, d->columns, d->groups, d->count);
    draw(d, drawn, site_of);
    int told =
        stats_variance_shares(d->values, d->rows, d->levels, d->columns, d->sites, d->count, &s, error);
    *shares = told > 0 ? (struct shares){s.rows, s.columns, s.interaction, group - (1 - s.within), 1 - group}
                       : (struct shares){0};
    return told < 0 ? -1 : 0;
}

static int shares_of(const struct effect_data *d, bool observed, const size_t *drawn, struct shares *shares,
                     struct error *error)
{
    if (observed)
        return observed_shares(d, drawn, shares, error);
    crossed_shares(d, drawn, shares);
    return 0;
}

/* As many runs of each group as it has. Whether some group has two. */
static bool draw_runs(const struct effect_data *d, struct random_stream *random, size_t *drawn)
{
    bool repeated = false;
    for (size_t from = 0, to; from < d->count; from = to) {
        for (to = from; to < d->count && d->runs[to].group == d->runs[from].group;)
            to++;
        for (size_t i = from; i < to; i++)
            drawn[i] = from + random_below(random, to - from);
        repeated = repeated || to - from > 1;
    }
    return repeated;
}

enum { SHARES = 5 };

static void set_intervals(double *drawings, struct effect_share *const *into)
{
    for (size_t k = 0; k < SHARES; k++) {
        double *values = drawings + k * DRAWINGS;
        gsl_sort(values, 1, DRAWINGS);
        into[k]->low = values[DRAWINGS / 40];
        into[k]->high = values[DRAWINGS - 1 - DRAWINGS / 40];
    }
}

static int share_out(const struct report *report, const struct effect_data *d, struct place_effect *effect,
                     struct error *error)
{
    struct effect_share *const into[SHARES] = {&effect->by_main, &effect->by_place, &effect->by_both,
                                               &effect->by_others, &effect->by_chance};
    size_t *drawn = calloc(d->count + 1, sizeof *drawn);
    double *drawings = calloc(SHARES * DRAWINGS, sizeof *drawings);
    struct random_stream random;
    random_seed(&random, (uint64_t)report->seed, 0x706c616365); /* "place" */
    int result = drawn && drawings ? 0 : error_memory(error, "emissions by place");
    bool repeated = result == 0;
    for (size_t i = 0; i < d->count && result == 0; i++)
        drawn[i] = i;
    for (size_t n = 0; n <= DRAWINGS && repeated && result == 0; n++) {
        struct shares s;
        result = shares_of(d, effect->observed, drawn, &s, error);
        const double found[SHARES] = {s.main, s.place, s.both, s.others, s.chance};
        for (size_t k = 0; k < SHARES; k++) {
            if (n == 0)
                *into[k] = (struct effect_share){found[k], NAN, NAN};
            else
                drawings[k * DRAWINGS + n - 1] = found[k];
        }
        repeated = n == DRAWINGS || draw_runs(d, &random, drawn);
    }
    if (repeated && result == 0)
        set_intervals(drawings, into);
    free(drawn);
    free(drawings);
    return result;
}

/* ---- factors between extremes ---- */

/* Of runs' logarithms by level or site: the extremes of the means. Levels without runs have none. */
struct extremes {
    size_t least, most;
    double factor; /* the most by the least */
    size_t count;  /* levels with runs */
};

static int find_extremes(const struct effect_data *d, bool by_site, size_t levels, struct extremes *found,
                         struct error *error)
{
    double *sums = calloc(2 * levels + 1, sizeof *sums), *counts = sums ? sums + levels : NULL;
    if (!sums)
        return error_memory(error, "emissions by place");
    for (size_t i = 0; i < d->count; i++) {
        const struct logged *run = &d->runs[i];
        size_t level = by_site ? run->site : run->level;
        sums[level] += run->energy + (by_site ? run->grid : 0);
        counts[level]++;
    }
    *found = (struct extremes){SIZE_MAX, SIZE_MAX, NAN, 0};
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < levels; i++) {
        double mean = counts[i] > 0 ? sums[i] / counts[i] : NAN;
        found->count += counts[i] > 0;
        if (mean < least)
            least = mean, found->least = i;
        if (mean > most)
            most = mean, found->most = i;
    }
    found->factor = exp(most - least);
    free(sums);
    return 0;
}

static int set_main(const struct report *report, const struct effect_data *d, struct place_effect *effect,
                    struct error *error)
{
    const struct factor *factor = &report->factors[report->main_factor];
    struct extremes e;
    if (find_extremes(d, false, d->levels, &e, error) < 0)
        return -1;
    effect->factor = factor->name;
    effect->levels = e.count;
    effect->main_factor = e.factor;
    effect->main_least = factor->levels[e.least];
    effect->main_most = factor->levels[e.most];
    return 0;
}

/* ---- the places ---- */

static int set_crossed(struct report *report, struct effect_data *d, struct place_effect *effect,
                       struct error *error)
{
    double *logs = calloc(report->among_count + 1, sizeof *logs);
    effect->outweighing = report_alloc(report, report->among_count + 1, sizeof(struct location *), error);
    if (!logs || !effect->outweighing) {
        free(logs);
        return error_memory(error, "emissions by place");
    }
    effect->here = report->location;
    for (size_t i = 0; i < report->among_count; i++) {
        const struct location *at = report->among[i];
        if (!(at->intensity_g_per_kwh > 0)) /* it has no logarithm, and no factor */
            continue;
        logs[effect->places++] = log(at->intensity_g_per_kwh);
        if (!effect->place_least || at->intensity_g_per_kwh < effect->place_least->intensity_g_per_kwh)
            effect->place_least = at;
        if (!effect->place_most || at->intensity_g_per_kwh > effect->place_most->intensity_g_per_kwh)
            effect->place_most = at;
        if (effect->here && effect->here->intensity_g_per_kwh > effect->main_factor * at->intensity_g_per_kwh)
            effect->outweighing[effect->outweighing_count++] = at;
    }
    d->grid_variance = variance(logs, effect->places);
    free(logs);
    if (effect->places > 0)
        effect->place_factor =
            effect->place_most->intensity_g_per_kwh / effect->place_least->intensity_g_per_kwh;
    return 0;
}

static int set_observed(const struct effect_data *d, const struct location *const *at,
                        struct place_effect *effect, struct error *error)
{
    struct extremes e;
    if (find_extremes(d, true, d->sites, &e, error) < 0)
        return -1;
    effect->places = e.count;
    effect->place_factor = e.factor;
    effect->place_least = at[e.least];
    effect->place_most = at[e.most];
    return 0;
}

static int work_out(struct report *report, size_t site, const struct location *const *at,
                    struct effect_data *d, struct place_effect *effect, struct error *error)
{
    if (collect(report, site, at, d, error) < 0)
        return -1;
    effect->runs = d->count;
    if (d->count == 0 || set_main(report, d, effect, error) < 0)
        return d->count == 0 ? 0 : -1;
    effect->observed = at != NULL;
    effect->site_factor = at ? report->factors[site].name : NULL;
    int result = at ? set_observed(d, at, effect, error) : set_crossed(report, d, effect, error);
    if (result < 0 || effect->levels < 2 || effect->places < 2)
        return result;
    effect->known = true;
    return share_out(report, d, effect, error);
}

/* An intensity of 0 has no logarithm. */
static int check_sites(const struct report *report, struct error *error)
{
    const struct factor *factor = &report->factors[report->site_factor];
    for (size_t i = 0; i < factor->level_count; i++)
        if (!(report->sites[i]->intensity_g_per_kwh > 0))
            return error_set(error, "factor %s: %s has an intensity of 0, which has no share in anything",
                             factor->name, report->sites[i]->name);
    return 0;
}

int report_place_effect(struct report *report, struct place_effect *effect, struct error *error)
{
    *effect = (struct place_effect){0};
    size_t site = report->sites ? report->site_factor : NO_GROUP;
    if (report->sites && check_sites(report, error) < 0)
        return -1;
    if (report->main_factor == SIZE_MAX || report->main_factor == site)
        return 0;
    struct effect_data data = {0};
    int result = work_out(report, site, report->sites, &data, effect, error);
    effect_data_free(&data);
    return result;
}

/* ---- in words and JSON ---- */

/* What the main factor chooses. */
static const char *noun(const struct place_effect *e)
{
    return strncmp(e->factor, "arch", 4) == 0 ? "network" : e->factor;
}

static void append_percent(struct text *text, double share)
{
    text_printf(text, share < 0.0095 ? "%.2g %%" : "%.1f %%", 100 * share);
}

static void append_share(struct text *text, const struct effect_share *share, const char *of)
{
    append_percent(text, share->share);
    if (!isnan(share->low))
        text_printf(text, " (95 %% interval %.1f to %.1f %%)", 100 * share->low, 100 * share->high);
    text_printf(text, " from %s", of);
}

static void append_shares(struct text *text, const struct place_effect *e)
{
    AUTO_FREE char *main = text_format("the %s", noun(e));
    if (e->observed)
        text_printf(text,
                    "Of the variance of (the logarithm of) the emissions of %zu runs, each at its own %s, ",
                    e->runs, e->site_factor);
    else
        text_printf(
            text,
            "Of the variance of (the logarithm of) emissions, were each of %zu runs done in each of %zu "
            "places, ",
            e->runs, e->places);
    append_share(text, &e->by_place, e->observed ? "the place, with its grid and its machine" : "the place");
    text_append(text, ", ");
    append_share(text, &e->by_main, main ? main : "the network");
    if (e->observed) {
        text_append(text, ", ");
        append_percent(text, e->by_both.share);
        text_append(text, " from both together");
    }
    if (e->by_others.share > 0.0005) {
        text_append(text, ", ");
        append_percent(text, e->by_others.share);
        text_append(text, " from other factors");
    }
    text_append(text, " and ");
    append_percent(text, e->by_chance.share);
    text_append(text, " from chance, by which repetitions differ.\n");
}

static void append_outweighing(struct text *text, const struct place_effect *e)
{
    enum { LISTED_MOST = 8 };
    text_printf(text, "From %s, going to ", e->here->name);
    for (size_t i = 0; i < e->outweighing_count && i < LISTED_MOST; i++)
        text_printf(text, "%s%s",
                    i == 0                         ? ""
                    : i + 1 < e->outweighing_count ? ", "
                                                   : " or ",
                    e->outweighing[i]->name);
    if (e->outweighing_count > LISTED_MOST)
        text_printf(text, " or one of %zu more", e->outweighing_count - LISTED_MOST);
    text_printf(text, " saves more than any change of the %s.\n", noun(e));
}

char *place_effect_text(const struct place_effect *e)
{
    struct text text = TEXT_INIT;
    text_append(&text, "");
    if (!e->known)
        return text_take(&text);
    append_shares(&text, e);
    text_printf(&text, "From %s to %s emissions fall by a factor of %.3g; from %s to %s by %.3g.\n",
                e->place_most->name, e->place_least->name, e->place_factor, e->main_most, e->main_least,
                e->main_factor);
    if (!e->here)
        return text_take(&text);
    if (e->outweighing_count == 0)
        text_printf(&text, "From %s, no place compared saves more than the choice of the %s can.\n",
                    e->here->name, noun(e));
    else
        append_outweighing(&text, e);
    return text_take(&text);
}

static json_t *share_to_json(const struct effect_share *share)
{
    json_t *low = isnan(share->low) ? json_null() : json_real(share->low);
    json_t *high = isnan(share->high) ? json_null() : json_real(share->high);
    return json_pack("{s:f, s:o, s:o}", "share", share->share, "low", low, "high", high);
}

json_t *place_effect_to_json(const struct place_effect *e)
{
    AUTO_FREE char *words = place_effect_text(e);
    if (!e->known || !words)
        return json_null();
    json_t *outweighing = json_array();
    for (size_t i = 0; i < e->outweighing_count; i++)
        json_array_append_new(outweighing, json_string(e->outweighing[i]->code));
    return json_pack("{s:b, s:o, s:o, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:{s:f, s:o, s:o}, s:{s:f, "
                     "s:s, s:s}, s:s?, s:o, s:o}",
                     "observed", e->observed, "factor", report_text_json(e->factor), "site_factor",
                     report_text_json(e->site_factor), "runs", (json_int_t)e->runs, "levels",
                     (json_int_t)e->levels, "places", (json_int_t)e->places, "by_factor",
                     share_to_json(&e->by_main), "by_place", share_to_json(&e->by_place), "by_both",
                     share_to_json(&e->by_both), "by_other_factors", share_to_json(&e->by_others),
                     "by_chance", share_to_json(&e->by_chance), "between_levels", "ratio", e->main_factor,
                     "least", report_text_json(e->main_least), "most", report_text_json(e->main_most),
                     "between_places", "ratio", e->place_factor, "least", e->place_least->code, "most",
                     e->place_most->code, "here", e->here ? e->here->code : NULL, "outweighing", outweighing,
                     "text", report_text_json(words));
}
