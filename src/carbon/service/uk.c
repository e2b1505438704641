/* Great Britain's Carbon Intensity API: {"data": [{"from": …, "to": …, "intensity": {"forecast": …, "actual":
 * …}}]}, g CO2/kWh; of a region, whose zone is its number, {"data": {"regionid": …, "data": [{…, "intensity":
 * {"forecast": …}}]}}. */
#include "base/text.h"
#include "carbon/service/driver.h"
#include "carbon/service/points.h"

#include <stdlib.h>
#include <string.h>

#define NATIONAL    "national" /* the zone of the whole */
#define REGIONS     17
#define HALF_HOUR_S 1800

static int check_zone(const char *zone, struct error *error)
{
    int64_t region;
    if (strcmp(zone, NATIONAL) == 0 || (text_to_i64(zone, &region) == 0 && region >= 1 && region <= REGIONS))
        return 0;
    return error_set(error,
                     "a region is a number from 1 to %d, as in --hourly uk:13, found '%s' (docs/services.md)",
                     REGIONS, zone);
}

static char *url(const struct asking *a, int64_t from_s, int64_t to_s)
{
    AUTO_FREE char *from = service_minute(from_s, "Z"), *to = service_minute_after(to_s, "Z");
    if (!from || !to)
        return NULL;
    if (strcmp(a->zone, NATIONAL) == 0)
        return text_format("%s/intensity/%s/%s", a->base, from, to);
    return text_format("%s/regional/intensity/%s/%s/regionid/%s", a->base, from, to, a->zone);
}

static int read_point(const json_t *item, const void *context, struct profile_step *step, struct error *error)
{
    (void)context;
    const json_t *intensity = json_object_get(item, "intensity");
    int told = points_figure(intensity, "actual", 1, &step->intensity_g_per_kwh, error);
    if (told == 0) {
        told = points_figure(intensity, "forecast", 1, &step->intensity_g_per_kwh, error);
        step->forecast = true;
    }
    if (told > 0 && (points_time(item, "from", false, &step->from_s, error) < 0 ||
                     points_time(item, "to", false, &step->to_s, error) < 0))
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

static int parse(const char *text, size_t size, const char *zone, struct profile *profile,
                 struct error *error)
{
    json_t *root = points_load(text, size, error);
    if (!root)
        return -1;
    struct points points = {.usual_s = HALF_HOUR_S};
    const json_t *data = json_object_get(root, "data");
    int result = 0;
    if (strcmp(zone, NATIONAL) != 0) {
        result = expect_region(data, zone, error);
        data = json_object_get(data, "data");
    }
    if (result == 0)
        result = points_read(data, "data", &points, read_point, NULL, error);
    return points_finish(root, &points, result, profile, error);
}

const struct service service_uk = {
    .name = "uk",
    .example_zone = "13",
    .title = "Carbon Intensity (Great Britain)",
    .about = "Great Britain, average, by the half hour; forecasts of two days; its regions, forecasts only, "
             "as uk:13 (London)",
    .base = "https://api.carbonintensity.org.uk",
    .url_variable = "JOULERY_SERVICE_URL_UK",
    .one_place = true,
    .range_s = 13 * 86400,
    .forecasts = FORECASTS_WITH_PAST,
    .check_zone = check_zone,
    .url = url,
    .parse = parse,
};
