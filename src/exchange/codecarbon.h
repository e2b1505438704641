/* codecarbon.h: rows in the column layout of CodeCarbon's emissions.csv, for what people built on such files.
 *
 * The layout is that of CodeCarbon 3.2 and 3.3 (codecarbon/output_methods/emissions_data.py; meaning and
 * units in its docs/reference/output.md): energies in kWh and, as there, times the PUE; emissions in kg;
 * powers in W; durations in s. A file with another header, of an older or a newer version, gets the columns
 * that its header names. What Joulery does not know is left empty. docs/json.md lists what is filled in. */
#ifndef JOULERY_EXCHANGE_CODECARBON_H
#define JOULERY_EXCHANGE_CODECARBON_H

#include "carbon/carbon.h"
#include "carbon/places.h"
#include "record/record.h"

struct codecarbon_options {
    const char *project;    /* project_name */
    const char *experiment; /* experiment_id: what several runs of one call share; codecarbon_new_id */
    const struct location *location; /* NULL: emissions, country and pue are left empty */
    double pue;                      /* with a location; at least 1 */
    double intensity_g_per_kwh;      /* what the run is charged by; 0: the location's */
};

/* A new random UUID (RFC 9562, version 4); the caller frees it; NULL if memory ran out. */
char *codecarbon_new_id(void);

/* Whether codecarbon_append will find a header that it can serve, and may write; better known before a run
 * than after. */
int codecarbon_check(const char *path, struct error *error);

/* Appends a row for the record, under a lock (flock) on the file, after a header if the file is new or empty.
 * On failure the file is as it was. */
int codecarbon_append(const char *path, const struct record *record, const struct codecarbon_options *options,
                      struct error *error);

#endif
