/* An analysis as tables for a paper. */
#include "base/text.h"
#include "report/analyse.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A table has one unit: figures are divided by `size`. */
struct scale {
    const char *unit; /* of the response */
    double size;
    const char *shown;
};

static const struct scale scales[] = {
    {"J", 1e6, "MJ"},  {"J", 1e3, "kJ"},   {"kg", 1, "kg"},
    {"kg", 1e-3, "g"}, {"kg", 1e-6, "mg"}, {"kg", 1e-9, "$\\mu$g"},
};

/* By the greatest mean. */
static struct scale scale_of(const struct response *response, const struct factor_figures *f)
{
    double most = 0;
    for (size_t i = 0; i < f->level_count; i++)
        most = fmax(most, fabs(f->levels[i].summary.mean));
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++)
        if (strcmp(scales[i].unit, response->unit) == 0 && most >= scales[i].size)
            return scales[i];
    return (struct scale){response->unit, 1, response->unit};
}

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
        {'[', "{[}"}, /* else an option of the row's end above */
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

/* Four digits, within $…$: 812, 2.761 \times 10^{6}. */
static void add_digits(struct text *text, double value)
{
    AUTO_FREE char *words = text_format("%.4g", value);
    char *exponent = words ? strchr(words, 'e') : NULL;
    if (!exponent) {
        text_append(text, words ? words : "");
        return;
    }
    *exponent = '\0';
    text_printf(text, "%s \\times 10^{%ld}", words, strtol(exponent + 1, NULL, 10));
}

static void add_tex_number(struct text *text, double value)
{
    if (!isfinite(value)) {
        text_append(text, "--");
        return;
    }
    text_append(text, "$");
    add_digits(text, value);
    text_append(text, "$");
}

static void add_tex_interval(struct text *text, const struct interval *interval, double scale)
{
    if (!isfinite(interval->low)) {
        text_append(text, "--");
        return;
    }
    text_append(text, "$[");
    add_digits(text, interval->low / scale);
    text_append(text, ", ");
    add_digits(text, interval->high / scale);
    text_append(text, "]$");
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

static void add_tex_level(struct text *text, const struct level_figures *level, double scale)
{
    text_append(text, "    ");
    add_tex(text, level->level);
    text_printf(text, " & %zu & ", level->summary.count);
    add_tex_number(text, level->summary.mean / scale);
    text_append(text, " & ");
    add_tex_interval(text, &level->bootstrap.mean, scale);
    text_append(text, " & ");
    add_tex_number(text, level->summary.median / scale);
    text_append(text, " & ");
    add_tex_number(text, level->summary.sd / scale);
    text_append(text, " \\\\\n");
}

static void add_tex_pair(struct text *text, const struct factor_figures *f, const struct pair_figures *pair,
                         double scale)
{
    text_append(text, "    ");
    add_tex(text, f->levels[pair->contrast.a].level);
    text_append(text, " -- ");
    add_tex(text, f->levels[pair->contrast.b].level);
    text_append(text, " & ");
    add_tex_number(text, pair->difference / scale);
    text_append(text, " & ");
    add_tex_p(text, pair->contrast.adjusted_p);
    text_append(text, " & ");
    add_tex_number(text, pair->cliffs_delta);
    text_printf(text, " (%s) & ", stats_delta_word(pair->cliffs_delta));
    add_tex_number(text, pair->hedges_g);
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
    add_tex(text, f->factor);
    add_tex_basis(text, analysis, response);
    text_append(text, "; means with 95\\,\\% bootstrap intervals. ");
    if (test) {
        text_printf(text, "%s: $%s(%.4g", analyse_test_name(f->choice),
                    f->choice == CHOICE_KRUSKAL ? "H" : "F", test->df1);
        if (!isnan(test->df2))
            text_printf(text, ", %.4g", test->df2);
        text_append(text, ") = ");
        add_digits(text, test->statistic);
        text_append(text, "$, $p$ ");
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
    struct scale scale = scale_of(r->response, f);
    text_append(text, "\\begin{table}\n  \\centering\n");
    add_tex_caption(text, analysis, r->response, f, scale.shown);
    begin_table(text, "lrrrrr", "Level & $n$ & Mean & 95\\,\\% interval & Median & SD");
    for (size_t i = 0; i < f->level_count; i++)
        add_tex_level(text, &f->levels[i], scale.size);
    end_table(text);
    if (f->pair_count) {
        text_append(text, "\n  \\medskip\n");
        begin_table(text, "lrrrr", "Pair & Difference & Adj.\\ $p$ & Cliff's $\\delta$ & Hedges' $g$");
        for (size_t i = 0; i < f->pair_count; i++)
            add_tex_pair(text, f, &f->pairs[i], scale.size);
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
