#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool text_reserve(struct text *text, size_t more)
{
    size_t needed;
    if (text->failed || __builtin_add_overflow(text->length, more, &needed) ||
        __builtin_add_overflow(needed, 1, &needed)) {
        text->failed = true;
        return false;
    }
    if (needed <= text->capacity)
        return true;
    size_t capacity = text->capacity < SIZE_MAX / 2 ? text->capacity * 2 : needed;
    if (capacity < needed)
        capacity = needed < 64 ? 64 : needed;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void text_append_bytes(struct text *text, const void *bytes, size_t count)
{
    if (!text_reserve(text, count))
        return;
    if (count)
        memcpy(text->data + text->length, bytes, count);
    text->length += count;
    text->data[text->length] = '\0';
}

void text_append(struct text *text, const char *string)
{
    text_append_bytes(text, string, strlen(string));
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *piece = NULL;
    int length = vasprintf(&piece, format, arguments);
    va_end(arguments);
    if (length < 0) {
        text->failed = true;
        return;
    }
    text_append_bytes(text, piece, (size_t)length);
    free(piece);
}

char *text_take(struct text *text)
{
    if (!text->failed && !text->data)
        text_append(text, "");
    char *data = text->data;
    if (text->failed) {
        free(data);
        data = NULL;
    }
    *text = (struct text)TEXT_INIT;
    return data;
}

void text_free(struct text *text)
{
    free(text->data);
    *text = (struct text)TEXT_INIT;
}

char *text_format(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *string = NULL;
    if (vasprintf(&string, format, arguments) < 0)
        string = NULL;
    va_end(arguments);
    return string;
}

int text_to_u64(const char *string, uint64_t *value)
{
    if (!isdigit((unsigned char)string[0]))
        return -1;
    char *end;
    errno = 0;
    unsigned long long number = strtoull(string, &end, 10);
    if (errno || *end)
        return -1;
    *value = number;
    return 0;
}

int text_to_i64(const char *string, int64_t *value)
{
    const char *digits = string[0] == '-' ? string + 1 : string;
    if (!isdigit((unsigned char)digits[0]))
        return -1;
    char *end;
    errno = 0;
    long long number = strtoll(string, &end, 10);
    if (errno || *end)
        return -1;
    *value = number;
    return 0;
}

int text_to_double(const char *string, double *value)
{
    static const char allowed[] = "0123456789+-.eE";
    if (!string[0] || string[strspn(string, allowed)] != '\0')
        return -1;
    locale_t c_locale = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
    if (!c_locale)
        return -1;
    char *end;
    double number = strtod_l(string, &end, c_locale);
    freelocale(c_locale);
    if (end == string || *end || !isfinite(number))
        return -1;
    *value = number;
    return 0;
}

/* Levenshtein distance, one row of the table at a time; SIZE_MAX if memory ran out. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t width = strlen(b) + 1;
    size_t *row = malloc(width * sizeof *row);
    if (!row)
        return SIZE_MAX;
    for (size_t j = 0; j < width; j++)
        row[j] = j;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 1; j < width; j++) {
            bool same = tolower((unsigned char)a[i]) == tolower((unsigned char)b[j - 1]);
            size_t replaced = diagonal + (same ? 0 : 1);
            size_t removed = row[j] + 1;
            size_t added = row[j - 1] + 1;
            diagonal = row[j];
            size_t least = removed < added ? removed : added;
            row[j] = replaced < least ? replaced : least;
        }
    }
    size_t distance = row[width - 1];
    free(row);
    return distance;
}

const char *text_nearest(const char *name, const char *const *names, size_t count)
{
    size_t limit = strlen(name) / 3;
    if (limit < 2)
        limit = 2;
    const char *nearest = NULL;
    size_t least = limit + 1;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(name, names[i]);
        if (distance < least) {
            least = distance;
            nearest = names[i];
        }
    }
    return nearest;
}

/* Length of the valid sequence at `bytes` (Unicode 15, table 3-7), 0 if it is none. */
static size_t utf8_length(const unsigned char *bytes, size_t size)
{
    unsigned char lead = bytes[0];
    size_t length = lead < 0x80   ? 1
                    : lead < 0xC2 ? 0
                    : lead < 0xE0 ? 2
                    : lead < 0xF0 ? 3
                    : lead < 0xF5 ? 4
                                  : 0;
    if (length == 0 || length > size || lead == 0)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((bytes[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (lead == 0xE0 && bytes[1] < 0xA0) || (lead == 0xF0 && bytes[1] < 0x90);
    bool outside = (lead == 0xED && bytes[1] > 0x9F) || (lead == 0xF4 && bytes[1] > 0x8F);
    return overlong || outside ? 0 : length;
}

char *text_utf8(const char *bytes, size_t size)
{
    struct text text = TEXT_INIT;
    for (size_t at = 0; at < size;) {
        size_t length = utf8_length((const unsigned char *)bytes + at, size - at);
        if (length)
            text_append_bytes(&text, bytes + at, length);
        else
            text_append(&text, "\xEF\xBF\xBD");
        at += length ? length : 1;
    }
    return text_take(&text);
}

static char *printable(const char *string, bool lines)
{
    char *clean = text_utf8(string, strlen(string));
    for (unsigned char *at = (unsigned char *)clean; at && *at; at++) {
        if ((*at < 0x20 && !(lines && *at == '\n')) || *at == 0x7F)
            *at = '?';
        else if (*at == 0xC2 &&
                 at[1] < 0xA0) /* U+0080 to U+009F: one sequence of two bytes, one mark of two */
            at[0] = at[1] = '?';
    }
    return clean;
}

char *text_printable(const char *string)
{
    return printable(string, false);
}

char *text_printable_lines(const char *string)
{
    return printable(string, true);
}

char *text_last_line(const char *text)
{
    size_t end = strlen(text);
    while (end > 0 && strchr(" \r\n\t", text[end - 1]))
        end--;
    size_t begin = end;
    while (begin > 0 && !strchr("\r\n", text[begin - 1]))
        begin--;
    return text_utf8(text + begin, end - begin);
}

static size_t columns_of(const char *bytes, size_t size)
{
    size_t columns = 0;
    for (size_t i = 0; i < size; i++)
        columns += ((unsigned char)bytes[i] & 0xC0) != 0x80;
    return columns;
}

void text_append_wrapped(struct text *text, const char *string, size_t column, size_t indent, size_t width)
{
    AUTO_FREE char *clean = text_printable(string);
    text->failed = text->failed || !clean;
    bool fresh = true; /* nothing stands on the line yet */
    for (const char *word = clean; word && *(word += strspn(word, " "));) {
        size_t size = strcspn(word, " "), columns = columns_of(word, size);
        if (!fresh && column + 1 + columns > width) {
            text_printf(text, "\n%*s", (int)indent, "");
            column = indent;
            fresh = true;
        }
        text_append(text, fresh ? "" : " ");
        text_append_bytes(text, word, size);
        column += columns + !fresh;
        fresh = false;
        word += size;
    }
}

void text_free_string(char **string)
{
    free(*string);
}
