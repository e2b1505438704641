#include "carbon/places.h"

#include "base/file.h"
#include "carbon/carbon.h"
#include "carbon/places_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TABLE_BYTES_MOST ((size_t)16 << 20)

extern const unsigned char places_country_csv[], places_region_csv[], places_cloud_csv[];
extern const size_t places_country_csv_size, places_region_csv_size, places_cloud_csv_size;

/* ---- which there are ---- */

void place_free(struct place *place)
{
    csv_row_free(&place->row);
    free(place->also);
    free(place->profile);
    free(place->source);
    free(place->pue_source);
    free(place);
}

void places_close(struct places *places)
{
    if (!places)
        return;
    for (size_t i = 0; i < places->count; i++)
        place_free(places->items[i]);
    free(places->items);
    free(places->sorted);
    free(places);
}

int places_add(struct places *places, struct place *place, struct error *error)
{
    if (places->count == places->capacity) {
        size_t capacity = places->capacity ? 2 * places->capacity : 512;
        struct place **items = realloc(places->items, capacity * sizeof *items);
        if (!items) {
            place_free(place);
            return error_memory(error, "locations");
        }
        places->items = items;
        places->capacity = capacity;
    }
    places->items[places->count++] = place;
    return 0;
}

/* Of one code the last added stands last. */
static int by_code(const void *a, const void *b)
{
    const struct place *const *one = a, *const *other = b;
    int codes = strcasecmp((*one)->location.code, (*other)->location.code);
    return codes ? codes : ((*one)->order > (*other)->order) - ((*one)->order < (*other)->order);
}

int places_sort(struct places *places, struct error *error)
{
    places->sorted = calloc(places->count + 1, sizeof(struct location *));
    if (!places->sorted)
        return error_memory(error, "locations");
    for (size_t i = 0; i < places->count; i++)
        places->items[i]->order = i;
    if (places->count)
        qsort(places->items, places->count, sizeof *places->items, by_code);
    for (size_t i = 0; i < places->count; i++) {
        const struct location *at = &places->items[i]->location;
        if (i + 1 == places->count || strcasecmp(at->code, places->items[i + 1]->location.code) != 0)
            places->sorted[places->sorted_count++] = at;
    }
    return 0;
}

struct place *places_by_code(const struct places *places, const char *code)
{
    for (size_t i = places->count; i-- > 0;)
        if (strcasecmp(places->items[i]->location.code, code) == 0)
            return places->items[i];
    return NULL;
}

static int read_table(struct places *places, const char *text, size_t size, const char *path,
                      struct error *error)
{
    struct text mistakes = TEXT_INIT;
    int status = places_table_read(places, text, size, path, &mistakes, error);
    if (status == 0 && mistakes.length > 0)
        status = error_set(error, "%.*s", (int)strcspn(mistakes.data, "\n"), mistakes.data);
    text_free(&mistakes);
    return status;
}

static int read_program(struct places *places, struct error *error)
{
    const struct {
        const char *path;
        const unsigned char *data;
        size_t size;
    } tables[] = {{"data/places_country.csv", places_country_csv, places_country_csv_size},
                  {"data/places_region.csv", places_region_csv, places_region_csv_size},
                  {"data/places_cloud.csv", places_cloud_csv, places_cloud_csv_size}};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (read_table(places, (const char *)tables[i].data, tables[i].size, tables[i].path, error) < 0)
            return -1;
    return 0;
}

/* NULL without an error: there is no such file, and none was asked for. */
static char *own_path(const char *given, struct error *error)
{
    const char *named = given ? given : secure_getenv("JOULERY_PLACES");
    if (named && *named) {
        char *path = strdup(named);
        if (!path)
            error_memory(error, "table of places");
        return path;
    }
    const char *config = secure_getenv("XDG_CONFIG_HOME"), *home = secure_getenv("HOME");
    char *path = config && config[0] == '/' ? text_format("%s/joulery/places.csv", config)
                 : home && home[0] == '/'   ? text_format("%s/.config/joulery/places.csv", home)
                                            : NULL;
    if (path && file_exists(path))
        return path;
    free(path);
    return NULL;
}

