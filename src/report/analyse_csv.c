/* An analysis as CSV (RFC 4180): a figure a row. */
#include "base/text.h"
#include "report/analyse.h"

#include <math.h>
#include <string.h>

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
