#include "report/tables.h"

#include "base/file.h"
#include "report/analyse.h"
#include "report/analysis.h"
#include "report/compare.h"
#include "report/latex.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- summary.tex ---- */

struct units {
    struct latex_unit energy, emissions;
};

static struct units units_of(const struct report *report)
{
    double energy_j = 0, kg = 0;
    for (size_t i = 0; i < report->group_count; i++) {
        const struct group *group = &report->groups[i];
        energy_j = group->energy_j.count ? fmax(energy_j, fabs(group->energy_j.mean)) : energy_j;
        kg = group->kg_co2e.count ? fmax(kg, fabs(group->kg_co2e.mean)) : kg;
    }
    return (struct units){latex_unit("J", energy_j), latex_unit("kg", kg)};
}

/* Mean and interval, two columns. */
static void add_mean(struct text *text, const struct summary *summary, double size)
{
    bool known = summary->count > 0;
    text_append(text, " & ");
    latex_number(text, known ? summary->mean / size : NAN);
    text_append(text, " & ");
    latex_interval(text, known ? summary->low / size : NAN, known ? summary->high / size : NAN);
}

static void add_single(struct text *text, const struct summary *summary, double size)
{
    text_append(text, " & ");
    latex_number(text, summary->count > 0 ? summary->mean / size : NAN);
}

static void add_group(struct text *text, const struct report *report, const struct group *group,
                      const struct units *units)
{
    text_append(text, "    ");
    latex_words(text, group->label);
    text_printf(text, " & %zu", group->energy_j.count ? group->energy_j.count : group->wall_s.count);
    add_mean(text, &group->energy_j, units->energy.size);
    add_single(text, &group->wall_s, 1);
    if (report->accuracy_metric) {
        add_mean(text, &group->accuracy, 1);
        add_single(text, &group->score_per_kwh, 1);
    }
    if (report->place)
        add_single(text, &group->kg_co2e, units->emissions.size);
    text_append(text, " \\\\\n");
}

static void add_caption(struct text *text, const struct report *report)
{
    bool estimated = false;
    for (size_t i = 0; i < report->group_count; i++)
        estimated = estimated || report->groups[i].estimated;
    text_append(text, "  \\caption{");
    latex_words(text, report->study_name);
    text_printf(text, ": means of a run with 95\\,\\%% intervals by Student's $t$; energy: %s total%s",
                report->basis, estimated ? ", estimated by a model, not measured" : "");
    if (report->repaired || report->sound)
        text_printf(text,
                    report->repaired ? "; %zu energies are the audit's reconstructions"
                                     : "; without %zu energies that the audit does not hold for sound",
                    report->replaced);
    if (report->accuracy_metric) {
        text_append(text, "; accuracy: ");
        latex_words(text, report->accuracy_metric);
    }
    if (report->place) {
        text_append(text, "; CO$_2$e: ");
        latex_words(text, report->place);
        text_printf(text, "; PUE %.3g", report->pue);
        if (report->pue_own) {
            text_append(text, " of ");
            latex_words(text, report->location->pue_source);
        }
    }
    text_append(text, ".}\n");
}

static char *summary_table(const struct report *report)
{
    struct units units = units_of(report);
    struct text text = TEXT_INIT, head = TEXT_INIT;
    text_printf(&head, "Kind & $n$ & Energy (%s) & 95\\,\\%% interval & Time (s)", units.energy.shown);
    if (report->accuracy_metric)
        text_append(&head, " & Accuracy & 95\\,\\% interval & per kWh");
    if (report->place)
        text_printf(&head, " & CO$_2$e (%s)", units.emissions.shown);
    text_append(&text, "% \\usepackage{booktabs}\n\\begin{table}\n  \\centering\n");
    add_caption(&text, report);
    latex_table_begin(&text,
                      report->accuracy_metric ? report->place ? "lrrrrrrrr" : "lrrrrrrr"
                      : report->place         ? "lrrrrr"
                                              : "lrrrr",
                      head.data ? head.data : "");
    text_free(&head);
    for (size_t i = 0; i < report->group_count; i++)
        add_group(&text, report, &report->groups[i], &units);
    latex_table_end(&text);
    text_append(&text, "\\end{table}\n");
    return text_take(&text);
}

/* ---- agreement.tex ---- */

static void add_row(struct text *text, const char *name, struct interval value, const char *unit)
{
    text_printf(text, "    %s%s & ", name, unit);
    latex_number(text, value.value);
    text_append(text, " & ");
    latex_interval(text, value.low, value.high);
    text_append(text, " \\\\\n");
}

