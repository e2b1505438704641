/* export.h: what a database holds, in forms that other programs read: tables as CSV or JSON lines, and
 * reports in the data model of BoAmps. Nothing in the database is changed. */
#ifndef JOULERY_EXCHANGE_EXPORT_H
#define JOULERY_EXCHANGE_EXPORT_H

#include "carbon/places.h"
#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>

#define EXPORT_TABLES 3 /* runs, windows, energies */

struct export_place {
    const struct location *location; /* NULL: there are no emissions */
    double pue;                      /* at least 1 */
    bool pue_own;                    /* of the location */
};

/* How many rows a table has got. */
struct export_count {
    const char *table;
    size_t rows;
};

/* The place that a caller named (NULL, 0), or the study's own, as a report has it. Errors: no such place, a
 * PUE below 1. The place lives as long as `places`. */
int export_find_place(struct store *store, struct places *places, const char *location, double pue,
                      struct export_place *place, struct error *error);

/* runs.csv, windows.csv and energies.csv (RFC 4180, UTF-8, a header each), one row a run, a window of a run,
 * and a channel in a window, each with the factors as columns; columns.md says what they mean. An empty field
 * is not known. The folder is made if it is not there. One read transaction; each file is whole or as it was.
 */
int export_csv(struct store *store, const char *folder, const struct export_place *place,
               struct export_count counts[EXPORT_TABLES], struct error *error);

/* The same rows as joulery.rows/1 (docs/json.md), one object a line; `path` "-" is standard output. */
int export_jsonl(struct store *store, const char *path, const struct export_place *place,
                 struct export_count counts[EXPORT_TABLES], struct error *error);

#endif
