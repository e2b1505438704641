#include "carbon/service_parse.h"

#include "base/clock.h"
#include "base/text.h"
#include "carbon/carbon.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_S           3600
#define FIVE_MINUTES_S   300
#define GRAMS_PER_LB_MWH 0.45359237 /* lb/MWh in g/kWh */

/* ---- points, in any order ---- */

struct points {
    struct profile_step *items; /* to_s 0: it is not said */
    size_t count;
    int64_t usual_s; /* how long a point lasts that stands alone */
};

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

/* ---- JSON ---- */

/* UTC where the service's document says so, although the text does not. */
static int parse_time(const json_t *item, const char *key, bool utc, int64_t *time_s, struct error *error)
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

/* 1: a figure; 0: null, there is none. */
static int parse_figure(const json_t *value, const char *key, double scale, double *g_per_kwh,
                        struct error *error)
{
    if (!value || json_is_null(value))
        return 0;
    *g_per_kwh = json_is_number(value) ? json_number_value(value) * scale : NAN;
    if (*g_per_kwh >= 0 && *g_per_kwh <= INTENSITY_MOST_G_PER_KWH)
        return 1;
    return error_set(error, "%s: expected a carbon intensity from 0 to %g g/kWh", key,
                     INTENSITY_MOST_G_PER_KWH);
}

static json_t *load(const char *text, size_t size, struct error *error)
{
    json_error_t why;
    json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
    if (json_is_object(root))
        return root;
    json_decref(root);
    error_set(error, "the answer is no JSON object");
    return NULL;
}

static int expect_text(const json_t *object, const char *key, const char *wanted, struct error *error)
{
    const char *found = json_string_value(json_object_get(object, key));
    if (!wanted || (found && strcmp(found, wanted) == 0))
        return 0;
    AUTO_FREE char *shown = text_printable(found ? found : "nothing");
    return error_set(error, "%s: expected '%s', found '%s'", key, wanted, shown ? shown : "");
}

/* Reads each item of a list; `read` returns 1 where it filled the step in, 0 where there is no figure. */
static int read_list(const json_t *list, const char *key, struct points *points,
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

static int finish(json_t *root, struct points *points, int result, struct profile *profile,
                  struct error *error)
{
    if (result == 0)
        result = append_points(points, profile, error);
    free(points->items);
    json_decref(root);
    return result;
}

/* ---- Electricity Maps ---- */

static int electricitymaps_point(const json_t *item, const void *context, struct profile_step *step,
                                 struct error *error)
{
    (void)context;
    int told = parse_figure(json_object_get(item, "carbonIntensity"), "carbonIntensity", 1,
                            &step->intensity_g_per_kwh, error);
    step->estimated = json_is_true(json_object_get(item, "isEstimated"));
    return told > 0 && parse_time(item, "datetime", false, &step->from_s, error) < 0 ? -1 : told;
}

int electricitymaps_parse(const char *text, size_t size, const char *zone, struct profile *profile,
                          struct error *error)
{
    static const char *const keys[] = {"data", "history", "forecast"};
    json_t *root = load(text, size, error);
    if (!root)
        return -1;
    struct points points = {.usual_s = HOUR_S};
    const char *key = keys[0];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(root, keys[i]))
            key = keys[i];
    int result = expect_text(root, "zone", zone, error);
    if (result == 0)
        result = read_list(json_object_get(root, key), key, &points, electricitymaps_point, NULL, error);
    return finish(root, &points, result, profile, error);
}

/* ---- Great Britain ---- */

static int uk_point(const json_t *item, const void *context, struct profile_step *step, struct error *error)
{
    (void)context;
    const json_t *intensity = json_object_get(item, "intensity");
    int told =
        parse_figure(json_object_get(intensity, "actual"), "actual", 1, &step->intensity_g_per_kwh, error);
    if (told == 0) {
        told = parse_figure(json_object_get(intensity, "forecast"), "forecast", 1, &step->intensity_g_per_kwh,
                            error);
        step->forecast = true;
    }
    if (told > 0 && (parse_time(item, "from", false, &step->from_s, error) < 0 ||
                     parse_time(item, "to", false, &step->to_s, error) < 0))
        return -1;
    return told;
}

