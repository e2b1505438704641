/* tool_figure.h: what another energy measuring tool says of one run, in one form for all of them.
 *
 * The readers below take a file that the tool, or our script around it (python/reconcile), wrote. 0, or -1
 * and `error`, which says what was expected; the caller frees `figure` after 0. */
#ifndef JOULERY_EXCHANGE_TOOL_FIGURE_H
#define JOULERY_EXCHANGE_TOOL_FIGURE_H

#include "base/error.h"
#include "meter/meter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where a part's energy comes from. */
enum part_basis {
    BASIS_MEASURED, /* counters or sensors */
    BASIS_MODEL,    /* computed from what the machine does, such as its load */
    BASIS_CONSTANT  /* watts by time, whatever the machine does */
};

/* "measured", "model", "constant". The parse function returns -1 for an unknown name. */
const char *part_basis_name(enum part_basis basis);
int part_basis_parse(const char *name, enum part_basis *basis);

/* The hardware whose energy a tool can claim: SCOPE_CPU, SCOPE_DRAM, SCOPE_GPU. */
#define CLAIMED_SCOPES (SCOPE_GPU + 1)

struct tool_part {
    bool covers[CLAIMED_SCOPES]; /* at least one */
    double energy_j;             /* without PUE */
    enum part_basis basis;
    char *how; /* in words: "RAPL", "0.5 x TDP"; NULL: the tool does not say */
};

#define TOOL_PARTS_MOST 16

struct tool_figure {
    char *version;           /* NULL: not said */
    double energy_j;         /* what the tool gives as the run's energy, with PUE if it multiplies by one */
    double covered_s;        /* how long that energy covers, by the tool's own clock; NAN: not said */
    int64_t started_wall_ns; /* its first reading, by its own clock, UTC; 0: not said */
    double pue;              /* the factor in energy_j; 1: none */
    struct tool_part parts[TOOL_PARTS_MOST];
    size_t part_count;
    char *note; /* what a reader of the figure must know; NULL: nothing */
};

void tool_figure_free(struct tool_figure *figure);

/* joulery.tool/1, docs/json.md: what our scripts write for tools with a Python interface. */
int tool_figure_parse(const char *text, size_t size, struct tool_figure *figure, struct error *error);

/* `perf stat -x ';' -o FILE`: energy-pkg is the processors' energy, energy-ram the memory's, duration_time
 * the time (tools/perf/Documentation/perf-stat.txt, "CSV FORMAT"). Numbers may have a comma for the point, as
 * some locales write them. */
int perf_stat_parse(const char *text, size_t size, struct tool_figure *figure, struct error *error);

/* EnergiBridge's CSV (--output), as of version 0.0.7: a row each 200 ms; the figure is that of its --summary,
 * the sum of the steps of PACKAGE_ENERGY (J) (Intel) or CPU_ENERGY (J) (AMD), here with the last step, which
 * the summary leaves out. A counter's wrap is not put back, as it does not, but noted. */
int energibridge_parse(const char *text, size_t size, struct tool_figure *figure, struct error *error);

#endif
