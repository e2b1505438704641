/* joulery import: runs of other tools, and what is added to them. */
#include "exchange/import.h"
#include "audit/audit.h"
#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"
#include "exchange/tool_runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NAME "import"

struct words {
    const char *database, *study, *json, *channel, *run, *window;
    struct option_list factors, map;
    uint64_t repetition, sockets;
    double shift_s;
    bool by_time;
    enum import_tool tool;
};

/* ---- factors ---- */

/* "architecture=vgg16", cut up in place. */
static int split_factor(char *word, struct plan_factor *factor, struct error *error)
{
    char *sign = strchr(word, '=');
    if (!sign || sign == word || !sign[1])
        return error_set(error, "--factor: expected FACTOR=LEVEL, found '%s'", word);
    *sign = '\0';
    *factor = (struct plan_factor){word, sign + 1};
    return 0;
}

static int check_factor(const struct plan_factor *factors, size_t count, struct error *error)
{
    for (size_t i = 0; i + 1 < count; i++)
        if (strcmp(factors[i].factor, factors[count - 1].factor) == 0)
            return error_set(error, "--factor: '%s' is given twice", factors[i].factor);
    return 0;
}

/* `*copies` holds what the factors point into; the caller frees both. */
static int read_factors(const struct option_list *list, struct plan_factor **factors, char ***copies,
                        struct error *error)
{
    *factors = calloc(list->count + 1, sizeof **factors);
    *copies = calloc(list->count + 1, sizeof **copies);
    if (!*factors || !*copies)
        return error_memory(error, "--factor");
    for (size_t i = 0; i < list->count; i++) {
        (*copies)[i] = strdup(list->items[i]);
        if (!(*copies)[i])
            return error_memory(error, "--factor");
        if (split_factor((*copies)[i], &(*factors)[i], error) < 0 || check_factor(*factors, i + 1, error) < 0)
            return -1;
    }
    return 0;
}

static void free_factors(struct plan_factor *factors, char **copies)
{
    for (size_t i = 0; copies && copies[i]; i++)
        free(copies[i]);
    free(copies);
    free(factors);
}

/* ---- what was done ---- */

static void print_line(const struct import_line *line)
{
    AUTO_FREE char *size = isfinite(line->energy_j) ? units_energy(fabs(line->energy_j)) : NULL;
    AUTO_FREE char *source = text_printable(line->source);
    printf("run %lld, repetition %lld: ", (long long)line->run, (long long)line->repetition);
    if (size)
        printf("%s%s, ", line->energy_j < 0 ? "-" : "", size);
    printf("from %s%s\n", source ? source : "",
           line->differenced ? " (cumulative: less the row before of the same run_id)" : "");
}

static json_t *outcome_to_json(const char *database, const struct import_outcome *outcome)
{
    json_t *runs = json_array();
    for (size_t i = 0; i < outcome->count; i++) {
        const struct import_line *line = &outcome->lines[i];
        AUTO_FREE char *source = text_utf8(line->source, strlen(line->source));
        json_array_append_new(runs,
                              json_pack("{s:I, s:I, s:s, s:b, s:o}", "run", (json_int_t)line->run,
                                        "repetition", (json_int_t)line->repetition, "source",
                                        source ? source : "", "differenced", line->differenced, "energy_j",
                                        isfinite(line->energy_j) ? json_real(line->energy_j) : json_null()));
    }
    AUTO_FREE char *path = text_utf8(database, strlen(database));
    return json_pack("{s:s, s:s, s:o}", "schema", "joulery.import/1", "database", path ? path : "", "runs",
                     runs);
}

/* How what is there now stands against physics, in one line. */
static int print_audit(struct store *store, const char *database, struct error *error)
{
    struct audit audit;
    if (audit_build(store, &audit, error) < 0)
        return -1;
    if (audit.figures[VERDICT_DOUBTFUL] + audit.figures[VERDICT_IMPOSSIBLE] > 0)
        fprintf(stderr,
                "the audit of all energies: %zu sound, %zu doubtful, %zu impossible: `joulery audit %s` says "
                "why\n",
                audit.figures[VERDICT_SOUND], audit.figures[VERDICT_DOUBTFUL],
                audit.figures[VERDICT_IMPOSSIBLE], database);
    audit_free(&audit);
    return 0;
}

