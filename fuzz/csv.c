/* A line of CSV from any file: understood or refused, and what is written again reads the same. */
#include "base/csv.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void read_again(const struct csv_row *row)
{
    struct error error = ERROR_INIT;
    struct text line = TEXT_INIT;
    for (size_t i = 0; i < row->count; i++)
        csv_append(&line, row->fields[i], i == 0);
    text_append(&line, "\n");
    struct csv_row again;
    require(!line.failed && csv_parse_row(line.data, line.length, &again, &error) == 0);
    require(again.count == row->count && again.size == line.length);
    for (size_t i = 0; i < row->count; i++)
        require(strcmp(again.fields[i], row->fields[i]) == 0);
    csv_row_free(&again);
    text_free(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct csv_row row;
    if (csv_parse_row((const char *)data, size, &row, &error) == 0) {
        require(row.count > 0 && row.size <= size);
        read_again(&row);
        csv_row_free(&row);
    }
    error_clear(&error);
    return 0;
}
