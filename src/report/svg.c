#include "report/svg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define TEXT_PT   7.0
#define TICKS     5 /* about */
#define INK       "#000000"
#define GRID      "#d9d9d9"
#define PT_PER_MM (72 / 25.4)

static const char *colour_of(int colour)
{
    static const char *const colours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                          "#e69f00", "#56b4e9", "#7a5fb0", "#6b7480"};
    return colour < 0 ? INK : colours[(size_t)colour % (sizeof colours / sizeof *colours)];
}

static void append_escaped(struct text *out, const char *words)
{
    AUTO_FREE char *shown = text_printable(words);
    for (const char *c = shown ? shown : ""; *c; c++) {
        const char *entity = *c == '&'   ? "&amp;"
                             : *c == '<' ? "&lt;"
                             : *c == '>' ? "&gt;"
                             : *c == '"' ? "&quot;"
                                         : NULL;
        if (entity)
            text_append(out, entity);
        else
            text_append_bytes(out, c, 1);
    }
}

void svg_begin(struct svg *svg, double width, double height, const char *title, const char *description)
{
    *svg = (struct svg){.out = TEXT_INIT, .width = width, .height = height};
    text_printf(
        &svg->out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" role=\"img\" aria-labelledby=\"title "
        "desc\" "
        "width=\"%.2fmm\" height=\"%.2fmm\" viewBox=\"0 0 %.2f %.2f\" font-family=\"Helvetica, Arial, "
        "sans-serif\" font-size=\"%g\" fill=\"" INK "\">\n<title id=\"title\">",
        width / PT_PER_MM, height / PT_PER_MM, width, height, TEXT_PT);
    append_escaped(&svg->out, title);
    text_append(&svg->out, "</title>\n<desc id=\"desc\">");
    append_escaped(&svg->out, description);
    text_append(&svg->out, "</desc>\n");
}

char *svg_end(struct svg *svg)
{
    text_append(&svg->out, "</svg>\n");
    return text_take(&svg->out);
}

/* 1, 2 or 5 times a power of ten. */
static double step_of(const struct svg_scale *scale)
{
    double rough = (scale->high - scale->low) / TICKS;
    double power = pow(10, floor(log10(rough)));
    return rough <= power       ? power
           : rough <= 2 * power ? 2 * power
           : rough <= 5 * power ? 5 * power
                                : 10 * power;
}

void svg_scale_round(struct svg_scale *scale)
{
    /* alike, or apart by rounding alone: no step would tell them apart */
    if (!(scale->high - scale->low > 1e-9 * fmax(fabs(scale->low), fabs(scale->high)))) {
        double half = scale->low != 0 ? fabs(scale->low) / 10 : 1;
        scale->low -= half;
        scale->high += half;
    }
    double step = step_of(scale);
    scale->low = step * floor(scale->low / step + 1e-9);
    scale->high = step * ceil(scale->high / step - 1e-9);
}

static size_t ticks_of(const struct svg_scale *scale, double step)
{
    double ticks = round((scale->high - scale->low) / step);
    return ticks > 0 && ticks < 1000 ? (size_t)ticks : 0;
}

double svg_at(const struct svg_scale *scale, double value)
{
    return scale->from + (value - scale->low) / (scale->high - scale->low) * (scale->to - scale->from);
}

/* ---- marks ---- */

/* On white, so that it can be read over a line. */
void svg_text(struct svg *svg, double x, double y, enum svg_anchor anchor, const char *words)
{
    static const char *const anchors[] = {"start", "middle", "end"};
    text_printf(&svg->out,
                "<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"%s\" stroke=\"#fff\" stroke-width=\"1.5\" "
                "paint-order=\"stroke\">",
                x, y, anchors[anchor]);
    append_escaped(&svg->out, words);
    text_append(&svg->out, "</text>\n");
}

void svg_dot(struct svg *svg, double x, double y, double radius, int colour)
{
    text_printf(&svg->out, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%.2f\" fill=\"%s\" fill-opacity=\"%s\"/>\n",
                x, y, radius, colour_of(colour), radius < 2 ? "0.6" : "1");
}

