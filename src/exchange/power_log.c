#include "exchange/power_log.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/text.h"
#include "meter/wall/device.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FILE_BYTES_MOST   (1UL << 30)
#define HEADER_LINES_MOST 200
#define ABSENT            SIZE_MAX

static const char separators[] = "\t;,";

enum role { TIME, POWER, ENERGY, ROLES };

/* What stands where. */
struct layout {
    const char *name[ROLES]; /* as asked for; NULL: not at all */
    size_t column[ROLES];    /* from 0; ABSENT */
    double factor[ROLES];
    char separator;
    bool any, utc, strict;
    size_t fields; /* of the header; 0: there is none */
};

struct reader {
    const char *at, *end;
    size_t number; /* of the line just read */
};

struct line {
    const char *text;
    size_t size;
};

struct reading {
    int64_t wall_ns;
    double power_w, energy_j;
    size_t line;
};

struct readings {
    struct reading *items;
    size_t count, capacity;
};

/* ---- lines and fields ---- */

/* The next line that may hold a row, without its end. A row is one line: a quote that never ends spoils no
 * more. */
static bool next_line(struct reader *reader, struct line *line)
{
    while (reader->at < reader->end) {
        const char *begin = reader->at;
        const char *end = memchr(begin, '\n', (size_t)(reader->end - begin));
        reader->at = end ? end + 1 : reader->end;
        reader->number++;
        size_t size = (size_t)((end ? end : reader->end) - begin);
        size -= size > 0 && begin[size - 1] == '\r';
        *line = (struct line){begin, size};
        size_t blank = 0;
        while (blank < size && (begin[blank] == ' ' || begin[blank] == '\t'))
            blank++;
        if (blank < size && begin[blank] != '#')
            return true;
    }
    return false;
}

static int split(const struct line *line, char separator, struct csv_row *row)
{
    struct error ignored = ERROR_INIT;
    int result = csv_parse_separated(line->text, line->size, separator, row, &ignored);
    error_clear(&ignored);
    return result;
}

/* Without the blanks around it, in place. */
static char *trim(char *field)
{
    field += strspn(field, " \t");
    size_t length = strlen(field);
    while (length > 0 && (field[length - 1] == ' ' || field[length - 1] == '\t'))
        length--;
    field[length] = '\0';
    return field;
}

static void comma_to_point(char *field)
{
    char *comma = strchr(field, ',');
    if (comma && !strchr(field, '.'))
        *comma = '.';
}

/* ---- rows ---- */

static const char *field_of(const struct csv_row *row, const struct layout *layout, enum role role)
{
    size_t column = layout->column[role];
    return column < row->count ? trim(row->fields[column]) : "";
}

/* NAN for an empty field. -1: no number. */
static int read_value(const struct csv_row *row, const struct layout *layout, enum role role, double *value)
{
    *value = NAN;
    AUTO_FREE char *field = strdup(field_of(row, layout, role));
    if (!field)
        return -1;
    if (!*field)
        return 0;
    if (layout->separator != ',')
        comma_to_point(field);
    double number;
    if (text_to_double(field, &number) < 0 || !(fabs(number * layout->factor[role]) < 1e15))
        return -1;
    *value = number * layout->factor[role];
    return 0;
}

static int read_time(const struct csv_row *row, const struct layout *layout, int64_t *wall_ns)
{
    AUTO_FREE char *field = strdup(field_of(row, layout, TIME));
    AUTO_FREE char *zoned = field && layout->utc ? text_format("%sZ", field) : NULL;
    if (!field)
        return -1;
    if ((zoned && clock_parse_time(zoned, wall_ns) == 0) || clock_parse_time(field, wall_ns) == 0)
        return 0;
    if (layout->separator != ',')
        comma_to_point(field);
    return clock_parse_time(field, wall_ns);
}

/* NULL, or what is wrong with the row. */
static const char *read_row(const struct csv_row *row, const struct layout *layout, struct reading *reading)
{
    if (layout->strict && layout->fields && row->count != layout->fields)
        return "another number of fields than the header has";
    if (read_time(row, layout, &reading->wall_ns) < 0)
        return "no time";
    if (read_value(row, layout, POWER, &reading->power_w) < 0)
        return "no number for the power";
    if (read_value(row, layout, ENERGY, &reading->energy_j) < 0)
        return "no number for the energy";
    return isnan(reading->power_w) && isnan(reading->energy_j) ? "no figure" : NULL;
}

