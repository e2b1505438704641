/* error.h: what went wrong, in words a user can act on.
 *
 * Whatever can fail takes a `struct error *` last and returns 0 or -1 (or a pointer or NULL). A message names
 * the thing, what was expected, what was found and what to do. */
#ifndef JOULERY_BASE_ERROR_H
#define JOULERY_BASE_ERROR_H

#include <stddef.h>

struct error {
    char *message; /* owned; NULL while nothing has failed, and when there was no memory for the message */
};

/* Sets the message, replacing an earlier one. Always returns -1, so that `return error_set(…)` reads well. */
int error_set(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts a prefix before the message, as "prefix: message". Always returns -1. */
int error_prefix(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Out of memory while doing `what`. Always returns -1. */
int error_memory(struct error *error, const char *what);

/* "path: strerror(number)". Always returns -1. */
int error_errno(struct error *error, int number, const char *path);

/* Never NULL. */
const char *error_text(const struct error *error);

/* Frees the message; the struct can be used again. */
void error_clear(struct error *error);

#define ERROR_INIT                                                                                           \
    {                                                                                                        \
        NULL                                                                                                 \
    }

#endif
