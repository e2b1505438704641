/* import.h: files of other tools into a store. Each call is one import: all of its files, or nothing. */
#ifndef JOULERY_EXCHANGE_IMPORT_H
#define JOULERY_EXCHANGE_IMPORT_H

#include "base/options.h"
#include "store/import.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What kind of file it is, and how its runs are read (tool_runs.h). */
enum import_tool { IMPORT_CARBONTRACKER, IMPORT_ZEUS, IMPORT_ENERGIBRIDGE, IMPORT_CSV };

struct import_request {
    const char *const *files;
    size_t file_count;
    const char *study;                 /* what a new store's study is called */
    const struct plan_factor *factors; /* of all runs; a CSV's rows may have further ones */
    size_t factor_count;
    int64_t repetition;    /* wattmeter, accuracy: of the first file's run; the next file's is the next */
    uint32_t sockets;      /* processors of the machine; 0: not known */
    const char *channel;   /* wattmeter: its name */
    const char *run;       /* wattmeter, accuracy: the run of the one file, by number or by what its file
                              calls it; NULL: by factors and repetition */
    bool by_time;          /* wattmeter: all runs that its readings cover */
    double shift_s;        /* by_time: added to the readings' times */
    enum import_tool tool; /* import_runs */
    const char *window;    /* Zeus: the windows that are runs; NULL: the outermost */
    const struct option_list *map; /* CSV: what stands in which column */
};

/* One a run that was added, or had something added to it. */
struct import_line {
    int64_t run, repetition;
    char *source; /* file and line, or file */
    bool differenced;
    double energy_j; /* the software total, the wattmeter's; NAN: none */
};

struct import_outcome {
    struct import_line *lines;
    size_t count;
};

/* Whether the files can be read at all, for callers that would have to make a store first. */
int import_codecarbon_check(const struct import_request *request, struct error *error);
int import_runs_check(const struct import_request *request, struct error *error);

/* The caller frees the outcome with import_outcome_free, after -1 too. */
int import_codecarbon(struct store *store, const struct import_request *request,
                      struct import_outcome *outcome, struct error *error);
/* Runs of carbontracker, Zeus, EnergiBridge, or of any CSV. Repetitions count on among runs with the same
 * factors, in the files' order. */
int import_runs(struct store *store, const struct import_request *request, struct import_outcome *outcome,
                struct error *error);
int import_wattmeter(struct store *store, const struct import_request *request,
                     struct import_outcome *outcome, struct error *error);
int import_accuracy(struct store *store, const struct import_request *request, struct import_outcome *outcome,
                    struct error *error);
void import_outcome_free(struct import_outcome *outcome);

#endif
