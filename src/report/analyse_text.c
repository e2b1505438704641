/* An analysis in words. */
#include "base/text.h"
#include "base/units.h"
#include "report/analyse.h"
#include "report/place_effect.h"

#include <math.h>
#include <string.h>

/* Pairs shown of a factor: --json has all. */
enum { PAIRS_SHOWN = 30 };

static char *accuracy_words(double accuracy)
{
    return text_format("%.4f", accuracy);
}

static char *score_words(double score)
{
    return text_format("%.4g", score);
}

static char *value_words(const struct response *response, double value)
{
    static char *(*const words[RESPONSES])(double) = {
        [ENERGY] = units_energy,     [EMISSIONS] = units_mass, [DURATION] = units_duration,
        [ACCURACY] = accuracy_words, [SCORE] = score_words,
    };
    AUTO_FREE char *size = isfinite(value) ? words[response->kind](fabs(value)) : NULL;
    return text_format("%s%s", value < 0 ? "-" : "", size ? size : "-");
}

static void add_value(struct text *text, const struct response *response, double value, int width)
{
    AUTO_FREE char *words = value_words(response, value);
    text_printf(text, "%*s", width, words ? words : "-");
}

static void add_p(struct text *text, double p)
{
    if (isnan(p))
        text_append(text, "p not known");
    else if (p < 0.0001)
        text_append(text, "p < 0.0001");
    else
        text_printf(text, "p = %.*f", p < 0.001 ? 5 : 4, p);
}

static void add_test_of(struct text *text, const char *letter, const struct group_test *test)
{
    text_printf(text, "%s(%.4g", letter, test->df1);
    if (!isnan(test->df2))
        text_printf(text, ", %.4g", test->df2);
    text_printf(text, ") = %.4g, ", test->statistic);
    add_p(text, test->p);
}

/* printf counts bytes, a terminal characters. */
static void add_name(struct text *text, const char *name, int width)
{
    AUTO_FREE char *shown = text_printable(name);
    int columns = 0;
    for (const char *c = shown; c && *c; c++)
        columns += (*c & 0xc0) != 0x80;
    text_printf(text, "%s%*s", shown ? shown : "", columns < width ? width - columns : 1, "");
}

static void add_level(struct text *text, const struct response *response, const struct level_figures *level)
{
    const struct interval *interval = &level->bootstrap.mean;
    AUTO_FREE char *low = value_words(response, interval->low), *high = value_words(response, interval->high);
    AUTO_FREE char *between =
        isfinite(interval->low) && low && high ? text_format("%s to %s", low, high) : NULL;
    text_append(text, "  ");
    add_name(text, level->level, 20);
    text_printf(text, "%6zu", level->summary.count);
    add_value(text, response, level->summary.mean, 12);
    text_printf(text, "%30s", between ? between : "-");
    add_value(text, response, level->summary.median, 12);
    add_value(text, response, level->summary.sd, 12);
    text_append(text, "\n");
}

static void add_choice(struct text *text, const struct factor_figures *f)
{
    const struct group_test *test = analyse_test(f);
    if (!test) {
        text_printf(text, "  no test: %s\n", f->reason);
        return;
    }
    bool ranks = f->choice == CHOICE_KRUSKAL;
    double share = ranks ? f->epsilon_squared : f->anova.eta_squared;
    text_printf(text, "  %s: ", analyse_test_name(f->choice));
    add_test_of(text, ranks ? "H" : "F", test);
    text_printf(text, "; %s %.3f (%s)\n", ranks ? "epsilon squared" : "eta squared", share,
                stats_share_word(share));
    text_printf(text, "    as %s\n", f->reason);
}

static void add_pairs(struct text *text, const struct response *response, const struct factor_figures *f)
{
    if (f->choice == CHOICE_NONE)
        return;
    if (f->pair_count == 0) {
        text_printf(text, "  no pairs: more than %d levels\n", ANALYSE_LEVELS_MOST);
        return;
    }
    text_printf(text, "  %-44s%12s%10s%20s%18s\n", analyse_pairs_name(f->choice), "difference", "adj. p",
                "Cliff's delta", "Hedges' g");
    for (size_t i = 0; i < f->pair_count && i < PAIRS_SHOWN; i++) {
        const struct pair_figures *pair = &f->pairs[i];
        AUTO_FREE char *names =
            text_format("%s - %s", f->levels[pair->contrast.a].level, f->levels[pair->contrast.b].level);
        text_append(text, "    ");
        add_name(text, names ? names : "", 42);
        add_value(text, response, pair->difference, 12);
        if (pair->contrast.adjusted_p < 0.0001)
            text_printf(text, "%10s", "< 0.0001");
        else
            text_printf(text, "%10.4f", pair->contrast.adjusted_p);
        text_printf(text, "%8.2f %-11s%7.2f %s\n", pair->cliffs_delta, stats_delta_word(pair->cliffs_delta),
                    pair->hedges_g, stats_g_word(pair->hedges_g));
    }
    if (f->pair_count > PAIRS_SHOWN)
        text_printf(text, "    (%zu more: --json has all)\n", f->pair_count - PAIRS_SHOWN);
}

