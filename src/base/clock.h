/* clock.h: the two clocks Joulery uses. */
#ifndef JOULERY_BASE_CLOCK_H
#define JOULERY_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_S 1000000000LL

/* CLOCK_BOOTTIME in ns: monotonic, goes on during suspend, the same for all processes. All durations use it.
 */
int64_t clock_boot_ns(void);

/* How long the machine has been suspended since it started: CLOCK_BOOTTIME less CLOCK_MONOTONIC, which stands
 * still then. The two cannot be read at once, so the answer lies between `*least_ns` and `*most_ns`. Returns
 * clock_boot_ns(), read last. */
int64_t clock_asleep(int64_t *least_ns, int64_t *most_ns);

/* The wall clock in ns since 1970 (UTC), only to say when something happened. */
int64_t clock_wall_ns(void);

/* "2026-11-23T18:43:43Z" for a wall-clock time; the caller frees it; NULL if memory ran out. */
char *clock_iso8601(int64_t wall_ns);

/* The other way, for exactly that form, from 1970 to 2261. -1: it is another. */
int clock_parse_iso8601(const char *string, int64_t *wall_ns);

/* Whatever other programs write: ISO 8601 with T or a blank, with or without seconds, a fraction, a zone
 * (none: this machine's), or a number of seconds, ms, us or ns since 1970, told apart by their size. -1: it
 * is none of these. */
int clock_parse_time(const char *string, int64_t *wall_ns);

/* Sleeps until a CLOCK_BOOTTIME instant; returns early (-1) when a signal arrives. */
int clock_sleep_until(int64_t boot_ns);

#endif
