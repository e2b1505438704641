/* points.h: answers in JSON that are lists of points in time, each with a carbon intensity, read strictly. */
#ifndef JOULERY_CARBON_SERVICE_POINTS_H
#define JOULERY_CARBON_SERVICE_POINTS_H

#include "carbon/profile.h"

#include <jansson.h>

/* In any order. A step whose to_s is 0 lasts until the next, but not longer than the shortest distance of
 * two. */
struct points {
    struct profile_step *items;
    size_t count;
    int64_t usual_s; /* how long a point lasts that stands alone */
};

/* A JSON object, which the caller drops; NULL and `error`. */
json_t *points_load(const char *text, size_t size, struct error *error);
/* Whether object[key] is that text; `wanted` NULL: it may be anything. */
int points_expect(const json_t *object, const char *key, const char *wanted, struct error *error);
/* UTC where the service's document says so, although the text does not. */
int points_time(const json_t *item, const char *key, bool utc, int64_t *time_s, struct error *error);
/* item[key] x scale, an intensity: 1; 0: it is null or missing, there is none; -1 and `error`. */
int points_figure(const json_t *item, const char *key, double scale, double *g_per_kwh, struct error *error);
/* Reads each item of a list; `read` returns 1 where it filled the step in, 0 where there is no figure. */
int points_read(const json_t *list, const char *key, struct points *points,
                int (*read)(const json_t *item, const void *context, struct profile_step *step,
                            struct error *error),
                const void *context, struct error *error);
/* Appends what was read, where `result` is 0, and drops it and the object. What the profile has already, it
 * keeps. */
int points_finish(json_t *root, struct points *points, int result, struct profile *profile,
                  struct error *error);

#endif
