/* joulery study run, status, check. */
#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "carbon/carbon.h"
#include "cli/cli.h"
#include "study/design.h"
#include "study/executor.h"
#include "study/leftovers.h"
#include "study/stopping.h"
#include "study/zoo.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME            "study"
#define EXIT_STOPPED    130
#define PLAN_LINES_MOST 1000

/* ---- what the three share ---- */

/* "studies/quick.yaml" gives "quick.db": in the current folder. The caller frees it. */
static char *database_of(const char *study_path, struct error *error)
{
    const char *slash = strrchr(study_path, '/');
    const char *name = slash ? slash + 1 : study_path;
    const char *dot = strrchr(name, '.');
    size_t stem = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    char *path = text_format("%.*s.db", (int)stem, name);
    if (!path)
        error_memory(error, "database");
    return path;
}

static char *find_trainer(struct error *error)
{
    AUTO_FREE char *directory = file_program_directory(error);
    char *trainer = directory ? file_join(directory, "joulery-train") : NULL;
    if (directory && !trainer)
        error_memory(error, "joulery-train");
    return trainer;
}

/* The study, with all checked that can be before a run. */
static struct study *load_study(const char *path, const char *trainer, struct error *error)
{
    struct study *study = study_load(path, error);
    if (!study || zoo_check(study, trainer, error) < 0) {
        study_free(study);
        return NULL;
    }
    struct error unknown = ERROR_INIT;
    if (!study->location.text || carbon_find(study->location.text, &unknown))
        return study;
    study_error(study, study->location.line, error, "%s", error_text(&unknown));
    error_clear(&unknown);
    study_free(study);
    return NULL;
}

/* ---- run ---- */

static volatile sig_atomic_t stop_asked;

static void ask_stop(int number)
{
    (void)number;
    stop_asked = 1;
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = ask_stop}; /* no SA_RESTART: a cool-down ends at once */
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}

struct run_arguments {
    const char *database;
    bool redo_failed;
    struct option_list meters;
    double rate_hz, tdp_w;
    const char *site;
};

/* A study with a stopping rule may have grown beyond its file. */
static int put_study(const struct study *study, struct store *store, struct error *error)
{
    int64_t planned = 0;
    if (stopping_has_rule(study) && stopping_planned(store, &planned, error) < 0)
        return -1;
    return design_store(study, planned > study->repetitions ? planned : study->repetitions, store, error);
}

static int begin(const struct study *study, struct store *store, const char *database, bool redo_failed,
                 struct error *error)
{
    size_t cut, redone = 0;
    if (store_claim(store, &cut, error) < 0 || leftovers_end(store, database, stderr, error) < 0 ||
        put_study(study, store, error) < 0)
        return -1;
    if (redo_failed && store_redo_failed(store, &redone, error) < 0)
        return -1;
    if (redone > 0)
        fprintf(stderr, "%zu failed run%s will be done again\n", redone, redone == 1 ? "" : "s");
    if (cut > 0)
        fprintf(stderr, "%zu run%s cut short last time: marked as such, and done again\n", cut,
                cut == 1 ? " was" : "s were");
    return 0;
}

static int tell_end(struct store *store, const char *database, struct error *error)
{
    struct store_counts counts;
    if (store_count(store, &counts, error) < 0)
        return cli_fail(NAME, error, CLI_FAILED);
    fprintf(stderr, "%zu of %zu runs done, in %s\n", counts.done, counts.planned, database);
    if (counts.failed == 0)
        return CLI_DONE;
    fprintf(
        stderr,
        "%zu run%s failed: `joulery study status %s` says how; `joulery study run --redo-failed` does them "
        "again\n",
        counts.failed, counts.failed == 1 ? "" : "s", database);
    return CLI_FAILED;
}

