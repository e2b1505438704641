/* process.h: what the kernel says of processes: /proc/PID/stat, proc_pid_stat(5). */
#ifndef JOULERY_BASE_PROCESS_H
#define JOULERY_BASE_PROCESS_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
    pid_t pid, parent, group;
    char state;           /* 'R', 'S', …; 'Z': ended, its parent has not waited for it */
    uint64_t start_ticks; /* since boot; with the pid it names one process */
    uint64_t cpu_ticks;   /* user and system time, its own and that of the children it waited for */
};

/* `text` is the content of one stat file. */
int process_parse(const char *text, struct process *process, struct error *error);
/* -1 also where there is no such process. */
int process_read(pid_t pid, struct process *process, struct error *error);

/* All that /proc shows, ascending by pid; those that end meanwhile are left out. The caller frees `*all`. -1
 * also where /proc is not of our own pid namespace. */
int process_list(struct process **all, size_t *count, struct error *error);
/* The one with `pid` in such a list; NULL: none. */
const struct process *process_find(const struct process *all, size_t count, pid_t pid);

#endif
