/* json.h: values as the room's documents hold them; both NULL if memory ran out. */
#ifndef JOULERY_RECORD_JSON_H
#define JOULERY_RECORD_JSON_H

#include <jansson.h>

/* null for what is not known (NAN). */
json_t *json_known(double value);

/* null for NULL; bytes that are no UTF-8 are replaced: names come from sysfs, which promises nothing. */
json_t *json_text(const char *text);

#endif
