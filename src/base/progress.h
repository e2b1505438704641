/* progress.h: one line on standard error that is drawn over, on a terminal only. */
#ifndef JOULERY_BASE_PROGRESS_H
#define JOULERY_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown; /* standard error is a terminal */
    bool drawn; /* something stands on the line */
    int64_t next_ns;
};

void progress_start(struct progress *progress);

/* Draws the bar (`done` of `total`, then `detail`), at most ten times a second. Does nothing off a terminal.
 */
void progress_update(struct progress *progress, double done, double total, const char *detail);

/* Wipes the line, so that ordinary text can follow. */
void progress_clear(struct progress *progress);

#endif
