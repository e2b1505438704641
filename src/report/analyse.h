/* analyse.h: what the runs of a study say of its factors: figures by level, tests with the reason for their
 * choice, pairs, interactions, correlations, the Pareto front, and how many repetitions would be needed.
 * docs/method.md, "Analysis of a study", has the rules and formulas. */
#ifndef JOULERY_REPORT_ANALYSE_H
#define JOULERY_REPORT_ANALYSE_H

#include "carbon/places.h"
#include "report/costs.h"
#include "stats/bootstrap.h"
#include "stats/groups.h"
#include "stats/stats.h"
#include "store/store.h"

#include <jansson.h>

/* Pairs are told of factors with no more levels than this. */
#define ANALYSE_LEVELS_MOST 20

struct analyse_options {
    struct places *places; /* in which the location is looked up; they outlive the analysis */
    const char
        *response;  /* "energy", "emissions", "duration", "accuracy", "score"; NULL: all that are known */
    const char *by; /* a factor; NULL: all that vary */
    const char *location;     /* code or name; NULL: what the study file says, else there are no emissions */
    double pue;               /* 0: what the study file says, else the location's own, else 1 */
    const char *const *among; /* places to compare in, of `among_count`; none: a spread of grids */
    size_t among_count;
    const char *
        site_factor; /* whose levels are places, in which the runs ran and are charged; NULL: in `location` */
    const char *hourly; /* intensity by the hour: a file, or a service's name; NULL: the yearly figure */
    bool repaired;      /* energies that the audit reconstructs instead of those published */
    bool sound;     /* without the energies that the audit does not hold for sound; one of the two at most */
    double resolve; /* the difference to resolve, as a share of the mean; 0: 5 % */
    double reach;   /* the accuracy to reach; 0: none is asked for */
    const struct network_costs *costs; /* NULL: FLOPs and parameters are not known */
    bool brief;                        /* of all responses only energy and accuracy */
};

enum response_kind { ENERGY, EMISSIONS, DURATION, ACCURACY, SCORE, RESPONSES };

struct response {
    enum response_kind kind;
    const char *name;
    const char *title; /* for a table's caption */
    const char *unit;  /* "" of accuracy */
};

const struct response *analyse_response(enum response_kind kind);

struct level_figures {
    const char *level;
    struct summary summary;
    struct bootstrap bootstrap;
};

struct pair_figures {
    struct contrast contrast; /* a, b: places in `levels`; of the test that was chosen */
    double difference;        /* of means, a - b, whatever the test looks at */
    double cliffs_delta, hedges_g;
};

enum choice { CHOICE_NONE, CHOICE_ANOVA, CHOICE_WELCH, CHOICE_KRUSKAL };

struct factor_figures {
    const char *factor;
    struct level_figures *levels; /* those with a value */
    size_t level_count;
    size_t without_value; /* further levels of the plan */
    double shapiro_w, shapiro_p;
    size_t shapiro_count; /* residuals it was given */
    struct group_test levene, welch, kruskal;
    struct anova anova;
    double epsilon_squared;
    enum choice choice;
    const char *reason;         /* for the choice, or why there is no test */
    struct pair_figures *pairs; /* (0, 1), (0, 2), … */
    size_t pair_count;          /* 0: no test, or more levels than ANALYSE_LEVELS_MOST */
};

struct interaction {
    const char *a, *b;
    struct two_way two_way; /* rows: a */
    struct group_test aligned;
    const char *refused; /* why there is no test; NULL: there is */
};

struct response_figures {
    const struct response *response;
    size_t count, missing; /* finished runs with and without a value */
    struct factor_figures *factors;
    size_t factor_count;
    struct interaction *interactions;
    size_t interaction_count;
    double relative_sd; /* of runs with the same levels, pooled; NAN: no repetitions */
    size_t repetitions; /* to resolve the difference; 0: can't be said */
};

struct correlation {
    const char *with; /* "duration", "parameters", "FLOPs", a factor */
    const char
        *second; /* of a factor with two names for levels: the one that counts 1, the other 0; else NULL */
    size_t count;
    struct interval pearson;
    double pearson_p, spearman, spearman_p;
};

/* Of all runs with the same levels. */
struct group_figures {
    const char *label;
    size_t count;
    double energy_j, accuracy, score_per_kwh; /* means; NAN: not known */
    bool front;
    const char *dominated_by;                     /* NULL: on the front, or not placed */
    size_t reached;                               /* runs that reached the accuracy that was asked for */
    double reach_energy_j, reach_s, reach_epochs; /* means of those: until the end of that epoch */
};

struct analysis {
    struct report *report; /* owns all texts and arrays */
    const char *study, *basis, *accuracy_metric, *location;
    const char *place;      /* with its figure, in words; NULL: none is known */
    const char *pue_source; /* the location's own; NULL: another was given, or 1 is taken */
    double pue, resolve, reach;
    size_t done, planned, imported;
    bool estimated; /* some energies are a model's */
    bool repaired, sound;
    size_t replaced; /* runs whose energy is reconstructed, or left out */
    uint64_t seed;   /* of the bootstrap */
    struct response_figures *responses;
    size_t response_count;
    struct correlation *correlations; /* of energy, by run */
    size_t correlation_count;
    struct group_figures *groups; /* best score first */
    size_t group_count;
    struct place_effect *place_effect; /* NULL: it was not asked for */
};

/* Errors: no finished run, an unknown response or factor (with the nearest), a response that no run has, a
 * place that doesn't exist, an accuracy to reach with energies repaired (epochs have none), an unreadable
 * store. One read transaction: the caller's where one is open. Freed with analyse_free, also after an error.
 */
int analyse_build(struct store *store, const struct analyse_options *options, struct analysis *analysis,
                  struct error *error);
void analyse_free(struct analysis *analysis);

/* What was chosen: "ANOVA", "Welch's ANOVA", "Kruskal-Wallis"; and its pairs: "Tukey", "Games-Howell", "Dunn,
 * Holm- adjusted". NULL of CHOICE_NONE. */
const char *analyse_test_name(enum choice choice);
const char *analyse_pairs_name(enum choice choice);
/* The chosen test; NULL of CHOICE_NONE. */
const struct group_test *analyse_test(const struct factor_figures *factor);

/* For a terminal; the caller frees it, as those below. NULL: no memory. */
char *analyse_text(const struct analysis *analysis);
/* joulery.analysis/1, docs/json.md. */
json_t *analyse_to_json(const struct analysis *analysis);
/* A figure a row, docs/json.md. */
char *analyse_csv(const struct analysis *analysis);
/* Tables for \input into a paper that uses booktabs. All from outside is escaped. */
char *analyse_latex(const struct analysis *analysis);

#endif