static int execute(const struct study *study, struct store *store, const struct run_arguments *arguments,
                   const char *database, const char *trainer)
{
    struct error error = ERROR_INIT;
    const struct meter_setup setup = {
        .tdp_w = arguments->tdp_w, .site = arguments->site, .own_process = true};
    struct executor_options options = {
        .database = database,
        .trainer = trainer,
        .setup = &setup,
        .meters = arguments->meters.count ? arguments->meters.items : NULL,
        .meter_count = arguments->meters.count,
        .rate_hz = arguments->rate_hz,
        .stop = &stop_asked,
        .talk = stderr,
    };
    switch (executor_run(study, store, &options, &error)) {
    case EXECUTOR_DONE:
        return tell_end(store, database, &error);
    case EXECUTOR_STOPPED:
        error_clear(&error);
        fprintf(stderr,
                "stopped: all runs that ended are in %s; the same command goes on with what is left\n",
                database);
        return EXIT_STOPPED;
    case EXECUTOR_FAILED:
        break;
    }
    return cli_fail(NAME, &error, CLI_FAILED);
}

static int run_file(const char *path, const struct run_arguments *arguments)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *trainer = find_trainer(&error);
    AUTO_FREE char *usual = database_of(path, &error);
    const char *database = arguments->database ? arguments->database : usual;
    struct study *study = trainer && usual ? load_study(path, trainer, &error) : NULL;
    struct store *store = study ? store_open(database, STORE_WRITE, &error) : NULL;
    int status;
    if (!store || begin(study, store, database, arguments->redo_failed, &error) < 0)
        status = cli_fail(NAME, &error, CLI_FAILED);
    else
        status = execute(study, store, arguments, database, trainer);
    store_close(store);
    study_free(study);
    return status;
}

static int study_run(int argc, char **argv)
{
    struct run_arguments arguments = {0};
    const struct option options[] = {
        {"--db", 0, OPTION_TEXT, &arguments.database, "DB",
         "the database (default: the study file's name with .db, in the current folder)", 0, 0},
        {"--redo-failed", 0, OPTION_FLAG, &arguments.redo_failed, NULL, "do failed runs again", 0, 0},
        {"--meter", 0, OPTION_LIST, &arguments.meters, "NAME",
         "use this instrument; may be repeated (default: the best there are)", 0, 0},
        {"--rate", 0, OPTION_NUMBER, &arguments.rate_hz, "HZ", "samples a second (default 10)", 0.1, 1000},
        {"--tdp", 0, OPTION_NUMBER, &arguments.tdp_w, "W",
         "the CPU's thermal design power, for the model where nothing measures", 1, 2000},
        {"--site", 0, OPTION_TEXT, &arguments.site, "FILE",
         "the site file, which lists wattmeters (default: ~/.config/joulery/site.yaml, if there is one)", 0,
         0},
    };
    const struct command_line line = {
        .usage = "joulery study run [options] FILE",
        .purpose =
            "Runs what the study still has to do, each run a measured child process. Stop it at any point "
            "(Ctrl-C,\nkill, power cut): the same command goes on with what is left.",
        .example = "joulery study run studies/quick.yaml --db quick.db",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .operands_least = 1,
        .operands_most = 1,
    };
    struct operands operands;
    struct error error = ERROR_INIT;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    int status;
    if (parsed == OPTIONS_OK) {
        catch_signals();
        status = run_file(operands.items[0], &arguments);
    } else {
        status = cli_parse_result(parsed, NAME, &error);
    }
    options_list_free(&arguments.meters);
    return status;
}

/* ---- status ---- */

static bool is_database(const char *path)
{
    char head[16] = "";
    FILE *file = fopen(path, "rb");
    size_t got = file ? fread(head, 1, sizeof head, file) : 0;
    if (file)
        fclose(file);
    return got == sizeof head && memcmp(head, "SQLite format 3", sizeof head) == 0;
}

struct status {
    struct study_identity study;
    struct store_counts counts;
    int64_t owner;
    size_t left, disturbed;
    const char *database;
};

