/* latex.h: figures and words within a LaTeX document; its tables need booktabs. */
#ifndef JOULERY_REPORT_LATEX_H
#define JOULERY_REPORT_LATEX_H

#include "base/text.h"

/* A table has one unit: figures are divided by `size`. */
struct latex_unit {
    const char *unit; /* J, kg */
    double size;
    const char *shown; /* "kJ" */
};

/* In which a column is shown whose largest figure is `most`; of another unit than J and kg the unit itself.
 */
struct latex_unit latex_unit(const char *unit, double most);

/* Any text from outside: what means something to LaTeX is escaped. */
void latex_words(struct text *text, const char *words);
/* Four digits, within $…$: 812, 2.761 \times 10^{6}. */
void latex_digits(struct text *text, double value);
/* The same with its $…$; "--" of what is not known. */
void latex_number(struct text *text, double value);
void latex_interval(struct text *text, double low, double high);
void latex_p(struct text *text, double p);
void latex_table_begin(struct text *text, const char *columns, const char *head);
void latex_table_end(struct text *text);

#endif
