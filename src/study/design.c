#include "study/design.h"

#include "base/random.h"
#include "base/text.h"
#include "study/words.h"

#include <stdlib.h>
#include <string.h>

void design_free(struct planned_run *plan, size_t count)
{
    for (size_t i = 0; i < count; i++)
        planned_run_free(&plan[i]);
    free(plan);
}

/* Of a treatment: which level of each factor. */
static void read_listed(const struct study *study, const struct study_rule *run, size_t *levels)
{
    for (size_t i = 0; i < run->term_count; i++) {
        const struct study_factor *term = &run->terms[i];
        size_t number = study_find_factor(study, term->name.text, strlen(term->name.text));
        const struct study_factor *factor = &study->factors[number];
        levels[number] = 0;
        while (strcmp(factor->levels[levels[number]].text, term->levels[0].text) != 0)
            levels[number]++;
    }
}

/* The combination's number is read with the last factor as its fastest digit, as nested loops would count. */
static void read_combination(const struct study *study, size_t combination, size_t *levels)
{
    for (size_t i = study->factor_count; i-- > 0;) {
        levels[i] = combination % study->factors[i].level_count;
        combination /= study->factors[i].level_count;
    }
}

static bool is_excluded(const struct study *study, const size_t *levels)
{
    for (size_t i = 0; i < study->excluded_count; i++)
        if (study_rule_fits(study, &study->excluded[i], levels))
            return true;
    return false;
}

static size_t count_combinations(const struct study *study)
{
    size_t combinations = 1; /* study_parse has kept the product within STUDY_RUNS_MOST */
    for (size_t i = 0; i < study->factor_count; i++)
        combinations *= study->factors[i].level_count;
    return combinations;
}

int design_treatments(const struct study *study, size_t **levels, size_t *count, struct error *error)
{
    size_t factors = study->factor_count;
    size_t most = study->listed_count ? study->listed_count : count_combinations(study);
    size_t *found = calloc(levels ? most : 1, factors * sizeof *found);
    if (!found)
        return error_memory(error, "plan");
    *count = 0;
    for (size_t i = 0; i < most; i++) {
        size_t *place = found + (levels ? *count * factors : 0);
        if (study->listed_count)
            read_listed(study, &study->listed[i], place);
        else
            read_combination(study, i, place);
        *count += !is_excluded(study, place);
    }
    if (levels)
        *levels = found;
    else
        free(found);
    return 0;
}

/* ---- the order ---- */

struct planning {
    const struct study *study;
    const size_t *levels; /* [treatments][factor_count] */
    size_t treatments;
    size_t *order; /* treatments; [repetitions][treatments] where all is shuffled at once */
    size_t *grouped;
    struct planned_run *plan;
};

/* Treatments with the same level of the block's factor together, otherwise in the order they had; the levels
 * themselves in an order drawn. */
static int group_blocks(const struct planning *planning, struct random_stream *random, struct error *error)
{
    const struct study *study = planning->study;
    size_t factor = study_find_factor(study, study->block.text, strlen(study->block.text));
    size_t levels = study->factors[factor].level_count, count = 0;
    size_t *turns = calloc(levels, sizeof *turns);
    if (!turns)
        return error_memory(error, "plan");
    for (size_t i = 0; i < levels; i++)
        turns[i] = i;
    if (study->order == ORDER_SHUFFLED)
        random_shuffle(random, turns, levels);
    for (size_t i = 0; i < levels; i++)
        for (size_t k = 0; k < planning->treatments; k++) {
            size_t treatment = planning->order[k];
            if (planning->levels[treatment * study->factor_count + factor] == turns[i])
                planning->grouped[count++] = treatment;
        }
    memcpy(planning->order, planning->grouped, count * sizeof *planning->order);
    free(turns);
    return 0;
}

static int fill_run(const struct planning *planning, size_t position, int64_t repetition, size_t treatment,
                    struct error *error)
{
    const struct study *study = planning->study;
    struct planned_run *run = &planning->plan[position];
    run->position = (int64_t)position;
    run->repetition = repetition;
    run->factors = calloc(study->factor_count, sizeof *run->factors);
    if (!run->factors)
        return error_memory(error, "plan");
    run->factor_count = study->factor_count;
    for (size_t i = 0; i < study->factor_count; i++) {
        size_t level = planning->levels[treatment * study->factor_count + i];
        run->factors[i].factor = strdup(study->factors[i].name.text);
        run->factors[i].level = strdup(study->factors[i].levels[level].text);
        if (!run->factors[i].factor || !run->factors[i].level)
            return error_memory(error, "plan");
    }
    return 0;
}