static int count_disturbed(void *context, const struct run_line *run)
{
    size_t *disturbed = context;
    *disturbed += run->disturbed && strcmp(run->state, "done") == 0;
    return 0;
}

static int read_status(struct store *store, struct status *status, struct error *error)
{
    if (store_get_study(store, &status->study, error) < 0 || store_count(store, &status->counts, error) < 0 ||
        store_owner(store, &status->owner, error) < 0 ||
        store_list_runs(store, count_disturbed, &status->disturbed, error) < 0)
        return -1;
    if (status->owner == 0) { /* whoever ran them is no more */
        status->counts.cut += status->counts.running;
        status->counts.running = 0;
    }
    status->left = status->counts.planned - status->counts.done - status->counts.failed;
    return 0;
}

static int print_failed(void *context, const struct run_line *run)
{
    (void)context;
    if (strcmp(run->state, "failed") != 0)
        return 0;
    AUTO_FREE char *line = run->output_tail ? text_last_line(run->output_tail) : NULL;
    printf("failed: %s, repetition %lld: %s, exit status %d%s%s\n", run->factors, (long long)run->repetition,
           run->ended ? run->ended : "", run->exit_status, line && *line ? ": " : "", line ? line : "");
    return 0;
}

/* What the study's stopping rule says now. */
static int print_rule(struct store *store, const struct status *status, struct error *error)
{
    struct error unreadable = ERROR_INIT; /* by an older or newer Joulery's file */
    const char *text = status->study.definition;
    struct study *study = study_parse(status->database, text, strlen(text), &unreadable);
    error_clear(&unreadable);
    struct stopping stopping = {0};
    int result = 0;
    if (study && stopping_has_rule(study)) {
        result = stopping_ask(study, store, &stopping, error);
        AUTO_FREE char *rule = result == 0 ? stopping_describe(study, &stopping) : NULL;
        if (rule)
            printf("rule     %s\n", rule);
        stopping_free(&stopping);
    }
    study_free(study);
    return result;
}

static int print_status(struct store *store, const struct status *status, struct error *error)
{
    const struct store_counts *counts = &status->counts;
    AUTO_FREE char *left = counts->expected_s > 0 ? units_duration(counts->expected_s) : NULL;
    printf("study    %s\ndatabase %s\nplanned  %zu\ndone     %zu\nfailed   %zu\ncut      %zu%s\nleft     "
           "%zu%s%s\n",
           status->study.name, status->database, counts->planned, counts->done, counts->failed, counts->cut,
           counts->cut ? " (done again)" : "", status->left, left ? ", about " : "", left ? left : "");
    if (status->disturbed)
        printf(
            "disturbed %zu of those done: other programs took much of the processors' time; their notes say "
            "how much\n",
            status->disturbed);
    if (status->owner)
        printf("running  process %lld\n", (long long)status->owner);
    if (print_rule(store, status, error) < 0)
        return -1;
    return store_list_runs(store, print_failed, NULL, error);
}

static int add_run_json(void *context, const struct run_line *run)
{
    json_t *factors = json_loads(run->factors, 0, NULL);
    json_array_append_new(
        context, json_pack("{s:I, s:I, s:I, s:s, s:o, s:o?, s:o?, s:b}", "run", (json_int_t)run->run,
                           "position", (json_int_t)run->position, "repetition", (json_int_t)run->repetition,
                           "state", run->state, "factors", factors ? factors : json_object(), "exit_status",
                           run->ended ? json_integer(run->exit_status) : NULL, "wall_s",
                           run->ended ? json_real(run->wall_s) : NULL, "disturbed", (int)run->disturbed));
    return 0;
}

