#include "carbon/place_groups.h"

#include "base/text.h"
#include "carbon/fact_table.h"
#include "carbon/places_table.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

extern const unsigned char place_groups_csv[];
extern const size_t place_groups_csv_size;

struct place_groups {
    struct fact_table table; /* which the texts stand in */
    struct place_group *items;
};

enum column { COLUMN_CODE, COLUMN_ALSO, COLUMN_NAME, COLUMN_MEMBERS, COLUMN_YEAR, COLUMN_SOURCE, COLUMNS };

static const char *const column_names[COLUMNS] = {"code", "also", "name", "members", "year", "source"};

/* ---- the table ---- */

void place_groups_close(struct place_groups *groups)
{
    if (!groups)
        return;
    fact_table_free(&groups->table);
    free(groups->items);
    free(groups);
}

static int read_item(const struct fact_table *table, size_t row, struct place_group *item,
                     struct error *error)
{
    item->also = table->rows[row].fields[COLUMN_ALSO];
    if (fact_text(table, row, COLUMN_CODE, &item->code, error) < 0 ||
        fact_text(table, row, COLUMN_NAME, &item->name, error) < 0 ||
        fact_text(table, row, COLUMN_MEMBERS, &item->members, error) < 0 ||
        fact_text(table, row, COLUMN_SOURCE, &item->source, error) < 0)
        return -1;
    bool dated = *table->rows[row].fields[COLUMN_YEAR] != '\0';
    return dated ? fact_year(table, row, COLUMN_YEAR, &item->year, error) : 0;
}

static int read_items(struct place_groups *groups, const char *text, size_t size, const char *path,
                      struct error *error)
{
    struct fact_table *table = &groups->table;
    if (fact_table_read(table, text, size, path, column_names, COLUMNS, error) < 0)
        return -1;
    groups->items = calloc(table->count + 1, sizeof *groups->items);
    if (!groups->items)
        return error_memory(error, "groups of places");
    for (size_t i = 0; i < table->count; i++)
        if (read_item(table, i, &groups->items[i], error) < 0)
            return -1;
    return 0;
}

struct place_groups *place_groups_parse(const char *text, size_t size, const char *path, struct error *error)
{
    struct place_groups *groups = calloc(1, sizeof *groups);
    if (!groups)
        error_memory(error, "groups of places");
    if (groups && read_items(groups, text, size, path, error) == 0)
        return groups;
    place_groups_close(groups);
    return NULL;
}

struct place_groups *place_groups_open(struct error *error)
{
    return place_groups_parse((const char *)place_groups_csv, place_groups_csv_size, "data/place_groups.csv",
                              error);
}

const struct place_group *place_groups_all(const struct place_groups *groups, size_t *count)
{
    *count = groups->table.count;
    return groups->items;
}

/* ---- members ---- */

/* "@country": of that kind; "gcp:*": whose code begins so; "SWE". */
static bool is_meant(const struct location *location, const char *member, size_t length)
{
    const char *kind = location_kind_name(location->kind);
    if (length > 0 && member[0] == '@')
        return strlen(kind) == length - 1 && memcmp(kind, member + 1, length - 1) == 0;
    if (length > 0 && member[length - 1] == '*')
        return strncasecmp(location->code, member, length - 1) == 0;
    return strlen(location->code) == length && strncasecmp(location->code, member, length) == 0;
}

bool place_group_has(const struct place_group *group, const struct location *location)
{
    for (const char *at = group->members; *at;) {
        size_t length = strcspn(at, ";");
        if (is_meant(location, at, length))
            return true;
        at += length + (at[length] == ';');
    }
    return false;
}

int place_list_add(struct place_list *list, const struct location *location, struct error *error)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i] == location)
            return 0;
    const struct location **items = realloc(list->items, (list->count + 1) * sizeof *items);
    if (!items)
        return error_memory(error, "locations");
    list->items = items;
    items[list->count++] = location;
    return 0;
}

/* ---- by name ---- */

static bool folds_to(const char *name, size_t length, const char *wanted)
{
    AUTO_FREE char *copy = strndup(name, length), *folded = copy ? place_fold(copy) : NULL;
    return folded && strcmp(folded, wanted) == 0;
}

static bool is_called(const struct place_group *group, const char *wanted)
{
    if (folds_to(group->code, strlen(group->code), wanted) ||
        folds_to(group->name, strlen(group->name), wanted))
        return true;
    for (const char *at = group->also; *at;) {
        size_t length = strcspn(at, ";");
        if (folds_to(at, length, wanted))
            return true;
        at += length + (at[length] == ';');
    }
    return false;
}

static int add_members(const struct place_group *group, const struct places *places, struct place_list *list,
                       struct error *error)
{
    size_t count;
    const struct location *const *all = places_all(places, &count);
    for (size_t i = 0; i < count; i++)
        if (place_group_has(group, all[i]) && place_list_add(list, all[i], error) < 0)
            return -1;
    return 0;
}

/* What was said of it as a place, and what groups there are. */
static int refuse(const struct place_groups *groups, const char *name, struct error *error)
{
    AUTO_FREE char *why = strdup(error_text(error));
    const char **names = calloc(groups->table.count + 1, sizeof *names);
    struct text list = TEXT_INIT;
    for (size_t i = 0; i < groups->table.count && names; i++) {
        names[i] = groups->items[i].code;
        text_printf(&list, "%s%s", i ? ", " : "", names[i]);
    }
    /* two letters are near to every code */
    const char *nearest = names && strlen(name) > 2 ? text_nearest(name, names, groups->table.count) : NULL;
    error_clear(error);
    error_set(error, "%s; %s%s%sgroups of places: %s", why ? why : "", nearest ? "or the group " : "",
              nearest ? nearest : "", nearest ? "? " : "", list.data ? list.data : "");
    free(names);
    text_free(&list);
    return -1;
}

static int add_named(const struct place_groups *groups, struct places *places, const char *name,
                     struct place_list *list, struct error *error)
{
    AUTO_FREE char *wanted = place_fold(name);
    if (!wanted)
        return error_memory(error, "groups of places");
    for (size_t i = 0; i < groups->table.count; i++)
        if (is_called(&groups->items[i], wanted))
            return add_members(&groups->items[i], places, list, error);
    const struct location *location = places_find(places, name, error);
    return location ? place_list_add(list, location, error) : refuse(groups, name, error);
}

int place_groups_select(const struct place_groups *groups, struct places *places, const char *among,
                        struct place_list *list, struct error *error)
{
    AUTO_FREE char *names = strdup(among);
    if (!names)
        return error_memory(error, "places");
    char *rest = NULL;
    for (char *name = strtok_r(names, ",", &rest); name; name = strtok_r(NULL, ",", &rest)) {
        name += strspn(name, " ");
        for (size_t length = strlen(name); length > 0 && name[length - 1] == ' ';)
            name[--length] = '\0';
        if (*name && add_named(groups, places, name, list, error) < 0)
            return -1;
    }
    return list->count ? 0
                       : error_set(error, "expected places or groups of them, as in EU,gcp,US: found none");
}
