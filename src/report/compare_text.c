/* A comparison in words and as JSON. */
#include "base/text.h"
#include "base/units.h"
#include "report/compare.h"

#include <math.h>
#include <string.h>

/* Runs shown one by one. */
enum { ROWS_SHOWN = 40 };

static void add_energy(struct text *text, double energy_j, int width)
{
    AUTO_FREE char *size = isfinite(energy_j) ? units_energy(fabs(energy_j)) : NULL;
    AUTO_FREE char *words = text_format("%s%s", energy_j < 0 ? "-" : "", size ? size : "-");
    text_printf(text, "%*s", width, words ? words : "-");
}

static void add_row(struct text *text, const struct compared *row)
{
    AUTO_FREE char *level = text_printable(row->level);
    text_printf(text, "  %5lld", (long long)row->run);
    if (row->epoch >= 0)
        text_printf(text, " %5lld", (long long)row->epoch);
    text_printf(text, "  %-18.18s %3lld", level ? level : "", (long long)row->repetition);
    add_energy(text, row->software_j, 12);
    add_energy(text, row->hardware_j, 12);
    add_energy(text, row->hardware_j - row->software_j, 12);
    double share = row->software_j / row->hardware_j;
    if (isfinite(share))
        text_printf(text, " %8.1f %%", 100 * share);
    text_append(text, row->reconstructed ? "  reconstructed, ± " : row->estimated ? "  estimated" : "");
    if (row->reconstructed)
        add_energy(text, row->reconstruction_uncertainty_j, 0);
    text_append(text, "\n");
}

static void add_interval(struct text *text, int decimals, struct interval i, const char *unit)
{
    text_printf(text, "%.*f", decimals, i.value);
    text_append(text, unit);
    if (!isfinite(i.low) || !isfinite(i.high))
        return;
    text_append(text, " (");
    text_printf(text, "%.*f", decimals, i.low);
    text_append(text, " to ");
    text_printf(text, "%.*f", decimals, i.high);
    text_printf(text, "%s)", unit);
}

static void add_line(struct text *text, const char *name, const struct line *line)
{
    if (!isfinite(line->slope.value))
        return;
    text_printf(text, "  %s: hardware = ", name);
    add_interval(text, 3, line->slope, "");
    text_append(text, " x software + ");
    add_interval(text, 1, line->offset, " W");
    text_append(text, "\n");
}

static void add_agreement(struct text *text, const struct agreement *a)
{
    text_append(text, "  hardware - software: ");
    add_energy(text, a->bias.value, 0);
    if (isfinite(a->bias.low)) {
        text_append(text, " (");
        add_energy(text, a->bias.low, 0);
        text_append(text, " to ");
        add_energy(text, a->bias.high, 0);
        text_append(text, "); limits of agreement ");
        add_energy(text, a->lower.value, 0);
        text_append(text, " to ");
        add_energy(text, a->upper.value, 0);
    }
    text_append(text, "\n");
}

static void add_test(struct text *text, const struct paired *p)
{
    if (p->test == PAIR_NONE)
        text_append(text, "  no test: fewer than three pairs, or differences that don't differ\n");
    else
        text_printf(text, "  %s: p = %.3g, as the differences %s be normal (Shapiro-Wilk p = %.3g)\n",
                    p->test == PAIR_T ? "paired t" : "Wilcoxon's signed ranks", p->p,
                    p->test == PAIR_T ? "may" : "may not", p->normal_p);
}

static bool swapped(const struct ranked_level *a, const struct ranked_level *b)
{
    return (a->software_j - b->software_j) * (a->hardware_j - b->hardware_j) < 0;
}

