/* From the store into the report: how it was measured, epochs, power traces. */
#include "report/rows.h"

#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A page of ten thousand runs must stay a page: so many traces, of so many points. */
#define TRACES_MOST   24
#define TRACE_BINS    400
#define CHANNELS_MOST 16

/* ---- instruments, hosts, notes ---- */

static int load_channels(struct report *report, struct store *store, struct error *error)
{
    static const char sql[] =
        "SELECT c.meter, c.name, c.part_of, c.scope, c.kind, c.accuracy_source, c.accuracy, count(DISTINCT "
        "c.run), c.apart, "
        "sum(e.energy_j), sum(e.gap_s), "
        "sum((SELECT count(*) FROM gap WHERE gap.run = c.run AND gap.channel = c.ordinal)) "
        "FROM channel c JOIN run ON run.id = c.run AND run.state = 'done' "
        "LEFT JOIN energy e ON e.run = c.run AND e.channel = c.ordinal AND e.window = 0 "
        "GROUP BY c.meter, c.name, c.part_of, c.scope, c.kind, c.accuracy, c.accuracy_source, c.apart "
        "ORDER BY min(c.ordinal), c.meter, c.name";
    double room;
    if (rows_single(report, store,
                    "SELECT count(*) FROM (SELECT DISTINCT meter, name, part_of, scope, kind, accuracy, "
                    "accuracy_source, apart FROM channel)",
                    &room, error) < 0)
        return -1;
    report->channels = report_alloc(report, (size_t)room, sizeof *report->channels, error);
    AUTO_ROWS struct rows rows = {0};
    if (!report->channels || rows_open(&rows, report, store, sql, error) < 0)
        return -1;
    int got = 0;
    while (report->channel_count < (size_t)room && (got = rows_next(&rows, error)) == 1) {
        report->channels[report->channel_count++] = (struct channel_use){
            .meter = rows_name(&rows, 0),
            .name = rows_name(&rows, 1),
            .part_of = rows_text(&rows, 2),
            .scope = rows_name(&rows, 3),
            .kind = rows_name(&rows, 4),
            .accuracy_source = rows_name(&rows, 5),
            .accuracy = rows_number(&rows, 6),
            .runs = rows_integer(&rows, 7),
            .apart = rows_integer(&rows, 8) != 0,
            .energy_j = rows_number(&rows, 9),
            .gap_s = rows_number(&rows, 10),
            .gaps = rows_integer(&rows, 11),
        };
    }
    return got < 0 || rows.failed ? -1 : 0;
}

static int load_hosts(struct report *report, struct store *store, struct error *error)
{
    double room;
    if (rows_single(report, store, "SELECT count(*) FROM host", &room, error) < 0)
        return -1;
    report->hosts = report_alloc(report, (size_t)room, sizeof *report->hosts, error);
    static const char sql[] =
        "SELECT h.name, h.cpu_model, h.kernel, h.os, h.virtualisation, h.version, h.sockets, h.logical_cpus, "
        "h.memory_bytes, count(run.id) FROM host h LEFT JOIN run ON run.host = h.id AND run.state = 'done' "
        "GROUP BY h.id ORDER BY h.id";
    AUTO_ROWS struct rows rows = {0};
    if (!report->hosts || rows_open(&rows, report, store, sql, error) < 0)
        return -1;
    int got = 0;
    while (report->host_count < (size_t)room && (got = rows_next(&rows, error)) == 1) {
        report->hosts[report->host_count++] = (struct host_use){
            .name = rows_name(&rows, 0),
            .cpu_model = rows_name(&rows, 1),
            .kernel = rows_name(&rows, 2),
            .os = rows_name(&rows, 3),
            .virtualisation = rows_name(&rows, 4),
            .version = rows_name(&rows, 5),
            .sockets = rows_integer(&rows, 6),
            .logical_cpus = rows_integer(&rows, 7),
            .memory_bytes = rows_integer(&rows, 8),
            .runs = rows_integer(&rows, 9),
        };
    }
    return got < 0 || rows.failed ? -1 : 0;
}

static int load_notes(struct report *report, struct store *store, struct error *error)
{
    enum { NOTES_MOST = 50 };
    report->notes = report_alloc(report, NOTES_MOST, sizeof *report->notes, error);
    AUTO_ROWS struct rows rows = {0};
    if (!report->notes ||
        rows_open(&rows, report, store,
                  "SELECT text, count(*) AS runs FROM note WHERE text NOT GLOB '" STORE_BEFORE_RUN
                  "*' AND text NOT GLOB '" STORE_ENVIRONMENT "*' GROUP BY text ORDER BY runs DESC, text",
                  error) < 0)
        return -1;
    int got = 0;
    while (report->note_count < NOTES_MOST && (got = rows_next(&rows, error)) == 1)
        report->notes[report->note_count++] = (struct note_use){rows_name(&rows, 0), rows_integer(&rows, 1)};
    return got < 0 || rows.failed ? -1 : 0;
}

