/* places.h: locations with a known carbon intensity of electricity: those of data/, which are in the program,
 * and a user's own.
 *
 * A table of locations is CSV, each row a location; docs/places.md describes the columns. */
#ifndef JOULERY_CARBON_PLACES_H
#define JOULERY_CARBON_PLACES_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum location_kind {
    LOCATION_COUNTRY,
    LOCATION_REGION, /* a state, a province */
    LOCATION_ZONE,   /* of an electricity market */
    LOCATION_CLOUD,  /* a region of a provider of computers */
    LOCATION_SITE,   /* the user's own; or an intensity given by hand */
    LOCATION_KINDS
};

/* What of a kWh's emissions a figure counts. */
enum figure_scope { FIGURE_UNKNOWN, FIGURE_LIFE_CYCLE, FIGURE_DIRECT /* the burning alone */ };

/* Lives as long as its places. Texts are never NULL, "" where there is nothing to say. */
struct location {
    const char *code; /* "SWE", "US-OR", "SE3", "gcp:us-west1": one location has it, case ignored */
    const char *const
        *also; /* other names and codes, of `also_count`: "SE", "Oregon" may be several locations' */
    size_t also_count;
    const char *name; /* "Sweden" */
    enum location_kind kind;
    const char *country; /* ISO 3166-1 alpha-3 */
    int year;            /* of the figure; 0: not known */
    double intensity_g_per_kwh;
    double low_g_per_kwh, high_g_per_kwh; /* what it may be, docs/method.md; NAN: not known */
    double life_cycle_low_g_per_kwh,
        life_cycle_high_g_per_kwh; /* of the same electricity where the figure is direct; NAN: not known */
    const char *figure_of;         /* the code of the location whose figure it is; "": its own */
    bool marginal;                 /* of the next kWh rather than of the average one */
    enum figure_scope scope;
    double pue;                 /* NAN: not known */
    const char *pue_source;     /* "Google's data centres, 2024"; "" where it is not known */
    double latitude, longitude; /* degrees; NAN: not known */
    const char *profile;        /* the path of its intensity by the hour (profile.h); "": none */
    const char *source;
};

struct places;

/* Those in the program, and those of the user's own table: `own`, or $JOULERY_PLACES, or
 * ${XDG_CONFIG_HOME:-~/.config}/joulery/places.csv where that exists. A row of an own table replaces the
 * location with its code. Errors name file, line and column. The caller closes them. */
struct places *places_open(const char *own, struct error *error);
void places_close(struct places *places);

/* All, by code, but for intensities given by hand. */
const struct location *const *places_all(const struct places *places, size_t *count);

/* By code, name or another name, case and accents ignored; or an intensity given by hand, "25 g/kWh", which
 * then is a location of its own. A code is preferred to a name, a name to a further name, and a provider's
 * region is written as PROVIDER:REGION or, where no other provider has it, REGION alone. NULL and `error`:
 * there is none (the nearest is named), or there are several (they are listed). */
const struct location *places_find(struct places *places, const char *name, struct error *error);

/* The PUE to reckon with: `given` where it is over 0 (NAN is not), else the location's own where that is
 * known, else 1. `location` may be NULL. `*own`, if not NULL: it is the location's. */
double location_pue(const struct location *location, double given, bool *own);

/* "country", "region", "zone", "cloud", "site" */
const char *location_kind_name(enum location_kind kind);
/* "average, over the life cycle, 2023": what sort of figure it is; the caller frees it. */
char *location_figure_text(const struct location *location);

/* Holds a table against what a table must be: every mistake in it, a line each, "FILE:LINE: what", in the
 * order of the file; "" when there is none. NULL and `error`: it can't be read. The caller frees it. */
char *places_check(const char *path, struct error *error);

/* Parses the bytes of a table that stands alone; for fuzzing and tests. The caller closes them. */
struct places *places_parse(const char *text, size_t size, const char *path, struct error *error);

#endif
