/* From a store to the analysis of its factors. */
#include "report/analyse_parts.h"
#include "report/rows.h"

#include "base/text.h"

#include <gsl/gsl_sort.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NORMAL_P 0.05 /* below it, a shape or a spread is taken as what it seems to be */
#define POWER    0.8

/* What Shapiro and Wilk's test takes. */
enum { RESIDUALS_MOST = 5000 };

static const struct response responses[RESPONSES] = {
    [ENERGY] = {ENERGY, "energy", "Energy", "J"},
    [EMISSIONS] = {EMISSIONS, "emissions", "Emissions", "kg"},
    [DURATION] = {DURATION, "duration", "Duration", "s"},
    [ACCURACY] = {ACCURACY, "accuracy", "Accuracy", ""},
    [SCORE] = {SCORE, "score", "Accuracy per kWh", "1/kWh"},
};

const struct response *analyse_response(enum response_kind kind)
{
    return &responses[kind];
}

static double response_value(const struct report *report, const struct run *run, size_t response)
{
    switch (response) {
    case ENERGY:
        return run->energy_j;
    case EMISSIONS:
        return report_run_kg(report, run);
    case DURATION:
        return run->wall_s;
    case ACCURACY:
        return run->accuracy;
    default:
        return run->score_per_kwh;
    }
}

/* ---- values by level ---- */

/* `place` of the level or cell that a run belongs to; SIZE_MAX: none. */
struct sorted_runs {
    struct report *report;
    size_t response;
    size_t a, b; /* factors; b == NO_GROUP: a's levels alone */
};

static size_t place_of(const struct sorted_runs *s, const struct run *run)
{
    if (run->state != RUN_DONE || run->group == NO_GROUP ||
        !isfinite(response_value(s->report, run, s->response)))
        return SIZE_MAX;
    const struct factor *factors = s->report->factors;
    const size_t *level = s->report->groups[run->group].level;
    if (level[s->a] >= factors[s->a].level_count)
        return SIZE_MAX;
    if (s->b == NO_GROUP)
        return level[s->a];
    if (level[s->b] >= factors[s->b].level_count)
        return SIZE_MAX;
    return level[s->a] * factors[s->b].level_count + level[s->b];
}

/* Values by place, in order of execution within each; a place may have none. */
struct placed {
    double *values;
    size_t *sizes;
};

static void placed_free(struct placed *placed)
{
    free(placed->values);
    free(placed->sizes);
}
#define AUTO_PLACED __attribute__((cleanup(placed_free)))

static int place_values(const struct sorted_runs *s, size_t places, struct placed *placed,
                        struct error *error)
{
    const struct report *report = s->report;
    size_t *next = calloc(places + 1, sizeof *next);
    placed->sizes = calloc(places + 1, sizeof *placed->sizes);
    placed->values = calloc(report->run_count + 1, sizeof *placed->values);
    if (!next || !placed->sizes || !placed->values) {
        free(next);
        return error_memory(error, "values by level");
    }
    for (size_t i = 0; i < report->run_count; i++) {
        size_t place = place_of(s, &report->runs[i]);
        if (place != SIZE_MAX)
            placed->sizes[place]++;
    }
    for (size_t p = 1; p < places; p++)
        next[p] = next[p - 1] + placed->sizes[p - 1];
    for (size_t i = 0; i < report->run_count; i++) {
        size_t place = place_of(s, &report->runs[i]);
        if (place != SIZE_MAX)
            placed->values[next[place]++] = response_value(report, &report->runs[i], s->response);
    }
    free(next);
    return 0;
}

/* ---- one factor ---- */

static int describe_level(const struct sorted_runs *s, const double *values, size_t size, size_t level,
                          struct level_figures *figures, struct error *error)
{
    struct random_stream random;
    random_seed(&random, (uint64_t)s->report->seed, s->response << 48 | s->a << 32 | level);
    figures->level = s->report->factors[s->a].levels[level];
    /* the more values, the less a sample more or less moves the interval */
    size_t resamples = size > 1000 ? 1000 : 2000;
    return stats_summarise(values, size, &figures->summary, error) < 0
               ? -1
               : stats_bootstrap(values, size, resamples, &random, &figures->bootstrap, error);
}

