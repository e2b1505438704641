#include "exchange/tool_runs.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/text.h"
#include "exchange/into_record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOOL      "zeus"
#define GPUS_MOST 256
#define SLACK_S   1e-6 /* of doubles that hold seconds since 1970 */

struct row {
    double start_s, wall_s; /* since 1970 */
    char *window;
    double *energy_j; /* one a GPU */
    size_t line;
    size_t index; /* among the windows of its name in its run, from 1 */
};

struct file {
    const char *name;
    size_t start, window, wall, columns; /* where they stand */
    size_t gpus[GPUS_MOST];
    char *gpu_names[GPUS_MOST]; /* "gpu0" */
    size_t gpu_count;
    struct row *rows;
    size_t count;
};

static void file_free(struct file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        free(file->rows[i].window);
        free(file->rows[i].energy_j);
    }
    for (size_t i = 0; i < file->gpu_count; i++)
        free(file->gpu_names[i]);
    free(file->rows);
}

/* ---- rows ---- */

static int take_column(struct file *file, const char *column, size_t number, struct error *error)
{
    static const char end[] = "_energy";
    size_t length = strlen(column);
    if (strcmp(column, "start_time") == 0)
        file->start = number;
    else if (strcmp(column, "window_name") == 0)
        file->window = number;
    else if (strcmp(column, "elapsed_time") == 0)
        file->wall = number;
    else if (strncmp(column, "gpu", 3) == 0 && length >= sizeof end + 3 &&
             strcmp(column + length - sizeof end + 1, end) == 0) {
        if (file->gpu_count == GPUS_MOST)
            return error_set(error, "%s:1: more than %d GPUs", file->name, GPUS_MOST);
        file->gpus[file->gpu_count] = number;
        file->gpu_names[file->gpu_count] = strndup(column, length - sizeof end + 1);
        return file->gpu_names[file->gpu_count++] ? 0 : error_memory(error, file->name);
    }
    return 0;
}

static int read_header(struct file *file, const struct csv_row *header, struct error *error)
{
    file->start = file->window = file->wall = SIZE_MAX;
    file->columns = header->count;
    for (size_t i = 0; i < header->count; i++)
        if (take_column(file, header->fields[i], i, error) < 0)
            return -1;
    if (file->start == SIZE_MAX || file->window == SIZE_MAX || file->wall == SIZE_MAX)
        return error_set(
            error,
            "%s:1: expected the columns start_time, window_name and elapsed_time, as the log_file "
            "of a ZeusMonitor has them",
            file->name);
    if (file->gpu_count == 0)
        return error_set(error,
                         "%s:1: no column like gpu0_energy: Zeus measured no GPU, and logs nothing else",
                         file->name);
    return 0;
}

static int read_number(const struct file *file, const struct csv_row *row, size_t line, size_t column,
                       double *value, struct error *error)
{
    const char *field = row->fields[column];
    if (text_to_double(field, value) == 0 && fabs(*value) < 1e15)
        return 0;
    AUTO_FREE char *shown = text_printable(field);
    return error_set(error, "%s:%zu: expected a number in field %zu, found '%s'", file->name, line,
                     column + 1, shown ? shown : "");
}

static struct row *add_row(struct file *file, struct error *error)
{
    if ((file->count & (file->count - 1)) == 0) { /* a power of two: full */
        struct row *grown = reallocarray(file->rows, file->count ? 2 * file->count : 1, sizeof *grown);
        if (!grown) {
            error_memory(error, file->name);
            return NULL;
        }
        file->rows = grown;
    }
    struct row *row = &file->rows[file->count];
    *row = (struct row){.energy_j = calloc(file->gpu_count, sizeof *row->energy_j)};
    if (!row->energy_j) {
        error_memory(error, file->name);
        return NULL;
    }
    file->count++;
    return row;
}

