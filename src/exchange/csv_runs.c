#include "exchange/tool_runs.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/text.h"
#include "exchange/into_record.h"
#include "meter/wall/device.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TOOL "csv"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- roles ---- */

enum role_kind { ROLE_ENERGY, ROLE_DURATION, ROLE_STARTED, ROLE_ID, ROLE_MODEL, ROLE_FACTOR, ROLE_METRIC };

static const struct role {
    const char *name;
    enum role_kind kind;
    const char *channel; /* ROLE_ENERGY */
    enum channel_scope scope;
    enum channel_kind basis;
} roles[] = {
    {"energy", ROLE_ENERGY, "total", SCOPE_CPU, KIND_MODEL},
    {"cpu_energy", ROLE_ENERGY, "cpu", SCOPE_CPU, KIND_COUNTER},
    {"dram_energy", ROLE_ENERGY, "dram", SCOPE_DRAM, KIND_COUNTER},
    {"gpu_energy", ROLE_ENERGY, "gpu", SCOPE_GPU, KIND_COUNTER},
    {"wall_energy", ROLE_ENERGY, "wall", SCOPE_WALL, KIND_POWER},
    {"duration", ROLE_DURATION, NULL, SCOPE_CPU, KIND_COUNTER},
    {"started", ROLE_STARTED, NULL, SCOPE_CPU, KIND_COUNTER},
    {"id", ROLE_ID, NULL, SCOPE_CPU, KIND_COUNTER},
    {"cpu_model", ROLE_MODEL, NULL, SCOPE_CPU, KIND_COUNTER},
    {"factor.", ROLE_FACTOR, NULL, SCOPE_CPU, KIND_COUNTER}, /* what follows is the factor's name */
    {"metric.", ROLE_METRIC, NULL, SCOPE_CPU, KIND_COUNTER},
};

static const struct {
    const char *name;
    double seconds;
} duration_units[] = {{"s", 1}, {"ms", 1e-3}, {"min", 60}, {"h", 3600}};

/* What stands where. */
struct mapped {
    const struct role *role;
    const char *name; /* of the factor, of the metric; into `words` */
    char *column;     /* into `words` */
    double unit;      /* J or s in one count; 0: not said */
    size_t number;    /* the column's, once the header is known */
};

struct map {
    struct mapped *items;
    size_t count;
    char **words;
    size_t word_count;
};

static void map_free(struct map *map)
{
    for (size_t i = 0; i < map->word_count; i++)
        free(map->words[i]);
    free(map->words);
    free(map->items);
    *map = (struct map){0};
}

