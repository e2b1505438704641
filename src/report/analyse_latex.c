/* An analysis as tables for a paper. */
#include "base/text.h"
#include "report/analyse.h"
#include "report/latex.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* By the greatest mean. */
static struct latex_unit unit_of(const struct response *response, const struct factor_figures *f)
{
    double most = 0;
    for (size_t i = 0; i < f->level_count; i++)
        most = fmax(most, fabs(f->levels[i].summary.mean));
    return latex_unit(response->unit, most);
}

static void add_tex_level(struct text *text, const struct level_figures *level, double scale)
{
    text_append(text, "    ");
    latex_words(text, level->level);
    text_printf(text, " & %zu & ", level->summary.count);
    latex_number(text, level->summary.mean / scale);
    text_append(text, " & ");
    latex_interval(text, level->bootstrap.mean.low / scale, level->bootstrap.mean.high / scale);
    text_append(text, " & ");
    latex_number(text, level->summary.median / scale);
    text_append(text, " & ");
    latex_number(text, level->summary.sd / scale);
    text_append(text, " \\\\\n");
}

static void add_tex_pair(struct text *text, const struct factor_figures *f, const struct pair_figures *pair,
                         double scale)
{
    text_append(text, "    ");
    latex_words(text, f->levels[pair->contrast.a].level);
    text_append(text, " -- ");
    latex_words(text, f->levels[pair->contrast.b].level);
    text_append(text, " & ");
    latex_number(text, pair->difference / scale);
    text_append(text, " & ");
    latex_p(text, pair->contrast.adjusted_p);
    text_append(text, " & ");
    latex_number(text, pair->cliffs_delta);
    text_printf(text, " (%s) & ", stats_delta_word(pair->cliffs_delta));
    latex_number(text, pair->hedges_g);
    text_printf(text, " \\\\\n");
}

/* What a reader must know of energies, and of what is made of them. */
static void add_tex_basis(struct text *text, const struct analysis *analysis, const struct response *response)
{
    if (response->kind == DURATION || response->kind == ACCURACY)
        return;
    text_append(text, analysis->estimated ? ", estimated by a model" : "");
    if (analysis->repaired)
        text_printf(text, ", %zu runs reconstructed", analysis->replaced);
    if (analysis->sound)
        text_printf(text, ", without %zu runs whose energies are not sound", analysis->replaced);
}

static void add_tex_caption(struct text *text, const struct analysis *analysis,
                            const struct response *response, const struct factor_figures *f, const char *unit)
{
    const struct group_test *test = analyse_test(f);
    text_printf(text, "  \\caption{%s", response->title);
    if (*unit)
        text_printf(text, " (%s)", unit);
    text_append(text, " by ");
    latex_words(text, f->factor);
    add_tex_basis(text, analysis, response);
    text_append(text, "; means with 95\\,\\% bootstrap intervals. ");
    if (test) {
        text_printf(text, "%s: $%s(%.4g", analyse_test_name(f->choice),
                    f->choice == CHOICE_KRUSKAL ? "H" : "F", test->df1);
        if (!isnan(test->df2))
            text_printf(text, ", %.4g", test->df2);
        text_append(text, ") = ");
        latex_digits(text, test->statistic);
        text_append(text, "$, $p$ ");
        text_append(text, test->p < 0.001 ? "" : "$=$ ");
        latex_p(text, test->p);
        text_append(text, ", as ");
    } else {
        text_append(text, "No test: ");
    }
    latex_words(text, f->reason);
    text_append(text, ".");
    if (f->pair_count)
        text_printf(text, " Pairs: %s.", analyse_pairs_name(f->choice));
    text_append(text, "}\n");
}

static void add_tex_table(struct text *text, const struct analysis *analysis,
                          const struct response_figures *r, const struct factor_figures *f)
{
    struct latex_unit scale = unit_of(r->response, f);
    text_append(text, "\\begin{table}\n  \\centering\n");
    add_tex_caption(text, analysis, r->response, f, scale.shown);
    latex_table_begin(text, "lrrrrr", "Level & $n$ & Mean & 95\\,\\% interval & Median & SD");
    for (size_t i = 0; i < f->level_count; i++)
        add_tex_level(text, &f->levels[i], scale.size);
    latex_table_end(text);
    if (f->pair_count) {
        text_append(text, "\n  \\medskip\n");
        latex_table_begin(text, "lrrrr", "Pair & Difference & Adj.\\ $p$ & Cliff's $\\delta$ & Hedges' $g$");
        for (size_t i = 0; i < f->pair_count; i++)
            add_tex_pair(text, f, &f->pairs[i], scale.size);
        latex_table_end(text);
    }
    text_append(text, "\\end{table}\n");
}

char *analyse_latex(const struct analysis *analysis)
{
    struct text text = TEXT_INIT;
    text_append(&text, "% \\usepackage{booktabs}\n");
    for (size_t r = 0; r < analysis->response_count; r++) {
        const struct response_figures *response = &analysis->responses[r];
        for (size_t f = 0; f < response->factor_count; f++)
            add_tex_table(&text, analysis, response, &response->factors[f]);
    }
    return text_take(&text);
}
