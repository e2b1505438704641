/* options.h: command lines from a table: parsed strictly, help written from the same table. */
#ifndef JOULERY_BASE_OPTIONS_H
#define JOULERY_BASE_OPTIONS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,   /* target: bool; no value */
    OPTION_TEXT,   /* target: const char *; points into argv */
    OPTION_MAYBE,  /* as OPTION_TEXT; "" if it stands without a value: at the end, or before an option. For
                      commands without operands: the next word is its value */
    OPTION_COUNT,  /* target: uint64_t, within least..most */
    OPTION_NUMBER, /* target: double, within least..most */
    OPTION_LIST,   /* target: struct option_list; may be given again and again */
    OPTION_HEADING /* no option: its help stands above those that follow */
};

/* The values of an option that may repeat, in order; they point into argv. Free with options_list_free. */
struct option_list {
    const char **items;
    size_t count;
};

struct option {
    const char *name; /* "--epochs" */
    char letter;      /* 'o' for -o, or 0 */
    enum option_kind kind;
    void *target;
    const char *value_name; /* "N" in the help; NULL for a flag */
    const char *help;
    double least, most; /* OPTION_COUNT, OPTION_NUMBER; both 0: no limits but those of the type */
};

struct command_line {
    const char *usage;   /* "joulery run [options] -- COMMAND ..." */
    const char *purpose; /* one or two sentences */
    const char *example; /* shown at the end of the help */
    const struct option *options;
    size_t option_count;
    size_t operands_least, operands_most; /* operands_most SIZE_MAX: any number */
    bool stop_at_operand;                 /* all from the first operand on is operands (a command to run) */
};

struct operands {
    char **items; /* into argv */
    size_t count;
};

enum options_result { OPTIONS_OK, OPTIONS_HELP, OPTIONS_WRONG };

/* Parses argv[1..]; argv[0] is the subcommand. Options are `--name value`, `--name=value`, `-o value`; `--`
 * ends them. OPTIONS_HELP: -h or --help was given and the help was written to standard output (exit 0).
 * OPTIONS_WRONG: `error` says what is wrong, with the nearest option's name (exit 2). argv is reordered so
 * that operands are contiguous. */
enum options_result options_parse(const struct command_line *command_line, int argc, char **argv,
                                  struct operands *operands, struct error *error);

void options_list_free(struct option_list *list);

#endif
