/* profile.h: carbon intensity over time: what it was, or is forecast to be, from one instant to the next. */
#ifndef JOULERY_CARBON_PROFILE_H
#define JOULERY_CARBON_PROFILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct profile_step {
    int64_t from_s, to_s; /* seconds since 1970, UTC; to_s > from_s */
    double intensity_g_per_kwh;
    bool forecast;                        /* told before it was over, or instead of what was */
    bool estimated;                       /* by who tells it, or computed of other figures */
    double low_g_per_kwh, high_g_per_kwh; /* what it may be; both 0: no range is told */
};

/* Steps are in order and do not overlap; between them may be holes, where nothing is known. */
struct profile {
    struct profile_step *steps;
    size_t count;
    char *source; /* "Electricity Maps, zone DE", "a.csv" */
    bool marginal;
    int64_t asked_s; /* when a service gave it; 0: it is a file's */
};

/* A CSV file whose first row names the columns: `time` (or `from`), `g_per_kwh` and, if steps are not all
 * alike, `to`, and if a range is known, `low_g_per_kwh` and `high_g_per_kwh`; further columns and lines that
 * begin with # are left alone. Times are ISO 8601 with Z or an offset: local times are refused, for a clock
 * change makes them ambiguous. Without `to` each step lasts as long as the least distance of two rows, so
 * that a missing row leaves a hole. Errors name file, line and column: a time that goes back or comes twice,
 * an intensity that is negative or beyond INTENSITY_MOST_G_PER_KWH. The caller frees `profile` after 0. */
int profile_read(const char *path, struct profile *profile, struct error *error);
int profile_parse(const char *text, size_t size, const char *path, struct profile *profile,
                  struct error *error);
void profile_free(struct profile *profile);
/* "WattTime, zone CAISO_NORTH, marginal, told 2026-11-28T04:00:00Z, in part forecast": whose it is, and of
 * what sort. The caller frees it. */
char *profile_text(const struct profile *profile);

/* Appends a step. -1: it does not follow the last, its range leaves it out, or memory ran out. */
int profile_add(struct profile *profile, struct profile_step step, struct error *error);

/* Mean over the time from..to (seconds since 1970) that is known, and which part of it that is (0..1). NAN
 * and 0: nothing of it. */
double profile_mean(const struct profile *profile, double from_s, double to_s, double *known_part);
/* Of the same time, the means of the ranges' ends; a step without a range is its own. */
void profile_range(const struct profile *profile, double from_s, double to_s, double *low_g_per_kwh,
                   double *high_g_per_kwh);

#endif
