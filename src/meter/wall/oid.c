#include "base/text.h"
#include "meter/wall/raw.h"

#include <stdlib.h>
#include <string.h>

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

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\0';
}

int oid_text_value(const void *bytes, size_t size, double *value)
{
    char number[64];
    const char *begin = bytes, *end = begin + size;
    while (begin < end && is_blank(*begin))
        begin++;
    while (end > begin && is_blank(end[-1]))
        end--;
    size_t length = (size_t)(end - begin);
    if (length == 0 || length >= sizeof number || memchr(begin, '\0', length))
        return -1;
    memcpy(number, begin, length);
    number[length] = '\0';
    return text_to_double(number, value);
}
