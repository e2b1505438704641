/* carbon.h: joules to CO2e: kg = kWh x PUE x intensity / 1000. Worked out when asked, never stored. */
#ifndef JOULERY_CARBON_CARBON_H
#define JOULERY_CARBON_CARBON_H

#include "base/error.h"

#include <stddef.h>

/* A place with a known grid intensity. Static data; never freed. */
struct location {
    const char *code;  /* ISO 3166-1 alpha-3: "SWE" */
    const char *code2; /* alpha-2: "SE" */
    const char *name;  /* "Sweden" */
    int year;
    double intensity_g_per_kwh;
    const char *source;
};

/* All locations of data/, ordered by code. */
const struct location *carbon_locations(size_t *count);

/* By ISO code (alpha-3 or alpha-2), name, or another name in use ("UK", "Korea"), case ignored. NULL and an
 * error that names the nearest when there is none. */
const struct location *carbon_find(const char *code_or_name, struct error *error);

/* kg CO2e. The energy is what the machine drew; `pue` (power usage effectiveness, ISO/IEC 30134-2, at least
 * 1) is what its building draws for each joule of it. */
double carbon_emissions_kg(double energy_j, double pue, double intensity_g_per_kwh);

#endif
