#include "exchange/tool_runs.h"

#include "base/clock.h"
#include "base/text.h"
#include "exchange/into_record.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TOOL        "carbontracker"
#define TIME_CHARS  19 /* 2022-11-14 15:44:48 */
#define TIMESTAMP_S 2  /* they are in whole seconds */

enum part { CPU, GPU, PARTS };

static const struct {
    const char *name;
    enum channel_scope scope;
} parts[PARTS] = {[CPU] = {"cpu", SCOPE_CPU}, [GPU] = {"gpu", SCOPE_GPU}};

struct epoch {
    uint64_t number;
    int64_t ended_wall_ns;
    double wall_s; /* NAN: the log ends before it says */
    double power_w[PARTS];
    size_t line;
};

struct log {
    const char *name;
    struct epoch *epochs;
    size_t count;
    char *version;
    char *processors; /* what "CPU with device(s)" names; NULL: nothing */
    bool totals;      /* it has what the other of the two logs has */
    bool interrupted;
    size_t line;
    struct epoch *powers_of; /* a list of powers goes on in the next line */
    enum part part;
};

/* ---- lines ---- */

static int wrong(const struct log *log, const char *expected, const char *found, struct error *error)
{
    AUTO_FREE char *shown = text_printable(found);
    return error_set(error, "%s:%zu: expected %s, found '%s'", log->name, log->line, expected,
                     shown ? shown : "");
}

/* What follows `start`; NULL: the message does not begin so. */
static const char *after(const char *message, const char *start)
{
    size_t length = strlen(start);
    return strncmp(message, start, length) == 0 ? message + length : NULL;
}

/* "0:02:21.90" */
static int read_duration(const char *text, double *wall_s)
{
    uint64_t hours, minutes;
    double seconds;
    AUTO_FREE char *copy = strdup(text);
    char *first = copy ? strchr(copy, ':') : NULL;
    char *second = first ? strchr(first + 1, ':') : NULL;
    if (!second)
        return -1;
    *first = *second = '\0';
    if (text_to_u64(copy, &hours) < 0 || text_to_u64(first + 1, &minutes) < 0 ||
        text_to_double(second + 1, &seconds) < 0 || hours > 1000000 || minutes > 59 || seconds < 0 ||
        seconds > 60)
        return -1;
    *wall_s = (double)hours * 3600 + (double)minutes * 60 + seconds;
    return 0;
}

/* Adds the powers of "[136.9 13.4]", "[136.9", "None": one a device; the list may go on in further lines. */
static int read_powers(struct log *log, const char *text, struct error *error)
{
    struct epoch *epoch = log->powers_of;
    double *sum_w = &epoch->power_w[log->part];
    AUTO_FREE char *copy = strdup(text);
    if (!copy)
        return error_memory(error, log->name);
    char *rest = NULL;
    bool open = strchr(text, '[') || isfinite(*sum_w);
    for (char *word = strtok_r(copy, " []\t", &rest); word; word = strtok_r(NULL, " []\t", &rest)) {
        double power_w;
        if (strcmp(word, "None") == 0)
            continue;
        if (text_to_double(word, &power_w) < 0 || !(power_w >= 0 && power_w < 1e9))
            return wrong(log, "watts", word, error);
        *sum_w = isnan(*sum_w) ? power_w : *sum_w + power_w;
    }
    if (!open || strchr(text, ']'))
        log->powers_of = NULL;
    return 0;
}

static int begin_epoch(struct log *log, const char *text, int64_t wall_ns, struct error *error)
{
    AUTO_FREE char *number = strndup(text, strcspn(text, ":"));
    struct epoch epoch = {.ended_wall_ns = wall_ns, .wall_s = NAN, .power_w = {NAN, NAN}, .line = log->line};
    if (!number)
        return error_memory(error, log->name);
    if (text_to_u64(number, &epoch.number) < 0 || epoch.number > INT32_MAX)
        return wrong(log, "the number of an epoch", text, error);
    struct epoch *grown = reallocarray(log->epochs, log->count + 1, sizeof *grown);
    if (!grown)
        return error_memory(error, log->name);
    log->epochs = grown;
    grown[log->count++] = epoch;
    return 0;
}

/* "cpu: [13.4]" */
static int begin_powers(struct log *log, const char *text, struct error *error)
{
    for (size_t part = 0; part < PARTS; part++) {
        const char *powers = after(text, parts[part].name);
        if (!powers || *powers != ':')
            continue;
        log->powers_of = &log->epochs[log->count - 1];
        log->powers_of->power_w[part] = NAN;
        log->part = (enum part)part;
        return read_powers(log, powers + 1, error);
    }
    return wrong(log, "the power of cpu or gpu", text, error);
}