static void add_factor(struct text *text, const struct response *response, const struct factor_figures *f)
{
    AUTO_FREE char *factor = text_printable(f->factor);
    text_printf(text, "\n%s by %s\n", response->title, factor ? factor : "");
    text_printf(text, "  %-20s%6s%12s%30s%12s%12s\n", "", "n", "mean", "95 % interval", "median", "sd");
    for (size_t i = 0; i < f->level_count; i++)
        add_level(text, response, &f->levels[i]);
    if (f->without_value)
        text_printf(text, "  (%zu more of the plan without a value)\n", f->without_value);
    add_choice(text, f);
    add_pairs(text, response, f);
}

static void add_interaction(struct text *text, const struct interaction *i)
{
    AUTO_FREE char *a = text_printable(i->a), *b = text_printable(i->b);
    text_printf(text, "  %s x %s: ", a ? a : "", b ? b : "");
    if (i->refused) {
        AUTO_FREE char *reason = text_printable(i->refused);
        text_printf(text, "no test of interaction: %s\n", reason ? reason : "");
        return;
    }
    text_append(text, "interaction ");
    add_test_of(text, "F", &i->two_way.interaction);
    text_append(text, "; by aligned ranks ");
    add_test_of(text, "F", &i->aligned);
    text_printf(text, "\n    %s given %s: ", a ? a : "", b ? b : "");
    add_test_of(text, "F", &i->two_way.rows);
    text_printf(text, "; %s given %s: ", b ? b : "", a ? a : "");
    add_test_of(text, "F", &i->two_way.columns);
    text_append(text, "\n");
}

static void add_repetitions(struct text *text, const struct analysis *analysis,
                            const struct response_figures *r)
{
    if (isnan(r->relative_sd)) {
        text_append(text, "  repetitions needed: can't be said, as no combination of levels has two runs\n");
        return;
    }
    text_printf(text, "  runs with the same levels scatter by %.3g %% (sd): ", 100 * r->relative_sd);
    if (r->repetitions)
        text_printf(text, "to resolve %.3g %% takes %zu repetitions (80 %% power, t test at 5 %%)\n",
                    100 * analysis->resolve, r->repetitions);
    else
        text_printf(text, "no number of repetitions can be said for %.3g %%\n", 100 * analysis->resolve);
}

static void add_response(struct text *text, const struct analysis *analysis, const struct response_figures *r)
{
    for (size_t i = 0; i < r->factor_count; i++)
        add_factor(text, r->response, &r->factors[i]);
    text_printf(text, "\n%s, whatever the factor\n", r->response->title);
    if (r->missing)
        text_printf(text, "  %zu of %zu finished runs have no value\n", r->missing, r->missing + r->count);
    for (size_t i = 0; i < r->interaction_count; i++)
        add_interaction(text, &r->interactions[i]);
    add_repetitions(text, analysis, r);
}

static void add_correlations(struct text *text, const struct analysis *analysis)
{
    if (analysis->correlation_count)
        text_append(text, "\nEnergy goes with\n");
    for (size_t i = 0; i < analysis->correlation_count; i++) {
        const struct correlation *c = &analysis->correlations[i];
        AUTO_FREE char *second = c->second ? text_printable(c->second) : NULL;
        text_append(text, "  ");
        add_name(text, c->with, 20);
        text_printf(text, "%s %.3f", c->second ? "point-biserial" : "Pearson", c->pearson.value);
        if (isfinite(c->pearson.low))
            text_printf(text, " (%.3f to %.3f)", c->pearson.low, c->pearson.high);
        text_append(text, ", ");
        add_p(text, c->pearson_p);
        text_printf(text, "; Spearman %.3f, ", c->spearman);
        add_p(text, c->spearman_p);
        if (second)
            text_printf(text, " (%s counts 1)", second);
        text_append(text, "\n");
    }
}

