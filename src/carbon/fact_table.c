#include "carbon/fact_table.h"

#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define YEAR_FIRST 1990
#define YEAR_LAST  2100

void fact_table_free(struct fact_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        csv_row_free(&table->rows[i]);
    free(table->rows);
    free(table->lines);
    *table = (struct fact_table){.path = table->path};
}

static int check_header(const struct csv_row *row, const char *path, size_t line, const char *const *columns,
                        size_t column_count, struct error *error)
{
    bool good = row->count == column_count;
    for (size_t i = 0; good && i < column_count; i++)
        good = strcmp(row->fields[i], columns[i]) == 0;
    if (good)
        return 0;
    struct text names = TEXT_INIT;
    for (size_t i = 0; i < column_count; i++)
        text_printf(&names, "%s%s", i ? "," : "", columns[i]);
    error_set(error, "%s:%zu: expected the columns %s", path, line,
              names.data ? names.data : "of this table");
    text_free(&names);
    return -1;
}

/* Takes the row over. */
static int add_row(struct fact_table *table, struct csv_row row, size_t line, size_t columns,
                   struct error *error)
{
    struct csv_row *rows = realloc(table->rows, (table->count + 1) * sizeof *rows);
    table->rows = rows ? rows : table->rows;
    size_t *lines = realloc(table->lines, (table->count + 1) * sizeof *lines);
    table->lines = lines ? lines : table->lines;
    if (!rows || !lines) {
        csv_row_free(&row);
        return error_memory(error, table->path);
    }
    table->rows[table->count] = row;
    table->lines[table->count++] = line;
    if (row.count == columns)
        return 0;
    return error_set(error, "%s:%zu: expected %zu fields, as the header has, found %zu", table->path, line,
                     columns, row.count);
}

static int read_rows(struct fact_table *table, const char *text, size_t size, const char *const *columns,
                     size_t column_count, struct error *error)
{
    bool header = false;
    size_t line = 1;
    for (size_t at = 0, taken; at < size; at += taken) {
        const char *end = memchr(text + at, '\n', size - at);
        taken = end ? (size_t)(end - text) - at + 1 : size - at;
        size_t began = line++;
        if (text[at] == '#' || text[at] == '\n')
            continue;
        struct csv_row row;
        if (csv_parse_row(text + at, taken, &row, error) < 0)
            return error_prefix(error, "%s:%zu", table->path, began);
        if (header) {
            if (add_row(table, row, began, column_count, error) < 0)
                return -1;
            continue;
        }
        int status = check_header(&row, table->path, began, columns, column_count, error);
        csv_row_free(&row);
        if (status < 0)
            return -1;
        header = true;
    }
    return header ? 0 : error_set(error, "%s: it has no row that names its columns", table->path);
}

int fact_table_read(struct fact_table *table, const char *text, size_t size, const char *path,
                    const char *const *columns, size_t column_count, struct error *error)
{
    *table = (struct fact_table){.path = path};
    if (read_rows(table, text, size, columns, column_count, error) == 0)
        return 0;
    fact_table_free(table);
    return -1;
}

int fact_text(const struct fact_table *table, size_t row, size_t column, const char **text,
              struct error *error)
{
    *text = table->rows[row].fields[column];
    return **text
               ? 0
               : error_set(error, "%s:%zu: field %zu is empty", table->path, table->lines[row], column + 1);
}

int fact_number(const struct fact_table *table, size_t row, size_t column, double least, double most,
                double *value, struct error *error)
{
    const char *text = table->rows[row].fields[column];
    if (text_to_double(text, value) == 0 && *value >= least && *value <= most)
        return 0;
    return error_set(error, "%s:%zu: field %zu: expected a number from %g to %g, found '%s'", table->path,
                     table->lines[row], column + 1, least, most, text);
}

int fact_year(const struct fact_table *table, size_t row, size_t column, int *year, struct error *error)
{
    double value;
    if (fact_number(table, row, column, YEAR_FIRST, YEAR_LAST, &value, error) < 0)
        return -1;
    *year = (int)value;
    return 0;
}
