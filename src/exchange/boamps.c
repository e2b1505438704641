#include "exchange/boamps.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "exchange/codecarbon.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SPECIFICATION "https://github.com/Boavizta/BoAmps/tree/main/model"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* ---- the words of the schema ---- */

static const char *const data_types[] = {"tabular", "audio", "boolean", "image", "video", "object",
                                         "text",    "token", "word",    "other", NULL};
static const char *const infrastructures[] = {"publicCloud", "privateCloud", "onPremise", "other", NULL};

static int check_word(const char *option, const char *word, const char *const *words, struct error *error)
{
    struct text all = TEXT_INIT;
    bool found = !word;
    for (size_t i = 0; words[i]; i++) {
        found = found || strcmp(word, words[i]) == 0;
        text_printf(&all, "%s%s", i ? ", " : "", words[i]);
    }
    int result = found ? 0
                       : error_set(error, "%s: BoAmps has no '%s': expected one of %s", option, word,
                                   all.data ? all.data : "");
    text_free(&all);
    return result;
}

int boamps_check(const struct boamps_options *options, struct error *error)
{
    if (check_word("--data-type", options->data_type, data_types, error) < 0)
        return -1;
    return check_word("--infrastructure", options->infrastructure, infrastructures, error);
}

/* ---- members that may be left out ---- */

static void put(json_t *object, const char *name, json_t *value)
{
    json_object_set_new(object, name, value);
}

static void put_text(json_t *object, const char *name, const char *text)
{
    AUTO_FREE char *clean = text && *text ? text_utf8(text, strlen(text)) : NULL;
    if (clean)
        put(object, name, json_string(clean));
}

static void put_number(json_t *object, const char *name, double value)
{
    if (isfinite(value))
        put(object, name, json_real(value));
}

/* As the schema has times: "2026-11-23 18:43:43". */
static void put_time(json_t *object, const char *name, int64_t wall_ns)
{
    AUTO_FREE char *time = clock_iso8601(wall_ns);
    if (!time || strlen(time) != 20)
        return;
    time[10] = ' ';
    time[19] = '\0';
    put_text(object, name, time);
}

/* ---- what the command tells ---- */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Joulery's own trainer trains classifiers of images, by examples with labels. */
static bool is_own_trainer(const struct record *record)
{
    if (record->source || record->command_count < 2 || strcmp(record->command[1], "train") != 0)
        return false;
    const char *name = base_name(record->command[0]);
    return strcmp(name, "joulery") == 0 || strcmp(name, "joulery-train") == 0;
}

/* The value of --option VALUE or --option=VALUE; NULL: it is not given. */
static const char *own_option(const struct record *record, const char *option)
{
    size_t length = strlen(option);
    for (size_t i = 2; is_own_trainer(record) && i < record->command_count; i++) {
        const char *word = record->command[i];
        if (strncmp(word, option, length) == 0 && word[length] == '=')
            return word + length + 1;
        if (strcmp(word, option) == 0 && i + 1 < record->command_count)
            return record->command[i + 1];
    }
    return NULL;
}

static size_t count_epochs(const struct record *record)
{
    size_t epochs = 0;
    for (size_t i = 0; i < record->window_count; i++)
        epochs += strcmp(record->windows[i].name, "epoch") == 0 && record->windows[i].complete;
    return epochs;
}

/* The last value of the first of these metrics that the workload gave; NAN. */
static double last_metric(const struct record *record, const char *name)
{
    double value = NAN;
    for (size_t i = 0; i < record->window_count; i++)
        for (size_t m = 0; m < record->windows[i].metric_count; m++)
            if (strcmp(record->windows[i].metrics[m].name, name) == 0)
                value = record->windows[i].metrics[m].value;
    return value;
}

/* ---- the task ---- */

static int required(const char *what, const char *option, const char *example, struct error *error)
{
    return error_set(error, "BoAmps requires %s, which the database does not know: give %s, such as %s", what,
                     option, example);
}

