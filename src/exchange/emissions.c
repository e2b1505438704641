#include "exchange/emissions.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/text.h"
#include "base/units.h"
#include "exchange/into_record.h"
#include "meter/cpu_tdp.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* A tracker writes its timestamp in whole seconds. */
#define TIMESTAMP_S 2

/* ---- columns ---- */

/* Where a column goes. The first of two names for one place that a file has is taken. */
struct number_column {
    const char *name;
    size_t place;
    double unit;
};
struct word_column {
    const char *name;
    size_t place;
};

#define AT(member) offsetof(struct emissions_row, member)

static const struct number_column number_columns[] = {
    {"duration", AT(duration_s), 1},
    {"cpu_energy", AT(cpu_j), J_PER_KWH},
    {"gpu_energy", AT(gpu_j), J_PER_KWH},
    {"ram_energy", AT(ram_j), J_PER_KWH},
    {"energy_consumed", AT(total_j), J_PER_KWH},
    {"cpu_power", AT(cpu_w), 1},
    {"gpu_power", AT(gpu_w), 1},
    {"ram_power", AT(ram_w), 1},
    {"cpu_count", AT(cpu_count), 1},
    {"gpu_count", AT(gpu_count), 1},
    {"ram_total_size", AT(ram_gib), 1},
    {"pue", AT(pue), 1},
};