static int write_status(struct store *store, const struct status *status, const char *path,
                        struct error *error)
{
    const struct store_counts *counts = &status->counts;
    json_t *runs = json_array();
    if (!runs || store_list_runs(store, add_run_json, runs, error) < 0) {
        json_decref(runs);
        return -1;
    }
    bool known = counts->expected_s > 0 || status->left == 0;
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o?, s:o?, s:o}", "schema",
                  "joulery.study/1", "name", status->study.name, "database", status->database, "planned",
                  (json_int_t)counts->planned, "done", (json_int_t)counts->done, "failed",
                  (json_int_t)counts->failed, "cut", (json_int_t)counts->cut, "running",
                  (json_int_t)counts->running, "disturbed", (json_int_t)status->disturbed, "left",
                  (json_int_t)status->left, "expected_s", known ? json_real(counts->expected_s) : NULL,
                  "owner_pid", status->owner ? json_integer(status->owner) : NULL, "runs", runs);
    return cli_write_json(json, path, error);
}

static int show_status(const char *path, const char *database, const char *json_path)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *usual = is_database(path) ? strdup(path) : database_of(path, &error);
    struct status status = {.database = database ? database : usual};
    /* a study file is read first: its mistakes say more than a database that is not there */
    struct study *study = usual && !is_database(path) ? study_load(path, &error) : NULL;
    bool known = usual && (study || is_database(path));
    study_free(study);
    struct store *store = known ? store_open(status.database, STORE_READ, &error) : NULL;
    int result = store ? read_status(store, &status, &error) : -1;
    if (result == 0)
        result = json_path ? write_status(store, &status, json_path, &error)
                           : print_status(store, &status, &error);
    study_identity_free(&status.study);
    store_close(store);
    return result == 0 ? CLI_DONE : cli_fail(NAME, &error, CLI_FAILED);
}

static int study_status(int argc, char **argv)
{
    const char *json_path = NULL, *database = NULL;
    const struct option options[] = {
        {"--db", 0, OPTION_TEXT, &database, "DB", "the database of a study file, if it isn't the usual one",
         0, 0},
        {"--json", 0, OPTION_TEXT, &json_path, "FILE", "write joulery.study/1 to FILE, - for standard output",
         0, 0},
    };
    const struct command_line line = {
        .usage = "joulery study status [options] DB|FILE",
        .purpose =
            "What a study has done, what is left, and how long that will take. A running study may be asked.",
        .example = "joulery study status quick.db",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .operands_least = 1,
        .operands_most = 1,
    };
    struct operands operands;
    struct error error = ERROR_INIT;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    if (parsed != OPTIONS_OK)
        return cli_parse_result(parsed, NAME, &error);
    return show_status(operands.items[0], database, json_path);
}

/* ---- check ---- */

static bool needs_quotes(const char *word)
{
    static const char *const plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+:,./@%{}";
    return !*word || word[strspn(word, plain)] != '\0';
}

static void print_word(const char *word)
{
    if (!needs_quotes(word)) {
        printf(" %s", word);
        return;
    }
    fputs(" '", stdout);
    for (; *word; word++)
        fputs(*word == '\'' ? "'\\''" : (const char[]){*word, '\0'}, stdout);
    putchar('\'');
}

static int print_run(const struct study *study, const struct planned_run *run, const char *trainer,
                     struct error *error)
{
    struct design_places places = {trainer, "{scratch}"};
    char **command = design_command(study, run, &places, error);
    if (!command)
        return -1;
    printf("%4lld  repetition %lld:", (long long)run->position + 1, (long long)run->repetition);
    for (size_t i = 0; command[i]; i++)
        print_word(command[i]);
    putchar('\n');
    design_command_free(command);
    return 0;
}

static const char *const order_words[] = {[ORDER_SHUFFLED] = "shuffled within each repetition",
                                          [ORDER_COMPLETELY_SHUFFLED] = "all shuffled at once",
                                          [ORDER_LISTED] = "in the order listed"};

