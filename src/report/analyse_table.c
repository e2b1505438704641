/* An analysis as CSV and as LaTeX. */
#include "base/text.h"
#include "report/analyse.h"

#include <math.h>
#include <string.h>

/* ---- CSV (RFC 4180) ---- */

static void add_cell(struct text *text, const char *cell)
{
    if (!strpbrk(cell, ",\"\r\n")) {
        text_append(text, cell);
        return;
    }
    text_append(text, "\"");
    for (const char *c = cell; *c; c++)
        text_printf(text, "%s%c", *c == '"' ? "\"" : "", *c);
    text_append(text, "\"");
}

/* What a row is about; NULL is an empty cell. */
struct subject {
    const char *response, *unit, *factor, *a, *b;
};

static void add_number(struct text *text, double value)
{
    text_append(text, ",");
    if (isfinite(value))
        text_printf(text, "%.15g", value);
}

static void add_row(struct text *text, const struct subject *s, const char *figure, struct interval value,
                    double p)
{
    const char *const cells[] = {s->response, s->unit, s->factor, s->a, s->b, figure};
    if (!isfinite(value.value))
        return;
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        text_append(text, i ? "," : "");
        add_cell(text, cells[i] ? cells[i] : "");
    }
    add_number(text, value.value);
    add_number(text, value.low);
    add_number(text, value.high);
    add_number(text, p);
    text_append(text, "\n");
}

static void add_plain(struct text *text, const struct subject *s, const char *figure, double value, double p)
{
    add_row(text, s, figure, (struct interval){value, NAN, NAN}, p);
}

static void add_level_rows(struct text *text, struct subject s, const struct level_figures *level)
{
    s.a = level->level;
    add_plain(text, &s, "n", (double)level->summary.count, NAN);
    add_row(text, &s, "mean",
            (struct interval){level->summary.mean, level->bootstrap.mean.low, level->bootstrap.mean.high},
            NAN);
    add_row(
        text, &s, "median",
        (struct interval){level->summary.median, level->bootstrap.median.low, level->bootstrap.median.high},
        NAN);
    add_plain(text, &s, "sd", level->summary.sd, NAN);
}

static void add_pair_rows(struct text *text, struct subject s, const struct factor_figures *f,
                          const struct pair_figures *pair)
{
    const struct contrast *c = &pair->contrast;
    s.a = f->levels[c->a].level;
    s.b = f->levels[c->b].level;
    add_row(text, &s, "difference", (struct interval){pair->difference, c->low, c->high}, c->adjusted_p);
    add_plain(text, &s, "cliffs_delta", pair->cliffs_delta, NAN);
    add_plain(text, &s, "hedges_g", pair->hedges_g, NAN);
}

static void add_factor_rows(struct text *text, struct subject s, const struct factor_figures *f)
{
    s.factor = f->factor;
    for (size_t i = 0; i < f->level_count; i++)
        add_level_rows(text, s, &f->levels[i]);
    add_plain(text, &s, "shapiro_wilk", f->shapiro_w, f->shapiro_p);
    add_plain(text, &s, "levene", f->levene.statistic, f->levene.p);
    add_plain(text, &s, "anova", f->anova.test.statistic, f->anova.test.p);
    add_plain(text, &s, "welch", f->welch.statistic, f->welch.p);
    add_plain(text, &s, "kruskal_wallis", f->kruskal.statistic, f->kruskal.p);
    add_plain(text, &s, "eta_squared", f->anova.eta_squared, NAN);
    add_plain(text, &s, "omega_squared", f->anova.omega_squared, NAN);
    add_plain(text, &s, "epsilon_squared", f->epsilon_squared, NAN);
    for (size_t i = 0; i < f->pair_count; i++)
        add_pair_rows(text, s, f, &f->pairs[i]);
}

static void add_response_rows(struct text *text, const struct response_figures *r)
{
    struct subject s = {.response = r->response->name, .unit = r->response->unit};
    for (size_t i = 0; i < r->factor_count; i++)
        add_factor_rows(text, s, &r->factors[i]);
    for (size_t i = 0; i < r->interaction_count; i++) {
        AUTO_FREE char *factors = text_format("%s x %s", r->interactions[i].a, r->interactions[i].b);
        s.factor = factors ? factors : "";
        add_plain(text, &s, "interaction", r->interactions[i].two_way.interaction.statistic,
                  r->interactions[i].two_way.interaction.p);
        add_plain(text, &s, "interaction_aligned_ranks", r->interactions[i].aligned.statistic,
                  r->interactions[i].aligned.p);
    }
    s.factor = NULL;
    add_plain(text, &s, "relative_sd", r->relative_sd, NAN);
    add_plain(text, &s, "repetitions_needed", r->repetitions ? (double)r->repetitions : NAN, NAN);
}

char *analyse_csv(const struct analysis *analysis)
{
    struct text text = TEXT_INIT;
    text_append(&text, "response,unit,factor,level,other_level,figure,value,low,high,p\n");
    for (size_t i = 0; i < analysis->response_count; i++)
        add_response_rows(&text, &analysis->responses[i]);
    for (size_t i = 0; i < analysis->correlation_count; i++) {
        const struct correlation *c = &analysis->correlations[i];
        const struct subject s = {.response = "energy", .factor = c->with, .a = c->second};
        add_row(&text, &s, c->second ? "point_biserial" : "pearson", c->pearson, c->pearson_p);
        add_plain(&text, &s, "spearman", c->spearman, c->spearman_p);
    }
    return text_take(&text);
}

