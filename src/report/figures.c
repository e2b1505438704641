#include "report/figures.h"

#include "base/file.h"
#include "report/analysis.h"
#include "report/compare.h"
#include "report/svg.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RIGHT_PT  8.0
#define BOTTOM_PT 26.0 /* labels and title of the x axis */
#define LEFT_PT   40.0 /* of the y axis */
#define ROW_PT    16.0

struct figures {
    const struct report *report;
    const char *folder;
    double width;   /* points */
    double *values; /* room for a value of every run */
    double *points; /* for a pair of every run and epoch */
    struct text written;
};

/* A unit for the values that a figure shows, and the scale's name with it. */
struct unit {
    double size;
    char title[96];
};

static struct unit unit_of(const char *what, const char *unit, double most)
{
    static const struct {
        const char *unit;
        double size;
        const char *shown;
    } units[] = {{"J", 1e6, "MJ"}, {"J", 1e3, "kJ"}, {"J", 0, "J"},    {"kg", 1, "kg"}, {"kg", 1e-3, "g"},
                 {"kg", 0, "mg"},  {"s", 3600, "h"}, {"s", 60, "min"}, {"s", 0, "s"}};
    static const double smallest[] = {1, 1e-6, 1}; /* J, mg, s */
    struct unit found = {1, ""};
    const char *shown = unit;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(units[i].unit, unit) == 0 && most >= 2 * units[i].size) {
            found.size = units[i].size > 0 ? units[i].size : smallest[i / 3];
            shown = units[i].shown;
            break;
        }
    snprintf(found.title, sizeof found.title, *shown ? "%s (%s)" : "%s", what, shown);
    return found;
}

/* Takes the document over. */
static int write_figure(struct figures *f, struct svg *svg, const char *name, struct error *error)
{
    AUTO_FREE char *document = svg_end(svg), *path = file_join(f->folder, name);
    if (!document || !path)
        return error_memory(error, name);
    text_printf(&f->written, "%s%s", f->written.length ? ", " : "", name);
    return file_write(path, document, strlen(document), error);
}

static char *description(const struct report *report, const char *what)
{
    return text_format("%s. Study %s, %zu finished runs%s%s.", what, report->study_name,
                       report->states[RUN_DONE],
                       report->basis && strcmp(report->basis, "hardware") == 0 ? ", energy by wattmeter" : "",
                       report->repaired ? ", energies as the audit reconstructs them"
                       : report->sound  ? ", without energies that the audit does not hold for sound"
                                        : "");
}

static bool any_estimated(const struct report *report)
{
    for (size_t i = 0; i < report->group_count; i++)
        if (report->groups[i].estimated)
            return true;
    return false;
}

/* What stands on an axis of energies says what they are. */
static char *of_energies(const struct report *report, const char *what)
{
    return text_format("%s%s%s", what, any_estimated(report) ? ", estimated" : "",
                       report->repaired && report->replaced ? ", in part reconstructed" : "");
}

/* ---- one row a kind: every run, mean, interval ---- */

struct strip {
    const char *file, *what, *unit;
    enum run_figure figure;
    size_t summary; /* where in struct group */
    bool of_energy;
};

static const struct summary *summary_of(const struct group *group, const struct strip *strip)
{
    return (const struct summary *)((const char *)group + strip->summary);
}

static bool strip_scale(const struct figures *f, const struct strip *strip, struct svg_scale *scale,
                        size_t *rows)
{
    *rows = 0;
    *scale = (struct svg_scale){.low = INFINITY, .high = -INFINITY};
    for (size_t i = 0; i < f->report->group_count; i++) {
        const struct summary *s = summary_of(&f->report->groups[i], strip);
        if (s->count == 0)
            continue;
        ++*rows;
        scale->low = fmin(scale->low, fmin(s->least, isfinite(s->low) ? s->low : s->least));
        scale->high = fmax(scale->high, fmax(s->most, isfinite(s->high) ? s->high : s->most));
    }
    /* a length is read from zero, unless all the difference is far from it */
    if (scale->low > 0 && scale->low < 0.5 * scale->high)
        scale->low = 0;
    return *rows > 0;
}

