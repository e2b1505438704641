/* joulery-train: what `joulery train` and `joulery zoo` execute. */
#include "base/text.h"
#include "train/program.h"

#include <string.h>

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *purpose;
};

static const struct subcommand subcommands[] = {
    {"train", command_train, "train a network"},
    {"zoo", command_zoo, "list the architectures with their parameters and FLOPs"},
};

#define SUBCOMMANDS (sizeof subcommands / sizeof *subcommands)

static void print_usage(FILE *stream)
{
    fprintf(stream, "usage: joulery-train SUBCOMMAND [options]\n\n"
                    "The engine of joulery; `joulery train` and `joulery zoo` execute it.\n\nsubcommands:\n");
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        fprintf(stream, "  %-10s %s\n", subcommands[i].name, subcommands[i].purpose);
    fprintf(stream,
            "\n`joulery-train SUBCOMMAND -h` explains each, with an example.\n"
            "exit status: 0 done, 1 failed, 2 wrong usage, 130 or 143 stopped by SIGINT or SIGTERM\n");
}

int program_fail(const char *subcommand, struct error *error, int status)
{
    fprintf(stderr, "joulery %s: %s\n", subcommand, error_text(error));
    error_clear(error);
    return status;
}

int program_parse_result(enum options_result result, const char *subcommand, struct error *error)
{
    return result == OPTIONS_HELP ? PROGRAM_DONE : program_fail(subcommand, error, PROGRAM_USAGE);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return PROGRAM_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "help") == 0) {
        print_usage(stdout);
        return PROGRAM_DONE;
    }
    if (strcmp(name, "--version") == 0) {
        puts("joulery-train " JOULERY_VERSION);
        return PROGRAM_DONE;
    }
    const char *names[SUBCOMMANDS];
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        if (strcmp(name, subcommands[i].name) == 0)
            return subcommands[i].run(argc - 1, argv + 1);
        names[i] = subcommands[i].name;
    }
    const char *nearest = text_nearest(name, names, SUBCOMMANDS);
    fprintf(stderr, "joulery-train: unknown subcommand '%s'%s%s%s\n", name, nearest ? " (did you mean " : "",
            nearest ? nearest : ": --help lists them", nearest ? "?)" : "");
    return PROGRAM_USAGE;
}
