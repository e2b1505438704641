/* tool_runs.h: files of other tools, read as runs that go into a store. Only for src/exchange/ and its tests.
 *
 * Each reader takes a whole file. 0, or -1 and `error`, by file and line; the caller frees `runs` with
 * tool_runs_free, after -1 too. Energies come out in J, without PUE, each of unknown uncertainty. Times
 * without a zone stand as UTC. */
#ifndef JOULERY_EXCHANGE_TOOL_RUNS_H
#define JOULERY_EXCHANGE_TOOL_RUNS_H

#include "base/error.h"
#include "base/options.h"
#include "store/import.h"

#include <stddef.h>
#include <stdint.h>

#define TOOL_RUN_ID "id" /* the imported value that tells a run from others of its tool */

struct tool_run {
    struct imported_run run;
    char *where;                 /* file, or file and line */
    const char *id;              /* of `run`'s values; NULL: the file has none */
    struct plan_factor *factors; /* that the file gives; owned */
    size_t factor_count;
};

struct tool_runs {
    struct tool_run *items;
    size_t count;
};

void tool_runs_free(struct tool_runs *runs);

struct tool_options {
    uint32_t sockets;              /* processors of the machine; 0: not known */
    const char *window;            /* Zeus: the windows that are runs; NULL: the outermost */
    const struct option_list *map; /* CSV: what stands in which column */
};

/* carbontracker's standard log (…_carbontracker.log, not …_carbontracker_output.log), as of versions 1 and 2
 * (carbontracker/tracker.py): a run a file, its epochs as windows. The energy of an epoch is its duration
 * times its mean power, as carbontracker reckons it itself (carbontracker/parser.py). */
int carbontracker_runs(const char *name, const char *text, size_t size, const struct tool_options *options,
                       struct tool_runs *runs, struct error *error);

/* The log_file of a ZeusMonitor (zeus/monitor/energy.py): start_time, window_name, elapsed_time and an energy
 * in J for each GPU. A run each window called options->window, or, without that, each outermost one, if all
 * of these have the same name; those within it are its windows. */
int zeus_runs(const char *name, const char *text, size_t size, const struct tool_options *options,
              struct tool_runs *runs, struct error *error);

/* EnergiBridge's CSV, as energibridge_parse (tool_figure.h) reads it: a run a file. */
int energibridge_runs(const char *name, const char *text, size_t size, const struct tool_options *options,
                      struct tool_runs *runs, struct error *error);

/* A CSV of any kind, a row a run, by options->map: ROLE=COLUMN[:UNIT], also several with commas between them,
 * quoted as in CSV where a name has one. Roles: energy (of all that software saw), or cpu_energy,
 * dram_energy, gpu_energy; wall_energy; duration; started; id; cpu_model; factor.NAME; metric.NAME. An energy
 * needs its unit, unless the column's name ends with it: energy_kwh, "Energy (J)". The separator is a comma,
 * a semicolon or a tab. */
int csv_runs(const char *name, const char *text, size_t size, const struct tool_options *options,
             struct tool_runs *runs, struct error *error);
/* Whether a map can be read, before any file is. */
int csv_check_map(const struct option_list *map, struct error *error);

/* ---- for the readers ---- */

struct tool_origin {
    const char *tool, *version; /* version "": not said */
    const char *file;
    size_t line;             /* 0: the whole file */
    int64_t started_wall_ns; /* 0: not known */
    double wall_s;           /* above 0 */
    const char *cpu_model;   /* NULL: not known */
    uint32_t sockets;
};

/* One more run, with its window. NULL without memory. The pointer is good until the next is added. */
struct tool_run *tool_runs_add(struct tool_runs *runs, const struct tool_origin *origin, struct error *error);
int tool_run_channel(struct tool_run *run, const char *name, enum channel_scope scope, enum channel_kind kind,
                     double energy_j, struct error *error);
int tool_run_identify(struct tool_run *run, const char *id, struct error *error);

#endif
