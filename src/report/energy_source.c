#include "report/energy_source.h"

#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "store/query.h"
#include "store/store.h"

#include <ctype.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_BYTES_MOST ((size_t)256 << 20)

void energy_source_free(struct energy_source *source)
{
    free(source->what);
    free(source->location);
    *source = (struct energy_source){0};
}

/* An energy below 0 is a counter's wrap or a mistake: nothing can be said of it. */
static int check_energy(double energy_j, struct error *error)
{
    if (energy_j > 0 && isfinite(energy_j))
        return 0;
    if (isnan(energy_j))
        return error_set(error, "no instrument gave an energy");
    return error_set(
        error,
        "its energy is %g J: only one above 0 emits something (`joulery audit DB` holds energies "
        "against physics)",
        energy_j);
}

/* ---- a record ---- */

/* NAN where it is missing or null. */
static int member_number(const json_t *object, const char *name, double *value, struct error *error)
{
    const json_t *member = json_object_get(object, name);
    *value = NAN;
    if (!member || json_is_null(member))
        return 0;
    if (!json_is_number(member))
        return error_set(error, "%s: expected a number or null", name);
    *value = json_number_value(member);
    return 0;
}

static int read_totals(const json_t *totals, struct energy_source *source, struct error *error)
{
    double hardware_j, hardware_uncertainty_j;
    if (member_number(totals, "software_j", &source->energy_j, error) < 0 ||
        member_number(totals, "software_uncertainty_j", &source->uncertainty_j, error) < 0 ||
        member_number(totals, "hardware_j", &hardware_j, error) < 0 ||
        member_number(totals, "hardware_uncertainty_j", &hardware_uncertainty_j, error) < 0)
        return -1;
    source->basis = "software";
    source->estimated = json_is_true(json_object_get(totals, "estimated"));
    source->runs = 1;
    if (!isnan(source->energy_j))
        return 0;
    source->basis = "hardware";
    source->estimated = false;
    source->energy_j = hardware_j;
    source->uncertainty_j = hardware_uncertainty_j;
    return 0;
}

/* Its place is where it was measured, if the recorder was told. A PUE of 1 is told where none was known, and
 * one with a source is the place's own, which is looked up again. */
static int read_emissions(const json_t *emissions, struct energy_source *source, struct error *error)
{
    const char *location = json_string_value(json_object_get(emissions, "location"));
    double pue;
    if (member_number(emissions, "pue", &pue, error) < 0)
        return -1;
    bool given = !json_is_string(json_object_get(emissions, "pue_source"));
    source->pue = given && pue > 1 && isfinite(pue) ? pue : 0;
    source->location = location ? strdup(location) : NULL;
    return location && !source->location ? error_memory(error, "location") : 0;
}

static int read_record(const json_t *json, struct energy_source *source, struct error *error)
{
    const char *schema = json_string_value(json_object_get(json, "schema"));
    const json_t *totals = json_object_get(json, "totals");
    if (!schema || strcmp(schema, "joulery.run/1") != 0 || !json_is_object(totals))
        return error_set(error,
                         "expected joulery.run/1 with its totals, as `joulery run --json FILE` writes it");
    if (read_totals(totals, source, error) < 0 || check_energy(source->energy_j, error) < 0)
        return -1;
    return read_emissions(json_object_get(json, "emissions"), source, error);
}

int energy_source_parse(const char *text, size_t size, struct energy_source *source, struct error *error)
{
    json_error_t why;
    *source = (struct energy_source){0};
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        return error_set(error, "line %d: %s", why.line, why.text);
    int result = read_record(json, source, error);
    json_decref(json);
    if (result < 0)
        energy_source_free(source);
    return result;
}

static int from_record(const char *path, struct energy_source *source, struct error *error)
{
    size_t size;
    AUTO_FREE char *text = file_read(path, RECORD_BYTES_MOST, &size, error);
    if (!text)
        return -1;
    return energy_source_parse(text, size, source, error) < 0 ? error_prefix(error, "%s", path) : 0;
}

/* ---- a database ---- */

/* Of all finished runs, or of the one whose number is ?1. */
static const char energies_sql[] =
    "SELECT count(*), count(software_j), sum(software_j), sum(software_uncertainty_j), max(estimated), "
    "min(software_j), count(hardware_j), sum(hardware_j), sum(hardware_uncertainty_j), min(hardware_j) "
    "FROM runs WHERE CASE WHEN ?1 IS NULL THEN state = 'done' ELSE run = ?1 END";