/* Of many residuals a regular choice, which holds all levels in proportion. */
static int test_residuals(const struct grouped *grouped, struct factor_figures *figures, struct error *error)
{
    size_t count = stats_grouped_count(grouped);
    double *residuals = calloc(count + 1, sizeof *residuals);
    if (!residuals)
        return error_memory(error, "residuals");
    stats_residuals(grouped, residuals);
    size_t step = (count + RESIDUALS_MOST - 1) / RESIDUALS_MOST, used = 0;
    for (size_t i = 0; i < count; i += step)
        residuals[used++] = residuals[i];
    figures->shapiro_count = used;
    int result = stats_shapiro_wilk(residuals, used, &figures->shapiro_w, &figures->shapiro_p, error);
    free(residuals);
    return result;
}

static char *explain(enum choice choice, const struct factor_figures *f)
{
    switch (choice) {
    case CHOICE_ANOVA:
        return text_format(
            "residuals may be normal (Shapiro-Wilk p = %.3g) and variances equal (Levene p = %.3g)",
            f->shapiro_p, f->levene.p);
    case CHOICE_WELCH:
        return text_format(
            "residuals may be normal (Shapiro-Wilk p = %.3g), but variances differ (Levene p = %.3g)",
            f->shapiro_p, f->levene.p);
    default:
        break;
    }
    if (isnan(f->shapiro_p))
        return text_format("Shapiro and Wilk's test can say nothing of the residuals");
    if (!(f->shapiro_p > NORMAL_P))
        return text_format("residuals are not normal (Shapiro-Wilk p = %.3g)", f->shapiro_p);
    if (isnan(f->levene.p))
        return text_format("no level has three runs that scatter, so that variances can't be compared");
    return text_format("variances differ (Levene p = %.3g), and of some level they can't be told",
                       f->levene.p);
}

static const char *why_no_test(const struct grouped *grouped, const struct factor_figures *f)
{
    if (grouped->groups < 2)
        return "fewer than two levels have a value";
    if (stats_grouped_count(grouped) == grouped->groups)
        return "no level has two runs, so that there is no scatter to hold differences against";
    if (isnan(f->anova.test.p))
        return "runs with the same level do not scatter at all";
    return NULL;
}

static int choose(struct report *report, const struct grouped *grouped, struct factor_figures *f,
                  struct error *error)
{
    f->reason = why_no_test(grouped, f);
    if (f->reason)
        return 0;
    if (!(f->shapiro_p > NORMAL_P) || isnan(f->levene.p))
        f->choice = CHOICE_KRUSKAL;
    else if (f->levene.p > NORMAL_P)
        f->choice = CHOICE_ANOVA;
    else
        f->choice = isnan(f->welch.p) ? CHOICE_KRUSKAL : CHOICE_WELCH;
    f->reason = report_keep(report, explain(f->choice, f), error);
    return f->reason ? 0 : -1;
}

static int test_pairs(enum choice choice, const struct grouped *grouped, struct contrast *contrasts,
                      struct error *error)
{
    if (choice == CHOICE_KRUSKAL)
        return stats_dunn(grouped, contrasts, error);
    if (choice == CHOICE_ANOVA)
        stats_tukey(grouped, contrasts);
    else
        stats_games_howell(grouped, contrasts);
    return 0;
}