static void draw_row(struct figures *f, struct svg *svg, const struct strip *strip, size_t place, double size,
                     double y)
{
    const struct group *group = &f->report->groups[place];
    const struct summary *s = summary_of(group, strip);
    size_t count = report_values(f->report, place, strip->figure, f->values);
    svg_text(svg, svg->x.from - 5, y + 2.5, SVG_END, group->label);
    for (size_t i = 0; i < count; i++) /* apart, so that none hides another */
        svg_dot(svg, svg_at(&svg->x, f->values[i] / size), y + 3.5 * ((double)(i % 3) - 1), 1.4, 0);
    if (isfinite(s->low))
        svg_line(svg, svg_at(&svg->x, s->low / size), y, svg_at(&svg->x, s->high / size), y, 1.2, 1);
    double mean = svg_at(&svg->x, s->mean / size);
    svg_line(svg, mean, y - 5, mean, y + 5, 1.2, 1);
}

static double widest_label(const struct report *report)
{
    double width = 0;
    for (size_t i = 0; i < report->group_count; i++)
        width = fmax(width, svg_text_width(report->groups[i].label));
    return width;
}

static int draw_strip(struct figures *f, const struct strip *strip, struct error *error)
{
    struct svg_scale scale;
    size_t rows;
    if (!strip_scale(f, strip, &scale, &rows))
        return 0;
    AUTO_FREE char *what = strip->of_energy ? of_energies(f->report, strip->what) : strdup(strip->what);
    AUTO_FREE char *words =
        description(f->report, "A dot is a run, a tick the mean, a bar its 95 % interval by Student's t");
    struct unit unit = unit_of(what ? what : strip->what, strip->unit, scale.high);
    struct svg svg;
    double height = (double)rows * ROW_PT + BOTTOM_PT + 6;
    svg_begin(&svg, f->width, height, what ? what : strip->what, words ? words : "");
    svg.x = (struct svg_scale){scale.low / unit.size, scale.high / unit.size,
                               fmin(widest_label(f->report) + 10, f->width / 2), f->width - RIGHT_PT};
    svg.y = (struct svg_scale){0, 1, height - BOTTOM_PT, 2};
    svg_scale_round(&svg.x);
    svg_axes(&svg, unit.title, NULL);
    double y = 2 + ROW_PT / 2;
    for (size_t i = 0; i < f->report->group_count; i++)
        if (summary_of(&f->report->groups[i], strip)->count > 0) {
            draw_row(f, &svg, strip, i, unit.size, y);
            y += ROW_PT;
        }
    return write_figure(f, &svg, strip->file, error);
}

static int draw_strips(struct figures *f, struct error *error)
{
#define OF(member) offsetof(struct group, member)
    static const struct strip strips[] = {
        {"energy.svg", "Energy of a run", "J", FIGURE_ENERGY, OF(energy_j), true},
        {"duration.svg", "Duration of a run", "s", FIGURE_WALL, OF(wall_s), false},
        {"power.svg", "Mean power of a run (W)", "", FIGURE_POWER, OF(power_w), true},
        {"accuracy.svg", "Accuracy", "", FIGURE_ACCURACY, OF(accuracy), false},
        {"score.svg", "Accuracy per kWh", "", FIGURE_SCORE, OF(score_per_kwh), true},
        {"emissions.svg", "CO\342\202\202e of a run", "kg", FIGURE_EMISSIONS, OF(kg_co2e), true},
    };
#undef OF
    for (size_t i = 0; i < sizeof strips / sizeof *strips; i++)
        if (draw_strip(f, &strips[i], error) < 0)
            return -1;
    return 0;
}

/* ---- plots of two quantities ---- */

/* Names beside their points, on the side with more room. */
static void draw_name(struct svg *svg, double x, double y, const char *name)
{
    bool right = x + 5 + svg_text_width(name) < svg->x.to;
    svg_text(svg, right ? x + 4 : x - 4, y - 3, right ? SVG_START : SVG_END, name);
}

/* More kinds than this have numbers beside their points, and their names below. */
enum { NAMED_MOST = 4 };

struct key {
    size_t count, columns;
    double column_pt;
};

