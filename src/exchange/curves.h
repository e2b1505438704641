/* curves.h: accuracy and loss by epoch, from a file: one curve a line, "name: [0.26, 0.29, …]". */
#ifndef JOULERY_EXCHANGE_CURVES_H
#define JOULERY_EXCHANGE_CURVES_H

#include "base/error.h"
#include "store/import.h"

#include <stddef.h>

struct curve {
    const char *metric; /* as marks call it: "val_accuracy" */
    double *values;     /* one an epoch, from epoch 1; NAN: the file says nan */
    size_t count;
};

struct curves {
    struct curve *items;
    size_t count;
};

/* Names are those of marks (accuracy, loss, val_accuracy, val_loss), Keras's (acc, val_acc) and those of the
 * replication package of Xu et al. (HICSS-56, 2023): acf, the accuracy on test data, and loss_val. Errors, by
 * file and line: another name, a name twice, what is no list of numbers, curves of different length, none.
 * The caller frees with curves_free after 0. */
int curves_parse(const char *name, const char *text, size_t size, struct curves *curves, struct error *error);
void curves_free(struct curves *curves);

/* Adds epochs without times and energies to a run that has none. Errors: it has epochs. */
int curves_attach(const struct curves *curves, const char *file, struct imported_run *run,
                  struct error *error);

#endif
