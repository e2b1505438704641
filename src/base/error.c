#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int error_set(struct error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *message = NULL;
    if (vasprintf(&message, format, arguments) < 0)
        message = NULL;
    va_end(arguments);
    free(error->message);
    error->message = message;
    return -1;
}

int error_prefix(struct error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *prefix = NULL;
    if (vasprintf(&prefix, format, arguments) < 0)
        prefix = NULL;
    va_end(arguments);
    if (prefix) {
        char *message = NULL;
        if (asprintf(&message, "%s: %s", prefix, error_text(error)) >= 0) {
            free(error->message);
            error->message = message;
        }
        free(prefix);
    }
    return -1;
}

int error_memory(struct error *error, const char *what)
{
    return error_set(error, "out of memory: %s", what);
}

int error_errno(struct error *error, int number, const char *path)
{
    return error_set(error, "%s: %s", path, strerror(number));
}

const char *error_text(const struct error *error)
{
    return error->message ? error->message : "out of memory";
}

void error_clear(struct error *error)
{
    free(error->message);
    error->message = NULL;
}
