#include "calibrate/fit.h"

#include "base/clock.h"
#include "base/text.h"
#include "record/host.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COVERED_LEAST   0.9  /* of a window, by each channel */
#define RESOLUTION_MOST 0.1  /* of an energy, apart from its instrument's scale */
#define RANGE_LEAST     0.02 /* of the wall's mean power, that a scope must vary by */
#define NOISE_TIMES     10   /* what its windows are uncertain by, likewise: less makes slopes too small */
#define INFLATION_MOST  10   /* Marquardt's limit */
#define FREEDOM_LEAST   2    /* groups more than terms; else single runs take the place of groups */
#define WORTHLESS_SHARE 0.25 /* of the wall's mean power: an interval wider on either side says little */

/* ---- evidence ---- */

static int copy_host(struct host *to, const struct host *from, struct error *error)
{
    *to = (struct host){.name = strdup(from->name),
                        .cpu_model = strdup(from->cpu_model),
                        .kernel = strdup(from->kernel),
                        .sockets = from->sockets,
                        .logical_cpus = from->logical_cpus,
                        .memory_bytes = from->memory_bytes};
    return to->name && to->cpu_model && to->kernel ? 0 : error_memory(error, "calibration");
}

static int check_machine(struct evidence *evidence, const struct record *record, struct error *error)
{
    if (!evidence->host.name)
        return copy_host(&evidence->host, &record->host, error) < 0 ||
                       calibration_scopes_of(record, evidence->scopes, error) < 0
                   ? -1
                   : 0;
    struct calibration_scope now[CALIBRATION_SCOPES];
    if (calibration_same_machine(&evidence->host, &record->host, error) < 0)
        return error_prefix(error, "a calibration is of one machine; the windows before are");
    int result = calibration_scopes_of(record, now, error);
    if (result == 0)
        result = calibration_same_channels(evidence->scopes, now, error);
    calibration_scopes_free(now);
    return result;
}

/* What the wattmeters of a window tell. */
struct wall {
    double power_w, accuracy;
    double resolution; /* of the energy, apart from their scale: relative */
    double covered;    /* share of the window */
};

static struct wall wall_of(const struct record *record, size_t window)
{
    const struct window *at = &record->windows[window];
    struct energy_totals totals = record_totals(record, window);
    struct wall wall = {0};
    double gap_s = 0;
    for (size_t i = 0; i < record->channel_count; i++) {
        const struct channel *channel = &record->channels[i];
        if (channel->scope != SCOPE_WALL || channel->part_of || channel->apart)
            continue;
        gap_s = fmax(gap_s, at->energies[i].gap_s);
        wall.accuracy = fmax(wall.accuracy, channel->accuracy);
    }
    double scale_j = wall.accuracy * totals.hardware_j;
    wall.covered = 1 - gap_s / at->wall_s;
    wall.power_w = totals.hardware_j / (at->wall_s - gap_s);
    wall.resolution =
        sqrt(fmax(pow(totals.hardware_uncertainty_j, 2) - scale_j * scale_j, 0)) / totals.hardware_j;
    return wall;
}

static bool is_covered(const struct record *record, size_t window)
{
    const struct window *at = &record->windows[window];
    for (size_t i = 0; i < record->channel_count; i++)
        if (channel_in_software(record->channels, record->channel_count, i) &&
            at->energies[i].gap_s > (1 - COVERED_LEAST) * at->wall_s)
            return false;
    return true;
}

/* NULL: it can be used. */
static const char *why_unusable(const struct record *record, size_t window, const struct wall *wall,
                                struct software_power *power)
{
    struct error unknown = ERROR_INIT;
    bool known = calibration_power(record, window, power, &unknown) == 0;
    error_clear(&unknown);
    if (!(wall->power_w > 0))
        return "the wall's energy is not known";
    if (wall->covered < COVERED_LEAST)
        return "the wattmeter's readings have gaps";
    if (!(wall->resolution <= RESOLUTION_MOST))
        return "it is too short for how rarely or coarsely the wattmeter tells";
    if (!known)
        return "a software energy is not known";
    return is_covered(record, window) ? NULL : "software readings have gaps";
}

static int add_window(struct evidence *evidence, const struct evidence_window *window, struct error *error)
{
    if ((evidence->count & (evidence->count - 1)) == 0) { /* a power of two: full */
        struct evidence_window *grown =
            reallocarray(evidence->windows, evidence->count ? 2 * evidence->count : 1, sizeof *grown);
        if (!grown)
            return error_memory(error, "calibration");
        evidence->windows = grown;
    }
    evidence->windows[evidence->count++] = *window;
    return window->group && window->run ? 0 : error_memory(error, "calibration");
}

