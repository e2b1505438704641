/* joulery study status. */
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/study.h"
#include "store/store.h"
#include "study/stopping.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct status {
    struct study_identity study;
    struct store_counts counts;
    int64_t owner;
    size_t left, disturbed;
    const char *database;
};

static int count_disturbed(void *context, const struct run_line *run)
{
    size_t *disturbed = context;
    *disturbed += run->disturbed && strcmp(run->state, "done") == 0;
    return 0;
}

static int read_status(struct store *store, struct status *status, struct error *error)
{
    if (store_get_study(store, &status->study, error) < 0 || store_count(store, &status->counts, error) < 0 ||
        store_owner(store, &status->owner, error) < 0 ||
        store_list_runs(store, count_disturbed, &status->disturbed, error) < 0)
        return -1;
    if (status->owner == 0) { /* whoever ran them is no more */
        status->counts.cut += status->counts.running;
        status->counts.running = 0;
    }
    status->left = status->counts.planned - status->counts.done - status->counts.failed;
    return 0;
}

static int print_failed(void *context, const struct run_line *run)
{
    (void)context;
    if (strcmp(run->state, "failed") != 0)
        return 0;
    AUTO_FREE char *line = run->output_tail ? text_last_line(run->output_tail) : NULL;
    printf("failed: %s, repetition %lld: %s, exit status %d%s%s\n", run->factors, (long long)run->repetition,
           run->ended ? run->ended : "", run->exit_status, line && *line ? ": " : "", line ? line : "");
    return 0;
}

/* The study with its stopping rule, and what that says now; NULL: there is none, or the file is an older or
 * newer Joulery's. */
static int ask_rule(struct store *store, const struct status *status, struct study **study,
                    struct stopping *stopping, struct error *error)
{
    struct error unreadable = ERROR_INIT;
    const char *text = status->study.definition;
    *study = study_parse(status->database, text, strlen(text), &unreadable);
    error_clear(&unreadable);
    if (*study && stopping_has_rule(*study))
        return stopping_ask(*study, store, stopping, error);
    study_free(*study);
    *study = NULL;
    return 0;
}

static int print_rule(struct store *store, const struct status *status, struct error *error)
{
    struct study *study;
    struct stopping stopping = {0};
    int result = ask_rule(store, status, &study, &stopping, error);
    AUTO_FREE char *rule = result == 0 && study ? stopping_describe(study, &stopping) : NULL;
    if (rule)
        printf("rule     %s\n", rule);
    stopping_free(&stopping);
    study_free(study);
    return result;
}

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *rule_json(const struct study *study, const struct stopping *stopping)
{
    static const char *const states[] = {[STOPPING_MORE] = "more",
                                         [STOPPING_MET] = "met",
                                         [STOPPING_MOST] = "most",
                                         [STOPPING_BUDGET] = "budget",
                                         [STOPPING_UNKNOWN] = "unknown"};
    json_t *until = study->until.share > 0
                        ? json_pack("{s:f, s:s, s:I}", "interval", study->until.share, "response",
                                    stopping_response(study), "most", (json_int_t)study->until.most)
                        : json_null();
    return json_pack("{s:o, s:o, s:s, s:b, s:I, s:I, s:I, s:o, s:o}", "until", until, "budget_j",
                     study->budget_j > 0 ? json_real(study->budget_j) : json_null(), "state",
                     states[stopping->state], "met", stopping->state == STOPPING_MET, "repetitions",
                     (json_int_t)stopping->repetitions, "treatments", (json_int_t)stopping->treatments,
                     "treatments_met", (json_int_t)stopping->met, "widest_interval",
                     number(stopping->widest_share), "spent_j", number(stopping->spent_j));
}

/* `*rule` is the caller's: null where the study has none. */
static int read_rule(struct store *store, const struct status *status, json_t **rule, struct error *error)
{
    struct study *study;
    struct stopping stopping = {0};
    int result = ask_rule(store, status, &study, &stopping, error);
    *rule = result == 0 && study ? rule_json(study, &stopping) : json_null();
    stopping_free(&stopping);
    study_free(study);
    return result;
}

