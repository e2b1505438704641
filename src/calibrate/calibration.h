/* calibration.h: what the wall draws over what software sees of one machine, learnt while both were measured
 * and kept in a file: later runs without a wattmeter get a wall energy with an interval.
 *
 * wall = c0 + c1 cpu + c2 dram + c3 gpu, in mean powers. joulery.calibration/1, docs/json.md; the formulas
 * are in docs/method.md, "Calibration". fit.h makes one. A calibration belongs to a machine and to the
 * software channels that it was made with; it is used for no other. */
#ifndef JOULERY_CALIBRATE_CALIBRATION_H
#define JOULERY_CALIBRATE_CALIBRATION_H

#include "record/record.h"
#include "stats/linear.h"

#define CALIBRATION_SCOPES        3 /* SCOPE_CPU, SCOPE_DRAM, SCOPE_GPU, which are the places in arrays */
#define CALIBRATION_CHANNELS_MOST 4096
#define CALIBRATION_DOUBTS_MOST   100
#define CALIBRATION_BYTES_MOST    (1u << 20)

struct calibration_channel {
    char *meter, *name;
    char *label;    /* which piece of hardware; NULL: the name says it */
    bool estimated; /* a model */
};

/* One scope of the software total. */
struct calibration_scope {
    struct calibration_channel *channels; /* that the total counts, in the record's order */
    size_t channel_count;                 /* 0: there is none, and the rest means nothing */
    double low_w, high_w;                 /* least and greatest mean power of a window: where the fit holds */
    size_t term;                          /* its place among the coefficients; 0: it is not in the fit, */
    char *left_out;                       /* and why; NULL if it is */
};

struct calibration {
    struct host host; /* name, cpu_model, kernel, sockets, logical_cpus, memory_bytes; others are NULL */
    int64_t measured_wall_ns; /* of the newest window */
    char *source;             /* "load ladder", "given runs" */
    char *groups_are;         /* what was left out in turn: "steps", "settings", "runs" */
    size_t windows, groups;
    struct calibration_scope scopes[CALIBRATION_SCOPES];
    struct linear fit;    /* W; its sd and degrees of freedom widened to what leaving out showed */
    double residual_sd_w; /* of the fit itself */
    double left_out_rms_w, left_out_most_w; /* errors in windows whose group the fit had not seen */
    double leverage_most;                   /* of a window: no mix of powers seen was farther off */
    double wall_mean_w;
    double wall_accuracy; /* relative standard uncertainty of the wattmeter, which all windows share */
    char **doubts;        /* what a reader must know */
    size_t doubt_count;
};

/* Mean powers of a window by scope, W, over the time that each channel covers. */
struct software_power {
    double power_w[CALIBRATION_SCOPES]; /* 0 where there is no channel */
    double
        uncertainty_w[CALIBRATION_SCOPES]; /* without the instruments' scale, which a calibration takes in */
};
/* -1 and `error`: a channel of the total is not known in it. */
int calibration_power(const struct record *record, size_t window, struct software_power *power,
                      struct error *error);
/* The channels of a record that its software total counts. The caller frees them with
 * calibration_scopes_free, also after -1 (no memory). */
int calibration_scopes_of(const struct record *record, struct calibration_scope *scopes, struct error *error);
void calibration_scopes_free(struct calibration_scope *scopes);
/* -1 and `error`: they are not the same channels of the same hardware. */
int calibration_same_channels(const struct calibration_scope *then, const struct calibration_scope *now,
                              struct error *error);

/* ${XDG_CONFIG_HOME:-~/.config}/joulery/calibration-HOST.json; the caller frees it. NULL and `error`: there
 * is no home to put it in. */
char *calibration_default_path(const char *host, struct error *error);

/* Strict: -1 and `error` for whatever is not such a document. The caller frees `calibration` after 0. */
int calibration_parse(const char *text, size_t size, struct calibration *calibration, struct error *error);
int calibration_read(const char *path, struct calibration *calibration, struct error *error);
/* NULL if memory ran out. */
json_t *calibration_to_json(const struct calibration *calibration);
/* Makes the folders of `path` that are missing. */
int calibration_write(const char *path, const struct calibration *calibration, struct error *error);

/* "2026-11-23T10:00:00Z, load ladder of 27 windows"; the caller frees it. NULL if memory ran out. */
char *calibration_describe(const struct calibration *calibration);

/* A model's figures are in the fit. */
bool calibration_is_estimated(const struct calibration *calibration);

/* -1 and `error`: another host, processor or size of memory. Another kernel is the same machine. */
int calibration_same_machine(const struct host *then, const struct host *now, struct error *error);

/* Predicts what the wall drew in a window, with warnings: powers outside the domain, more than
 * CALIBRATION_OLD_DAYS between the two, another kernel. -1 and `error`: another machine or other channels, a
 * power that is not known, or one far from what was seen of a scope that is not in the fit; `calibrated` is
 * then empty. The caller frees it with calibrated_free. */
#define CALIBRATION_OLD_DAYS 180
int calibration_predict(const struct calibration *calibration, const struct record *record, size_t window,
                        struct calibrated *calibrated, struct error *error);

void calibration_free(struct calibration *calibration);

#endif
