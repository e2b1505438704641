#include "exchange/export.h"

#include "base/clock.h"
#include "base/csv.h"
#include "base/file.h"
#include "base/text.h"
#include "carbon/carbon.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SCHEMA "joulery.rows/1"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- the tables ---- */

/* In SQL, ?1 says whether a study is being run, ?2 is kg CO2e for each joule. */
struct column {
    const char *name, *sql, *meaning;
    bool emissions; /* only with a place */
};

static const struct column run_columns[] = {
    {"run", "r.id", "its number, by which the tables can be joined", false},
    {"state", "CASE WHEN r.state = 'running' AND NOT ?1 THEN 'cut' ELSE r.state END",
     "done, failed (the command's exit status was not 0), cut (stopped) or running", false},
    {"position", "r.position", "order of execution, from 0", false},
    {"repetition", "p.repetition", "of these levels of the factors, from 1", false},
    {"*", NULL, NULL, false},
    {"started", "nullif(r.started, '')", "UTC", false},
    {"wall_s", "r.wall_s", "s; how long the command took", false},
    {"exit_status", "r.exit_status", "of the command", false},
    {"software_j", "w.software_j", "J; energy by software: processors, memory and GPUs, none counted twice",
     false},
    {"software_uncertainty_j", "w.software_uncertainty_j", "J; standard uncertainty", false},
    {"estimated", "w.estimated", "1: some of software_j was computed by a model, not measured", false},
    {"hardware_j", "w.hardware_j", "J; energy by wattmeters", false},
    {"hardware_uncertainty_j", "w.hardware_uncertainty_j", "J; standard uncertainty", false},
    {"software_above_idle_j", "w.software_above_idle_j", "J; software_j less what the machine takes at rest",
     false},
    {"software_above_idle_uncertainty_j", "w.software_above_idle_uncertainty_j", "J; standard uncertainty",
     false},
    {"attributed_j", "r.attributed_j",
     "J; the command's share of the processors' energy above idle, by CPU time: an attribution", false},
    {"attributed_uncertainty_j", "r.attributed_uncertainty_j", "J; standard uncertainty", false},
    {"val_accuracy",
     "(SELECT m.value FROM metric m WHERE m.run = r.id AND m.name = 'val_accuracy' ORDER BY m.window DESC "
     "LIMIT 1)",
     "the last that the workload gave", false},
    {"accuracy",
     "(SELECT m.value FROM metric m WHERE m.run = r.id AND m.name = 'accuracy' ORDER BY m.window DESC LIMIT "
     "1)",
     "the last that the workload gave", false},
    {"software_kg_co2e", "w.software_j * ?2", "kg CO2e of software_j at the place below, with its PUE", true},
    {"hardware_kg_co2e", "w.hardware_j * ?2", "kg CO2e of hardware_j at the place below, with its PUE", true},
    {"host", "h.name", "the machine's name", false},
    {"cpu_model", "nullif(h.cpu_model, '')", "its processors", false},
    {"sockets", "nullif(h.sockets, 0)", "how many of them", false},
    {"logical_cpus", "nullif(h.logical_cpus, 0)", "as the operating system counts them", false},
    {"memory_bytes", "nullif(h.memory_bytes, 0)", "B; the machine's", false},
    {"joulery_version", "h.version", "that measured or imported the run", false},
    {"source", "r.source", "where the run was imported from; empty: it was measured here", false},
    {"command", "r.command", "a JSON array of words", false},
    {"notes", "n.notes", "what a reader of the figures must know", false},
};

