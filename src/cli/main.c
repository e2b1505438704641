/* joulery: measure, study, report. */
#include "base/text.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *purpose;
};

static const struct subcommand subcommands[] = {
    {"study", cli_study, "run a study: factors x levels x repetitions, each run measured, into a database"},
    {"run", cli_run, "measure any command with all its children"},
    {"meters", cli_meters, "list the instruments: which can be used, and how to mend the others"},
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

int main(int argc, char **argv)
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