static int load_recorder(struct report *report, struct store *store, struct error *error)
{
    static const char sql[] =
        "SELECT max(rate_hz), sum(recorder_cpu_s) / sum(wall_s), max(recorder_peak_rss) "
        "FROM run WHERE state = 'done' AND wall_s > 0 AND recorder_cpu_s IS NOT NULL";
    AUTO_ROWS struct rows rows = {0};
    if (rows_open(&rows, report, store, sql, error) < 0 || rows_next(&rows, error) < 0)
        return -1;
    report->rate_hz = rows_number(&rows, 0);
    report->recorder_share = rows_number(&rows, 1);
    report->recorder_peak_rss = rows_number(&rows, 2);
    return 0;
}

int report_load_details(struct report *report, struct store *store, struct error *error)
{
    if (load_channels(report, store, error) < 0 || load_hosts(report, store, error) < 0 ||
        load_notes(report, store, error) < 0)
        return -1;
    return load_recorder(report, store, error);
}

/* ---- epochs ---- */

struct epoch_row {
    size_t group;
    int64_t epoch;
    double energy_j, energy_so_far_j, accuracy, loss, wall_s;
};

static int compare_epochs(const void *a, const void *b)
{
    const struct epoch_row *p = a, *q = b;
    if (p->group != q->group)
        return p->group < q->group ? -1 : 1;
    return (p->epoch > q->epoch) - (p->epoch < q->epoch);
}

static int compare_run_ids(const void *a, const void *b)
{
    const struct run *p = a, *q = b;
    return (p->id > q->id) - (p->id < q->id);
}

static struct run *find_run(const struct report *report, int64_t id)
{
    const struct run key = {.id = id};
    return bsearch(&key, report->runs, report->run_count, sizeof key, compare_run_ids);
}

/* Complete epochs of done runs, in order of run and epoch. */
static int read_epochs(struct report *report, struct store *store, struct epoch_row *epochs, size_t room,
                       size_t *count, struct error *error)
{
    static const char sql[] = "SELECT e.run, e.epoch, e.software_j, e.hardware_j, coalesce(e.val_accuracy, "
                              "e.accuracy), e.accuracy, coalesce(e.val_loss, e.loss), e.wall_s FROM epochs e "
                              "JOIN run ON run.id = e.run AND run.state = 'done' "
                              "WHERE e.complete ORDER BY e.run, e.epoch";
    bool hardware = strcmp(report->basis, "hardware") == 0;
    bool validated = report->accuracy_metric && strcmp(report->accuracy_metric, "val_accuracy") == 0;
    AUTO_ROWS struct rows rows = {0};
    if (rows_open(&rows, report, store, sql, error) < 0)
        return -1;
    int got = 0;
    int64_t before = -1;
    double so_far_j = 0;
    while (*count < room && (got = rows_next(&rows, error)) == 1) {
        int64_t id = rows_integer(&rows, 0);
        const struct run *run = find_run(report, id);
        if (!run || run->group == NO_GROUP ||
            run->replaced) /* what is published of its epochs does not hold */
            continue;
        double energy_j = rows_number(&rows, hardware ? 3 : 2);
        so_far_j = id == before ? so_far_j + energy_j : energy_j;
        before = id;
        epochs[(*count)++] = (struct epoch_row){run->group,
                                                rows_integer(&rows, 1),
                                                energy_j,
                                                so_far_j,
                                                rows_number(&rows, validated ? 4 : 5),
                                                rows_number(&rows, 6),
                                                rows_number(&rows, 7)};
    }
    return got < 0 ? -1 : 0;
}

static int summarise_column(const struct epoch_row *rows, size_t count, size_t offset, double *values,
                            struct summary *summary, struct error *error)
{
    size_t known = 0;
    for (size_t i = 0; i < count; i++) {
        double value;
        memcpy(&value, (const char *)&rows[i] + offset, sizeof value);
        if (isfinite(value))
            values[known++] = value;
    }
    return stats_summarise(values, known, summary, error);
}

static int summarise_epoch(const struct epoch_row *rows, size_t count, double *values, struct epoch *epoch,
                           struct error *error)
{
    epoch->group = rows[0].group;
    epoch->epoch = rows[0].epoch;
    struct {
        size_t offset;
        struct summary *summary;
    } columns[] = {
        {offsetof(struct epoch_row, energy_j), &epoch->energy_j},
        {offsetof(struct epoch_row, energy_so_far_j), &epoch->energy_so_far_j},
        {offsetof(struct epoch_row, accuracy), &epoch->accuracy},
        {offsetof(struct epoch_row, loss), &epoch->loss},
        {offsetof(struct epoch_row, wall_s), &epoch->wall_s},
    };
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (summarise_column(rows, count, columns[i].offset, values, columns[i].summary, error) < 0)
            return -1;
    return 0;
}