static int print_status(struct store *store, const struct status *status, struct error *error)
{
    const struct store_counts *counts = &status->counts;
    AUTO_FREE char *left = counts->expected_s > 0 ? units_duration(counts->expected_s) : NULL;
    printf("study    %s\ndatabase %s\nplanned  %zu\ndone     %zu\nfailed   %zu\ncut      %zu%s\nleft     "
           "%zu%s%s\n",
           status->study.name, status->database, counts->planned, counts->done, counts->failed, counts->cut,
           counts->cut ? " (done again)" : "", status->left, left ? ", about " : "", left ? left : "");
    if (status->disturbed)
        printf(
            "disturbed %zu of those done: other programs took much of the processors' time; their notes say "
            "how much\n",
            status->disturbed);
    if (status->owner)
        printf("running  process %lld\n", (long long)status->owner);
    if (print_rule(store, status, error) < 0)
        return -1;
    return store_list_runs(store, print_failed, NULL, error);
}

static int add_run_json(void *context, const struct run_line *run)
{
    json_t *factors = json_loads(run->factors, 0, NULL);
    json_array_append_new(
        context, json_pack("{s:I, s:I, s:I, s:s, s:o, s:o?, s:o?, s:b}", "run", (json_int_t)run->run,
                           "position", (json_int_t)run->position, "repetition", (json_int_t)run->repetition,
                           "state", run->state, "factors", factors ? factors : json_object(), "exit_status",
                           run->ended ? json_integer(run->exit_status) : NULL, "wall_s",
                           run->ended ? json_real(run->wall_s) : NULL, "disturbed", (int)run->disturbed));
    return 0;
}

static int write_status(struct store *store, const struct status *status, const char *path,
                        struct error *error)
{
    const struct store_counts *counts = &status->counts;
    json_t *runs = json_array();
    if (!runs || store_list_runs(store, add_run_json, runs, error) < 0) {
        json_decref(runs);
        return -1;
    }
    json_t *rule;
    if (read_rule(store, status, &rule, error) < 0) {
        json_decref(rule);
        json_decref(runs);
        return -1;
    }
    bool known = counts->expected_s > 0 || status->left == 0;
    json_t *json = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o?, s:o?, s:o, s:o}",
                             "schema", "joulery.study/1", "name", status->study.name, "database",
                             status->database, "planned", (json_int_t)counts->planned, "done",
                             (json_int_t)counts->done, "failed", (json_int_t)counts->failed, "cut",
                             (json_int_t)counts->cut, "running", (json_int_t)counts->running, "disturbed",
                             (json_int_t)status->disturbed, "left", (json_int_t)status->left, "expected_s",
                             known ? json_real(counts->expected_s) : NULL, "owner_pid",
                             status->owner ? json_integer(status->owner) : NULL, "runs", runs, "rule", rule);
    return cli_write_json(json, path, error);
}

static int show_status(const char *path, const char *database, const char *json_path)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *usual = study_is_database(path) ? strdup(path) : study_database_of(path, &error);
    struct status status = {.database = database ? database : usual};
    /* a study file is read first: its mistakes say more than a database that is not there */
    struct study *study = usual && !study_is_database(path) ? study_load(path, &error) : NULL;
    bool known = usual && (study || study_is_database(path));
    study_free(study);
    struct store *store = known ? store_open(status.database, STORE_READ, &error) : NULL;
    int result = store ? read_status(store, &status, &error) : -1;
    if (result == 0)
        result = json_path ? write_status(store, &status, json_path, &error)
                           : print_status(store, &status, &error);
    study_identity_free(&status.study);
    store_close(store);
    return result == 0 ? CLI_DONE : cli_fail(STUDY_NAME, &error, CLI_FAILED);
}

int study_status(int argc, char **argv)
{
    const char *json_path = NULL, *database = NULL;
    const struct option options[] = {
        {"--db", 0, OPTION_TEXT, &database, "DB", "the database of a study file, if it isn't the usual one",
         0, 0},
        {"--json", 0, OPTION_TEXT, &json_path, "FILE", "write joulery.study/1 to FILE, - for standard output",
         0, 0},
    };
    const struct command_line line = {
        .usage = "joulery study status [options] DB|FILE",
        .purpose =
            "What a study has done, what is left, and how long that will take. A running study may be asked.",
        .example = "joulery study status quick.db",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .operands_least = 1,
        .operands_most = 1,
    };
    struct operands operands;
    struct error error = ERROR_INIT;
    enum options_result parsed = options_parse(&line, argc, argv, &operands, &error);
    if (parsed != OPTIONS_OK)
        return cli_parse_result(parsed, STUDY_NAME, &error);
    return show_status(operands.items[0], database, json_path);
}
