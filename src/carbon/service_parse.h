/* service_parse.h: what the services of carbon intensity answer, read strictly. docs/services.md names their
 * documents.
 *
 * Each takes the bytes of an answer and the zone that was asked for (NULL: the service has one), and appends
 * what it says to `profile`, in order, with its flags. Points without a figure leave holes. -1 and `error`:
 * it is no such answer, of another zone or unit, or holds a figure that can't be; the profile may then have
 * part of it. */
#ifndef JOULERY_CARBON_SERVICE_PARSE_H
#define JOULERY_CARBON_SERVICE_PARSE_H

#include "carbon/profile.h"

typedef int service_parser(const char *text, size_t size, const char *zone, struct profile *profile,
                           struct error *error);

/* {"zone": …, "data" or "history" or "forecast": [{"datetime": …, "carbonIntensity": …,
 * "isEstimated": …}]}, g CO2e/kWh */
service_parser electricitymaps_parse;
/* {"data": [{"from": …, "to": …, "intensity": {"forecast": …, "actual": …}}]}, g CO2/kWh; of a region, whose
 * zone is its number, {"data": {"regionid": …, "data": [{…, "intensity": {"forecast": …}}]}} */
#define UK_NATIONAL "national"
service_parser uk_parse;
/* {"records": [{"Minutes5UTC": …, "PriceArea": …, "CO2Emission": …}]}, g CO2/kWh */
service_parser energidata_parse;
/* {"data": [{"point_time": …, "value": …}], "meta": {"region": …, "units": "lbs_co2_per_mwh"}}, marginal */
service_parser watttime_parse;

/* XML: GL_MarketDocument of generation by type in MW, of which the intensity is estimated (generation.h), or
 * Acknowledgement_MarketDocument; through expat, which is loaded then */
service_parser entsoe_parse;

/* {"token": …}: the token, which the caller wipes and frees; NULL and `error`. */
char *watttime_token(const char *text, size_t size, struct error *error);

#endif