/* `values` become sorted within each level. */
static void size_pairs(const struct grouped *grouped, double *values, struct factor_figures *f)
{
    struct pair_figures *pair = f->pairs;
    double *a = values;
    for (size_t g = 0; g < grouped->groups; values += grouped->sizes[g++])
        gsl_sort(values, 1, grouped->sizes[g]);
    for (size_t g = 0; g < grouped->groups; a += grouped->sizes[g++]) {
        const double *b = a + grouped->sizes[g];
        for (size_t h = g + 1; h < grouped->groups; b += grouped->sizes[h++], pair++) {
            pair->cliffs_delta = stats_cliff(a, grouped->sizes[g], b, grouped->sizes[h]);
            pair->hedges_g = stats_hedges(a, grouped->sizes[g], b, grouped->sizes[h]);
            pair->difference = f->levels[g].summary.mean - f->levels[h].summary.mean;
        }
    }
}

static int add_pairs(struct report *report, const struct grouped *grouped, double *values,
                     struct factor_figures *f, struct error *error)
{
    size_t count = grouped->groups * (grouped->groups - 1) / 2;
    if (f->choice == CHOICE_NONE || grouped->groups > ANALYSE_LEVELS_MOST)
        return 0;
    struct contrast *contrasts = report_alloc(report, count, sizeof *contrasts, error);
    f->pairs = report_alloc(report, count, sizeof *f->pairs, error);
    if (!contrasts || !f->pairs || test_pairs(f->choice, grouped, contrasts, error) < 0)
        return -1;
    f->pair_count = count;
    for (size_t i = 0; i < count; i++)
        f->pairs[i].contrast = contrasts[i];
    size_pairs(grouped, values, f);
    return 0;
}

static int test_factor(struct report *report, double *values, const size_t *sizes, struct factor_figures *f,
                       struct error *error)
{
    const struct grouped grouped = {values, sizes, f->level_count};
    f->shapiro_w = f->shapiro_p = NAN;
    if (f->level_count == 0) {
        f->reason = why_no_test(&grouped, f);
        return 0;
    }
    stats_anova(&grouped, &f->anova);
    stats_welch(&grouped, &f->welch);
    if (stats_levene(&grouped, &f->levene, error) < 0 ||
        stats_kruskal(&grouped, &f->kruskal, &f->epsilon_squared, error) < 0 ||
        test_residuals(&grouped, f, error) < 0 || choose(report, &grouped, f, error) < 0)
        return -1;
    return add_pairs(report, &grouped, values, f, error);
}

static int analyse_factor(const struct sorted_runs *s, struct factor_figures *f, struct error *error)
{
    const struct factor *factor = &s->report->factors[s->a];
    AUTO_PLACED struct placed placed = {0};
    f->factor = factor->name;
    f->levels = report_alloc(s->report, factor->level_count, sizeof *f->levels, error);
    if (!f->levels || place_values(s, factor->level_count, &placed, error) < 0)
        return -1;
    const double *own = placed.values;
    for (size_t level = 0; level < factor->level_count; level++) {
        size_t size = placed.sizes[level];
        if (size == 0)
            continue;
        if (describe_level(s, own, size, level, &f->levels[f->level_count], error) < 0)
            return -1;
        own += size;
        placed.sizes[f->level_count++] = size; /* groups of tests have a value each */
    }
    f->without_value = factor->level_count - f->level_count;
    return test_factor(s->report, placed.values, placed.sizes, f, error);
}

/* ---- two factors ---- */

static int refuse_interaction(const struct sorted_runs *s, const size_t *sizes, struct interaction *i,
                              struct error *error)
{
    const struct factor *a = &s->report->factors[s->a], *b = &s->report->factors[s->b];
    size_t count = 0, cells = a->level_count * b->level_count;
    for (size_t c = 0; c < cells; c++) {
        count += sizes[c];
        if (sizes[c])
            continue;
        char *text = text_format("no run of %s %s with %s %s", a->name, a->levels[c / b->level_count],
                                 b->name, b->levels[c % b->level_count]);
        i->refused = report_keep(s->report, text, error);
        return i->refused ? 0 : -1;
    }
    if (count == cells)
        i->refused = "no combination has two runs";
    return 0;
}