/* The level of a factor whose name begins so. */
static const char *level_of(const json_t *factors, const char *start)
{
    const char *name;
    json_t *level;
    json_object_foreach((json_t *)factors, name, level) if (strncasecmp(name, start, strlen(start)) ==
                                                            0) return json_string_value(level);
    return NULL;
}

static json_t *algorithm(const struct record *record, const json_t *factors)
{
    json_t *object = json_object();
    bool own = is_own_trainer(record);
    const char *name = own_option(record, "--arch");
    put_text(object, "trainingType", own ? "supervisedLearning" : NULL);
    put_text(object, "algorithmType", own ? "neural network" : NULL);
    put_text(object, "algorithmName", name ? name : level_of(factors, "arch"));
    put_text(object, "framework", own ? "joulery" : NULL);
    put_text(object, "frameworkVersion", own ? record->host.version : NULL);
    if (count_epochs(record) > 0)
        put(object, "epochsNumber", json_integer((json_int_t)count_epochs(record)));
    put_text(object, "optimizer", own_option(record, "--optimizer"));
    put_text(object, "quantization", own_option(record, "--precision"));
    return object;
}

/* "study quick: arch lenet5, repetition 2". */
static char *describe(const struct boamps_run *run, const json_t *factors)
{
    struct text out = TEXT_INIT;
    const char *name;
    json_t *level;
    text_printf(&out, "study %s: ", run->study);
    json_object_foreach((json_t *)factors, name, level)
        text_printf(&out, "%s %s, ", name, json_is_string(level) ? json_string_value(level) : "");
    text_printf(&out, "repetition %" PRId64, run->repetition);
    return text_take(&out);
}

static json_t *task(const struct record *record, const struct boamps_run *run,
                    const struct boamps_options *options, const json_t *factors, struct error *error)
{
    bool own = is_own_trainer(record);
    const char *stage = own || count_epochs(record) > 0 ? "training" : NULL;
    stage = options->task_stage ? options->task_stage : stage;
    const char *family = options->task_family ? options->task_family : own ? "image classification" : NULL;
    const char *data = options->data_type ? options->data_type : own ? "image" : NULL;
    int missing = !stage ? required("the stage of the task", "--task-stage", "training", error)
                  : !family
                      ? required("the family of the task", "--task-family", "'image classification'", error)
                  : !data ? required("the type of the data", "--data-type", "image", error)
                          : 0;
    if (missing < 0)
        return NULL;
    AUTO_FREE char *description = describe(run, factors);
    json_t *object = json_object();
    put_text(object, "taskStage", stage);
    put_text(object, "taskFamily", family);
    put(object, "algorithms", json_pack("[o]", algorithm(record, factors)));
    put(object, "dataset", json_pack("[{s:s, s:s}]", "dataUsage", "input", "dataType", data));
    double accuracy = last_metric(record, "val_accuracy");
    accuracy = isnan(accuracy) ? last_metric(record, "accuracy") : accuracy;
    if (accuracy >= 0 && accuracy <= 1)
        put_number(object, "measuredAccuracy", accuracy);
    put_text(object, "taskDescription", description);
    return object;
}

/* ---- the measures ---- */

/* How the energy of a scope was come by: the meters of its channels in the software total; of an imported
 * run only that it was a constant. NULL: not known, or nothing. */
static char *tracking_mode(const struct record *record, enum channel_scope scope)
{
    struct text modes = TEXT_INIT;
    for (size_t i = 0; i < record->channel_count; i++) {
        const struct channel *channel = &record->channels[i];
        if (channel->scope != scope || !channel_in_software(record->channels, record->channel_count, i))
            continue;
        const char *mode = !record->source ? channel->meter : channel->kind == KIND_MODEL ? "model" : "";
        if (*mode && !(modes.data && strstr(modes.data, mode)))
            text_printf(&modes, "%s%s", modes.length ? "+" : "", mode);
    }
    return modes.length ? text_take(&modes) : NULL;
}