int evidence_add(struct evidence *evidence, const struct record *record, size_t window, const char *group,
                 const char *run, struct error *error)
{
    struct software_power power;
    struct wall wall = wall_of(record, window);
    const char *why = why_unusable(record, window, &wall, &power);
    if (why) {
        evidence->why_unusable = evidence->unusable++ ? evidence->why_unusable : why;
        return 0;
    }
    if (check_machine(evidence, record, error) < 0)
        return -1;
    const struct window *at = &record->windows[window];
    int64_t end_ns = record->started_wall_ns + (int64_t)((at->start_s + at->wall_s) * NS_PER_S);
    evidence->measured_wall_ns = end_ns > evidence->measured_wall_ns ? end_ns : evidence->measured_wall_ns;
    evidence->wall_accuracy = fmax(evidence->wall_accuracy, wall.accuracy);
    struct evidence_window added = {
        .group = strdup(group), .run = strdup(run), .wall_w = wall.power_w, .left_out_w = NAN};
    memcpy(added.power_w, power.power_w, sizeof added.power_w);
    memcpy(added.uncertainty_w, power.uncertainty_w, sizeof added.uncertainty_w);
    return add_window(evidence, &added, error) < 0 ? -1 : 1;
}

void evidence_free(struct evidence *evidence)
{
    for (size_t i = 0; i < evidence->count; i++) {
        free(evidence->windows[i].group);
        free(evidence->windows[i].run);
    }
    free(evidence->windows);
    calibration_scopes_free(evidence->scopes);
    host_free(&evidence->host);
    *evidence = (struct evidence){0};
}

/* ---- the fit ---- */

struct fitting {
    struct evidence *evidence;
    struct calibration *calibration;
    double *x, *y, *errors; /* x: a row of `regressors` a window */
    size_t *groups;         /* a number a window */
    size_t group_count;
    size_t used[CALIBRATION_SCOPES]; /* the scopes that are regressors, in order */
    size_t regressors;
    struct error *error;
};

/* Takes over `doubt`. */
static void doubt(struct calibration *calibration, char *text)
{
    char **grown = text && calibration->doubt_count < CALIBRATION_DOUBTS_MOST
                       ? reallocarray(calibration->doubts, calibration->doubt_count + 1, sizeof *grown)
                       : NULL;
    if (!grown) {
        free(text);
        return;
    }
    calibration->doubts = grown;
    grown[calibration->doubt_count++] = text;
}

static const char *scope_name(size_t scope)
{
    return channel_scope_name((enum channel_scope)scope);
}

/* Windows of one name get one number, in order of their first. */
static size_t number_groups(const struct evidence *evidence, bool by_run, size_t *groups)
{
    size_t count = 0;
    for (size_t i = 0; i < evidence->count; i++) {
        const struct evidence_window *window = &evidence->windows[i];
        size_t k = 0;
        while (k < i && strcmp(by_run ? evidence->windows[k].run : evidence->windows[k].group,
                               by_run ? window->run : window->group) != 0)
            k++;
        groups[i] = k < i ? groups[k] : count++;
    }
    return count;
}

static double range_of(const struct fitting *f, size_t scope)
{
    return f->calibration->scopes[scope].high_w - f->calibration->scopes[scope].low_w;
}

/* Root mean square of what a scope's power is uncertain by in a window, apart from its instrument's scale. */
static double noise_of(const struct fitting *f, size_t scope)
{
    double squares = 0;
    for (size_t i = 0; i < f->evidence->count; i++)
        squares += pow(f->evidence->windows[i].uncertainty_w[scope], 2);
    return sqrt(squares / (double)f->evidence->count);
}

/* Takes over `why`. */
static int leave_scope(struct fitting *f, size_t place, char *why)
{
    struct calibration_scope *scope = &f->calibration->scopes[f->used[place]];
    scope->left_out = why;
    scope->term = 0;
    f->regressors--;
    for (size_t k = place; k < f->regressors; k++)
        f->used[k] = f->used[k + 1];
    return why ? 0 : error_memory(f->error, "calibration");
}

/* The one whose power varies least: it explains least. */
static size_t least_varying(const struct fitting *f)
{
    size_t least = 0;
    for (size_t k = 1; k < f->regressors; k++)
        if (range_of(f, f->used[k]) < range_of(f, f->used[least]))
            least = k;
    return least;
}

static void fill(struct fitting *f)
{
    for (size_t i = 0; i < f->evidence->count; i++)
        for (size_t k = 0; k < f->regressors; k++)
            f->x[i * f->regressors + k] = f->evidence->windows[i].power_w[f->used[k]];
}