static int print_design(const struct study *study, size_t runs, struct error *error)
{
    size_t treatments, combinations = 1;
    if (design_treatments(study, NULL, &treatments, error) < 0)
        return -1;
    printf("%s: %zu runs: ", study->name, runs);
    for (size_t i = 0; i < study->factor_count && !study->listed_count; i++) {
        printf("%zu %s x ", study->factors[i].level_count, study->factors[i].name.text);
        combinations *= study->factors[i].level_count;
    }
    if (study->listed_count)
        printf("%zu combinations x ", treatments);
    printf("%lld repetition%s%s", (long long)study->repetitions, study->repetitions == 1 ? "" : "s",
           stopping_has_rule(study) ? " to begin with" : "");
    if (treatments < combinations)
        printf(", without %zu of the %zu combinations", combinations - treatments, combinations);
    printf(", %s", order_words[study->order]);
    if (study->block.text)
        printf(" with each level of %s kept together", study->block.text);
    putchar('\n');
    if (study->until.share > 0)
        printf("then further repetitions until it is known to within %.3g %%, at most %lld\n",
               100 * study->until.share, (long long)study->until.most);
    if (study->budget_j > 0) {
        AUTO_FREE char *budget = units_energy(study->budget_j);
        printf("within a budget of %s\n", budget ? budget : "");
    }
    if (study->folder == FOLDER_STUDY)
        printf("each starts in %s\n", study->directory);
    return 0;
}

static int print_plan(const struct study *study, const char *trainer, struct error *error)
{
    struct planned_run *plan;
    size_t count;
    if (design_plan(study, &plan, &count, error) < 0)
        return -1;
    int result = print_design(study, count, error);
    for (size_t i = 0; i < count && i < PLAN_LINES_MOST && result == 0; i++)
        result = print_run(study, &plan[i], trainer, error);
    if (count > PLAN_LINES_MOST)
        printf("and %zu more\n", count - PLAN_LINES_MOST);
    design_free(plan, count);
    return result;
}

static int study_check(int argc, char **argv)
{
    const struct command_line line = {
        .usage = "joulery study check FILE",
        .purpose = "Checks a study file and shows what would be run, in which order. Runs nothing.",
        .example = "joulery study check studies/quick.yaml",
        .operands_least = 1,
        .operands_most = 1,
    };
    struct operands operands;
    struct error error = ERROR_INIT;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    if (parsed != OPTIONS_OK)
        return cli_parse_result(parsed, NAME, &error);
    AUTO_FREE char *trainer = find_trainer(&error);
    struct study *study = trainer ? load_study(operands.items[0], trainer, &error) : NULL;
    int result = study ? print_plan(study, trainer, &error) : -1;
    study_free(study);
    return result == 0 ? CLI_DONE : cli_fail(NAME, &error, CLI_FAILED);
}

/* ---- the table ---- */

static const struct {
    const char *name, *purpose;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"run", "run what a study file still has to do", study_run},
    {"status", "what is done, what is left, how long it will take", study_status},
    {"check", "check a study file and show its plan, run nothing", study_check},
};

#define COMMANDS (sizeof commands / sizeof *commands)

static void print_commands(FILE *stream)
{
    fprintf(stream,
            "usage: joulery study COMMAND [options]\n\n"
            "Factors x levels x repetitions, each run measured, into one database: docs/studies.md.\n\n"
            "commands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(stream, "  %-8s %s\n", commands[i].name, commands[i].purpose);
    fprintf(stream, "\n`joulery study COMMAND -h` explains each.\n\nexample:\n"
                    "  joulery study run studies/quick.yaml\n");
}

int cli_study(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name || strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0) {
        print_commands(name ? stdout : stderr);
        return name ? CLI_DONE : CLI_USAGE;
    }
    const char *names[COMMANDS];
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
        names[i] = commands[i].name;
    }
    const char *nearest = text_nearest(name, names, COMMANDS);
    struct error error = ERROR_INIT;
    if (nearest)
        error_set(&error, "unknown command '%s' (did you mean %s?)", name, nearest);
    else
        error_set(&error, "unknown command '%s': expected run, status or check", name);
    return cli_fail(NAME, &error, CLI_USAGE);
}
