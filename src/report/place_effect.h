/* place_effect.h: how much of the emissions comes from what is trained, and how much from where: shares of
 * the variance of their logarithms, for emissions are energy times intensity. docs/method.md, "Network or
 * place". */
#ifndef JOULERY_REPORT_PLACE_EFFECT_H
#define JOULERY_REPORT_PLACE_EFFECT_H

#include "report/analysis.h"

/* A share of the variance, and its 95 % interval: percentiles over drawings of the runs within their kinds;
 * the places are taken as they are. NAN: no kind was repeated. */
struct effect_share {
    double share, low, high;
};

/* Emissions of the finished runs, each in every one of the places compared (`observed` false), or each in the
 * place that a factor says it ran in. */
struct place_effect {
    bool known; /* false: too little differs to say anything */
    bool observed;
    const char *factor;      /* the main factor */
    const char *site_factor; /* where `observed` */
    size_t runs, places, levels;
    /* by_both: only where `observed`: what a network does otherwise at one site than at another. by_others:
     * of further factors. by_chance: repetitions differ. They add up to 1. */
    struct effect_share by_main, by_place, by_both, by_others, by_chance;
    /* The most by the least, of geometric means. Of observed places, energies in them differ too. */
    double main_factor, place_factor;
    const char *main_least, *main_most;
    const struct location *place_least, *place_most;
    const struct location *here; /* NULL: none is named, or places are observed */
    const struct location *
        *outweighing; /* going there from here saves more than any change of the main factor */
    size_t outweighing_count;
};

/* After report_charge: where the report has sites, by those; else by the places to compare in. -1: a site has
 * an intensity of 0, or memory ran out. */
int report_place_effect(struct report *report, struct place_effect *effect, struct error *error);
json_t *place_effect_to_json(const struct place_effect *effect);
/* Sentences, each ended by a newline; "" where nothing is known. The caller frees them; NULL: no memory. */
char *place_effect_text(const struct place_effect *effect);

#endif
