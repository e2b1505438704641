/* state.h: the machine as a run finds it: what a reader of the run's figures would ask for, and what would
 * spoil them. Linux: admin-guide/pm/cpufreq, proc_loadavg(5), hwmon and thermal zones. */
#ifndef JOULERY_STUDY_STATE_H
#define JOULERY_STUDY_STATE_H

#include "meter/meter.h"
#include "record/record.h"

struct machine_state {
    char *governor; /* of all processors: "performance"; "mixed" where they differ; NULL: not known */
    enum { TURBO_NOT_KNOWN, TURBO_ON, TURBO_OFF } turbo;
    bool on_battery;
    double load; /* runnable tasks over the last minute, as /proc/loadavg has it; NAN: not known */
    double logical_cpus;
    double temperature_c; /* of the hottest processor sensor; NAN: there is none */
};

void state_read(const struct meter_setup *setup, struct machine_state *state);
void state_free(struct machine_state *state);

/* "governor performance, turbo on, load 0.12, 45 °C": what is known of it, "nothing is known" otherwise. NULL
 * if memory ran out. */
char *state_describe(const struct machine_state *state);

/* Calls `tell` with each thing that would spoil a measurement. `rested`: no run of ours is in the load. */
void state_warn(const struct machine_state *state, bool rested, void (*tell)(void *context, char *warning),
                void *context);

/* The git revision of a folder, "3bb0880…", with "-dirty" if tracked files are changed; NULL: no git, not in
 * a repository. Runs git. */
char *state_revision(const char *directory);

/* The names of this process' environment variables, sorted, with blanks between; never their values, which
 * may be secrets. NULL if memory ran out. */
char *state_environment(void);

/* What of a run's machine time was other programs': record/share.h has the rule. */
double state_disturbance(const struct record *record);

#endif
