/* joulery study check. */
#include "base/text.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/study.h"
#include "study/design.h"
#include "study/estimate.h"
#include "study/stopping.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define PLAN_LINES_MOST 1000

static bool needs_quotes(const char *word)
{
    static const char *const plain =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=+:,./@%{}";
    return !*word || word[strspn(word, plain)] != '\0';
}

static void print_word(const char *word)
{
    if (!needs_quotes(word)) {
        printf(" %s", word);
        return;
    }
    fputs(" '", stdout);
    for (; *word; word++)
        fputs(*word == '\'' ? "'\\''" : (const char[]){*word, '\0'}, stdout);
    putchar('\'');
}

static int print_run(const struct study *study, const struct planned_run *run, const char *trainer,
                     struct error *error)
{
    struct design_places places = {trainer, "{scratch}"};
    char **command = design_command(study, run, &places, error);
    if (!command)
        return -1;
    printf("%4lld  repetition %lld:", (long long)run->position + 1, (long long)run->repetition);
    for (size_t i = 0; command[i]; i++)
        print_word(command[i]);
    putchar('\n');
    design_command_free(command);
    return 0;
}

static const char *const order_words[] = {[ORDER_SHUFFLED] = "shuffled within each repetition",
                                          [ORDER_COMPLETELY_SHUFFLED] = "all shuffled at once",
                                          [ORDER_LISTED] = "in the order listed"};

static int print_design(const struct study *study, size_t runs, struct error *error)
{
    size_t treatments, combinations = 1;
    if (design_treatments(study, NULL, &treatments, error) < 0)
        return -1;
    printf("%s: %zu runs: ", study->name, runs);
    for (size_t i = 0; i < study->factor_count && !study->listed_count; i++) {
        printf("%zu %s x ", study->factors[i].level_count, study->factors[i].name.text);
        combinations *= study->factors[i].level_count;
    }
    if (study->listed_count)
        printf("%zu combinations x ", treatments);
    printf("%lld repetition%s%s", (long long)study->repetitions, study->repetitions == 1 ? "" : "s",
           stopping_has_rule(study) ? " to begin with" : "");
    if (treatments < combinations)
        printf(", without %zu of the %zu combinations", combinations - treatments, combinations);
    printf(", %s", order_words[study->order]);
    if (study->block.text)
        printf(" with each level of %s kept together", study->block.text);
    putchar('\n');
    if (study->until.share > 0)
        printf("then further repetitions until %s is known to within %.3g %%, at most %lld\n",
               stopping_response(study), 100 * study->until.share, (long long)study->until.most);
    if (study->budget_j > 0) {
        AUTO_FREE char *budget = units_energy(study->budget_j);
        printf("within a budget of %s\n", budget ? budget : "");
    }
    if (study->folder == FOLDER_STUDY)
        printf("each starts in %s\n", study->directory);
    return 0;
}

/* ---- what it will take ---- */

static double free_bytes(const char *database)
{
    const char *slash = strrchr(database, '/');
    AUTO_FREE char *folder = slash ? strndup(database, (size_t)(slash - database) + 1) : strdup(".");
    struct statvfs disk;
    return folder && statvfs(folder, &disk) == 0 ? (double)disk.f_bavail * (double)disk.f_frsize
                                                 : (double)NAN;
}

static void print_disk(const struct estimate *estimate, const char *database)
{
    double left_bytes = free_bytes(database);
    AUTO_FREE char *grows = units_bytes((uint64_t)estimate->disk_bytes);
    AUTO_FREE char *left = isfinite(left_bytes) ? units_bytes((uint64_t)left_bytes) : NULL;
    printf("the database grows by about %s%s%s\n", grows ? grows : "", left ? "; free are " : "",
           left ? left : "");
    if (left_bytes < 2 * estimate->disk_bytes)
        printf("warning: that may not be enough\n");
}

static void print_estimate(const struct estimate *estimate, const char *database)
{
    if (estimate->left == 0) {
        printf("nothing is left to run, in %s\n", database);
        return;
    }
    if (estimate->earlier == 0) {
        printf("what it will take is not known: no run is done in %s\n", database);
        return;
    }
    AUTO_FREE char *time = units_duration(estimate->wall_s);
    AUTO_FREE char *rest = estimate->rest_s > 0 ? units_duration(estimate->rest_s) : NULL;
    AUTO_FREE char *energy =
        isfinite(estimate->energy_j) ? units_energy(estimate->energy_j) : strdup("energy not known");
    printf("%zu runs left: about %s%s%s%s, %s, by %zu runs done in %s", estimate->left, time ? time : "",
           rest ? " (" : "", rest ? rest : "", rest ? " of it at rest)" : "", energy ? energy : "",
           estimate->earlier, database);
    if (estimate->same < estimate->left)
        printf(" (%zu of those left have levels that were not run yet: the mean of all stands for them)",
               estimate->left - estimate->same);
    putchar('\n');
    print_disk(estimate, database);
}

/* ---- as JSON ---- */