static int take_row(struct file *file, const struct csv_row *fields, size_t line, struct error *error)
{
    if (fields->count != file->columns)
        return error_set(error, "%s:%zu: expected %zu fields, as the first line has, found %zu", file->name,
                         line, file->columns, fields->count);
    struct row *row = add_row(file, error);
    if (!row)
        return -1;
    row->line = line;
    row->window = strdup(fields->fields[file->window]);
    if (!row->window)
        return error_memory(error, file->name);
    if (read_number(file, fields, line, file->start, &row->start_s, error) < 0 ||
        read_number(file, fields, line, file->wall, &row->wall_s, error) < 0)
        return -1;
    for (size_t i = 0; i < file->gpu_count; i++)
        if (read_number(file, fields, line, file->gpus[i], &row->energy_j[i], error) < 0)
            return -1;
    if (row->wall_s > 0 && row->start_s >= 0 && row->start_s < 8e9)
        return 0;
    return error_set(error, "%s:%zu: expected a start_time since 1970 and an elapsed_time above 0 s",
                     file->name, line);
}

/* A row is a line: Zeus quotes nothing. */
static int read_rows(struct file *file, const char *text, size_t size, struct error *error)
{
    size_t line = 0;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - text) + 1 - at : size - at;
        struct csv_row row;
        line++;
        if (csv_parse_row(text + at, length, &row, error) < 0)
            return error_prefix(error, "%s:%zu", file->name, line);
        bool blank = row.count == 1 && !row.fields[0][0];
        int result = blank                ? 0
                     : file->columns == 0 ? read_header(file, &row, error)
                                          : take_row(file, &row, line, error);
        csv_row_free(&row);
        if (result < 0)
            return -1;
        at += length;
    }
    return file->count ? 0 : error_set(error, "%s: no windows: expected a header and a row each", file->name);
}

/* ---- which windows are runs ---- */

static double end_s(const struct row *row)
{
    return row->start_s + row->wall_s;
}

/* Outer windows before those in them. */
static int by_start(const void *a, const void *b)
{
    const struct row *p = a, *q = b;
    if (p->start_s != q->start_s)
        return p->start_s < q->start_s ? -1 : 1;
    return (p->wall_s < q->wall_s) - (p->wall_s > q->wall_s);
}

/* A double of ns would be 256 ns wide. */
static int64_t start_ns(const struct row *row)
{
    double seconds = floor(row->start_s);
    return (int64_t)seconds * NS_PER_S + (int64_t)((row->start_s - seconds) * (double)NS_PER_S);
}

static bool lies_in(const struct row *inner, const struct row *outer)
{
    return inner->start_s >= outer->start_s - SLACK_S && end_s(inner) <= end_s(outer) + SLACK_S;
}

/* Marks in `is_run`, one a row, those that are runs. */
static int choose_runs(const struct file *file, const char *window, bool *is_run, struct error *error)
{
    const struct row *outer = NULL, *first = NULL;
    for (size_t i = 0; i < file->count; i++) {
        const struct row *row = &file->rows[i];
        bool inside = outer && lies_in(row, outer);
        is_run[i] = window ? strcmp(row->window, window) == 0 : !inside;
        outer = !outer || end_s(row) > end_s(outer) ? row : outer;
        if (is_run[i] && first && strcmp(first->window, row->window) != 0)
            return error_set(error,
                             "%s: the windows '%s' (line %zu) and '%s' (line %zu) lie in no other: say with "
                             "--window which of the windows are runs",
                             file->name, first->window, first->line, row->window, row->line);
        first = is_run[i] && !first ? row : first;
    }
    return first ? 0 : error_set(error, "%s: no window is called '%s'", file->name, window);
}

/* ---- into runs ---- */

static int by_name(const void *a, const void *b)
{
    const struct row *const *p = a, *const *q = b;
    int names = strcmp((*p)->window, (*q)->window);
    return names ? names : by_start(*p, *q);
}

static int by_start_of(const void *a, const void *b)
{
    const struct row *const *p = a, *const *q = b;
    return by_start(*p, *q);
}

