/* joulery study init. */
#include "base/file.h"
#include "cli/cli.h"
#include "cli/study.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern const unsigned char study_example[];

/* Never over a file that is there. */
static int write_new(const char *path, struct error *error)
{
    const char *text = (const char *)study_example;
    if (strcmp(path, "-") == 0)
        return file_write(path, text, strlen(text), error);
    int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file < 0 && errno == EEXIST)
        return error_set(error, "%s: is there already: give another name", path);
    if (file < 0)
        return error_errno(error, errno, path);
    close(file);
    return file_write(path, text, strlen(text), error);
}

int study_init(int argc, char **argv)
{
    const struct command_line line = {
        .usage = "joulery study init [FILE]",
        .purpose = "Writes a study file with comments to FILE (default study.yaml, - for standard output), "
                   "to start from. "
                   "It can be run as\nit is.",
        .example = "joulery study init mine.yaml",
        .operands_least = 0,
        .operands_most = 1,
    };
    struct operands operands;
    struct error error = ERROR_INIT;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    if (parsed != OPTIONS_OK)
        return cli_parse_result(parsed, STUDY_NAME, &error);
    const char *path = operands.count > 0 ? operands.items[0] : "study.yaml";
    if (write_new(path, &error) < 0)
        return cli_fail(STUDY_NAME, &error, CLI_FAILED);
    if (strcmp(path, "-") != 0)
        fprintf(stderr, "written to %s: change it, then `joulery study check %s`\n", path, path);
    return CLI_DONE;
}