static int fill_block(const struct planning *planning, int64_t repetition, struct error *error)
{
    const struct study *study = planning->study;
    size_t treatments = planning->treatments;
    struct random_stream random;
    random_seed(&random, (uint64_t)study->seed, (uint64_t)repetition);
    for (size_t i = 0; i < treatments; i++)
        planning->order[i] = i;
    if (study->order == ORDER_SHUFFLED)
        random_shuffle(&random, planning->order, treatments);
    if (study->block.text && group_blocks(planning, &random, error) < 0)
        return -1;
    size_t first = (size_t)(repetition - 1) * treatments;
    for (size_t i = 0; i < treatments; i++)
        if (fill_run(planning, first + i, repetition, planning->order[i], error) < 0)
            return -1;
    return 0;
}

/* Stream 0 is no repetition's. */
static int fill_at_once(const struct planning *planning, size_t runs, struct error *error)
{
    struct random_stream random;
    random_seed(&random, (uint64_t)planning->study->seed, 0);
    for (size_t i = 0; i < runs; i++)
        planning->order[i] = i;
    random_shuffle(&random, planning->order, runs);
    for (size_t i = 0; i < runs; i++) {
        size_t drawn = planning->order[i];
        if (fill_run(planning, i, (int64_t)(drawn / planning->treatments) + 1, drawn % planning->treatments,
                     error) < 0)
            return -1;
    }
    return 0;
}

static int fill_plan(const struct planning *planning, size_t runs, struct error *error)
{
    if (!planning->order || !planning->grouped || !planning->plan)
        return error_memory(error, "plan");
    if (planning->study->order == ORDER_COMPLETELY_SHUFFLED)
        return fill_at_once(planning, runs, error);
    for (int64_t i = 1; i <= planning->study->repetitions; i++)
        if (fill_block(planning, i, error) < 0)
            return -1;
    return 0;
}

int design_plan(const struct study *study, struct planned_run **plan, size_t *count, struct error *error)
{
    size_t *levels, treatments;
    if (design_treatments(study, &levels, &treatments, error) < 0)
        return -1;
    size_t runs = treatments * (size_t)study->repetitions;
    struct planning planning = {.study = study,
                                .levels = levels,
                                .treatments = treatments,
                                .order = calloc(runs, sizeof *planning.order),
                                .grouped = calloc(treatments, sizeof *planning.grouped),
                                .plan = calloc(runs, sizeof *planning.plan)};
    int result = fill_plan(&planning, runs, error);
    free(levels);
    free(planning.order);
    free(planning.grouped);
    if (result < 0) {
        design_free(planning.plan, planning.plan ? runs : 0);
        return -1;
    }
    *plan = planning.plan;
    *count = runs;
    return 0;
}

int design_store(const struct study *study, int64_t repetitions, struct store *store, struct error *error)
{
    struct study grown = *study; /* all it points at stays the study's */
    grown.repetitions = repetitions;
    AUTO_FREE char *fingerprint = study_fingerprint(study);
    if (!fingerprint)
        return error_memory(error, "study");
    struct study_identity identity = {.name = study->name,
                                      .question = study->question,
                                      .definition = study->definition,
                                      .fingerprint = fingerprint,
                                      .location = study->location.text,
                                      .pue = study->pue,
                                      .seed = study->seed};
    struct planned_run *plan;
    size_t count;
    if (design_plan(&grown, &plan, &count, error) < 0)
        return -1;
    int result = store_put_study(store, &identity, plan, count, error);
    design_free(plan, count);
    return result;
}

int64_t design_seed(const struct study *study, int64_t repetition)
{
    struct random_stream random;
    random_seed(&random, (uint64_t)study->seed, UINT64_MAX - (uint64_t)repetition);
    return (int64_t)(random_u64(&random) >> 33);
}

/* ---- the workload ---- */

struct filling {
    const struct study *study;
    const struct planned_run *run;
    const char *seed, *repetition, *scratch;
};

