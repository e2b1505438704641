/* run.h: what the parts of `joulery run` share: run.c parses and calls, run_wait.c waits, repeat.c measures,
 * summary.c prints, run_json.c writes. */
#ifndef JOULERY_CLI_RUN_H
#define JOULERY_CLI_RUN_H

#include "base/options.h"
#include "calibrate/calibration.h"
#include "carbon/carbon.h"
#include "carbon/course.h"
#include "carbon/embodied.h"
#include "carbon/places.h"
#include "carbon/wait.h"
#include "exchange/trace_csv.h"
#include "record/baseline.h"
#include "record/recorder.h"
#include "stats/stats.h"

struct run_options {
    const char *location_name, *json, *trace_path, *emissions_csv, *project, *baseline_path,
        *calibration_path;
    const char *precision_text, *budget_text, *embodied_text, *lifetime_text;
    struct option_list meter_names;
    bool pue_own; /* of the location */
    double pue, rate_hz, tdp_w, timeout_s;
    const char *site;
    uint64_t repeat; /* 0: not given */
    bool quiet;
    bool when_clean;
    const char *within_text, *duration_text, *hourly;
    /* worked out from the texts above */
    struct places *places; /* NULL: no location is given */
    const struct location *location;
    struct embodied embodied;
    double precision;            /* 0: none */
    double budget_j;             /* 0: none */
    double within_s, duration_s; /* of --when-clean */
};

#define REPEAT_USUAL 100 /* the limit of --precision without --repeat */
#define REPEAT_MOST  10000
#define REPEAT_LEAST 3 /* for --precision: fewer say nothing about how they scatter */

/* What a run is charged by, as of its place and hours. */
struct run_charge {
    struct charge charge;
    bool hourly;            /* intensities by the hour were asked for */
    char *source, *trouble; /* of those; NULL: none is known, there was no trouble */
};

/* What the whole call works on. */
struct run_call {
    const struct run_options *options;
    const struct meter_setup *setup;
    char *const *command;
    struct baseline baseline;
    bool has_baseline;
    struct calibration calibration;
    bool has_calibration;
    char *calibration_refused; /* as baseline_refused */
    char *baseline_refused;    /* why the usual one is not used; NULL: there is none, or it is */
    char *experiment;          /* id that the rows of one call share */
    struct trace_csv *trace;
    struct record *records;     /* record_count measured ones, and room for the next */
    struct run_charge *charges; /* of each record, where there is a location */
    size_t record_count;
    struct waited waited; /* --when-clean: before the first run */
    bool has_waited;
    bool not_written; /* some output failed; said already */
};

/* What repetitions say of one quantity. `unknown` runs gave no value and are not in it. */
struct repeated {
    struct summary summary;
    size_t unknown;
};

/* The options of --when-clean, once the location is known. */
int run_parse_wait(struct run_options *options, struct error *error);
/* Waits, where --when-clean asks for it, into call->waited. `*gave_up`: the signal that ended the wait, after
 * which nothing is to start; 0: none. -1 and `error`: the forecast is a file that can't be read. */
int run_wait(struct run_call *call, int *gave_up, struct error *error);
/* For the record: how long it was waited for and why. NULL if memory ran out; the caller frees it. */
char *run_waited_note(const struct waited *waited);

/* Measures once, or as often as asked for. 0, or -1 and `error` if a run could not be measured; those before
 * it are in call->records. */
int run_repeat(struct run_call *call, struct error *error);

/* Whether the half width of the interval is within the asked precision. */
bool run_is_precise(const struct run_call *call);

/* run_charge.c: charges the run of the newest record, whose energy was used as `course` says. Where a service
 * fails the location's yearly figure holds, and the charge says so. */
void run_charge(struct run_call *call, const struct energy_course *course);
void run_charges_free(struct run_call *call);

/* The energy of a record: the software total, that of wattmeters where there is no software total; NAN: not
 * known. */
double run_energy_j(const struct record *record);

/* A quantity of each record, summed up. */
int run_summarise(const struct run_call *call, double (*quantity)(const struct record *record, size_t index),
                  size_t index, struct repeated *repeated, struct error *error);

/* Quantities for run_summarise; `index`: the channel, where it is of one. */
double run_quantity_energy_j(const struct record *record, size_t index);
double run_quantity_above_idle_j(const struct record *record, size_t index);
double run_quantity_calibrated_j(const struct record *record, size_t index);
double run_quantity_wall_s(const struct record *record, size_t index);
double run_quantity_channel_j(const struct record *record, size_t index);

/* On standard error. */
void run_print_summary(const struct run_call *call);
void run_print_repeat(const struct run_call *call);

/* joulery.run/1, or joulery.repeat/1 for more than one run asked for. */
int run_write_json(const struct run_call *call, struct error *error);

static inline bool run_is_repeated(const struct run_options *options)
{
    return options->repeat > 0 || options->precision > 0;
}

#endif