static const struct role *find_role(const char *name, struct error *error)
{
    const char *names[COUNT(roles)];
    for (size_t i = 0; i < COUNT(roles); i++) {
        size_t length = strlen(roles[i].name);
        bool open = roles[i].name[length - 1] == '.';
        if (open ? strncmp(name, roles[i].name, length) == 0 && name[length]
                 : strcmp(name, roles[i].name) == 0)
            return &roles[i];
        names[i] = roles[i].name;
    }
    const char *nearest = text_nearest(name, names, COUNT(names));
    error_set(error,
              "--map: unknown role '%s'%s%s%s: expected energy, cpu_energy, dram_energy, gpu_energy, "
              "wall_energy, duration, started, id, cpu_model, factor.NAME or metric.NAME",
              name, nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
    return NULL;
}

/* J or s in one of the unit; 0: it is none of the role. */
static double unit_of(const struct role *role, const char *unit)
{
    if (role->kind == ROLE_ENERGY)
        return wall_energy_unit(unit);
    for (size_t i = 0; role->kind == ROLE_DURATION && i < COUNT(duration_units); i++)
        if (strcmp(unit, duration_units[i].name) == 0)
            return duration_units[i].seconds;
    return 0;
}

/* Of a name that ends with its unit, in whatever case: energy_kwh, "Energy (J)". 0: none, or mJ, which may be
 * MJ. */
static double unit_in_name(const struct role *role, const char *name)
{
    static const struct {
        const char *lower, *unit;
    } ends[] = {{"j", "J"}, {"kj", "kJ"},   {"wh", "Wh"}, {"kwh", "kWh"},
                {"s", "s"}, {"min", "min"}, {"h", "h"}};
    size_t end = strlen(name);
    while (end > 0 && !isalpha((unsigned char)name[end - 1]))
        end--;
    size_t begin = end;
    while (begin > 0 && isalpha((unsigned char)name[begin - 1]))
        begin--;
    for (size_t i = 0; begin > 0 && i < COUNT(ends); i++)
        if (strlen(ends[i].lower) == end - begin &&
            strncasecmp(name + begin, ends[i].lower, end - begin) == 0)
            return unit_of(role, ends[i].unit);
    return 0;
}

static int find_unit(struct mapped *item, struct error *error)
{
    char *sign = strrchr(item->column, ':');
    item->unit = sign ? unit_of(item->role, sign + 1) : 0;
    if (item->unit > 0)
        *sign = '\0';
    else
        item->unit = unit_in_name(item->role, item->column);
    if (item->role->kind == ROLE_DURATION && !(item->unit > 0))
        item->unit = 1;
    if (item->role->kind != ROLE_ENERGY || item->unit > 0)
        return 0;
    return error_set(error, "--map: in which unit is '%s'? Say %s=%s:kWh (or J, kJ, MJ, mWh, Wh, MWh)",
                     item->column, item->role->name, item->column);
}

/* "factor.architecture=model", cut up in place; the map takes the word over. */
static int add_word(struct map *map, char *word, struct error *error)
{
    char **words = reallocarray(map->words, map->word_count + 1, sizeof *words);
    if (!words) {
        free(word);
        return error_memory(error, "--map");
    }
    map->words = words;
    words[map->word_count++] = word;
    char *sign = strchr(word, '=');
    if (!sign || sign == word || !sign[1])
        return error_set(error, "--map: expected ROLE=COLUMN or ROLE=COLUMN:UNIT, found '%s'", word);
    *sign = '\0';
    struct mapped item = {.role = find_role(word, error), .column = sign + 1};
    if (!item.role)
        return -1;
    item.name = word + strlen(item.role->name);
    for (size_t i = 0; i < map->count; i++)
        if (map->items[i].role == item.role && strcmp(map->items[i].name, item.name) == 0)
            return error_set(error, "--map: '%s' is given twice", word);
    struct mapped *items = reallocarray(map->items, map->count + 1, sizeof *items);
    if (!items)
        return error_memory(error, "--map");
    map->items = items;
    items[map->count++] = item;
    return find_unit(&items[map->count - 1], error);
}

static bool has_role(const struct map *map, const char *name)
{
    for (size_t i = 0; i < map->count; i++)
        if (strcmp(map->items[i].role->name, name) == 0)
            return true;
    return false;
}

static int check_map(const struct map *map, struct error *error)
{
    bool parts = has_role(map, "cpu_energy") || has_role(map, "dram_energy") || has_role(map, "gpu_energy");
    if (parts && has_role(map, "energy"))
        return error_set(error,
                         "--map: energy is what software saw as a whole: give either that, or cpu_energy, "
                         "dram_energy and gpu_energy");
    if (!parts && !has_role(map, "energy") && !has_role(map, "wall_energy"))
        return error_set(error, "--map: expected the column of an energy: energy=COLUMN:kWh");
    if (!has_role(map, "duration"))
        return error_set(error,
                         "--map: expected the column of the runs' durations, duration=COLUMN: without one "
                         "there is no power to check");
    return 0;
}

static int map_read(const struct option_list *list, struct map *map, struct error *error)
{
    *map = (struct map){0};
    for (size_t i = 0; i < list->count; i++) {
        struct csv_row row;
        if (csv_parse_row(list->items[i], strlen(list->items[i]), &row, error) < 0)
            return error_prefix(error, "--map");
        int result = 0;
        for (size_t k = 0; k < row.count && result == 0; k++) {
            result = add_word(map, row.fields[k], error);
            row.fields[k] = NULL;
        }
        csv_row_free(&row);
        if (result < 0)
            return -1;
    }
    return check_map(map, error);
}

int csv_check_map(const struct option_list *list, struct error *error)
{
    struct map map;
    int result = map_read(list, &map, error);
    map_free(&map);
    return result;
}

/* ---- rows ---- */

struct reading {
    const char *name;
    struct map map;
    const struct tool_options *options;
    struct tool_runs *runs;
    size_t line, columns;
    char separator;
};

static int wrong(const struct reading *in, const struct mapped *item, const char *expected, const char *found,
                 struct error *error)
{
    AUTO_FREE char *shown = text_printable(found);
    return error_set(error, "%s:%zu: expected %s in column '%s', found '%s'", in->name, in->line, expected,
                     item->column, shown ? shown : "");
}

/* NAN for an empty field. Where commas do not separate, they may be points. */
static int read_number(const struct reading *in, const struct mapped *item, char *field, double *value,
                       struct error *error)
{
    *value = NAN;
    if (!*field)
        return 0;
    char *comma = in->separator != ',' && !strchr(field, '.') ? strchr(field, ',') : NULL;
    if (comma)
        *comma = '.';
    if (text_to_double(field, value) < 0 || !(fabs(*value) < 1e18))
        return wrong(in, item, "a number", field, error);
    return 0;
}

static int read_time(const struct reading *in, const struct mapped *item, const char *field, int64_t *wall_ns,
                     struct error *error)
{
    AUTO_FREE char *zoned = text_format("%sZ", field);
    if (!*field)
        return 0;
    if (zoned && clock_parse_time(zoned, wall_ns) == 0)
        return 0;
    return clock_parse_time(field, wall_ns) == 0 ? 0 : wrong(in, item, "a time", field, error);
}

/* What must be known before there is a run. */
static int read_origin(const struct reading *in, const struct csv_row *row, struct tool_origin *origin,
                       struct error *error)
{
    for (size_t i = 0; i < in->map.count; i++) {
        const struct mapped *item = &in->map.items[i];
        char *field = row->fields[item->number];
        double number;
        if (item->role->kind == ROLE_STARTED &&
            read_time(in, item, field, &origin->started_wall_ns, error) < 0)
            return -1;
        if (item->role->kind == ROLE_MODEL)
            origin->cpu_model = field;
        if (item->role->kind != ROLE_DURATION)
            continue;
        if (read_number(in, item, field, &number, error) < 0)
            return -1;
        origin->wall_s = number * item->unit;
        if (!(origin->wall_s > 0))
            return wrong(in, item, "a duration above 0", field, error);
    }
    return 0;
}

static int add_factor(const struct reading *in, const struct mapped *item, const char *level,
                      struct tool_run *run, struct error *error)
{
    if (!*level)
        return wrong(in, item, "a level of the factor", level, error);
    struct plan_factor *grown = reallocarray(run->factors, run->factor_count + 1, sizeof *grown);
    if (!grown)
        return error_memory(error, in->name);
    run->factors = grown;
    struct plan_factor *factor = &grown[run->factor_count++];
    *factor = (struct plan_factor){strdup(item->name), strdup(level)};
    return factor->factor && factor->level ? 0 : error_memory(error, in->name);
}

static int take_field(const struct reading *in, const struct mapped *item, char *field, struct tool_run *run,
                      struct error *error)
{
    double number;
    struct record *record = &run->run.record;
    switch (item->role->kind) {
    case ROLE_ENERGY:
        if (read_number(in, item, field, &number, error) < 0)
            return -1;
        return isnan(number) ? 0
                             : tool_run_channel(run, item->role->channel, item->role->scope,
                                                item->role->basis, number * item->unit, error);
    case ROLE_METRIC:
        if (read_number(in, item, field, &number, error) < 0)
            return -1;
        return isnan(number) ? 0 : record_add_metric(&record->windows[0], item->name, number, error);
    case ROLE_FACTOR:
        return add_factor(in, item, field, run, error);
    case ROLE_ID:
        return *field ? tool_run_identify(run, field, error) : 0;
    case ROLE_DURATION:
    case ROLE_STARTED:
    case ROLE_MODEL:
        break;
    }
    return 0;
}

static int take_row(struct reading *in, const struct csv_row *row, struct error *error)
{
    if (row->count != in->columns)
        return error_set(error, "%s:%zu: expected %zu fields, as the first line has columns, found %zu",
                         in->name, in->line, in->columns, row->count);
    struct tool_origin origin = {
        .tool = TOOL, .version = "", .file = in->name, .line = in->line, .sockets = in->options->sockets};
    if (read_origin(in, row, &origin, error) < 0)
        return -1;
    struct tool_run *run = tool_runs_add(in->runs, &origin, error);
    for (size_t i = 0; run && i < in->map.count; i++)
        if (take_field(in, &in->map.items[i], row->fields[in->map.items[i].number], run, error) < 0)
            return -1;
    if (!run)
        return -1;
    if (run->run.record.channel_count == 0)
        return error_set(error, "%s:%zu: no energy in any of the columns that the map names", in->name,
                         in->line);
    return record_add_note(
        &run->run.record, error,
        "imported from a table: whether its energies were measured, and how, it does not say");
}

/* ---- the file ---- */

static bool find_columns(struct map *map, const struct csv_row *header, const struct mapped **missing)
{
    *missing = NULL;
    for (size_t i = 0; i < map->count; i++) {
        map->items[i].number = SIZE_MAX;
        for (size_t k = 0; k < header->count; k++)
            if (map->items[i].number == SIZE_MAX && strcmp(header->fields[k], map->items[i].column) == 0)
                map->items[i].number = k;
        if (map->items[i].number == SIZE_MAX && !*missing)
            *missing = &map->items[i];
    }
    return !*missing;
}

static int no_column(const struct reading *in, const struct mapped *missing, const struct csv_row *header,
                     struct error *error)
{
    const char *nearest = text_nearest(missing->column, (const char *const *)header->fields, header->count);
    return error_set(error, "%s:1: no column '%s'%s%s%s", in->name, missing->column,
                     nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
}

/* Whether the columns come out with this separator; else `error` says which does not, if nothing better was
 * said. */
static bool try_header(struct reading *in, const char *text, size_t size, size_t *taken, struct error *error)
{
    struct csv_row header;
    const struct mapped *missing = NULL;
    if (csv_parse_separated(text, size, in->separator, &header, error) < 0) {
        error_prefix(error, "%s:1", in->name);
        return false;
    }
    bool found = find_columns(&in->map, &header, &missing);
    *taken = header.size;
    in->columns = header.count;
    if (!found && (header.count > 1 || !error->message))
        no_column(in, missing, &header, error);
    csv_row_free(&header);
    return found;
}

static int read_header(struct reading *in, const char *text, size_t size, size_t *taken, struct error *error)
{
    static const char separators[] = ",;\t";
    *taken = 0;
    for (size_t i = 0; separators[i]; i++) {
        in->separator = separators[i];
        if (!try_header(in, text, size, taken, error))
            continue;
        error_clear(error);
        return 0;
    }
    return -1;
}

static int read_rows(struct reading *in, const char *text, size_t size, struct error *error)
{
    size_t at;
    in->line = 1;
    if (read_header(in, text, size, &at, error) < 0)
        return -1;
    while (at < size) {
        struct csv_row row;
        in->line++;
        if (csv_parse_separated(text + at, size - at, in->separator, &row, error) < 0)
            return error_prefix(error, "%s:%zu", in->name, in->line);
        bool blank = row.count == 1 && !row.fields[0][0];
        int result = blank ? 0 : take_row(in, &row, error);
        for (size_t i = 0; i + 1 < row.size; i++)
            in->line += text[at + i] == '\n';
        at += row.size;
        csv_row_free(&row);
        if (result < 0)
            return -1;
    }
    return in->runs->count ? 0
                           : error_set(error, "%s: no rows: expected a header and one row a run", in->name);
}

int csv_runs(const char *name, const char *text, size_t size, const struct tool_options *options,
             struct tool_runs *runs, struct error *error)
{
    static const char mark[] = "\xef\xbb\xbf"; /* byte order mark, which spreadsheets write */
    size_t skip = size >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
    struct reading in = {.name = name, .options = options, .runs = runs};
    *runs = (struct tool_runs){0};
    int result = map_read(options->map, &in.map, error);
    if (result == 0)
        result = read_rows(&in, text + skip, size - skip, error);
    map_free(&in.map);
    return result;
}
