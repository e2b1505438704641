/* compare.h: two instruments of a study held against each other, run by run or epoch by epoch. docs/method.md
 * has the formulas. */
#ifndef JOULERY_REPORT_COMPARE_H
#define JOULERY_REPORT_COMPARE_H

#include "stats/pairs.h"
#include "store/store.h"

#include <jansson.h>
#include <stdint.h>

struct compare_options {
    /* "meter/channel", summed; none: software: the records' totals; hardware: wall channels, or where there
     * are none those of the platform */
    const char *const *software, *const *hardware;
    size_t software_count, hardware_count;
    const char *by; /* the factor whose levels are ranked; NULL: the architecture, or the first that varies */
    bool epochs;
    bool repaired; /* energies that the audit reconstructs instead of those published; not with epochs */
    bool sound;    /* without runs of which it does not hold an energy for sound; one of the two at most */
};

struct compared {
    int64_t run, epoch, repetition; /* epoch: -1 of a whole run */
    char *level;                    /* of the factor; "" where there is none */
    double wall_s;
    double software_j, software_uncertainty_j; /* NAN: not known */
    double hardware_j, hardware_uncertainty_j;
    bool estimated;     /* some of software_j is a model's */
    bool reconstructed; /* energies of this row are the audit's: not measured, with the uncertainty beside */
    double reconstruction_uncertainty_j; /* standard, of what was reconstructed; NAN: nothing was */
    double smooth_w; /* where the lowess line of hardware's mean power lies at software's; NAN: no pair, or
                        more than 2000 */
};

struct ranked_level {
    char *level;
    size_t count;
    double software_j, hardware_j; /* means */
};

struct comparison {
    char *software, *hardware; /* what they are, in words */
    char *factor;              /* NULL: none varies */
    bool estimated;
    bool imported, repaired, sound;               /* runs are from elsewhere; as published or repaired */
    size_t left_out;                              /* rows, as not sound */
    size_t reconstructed;                         /* rows */
    struct compared *rows;                        /* in order of execution */
    size_t row_count, pair_count;                 /* pairs: both energies are known */
    double coverage_low, coverage, coverage_high; /* software / hardware: least, of the sums, most */
    struct agreement agreement;                   /* hardware - software, J */
    struct line least_squares, deming;            /* mean powers: hardware over software, W */
    double hardware_w; /* mean of the mean powers; the offset is the part that is constant */
    struct interval pearson, concordance;
    double spearman;
    struct paired paired;
    struct ranked_level *levels;
    size_t level_count;
    double kendall;          /* of the levels' means */
    double resolution_share; /* the hardware's step by the median of its energies; NAN: not known */
};

/* Errors: an unknown channel or factor (with the nearest), no hardware channel, fewer than 2 pairs, epochs
 * repaired. */
int compare_build(struct store *store, const struct compare_options *options, struct comparison *comparison,
                  struct error *error);
void compare_free(struct comparison *comparison);

/* For a terminal; the caller frees it. NULL: no memory. */
char *compare_text(const struct comparison *comparison);
/* joulery.compare/1, docs/json.md. NULL: no memory. */
json_t *compare_to_json(const struct comparison *comparison);

#endif
