/* csv.h: one line of comma-separated values, RFC 4180. */
#ifndef JOULERY_BASE_CSV_H
#define JOULERY_BASE_CSV_H

#include "base/error.h"
#include "base/text.h"

struct csv_row {
    char **fields;
    size_t count;
    size_t size; /* bytes of the text that the row took, with its line end */
    bool crlf;   /* it ended so */
};

#define CSV_FIELDS_MOST 4096

/* The first row of `text`; quoted fields may hold line ends. -1 and `error`: no such row (a quote that never
 * ends, text beside quotes, a zero byte, no line at all). The caller frees `row` after 0. */
int csv_parse_row(const char *text, size_t size, struct csv_row *row, struct error *error);
/* The same of rows with another separator: a semicolon, a tab. */
int csv_parse_separated(const char *text, size_t size, char separator, struct csv_row *row,
                        struct error *error);
void csv_row_free(struct csv_row *row);

/* Whether a line has nothing in it. */
bool csv_blank(const char *line, size_t length);

/* Appends a field, quoted where it must be, after a comma unless it is the row's first. */
void csv_append(struct text *line, const char *field, bool first);

#endif
