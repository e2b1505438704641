/* place_groups.h: groups of places: the European Union, the states of the USA, a provider's regions:
 * data/place_groups.csv, whose head describes its columns. */
#ifndef JOULERY_CARBON_PLACE_GROUPS_H
#define JOULERY_CARBON_PLACE_GROUPS_H

#include "carbon/places.h"

struct place_group {
    const char *code;    /* "EU" */
    const char *name;    /* "the European Union" */
    const char *also;    /* further names, separated by semicolons */
    const char *members; /* codes, beginnings of codes, kinds, separated by semicolons */
    int year;            /* in which its membership was so; 0: it follows from the tables */
    const char *source;
};

struct place_groups;

/* Those in the program, in the table's order. The caller closes them. */
struct place_groups *place_groups_open(struct error *error);
void place_groups_close(struct place_groups *groups);
const struct place_group *place_groups_all(const struct place_groups *groups, size_t *count);

/* Parses the bytes of a table; for tests. The caller closes them. */
struct place_groups *place_groups_parse(const char *text, size_t size, const char *path, struct error *error);

bool place_group_has(const struct place_group *group, const struct location *location);

/* Locations, each once. The caller frees `items`, which may be NULL. */
struct place_list {
    const struct location **items;
    size_t count;
};

/* Adds one, unless it is there. */
int place_list_add(struct place_list *list, const struct location *location, struct error *error);

/* Adds what `among` names: groups and places (places_find), separated by commas. A group's code or name,
 * case ignored, goes before a place's. Errors: a name that is neither (the nearest is offered), a place that
 * is ambiguous, nothing named. */
int place_groups_select(const struct place_groups *groups, struct places *places, const char *among,
                        struct place_list *list, struct error *error);

#endif