static const struct column window_columns[] = {
    {"run", "r.id", "the run's number", false},
    {"ordinal", "w.ordinal", "the window's number in the run; 0 is the whole run", false},
    {"repetition", "p.repetition", "of the run", false},
    {"*", NULL, NULL, false},
    {"window", "w.name", "run, or as the workload named it: epoch, …", false},
    {"index", "w.\"index\"", "the workload's: which epoch", false},
    {"parent", "nullif(w.parent, -1)", "ordinal of the window around it; empty: none is", false},
    {"start_s", "w.start_s", "s since the start of the run", false},
    {"wall_s", "w.wall_s", "s; how long it took", false},
    {"complete", "w.complete", "0: its end never came, and it ends with the run", false},
    {"software_j", "w.software_j", "J; energy by software", false},
    {"software_uncertainty_j", "w.software_uncertainty_j", "J; standard uncertainty", false},
    {"estimated", "w.estimated", "1: some of software_j was computed by a model, not measured", false},
    {"hardware_j", "w.hardware_j", "J; energy by wattmeters", false},
    {"hardware_uncertainty_j", "w.hardware_uncertainty_j", "J; standard uncertainty", false},
    {"software_above_idle_j", "w.software_above_idle_j", "J; software_j less what the machine takes at rest",
     false},
    {"software_kg_co2e", "w.software_j * ?2", "kg CO2e of software_j at the place below, with its PUE", true},
    {"hardware_kg_co2e", "w.hardware_j * ?2", "kg CO2e of hardware_j at the place below, with its PUE", true},
    {"+", NULL, NULL, false},
};

static const struct column energy_columns[] = {
    {"run", "r.id", "the run's number", false},
    {"ordinal", "w.ordinal", "the window's number in the run; 0 is the whole run", false},
    {"repetition", "p.repetition", "of the run", false},
    {"*", NULL, NULL, false},
    {"window", "w.name", "the window's name", false},
    {"index", "w.\"index\"", "and index", false},
    {"meter", "c.meter", "the instrument, or the tool that the run was imported from", false},
    {"channel", "c.name", "one quantity of it", false},
    {"part_of", "c.part_of", "the channel of the same meter whose energy includes this one", false},
    {"scope", "c.scope", "cpu, dram, gpu, platform or wall", false},
    {"kind", "c.kind", "counter, power, or model: computed, not measured", false},
    {"apart", "c.apart", "1: never in a total", false},
    {"label", "c.label", "which piece of hardware", false},
    {"energy_j", "e.energy_j",
     "J over the window without its gaps. Channels overlap: the totals in runs and "
     "windows count none twice",
     false},
    {"uncertainty_j", "e.uncertainty_j", "J; standard uncertainty", false},
    {"gap_s", "e.gap_s", "s of the window without a reading that can be trusted", false},
    {"wall_s", "w.wall_s", "s; how long the window took", false},
};

#define FROM_RUN " FROM run r JOIN plan p ON p.position = r.position "

static const struct table {
    const char *name, *is;
    const struct column *columns;
    size_t column_count;
    const char *from;
} tables[EXPORT_TABLES] = {
    {"runs", "one row a run", run_columns, COUNT(run_columns),
     /* notes are not ordered by run: gathered once, not looked through for each */
     FROM_RUN
     "LEFT JOIN window w ON w.run = r.id AND w.ordinal = 0 LEFT JOIN host h ON h.id = r.host LEFT "
     "JOIN (SELECT run, group_concat(text, ' | ') AS notes FROM note GROUP BY run) n ON n.run = r.id "
     "ORDER BY r.id"},
    {"windows", "one row a window of a run: the run itself, its epochs, and what else the workload named",
     window_columns, COUNT(window_columns),
     FROM_RUN "JOIN window w ON w.run = r.id ORDER BY r.id, w.ordinal"},
    {"energies", "one row a channel in a window whose energy is known", energy_columns, COUNT(energy_columns),
     FROM_RUN "JOIN window w ON w.run = r.id JOIN energy e ON e.run = w.run AND e.window = w.ordinal JOIN "
              "channel c ON c.run = e.run AND c.ordinal = e.channel ORDER BY r.id, w.ordinal, c.ordinal"},
};

/* Columns that a study brings with it stand in place of these. */
static const struct brought {
    const char *mark, *prefix, *sql, *list, *meaning;
} brought[] = {
    {"*", "factor_", "(SELECT f.level FROM plan_factor f WHERE f.position = r.position AND f.factor = ?%zu)",
     "SELECT factor FROM plan_factor GROUP BY factor ORDER BY min(ordinal), factor",
     "the run's level of this factor"},
    {"+", "metric_",
     "(SELECT m.value FROM metric m WHERE m.run = w.run AND m.window = w.ordinal AND m.name = ?%zu)",
     "SELECT name FROM metric GROUP BY name ORDER BY name", "what the workload gave for this window"},
};

/* ---- a question to the database ---- */

struct head {
    char *name;
    const char *meaning;
};

