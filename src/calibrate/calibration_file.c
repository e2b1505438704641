/* joulery.calibration/1: reading and writing; docs/json.md. */
#include "calibrate/calibration.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "record/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SCHEMA        "joulery.calibration/1"
#define POWER_MOST_W  1e7 /* more than any machine; keeps nonsense out */
#define UNSCALED_MOST 1e12
#define WINDOWS_MOST  1e9
#define ACCURACY_MOST 1
#define LEVERAGE_MOST 1e12

char *calibration_default_path(const char *host, struct error *error)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    bool given = config && config[0] == '/'; /* relative ones are ignored, as with host_state_path */
    if (!given && !(home && home[0] == '/')) {
        error_set(error, "no place to keep it: neither XDG_CONFIG_HOME nor HOME names a folder");
        return NULL;
    }
    AUTO_FREE char *name = strdup(host);
    for (char *at = name; at && *at; at++)
        if (*at == '/')
            *at = '_';
    char *path = name ? text_format("%s%s/joulery/calibration-%s.json", given ? config : home,
                                    given ? "" : "/.config", name)
                      : NULL;
    if (!path)
        error_memory(error, "calibration");
    return path;
}

/* ---- reading ---- */

static int take_string(const json_t *object, const char *name, char **to, struct error *error)
{
    const char *value = json_string_value(json_object_get(object, name));
    if (!value)
        return error_set(error, "'%s': expected a string", name);
    *to = strdup(value);
    return *to ? 0 : error_memory(error, name);
}

static int check_number(const json_t *value, const char *name, double least, double most, double *to,
                        struct error *error)
{
    double number = json_number_value(value);
    if (!json_is_number(value) || !(number >= least && number <= most))
        return error_set(error, "'%s': expected a number from %g to %g", name, least, most);
    *to = number;
    return 0;
}

static int take_number(const json_t *object, const char *name, double least, double most, double *to,
                       struct error *error)
{
    return check_number(json_object_get(object, name), name, least, most, to, error);
}

static int take_count(const json_t *object, const char *name, double least, double most, uint64_t *to,
                      struct error *error)
{
    double number;
    if (!json_is_integer(json_object_get(object, name)))
        return error_set(error, "'%s': expected a whole number", name);
    if (take_number(object, name, least, most, &number, error) < 0)
        return -1;
    *to = (uint64_t)number;
    return 0;
}

static int parse_host(const json_t *json, struct host *host, struct error *error)
{
    uint64_t sockets, logical_cpus;
    if (take_string(json, "name", &host->name, error) < 0 ||
        take_string(json, "cpu_model", &host->cpu_model, error) < 0 ||
        take_string(json, "kernel", &host->kernel, error) < 0 ||
        take_count(json, "sockets", 0, UINT32_MAX, &sockets, error) < 0 ||
        take_count(json, "logical_cpus", 0, UINT32_MAX, &logical_cpus, error) < 0 ||
        take_count(json, "memory_bytes", 0, 1e18, &host->memory_bytes, error) < 0)
        return -1;
    host->sockets = (uint32_t)sockets;
    host->logical_cpus = (uint32_t)logical_cpus;
    return 0;
}

static int parse_channel(const json_t *json, struct calibration_channel *channel, struct error *error)
{
    const json_t *estimated = json_object_get(json, "estimated"), *label = json_object_get(json, "label");
    if (!json_is_boolean(estimated))
        return error_set(error, "'estimated': expected true or false");
    channel->estimated = json_is_true(estimated);
    if (!json_is_null(label) && take_string(json, "label", &channel->label, error) < 0)
        return -1;
    return take_string(json, "meter", &channel->meter, error) < 0
               ? -1
               : take_string(json, "name", &channel->name, error);
}

static int parse_channels(const json_t *array, struct calibration_scope *scope, struct error *error)
{
    size_t count = json_array_size(array);
    if (count == 0 || count > CALIBRATION_CHANNELS_MOST)
        return error_set(error, "'channels': expected an array of 1 to %d", CALIBRATION_CHANNELS_MOST);
    scope->channels = calloc(count, sizeof *scope->channels);
    if (!scope->channels)
        return error_memory(error, "calibration");
    for (size_t i = 0; i < count; i++) {
        scope->channel_count = i + 1;
        if (parse_channel(json_array_get(array, i), &scope->channels[i], error) < 0)
            return error_prefix(error, "channel %zu", i);
    }
    return 0;
}

