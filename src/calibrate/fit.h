/* fit.h: from windows in which both a wattmeter and software measured to a calibration. docs/method.md,
 * "Calibration". */
#ifndef JOULERY_CALIBRATE_FIT_H
#define JOULERY_CALIBRATE_FIT_H

#include "calibrate/calibration.h"

/* One window, in mean powers. */
struct evidence_window {
    char *group; /* what is left out together: a step of the ladder, the levels of a study's factors */
    char *run;   /* the same where there are too few groups */
    double wall_w;
    double power_w[CALIBRATION_SCOPES], uncertainty_w[CALIBRATION_SCOPES]; /* as calibration_power has them */
    double left_out_w; /* wall_w less what a fit without its group predicts; of calibration_fit */
};

/* Windows of one machine and one set of software channels. Start with zeros. */
struct evidence {
    struct host host; /* as in struct calibration */
    struct calibration_scope scopes[CALIBRATION_SCOPES];
    int64_t measured_wall_ns;
    double wall_accuracy;
    struct evidence_window *windows;
    size_t count, unusable;
    const char *why_unusable; /* of the first such */
};

/* Adds a window of a record. 1: added; 0: unusable; -1 and `error`: another machine or other channels than
 * the windows before, no memory. */
int evidence_add(struct evidence *evidence, const struct record *record, size_t window, const char *group,
                 const char *run, struct error *error);
void evidence_free(struct evidence *evidence);

/* What the windows' origin is called in the calibration. */
struct evidence_origin {
    const char *source;            /* "load ladder" */
    const char *groups_are, *runs; /* "steps", and where there are too few of these: "runs" */
};

/* Which scopes can be told apart, the fit, what leaving groups out shows. The caller frees `calibration`
 * after 0. Errors: too few windows or groups, software powers that hardly differ. */
int calibration_fit(struct evidence *evidence, const struct evidence_origin *origin,
                    struct calibration *calibration, struct error *error);

#endif
