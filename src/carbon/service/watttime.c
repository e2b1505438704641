/* WattTime, API v3: {"data": [{"point_time": …, "value": …}], "meta": {"region": …, "units":
 * "lbs_co2_per_mwh"}}, marginal; a login gives a token for half an hour. */
#include "base/text.h"
#include "carbon/service/driver.h"
#include "carbon/service/points.h"

#include <stdlib.h>
#include <string.h>

#define FIVE_MINUTES_S   300
#define GRAMS_PER_LB_MWH 0.45359237 /* lb/MWh in g/kWh */

static char *login_url(const struct asking *a)
{
    return text_format("%s/login", a->base);
}

static char *token(const char *text, size_t size, struct error *error)
{
    json_t *root = points_load(text, size, error);
    if (!root)
        return NULL;
    const char *found = json_string_value(json_object_get(root, "token"));
    char *copy = found && strpbrk(found, "\r\n") == NULL ? strdup(found) : NULL;
    if (!copy)
        error_set(error, "the answer to the login holds no token");
    json_decref(root);
    return copy;
}

static char *url(const struct asking *a, int64_t from_s, int64_t to_s)
{
    AUTO_FREE char *from = service_minute(from_s, "Z"), *to = service_minute_after(to_s, "Z");
    if (to_s == 0)
        return text_format("%s/v3/forecast?region=%s&signal_type=co2_moer&horizon_hours=72", a->base,
                           a->zone);
    return from && to ? text_format("%s/v3/historical?region=%s&signal_type=co2_moer&start=%s&end=%s",
                                    a->base, a->zone, from, to)
                      : NULL;
}

static int read_point(const json_t *item, const void *context, struct profile_step *step, struct error *error)
{
    (void)context;
    int told = points_figure(item, "value", GRAMS_PER_LB_MWH, &step->intensity_g_per_kwh, error);
    return told > 0 && points_time(item, "point_time", false, &step->from_s, error) < 0 ? -1 : told;
}

static int parse(const char *text, size_t size, const char *zone, struct profile *profile,
                 struct error *error)
{
    json_t *root = points_load(text, size, error);
    if (!root)
        return -1;
    struct points points = {.usual_s = FIVE_MINUTES_S};
    const json_t *meta = json_object_get(root, "meta");
    int result = points_expect(meta, "units", "lbs_co2_per_mwh", error);
    if (result == 0)
        result = points_expect(meta, "signal_type", "co2_moer", error);
    if (result == 0)
        result = points_expect(meta, "region", zone, error);
    if (result == 0)
        result = points_read(json_object_get(root, "data"), "data", &points, read_point, NULL, error);
    return points_finish(root, &points, result, profile, error);
}

const struct service service_watttime = {
    .name = "watttime",
    .example_zone = "CAISO_NORTH",
    .title = "WattTime",
    .about = "grids of America and others, marginal, by five minutes; forecasts of three days",
    .base = "https://api.watttime.org",
    .key_variable = "JOULERY_KEY_WATTTIME",
    .url_variable = "JOULERY_SERVICE_URL_WATTTIME",
    .key_form = "USER PASSWORD",
    .marginal = true,
    .range_s = 30 * 86400,
    .forecasts = FORECASTS_APART,
    .login_url = login_url,
    .token = token,
    .url = url,
    .parse = parse,
};
