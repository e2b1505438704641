/* align.h: how the clock of a power log stands to the clock of runs whose power is known, by what both saw.
 *
 * A log's time t is the runs' time t - delay(t), with delay(t) = delay_s + drift (t - reference_s): one line
 * for the whole log. The start of each run may be known to `start_sd_s` only, so that each run has a delay of
 * its own beside the line. docs/method.md has the formulas. Times are seconds since an instant that the two
 * clocks share; near enough to it for a double to hold them. */
#ifndef JOULERY_STATS_ALIGN_H
#define JOULERY_STATS_ALIGN_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Drifts of clocks: quartz is within 100 ppm, a logger's may be some hundred. */
#define ALIGN_DRIFT_MOST 500e-6

/* What else could be must be this many times less likely. */
#define ALIGN_ODDS 1000.0

/* One run's power as its energy so far, between `count` rising instants a straight line. Borrowed. */
struct align_run {
    double start_s;          /* on the runs' clock */
    double start_sd_s;       /* standard uncertainty of start_s, every run's its own; 0: none */
    const double *at_s;      /* since the start */
    const double *energy_j;  /* up to there */
    const double *covered_s; /* up to there, time in which the power is known */
    size_t count;
};

/* Readings of a log, their times rising. Where more than three usual intervals and half a second lie between
 * two, nothing is known. Borrowed. */
struct align_log {
    const double *at_s;
    const double *power_w;
    size_t count;
};

enum align_verdict {
    ALIGN_FOUND,
    ALIGN_APART,    /* the log holds no time of the runs, with any delay that was tried */
    ALIGN_FLAT,     /* no delay stands out: `correlation` is the best there was */
    ALIGN_TWO_WAYS, /* `second_delay_s` is about as likely */
    ALIGN_AT_EDGE   /* the best is at the end of what was tried */
};

struct aligned_run {
    double middle_s;            /* on the log's clock */
    double delay_s, delay_sd_s; /* at its middle, so that t - delay_s - drift (t - middle_s) - start_s is the
                                   time since the run's given start; delay_sd_s: standard uncertainty */
    bool own;                   /* from the run itself; false: from the line through the others */
    size_t pairs;               /* readings of the log in it */
    double correlation;         /* of their powers with the run's at this delay; NAN: too few */
    double slope, offset_w;     /* log = offset_w + slope x run */
};

struct alignment {
    enum align_verdict verdict;
    double correlation;                        /* of the search, at its best delay */
    double second_correlation, second_delay_s; /* the best that is not one with it; NAN: there is none */
    double reference_s;                        /* the middle of the runs */
    double delay_s, delay_sd_s;                /* there */
    double drift, drift_sd;                    /* s/s; above 0: the log's clock runs fast */
    struct aligned_run *runs;                  /* as many as were given, in their order */
};

/* Tries delays from -search_s to search_s. The result is what `verdict` says; delays and runs are filled in
 * for ALIGN_FOUND alone. The caller frees it with align_free. -1 only if memory ran out. */
int stats_align(const struct align_log *log, const struct align_run *runs, size_t count, double search_s,
                struct alignment *alignment, struct error *error);
void align_free(struct alignment *alignment);

#endif
