#include "carbon/wait.h"

#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SLICE_S   10.0 /* how long a clock that was set goes unnoticed */
#define CLOCK_S   5.0  /* further apart than before: the wall clock was set */
#define LATE_S    60.0 /* after the planned start: the machine slept */
#define ALMOST_S  1e-3
#define SOONEST_S 1e-2

struct waiting {
    const struct job *job;
    const struct wait_hooks *hooks;
    struct waited *waited;
    struct profile profile;
    struct best_start plan;
    bool planned, decided;
    double deadline_s, next_ask_s; /* steady */
    double apart_s;                /* wall less steady clock, at the last decision */
};

static double wall_s(const struct waiting *waiting)
{
    return waiting->hooks->wall_s(waiting->hooks->context);
}

static double steady_s(const struct waiting *waiting)
{
    return waiting->hooks->steady_s(waiting->hooks->context);
}

static void set_trouble(struct waited *waited, const char *trouble)
{
    free(waited->trouble);
    waited->trouble = trouble ? strdup(trouble) : NULL;
}

static int decide(struct waiting *waiting, const struct profile *profile, struct error *error)
{
    double now_s = wall_s(waiting), now_steady_s = steady_s(waiting);
    struct best_start plan;
    if (best_start_find(profile, waiting->job, now_s, now_s + fmax(waiting->deadline_s - now_steady_s, 0),
                        &plan, error) < 0)
        return -1;
    waiting->plan = plan;
    waiting->apart_s = now_s - now_steady_s;
    waiting->planned = waiting->decided = true;
    return 0;
}

/* A forecast that says nothing of the job is no better than none: the one before stays. */
static void ask_anew(struct waiting *waiting)
{
    const struct wait_hooks *hooks = waiting->hooks;
    struct error error = ERROR_INIT;
    struct profile profile = {0};
    AUTO_FREE char *trouble = NULL;
    double from_s = wall_s(waiting), now_s = steady_s(waiting);
    double to_s = from_s + fmax(waiting->deadline_s - now_s, 0) + job_duration_s(waiting->job);
    waiting->next_ask_s = now_s + WAIT_ASK_S;
    if (hooks->ask(hooks->context, from_s, to_s, &profile, &trouble, &error) < 0) {
        set_trouble(waiting->waited, error_text(&error));
    } else if (decide(waiting, &profile, &error) < 0) {
        set_trouble(waiting->waited, error_text(&error));
        profile_free(&profile);
    } else {
        set_trouble(waiting->waited, trouble);
        profile_free(&waiting->profile);
        waiting->profile = profile;
    }
    error_clear(&error);
}

/* From what is known already; a question only where that no longer helps. */
static void decide_anew(struct waiting *waiting)
{
    struct error error = ERROR_INIT;
    waiting->planned = false;
    if (decide(waiting, &waiting->profile, &error) < 0)
        ask_anew(waiting);
    error_clear(&error);
}

static bool plan_is_void(const struct waiting *waiting)
{
    double now_s = wall_s(waiting);
    return fabs(now_s - steady_s(waiting) - waiting->apart_s) > CLOCK_S ||
           now_s > waiting->plan.best.start_s + LATE_S;
}

static void tell(struct waiting *waiting)
{
    const struct wait_state state = {.plan = &waiting->plan,
                                     .profile = &waiting->profile,
                                     .trouble = waiting->waited->trouble,
                                     .wall_s = wall_s(waiting),
                                     .decided = waiting->decided};
    waiting->hooks->tell(waiting->hooks->context, &state);
    waiting->decided = false;
}

static enum wait_event sleep_a_little(struct waiting *waiting)
{
    double now_s = steady_s(waiting);
    double seconds = fmin(waiting->plan.best.start_s - wall_s(waiting), waiting->deadline_s - now_s);
    seconds = fmin(fmin(seconds, waiting->next_ask_s - now_s), SLICE_S);
    return waiting->hooks->sleep(waiting->hooks->context, fmax(seconds, SOONEST_S));
}

/* Whether the wait is over, and then how. */
static bool is_over(struct waiting *waiting, enum wait_end *end)
{
    if (waiting->planned && plan_is_void(waiting))
        decide_anew(waiting);
    if (waiting->planned && steady_s(waiting) >= waiting->next_ask_s)
        ask_anew(waiting);
    bool come = waiting->planned && wall_s(waiting) >= waiting->plan.best.start_s - ALMOST_S;
    bool latest = steady_s(waiting) >= waiting->deadline_s;
    *end = !waiting->planned ? WAIT_NO_FORECAST : come ? WAIT_CLEANEST : WAIT_LATEST;
    return !waiting->planned || come || latest;
}

static enum wait_end wait_on(struct waiting *waiting)
{
    enum wait_end end;
    while (!is_over(waiting, &end)) {
        tell(waiting);
        enum wait_event event = sleep_a_little(waiting);
        if (event != WAIT_PASSED)
            return event == WAIT_START_NOW ? WAIT_TOLD : WAIT_GIVEN_UP;
    }
    return end;
}

/* What a start now emits, as the last forecast has it. */
static double intensity_now(const struct waiting *waiting)
{
    struct best_start now;
    struct error error = ERROR_INIT;
    double at_s = wall_s(waiting);
    int result = best_start_find(&waiting->profile, waiting->job, at_s, at_s, &now, &error);
    error_clear(&error);
    return result == 0 ? now.now.intensity_g_per_kwh : NAN;
}

int wait_for_clean_start(const struct job *job, double within_s, const struct wait_hooks *hooks,
                         struct waited *waited, struct error *error)
{
    struct waiting waiting = {.job = job, .hooks = hooks, .waited = waited};
    double begin_s = steady_s(&waiting);
    *waited = (struct waited){.from_s = wall_s(&waiting)};
    waiting.deadline_s = begin_s + within_s;
    ask_anew(&waiting);
    waited->at_once_g_per_kwh = waiting.planned ? waiting.plan.now.intensity_g_per_kwh : NAN;
    waited->end = wait_on(&waiting);
    waited->until_s = wall_s(&waiting);
    waited->wall_s = steady_s(&waiting) - begin_s;
    waited->started_g_per_kwh = intensity_now(&waiting);
    waited->marginal = waiting.profile.marginal;
    waited->asked_s = waiting.profile.asked_s;
    waited->source = waiting.profile.source;
    waiting.profile.source = NULL;
    profile_free(&waiting.profile);
    return waited->end == WAIT_NO_FORECAST && !waited->trouble ? error_memory(error, "forecast") : 0;
}

void waited_free(struct waited *waited)
{
    free(waited->source);
    free(waited->trouble);
    *waited = (struct waited){0};
}

const char *wait_end_name(enum wait_end end)
{
    static const char *const names[] = {"cleanest", "told", "latest", "no forecast", "given up"};
    return names[end];
}