static int report_outcome(struct store *store, const struct words *words,
                          const struct import_outcome *outcome, struct error *error)
{
    if (words->json && cli_write_json(outcome_to_json(words->database, outcome), words->json, error) < 0)
        return -1;
    bool quiet = words->json && strcmp(words->json, "-") == 0;
    for (size_t i = 0; i < outcome->count && !quiet; i++)
        print_line(&outcome->lines[i]);
    return print_audit(store, words->database, error);
}

/* ---- the kinds ---- */

typedef int import_function(struct store *store, const struct import_request *request,
                            struct import_outcome *outcome, struct error *error);

/* A new database is made for files that can be read, and for runs alone. */
static int check_before(const struct words *words, const struct import_request *request,
                        import_function *import, struct error *error)
{
    if (file_exists(words->database))
        return 0;
    if (import == import_codecarbon)
        return import_codecarbon_check(request, error);
    if (import == import_runs)
        return import_runs_check(request, error);
    return error_set(
        error, "%s: no such database: import the energies of runs first, and then what is added to them",
        words->database);
}

static int import_into(const struct words *words, const struct import_request *request,
                       import_function *import, struct error *error)
{
    struct import_outcome outcome = {0};
    if (check_before(words, request, import, error) < 0)
        return -1;
    struct store *store = store_open(words->database, STORE_WRITE, error);
    int result = store ? import(store, request, &outcome, error) : -1;
    if (result == 0)
        result = report_outcome(store, words, &outcome, error);
    import_outcome_free(&outcome);
    store_close(store);
    return result;
}

