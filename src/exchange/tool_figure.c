#include "exchange/tool_figure.h"

#include "base/text.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA "joulery.tool/1"

static const char *const basis_names[] = {
    [BASIS_MEASURED] = "measured", [BASIS_MODEL] = "model", [BASIS_CONSTANT] = "constant"};

enum { BASES = sizeof basis_names / sizeof *basis_names };

const char *part_basis_name(enum part_basis basis)
{
    return basis_names[basis];
}

int part_basis_parse(const char *name, enum part_basis *basis)
{
    for (size_t i = 0; i < BASES; i++) {
        if (strcmp(name, basis_names[i]) == 0) {
            *basis = (enum part_basis)i;
            return 0;
        }
    }
    return -1;
}

void tool_figure_free(struct tool_figure *figure)
{
    for (size_t i = 0; i < figure->part_count; i++)
        free(figure->parts[i].how);
    free(figure->version);
    free(figure->note);
    *figure = (struct tool_figure){0};
}

/* ---- joulery.tool/1 ---- */

/* A string, or NULL where there is none. */
static int take_text(const json_t *object, const char *name, char **text, struct error *error)
{
    const json_t *member = json_object_get(object, name);
    *text = NULL;
    if (!member || json_is_null(member))
        return 0;
    if (!json_is_string(member))
        return error_set(error, "%s: expected words", name);
    *text = strdup(json_string_value(member));
    return *text ? 0 : error_memory(error, name);
}

static int take_number(const json_t *object, const char *name, double missing, double *value,
                       struct error *error)
{
    const json_t *member = json_object_get(object, name);
    if ((!member || json_is_null(member)) && isnan(missing)) {
        *value = missing;
        return 0;
    }
    if (!json_is_number(member))
        return error_set(error, "%s: expected a number", name);
    *value = json_number_value(member);
    return isfinite(*value) ? 0 : error_set(error, "%s: expected a finite number", name);
}

static int take_covers(const json_t *list, struct tool_part *part, struct error *error)
{
    if (json_array_size(list) == 0)
        return error_set(error, "covers: expected a list of cpu, dram, gpu");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *name = json_string_value(json_array_get(list, i));
        enum channel_scope scope;
        if (!name || channel_scope_parse(name, &scope) < 0 || scope > SCOPE_GPU)
            return error_set(error, "covers: expected cpu, dram or gpu");
        part->covers[scope] = true;
    }
    return 0;
}

static int take_part(const json_t *object, struct tool_figure *figure, struct error *error)
{
    if (figure->part_count == TOOL_PARTS_MOST)
        return error_set(error, "parts: more than %d", TOOL_PARTS_MOST);
    struct tool_part part = {0};
    const char *basis = json_string_value(json_object_get(object, "basis"));
    if (take_covers(json_object_get(object, "covers"), &part, error) < 0 ||
        take_number(object, "energy_j", 0, &part.energy_j, error) < 0)
        return -1;
    if (!basis || part_basis_parse(basis, &part.basis) < 0)
        return error_set(error, "basis: expected measured, model or constant");
    if (take_text(object, "how", &part.how, error) < 0)
        return -1;
    figure->parts[figure->part_count++] = part;
    return 0;
}

static int take_figure(const json_t *document, struct tool_figure *figure, struct error *error)
{
    const char *schema = json_string_value(json_object_get(document, "schema"));
    if (!schema || strcmp(schema, SCHEMA) != 0)
        return error_set(error, "expected " SCHEMA);
    if (take_number(document, "energy_j", 0, &figure->energy_j, error) < 0 ||
        take_number(document, "covered_s", NAN, &figure->covered_s, error) < 0 ||
        take_number(document, "pue", NAN, &figure->pue, error) < 0 ||
        take_text(document, "version", &figure->version, error) < 0 ||
        take_text(document, "note", &figure->note, error) < 0)
        return -1;
    if (isnan(figure->pue))
        figure->pue = 1;
    if (!(figure->pue > 0) || figure->covered_s < 0)
        return error_set(error, "expected a pue above 0 and a covered_s of at least 0");
    const json_t *parts = json_object_get(document, "parts");
    if (!json_is_array(parts))
        return error_set(error, "parts: expected a list");
    for (size_t i = 0; i < json_array_size(parts); i++)
        if (take_part(json_array_get(parts, i), figure, error) < 0)
            return -1;
    return 0;
}

int tool_figure_parse(const char *text, size_t size, struct tool_figure *figure, struct error *error)
{
    *figure = (struct tool_figure){0};
    json_error_t why;
    json_t *document = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    int result = document ? take_figure(document, figure, error) : error_set(error, "no JSON: %s", why.text);
    json_decref(document);
    if (result < 0)
        tool_figure_free(figure);
    return result;
}
