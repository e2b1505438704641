/* joulery: measure, study, report. */
#include "base/text.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *purpose;
};

static const struct subcommand subcommands[] = {
    {"run", cli_run, "measure any command with all its children"},
    {"meters", cli_meters, "list the instruments: which can be used, and how to mend the others"},
    {"study", cli_study, "run a study: factors x levels x repetitions, each run measured, into a database"},
    {"train", cli_engine, "train a network (joulery-train)"},
    {"zoo", cli_engine, "list the architectures with their parameters and FLOPs (joulery-train)"},
    {"report", cli_report, "say what a study found: the answer, its page, its figures"},
    {"locations", cli_locations, "list the places whose carbon intensity is known"},
};

#define SUBCOMMANDS (sizeof subcommands / sizeof *subcommands)

static void print_usage(FILE *stream)
{
    fprintf(stream, "usage: joulery SUBCOMMAND [options]\n\n"
                    "Measures what training a neural network costs in energy and CO2e.\n\nsubcommands:\n");
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        fprintf(stream, "  %-10s %s\n", subcommands[i].name, subcommands[i].purpose);
    fprintf(stream,
            "\n`joulery SUBCOMMAND -h` explains each, with an example.\n"
            "exit status: 0 done, 1 failed, 2 wrong usage; `joulery run` passes on the command's own\n");
}

/* A standard stream that the caller closed must not become the database or a socket: talk would be written
 * into it. */
static void open_missing_streams(void)
{
    for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            return;
}

/* Output that was lost, on a full disk for one, is a failure. */
static int end_output(int status)
{
    bool lost = ferror(stdout) != 0;
    if (fflush(stdout) == 0 && !lost)
        return status;
    fprintf(stderr, "joulery: standard output: %s: what was to be written there is not complete\n",
            strerror(errno));
    return status == CLI_DONE ? CLI_FAILED : status;
}

static int run_subcommand(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "help") == 0) {
        print_usage(stdout);
        return CLI_DONE;
    }
    if (strcmp(name, "--version") == 0) {
        puts("joulery " JOULERY_VERSION);
        return CLI_DONE;
    }
    const char *names[SUBCOMMANDS];
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        if (strcmp(name, subcommands[i].name) == 0)
            return subcommands[i].run(argc - 1, argv + 1);
        names[i] = subcommands[i].name;
    }
    const char *nearest = text_nearest(name, names, SUBCOMMANDS);
    if (nearest)
        fprintf(stderr, "joulery: unknown subcommand '%s' (did you mean %s?)\n", name, nearest);
    else
        fprintf(stderr, "joulery: unknown subcommand '%s': `joulery --help` lists them\n", name);
    return CLI_USAGE;
}

int main(int argc, char **argv)
{
    open_missing_streams();
    return end_output(run_subcommand(argc, argv));
}
