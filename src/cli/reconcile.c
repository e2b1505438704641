/* joulery reconcile: the statement of account between energy measuring tools. */
#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"
#include "meter/machine.h"
#include "reconcile/statement.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXIT_STOPPED 130
#define ROUNDS_USUAL 3

/* A signal handler can be given nothing. */
static volatile sig_atomic_t stop_asked;

static void ask_stop(int number)
{
    (void)number;
    stop_asked = 1;
}

static void catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = ask_stop};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}

struct given {
    struct option_list tools, meters;
    const char *python, *site, *json, *keep;
    uint64_t rounds;
    double rate_hz, tdp_w, timeout_s;
    bool no_warm_up, quiet;
};

static enum options_result parse(int argc, char **argv, struct given *given, struct operands *command,
                                 struct error *error)
{
    const struct option options[] = {
        {.kind = OPTION_HEADING, .help = "what is run"},
        {"--tool", 0, OPTION_LIST, &given->tools, "NAME",
         "codecarbon, carbontracker, zeus, energibridge or perf (may repeat; default: all that are there)", 0,
         0},
        {"--python", 0, OPTION_TEXT, &given->python, "PROGRAM",
         "the interpreter that has the Python tools (default python3)", 0, 0},
        {"--rounds", 'n', OPTION_COUNT, &given->rounds, "N",
         "how often each tool is run, and the command without one (default 3)", 1, RECONCILE_ROUNDS_MOST},
        {"--no-warm-up", 0, OPTION_FLAG, &given->no_warm_up, NULL,
         "no run before the first round that is not counted", 0, 0},
        {"--timeout", 't', OPTION_NUMBER, &given->timeout_s, "S", "stop a run after so many seconds", 0.001,
         1e9},
        {.kind = OPTION_HEADING, .help = "measuring"},
        {"--meter", 'm', OPTION_LIST, &given->meters, "NAME",
         "use this instrument (may repeat; default: the best there are)", 0, 0},
        {"--rate", 'r', OPTION_NUMBER, &given->rate_hz, "HZ", "readings a second (default 10)", 0.1, 1000},
        {"--tdp", 0, OPTION_NUMBER, &given->tdp_w, "W",
         "thermal design power of all processors, where only a model is left", 0.1, 100000},
        {"--site", 0, OPTION_TEXT, &given->site, "FILE",
         "the site file, which lists wattmeters (default: ~/.config/joulery/site.yaml, if there is one)", 0,
         0},
        {.kind = OPTION_HEADING, .help = "output"},
        {"--json", 0, OPTION_TEXT, &given->json, "FILE",
         "write everything as joulery.reconcile/1; - is standard output", 0, 0},
        {"--keep", 0, OPTION_TEXT, &given->keep, "FOLDER",
         "keep each run's record, output and what the tool wrote there", 0, 0},
        {"--quiet", 'q', OPTION_FLAG, &given->quiet, NULL, "no line for each run", 0, 0},
    };
    const struct command_line line = {
        .usage = "joulery reconcile [options] -- COMMAND [ARGUMENTS]",
        .purpose =
            "Runs a command in balanced order under the energy measuring tools that are there, and under\n"
            "none, and says from each tool's figure to the wall what it counts and what it leaves out.",
        .example = "joulery reconcile --rounds 5 -- python3 train.py",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .operands_least = 1,
        .operands_most = SIZE_MAX,
        .stop_at_operand = true,
    };
    return options_parse(&line, argc, argv, command, error);
}

static int report(const struct reconciliation *reconciliation, const struct given *given,
                  char *const *command, struct error *error)
{
    struct statement statement;
    int result = statement_build(reconciliation, &statement, error);
    AUTO_FREE char *text = result == 0 ? statement_text(&statement, command) : NULL;
    if (result == 0 && !text)
        result = error_memory(error, "statement");
    if (result == 0 && given->json)
        result = cli_write_json(statement_to_json(&statement, command), given->json, error);
    if (text && !(given->json && strcmp(given->json, "-") == 0))
        fputs(text, stdout);
    statement_free(&statement);
    return result;
}

/* Whether any run without a tool counts; else there is nothing to hold tools against. */
static int check_runs(const struct reconciliation *reconciliation, struct error *error)
{
    return reconciliation->conditions[0].counted
               ? 0
               : error_set(error, "stopped before a run without a tool was done: there is nothing to say");
}

static int reconcile(const struct given *given, char *const *command, struct error *error)
{
    struct machine machine = {0};
    const struct meter_setup setup = {
        .tdp_w = given->tdp_w, .site = given->site, .own_process = true, .machine = &machine};
    AUTO_FREE char *folder = file_program_directory(error);
    AUTO_FREE char *joulery = folder ? file_join(folder, "joulery") : NULL;
    if (!joulery)
        return folder ? error_memory(error, "joulery") : -1;
    const struct reconcile_options options = {.command = command,
                                              .python = given->python ? given->python : "python3",
                                              .joulery = joulery,
                                              .tools = given->tools.items,
                                              .tool_count = given->tools.count,
                                              .setup = &setup,
                                              .meters = given->meters.items,
                                              .meter_count = given->meters.count,
                                              .rate_hz = given->rate_hz,
                                              .rounds = given->rounds ? given->rounds : ROUNDS_USUAL,
                                              .warm_up = !given->no_warm_up,
                                              .timeout_s = given->timeout_s,
                                              .keep = given->keep,
                                              .stop = &stop_asked,
                                              .talk = given->quiet ? NULL : stderr};
    struct reconciliation reconciliation;
    int result = reconcile_command(&options, &reconciliation, error);
    if (result == 0)
        result = check_runs(&reconciliation, error);
    if (result == 0)
        result = report(&reconciliation, given, command, error);
    reconciliation_free(&reconciliation);
    machine_free(&machine);
    return result;
}

int cli_reconcile(int argc, char **argv)
{
    struct given given = {0};
    struct operands operands;
    struct error error = ERROR_INIT;
    enum options_result parsed = parse(argc, argv, &given, &operands, &error);
    char **command = parsed == OPTIONS_OK ? calloc(operands.count + 1, sizeof *command) : NULL;
    int status;
    if (parsed != OPTIONS_OK) {
        status = cli_parse_result(parsed, argv[0], &error);
    } else if (!command) {
        error_memory(&error, "command");
        status = cli_fail(argv[0], &error, CLI_FAILED);
    } else {
        memcpy(command, operands.items, operands.count * sizeof *command);
        catch_signals();
        bool fine = (!given.json || file_check_writable(given.json, &error) == 0) &&
                    reconcile(&given, command, &error) == 0;
        status = fine ? stop_asked ? EXIT_STOPPED : CLI_DONE : cli_fail(argv[0], &error, CLI_FAILED);
    }
    free(command);
    options_list_free(&given.tools);
    options_list_free(&given.meters);
    return status;
}
