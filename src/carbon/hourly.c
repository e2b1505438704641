#include "carbon/hourly.h"

#include "carbon/service.h"

#include <stdlib.h>
#include <string.h>

bool hourly_is_asked(const char *given, const struct location *location)
{
    return given || *location->profile;
}

int hourly_check(const char *given, const struct location *location, struct error *error)
{
    struct profile profile;
    if (given && service_find(given))
        return service_check(given, location, error);
    if (profile_read(given ? given : location->profile, &profile, error) < 0)
        return -1;
    profile_free(&profile);
    return 0;
}

int hourly_get(const char *given, const struct location *location, int64_t from_s, int64_t to_s,
               struct profile *profile, char **trouble, struct error *error)
{
    struct error why = ERROR_INIT;
    *trouble = NULL;
    if (!given || !service_find(given))
        return profile_read(given ? given : location->profile, profile, error);
    if (service_ask(given, location, from_s, to_s, profile, trouble, &why) == 0)
        return 0;
    *trouble = strdup(error_text(&why));
    error_clear(&why);
    return *trouble ? 0 : error_memory(error, given);
}