static int take_components(struct log *log, const char *text, struct error *error)
{
    static const char mark[] = "CPU with device(s) ";
    const char *devices = strstr(text, mark);
    if (!devices || log->processors)
        return 0;
    log->processors = strdup(devices + sizeof mark - 1);
    if (!log->processors)
        return error_memory(error, log->name);
    size_t length = strlen(log->processors);
    if (length > 0 && log->processors[length - 1] == '.')
        log->processors[length - 1] = '\0';
    return 0;
}

static int take_message(struct log *log, const char *message, int64_t wall_ns, struct error *error)
{
    const char *text;
    log->powers_of = NULL;
    if ((text = after(message, "Epoch ")))
        return begin_epoch(log, text, wall_ns, error);
    if ((text = after(message, "Duration: ")) && log->count > 0)
        return read_duration(text, &log->epochs[log->count - 1].wall_s) == 0
                   ? 0
                   : wrong(log, "a duration like 0:02:21.90", text, error);
    if ((text = after(message, "Average power usage (W) for ")) && log->count > 0)
        return begin_powers(log, text, error);
    if ((text = after(message, "The following components were found:")))
        return take_components(log, text, error);
    if ((text = after(message, "carbontracker version ")) && !log->version) {
        log->version = strdup(text);
        return log->version ? 0 : error_memory(error, log->name);
    }
    log->totals = log->totals || after(message, "CarbonTracker:");
    log->interrupted = log->interrupted || after(message, "Training was interrupted");
    return 0;
}

/* "2022-11-14 15:44:48 - message"; other lines go on with the one before. */
static int take_line(struct log *log, char *line, struct error *error)
{
    size_t length = strlen(line);
    while (length > 0 && (line[length - 1] == '\r' || line[length - 1] == ' '))
        line[--length] = '\0';
    int64_t wall_ns;
    AUTO_FREE char *time = text_format("%.*sZ", TIME_CHARS, line);
    if (!time)
        return error_memory(error, log->name);
    if (length > TIME_CHARS + 3 && strncmp(line + TIME_CHARS, " - ", 3) == 0 &&
        clock_parse_time(time, &wall_ns) == 0)
        return take_message(log, line + TIME_CHARS + 3, wall_ns, error);
    return log->powers_of ? read_powers(log, line, error) : 0;
}

static int read_lines(struct log *log, const char *text, size_t size, struct error *error)
{
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t length = end ? (size_t)(end - text) - at : size - at;
        log->line++;
        AUTO_FREE char *line = strndup(text + at, length);
        if (!line)
            return error_memory(error, log->name);
        if (take_line(log, line, error) < 0)
            return -1;
        at += length + 1;
    }
    return 0;
}

/* ---- into a run ---- */

/* Epochs that say how long they took: a log that was cut may end within one. */
static size_t whole_epochs(const struct log *log)
{
    size_t count = 0;
    while (count < log->count && log->epochs[count].wall_s > 0)
        count++;
    return count;
}

static int64_t began_ns(const struct epoch *epoch)
{
    return epoch->ended_wall_ns - (int64_t)(epoch->wall_s * (double)NS_PER_S);
}

/* RAPL's domains are called cpu:0, dram:0; else the name of the model stands there, and the power is half of
 * its thermal design power, whatever it does. */
static bool processors_measured(const struct log *log)
{
    return log->processors &&
           (strncmp(log->processors, "cpu:", 4) == 0 || strncmp(log->processors, "dram:", 5) == 0);
}

/* How many of its domains are called so. */
static uint32_t count_domains(const struct log *log, const char *name)
{
    uint32_t count = 0;
    for (const char *at = log->processors; (at = strstr(at, name)); at++)
        count++;
    return count;
}

static int add_part(const struct log *log, size_t epochs, enum part part, double gap_s, struct tool_run *run,
                    struct error *error)
{
    double energy_j = NAN;
    for (size_t i = 0; i < epochs; i++) {
        const struct epoch *epoch = &log->epochs[i];
        double epoch_j = epoch->power_w[part] * epoch->wall_s;
        if (isnan(epoch_j))
            gap_s += epoch->wall_s;
        else
            energy_j = isnan(energy_j) ? epoch_j : energy_j + epoch_j;
    }
    if (isnan(energy_j))
        return 0;
    bool model = part == CPU && !processors_measured(log);
    if (tool_run_channel(run, parts[part].name, parts[part].scope, model ? KIND_MODEL : KIND_POWER, energy_j,
                         error) < 0)
        return -1;
    struct record *record = &run->run.record;
    record->windows[0].energies[record->channel_count - 1].gap_s = gap_s;
    for (size_t i = 0; i < epochs; i++) {
        double epoch_j = log->epochs[i].power_w[part] * log->epochs[i].wall_s;
        record->windows[i + 1].energies[record->channel_count - 1] = (struct channel_energy){
            .known = !isnan(epoch_j), .energy_j = isnan(epoch_j) ? 0 : epoch_j, .uncertainty_j = NAN};
    }
    return 0;
}