static void find_ranges(struct fitting *f)
{
    struct calibration *c = f->calibration;
    for (size_t s = 0; s < CALIBRATION_SCOPES; s++) {
        c->scopes[s].low_w = c->scopes[s].channel_count ? INFINITY : 0;
        for (size_t i = 0; i < f->evidence->count && c->scopes[s].channel_count; i++) {
            c->scopes[s].low_w = fmin(c->scopes[s].low_w, f->evidence->windows[i].power_w[s]);
            c->scopes[s].high_w = fmax(c->scopes[s].high_w, f->evidence->windows[i].power_w[s]);
        }
    }
    for (size_t i = 0; i < f->evidence->count; i++)
        c->wall_mean_w += f->evidence->windows[i].wall_w / (double)f->evidence->count;
}

static int leave_constant(struct fitting *f)
{
    for (size_t k = f->regressors; k-- > 0;) {
        size_t s = f->used[k];
        double least_w = fmax(RANGE_LEAST * f->calibration->wall_mean_w, NOISE_TIMES * noise_of(f, s));
        if (range_of(f, s) >= least_w)
            continue;
        if (leave_scope(
                f, k,
                text_format("it hardly varied: by %.3g W, where %.3g W would tell it from the constant",
                            range_of(f, s), least_w)) < 0)
            return -1;
    }
    return 0;
}

static int leave_collinear(struct fitting *f)
{
    while (f->regressors > 1) {
        double factors[CALIBRATION_SCOPES];
        size_t chosen = SIZE_MAX; /* of those that others tell, the one that varies least */
        fill(f);
        if (stats_linear_inflation(f->x, f->evidence->count, f->regressors, factors, f->error) < 0)
            return -1;
        for (size_t k = 0; k < f->regressors; k++)
            if (factors[k] > INFLATION_MOST &&
                (chosen == SIZE_MAX || range_of(f, f->used[k]) < range_of(f, f->used[chosen])))
                chosen = k;
        if (chosen == SIZE_MAX)
            return 0;
        if (leave_scope(f, chosen,
                        text_format("it rose and fell with the others (variance inflation %.3g, at most %d): "
                                    "what it adds is in their coefficients",
                                    factors[chosen], INFLATION_MOST)) < 0)
            return -1;
    }
    return 0;
}

/* 1: fitted, and each group's windows were predicted without it; 0: it rests on one group alone. */
static int fit_once(struct fitting *f)
{
    const struct evidence *evidence = f->evidence;
    fill(f);
    int fitted = stats_linear_fit(f->x, f->y, evidence->count, f->regressors, &f->calibration->fit, f->error);
    if (fitted <= 0)
        return fitted;
    if (stats_linear_leave_out(f->x, f->y, f->groups, evidence->count, f->regressors, f->errors, f->error) <
        0)
        return -1;
    for (size_t i = 0; i < evidence->count; i++)
        if (!isfinite(f->errors[i]))
            return 0;
    return 1;
}

static int fit_what_can_be(struct fitting *f)
{
    int fitted = 0;
    while (f->regressors && (fitted = fit_once(f)) == 0)
        if (leave_scope(f, least_varying(f),
                        text_format("too few %s tell of it: its coefficient would rest on one alone",
                                    f->calibration->groups_are)) < 0)
            return -1;
    return fitted;
}

static int choose_groups(struct fitting *f, const struct evidence_origin *origin)
{
    const char *are = origin->groups_are;
    f->group_count = number_groups(f->evidence, false, f->groups);
    if (f->group_count < f->regressors + 1 + FREEDOM_LEAST) {
        f->group_count = number_groups(f->evidence, true, f->groups);
        are = origin->runs;
    }
    f->calibration->groups = f->group_count;
    f->calibration->groups_are = strdup(are);
    if (!f->calibration->groups_are)
        return error_memory(f->error, "calibration");
    if (f->group_count < 3)
        return error_set(
            f->error,
            "%zu windows of %zu %s have both wall and software power: a line and its errors take "
            "three at least",
            f->evidence->count, f->group_count, are);
    return 0;
}

static void judge_errors(struct fitting *f)
{
    struct calibration *c = f->calibration;
    double squares = 0, count = (double)f->evidence->count;
    for (size_t i = 0; i < f->evidence->count; i++) {
        f->evidence->windows[i].left_out_w = f->errors[i];
        squares += f->errors[i] * f->errors[i];
        c->left_out_most_w = fmax(c->left_out_most_w, fabs(f->errors[i]));
        c->leverage_most = fmax(c->leverage_most, stats_linear_leverage(&c->fit, f->x + i * f->regressors));
    }
    c->left_out_rms_w = sqrt(squares / count);
    c->residual_sd_w = c->fit.sd;
    stats_linear_widen(&c->fit, c->left_out_rms_w, (double)f->group_count - (double)c->fit.terms);
}

