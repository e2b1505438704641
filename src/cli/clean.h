/* clean.h: what `joulery when` and `joulery run --when-clean` share: words for a forecast and its times. */
#ifndef JOULERY_CLI_CLEAN_H
#define JOULERY_CLI_CLEAN_H

#include "base/error.h"
#include "carbon/places.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define CLEAN_WITHIN_S 86400.0         /* without --within */
#define CLEAN_MOST_S   (366 * 86400.0) /* of --within and --duration */

/* Local time with its offset, "2026-11-28 22:30 +01:00"; the caller frees it; NULL if memory ran out. */
char *clean_time(double at_s);
/* The same in UTC as JSON has it, null for NAN. */
json_t *clean_time_json(double at_s);

/* "UK Carbon Intensity, asked 12 min ago; average figures"; the caller frees it. */
char *clean_source(const char *source, int64_t asked_s, bool marginal, double now_s);
/* "average", "marginal"; null for a file, which does not say. */
json_t *clean_accounting(int64_t asked_s, bool marginal);

/* A duration of at most CLEAN_MOST_S. `option` is named in the error. */
int clean_parse_duration(const char *option, const char *text, double *duration_s, struct error *error);

/* -1 and `error`: neither `hourly` nor the location's own table tells of a forecast. */
int clean_check_source(const char *hourly, const struct location *location, struct error *error);

#endif