static int read_own(struct places *places, const char *given, struct error *error)
{
    AUTO_FREE char *path = own_path(given, error);
    if (!path)
        return error->message ? -1 : 0;
    size_t size;
    AUTO_FREE char *text = file_read(path, TABLE_BYTES_MOST, &size, error);
    return text ? read_table(places, text, size, path, error) : -1;
}

/* ---- figures that are another's ---- */

static int share_figure(struct places *places, struct place *place, struct error *error)
{
    struct location *l = &place->location;
    const struct place *of = places_by_code(places, l->figure_of);
    for (size_t steps = 0; of && *of->location.figure_of && steps < places->count; steps++)
        of = places_by_code(places, of->location.figure_of); /* an own table can have put one between */
    if (!of || *of->location.figure_of)
        return error_set(error,
                         "location '%s': the figure of '%s', which it is to have, is no location's own",
                         l->code, l->figure_of);
    l->intensity_g_per_kwh = of->location.intensity_g_per_kwh;
    l->low_g_per_kwh = of->location.low_g_per_kwh;
    l->high_g_per_kwh = of->location.high_g_per_kwh;
    l->life_cycle_low_g_per_kwh = of->location.life_cycle_low_g_per_kwh;
    l->life_cycle_high_g_per_kwh = of->location.life_cycle_high_g_per_kwh;
    l->year = of->location.year;
    l->marginal = of->location.marginal;
    l->scope = of->location.scope;
    l->profile = of->location.profile;
    place->source = text_format("grid of %s: %s", of->location.name, of->location.source);
    if (!place->source)
        return error_memory(error, "locations");
    l->source = place->source;
    return 0;
}

int places_share_figures(struct places *places, struct error *error)
{
    for (size_t i = 0; i < places->count; i++)
        if (*places->items[i]->location.figure_of && share_figure(places, places->items[i], error) < 0)
            return -1;
    return 0;
}

struct places *places_open(const char *own, struct error *error)
{
    struct places *places = calloc(1, sizeof *places);
    if (!places) {
        error_memory(error, "locations");
        return NULL;
    }
    if (read_program(places, error) == 0 && read_own(places, own, error) == 0 &&
        places_sort(places, error) == 0 && places_share_figures(places, error) == 0 &&
        places_fill_pue(places, error) == 0)
        return places;
    places_close(places);
    return NULL;
}

struct places *places_parse(const char *text, size_t size, const char *path, struct error *error)
{
    struct places *places = calloc(1, sizeof *places);
    if (!places) {
        error_memory(error, "locations");
        return NULL;
    }
    if (read_table(places, text, size, path, error) == 0 && places_sort(places, error) == 0 &&
        places_share_figures(places, error) == 0)
        return places;
    places_close(places);
    return NULL;
}

char *places_check(const char *path, struct error *error)
{
    size_t size;
    AUTO_FREE char *text = file_read(path, TABLE_BYTES_MOST, &size, error);
    struct places *places = text ? calloc(1, sizeof *places) : NULL;
    if (!places) {
        if (text)
            error_memory(error, path);
        return NULL;
    }
    struct text mistakes = TEXT_INIT;
    text_append(&mistakes, "");
    int status = read_program(places, error); /* a figure of the program's may be named */
    if (status == 0)
        status = places_table_read(places, text, size, path, &mistakes, error);
    places_close(places);
    if (status == 0)
        return text_take(&mistakes);
    text_free(&mistakes);
    return NULL;
}

const struct location *const *places_all(const struct places *places, size_t *count)
{
    *count = places->sorted_count;
    return places->sorted;
}

/* ---- an intensity given by hand ---- */

/* What a unit makes grams per kWh; 0: it is none. */
static double unit_g_per_kwh(const char *unit)
{
    static const char *const things[] = {"", "co2", "co2e", "co2eq", " co2", " co2e", " co2eq"};
    double scale = strncasecmp(unit, "kg", 2) == 0 ? 1000 : strncasecmp(unit, "g", 1) == 0 ? 1 : 0;
    const char *rest = unit + (scale > 1 ? 2 : 1), *slash = scale > 0 ? strchr(rest, '/') : NULL;
    if (!slash || strcasecmp(slash, "/kwh") != 0)
        return 0;
    for (size_t i = 0; i < sizeof things / sizeof *things; i++)
        if (strlen(things[i]) == (size_t)(slash - rest) &&
            strncasecmp(things[i], rest, (size_t)(slash - rest)) == 0)
            return scale;
    return 0;
}

