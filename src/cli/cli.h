/* cli.h: the subcommands of `joulery`. Each parses its options, calls the rooms below, prints, and returns
 * the exit status: 0 done, 1 failed, 2 wrong usage. argv[0] is the subcommand's name. */
#ifndef JOULERY_CLI_CLI_H
#define JOULERY_CLI_CLI_H

#include "base/options.h"

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

/* "joulery SUBCOMMAND: message" on standard error; returns `status`. Clears the error. */
int cli_fail(const char *subcommand, struct error *error, int status);

/* What a subcommand returns when options_parse said HELP or WRONG. */
int cli_parse_result(enum options_result result, const char *subcommand, struct error *error);

/* joulery run: measures a command; the exit status is the command's own. joulery meters: lists the
 * instruments. */
int cli_run(int argc, char **argv);
int cli_meters(int argc, char **argv);

/* joulery train, joulery zoo: replaced by joulery-train, which holds the engine. */
int cli_engine(int argc, char **argv);

/* joulery report, joulery locations. */
int cli_report(int argc, char **argv);
int cli_locations(int argc, char **argv);

/* joulery study run, status, check. */
int cli_study(int argc, char **argv);

#endif