static int read_energies(sqlite3 *database, int64_t run, struct energy_source *source, struct error *error)
{
    AUTO_QUERY sqlite3_stmt *query = query_prepare(database, energies_sql, error);
    if (!query)
        return -1;
    if (run > 0)
        sqlite3_bind_int64(query, 1, run);
    if (query_step(query, error) < 0)
        return -1;
    size_t found = (size_t)sqlite3_column_int64(query, 0);
    if (found == 0)
        return run > 0
                   ? error_set(error, "there is no run %" PRId64 " in it: `joulery study status` counts them",
                               run)
                   : error_set(error, "it has no finished run yet");
    bool software = sqlite3_column_int64(query, 1) > 0;
    source->basis = software ? "software" : "hardware";
    source->runs = (size_t)sqlite3_column_int64(query, software ? 1 : 6);
    source->unmeasured = found - source->runs;
    source->energy_j = query_number(query, software ? 2 : 7);
    source->uncertainty_j = query_number(query, software ? 3 : 8);
    source->estimated = software && sqlite3_column_int64(query, 4) != 0;
    double least_j = query_number(query, software ? 5 : 9);
    return least_j < 0 ? check_energy(least_j, error) : check_energy(source->energy_j, error);
}

static int read_place(sqlite3 *database, struct energy_source *source, struct error *error)
{
    AUTO_QUERY sqlite3_stmt *query = query_prepare(database, "SELECT location, pue FROM study", error);
    int got = query ? query_step(query, error) : -1;
    if (got <= 0)
        return got;
    double pue = query_number(query, 1);
    source->pue = pue >= 1 && isfinite(pue) ? pue : 0;
    if (sqlite3_column_type(query, 0) == SQLITE_NULL)
        return 0;
    source->location = query_text(query, 0);
    return source->location ? 0 : error_memory(error, "location");
}

/* `run` 0: all of them. */
static int from_store(const char *path, int64_t run, struct energy_source *source, struct error *error)
{
    struct store *store = store_open(path, STORE_READ, error);
    if (!store)
        return -1;
    sqlite3 *database = store_database(store);
    int result = read_energies(database, run, source, error);
    if (result == 0)
        result = read_place(database, source, error);
    store_close(store);
    if (result == 0)
        return 0;
    return run > 0 ? error_prefix(error, "%s: run %" PRId64, path, run) : error_prefix(error, "%s", path);
}

/* ---- which it is ---- */

/* "DB:3" as the length of "DB" and 3; 0: it is not written so. */
static size_t split_run(const char *text, int64_t *run)
{
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || text_to_i64(colon + 1, run) < 0)
        return 0;
    return (size_t)(colon - text);
}

static bool is_json(const char *path)
{
    FILE *file = fopen(path, "re");
    int start = file ? getc(file) : EOF;
    while (start != EOF && isspace(start))
        start = getc(file);
    if (file)
        fclose(file);
    return start == '{' || start == '[';
}

static int from_file(const char *path, struct energy_source *source, struct error *error)
{
    bool json = is_json(path);
    if ((json ? from_record(path, source, error) : from_store(path, 0, source, error)) < 0)
        return -1;
    source->what = json ? text_format("the run of %s", path)
                        : text_format("all %zu finished runs of %s", source->runs, path);
    return 0;
}

static int from_run(const char *text, size_t length, int64_t run, struct energy_source *source,
                    struct error *error)
{
    AUTO_FREE char *path = strndup(text, length);
    if (!path)
        return error_memory(error, "path");
    if (run < 1)
        return error_set(error, "%s: runs are numbered from 1, found %" PRId64, path, run);
    if (from_store(path, run, source, error) < 0)
        return -1;
    source->what = text_format("run %" PRId64 " of %s", run, path);
    return 0;
}

static int from_number(const char *text, struct energy_source *source, struct error *error)
{
    source->uncertainty_j = NAN;
    if (*text == '-')
        return error_set(error, "expected an energy above 0, found '%s'", text);
    if (units_parse_energy(text, &source->energy_j, error) < 0)
        return -1;
    source->what = units_kwh(source->energy_j);
    return 0;
}

static int find(const char *text, struct energy_source *source, struct error *error)
{
    int64_t run = 0;
    size_t path = split_run(text, &run);
    if (file_exists(text))
        return from_file(text, source, error);
    if (path)
        return from_run(text, path, run, source, error);
    if (*text == '\0' || strchr("+-.0123456789", *text))
        return from_number(text, source, error);
    return error_set(
        error,
        "%s: no such file: expected a database, DATABASE:RUN, a record of `joulery run --json`, or an "
        "energy such as 12.3kWh",
        text);
}

int energy_source_find(const char *text, struct energy_source *source, struct error *error)
{
    *source = (struct energy_source){0};
    int result = find(text, source, error);
    if (result == 0 && !source->what)
        result = error_memory(error, "energy");
    if (result < 0)
        energy_source_free(source);
    return result;
}
