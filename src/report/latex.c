#include "report/latex.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct latex_unit latex_unit(const char *unit, double most)
{
    static const struct latex_unit units[] = {
        {"J", 1e6, "MJ"},  {"J", 1e3, "kJ"},   {"kg", 1, "kg"},
        {"kg", 1e-3, "g"}, {"kg", 1e-6, "mg"}, {"kg", 1e-9, "$\\mu$g"},
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(units[i].unit, unit) == 0 && most >= units[i].size)
            return units[i];
    return (struct latex_unit){unit, 1, unit};
}

void latex_words(struct text *text, const char *words)
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

void latex_digits(struct text *text, double value)
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

void latex_number(struct text *text, double value)
{
    if (!isfinite(value)) {
        text_append(text, "--");
        return;
    }
    text_append(text, "$");
    latex_digits(text, value);
    text_append(text, "$");
}

void latex_interval(struct text *text, double low, double high)
{
    if (!isfinite(low)) {
        text_append(text, "--");
        return;
    }
    text_append(text, "$[");
    latex_digits(text, low);
    text_append(text, ", ");
    latex_digits(text, high);
    text_append(text, "]$");
}

void latex_p(struct text *text, double p)
{
    if (isnan(p))
        text_append(text, "--");
    else
        text_printf(text, p < 0.001 ? "$< 0.001$" : "$%.3f$", p);
}

void latex_table_begin(struct text *text, const char *columns, const char *head)
{
    text_printf(text, "  \\begin{tabular}{%s}\n    \\toprule\n    %s \\\\\n    \\midrule\n", columns, head);
}

void latex_table_end(struct text *text)
{
    text_append(text, "    \\bottomrule\n  \\end{tabular}\n");
}
