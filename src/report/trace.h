/* trace.h: a power trace as few enough points to draw, with the same energy. */
#ifndef JOULERY_REPORT_TRACE_H
#define JOULERY_REPORT_TRACE_H

#include "base/error.h"
#include "record/recorder.h"

#include <stddef.h>

/* Bins of equal width from 0 to wall_s; cell [channel * bins + bin]. Power of a bin: energy by the time that
 * samples cover; a bin that none covers has no power. */
struct trace_bins {
    size_t channels, bins;
    double bin_s;
    double *energy_j;
    double *covered_s;
};

int trace_bins_init(struct trace_bins *trace, size_t channels, size_t bins, double wall_s,
                    struct error *error);
/* Shares a sample out among the bins it lies in; what reaches beyond the last is counted in the last. Samples
 * of channels that aren't there, and those without a duration, are left out. */
void trace_bins_add(struct trace_bins *trace, const struct trace_sample *sample);
/* W; NAN where nothing was read. */
double trace_bins_power(const struct trace_bins *trace, size_t channel, size_t bin);
void trace_bins_free(struct trace_bins *trace);

#endif