/* Scopes come in the order of their terms. */
static int parse_scope(const json_t *json, struct calibration *calibration, int *last, struct error *error)
{
    enum channel_scope which;
    const char *name = json_string_value(json_object_get(json, "scope"));
    const json_t *fitted = json_object_get(json, "fitted");
    if (!name || channel_scope_parse(name, &which) < 0 || which >= CALIBRATION_SCOPES || (int)which <= *last)
        return error_set(error, "'scope': expected cpu, dram and gpu, in this order and each at most once");
    struct calibration_scope *scope = &calibration->scopes[which];
    *last = (int)which;
    if (!json_is_boolean(fitted))
        return error_set(error, "'fitted': expected true or false");
    if (json_is_true(fitted))
        scope->term = calibration->fit.terms++;
    else if (take_string(json, "left_out", &scope->left_out, error) < 0)
        return -1;
    if (take_number(json, "low_w", 0, POWER_MOST_W, &scope->low_w, error) < 0 ||
        take_number(json, "high_w", scope->low_w, POWER_MOST_W, &scope->high_w, error) < 0)
        return -1;
    return parse_channels(json_object_get(json, "channels"), scope, error);
}

static int parse_scopes(const json_t *array, struct calibration *calibration, struct error *error)
{
    int last = -1;
    calibration->fit.terms = 1;
    if (json_array_size(array) > CALIBRATION_SCOPES)
        return error_set(error, "'scopes': expected an array of at most %d", CALIBRATION_SCOPES);
    for (size_t i = 0; i < json_array_size(array); i++)
        if (parse_scope(json_array_get(array, i), calibration, &last, error) < 0)
            return error_prefix(error, "scope %zu", i);
    return calibration->fit.terms > 1 ? 0 : error_set(error, "'scopes': none is fitted");
}

static const char *term_name(const struct calibration *calibration, size_t term)
{
    for (size_t s = 0; s < CALIBRATION_SCOPES; s++)
        if (term && calibration->scopes[s].term == term)
            return channel_scope_name((enum channel_scope)s);
    return "constant";
}

static int parse_coefficients(const json_t *array, struct calibration *calibration, struct error *error)
{
    struct linear *fit = &calibration->fit;
    if (json_array_size(array) != fit->terms)
        return error_set(error, "'coefficients': expected the constant and one a fitted scope");
    for (size_t i = 0; i < fit->terms; i++) {
        const json_t *item = json_array_get(array, i);
        const char *name = json_string_value(json_object_get(item, "term"));
        if (!name || strcmp(name, term_name(calibration, i)) != 0)
            return error_set(error, "coefficient %zu: 'term': expected %s", i, term_name(calibration, i));
        if (take_number(item, "value", -POWER_MOST_W, POWER_MOST_W, &fit->coefficients[i], error) < 0)
            return error_prefix(error, "coefficient %zu", i);
    }
    return 0;
}

static int parse_unscaled(const json_t *rows, struct linear *fit, struct error *error)
{
    static const char name[] = "unscaled_covariance";
    if (json_array_size(rows) != fit->terms)
        return error_set(error, "'%s': expected %zu rows", name, fit->terms);
    for (size_t i = 0; i < fit->terms; i++) {
        const json_t *row = json_array_get(rows, i);
        if (json_array_size(row) != fit->terms)
            return error_set(error, "'%s': expected %zu numbers in a row", name, fit->terms);
        for (size_t k = 0; k < fit->terms; k++)
            if (check_number(json_array_get(row, k), name, i == k ? 0 : -UNSCALED_MOST, UNSCALED_MOST,
                             &fit->unscaled[i][k], error) < 0)
                return -1;
    }
    return 0;
}