/* 1: `text` is an intensity; 0: it is something else; -1: it is one that can't be. */
static int parse_intensity(const char *text, double *g_per_kwh, struct error *error)
{
    size_t digits = strspn(text, "+-0123456789.eE");
    AUTO_FREE char *number = strndup(text, digits);
    double value, scale = unit_g_per_kwh(text + digits + strspn(text + digits, " "));
    if (!number || digits == 0 || text_to_double(number, &value) < 0)
        return 0;
    if (scale == 0 && text[digits] == '\0')
        return error_set(error, "'%s' is no place: an intensity given by hand has its unit, as in '%s g/kWh'",
                         text, text);
    if (scale == 0)
        return 0;
    *g_per_kwh = value * scale;
    if (*g_per_kwh >= 0 && *g_per_kwh <= INTENSITY_MOST_G_PER_KWH)
        return 1;
    return error_set(error, "'%s': an intensity is from 0 to %g g/kWh", text, INTENSITY_MOST_G_PER_KWH);
}

static const struct location *given_by_hand(struct places *places, double g_per_kwh, struct error *error)
{
    char *fields[] = {text_format("%g g/kWh", g_per_kwh)};
    struct place *place = calloc(1, sizeof *place);
    if (place)
        place->row.fields = malloc(sizeof fields);
    if (!fields[0] || !place || !place->row.fields) {
        free(fields[0]);
        free(place);
        error_memory(error, "locations");
        return NULL;
    }
    memcpy(place->row.fields, fields, sizeof fields);
    place->row.count = 1;
    place->location = (struct location){.code = fields[0],
                                        .name = fields[0],
                                        .kind = LOCATION_SITE,
                                        .country = "",
                                        .intensity_g_per_kwh = g_per_kwh,
                                        .low_g_per_kwh = NAN,
                                        .high_g_per_kwh = NAN,
                                        .life_cycle_low_g_per_kwh = NAN,
                                        .life_cycle_high_g_per_kwh = NAN,
                                        .figure_of = "",
                                        .pue = NAN,
                                        .pue_source = "",
                                        .latitude = NAN,
                                        .longitude = NAN,
                                        .profile = "",
                                        .source = "given by hand"};
    return places_add(places, place, error) < 0 ? NULL : &place->location;
}

/* ---- by name ---- */

/* U+00C0 to U+017F without accents; a space: it stays as it is. */
static const char plain[] =
    "AAAAAAACEEEEIIIIDNOOOOO OUUUUYTSaaaaaaaceeeeiiiidnooooo ouuuuyty"
    "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlLlLlNnNnNnnNnOoOoOoOo"
    "RrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs";

/* The plain letter of the two bytes at `at`; 0: it has none. */
static char without_accent(const char *at)
{
    unsigned first = (unsigned char)at[0], second = (unsigned char)at[1];
    if (first < 0xC3 || first > 0xC5 || (second & 0xC0) != 0x80)
        return 0;
    char letter = plain[((first & 0x1F) << 6 | (second & 0x3F)) - 0xC0];
    return letter == ' ' ? 0 : letter;
}

char *place_fold(const char *name)
{
    struct text folded = TEXT_INIT;
    text_append(&folded, "");
    bool space = false;
    for (const char *at = name; *at; at++) {
        if (strchr(" -_.,'()", *at)) {
            space = true;
            continue;
        }
        char letter = without_accent(at);
        at += letter != 0;
        letter = letter ? letter : *at;
        if (letter >= 'A' && letter <= 'Z')
            letter = (char)(letter - 'A' + 'a');
        if (space && folded.length > 0)
            text_append(&folded, " ");
        space = false;
        text_append_bytes(&folded, &letter, 1);
    }
    return text_take(&folded);
}

