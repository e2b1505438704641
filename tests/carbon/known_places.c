#include "known_places.h"

#include <stdio.h>
#include <stdlib.h>

struct places *known_places(void)
{
    static struct places *places;
    struct error error = ERROR_INIT;
    if (!places)
        places = places_open(NULL, &error);
    if (places)
        return places;
    fprintf(stderr, "%s\n", error_text(&error));
    abort();
}

const struct location *known_location(const char *name)
{
    struct error error = ERROR_INIT;
    const struct location *location = places_find(known_places(), name, &error);
    if (location)
        return location;
    fprintf(stderr, "%s\n", error_text(&error));
    abort();
}
