#include "exchange/import.h"

#include "base/file.h"
#include "base/text.h"
#include "exchange/curves.h"
#include "exchange/emissions.h"
#include "exchange/wall_summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MOST (256u << 20)

struct importing {
    struct store *store;
    const struct import_request *request;
    struct import_outcome *outcome;
    struct error *error;
    struct import_place place; /* of the next run */
};

void import_outcome_free(struct import_outcome *outcome)
{
    for (size_t i = 0; i < outcome->count; i++)
        free(outcome->lines[i].source);
    free(outcome->lines);
    *outcome = (struct import_outcome){0};
}

static int add_line(const struct importing *in, struct import_line line, const char *source)
{
    struct import_outcome *outcome = in->outcome;
    struct import_line *grown = reallocarray(outcome->lines, outcome->count + 1, sizeof *grown);
    if (!grown)
        return error_memory(in->error, "import");
    outcome->lines = grown;
    line.source = strdup(source);
    if (!line.source)
        return error_memory(in->error, "import");
    grown[outcome->count++] = line;
    return 0;
}

/* Each file by `take`, within one transaction. */
static int import_files(struct importing *in, int (*take)(struct importing *in, size_t number,
                                                          const char *name, const char *text, size_t size))
{
    if (store_import_begin(in->store, in->request->study, in->error) < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < in->request->file_count && result == 0; i++) {
        size_t size;
        AUTO_FREE char *text = file_read(in->request->files[i], FILE_BYTES_MOST, &size, in->error);
        result = text ? take(in, i, in->request->files[i], text, size) : -1;
    }
    return store_import_end(in->store, result, in->error);
}

/* ---- CodeCarbon ---- */

static int check_new(const struct importing *in, const struct emissions *file,
                     const struct emissions_row *row)
{
    int64_t run;
    if (!row->run_id[0])
        return 0;
    if (store_imported_find(in->store, EMISSIONS_TOOL, "run_id", row->run_id, "timestamp", row->timestamp,
                            &run, in->error) < 0)
        return -1;
    if (run > 0)
        return error_set(
            in->error,
            "%s:%zu: the row of run_id %s and %s is in the database already, as run %lld: nothing "
            "was imported",
            file->name, row->line, row->run_id, row->timestamp, (long long)run);
    if (store_imported_find(in->store, EMISSIONS_TOOL, "run_id", row->run_id, NULL, NULL, &run, in->error) <
        0)
        return -1;
    if (run > 0)
        return error_set(
            in->error,
            "%s:%zu: run %lld of the database has the same run_id %s: such rows are cumulative and "
            "can only be told apart when they are imported in one file; nothing was imported",
            file->name, row->line, (long long)run, row->run_id);
    return 0;
}

static int add_row(struct importing *in, const struct emissions *file, const struct emissions_row *row)
{
    struct imported_run run;
    struct import_line line = {.repetition = in->place.repetition, .differenced = row->since_line > 0};
    int result = emissions_to_run(file, row, in->request->sockets, &run, in->error);
    if (result == 0)
        result = store_import_run(in->store, &run, in->request->factors, in->request->factor_count,
                                  &in->place, &line.run, in->error);
    if (result == 0) {
        AUTO_FREE char *source = text_format("%s:%zu", file->name, row->line);
        line.energy_j = record_totals(&run.record, 0).software_j;
        result = add_line(in, line, source ? source : file->name);
    }
    imported_run_free(&run);
    return result;
}

static int take_emissions(struct importing *in, size_t number, const char *name, const char *text,
                          size_t size)
{
    struct emissions file;
    if (number == 0 && store_import_place(in->store, in->request->factors, in->request->factor_count,
                                          &in->place, in->error) < 0)
        return -1;
    if (emissions_parse(name, text, size, &file, in->error) < 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < file.row_count && result == 0; i++)
        result = check_new(in, &file, &file.rows[i]);
    for (size_t i = 0; i < file.row_count && result == 0; i++)
        result = add_row(in, &file, &file.rows[i]);
    emissions_free(&file);
    return result;
}

int import_codecarbon_check(const struct import_request *request, struct error *error)
{
    for (size_t i = 0; i < request->file_count; i++) {
        size_t size;
        struct emissions file;
        AUTO_FREE char *text = file_read(request->files[i], FILE_BYTES_MOST, &size, error);
        if (!text || emissions_parse(request->files[i], text, size, &file, error) < 0)
            return -1;
        emissions_free(&file);
    }
    return 0;
}

int import_codecarbon(struct store *store, const struct import_request *request,
                      struct import_outcome *outcome, struct error *error)
{
    *outcome = (struct import_outcome){0};
    return import_files(
        &(struct importing){.store = store, .request = request, .outcome = outcome, .error = error},
        take_emissions);
}

/* ---- what is added to a run ---- */

/* The file's run, changed by `attach`, goes back into the store. */
static int amend(struct importing *in, size_t number, const char *name, const void *content, double energy_j,
                 int (*attach)(const void *content, const char *file, const struct import_request *request,
                               struct imported_run *run, struct error *error))
{
    struct import_line line = {.repetition = in->request->repetition + (int64_t)number, .energy_j = energy_j};
    struct imported_run run = {0};
    int result = store_import_which(in->store, in->request->factors, in->request->factor_count,
                                    line.repetition, &line.run, in->error);
    if (result == 0)
        result = store_read_record(in->store, line.run, &run.record, in->error);
    if (result == 0 && attach(content, name, in->request, &run, in->error) < 0)
        result = error_prefix(in->error, "%s", name);
    if (result == 0)
        result = store_import_amend(in->store, line.run, &run, in->error);
    imported_run_free(&run);
    return result < 0 ? -1 : add_line(in, line, name);
}

static int attach_wattmeter(const void *content, const char *file, const struct import_request *request,
                            struct imported_run *run, struct error *error)
{
    return wall_summary_attach(content, file, request->channel, run, error);
}

static int take_wattmeter(struct importing *in, size_t number, const char *name, const char *text,
                          size_t size)
{
    struct wall_summary summary;
    if (wall_summary_parse(name, text, size, &summary, in->error) < 0)
        return -1;
    int result = amend(in, number, name, &summary, summary.energy_j, attach_wattmeter);
    wall_summary_free(&summary);
    return result;
}

int import_wattmeter(struct store *store, const struct import_request *request,
                     struct import_outcome *outcome, struct error *error)
{
    *outcome = (struct import_outcome){0};
    return import_files(
        &(struct importing){.store = store, .request = request, .outcome = outcome, .error = error},
        take_wattmeter);
}

static int attach_curves(const void *content, const char *file, const struct import_request *request,
                         struct imported_run *run, struct error *error)
{
    (void)request;
    return curves_attach(content, file, run, error);
}

static int take_curves(struct importing *in, size_t number, const char *name, const char *text, size_t size)
{
    struct curves curves;
    if (curves_parse(name, text, size, &curves, in->error) < 0)
        return -1;
    int result = amend(in, number, name, &curves, NAN, attach_curves);
    curves_free(&curves);
    return result;
}

int import_accuracy(struct store *store, const struct import_request *request, struct import_outcome *outcome,
                    struct error *error)
{
    *outcome = (struct import_outcome){0};
    return import_files(
        &(struct importing){.store = store, .request = request, .outcome = outcome, .error = error},
        take_curves);
}
