/* share.h: what of the processors' energy above idle is attributed to the command: docs/method.md. */
#ifndef JOULERY_RECORD_SHARE_H
#define JOULERY_RECORD_SHARE_H

#include "meter/cpuinfo.h"
#include "record/record.h"

/* CPU times at the start of a run. */
struct share {
    bool known;
    struct cpu_ticks ticks;
    double children_s;
};

/* Reads the machine's CPU time and that of our children that have ended. Where /proc/stat can't be read
 * nothing is attributed. */
void share_begin(struct share *share, const struct meter_setup *setup);
/* After the command has been waited for: fills command_cpu_s, machine_cpu_s and basis. */
void share_end(const struct share *share, const struct meter_setup *setup, struct attribution *attribution);

/* Fills energy_j, uncertainty_j and known from the CPU times and record->idle. Without a baseline, or where a
 * processor's energy isn't known: known = false. */
void share_attribute(struct record *record);

#endif
