/* The keys of a study file that say which combinations of levels are run, and how they are grouped. */
#include "study/yaml.h"

#include "base/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* ---- exclude: and runs: ---- */

static struct study_factor *append_term(struct reading *reading, struct study_rule *rule,
                                        const yaml_node_t *key)
{
    struct study_factor *term = reading_append(reading, &rule->terms, &rule->term_count, sizeof *term);
    if (!term || reading_placed(reading, key, "the name of a factor", &term->name) < 0)
        return NULL;
    for (size_t i = 0; i + 1 < rule->term_count; i++)
        if (strcmp(rule->terms[i].name.text, term->name.text) == 0) {
            study_error(reading->study, term->name.line, reading->error, "factor '%s' stands here twice",
                        term->name.text);
            return NULL;
        }
    return term;
}

static int add_level(struct reading *reading, struct study_factor *term, const yaml_node_t *node)
{
    struct study_text *level = reading_append(reading, &term->levels, &term->level_count, sizeof *level);
    return level ? reading_placed(reading, node, "a level: a word or a number", level) : -1;
}

static int read_levels(struct reading *reading, struct study_factor *term, const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return add_level(reading, term, node);
    const yaml_node_item_t *item = node->data.sequence.items.start;
    if (item == node->data.sequence.items.top)
        return study_error(reading->study, reading_line(node), reading->error,
                           "factor '%s': expected a level or a list of levels, found an empty list",
                           term->name.text);
    for (; item < node->data.sequence.items.top; item++)
        if (add_level(reading, term, reading_node(reading, *item)) < 0)
            return -1;
    return 0;
}

/* One mapping of factors to levels; with `single` each has just one. */
static int read_rule(struct reading *reading, const yaml_node_t *node, bool single, struct study_rule *rule)
{
    rule->line = reading_line(node);
    if (node->type != YAML_MAPPING_NODE || node->data.mapping.pairs.start == node->data.mapping.pairs.top)
        return study_error(reading->study, rule->line, reading->error,
                           "expected factors with %s, as in {%s}, found %s",
                           single ? "a level each" : "levels",
                           single ? "arch: vgg16, batch: 32" : "arch: vgg16, batch: [64, 128]",
                           node->type == YAML_MAPPING_NODE ? "none" : reading_describe(node));
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *value = reading_node(reading, pair->value);
        struct study_factor *term = append_term(reading, rule, reading_node(reading, pair->key));
        int result = !term    ? -1
                     : single ? add_level(reading, term, value)
                              : read_levels(reading, term, value);
        if (result < 0)
            return -1;
    }
    return 0;
}

static int read_rules(struct reading *reading, const yaml_node_t *node, bool single,
                      struct study_rule **rules, size_t *count)
{
    if (node->type != YAML_SEQUENCE_NODE || node->data.sequence.items.start == node->data.sequence.items.top)
        return study_error(reading->study, reading_line(node), reading->error,
                           "expected a list, an item for each %s, found %s",
                           single ? "combination to run" : "combination to leave out",
                           node->type == YAML_SEQUENCE_NODE ? "an empty one" : reading_describe(node));
    const yaml_node_item_t *item = node->data.sequence.items.start;
    if (node->data.sequence.items.top - item > STUDY_RULES_MOST)
        return study_error(reading->study, reading_line(node), reading->error,
                           "expected at most %d combinations, found %td", STUDY_RULES_MOST,
                           node->data.sequence.items.top - item);
    for (; item < node->data.sequence.items.top; item++) {
        struct study_rule *rule = reading_append(reading, rules, count, sizeof *rule);
        if (!rule || read_rule(reading, reading_node(reading, *item), single, rule) < 0)
            return -1;
    }
    return 0;
}

int rules_read_exclude(struct reading *reading, const yaml_node_t *node)
{
    return read_rules(reading, node, false, &reading->study->excluded, &reading->study->excluded_count);
}

