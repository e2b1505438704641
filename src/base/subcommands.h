/* subcommands.h: programs, and subcommands, that are `NAME SUBCOMMAND [options]`: finding the subcommand,
 * help, exit status. */
#ifndef JOULERY_BASE_SUBCOMMANDS_H
#define JOULERY_BASE_SUBCOMMANDS_H

#include "base/error.h"
#include "base/options.h"

#include <stddef.h>

enum { PROGRAM_DONE = 0, PROGRAM_FAILED = 1, PROGRAM_USAGE = 2 };

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name; returns the exit status */
    const char *purpose;
};

struct subcommand_table {
    const char *name;        /* "joulery", "joulery study" */
    const char *usage;       /* "FILE... [options]": what comes after the subcommand */
    const char *purpose;     /* a line or two for the help */
    const char *exit_status; /* what the help says of it; NULL: nothing */
    const char *example;     /* NULL: each subcommand has one */
    const struct subcommand *subcommands;
    size_t count;
};

/* Runs the subcommand that argv[1] names, or says what is wrong; -h, --help, help and --version are answered.
 * Returns the exit status. */
int subcommand_run(const struct subcommand_table *table, int argc, char **argv);

/* "joulery SUBCOMMAND: message" on standard error (what people typed, also where joulery executed another
 * program); returns `status`. Clears the error. */
int program_fail(const char *subcommand, struct error *error, int status);

/* What a subcommand returns when options_parse said HELP or WRONG. */
int program_parse_result(enum options_result result, const char *subcommand, struct error *error);

#endif
