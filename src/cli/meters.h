/* meters.h: what `joulery meters` does besides listing. Each prints, and returns the exit status. */
#ifndef JOULERY_CLI_METERS_H
#define JOULERY_CLI_METERS_H

#include "base/options.h"
#include "meter/meter.h"
#include "record/sheets.h"

#include <stdbool.h>

/* Shows what gives `group` (NULL: joulery) read access to energy counters; with `apply` does it. */
int meters_grant(const char *group, bool apply, const char *subcommand);
int meters_revoke(bool apply, const char *subcommand);

/* Makes the data sheets of the channels of `meters` (none: of those that a run would use) in `wall_s`, prints
 * and keeps them; `json`: also writes them there. */
int meters_characterise(const struct meter_setup *setup, const struct option_list *meters, double wall_s,
                        const char *json, const char *subcommand);
/* A line a figure. */
void meters_show_figures(const struct characteristics *found, enum channel_kind kind, double wall_s);

/* Finds out what the wattmeters of the site file are like, in `wall_s`, and prints it. */
int meters_probe(const struct meter_setup *setup, double wall_s, const char *json, const char *subcommand);

#endif
