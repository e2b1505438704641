/* An analysis as JSON. */
#include "report/analyse.h"
#include "report/analysis.h"
#include "report/place_effect.h"

#include <math.h>
#include <string.h>

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *bounds(double low, double high)
{
    return json_pack("{s:o, s:o}", "low", real(low), "high", real(high));
}

static json_t *test_json(const struct group_test *test)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "statistic", real(test->statistic), "df1", real(test->df1),
                     "df2", real(test->df2), "p", real(test->p));
}

static json_t *level_json(const struct level_figures *l)
{
    const struct summary *s = &l->summary;
    return json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "level",
                     report_text_json(l->level), "n", (json_int_t)s->count, "mean", real(s->mean), "median",
                     real(s->median), "sd", real(s->sd), "least", real(s->least), "most", real(s->most),
                     "mean_bootstrap", bounds(l->bootstrap.mean.low, l->bootstrap.mean.high),
                     "median_bootstrap", bounds(l->bootstrap.median.low, l->bootstrap.median.high),
                     "mean_student", bounds(s->low, s->high));
}

static json_t *effect_json(double value, const char *word)
{
    return json_pack("{s:o, s:o}", "value", real(value), "word", *word ? json_string(word) : json_null());
}

static json_t *pair_json(const struct factor_figures *f, const struct pair_figures *pair)
{
    const struct contrast *c = &pair->contrast;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "a",
                     report_text_json(f->levels[c->a].level), "b", report_text_json(f->levels[c->b].level),
                     "difference", real(pair->difference), "interval", bounds(c->low, c->high), "statistic",
                     real(c->statistic), "p", real(c->p), "adjusted_p", real(c->adjusted_p), "cliffs_delta",
                     effect_json(pair->cliffs_delta, stats_delta_word(pair->cliffs_delta)), "hedges_g",
                     effect_json(pair->hedges_g, stats_g_word(pair->hedges_g)));
}

static json_t *factor_json(const struct factor_figures *f)
{
    json_t *levels = json_array(), *pairs = json_array();
    for (size_t i = 0; i < f->level_count; i++)
        json_array_append_new(levels, level_json(&f->levels[i]));
    for (size_t i = 0; i < f->pair_count; i++)
        json_array_append_new(pairs, pair_json(f, &f->pairs[i]));
    return json_pack(
        "{s:o, s:o, s:I, s:{s:o, s:o, s:I}, s:o, s:o, s:o, s:o, s:s?, s:s, s:o, s:o, s:o, s:s?, s:o}",
        "factor", report_text_json(f->factor), "levels", levels, "levels_without_value",
        (json_int_t)f->without_value, "shapiro_wilk", "w", real(f->shapiro_w), "p", real(f->shapiro_p),
        "residuals", (json_int_t)f->shapiro_count, "levene", test_json(&f->levene), "anova",
        test_json(&f->anova.test), "welch", test_json(&f->welch), "kruskal_wallis", test_json(&f->kruskal),
        "chosen", analyse_test_name(f->choice), "reason", f->reason, "eta_squared",
        effect_json(f->anova.eta_squared, stats_share_word(f->anova.eta_squared)), "omega_squared",
        real(f->anova.omega_squared), "epsilon_squared",
        effect_json(f->epsilon_squared, stats_share_word(f->epsilon_squared)), "pairs_by",
        f->pair_count ? analyse_pairs_name(f->choice) : NULL, "pairs", pairs);
}

static json_t *interaction_json(const struct interaction *i)
{
    return json_pack("{s:[o, o], s:o, s:o, s:o, s:o, s:o}", "factors", report_text_json(i->a),
                     report_text_json(i->b), "first", test_json(&i->two_way.rows), "second",
                     test_json(&i->two_way.columns), "interaction", test_json(&i->two_way.interaction),
                     "aligned_ranks", test_json(&i->aligned), "refused", report_text_json(i->refused));
}

static json_t *response_json(const struct analysis *analysis, const struct response_figures *r)
{
    json_t *factors = json_array(), *interactions = json_array();
    for (size_t i = 0; i < r->factor_count; i++)
        json_array_append_new(factors, factor_json(&r->factors[i]));
    for (size_t i = 0; i < r->interaction_count; i++)
        json_array_append_new(interactions, interaction_json(&r->interactions[i]));
    return json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:{s:o, s:f, s:f, s:o}}", "response", r->response->name,
                     "unit", r->response->unit, "n", (json_int_t)r->count, "missing", (json_int_t)r->missing,
                     "factors", factors, "interactions", interactions, "repetitions", "relative_sd",
                     real(r->relative_sd), "difference", analysis->resolve, "power", 0.8, "needed",
                     r->repetitions ? json_integer((json_int_t)r->repetitions) : json_null());
}

static json_t *correlation_json(const struct correlation *c)
{
    return json_pack("{s:o, s:o, s:I, s:{s:o, s:o, s:o, s:o}, s:{s:o, s:o}}", "with",
                     report_text_json(c->with), "counts_1", report_text_json(c->second), "n",
                     (json_int_t)c->count, c->second ? "point_biserial" : "pearson", "value",
                     real(c->pearson.value), "low", real(c->pearson.low), "high", real(c->pearson.high), "p",
                     real(c->pearson_p), "spearman", "value", real(c->spearman), "p", real(c->spearman_p));
}

static json_t *group_json(const struct group_figures *g)
{
    return json_pack("{s:o, s:I, s:o, s:o, s:o, s:b, s:o, s:{s:I, s:o, s:o, s:o}}", "label",
                     report_text_json(g->label), "n", (json_int_t)g->count, "energy_j", real(g->energy_j),
                     "accuracy", real(g->accuracy), "score_per_kwh", real(g->score_per_kwh), "front",
                     g->front, "dominated_by", report_text_json(g->dominated_by), "reach", "runs",
                     (json_int_t)g->reached, "energy_j", real(g->reach_energy_j), "wall_s", real(g->reach_s),
                     "epochs", real(g->reach_epochs));
}

json_t *analyse_to_json(const struct analysis *a)
{
    json_t *responses = json_array(), *correlations = json_array(), *groups = json_array();
    for (size_t i = 0; i < a->response_count; i++)
        json_array_append_new(responses, response_json(a, &a->responses[i]));
    for (size_t i = 0; i < a->correlation_count; i++)
        json_array_append_new(correlations, correlation_json(&a->correlations[i]));
    for (size_t i = 0; i < a->group_count; i++)
        json_array_append_new(groups, group_json(&a->groups[i]));
    return json_pack(
        "{s:s, s:s, s:o, s:I, s:I, s:I, s:b, s:b, s:I, s:s, s:b, s:s?, s:s?, s:f, s:s?, s:I, s:o, "
        "s:o, s:o, s:o, s:o}",
        "schema", "joulery.analysis/1", "version", JOULERY_VERSION, "study", report_text_json(a->study),
        "planned", (json_int_t)a->planned, "done", (json_int_t)a->done, "imported", (json_int_t)a->imported,
        "repaired", a->repaired, "sound", a->sound, "replaced", (json_int_t)a->replaced, "basis", a->basis,
        "estimated", a->estimated, "accuracy_metric", a->accuracy_metric, "location", a->location, "pue",
        a->pue, "pue_source", a->pue_source, "seed", (json_int_t)a->seed, "reach",
        a->reach > 0 ? json_real(a->reach) : json_null(), "responses", responses, "correlations",
        correlations, "groups", groups, "place_effect",
        a->place_effect ? place_effect_to_json(a->place_effect) : json_null());
}
