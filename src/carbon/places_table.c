/* Tables of locations: CSV, a header that names the columns, then a row a location. */
#include "carbon/places_table.h"

#include "carbon/carbon.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define YEAR_FIRST 1990
#define YEAR_LAST  2100
#define PUE_MOST   10.0

enum column {
    COLUMN_CODE,
    COLUMN_ALSO,
    COLUMN_NAME,
    COLUMN_KIND,
    COLUMN_COUNTRY,
    COLUMN_YEAR,
    COLUMN_INTENSITY,
    COLUMN_LOW,
    COLUMN_HIGH,
    COLUMN_ACCOUNTING,
    COLUMN_SCOPE,
    COLUMN_LIFE_CYCLE_LOW,
    COLUMN_LIFE_CYCLE_HIGH,
    COLUMN_FIGURE_OF,
    COLUMN_PUE,
    COLUMN_LATITUDE,
    COLUMN_LONGITUDE,
    COLUMN_PROFILE,
    COLUMN_SOURCE,
    COLUMNS
};

static const char *const column_names[COLUMNS] = {"code",
                                                  "also",
                                                  "name",
                                                  "kind",
                                                  "country",
                                                  "year",
                                                  "g_per_kwh",
                                                  "low_g_per_kwh",
                                                  "high_g_per_kwh",
                                                  "accounting",
                                                  "scope",
                                                  "life_cycle_low_g_per_kwh",
                                                  "life_cycle_high_g_per_kwh",
                                                  "figure_of",
                                                  "pue",
                                                  "latitude",
                                                  "longitude",
                                                  "profile",
                                                  "source"};

struct table {
    struct places *places;
    const char *path;
    size_t line; /* of the row at hand */
    size_t fields;
    size_t at[COLUMNS]; /* SIZE_MAX: the table lacks the column */
    size_t own_from;    /* places from here on are of this table */
    struct text *mistakes;
    struct csv_row *row;
    bool wrong; /* the row at hand */
};

static void mistake(struct table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void mistake(struct table *table, const char *format, ...)
{
    va_list arguments;
    char *what = NULL;
    va_start(arguments, format);
    if (vasprintf(&what, format, arguments) < 0)
        what = NULL;
    va_end(arguments);
    text_printf(table->mistakes, "%s:%zu: %s\n", table->path, table->line, what ? what : "a mistake");
    free(what);
    table->wrong = true;
}

/* ---- fields ---- */

static char *field(const struct table *table, enum column column)
{
    static char nothing[] = "";
    return table->at[column] == SIZE_MAX ? nothing : table->row->fields[table->at[column]];
}

/* NAN where it is empty, or wrong. */
static double number(struct table *table, enum column column, double least, double most)
{
    const char *text = field(table, column);
    double value;
    if (!*text)
        return NAN;
    if (text_to_double(text, &value) == 0 && value >= least && value <= most)
        return value;
    mistake(table, "%s: expected a number from %g to %g, found '%s'", column_names[column], least, most,
            text);
    return NAN;
}

/* The position of a word in `words`; 0 where the field is empty. */
static size_t choice(struct table *table, enum column column, const char *const *words, size_t count)
{
    const char *text = field(table, column);
    struct text list = TEXT_INIT;
    if (!*text)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(text, words[i]) == 0) {
            text_free(&list);
            return i;
        }
        text_printf(&list, "%s%s", !list.data || !*list.data ? "" : i + 1 < count ? ", " : " or ", words[i]);
    }
    mistake(table, "%s: expected %s, found '%s'", column_names[column], list.data ? list.data : "another",
            text);
    text_free(&list);
    return 0;
}

static const char *required(struct table *table, enum column column)
{
    const char *text = field(table, column);
    if (!*text)
        mistake(table, "%s is missing", column_names[column]);
    return text;
}

static int split_also(struct table *table, struct place *place, struct error *error)
{
    char *text = field(table, COLUMN_ALSO);
    size_t count = *text != '\0';
    for (const char *c = text; *c; c++)
        count += *c == ';';
    place->also = calloc(count + 1, sizeof *place->also);
    if (!place->also)
        return error_memory(error, table->path);
    char *rest = NULL;
    for (char *name = strtok_r(text, ";", &rest); name; name = strtok_r(NULL, ";", &rest))
        place->also[place->location.also_count++] = name;
    place->location.also = (const char *const *)place->also;
    return 0;
}

/* Beside the table, unless its path is whole. */
static int set_profile(const struct table *table, struct place *place, struct error *error)
{
    const char *given = field(table, COLUMN_PROFILE), *slash = strrchr(table->path, '/');
    place->location.profile = given;
    if (!*given || *given == '/' || !slash)
        return 0;
    place->profile = text_format("%.*s%s", (int)(slash + 1 - table->path), table->path, given);
    place->location.profile = place->profile;
    return place->profile ? 0 : error_memory(error, table->path);
}