int rules_read_runs(struct reading *reading, const yaml_node_t *node)
{
    reading->runs_line = reading_line(node);
    return read_rules(reading, node, true, &reading->study->listed, &reading->study->listed_count);
}

/* ---- fixed: and block: ---- */

/* As words_fill takes it for a placeholder. */
static bool is_name(const char *name)
{
    bool valid = isalpha((unsigned char)name[0]) || name[0] == '_';
    for (const char *at = name; *at && valid; at++)
        valid = isalnum((unsigned char)*at) || strchr("_-.", *at);
    return valid;
}

static int read_setting(struct reading *reading, const yaml_node_t *key, const yaml_node_t *value)
{
    struct study *study = reading->study;
    struct study_option *setting =
        reading_append(reading, &study->fixed, &study->fixed_count, sizeof *setting);
    if (!setting || reading_placed(reading, key, "the name of a setting", &setting->name) < 0)
        return -1;
    const char *name = setting->name.text;
    if (!is_name(name))
        return study_error(
            study, setting->name.line, reading->error,
            "'%s' can't stand in braces: expected a letter, then letters, digits, '_', '-' or '.'", name);
    for (size_t i = 0; i + 1 < study->fixed_count; i++)
        if (strcmp(study->fixed[i].name.text, name) == 0)
            return study_error(study, setting->name.line, reading->error, "'%s' stands here twice", name);
    return reading_placed(reading, value, "a single value", &setting->value);
}

int rules_read_fixed(struct reading *reading, const yaml_node_t *node)
{
    reading->fixed_line = reading_line(node);
    return reading_pairs(reading, node, "settings that are the same in all runs, as in epochs: 3",
                         read_setting);
}

int rules_read_block(struct reading *reading, const yaml_node_t *node)
{
    return reading_placed(reading, node, "the name of a factor, or repetition", &reading->study->block);
}

/* ---- factors from runs: ---- */

static int copy_placed(const struct reading *reading, const struct study_text *from, struct study_text *to)
{
    to->line = from->line;
    to->text = strdup(from->text);
    return to->text ? 0 : error_memory(reading->error, reading->study->path);
}

static size_t find_level(const struct study_factor *factor, const char *level)
{
    size_t i = 0;
    while (i < factor->level_count && strcmp(factor->levels[i].text, level) != 0)
        i++;
    return i;
}

static int derive_level(struct reading *reading, const struct study_factor *term)
{
    struct study *study = reading->study;
    size_t number = study_find_factor(study, term->name.text, strlen(term->name.text));
    struct study_factor *factor;
    if (number < study->factor_count) {
        factor = &study->factors[number];
    } else {
        factor = reading_append(reading, &study->factors, &study->factor_count, sizeof *factor);
        if (!factor || copy_placed(reading, &term->name, &factor->name) < 0)
            return -1;
    }
    if (find_level(factor, term->levels[0].text) < factor->level_count)
        return 0;
    struct study_text *level = reading_append(reading, &factor->levels, &factor->level_count, sizeof *level);
    return level ? copy_placed(reading, &term->levels[0], level) : -1;
}

int rules_derive_factors(struct reading *reading)
{
    struct study *study = reading->study;
    if (reading->runs_line && reading->factors_line)
        return study_error(study, reading->runs_line, reading->error,
                           "runs: lists the combinations and factors: makes them all: remove one");
    for (size_t i = 0; i < study->listed_count; i++)
        for (size_t k = 0; k < study->listed[i].term_count; k++)
            if (derive_level(reading, &study->listed[i].terms[k]) < 0)
                return -1;
    return 0;
}

/* ---- what must fit together ---- */