struct question {
    sqlite3 *database;
    sqlite3_stmt *statement;
    struct text sql;
    struct head *heads; /* one a column of the answer */
    size_t count;
    char **names; /* of factors and metrics, for the parameters from ?3 on */
    size_t name_count;
};

static int fail(sqlite3 *database, struct error *error)
{
    return error_set(error, "the database can't be read: %s", sqlite3_errmsg(database));
}

static void question_free(struct question *question)
{
    for (size_t i = 0; i < question->count; i++)
        free(question->heads[i].name);
    for (size_t i = 0; i < question->name_count; i++)
        free(question->names[i]);
    free(question->heads);
    free(question->names);
    text_free(&question->sql);
    sqlite3_finalize(question->statement);
    *question = (struct question){0};
}

static int add_head(struct question *question, const char *prefix, const char *name, const char *sql,
                    const char *meaning, struct error *error)
{
    struct head *grown = reallocarray(question->heads, question->count + 1, sizeof *grown);
    if (!grown)
        return error_memory(error, "export");
    question->heads = grown;
    text_printf(&question->sql, "%s%s", question->count ? ", " : "SELECT ", sql);
    grown[question->count] = (struct head){text_format("%s%s", prefix, name), meaning};
    return grown[question->count++].name && !question->sql.failed ? 0 : error_memory(error, "export");
}

static int add_name(struct question *question, const struct brought *what, const char *name,
                    struct error *error)
{
    char **grown = reallocarray(question->names, question->name_count + 1, sizeof *grown);
    if (!grown)
        return error_memory(error, "export");
    question->names = grown;
    grown[question->name_count] = strdup(name);
    if (!grown[question->name_count++])
        return error_memory(error, "export");
    AUTO_FREE char *parameter = text_format("?%zu", question->name_count + 2);
    const char *place = strstr(what->sql, "?%zu");
    AUTO_FREE char *sql =
        text_format("%.*s%s%s", (int)(place - what->sql), what->sql, parameter ? parameter : "", place + 4);
    return sql ? add_head(question, what->prefix, name, sql, what->meaning, error)
               : error_memory(error, "export");
}

static int add_brought(struct question *question, const struct brought *what, struct error *error)
{
    sqlite3_stmt *list = NULL;
    int result = sqlite3_prepare_v2(question->database, what->list, -1, &list, NULL) == SQLITE_OK
                     ? 0
                     : fail(question->database, error);
    while (result == 0 && sqlite3_step(list) == SQLITE_ROW)
        result = add_name(question, what, (const char *)sqlite3_column_text(list, 0), error);
    sqlite3_finalize(list);
    return result;
}

static int add_column(struct question *question, const struct column *column, bool emissions,
                      struct error *error)
{
    for (size_t i = 0; i < COUNT(brought); i++)
        if (strcmp(column->name, brought[i].mark) == 0)
            return add_brought(question, &brought[i], error);
    if (column->emissions && !emissions)
        return 0;
    return add_head(question, "", column->name, column->sql, column->meaning, error);
}

static int bind(struct question *question, const struct export_place *place, bool run_now,
                struct error *error)
{
    sqlite3_stmt *statement = question->statement;
    int most = sqlite3_bind_parameter_count(statement);
    double kg =
        place->location ? carbon_emissions_kg(1, place->pue, place->location->intensity_g_per_kwh) : 0;
    int code = most >= 1 ? sqlite3_bind_int(statement, 1, run_now) : SQLITE_OK;
    if (code == SQLITE_OK && most >= 2)
        code = sqlite3_bind_double(statement, 2, kg);
    for (size_t i = 0; i < question->name_count && code == SQLITE_OK; i++)
        code = sqlite3_bind_text(statement, (int)i + 3, question->names[i], -1, SQLITE_STATIC);
    return code == SQLITE_OK ? 0 : fail(question->database, error);
}

/* The caller frees the question, after -1 too. */
static int ask(struct store *store, const struct table *table, const struct export_place *place,
               struct question *question, struct error *error)
{
    int64_t owner;
    *question = (struct question){.database = store_database(store)};
    if (store_owner(store, &owner, error) < 0)
        return -1;
    for (size_t i = 0; i < table->column_count; i++)
        if (add_column(question, &table->columns[i], place->location != NULL, error) < 0)
            return -1;
    text_append(&question->sql, table->from);
    if (question->sql.failed)
        return error_memory(error, "export");
    if (sqlite3_prepare_v2(question->database, question->sql.data, -1, &question->statement, NULL) !=
        SQLITE_OK)
        return fail(question->database, error);
    return bind(question, place, owner != 0, error);
}