/* ---- the header ---- */

static bool is_number(const char *name, uint64_t *number)
{
    return text_to_u64(name, number) == 0 && *number >= 1 && *number <= CSV_FIELDS_MOST;
}

/* Whether a field of the header is the column that is asked for: called so, or, of "power|watts|w", so. */
static bool is_named(const char *field, const char *name, bool any)
{
    if (!any)
        return strcmp(field, name) == 0;
    size_t length = strlen(field);
    for (const char *at = name; at; at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
        if (strcspn(at, "|") == length && length > 0 && strncasecmp(at, field, length) == 0)
            return true;
    return false;
}

/* Whether a row names all columns that are asked for by name; the others stand where their numbers say. */
static bool match_header(const struct csv_row *row, struct layout *layout)
{
    for (size_t role = 0; role < ROLES; role++) {
        const char *name = layout->name[role];
        uint64_t number;
        layout->column[role] = ABSENT;
        if (name && is_number(name, &number))
            layout->column[role] = number - 1;
        for (size_t i = 0; name && i < row->count && layout->column[role] == ABSENT; i++)
            if (is_named(trim(row->fields[i]), name, layout->any))
                layout->column[role] = i;
        if (name && layout->column[role] >= row->count)
            return false;
    }
    return true;
}

static bool any_name(const struct layout *layout)
{
    uint64_t number;
    for (size_t role = 0; role < ROLES; role++)
        if (layout->name[role] && !is_number(layout->name[role], &number))
            return true;
    return false;
}

/* A header names the columns; where none has a name, the first row that can be read shows the separator. */
static bool fits(const struct line *line, char separator, struct layout *layout, bool named)
{
    struct csv_row row;
    struct reading reading;
    if (split(line, separator, &row) < 0)
        return false;
    layout->separator = separator;
    bool fit = match_header(&row, layout) && (named || !read_row(&row, layout, &reading));
    layout->fields = named ? row.count : 0;
    csv_row_free(&row);
    return fit;
}

/* The columns that the widest split of the first line has, for the message. */
static int no_header(const struct line *first, const struct layout *layout, struct error *error)
{
    struct csv_row best = {0};
    for (const char *separator = separators; *separator; separator++) {
        struct csv_row row;
        if (split(first, *separator, &row) < 0)
            continue;
        struct csv_row narrower = row.count > best.count ? best : row;
        best = row.count > best.count ? row : best;
        csv_row_free(&narrower);
    }
    struct text all = TEXT_INIT;
    const char *wrong = NULL, *nearest = NULL;
    for (size_t i = 0; i < best.count; i++) {
        AUTO_FREE char *shown = text_printable(trim(best.fields[i]));
        text_printf(&all, "%s%s", i ? ", " : "", shown ? shown : "");
    }
    for (size_t role = 0; role < ROLES && !wrong; role++) {
        struct layout one = {.name = {[TIME] = layout->name[role]}, .any = layout->any};
        if (layout->name[role] && !match_header(&best, &one))
            wrong = layout->name[role];
    }
    wrong = wrong ? wrong : layout->name[TIME];
    nearest = text_nearest(wrong, (const char *const *)best.fields, best.count);
    error_set(error, "no line names the column '%s'%s%s%s; the first has: %s", wrong,
              nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "",
              all.data ? all.data : "nothing that can be read");
    csv_row_free(&best);
    text_free(&all);
    return -1;
}

/* Leaves the reader at the first row. */
static int find_layout(struct reader *reader, struct layout *layout, struct error *error)
{
    struct reader from = *reader, before = *reader;
    struct line line, first;
    bool named = any_name(layout);
    if (!next_line(&from, &first))
        return error_set(error, "it is empty");
    while (next_line(reader, &line) && reader->number <= HEADER_LINES_MOST) {
        for (const char *separator = separators; *separator; separator++) {
            if (!fits(&line, *separator, layout, named))
                continue;
            *reader = named ? *reader : before;
            return 0;
        }
        before = *reader;
    }
    if (named)
        return no_header(&first, layout, error);
    return error_set(
        error,
        "none of the first %d lines has a time in column %s and a number in the columns asked for: "
        "look at the file, and say with --time and --power where they stand",
        HEADER_LINES_MOST, layout->name[TIME]);
}

/* ---- all rows ---- */

static int add_reading(struct readings *all, const struct reading *reading, struct error *error)
{
    if (all->count == all->capacity) {
        size_t capacity = all->capacity ? 2 * all->capacity : 1024;
        struct reading *grown = reallocarray(all->items, capacity, sizeof *grown);
        if (!grown)
            return error_memory(error, "power log");
        all->items = grown;
        all->capacity = capacity;
    }
    all->items[all->count++] = *reading;
    return 0;
}

static int read_rows(struct reader *reader, const struct layout *layout, struct readings *all,
                     struct power_log *log, struct error *error)
{
    struct line line;
    while (next_line(reader, &line)) {
        struct csv_row row;
        struct reading reading;
        log->rows++;
        const char *wrong = "no row of a table";
        if (split(&line, layout->separator, &row) == 0) {
            wrong = read_row(&row, layout, &reading);
            csv_row_free(&row);
        }
        if (wrong && layout->strict)
            return error_set(error, "line %zu: %s", reader->number, wrong);
        reading.line = reader->number;
        if (!wrong && add_reading(all, &reading, error) < 0)
            return -1;
        log->bad += wrong != NULL;
        if (wrong && !log->first_bad &&
            !(log->first_bad = text_format("line %zu: %s", reader->number, wrong)))
            return error_memory(error, "power log");
    }
    return 0;
}

/* A single time that runs ahead of those around it is the wrong one, not all that follow. */
static bool runs_ahead(const struct readings *all, size_t i, int64_t last_ns)
{
    return i + 1 < all->count && all->items[i + 1].wall_ns < all->items[i].wall_ns &&
           all->items[i + 1].wall_ns > last_ns;
}

static int put_in_order(struct readings *all, bool strict, struct power_log *log, struct error *error)
{
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++) {
        int64_t last_ns = kept ? all->items[kept - 1].wall_ns : INT64_MIN;
        bool same = all->items[i].wall_ns == last_ns;
        bool back = all->items[i].wall_ns < last_ns || (kept && runs_ahead(all, i, last_ns));
        log->repeated += same;
        log->back += !same && back;
        if (strict && (same || back))
            return error_set(error,
                             "line %zu: its time is not between those of the rows around it: sort the rows",
                             all->items[i].line);
        if (!same && !back)
            all->items[kept++] = all->items[i];
    }
    all->count = kept;
    return 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int find_interval(struct power_log *log, struct error *error)
{
    double *intervals = calloc(log->count, sizeof *intervals);
    if (!intervals)
        return error_memory(error, "power log");
    for (size_t i = 0; i + 1 < log->count; i++)
        intervals[i] = (double)(log->wall_ns[i + 1] - log->wall_ns[i]) / NS_PER_S;
    qsort(intervals, log->count - 1, sizeof *intervals, by_size);
    log->interval_s = intervals[(log->count - 1) / 2];
    free(intervals);
    double last_j = NAN;
    log->energy_step_j = NAN;
    for (size_t i = 0; i < log->count; i++) {
        double step_j = log->energy_j[i] - last_j;
        if (step_j > 0 && !(step_j >= log->energy_step_j))
            log->energy_step_j = step_j;
        last_j = isnan(log->energy_j[i]) ? last_j : log->energy_j[i];
    }
    return 0;
}

static int hand_over(const struct readings *all, struct power_log *log, struct error *error)
{
    if (all->count < 2)
        return error_set(error, "of %zu rows %zu can be used, and at least two are needed%s%s", log->rows,
                         all->count, log->first_bad ? "; " : "", log->first_bad ? log->first_bad : "");
    log->wall_ns = calloc(all->count, sizeof *log->wall_ns);
    log->power_w = calloc(all->count, sizeof *log->power_w);
    log->energy_j = calloc(all->count, sizeof *log->energy_j);
    if (!log->wall_ns || !log->power_w || !log->energy_j)
        return error_memory(error, "power log");
    for (size_t i = 0; i < all->count; i++) {
        log->wall_ns[i] = all->items[i].wall_ns;
        log->power_w[i] = all->items[i].power_w;
        log->energy_j[i] = all->items[i].energy_j;
    }
    log->count = all->count;
    return find_interval(log, error);
}

static int choose_units(const struct power_log_columns *columns, struct layout *layout, struct error *error)
{
    const char *power = columns->power_unit ? columns->power_unit : "W";
    const char *energy = columns->energy_unit ? columns->energy_unit : "Wh";
    *layout = (struct layout){
        .name = {[TIME] = columns->time, [POWER] = columns->power, [ENERGY] = columns->energy},
        .factor = {[POWER] = wall_power_unit(power), [ENERGY] = wall_energy_unit(energy)},
        .any = columns->any,
        .utc = columns->utc,
        .strict = columns->strict,
    };
    if (!(layout->factor[POWER] > 0))
        return error_set(error, "unknown unit of power '%s': expected W, kW, mW or MW", power);
    if (!(layout->factor[ENERGY] > 0))
        return error_set(error, "unknown unit of energy '%s': expected J, kJ, MJ, mWh, Wh, kWh, MWh or Wmin",
                         energy);
    return 0;
}

int power_log_parse(const char *text, size_t size, const struct power_log_columns *columns,
                    struct power_log *log, struct error *error)
{
    static const char mark[] = "\xef\xbb\xbf";
    *log = (struct power_log){0};
    struct layout layout;
    struct readings all = {0};
    size_t skip = size >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
    struct reader reader = {text + skip, text + size, 0};
    int result = choose_units(columns, &layout, error);
    if (result == 0)
        result = find_layout(&reader, &layout, error);
    if (result == 0)
        result = read_rows(&reader, &layout, &all, log, error);
    if (result == 0)
        result = put_in_order(&all, layout.strict, log, error);
    if (result == 0)
        result = hand_over(&all, log, error);
    free(all.items);
    if (result < 0)
        power_log_free(log);
    return result;
}

int power_log_read(const char *path, const struct power_log_columns *columns, struct power_log *log,
                   struct error *error)
{
    size_t size;
    *log = (struct power_log){0};
    AUTO_FREE char *text = file_read(path, FILE_BYTES_MOST, &size, error);
    if (!text)
        return -1;
    return power_log_parse(text, size, columns, log, error) < 0 ? error_prefix(error, "%s", path) : 0;
}

/* ---- a stretch of it ---- */

/* The last reading of a power at or before `ns`; count: there is none. */
static size_t reading_before(const struct power_log *log, int64_t ns)
{
    size_t low = 0, high = log->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (log->wall_ns[middle] <= ns)
            low = middle + 1;
        else
            high = middle;
    }
    while (low > 0 && isnan(log->power_w[low - 1]))
        low--;
    return low > 0 ? low - 1 : log->count;
}

