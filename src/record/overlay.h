/* overlay.h: readings that were taken by something else and came afterwards, laid over a run: one more
 * channel with its energies by window, gaps and uncertainties, by the same account as a run's own.
 * docs/method.md. */
#ifndef JOULERY_RECORD_OVERLAY_H
#define JOULERY_RECORD_OVERLAY_H

#include "record/record.h"

/* Times are seconds since the start of the run, rising; some should lie before it and after its end.
 * Borrowed. */
struct overlay {
    const struct channel *channel; /* KIND_POWER or KIND_COUNTER; update_s is the readings' usual interval */
    const double *at_s;
    const double *values; /* W or J */
    size_t count;
    double delay_sd_s; /* standard uncertainty of the times: in the middle of the run, and what it grows by */
    double drift_sd;
};

/* Adds the channel to the record, or puts it in the place of one of the same meter and name; `*number` is its
 * position. It is `apart` if another wattmeter of the record counts already. Each window's uncertainty holds
 * that of the times at both of its edges, at the power there. On failure the record may only be freed. */
int overlay_lay(struct record *record, const struct overlay *overlay, size_t *number, struct error *error);

#endif
