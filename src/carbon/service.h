/* service.h: live and forecast carbon intensities from services on the network, through libcurl, which is
 * loaded when one is asked. Never called unless the user names a service. */
#ifndef JOULERY_CARBON_SERVICE_H
#define JOULERY_CARBON_SERVICE_H

#include "carbon/places.h"
#include "carbon/profile.h"

struct service; /* one of the table in service.c */

/* `given` is NAME or NAME:ZONE, the service's own name of a zone. NULL: no service is called so; it is a file
 * then. */
const struct service *service_find(const char *given);
const struct service *const *service_all(size_t *count);
const char *service_name(const struct service *service);
const char *service_title(const struct service *service); /* "Electricity Maps" */
const char *service_about(const struct service *service); /* what it covers; for people */
/* Whether it tells what will be. */
bool service_forecasts(const struct service *service);
/* The environment variable that may hold its key; NULL: it wants none. */
const char *service_key_variable(const struct service *service);
/* "KEY", "USER PASSWORD": what it holds. */
const char *service_key_form(const struct service *service);

/* Whether it can be asked at all: the zone of the location is known, and so is the key. Asks nobody. */
int service_check(const char *given, const struct location *location, struct error *error);

/* Intensities at a location from..to (seconds since 1970, UTC; at most SERVICE_RANGE_MOST_S), past and, where
 * `to` is later than now, forecast, as the service has them: what it does not have is missing from the
 * profile, and no error.
 *
 * The key is in the environment or a file (${XDG_CONFIG_HOME:-~/.config}/joulery/keys, lines "NAME WORD…",
 * that nobody else can read) and goes nowhere else. The last good answers are kept in
 * ${XDG_CACHE_HOME:-~/.cache}/joulery/intensity; where the service fails and they know some of the time, the
 * profile is theirs, its asked_s the time of that answer, and
 * `*trouble` (the caller frees it; NULL: there was none) says what failed. -1 and `error`: nothing is known.
 * $JOULERY_SERVICE_URL_NAME, where set, is asked instead of the service's own address. The caller frees
 * `profile` after 0. */
#define SERVICE_RANGE_MOST_S (400LL * 86400)
int service_ask(const char *given, const struct location *location, int64_t from_s, int64_t to_s,
                struct profile *profile, char **trouble, struct error *error);

#endif