static int unknown_factor(const struct reading *reading, size_t line, const char *what, const char *name)
{
    const struct study *study = reading->study;
    const char **names = calloc(study->factor_count + 1, sizeof *names);
    if (!names)
        return error_memory(reading->error, study->path);
    for (size_t i = 0; i < study->factor_count; i++)
        names[i] = study->factors[i].name.text;
    const char *nearest = text_nearest(name, names, study->factor_count);
    study_error(study, line, reading->error, "%s: the study has no factor '%s'%s%s%s", what, name,
                nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
    free(names);
    return -1;
}

static int check_term(const struct reading *reading, const struct study_factor *term)
{
    const struct study *study = reading->study;
    size_t number = study_find_factor(study, term->name.text, strlen(term->name.text));
    if (number == study->factor_count)
        return unknown_factor(reading, term->name.line, "exclude", term->name.text);
    for (size_t i = 0; i < term->level_count; i++)
        if (find_level(&study->factors[number], term->levels[i].text) == study->factors[number].level_count)
            return study_error(study, term->levels[i].line, reading->error,
                               "exclude: factor '%s' has no level '%s'", term->name.text,
                               term->levels[i].text);
    return 0;
}

static int check_excluded(const struct reading *reading)
{
    const struct study *study = reading->study;
    for (size_t i = 0; i < study->excluded_count; i++)
        for (size_t k = 0; k < study->excluded[i].term_count; k++)
            if (check_term(reading, &study->excluded[i].terms[k]) < 0)
                return -1;
    return 0;
}

static bool same_run(const struct study_rule *a, const struct study_rule *b)
{
    size_t same = 0;
    for (size_t i = 0; i < a->term_count; i++)
        for (size_t k = 0; k < b->term_count; k++)
            same += strcmp(a->terms[i].name.text, b->terms[k].name.text) == 0 &&
                    strcmp(a->terms[i].levels[0].text, b->terms[k].levels[0].text) == 0;
    return same == a->term_count;
}

/* All factors in each run, no run twice. */
static int check_listed(const struct reading *reading)
{
    const struct study *study = reading->study;
    for (size_t i = 0; i < study->listed_count; i++) {
        const struct study_rule *run = &study->listed[i];
        if (run->term_count != study->factor_count)
            return study_error(study, run->line, reading->error,
                               "runs: expected a level for each of the %zu factors, found %zu",
                               study->factor_count, run->term_count);
        for (size_t k = 0; k < i; k++)
            if (same_run(run, &study->listed[k]))
                return study_error(study, run->line, reading->error,
                                   "runs: the combination of line %zu stands here again: remove one "
                                   "(repetitions are for running it again)",
                                   study->listed[k].line);
    }
    return 0;
}

static int check_block(const struct reading *reading)
{
    struct study *study = reading->study;
    if (!study->block.text)
        return 0;
    if (study_find_factor(study, study->block.text, strlen(study->block.text)) == study->factor_count) {
        if (strcmp(study->block.text, "repetition") != 0)
            return unknown_factor(reading, study->block.line, "block", study->block.text);
        free(study->block.text); /* a repetition is a block already */
        study->block.text = NULL;
    }
    if (study->order == ORDER_COMPLETELY_SHUFFLED)
        return study_error(study, study->block.line, reading->error,
                           "block: a study that is completely shuffled has no blocks: remove block or order");
    return 0;
}

static int check_fixed(const struct reading *reading)
{
    const struct study *study = reading->study;
    if (reading->fixed_line && !reading->command_line)
        return study_error(study, reading->fixed_line, reading->error,
                           "fixed: is for command:; what is the same in all runs of train: stands there");
    for (size_t i = 0; i < study->fixed_count; i++) {
        const struct study_text *name = &study->fixed[i].name;
        if (study_find_factor(study, name->text, strlen(name->text)) < study->factor_count)
            return study_error(study, name->line, reading->error,
                               "'%s' is a factor already: remove it here or there", name->text);
    }
    return 0;
}

int rules_check(struct reading *reading)
{
    if (check_excluded(reading) < 0 || check_listed(reading) < 0 || check_block(reading) < 0)
        return -1;
    return check_fixed(reading);
}
