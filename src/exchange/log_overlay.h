/* log_overlay.h: a wattmeter's log file laid over the runs of a study after they have ended. The log's clock
 * is found by what both saw (stats/align.h), its readings become a channel of each run (record/overlay.h) in
 * the study's database. docs/method.md has the formulas. */
#ifndef JOULERY_EXCHANGE_LOG_OVERLAY_H
#define JOULERY_EXCHANGE_LOG_OVERLAY_H

#include "exchange/power_log.h"
#include "stats/align.h"
#include "store/store.h"

#include <jansson.h>

#define LOG_OVERLAY_METER "log" /* the new channels' */

struct log_overlay_options {
    const char *name; /* the channel's */
    int64_t run;      /* 0: all that have ended */
    bool search;      /* for a delay from -search_s to search_s; false: it is delay_s */
    double search_s, delay_s;
    double step; /* smallest change of the counter, J, or of the power, W; 0: the counter's smallest seen */
    double accuracy;    /* relative standard uncertainty; 0: 0.02, and it is said to be assumed */
    double max_power_w; /* above it a reading is absurd; 0: not known */
    bool dry_run;       /* the database stays as it is */
};

struct laid_run {
    int64_t run;
    double wall_s;
    bool laid; /* false: the log has nothing of its time */
    struct aligned_run at;
    struct channel_energy energy; /* of the whole run */
    bool apart;                   /* another wattmeter counts in the run's hardware total */
};

struct log_overlay {
    bool searched;
    bool estimated;             /* some of the software's power is a model's */
    struct alignment alignment; /* where it was searched for; times are seconds since origin_ns */
    int64_t origin_ns;          /* UTC */
    enum channel_kind kind;     /* KIND_COUNTER where the log has energies */
    struct laid_run *runs;      /* in the order they were begun */
    size_t count, laid;
};

/* All runs in one transaction. Errors: no such run, none that has ended, a delay that can't be told (and what
 * to do), a log that covers no run. The caller frees `result` with log_overlay_free either way. */
int log_overlay_lay(struct store *store, const struct power_log *log,
                    const struct log_overlay_options *options, struct log_overlay *result,
                    struct error *error);
void log_overlay_free(struct log_overlay *result);

/* joulery.overlay/1 but for its `schema` and `version`, docs/json.md. NULL: no memory. */
json_t *log_overlay_to_json(const struct log_overlay *result, const struct power_log *log,
                            const struct log_overlay_options *options);

#endif
