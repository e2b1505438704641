/* The keys of `factors:` and `train:` are the user's, and libcyaml wants all keys known beforehand: this
 * reads the document tree of libyaml, which libcyaml stands on; its nodes know their lines. */
#include "study/yaml.h"

#include "base/text.h"
#include "study/design.h"
#include "study/words.h"

#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- nodes and text ---- */

size_t reading_line(const yaml_node_t *node)
{
    return node->start_mark.line + 1;
}

const char *reading_describe(const yaml_node_t *node)
{
    if (node->type == YAML_SEQUENCE_NODE)
        return "a list";
    return node->type == YAML_MAPPING_NODE ? "keys with values" : "a single value";
}

const char *reading_scalar(const struct reading *reading, const yaml_node_t *node, const char *what)
{
    if (node->type != YAML_SCALAR_NODE) {
        study_error(reading->study, reading_line(node), reading->error, "expected %s, found %s", what,
                    reading_describe(node));
        return NULL;
    }
    const char *text = (const char *)node->data.scalar.value;
    bool nothing = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                   (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
    if (!nothing && strlen(text) == node->data.scalar.length)
        return text;
    study_error(reading->study, reading_line(node), reading->error, "expected %s, found %s", what,
                nothing ? "nothing" : "text with a zero byte");
    return NULL;
}

static int copy_text(const struct reading *reading, const char *text, char **copy)
{
    *copy = strdup(text);
    return *copy ? 0 : error_memory(reading->error, reading->study->path);
}

static int reading_text(const struct reading *reading, const yaml_node_t *node, const char *what, char **text)
{
    const char *found = reading_scalar(reading, node, what);
    return found ? copy_text(reading, found, text) : -1;
}

int reading_placed(const struct reading *reading, const yaml_node_t *node, const char *what,
                   struct study_text *text)
{
    text->line = reading_line(node);
    return reading_text(reading, node, what, &text->text);
}

yaml_node_t *reading_node(const struct reading *reading, int number)
{
    return yaml_document_get_node(reading->document, number);
}

void *reading_append(const struct reading *reading, void *array, size_t *count, size_t size)
{
    char **items = array;
    char *grown = reallocarray(*items, *count + 1, size);
    if (!grown) {
        error_memory(reading->error, reading->study->path);
        return NULL;
    }
    *items = grown;
    return memset(grown + (*count)++ * size, 0, size);
}

/* ---- the keys ---- */

static int read_name(struct reading *reading, const yaml_node_t *node)
{
    const char *what = "a name for the study, for example quick";
    if (reading_text(reading, node, what, &reading->study->name) < 0)
        return -1;
    if (*reading->study->name)
        return 0;
    return study_error(reading->study, reading_line(node), reading->error, "expected %s, found nothing",
                       what);
}

static int read_question(struct reading *reading, const yaml_node_t *node)
{
    return reading_text(reading, node, "what the study asks, in words", &reading->study->question);
}

int reading_whole(struct reading *reading, const yaml_node_t *node, const char *what, int64_t least,
                  int64_t most, int64_t *number)
{
    const char *text = reading_scalar(reading, node, what);
    if (!text)
        return -1;
    if (text_to_i64(text, number) == 0 && *number >= least && *number <= most)
        return 0;
    return study_error(reading->study, reading_line(node), reading->error, "expected %s, found '%s'", what,
                       text);
}

int reading_real(struct reading *reading, const yaml_node_t *node, const char *what, double least,
                 double most, double *number)
{
    const char *text = reading_scalar(reading, node, what);
    if (!text)
        return -1;
    if (text_to_double(text, number) == 0 && *number >= least && *number <= most)
        return 0;
    return study_error(reading->study, reading_line(node), reading->error, "expected %s, found '%s'", what,
                       text);
}

static int read_seed(struct reading *reading, const yaml_node_t *node)
{
    return reading_whole(reading, node, "a seed: a whole number from 0 to 9223372036854775807", 0, INT64_MAX,
                         &reading->study->seed);
}

static int read_repetitions(struct reading *reading, const yaml_node_t *node)
{
    return reading_whole(reading, node, "repetitions: a whole number from 1 to 10000", 1, 10000,
                         &reading->study->repetitions);
}

static int read_timeout(struct reading *reading, const yaml_node_t *node)
{
    return reading_real(reading, node, "a timeout: seconds from 0 (none) to 31536000", 0, 31536000,
                        &reading->study->timeout_s);
}

static int read_pue(struct reading *reading, const yaml_node_t *node)
{
    return reading_real(reading, node, "a power usage effectiveness: a number from 1 to 10", 1, 10,
                        &reading->study->pue);
}

static int read_location(struct reading *reading, const yaml_node_t *node)
{
    return reading_placed(reading, node, "a location: an ISO country code or a name",
                          &reading->study->location);
}

int reading_choice(struct reading *reading, const yaml_node_t *node, const char *const *words, size_t count,
                   size_t *number)
{
    struct text list = TEXT_INIT;
    for (size_t i = 0; i < count; i++)
        text_printf(&list, "%s%s", i == 0 ? "" : i + 1 < count ? ", " : " or ", words[i]);
    AUTO_FREE char *what = text_take(&list);
    const char *text = what ? reading_scalar(reading, node, what) : NULL;
    if (!text)
        return what ? -1 : error_memory(reading->error, reading->study->path);
    for (*number = 0; *number < count; ++*number)
        if (strcmp(text, words[*number]) == 0)
            return 0;
    return study_error(reading->study, reading_line(node), reading->error, "expected %s, found '%s'", what,
                       text);
}

static int read_order(struct reading *reading, const yaml_node_t *node)
{
    static const struct {
        const char *words[3];
        enum study_order orders[3];
    } known = {{"shuffled", "completely shuffled", "listed"},
               {ORDER_SHUFFLED, ORDER_COMPLETELY_SHUFFLED, ORDER_LISTED}};
    size_t number;
    if (reading_choice(reading, node, known.words, 3, &number) < 0)
        return -1;
    reading->study->order = known.orders[number];
    return 0;
}

static int read_folder(struct reading *reading, const yaml_node_t *node)
{
    static const char *const words[] = {"study", "scratch"};
    size_t number;
    if (reading_choice(reading, node, words, 2, &number) < 0)
        return -1;
    reading->study->folder = number == 0 ? FOLDER_STUDY : FOLDER_SCRATCH;
    return 0;
}

static int read_level(struct reading *reading, struct study_factor *factor, const yaml_node_t *node)
{
    struct study_text *level = reading_append(reading, &factor->levels, &factor->level_count, sizeof *level);
    if (!level || reading_placed(reading, node, "a level: a word or a number", level) < 0)
        return -1;
    for (size_t i = 0; i + 1 < factor->level_count; i++)
        if (strcmp(factor->levels[i].text, level->text) == 0)
            return study_error(
                reading->study, level->line, reading->error,
                "factor '%s' has the level '%s' twice: remove one (repetitions are for running a "
                "level again)",
                factor->name.text, level->text);
    return 0;
}

static int read_factor(struct reading *reading, const yaml_node_t *key, const yaml_node_t *value)
{
    struct study *study = reading->study;
    struct study_factor *factor =
        reading_append(reading, &study->factors, &study->factor_count, sizeof *factor);
    if (!factor || reading_placed(reading, key, "the name of a factor", &factor->name) < 0)
        return -1;
    const char *name = factor->name.text;
    for (size_t i = 0; i + 1 < study->factor_count; i++)
        if (strcmp(study->factors[i].name.text, name) == 0)
            return study_error(study, factor->name.line, reading->error, "factor '%s' stands here twice",
                               name);
    if (value->type == YAML_MAPPING_NODE ||
        (value->type == YAML_SCALAR_NODE && value->data.scalar.length > 0))
        return study_error(study, reading_line(value), reading->error,
                           "factor '%s': expected a list of levels such as [a, b], found %s", name,
                           reading_describe(value));
    yaml_node_item_t *item = value->type == YAML_SEQUENCE_NODE ? value->data.sequence.items.start : NULL;
    yaml_node_item_t *end = value->type == YAML_SEQUENCE_NODE ? value->data.sequence.items.top : NULL;
    if (item == end)
        return study_error(study, factor->name.line, reading->error,
                           "factor '%s' has no levels: give at least one, as in %s: [a, b]", name, name);
    for (; item < end; item++)
        if (read_level(reading, factor, reading_node(reading, *item)) < 0)
            return -1;
    return 0;
}

int reading_pairs(struct reading *reading, const yaml_node_t *node, const char *what,
                  int (*read)(struct reading *reading, const yaml_node_t *key, const yaml_node_t *value))
{
    if (node->type != YAML_MAPPING_NODE)
        return study_error(reading->study, reading_line(node), reading->error, "expected %s, found %s", what,
                           reading_describe(node));
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; pair < node->data.mapping.pairs.top; pair++)
        if (read(reading, reading_node(reading, pair->key), reading_node(reading, pair->value)) < 0)
            return -1;
    return 0;
}