/* The file's name without folder and ending. NULL: no memory. */
static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash && slash[1] ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return strndup(name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

static bool has_mapped_factor(const struct option_list *map)
{
    for (size_t i = 0; i < map->count; i++)
        if (strstr(map->items[i], "factor."))
            return true;
    return false;
}

/* How the runs are told: each file says which of these it can do without. */
static int check_words(const struct words *words, const struct operands *operands, import_function *import,
                       struct error *error)
{
    bool told = words->run || words->by_time || has_mapped_factor(&words->map);
    if (!words->database || (!told && words->factors.count == 0))
        return error_set(error, "expected --db FILE and at least one --factor FACTOR=LEVEL");
    if ((words->run || words->by_time) && words->factors.count > 0)
        return error_set(error, "--run and --by-time tell the run: --factor beside them has no use");
    if (words->run && (words->by_time || operands->count > 1))
        return error_set(error, "--run tells the run of one file: expected no --by-time and no other file");
    if (words->shift_s != 0 && !words->by_time)
        return error_set(error, "--shift moves readings for --by-time, which is not given");
    if (import == import_runs && words->tool == IMPORT_CSV)
        return csv_check_map(&words->map, error);
    return 0;
}

static int run_import(const struct words *words, const struct operands *operands, import_function *import)
{
    struct error error = ERROR_INIT;
    struct plan_factor *factors = NULL;
    char **copies = NULL;
    int status = check_words(words, operands, import, &error);
    if (status == 0)
        status = read_factors(&words->factors, &factors, &copies, &error);
    if (status < 0) {
        free_factors(factors, copies);
        return cli_fail(NAME, &error, CLI_USAGE);
    }
    AUTO_FREE char *stem = name_of(words->database);
    const struct import_request request = {.files = (const char *const *)operands->items,
                                           .file_count = operands->count,
                                           .study = words->study ? words->study
                                                    : stem       ? stem
                                                                 : words->database,
                                           .factors = factors,
                                           .factor_count = words->factors.count,
                                           .repetition = (int64_t)words->repetition,
                                           .sockets = (uint32_t)words->sockets,
                                           .channel = words->channel,
                                           .run = words->run,
                                           .by_time = words->by_time,
                                           .shift_s = words->shift_s,
                                           .tool = words->tool,
                                           .window = words->window,
                                           .map = &words->map};
    status = import_into(words, &request, import, &error);
    free_factors(factors, copies);
    return status == 0 ? CLI_DONE : cli_fail(NAME, &error, CLI_FAILED);
}

static int parse_and_run(struct command_line *line, int argc, char **argv, struct words *words,
                         import_function *import)
{
    struct operands operands;
    struct error error = ERROR_INIT;
    line->operands_least = 1;
    line->operands_most = SIZE_MAX;
    enum options_result parsed = options_parse(line, argc, argv, &operands, &error);
    int status =
        parsed == OPTIONS_OK ? run_import(words, &operands, import) : cli_parse_result(parsed, NAME, &error);
    options_list_free(&words->factors);
    options_list_free(&words->map);
    return status;
}

#define SHARED_OPTIONS                                                                                       \
    {"--db", 0, OPTION_TEXT, &words.database, "FILE", "the database; a new file where there is none", 0, 0}, \
        {"--factor",                                                                                         \
         'f',                                                                                                \
         OPTION_LIST,                                                                                        \
         &words.factors,                                                                                     \
         "FACTOR=LEVEL",                                                                                     \
         "a factor of the runs and its level here (may repeat)",                                             \
         0,                                                                                                  \
         0},                                                                                                 \
    {                                                                                                        \
        "--json", 0, OPTION_TEXT, &words.json, "FILE",                                                       \
            "say what was imported as joulery.import/1; - is standard output", 0, 0                          \
    }
#define REPETITION_OPTION                                                                                    \
    {                                                                                                        \
        "--repetition", 0, OPTION_COUNT, &words.repetition, "N",                                             \
            "of the first file's run; the next file's is the next (default 1)", 1, 1e6                       \
    }

#define RUN_OPTION                                                                                           \
    {                                                                                                        \
        "--run", 0, OPTION_TEXT, &words.run, "ID",                                                           \
            "the run by its number, or by what its file calls it, instead of factors", 0, 0                  \
    }
#define NEW_RUN_OPTIONS                                                                                      \
    {"--name",    0,                                                                                         \
     OPTION_TEXT, &words.study,                                                                              \
     "NAME",      "what a new database's study is called (default: the database's name)",                    \
     0,           0},                                                                                        \
    {                                                                                                        \
        "--sockets", 0, OPTION_COUNT, &words.sockets, "N",                                                   \
            "processors of the machine, which the file does not say: bounds what their power can be", 1,     \
            1024                                                                                             \
    }

static int import_emissions(int argc, char **argv)
{
    struct words words = {0};
    const struct option options[] = {
        SHARED_OPTIONS,
        NEW_RUN_OPTIONS,
    };
    struct command_line line = {
        .usage = "joulery import codecarbon FILE... --db DB --factor FACTOR=LEVEL [options]",
        .purpose = "Each row of CodeCarbon's emissions.csv becomes a run; repetitions count on. Rows of one "
                   "run_id,\n"
                   "which are cumulative, are differenced. Nothing is imported if anything is wrong.",
        .example = "joulery import codecarbon emissions.csv --db published.db --factor architecture=vgg16",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    return parse_and_run(&line, argc, argv, &words, import_codecarbon);
}

static int import_tracker(int argc, char **argv)
{
    struct words words = {.tool = IMPORT_CARBONTRACKER};
    const struct option options[] = {SHARED_OPTIONS, NEW_RUN_OPTIONS};
    struct command_line line = {
        .usage = "joulery import carbontracker LOG... --db DB --factor FACTOR=LEVEL [options]",
        .purpose = "Each log (…_carbontracker.log) becomes a run, with its epochs; repetitions count on.",
        .example = "joulery import carbontracker logs/*_carbontracker.log --db published.db --factor "
                   "architecture=vgg16",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    return parse_and_run(&line, argc, argv, &words, import_runs);
}

static int import_zeus(int argc, char **argv)
{
    struct words words = {.tool = IMPORT_ZEUS};
    const struct option options[] = {
        SHARED_OPTIONS,
        NEW_RUN_OPTIONS,
        {"--window", 0, OPTION_TEXT, &words.window, "NAME",
         "the windows that are runs (default: the outermost, if they have one name)", 0, 0},
    };
    struct command_line line = {
        .usage = "joulery import zeus FILE.csv... --db DB --factor FACTOR=LEVEL [options]",
        .purpose =
            "The log_file of a ZeusMonitor: outermost windows become runs, those in them their windows.\n"
            "Zeus logs the energy of GPUs and no other.",
        .example = "joulery import zeus zeus.csv --db published.db --factor architecture=vgg16",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    return parse_and_run(&line, argc, argv, &words, import_runs);
}

static int import_bridge(int argc, char **argv)
{
    struct words words = {.tool = IMPORT_ENERGIBRIDGE};
    const struct option options[] = {SHARED_OPTIONS, NEW_RUN_OPTIONS};
    struct command_line line = {
        .usage = "joulery import energibridge FILE.csv... --db DB --factor FACTOR=LEVEL [options]",
        .purpose =
            "Each CSV that EnergiBridge wrote (--output) becomes a run, with the energy that its summary "
            "gives.",
        .example = "joulery import energibridge results.csv --db published.db --factor architecture=vgg16",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    return parse_and_run(&line, argc, argv, &words, import_runs);
}

static int import_table(int argc, char **argv)
{
    struct words words = {.tool = IMPORT_CSV};
    const struct option options[] = {
        SHARED_OPTIONS,
        NEW_RUN_OPTIONS,
        {"--map", 0, OPTION_LIST, &words.map, "ROLE=COLUMN[:UNIT],...",
         "energy, or cpu_energy, dram_energy, gpu_energy; wall_energy; duration; started; id; cpu_model; "
         "factor.NAME; metric.NAME (may repeat)",
         0, 0},
    };
    struct command_line line = {
        .usage = "joulery import csv FILE... --map ROLE=COLUMN[:UNIT],... --db DB [options]",
        .purpose = "Each row of a table becomes a run; which column holds what, the map says.",
        .example =
            "joulery import csv runs.csv --map energy=E:kWh,duration=time:min,factor.architecture=net --db "
            "published.db",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    return parse_and_run(&line, argc, argv, &words, import_runs);
}

static int import_wall(int argc, char **argv)
{
    struct words words = {.repetition = 1, .channel = "wall"};
    const struct option options[] = {
        SHARED_OPTIONS,
        REPETITION_OPTION,
        RUN_OPTION,
        {"--by-time", 0, OPTION_FLAG, &words.by_time, NULL,
         "readings: cut to each run that they cover from begin to end, by its times", 0, 0},
        {"--shift", 0, OPTION_NUMBER, &words.shift_s, "S", "with --by-time: added to the readings' times, s",
         -1e9, 1e9},
        {"--channel", 0, OPTION_TEXT, &words.channel, "NAME",
         "the wattmeter's name, where a run has several: they are added (default wall)", 0, 0},
    };
    struct command_line line = {
        .usage = "joulery import wattmeter FILE... --db DB --factor FACTOR=LEVEL [options]",
        .purpose = "Adds what a wattmeter measured to an imported run: a JSON summary (joules or Wh), or "
                   "readings as\n"
                   "CSV with a column time and a column power.",
        .example = "joulery import wattmeter wattmeter.json --db published.db --factor architecture=vgg16 "
                   "--repetition 1",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    return parse_and_run(&line, argc, argv, &words, import_wattmeter);
}

static int import_curves(int argc, char **argv)
{
    struct words words = {.repetition = 1};
    const struct option options[] = {SHARED_OPTIONS, REPETITION_OPTION, RUN_OPTION};
    struct command_line line = {
        .usage = "joulery import accuracy FILE... --db DB --factor FACTOR=LEVEL [options]",
        .purpose =
            "Adds accuracy and loss by epoch to an imported run: lines like 'val_accuracy: [0.26, 0.29]'.",
        .example = "joulery import accuracy accuracy.txt --db published.db --factor architecture=vgg16 "
                   "--repetition 1",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    return parse_and_run(&line, argc, argv, &words, import_accuracy);
}

/* ---- the table ---- */

int cli_import(int argc, char **argv)
{
    static const struct subcommand kinds[] = {
        {"codecarbon", import_emissions, "runs from CodeCarbon's emissions.csv"},
        {"carbontracker", import_tracker, "runs from carbontracker's logs"},
        {"zeus", import_zeus, "runs from the log_file of a ZeusMonitor"},
        {"energibridge", import_bridge, "runs from EnergiBridge's CSV"},
        {"csv", import_table, "runs from any table, by a map of its columns"},
        {"wattmeter", import_wall, "a wattmeter's energy into such a run"},
        {"accuracy", import_curves, "accuracy by epoch into such a run"},
    };
    const struct subcommand_table table = {
        .name = "joulery import",
        .usage = "FILE... --db DB --factor FACTOR=LEVEL [options]",
        .purpose =
            "What other tools measured, into a database that can be audited and compared: docs/import.md.",
        .example = "joulery import codecarbon emissions.csv --db published.db --factor architecture=vgg16",
        .subcommands = kinds,
        .count = sizeof kinds / sizeof *kinds,
    };
    return subcommand_run(&table, argc, argv);
}
