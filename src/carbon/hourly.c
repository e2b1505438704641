#include "carbon/hourly.h"

bool hourly_is_asked(const char *given, const struct location *location)
{
    return given || *location->profile;
}

int hourly_check(const char *given, const struct location *location, struct error *error)
{
    struct profile profile;
    if (profile_read(given ? given : location->profile, &profile, error) < 0)
        return -1;
    profile_free(&profile);
    return 0;
}

int hourly_get(const char *given, const struct location *location, int64_t from_s, int64_t to_s,
               struct profile *profile, char **trouble, struct error *error)
{
    (void)from_s, (void)to_s;
    *trouble = NULL;
    return profile_read(given ? given : location->profile, profile, error);
}