static bool folds_to(const char *name, const char *wanted)
{
    AUTO_FREE char *folded = place_fold(name);
    return folded && strcmp(folded, wanted) == 0;
}

/* How a location is called so; ranks are in order of preference. */
enum rank { RANK_CODE, RANK_NAME, RANK_ALSO, RANK_NONE };

static enum rank rank_of(const struct location *location, const char *wanted)
{
    if (folds_to(location->code, wanted))
        return RANK_CODE;
    if (folds_to(location->name, wanted))
        return RANK_NAME;
    for (size_t i = 0; i < location->also_count; i++)
        if (folds_to(location->also[i], wanted))
            return RANK_ALSO;
    return RANK_NONE;
}

static void list_candidates(const struct location **found, size_t count, const char *name,
                            struct error *error)
{
    struct text list = TEXT_INIT;
    for (size_t i = 0; i < count; i++)
        text_printf(&list, "%s%s (%s, %s)",
                    i == 0          ? ""
                    : i + 1 < count ? ", "
                                    : " or ",
                    found[i]->name, found[i]->code, location_kind_name(found[i]->kind));
    error_set(error, "'%s' may be %s: write the code of the one that is meant", name,
              list.data ? list.data : "several");
    text_free(&list);
}

static void offer_nearest(const struct places *places, const char *name, struct error *error)
{
    size_t most = 0, count = 0;
    for (size_t i = 0; i < places->sorted_count; i++)
        most += 2 + places->sorted[i]->also_count;
    const char **names = calloc(most + 1, sizeof *names);
    for (size_t i = 0; i < places->sorted_count && names; i++) {
        const struct location *l = places->sorted[i];
        names[count++] = l->code;
        names[count++] = l->name;
        for (size_t k = 0; k < l->also_count; k++)
            names[count++] = l->also[k];
    }
    /* two letters are near to every code */
    const char *nearest = strlen(name) < 3 ? NULL : text_nearest(name, names, count);
    error_set(error,
              "no location '%s'%s%s%s: `joulery places` lists them; an intensity of one's own is '25 g/kWh'",
              name, nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
    free(names);
}

static const struct location *find_named(const struct places *places, const char *name, struct error *error)
{
    AUTO_FREE char *wanted = place_fold(name);
    const struct location **found = calloc(places->sorted_count + 1, sizeof(struct location *));
    if (!wanted || !found) {
        free(found);
        error_memory(error, "locations");
        return NULL;
    }
    size_t count = 0;
    enum rank best = RANK_NONE;
    for (size_t i = 0; i < places->sorted_count && *wanted; i++) {
        enum rank rank = rank_of(places->sorted[i], wanted);
        if (rank == RANK_NONE || rank > best)
            continue;
        count = rank < best ? 0 : count;
        best = rank;
        found[count++] = places->sorted[i];
    }
    const struct location *only = count == 1 ? found[0] : NULL;
    if (count > 1)
        list_candidates(found, count, name, error);
    else if (count == 0)
        offer_nearest(places, name, error);
    free(found);
    return only;
}

const struct location *places_find(struct places *places, const char *name, struct error *error)
{
    double g_per_kwh = 0;
    int given = parse_intensity(name, &g_per_kwh, error);
    if (given < 0)
        return NULL;
    return given ? given_by_hand(places, g_per_kwh, error) : find_named(places, name, error);
}

/* ---- for people ---- */

double location_pue(const struct location *location, double given, bool *own)
{
    bool known = !(given > 0) && location && !isnan(location->pue);
    if (own)
        *own = known;
    return given > 0 ? given : known ? location->pue : 1;
}

const char *location_kind_name(enum location_kind kind)
{
    static const char *const names[LOCATION_KINDS] = {"country", "region", "zone", "cloud", "site"};
    return names[kind];
}

char *location_figure_text(const struct location *location)
{
    static const char *const scopes[] = {"", ", over the life cycle", ", direct"};
    struct text text = TEXT_INIT;
    text_printf(&text, "%s%s", location->marginal ? "marginal" : "average", scopes[location->scope]);
    if (location->year)
        text_printf(&text, ", %d", location->year);
    return text_take(&text);
}
