#include "base/subcommands.h"

#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_usage(const struct subcommand_table *table, FILE *stream)
{
    fprintf(stream, "usage: %s SUBCOMMAND %s\n\n%s\n\nsubcommands:\n", table->name, table->usage,
            table->purpose);
    int width = 0;
    for (size_t i = 0; i < table->count; i++)
        width =
            (int)strlen(table->subcommands[i].name) > width ? (int)strlen(table->subcommands[i].name) : width;
    for (size_t i = 0; i < table->count; i++)
        fprintf(stream, "  %-*s  %s\n", width, table->subcommands[i].name, table->subcommands[i].purpose);
    fprintf(stream, "\n`%s SUBCOMMAND -h` explains each, with an example.\n", table->name);
    if (table->exit_status)
        fprintf(stream, "exit status: %s\n", table->exit_status);
    if (table->example)
        fprintf(stream, "\nexample:\n  %s\n", table->example);
}

static int tell_unknown(const struct subcommand_table *table, const char *given)
{
    AUTO_FREE char *printable = text_printable(given);
    const char *name = printable ? printable : "";
    const char **names = calloc(table->count + 1, sizeof *names);
    for (size_t i = 0; names && i < table->count; i++)
        names[i] = table->subcommands[i].name;
    const char *nearest = names ? text_nearest(name, names, table->count) : NULL;
    if (nearest)
        fprintf(stderr, "%s: unknown subcommand '%s' (did you mean %s?)\n", table->name, name, nearest);
    else
        fprintf(stderr, "%s: unknown subcommand '%s': `%s --help` lists them\n", table->name, name,
                table->name);
    free(names);
    return PROGRAM_USAGE;
}

int subcommand_run(const struct subcommand_table *table, int argc, char **argv)
{
    if (argc < 2) {
        print_usage(table, stderr);
        return PROGRAM_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "help") == 0) {
        print_usage(table, stdout);
        return PROGRAM_DONE;
    }
    if (strcmp(name, "--version") == 0) {
        printf("%s " JOULERY_VERSION "\n", table->name);
        return PROGRAM_DONE;
    }
    for (size_t i = 0; i < table->count; i++)
        if (strcmp(name, table->subcommands[i].name) == 0)
            return table->subcommands[i].run(argc - 1, argv + 1);
    return tell_unknown(table, name);
}

int program_fail(const char *subcommand, struct error *error, int status)
{
    AUTO_FREE char *words = text_printable_lines(error_text(error));
    fprintf(stderr, "joulery %s: %s\n", subcommand, words ? words : "out of memory");
    error_clear(error);
    return status;
}

int program_parse_result(enum options_result result, const char *subcommand, struct error *error)
{
    return result == OPTIONS_HELP ? PROGRAM_DONE : program_fail(subcommand, error, PROGRAM_USAGE);
}
