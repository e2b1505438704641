/* joulery audit */
#include "audit/audit.h"
#include "base/text.h"
#include "cli/cli.h"

#include <stdlib.h>
#include <string.h>

static int write_audit(struct store *store, const char *json, struct error *error)
{
    struct audit audit;
    if (audit_build(store, &audit, error) < 0)
        return -1;
    AUTO_FREE char *text = audit_text(&audit);
    int result = text ? 0 : error_memory(error, "audit");
    if (result == 0 && json)
        result = cli_write_json(audit_to_json(&audit), json, error);
    if (result == 0 && !(json && strcmp(json, "-") == 0))
        fputs(text, stdout);
    audit_free(&audit);
    return result;
}

int cli_audit(int argc, char **argv)
{
    const char *json = NULL;
    const struct option options[] = {
        {"--json", 0, OPTION_TEXT, &json, "FILE",
         "write the findings as joulery.audit/1; - is standard output", 0, 0},
    };
    const struct command_line line = {
        .usage = "joulery audit DB [options]",
        .purpose =
            "Holds every energy of a database against physics and says which are sound, doubtful or\n"
            "impossible, and why; where counter ranges were lost, what they may have been. Changes nothing.",
        .example = "joulery audit published.db",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .operands_least = 1,
        .operands_most = 1,
    };
    struct operands operands;
    struct error error = ERROR_INIT;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    if (parsed != OPTIONS_OK)
        return cli_parse_result(parsed, argv[0], &error);
    struct store *store = store_open(operands.items[0], STORE_READ, &error);
    int result = store ? write_audit(store, json, &error) : -1;
    store_close(store);
    return result == 0 ? CLI_DONE : cli_fail(argv[0], &error, CLI_FAILED);
}