static struct interval alone(double value)
{
    return (struct interval){.value = value, .low = NAN, .high = NAN};
}

static char *agreement_table(const struct comparison *c)
{
    struct text text = TEXT_INIT;
    text_append(&text, "% \\usepackage{booktabs}\n\\begin{table}\n  \\centering\n  \\caption{");
    latex_words(&text, c->hardware);
    text_append(&text, " against ");
    latex_words(&text, c->software);
    text_printf(&text, ", %zu pairs%s", c->pair_count,
                c->estimated ? "; some software energies are a model's" : "");
    if (c->reconstructed)
        text_printf(&text, "; %zu energies are reconstructed", c->reconstructed);
    text_append(&text, ".}\n");
    latex_table_begin(&text, "lrr", "Quantity & Value & 95\\,\\% interval");
    add_row(&text, "Coverage, software by hardware", alone(c->coverage), "");
    add_row(&text, "Bias, hardware less software", c->agreement.bias, " (J)");
    add_row(&text, "Upper limit of agreement", c->agreement.upper, " (J)");
    add_row(&text, "Lower limit of agreement", c->agreement.lower, " (J)");
    add_row(&text, "Slope of mean powers, Deming", c->deming.slope, "");
    add_row(&text, "Offset of mean powers, Deming", c->deming.offset, " (W)");
    add_row(&text, "Slope of mean powers, least squares", c->least_squares.slope, "");
    add_row(&text, "Offset of mean powers, least squares", c->least_squares.offset, " (W)");
    add_row(&text, "Pearson's $r$", c->pearson, "");
    add_row(&text, "Spearman's $\\rho$", alone(c->spearman), "");
    add_row(&text, "Lin's concordance", c->concordance, "");
    add_row(&text, "Kendall's $\\tau$ of the levels' means", alone(c->kendall), "");
    latex_table_end(&text);
    text_append(&text, "\\end{table}\n");
    return text_take(&text);
}

/* ---- files ---- */

struct tables {
    const char *folder;
    struct text written;
};

/* Takes `content` over. */
static int write_table(struct tables *tables, const char *name, char *content, struct error *error)
{
    AUTO_FREE char *owned = content, *path = file_join(tables->folder, name);
    if (!owned || !path)
        return error_memory(error, name);
    text_printf(&tables->written, "%s%s", tables->written.length ? ", " : "", name);
    return file_write(path, owned, strlen(owned), error);
}

/* That nothing varies, or nothing can be compared, is no failure: there is no such table then. */
static int write_analysis(struct tables *tables, struct store *store, const struct report_options *options,
                          struct error *error)
{
    const struct analyse_options asked = {.places = options->places,
                                          .location = options->location,
                                          .pue = options->pue,
                                          .among = options->among,
                                          .among_count = options->among_count,
                                          .site_factor = options->site_factor,
                                          .hourly = options->hourly,
                                          .repaired = options->repaired,
                                          .sound = options->sound};
    struct analysis analysis;
    struct error ignored = ERROR_INIT;
    int built = analyse_build(store, &asked, &analysis, &ignored);
    bool any = false;
    for (size_t r = 0; built == 0 && r < analysis.response_count; r++)
        any = any || analysis.responses[r].factor_count > 0;
    int result = any ? write_table(tables, "analysis.tex", analyse_latex(&analysis), error) : 0;
    analyse_free(&analysis);
    error_clear(&ignored);
    return result;
}

static int write_agreement(struct tables *tables, struct store *store, const struct report_options *options,
                           struct error *error)
{
    struct comparison comparison;
    struct error ignored = ERROR_INIT;
    int result = 0;
    if (compare_build(store,
                      &(struct compare_options){.repaired = options->repaired, .sound = options->sound},
                      &comparison, &ignored) == 0) {
        result = write_table(tables, "agreement.tex", agreement_table(&comparison), error);
        compare_free(&comparison);
    }
    error_clear(&ignored);
    return result;
}

int report_write_tables(const struct report *report, struct store *store,
                        const struct report_options *options, const char *folder, char **written,
                        struct error *error)
{
    struct tables tables = {folder, TEXT_INIT};
    AUTO_FREE char *inside = file_join(folder, "summary.tex");
    *written = NULL;
    if (!inside)
        return error_memory(error, folder);
    if (file_make_folders(inside, error) < 0 ||
        write_table(&tables, "summary.tex", summary_table(report), error) < 0 ||
        write_analysis(&tables, store, options, error) < 0 ||
        write_agreement(&tables, store, options, error) < 0) {
        text_free(&tables.written);
        return -1;
    }
    *written = text_take(&tables.written);
    return *written ? 0 : error_memory(error, folder);
}
