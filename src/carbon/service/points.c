#include "carbon/service/points.h"

#include "base/clock.h"
#include "base/text.h"
#include "carbon/carbon.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_time(const void *a, const void *b)
{
    const struct profile_step *one = a, *other = b;
    return (one->from_s > other->from_s) - (one->from_s < other->from_s);
}

/* Points that do not say how long they last, last until the next, but not longer than the shortest. */
static void set_ends(struct points *points)
{
    int64_t shortest = points->usual_s;
    for (size_t i = 1; i < points->count; i++) {
        int64_t distance = points->items[i].from_s - points->items[i - 1].from_s;
        shortest = distance > 0 && distance < shortest ? distance : shortest;
    }
    for (size_t i = 0; i < points->count; i++)
        if (points->items[i].to_s == 0)
            points->items[i].to_s = points->items[i].from_s + shortest;
}

/* What the profile has already, it keeps. */
static int append_points(struct points *points, struct profile *profile, struct error *error)
{
    if (points->count)
        qsort(points->items, points->count, sizeof *points->items, by_time);
    set_ends(points);
    for (size_t i = 0; i < points->count; i++) {
        const struct profile_step *step = &points->items[i];
        if (profile->count > 0 && step->from_s < profile->steps[profile->count - 1].to_s)
            continue;
        if (profile_add(profile, *step, error) < 0)
            return -1;
    }
    return 0;
}

int points_time(const json_t *item, const char *key, bool utc, int64_t *time_s, struct error *error)
{
    const char *text = json_string_value(json_object_get(item, key));
    AUTO_FREE char *with_zone = text ? text_format("%s%s", text, utc ? "Z" : "") : NULL;
    int64_t ns;
    bool zoned = with_zone && (utc || strchr(text, 'Z') || (strlen(text) > 16 && strpbrk(text + 16, "+-")));
    if (!zoned || clock_parse_time(with_zone, &ns) < 0)
        return error_set(error, "%s: expected a time with its zone", key);
    *time_s = ns / NS_PER_S;
    return 0;
}

int points_figure(const json_t *item, const char *key, double scale, double *g_per_kwh, struct error *error)
{
    const json_t *value = json_object_get(item, key);
    if (!value || json_is_null(value))
        return 0;
    *g_per_kwh = json_is_number(value) ? json_number_value(value) * scale : NAN;
    if (*g_per_kwh >= 0 && *g_per_kwh <= INTENSITY_MOST_G_PER_KWH)
        return 1;
    return error_set(error, "%s: expected a carbon intensity from 0 to %g g/kWh", key,
                     INTENSITY_MOST_G_PER_KWH);
}

json_t *points_load(const char *text, size_t size, struct error *error)
{
    json_error_t why;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (json_is_object(root))
        return root;
    json_decref(root);
    error_set(error, "the answer is no JSON object");
    return NULL;
}

int points_expect(const json_t *object, const char *key, const char *wanted, struct error *error)
{
    const char *found = json_string_value(json_object_get(object, key));
    if (!wanted || (found && strcmp(found, wanted) == 0))
        return 0;
    AUTO_FREE char *shown = text_printable(found ? found : "nothing");
    return error_set(error, "%s: expected '%s', found '%s'", key, wanted, shown ? shown : "");
}

int points_read(const json_t *list, const char *key, struct points *points,
                int (*read)(const json_t *item, const void *context, struct profile_step *step,
                            struct error *error),
                const void *context, struct error *error)
{
    if (!json_is_array(list))
        return error_set(error, "'%s' is missing, a list", key);
    points->items = calloc(json_array_size(list) + 1, sizeof *points->items);
    if (!points->items)
        return error_memory(error, key);
    for (size_t i = 0; i < json_array_size(list); i++) {
        struct profile_step step = {0};
        int told = read(json_array_get(list, i), context, &step, error);
        if (told < 0)
            return error_prefix(error, "%s[%zu]", key, i);
        if (told)
            points->items[points->count++] = step;
    }
    return 0;
}

int points_finish(json_t *root, struct points *points, int result, struct profile *profile,
                  struct error *error)
{
    if (result == 0)
        result = append_points(points, profile, error);
    free(points->items);
    json_decref(root);
    return result;
}
