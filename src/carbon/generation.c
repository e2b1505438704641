#include "carbon/generation.h"

#include "base/text.h"
#include "carbon/carbon.h"
#include "carbon/fact_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define OTHER           "B20"
#define NEXT_TO_NOTHING 0.01
#define STEPS_MOST      (1 << 20)

/* ---- the types' figures ---- */

extern const unsigned char generation_types_csv[], energy_source_csv[];
extern const size_t generation_types_csv_size, energy_source_csv_size;

enum type_column { TYPE_CODE, TYPE_NAME, TYPE_ENERGY, TYPE_INTENSITY, TYPE_SOURCE, TYPE_COLUMNS };
enum source_column {
    SOURCE_ENERGY,
    SOURCE_INTENSITY,
    SOURCE_LOW,
    SOURCE_HIGH,
    SOURCE_YEAR,
    SOURCE_SOURCE,
    SOURCE_COLUMNS
};

/* Each number of an energy widens its range. */
static int widen(const struct fact_table *sources, const char *energy, struct generation_type *type,
                 struct error *error)
{
    for (size_t row = 0; row < sources->count; row++)
        for (size_t column = SOURCE_INTENSITY; column <= SOURCE_HIGH; column++) {
            char **fields = sources->rows[row].fields;
            double number;
            if (strcmp(fields[SOURCE_ENERGY], energy) != 0 || !*fields[column])
                continue;
            if (fact_number(sources, row, column, 0, INTENSITY_MOST_G_PER_KWH, &number, error) < 0)
                return -1;
            type->low_g_per_kwh = fmin(type->low_g_per_kwh, number);
            type->high_g_per_kwh = fmax(type->high_g_per_kwh, number);
        }
    return 0;
}

static int read_type(const struct fact_table *table, size_t row, const struct fact_table *sources,
                     struct generation_type *type, struct error *error)
{
    char **fields = table->rows[row].fields;
    *type =
        (struct generation_type){.g_per_kwh = NAN, .low_g_per_kwh = INFINITY, .high_g_per_kwh = -INFINITY};
    const char *code, *energy, *name, *source;
    if (fact_text(table, row, TYPE_CODE, &code, error) < 0 ||
        fact_text(table, row, TYPE_NAME, &name, error) < 0 ||
        fact_text(table, row, TYPE_ENERGY, &energy, error) < 0 ||
        fact_text(table, row, TYPE_SOURCE, &source, error) < 0)
        return -1;
    if (strlen(code) >= sizeof type->code)
        return error_set(error, "%s:%zu: '%s' is no code of a type", table->path, table->lines[row], code);
    memcpy(type->code, code, strlen(code) + 1);
    type->storage = strcmp(energy, "storage") == 0;
    if (!*fields[TYPE_INTENSITY])
        return 0;
    if (fact_number(table, row, TYPE_INTENSITY, 0, INTENSITY_MOST_G_PER_KWH, &type->g_per_kwh, error) < 0 ||
        widen(sources, energy, type, error) < 0)
        return -1;
    if (type->low_g_per_kwh <= type->g_per_kwh && type->g_per_kwh <= type->high_g_per_kwh)
        return 0;
    return error_set(error, "%s:%zu: the numbers of '%s' in data/energy_source.csv leave %g out", table->path,
                     table->lines[row], energy, type->g_per_kwh);
}

/* Those of which nothing is told may be any of the others. */
static void give_the_rest_its_range(struct generation_types *types)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < types->count; i++) {
        low = fmin(low, types->types[i].low_g_per_kwh);
        high = fmax(high, types->types[i].high_g_per_kwh);
    }
    for (size_t i = 0; i < types->count; i++)
        if (isnan(types->types[i].g_per_kwh)) {
            types->types[i].low_g_per_kwh = low;
            types->types[i].high_g_per_kwh = high;
        }
}

