#include "calibrate/ladder.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"
#include "calibrate/load.h"
#include "record/host.h"
#include "record/measurement.h"
#include "record/windows.h"

#include <math.h>
#include <stdlib.h>

#define SETTLE_SHARE   (1.0 / 3) /* of a step, at least */
#define SETTLE_UPDATES 2         /* and so many update periods of each instrument */
#define WINDOW_UPDATES 5         /* which the rest must hold at least */

static const struct rung {
    const char *name;
    enum load_kind kind;
    double share; /* of the logical CPUs */
} rungs[] = {
    {"rest", LOAD_COMPUTE, 0},         {"cpu 25 %", LOAD_COMPUTE, 0.25},   {"cpu 50 %", LOAD_COMPUTE, 0.5},
    {"cpu 75 %", LOAD_COMPUTE, 0.75},  {"cpu 100 %", LOAD_COMPUTE, 1},     {"memory 25 %", LOAD_STREAM, 0.25},
    {"memory 50 %", LOAD_STREAM, 0.5}, {"memory 75 %", LOAD_STREAM, 0.75}, {"memory 100 %", LOAD_STREAM, 1},
};

enum { RUNGS = sizeof rungs / sizeof *rungs, RUNGS_WITHOUT_MEMORY = 5 };

struct climb {
    const struct ladder_options *options;
    struct record *record;
    struct measurement *measurement;
    struct load *load;
    size_t rung_count;
    double settle_s;
    int64_t start_ns;
};

/* ---- what there is ---- */

static bool has_wall(const struct record *record)
{
    for (size_t i = 0; i < record->channel_count; i++)
        if (record->channels[i].scope == SCOPE_WALL && !record->channels[i].apart)
            return true;
    return false;
}

static bool measures_memory(const struct record *record)
{
    for (size_t i = 0; i < record->channel_count; i++)
        if (record->channels[i].scope == SCOPE_DRAM && record->channels[i].kind != KIND_MODEL &&
            channel_in_software(record->channels, record->channel_count, i))
            return true;
    return false;
}

/* What an instrument shows may be as old as its update period, and a mean over some time before. */
static int choose_settling(struct climb *climb, struct error *error)
{
    double step_s = (double)climb->options->step_s;
    climb->settle_s = SETTLE_SHARE * step_s;
    for (size_t i = 0; i < climb->record->channel_count; i++) {
        const struct channel *channel = &climb->record->channels[i];
        double settle_s = SETTLE_UPDATES * channel->update_s + channel->averaging_s;
        double window_s = WINDOW_UPDATES * channel->update_s;
        double least_s = fmax(settle_s + window_s, window_s / (1 - SETTLE_SHARE));
        if (channel->apart)
            continue;
        if (least_s > step_s)
            return error_set(error,
                             "%s/%s is renewed each %.3g s: steps of %llu s are too short for it, --for %.0f "
                             "gives it time to settle and to be read",
                             channel->meter, channel->name, channel->update_s,
                             (unsigned long long)climb->options->step_s, ceil(least_s));
        climb->settle_s = fmax(climb->settle_s, settle_s);
    }
    return 0;
}

/* ---- the steps ---- */

static void wait_until(const struct climb *climb, int64_t until_ns, const char *step)
{
    const struct ladder_options *options = climb->options;
    double total_s = (double)(options->step_s * options->repetitions * climb->rung_count);
    for (int64_t now_ns; (now_ns = clock_boot_ns()) < until_ns;) {
        if (options->progress)
            options->progress(options->context, (double)(now_ns - climb->start_ns) / NS_PER_S, total_s, step);
        clock_sleep_until(now_ns + NS_PER_S / 10 < until_ns ? now_ns + NS_PER_S / 10 : until_ns);
    }
}

static int mark(const struct climb *climb, enum mark_kind kind, const struct rung *rung, uint64_t repetition,
                int64_t boot_ns, struct error *error)
{
    const struct mark edge = {
        .kind = kind, .window = rung->name, .index = (int64_t)repetition, .boot_ns = boot_ns};
    int result =
        windows_apply(climb->record, measurement_account(climb->measurement), &edge, clock_boot_ns(), error);
    measurement_wake(climb->measurement);
    return result;
}