static const struct word_column word_columns[] = {
    {"timestamp", AT(timestamp)},        {"run_id", AT(run_id)},
    {"experiment_id", AT(run_id)}, /* what versions before 2 called it */
    {"codecarbon_version", AT(version)}, {"os", AT(os)},
    {"cpu_model", AT(cpu_model)},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static size_t find_column(const struct emissions *file, const char *name)
{
    for (size_t i = 0; i < file->column_count; i++)
        if (strcmp(file->columns[i], name) == 0)
            return i;
    return SIZE_MAX;
}

static int check_header(const struct emissions *file, struct error *error)
{
    static const char *const needed[] = {"timestamp", "duration", "energy_consumed"};
    for (size_t i = 0; i < COUNT(needed); i++)
        if (find_column(file, needed[i]) == SIZE_MAX)
            return error_set(error,
                             "%s:1: no column '%s': expected a file that CodeCarbon wrote (emissions.csv)",
                             file->name, needed[i]);
    return 0;
}

static int read_number(const struct emissions *file, struct emissions_row *row,
                       const struct number_column *column, struct error *error)
{
    size_t i = find_column(file, column->name);
    double value = NAN;
    if (i != SIZE_MAX && row->values[i][0]) {
        if (text_to_double(row->values[i], &value) < 0 || !isfinite(value * column->unit))
            return error_set(error, "%s:%zu: expected a number in column '%s', found '%s'", file->name,
                             row->line, column->name, row->values[i]);
        value *= column->unit;
    }
    memcpy((char *)row + column->place, &value, sizeof value);
    return 0;
}

static void read_word(const struct emissions *file, struct emissions_row *row,
                      const struct word_column *column)
{
    const char **place = (const char **)(void *)((char *)row + column->place);
    size_t i = find_column(file, column->name);
    if (!*place || !**place)
        *place = i == SIZE_MAX ? "" : row->values[i];
}

static int read_time(const struct emissions *file, struct emissions_row *row, struct error *error)
{
    AUTO_FREE char *zoned = text_format("%sZ", row->timestamp);
    if (!zoned)
        return error_memory(error, file->name);
    if (clock_parse_time(zoned, &row->ended_wall_ns) == 0 ||
        clock_parse_time(row->timestamp, &row->ended_wall_ns) == 0)
        return 0;
    return error_set(error,
                     "%s:%zu: expected a time like 2022-06-06T00:48:56 in column 'timestamp', found "
                     "'%s'",
                     file->name, row->line, row->timestamp);
}

static int check_row(const struct emissions *file, struct emissions_row *row, struct error *error)
{
    if (!(row->duration_s > 0))
        return error_set(error,
                         "%s:%zu: expected a duration above 0 s: without one there is no power to check",
                         file->name, row->line);
    if (!isfinite(row->total_j) && !isfinite(row->cpu_j))
        return error_set(error, "%s:%zu: no energy in column 'energy_consumed'", file->name, row->line);
    if (isnan(row->pue))
        row->pue = 1;
    if (row->pue < 1)
        return error_set(error, "%s:%zu: expected a PUE of at least 1, found %g", file->name, row->line,
                         row->pue);
    return read_time(file, row, error);
}

static int read_row(const struct emissions *file, struct emissions_row *row, struct error *error)
{
    for (size_t i = 0; i < COUNT(number_columns); i++)
        if (read_number(file, row, &number_columns[i], error) < 0)
            return -1;
    for (size_t i = 0; i < COUNT(word_columns); i++)
        read_word(file, row, &word_columns[i]);
    return check_row(file, row, error);
}

/* ---- lines ---- */

static struct emissions_row *add_row(struct emissions *file, struct error *error)
{
    if ((file->row_count & (file->row_count - 1)) == 0) { /* a power of two: full */
        size_t room = file->row_count ? 2 * file->row_count : 1;
        struct emissions_row *grown = reallocarray(file->rows, room, sizeof *grown);
        if (!grown) {
            error_memory(error, file->name);
            return NULL;
        }
        file->rows = grown;
    }
    struct emissions_row *row = &file->rows[file->row_count++];
    *row = (struct emissions_row){0};
    return row;
}

/* Takes over the fields. */
static int take_line(struct emissions *file, struct csv_row *fields, size_t line, struct error *error)
{
    if (!file->columns) {
        file->columns = fields->fields;
        file->column_count = fields->count;
        *fields = (struct csv_row){0};
        return check_header(file, error);
    }
    if (fields->count != file->column_count)
        return error_set(error, "%s:%zu: expected %zu fields, as the first line has columns, found %zu",
                         file->name, line, file->column_count, fields->count);
    struct emissions_row *row = add_row(file, error);
    if (!row)
        return -1;
    row->line = line;
    row->values = fields->fields;
    *fields = (struct csv_row){0};
    return read_row(file, row, error);
}

static size_t count_lines(const char *text, size_t size)
{
    size_t lines = 0;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    return lines;
}

static int parse_lines(struct emissions *file, const char *text, size_t size, struct error *error)
{
    size_t line = 1;
    for (size_t at = 0; at < size;) {
        struct csv_row fields;
        if (csv_parse_row(text + at, size - at, &fields, error) < 0) {
            AUTO_FREE char *reason = strdup(error_text(error));
            return error_set(error, "%s:%zu: %s", file->name, line, reason ? reason : "not CSV");
        }
        size_t taken = fields.size;
        bool blank = fields.count == 1 && !fields.fields[0][0];
        int result = blank ? 0 : take_line(file, &fields, line, error);
        csv_row_free(&fields);
        if (result < 0)
            return -1;
        line += count_lines(text + at, taken);
        at += taken;
    }
    return 0;
}

/* ---- cumulative rows ---- */

/* What an energy that only grows says of two rows: memory first, whose energy is a constant's, then the
 * GPUs'. */
static bool grows(const struct emissions_row *before, const struct emissions_row *after)
{
    if (isfinite(before->ram_j) && isfinite(after->ram_j) && before->ram_j > 0)
        return after->ram_j >= before->ram_j;
    if (isfinite(before->gpu_j) && isfinite(after->gpu_j) && before->gpu_j > 0)
        return after->gpu_j >= before->gpu_j;
    return after->total_j >= before->total_j;
}

static int by_run(const void *a, const void *b)
{
    const struct emissions_row *const *p = a, *const *q = b;
    int ids = strcmp((*p)->run_id, (*q)->run_id);
    return ids ? ids : ((*p)->line > (*q)->line) - ((*p)->line < (*q)->line);
}

/* All rows, those of one run_id beside each other in the file's order; the caller frees it. */
static struct emissions_row **order_by_run(const struct emissions *file, struct error *error)
{
    struct emissions_row **rows = calloc(file->row_count + 1, sizeof(struct emissions_row *));
    if (!rows) {
        error_memory(error, file->name);
        return NULL;
    }
    for (size_t i = 0; i < file->row_count; i++)
        rows[i] = &file->rows[i];
    qsort(rows, file->row_count, sizeof *rows, by_run);
    return rows;
}

/* A duration counts from the tracker's start, or, where a tracker was started again, from then: it goes back
 * behind the row before only in the first case. */
static double own_duration_s(const struct emissions_row *before, const struct emissions_row *row)
{
    double apart_s = (double)(row->ended_wall_ns - before->ended_wall_ns) / (double)NS_PER_S;
    return row->duration_s > apart_s + TIMESTAMP_S ? row->duration_s - before->duration_s : row->duration_s;
}

static int subtract(struct emissions *file, struct emissions_row *row, const struct emissions_row *before,
                    struct error *error)
{
    double own_s = own_duration_s(before, row);
    if (!(own_s > 0))
        return error_set(
            error,
            "%s:%zu: no time between this row and line %zu, which has the same run_id: rows of one "
            "run_id are cumulative, and one of the two must go",
            file->name, row->line, before->line);
    row->since_line = before->line;
    row->duration_s = own_s;
    row->cpu_j -= before->cpu_j;
    row->gpu_j -= before->gpu_j;
    row->ram_j -= before->ram_j;
    row->total_j -= before->total_j;
    file->cumulative = true;
    return 0;
}

/* From the last row to the first, so that what is subtracted is as the file has it. */
static int difference(struct emissions *file, struct error *error)
{
    if (find_column(file, "task_name") != SIZE_MAX)
        return 0;
    struct emissions_row **rows = order_by_run(file, error);
    int result = rows ? 0 : -1;
    for (size_t i = file->row_count; result == 0 && i-- > 1;) {
        bool same = rows[i]->run_id[0] && strcmp(rows[i]->run_id, rows[i - 1]->run_id) == 0;
        if (same && grows(rows[i - 1], rows[i]))
            result = subtract(file, rows[i], rows[i - 1], error);
    }
    free(rows);
    return result;
}

/* Looking through the table takes longer than all else of a row, and rows share their machines. */
static void find_design_powers(struct emissions *file)
{
    for (size_t i = 0; i < file->row_count; i++) {
        struct emissions_row *row = &file->rows[i];
        bool known = i > 0 && strcmp(row->cpu_model, row[-1].cpu_model) == 0;
        row->tdp_w = known ? row[-1].tdp_w : cpu_tdp_find(row->cpu_model);
    }
}

static void take_pue_out(struct emissions *file)
{
    for (size_t i = 0; i < file->row_count; i++) {
        struct emissions_row *row = &file->rows[i];
        row->cpu_j /= row->pue;
        row->gpu_j /= row->pue;
        row->ram_j /= row->pue;
        row->total_j /= row->pue;
    }
}

int emissions_parse(const char *name, const char *text, size_t size, struct emissions *file,
                    struct error *error)
{
    static const char mark[] = "\xef\xbb\xbf"; /* byte order mark, which spreadsheets write */
    size_t skip = size >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
    *file = (struct emissions){.name = strdup(name)};
    int result = file->name ? parse_lines(file, text + skip, size - skip, error) : error_memory(error, name);
    if (result == 0 && file->row_count == 0)
        result = error_set(error, "%s: no rows: expected a header and one row a run", name);
    if (result == 0)
        result = difference(file, error);
    if (result < 0) {
        emissions_free(file);
        return -1;
    }
    take_pue_out(file);
    find_design_powers(file);
    return 0;
}

void emissions_free(struct emissions *file)
{
    for (size_t i = 0; i < file->row_count; i++) {
        for (size_t k = 0; file->rows[i].values && k < file->column_count; k++)
            free(file->rows[i].values[k]);
        free(file->rows[i].values);
    }
    for (size_t i = 0; i < file->column_count; i++)
        free(file->columns[i]);
    free(file->rows);
    free(file->columns);
    free(file->name);
    *file = (struct emissions){0};
}

/* ---- a row as a run ---- */

static const char not_stated[] = "imported from CodeCarbon, which states no accuracy";

static int add_channels(const struct emissions_row *row, struct record *record, struct error *error)
{
    bool parts = isfinite(row->cpu_j);
    bool gpus = isfinite(row->gpu_j) && (row->gpu_j != 0 || row->gpu_count > 0); /* 0 stands for none, too */
    bool constant = cpu_tdp_is_default(row->cpu_w, row->tdp_w);
    const struct {
        bool there;
        const char *name;
        enum channel_scope scope;
        enum channel_kind kind;
        double energy_j;
    } channels[] = {
        {parts, "cpu", SCOPE_CPU, constant ? KIND_MODEL : KIND_COUNTER, row->cpu_j},
        {parts && gpus, "gpu", SCOPE_GPU, KIND_COUNTER, row->gpu_j},
        {parts && isfinite(row->ram_j), "ram", SCOPE_DRAM, KIND_MODEL, row->ram_j},
        {!parts, "total", SCOPE_CPU, KIND_MODEL, row->total_j},
    };
    for (size_t i = 0; i < COUNT(channels); i++) {
        const struct channel channel = {.meter = (char *)EMISSIONS_TOOL,
                                        .name = (char *)channels[i].name,
                                        .label = (char *)"imported",
                                        .scope = channels[i].scope,
                                        .kind = channels[i].kind,
                                        .accuracy = NAN,
                                        .accuracy_source = (char *)not_stated};
        if (channels[i].there && record_add_channel(record, &channel, channels[i].energy_j, error) < 0)
            return -1;
    }
    return 0;
}

static int add_notes(const struct emissions *file, const struct emissions_row *row, struct record *record,
                     struct error *error)
{
    if (record_add_note(
            record, error,
            "imported from CodeCarbon: it does not say whether an instrument or a constant gave its "
            "energies of processors, and its memory is always an estimate; its times have no zone "
            "and stand as UTC") < 0)
        return -1;
    if (row->since_line > 0 &&
        record_add_note(
            record, error,
            "codecarbon: rows of run_id %s are cumulative: energies and duration are line %zu's less "
            "line %zu's of %s",
            row->run_id, row->line, row->since_line, file->name) < 0)
        return -1;
    if (row->pue > 1 &&
        record_add_note(record, error,
                        "codecarbon: energies were multiplied by a PUE of %g, and are divided by "
                        "it here: joulery report --pue takes it into account",
                        row->pue) < 0)
        return -1;
    if (isfinite(row->cpu_j))
        return 0;
    return record_add_note(record, error,
                           "codecarbon/total: processors, GPUs and memory together, as this "
                           "version of CodeCarbon does not tell them apart");
}

static char *utf8(const char *text)
{
    return text_utf8(text, strlen(text));
}

static int fill_host(const struct emissions_row *row, uint32_t sockets, struct host *host,
                     struct error *error)
{
    *host = (struct host){.name = strdup("(imported)"),
                          .cpu_model = utf8(row->cpu_model),
                          .kernel = utf8(row->os),
                          .os = strdup(""),
                          .virtualisation = strdup(""),
                          .version = strdup(JOULERY_VERSION),
                          .sockets = sockets};
    if (row->cpu_count > 0 && row->cpu_count < 1e6)
        host->logical_cpus = (uint32_t)row->cpu_count;
    if (row->ram_gib > 0 && row->ram_gib < 1e9)
        host->memory_bytes = (uint64_t)(row->ram_gib * (double)(1u << 30));
    bool whole =
        host->name && host->cpu_model && host->kernel && host->os && host->virtualisation && host->version;
    return whole ? 0 : error_memory(error, "host");
}

static int keep_values(const struct emissions *file, const struct emissions_row *row,
                       struct imported_run *run, struct error *error)
{
    for (size_t i = 0; i < file->column_count; i++)
        if (row->values[i][0] && imported_add_value(run, file->columns[i], row->values[i], error) < 0)
            return -1;
    AUTO_FREE char *since = text_format("%zu", row->since_line);
    return row->since_line > 0 ? imported_add_value(run, "(since line)", since ? since : "", error) : 0;
}

int emissions_to_run(const struct emissions *file, const struct emissions_row *row, uint32_t sockets,
                     struct imported_run *run, struct error *error)
{
    *run = (struct imported_run){.tool = EMISSIONS_TOOL};
    struct record *record = &run->record;
    int64_t started_ns = row->ended_wall_ns - (int64_t)(fmin(row->duration_s, 1e9) * (double)NS_PER_S);
    record->started_wall_ns = started_ns > 0 ? started_ns : 0;
    record->source = text_format("codecarbon%s%s, %s:%zu", row->version[0] ? " " : "", row->version,
                                 file->name, row->line);
    if (!record->source)
        return error_memory(error, file->name);
    if (fill_host(row, sockets, &record->host, error) < 0 ||
        record_begin(record, row->duration_s, error) < 0 || add_channels(row, record, error) < 0 ||
        add_notes(file, row, record, error) < 0)
        return -1;
    return keep_values(file, row, run, error);
}