static int expect_region(const json_t *region, const char *wanted, struct error *error)
{
    const json_t *found = json_object_get(region, "regionid");
    AUTO_FREE char *number = text_format("%lld", (long long)json_integer_value(found));
    if (json_is_integer(found) && number && strcmp(number, wanted) == 0)
        return 0;
    return error_set(error, "regionid: expected %s, found %s", wanted,
                     json_is_integer(found) ? number : "none");
}

int uk_parse(const char *text, size_t size, const char *zone, struct profile *profile, struct error *error)
{
    json_t *root = load(text, size, error);
    if (!root)
        return -1;
    struct points points = {.usual_s = HOUR_S / 2};
    const json_t *data = json_object_get(root, "data");
    int result = 0;
    if (strcmp(zone, UK_NATIONAL) != 0) {
        result = expect_region(data, zone, error);
        data = json_object_get(data, "data");
    }
    if (result == 0)
        result = read_list(data, "data", &points, uk_point, NULL, error);
    return finish(root, &points, result, profile, error);
}

/* ---- Denmark ---- */

static int energidata_point(const json_t *item, const void *context, struct profile_step *step,
                            struct error *error)
{
    if (expect_text(item, "PriceArea", *(const char *const *)context, error) < 0)
        return -1;
    int told = parse_figure(json_object_get(item, "CO2Emission"), "CO2Emission", 1,
                            &step->intensity_g_per_kwh, error);
    return told > 0 && parse_time(item, "Minutes5UTC", true, &step->from_s, error) < 0 ? -1 : told;
}

int energidata_parse(const char *text, size_t size, const char *zone, struct profile *profile,
                     struct error *error)
{
    json_t *root = load(text, size, error);
    if (!root)
        return -1;
    struct points points = {.usual_s = FIVE_MINUTES_S};
    int result =
        read_list(json_object_get(root, "records"), "records", &points, energidata_point, &zone, error);
    return finish(root, &points, result, profile, error);
}

/* ---- WattTime ---- */

static int watttime_point(const json_t *item, const void *context, struct profile_step *step,
                          struct error *error)
{
    (void)context;
    int told = parse_figure(json_object_get(item, "value"), "value", GRAMS_PER_LB_MWH,
                            &step->intensity_g_per_kwh, error);
    return told > 0 && parse_time(item, "point_time", false, &step->from_s, error) < 0 ? -1 : told;
}

int watttime_parse(const char *text, size_t size, const char *zone, struct profile *profile,
                   struct error *error)
{
    json_t *root = load(text, size, error);
    if (!root)
        return -1;
    struct points points = {.usual_s = FIVE_MINUTES_S};
    const json_t *meta = json_object_get(root, "meta");
    int result = expect_text(meta, "units", "lbs_co2_per_mwh", error);
    if (result == 0)
        result = expect_text(meta, "signal_type", "co2_moer", error);
    if (result == 0)
        result = expect_text(meta, "region", zone, error);
    if (result == 0)
        result = read_list(json_object_get(root, "data"), "data", &points, watttime_point, NULL, error);
    profile->marginal = true;
    return finish(root, &points, result, profile, error);
}

char *watttime_token(const char *text, size_t size, struct error *error)
{
    json_t *root = load(text, size, error);
    if (!root)
        return NULL;
    const char *token = json_string_value(json_object_get(root, "token"));
    char *copy = token && strpbrk(token, "\r\n") == NULL ? strdup(token) : NULL;
    if (!copy)
        error_set(error, "the answer to the login holds no token");
    json_decref(root);
    return copy;
}
