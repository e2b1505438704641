/* analysis.h: the report's own view of a study, between the files of this room. Unknown numbers are NAN,
 * unknown texts NULL. Everything lives in the report's pool and goes with it. */
#ifndef JOULERY_REPORT_ANALYSIS_H
#define JOULERY_REPORT_ANALYSIS_H

#include "carbon/carbon.h"
#include "carbon/embodied.h"
#include "carbon/places.h"
#include "report/report.h"
#include "report/trace.h"
#include "stats/stats.h"

#include <stdbool.h>
#include <stdint.h>

#define NO_GROUP SIZE_MAX

struct factor {
    char *name;
    char **levels; /* in order of first appearance in the plan; numbers by size */
    size_t level_count;
};

enum run_state { RUN_RUNNING, RUN_DONE, RUN_FAILED, RUN_CUT, RUN_STATES };

struct run {
    int64_t id, position, repetition;
    size_t group;
    enum run_state state;
    char *started;
    char *host;
    char *output_tail; /* only of runs that aren't done */
    int64_t exit_status, term_signal;
    double wall_s;
    double energy_j, uncertainty_j; /* the basis of the report */
    bool replaced;                  /* by the audit's reconstruction, or left out */
    bool estimated;
    double hardware_j;
    double accuracy;
    double score_per_kwh;
    double gap_s;
    double recorder_cpu_s;
    double intensity_g_per_kwh;           /* of what it emits; NAN: no place is known */
    double low_g_per_kwh, high_g_per_kwh; /* what that may be; NAN: not known */
    double by_the_hour;           /* the part of its energy charged by an intensity of its hour, 0..1 */
    double others_share;          /* of the processors' busy time, other programs'; 0: it was not disturbed */
    struct calibrated calibrated; /* what the report's calibration predicts; its texts are not kept */
};

/* All runs with the same levels. */
struct group {
    char *label;   /* "resnet18 · batch 32" */
    size_t *level; /* level[f] of factor f */
    size_t planned;
    size_t unmeasured; /* done, without an energy */
    bool estimated;    /* of some run */
    bool front;        /* on the Pareto front of means */
    struct summary energy_j, wall_s, accuracy, score_per_kwh, hardware_j, power_w, kg_co2e;
    double low_kg_co2e, high_kg_co2e; /* of the mean run, by the range of the intensity; NAN: not known */
    size_t calibrated;                /* runs with a predicted wall energy, whose means follow */
    double calibrated_j, calibrated_low_j, calibrated_high_j;
    double instrument_uncertainty; /* mean relative standard uncertainty of a run's energy */
};

struct epoch {
    size_t group;
    int64_t epoch;
    struct summary energy_j, energy_so_far_j, accuracy, loss, wall_s;
};

struct channel_use {
    char *meter, *name, *part_of, *scope, *kind, *accuracy_source;
    double accuracy;
    bool apart; /* in no total */
    int64_t runs, gaps;
    double energy_j, gap_s;
};

struct host_use {
    char *name, *cpu_model, *kernel, *os, *virtualisation, *version;
    int64_t sockets, logical_cpus, memory_bytes, runs;
};

struct note_use {
    char *text;
    int64_t runs;
};

struct run_trace {
    size_t run; /* position in report.runs */
    struct trace_bins bins;
    char **channels; /* "rapl package-0" */
    double *epoch_starts;
    size_t epoch_count;
};

