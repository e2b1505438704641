/* where.h: what an energy would emit elsewhere: kWh x PUE x intensity, place by place (docs/method.md). */
#ifndef JOULERY_CARBON_WHERE_H
#define JOULERY_CARBON_WHERE_H

#include "base/error.h"
#include "carbon/place_groups.h"
#include "carbon/places.h"

#include <stdbool.h>
#include <stddef.h>

#define NOWHERE SIZE_MAX

/* Whose PUE an energy is multiplied by. */
enum pue_from {
    PUE_GIVEN, /* the reader's, for all places alike */
    PUE_OWN,   /* the location's, where that is known */
    PUE_STUDY, /* of the building that it was measured in */
    PUE_NONE   /* 1: only the machine counts */
};

struct where_request {
    double energy_j;             /* over 0 */
    const struct location *here; /* NULL: not known; it need not be among the others */
    double pue;                  /* for all; 0: each location's own, else the study's, else 1 */
    double study_pue;            /* here it goes before the location's own; 0: not known */
};

struct elsewhere {
    const struct location *location;
    double pue;
    enum pue_from pue_from;
    double kg_co2e;
    double low_kg_co2e, high_kg_co2e; /* by the intensity's range; NAN: not known */
    bool here;
    bool apart; /* its figure is of another sort than those of most: not to be compared with them */
};

/* By how much more; low and high where both places have a range. NAN: not known, or not to be compared. */
struct where_factor {
    double value, low, high;
};

struct where {
    struct elsewhere *items; /* least emissions first */
    size_t count;
    size_t here, best, worst; /* of items, or NOWHERE; best and worst among those of one sort and above 0 */
    struct where_factor worst_over_best, here_over_best, worst_over_here;
    bool marginal;           /* the sort of most figures; `here` counts only where there is nothing else */
    enum figure_scope scope; /* of the same */
    size_t apart;            /* figures of another sort */
    size_t nothing;          /* places that are said to emit nothing: neither best nor worst */
};

/* The caller frees `where` after 0. `list` needs a location, or `request` a here. */
int where_rank(const struct where_request *request, const struct place_list *list, struct where *where,
               struct error *error);
void where_free(struct where *where);

/* "Choosing among 27 places would change emissions by a factor of 17.2 (14.1 to 21.3 by the ranges of both
 * figures): from 41.2 g in Sweden to 706 g in Poland.", or without the masses, which change with the PUE,
 * "…: least in Sweden, most in Poland." The caller frees it; NULL: there are not two places to compare, or
 * memory ran out. */
char *where_sentence(const struct where *where, bool masses);

/* What a reader must know before comparing, one sentence each in `lines`, ended by newlines: figures of
 * several sorts, places without emissions, PUEs that are not known. The caller frees it; NULL if memory ran
 * out. */
char *where_warnings(const struct where *where);

/* "average, over the life cycle": what where->apart is counted against. The caller frees it. */
char *where_sort_text(const struct where *where);

/* "given", "location", "study", "none" */
const char *pue_from_name(enum pue_from from);

#endif
