/* service.h: live and forecast carbon intensities from services on the network, through libcurl, which is
 * loaded when one is asked. Never called unless the user names a service. */
#ifndef JOULERY_CARBON_SERVICE_H
#define JOULERY_CARBON_SERVICE_H

#include "carbon/places.h"
#include "carbon/profile.h"

struct service; /* one of the table in service.c */

/* By name: "electricitymaps", "watttime", "uk", "energidata", "entsoe". NULL and `error`: none is called so.
 */
const struct service *service_find(const char *name, struct error *error);
const struct service *const *service_all(size_t *count);
const char *service_name(const struct service *service);
const char *service_title(const struct service *service); /* "Electricity Maps" */
/* What it covers, and where a key is got; for people. */
const char *service_about(const struct service *service);

/* Intensities at a location from..to (seconds since 1970, UTC), past, present or forecast as the service has
 * them; what it does not have is missing from the profile, and no error. The key is in the environment
 * (JOULERY_KEY_ELECTRICITYMAPS …) or a file (${XDG_CONFIG_HOME:-~/.config}/joulery/keys, that nobody else can
 * read) and goes nowhere else. The last good answer is kept in ${XDG_CACHE_HOME:-~/.cache}/joulery; where the
 * service fails and the cache knows the time, the profile is the cache's, its asked_s the cached answer's,
 * and `*trouble` (caller frees; NULL: there was none) says what failed. -1 and `error`: nothing is known.
 * $JOULERY_SERVICE_URL_NAME, where set, is the address to ask instead of the service's own. */
int service_ask(const struct service *service, const struct location *location, int64_t from_s, int64_t to_s,
                struct profile *profile, char **trouble, struct error *error);

#endif
