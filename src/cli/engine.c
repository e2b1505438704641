/* `joulery train`, `joulery eval`, `joulery convert` and `joulery zoo` become joulery-train, so that
 * measuring never loads the engine's libraries. */
#include "base/file.h"
#include "base/text.h"
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int cli_engine(int argc, char **argv)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *directory = file_program_directory(&error);
    if (!directory)
        return cli_fail(argv[0], &error, CLI_FAILED);
    AUTO_FREE char *program = file_join(directory, "joulery-train");
    char **arguments = calloc((size_t)argc + 2, sizeof *arguments);
    if (!program || !arguments) {
        free(arguments);
        error_memory(&error, "command line");
        return cli_fail(argv[0], &error, CLI_FAILED);
    }
    arguments[0] = program;
    memcpy(arguments + 1, argv, (size_t)argc * sizeof *argv);
    execv(program, arguments);
    error_set(&error, "%s: %s: joulery-train belongs beside joulery; build or install both", program,
              strerror(errno));
    free(arguments);
    return cli_fail(argv[0], &error, CLI_FAILED);
}
