/* svg.h: figures for a paper, as SVG 1.1 that refers to nothing outside: one plot with two axes.
 *
 * Lengths are points (1/72 inch); text is 7 pt, in the reader's sans serif. Colours can be told apart by the
 * colour-blind (Okabe and Ito, 2008). Text from outside is escaped. */
#ifndef JOULERY_REPORT_SVG_H
#define JOULERY_REPORT_SVG_H

#include "base/text.h"

#include <stddef.h>

#define SVG_LINE_PT 10.0 /* from one line of text to the next */

/* Values from low to high lie from `from` to `to`, in points. */
struct svg_scale {
    double low, high, from, to;
};

struct svg {
    struct text out;
    double width, height;
    struct svg_scale x, y;
};

/* A document `width` by `height` with a title and a description for those who can't see it. */
void svg_begin(struct svg *svg, double width, double height, const char *title, const char *description);
/* The whole document; the caller frees it. NULL: no memory. */
char *svg_end(struct svg *svg);

/* Widens low..high to round numbers, so that the axis begins and ends at a tick. They may be alike. */
void svg_scale_round(struct svg_scale *scale);
double svg_at(const struct svg_scale *scale, double value);

/* Axes with ticks, and what they show; `y_title` NULL: no y axis. The y axis's grid lines are thin.. */
void svg_axes(struct svg *svg, const char *x_title, const char *y_title);

enum svg_anchor { SVG_START, SVG_MIDDLE, SVG_END };
void svg_text(struct svg *svg, double x, double y, enum svg_anchor anchor, const char *words);
/* `colour` counts on from 0 and begins anew; -1 is black. */
void svg_dot(struct svg *svg, double x, double y, double radius, int colour);
void svg_line(struct svg *svg, double x1, double y1, double x2, double y2, double width, int colour);
void svg_dashes(struct svg *svg, double x1, double y1, double x2, double y2, int colour);
void svg_bar(struct svg *svg, double x, double y, double width, double height, int colour);
/* Pairs of points. */
void svg_path(struct svg *svg, const double *points, size_t count, double width, int colour);

/* How wide a text is, about. */
double svg_text_width(const char *words);

#endif