static void add_ranking(struct text *text, const struct comparison *c)
{
    if (!c->factor || c->level_count < 2)
        return;
    AUTO_FREE char *factor = text_printable(c->factor);
    size_t swaps = 0;
    text_printf(text, "  order of %s: ", factor ? factor : "");
    for (size_t i = 0; i < c->level_count; i++) {
        for (size_t k = i + 1; k < c->level_count; k++) {
            if (!swapped(&c->levels[i], &c->levels[k]))
                continue;
            AUTO_FREE char *a = text_printable(c->levels[i].level), *b = text_printable(c->levels[k].level);
            text_printf(text, "%s%s and %s", swaps++ ? ", " : "changes places: ", a ? a : "", b ? b : "");
        }
    }
    text_printf(text, "%s (Kendall's tau-b %.3f)\n", swaps ? "" : "the same by both", c->kendall);
}

static void add_resolution(struct text *text, double share)
{
    if (isfinite(share) && share > 0)
        text_printf(text, "  the hardware counts in steps of %.2g %% of a median %s\n", 100 * share,
                    "reading");
}

static void add_state(struct text *text, const struct comparison *c)
{
    if (c->sound)
        text_printf(text, "without %zu runs, of which the audit does not hold an energy for sound\n",
                    c->left_out);
    else if (c->repaired)
        text_printf(
            text, "repaired: the energies of %zu of %zu runs are reconstructed by the audit, not measured\n",
            c->reconstructed, c->row_count);
    else if (c->imported)
        text_append(text, "as published: `joulery audit` says which energies can't be, --repaired takes its "
                          "reconstructions\n");
}

char *compare_text(const struct comparison *c)
{
    struct text text = TEXT_INIT;
    bool epochs = c->row_count && c->rows[0].epoch >= 0;
    AUTO_FREE char *software = text_printable(c->software), *hardware = text_printable(c->hardware);
    AUTO_FREE char *factor = text_printable(c->factor ? c->factor : "");
    text_printf(&text, "software: %s%s; hardware: %s; %zu of %zu %s have both\n", software ? software : "",
                c->estimated ? " (estimated by a model, not measured)" : "", hardware ? hardware : "",
                c->pair_count, c->row_count, epochs ? "epochs" : "runs");
    add_state(&text, c);
    text_printf(&text, "\n  %5s%s  %-18.18s %3s%12s%12s%12s%11s\n", "run", epochs ? " epoch" : "",
                factor ? factor : "", "rep", "software", "hardware", "difference", "coverage");
    for (size_t i = 0; i < c->row_count && i < ROWS_SHOWN; i++)
        add_row(&text, &c->rows[i]);
    if (c->row_count > ROWS_SHOWN)
        text_printf(&text, "  (%zu more: --json has all)\n", c->row_count - ROWS_SHOWN);
    text_printf(&text, "\n  software sees %.1f %% of what hardware sees (%.1f to %.1f %% by %s)\n",
                100 * c->coverage, 100 * c->coverage_low, 100 * c->coverage_high, epochs ? "epoch" : "run");
    add_agreement(&text, &c->agreement);
    add_line(&text, "least squares, mean powers", &c->least_squares);
    if (isfinite(c->least_squares.offset.value))
        text_printf(
            &text,
            "  so that of the hardware's mean %.1f W, %.1f W (%.1f to %.1f W) are constant and the rest in "
            "proportion\n",
            c->hardware_w, c->least_squares.offset.value, c->least_squares.offset.low,
            c->least_squares.offset.high);
    add_line(&text, "Deming, mean powers", &c->deming);
    text_append(&text, "  correlation: Pearson ");
    add_interval(&text, 4, c->pearson, "");
    text_printf(&text, ", Spearman %.4f; concordance (Lin) ", c->spearman);
    add_interval(&text, 4, c->concordance, "");
    text_append(&text, "\n");
    add_test(&text, &c->paired);
    add_ranking(&text, c);
    add_resolution(&text, c->resolution_share);
    text_append(&text, "  intervals are of 95 %. Published beside this: wall = 1.17 to 1.18 x software + 260 "
                       "to 974 W on one kind of\n"
                       "  node, slopes from 1.04 to 1.80 by workload (Jay et al., CCGrid 2023)\n");
    return text_take(&text);
}

/* ---- JSON ---- */

static json_t *real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *interval(struct interval i)
{
    return json_pack("{s:o, s:o, s:o}", "value", real(i.value), "low", real(i.low), "high", real(i.high));
}

