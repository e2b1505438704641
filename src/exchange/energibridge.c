#include "exchange/tool_figure.h"

#include "base/csv.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NONE SIZE_MAX

/* The columns that are looked at; NONE: there is no such. */
struct columns {
    size_t count, time, energy, memory;
    bool intel;
};

/* What the rows so far add up to. */
struct sums {
    size_t rows;
    double first_ms, last_ms;
    double last_j, energy_j;
    bool fell; /* the counter went back */
};

static size_t find(const struct csv_row *header, const char *name)
{
    for (size_t i = 0; i < header->count; i++)
        if (strcmp(header->fields[i], name) == 0)
            return i;
    return NONE;
}

static int read_header(const struct csv_row *header, struct columns *columns, struct error *error)
{
    columns->count = header->count;
    columns->time = find(header, "Time");
    columns->energy = find(header, "PACKAGE_ENERGY (J)");
    columns->memory = find(header, "DRAM_ENERGY (J)");
    columns->intel = columns->energy != NONE;
    if (!columns->intel)
        columns->energy = find(header, "CPU_ENERGY (J)");
    if (columns->time == NONE || columns->energy == NONE)
        return error_set(error,
                         "EnergiBridge: expected the columns Time and PACKAGE_ENERGY (J) or CPU_ENERGY "
                         "(J)");
    return 0;
}

static int take_row(const struct csv_row *row, const struct columns *columns, struct sums *sums,
                    struct error *error)
{
    double time_ms, energy_j;
    if (row->count != columns->count)
        return error_set(error, "EnergiBridge: row %zu: expected %zu fields, found %zu", sums->rows + 1,
                         columns->count, row->count);
    if (text_to_double(row->fields[columns->time], &time_ms) < 0 ||
        text_to_double(row->fields[columns->energy], &energy_j) < 0)
        return error_set(error, "EnergiBridge: row %zu: expected numbers", sums->rows + 1);
    if (sums->rows == 0) {
        sums->first_ms = time_ms;
    } else {
        sums->energy_j += energy_j - sums->last_j;
        sums->fell = sums->fell || energy_j < sums->last_j;
    }
    sums->last_ms = time_ms;
    sums->last_j = energy_j;
    sums->rows++;
    return 0;
}

static int read_rows(const char *text, size_t size, struct columns *columns, struct sums *sums,
                     struct error *error)
{
    int result = 0;
    for (bool header = true; size > 0 && result == 0; header = false) {
        /* line by line, as none of its fields holds one's end: the parser looks through all that it is given
         */
        const char *end = memchr(text, '\n', size);
        struct csv_row row;
        if (csv_parse_row(text, end ? (size_t)(end - text) + 1 : size, &row, error) < 0)
            return error_prefix(error, "EnergiBridge");
        if (header)
            result = read_header(&row, columns, error);
        else
            result = take_row(&row, columns, sums, error);
        text += row.size;
        size -= row.size;
        csv_row_free(&row);
    }
    if (result == 0 && sums->rows < 2)
        return error_set(error, "EnergiBridge: expected at least two rows of readings, found %zu",
                         sums->rows);
    return result;
}

static int fill(struct tool_figure *figure, const struct columns *columns, const struct sums *sums,
                struct error *error)
{
    struct tool_part *part = &figure->parts[figure->part_count++];
    part->covers[SCOPE_CPU] = true;
    part->energy_j = figure->energy_j = sums->energy_j;
    part->how =
        text_format("the energy register of %s", columns->intel ? "core 0's socket" : "the last core read");
    if (sums->first_ms > 0 && sums->first_ms < 8e12)
        figure->started_wall_ns = (int64_t)(sums->first_ms * 1e6);
    figure->covered_s = fmax(sums->last_ms - sums->first_ms, 0) / 1000;
    struct text note = TEXT_INIT;
    if (columns->memory != NONE)
        text_append(&note, "its summary leaves DRAM_ENERGY out");
    if (sums->fell)
        text_printf(&note, "%sits counter went back, and it takes that as negative energy",
                    note.length ? "; " : "");
    bool failed = note.failed || !part->how;
    figure->note = note.length ? text_take(&note) : NULL;
    text_free(&note);
    return failed ? error_memory(error, "EnergiBridge") : 0;
}

int energibridge_parse(const char *text, size_t size, struct tool_figure *figure, struct error *error)
{
    *figure = (struct tool_figure){.pue = 1};
    struct columns columns = {0};
    struct sums sums = {0};
    if (read_rows(text, size, &columns, &sums, error) < 0)
        return -1;
    if (!isfinite(sums.energy_j) || !isfinite(sums.last_ms - sums.first_ms))
        return error_set(error, "EnergiBridge: expected sums that are numbers");
    if (fill(figure, &columns, &sums, error) == 0)
        return 0;
    tool_figure_free(figure);
    return -1;
}
