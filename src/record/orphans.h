/* orphans.h: the command's processes that outlive their parents: daemons, background jobs, what is left at
 * the end. While a command runs, this process adopts them (PR_SET_CHILD_SUBREAPER, prctl(2)), so that their
 * CPU times can be told: of those that ended by waiting for them, of those that still run from /proc.
 *
 * Children that this process had before are neither waited for nor counted, nor is what they start. */
#ifndef JOULERY_RECORD_ORPHANS_H
#define JOULERY_RECORD_ORPHANS_H

#include "base/process.h"

#include <stdbool.h>

struct orphans {
    bool adopting;
    int adopted_before;      /* the flag as it was */
    struct process *earlier; /* descendants that we had before, by pid */
    size_t earlier_count;
    bool blind;       /* which processes are the command's can't be told */
    double ended_s;   /* CPU time of orphans that ended */
    double running_s; /* of the command's processes that were still there, by orphans_count */
    size_t running;   /* how many those are */
};

/* Before the command is forked. */
void orphans_begin(struct orphans *orphans);
/* Waits for those that have ended, but never for `command`. */
void orphans_reap(struct orphans *orphans, pid_t command);
/* After the command was waited for: fills running and running_s. -1: can't be told; those that ended are. */
int orphans_count(struct orphans *orphans);
/* After SIGKILL to process group `group`: waits until none of it is left, at most 1 s. */
void orphans_await(pid_t group);
/* Adopts no longer; also after no orphans_begin. What still runs stays our child until we end. */
void orphans_end(struct orphans *orphans);

#endif