static const char *level_of(const struct planned_run *run, const char *name, size_t length)
{
    for (size_t i = 0; i < run->factor_count; i++)
        if (strlen(run->factors[i].factor) == length && strncmp(run->factors[i].factor, name, length) == 0)
            return run->factors[i].level;
    return NULL;
}

static const char *placeholder(void *context, const char *name, size_t length)
{
    const struct filling *filling = context;
    const char *level = level_of(filling->run, name, length);
    if (level)
        return level;
    const struct study *study = filling->study;
    for (size_t i = 0; i < study->fixed_count; i++)
        if (strlen(study->fixed[i].name.text) == length &&
            strncmp(study->fixed[i].name.text, name, length) == 0)
            return study->fixed[i].value.text;
    const struct {
        const char *name, *value;
    } others[] = {
        {"seed", filling->seed},
        {"repetition", filling->repetition},
        {"directory", study->directory},
        {"scratch", filling->scratch},
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strlen(others[i].name) == length && strncmp(others[i].name, name, length) == 0)
            return others[i].value;
    return NULL;
}

/* Takes over `word`; NULL: memory ran out. */
static int add_word(char **command, size_t *count, char *word, struct error *error)
{
    command[(*count)++] = word;
    return word ? 0 : error_memory(error, "command");
}

static int add_option(char **command, size_t *count, const char *name, const char *value, struct error *error)
{
    bool flag = study_option_is_flag(name), on = strcmp(value, "true") == 0;
    if (flag && !on && strcmp(value, "false") != 0 && study_flag_takes_value(name))
        return add_word(command, count, text_format("--%s=%s", name, value), error);
    if (flag && !on)
        return 0;
    if (add_word(command, count, text_format("--%s", name), error) < 0)
        return -1;
    if (flag)
        return 0;
    return add_word(command, count, strdup(value), error);
}

static int fill_train(const struct filling *filling, const char *trainer, char **command, struct error *error)
{
    const struct study *study = filling->study;
    const struct planned_run *run = filling->run;
    size_t count = 0;
    int result = add_word(command, &count, strdup(trainer), error);
    if (result == 0)
        result = add_word(command, &count, strdup("train"), error);
    for (size_t i = 0; i < run->factor_count && result == 0; i++)
        result = add_option(command, &count, run->factors[i].factor, run->factors[i].level, error);
    for (size_t i = 0; i < study->option_count && result == 0; i++)
        result =
            add_option(command, &count, study->options[i].name.text, study->options[i].value.text, error);
    if (result == 0 && !level_of(run, "seed", 4))
        result = add_option(command, &count, "seed", filling->seed, error);
    return result;
}

static int fill_command(struct filling *filling, char **command, struct error *error)
{
    for (size_t i = 0; i < filling->study->command_count; i++) {
        command[i] = words_fill(filling->study->command[i].text, placeholder, filling, error);
        if (!command[i])
            return -1;
    }
    return 0;
}

char **design_command(const struct study *study, const struct planned_run *run,
                      const struct design_places *places, struct error *error)
{
    AUTO_FREE char *seed = text_format("%lld", (long long)design_seed(study, run->repetition));
    AUTO_FREE char *repetition = text_format("%lld", (long long)run->repetition);
    /* program, subcommand, two words an option, the seed's two, the end */
    size_t most = 5 + 2 * (run->factor_count + study->option_count) + study->command_count;
    char **command = calloc(most, sizeof *command);
    if (!command || !seed || !repetition) {
        free(command);
        error_memory(error, "command");
        return NULL;
    }
    struct filling filling = {study, run, seed, repetition, places->scratch};
    int result = study->command_count ? fill_command(&filling, command, error)
                                      : fill_train(&filling, places->trainer, command, error);
    if (result == 0)
        return command;
    design_command_free(command);
    return NULL;
}

void design_command_free(char **command)
{
    for (size_t i = 0; command && command[i]; i++)
        free(command[i]);
    free(command);
}

char *design_label(const struct planned_run *run)
{
    struct text label = TEXT_INIT;
    for (size_t i = 0; i < run->factor_count; i++)
        text_printf(&label, "%s%s=%s", i ? " " : "", run->factors[i].factor, run->factors[i].level);
    return text_take(&label);
}
