/* report.h: what a study found: figures with their intervals, the answer in sentences, the page.
 *
 * Reads a store, never runs anything. Emissions are worked out here, from the joules of the store and a place
 * and PUE that the caller names; the same store can be asked about every place. docs/method.md has the
 * statistics. */
#ifndef JOULERY_REPORT_REPORT_H
#define JOULERY_REPORT_REPORT_H

#include "base/error.h"
#include "calibrate/calibration.h"
#include "carbon/embodied.h"
#include "carbon/places.h"
#include "store/store.h"

#include <jansson.h>
#include <stddef.h>

struct report_options {
    struct places *places;    /* in which names are looked up; they outlive the report */
    const char *location;     /* code or name; NULL: what the study file says, else none is assumed */
    double pue;               /* 0: what the study file says, else the location's own, else 1 */
    const char *const *among; /* codes or names to compare emissions in; none: a spread of grids */
    size_t among_count;
    const char *
        site_factor; /* whose levels are places, in which the runs ran and are charged; NULL: in `location` */
    const char *hourly; /* intensity by the hour: a file, or a service's name; NULL: the yearly figure */
    struct embodied embodied; /* of the machine the runs were made on; all 0: not given */
    bool repaired;            /* energies that the audit reconstructs instead of those published */
    bool sound; /* without the energies that the audit does not hold for sound; one of the two at most */
    const struct calibration
        *calibration; /* for the wall energy of runs without a wattmeter; NULL: none is told */
};

struct report;

/* Errors: no finished run, a calibration that fits no run, a place that doesn't exist, an unreadable store.
 * One read transaction: a study may go on meanwhile. Freed with report_free. */
struct report *report_build(struct store *store, const struct report_options *options, struct error *error);
void report_free(struct report *report);

/* joulery.report/1, docs/json.md. NULL if memory ran out. */
json_t *report_to_json(const struct report *report);

/* The whole page: one HTML document that loads nothing. All from outside is escaped. The caller frees it. */
char *report_page(const struct report *report, size_t *size, struct error *error);

/* The answer for a terminal: a few lines, each ended by a newline. The caller frees it; NULL if memory ran
 * out. */
char *report_answer(const struct report *report);

#endif
