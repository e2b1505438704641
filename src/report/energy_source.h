/* energy_source.h: an energy whose emissions are asked for: given as a number, of a run, of a whole study. */
#ifndef JOULERY_REPORT_ENERGY_SOURCE_H
#define JOULERY_REPORT_ENERGY_SOURCE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct energy_source {
    char *what;           /* "run 3 of quick.db", "12.3 kWh" */
    double energy_j;      /* over 0 */
    double uncertainty_j; /* standard; of several runs their sum, for much of it they share; NAN: not known */
    bool estimated;       /* a model's figures are in it */
    const char *basis;    /* "software", "hardware"; NULL: it was given */
    size_t runs;          /* that it is of; 0: it was given */
    size_t unmeasured;    /* finished runs of the study that have no energy and are not in it */
    char *location;       /* where it was measured, as the study or record says; NULL: it doesn't */
    double pue;           /* of the same; 0: not known */
};

/* `text` is an energy ("12.3kWh"), a file with one joulery.run/1, a database, or DATABASE:RUN. The energy is
 * the software total, or the wattmeter's where there is no other, as in reports; of a database that of all
 * finished runs. Errors: none of these; a run that is not there; no energy, none over 0. The caller frees
 * `source` after 0. */
int energy_source_find(const char *text, struct energy_source *source, struct error *error);
void energy_source_free(struct energy_source *source);

/* Parses the bytes of a joulery.run/1; the caller frees `source` after 0. */
int energy_source_parse(const char *text, size_t size, struct energy_source *source, struct error *error);

#endif