static struct key key_of(const struct figures *f, size_t kinds)
{
    double widest = widest_label(f->report) + 16;
    size_t columns = (size_t)((f->width - 12) / widest);
    struct key key = {kinds > NAMED_MOST ? kinds : 0, columns ? columns : 1, widest};
    return key;
}

static double key_height(const struct key *key)
{
    return key->count ? (double)((key->count + key->columns - 1) / key->columns) * SVG_LINE_PT + 4 : 0;
}

/* The name, or its number and an entry below the plot. `number` from 0. */
static void name_kind(struct svg *svg, const struct key *key, size_t number, double x, double y,
                      const char *name)
{
    if (!key->count) {
        draw_name(svg, x, y, name);
        return;
    }
    AUTO_FREE char *digits = text_format("%zu", number + 1),
                   *entry = text_format("%zu  %s", number + 1, name);
    double left = 8 + (double)(number % key->columns) * key->column_pt;
    double top = svg->y.from + BOTTOM_PT + 8 + (double)(number / key->columns) * SVG_LINE_PT;
    draw_name(svg, x, y, digits ? digits : "");
    svg_text(svg, left, top, SVG_START, entry ? entry : "");
}

/* `below`: for a key. */
static void begin_plot(struct figures *f, struct svg *svg, double below, const char *title, const char *words)
{
    double height = 0.72 * f->width;
    svg_begin(svg, f->width, height + below, title, words ? words : "");
    svg->x = (struct svg_scale){INFINITY, -INFINITY, LEFT_PT, f->width - RIGHT_PT};
    svg->y = (struct svg_scale){INFINITY, -INFINITY, height - BOTTOM_PT, 6};
}

static void widen(struct svg_scale *scale, double value)
{
    if (!isfinite(value))
        return;
    scale->low = fmin(scale->low, value);
    scale->high = fmax(scale->high, value);
}

static void draw_kind(struct svg *svg, const struct key *key, size_t number, const struct group *group,
                      double size)
{
    const struct summary *e = &group->energy_j, *a = &group->accuracy;
    double x = svg_at(&svg->x, e->mean / size), y = svg_at(&svg->y, a->mean);
    int colour = group->front ? 1 : 0;
    if (isfinite(e->low))
        svg_line(svg, svg_at(&svg->x, e->low / size), y, svg_at(&svg->x, e->high / size), y, 0.6, colour);
    if (isfinite(a->low))
        svg_line(svg, x, svg_at(&svg->y, a->low), x, svg_at(&svg->y, a->high), 0.6, colour);
    svg_dot(svg, x, y, 2.2, colour);
    name_kind(svg, key, number, x, y, group->label);
}

static int by_first(const void *a, const void *b)
{
    const double *one = a, *other = b;
    return (one[0] > other[0]) - (one[0] < other[0]);
}

static void draw_front(struct figures *f, struct svg *svg, double size)
{
    size_t count = 0;
    for (size_t i = 0; i < f->report->group_count; i++) {
        const struct group *group = &f->report->groups[i];
        if (!group->front || group->accuracy.count == 0 || group->energy_j.count == 0)
            continue;
        f->points[2 * count] = svg_at(&svg->x, group->energy_j.mean / size);
        f->points[2 * count++ + 1] = svg_at(&svg->y, group->accuracy.mean);
    }
    qsort(f->points, count, 2 * sizeof *f->points, by_first);
    svg_path(svg, f->points, count, 0.8, 1);
}

