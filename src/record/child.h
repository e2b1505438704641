/* child.h: the command under measurement: a process group of its own, held at a gate until the instruments
 * run. */
#ifndef JOULERY_RECORD_CHILD_H
#define JOULERY_RECORD_CHILD_H

#include "base/error.h"
#include "record/output.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct child {
    pid_t pid;     /* also its process group; 0: none */
    int gate;      /* closing or writing it decides the child's fate */
    int failure;   /* what exec said */
    int watch;     /* readable when the child has ended (pidfd); -1: the kernel has none */
    double cpu_s;  /* after its end: its CPU time and that of the children it waited for */
    bool terminal; /* the terminal's foreground was given to the child */
};

struct child_options {
    char *const *command;
    const char *directory;   /* NULL: ours */
    const char *mark_socket; /* for JOULERY_SOCKET; NULL: unset */
    pid_t recorder;          /* for JOULERY_RECORDER; 0: not known */
    struct output *output;   /* NULL: ours; else standard input is /dev/null */
    const sigset_t *signals; /* the mask the command starts with */
    bool owned; /* the caller handles signals: no terminal for the child, and it does not outlive us (SIGKILL)
                 */
};

/* Forks; the child waits at the gate. */
int child_start(struct child *child, const struct child_options *options, struct error *error);
/* Opens the gate and waits for exec: 0, or errno of what went wrong. -1 and `error`: the directory, or
 * rights that the child could not give up. */
int child_release(struct child *child, const struct child_options *options, struct error *error);
void child_signal(const struct child *child, int signal);
/* 1: it has ended with `*status` (wait); 0: not yet. Stops (Ctrl-Z) are passed to our own process group. */
int child_poll(struct child *child, int *status);
/* After its end: whether processes of its group are still there. */
bool child_left_others(const struct child *child);
/* Takes back the terminal; frees descriptors; kills a child that never got through the gate. */
void child_close(struct child *child);

#endif