static int read_factors(struct reading *reading, const yaml_node_t *node)
{
    reading->factors_line = reading_line(node);
    return reading_pairs(reading, node, "factors, each with a list of levels, as in arch: [lenet5, vgg16]",
                         read_factor);
}

/* The options of `joulery train` that a study may set. Its seed is the study's, its --json nobody would read.
 */
static const char *const train_options[STUDY_TRAIN_OPTIONS] = {
    "arch",           "data",
    "size",           "width",
    "classes",        "epochs",
    "steps",          "batch",
    "optimizer",      "lr",
    "momentum",       "seed",
    "threads",        "weight-decay",
    "augment",        "no-validation",
    "nesterov",       "label-smoothing",
    "clip-grad-norm", "lr-scheduler",
    "lr-per",         "lr-step",
    "lr-gamma",       "lr-min",
    "lr-warmup",      "lr-warmup-start",
    "patience",       "monitor",
    "head",           "dropout",
    "freeze",         "cache-features",
    "normalize",      "weights",
    "precision",
};

bool study_option_is_flag(const char *name)
{
    return strcmp(name, "augment") == 0 || strcmp(name, "no-validation") == 0 ||
           strcmp(name, "nesterov") == 0 || strcmp(name, "cache-features") == 0;
}

bool study_flag_takes_value(const char *name)
{
    return strcmp(name, "augment") == 0;
}

