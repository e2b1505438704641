/* One datagram to one mark. Whatever runs on the machine may send here, so nothing is taken on trust. */
#include "mark/mark.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MOST 256

struct mark_owner {
    json_t *json; /* holds every string of the mark */
    struct mark_metric *metrics;
};

static int parse_kind(const json_t *json, enum mark_kind *kind, struct error *error)
{
    static const char *const names[] = {"begin", "end", "metric", "note"};
    const char *name = json_string_value(json);
    for (size_t i = 0; name && i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0) {
            *kind = (enum mark_kind)i;
            return 0;
        }
    }
    return error_set(error, "mark: expected \"mark\" to be begin, end, metric or note");
}

static int check_name(const char *what, const char *name, struct error *error)
{
    size_t length = strlen(name);
    if (length == 0 || length > NAME_BYTES_MOST)
        return error_set(error, "mark: expected 1 to %d bytes as the name of a %s, found %zu",
                         NAME_BYTES_MOST, what, length);
    return 0;
}

static int parse_window(const json_t *json, struct mark *mark, struct error *error)
{
    if (!json) {
        if (mark->kind == MARK_BEGIN || mark->kind == MARK_END)
            return error_set(error, "mark: begin and end need a \"window\"");
        return 0;
    }
    mark->window = json_string_value(json);
    if (!mark->window)
        return error_set(error, "mark: expected \"window\" to be a string");
    return check_name("window", mark->window, error);
}

static int parse_integer(const json_t *json, const char *name, int64_t least, int64_t *value,
                         struct error *error)
{
    if (!json)
        return 0;
    if (!json_is_integer(json) || json_integer_value(json) < least)
        return error_set(error, "mark: expected \"%s\" to be a whole number from %lld on", name,
                         (long long)least);
    *value = json_integer_value(json);
    return 0;
}

static int parse_metrics(json_t *json, struct mark *mark, struct mark_owner *owner, struct error *error)
{
    if (!json) {
        if (mark->kind == MARK_METRIC)
            return error_set(error, "mark: a metric needs \"metrics\"");
        return 0;
    }
    size_t count = json_object_size(json);
    if (!json_is_object(json) || count > MARK_METRICS_MOST)
        return error_set(error, "mark: expected \"metrics\" to be an object of at most %d numbers",
                         MARK_METRICS_MOST);
    owner->metrics = calloc(count ? count : 1, sizeof *owner->metrics);
    if (!owner->metrics)
        return error_memory(error, "mark");
    const char *name;
    json_t *value;
    json_object_foreach(json, name, value)
    {
        if (check_name("metric", name, error) < 0)
            return -1;
        double number = json_number_value(value);
        if (!json_is_number(value) || !isfinite(number))
            return error_set(error, "mark: metric \"%s\": expected a number", name);
        owner->metrics[mark->metric_count++] = (struct mark_metric){name, number};
    }
    mark->metrics = owner->metrics;
    return 0;
}

static int parse_text(const json_t *json, struct mark *mark, struct error *error)
{
    mark->text = json_string_value(json);
    if (json && !mark->text)
        return error_set(error, "mark: expected \"text\" to be a string");
    if (mark->kind == MARK_NOTE && !mark->text)
        return error_set(error, "mark: a note needs \"text\"");
    return 0;
}

static int parse_members(json_t *json, struct mark *mark, struct mark_owner *owner, struct error *error)
{
    if (!json_is_object(json))
        return error_set(error, "mark: expected a JSON object");
    if (parse_kind(json_object_get(json, "mark"), &mark->kind, error) < 0)
        return -1;
    if (parse_window(json_object_get(json, "window"), mark, error) < 0)
        return -1;
    if (parse_integer(json_object_get(json, "index"), "index", INT64_MIN, &mark->index, error) < 0)
        return -1;
    if (parse_integer(json_object_get(json, "t"), "t", 0, &mark->boot_ns, error) < 0)
        return -1;
    if (parse_metrics(json_object_get(json, "metrics"), mark, owner, error) < 0)
        return -1;
    return parse_text(json_object_get(json, "text"), mark, error);
}

int mark_parse(const char *bytes, size_t size, struct mark *mark, struct mark_owner **owner,
               struct error *error)
{
    *mark = (struct mark){0};
    *owner = NULL;
    if (size > MARK_BYTES_MOST)
        return error_set(error, "mark: larger than the %d bytes a mark may have", MARK_BYTES_MOST);
    struct mark_owner *made = calloc(1, sizeof *made);
    if (!made)
        return error_memory(error, "mark");
    json_error_t wrong;
    made->json = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &wrong);
    if (!made->json)
        error_set(error, "mark: not JSON: %s", wrong.text);
    if (!made->json || parse_members(made->json, mark, made, error) < 0) {
        mark_owner_free(made);
        *mark = (struct mark){0};
        return -1;
    }
    *owner = made;
    return 0;
}

void mark_owner_free(struct mark_owner *owner)
{
    if (!owner)
        return;
    json_decref(owner->json);
    free(owner->metrics);
    free(owner);
}
