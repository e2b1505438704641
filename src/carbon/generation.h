/* generation.h: the carbon intensity of what a grid generates, from the power of each type of generation: an
 * estimate, for the figures of the types are of the world and not of its plants, and what is imported is not
 * in it. */
#ifndef JOULERY_CARBON_GENERATION_H
#define JOULERY_CARBON_GENERATION_H

#include "carbon/profile.h"

#define GENERATION_TYPES_MOST 32

/* A type of generation, of data/generation_types.csv. */
struct generation_type {
    char code[8];     /* "B04" */
    double g_per_kwh; /* over the life cycle; NAN: it counts as the mean of the rest */
    double low_g_per_kwh, high_g_per_kwh;
    bool storage; /* gives back what was generated before: not counted */
};

struct generation_types {
    struct generation_type types[GENERATION_TYPES_MOST];
    size_t count;
};

/* -1 and `error`: a table of data/ is wrong. */
int generation_types_read(struct generation_types *types, struct error *error);
/* The type of a code; of one that the table lacks: "Other". */
const struct generation_type *generation_type(const struct generation_types *types, const char *code);

/* Mean power of a type from..to. */
struct generation_block {
    const struct generation_type *type;
    int64_t from_s, to_s; /* seconds since 1970, UTC */
    double power_mw;      /* >= 0 */
};

struct generation {
    struct generation_block *blocks;
    size_t count, room;
};

int generation_add(struct generation *generation, struct generation_block block, struct error *error);
void generation_free(struct generation *generation);

/* Appends to `profile` in steps of `step_s`, of which the blocks are multiples: sum(power x figure) /
 * sum(power), with the range that the types' ranges give. Where a type says nothing it generated nothing if
 * it is next to nothing on both sides (NEXT_TO_NOTHING of all); else it is not known what was generated, and
 * the time is a hole. Of blocks of one type at one time the last counts. */
int generation_profile(const struct generation *generation, const struct generation_types *types,
                       int64_t step_s, struct profile *profile, struct error *error);

#endif