struct report {
    struct allocation *pool;
    char *study_name, *definition, *created;
    char *question, *study_location;
    double study_pue;
    int64_t seed;
    struct factor *factors;
    size_t factor_count;
    size_t main_factor;          /* SIZE_MAX: no factor varies */
    const char *accuracy_metric; /* "val_accuracy", "accuracy"; NULL: no run gave one */
    bool accuracy_is_fraction;
    const char *basis;    /* "software", "hardware" */
    struct group *groups; /* best first */
    size_t group_count;
    struct run *runs; /* in order of execution, attempts included */
    size_t run_count;
    size_t states[RUN_STATES];
    size_t planned;
    struct epoch *epochs;
    size_t epoch_count;
    struct channel_use *channels;
    size_t channel_count;
    struct host_use *hosts;
    size_t host_count;
    struct note_use *notes;
    size_t note_count;
    struct run_trace *traces;
    size_t trace_count;
    double rate_hz, recorder_share,
        recorder_peak_rss;           /* share: CPU time of the recorder by the runs' duration */
    struct places *places;           /* the caller's */
    const struct location *location; /* NULL: none was named */
    double pue;
    bool pue_given;
    bool pue_own; /* of the location */
    struct embodied embodied;
    const struct location **sites; /* by level of the site factor; NULL: all runs are in `location` */
    size_t site_factor;
    const char *hourly;                   /* a file or a service that was named; NULL: none was */
    char *hourly_source, *hourly_trouble; /* NULL: nothing is charged by the hour; there was no trouble */
    const char *place;                    /* report_place_text */
    double hourly_part;                   /* of the energy of all runs */
    bool hourly_mixed;                    /* charge_is_mixed */
    const struct location **among;
    size_t among_count;
    char *calibration; /* "2026-11-23T10:00:00Z, load ladder of 27 windows"; NULL: none was given */
    bool calibration_estimated;
    struct note_use *calibration_notes; /* warnings, and why runs were refused */
    size_t calibration_note_count;
    bool repaired, sound; /* the audit's reconstructions instead; without what it does not hold for sound */
    size_t replaced;      /* runs */
    size_t imported, impossible,
        doubtful; /* runs from elsewhere, and what the audit says of all energies then */
    struct place_effect *place_effect;
    json_t *comparison; /* joulery.compare/1; NULL: no two instruments to compare */
    json_t *analysis;   /* joulery.analysis/1 of energy and accuracy; NULL: it can't be made */
    char *headline;
    char **sentences;
    size_t sentence_count;
    char **threats; /* to validity, each a sentence or two */
    size_t threat_count;
};

/* Whatever text comes from outside as JSON: valid UTF-8; null of NULL. */
json_t *report_text_json(const char *text);

/* Zeroed memory that goes with the report; NULL and an error if there is none. */
void *report_alloc(struct report *report, size_t count, size_t size, struct error *error);
/* Copies; NULL stays NULL. `failed` is set when memory ran out, left alone otherwise. */
char *report_copy(struct report *report, const char *text, bool *failed);
/* Takes over a string from malloc; NULL means that memory ran out. */
char *report_keep(struct report *report, char *text, struct error *error);

/* load.c: study, factors, runs, hosts, channels, notes. groups exist afterwards, without figures. */
int report_load(struct report *report, struct store *store, struct error *error);
/* detail.c: how it was measured. */
int report_load_details(struct report *report, struct store *store, struct error *error);
/* detail.c: epochs and traces, which need the groups' order. */
int report_load_epochs(struct report *report, struct store *store, struct error *error);
int report_load_traces(struct report *report, struct store *store, struct error *error);
/* place.c: where, and with which PUE: what the caller says, else the study. */
int report_place(struct report *report, const struct report_options *options, struct error *error);
/* Of all finished runs together. */
double report_done_s(const struct report *report);
/* groups.c: the figures of each group, their order, the Pareto front. */
int report_group(struct report *report, struct error *error);
/* calibrated.c: what the wall drew where no wattmeter was, by a calibration; needs the groups' order. */
int report_calibrate(struct report *report, struct store *store, const struct calibration *calibration,
                     struct error *error);
/* threats.c: what in the data may mislead; after the groups' figures. */
int report_find_threats(struct report *report, struct error *error);
/* answer.c */
/* view.c: between report_load and all that reads energies. */
int report_take_view(struct report *report, struct store *store, bool repaired, bool sound,
                     struct error *error);

/* emissions.c: between report_place and report_group. */
int report_charge(struct report *report, struct store *store, const struct report_options *options,
                  struct error *error);
/* Sets the factor whose levels are places. -1: there is none, or a level of it is no place. */
int report_find_sites(struct report *report, const char *factor_name, struct error *error);
/* "Sweden, 34 g/kWh, average, over the life cycle, 2023, 80 % of the energy by the hour (a.csv)". Lives with
 * the report. NULL: no place is known; with `error`: memory ran out. */
const char *report_place_text(struct report *report, struct error *error);
/* kg CO2e of a run; NAN: not known. */
double report_run_kg(const struct report *report, const struct run *run);
/* NO_GROUP and `error` with the nearest: there is no such factor. */
size_t report_find_factor(const struct report *report, const char *name, struct error *error);

int report_conclude(struct report *report, struct error *error);

/* The values of a group's done runs, those that are known, for stats. */
enum run_figure {
    FIGURE_ENERGY,
    FIGURE_WALL,
    FIGURE_ACCURACY,
    FIGURE_SCORE,
    FIGURE_HARDWARE,
    FIGURE_POWER,
    FIGURE_EMISSIONS
};
size_t report_values(const struct report *report, size_t group, enum run_figure figure, double *values);

const char *report_state_name(enum run_state state);
/* The level of the main factor, or the label where none varies. */
const char *report_main_level(const struct report *report, const struct group *group);

#endif
