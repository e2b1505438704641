#include "report/costs.h"

#include "base/file.h"
#include "base/text.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MOST (4 << 20)

static int parse_count(const json_t *architecture, const char *member, double *count, struct error *error)
{
    const json_t *value = json_object_get(architecture, member);
    *count = NAN;
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_number(value) || !(json_number_value(value) >= 0))
        return error_set(error, "%s: expected a number of at least 0, or null", member);
    *count = json_number_value(value);
    return 0;
}

static int parse_architecture(const json_t *architecture, struct network_cost *cost, struct error *error)
{
    const char *name = json_string_value(json_object_get(architecture, "name"));
    if (!name)
        return error_set(error, "an architecture has no name");
    cost->name = strdup(name);
    if (!cost->name)
        return error_memory(error, "architectures");
    if (parse_count(architecture, "parameters", &cost->parameters, error) == 0 &&
        parse_count(architecture, "flops", &cost->flops, error) == 0)
        return 0;
    AUTO_FREE char *shown = text_printable(name);
    return error_prefix(error, "architecture '%s'", shown ? shown : "");
}

static int parse_document(const json_t *json, struct network_costs *costs, struct error *error)
{
    const char *schema = json_string_value(json_object_get(json, "schema"));
    const json_t *architectures = json_object_get(json, "architectures");
    if (!schema || strcmp(schema, "joulery.zoo/1") != 0 || !json_is_array(architectures))
        return error_set(error, "expected joulery.zoo/1 with its architectures, as `joulery zoo --json FILE` "
                                "writes it");
    costs->items = calloc(json_array_size(architectures) + 1, sizeof *costs->items);
    if (!costs->items)
        return error_memory(error, "architectures");
    for (size_t i = 0; i < json_array_size(architectures); i++)
        if (parse_architecture(json_array_get(architectures, i), &costs->items[costs->count++], error) < 0)
            return -1;
    return 0;
}

int network_costs_parse(const char *text, size_t size, struct network_costs *costs, struct error *error)
{
    json_error_t why;
    *costs = (struct network_costs){0};
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        return error_set(error, "line %d: %s", why.line, why.text);
    int result = parse_document(json, costs, error);
    json_decref(json);
    if (result < 0)
        network_costs_free(costs);
    return result;
}

int network_costs_read(const char *path, struct network_costs *costs, struct error *error)
{
    size_t size = 0;
    *costs = (struct network_costs){0};
    AUTO_FREE char *text = file_read(path, BYTES_MOST, &size, error);
    if (!text)
        return -1;
    return network_costs_parse(text, size, costs, error) == 0 ? 0 : error_prefix(error, "%s", path);
}

void network_costs_free(struct network_costs *costs)
{
    for (size_t i = 0; i < costs->count; i++)
        free(costs->items[i].name);
    free(costs->items);
    *costs = (struct network_costs){0};
}

const struct network_cost *network_costs_find(const struct network_costs *costs, const char *name)
{
    for (size_t i = 0; i < costs->count; i++)
        if (strcmp(costs->items[i].name, name) == 0)
            return &costs->items[i];
    return NULL;
}
