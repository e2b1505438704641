/* reconcile.h: runs a command under other energy measuring tools, and under none, in balanced order, each run
 * measured by Joulery from outside. statement.h makes an account of it. */
#ifndef JOULERY_RECONCILE_RECONCILE_H
#define JOULERY_RECONCILE_RECONCILE_H

#include "reconcile/tools.h"
#include "reconcile/waterfall.h"

#include <signal.h>
#include <stdio.h>

#define RECONCILE_ROUNDS_MOST 1000

struct reconcile_options {
    char *const *command;     /* argv, NULL-terminated */
    const char *python;       /* the interpreter that has the Python tools */
    const char *joulery;      /* the path of the program itself */
    const char *const *tools; /* names of those to try; tool_count 0: all that are there */
    size_t tool_count;
    const struct meter_setup *setup; /* these four as in recorder_options */
    const char *const *meters;
    size_t meter_count;
    double rate_hz;
    size_t rounds;
    bool warm_up;     /* a run before the first round that is not counted */
    double timeout_s; /* of each run; 0: none */
    const char *keep; /* a folder for what each run left: made if there is none; NULL: nothing is kept */
    const volatile sig_atomic_t *stop; /* set by the caller's handlers: the run under way is ended */
    FILE *talk;                        /* a line a run; NULL: silence */
};

/* One of the ways in which the command is run. */
struct condition {
    const struct tool *tool; /* NULL: none */
    struct tool_probe probe;
    bool used;              /* it is there and was asked for */
    bool left_out;          /* it failed twice and never worked: not tried again */
    size_t counted, failed; /* runs */
};

/* One run. */
struct reconcile_run {
    size_t round, place; /* from 0 */
    size_t condition;
    char *failure;              /* why it does not count; NULL: it does */
    struct observation whole;   /* the run, with the tool's start and end */
    struct observation command; /* the command in it; nothing where that never ran */
    struct tool_figure figure;  /* of a tool's run that counts */
};

struct reconciliation {
    size_t rounds;                /* asked for */
    struct condition *conditions; /* [0] is none, the others all tools of the table */
    size_t condition_count;
    struct reconcile_run *runs; /* in the order in which they were made */
    size_t run_count;
    bool stopped; /* as the caller asked */
    char **notes; /* of the instruments, from the first run */
    size_t note_count;
};

/* 0: done or stopped, with whatever runs there are. -1: no tool of that name, the command fails without any
 * tool, nothing measures here. The caller frees `reconciliation` with reconciliation_free either way. */
int reconcile_command(const struct reconcile_options *options, struct reconciliation *reconciliation,
                      struct error *error);
void reconciliation_free(struct reconciliation *reconciliation);

/* The run of a condition in a round that counts; NULL: there is none. */
const struct reconcile_run *reconciliation_find(const struct reconciliation *reconciliation, size_t round,
                                                size_t condition);
/* "CodeCarbon", or "none". */
const char *condition_title(const struct condition *condition);
const char *condition_name(const struct condition *condition);
/* How many conditions are run in each round. */
size_t reconciliation_used(const struct reconciliation *reconciliation);

#endif
