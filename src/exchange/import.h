/* import.h: files of other tools into a store. Each call is one import: all of its files, or nothing. */
#ifndef JOULERY_EXCHANGE_IMPORT_H
#define JOULERY_EXCHANGE_IMPORT_H

#include "store/import.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct import_request {
    const char *const *files;
    size_t file_count;
    const char *study; /* what a new store's study is called */
    const struct plan_factor *factors;
    size_t factor_count;
    int64_t repetition;  /* wattmeter, accuracy: of the first file's run; the next file's is the next */
    uint32_t sockets;    /* codecarbon: processors of the machine; 0: not known */
    const char *channel; /* wattmeter: its name */
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

/* The caller frees the outcome with import_outcome_free, after -1 too. */
int import_codecarbon(struct store *store, const struct import_request *request,
                      struct import_outcome *outcome, struct error *error);
int import_wattmeter(struct store *store, const struct import_request *request,
                     struct import_outcome *outcome, struct error *error);
int import_accuracy(struct store *store, const struct import_request *request, struct import_outcome *outcome,
                    struct error *error);
void import_outcome_free(struct import_outcome *outcome);

#endif
