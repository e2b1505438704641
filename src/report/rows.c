#include "report/rows.h"

#include <math.h>

int rows_open(struct rows *rows, struct report *report, struct store *store, const char *sql,
              struct error *error)
{
    *rows = (struct rows){.database = store_database(store), .report = report};
    if (sqlite3_prepare_v2(rows->database, sql, -1, &rows->statement, NULL) != SQLITE_OK)
        return error_set(error, "the database can't be asked: %s", sqlite3_errmsg(rows->database));
    return 0;
}

int rows_next(struct rows *rows, struct error *error)
{
    if (rows->failed)
        return error_memory(error, "texts of the report");
    switch (sqlite3_step(rows->statement)) {
    case SQLITE_ROW:
        return 1;
    case SQLITE_DONE:
        return 0;
    default:
        return error_set(error, "the database can't be read: %s", sqlite3_errmsg(rows->database));
    }
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
    bool known = sqlite3_column_type(rows->statement, column) != SQLITE_NULL;
    return known ? sqlite3_column_double(rows->statement, column) : NAN;
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
