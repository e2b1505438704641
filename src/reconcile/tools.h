/* tools.h: the energy measuring tools that reconcile knows: how each is found, started around a command, and
 * read. tools.c has the only list of them. */
#ifndef JOULERY_RECONCILE_TOOLS_H
#define JOULERY_RECONCILE_TOOLS_H

#include "base/scratch.h"
#include "exchange/tool_figure.h"

#include <signal.h>
#include <stdbool.h>

/* Where tools are looked for, and where our own files for them lie while they are used. */
struct toolbox {
    const char *python;                /* the interpreter that has the Python tools */
    const char *joulery;               /* the path of the program itself, for `joulery window` */
    const volatile sig_atomic_t *stop; /* as in reconcile_options: ends a question to a tool */
    struct scratch scratch;
};

/* Writes the scripts into a scratch folder; toolbox_close removes it, also after -1. */
int toolbox_open(struct toolbox *toolbox, struct error *error);
void toolbox_close(struct toolbox *toolbox);

struct tool {
    const char *name;    /* "codecarbon": as in --tool and JSON */
    const char *title;   /* "CodeCarbon" */
    const char *install; /* how to get it */
    const char *program; /* NULL: a Python tool, with an adapter of its name */
    /* For a program: whether it can measure here, 0 or -1 with the reason. `*version` and `*events` (words of
     * its command line) may be set and are the caller's to free. */
    int (*probe)(const struct toolbox *toolbox, char **version, char **events, struct error *error);
    const char *file; /* what it leaves in the run's folder */
    /* Appends the words between nothing and the command; `folder` is the run's. NULL: a Python tool. */
    void (*wrap)(char **words, size_t *count, const char *folder, const char *events);
    int (*parse)(const char *text, size_t size, struct tool_figure *figure, struct error *error);
};

extern const struct tool reconcile_tools[];
extern const size_t reconcile_tool_count;

/* What a probe found. `why` says why it can't be used, NULL if it can. */
struct tool_probe {
    char *version, *events, *why;
};

void tool_probe(const struct tool *tool, const struct toolbox *toolbox, struct tool_probe *probe);
void tool_probe_free(struct tool_probe *probe);

/* The command under the tool (NULL: under none) as a window RECONCILE_WINDOW of the run; NULL-terminated.
 * Free with tool_command_free. NULL: no memory. */
#define RECONCILE_WINDOW "reconcile"
char **tool_command(const struct tool *tool, const struct toolbox *toolbox, const struct tool_probe *probe,
                    const char *folder, char *const *command, struct error *error);
void tool_command_free(char **words);

/* The tool's figure from what it left in the run's folder. */
int tool_read(const struct tool *tool, const char *folder, struct tool_figure *figure, struct error *error);

#endif