static json_t *measure(const char *method, const char *version, double energy_j)
{
    json_t *object = json_object();
    put_text(object, "measurementMethod", method);
    put_text(object, "version", version);
    put_number(object, "powerConsumption", energy_j / J_PER_KWH);
    return object;
}

static void put_when(json_t *object, const struct record *record)
{
    put_number(object, "measurementDuration", record->wall_s);
    put_time(object, "measurementDateTime", record->started_wall_ns);
}

/* NULL: not known, as of a table. */
static const char *method_of(const struct record *record, const struct boamps_run *run,
                             const struct boamps_options *options)
{
    if (!record->source)
        return "joulery";
    return options->method ? options->method : run->tool && strcmp(run->tool, "csv") != 0 ? run->tool : NULL;
}

static json_t *software_measure(const struct record *record, const struct boamps_run *run, const char *method,
                                double energy_j)
{
    json_t *object = measure(method, record->source ? run->tool_version : record->host.version, energy_j);
    put_when(object, record);
    AUTO_FREE char *cpu = tracking_mode(record, SCOPE_CPU);
    AUTO_FREE char *gpu = tracking_mode(record, SCOPE_GPU);
    put_text(object, "cpuTrackingMode", cpu);
    put_text(object, "gpuTrackingMode", gpu);
    double busy = record->attribution.known && record->host.logical_cpus > 0
                      ? record->attribution.machine_cpu_s / record->wall_s / record->host.logical_cpus
                      : NAN;
    if (busy >= 0 && busy <= 1)
        put_number(object, "averageUtilizationCpu", busy);
    return object;
}

/* A wattmeter whose energy was imported had a time of its own. */
static json_t *hardware_measure(const struct record *record, double energy_j)
{
    json_t *object = measure("wattmeter", NULL, energy_j);
    if (!record->source)
        put_when(object, record);
    return object;
}

static json_t *measures(const struct record *record, const struct boamps_run *run,
                        const struct boamps_options *options, struct error *error)
{
    struct energy_totals totals = record_totals(record, 0);
    const char *method = method_of(record, run, options);
    if (isfinite(totals.software_j) && !method) {
        required("how the energy was measured", "--method", "codecarbon", error);
        return NULL;
    }
    json_t *list = json_array();
    if (isfinite(totals.software_j))
        json_array_append_new(list, software_measure(record, run, method, totals.software_j));
    if (isfinite(totals.hardware_j))
        json_array_append_new(list, hardware_measure(record, totals.hardware_j));
    if (json_array_size(list) > 0)
        return list;
    json_decref(list);
    error_set(error, "no energy is known of it");
    return NULL;
}

/* ---- the machine ---- */

static void add_component(json_t *list, const char *type, int64_t count, const char *name, double memory_gb)
{
    json_t *object = json_pack("{s:s, s:I}", "componentType", type, "nbComponent", (json_int_t)count);
    put_text(object, "componentName", name);
    put_number(object, "memorySize", memory_gb);
    json_array_append_new(list, object);
}

static void add_gpus(json_t *list, const struct record *record, const struct boamps_run *run)
{
    if (run->gpu_count > 0)
        add_component(list, "gpu", run->gpu_count, run->gpu_model, NAN);
    for (size_t i = 0; i < record->channel_count && !record->source; i++) {
        const struct channel *channel = &record->channels[i];
        if (channel->scope == SCOPE_GPU && !channel->part_of && !channel->apart)
            add_component(list, "gpu", 1, channel->label ? channel->label : channel->name, NAN);
    }
}