static int read_types(struct generation_types *types, const struct fact_table *table,
                      const struct fact_table *sources, struct error *error)
{
    *types = (struct generation_types){0};
    if (table->count > GENERATION_TYPES_MOST)
        return error_set(error, "%s: more than %d types", table->path, GENERATION_TYPES_MOST);
    for (; types->count < table->count; types->count++)
        if (read_type(table, types->count, sources, &types->types[types->count], error) < 0)
            return -1;
    give_the_rest_its_range(types);
    return strcmp(generation_type(types, OTHER)->code, OTHER) == 0
               ? 0
               : error_set(error, "%s: type " OTHER " is missing", table->path);
}

int generation_types_read(struct generation_types *types, struct error *error)
{
    static const char *const columns[TYPE_COLUMNS] = {"type", "name", "energy", "g_per_kwh", "source"};
    static const char *const source_columns[SOURCE_COLUMNS] = {"energy",         "g_per_kwh", "low_g_per_kwh",
                                                               "high_g_per_kwh", "year",      "source"};
    struct fact_table table, sources;
    if (fact_table_read(&table, (const char *)generation_types_csv, generation_types_csv_size,
                        "data/generation_types.csv", columns, TYPE_COLUMNS, error) < 0)
        return -1;
    int result = fact_table_read(&sources, (const char *)energy_source_csv, energy_source_csv_size,
                                 "data/energy_source.csv", source_columns, SOURCE_COLUMNS, error);
    if (result == 0) {
        result = read_types(types, &table, &sources, error);
        fact_table_free(&sources);
    }
    fact_table_free(&table);
    return result;
}

const struct generation_type *generation_type(const struct generation_types *types, const char *code)
{
    const struct generation_type *other = &types->types[0];
    for (size_t i = 0; i < types->count; i++) {
        if (strcmp(types->types[i].code, code) == 0)
            return &types->types[i];
        if (strcmp(types->types[i].code, OTHER) == 0)
            other = &types->types[i];
    }
    return other;
}

/* ---- blocks ---- */

int generation_add(struct generation *generation, struct generation_block block, struct error *error)
{
    if (generation->count == generation->room) {
        size_t room = generation->room ? 2 * generation->room : 64;
        struct generation_block *blocks = realloc(generation->blocks, room * sizeof *blocks);
        if (!blocks)
            return error_memory(error, "generation");
        generation->blocks = blocks;
        generation->room = room;
    }
    generation->blocks[generation->count++] = block;
    return 0;
}

void generation_free(struct generation *generation)
{
    free(generation->blocks);
    *generation = (struct generation){0};
}

/* ---- a table of power, a row a type and a column a step ---- */

struct table {
    const struct generation_types *types;
    int64_t start_s, step_s;
    size_t steps;
    double *power_mw; /* [type][step]; NAN: not told */
    double *total_mw; /* [step], of what is told */
    bool *hole;       /* [step] */
};

static int measure(struct table *table, const struct generation *generation, struct error *error)
{
    int64_t start_s = INT64_MAX, end_s = INT64_MIN;
    for (size_t i = 0; i < generation->count; i++) {
        const struct generation_block *block = &generation->blocks[i];
        start_s = block->from_s < start_s ? block->from_s : start_s;
        end_s = block->to_s > end_s ? block->to_s : end_s;
    }
    if (end_s - start_s > (int64_t)STEPS_MOST * table->step_s / GENERATION_TYPES_MOST)
        return error_set(error, "generation over more than %d steps", STEPS_MOST / GENERATION_TYPES_MOST);
    table->start_s = start_s;
    table->steps = (size_t)((end_s - start_s) / table->step_s);
    return 0;
}

