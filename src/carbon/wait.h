/* wait.h: waits for the cleanest start of a job in a forecast, which is asked anew now and then. */
#ifndef JOULERY_CARBON_WAIT_H
#define JOULERY_CARBON_WAIT_H

#include "carbon/best_start.h"

/* Forecasts are renewed every half hour at the most often. */
#define WAIT_ASK_S 1800.0

enum wait_event { WAIT_PASSED, WAIT_START_NOW, WAIT_GIVE_UP };

enum wait_end {
    WAIT_CLEANEST,    /* the cleanest start has come */
    WAIT_TOLD,        /* somebody wanted it to start */
    WAIT_LATEST,      /* no longer wait is allowed */
    WAIT_NO_FORECAST, /* nothing to wait for is known */
    WAIT_GIVEN_UP     /* nothing is to start */
};

/* How things stand. Valid during the call that it is given to. */
struct wait_state {
    const struct best_start *plan;
    const struct profile *profile;
    const char *trouble; /* why the last question has not led to this plan; NULL: it has */
    double wall_s;
    bool decided; /* just now: the plan may be another */
};

/* What the waiting needs of the world. */
struct wait_hooks {
    void *context;
    double (*wall_s)(void *context);   /* since 1970, UTC; may be set, by people or by NTP */
    double (*steady_s)(void *context); /* since some start; goes on during suspend and is never set */
    /* May come back earlier. */
    enum wait_event (*sleep)(void *context, double seconds);
    /* As service_ask: the caller frees `profile` after 0, and `*trouble` (NULL: none). */
    int (*ask)(void *context, double from_s, double to_s, struct profile *profile, char **trouble,
               struct error *error);
    void (*tell)(void *context, const struct wait_state *state); /* at each decision and before each sleep */
};

/* What became of it. */
struct waited {
    enum wait_end end;
    double from_s, until_s;   /* by the wall clock, since 1970 */
    double wall_s;            /* by the steady one */
    double at_once_g_per_kwh; /* of a start at `from_s`, as the first forecast had it; NAN: not known */
    double started_g_per_kwh; /* of a start at `until_s`, as the last one has it; NAN: not known */
    char *source;             /* of the forecast; NULL: there was none */
    bool marginal;
    int64_t asked_s; /* as in struct profile */
    char *trouble;   /* why there was no forecast, or not the newest; NULL: there was none */
};

/* Waits at most `within_s` (by the steady clock). Once a plan is made, a question that fails leaves it as it
 * is; where none can be made, the wait ends at once. A clock that was set, and a machine that slept through
 * the planned start, lead to a new plan. The caller frees `waited`, also after -1: memory ran out. */
int wait_for_clean_start(const struct job *job, double within_s, const struct wait_hooks *hooks,
                         struct waited *waited, struct error *error);
void waited_free(struct waited *waited);

/* "cleanest", "told", "latest", "no forecast", "given up" */
const char *wait_end_name(enum wait_end end);

#endif
