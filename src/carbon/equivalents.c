#include "carbon/equivalents.h"

#include "base/text.h"
#include "carbon/fact_table.h"

#include <stdlib.h>

#define G_MOST 1e9

extern const unsigned char equivalents_csv[];
extern const size_t equivalents_csv_size;

struct equivalents {
    struct fact_table table; /* which the texts stand in */
    struct equivalent *items;
};

enum column { COLUMN_CODE, COLUMN_UNIT, COLUMN_WHAT, COLUMN_G, COLUMN_YEAR, COLUMN_SOURCE, COLUMNS };

static const char *const column_names[COLUMNS] = {"code", "unit", "what", "g_co2e", "year", "source"};

void equivalents_close(struct equivalents *equivalents)
{
    if (!equivalents)
        return;
    fact_table_free(&equivalents->table);
    free(equivalents->items);
    free(equivalents);
}

static int read_item(const struct fact_table *table, size_t row, struct equivalent *item, struct error *error)
{
    if (fact_text(table, row, COLUMN_CODE, &item->code, error) < 0 ||
        fact_text(table, row, COLUMN_UNIT, &item->unit, error) < 0 ||
        fact_text(table, row, COLUMN_WHAT, &item->what, error) < 0 ||
        fact_number(table, row, COLUMN_G, 1e-3, G_MOST, &item->g_co2e, error) < 0 ||
        fact_year(table, row, COLUMN_YEAR, &item->year, error) < 0)
        return -1;
    return fact_text(table, row, COLUMN_SOURCE, &item->source, error);
}

static int read_items(struct equivalents *equivalents, struct error *error)
{
    struct fact_table *table = &equivalents->table;
    if (fact_table_read(table, (const char *)equivalents_csv, equivalents_csv_size, "data/equivalents.csv",
                        column_names, COLUMNS, error) < 0)
        return -1;
    equivalents->items = calloc(table->count + 1, sizeof *equivalents->items);
    if (!equivalents->items)
        return error_memory(error, "equivalents");
    for (size_t i = 0; i < table->count; i++)
        if (read_item(table, i, &equivalents->items[i], error) < 0)
            return -1;
    return 0;
}

struct equivalents *equivalents_open(struct error *error)
{
    struct equivalents *equivalents = calloc(1, sizeof *equivalents);
    if (!equivalents)
        error_memory(error, "equivalents");
    if (equivalents && read_items(equivalents, error) == 0)
        return equivalents;
    equivalents_close(equivalents);
    return NULL;
}

const struct equivalent *equivalents_all(const struct equivalents *equivalents, size_t *count)
{
    *count = equivalents->table.count;
    return equivalents->items;
}

double equivalent_units(const struct equivalent *equivalent, double kg_co2e)
{
    return kg_co2e * 1000 / equivalent->g_co2e;
}

char *equivalent_text(const struct equivalent *equivalent, double kg_co2e)
{
    return text_format("%.3g %s %s", equivalent_units(equivalent, kg_co2e), equivalent->unit,
                       equivalent->what);
}
