#include "cli/when_job.h"

#include "base/file.h"
#include "base/text.h"
#include "cli/run.h"
#include "report/trace.h"
#include "store/store.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Fewer than a day has half hours: what is finer than a forecast's steps changes nothing. */
#define PIECES        48
#define DOCUMENT_MOST ((size_t)256 << 20)

static int make_pieces(struct when_job *when, size_t count, double duration_s, double energy_j,
                       struct error *error)
{
    when->job.pieces = calloc(count, sizeof *when->job.pieces);
    if (!when->job.pieces)
        return error_memory(error, "job");
    when->job.count = count;
    for (size_t i = 0; i < count; i++)
        when->job.pieces[i] = (struct job_piece){duration_s / (double)count, energy_j / (double)count};
    return 0;
}

int when_job_even(double duration_s, double energy_j, struct when_job *when, struct error *error)
{
    *when = (struct when_job){.energy_known = energy_j > 0};
    return make_pieces(when, 1, duration_s, energy_j > 0 ? energy_j : 1, error);
}

void when_job_free(struct when_job *when)
{
    free(when->job.pieces);
    free(when->run);
    *when = (struct when_job){0};
}

static int check_figures(double wall_s, double energy_j, struct error *error)
{
    if (!(wall_s > 0) || !isfinite(wall_s))
        return error_set(error, "it took no time");
    if (!(energy_j > 0) || !isfinite(energy_j))
        return error_set(error, "its energy is not known");
    return 0;
}

/* ---- joulery.run/1 ---- */

static int read_document(const char *path, struct when_job *when, struct error *error)
{
    size_t size;
    json_error_t wrong;
    const char *schema;
    double wall_s;
    json_t *software = NULL, *hardware = NULL;
    int estimated;
    AUTO_FREE char *text = file_read(path, DOCUMENT_MOST, &size, error);
    if (!text)
        return -1;
    json_t *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &wrong);
    if (!json)
        return error_set(error, "%s:%d: %s", path, wrong.line, wrong.text);
    int result =
        json_unpack(json, "{s:s, s:F, s:{s:o, s:o, s:b}}", "schema", &schema, "wall_s", &wall_s, "totals",
                    "software_j", &software, "hardware_j", &hardware, "estimated", &estimated);
    if (result == 0 && strcmp(schema, "joulery.run/1") == 0) {
        bool has_software = json_is_number(software);
        double energy_j = json_number_value(has_software ? software : hardware);
        when->estimated = has_software && estimated;
        result = check_figures(wall_s, energy_j, error) < 0 ? error_prefix(error, "%s", path)
                                                            : make_pieces(when, 1, wall_s, energy_j, error);
    } else {
        result = error_set(error, "%s: expected joulery.run/1, as `joulery run --json FILE` writes it", path);
    }
    json_decref(json);
    return result;
}

/* ---- a run of a database ---- */

/* Those whose sum the energy is. */
static bool counts(const struct record *record, size_t channel)
{
    if (!isnan(record_totals(record, 0).software_j))
        return channel_in_software(record->channels, record->channel_count, channel);
    return record->channels[channel].scope == SCOPE_WALL && !record->channels[channel].apart;
}

static int add_sample(void *context, const struct trace_sample *sample)
{
    trace_bins_add(context, sample);
    return 0;
}

/* Mean power of a channel where its trace has none. */
static double usual_power_w(const struct record *record, size_t channel)
{
    const struct channel_energy *energy = &record->windows[0].energies[channel];
    double known_s = record->wall_s - energy->gap_s;
    return energy->known && known_s > 0 ? energy->energy_j / known_s : 0;
}

