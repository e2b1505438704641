/* A study in memory: from its file (yaml.c reads the text), its messages, its end, its fingerprint. */
#include "study/study.h"

#include "base/file.h"
#include "base/text.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MOST (1 << 20)

int study_error(const struct study *study, size_t line, struct error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *message = NULL;
    if (vasprintf(&message, format, arguments) < 0)
        message = NULL;
    va_end(arguments);
    if (message)
        error_set(error, "%s:%zu: %s", study->path, line, message);
    else
        error_memory(error, study->path);
    free(message);
    return -1;
}

struct study *study_load(const char *path, struct error *error)
{
    size_t size;
    AUTO_FREE char *text = file_read(path, FILE_BYTES_MOST, &size, error);
    return text ? study_parse(path, text, size, error) : NULL;
}

static void free_factors(struct study_factor *factors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < factors[i].level_count; k++)
            free(factors[i].levels[k].text);
        free(factors[i].levels);
        free(factors[i].name.text);
    }
    free(factors);
}

static void free_rules(struct study_rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free_factors(rules[i].terms, rules[i].term_count);
    free(rules);
}

static void free_options(struct study_option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(options[i].name.text);
        free(options[i].value.text);
    }
    free(options);
}

void study_free(struct study *study)
{
    if (!study)
        return;
    free_factors(study->factors, study->factor_count);
    free_rules(study->excluded, study->excluded_count);
    free_rules(study->listed, study->listed_count);
    free_options(study->fixed, study->fixed_count);
    free_options(study->options, study->option_count);
    for (size_t i = 0; i < study->command_count; i++)
        free(study->command[i].text);
    free(study->command);
    free(study->block.text);
    free(study->location.text);
    free(study->path);
    free(study->directory);
    free(study->definition);
    free(study->name);
    free(study->question);
    free(study);
}

/* ---- factors and rules ---- */

size_t study_find_factor(const struct study *study, const char *name, size_t length)
{
    size_t i = 0;
    while (i < study->factor_count && (strlen(study->factors[i].name.text) != length ||
                                       strncmp(study->factors[i].name.text, name, length) != 0))
        i++;
    return i;
}

static bool has_level(const struct study_factor *term, const char *level)
{
    for (size_t i = 0; i < term->level_count; i++)
        if (strcmp(term->levels[i].text, level) == 0)
            return true;
    return false;
}

bool study_rule_fits(const struct study *study, const struct study_rule *rule, const size_t *levels)
{
    for (size_t i = 0; i < rule->term_count; i++) {
        const struct study_factor *term = &rule->terms[i];
        size_t factor = study_find_factor(study, term->name.text, strlen(term->name.text));
        if (factor == study->factor_count ||
            !has_level(term, study->factors[factor].levels[levels[factor]].text))
            return false;
    }
    return true;
}

/* ---- the fingerprint ---- */

/* As JSON; libyaml has seen to it that all text is UTF-8, and split words may have cut no character. */
static json_t *text_list(const struct study_text *texts, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(texts[i].text));
    return list;
}

static json_t *factors_json(const struct study_factor *factors, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_pack("{s:s, s:o}", "factor", factors[i].name.text, "levels",
                                              text_list(factors[i].levels, factors[i].level_count)));
    return list;
}

static json_t *rules_json(const struct study_rule *rules, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, factors_json(rules[i].terms, rules[i].term_count));
    return list;
}

static json_t *options_json(const struct study_option *options, size_t count)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++)
        json_object_set_new(object, options[i].name.text, json_string(options[i].value.text));
    return object;
}

/* Only what the file has, so that files without it keep the fingerprint that stands in their databases. */
static void add_design(const struct study *study, json_t *json)
{
    if (study->excluded_count)
        json_object_set_new(json, "exclude", rules_json(study->excluded, study->excluded_count));
    if (study->listed_count)
        json_object_set_new(json, "runs", rules_json(study->listed, study->listed_count));
    if (study->block.text)
        json_object_set_new(json, "block", json_string(study->block.text));
    if (study->fixed_count)
        json_object_set_new(json, "fixed", options_json(study->fixed, study->fixed_count));
    if (study->warm_up)
        json_object_set_new(json, "warm_up", json_true());
    if (study->idle_s > 0)
        json_object_set_new(json, "idle", json_real(study->idle_s));
    if (study->cooldown.most_s > 0)
        json_object_set_new(json, "cooldown_until",
                            json_pack("{s:f, s:f, s:f}", "most", study->cooldown.most_s, "power",
                                      study->cooldown.power_share, "temperature",
                                      study->cooldown.temperature_k));
    if (study->order == ORDER_COMPLETELY_SHUFFLED) /* further repetitions would change the order of all */
        json_object_set_new(json, "repetitions", json_integer((json_int_t)study->repetitions));
}

static const char *const order_names[] = {[ORDER_SHUFFLED] = "shuffled",
                                          [ORDER_COMPLETELY_SHUFFLED] = "completely shuffled",
                                          [ORDER_LISTED] = "listed"};

char *study_fingerprint(const struct study *study)
{
    bool train = study->command_count == 0;
    json_t *json =
        json_pack("{s:I, s:s, s:s, s:f, s:f, s:o, s:o}", "seed", (json_int_t)study->seed, "order",
                  order_names[study->order], "directory", study->folder == FOLDER_STUDY ? "study" : "scratch",
                  "cooldown", study->cooldown.least_s, "timeout", study->timeout_s, "factors",
                  factors_json(study->factors, study->factor_count), train ? "train" : "command",
                  train ? options_json(study->options, study->option_count)
                        : text_list(study->command, study->command_count));
    if (json)
        add_design(study, json);
    char *text = json ? json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}