static int draw_tradeoff(struct figures *f, struct error *error)
{
    AUTO_FREE char *words =
        description(f->report, "Mean energy and accuracy of a run by kind, with 95 % intervals; the "
                               "line joins the Pareto front");
    struct svg svg;
    size_t count = 0;
    double most = 0;
    for (size_t i = 0; i < f->report->group_count; i++)
        count += f->report->groups[i].accuracy.count > 0 && f->report->groups[i].energy_j.count > 0;
    struct key key = key_of(f, count);
    begin_plot(f, &svg, key_height(&key), "Accuracy and energy", words);
    for (size_t i = 0; i < f->report->group_count; i++) {
        const struct group *g = &f->report->groups[i];
        if (g->accuracy.count == 0 || g->energy_j.count == 0)
            continue;
        most = fmax(most, g->energy_j.mean);
        widen(&svg.x, g->energy_j.mean), widen(&svg.x, g->energy_j.low), widen(&svg.x, g->energy_j.high);
        widen(&svg.y, g->accuracy.mean), widen(&svg.y, g->accuracy.low), widen(&svg.y, g->accuracy.high);
    }
    if (count < 2) {
        text_free(&svg.out);
        return 0;
    }
    AUTO_FREE char *what = of_energies(f->report, "Energy of a run");
    struct unit unit = unit_of(what ? what : "Energy of a run", "J", most);
    svg.x.low = fmin(svg.x.low, 0) / unit.size;
    svg.x.high /= unit.size;
    svg_scale_round(&svg.x);
    svg_scale_round(&svg.y);
    svg_axes(&svg, unit.title, "Accuracy");
    draw_front(f, &svg, unit.size);
    for (size_t i = 0, number = 0; i < f->report->group_count; i++)
        if (f->report->groups[i].accuracy.count > 0 && f->report->groups[i].energy_j.count > 0)
            draw_kind(&svg, &key, number++, &f->report->groups[i], unit.size);
    return write_figure(f, &svg, "tradeoff.svg", error);
}

/* A curve a kind: accuracy against the energy so far, with its name at its end. */
/* Whether there was one. */
static bool draw_curve(struct figures *f, struct svg *svg, const struct key *key, size_t number, size_t group,
                       double size)
{
    size_t count = 0;
    for (size_t i = 0; i < f->report->epoch_count; i++) {
        const struct epoch *epoch = &f->report->epochs[i];
        if (epoch->group != group || epoch->accuracy.count == 0 || epoch->energy_so_far_j.count == 0)
            continue;
        double x = svg_at(&svg->x, epoch->energy_so_far_j.mean / size),
               y = svg_at(&svg->y, epoch->accuracy.mean);
        svg_dot(svg, x, y, 1.2, (int)number);
        f->points[2 * count] = x;
        f->points[2 * count++ + 1] = y;
    }
    svg_path(svg, f->points, count, 0.8, (int)number);
    if (count)
        name_kind(svg, key, number, f->points[2 * count - 2], f->points[2 * count - 1],
                  f->report->groups[group].label);
    return count > 0;
}

static int draw_epochs(struct figures *f, struct error *error)
{
    AUTO_FREE char *words =
        description(f->report, "Accuracy after each epoch against the energy used until then, means "
                               "by kind");
    struct svg svg;
    bool any = false;
    struct key key = key_of(f, f->report->group_count);
    begin_plot(f, &svg, key_height(&key), "Learning by energy", words);
    for (size_t i = 0; i < f->report->epoch_count; i++) {
        const struct epoch *epoch = &f->report->epochs[i];
        if (epoch->accuracy.count == 0 || epoch->energy_so_far_j.count == 0)
            continue;
        any = true;
        widen(&svg.x, epoch->energy_so_far_j.mean), widen(&svg.y, epoch->accuracy.mean);
    }
    if (!any) {
        text_free(&svg.out);
        return 0;
    }
    AUTO_FREE char *what = of_energies(f->report, "Energy so far");
    struct unit unit = unit_of(what ? what : "Energy so far", "J", svg.x.high);
    svg.x.low = 0;
    svg.x.high /= unit.size;
    svg_scale_round(&svg.x);
    svg_scale_round(&svg.y);
    svg_axes(&svg, unit.title, "Accuracy");
    for (size_t i = 0, number = 0; i < f->report->group_count; i++)
        number += draw_curve(f, &svg, &key, number, i, unit.size);
    return write_figure(f, &svg, "epochs.svg", error);
}

