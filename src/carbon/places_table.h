/* places_table.h: tables of locations, between the files of this room. */
#ifndef JOULERY_CARBON_PLACES_TABLE_H
#define JOULERY_CARBON_PLACES_TABLE_H

#include "base/csv.h"
#include "base/text.h"
#include "carbon/places.h"

/* A location and what its texts stand in. */
struct place {
    struct location location;
    struct csv_row row;
    char **also;
    char *profile;
    char *source, *pue_source; /* where they are put together */
    size_t line;               /* of its table */
    size_t order;              /* in which it came */
};

struct places {
    struct place **items; /* in the order that they came */
    size_t count, capacity;
    const struct location **sorted; /* those of tables, by code */
    size_t sorted_count;
};

void place_free(struct place *place);
/* Takes the place over, also on failure. */
int places_add(struct places *places, struct place *place, struct error *error);
/* Sorts what was added; of those with one code the last counts. Once all tables are read. */
int places_sort(struct places *places, struct error *error);
/* The last added with that code, case ignored; NULL: there is none. */
struct place *places_by_code(const struct places *places, const char *code);
/* Gives those whose figure is another's that figure. After places_sort. */
int places_share_figures(struct places *places, struct error *error);
/* Gives regions of providers without a PUE of their own that of the provider, from data/pue.csv. */
int places_fill_pue(struct places *places, struct error *error);

/* Adds the rows of a table. Rows that are wrong are left out, each with a line "PATH:LINE: what" in
 * `mistakes`. -1: memory ran out. */
int places_table_read(struct places *places, const char *text, size_t size, const char *path,
                      struct text *mistakes, struct error *error);

/* What names are compared by: lower case, without accents, marks and spaces as one space. The caller frees
 * it; NULL if memory ran out. */
char *place_fold(const char *name);

#endif