static int analyse_interaction(const struct sorted_runs *s, struct interaction *i, struct error *error)
{
    const struct factor *a = &s->report->factors[s->a], *b = &s->report->factors[s->b];
    AUTO_PLACED struct placed placed = {0};
    *i = (struct interaction){.a = a->name, .b = b->name};
    size_t cells = a->level_count * b->level_count;
    if (cells > s->report->run_count) {
        i->refused = "not every combination has a run";
        return 0;
    }
    if (place_values(s, cells, &placed, error) < 0 || refuse_interaction(s, placed.sizes, i, error) < 0)
        return -1;
    if (i->refused)
        return 0;
    const struct grouped grouped = {placed.values, placed.sizes, cells};
    if (stats_two_way(&grouped, b->level_count, &i->two_way, error) < 0 ||
        stats_aligned_rank(&grouped, b->level_count, &i->aligned, error) < 0)
        return -1;
    if (isnan(i->two_way.interaction.p))
        i->refused = "runs with the same levels do not scatter at all";
    return 0;
}

static bool varies(const struct report *report, size_t factor)
{
    return report->factors[factor].level_count > 1;
}

static int analyse_interactions(struct report *report, size_t response, size_t only,
                                struct response_figures *r, struct error *error)
{
    size_t pairs = report->factor_count * (report->factor_count + 1) / 2;
    r->interactions = report_alloc(report, pairs, sizeof *r->interactions, error);
    if (!r->interactions)
        return -1;
    for (size_t a = 0; a < report->factor_count; a++) {
        for (size_t b = a + 1; b < report->factor_count; b++) {
            /* the model is solved for the columns: the fewer */
            bool turned = report->factors[b].level_count > report->factors[a].level_count;
            const struct sorted_runs s = {report, response, turned ? b : a, turned ? a : b};
            if (!varies(report, a) || !varies(report, b) || (only != NO_GROUP && only != a && only != b))
                continue;
            if (analyse_interaction(&s, &r->interactions[r->interaction_count++], error) < 0)
                return -1;
        }
    }
    return 0;
}

/* ---- one response ---- */

/* Runs with all levels the same, so that no factor is in the scatter. */
static int plan_repetitions(struct report *report, size_t response, double resolve,
                            struct response_figures *r, struct error *error)
{
    struct sums {
        double n, mean, squares;
    } *sums = report_alloc(report, report->group_count, sizeof *sums, error);
    if (!sums)
        return -1;
    for (size_t i = 0; i < report->run_count; i++) {
        const struct run *run = &report->runs[i];
        double value = response_value(report, run, response);
        if (run->state != RUN_DONE || run->group == NO_GROUP || !isfinite(value))
            continue;
        struct sums *own = &sums[run->group];
        double apart = value - own->mean;
        own->mean += apart / ++own->n;
        own->squares += apart * (value - own->mean);
    }
    double squares = 0, freedom = 0;
    for (size_t g = 0; g < report->group_count; g++) {
        if (sums[g].n < 2 || !(fabs(sums[g].mean) > 0))
            continue;
        squares += sums[g].squares / (sums[g].mean * sums[g].mean);
        freedom += sums[g].n - 1;
    }
    r->relative_sd = freedom > 0 ? sqrt(squares / freedom) : NAN;
    r->repetitions = stats_repetitions(resolve, r->relative_sd, POWER);
    return 0;
}

static int analyse_one_response(struct report *report, size_t response, size_t only, double resolve,
                                struct response_figures *r, struct error *error)
{
    r->response = &responses[response];
    for (size_t i = 0; i < report->run_count; i++) {
        if (report->runs[i].state != RUN_DONE)
            continue;
        bool known = isfinite(response_value(report, &report->runs[i], response));
        r->count += known;
        r->missing += !known;
    }
    r->factors = report_alloc(report, report->factor_count, sizeof *r->factors, error);
    if (!r->factors)
        return -1;
    for (size_t f = 0; f < report->factor_count; f++) {
        const struct sorted_runs s = {report, response, f, NO_GROUP};
        if (!varies(report, f) || (only != NO_GROUP && only != f))
            continue;
        if (analyse_factor(&s, &r->factors[r->factor_count++], error) < 0)
            return -1;
    }
    return analyse_interactions(report, response, only, r, error) < 0
               ? -1
               : plan_repetitions(report, response, resolve, r, error);
}

