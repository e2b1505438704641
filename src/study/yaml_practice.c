/* The keys of a study file that say what is done around each run, so that runs can be compared. */
#include "study/yaml.h"

#include "base/text.h"
#include "base/units.h"
#include "calibrate/idle.h"

#include <string.h>

#define COOLDOWN_MOST_S        86400
#define COOLDOWN_POWER         0.1
#define COOLDOWN_TEMPERATURE_K 3
#define UNTIL_MOST             50
#define REPETITIONS_MOST       10000

static const char cooldown_words[] = "a cool-down: seconds from 0 to 86400";

/* ---- cooldown: ---- */

static int read_seconds(struct reading *reading, const yaml_node_t *node, double *seconds)
{
    return reading_real(reading, node, cooldown_words, 0, COOLDOWN_MOST_S, seconds);
}

static int read_least(struct reading *reading, const yaml_node_t *node)
{
    return read_seconds(reading, node, &reading->study->cooldown.least_s);
}

static int read_most(struct reading *reading, const yaml_node_t *node)
{
    return read_seconds(reading, node, &reading->study->cooldown.most_s);
}

static int read_share(struct reading *reading, const yaml_node_t *node, const char *what, double *share)
{
    const char *text = reading_scalar(reading, node, what);
    struct error why = ERROR_INIT;
    if (!text || units_parse_share(text, share, &why) == 0)
        return text ? 0 : -1;
    error_clear(&why);
    return study_error(reading->study, reading_line(node), reading->error, "expected %s, found '%s'", what,
                       text);
}

static int read_power(struct reading *reading, const yaml_node_t *node)
{
    return read_share(reading, node, "a share of the power at rest, such as 10%",
                      &reading->study->cooldown.power_share);
}

static int read_temperature(struct reading *reading, const yaml_node_t *node)
{
    return reading_real(reading, node,
                        "kelvins above the temperature before the study: a number from 0.5 to 50", 0.5, 50,
                        &reading->study->cooldown.temperature_k);
}

static int read_cooldown_pair(struct reading *reading, const yaml_node_t *key, const yaml_node_t *value)
{
    static const struct {
        const char *name;
        int (*read)(struct reading *reading, const yaml_node_t *value);
    } known[] = {
        {"least", read_least}, {"most", read_most}, {"power", read_power}, {"temperature", read_temperature}};
    const char *name = reading_scalar(reading, key, "least, most, power or temperature");
    for (size_t i = 0; name && i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].read(reading, value);
    return name ? study_error(reading->study, reading_line(key), reading->error,
                              "cooldown: expected least, most, power or temperature, found '%s'", name)
                : -1;
}

int practice_read_cooldown(struct reading *reading, const yaml_node_t *node)
{
    struct study_cooldown *cooldown = &reading->study->cooldown;
    if (node->type == YAML_SCALAR_NODE)
        return read_seconds(reading, node, &cooldown->least_s);
    cooldown->power_share = COOLDOWN_POWER;
    cooldown->temperature_k = COOLDOWN_TEMPERATURE_K;
    if (reading_pairs(reading, node, "seconds, or most: SECONDS and what else docs/studies.md has",
                      read_cooldown_pair) < 0)
        return -1;
    if (cooldown->most_s > cooldown->least_s)
        return 0;
    return study_error(
        reading->study, reading_line(node), reading->error,
        "cooldown: expected most: seconds after which a run begins in any case, more than least (%g)",
        cooldown->least_s);
}

/* ---- until: and budget: ---- */

static int read_interval(struct reading *reading, const yaml_node_t *node)
{
    return read_share(reading, node, "a share of the mean, such as 5%", &reading->study->until.share);
}

static int read_response(struct reading *reading, const yaml_node_t *node)
{
    static const char *const words[] = {"energy", "duration", "accuracy"};
    static const enum study_response responses[] = {RESPONSE_ENERGY, RESPONSE_DURATION, RESPONSE_ACCURACY};
    size_t number;
    if (reading_choice(reading, node, words, 3, &number) < 0)
        return -1;
    reading->study->until.response = responses[number];
    return 0;
}

static int read_most_repetitions(struct reading *reading, const yaml_node_t *node)
{
    return reading_whole(reading, node, "the most repetitions: a whole number from 1 to 10000", 1,
                         REPETITIONS_MOST, &reading->study->until.most);
}