static int take_step(const struct climb *climb, const struct rung *rung, uint64_t repetition,
                     struct error *error)
{
    double threads = rung->share * (double)load_threads(climb->load);
    int64_t begin_ns = clock_boot_ns(), settled_ns = begin_ns + (int64_t)(climb->settle_s * NS_PER_S);
    int64_t end_ns = begin_ns + (int64_t)climb->options->step_s * NS_PER_S;
    if (load_set(climb->load, rung->kind, threads, error) < 0)
        return -1;
    wait_until(climb, settled_ns, rung->name);
    if (mark(climb, MARK_BEGIN, rung, repetition, settled_ns, error) < 0)
        return -1;
    wait_until(climb, end_ns, rung->name);
    return mark(climb, MARK_END, rung, repetition, end_ns, error);
}

/* In blocks: all steps once, in an order drawn anew, so that a machine that warms up or a meter that drifts
 * shows as scatter of a step and not as slope. */
static int take_steps(const struct climb *climb, struct error *error)
{
    struct random_stream random;
    random_seed(&random, climb->options->seed, 0);
    for (uint64_t repetition = 1; repetition <= climb->options->repetitions; repetition++) {
        size_t order[RUNGS];
        for (size_t i = 0; i < climb->rung_count; i++)
            order[i] = i;
        random_shuffle(&random, order, climb->rung_count);
        for (size_t i = 0; i < climb->rung_count; i++)
            if (take_step(climb, &rungs[order[i]], repetition, error) < 0)
                return -1;
    }
    return 0;
}

/* ---- all of it ---- */

static int measure(struct climb *climb, struct error *error)
{
    struct record *record = climb->record;
    if (measurement_start(climb->measurement, error) < 0)
        return -1;
    struct account *account = measurement_account(climb->measurement);
    climb->start_ns = clock_boot_ns();
    record->started_wall_ns = clock_wall_ns();
    if (windows_start(record, account, climb->start_ns, error) < 0 || take_steps(climb, error) < 0 ||
        load_set(climb->load, LOAD_COMPUTE, 0, error) < 0)
        return -1;
    int64_t end_ns = clock_boot_ns();
    measurement_stop(climb->measurement);
    account_finish(account, end_ns);
    if (windows_finish(record, account, end_ns, error) < 0)
        return -1;
    size_t unlisted;
    record->wall_s = record->windows[0].wall_s;
    record->gaps = account_take_gaps(account, &record->gap_count, &unlisted);
    return 0;
}

static int collect(const struct record *record, struct evidence *evidence, struct error *error)
{
    for (size_t i = 1; i < record->window_count; i++) {
        const struct window *window = &record->windows[i];
        AUTO_FREE char *run = text_format("%s, %lld", window->name, (long long)window->index);
        if (!run)
            return error_memory(error, "calibration");
        if (evidence_add(evidence, record, i, window->name, run, error) < 0)
            return -1;
    }
    return 0;
}

static int prepare(struct climb *climb, struct error *error)
{
    if (!has_wall(climb->record))
        return error_set(error, "no wattmeter: a calibration is of what one shows over what software shows; "
                                "docs/instruments.md says how a site file names one");
    climb->rung_count = measures_memory(climb->record) ? RUNGS : RUNGS_WITHOUT_MEMORY;
    if (choose_settling(climb, error) < 0)
        return -1;
    climb->load = load_open(error);
    return climb->load ? 0 : -1;
}

int ladder_climb(const struct ladder_options *options, struct record *record, struct evidence *evidence,
                 struct error *error)
{
    *record = (struct record){0};
    *evidence = (struct evidence){0};
    const struct measurement_options measuring = {.setup = options->setup,
                                                  .meters = options->meters,
                                                  .meter_count = options->meter_count,
                                                  .rate_hz = options->rate_hz};
    struct climb climb = {.options = options, .record = record};
    if (host_describe(options->setup, &record->host, error) < 0)
        return -1;
    climb.measurement = measurement_open(&measuring, record, error);
    int result = climb.measurement ? prepare(&climb, error) : -1;
    if (result == 0)
        result = measure(&climb, error);
    load_close(climb.load);
    measurement_close(climb.measurement);
    return result == 0 ? collect(record, evidence, error) : -1;
}
