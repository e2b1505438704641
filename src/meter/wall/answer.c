/* An answer in JSON, and the figures in it. */
#include "base/clock.h"
#include "base/text.h"
#include "meter/wall/device.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    double factor;
};

static const struct unit power_units[] = {{"W", 1}, {"kW", 1e3}, {"mW", 1e-3}, {"MW", 1e6}};
static const struct unit energy_units[] = {{"J", 1},     {"kJ", 1e3},    {"MJ", 1e6},    {"mWh", 3.6},
                                           {"Wh", 3600}, {"kWh", 3.6e6}, {"MWh", 3.6e9}, {"Wmin", 60}};

static double find_unit(const struct unit *units, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(units[i].name, name) == 0)
            return units[i].factor;
    return 0;
}

double wall_power_unit(const char *name)
{
    return find_unit(power_units, sizeof power_units / sizeof *power_units, name);
}

double wall_energy_unit(const char *name)
{
    return find_unit(energy_units, sizeof energy_units / sizeof *energy_units, name);
}

/* ---- RFC 6901 ---- */

/* One token of a pointer, unescaped; `*pointer` moves behind it. NULL: no memory. */
static char *next_token(const char **pointer)
{
    size_t length = strcspn(++*pointer, "/"), out = 0;
    char *token = strndup(*pointer, length);
    *pointer += length;
    for (size_t i = 0; token && i < length; i++, out++) {
        bool escaped = token[i] == '~' && (token[i + 1] == '0' || token[i + 1] == '1');
        token[out] = !escaped ? token[i] : token[i + 1] == '0' ? '~' : '/';
        i += escaped;
    }
    if (token)
        token[out] = '\0';
    return token;
}

/* NULL: nothing stands there. */
static const json_t *look_up(const json_t *document, const char *pointer)
{
    const json_t *at = document;
    while (at && *pointer == '/') {
        AUTO_FREE char *token = next_token(&pointer);
        uint64_t index;
        if (!token)
            return NULL;
        if (json_is_array(at))
            at = text_to_u64(token, &index) == 0 ? json_array_get(at, (size_t)index) : NULL;
        else
            at = json_object_get(at, token);
    }
    return at;
}

/* ---- figures ---- */

static const char *kind_of(const json_t *value)
{
    static const char *const names[] = {
        [JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",  [JSON_STRING] = "text",
        [JSON_INTEGER] = "a number", [JSON_REAL] = "a number", [JSON_TRUE] = "true",
        [JSON_FALSE] = "false",      [JSON_NULL] = "null"};
    return names[json_typeof(value)];
}

/* Home Assistant's words for a sensor that gives nothing at the moment. */
static bool is_no_news(const char *text)
{
    return strcmp(text, "unavailable") == 0 || strcmp(text, "unknown") == 0 || strcmp(text, "none") == 0;
}

static int read_number(const struct wall_device *device, const json_t *value, const char *at, double *number,
                       struct error *error)
{
    *number = NAN;
    if (!value || json_is_null(value))
        return 0;
    if (json_is_number(value)) {
        *number = json_number_value(value);
        return 0;
    }
    if (json_is_array(value))
        return error_set(error,
                         "%s: %s: expected a number, found a list of %zu: the device has several channels: "
                         "point at one, as in %s/0",
                         device->name, at, json_array_size(value), at);
    if (!json_is_string(value))
        return error_set(error, "%s: %s: expected a number, found %s", device->name, at, kind_of(value));
    const char *text = json_string_value(value);
    if (is_no_news(text) || text_to_double(text, number) == 0)
        return 0;
    *number = NAN;
    AUTO_FREE char *shown = text_printable(text);
    return error_set(error, "%s: %s: expected a number, found '%.40s'", device->name, at, shown ? shown : "");
}

/* The unit that the answer names, or the one agreed on. */
static int find_factor(const struct wall_device *device, const struct wall_quantity *quantity,
                       const json_t *document, double *factor, struct error *error)
{
    *factor = quantity->factor;
    if (!quantity->unit_at)
        return 0;
    const char *name = json_string_value(look_up(document, quantity->unit_at));
    *factor *= !name ? 0 : quantity == &device->power ? wall_power_unit(name) : wall_energy_unit(name);
    if (*factor > 0)
        return 0;
    AUTO_FREE char *shown = text_printable(name ? name : "nothing");
    return error_set(error, "%s: %s: expected a unit such as %s, found '%.40s'", device->name,
                     quantity->unit_at, quantity == &device->power ? "W or kW" : "Wh or kWh",
                     shown ? shown : "");
}

static int read_quantity(const struct wall_device *device, const struct wall_quantity *quantity,
                         const json_t *document, double *value, struct error *error)
{
    double factor;
    *value = NAN;
    if (!quantity->at)
        return 0;
    if (read_number(device, look_up(document, quantity->at), quantity->at, value, error) < 0)
        return -1;
    if (!isfinite(*value))
        return 0;
    int result = find_factor(device, quantity, document, &factor, error);
    *value = result < 0 ? NAN : *value * factor;
    return result;
}

/* Some devices report a failure with HTTP's 200. */
static int check_ok(const struct wall_device *device, const json_t *document, struct error *error)
{
    if (!device->ok_at)
        return 0;
    const json_t *value = look_up(document, device->ok_at);
    AUTO_FREE char *found = json_is_string(value) ? strdup(json_string_value(value))
                            : value               ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT)
                                                  : strdup("nothing");
    if (!found)
        return error_memory(error, device->name);
    if (strcmp(found, device->ok_is) == 0)
        return 0;
    AUTO_FREE char *shown = text_printable(found);
    return error_set(error, "%s: the device reports a failure: %s is %.40s, expected %s", device->name,
                     device->ok_at, shown ? shown : "", device->ok_is);
}

