/* wall_summary.h: what a wattmeter of its own gave for one run: a summary as JSON, or its readings as CSV. */
#ifndef JOULERY_EXCHANGE_WALL_SUMMARY_H
#define JOULERY_EXCHANGE_WALL_SUMMARY_H

#include "base/error.h"
#include "exchange/power_log.h"
#include "store/import.h"

#include <stddef.h>

struct wall_summary {
    char *identifier; /* what the file calls the run; NULL: nothing */
    double energy_j;  /* above 0 */
    double wall_s;    /* over which; NAN: not told */
    double samples;   /* readings; NAN: not told */
    double longest_s; /* CSV: the longest time between two readings; NAN: not told */
    double shift_s;   /* that was added to its times */
};

/* JSON (the text begins with a brace): an object of "joules", "Wh" or "kWh", and where they are there
 * "timeExecution" (s), "samples" and "executionIdentifier", as the replication package of Xu et al.
 * (HICSS-56, 2023) has them. CSV: a header with a column of times (time, timestamp, …) and one of watts
 * (power, power_w, watts, …), as power_log.h reads it, strictly and with times without a zone as UTC; the
 * trapezoid rule over the times as they are.
 *
 * Errors, by file and line: neither; no energy; energies that contradict each other by more than 0.1 %; times
 * that do not go on; fewer than two readings. The caller frees with wall_summary_free after 0. */
int wall_summary_parse(const char *name, const char *text, size_t size, struct wall_summary *summary,
                       struct error *error);
void wall_summary_free(struct wall_summary *summary);

/* The CSV alone, to be cut to runs. The caller frees `log` with power_log_free after 0. */
int wall_readings_parse(const char *name, const char *text, size_t size, struct power_log *log,
                        struct error *error);
/* Errors: no energy above 0. Nothing in `summary` is to be freed. */
int wall_summary_of_span(const char *name, const struct power_span *span, struct wall_summary *summary,
                         struct error *error);

/* Adds it to the run's record as channel wattmeter/`channel`. Errors: the run has that channel already. */
int wall_summary_attach(const struct wall_summary *summary, const char *file, const char *channel,
                        struct imported_run *run, struct error *error);

#endif
