/* text.h: strings that grow, strict numbers, and the nearest name for a misspelt one. */
#ifndef JOULERY_BASE_TEXT_H
#define JOULERY_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing string, always zero-terminated once anything was added. `failed` stays set after memory ran out,
 * so that a series of appends is checked once, at the end. Start with TEXT_INIT. */
struct text {
    char *data;
    size_t length;
    size_t capacity;
    bool failed;
};

#define TEXT_INIT                                                                                            \
    {                                                                                                        \
        NULL, 0, 0, false                                                                                    \
    }

void text_append(struct text *text, const char *string);
void text_append_bytes(struct text *text, const void *bytes, size_t count);
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Hands over the string (caller frees) and leaves `text` empty; NULL if memory ran out. */
char *text_take(struct text *text);
void text_free(struct text *text);

/* A new string, or NULL if memory ran out; the caller frees it. */
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The whole of `string` must be the number: no spaces, no rest. Returns 0, or -1 and leaves `*value` alone.
 * Doubles are finite. Locale-independent. */
int text_to_u64(const char *string, uint64_t *value);
int text_to_i64(const char *string, int64_t *value);
int text_to_double(const char *string, double *value);

/* The entry of `names` nearest to `name` by edit distance (case ignored), or NULL if none is near enough to
 * be worth offering (more than a third of the letters differ, at least two). */
const char *text_nearest(const char *name, const char *const *names, size_t count);

/* A copy that is valid UTF-8 whatever came in: each byte that is not part of it, and each zero byte, becomes
 * U+FFFD. A sequence cut at the beginning counts as such bytes. NULL if memory ran out; the caller frees it.
 */
char *text_utf8(const char *bytes, size_t size);

/* text_utf8 without control characters, each of which becomes "?": for names from outside that go to a
 * terminal. */
char *text_printable(const char *string);
/* The same for text of several lines: their ends stay. */
char *text_printable_lines(const char *string);

/* The last line of `text` that is not blank, as text_utf8 gives it; "" if there is none. */
char *text_last_line(const char *text);

/* Appends `string` broken at its spaces into lines of at most `width` columns (a longer word stands alone),
 * each after the first indented by `indent`; the first goes on at `column`. No newline at the end. Control
 * characters come out as "?". A code point counts as one column. */
void text_append_wrapped(struct text *text, const char *string, size_t column, size_t indent, size_t width);

/* For `cleanup`: frees a char *. */
void text_free_string(char **string);
#define AUTO_FREE __attribute__((cleanup(text_free_string)))

#endif
