/* units.h: quantities in words people read: "12.4 kJ", "3 min 20 s", "0.31 g". */
#ifndef JOULERY_BASE_UNITS_H
#define JOULERY_BASE_UNITS_H

#include "base/error.h"

#include <stdint.h>

#define J_PER_KWH 3.6e6

/* Each returns a new string (the caller frees it), three to four significant digits; NULL if memory ran out.
 */
char *units_energy(double energy_j);    /* "12.4 kJ" */
char *units_kwh(double energy_j);       /* "0.00345 kWh" */
char *units_wh(double energy_j);        /* "50.1 Wh" */
char *units_power(double power_w);      /* "85.2 W" */
char *units_duration(double elapsed_s); /* "850 ms", "3 min 20 s", "2 h 5 min" */
char *units_mass(double mass_kg);       /* "312 mg", "1.24 kg" */
char *units_bytes(uint64_t bytes);      /* "3.4 MiB" */
char *units_count(uint64_t count);      /* "11,689,512" */

/* A number and one of J, kJ, MJ, mWh, Wh, kWh, with at most one space between: "50Wh", "1.5 kJ". -1 and
 * `error`, which names the value: anything else, and what is not above 0. */
int units_parse_energy(const char *string, double *energy_j, struct error *error);

/* A number and one of s, min, h, d, with at most one space between: "6h", "90 min", in seconds. -1 and
 * `error`, which names the value: anything else, and what is not above 0. */
int units_parse_duration(const char *string, double *duration_s, struct error *error);

/* "2%" or "2 %" as 0.02: above 0, at most 100 %. -1 and `error` for anything else. */
int units_parse_share(const char *string, double *share, struct error *error);

#endif