/* ---- LaTeX ---- */

static void add_tex(struct text *text, const char *words)
{
    static const struct {
        char c;
        const char *tex;
    } escapes[] = {
        {'\\', "\\textbackslash{}"},
        {'~', "\\textasciitilde{}"},
        {'^', "\\textasciicircum{}"},
        {'&', "\\&"},
        {'%', "\\%"},
        {'$', "\\$"},
        {'#', "\\#"},
        {'_', "\\_"},
        {'{', "\\{"},
        {'}', "\\}"},
        {'<', "\\textless{}"},
        {'>', "\\textgreater{}"},
    };
    AUTO_FREE char *shown = text_printable(words);
    for (const char *c = shown ? shown : ""; *c; c++) {
        const char *tex = NULL;
        for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++)
            tex = *c == escapes[i].c ? escapes[i].tex : tex;
        if (tex)
            text_append(text, tex);
        else
            text_append_bytes(text, c, 1);
    }
}

static void add_tex_number(struct text *text, double value)
{
    if (isfinite(value))
        text_printf(text, "$%.4g$", value);
    else
        text_append(text, "--");
}

static void add_tex_p(struct text *text, double p)
{
    if (isnan(p))
        text_append(text, "--");
    else
        text_printf(text, p < 0.001 ? "$< 0.001$" : "$%.3f$", p);
}

static void begin_table(struct text *text, const char *columns, const char *head)
{
    text_printf(text, "  \\begin{tabular}{%s}\n    \\toprule\n    %s \\\\\n    \\midrule\n", columns, head);
}

static void end_table(struct text *text)
{
    text_append(text, "    \\bottomrule\n  \\end{tabular}\n");
}

static void add_tex_level(struct text *text, const struct level_figures *level)
{
    text_append(text, "    ");
    add_tex(text, level->level);
    text_printf(text, " & %zu & ", level->summary.count);
    add_tex_number(text, level->summary.mean);
    if (isfinite(level->bootstrap.mean.low))
        text_printf(text, " & $[%.4g, %.4g]$ & ", level->bootstrap.mean.low, level->bootstrap.mean.high);
    else
        text_append(text, " & -- & ");
    add_tex_number(text, level->summary.median);
    text_append(text, " & ");
    add_tex_number(text, level->summary.sd);
    text_append(text, " \\\\\n");
}

static void add_tex_pair(struct text *text, const struct factor_figures *f, const struct pair_figures *pair)
{
    text_append(text, "    ");
    add_tex(text, f->levels[pair->contrast.a].level);
    text_append(text, " -- ");
    add_tex(text, f->levels[pair->contrast.b].level);
    text_append(text, " & ");
    add_tex_number(text, pair->difference);
    text_append(text, " & ");
    add_tex_p(text, pair->contrast.adjusted_p);
    text_append(text, " & ");
    add_tex_number(text, pair->cliffs_delta);
    text_printf(text, " (%s) & ", stats_delta_word(pair->cliffs_delta));
    add_tex_number(text, pair->hedges_g);
    text_printf(text, " \\\\\n");
}

static void add_tex_caption(struct text *text, const struct response_figures *r,
                            const struct factor_figures *f, bool estimated)
{
    const struct group_test *test = analyse_test(f);
    text_printf(text, "  \\caption{%s", r->response->title);
    if (*r->response->unit)
        text_printf(text, " (%s)", r->response->unit);
    text_append(text, " by ");
    add_tex(text, f->factor);
    text_printf(text, "%s; means with 95\\,\\%% bootstrap intervals. ",
                estimated ? ", estimated by a model" : "");
    if (test) {
        text_printf(text, "%s: $%s(%.4g", analyse_test_name(f->choice),
                    f->choice == CHOICE_KRUSKAL ? "H" : "F", test->df1);
        if (!isnan(test->df2))
            text_printf(text, ", %.4g", test->df2);
        text_printf(text, ") = %.4g$, $p$ ", test->statistic);
        text_append(text, test->p < 0.001 ? "" : "$=$ ");
        add_tex_p(text, test->p);
        text_append(text, ", as ");
    } else {
        text_append(text, "No test: ");
    }
    add_tex(text, f->reason);
    text_append(text, ".");
    if (f->pair_count)
        text_printf(text, " Pairs: %s.", analyse_pairs_name(f->choice));
    text_append(text, "}\n");
}

static void add_tex_table(struct text *text, const struct analysis *analysis,
                          const struct response_figures *r, const struct factor_figures *f)
{
    bool of_energy = strcmp(r->response->name, "duration") != 0 && strcmp(r->response->name, "accuracy") != 0;
    text_append(text, "\\begin{table}\n  \\centering\n");
    add_tex_caption(text, r, f, of_energy && analysis->estimated);
    begin_table(text, "lrrrrr", "Level & $n$ & Mean & 95\\,\\% interval & Median & SD");
    for (size_t i = 0; i < f->level_count; i++)
        add_tex_level(text, &f->levels[i]);
    end_table(text);
    if (f->pair_count) {
        text_append(text, "\n  \\medskip\n");
        begin_table(text, "lrrrr", "Pair & Difference & Adj.\\ $p$ & Cliff's $\\delta$ & Hedges' $g$");
        for (size_t i = 0; i < f->pair_count; i++)
            add_tex_pair(text, f, &f->pairs[i]);
        end_table(text);
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