int report_load_epochs(struct report *report, struct store *store, struct error *error)
{
    double room;
    if (rows_single(report, store,
                    "SELECT count(*) FROM window JOIN run ON run.id = window.run AND run.state = 'done' "
                    "WHERE window.name = 'epoch'",
                    &room, error) < 0)
        return -1;
    struct epoch_row *rows = report_alloc(report, (size_t)room, sizeof *rows, error);
    double *values = report_alloc(report, (size_t)room, sizeof *values, error);
    size_t count = 0;
    if (!rows || !values || read_epochs(report, store, rows, (size_t)room, &count, error) < 0)
        return -1;
    qsort(rows, count, sizeof *rows, compare_epochs);
    report->epochs = report_alloc(report, count, sizeof *report->epochs, error);
    if (!report->epochs)
        return -1;
    for (size_t first = 0, end; first < count; first = end) {
        for (end = first + 1; end < count && compare_epochs(&rows[first], &rows[end]) == 0;)
            end++;
        if (summarise_epoch(rows + first, end - first, values, &report->epochs[report->epoch_count++],
                            error) < 0)
            return -1;
    }
    return 0;
}

/* ---- power traces ---- */

static int add_sample(void *context, const struct trace_sample *sample)
{
    trace_bins_add(context, sample);
    return 0;
}

static int load_trace_labels(struct report *report, struct store *store, const struct run *run,
                             struct run_trace *trace, struct error *error)
{
    AUTO_FREE char *sql =
        text_format("SELECT meter || ' ' || name FROM channel WHERE run = %lld AND ordinal < %d "
                    "ORDER BY ordinal",
                    (long long)run->id, CHANNELS_MOST);
    AUTO_FREE char *epochs =
        text_format("SELECT start_s FROM epochs WHERE run = %lld ORDER BY start_s", (long long)run->id);
    if (!sql || !epochs)
        return error_memory(error, "power trace");
    AUTO_ROWS struct rows names = {0};
    AUTO_ROWS struct rows starts = {0};
    if (rows_open(&names, report, store, sql, error) < 0 ||
        rows_open(&starts, report, store, epochs, error) < 0)
        return -1;
    int got = 0;
    for (size_t i = 0; i < trace->bins.channels && (got = rows_next(&names, error)) == 1; i++)
        trace->channels[i] = rows_name(&names, 0);
    if (got < 0)
        return -1;
    while (trace->epoch_count < TRACE_BINS && (got = rows_next(&starts, error)) == 1)
        trace->epoch_starts[trace->epoch_count++] = rows_number(&starts, 0);
    return got < 0 || names.failed ? -1 : 0;
}

/* Runs without a trace are passed over. */
static int load_trace(struct report *report, struct store *store, size_t place, struct error *error)
{
    const struct run *run = &report->runs[place];
    AUTO_FREE char *sql =
        text_format("SELECT (SELECT count(*) FROM channel WHERE run = %lld AND ordinal < %d), "
                    "EXISTS (SELECT 1 FROM trace WHERE run = %lld)",
                    (long long)run->id, CHANNELS_MOST, (long long)run->id);
    if (!sql)
        return error_memory(error, "power trace");
    AUTO_ROWS struct rows rows = {0};
    if (rows_open(&rows, report, store, sql, error) < 0 || rows_next(&rows, error) < 0)
        return -1;
    size_t channels = (size_t)rows_integer(&rows, 0);
    if (!rows_integer(&rows, 1) || channels == 0 || !(run->wall_s > 0))
        return 0;
    struct run_trace *trace = &report->traces[report->trace_count];
    if (trace_bins_init(&trace->bins, channels, TRACE_BINS, run->wall_s, error) < 0)
        return -1;
    report->trace_count++;
    trace->run = place;
    trace->channels = report_alloc(report, channels, sizeof *trace->channels, error);
    trace->epoch_starts = report_alloc(report, TRACE_BINS, sizeof *trace->epoch_starts, error);
    if (!trace->channels || !trace->epoch_starts || load_trace_labels(report, store, run, trace, error) < 0)
        return -1;
    return store_read_trace(store, run->id, add_sample, &trace->bins, error);
}

/* The first run of each group, then the second of each, and so on: every group is shown before any is shown
 * twice. */
static size_t choose_runs(const struct report *report, size_t *chosen, size_t *seen)
{
    size_t count = 0;
    for (size_t round = 1; count < TRACES_MOST; round++) {
        size_t before = count;
        memset(seen, 0, report->group_count * sizeof *seen);
        for (size_t i = 0; i < report->run_count && count < TRACES_MOST; i++) {
            const struct run *run = &report->runs[i];
            if (run->state == RUN_DONE && run->group != NO_GROUP && ++seen[run->group] == round)
                chosen[count++] = i;
        }
        if (count == before)
            break;
    }
    return count;
}

int report_load_traces(struct report *report, struct store *store, struct error *error)
{
    size_t chosen[TRACES_MOST];
    size_t *seen = report_alloc(report, report->group_count, sizeof *seen, error);
    report->traces = report_alloc(report, TRACES_MOST, sizeof *report->traces, error);
    if (!seen || !report->traces)
        return -1;
    size_t count = choose_runs(report, chosen, seen);
    for (size_t i = 0; i < count; i++)
        if (load_trace(report, store, chosen[i], error) < 0)
            return -1;
    return 0;
}
