#include "record/sheets.h"

#include "base/file.h"
#include "base/text.h"
#include "record/host.h"
#include "record/json.h"
#include "record/windows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA "joulery.characteristics/1"

/* Where each figure stands, and the most that is believed. */
static const struct {
    const char *name;
    size_t offset;
    double most;
    bool may_lack; /* files of earlier versions do */
} figures[] = {
#define FIGURE(name, most, may_lack)                                                                         \
    {                                                                                                        \
#name, offsetof(struct characteristics, name), most, may_lack                                        \
    }
    FIGURE(update_s, 3600, false),    FIGURE(smallest_step, 1e6, false),
    FIGURE(averaging_s, 3600, false), FIGURE(lag_s, 3600, false),
    FIGURE(response_w, 1e7, false),   FIGURE(response_p, 1, true),
    FIGURE(read_s, 60, false),        FIGURE(idle_w, 1e7, false),
    FIGURE(idle_sd_w, 1e7, false),    FIGURE(idle_reading_sd_w, 1e7, false),
#undef FIGURE
};

#define FIGURES (sizeof figures / sizeof *figures)

static double *figure_of(struct characteristics *found, size_t i)
{
    return (double *)((char *)found + figures[i].offset);
}

char *sheets_path(const char *host, struct error *error)
{
    return host_state_path("characteristics", host, error);
}

/* ---- JSON ---- */

json_t *characteristics_to_json(const struct characteristics *found)
{
    json_t *json = json_object();
    struct characteristics copy = *found;
    for (size_t i = 0; json && i < FIGURES; i++)
        json_object_set_new(json, figures[i].name, json_known(*figure_of(&copy, i)));
    return json;
}

static json_t *sheet_to_json(const struct sheet *sheet)
{
    json_t *json = json_pack("{s:o, s:o, s:s}", "meter", json_text(sheet->meter), "name",
                             json_text(sheet->name), "kind", channel_kind_name(sheet->kind));
    json_t *found = characteristics_to_json(&sheet->found);
    if (json && found)
        json_object_update(json, found);
    json_decref(found);
    return json;
}

json_t *sheets_to_json(const struct sheets *sheets)
{
    json_t *list = json_array();
    int failed = list ? 0 : -1;
    for (size_t i = 0; i < sheets->count && !failed; i++)
        failed = json_array_append_new(list, sheet_to_json(&sheets->sheets[i]));
    if (failed) {
        json_decref(list);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:f, s:o}", "schema", SCHEMA, "host", json_text(sheets->host),
                     "cpu_model", json_text(sheets->cpu_model), "made", json_text(sheets->made), "wall_s",
                     sheets->wall_s, "channels", list);
}

static int parse_figure(const json_t *json, size_t i, struct characteristics *found, struct error *error)
{
    const json_t *value = json_object_get(json, figures[i].name);
    *figure_of(found, i) = NAN;
    if (json_is_null(value) || (!value && figures[i].may_lack))
        return 0;
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= 0 && number <= figures[i].most))
        return error_set(error, "%s: expected null or a number from 0 to %g", figures[i].name,
                         figures[i].most);
    *figure_of(found, i) = number;
    return 0;
}

static int parse_sheet(const json_t *json, struct sheet *sheet, struct error *error)
{
    const char *meter, *name, *kind;
    if (json_unpack((json_t *)json, "{s:s, s:s, s:s}", "meter", &meter, "name", &name, "kind", &kind) < 0 ||
        channel_kind_parse(kind, &sheet->kind) < 0)
        return error_set(error, "expected an object with meter, name and kind");
    sheet->meter = strdup(meter);
    sheet->name = strdup(name);
    if (!sheet->meter || !sheet->name)
        return error_memory(error, "sheet");
    for (size_t i = 0; i < FIGURES; i++)
        if (parse_figure(json, i, &sheet->found, error) < 0)
            return -1;
    return 0;
}

static int parse_root(const json_t *root, struct sheets *sheets, struct error *error)
{
    const char *schema, *host, *cpu_model, *made;
    json_t *list;
    if (json_unpack((json_t *)root, "{s:s, s:s, s:s, s:s, s:F, s:o}", "schema", &schema, "host", &host,
                    "cpu_model", &cpu_model, "made", &made, "wall_s", &sheets->wall_s, "channels",
                    &list) < 0 ||
        strcmp(schema, SCHEMA) != 0 || !json_is_array(list) || json_array_size(list) > SHEETS_MOST)
        return error_set(error, "expected a document of schema %s", SCHEMA);
    sheets->host = strdup(host);
    sheets->cpu_model = strdup(cpu_model);
    sheets->made = strdup(made);
    sheets->sheets = calloc(json_array_size(list) + 1, sizeof *sheets->sheets);
    if (!sheets->host || !sheets->cpu_model || !sheets->made || !sheets->sheets)
        return error_memory(error, "sheets");
    for (; sheets->count < json_array_size(list); sheets->count++) {
        struct sheet *sheet = &sheets->sheets[sheets->count];
        if (parse_sheet(json_array_get(list, sheets->count), sheet, error) == 0)
            continue;
        error_prefix(error, "channels[%zu]", sheets->count++); /* counted: sheets_free frees its strings */
        return -1;
    }
    return 0;
}

int sheets_parse(const char *text, size_t size, struct sheets *sheets, struct error *error)
{
    *sheets = (struct sheets){0};
    json_error_t wrong;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &wrong);
    int result =
        root ? parse_root(root, sheets, error) : error_set(error, "line %d: %s", wrong.line, wrong.text);
    json_decref(root);
    if (result < 0)
        sheets_free(sheets);
    return result;
}

