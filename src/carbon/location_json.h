/* location_json.h: a location as all formats of Joulery show it (docs/json.md). */
#ifndef JOULERY_CARBON_LOCATION_JSON_H
#define JOULERY_CARBON_LOCATION_JSON_H

#include "carbon/places.h"

#include <jansson.h>

/* A new object, null for NULL; what is not known is null in it. */
json_t *location_to_json(const struct location *location);

#endif