static json_t *run_json(const struct study *study, const struct planned_run *run, const char *trainer,
                        struct error *error)
{
    struct design_places places = {trainer, "{scratch}"};
    char **command = design_command(study, run, &places, error);
    if (!command)
        return NULL;
    json_t *words = json_array(), *factors = json_object();
    for (size_t i = 0; command[i]; i++)
        json_array_append_new(words, json_string(command[i]));
    for (size_t i = 0; i < run->factor_count; i++)
        json_object_set_new(factors, run->factors[i].factor, json_string(run->factors[i].level));
    design_command_free(command);
    json_t *json = json_pack("{s:I, s:I, s:o, s:o}", "position", (json_int_t)run->position, "repetition",
                             (json_int_t)run->repetition, "factors", factors, "command", words);
    if (!json)
        error_memory(error, "plan");
    return json;
}

static json_t *estimate_json(const struct estimate *estimate, const char *database)
{
    bool known = estimate->earlier > 0 || estimate->left == 0;
    double left_bytes = free_bytes(database);
    return json_pack("{s:s, s:I, s:I, s:I, s:o?, s:o?, s:o?, s:o?, s:o?}", "database", database,
                     "earlier_runs", (json_int_t)estimate->earlier, "left", (json_int_t)estimate->left,
                     "left_with_earlier", (json_int_t)estimate->same, "wall_s",
                     known ? json_real(estimate->wall_s) : NULL, "rest_s",
                     known ? json_real(estimate->rest_s) : NULL, "energy_j",
                     known && isfinite(estimate->energy_j) ? json_real(estimate->energy_j) : NULL,
                     "disk_bytes", known ? json_real(estimate->disk_bytes) : NULL, "disk_free_bytes",
                     isfinite(left_bytes) ? json_real(left_bytes) : NULL);
}

/* ---- the command ---- */

struct checking {
    const struct study *study;
    const char *trainer, *database, *json_path;
    struct planned_run *plan;
    size_t count;
    struct estimate estimate;
    bool estimated; /* the database is there */
};

static int print_plan(const struct checking *checking, struct error *error)
{
    int result = print_design(checking->study, checking->count, error);
    for (size_t i = 0; i < checking->count && i < PLAN_LINES_MOST && result == 0; i++)
        result = print_run(checking->study, &checking->plan[i], checking->trainer, error);
    if (checking->count > PLAN_LINES_MOST)
        printf("and %zu more\n", checking->count - PLAN_LINES_MOST);
    if (result == 0 && checking->estimated)
        print_estimate(&checking->estimate, checking->database);
    else if (result == 0)
        printf("what it will take is not known: there is no %s; --db names the database of a pilot or an "
               "earlier "
               "study\n",
               checking->database);
    return result;
}

static int write_plan(const struct checking *checking, struct error *error)
{
    json_t *runs = json_array();
    for (size_t i = 0; i < checking->count; i++) {
        json_t *run = run_json(checking->study, &checking->plan[i], checking->trainer, error);
        if (!run || json_array_append_new(runs, run) < 0) {
            json_decref(runs);
            return run ? error_memory(error, "plan") : -1;
        }
    }
    json_t *json = json_pack(
        "{s:s, s:s, s:o, s:o?}", "schema", "joulery.plan/1", "name", checking->study->name, "runs", runs,
        "expected", checking->estimated ? estimate_json(&checking->estimate, checking->database) : NULL);
    return cli_write_json(json, checking->json_path, error);
}

static int estimate(struct checking *checking, struct error *error)
{
    checking->estimated = study_is_database(checking->database);
    if (!checking->estimated)
        return 0;
    struct store *store = store_open(checking->database, STORE_READ, error);
    int result = store ? estimate_plan(checking->study, checking->plan, checking->count, store,
                                       &checking->estimate, error)
                       : -1;
    store_close(store);
    return result;
}

static int check(struct checking *checking, struct error *error)
{
    if (design_plan(checking->study, &checking->plan, &checking->count, error) < 0)
        return -1;
    int result = estimate(checking, error);
    if (result == 0)
        result = checking->json_path ? write_plan(checking, error) : print_plan(checking, error);
    design_free(checking->plan, checking->count);
    return result;
}

int study_check(int argc, char **argv)
{
    const char *json_path = NULL, *database = NULL;
    const struct option options[] = {
        {"--db", 0, OPTION_TEXT, &database, "DB",
         "the database whose runs say what this study will take: its own or a pilot's (default: its own)", 0,
         0},
        {"--json", 0, OPTION_TEXT, &json_path, "FILE", "write joulery.plan/1 to FILE, - for standard output",
         0, 0},
    };
    const struct command_line line = {
        .usage = "joulery study check [options] FILE",
        .purpose = "Checks a study file and shows what would be run, in which order, and what that will take "
                   "by earlier "
                   "runs:\ntime, energy, disk. Runs nothing.",
        .example = "joulery study check studies/quick.yaml",
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
    AUTO_FREE char *trainer = study_find_trainer(&error);
    AUTO_FREE char *usual = study_database_of(operands.items[0], &error);
    struct study *study = trainer && usual ? study_load_checked(operands.items[0], trainer, &error) : NULL;
    struct checking checking = {
        .study = study, .trainer = trainer, .database = database ? database : usual, .json_path = json_path};
    int result = study ? check(&checking, &error) : -1;
    study_free(study);
    return result == 0 ? CLI_DONE : cli_fail(STUDY_NAME, &error, CLI_FAILED);
}