static int add_epochs(const struct log *log, size_t epochs, struct record *record, struct error *error)
{
    for (size_t i = 0; i < epochs; i++) {
        const struct epoch *epoch = &log->epochs[i];
        struct window *window = record_add_window(record, "epoch", (int64_t)epoch->number, error);
        if (!window)
            return -1;
        double start_s = (double)(began_ns(epoch) - record->started_wall_ns) / (double)NS_PER_S;
        window->wall_s = epoch->wall_s;
        window->start_s = fmax(0, fmin(start_s, record->wall_s - epoch->wall_s));
    }
    return 0;
}

static int add_notes(const struct log *log, size_t epochs, double gap_s, struct record *record,
                     struct error *error)
{
    if (record_add_note(
            record, error,
            "imported from carbontracker: the energy of an epoch is its mean power by its "
            "duration; what lies between epochs is not in it; its times have no zone and stand as UTC") < 0)
        return -1;
    if (processors_measured(log) && count_domains(log, "dram:") > 0 &&
        record_add_note(record, error, "carbontracker/cpu: the memory's energy is in it") < 0)
        return -1;
    if (gap_s > 0 &&
        record_add_note(record, error, "carbontracker: %.0f s lie between its epochs", gap_s) < 0)
        return -1;
    if (!processors_measured(log) && log->processors &&
        record_add_note(record, error,
                        "carbontracker: the processors' power is half the thermal design power of '%s': no "
                        "measurement",
                        log->processors) < 0)
        return -1;
    if (epochs < log->count &&
        record_add_note(record, error, "carbontracker: the log ends within epoch %" PRIu64,
                        log->epochs[epochs].number) < 0)
        return -1;
    return log->interrupted ? record_add_note(record, error, "carbontracker: training was interrupted") : 0;
}

static int add_run(const struct log *log, const struct tool_options *options, struct tool_runs *runs,
                   struct error *error)
{
    size_t epochs = whole_epochs(log);
    if (epochs == 0)
        return error_set(error, "%s: no epoch with a duration%s", log->name,
                         log->totals
                             ? ": this is carbontracker's output; its powers are in the log beside it "
                               "whose name ends with _carbontracker.log"
                             : ": expected a log that carbontracker wrote (…_carbontracker.log)");
    double sum_s = 0;
    for (size_t i = 0; i < epochs; i++)
        sum_s += log->epochs[i].wall_s;
    int64_t started_ns = began_ns(&log->epochs[0]);
    double span_s = (double)(log->epochs[epochs - 1].ended_wall_ns - started_ns) / (double)NS_PER_S;
    double gap_s = span_s - sum_s > TIMESTAMP_S ? span_s - sum_s : 0;
    bool measured = processors_measured(log);
    struct tool_run *run =
        tool_runs_add(runs,
                      &(struct tool_origin){.tool = TOOL,
                                            .version = log->version ? log->version : "",
                                            .file = log->name,
                                            .started_wall_ns = started_ns > 0 ? started_ns : 0,
                                            .wall_s = sum_s + gap_s,
                                            .cpu_model = measured ? NULL : log->processors,
                                            .sockets = options->sockets ? options->sockets
                                                       : measured       ? count_domains(log, "cpu:")
                                                                        : 0},
                      error);
    AUTO_FREE char *time = clock_iso8601(log->epochs[0].ended_wall_ns);
    AUTO_FREE char *id = text_format("%s, %.2f s", time ? time : "", log->epochs[0].wall_s);
    if (!run || !id || tool_run_identify(run, id, error) < 0 ||
        add_epochs(log, epochs, &run->run.record, error) < 0)
        return -1;
    for (size_t part = 0; part < PARTS; part++)
        if (add_part(log, epochs, (enum part)part, gap_s, run, error) < 0)
            return -1;
    if (run->run.record.channel_count == 0)
        return error_set(error, "%s: no power of cpu or gpu in any epoch", log->name);
    return add_notes(log, epochs, gap_s, &run->run.record, error);
}

int carbontracker_runs(const char *name, const char *text, size_t size, const struct tool_options *options,
                       struct tool_runs *runs, struct error *error)
{
    struct log log = {.name = name};
    *runs = (struct tool_runs){0};
    int result = read_lines(&log, text, size, error);
    if (result == 0)
        result = add_run(&log, options, runs, error);
    free(log.epochs);
    free(log.version);
    free(log.processors);
    return result;
}
