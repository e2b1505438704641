/* words.h: a command with placeholders: split into words as a shell would, but without a shell, and filled
 * in. */
#ifndef JOULERY_STUDY_WORDS_H
#define JOULERY_STUDY_WORDS_H

#include "base/error.h"

#include <stddef.h>

/* Splits at blanks. '…' keeps all as it is; "…" keeps all but \" and \\; a backslash outside quotes keeps the
 * next character. Nothing is expanded. The caller frees the words with words_free; NULL, with a message, if a
 * quote is not closed or the text ends in a backslash. At least one word or an error. */
char **words_split(const char *text, size_t *count, struct error *error);
void words_free(char **words, size_t count);

/* A placeholder is {NAME}, where NAME is a letter or _, then letters, digits, '_', '-' or '.'. {{NAME}}
 * stands for the text {NAME}; all other braces are left as they are. `value` gives the value of a name
 * (length bytes, not terminated), NULL if it knows none: an error. Returns a new string. */
typedef const char *words_value(void *context, const char *name, size_t length);
char *words_fill(const char *word, words_value *value, void *context, struct error *error);

#endif
