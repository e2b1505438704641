#include "carbon/water.h"

#include "base/text.h"
#include "carbon/fact_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define L_PER_KWH_MOST 100.0
#define TWH_MOST       1e6

extern const unsigned char water_csv[], mix_country_csv[];
extern const size_t water_csv_size, mix_country_csv_size;

enum energy { COAL, GAS, OIL, NUCLEAR, HYDRO, WIND, SOLAR, OTHER, ENERGIES };

static const char *const energy_names[ENERGIES] = {"coal",  "gas",  "oil",   "nuclear",
                                                   "hydro", "wind", "solar", "other"};
static const char *const water_columns[] = {"energy", "low_l_per_kwh", "high_l_per_kwh", "year", "source"};
static const char *const mix_columns[] = {"code",        "year",      "coal_twh", "gas_twh",   "oil_twh",
                                          "nuclear_twh", "hydro_twh", "wind_twh", "solar_twh", "total_twh"};

enum { MIX_CODE, MIX_YEAR, MIX_FIRST, MIX_TOTAL = MIX_FIRST + OTHER };

struct water_table {
    struct fact_table water, mix;
    double low[ENERGIES], high[ENERGIES]; /* l/kWh; NAN: not known */
    double (*twh)[ENERGIES];              /* by the rows of `mix` */
    int *year;
    const char *source;
};

void water_close(struct water_table *table)
{
    if (!table)
        return;
    fact_table_free(&table->water);
    fact_table_free(&table->mix);
    free(table->twh);
    free(table->year);
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

static int read_mix(struct water_table *table, size_t row, struct error *error)
{
    double total = 0, known = 0;
    for (size_t e = 0; e < OTHER; e++) {
        if (fact_number(&table->mix, row, MIX_FIRST + e, 0, TWH_MOST, &table->twh[row][e], error) < 0)
            return -1;
        known += table->twh[row][e];
    }
    if (fact_number(&table->mix, row, MIX_TOTAL, 0, TWH_MOST, &total, error) < 0)
        return -1;
    table->twh[row][OTHER] = fmax(total - known, 0);
    return fact_year(&table->mix, row, MIX_YEAR, &table->year[row], error);
}

static int read_tables(struct water_table *table, struct error *error)
{
    if (fact_table_read(&table->water, (const char *)water_csv, water_csv_size, "data/water.csv",
                        water_columns, sizeof water_columns / sizeof *water_columns, error) < 0 ||
        fact_table_read(&table->mix, (const char *)mix_country_csv, mix_country_csv_size,
                        "data/mix_country.csv", mix_columns, sizeof mix_columns / sizeof *mix_columns,
                        error) < 0)
        return -1;
    table->twh = calloc(table->mix.count + 1, sizeof *table->twh);
    table->year = calloc(table->mix.count + 1, sizeof *table->year);
    if (!table->twh || !table->year)
        return error_memory(error, "water");
    for (size_t e = 0; e < ENERGIES; e++)
        table->low[e] = table->high[e] = NAN;
    for (size_t i = 0; i < table->water.count; i++)
        if (read_source(table, i, error) < 0)
            return -1;
    for (size_t i = 0; i < table->mix.count; i++)
        if (read_mix(table, i, error) < 0)
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

static bool sum_up(const struct water_table *table, size_t row, struct water *water)
{
    double total = 0, known = 0;
    *water = (struct water){.year = table->year[row], .source = table->source};
    for (size_t e = 0; e < ENERGIES; e++) {
        double twh = table->twh[row][e];
        total += twh;
        if (isnan(table->low[e]))
            continue;
        known += twh;
        if (e == HYDRO) {
            water->reservoirs_l_per_kwh += twh * table->low[e];
            continue;
        }
        water->low_l_per_kwh += twh * table->low[e];
        water->high_l_per_kwh += twh * table->high[e];
    }
    if (!(known >= WATER_LEAST_KNOWN * total) || !(total > 0))
        return false;
    water->known_part = known / total;
    water->low_l_per_kwh /= known;
    water->high_l_per_kwh /= known;
    water->reservoirs_l_per_kwh /= known;
    return true;
}

bool water_find(const struct water_table *table, const struct location *location, struct water *water)
{
    const char *code = *location->figure_of                 ? location->figure_of
                       : location->kind == LOCATION_COUNTRY ? location->code
                                                            : "";
    for (size_t i = 0; i < table->mix.count; i++)
        if (strcmp(table->mix.rows[i].fields[MIX_CODE], code) == 0)
            return sum_up(table, i, water);
    return false;
}

char *water_text(const struct water *water)
{
    return text_format("%.2g to %.2g l of water consumed per kWh by power plants, %.2g l evaporating from "
                       "reservoirs",
                       water->low_l_per_kwh, water->high_l_per_kwh, water->reservoirs_l_per_kwh);
}
