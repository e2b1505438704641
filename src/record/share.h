/* share.h: what of the processors' energy above idle is attributed to the command: docs/method.md. */
#ifndef JOULERY_RECORD_SHARE_H
#define JOULERY_RECORD_SHARE_H

#include "meter/cpuinfo.h"
#include "record/orphans.h"
#include "record/record.h"

/* The machine's CPU time at the start of a run. */
struct share {
    bool known;
    struct cpu_ticks ticks;
};

/* Where /proc/stat can't be read nothing is attributed. */
void share_begin(struct share *share, const struct meter_setup *setup);
/* Values of attribution.basis: the command, all its descendants, ended or not; or without those that still
 * ran at its end, where /proc does not show them. */
#define SHARE_WHOLE "process tree"
#define SHARE_ENDED "process tree, only what has ended"

/* After the command has been waited for: fills command_cpu_s, machine_cpu_s and basis. `ended_s`: CPU time of
 * the command; the orphans are counted here. */
void share_end(const struct share *share, const struct meter_setup *setup, double ended_s,
               struct orphans *orphans, struct attribution *attribution);

/* Fills energy_j, uncertainty_j and known from the CPU times and record->idle. Without a baseline, or where a
 * processor's energy isn't known: known = false. */
void share_attribute(struct record *record);

/* CPU times of a run, and over what they were spent. */
struct cpu_times {
    double machine_s;  /* busy time of all logical CPUs */
    double command_s;  /* the command's, and that of all it started */
    double recorder_s; /* Joulery's own */
    double wall_s;
    double logical_cpus;
};

/* What of the machine's busy time was other programs', as a share of it. 0 where it is not known, or too
 * little to be told from the clock's ticks and from what any system does by itself. */
double share_of_others(const struct cpu_times *times);
#define SHARE_DISTURBED 0.1 /* more than this makes a run a disturbed one */

#endif
