#include "study/words.h"

#include "base/text.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void words_free(char **words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(words[i]);
    free(words);
}

/* Appends what stands up to the closing quote; returns what follows it, NULL if there is none. */
static const char *take_quoted(const char *at, char quote, struct text *word)
{
    for (; *at && *at != quote; at++) {
        bool escaped = quote == '"' && at[0] == '\\' && (at[1] == '"' || at[1] == '\\');
        at += escaped;
        text_append_bytes(word, at, 1);
    }
    return *at ? at + 1 : NULL;
}

/* Appends one word; returns what follows it, NULL with a message if it never ends. */
static const char *take_word(const char *at, struct text *word, struct error *error)
{
    text_append(word, "");
    while (*at && !isspace((unsigned char)*at)) {
        char first = *at++;
        if (first == '\'' || first == '"') {
            at = take_quoted(at, first, word);
            if (!at) {
                error_set(error, "a %s quote is not closed", first == '"' ? "double" : "single");
                return NULL;
            }
            continue;
        }
        if (first == '\\') {
            if (!*at) {
                error_set(error, "a backslash at the end stands before nothing");
                return NULL;
            }
            first = *at++;
        }
        text_append_bytes(word, &first, 1);
    }
    return at;
}

static int append_word(char ***words, size_t *count, char *word, struct error *error)
{
    char **grown = word ? reallocarray(*words, *count + 1, sizeof *grown) : NULL;
    if (!grown) {
        free(word);
        return error_memory(error, "command");
    }
    grown[(*count)++] = word;
    *words = grown;
    return 0;
}

char **words_split(const char *text, size_t *count, struct error *error)
{
    char **words = NULL;
    *count = 0;
    for (const char *at = text;;) {
        while (isspace((unsigned char)*at))
            at++;
        if (!*at)
            break;
        struct text word = TEXT_INIT;
        at = take_word(at, &word, error);
        if (!at)
            text_free(&word);
        if (!at || append_word(&words, count, text_take(&word), error) < 0) {
            words_free(words, *count);
            return NULL;
        }
    }
    if (*count == 0)
        error_set(error, "the command is empty");
    return words;
}

/* Length of the name at `at`, 0 if none starts there. */
static size_t name_length(const char *at)
{
    if (!isalpha((unsigned char)at[0]) && at[0] != '_')
        return 0;
    size_t length = 1;
    while (isalnum((unsigned char)at[length]) || (at[length] && strchr("_-.", at[length])))
        length++;
    return length;
}

char *words_fill(const char *word, words_value *value, void *context, struct error *error)
{
    struct text filled = TEXT_INIT;
    for (const char *at = word; *at;) {
        bool literal = at[0] == '{' && at[1] == '{';
        size_t braces = literal ? 2 : 1;
        size_t length = at[0] == '{' ? name_length(at + braces) : 0;
        if (length == 0 || strncmp(at + braces + length, "}}", braces) != 0) {
            text_append_bytes(&filled, at++, 1);
            continue;
        }
        const char *given = literal ? NULL : value(context, at + 1, length);
        if (!literal && !given) {
            text_free(&filled);
            error_set(error, "unknown placeholder {%.*s}", (int)length, at + 1);
            return NULL;
        }
        if (literal)
            text_append_bytes(&filled, at + 1, length + 2);
        else
            text_append(&filled, given);
        at += length + 2 * braces;
    }
    char *result = text_take(&filled);
    if (!result)
        error_memory(error, "command");
    return result;
}
