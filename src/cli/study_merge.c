/* joulery study merge. */
#include "base/text.h"
#include "cli/cli.h"
#include "cli/study.h"
#include "store/merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "oregon=a.db" is the level oregon; without it the host's name is. A file whose name holds a '=' is given
 * with a level, or as ./NAME. */
static int read_part(const char *operand, struct merge_part *part, char **level, struct error *error)
{
    size_t length = strcspn(operand, "=/");
    *part = (struct merge_part){.path = operand};
    if (operand[length] != '=')
        return 0;
    if (length == 0 || !operand[length + 1])
        return error_set(error, "'%s': expected NAME=FILE, as in oregon=a.db", operand);
    *level = strndup(operand, length);
    *part = (struct merge_part){.path = operand + length + 1, .level = *level};
    return *level ? 0 : error_memory(error, operand);
}

static void print_result(const char *path, const char *factor, const struct merge_result *result)
{
    fprintf(stderr, "%zu runs done, in %s, with the factor %s:", result->runs, path, factor);
    for (size_t i = 0; i < result->count; i++)
        fprintf(stderr, "%s %s", i ? "," : "", result->levels[i]);
    fprintf(stderr, "\n");
}

static int write_result(const char *path, const char *factor, const struct merge_result *result,
                        const char *json_path, struct error *error)
{
    json_t *levels = json_array();
    for (size_t i = 0; i < result->count; i++)
        json_array_append_new(levels, json_string(result->levels[i]));
    return cli_write_json(json_pack("{s:s, s:s, s:s, s:o, s:I}", "schema", "joulery.merge/1", "database",
                                    path, "factor", factor, "levels", levels, "done",
                                    (json_int_t)result->runs),
                          json_path, error);
}

static int merge(const struct operands *operands, const char *factor, const char *json_path,
                 struct error *error)
{
    size_t count = operands->count - 1;
    struct merge_part *parts = calloc(count, sizeof *parts);
    char **levels = calloc(count, sizeof *levels);
    struct merge_result result = {0};
    int status = parts && levels ? 0 : error_memory(error, "merge");
    for (size_t i = 0; i < count && status == 0; i++)
        status = read_part(operands->items[i + 1], &parts[i], &levels[i], error);
    if (status == 0)
        status = store_merge(operands->items[0], factor, parts, count, &result, error);
    if (status == 0) {
        print_result(operands->items[0], factor, &result);
        status = json_path ? write_result(operands->items[0], factor, &result, json_path, error) : 0;
    }
    merge_result_free(&result);
    for (size_t i = 0; i < count && levels; i++)
        free(levels[i]);
    free(levels);
    free(parts);
    return status;
}

int study_merge(int argc, char **argv)
{
    const char *factor = "site", *json_path = NULL;
    const struct option options[] = {
        {"--as", 0, OPTION_TEXT, &factor, "FACTOR",
         "what the factor is called that says where a run comes from (default site)", 0, 0},
        {"--json", 0, OPTION_TEXT, &json_path, "FILE", "write joulery.merge/1 to FILE, - for standard output",
         0, 0},
    };
    const struct command_line line = {
        .usage = "joulery study merge [options] OUT.db [NAME=]A.db [NAME=]B.db ...",
        .purpose = "Joins databases of the same study from several machines into a new one, in which the "
                   "machine is a factor.\n"
                   "Its levels are the NAMEs, or the hosts' names. The databases stay as they are.",
        .example = "joulery study merge both.db oregon=a.db paris=b.db --as site",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .operands_least = 3,
        .operands_most = 1000,
    };
    struct operands operands;
    struct error error = ERROR_INIT;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    if (parsed != OPTIONS_OK)
        return cli_parse_result(parsed, STUDY_NAME, &error);
    if (merge(&operands, factor, json_path, &error) < 0)
        return cli_fail(STUDY_NAME, &error, CLI_FAILED);
    return CLI_DONE;
}
