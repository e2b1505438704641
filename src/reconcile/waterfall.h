/* waterfall.h: the steps from one tool's figure of a run to what Joulery saw of it, to the command without
 * the tool, and to the wall. docs/method.md says what each step is. */
#ifndef JOULERY_RECONCILE_WATERFALL_H
#define JOULERY_RECONCILE_WATERFALL_H

#include "exchange/tool_figure.h"
#include "record/record.h"

/* Where the level stands: its figure, then after how many of the steps. */
enum level { LEVEL_FIGURE, LEVEL_UNDER, LEVEL_ALONE, LEVEL_WALL, LEVELS };

enum step_kind {
    STEP_PUE,      /* a factor for the building, folded into joules */
    STEP_CONSTANT, /* watts that the tool takes for granted: taken out */
    STEP_MODEL,    /* the tool's model of a domain gives way to Joulery's channel */
    STEP_EXTRA,    /* a domain that the tool has and Joulery has not */
    STEP_MISSING,  /* a domain that Joulery has and the tool has not, or only as a constant */
    STEP_EDGES,    /* the tool's time began and ended elsewhere than the command's */
    STEP_REST,     /* the same domains read by two readers, and noise */
    STEP_OVERHEAD, /* what the command took more because the tool ran beside it */
    STEP_UNSEEN    /* what software does not see: fans, disks, conversion in the power supply */
};

/* A row of the table of all steps, in order. */
struct step {
    enum step_kind kind;
    enum channel_scope scope; /* of the steps by domain */
    enum level level;         /* that it leads to, with the others of that level */
    const char *words;
};

#define STEPS 17

extern const struct step waterfall_steps[STEPS];
const char *step_kind_name(enum step_kind kind); /* as in JSON */
bool step_has_scope(enum step_kind kind);

/* What Joulery saw of a command within a run. NAN: not known. */
struct observation {
    double wall_s;
    double scope_j[CLAIMED_SCOPES];
    bool scope_estimated[CLAIMED_SCOPES];
    double software_j, hardware_j;
    bool estimated;
};

/* Of a window of a record. */
void observation_take(const struct record *record, size_t window, struct observation *observation);

/* J. levels[LEVEL_FIGURE] and the steps up to a level add up to it. Steps that do not apply are 0 and not
 * `taken`. */
struct waterfall {
    double levels[LEVELS]; /* LEVEL_WALL: NAN without a wattmeter */
    double step_j[STEPS];
    bool taken[STEPS];
    bool estimated[STEPS]; /* by a model of Joulery's or the tool's */
};

/* `under`: the command in the run with the tool; `alone`: in the run of the same round without one. Both know
 * their software_j, and under->wall_s is above 0. */
void waterfall_build(const struct tool_figure *figure, const struct observation *under,
                     const struct observation *alone, struct waterfall *waterfall);

#endif
