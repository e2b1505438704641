/* trace_csv.h: the power trace of a run as CSV: time_s,meter,channel,power_w,wall_s,run.
 *
 * A file whose name ends in .gz consists of gzip members (RFC 1952), each whole lines and written at once: a
 * run that is killed leaves a file that every reader of gzip understands. */
#ifndef JOULERY_EXCHANGE_TRACE_CSV_H
#define JOULERY_EXCHANGE_TRACE_CSV_H

#include "record/record.h"
#include "record/recorder.h"

struct trace_csv;

/* Creates or empties the file and writes the header. */
struct trace_csv *trace_csv_open(const char *path, struct error *error);

/* `run` from 1. Rows are kept for a block; what is a block goes to the file. -1: the file could not be
 * written; it keeps its whole blocks, and trace_csv_close tells. */
int trace_csv_add(struct trace_csv *trace, const struct channel *channels, const struct trace_sample *samples,
                  size_t count, uint64_t run);

/* Writes what is left and closes. -1 and `error`: the trace is not complete. Accepts NULL. */
int trace_csv_close(struct trace_csv *trace, struct error *error);

#endif
