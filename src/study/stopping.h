/* stopping.h: whether a study needs further repetitions, by its `until:` and `budget:`. Asks only what the
 * store holds, so that a study that was stopped goes on as if it had not been. */
#ifndef JOULERY_STUDY_STOPPING_H
#define JOULERY_STUDY_STOPPING_H

#include "store/store.h"
#include "study/study.h"

enum stopping_state {
    STOPPING_MORE,    /* another repetition is needed, and may be run */
    STOPPING_MET,     /* the interval is narrow enough in every treatment */
    STOPPING_MOST,    /* it is not, after the most repetitions */
    STOPPING_BUDGET,  /* the budget does not suffice for another repetition */
    STOPPING_UNKNOWN, /* it can't be met: a treatment's response is not known, or no run was done */
};

struct stopping {
    enum stopping_state state;
    int64_t repetitions;    /* planned so far */
    size_t treatments, met; /* with done runs; of these, whose interval is narrow enough */
    double widest_share;    /* half-width of the widest 95 % interval over its mean; NAN: not known */
    char *widest;           /* which treatment: a JSON object of its levels; NULL: none */
    double spent_j; /* energy of all runs that were measured: at the wall where there is a wattmeter */
    double block_j; /* of a repetition, by what runs took so far; NAN: not known */
};

/* Whether the study has such a rule at all. */
bool stopping_has_rule(const struct study *study);

/* "energy": what its `until:` is about. */
const char *stopping_response(const struct study *study);

/* When all that is planned has been run. The caller frees `stopping` with stopping_free. */
int stopping_ask(const struct study *study, struct store *store, struct stopping *stopping,
                 struct error *error);
void stopping_free(struct stopping *stopping);

/* Before any run: 1: the budget is used up; 0: it isn't, or there is none; -1: error, also where a run's
 * energy is not known. */
int stopping_over_budget(const struct study *study, struct store *store, struct error *error);

/* How many repetitions the store's plan has, 0 if it is empty. */
int stopping_planned(struct store *store, int64_t *repetitions, struct error *error);

/* "energy is known to within 5 % for all 4 combinations, after 6 repetitions"; the caller frees it; NULL if
 * memory ran out. */
char *stopping_describe(const struct study *study, const struct stopping *stopping);

#endif