/* ---- times ---- */

static int read_time(const struct wall_device *device, const json_t *document, int64_t *wall_ns,
                     struct error *error)
{
    const json_t *value = look_up(document, device->time_at);
    AUTO_FREE char *text = json_is_string(value) ? strdup(json_string_value(value))
                           : json_is_number(value)
                               ? json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(17))
                               : strdup("nothing");
    if (!text)
        return error_memory(error, device->name);
    if (clock_parse_time(text, wall_ns) == 0 && *wall_ns > 0)
        return 0;
    AUTO_FREE char *shown = text_printable(text);
    return error_set(error, "%s: %s: expected a time, found '%.40s'", device->name, device->time_at,
                     shown ? shown : "");
}

/* Of a list the element of the newest time, whatever its place; an empty one is no news. */
static int find_newest(const struct wall_device *device, json_t **document, int64_t *wall_ns,
                       struct error *error)
{
    json_t *list = *document, *newest = NULL;
    if (!device->time_at)
        return 0;
    if (!json_is_array(list))
        return read_time(device, list, wall_ns, error);
    for (size_t i = 0; i < json_array_size(list); i++) {
        int64_t own_ns;
        if (read_time(device, json_array_get(list, i), &own_ns, error) < 0)
            return -1;
        if (own_ns <= *wall_ns)
            continue;
        *wall_ns = own_ns;
        newest = json_array_get(list, i);
    }
    *document = newest;
    return 0;
}

int wall_answer(const struct wall_device *device, const char *text, size_t size, double *power_w,
                double *energy_j, int64_t *wall_ns, struct error *error)
{
    json_error_t why;
    *power_w = *energy_j = NAN;
    *wall_ns = 0;
    json_t *document = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    if (!document)
        return error_set(error, "%s: expected JSON, found something else (line %d: %s)", device->name,
                         why.line, why.text);
    json_t *answer = document;
    int result = find_newest(device, &answer, wall_ns, error);
    if (result == 0 && answer)
        result = check_ok(device, answer, error);
    if (result == 0 && answer)
        result = read_quantity(device, &device->power, answer, power_w, error);
    if (result == 0 && answer)
        result = read_quantity(device, &device->energy, answer, energy_j, error);
    json_decref(document);
    return result;
}
