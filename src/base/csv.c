#include "base/csv.h"

#include <stdlib.h>
#include <string.h>

struct reader {
    const char *at, *end;
    char separator;
    struct csv_row *row;
};

static int add_field(struct csv_row *row, struct text *field, struct error *error)
{
    if (row->count == CSV_FIELDS_MOST)
        return error_set(error, "more than %d fields in a line", CSV_FIELDS_MOST);
    char **fields = realloc(row->fields, (row->count + 1) * sizeof *fields);
    if (!fields)
        return error_memory(error, "CSV");
    row->fields = fields;
    text_append(field, "");
    fields[row->count] = text_take(field);
    return fields[row->count++] ? 0 : error_memory(error, "CSV");
}

/* Behind the opening quote; stops behind the closing one. */
static int read_quoted(struct reader *reader, struct text *field, struct error *error)
{
    while (reader->at < reader->end) {
        char byte = *reader->at++;
        bool doubled = byte == '"' && reader->at < reader->end && *reader->at == '"';
        if (byte == '"' && !doubled)
            return 0;
        reader->at += doubled;
        text_append_bytes(field, &byte, 1);
    }
    return error_set(error, "a quote that never ends");
}

static bool at_field_end(const struct reader *reader)
{
    return reader->at == reader->end || *reader->at == reader->separator || *reader->at == '\n' ||
           (*reader->at == '\r' && reader->at + 1 < reader->end && reader->at[1] == '\n');
}

static int read_field(struct reader *reader, struct text *field, struct error *error)
{
    if (reader->at < reader->end && *reader->at == '"') {
        reader->at++;
        if (read_quoted(reader, field, error) < 0)
            return -1;
        return at_field_end(reader) ? 0 : error_set(error, "text behind a closing quote");
    }
    for (; !at_field_end(reader); reader->at++) {
        if (*reader->at == '"')
            return error_set(error, "a quote within a field that does not begin with one");
        text_append_bytes(field, reader->at, 1);
    }
    return 0;
}

static int read_row(struct reader *reader, struct error *error)
{
    for (;;) {
        struct text field = TEXT_INIT;
        if (read_field(reader, &field, error) < 0 || add_field(reader->row, &field, error) < 0) {
            text_free(&field);
            return -1;
        }
        if (reader->at == reader->end)
            return 0;
        char byte = *reader->at++;
        if (byte == reader->separator)
            continue;
        reader->row->crlf = byte == '\r';
        reader->at += byte == '\r';
        return 0;
    }
}

int csv_parse_separated(const char *text, size_t size, char separator, struct csv_row *row,
                        struct error *error)
{
    *row = (struct csv_row){0};
    if (size == 0)
        return error_set(error, "no line");
    struct reader reader = {text, text + size, separator, row};
    if (read_row(&reader, error) < 0) {
        csv_row_free(row);
        return -1;
    }
    row->size = (size_t)(reader.at - text);
    if (!memchr(text, '\0', row->size))
        return 0;
    csv_row_free(row);
    return error_set(error, "a zero byte: not text");
}

int csv_parse_row(const char *text, size_t size, struct csv_row *row, struct error *error)
{
    return csv_parse_separated(text, size, ',', row, error);
}

void csv_row_free(struct csv_row *row)
{
    for (size_t i = 0; i < row->count; i++)
        free(row->fields[i]);
    free(row->fields);
    *row = (struct csv_row){0};
}

bool csv_blank(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!strchr(" \r\n", line[i]) || line[i] == '\0')
            return false;
    return true;
}

void csv_append(struct text *line, const char *field, bool first)
{
    if (!first)
        text_append(line, ",");
    if (!strpbrk(field, ",\"\r\n")) {
        text_append(line, field);
        return;
    }
    text_append(line, "\"");
    for (const char *at = field; *at; at++) {
        text_append_bytes(line, at, 1);
        if (*at == '"')
            text_append(line, "\"");
    }
    text_append(line, "\"");
}