/* Energy by its kind's mean, over the order of execution: a drift is seen at once. */
static int draw_order(struct figures *f, struct error *error)
{
    const struct report *report = f->report;
    AUTO_FREE char *words =
        description(report, "Energy of each run divided by the mean of its kind, in the order in "
                            "which the runs were done");
    struct svg svg;
    size_t count = 0;
    begin_plot(f, &svg, 0, "Energy over the order of execution", words);
    for (size_t i = 0; i < report->run_count; i++) {
        const struct run *run = &report->runs[i];
        if (run->state != RUN_DONE || run->group == NO_GROUP || !isfinite(run->energy_j) ||
            report->groups[run->group].energy_j.count < 2 || !(report->groups[run->group].energy_j.mean > 0))
            continue;
        f->points[2 * count] = (double)(i + 1);
        f->points[2 * count++ + 1] = 100 * (run->energy_j / report->groups[run->group].energy_j.mean - 1);
        widen(&svg.x, f->points[2 * count - 2]), widen(&svg.y, f->points[2 * count - 1]);
    }
    if (count < 3) {
        text_free(&svg.out);
        return 0;
    }
    svg.x.low = 0;
    svg_scale_round(&svg.x);
    svg_scale_round(&svg.y);
    AUTO_FREE char *energy = of_energies(report, "Energy"),
                   *y_title = text_format("%s, against its kind's mean (%%)", energy ? energy : "Energy");
    svg_axes(&svg, "Run, in order of execution", y_title ? y_title : "");
    svg_line(&svg, svg.x.from, svg_at(&svg.y, 0), svg.x.to, svg_at(&svg.y, 0), 0.6, -1);
    for (size_t i = 0; i < count; i++)
        svg_dot(&svg, svg_at(&svg.x, f->points[2 * i]), svg_at(&svg.y, f->points[2 * i + 1]), 1.4, 0);
    return write_figure(f, &svg, "order.svg", error);
}

/* ---- places ---- */

static int by_intensity(const void *a, const void *b)
{
    const struct location *const *one = a, *const *other = b;
    double x = (*one)->intensity_g_per_kwh, y = (*other)->intensity_g_per_kwh;
    return (x > y) - (x < y);
}

static int draw_places(struct figures *f, struct error *error)
{
    const struct report *report = f->report;
    double energy_j = 0, widest = 0;
    size_t count = report->among_count;
    for (size_t i = 0; i < report->run_count; i++)
        if (report->runs[i].state == RUN_DONE && isfinite(report->runs[i].energy_j))
            energy_j += report->runs[i].energy_j;
    const struct location **sorted = calloc(count + 1, sizeof(struct location *));
    if (!sorted)
        return error_memory(error, "places.svg");
    if (count)
        memcpy(sorted, report->among, count * sizeof(struct location *));
    qsort(sorted, count, sizeof(struct location *), by_intensity);
    for (size_t i = 0; i < count; i++)
        widest = fmax(widest, svg_text_width(sorted[i]->name));
    int result = 0;
    if (count > 0 && energy_j > 0 && sorted[count - 1]->intensity_g_per_kwh > 0) {
        double per_g = carbon_emissions_kg(energy_j, report->pue, 1);
        double most = per_g * sorted[count - 1]->intensity_g_per_kwh;
        AUTO_FREE char *what = of_energies(report, "CO\342\202\202e of all runs");
        struct unit unit = unit_of(what ? what : "", "kg", most);
        AUTO_FREE char *words =
            description(report, "The energy of all finished runs by the yearly carbon intensity of "
                                "each place");
        struct svg svg;
        double height = (double)count * ROW_PT + BOTTOM_PT + 6;
        svg_begin(&svg, f->width, height, "Emissions by place", words ? words : "");
        svg.x = (struct svg_scale){0, most / unit.size, fmin(widest + 10, f->width / 2), f->width - RIGHT_PT};
        svg.y = (struct svg_scale){0, 1, height - BOTTOM_PT, 2};
        svg_scale_round(&svg.x);
        svg_axes(&svg, unit.title, NULL);
        for (size_t i = 0; i < count; i++) {
            double y = 2 + ((double)i + 0.5) * ROW_PT;
            double to = svg_at(&svg.x, per_g * sorted[i]->intensity_g_per_kwh / unit.size);
            svg_text(&svg, svg.x.from - 5, y + 2.5, SVG_END, sorted[i]->name);
            svg_bar(&svg, svg.x.from, y - 5, to - svg.x.from, 10, sorted[i] == report->location ? 1 : 0);
        }
        result = write_figure(f, &svg, "places.svg", error);
    }
    free(sorted);
    return result;
}

