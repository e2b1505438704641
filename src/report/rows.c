#include "report/rows.h"

#include "store/query.h"

#include <math.h>

int rows_open(struct rows *rows, struct report *report, struct store *store, const char *sql,
              struct error *error)
{
    *rows = (struct rows){.report = report};
    rows->statement = query_prepare(store_database(store), sql, error);
    return rows->statement ? 0 : -1;
}

int rows_next(struct rows *rows, struct error *error)
{
    return rows->failed ? error_memory(error, "texts of the report") : query_step(rows->statement, error);
}

void rows_close(struct rows *rows)
{
    sqlite3_finalize(rows->statement);
    rows->statement = NULL;
}

char *rows_text(struct rows *rows, int column)
{
    return report_copy(rows->report, (const char *)sqlite3_column_text(rows->statement, column),
                       &rows->failed);
}

char *rows_name(struct rows *rows, int column)
{
    const char *text = (const char *)sqlite3_column_text(rows->statement, column);
    return report_copy(rows->report, text ? text : "", &rows->failed);
}

double rows_number(struct rows *rows, int column)
{
    return query_number(rows->statement, column);
}

int64_t rows_integer(struct rows *rows, int column)
{
    return sqlite3_column_int64(rows->statement, column);
}

int rows_single(struct report *report, struct store *store, const char *sql, double *value,
                struct error *error)
{
    AUTO_ROWS struct rows rows = {0};
    if (rows_open(&rows, report, store, sql, error) < 0)
        return -1;
    int got = rows_next(&rows, error);
    *value = got == 1 ? rows_number(&rows, 0) : NAN;
    return got < 0 ? -1 : 0;
}
