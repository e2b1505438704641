/* What providers of computers publish of their data centres: data/pue.csv. */
#include "base/text.h"
#include "carbon/fact_table.h"
#include "carbon/places_table.h"

#include <math.h>
#include <string.h>

#define PUE_MOST 10.0

extern const unsigned char pue_csv[];
extern const size_t pue_csv_size;

enum column { COLUMN_PROVIDER, COLUMN_NAME, COLUMN_PUE, COLUMN_YEAR, COLUMN_SOURCE, COLUMNS };

static const char *const column_names[COLUMNS] = {"provider", "name", "pue", "year", "source"};

static bool is_of(const struct location *location, const char *provider)
{
    size_t length = strlen(provider);
    return location->kind == LOCATION_CLOUD && strncmp(location->code, provider, length) == 0 &&
           location->code[length] == ':';
}

static int fill(struct places *places, const struct fact_table *table, size_t row, struct error *error)
{
    const char *provider, *name, *source;
    double pue;
    int year;
    if (fact_text(table, row, COLUMN_PROVIDER, &provider, error) < 0 ||
        fact_text(table, row, COLUMN_NAME, &name, error) < 0 ||
        fact_number(table, row, COLUMN_PUE, 1, PUE_MOST, &pue, error) < 0 ||
        fact_year(table, row, COLUMN_YEAR, &year, error) < 0 ||
        fact_text(table, row, COLUMN_SOURCE, &source, error) < 0)
        return -1;
    for (size_t i = 0; i < places->count; i++) {
        struct place *place = places->items[i];
        if (!is_of(&place->location, provider) || !isnan(place->location.pue))
            continue;
        place->pue_source = text_format("%s, %d", name, year);
        if (!place->pue_source)
            return error_memory(error, "locations");
        place->location.pue = pue;
        place->location.pue_source = place->pue_source;
    }
    return 0;
}

int places_fill_pue(struct places *places, struct error *error)
{
    struct fact_table table;
    if (fact_table_read(&table, (const char *)pue_csv, pue_csv_size, "data/pue.csv", column_names, COLUMNS,
                        error) < 0)
        return -1;
    int status = 0;
    for (size_t i = 0; status == 0 && i < table.count; i++)
        status = fill(places, &table, i, error);
    fact_table_free(&table);
    return status;
}