static int check_flag(const struct reading *reading, const struct study_text *name,
                      const struct study_text *value)
{
    bool more = study_flag_takes_value(name->text);
    if (!study_option_is_flag(name->text) || strcmp(value->text, "true") == 0 ||
        strcmp(value->text, "false") == 0 || (more && isalpha((unsigned char)value->text[0])))
        return 0;
    return study_error(reading->study, value->line, reading->error, "%s: expected true%s false%s, found '%s'",
                       name->text, more ? "," : " or", more ? " or what `joulery train -h` says of it" : "",
                       value->text);
}

static int check_train_option(const struct reading *reading, const struct study_text *name)
{
    for (size_t i = 0; i < STUDY_TRAIN_OPTIONS; i++)
        if (strcmp(train_options[i], name->text) == 0)
            return 0;
    const char *nearest = text_nearest(name->text, train_options, STUDY_TRAIN_OPTIONS);
    return study_error(reading->study, name->line, reading->error, "joulery train has no option '%s'%s%s%s",
                       name->text, nearest ? " (did you mean " : ": `joulery train -h` lists them",
                       nearest ? nearest : "", nearest ? "?)" : "");
}

static int read_option(struct reading *reading, const yaml_node_t *key, const yaml_node_t *value)
{
    struct study *study = reading->study;
    struct study_option *option =
        reading_append(reading, &study->options, &study->option_count, sizeof *option);
    if (!option || reading_placed(reading, key, "an option of joulery train", &option->name) < 0 ||
        check_train_option(reading, &option->name) < 0)
        return -1;
    const char *name = option->name.text;
    if (strcmp(name, "seed") == 0)
        return study_error(
            study, option->name.line, reading->error,
            "each repetition has a seed of its own, drawn from the study's: put seed at the top of "
            "the file, or among the factors");
    for (size_t i = 0; i + 1 < study->option_count; i++)
        if (strcmp(study->options[i].name.text, name) == 0)
            return study_error(study, option->name.line, reading->error, "'%s' stands here twice", name);
    if (reading_placed(reading, value, "a single value", &option->value) < 0)
        return -1;
    return check_flag(reading, &option->name, &option->value);
}