/* Gives the windows of a run their numbers and puts them in order of time. */
static void number_windows(struct row **inner, size_t count)
{
    qsort(inner, count, sizeof *inner, by_name);
    for (size_t i = 0; i < count; i++) {
        bool next = i > 0 && strcmp(inner[i]->window, inner[i - 1]->window) == 0;
        inner[i]->index = next ? inner[i - 1]->index + 1 : 1;
    }
    qsort(inner, count, sizeof *inner, by_start_of);
}

static int add_windows(const struct row *outer, struct row *const *inner, size_t count, struct record *record,
                       struct error *error)
{
    for (size_t i = 0; i < count; i++) {
        struct window *window = record_add_window(record, inner[i]->window, (int64_t)inner[i]->index, error);
        if (!window)
            return -1;
        window->start_s = fmax(0, inner[i]->start_s - outer->start_s);
        window->wall_s = inner[i]->wall_s;
    }
    return 0;
}

static int add_gpus(const struct file *file, const struct row *outer, struct row *const *inner, size_t count,
                    struct tool_run *run, struct error *error)
{
    struct record *record = &run->run.record;
    for (size_t g = 0; g < file->gpu_count; g++) {
        if (tool_run_channel(run, file->gpu_names[g], SCOPE_GPU, KIND_COUNTER, outer->energy_j[g], error) < 0)
            return -1;
        for (size_t i = 0; i < count; i++)
            record->windows[i + 1].energies[g] = (struct channel_energy){
                .known = true, .energy_j = inner[i]->energy_j[g], .uncertainty_j = NAN};
    }
    return 0;
}

static int add_run(const struct file *file, const struct row *outer, struct row **inner, size_t count,
                   const struct tool_options *options, struct tool_runs *runs, struct error *error)
{
    struct tool_run *run = tool_runs_add(runs,
                                         &(struct tool_origin){.tool = TOOL,
                                                               .version = "",
                                                               .file = file->name,
                                                               .line = outer->line,
                                                               .started_wall_ns = start_ns(outer),
                                                               .wall_s = outer->wall_s,
                                                               .sockets = options->sockets},
                                         error);
    AUTO_FREE char *id = text_format("%s, %.6f", outer->window, outer->start_s);
    if (!run || !id)
        return run ? error_memory(error, file->name) : -1;
    number_windows(inner, count);
    if (tool_run_identify(run, id, error) < 0 ||
        add_windows(outer, inner, count, &run->run.record, error) < 0 ||
        add_gpus(file, outer, inner, count, run, error) < 0)
        return -1;
    return record_add_note(&run->run.record, error,
                           "imported from Zeus, window %s: it logs the energy of GPUs and no other",
                           outer->window);
}

/* Rows are in order of time, outer before inner: those within a run follow it, though not all that do lie in
 * it. */
static int add_runs(struct file *file, const bool *is_run, const struct tool_options *options,
                    struct tool_runs *runs, struct error *error)
{
    struct row **inner = calloc(file->count, sizeof *inner);
    if (!inner)
        return error_memory(error, file->name);
    int result = 0;
    for (size_t i = 0; i < file->count && result == 0; i++) {
        struct row *outer = &file->rows[i];
        size_t count = 0;
        for (size_t k = i + 1; is_run[i] && k < file->count && file->rows[k].start_s <= end_s(outer); k++)
            if (!is_run[k] && lies_in(&file->rows[k], outer))
                inner[count++] = &file->rows[k];
        if (is_run[i])
            result = add_run(file, outer, inner, count, options, runs, error);
    }
    free(inner);
    return result;
}

int zeus_runs(const char *name, const char *text, size_t size, const struct tool_options *options,
              struct tool_runs *runs, struct error *error)
{
    struct file file = {.name = name};
    *runs = (struct tool_runs){0};
    int result = read_rows(&file, text, size, error);
    if (result == 0)
        qsort(file.rows, file.count, sizeof *file.rows, by_start);
    bool *is_run = calloc(file.count + 1, sizeof *is_run);
    if (result == 0 && !is_run)
        result = error_memory(error, name);
    if (result == 0)
        result = choose_runs(&file, options->window, is_run, error);
    if (result == 0)
        result = add_runs(&file, is_run, options, runs, error);
    free(is_run);
    file_free(&file);
    return result;
}