void sheets_free(struct sheets *sheets)
{
    for (size_t i = 0; i < sheets->count; i++) {
        free(sheets->sheets[i].meter);
        free(sheets->sheets[i].name);
    }
    free(sheets->sheets);
    free(sheets->host);
    free(sheets->cpu_model);
    free(sheets->made);
    *sheets = (struct sheets){0};
}

/* ---- the file ---- */

static const struct sheet *find_sheet(const struct sheets *sheets, const char *meter, const char *name,
                                      enum channel_kind kind)
{
    for (size_t i = 0; i < sheets->count; i++)
        if (strcmp(sheets->sheets[i].meter, meter) == 0 && strcmp(sheets->sheets[i].name, name) == 0 &&
            sheets->sheets[i].kind == kind)
            return &sheets->sheets[i];
    return NULL;
}

static int write_sheets(const struct sheets *sheets, const char *path, struct error *error)
{
    json_t *document = sheets_to_json(sheets);
    AUTO_FREE char *text = document ? json_dumps(document, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : NULL;
    json_decref(document);
    AUTO_FREE char *lines = text ? text_format("%s\n", text) : NULL;
    if (!lines)
        return error_memory(error, path);
    return file_make_folders(path, error) < 0 ? -1 : file_write(path, lines, strlen(lines), error);
}

/* What is stored of this machine; empty if nothing is, or nothing that can be read. */
static void read_stored(const char *path, const struct sheets *same, struct sheets *stored)
{
    struct error ignored = ERROR_INIT;
    size_t size = 0;
    *stored = (struct sheets){0};
    AUTO_FREE char *text = file_exists(path) ? file_read(path, SHEETS_BYTES_MOST, &size, &ignored) : NULL;
    if (text && sheets_parse(text, size, stored, &ignored) == 0 &&
        (strcmp(stored->host, same->host) != 0 || strcmp(stored->cpu_model, same->cpu_model) != 0))
        sheets_free(stored);
    error_clear(&ignored);
}

int sheets_save(const struct sheets *sheets, const char *path, struct error *error)
{
    struct sheets stored, all = *sheets;
    read_stored(path, sheets, &stored);
    all.sheets = calloc(sheets->count + stored.count + 1, sizeof *all.sheets);
    int result = all.sheets ? 0 : error_memory(error, path);
    for (size_t i = 0; result == 0 && i < sheets->count; i++)
        all.sheets[i] = sheets->sheets[i];
    for (size_t i = 0; result == 0 && i < stored.count && all.count < SHEETS_MOST; i++) {
        const struct sheet *old = &stored.sheets[i];
        if (!find_sheet(sheets, old->meter, old->name, old->kind))
            all.sheets[all.count++] = *old;
    }
    if (result == 0)
        result = write_sheets(&all, path, error);
    free(all.sheets); /* its strings belong to the other two */
    sheets_free(&stored);
    return result;
}

/* ---- use ---- */

size_t sheets_apply(const struct sheets *sheets, struct channel *channels, size_t count)
{
    size_t applied = 0;
    for (size_t i = 0; i < count; i++) {
        const struct sheet *sheet = find_sheet(sheets, channels[i].meter, channels[i].name, channels[i].kind);
        if (!sheet || channels[i].kind == KIND_MODEL)
            continue;
        const struct characteristics *found = &sheet->found;
        if (found->update_s > 0)
            channels[i].update_s = found->update_s;
        if (channels[i].kind == KIND_POWER && isfinite(found->averaging_s))
            channels[i].averaging_s = found->averaging_s;
        if (found->smallest_step > 0 &&
            (channels[i].resolution <= 0 || found->smallest_step < channels[i].resolution))
            channels[i].resolution = found->smallest_step;
        applied++;
    }
    return applied;
}

static void apply_file(const char *path, const struct host *host, struct record *record)
{
    struct error error = ERROR_INIT;
    struct sheets sheets = {0};
    size_t size = 0;
    AUTO_FREE char *text = file_read(path, SHEETS_BYTES_MOST, &size, &error);
    if (!text || sheets_parse(text, size, &sheets, &error) < 0)
        record_note(record, text_format("data sheets not used: %s: %s", path, error_text(&error)));
    else if (strcmp(sheets.host, host->name) != 0 || strcmp(sheets.cpu_model, host->cpu_model) != 0)
        record_note(record, text_format("data sheets not used: they are of another machine (%s, %s): "
                                        "`joulery meters --characterise` makes new ones",
                                        sheets.host, sheets.cpu_model));
    else
        sheets_apply(&sheets, record->channels, record->channel_count);
    sheets_free(&sheets);
    error_clear(&error);
}

void sheets_apply_stored(const struct meter_setup *setup, struct record *record)
{
    struct host host = {0};
    struct error error = ERROR_INIT;
    if (host_describe(setup, &host, &error) == 0) {
        AUTO_FREE char *path = sheets_path(host.name, &error);
        if (path && file_exists(path))
            apply_file(path, &host, record);
    }
    error_clear(&error);
    host_free(&host);
}

bool channel_resolves(const struct channel *channel, double wall_s)
{
    double averaging_s = channel->kind == KIND_POWER ? channel->averaging_s : 0;
    return wall_s >= fmax(2 * channel->update_s, averaging_s);
}

void channel_widen(const struct channel *channel, double wall_s, struct channel_energy *energy)
{
    if (energy->known && !channel_resolves(channel, wall_s))
        energy->uncertainty_j = fmax(energy->uncertainty_j, fabs(energy->energy_j) / sqrt(3));
}