static int read_train(struct reading *reading, const yaml_node_t *node)
{
    reading->train_line = reading_line(node);
    return reading_pairs(reading, node, "options of joulery train, as in epochs: 3", read_option);
}

static int add_word(struct reading *reading, const char *text, size_t line)
{
    struct study *study = reading->study;
    struct study_text *word = reading_append(reading, &study->command, &study->command_count, sizeof *word);
    if (!word)
        return -1;
    word->line = line;
    return copy_text(reading, text, &word->text);
}

static int split_command(struct reading *reading, const yaml_node_t *node)
{
    const char *text = reading_scalar(reading, node, "a command: words, or a list of words");
    if (!text)
        return -1;
    size_t count;
    struct error why = ERROR_INIT;
    char **words = words_split(text, &count, &why);
    if (!words) {
        study_error(reading->study, reading_line(node), reading->error, "command: %s", error_text(&why));
        error_clear(&why);
        return -1;
    }
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = add_word(reading, words[i], reading_line(node));
    words_free(words, count);
    return result;
}

static int read_command(struct reading *reading, const yaml_node_t *node)
{
    reading->command_line = reading_line(node);
    if (node->type != YAML_SEQUENCE_NODE)
        return split_command(reading, node);
    const yaml_node_item_t *item = node->data.sequence.items.start;
    if (item == node->data.sequence.items.top)
        return study_error(reading->study, reading_line(node), reading->error,
                           "command: the command is empty");
    for (; item < node->data.sequence.items.top; item++) {
        const yaml_node_t *word = reading_node(reading, *item);
        const char *text = reading_scalar(reading, word, "a word of the command");
        if (!text || add_word(reading, text, reading_line(word)) < 0)
            return -1;
    }
    return 0;
}

static const struct key {
    const char *name;
    int (*read)(struct reading *reading, const yaml_node_t *value);
} keys[] = {
    {"name", read_name},
    {"question", read_question},
    {"seed", read_seed},
    {"order", read_order},
    {"repetitions", read_repetitions},
    {"cooldown", practice_read_cooldown},
    {"timeout", read_timeout},
    {"factors", read_factors},
    {"exclude", rules_read_exclude},
    {"runs", rules_read_runs},
    {"block", rules_read_block},
    {"fixed", rules_read_fixed},
    {"train", read_train},
    {"command", read_command},
    {"directory", read_folder},
    {"warm_up", practice_read_warm_up},
    {"idle", practice_read_idle},
    {"keep", practice_read_keep},
    {"retries", practice_read_retries},
    {"until", practice_read_until},
    {"budget", practice_read_budget},
    {"location", read_location},
    {"pue", read_pue},
};

#define KEYS (sizeof keys / sizeof *keys)

static int unknown_key(const struct reading *reading, size_t line, const char *name)
{
    const char *names[KEYS];
    for (size_t i = 0; i < KEYS; i++)
        names[i] = keys[i].name;
    const char *nearest = text_nearest(name, names, KEYS);
    if (nearest)
        return study_error(reading->study, line, reading->error, "unknown key '%s' (did you mean %s?)", name,
                           nearest);
    return study_error(reading->study, line, reading->error,
                       "unknown key '%s': a study has name, question, factors or runs, and train or command; "
                       "docs/studies.md lists what else",
                       name);
}

static int read_keys(struct reading *reading, const yaml_node_t *root)
{
    bool seen[KEYS] = {false};
    const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
    for (; pair < root->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = reading_node(reading, pair->key);
        const char *name = reading_scalar(reading, key, "a key");
        if (!name)
            return -1;
        size_t i = 0;
        while (i < KEYS && strcmp(keys[i].name, name) != 0)
            i++;
        if (i == KEYS)
            return unknown_key(reading, reading_line(key), name);
        if (seen[i])
            return study_error(reading->study, reading_line(key), reading->error, "'%s' stands here twice",
                               name);
        seen[i] = true;
        if (keys[i].read(reading, reading_node(reading, pair->value)) < 0)
            return -1;
    }
    return 0;
}

/* ---- what must fit together ---- */