static int read_until_pair(struct reading *reading, const yaml_node_t *key, const yaml_node_t *value)
{
    static const struct {
        const char *name;
        int (*read)(struct reading *reading, const yaml_node_t *value);
    } known[] = {{"interval", read_interval}, {"response", read_response}, {"most", read_most_repetitions}};
    const char *name = reading_scalar(reading, key, "interval, response or most");
    for (size_t i = 0; name && i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].read(reading, value);
    return name ? study_error(reading->study, reading_line(key), reading->error,
                              "until: expected interval, response or most, found '%s'", name)
                : -1;
}

int practice_read_until(struct reading *reading, const yaml_node_t *node)
{
    reading->until_line = reading_line(node);
    reading->study->until.most = UNTIL_MOST;
    if (reading_pairs(reading, node, "a rule, as in {interval: 5%, response: energy, most: 20}",
                      read_until_pair) < 0)
        return -1;
    if (reading->study->until.share > 0)
        return 0;
    return study_error(reading->study, reading->until_line, reading->error,
                       "until: expected interval: a share of the mean, such as 5%%");
}

int practice_read_budget(struct reading *reading, const yaml_node_t *node)
{
    static const char what[] = "an energy, such as 2kWh or 500 kJ";
    const char *text = reading_scalar(reading, node, what);
    struct error why = ERROR_INIT;
    reading->until_line = reading->until_line ? reading->until_line : reading_line(node);
    if (!text || units_parse_energy(text, &reading->study->budget_j, &why) == 0)
        return text ? 0 : -1;
    error_clear(&why);
    return study_error(reading->study, reading_line(node), reading->error, "expected %s, found '%s'", what,
                       text);
}

static int check_until(const struct reading *reading)
{
    struct study *study = reading->study;
    if (!reading->until_line)
        return 0;
    if (study->until.most == 0) /* a budget alone */
        study->until.most = REPETITIONS_MOST;
    if (study->order == ORDER_COMPLETELY_SHUFFLED)
        return study_error(
            study, reading->until_line, reading->error,
            "a study that is completely shuffled can't be extended: remove until and budget, or order");
    if (study->until.most < study->repetitions)
        return study_error(study, reading->until_line, reading->error,
                           "until: at most %lld repetitions, and repetitions: asks for %lld to begin with",
                           (long long)study->until.most, (long long)study->repetitions);
    return 0;
}

/* ---- the others ---- */

static int read_flag(struct reading *reading, const yaml_node_t *node, bool *flag)
{
    static const char *const words[] = {"false", "true"};
    size_t number;
    if (reading_choice(reading, node, words, 2, &number) < 0)
        return -1;
    *flag = number == 1;
    return 0;
}

int practice_read_warm_up(struct reading *reading, const yaml_node_t *node)
{
    return read_flag(reading, node, &reading->study->warm_up);
}

int practice_read_idle(struct reading *reading, const yaml_node_t *node)
{
    int64_t seconds;
    if (reading_whole(reading, node, "seconds at rest: a whole number from 2 to 14400", IDLE_LEAST_S,
                      IDLE_MOST_S, &seconds) < 0)
        return -1;
    reading->study->idle_s = (double)seconds;
    return 0;
}

int practice_read_keep(struct reading *reading, const yaml_node_t *node)
{
    static const char *const words[] = {"false", "failed", "true"};
    static const enum study_keep kept[] = {KEEP_NONE, KEEP_FAILED, KEEP_ALL};
    size_t number;
    reading->keep_line = reading_line(node);
    if (reading_choice(reading, node, words, 3, &number) < 0)
        return -1;
    reading->study->keep = kept[number];
    return 0;
}

int practice_read_retries(struct reading *reading, const yaml_node_t *node)
{
    return reading_whole(reading, node, "retries: a whole number from 0 to 100", 0, 100,
                         &reading->study->retries);
}

int practice_check(struct reading *reading)
{
    const struct study *study = reading->study;
    bool used = study->folder == FOLDER_SCRATCH;
    for (size_t i = 0; i < study->command_count; i++)
        used = used || strstr(study->command[i].text, "{scratch}");
    if (study->keep == KEEP_NONE || used)
        return check_until(reading);
    return study_error(
        study, reading->keep_line, reading->error,
        "keep: nothing uses the runs' own folders: add directory: scratch, or {scratch} to the command");
}