static int find_response(const char *name, size_t *response, struct error *error)
{
    const char *names[RESPONSES];
    for (size_t i = 0; i < RESPONSES; i++) {
        names[i] = responses[i].name;
        if (name && strcmp(name, names[i]) == 0) {
            *response = i;
            return 0;
        }
    }
    const char *nearest = text_nearest(name, names, RESPONSES);
    return error_set(error, "no response '%s'%s%s%s: expected energy, emissions, duration, accuracy or score",
                     name, nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
}

static int find_factor(const struct report *report, const char *name, size_t *factor, struct error *error)
{
    const char **names = calloc(report->factor_count + 1, sizeof *names);
    size_t count = 0;
    *factor = NO_GROUP;
    if (!names)
        return error_memory(error, "factors");
    for (size_t f = 0; f < report->factor_count; f++) {
        if (!varies(report, f))
            continue;
        names[count++] = report->factors[f].name;
        if (name && strcmp(name, report->factors[f].name) == 0)
            *factor = f;
    }
    int result = 0;
    if (name && *factor == NO_GROUP) {
        const char *nearest = text_nearest(name, names, count);
        result = error_set(error, "no factor that varies '%s'%s%s%s", name, nearest ? " (did you mean " : "",
                           nearest ? nearest : "", nearest ? "?)" : "");
    }
    free(names);
    return result;
}

static bool any_value(const struct report *report, size_t response)
{
    for (size_t i = 0; i < report->run_count; i++)
        if (report->runs[i].state == RUN_DONE && isfinite(response_value(report, &report->runs[i], response)))
            return true;
    return false;
}

static int refuse_response(const struct analysis *analysis, size_t response, struct error *error)
{
    const struct report *report = analysis->report;
    if (response == EMISSIONS && !report->location && !report->sites)
        return error_set(error, "emissions: no place is known: --location CODE names one (`joulery places` "
                                "lists them)");
    return error_set(error, "%s: no finished run has one%s", responses[response].name,
                     analysis->sound ? " with an energy that the audit holds for sound" : "");
}

static int analyse_all_responses(struct analysis *analysis, const struct analyse_options *options,
                                 struct error *error)
{
    struct report *report = analysis->report;
    size_t asked = RESPONSES, only;
    if (options->response && find_response(options->response, &asked, error) < 0)
        return -1;
    if (find_factor(report, options->by, &only, error) < 0)
        return -1;
    if (asked < RESPONSES && !any_value(report, asked))
        return refuse_response(analysis, asked, error);
    analysis->responses = report_alloc(report, RESPONSES, sizeof *analysis->responses, error);
    if (!analysis->responses)
        return -1;
    for (size_t i = 0; i < RESPONSES; i++) {
        bool left_out = options->brief && i != ENERGY && i != ACCURACY;
        if (left_out || (asked < RESPONSES && asked != i) || !any_value(report, i))
            continue;
        if (analyse_one_response(report, i, only, analysis->resolve,
                                 &analysis->responses[analysis->response_count++], error) < 0)
            return -1;
    }
    return 0;
}

/* ---- all ---- */

static int analyse_place(struct analysis *analysis, struct error *error)
{
    analysis->place_effect = report_alloc(analysis->report, 1, sizeof *analysis->place_effect, error);
    return analysis->place_effect ? report_place_effect(analysis->report, analysis->place_effect, error) : -1;
}

static int describe(struct analysis *analysis, struct store *store, struct error *error)
{
    struct report *report = analysis->report;
    double imported;
    if (rows_single(report, store, "SELECT count(source) FROM run", &imported, error) < 0)
        return -1;
    analysis->study = report->study_name;
    analysis->basis = report->basis;
    analysis->accuracy_metric = report->accuracy_metric;
    analysis->location = report->location ? report->location->name : NULL;
    analysis->place = report_place_text(report, error);
    if (!analysis->place && error->message)
        return -1;
    analysis->pue = report->pue;
    analysis->replaced = report->replaced;
    analysis->pue_source = report->pue_own ? report->location->pue_source : NULL;
    analysis->done = report->states[RUN_DONE];
    analysis->planned = report->planned;
    analysis->seed = (uint64_t)report->seed;
    analysis->imported = (size_t)imported;
    return 0;
}

static int build(struct analysis *analysis, struct store *store, const struct analyse_options *options,
                 struct error *error)
{
    struct report *report = analysis->report;
    const struct report_options place = {.places = options->places,
                                         .location = options->location,
                                         .pue = options->pue,
                                         .among = options->among,
                                         .among_count = options->among_count,
                                         .site_factor = options->site_factor,
                                         .hourly = options->hourly};
    if (report_load(report, store, error) < 0)
        return -1;
    if (report->states[RUN_DONE] == 0)
        return error_set(
            error, "study '%s' has no finished run yet (%zu planned): `joulery study run` goes on with it",
            report->study_name, report->planned);
    if (analysis->repaired && analysis->reach > 0)
        return error_set(error,
                         "--repaired goes with whole runs: no reconstruction tells the epochs of --reach");
    if (report_take_view(report, store, analysis->repaired, analysis->sound, error) < 0 ||
        report_place(report, &place, error) < 0 || report_charge(report, store, &place, error) < 0 ||
        report_group(report, error) < 0 || describe(analysis, store, error) < 0 ||
        analyse_all_responses(analysis, options, error) < 0 ||
        analyse_correlations(analysis, options->costs, error) < 0 || analyse_groups(analysis, error) < 0)
        return -1;
    if (!options->brief && analyse_place(analysis, error) < 0)
        return -1;
    if (!(analysis->reach > 0))
        return 0;
    if (!report->accuracy_metric)
        return error_set(error, "--reach: no finished run gave an accuracy");
    return analyse_reach(analysis, store, error);
}

int analyse_build(struct store *store, const struct analyse_options *options, struct analysis *analysis,
                  struct error *error)
{
    *analysis = (struct analysis){.resolve = options->resolve > 0 ? options->resolve : 0.05,
                                  .reach = options->reach,
                                  .repaired = options->repaired,
                                  .sound = options->sound};
    analysis->report = calloc(1, sizeof *analysis->report);
    if (!analysis->report)
        return error_memory(error, "analysis");
    sqlite3 *database = store_database(store);
    if (!sqlite3_get_autocommit(database))
        return build(analysis, store, options, error);
    char *reason = NULL;
    int result;
    if (sqlite3_exec(database, "BEGIN", NULL, NULL, &reason) != SQLITE_OK) {
        result = error_set(error, "the database can't be read: %s", reason ? reason : "");
    } else {
        result = build(analysis, store, options, error);
        sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
    }
    sqlite3_free(reason);
    return result;
}

void analyse_free(struct analysis *analysis)
{
    report_free(analysis->report);
    analysis->report = NULL;
}

const char *analyse_test_name(enum choice choice)
{
    static const char *const names[] = {NULL, "ANOVA", "Welch's ANOVA", "Kruskal-Wallis"};
    return names[choice];
}

const char *analyse_pairs_name(enum choice choice)
{
    static const char *const names[] = {NULL, "Tukey", "Games-Howell", "Dunn, Holm-adjusted"};
    return names[choice];
}

const struct group_test *analyse_test(const struct factor_figures *factor)
{
    const struct group_test *const tests[] = {NULL, &factor->anova.test, &factor->welch, &factor->kruskal};
    return tests[factor->choice];
}
