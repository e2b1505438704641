/* joulery export */
#include "exchange/export.h"
#include "audit/audit.h"
#include "base/text.h"
#include "cli/cli.h"
#include "exchange/boamps.h"

#include <stdlib.h>
#include <string.h>

#define NAME "export"

struct request {
    const char *database, *csv, *jsonl, *boamps, *json, *location;
    struct places *places;
    double pue;
    struct boamps_options words;
};

struct outcome {
    struct export_count counts[EXPORT_TABLES];
    struct boamps_outcome reports;
};

static json_t *outcome_to_json(const struct request *request, const struct outcome *outcome)
{
    AUTO_FREE char *database = text_utf8(request->database, strlen(request->database));
    json_t *tables = json_object();
    for (size_t i = 0; i < EXPORT_TABLES && outcome->counts[i].table; i++)
        json_object_set_new(tables, outcome->counts[i].table,
                            json_integer((json_int_t)outcome->counts[i].rows));
    json_t *reports = request->boamps
                          ? json_pack("{s:I, s:I}", "written", (json_int_t)outcome->reports.written,
                                      "left_out", (json_int_t)outcome->reports.left_out)
                          : json_null();
    return json_pack("{s:s, s:s, s:o, s:o}", "schema", "joulery.export/1", "database",
                     database ? database : "", "rows", tables, "boamps", reports);
}

/* Where a path is "-", standard output belongs to what is exported. */
static void print_outcome(const struct request *request, const struct outcome *outcome)
{
    if ((request->jsonl && strcmp(request->jsonl, "-") == 0) ||
        (request->json && strcmp(request->json, "-") == 0))
        return;
    for (size_t i = 0; i < EXPORT_TABLES && outcome->counts[i].table; i++)
        printf("%s: %zu rows\n", outcome->counts[i].table, outcome->counts[i].rows);
    if (request->csv)
        printf("what the columns mean: %s/columns.md\n", request->csv);
    if (request->boamps)
        printf("BoAmps: %zu report%s in %s\n", outcome->reports.written,
               outcome->reports.written == 1 ? "" : "s", request->boamps);
}

/* Whoever publishes a figure that can't be should know. */
static int warn_of_figures(struct store *store, const char *database, struct error *error)
{
    struct audit audit;
    if (audit_build(store, &audit, error) < 0)
        return -1;
    if (audit.figures[VERDICT_IMPOSSIBLE] > 0)
        fprintf(
            stderr,
            "joulery export: the audit holds %zu of the energies for impossible, and they are in the reports "
            "as they stand: `joulery audit %s` says why\n",
            audit.figures[VERDICT_IMPOSSIBLE], database);
    audit_free(&audit);
    return 0;
}

static int write_all(struct store *store, const struct request *request, struct outcome *outcome,
                     struct error *error)
{
    struct boamps_options words = request->words;
    if (export_find_place(store, request->places, request->location, request->pue, &words.place, error) < 0)
        return -1;
    if (request->csv && export_csv(store, request->csv, &words.place, outcome->counts, error) < 0)
        return -1;
    if (request->jsonl && export_jsonl(store, request->jsonl, &words.place, outcome->counts, error) < 0)
        return -1;
    if (request->boamps && boamps_export(store, request->boamps, &words, &outcome->reports, error) < 0)
        return -1;
    if (request->json && cli_write_json(outcome_to_json(request, outcome), request->json, error) < 0)
        return -1;
    print_outcome(request, outcome);
    if (outcome->reports.left_out > 0)
        fprintf(stderr, "joulery export: %zu runs have no report; %s\n", outcome->reports.left_out,
                outcome->reports.first_left_out ? outcome->reports.first_left_out : "");
    return request->boamps ? warn_of_figures(store, request->database, error) : 0;
}

static int export_from(struct request *request)
{
    struct error error = ERROR_INIT;
    struct outcome outcome = {0};
    if (!request->csv && !request->jsonl && !request->boamps) {
        error_set(&error, "expected --csv DIR, --jsonl FILE or --boamps DIR");
        return cli_fail(NAME, &error, CLI_USAGE);
    }
    if (boamps_check(&request->words, &error) < 0)
        return cli_fail(NAME, &error, CLI_USAGE);
    request->places = places_open(NULL, &error);
    struct store *store = request->places ? store_open(request->database, STORE_READ, &error) : NULL;
    int result = store ? write_all(store, request, &outcome, &error) : -1;
    store_close(store);
    places_close(request->places);
    free(outcome.reports.first_left_out);
    return result == 0 ? CLI_DONE : cli_fail(NAME, &error, CLI_FAILED);
}

int cli_export(int argc, char **argv)
{
    struct request request = {0};
    const struct option options[] = {
        {"--csv", 0, OPTION_TEXT, &request.csv, "DIR",
         "runs.csv, windows.csv, energies.csv and, what their columns mean, columns.md", 0, 0},
        {"--jsonl", 0, OPTION_TEXT, &request.jsonl, "FILE",
         "the same rows as joulery.rows/1, a JSON object a line; - is standard output", 0, 0},
        {"--boamps", 0, OPTION_TEXT, &request.boamps, "DIR",
         "a report a run in the data model of BoAmps, to be published", 0, 0},
        {"--location", 0, OPTION_TEXT, &request.location, "PLACE",
         "place for emissions; without it the study's, if it names one", 0, 0},
        {"--pue", 0, OPTION_NUMBER, &request.pue, "X",
         "power usage effectiveness of the building; without it the study's, the place's provider's, or 1", 1,
         10},
        {"--json", 0, OPTION_TEXT, &request.json, "FILE",
         "say how much was written as joulery.export/1; - is standard output", 0, 0},
        {"", 0, OPTION_HEADING, NULL, NULL, "What BoAmps requires and the database may not know", 0, 0},
        {"--task-stage", 0, OPTION_TEXT, &request.words.task_stage, "WORDS",
         "training, finetuning, … (known of runs with epochs)", 0, 0},
        {"--task-family", 0, OPTION_TEXT, &request.words.task_family, "WORDS",
         "such as 'image classification' (known of joulery train)", 0, 0},
        {"--data-type", 0, OPTION_TEXT, &request.words.data_type, "WORD",
         "tabular, audio, image, video, text, token, … (known of joulery train)", 0, 0},
        {"--infrastructure", 0, OPTION_TEXT, &request.words.infrastructure, "WORD",
         "publicCloud, privateCloud, onPremise or other", 0, 0},
        {"--method", 0, OPTION_TEXT, &request.words.method, "WORDS",
         "how the energies of imported runs were measured (known of all but tables)", 0, 0},
    };
    const struct command_line line = {
        .usage = "joulery export DB --csv DIR | --jsonl FILE | --boamps DIR [options]",
        .purpose =
            "Writes what a database holds for other programs: a row a run, a window and a channel, with "
            "the factors\n"
            "as columns; or reports to be published. Changes nothing in it.",
        .example = "joulery export quick.db --csv quick-data --location SWE",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .operands_least = 1,
        .operands_most = 1,
    };
    struct operands operands;
    struct error error = ERROR_INIT;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    if (parsed != OPTIONS_OK)
        return cli_parse_result(parsed, NAME, &error);
    request.database = operands.items[0];
    return export_from(&request);
}
