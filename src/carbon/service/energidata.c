/* Energi Data Service, Denmark: {"records": [{"Minutes5UTC": …, "PriceArea": …, "CO2Emission": …}]}, g
 * CO2/kWh. */
#include "base/text.h"
#include "carbon/service/driver.h"
#include "carbon/service/points.h"

#include <stdlib.h>

#define FIVE_MINUTES_S 300

/* {"PriceArea":["DK1"]}; two hours more on either side, for a start without a zone may be taken for Danish
 * time
 */
static char *url(const struct asking *a, int64_t from_s, int64_t to_s)
{
    bool forecast = to_s == 0;
    AUTO_FREE char *from = service_minute(from_s - 7200, ""),
                   *to = forecast ? NULL : service_minute(to_s + 7200, "");
    if (!from || (!forecast && !to))
        return NULL;
    return text_format("%s/dataset/%s?start=%s%s%s&timezone=UTC&limit=0&sort=Minutes5UTC%%20ASC&filter="
                       "%%7B%%22PriceArea%%22%%3A%%5B%%22%s%%22%%5D%%7D",
                       a->base, forecast ? "CO2EmisProg" : "CO2Emis", from, to ? "&end=" : "", to ? to : "",
                       a->zone);
}

static int read_point(const json_t *item, const void *context, struct profile_step *step, struct error *error)
{
    if (points_expect(item, "PriceArea", *(const char *const *)context, error) < 0)
        return -1;
    int told = points_figure(item, "CO2Emission", 1, &step->intensity_g_per_kwh, error);
    return told > 0 && points_time(item, "Minutes5UTC", true, &step->from_s, error) < 0 ? -1 : told;
}

static int parse(const char *text, size_t size, const char *zone, struct profile *profile,
                 struct error *error)
{
    json_t *root = points_load(text, size, error);
    if (!root)
        return -1;
    struct points points = {.usual_s = FIVE_MINUTES_S};
    int result = points_read(json_object_get(root, "records"), "records", &points, read_point, &zone, error);
    return points_finish(root, &points, result, profile, error);
}

const struct service service_energidata = {
    .name = "energidata",
    .example_zone = "DK1",
    .title = "Energi Data Service",
    .about = "Denmark's zones DK1 and DK2, average, by five minutes; forecasts",
    .base = "https://api.energidataservice.dk",
    .url_variable = "JOULERY_SERVICE_URL_ENERGIDATA",
    .range_s = 31 * 86400,
    .forecasts = FORECASTS_APART,
    .url = url,
    .parse = parse,
};