/* A name that a placeholder may have. */
static const char *known_placeholder(void *context, const char *name, size_t length)
{
    static const char *const others[] = {"seed", "repetition", "directory", "scratch"};
    const struct study *study = context;
    if (study_find_factor(study, name, length) < study->factor_count)
        return "";
    for (size_t i = 0; i < study->fixed_count; i++)
        if (strlen(study->fixed[i].name.text) == length &&
            strncmp(study->fixed[i].name.text, name, length) == 0)
            return "";
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strlen(others[i]) == length && strncmp(others[i], name, length) == 0)
            return "";
    return NULL;
}

struct search {
    const char *name;
    bool found;
};

static const char *search_placeholder(void *context, const char *name, size_t length)
{
    struct search *search = context;
    if (strlen(search->name) == length && strncmp(search->name, name, length) == 0)
        search->found = true;
    return "";
}

static int check_word(const struct reading *reading, const struct study_text *word)
{
    struct error why = ERROR_INIT;
    char *filled = words_fill(word->text, known_placeholder, reading->study, &why);
    free(filled);
    if (filled)
        return 0;
    study_error(reading->study, word->line, reading->error,
                "command: %s: there are {repetition}, {seed}, {directory}, {scratch}, the factors and "
                "the settings of fixed:; {{name}} stands for {name} itself",
                error_text(&why));
    error_clear(&why);
    return -1;
}

/* That the command has {name}. */
static int check_used(const struct reading *reading, const char *what, const struct study_text *name)
{
    const struct study *study = reading->study;
    struct search search = {name->text, false};
    struct error ignored = ERROR_INIT;
    for (size_t k = 0; k < study->command_count; k++)
        free(words_fill(study->command[k].text, search_placeholder, &search, &ignored));
    error_clear(&ignored);
    if (search.found)
        return 0;
    return study_error(study, name->line, reading->error,
                       "%s '%s' changes nothing: put {%s} into the command", what, name->text, name->text);
}

static int check_command(const struct reading *reading)
{
    struct study *study = reading->study;
    for (size_t i = 0; i < study->command_count; i++)
        if (check_word(reading, &study->command[i]) < 0)
            return -1;
    for (size_t i = 0; i < study->factor_count; i++)
        if (check_used(reading, "factor", &study->factors[i].name) < 0)
            return -1;
    for (size_t i = 0; i < study->fixed_count; i++)
        if (check_used(reading, "setting", &study->fixed[i].name) < 0)
            return -1;
    return 0;
}

static int check_train_factor(const struct reading *reading, const struct study_factor *factor)
{
    if (check_train_option(reading, &factor->name) < 0)
        return -1;
    for (size_t i = 0; i < factor->level_count; i++)
        if (check_flag(reading, &factor->name, &factor->levels[i]) < 0)
            return -1;
    return 0;
}

static int check_train(const struct reading *reading)
{
    const struct study *study = reading->study;
    for (size_t i = 0; i < study->factor_count; i++)
        if (check_train_factor(reading, &study->factors[i]) < 0)
            return -1;
    for (size_t k = 0; k < study->option_count; k++)
        for (size_t i = 0; i < study->factor_count; i++)
            if (strcmp(study->options[k].name.text, study->factors[i].name.text) == 0)
                return study_error(study, study->options[k].name.line, reading->error,
                                   "'%s' is a factor already: remove it here or there",
                                   study->options[k].name.text);
    return 0;
}

static int check_size(const struct reading *reading)
{
    const struct study *study = reading->study;
    size_t line = reading->factors_line ? reading->factors_line : reading->runs_line;
    size_t runs = study->listed_count ? study->listed_count : 1;
    bool large = __builtin_mul_overflow(runs, (size_t)study->repetitions, &runs);
    for (size_t i = 0; i < study->factor_count && !study->listed_count && !large; i++)
        large = __builtin_mul_overflow(runs, study->factors[i].level_count, &runs) || runs > STUDY_RUNS_MOST;
    if (large || runs > STUDY_RUNS_MOST)
        return study_error(study, line, reading->error, "the factors and repetitions make more than %d runs",
                           STUDY_RUNS_MOST);
    size_t treatments;
    if (design_treatments(study, NULL, &treatments, reading->error) < 0)
        return -1;
    return treatments > 0 ? 0
                          : study_error(study, study->excluded[0].line, reading->error,
                                        "exclude: no combination is left to run");
}