static json_t *infrastructure(const struct record *record, const struct boamps_run *run,
                              const struct boamps_options *options, struct error *error)
{
    if (!options->infrastructure) {
        required("the kind of infrastructure", "--infrastructure",
                 "onPremise (or publicCloud, privateCloud, other)", error);
        return NULL;
    }
    json_t *components = json_array();
    if (record->host.sockets > 0)
        add_component(components, "cpu", record->host.sockets, record->host.cpu_model, NAN);
    if (record->host.memory_bytes > 0)
        add_component(components, "ram", 1, NULL, round((double)record->host.memory_bytes / 1e7) / 100);
    add_gpus(components, record, run);
    if (json_array_size(components) == 0) {
        json_decref(components);
        error_set(error, "BoAmps requires a component of the machine, and the database knows none of it: "
                         "neither how many processors, nor its memory or GPUs");
        return NULL;
    }
    return json_pack("{s:s, s:o}", "infraType", options->infrastructure, "components", components);
}

/* ---- the rest ---- */

/* The schema's quality is the error in percent: twice the standard uncertainty, of what was measured. NULL:
 * not known. */
static const char *quality(const struct record *record)
{
    struct energy_totals totals = record_totals(record, 0);
    double error = 2 * totals.software_uncertainty_j / totals.software_j;
    if (totals.estimated || !(error >= 0))
        return NULL;
    return error <= 0.10 ? "high" : error <= 0.25 ? "medium" : error <= 0.50 ? "low" : NULL;
}

/* "Linux" of "Linux 6.1.0", "Linux-5.4.0-…". */
static void put_system(json_t *report, const struct record *record)
{
    const char *kernel = record->host.kernel ? record->host.kernel : "";
    AUTO_FREE char *name = strndup(kernel, strcspn(kernel, " -0123456789"));
    if (!name || !*name)
        return;
    json_t *object = json_object();
    put_text(object, "os", name);
    put_text(object, "distribution", record->host.os);
    put(report, "system", object);
}

static void put_environment(json_t *report, const struct location *location)
{
    if (location)
        put(report, "environment",
            json_pack("{s:s, s:f}", "country", location->name, "powerSourceCarbonIntensity",
                      location->intensity_g_per_kwh));
}

static json_t *header(void)
{
    json_t *object = json_object();
    AUTO_FREE char *id = codecarbon_new_id();
    put_text(object, "formatVersion", BOAMPS_VERSION);
    put_text(object, "formatVersionSpecificationUri", SPECIFICATION);
    put_text(object, "reportId", id);
    put_time(object, "reportDatetime", clock_wall_ns());
    put_text(object, "reportStatus", "draft");
    return object;
}

json_t *boamps_report(const struct record *record, const struct boamps_run *run,
                      const struct boamps_options *options, struct error *error)
{
    json_t *factors = json_loads(run->factors, 0, NULL);
    json_t *tasks = task(record, run, options, factors, error);
    json_t *list = tasks ? measures(record, run, options, error) : NULL;
    json_t *machine = list ? infrastructure(record, run, options, error) : NULL;
    json_decref(factors);
    if (!machine) {
        json_decref(tasks);
        json_decref(list);
        return NULL;
    }
    json_t *report = json_pack("{s:o, s:o, s:o}", "header", header(), "task", tasks, "measures", list);
    if (!report) {
        json_decref(machine);
        error_memory(error, "BoAmps");
        return NULL;
    }
    put_system(report, record);
    if (is_own_trainer(record))
        put(report, "software", json_pack("{s:s}", "language", "c"));
    put(report, "infrastructure", machine);
    put_environment(report, options->place.location);
    put_text(report, "quality", quality(record));
    return report;
}

/* ---- all runs ---- */

struct exporting {
    struct store *store;
    const char *folder, *study;
    const struct boamps_options *options;
    struct boamps_outcome *outcome;
    struct error *error;
    bool failed;
};