/* The trace decides when, the record how much. */
static void shape(struct when_job *when, const struct record *record, const struct trace_bins *trace)
{
    double energy_j = job_energy_j(&when->job), sum = 0, power_w[PIECES] = {0};
    for (size_t bin = 0; bin < PIECES; bin++) {
        for (size_t i = 0; i < record->channel_count; i++) {
            double found_w = trace_bins_power(trace, i, bin);
            if (counts(record, i))
                power_w[bin] += isnan(found_w) ? usual_power_w(record, i) : found_w;
        }
        power_w[bin] = fmax(power_w[bin], 0);
        sum += power_w[bin];
    }
    for (size_t bin = 0; sum > 0 && bin < PIECES; bin++)
        when->job.pieces[bin].energy_j = energy_j * power_w[bin] / sum;
}

static int take_record(struct store *store, int64_t run, struct when_job *when, struct error *error)
{
    struct record record = {0};
    struct trace_bins trace = {0};
    int result = store_read_record(store, run, &record, error);
    double energy_j = result == 0 ? run_energy_j(&record) : NAN;
    if (result == 0)
        result = check_figures(record.wall_s, energy_j, error);
    if (result == 0)
        result = make_pieces(when, PIECES, record.wall_s, energy_j, error);
    if (result == 0)
        result = trace_bins_init(&trace, record.channel_count, PIECES, record.wall_s, error);
    if (result == 0)
        result = store_read_trace(store, run, add_sample, &trace, error);
    if (result == 0) {
        shape(when, &record, &trace);
        when->estimated = record_totals(&record, 0).estimated;
    }
    trace_bins_free(&trace);
    record_free(&record);
    return result;
}

struct choice {
    int64_t wanted; /* 0: the only one */
    int64_t run;
    size_t finished;
    bool there;
};

static int choose(void *context, const struct run_line *line)
{
    struct choice *choice = context;
    choice->there = choice->there || line->run == choice->wanted;
    if (strcmp(line->state, "done") != 0 || (choice->wanted && line->run != choice->wanted))
        return 0;
    choice->finished++;
    choice->run = line->run;
    return 0;
}

static int find_run(struct store *store, const char *path, int64_t wanted, int64_t *run, struct error *error)
{
    struct choice choice = {.wanted = wanted};
    if (store_list_runs(store, choose, &choice, error) < 0)
        return -1;
    *run = choice.run;
    if (choice.finished == 1)
        return 0;
    if (wanted)
        return error_set(error, "%s: run %" PRId64 " %s", path, wanted,
                         choice.there ? "is not finished" : "is not in it");
    if (choice.finished == 0)
        return error_set(error, "%s: no finished run is in it", path);
    return error_set(error, "%s: %zu finished runs are in it: which one is written as %s:RUN", path,
                     choice.finished, path);
}

/* "study.db:3": the file and the number; a name without a number is the file's alone. */
static int split_name(const char *name, char **path, int64_t *run)
{
    const char *colon = strrchr(name, ':');
    *run = 0;
    bool numbered = colon && text_to_i64(colon + 1, run) == 0 && *run > 0;
    *run = numbered ? *run : 0;
    *path = numbered ? strndup(name, (size_t)(colon - name)) : strdup(name);
    return *path ? 0 : -1;
}

static int read_database(const char *name, struct when_job *when, struct error *error)
{
    AUTO_FREE char *path = NULL;
    int64_t wanted, run = 0;
    if (split_name(name, &path, &wanted) < 0)
        return error_memory(error, "run");
    struct store *store = store_open(path, STORE_READ, error);
    int result = store ? find_run(store, path, wanted, &run, error) : -1;
    if (result == 0) {
        when->run = text_format("run %" PRId64 " of %s", run, path);
        result = take_record(store, run, when, error);
        if (result < 0)
            error_prefix(error, "%s: run %" PRId64, path, run);
    }
    store_close(store);
    return result;
}

int when_job_of_run(const char *name, struct when_job *when, struct error *error)
{
    *when = (struct when_job){.energy_known = true};
    size_t length = strlen(name);
    bool document = length > 5 && strcmp(name + length - 5, ".json") == 0;
    if (!document)
        return read_database(name, when, error);
    when->run = strdup(name);
    return read_document(name, when, error);
}
