/* Electricity Maps, API v3: {"zone": …, "data" or "history" or "forecast": [{"datetime": …,
 * "carbonIntensity": …, "isEstimated": …}]}, g CO2e/kWh. */
#include "base/text.h"
#include "carbon/service/driver.h"
#include "carbon/service/points.h"

#include <stdlib.h>

#define HOUR_S 3600

static char *url(const struct asking *a, int64_t from_s, int64_t to_s)
{
    AUTO_FREE char *from = service_minute(from_s, "Z"), *to = service_minute_after(to_s, "Z");
    if (to_s == 0)
        return text_format("%s/v3/carbon-intensity/forecast?zone=%s&horizonHours=72", a->base, a->zone);
    return from && to ? text_format("%s/v3/carbon-intensity/past-range?zone=%s&start=%s&end=%s", a->base,
                                    a->zone, from, to)
                      : NULL;
}

static int read_point(const json_t *item, const void *context, struct profile_step *step, struct error *error)
{
    (void)context;
    int told = points_figure(item, "carbonIntensity", 1, &step->intensity_g_per_kwh, error);
    step->estimated = json_is_true(json_object_get(item, "isEstimated"));
    return told > 0 && points_time(item, "datetime", false, &step->from_s, error) < 0 ? -1 : told;
}

static int parse(const char *text, size_t size, const char *zone, struct profile *profile,
                 struct error *error)
{
    static const char *const keys[] = {"data", "history", "forecast"};
    json_t *root = points_load(text, size, error);
    if (!root)
        return -1;
    struct points points = {.usual_s = HOUR_S};
    const char *key = keys[0];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(root, keys[i]))
            key = keys[i];
    int result = points_expect(root, "zone", zone, error);
    if (result == 0)
        result = points_read(json_object_get(root, key), key, &points, read_point, NULL, error);
    return points_finish(root, &points, result, profile, error);
}

const struct service service_electricitymaps = {
    .name = "electricitymaps",
    .example_zone = "US-CAL-CISO",
    .title = "Electricity Maps",
    .about = "most grids of the world, average over the life cycle, by the hour; forecasts of three days",
    .base = "https://api.electricitymaps.com",
    .key_variable = "JOULERY_KEY_ELECTRICITYMAPS",
    .url_variable = "JOULERY_SERVICE_URL_ELECTRICITYMAPS",
    .key_form = "KEY",
    .key_header = "auth-token",
    .range_s = 9 * 86400,
    .forecasts = FORECASTS_APART,
    .url = url,
    .parse = parse,
};
