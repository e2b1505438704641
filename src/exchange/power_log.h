/* power_log.h: the log file of a wattmeter that knows nothing of Joulery: CSV with a column of times and one
 * of powers, or of an energy counter, or both.
 *
 * The separator is a comma, a semicolon or a tab, whichever makes the columns come out; where it is no comma,
 * numbers may have a decimal comma. Times are what clock_parse_time takes: those without a zone are this
 * machine's. Lines before the header, empty ones and those that begin with # are passed over. */
#ifndef JOULERY_EXCHANGE_POWER_LOG_H
#define JOULERY_EXCHANGE_POWER_LOG_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A column is its name in the header, or its number from 1; or, with `any`, one of several names, the first
 * that the header has, whatever their case: "power|watts|w". */
struct power_log_columns {
    const char *time;
    const char *power, *energy; /* NULL: none;at least one of the two */
    const char *power_unit;     /* "W", "kW", …; NULL: W */
    const char *energy_unit;    /* "J", "Wh", …; NULL: Wh */
    bool any;                   /* see above */
    bool utc;                   /* times without a zone are UTC */
    bool strict; /* a row that would be left out is an error, and so is one with other fields than the header
                  */
};

struct power_log {
    int64_t *wall_ns; /* rising, by the log's clock */
    double *power_w;  /* NAN: the row has none */
    double *energy_j; /* a counter's; NAN: the row has none */
    size_t count;
    double interval_s;     /* median */
    double energy_step_j;  /* the counter's smallest rise; NAN: it never rose */
    size_t rows;           /* below the header */
    size_t bad;            /* of them left out: no time, no number; `first_bad` says what and where */
    size_t back, repeated; /* left out: times before, and just as, that of a row above */
    char *first_bad;       /* NULL: none was */
};

/* Errors: no such column (with the nearest), an unknown unit, fewer than two rows that can be used, not text.
 * The caller frees `log` with power_log_free after 0. */
int power_log_parse(const char *text, size_t size, const struct power_log_columns *columns,
                    struct power_log *log, struct error *error);
/* The same of a file of at most 1 GiB; errors begin with its path. */
int power_log_read(const char *path, const struct power_log_columns *columns, struct power_log *log,
                   struct error *error);

/* What a log of powers says of a stretch of time. */
struct power_span {
    double energy_j; /* the trapezoid rule over the times as they are; at the ends between two readings */
    double wall_s;
    size_t samples;   /* readings within */
    double longest_s; /* the longest time between two readings of it */
};

/* Rows without a power are passed over. -1: the log's readings do not reach from one end to the other. */
int power_log_span(const struct power_log *log, int64_t from_ns, int64_t to_ns, struct power_span *span);

void power_log_free(struct power_log *log);

#endif