static void check_country(struct table *table, const char *country)
{
    bool good = !*country || strlen(country) == 3;
    for (const char *c = country; *c; c++)
        good = good && *c >= 'A' && *c <= 'Z';
    if (!good)
        mistake(table, "country: expected an ISO 3166-1 code of three letters, found '%s'", country);
}

static void check_life_cycle(struct table *table, const struct location *l)
{
    double low = l->life_cycle_low_g_per_kwh, high = l->life_cycle_high_g_per_kwh;
    if (isnan(low) != isnan(high))
        mistake(table, "life_cycle_low_g_per_kwh and life_cycle_high_g_per_kwh: one of them is missing");
    else if (low > high)
        mistake(table, "life_cycle_low_g_per_kwh: %g is more than life_cycle_high_g_per_kwh, %g", low, high);
    if (!isnan(low) && l->scope != FIGURE_DIRECT)
        mistake(table, "life_cycle_low_g_per_kwh: it is for a figure whose scope is direct; the range of "
                       "others is low_g_per_kwh and high_g_per_kwh");
}

static void check_range(struct table *table, const struct location *l)
{
    if (isnan(l->low_g_per_kwh) != isnan(l->high_g_per_kwh))
        mistake(table, "low_g_per_kwh and high_g_per_kwh: one of them is missing");
    else if (l->low_g_per_kwh > l->intensity_g_per_kwh || l->high_g_per_kwh < l->intensity_g_per_kwh)
        mistake(table, "g_per_kwh: %g is not between %g and %g, its own range", l->intensity_g_per_kwh,
                l->low_g_per_kwh, l->high_g_per_kwh);
    check_life_cycle(table, l);
    if (isnan(l->latitude) != isnan(l->longitude))
        mistake(table, "latitude and longitude: one of them is missing");
}

/* What a row must leave to the location whose figure it has. */
static void check_no_figure(struct table *table)
{
    static const enum column figures[] = {
        COLUMN_INTENSITY,  COLUMN_LOW,   COLUMN_HIGH,           COLUMN_YEAR,
        COLUMN_ACCOUNTING, COLUMN_SCOPE, COLUMN_LIFE_CYCLE_LOW, COLUMN_LIFE_CYCLE_HIGH,
        COLUMN_PROFILE};
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        if (*field(table, figures[i]))
            mistake(table, "%s: the figure is that of %s (figure_of), so this has to be empty",
                    column_names[figures[i]], field(table, COLUMN_FIGURE_OF));
}

static void read_figures(struct table *table, struct location *l)
{
    static const char *const accountings[] = {"average", "marginal"};
    static const char *const scopes[] = {"", "life-cycle", "direct"};
    l->figure_of = field(table, COLUMN_FIGURE_OF);
    if (*l->figure_of)
        check_no_figure(table);
    else
        required(table, COLUMN_INTENSITY);
    l->intensity_g_per_kwh = number(table, COLUMN_INTENSITY, 0, INTENSITY_MOST_G_PER_KWH);
    l->low_g_per_kwh = number(table, COLUMN_LOW, 0, INTENSITY_MOST_G_PER_KWH);
    l->high_g_per_kwh = number(table, COLUMN_HIGH, 0, INTENSITY_MOST_G_PER_KWH);
    l->life_cycle_low_g_per_kwh = number(table, COLUMN_LIFE_CYCLE_LOW, 0, INTENSITY_MOST_G_PER_KWH);
    l->life_cycle_high_g_per_kwh = number(table, COLUMN_LIFE_CYCLE_HIGH, 0, INTENSITY_MOST_G_PER_KWH);
    double year = number(table, COLUMN_YEAR, YEAR_FIRST, YEAR_LAST);
    l->year = isnan(year) ? 0 : (int)year;
    l->marginal = choice(table, COLUMN_ACCOUNTING, accountings, 2);
    l->scope = (enum figure_scope)choice(table, COLUMN_SCOPE, scopes, 3);
    l->pue = number(table, COLUMN_PUE, 1, PUE_MOST);
    l->pue_source = isnan(l->pue) ? "" : l->source;
    l->latitude = number(table, COLUMN_LATITUDE, -90, 90);
    l->longitude = number(table, COLUMN_LONGITUDE, -180, 180);
}

static void check_code(struct table *table, const char *code)
{
    for (const char *c = code; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("-_.:", *c)) {
            mistake(table, "code: expected letters, digits, '-', '_', '.' and ':', found '%s'", code);
            return;
        }
    for (size_t i = table->own_from; i < table->places->count; i++)
        if (strcasecmp(table->places->items[i]->location.code, code) == 0) {
            mistake(table, "code: '%s' is there twice", code);
            return;
        }
}

