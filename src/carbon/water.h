/* water.h: water consumed for a kWh of the electricity of a country, a state or a province: its mix
 * (data/mix_country.csv, data/mix_region.csv) with the consumption of each energy source (data/water.csv,
 * Macknick et al. 2012), in operation, without mining. */
#ifndef JOULERY_CARBON_WATER_H
#define JOULERY_CARBON_WATER_H

#include "carbon/places.h"

/* Of the part of the electricity whose sources' consumption is known. */
struct water {
    double low_l_per_kwh, high_l_per_kwh; /* of power plants, by how they are cooled, without reservoirs */
    double reservoirs_l_per_kwh;          /* what evaporates from reservoirs of hydropower */
    double known_part;                    /* of the electricity, from WATER_LEAST_KNOWN to 1 */
    int year;                             /* of the mix */
    const char *source;                   /* of the consumption; lives as long as the table */
};

#define WATER_LEAST_KNOWN 0.9

struct water_table;

/* The caller closes it. */
struct water_table *water_open(struct error *error);
void water_close(struct water_table *table);

/* False: it is not known, for no mix is known of the location nor of the place whose figure it has, or too
 * much of its electricity is from sources of which no consumption is known (oil, other fossil fuels). */
bool water_find(const struct water_table *table, const struct location *location, struct water *water);

/* "0.67 to 1.9 l of water consumed per kWh by power plants, 1.8 l evaporating from reservoirs"; the caller
 * frees it. NULL: memory ran out. */
char *water_text(const struct water *water);

#endif