/* ---- where it goes ---- */

struct sink {
    struct file_writer *writer; /* NULL: standard output */
    struct text text;           /* not written yet */
};

#define SINK_BYTES 65536

static int flush(struct sink *sink, struct error *error)
{
    int result = 0;
    if (sink->text.failed)
        return error_memory(error, "export");
    if (sink->text.length == 0)
        return 0;
    if (sink->writer)
        result = file_writer_put(sink->writer, sink->text.data, sink->text.length, error);
    else if (fwrite(sink->text.data, 1, sink->text.length, stdout) != sink->text.length)
        result = error_set(error, "standard output: %s", strerror(errno));
    sink->text.length = 0;
    return result;
}

/* Called after each row. */
static int flush_some(struct sink *sink, struct error *error)
{
    return sink->text.failed || sink->text.length >= SINK_BYTES ? flush(sink, error) : 0;
}

static int sink_open(struct sink *sink, const char *path, struct error *error)
{
    *sink = (struct sink){.text = TEXT_INIT};
    if (strcmp(path, "-") == 0)
        return 0;
    sink->writer = file_writer_open(path, error);
    return sink->writer ? 0 : -1;
}

static int sink_close(struct sink *sink, int result, struct error *error)
{
    if (result == 0)
        result = flush(sink, error);
    if (result == 0 && sink->writer)
        result = file_writer_finish(sink->writer, error);
    else
        file_writer_drop(sink->writer);
    text_free(&sink->text);
    return result;
}

/* ---- CSV ---- */

/* The shortest of 15 or 17 digits that is read as the same number. */
static char *number_text(double value)
{
    char *text = text_format("%.15g", value);
    double again;
    if (text && text_to_double(text, &again) == 0 && again == value)
        return text;
    free(text);
    return text_format("%.17g", value);
}

static void append_field(struct text *line, sqlite3_stmt *row, int column)
{
    bool real = sqlite3_column_type(row, column) == SQLITE_FLOAT;
    AUTO_FREE char *number = real ? number_text(sqlite3_column_double(row, column)) : NULL;
    const char *text = real ? number : (const char *)sqlite3_column_text(row, column);
    csv_append(line, text ? text : "", column == 0);
}

/* Writes each row by `append`. */
static int write_rows(const struct question *question, const char *table, struct sink *sink, size_t *rows,
                      void (*append)(struct text *out, const struct question *question, const char *table),
                      struct error *error)
{
    int code;
    while ((code = sqlite3_step(question->statement)) == SQLITE_ROW) {
        append(&sink->text, question, table);
        ++*rows;
        if (flush_some(sink, error) < 0)
            return -1;
    }
    return code == SQLITE_DONE ? 0 : fail(question->database, error);
}

static void append_csv_row(struct text *out, const struct question *question, const char *table)
{
    (void)table;
    for (size_t i = 0; i < question->count; i++)
        append_field(out, question->statement, (int)i);
    text_append(out, "\n");
}

static int write_csv(const struct question *question, const struct table *table, const char *folder,
                     size_t *rows, struct error *error)
{
    struct sink sink;
    AUTO_FREE char *path = text_format("%s/%s.csv", folder, table->name);
    if (!path)
        return error_memory(error, folder);
    int result = sink_open(&sink, path, error);
    for (size_t i = 0; i < question->count; i++)
        csv_append(&sink.text, question->heads[i].name, i == 0);
    text_append(&sink.text, "\n");
    if (result == 0)
        result = write_rows(question, table->name, &sink, rows, append_csv_row, error);
    return sink_close(&sink, result, error);
}

/* ---- columns.md ---- */

static void append_cell(struct text *out, const char *cell)
{
    AUTO_FREE char *shown = text_printable(cell);
    for (const char *at = shown ? shown : ""; *at; at++)
        text_printf(out, "%s%c", *at == '|' ? "\\" : "", *at);
    out->failed = out->failed || !shown;
}

