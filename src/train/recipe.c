/* The options that say how a network learns: defaults, and what doesn't go together. */
#include "base/text.h"
#include "train/program.h"

#include <string.h>

static const char *const optimizers[] = {
    [OPTIMIZER_SGD] = "sgd", [OPTIMIZER_ADAM] = "adam", [OPTIMIZER_ADAMW] = "adamw"};
static const char *const monitors[] = {
    [MONITOR_VAL_LOSS] = "val_loss", [MONITOR_VAL_ACCURACY] = "val_accuracy"};
static const char *const precisions[] = {[PRECISION_FP32] = "fp32", [PRECISION_BF16] = "bf16"};
static const char *const units[] = {"epoch", "step"};

const char *optimizer_name(enum optimizer_kind kind)
{
    return optimizers[kind];
}

const char *monitor_name(enum train_monitor monitor)
{
    return monitors[monitor];
}

/* The number of the name among `names`, the first if none is given; -1 and an error if it is none of them. */
static int choose(const char *option, const char *name, const char *const *names, size_t count,
                  struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (!name || strcmp(name, names[i]) == 0)
            return (int)i;
    struct text list = TEXT_INIT;
    for (size_t i = 0; i < count; i++)
        text_printf(&list, "%s%s", !i ? "" : i + 1 < count ? ", " : " or ", names[i]);
    AUTO_FREE char *all = text_take(&list);
    const char *nearest = text_nearest(name, names, count);
    return error_set(error, "%s: expected %s, found '%s'%s%s%s", option, all ? all : "another", name,
                     nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "");
}

int precision_parse(const char *name, enum precision *precision, struct error *error)
{
    int chosen = choose("--precision", name, precisions, sizeof precisions / sizeof *precisions, error);
    if (chosen < 0)
        return -1;
    *precision = (enum precision)chosen;
    return 0;
}

const char *precision_name(enum precision precision)
{
    return precisions[precision];
}

static double given(double value, double otherwise)
{
    return isnan(value) ? otherwise : value;
}

static int apply_optimizer(const struct recipe *recipe, struct optimizer_options *optimizer,
                           struct error *error)
{
    static const double rates[] = {
        [OPTIMIZER_SGD] = 0.01, [OPTIMIZER_ADAM] = 0.001, [OPTIMIZER_ADAMW] = 0.001};
    const char *name = recipe->optimizer ? recipe->optimizer : "adam";
    int kind = choose("--optimizer", name, optimizers, sizeof optimizers / sizeof *optimizers, error);
    if (kind < 0)
        return -1;
    bool sgd = kind == OPTIMIZER_SGD;
    if (!sgd && !isnan(recipe->momentum))
        return error_set(error, "--momentum is of --optimizer sgd, found %s: remove one", name);
    *optimizer = (struct optimizer_options){
        .kind = (enum optimizer_kind)kind,
        .learning_rate = given(recipe->lr, rates[kind]),
        .momentum = sgd ? given(recipe->momentum, 0.9) : 0,
        .nesterov = recipe->nesterov,
        .weight_decay = given(recipe->weight_decay, kind == OPTIMIZER_ADAMW ? 0.01 : 0)};
    if (recipe->nesterov && !(optimizer->momentum > 0))
        return error_set(error, "--nesterov needs --optimizer sgd with a --momentum above 0, found %s%s",
                         name, sgd ? " with momentum 0" : "");
    return 0;
}

/* Options of a schedule that isn't there. */
static int check_scheduler(const struct recipe *recipe, enum schedule_kind kind, struct error *error)
{
    const struct {
        bool wrong;
        const char *message;
    } rules[] = {
        {recipe->lr_step && kind != SCHEDULE_STEP, "--lr-step needs --lr-scheduler step"},
        {!isnan(recipe->lr_gamma) && kind != SCHEDULE_STEP, "--lr-gamma needs --lr-scheduler step"},
        {!isnan(recipe->lr_least) && kind != SCHEDULE_COSINE, "--lr-min needs --lr-scheduler cosine"},
        {!isnan(recipe->lr_warmup_start) && !recipe->lr_warmup, "--lr-warmup-start needs --lr-warmup"},
        {kind == SCHEDULE_STEP && !recipe->lr_step, "--lr-scheduler step needs --lr-step"},
        {recipe->lr_per && kind == SCHEDULE_CONSTANT && !recipe->lr_warmup,
         "--lr-per needs --lr-scheduler step or cosine, or --lr-warmup"},
    };
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].wrong)
            return error_set(error, "%s", rules[i].message);
    return 0;
}

static int apply_schedule(const struct recipe *recipe, double rate, struct train_options *train,
                          struct error *error)
{
    size_t count;
    const char *const *names = schedule_names(&count);
    int kind = choose("--lr-scheduler", recipe->scheduler, names, count, error);
    int unit = kind < 0 ? -1 : choose("--lr-per", recipe->lr_per, units, 2, error);
    if (unit < 0 || check_scheduler(recipe, (enum schedule_kind)kind, error) < 0)
        return -1;
    train->schedule = (struct schedule){.kind = (enum schedule_kind)kind,
                                        .rate = rate,
                                        .per_step = unit == 1,
                                        .step = recipe->lr_step,
                                        .gamma = given(recipe->lr_gamma, 0.1),
                                        .least = given(recipe->lr_least, 0),
                                        .warmup = recipe->lr_warmup,
                                        .warmup_start = given(recipe->lr_warmup_start, 0.01)};
    /* What is known before the data is; the loop looks again. */
    uint64_t most = train->schedule.per_step ? train->steps : train->epochs;
    return schedule_check(&train->schedule, most ? most : UINT64_MAX, error);
}

int recipe_apply(const struct recipe *recipe, struct training *training, struct error *error)
{
    struct train_options *train = &training->train;
    int monitor = choose("--monitor", recipe->monitor, monitors, 2, error);
    if (monitor < 0 || precision_parse(recipe->precision, &training->precision, error) < 0 ||
        apply_optimizer(recipe, &training->optimizer, error) < 0 ||
        apply_schedule(recipe, training->optimizer.learning_rate, train, error) < 0)
        return -1;
    if (recipe->patience && !train->validate)
        return error_set(error,
                         "--patience watches the validation, and --no-validation is given: remove one");
    train->monitor = (enum train_monitor)monitor;
    train->patience = recipe->patience;
    training->label_smoothing = recipe->label_smoothing;
    training->clip_norm = recipe->clip_norm;
    return 0;
}