static void add_group(struct text *text, const struct analysis *analysis, const struct group_figures *group)
{
    AUTO_FREE char *other = group->dominated_by ? text_printable(group->dominated_by) : NULL;
    text_append(text, "  ");
    add_name(text, group->label, 28);
    add_value(text, analyse_response(ENERGY), group->energy_j, 12);
    add_value(text, analyse_response(ACCURACY), group->accuracy, 10);
    add_value(text, analyse_response(SCORE), group->score_per_kwh, 14);
    text_printf(text, "  %s%s\n",
                group->front ? "on the front"
                : other      ? "dominated by "
                             : "not placed",
                other ? other : "");
    if (!(analysis->reach > 0))
        return;
    text_printf(text, "    %.4g reached by %zu of %zu runs", analysis->reach, group->reached, group->count);
    if (group->reached) {
        text_append(text, ": ");
        add_value(text, analyse_response(ENERGY), group->reach_energy_j, 0);
        text_append(text, ", ");
        add_value(text, analyse_response(DURATION), group->reach_s, 0);
        text_printf(text, ", %.3g epochs (means of those)", group->reach_epochs);
    }
    text_append(text, "\n");
}

static void add_groups(struct text *text, const struct analysis *analysis)
{
    if (!analysis->accuracy_metric)
        return;
    text_printf(text, "\n%-30s%12s%10s%14s  %s\n", "Accuracy and energy", "energy", "accuracy",
                "score (1/kWh)", "Pareto front of means");
    for (size_t i = 0; i < analysis->group_count; i++)
        add_group(text, analysis, &analysis->groups[i]);
}

static void add_place_effect(struct text *text, const struct analysis *analysis)
{
    AUTO_FREE char *lines = analysis->place_effect ? place_effect_text(analysis->place_effect) : NULL;
    if (lines && *lines)
        text_printf(text, "\nNetwork or place\n%s", lines);
}

static void add_head(struct text *text, const struct analysis *analysis)
{
    AUTO_FREE char *study = text_printable(analysis->study);
    text_printf(text, "study '%s': %zu of %zu runs finished; energy: %s total%s", study ? study : "",
                analysis->done, analysis->planned, analysis->basis,
                analysis->estimated ? ", estimated by a model, not measured" : "");
    if (analysis->accuracy_metric)
        text_printf(text, "; accuracy: %s", analysis->accuracy_metric);
    if (analysis->place)
        text_printf(text, "; emissions: %s, PUE %.3g%s%s", analysis->place, analysis->pue,
                    analysis->pue_source ? " of " : "", analysis->pue_source ? analysis->pue_source : "");
    text_append(text, "\n");
    if (analysis->repaired)
        text_printf(text, "repaired: the energies of %zu runs are reconstructed by the audit, not measured\n",
                    analysis->replaced);
    else if (analysis->sound)
        text_printf(text, "without the energies of %zu runs, which the audit does not hold for sound\n",
                    analysis->replaced);
    else if (analysis->imported)
        text_printf(
            text,
            "%zu runs are from elsewhere, as published: `joulery audit` says which energies can't be;\n"
            "--repaired takes its reconstructions, --sound leaves out what it does not hold for sound\n",
            analysis->imported);
}

static bool few_values(const struct analysis *analysis)
{
    for (size_t r = 0; r < analysis->response_count; r++)
        for (size_t f = 0; f < analysis->responses[r].factor_count; f++)
            for (size_t l = 0; l < analysis->responses[r].factors[f].level_count; l++)
                if (analysis->responses[r].factors[f].levels[l].summary.count < 10)
                    return true;
    return false;
}

char *analyse_text(const struct analysis *analysis)
{
    struct text text = TEXT_INIT;
    add_head(&text, analysis);
    for (size_t i = 0; i < analysis->response_count; i++)
        add_response(&text, analysis, &analysis->responses[i]);
    add_correlations(&text, analysis);
    add_groups(&text, analysis);
    add_place_effect(&text, analysis);
    text_append(&text, "\nIntervals are of means, by bootstrap (BCa). ");
    if (few_values(analysis))
        text_append(&text, "Of fewer than ten runs they are too narrow: what did not occur is not drawn.\n");
    text_append(&text,
                "Each factor is tested with the others' levels pooled; p is adjusted over the pairs of "
                "one factor,\nnot over factors and responses.\n");
    return text_take(&text);
}