static void append_meanings(struct text *out, const struct table *table, const struct question *question)
{
    text_printf(out, "\n## %s.csv\n\n%s\n\n| column | meaning |\n|---|---|\n", table->name, table->is);
    for (size_t i = 0; i < question->count; i++) {
        text_append(out, "| ");
        append_cell(out, question->heads[i].name);
        text_append(out, " | ");
        append_cell(out, question->heads[i].meaning);
        text_append(out, " |\n");
    }
}

static void append_place(struct text *out, const struct export_place *place)
{
    const struct location *at = place->location;
    AUTO_FREE char *figure = at ? location_figure_text(at) : NULL;
    if (at)
        text_printf(out, "\nEmissions are for %s (%s): %g g CO2e/kWh (%s; %s), with a PUE of %g%s%s.\n",
                    at->name, at->code, at->intensity_g_per_kwh, figure ? figure : "", at->source, place->pue,
                    place->pue_own ? ", that of " : "", place->pue_own ? at->pue_source : "");
    else
        text_append(out, "\nThere are no emissions here: no place was named (`--location`).\n");
}

static int append_title(struct text *out, const char *study, struct error *error)
{
    AUTO_FREE char *now = clock_iso8601(clock_wall_ns());
    if (!now)
        return error_memory(error, "export");
    text_append(out, "# ");
    append_cell(out, study);
    text_printf(out,
                "\n\nExported by Joulery " JOULERY_VERSION
                " at %s. The files are CSV (RFC 4180, UTF-8). An empty field is not known; it is never 0. "
                "Energies are those of the machine, without PUE. Figures of runs with a `source` are as they "
                "were published.\n",
                now);
    return 0;
}

/* ---- JSON lines ---- */

/* NULL for what is not known; a text may hold anything. */
static json_t *field_to_json(sqlite3_stmt *row, int column)
{
    switch (sqlite3_column_type(row, column)) {
    case SQLITE_INTEGER:
        return json_integer(sqlite3_column_int64(row, column));
    case SQLITE_FLOAT:
        return json_real(sqlite3_column_double(row, column));
    case SQLITE_TEXT: {
        AUTO_FREE char *text = text_utf8((const char *)sqlite3_column_text(row, column),
                                         (size_t)sqlite3_column_bytes(row, column));
        return text ? json_string(text) : NULL;
    }
    default:
        return json_null();
    }
}

static void append_json(struct text *out, json_t *object)
{
    AUTO_FREE char *line = json_dumps(object, JSON_COMPACT);
    out->failed = out->failed || !line;
    text_append(out, line ? line : "");
    text_append(out, "\n");
    json_decref(object);
}

static void append_json_row(struct text *out, const struct question *question, const char *table)
{
    json_t *object = json_pack("{s:s}", "table", table);
    for (size_t i = 0; i < question->count; i++) {
        AUTO_FREE char *name = text_utf8(question->heads[i].name, strlen(question->heads[i].name));
        int failed =
            json_object_set_new(object, name ? name : "", field_to_json(question->statement, (int)i));
        out->failed = out->failed || !name || failed < 0;
    }
    append_json(out, object);
}