static json_t *line(const struct line *line)
{
    return json_pack("{s:o, s:o, s:o}", "slope", interval(line->slope), "offset_w", interval(line->offset),
                     "residual_sd_w", real(line->residual_sd));
}

static json_t *rows(const struct comparison *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->row_count; i++) {
        const struct compared *r = &c->rows[i];
        json_array_append_new(
            list, json_pack("{s:I, s:o, s:s, s:I, s:o, s:o, s:o, s:o, s:o, s:b, s:b, s:o, s:o}", "run",
                            (json_int_t)r->run, "epoch", r->epoch >= 0 ? json_integer(r->epoch) : json_null(),
                            "level", r->level, "repetition", (json_int_t)r->repetition, "wall_s",
                            real(r->wall_s), "software_j", real(r->software_j), "software_uncertainty_j",
                            real(r->software_uncertainty_j), "hardware_j", real(r->hardware_j),
                            "hardware_uncertainty_j", real(r->hardware_uncertainty_j), "estimated",
                            r->estimated, "reconstructed", r->reconstructed, "reconstruction_uncertainty_j",
                            real(r->reconstruction_uncertainty_j), "lowess_hardware_w", real(r->smooth_w)));
    }
    return list;
}

static json_t *ranking(const struct comparison *c)
{
    json_t *levels = json_array(), *swaps = json_array();
    for (size_t i = 0; i < c->level_count; i++) {
        const struct ranked_level *l = &c->levels[i];
        json_array_append_new(levels, json_pack("{s:s, s:I, s:o, s:o}", "level", l->level, "n",
                                                (json_int_t)l->count, "software_j", real(l->software_j),
                                                "hardware_j", real(l->hardware_j)));
        for (size_t k = i + 1; k < c->level_count; k++)
            if (swapped(l, &c->levels[k]))
                json_array_append_new(swaps, json_pack("[s, s]", l->level, c->levels[k].level));
    }
    return json_pack("{s:s?, s:o, s:o, s:o}", "factor", c->factor, "levels", levels, "kendall_tau_b",
                     real(c->kendall), "swapped", swaps);
}

static json_t *test(const struct paired *p)
{
    static const char *const names[] = {
        [PAIR_NONE] = NULL, [PAIR_T] = "paired t", [PAIR_WILCOXON] = "Wilcoxon signed-rank"};
    return json_pack("{s:s?, s:o, s:o, s:o, s:b}", "name", names[p->test], "statistic", real(p->statistic),
                     "p", real(p->p), "shapiro_wilk_p", real(p->normal_p), "exact", p->exact);
}

json_t *compare_to_json(const struct comparison *c)
{
    const struct agreement *a = &c->agreement;
    return json_pack(
        "{s:s, s:s, s:s, s:b, s:b, s:b, s:I, s:I, s:I, s:o, s:{s:o, s:o, s:o}, s:{s:o, s:o, s:o, s:o}, "
        "s:{s:o, "
        "s:o}, s:o, s:{s:o, s:o, s:o}, "
        "s:o, s:o, s:o}",
        "schema", "joulery.compare/1", "software", c->software, "hardware", c->hardware, "estimated",
        c->estimated, "repaired", c->repaired, "sound", c->sound, "left_out", (json_int_t)c->left_out,
        "reconstructed", (json_int_t)c->reconstructed, "pairs", (json_int_t)c->pair_count, "rows", rows(c),
        "coverage", "sums", real(c->coverage), "least", real(c->coverage_low), "most", real(c->coverage_high),
        "difference_j", "sd", real(a->sd), "bias", interval(a->bias), "lower_limit", interval(a->lower),
        "upper_limit", interval(a->upper), "powers", "least_squares", line(&c->least_squares), "deming",
        line(&c->deming), "hardware_mean_w", real(c->hardware_w), "correlation", "pearson",
        interval(c->pearson), "spearman", real(c->spearman), "concordance", interval(c->concordance), "test",
        test(&c->paired), "ranking", ranking(c), "resolution_share", real(c->resolution_share));
}
