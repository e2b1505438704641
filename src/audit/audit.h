/* audit.h: the energies of a store held against physics, and against what else is said of them: a verdict for
 * each figure, its reasons, and where a repair is possible a reconstruction, flagged as one. The store is
 * never changed. docs/method.md has each check with its reason. */
#ifndef JOULERY_AUDIT_AUDIT_H
#define JOULERY_AUDIT_AUDIT_H

#include "meter/meter.h"
#include "store/store.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum verdict { VERDICT_SOUND, VERDICT_DOUBTFUL, VERDICT_IMPOSSIBLE, VERDICTS };

struct finding {
    const char *check;    /* its name in docs/method.md */
    enum verdict verdict; /* sound: a remark, such as of what an import changed */
    char *reason;
};

/* Lost counter ranges put back: energy + wraps x range. */
struct reconstruction {
    bool possible;
    double wraps, least_wraps, most_wraps; /* the one offered; all from least to most would fit */
    double range_j;
    double energy_j;
    double uncertainty_j; /* standard; of which number of wraps it is, see docs/method.md */
    double mean_w;
};

/* An energy over a whole run. */
struct figure {
    char *meter; /* NULL: of the run as a whole, or a total */
    char *name;
    enum channel_scope scope;
    enum channel_kind kind;
    bool apart; /* in no total */
    double energy_j, mean_w;
    double closing_w; /* the power that the tool gave at the end; NAN: none */
    enum verdict verdict;
    struct finding *findings;
    size_t finding_count;
    struct reconstruction reconstruction;
};

struct audited_run {
    int64_t run, repetition;
    char *factors; /* a JSON object */
    char *source;  /* NULL: measured here */
    double wall_s;
    struct figure whole;              /* duplicates, overlaps, other load: no energy */
    struct figure epochs;             /* of their energies in general: no energy */
    struct figure software, hardware; /* the totals; energy NAN: not known */
    struct figure *channels;
    size_t channel_count;
    double repaired_j,
        repaired_uncertainty_j; /* the software total with all reconstructions; NAN: there is none */
};

struct audit {
    struct audited_run *runs; /* done runs, by number */
    size_t count;
    size_t figures[VERDICTS]; /* channels' energies and totals, by verdict */
    size_t reconstructions;
};

int audit_build(struct store *store, struct audit *audit, struct error *error);
void audit_free(struct audit *audit);

/* NULL: no such run. */
const struct audited_run *audit_find(const struct audit *audit, int64_t run);

const char *audit_verdict_name(enum verdict verdict);
/* For a terminal: runs with a finding in full, the others counted. The caller frees it; NULL: no memory. */
char *audit_text(const struct audit *audit);
/* joulery.audit/1, docs/json.md. NULL: no memory. */
json_t *audit_to_json(const struct audit *audit);

#endif