static double power_at(const struct power_log *log, size_t from, size_t to, int64_t ns)
{
    double part = (double)(ns - log->wall_ns[from]) / (double)(log->wall_ns[to] - log->wall_ns[from]);
    return log->power_w[from] + part * (log->power_w[to] - log->power_w[from]);
}

/* What lies of from_ns to to_ns between two readings. */
static void add_between(const struct power_log *log, size_t a, size_t b, int64_t from_ns, int64_t to_ns,
                        struct power_span *span)
{
    int64_t begin_ns = log->wall_ns[a] > from_ns ? log->wall_ns[a] : from_ns;
    int64_t end_ns = log->wall_ns[b] < to_ns ? log->wall_ns[b] : to_ns;
    double wall_s = (double)(end_ns - begin_ns) / (double)NS_PER_S;
    span->energy_j += (power_at(log, a, b, begin_ns) + power_at(log, a, b, end_ns)) / 2 * wall_s;
    span->wall_s += wall_s;
    span->longest_s = fmax(span->longest_s, (double)(log->wall_ns[b] - log->wall_ns[a]) / (double)NS_PER_S);
}

int power_log_span(const struct power_log *log, int64_t from_ns, int64_t to_ns, struct power_span *span)
{
    size_t last = reading_before(log, from_ns);
    *span = (struct power_span){0};
    if (last == log->count || from_ns >= to_ns)
        return -1;
    span->samples = log->wall_ns[last] == from_ns;
    for (size_t i = last + 1; i < log->count && log->wall_ns[last] < to_ns; i++) {
        if (isnan(log->power_w[i]))
            continue;
        add_between(log, last, i, from_ns, to_ns, span);
        span->samples += log->wall_ns[i] <= to_ns;
        last = i;
    }
    return log->wall_ns[last] >= to_ns ? 0 : -1;
}

void power_log_free(struct power_log *log)
{
    free(log->wall_ns);
    free(log->power_w);
    free(log->energy_j);
    free(log->first_bad);
    *log = (struct power_log){0};
}
