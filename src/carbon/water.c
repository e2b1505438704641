#include "carbon/water.h"

#include "base/text.h"
#include "carbon/fact_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define L_PER_KWH_MOST 100.0
#define MIX_MOST       1e6 /* TWh */

extern const unsigned char water_csv[], mix_country_csv[], mix_region_csv[];
extern const size_t water_csv_size, mix_country_csv_size, mix_region_csv_size;

enum energy { COAL, GAS, OIL, NUCLEAR, HYDRO, WIND, SOLAR, FOSSIL, OTHER, ENERGIES };

static const char *const energy_names[ENERGIES] = {"coal", "gas",   "oil",    "nuclear", "hydro",
                                                   "wind", "solar", "fossil", "other"};
static const char *const water_columns[] = {"energy", "low_l_per_kwh", "high_l_per_kwh", "year", "source"};
static const char *const country_columns[] = {"code",      "year",        "coal_twh",  "gas_twh",
                                              "oil_twh",   "nuclear_twh", "hydro_twh", "wind_twh",
                                              "solar_twh", "total_twh"};
static const char *const region_columns[] = {
    "code",          "year",         "coal_percent",  "gas_percent",    "oil_percent",  "nuclear_percent",
    "hydro_percent", "wind_percent", "solar_percent", "fossil_percent", "total_percent"};

/* From the third column on a mix has the energies in their order, then their total. */
enum { MIX_CODE, MIX_YEAR, MIX_FIRST };

static const struct {
    const char *path;
    const unsigned char *data;
    const size_t *size;
    const char *const *columns;
    size_t count;
} mixes[] = {
    {"data/mix_country.csv", mix_country_csv, &mix_country_csv_size, country_columns,
     sizeof country_columns / sizeof *country_columns},
    {"data/mix_region.csv", mix_region_csv, &mix_region_csv_size, region_columns,
     sizeof region_columns / sizeof *region_columns},
};

enum { MIXES = sizeof mixes / sizeof *mixes };

struct mix_table {
    struct fact_table facts;
    double (*part)[ENERGIES]; /* by the rows of `facts`, in their unit */
    int *year;
};

struct water_table {
    struct fact_table water;
    struct mix_table mix[MIXES];
    double low[ENERGIES], high[ENERGIES]; /* l/kWh; NAN: not known */
    const char *source;
};

void water_close(struct water_table *table)
{
    if (!table)
        return;
    fact_table_free(&table->water);
    for (size_t i = 0; i < MIXES; i++) {
        fact_table_free(&table->mix[i].facts);
        free(table->mix[i].part);
        free(table->mix[i].year);
    }
    free(table);
}

static int read_source(struct water_table *table, size_t row, struct error *error)
{
    const char *name;
    size_t energy = 0;
    if (fact_text(&table->water, row, 0, &name, error) < 0)
        return -1;
    while (energy < ENERGIES && strcmp(energy_names[energy], name) != 0)
        energy++;
    if (energy == ENERGIES)
        return error_set(error, "%s:%zu: no energy source '%s' is known", table->water.path,
                         table->water.lines[row], name);
    if (fact_number(&table->water, row, 1, 0, L_PER_KWH_MOST, &table->low[energy], error) < 0 ||
        fact_number(&table->water, row, 2, table->low[energy], L_PER_KWH_MOST, &table->high[energy], error) <
            0)
        return -1;
    return fact_text(&table->water, row, 4, &table->source, error);
}

static int read_mix_row(struct mix_table *mix, size_t row, size_t columns, struct error *error)
{
    double total = 0, known = 0;
    for (size_t e = 0; MIX_FIRST + e < columns - 1; e++) {
        if (fact_number(&mix->facts, row, MIX_FIRST + e, 0, MIX_MOST, &mix->part[row][e], error) < 0)
            return -1;
        known += mix->part[row][e];
    }
    if (fact_number(&mix->facts, row, columns - 1, 0, MIX_MOST, &total, error) < 0)
        return -1;
    mix->part[row][OTHER] = fmax(total - known, 0);
    return fact_year(&mix->facts, row, MIX_YEAR, &mix->year[row], error);
}

static int read_mix(struct mix_table *mix, size_t which, struct error *error)
{
    size_t columns = mixes[which].count;
    if (fact_table_read(&mix->facts, (const char *)mixes[which].data, *mixes[which].size, mixes[which].path,
                        mixes[which].columns, columns, error) < 0)
        return -1;
    mix->part = calloc(mix->facts.count + 1, sizeof *mix->part);
    mix->year = calloc(mix->facts.count + 1, sizeof *mix->year);
    if (!mix->part || !mix->year)
        return error_memory(error, "water");
    for (size_t i = 0; i < mix->facts.count; i++)
        if (read_mix_row(mix, i, columns, error) < 0)
            return -1;
    return 0;
}

static int read_tables(struct water_table *table, struct error *error)
{
    if (fact_table_read(&table->water, (const char *)water_csv, water_csv_size, "data/water.csv",
                        water_columns, sizeof water_columns / sizeof *water_columns, error) < 0)
        return -1;
    for (size_t e = 0; e < ENERGIES; e++)
        table->low[e] = table->high[e] = NAN;
    for (size_t i = 0; i < table->water.count; i++)
        if (read_source(table, i, error) < 0)
            return -1;
    for (size_t i = 0; i < MIXES; i++)
        if (read_mix(&table->mix[i], i, error) < 0)
            return -1;
    return 0;
}

struct water_table *water_open(struct error *error)
{
    struct water_table *table = calloc(1, sizeof *table);
    if (!table)
        error_memory(error, "water");
    if (table && read_tables(table, error) == 0)
        return table;
    water_close(table);
    return NULL;
}

static bool sum_up(const struct water_table *table, const struct mix_table *mix, size_t row,
                   struct water *water)
{
    double total = 0, known = 0;
    *water = (struct water){.year = mix->year[row], .source = table->source};
    for (size_t e = 0; e < ENERGIES; e++) {
        double part = mix->part[row][e];
        total += part;
        if (isnan(table->low[e]))
            continue;
        known += part;
        if (e == HYDRO) {
            water->reservoirs_l_per_kwh += part * table->low[e];
            continue;
        }
        water->low_l_per_kwh += part * table->low[e];
        water->high_l_per_kwh += part * table->high[e];
    }
    if (!(known >= WATER_LEAST_KNOWN * total) || !(total > 0))
        return false;
    water->known_part = known / total;
    water->low_l_per_kwh /= known;
    water->high_l_per_kwh /= known;
    water->reservoirs_l_per_kwh /= known;
    return true;
}

/* One's own site may be called as a state is. */
static bool has_own_mix(const struct location *location)
{
    return location->kind == LOCATION_COUNTRY || location->kind == LOCATION_REGION;
}

bool water_find(const struct water_table *table, const struct location *location, struct water *water)
{
    const char *code = *location->figure_of    ? location->figure_of
                       : has_own_mix(location) ? location->code
                                               : "";
    for (size_t i = 0; i < MIXES; i++)
        for (size_t row = 0; row < table->mix[i].facts.count; row++)
            if (strcmp(table->mix[i].facts.rows[row].fields[MIX_CODE], code) == 0)
                return sum_up(table, &table->mix[i], row, water);
    return false;
}

char *water_text(const struct water *water)
{
    return text_format("%.2g to %.2g l of water consumed per kWh by power plants, %.2g l evaporating from "
                       "reservoirs",
                       water->low_l_per_kwh, water->high_l_per_kwh, water->reservoirs_l_per_kwh);
}
