/* rows.h: the report's questions to the store, row by row. */
#ifndef JOULERY_REPORT_ROWS_H
#define JOULERY_REPORT_ROWS_H

#include "report/analysis.h"

#include <sqlite3.h>

struct rows {
    sqlite3_stmt *statement;
    struct report *report; /* texts go into its pool */
    bool failed;           /* a text was lost to a lack of memory; rows_next then fails */
};

int rows_open(struct rows *rows, struct report *report, struct store *store, const char *sql,
              struct error *error);
/* 1: a row; 0: no more; -1. */
int rows_next(struct rows *rows, struct error *error);
void rows_close(struct rows *rows);
#define AUTO_ROWS __attribute__((cleanup(rows_close)))

/* NULL stays NULL. */
char *rows_text(struct rows *rows, int column);
/* Never NULL: "" instead. */
char *rows_name(struct rows *rows, int column);
/* NULL is NAN. */
double rows_number(struct rows *rows, int column);
int64_t rows_integer(struct rows *rows, int column);

/* The single number that `sql` asks for; NAN for NULL or no row. */
int rows_single(struct report *report, struct store *store, const char *sql, double *value,
                struct error *error);

#endif