static int read_place(struct table *table, struct place *place, struct error *error)
{
    static const char *const kinds[] = {"site", "country", "region", "zone", "cloud"};
    static const enum location_kind kind_of[] = {LOCATION_SITE, LOCATION_COUNTRY, LOCATION_REGION,
                                                 LOCATION_ZONE, LOCATION_CLOUD};
    struct location *l = &place->location;
    l->code = required(table, COLUMN_CODE);
    l->name = required(table, COLUMN_NAME);
    l->source = required(table, COLUMN_SOURCE);
    l->kind = kind_of[choice(table, COLUMN_KIND, kinds, sizeof kinds / sizeof *kinds)];
    l->country = field(table, COLUMN_COUNTRY);
    check_code(table, l->code);
    check_country(table, l->country);
    read_figures(table, l);
    check_range(table, l);
    return split_also(table, place, error) < 0 ? -1 : set_profile(table, place, error);
}

/* ---- rows ---- */

/* Whether rows can be read by it. */
static bool read_header(struct table *table)
{
    const struct csv_row *row = table->row;
    for (size_t i = 0; i < COLUMNS; i++)
        table->at[i] = SIZE_MAX;
    table->fields = row->count;
    for (size_t i = 0; i < row->count; i++) {
        size_t column = 0;
        while (column < COLUMNS && strcmp(row->fields[i], column_names[column]) != 0)
            column++;
        const char *nearest = column < COLUMNS ? NULL : text_nearest(row->fields[i], column_names, COLUMNS);
        if (column == COLUMNS)
            mistake(table, "no column '%s' is known%s%s%s", row->fields[i], nearest ? " (did you mean " : "",
                    nearest ? nearest : "", nearest ? "?)" : "");
        else if (table->at[column] != SIZE_MAX)
            mistake(table, "column %s is there twice", column_names[column]);
        else
            table->at[column] = i;
    }
    static const enum column needed[] = {COLUMN_CODE, COLUMN_NAME, COLUMN_INTENSITY, COLUMN_SOURCE};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (table->at[needed[i]] == SIZE_MAX)
            mistake(table,
                    "column %s is missing: a table of locations begins with a row that names its columns",
                    column_names[needed[i]]);
    return !table->wrong;
}

/* Takes the row over. */
static int read_row(struct table *table, struct error *error)
{
    if (table->row->count != table->fields) {
        mistake(table, "expected %zu fields, as the header has, found %zu", table->fields, table->row->count);
        csv_row_free(table->row);
        return 0;
    }
    struct place *place = calloc(1, sizeof *place);
    if (!place) {
        csv_row_free(table->row);
        return error_memory(error, table->path);
    }
    int status = read_place(table, place, error);
    place->row = *table->row;
    place->line = table->line;
    if (status < 0 || table->wrong) {
        place_free(place);
        return status;
    }
    return places_add(table->places, place, error);
}

static int read_line(struct table *table, const char *text, size_t size, size_t *taken, bool *header,
                     struct error *error)
{
    struct csv_row row;
    struct error why = ERROR_INIT;
    if (csv_parse_row(text, size, &row, &why) < 0) {
        mistake(table, "%s", error_text(&why));
        error_clear(&why);
        *taken = size; /* where a quote never ends, so does the row */
        return 0;
    }
    *taken = row.size;
    table->row = &row;
    if (*header)
        return read_row(table, error);
    *header = true;
    if (!read_header(table))
        *taken = size;
    csv_row_free(&row);
    return 0;
}

/* A figure of another location must be there, and be its own. */
static bool shares_well(struct table *table, const struct place *place)
{
    const char *code = place->location.figure_of;
    const struct place *of = *code ? places_by_code(table->places, code) : NULL;
    table->line = place->line;
    if (*code && !of)
        mistake(table, "figure_of: no location has the code '%s'", code);
    else if (of && *of->location.figure_of)
        mistake(table, "figure_of: the figure of '%s' is that of '%s' itself: name that one", code,
                of->location.figure_of);
    else
        return true;
    return false;
}

static void check_shared(struct table *table)
{
    struct places *places = table->places;
    size_t kept = table->own_from;
    for (size_t i = kept; i < places->count; i++)
        if (!shares_well(table, places->items[i]))
            places->items[i]->line = 0;
    for (size_t i = kept; i < places->count; i++)
        if (places->items[i]->line)
            places->items[kept++] = places->items[i];
        else
            place_free(places->items[i]);
    places->count = kept;
}

int places_table_read(struct places *places, const char *text, size_t size, const char *path,
                      struct text *mistakes, struct error *error)
{
    struct table table = {.places = places, .path = path, .mistakes = mistakes, .own_from = places->count};
    bool header = false;
    size_t line = 1;
    for (size_t at = 0, taken; at < size; at += taken) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - text) - at + 1 : size - at;
        table.line = line;
        table.wrong = false;
        taken = length;
        if (text[at] != '#' && !csv_blank(text + at, length) &&
            read_line(&table, text + at, size - at, &taken, &header, error) < 0)
            return -1;
        for (size_t i = 0; i < taken; i++)
            line += text[at + i] == '\n';
    }
    if (!header) {
        table.line = line;
        mistake(&table, "no row that names the columns: at least code,name,g_per_kwh,source");
    }
    check_shared(&table);
    return mistakes->failed ? error_memory(error, path) : 0;
}