/* ---- two instruments ---- */

static void draw_line_of(struct svg *svg, const struct line *line)
{
    if (!isfinite(line->slope.value))
        return;
    double at_low = line->offset.value + line->slope.value * svg->x.low;
    double at_high = line->offset.value + line->slope.value * svg->x.high;
    svg_line(svg, svg->x.from, svg_at(&svg->y, at_low), svg->x.to, svg_at(&svg->y, at_high), 0.9, 1);
}

static bool paired(const struct compared *row)
{
    return isfinite(row->software_j) && isfinite(row->hardware_j) && row->wall_s > 0;
}

static int plot_agreement(struct figures *f, const struct comparison *c, struct error *error)
{
    AUTO_FREE char *words =
        description(f->report, "Mean power of each run by both instruments; the solid line is Deming's "
                               "regression, on the dashed line both agree");
    AUTO_FREE char *x_title = text_format("%s (W)", c->software),
                   *y_title = text_format("%s (W)", c->hardware);
    struct svg svg;
    begin_plot(f, &svg, 0, "Two instruments", words);
    for (size_t i = 0; i < c->row_count; i++)
        if (paired(&c->rows[i])) {
            widen(&svg.x, c->rows[i].software_j / c->rows[i].wall_s);
            widen(&svg.y, c->rows[i].hardware_j / c->rows[i].wall_s);
        }
    svg.x.low = svg.y.low = 0;
    svg_scale_round(&svg.x);
    svg_scale_round(&svg.y);
    svg_axes(&svg, x_title ? x_title : "", y_title ? y_title : "");
    double both = fmin(svg.x.high, svg.y.high);
    svg_dashes(&svg, svg_at(&svg.x, 0), svg_at(&svg.y, 0), svg_at(&svg.x, both), svg_at(&svg.y, both), -1);
    draw_line_of(&svg, &c->deming);
    for (size_t i = 0; i < c->row_count; i++)
        if (paired(&c->rows[i]))
            svg_dot(&svg, svg_at(&svg.x, c->rows[i].software_j / c->rows[i].wall_s),
                    svg_at(&svg.y, c->rows[i].hardware_j / c->rows[i].wall_s), 1.6, 0);
    return write_figure(f, &svg, "agreement.svg", error);
}

/* That there is nothing to compare with is no failure. */
static int draw_agreement(struct figures *f, struct store *store, struct error *error)
{
    struct comparison comparison;
    struct error ignored = ERROR_INIT;
    int result = 0;
    if (compare_build(store,
                      &(struct compare_options){.repaired = f->report->repaired, .sound = f->report->sound},
                      &comparison, &ignored) == 0) {
        result = plot_agreement(f, &comparison, error);
        compare_free(&comparison);
    }
    error_clear(&ignored);
    return result;
}

/* ---- all ---- */

static int draw_all(struct figures *f, struct store *store, struct error *error)
{
    if (draw_strips(f, error) < 0 || draw_tradeoff(f, error) < 0 || draw_epochs(f, error) < 0 ||
        draw_order(f, error) < 0 || draw_places(f, error) < 0)
        return -1;
    return draw_agreement(f, store, error);
}

int report_write_figures(const struct report *report, struct store *store, const char *folder,
                         double width_mm, char **written, struct error *error)
{
    size_t most = report->run_count + report->epoch_count + report->group_count + 1;
    struct figures f = {
        .report = report, .folder = folder, .width = width_mm / 25.4 * 72, .written = TEXT_INIT};
    AUTO_FREE char *inside = file_join(folder, "energy.svg");
    *written = NULL;
    f.values = calloc(most, sizeof *f.values);
    f.points = calloc(2 * most, sizeof *f.points);
    int result =
        f.values && f.points && inside ? file_make_folders(inside, error) : error_memory(error, folder);
    if (result == 0)
        result = draw_all(&f, store, error);
    free(f.values);
    free(f.points);
    *written = result == 0 ? text_take(&f.written) : NULL;
    if (result < 0)
        text_free(&f.written);
    return result < 0 || *written ? result : error_memory(error, folder);
}
