#include "cli/cli.h"

#include <stdio.h>

int cli_fail(const char *subcommand, struct error *error, int status)
{
    fprintf(stderr, "joulery %s: %s\n", subcommand, error_text(error));
    error_clear(error);
    return status;
}

int cli_parse_result(enum options_result result, const char *subcommand, struct error *error)
{
    if (result == OPTIONS_HELP)
        return CLI_DONE;
    return cli_fail(subcommand, error, CLI_USAGE);
}
