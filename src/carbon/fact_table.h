/* fact_table.h: the small tables of figures in data/, as the files of this room read them: CSV whose header
 * names all columns in a fixed order; lines that begin with # are comments. */
#ifndef JOULERY_CARBON_FACT_TABLE_H
#define JOULERY_CARBON_FACT_TABLE_H

#include "base/csv.h"
#include "base/error.h"

struct fact_table {
    const char *path; /* for messages; lives as long as the table */
    struct csv_row *rows;
    size_t *lines; /* where each row begins, from 1 */
    size_t count;
};

/* Errors name the table and its line. The caller frees `table` after 0. */
int fact_table_read(struct fact_table *table, const char *text, size_t size, const char *path,
                    const char *const *columns, size_t column_count, struct error *error);
void fact_table_free(struct fact_table *table);

/* The text of a field; -1: it is empty. Lives as long as the table. */
int fact_text(const struct fact_table *table, size_t row, size_t column, const char **text,
              struct error *error);
/* A number from `least` to `most`. */
int fact_number(const struct fact_table *table, size_t row, size_t column, double least, double most,
                double *value, struct error *error);
int fact_year(const struct fact_table *table, size_t row, size_t column, int *year, struct error *error);

#endif
