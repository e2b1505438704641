/* where_json.h: the places of joulery.where/1, docs/json.md. */
#ifndef JOULERY_CARBON_WHERE_JSON_H
#define JOULERY_CARBON_WHERE_JSON_H

#include "carbon/where.h"

#include <jansson.h>

/* A new object with what a `where` holds; uncertainty_share is the energy's relative standard uncertainty,
 * NAN: not known. NULL if memory ran out. */
json_t *where_to_json(const struct where *where, double uncertainty_share, bool estimated);

#endif
