/* equivalents.h: what else emits as much, so that people can picture a mass of CO2e: data/equivalents.csv. */
#ifndef JOULERY_CARBON_EQUIVALENTS_H
#define JOULERY_CARBON_EQUIVALENTS_H

#include "base/error.h"

#include <stddef.h>

/* `g_co2e` are emitted by one `unit` of what is meant: "km" + "driven by an average car in the USA". */
struct equivalent {
    const char *code; /* "car-us" */
    const char *unit, *what;
    double g_co2e; /* over 0 */
    int year;      /* of the figure */
    const char *source;
};

struct equivalents;

/* Those in the program, in the table's order. The caller closes them. */
struct equivalents *equivalents_open(struct error *error);
void equivalents_close(struct equivalents *equivalents);
const struct equivalent *equivalents_all(const struct equivalents *equivalents, size_t *count);

/* How many units emit that mass; negative masses give negative numbers. */
double equivalent_units(const struct equivalent *equivalent, double kg_co2e);
/* "12.3 km driven by an average car in the USA", with three significant digits; the caller frees it. NULL:
 * memory ran out. */
char *equivalent_text(const struct equivalent *equivalent, double kg_co2e);

#endif