static int parse_doubts(const json_t *array, struct calibration *calibration, struct error *error)
{
    size_t count = json_array_size(array);
    if (!json_is_array(array) || count > CALIBRATION_DOUBTS_MOST)
        return error_set(error, "'doubts': expected an array of at most %d strings", CALIBRATION_DOUBTS_MOST);
    calibration->doubts = calloc(count + 1, sizeof *calibration->doubts);
    if (!calibration->doubts)
        return error_memory(error, "calibration");
    for (size_t i = 0; i < count; i++) {
        const char *doubt = json_string_value(json_array_get(array, i));
        if (!doubt)
            return error_set(error, "'doubts': expected strings");
        calibration->doubts[i] = strdup(doubt);
        if (!calibration->doubts[i])
            return error_memory(error, "calibration");
        calibration->doubt_count = i + 1;
    }
    return 0;
}

static int parse_figures(const json_t *json, struct calibration *c, struct error *error)
{
    const struct {
        const char *name;
        double *to, least, most;
    } figures[] = {
        {"sd_w", &c->fit.sd, 0, POWER_MOST_W},
        {"degrees_of_freedom", &c->fit.degrees_of_freedom, 1, WINDOWS_MOST},
        {"residual_sd_w", &c->residual_sd_w, 0, POWER_MOST_W},
        {"left_out_rms_w", &c->left_out_rms_w, 0, POWER_MOST_W},
        {"left_out_most_w", &c->left_out_most_w, 0, POWER_MOST_W},
        {"leverage_most", &c->leverage_most, 0, LEVERAGE_MOST},
        {"wall_mean_w", &c->wall_mean_w, 0, POWER_MOST_W},
        {"wall_accuracy", &c->wall_accuracy, 0, ACCURACY_MOST},
    };
    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        if (take_number(json, figures[i].name, figures[i].least, figures[i].most, figures[i].to, error) < 0)
            return -1;
    uint64_t windows, groups;
    if (take_count(json, "windows", 1, WINDOWS_MOST, &windows, error) < 0 ||
        take_count(json, "groups", 1, WINDOWS_MOST, &groups, error) < 0)
        return -1;
    c->windows = c->fit.count = (size_t)windows;
    c->groups = (size_t)groups;
    return 0;
}

static int parse_document(const json_t *json, struct calibration *calibration, struct error *error)
{
    const char *schema = json_string_value(json_object_get(json, "schema"));
    const char *measured = json_string_value(json_object_get(json, "measured"));
    if (!schema || strcmp(schema, SCHEMA) != 0)
        return error_set(error, "'schema': expected " SCHEMA ", found %s", schema ? schema : "none");
    if (!measured || clock_parse_iso8601(measured, &calibration->measured_wall_ns) < 0)
        return error_set(error, "'measured': expected a time such as 2026-11-23T18:43:43Z");
    if (parse_host(json_object_get(json, "host"), &calibration->host, error) < 0)
        return error_prefix(error, "'host'");
    if (take_string(json, "source", &calibration->source, error) < 0 ||
        take_string(json, "groups_are", &calibration->groups_are, error) < 0 ||
        parse_scopes(json_object_get(json, "scopes"), calibration, error) < 0 ||
        parse_coefficients(json_object_get(json, "coefficients"), calibration, error) < 0 ||
        parse_unscaled(json_object_get(json, "unscaled_covariance"), &calibration->fit, error) < 0 ||
        parse_figures(json, calibration, error) < 0)
        return -1;
    return parse_doubts(json_object_get(json, "doubts"), calibration, error);
}

int calibration_parse(const char *text, size_t size, struct calibration *calibration, struct error *error)
{
    *calibration = (struct calibration){0};
    json_error_t why;
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        return error_set(error, "line %d: %s", why.line, why.text);
    int result = parse_document(json, calibration, error);
    json_decref(json);
    if (result < 0)
        calibration_free(calibration);
    return result;
}

int calibration_read(const char *path, struct calibration *calibration, struct error *error)
{
    size_t size = 0;
    *calibration = (struct calibration){0};
    AUTO_FREE char *text = file_read(path, CALIBRATION_BYTES_MOST, &size, error);
    if (!text)
        return -1;
    if (calibration_parse(text, size, calibration, error) == 0)
        return 0;
    return error_prefix(error, "%s: not a calibration", path);
}

/* ---- writing ---- */

/* Takes `item`; NULL fails the whole. */
static json_t *append(json_t *array, json_t *item)
{
    if (array && json_array_append_new(array, item) == 0)
        return array;
    json_decref(array);
    return NULL;
}

