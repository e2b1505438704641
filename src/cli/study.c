/* joulery study: its table, and run. */
#include "cli/study.h"
#include "base/file.h"
#include "base/text.h"
#include "base/units.h"
#include "carbon/places.h"
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

#define EXIT_STOPPED 130

/* ---- what they share ---- */

char *study_database_of(const char *study_path, struct error *error)
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

char *study_find_trainer(struct error *error)
{
    AUTO_FREE char *directory = file_program_directory(error);
    char *trainer = directory ? file_join(directory, "joulery-train") : NULL;
    if (directory && !trainer)
        error_memory(error, "joulery-train");
    return trainer;
}

struct study *study_load_checked(const char *path, const char *trainer, struct error *error)
{
    struct study *study = study_load(path, error);
    if (!study || zoo_check(study, trainer, error) < 0) {
        study_free(study);
        return NULL;
    }
    if (!study->location.text)
        return study;
    struct error unknown = ERROR_INIT;
    struct places *places = places_open(NULL, &unknown);
    bool known = places && places_find(places, study->location.text, &unknown);
    places_close(places);
    if (known)
        return study;
    study_error(study, study->location.line, error, "%s", error_text(&unknown));
    error_clear(&unknown);
    study_free(study);
    return NULL;
}

bool study_is_database(const char *path)
{
    char head[16] = "";
    FILE *file = fopen(path, "rb");
    size_t got = file ? fread(head, 1, sizeof head, file) : 0;
    if (file)
        fclose(file);
    return got == sizeof head && memcmp(head, "SQLite format 3", sizeof head) == 0;
}

/* ---- run ---- */

static volatile sig_atomic_t stop_asked;

static void ask_stop(int number)
{
    (void)number;
    stop_asked = 1;
}

static void pass_over(int number)
{
    (void)number;
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = ask_stop}; /* no SA_RESTART: a cool-down ends at once */
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
    /* a file that may not grow is an error to be told, not an end; caught, not ignored, so that commands have
     * it as it was */
    action.sa_handler = pass_over;
    sigaction(SIGXFSZ, &action, NULL);
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
        return cli_fail(STUDY_NAME, error, CLI_FAILED);
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
    return cli_fail(STUDY_NAME, &error, CLI_FAILED);
}

static int run_file(const char *path, const struct run_arguments *arguments)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *trainer = study_find_trainer(&error);
    AUTO_FREE char *usual = study_database_of(path, &error);
    const char *database = arguments->database ? arguments->database : usual;
    struct study *study = trainer && usual ? study_load_checked(path, trainer, &error) : NULL;
    struct store *store = study ? store_open(database, STORE_WRITE, &error) : NULL;
    int status;
    if (!store || begin(study, store, database, arguments->redo_failed, &error) < 0)
        status = cli_fail(STUDY_NAME, &error, CLI_FAILED);
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
        status = cli_parse_result(parsed, STUDY_NAME, &error);
    }
    options_list_free(&arguments.meters);
    return status;
}

/* ---- the table ---- */

int cli_study(int argc, char **argv)
{
    static const struct subcommand commands[] = {
        {"init", study_init, "write an example to start from"},
        {"check", study_check, "check a study file, show its plan and what it will take, run nothing"},
        {"run", study_run, "run what a study file still has to do"},
        {"status", study_status, "what is done, what is left, how long it will take"},
        {"merge", study_merge, "join the databases of one study from several machines"},
    };
    const struct subcommand_table table = {
        .name = "joulery study",
        .usage = "[options]",
        .purpose = "Factors x levels x repetitions, each run measured, into one database: docs/studies.md.",
        .example = "joulery study run studies/quick.yaml",
        .subcommands = commands,
        .count = sizeof commands / sizeof *commands,
    };
    return subcommand_run(&table, argc, argv);
}