/* Of the file that an imported run came from; NULL: it does not say. -1 without memory. */
static int imported_value(const struct exporting *out, int64_t run, const char *sql, char **value)
{
    sqlite3_stmt *row = NULL;
    *value = NULL;
    int code = sqlite3_prepare_v2(store_database(out->store), sql, -1, &row, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(row, 1, run);
    if (code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(row, 0);
        *value = text && *text ? strdup(text) : NULL;
    }
    sqlite3_finalize(row);
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return 0;
    return error_set(out->error, "the database can't be read: %s",
                     sqlite3_errmsg(store_database(out->store)));
}

static int write_report(const struct exporting *out, int64_t run, json_t *report)
{
    AUTO_FREE char *path = text_format("%s/boamps-run-%" PRId64 ".json", out->folder, run);
    AUTO_FREE char *text = json_dumps(report, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    AUTO_FREE char *lines = text ? text_format("%s\n", text) : NULL;
    json_decref(report);
    if (!path || !lines)
        return error_memory(out->error, "BoAmps");
    return file_write_many(path, lines, strlen(lines), out->error);
}

static int leave_out(const struct exporting *out, int64_t run, struct error *why)
{
    out->outcome->left_out++;
    if (!out->outcome->first_left_out)
        out->outcome->first_left_out = text_format("run %" PRId64 ": %s", run, error_text(why));
    error_clear(why);
    return 0;
}

static int export_record(const struct exporting *out, const struct run_line *line,
                         const struct record *record)
{
    AUTO_FREE char *tool = NULL;
    AUTO_FREE char *version = NULL;
    AUTO_FREE char *gpus = NULL;
    AUTO_FREE char *gpu_model = NULL;
    int64_t gpu_count = 0;
    if (imported_value(out, line->run,
                       "SELECT meter FROM channel WHERE run = ? AND scope <> 'wall' ORDER BY ordinal LIMIT 1",
                       &tool) < 0 ||
        imported_value(out, line->run,
                       "SELECT value FROM imported WHERE run = ? AND name IN ('codecarbon_version', "
                       "'version')",
                       &version) < 0 ||
        imported_value(out, line->run, "SELECT value FROM imported WHERE run = ? AND name = 'gpu_count'",
                       &gpus) < 0 ||
        imported_value(out, line->run, "SELECT value FROM imported WHERE run = ? AND name = 'gpu_model'",
                       &gpu_model) < 0)
        return -1;
    double count;
    if (gpus && text_to_double(gpus, &count) == 0 && count >= 1 && count < 1e6)
        gpu_count = (int64_t)count;
    const struct boamps_run run = {line->run, line->repetition, out->study, line->factors,
                                   tool,      version,          gpu_model,  gpu_count};
    struct error why = ERROR_INIT;
    json_t *report = boamps_report(record, &run, out->options, &why);
    if (!report)
        return leave_out(out, line->run, &why);
    out->outcome->written++;
    return write_report(out, line->run, report);
}

static int export_run(void *context, const struct run_line *line)
{
    struct exporting *out = context;
    struct record record = {0};
    if (strcmp(line->state, "done") != 0)
        return 0;
    int result = store_read_record(out->store, line->run, &record, out->error);
    if (result == 0)
        result = export_record(out, line, &record);
    record_free(&record);
    out->failed = result < 0;
    return result;
}

int boamps_export(struct store *store, const char *folder, const struct boamps_options *options,
                  struct boamps_outcome *outcome, struct error *error)
{
    struct study_identity study;
    *outcome = (struct boamps_outcome){0};
    if (boamps_check(options, error) < 0 || store_get_study(store, &study, error) < 0)
        return -1;
    struct exporting out = {store, folder, study.name, options, outcome, error, false};
    int result = mkdir(folder, 0777) < 0 && errno != EEXIST ? error_errno(error, errno, folder) : 0;
    if (result == 0)
        result = store_list_runs(store, export_run, &out, error);
    study_identity_free(&study);
    if (result < 0 || out.failed)
        return -1;
    if (outcome->written == 0)
        return error_set(error, "%s",
                         outcome->first_left_out ? outcome->first_left_out
                                                 : "there is no run that is done: nothing to report");
    return 0;
}