static json_t *host_to_json(const struct host *host)
{
    return json_pack("{s:o, s:o, s:o, s:I, s:I, s:I}", "name", json_text(host->name), "cpu_model",
                     json_text(host->cpu_model), "kernel", json_text(host->kernel), "sockets",
                     (json_int_t)host->sockets, "logical_cpus", (json_int_t)host->logical_cpus,
                     "memory_bytes", (json_int_t)host->memory_bytes);
}

static json_t *channels_to_json(const struct calibration_scope *scope)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < scope->channel_count; i++) {
        const struct calibration_channel *channel = &scope->channels[i];
        array = append(array, json_pack("{s:o, s:o, s:o, s:b}", "meter", json_text(channel->meter), "name",
                                        json_text(channel->name), "label", json_text(channel->label),
                                        "estimated", channel->estimated));
    }
    return array;
}

static json_t *scopes_to_json(const struct calibration *calibration)
{
    json_t *array = json_array();
    for (size_t s = 0; array && s < CALIBRATION_SCOPES; s++) {
        const struct calibration_scope *scope = &calibration->scopes[s];
        if (scope->channel_count == 0)
            continue;
        array = append(array, json_pack("{s:s, s:b, s:o, s:f, s:f, s:o}", "scope",
                                        channel_scope_name((enum channel_scope)s), "fitted", scope->term > 0,
                                        "left_out", json_text(scope->left_out), "low_w", scope->low_w,
                                        "high_w", scope->high_w, "channels", channels_to_json(scope)));
    }
    return array;
}

static json_t *coefficients_to_json(const struct calibration *calibration)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < calibration->fit.terms; i++) {
        struct interval value = stats_linear_coefficient(&calibration->fit, i);
        array = append(array,
                       json_pack("{s:s, s:f, s:o, s:o}", "term", term_name(calibration, i), "value",
                                 value.value, "low", json_known(value.low), "high", json_known(value.high)));
    }
    return array;
}

static json_t *unscaled_to_json(const struct linear *fit)
{
    json_t *rows = json_array();
    for (size_t i = 0; rows && i < fit->terms; i++) {
        json_t *row = json_array();
        for (size_t k = 0; row && k < fit->terms; k++)
            row = append(row, json_real(fit->unscaled[i][k]));
        rows = append(rows, row);
    }
    return rows;
}

static json_t *doubts_to_json(const struct calibration *calibration)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < calibration->doubt_count; i++)
        array = append(array, json_text(calibration->doubts[i]));
    return array;
}

json_t *calibration_to_json(const struct calibration *c)
{
    AUTO_FREE char *measured = clock_iso8601(c->measured_wall_ns);
    return json_pack("{s:s, s:o, s:o, s:o, s:b, s:I, s:I, s:o, s:o, s:o, s:o, s:f, s:f, s:f, s:f, s:f, s:f, "
                     "s:f, s:f, s:o}",
                     "schema", SCHEMA, "measured", json_text(measured), "source", json_text(c->source),
                     "host", host_to_json(&c->host), "estimated", calibration_is_estimated(c), "windows",
                     (json_int_t)c->windows, "groups", (json_int_t)c->groups, "groups_are",
                     json_text(c->groups_are), "scopes", scopes_to_json(c), "coefficients",
                     coefficients_to_json(c), "unscaled_covariance", unscaled_to_json(&c->fit), "sd_w",
                     c->fit.sd, "degrees_of_freedom", c->fit.degrees_of_freedom, "residual_sd_w",
                     c->residual_sd_w, "left_out_rms_w", c->left_out_rms_w, "left_out_most_w",
                     c->left_out_most_w, "leverage_most", c->leverage_most, "wall_mean_w", c->wall_mean_w,
                     "wall_accuracy", c->wall_accuracy, "doubts", doubts_to_json(c));
}

int calibration_write(const char *path, const struct calibration *calibration, struct error *error)
{
    json_t *json = calibration_to_json(calibration);
    AUTO_FREE char *bytes = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    json_decref(json);
    AUTO_FREE char *text = bytes ? text_format("%s\n", bytes) : NULL;
    if (!text)
        return error_memory(error, "calibration");
    if (strcmp(path, "-") != 0 && *path && file_make_folders(path, error) < 0)
        return -1;
    return file_write(path, text, strlen(text), error);
}
