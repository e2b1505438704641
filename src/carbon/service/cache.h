/* cache.h: the last good answers of services of carbon intensity, a file a service and zone. */
#ifndef JOULERY_CARBON_SERVICE_CACHE_H
#define JOULERY_CARBON_SERVICE_CACHE_H

#include "carbon/profile.h"

/* What is kept of the time from..to; nothing: 0 steps. Its asked_s is the oldest step's; it is a forecast if
 * some step was told before it ended. A file that can't be understood is as if there were none. The caller
 * frees `profile`. */
void service_cache_read(const char *service, const char *zone, int64_t from_s, int64_t to_s,
                        struct profile *profile);
/* Puts newly asked steps over those kept; of more than SERVICE_RANGE_MOST_S the newest stay. What can't be
 * kept is not: a cache is a convenience. */
void service_cache_add(const char *service, const char *zone, const struct profile *profile, int64_t now_s);

/* Until when a service wants not to be asked; 0: it may be. */
int64_t service_cache_rest(const char *service);
void service_cache_set_rest(const char *service, int64_t until_s);

#endif