static void add_line(struct svg *svg, double x1, double y1, double x2, double y2, double width,
                     const char *colour, const char *dashes)
{
    text_printf(
        &svg->out,
        "<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" stroke=\"%s\" stroke-width=\"%.2f\"%s/>\n", x1,
        y1, x2, y2, colour, width, dashes);
}

void svg_line(struct svg *svg, double x1, double y1, double x2, double y2, double width, int colour)
{
    add_line(svg, x1, y1, x2, y2, width, colour_of(colour), "");
}

void svg_dashes(struct svg *svg, double x1, double y1, double x2, double y2, int colour)
{
    add_line(svg, x1, y1, x2, y2, 0.6, colour_of(colour), " stroke-dasharray=\"3 2\"");
}

void svg_bar(struct svg *svg, double x, double y, double width, double height, int colour)
{
    text_printf(&svg->out, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"/>\n", x, y,
                width, height, colour_of(colour));
}

void svg_path(struct svg *svg, const double *points, size_t count, double width, int colour)
{
    if (count < 2)
        return;
    text_printf(&svg->out, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"%.2f\" points=\"",
                colour_of(colour), width);
    for (size_t i = 0; i < count; i++)
        text_printf(&svg->out, "%s%.2f,%.2f", i ? " " : "", points[2 * i], points[2 * i + 1]);
    text_append(&svg->out, "\"/>\n");
}

/* Letters of Helvetica are a little over half as wide as they are high. */
double svg_text_width(const char *words)
{
    size_t letters = 0;
    for (const char *c = words; *c; c++)
        letters += ((unsigned char)*c & 0xC0) != 0x80;
    return (double)letters * TEXT_PT * 0.54;
}

/* ---- axes ---- */

static void tick_label(char *label, size_t size, double value, double step)
{
    int decimals = step < 1 ? (int)ceil(-log10(step) - 1e-9) : 0;
    if (fabs(value) < step / 1e6)
        value = 0;
    snprintf(label, size, "%.*f", decimals, value);
}

static void add_x_axis(struct svg *svg, const char *title)
{
    double step = step_of(&svg->x), bottom = svg->y.from;
    for (size_t tick = 0; tick <= ticks_of(&svg->x, step); tick++) {
        double value = svg->x.low + (double)tick * step;
        double x = svg_at(&svg->x, value);
        char label[48];
        tick_label(label, sizeof label, value, step);
        add_line(svg, x, bottom, x, svg->y.to, 0.3, GRID, "");
        add_line(svg, x, bottom, x, bottom + 2.5, 0.5, INK, "");
        svg_text(svg, x, bottom + 10, SVG_MIDDLE, label);
    }
    add_line(svg, svg->x.from, bottom, svg->x.to, bottom, 0.5, INK, "");
    svg_text(svg, (svg->x.from + svg->x.to) / 2, bottom + 20, SVG_MIDDLE, title);
}

static void add_y_axis(struct svg *svg, const char *title)
{
    double step = step_of(&svg->y), left = svg->x.from;
    for (size_t tick = 0; tick <= ticks_of(&svg->y, step); tick++) {
        double value = svg->y.low + (double)tick * step;
        double y = svg_at(&svg->y, value);
        char label[48];
        tick_label(label, sizeof label, value, step);
        add_line(svg, left, y, svg->x.to, y, 0.3, GRID, "");
        add_line(svg, left, y, left - 2.5, y, 0.5, INK, "");
        svg_text(svg, left - 4, y + 2.5, SVG_END, label);
    }
    add_line(svg, left, svg->y.from, left, svg->y.to, 0.5, INK, "");
    double middle = (svg->y.from + svg->y.to) / 2;
    text_printf(&svg->out, "<text transform=\"translate(8 %.2f) rotate(-90)\" text-anchor=\"middle\">",
                middle);
    append_escaped(&svg->out, title);
    text_append(&svg->out, "</text>\n");
}

void svg_axes(struct svg *svg, const char *x_title, const char *y_title)
{
    add_x_axis(svg, x_title);
    if (y_title)
        add_y_axis(svg, y_title);
}