static int check_whole(struct reading *reading)
{
    const struct study *study = reading->study;
    if (rules_derive_factors(reading) < 0)
        return -1;
    if (!study->name)
        return study_error(study, 1, reading->error, "the study has no name: add name: NAME");
    if (study->factor_count == 0)
        return study_error(
            study, reading->factors_line ? reading->factors_line : 1, reading->error,
            "the study has no factors: add factors: with at least one and its levels, or runs:");
    if (reading->train_line && reading->command_line)
        return study_error(
            study, reading->train_line > reading->command_line ? reading->train_line : reading->command_line,
            reading->error, "a study has one workload, this one has train: and command:: remove one");
    if (!reading->train_line && !reading->command_line)
        return study_error(
            study, 1, reading->error,
            "the study has no workload: add train: with options of joulery train, or command:");
    if (practice_check(reading) < 0 || rules_check(reading) < 0 || check_size(reading) < 0)
        return -1;
    return reading->command_line ? check_command(reading) : check_train(reading);
}

/* ---- the file ---- */

static int syntax_error(const struct study *study, const yaml_parser_t *parser, struct error *error)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return error_memory(error, study->path);
    const char *problem = parser->problem ? parser->problem : "not YAML";
    if (parser->error == YAML_READER_ERROR)
        return error_set(error, "%s: byte %zu: %s: expected YAML in UTF-8", study->path,
                         parser->problem_offset, problem);
    return error_set(error, "%s:%zu:%zu: %s%s%s", study->path, parser->problem_mark.line + 1,
                     parser->problem_mark.column + 1, problem, parser->context ? " " : "",
                     parser->context ? parser->context : "");
}

static int read_document(struct study *study, yaml_document_t *document, struct error *error)
{
    struct reading reading = {.study = study, .document = document, .error = error};
    const yaml_node_t *root = yaml_document_get_root_node(document);
    if (!root)
        return study_error(study, 1, error,
                           "the file is empty: docs/studies.md has an example to start from");
    if (root->type != YAML_MAPPING_NODE)
        return study_error(study, reading_line(root), error,
                           "expected keys such as name: and factors:, found %s", reading_describe(root));
    return read_keys(&reading, root) < 0 ? -1 : check_whole(&reading);
}

static int read_yaml(struct study *study, size_t size, struct error *error)
{
    yaml_parser_t parser;
    yaml_document_t document, second;
    if (!yaml_parser_initialize(&parser))
        return error_memory(error, study->path);
    yaml_parser_set_input_string(&parser, (const unsigned char *)study->definition, size);
    int result = yaml_parser_load(&parser, &document) ? 0 : syntax_error(study, &parser, error);
    if (result == 0) {
        result = read_document(study, &document, error);
        yaml_document_delete(&document);
    }
    if (result == 0 && !yaml_parser_load(&parser, &second)) {
        result = syntax_error(study, &parser, error);
    } else if (result == 0) {
        const yaml_node_t *root = yaml_document_get_root_node(&second);
        if (root)
            result =
                study_error(study, reading_line(root), error, "a file holds one study, a second starts here");
        yaml_document_delete(&second);
    }
    yaml_parser_delete(&parser);
    return result;
}

/* Absolute path of the folder of `path`, which need not exist. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    AUTO_FREE char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    char *absolute = folder ? realpath(folder, NULL) : NULL;
    return absolute || !folder ? absolute : strdup(folder);
}

struct study *study_parse(const char *path, const char *text, size_t size, struct error *error)
{
    struct study *study = calloc(1, sizeof *study);
    if (!study) {
        error_memory(error, path);
        return NULL;
    }
    study->seed = 1;
    study->repetitions = 1;
    study->path = strdup(path);
    study->directory = folder_of(path);
    study->definition = strndup(text, size);
    int result = study->path && study->directory && study->definition ? 0 : error_memory(error, path);
    if (result == 0 && strlen(study->definition) != size)
        result = error_set(error, "%s: expected YAML in UTF-8, found a zero byte", path);
    if (result == 0 && read_yaml(study, size, error) == 0)
        return study;
    study_free(study);
    return NULL;
}