static json_t *known(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *place_to_json(const struct export_place *place)
{
    if (!place->location)
        return json_null();
    const struct location *at = place->location;
    return json_pack("{s:s, s:s, s:o, s:s, s:f, s:o, s:o, s:f, s:o}", "location", at->code, "name", at->name,
                     "year", at->year ? json_integer(at->year) : json_null(), "source", at->source,
                     "intensity_g_per_kwh", at->intensity_g_per_kwh, "low_g_per_kwh",
                     known(at->low_g_per_kwh), "high_g_per_kwh", known(at->high_g_per_kwh), "pue", place->pue,
                     "pue_source", place->pue_own ? json_string(at->pue_source) : json_null());
}

static int append_json_head(struct text *out, const char *study, const struct export_place *place,
                            struct error *error)
{
    AUTO_FREE char *now = clock_iso8601(clock_wall_ns());
    AUTO_FREE char *name = text_utf8(study, strlen(study));
    if (!now || !name)
        return error_memory(error, "export");
    append_json(out, json_pack("{s:s, s:s, s:s, s:s, s:o}", "schema", SCHEMA, "study", name, "exported", now,
                               "joulery_version", JOULERY_VERSION, "emissions", place_to_json(place)));
    return 0;
}

/* ---- one read transaction ---- */

static char *study_name(struct store *store, struct error *error)
{
    struct study_identity study;
    if (store_get_study(store, &study, error) < 0)
        return NULL;
    char *name = strdup(study.name);
    study_identity_free(&study);
    if (!name)
        error_memory(error, "export");
    return name;
}

struct exporting {
    struct store *store;
    const struct export_place *place;
    struct export_count *counts;
    const char *study, *target;
    struct error *error;
};

static int in_one_view(struct exporting *out, int (*write)(const struct exporting *out))
{
    AUTO_FREE char *study = study_name(out->store, out->error);
    if (!study)
        return -1;
    out->study = study;
    for (size_t i = 0; i < EXPORT_TABLES; i++)
        out->counts[i] = (struct export_count){.table = tables[i].name};
    sqlite3 *database = store_database(out->store);
    if (sqlite3_exec(database, "BEGIN", NULL, NULL, NULL) != SQLITE_OK)
        return fail(database, out->error);
    int result = write(out);
    sqlite3_exec(database, "ROLLBACK", NULL, NULL, NULL); /* nothing was written */
    return result;
}

static int write_csv_tables(const struct exporting *out)
{
    struct text columns = TEXT_INIT;
    int result = append_title(&columns, out->study, out->error);
    for (size_t i = 0; i < EXPORT_TABLES && result == 0; i++) {
        struct question question;
        result = ask(out->store, &tables[i], out->place, &question, out->error);
        if (result == 0)
            append_meanings(&columns, &tables[i], &question);
        if (result == 0)
            result = write_csv(&question, &tables[i], out->target, &out->counts[i].rows, out->error);
        question_free(&question);
    }
    append_place(&columns, out->place);
    AUTO_FREE char *path = file_join(out->target, "columns.md");
    if (result == 0 && (columns.failed || !path))
        result = error_memory(out->error, "export");
    if (result == 0)
        result = file_write(path, columns.data, columns.length, out->error);
    text_free(&columns);
    return result;
}

static int write_json_tables(const struct exporting *out)
{
    struct sink sink;
    int result = sink_open(&sink, out->target, out->error);
    if (result == 0)
        result = append_json_head(&sink.text, out->study, out->place, out->error);
    for (size_t i = 0; i < EXPORT_TABLES && result == 0; i++) {
        struct question question;
        result = ask(out->store, &tables[i], out->place, &question, out->error);
        if (result == 0)
            result = write_rows(&question, tables[i].name, &sink, &out->counts[i].rows, append_json_row,
                                out->error);
        question_free(&question);
    }
    return sink_close(&sink, result, out->error);
}

int export_csv(struct store *store, const char *folder, const struct export_place *place,
               struct export_count counts[EXPORT_TABLES], struct error *error)
{
    if (mkdir(folder, 0777) < 0 && errno != EEXIST)
        return error_errno(error, errno, folder);
    return in_one_view(&(struct exporting){store, place, counts, NULL, folder, error}, write_csv_tables);
}

int export_jsonl(struct store *store, const char *path, const struct export_place *place,
                 struct export_count counts[EXPORT_TABLES], struct error *error)
{
    return in_one_view(&(struct exporting){store, place, counts, NULL, path, error}, write_json_tables);
}

/* ---- the place ---- */

int export_find_place(struct store *store, struct places *places, const char *location, double pue,
                      struct export_place *place, struct error *error)
{
    struct study_identity study;
    *place = (struct export_place){.pue = 1};
    if (store_get_study(store, &study, error) < 0)
        return -1;
    const char *name = location ? location : study.location;
    pue = pue > 0 ? pue : study.pue;
    int result = 0;
    if (name && !(place->location = places_find(places, name, error)))
        result = location ? -1 : error_prefix(error, "location of the study");
    study_identity_free(&study);
    if (result == 0)
        place->pue = location_pue(place->location, pue, &place->pue_own);
    if (result == 0 && !(place->pue >= 1 && isfinite(place->pue)))
        result = error_set(error, "PUE: expected a number of at least 1, found %g", place->pue);
    return result;
}