static void find_doubts(struct fitting *f)
{
    struct calibration *c = f->calibration;
    for (size_t k = 0; k < f->regressors; k++) {
        size_t s = f->used[k];
        struct interval slope = stats_linear_coefficient(&c->fit, k + 1);
        c->scopes[s].term = k + 1;
        if (slope.value < 0)
            doubt(c, text_format(
                         "the coefficient of %s is below 0, which no supply makes: it stands for something "
                         "else that changed with it",
                         scope_name(s)));
        else if (slope.low < 0)
            doubt(c, text_format("the coefficient of %s may as well be 0 (%.3g to %.3g)", scope_name(s),
                                 slope.low, slope.high));
    }
    struct interval constant = stats_linear_coefficient(&c->fit, 0);
    if (constant.value < 0)
        doubt(c,
              text_format(
                  "the constant is below 0 (%.3g W): the wall draws less than software says, and one of the "
                  "two is wrong",
                  constant.value));
    double t = (constant.high - constant.low) / 2 / (c->fit.sd * sqrt(c->fit.unscaled[0][0]));
    if (t * c->fit.sd > WORTHLESS_SHARE * c->wall_mean_w)
        doubt(c, text_format(
                     "its intervals are wide, ± %.3g W and more: more %s, or longer ones, would narrow them",
                     t * c->fit.sd, c->groups_are));
    if (calibration_is_estimated(c))
        doubt(c,
              strdup(
                  "a model's estimates stand for what software measures elsewhere: it predicts for runs with "
                  "this model alone"));
    if (f->evidence->unusable)
        doubt(c,
              text_format(
                  "%zu windows were left out: an energy in them was not known, had gaps, or was not resolved",
                  f->evidence->unusable));
}

static int fit(struct fitting *f, const struct evidence_origin *origin)
{
    struct calibration *c = f->calibration;
    find_ranges(f);
    for (size_t s = 0; s < CALIBRATION_SCOPES; s++)
        if (c->scopes[s].channel_count)
            f->used[f->regressors++] = s;
    if (leave_constant(f) < 0 || leave_collinear(f) < 0 || choose_groups(f, origin) < 0)
        return -1;
    int fitted = fit_what_can_be(f);
    if (fitted < 0)
        return -1;
    if (fitted == 0)
        return error_set(
            f->error,
            "no software power varied enough over the %zu windows (wall %.4g W on average): loads "
            "that differ more are needed",
            f->evidence->count, c->wall_mean_w);
    judge_errors(f);
    find_doubts(f);
    return 0;
}

/* The machine and its channels go from the evidence to the calibration. */
static int describe(struct evidence *evidence, const struct evidence_origin *origin,
                    struct calibration *calibration, struct error *error)
{
    *calibration = (struct calibration){.measured_wall_ns = evidence->measured_wall_ns,
                                        .source = strdup(origin->source),
                                        .windows = evidence->count,
                                        .wall_accuracy = evidence->wall_accuracy,
                                        .host = evidence->host};
    memcpy(calibration->scopes, evidence->scopes, sizeof evidence->scopes);
    memset(evidence->scopes, 0, sizeof evidence->scopes);
    evidence->host = (struct host){0};
    return calibration->source ? 0 : error_memory(error, "calibration");
}

int calibration_fit(struct evidence *evidence, const struct evidence_origin *origin,
                    struct calibration *calibration, struct error *error)
{
    size_t count = evidence->count;
    *calibration = (struct calibration){0};
    if (count == 0)
        return error_set(error, "no window has both wall and software power: %zu were looked at%s%s",
                         evidence->unusable, evidence->unusable ? "; of the first, " : "",
                         evidence->unusable ? evidence->why_unusable : "");
    struct fitting f = {.evidence = evidence,
                        .calibration = calibration,
                        .x = calloc(count * CALIBRATION_SCOPES, sizeof *f.x),
                        .y = calloc(count, sizeof *f.y),
                        .errors = calloc(count, sizeof *f.errors),
                        .groups = calloc(count, sizeof *f.groups),
                        .error = error};
    int result = describe(evidence, origin, calibration, error);
    if (result == 0 && !(f.x && f.y && f.errors && f.groups))
        result = error_memory(error, "calibration");
    for (size_t i = 0; i < count && result == 0; i++)
        f.y[i] = evidence->windows[i].wall_w;
    if (result == 0)
        result = fit(&f, origin);
    free(f.x);
    free(f.y);
    free(f.errors);
    free(f.groups);
    if (result < 0)
        calibration_free(calibration);
    return result;
}
