/* hourly.h: where intensities by the hour come from: a file, a service, or a location's own file. */
#ifndef JOULERY_CARBON_HOURLY_H
#define JOULERY_CARBON_HOURLY_H

#include "carbon/places.h"
#include "carbon/profile.h"

/* Whether there is anything to be charged by the hour. `given`: what the user named, a file or the name of a
 * service; NULL: nothing. */
bool hourly_is_asked(const char *given, const struct location *location);

/* Whether what is asked can be had at all, as far as is known without asking a service: a file that is as it
 * should be. Better known before hours of work than after. */
int hourly_check(const char *given, const struct location *location, struct error *error);

/* Intensities at a location from..to (seconds since 1970). A file is read whole. `*trouble` (the caller frees
 * it; NULL: there was none): what a service failed in; the profile may then be empty, and the location's
 * yearly figure holds. -1 and `error`: a file can't be read. The caller frees `profile` after 0. */
int hourly_get(const char *given, const struct location *location, int64_t from_s, int64_t to_s,
               struct profile *profile, char **trouble, struct error *error);

#endif
