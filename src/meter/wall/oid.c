#include "meter/wall/raw.h"

#include <stdlib.h>

int oid_parse(const char *text, unsigned long parts[OID_PARTS_MOST], size_t *count, struct error *error)
{
    const char *c = text[0] == '.' ? text + 1 : text;
    *count = 0;
    for (;; c++) {
        unsigned long part = 0;
        const char *begin = c;
        for (; *c >= '0' && *c <= '9' && part <= UINT32_MAX; c++)
            part = 10 * part + (unsigned long)(*c - '0');
        if (c == begin || part > UINT32_MAX || *count == OID_PARTS_MOST)
            break;
        parts[(*count)++] = part;
        if (*c == '\0' && *count >= 2)
            return 0;
        if (*c != '.')
            break;
    }
    return error_set(
        error, "expected an OID in numbers, as in .1.3.6.1.4.1.318.1.1.26.4.3.1.5.1, found '%.60s'", text);
}