static int lay_out(struct table *table, const struct generation *generation, struct error *error)
{
    size_t types = table->types->count;
    table->power_mw = malloc((types * table->steps + 1) * sizeof *table->power_mw);
    table->total_mw = calloc(table->steps + 1, sizeof *table->total_mw);
    table->hole = calloc(table->steps + 1, sizeof *table->hole);
    if (!table->power_mw || !table->total_mw || !table->hole)
        return error_memory(error, "generation");
    for (size_t i = 0; i < types * table->steps; i++)
        table->power_mw[i] = NAN;
    for (size_t i = 0; i < generation->count; i++) {
        const struct generation_block *block = &generation->blocks[i];
        double *row = table->power_mw + (size_t)(block->type - table->types->types) * table->steps;
        for (int64_t at = block->from_s; at < block->to_s; at += table->step_s)
            row[(at - table->start_s) / table->step_s] = block->power_mw;
    }
    for (size_t t = 0; t < types; t++)
        for (size_t s = 0; s < table->steps; s++) {
            double power_mw = table->power_mw[t * table->steps + s];
            table->total_mw[s] += isnan(power_mw) || table->types->types[t].storage ? 0 : power_mw;
        }
    return 0;
}

static bool next_to_nothing(const struct table *table, const double *row, size_t step)
{
    return row[step] <= NEXT_TO_NOTHING * table->total_mw[step];
}

/* A type that never says anything is none of this grid's. */
static void find_holes(struct table *table, const double *row)
{
    size_t steps = table->steps, after;
    for (size_t first = 0; first < steps; first = after + 1) {
        for (after = first; after < steps && isnan(row[after]);)
            after++;
        bool all = first == 0 && after == steps;
        bool nothing = (first == 0 || next_to_nothing(table, row, first - 1)) &&
                       (after == steps || next_to_nothing(table, row, after));
        for (size_t s = first; s < after && !all && !nothing; s++)
            table->hole[s] = true;
    }
}

/* false: nothing was generated of which the figure is known. */
static bool mix(const struct table *table, size_t step, struct profile_step *into)
{
    double known_mw = 0, all_mw = 0, sum = 0, low = 0, high = 0;
    for (size_t t = 0; t < table->types->count; t++) {
        const struct generation_type *type = &table->types->types[t];
        double power_mw = table->power_mw[t * table->steps + step];
        if (isnan(power_mw) || type->storage)
            continue;
        all_mw += power_mw;
        low += power_mw * type->low_g_per_kwh;
        high += power_mw * type->high_g_per_kwh;
        known_mw += isnan(type->g_per_kwh) ? 0 : power_mw;
        sum += isnan(type->g_per_kwh) ? 0 : power_mw * type->g_per_kwh;
    }
    if (!(known_mw > 0))
        return false;
    into->intensity_g_per_kwh = sum / known_mw;
    /* against rounding: of a mix of one type the three may be one */
    into->low_g_per_kwh = fmin(low / all_mw, into->intensity_g_per_kwh);
    into->high_g_per_kwh = fmax(high / all_mw, into->intensity_g_per_kwh);
    return true;
}

static int append(const struct table *table, struct profile *profile, struct error *error)
{
    for (size_t s = 0; s < table->steps; s++) {
        int64_t from_s = table->start_s + (int64_t)s * table->step_s;
        struct profile_step step = {.from_s = from_s, .to_s = from_s + table->step_s, .estimated = true};
        bool follows = profile->count == 0 || from_s >= profile->steps[profile->count - 1].to_s;
        if (!table->hole[s] && follows && mix(table, s, &step) && profile_add(profile, step, error) < 0)
            return -1;
    }
    return 0;
}

int generation_profile(const struct generation *generation, const struct generation_types *types,
                       int64_t step_s, struct profile *profile, struct error *error)
{
    struct table table = {.types = types, .step_s = step_s};
    if (generation->count == 0)
        return 0;
    if (measure(&table, generation, error) < 0)
        return -1;
    int result = lay_out(&table, generation, error);
    for (size_t t = 0; t < types->count && result == 0; t++)
        if (!types->types[t].storage)
            find_holes(&table, table.power_mw + t * table.steps);
    if (result == 0)
        result = append(&table, profile, error);
    free(table.power_mw);
    free(table.total_mw);
    free(table.hole);
    return result;
}
