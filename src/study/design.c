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

static size_t count_treatments(const struct study *study)
{
    size_t treatments = 1; /* study_parse has kept the product within STUDY_RUNS_MOST */
    for (size_t i = 0; i < study->factor_count; i++)
        treatments *= study->factors[i].level_count;
    return treatments;
}

/* The treatment's number is read with the last factor as its fastest digit, as nested loops would count. */
static int fill_levels(const struct study *study, size_t treatment, struct planned_run *run,
                       struct error *error)
{
    run->factors = calloc(study->factor_count, sizeof *run->factors);
    if (!run->factors)
        return error_memory(error, "plan");
    run->factor_count = study->factor_count;
    for (size_t i = study->factor_count; i-- > 0;) {
        const struct study_factor *factor = &study->factors[i];
        run->factors[i].factor = strdup(factor->name.text);
        run->factors[i].level = strdup(factor->levels[treatment % factor->level_count].text);
        if (!run->factors[i].factor || !run->factors[i].level)
            return error_memory(error, "plan");
        treatment /= factor->level_count;
    }
    return 0;
}

static int fill_block(const struct study *study, int64_t repetition, size_t *order, size_t treatments,
                      struct planned_run *block, struct error *error)
{
    for (size_t i = 0; i < treatments; i++)
        order[i] = i;
    if (study->order == ORDER_SHUFFLED) {
        struct random_stream random;
        random_seed(&random, (uint64_t)study->seed, (uint64_t)repetition);
        random_shuffle(&random, order, treatments);
    }
    for (size_t i = 0; i < treatments; i++) {
        block[i].position = (repetition - 1) * (int64_t)treatments + (int64_t)i;
        block[i].repetition = repetition;
        if (fill_levels(study, order[i], &block[i], error) < 0)
            return -1;
    }
    return 0;
}

int design_plan(const struct study *study, struct planned_run **plan, size_t *count, struct error *error)
{
    size_t treatments = count_treatments(study);
    size_t runs = treatments * (size_t)study->repetitions;
    struct planned_run *made = calloc(runs, sizeof *made);
    size_t *order = calloc(treatments, sizeof *order);
    int result = made && order ? 0 : error_memory(error, "plan");
    for (int64_t i = 0; i < study->repetitions && result == 0; i++)
        result = fill_block(study, i + 1, order, treatments, made + (size_t)i * treatments, error);
    free(order);
    if (result < 0) {
        design_free(made, made ? runs : 0);
        return -1;
    }
    *plan = made;
    *count = runs;
    return 0;
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
    const struct {
        const char *name, *value;
    } others[] = {
        {"seed", filling->seed},
        {"repetition", filling->repetition},
        {"directory", filling->study->directory},
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
