#include "report/trace.h"

#include <math.h>
#include <stdlib.h>

int trace_bins_init(struct trace_bins *trace, size_t channels, size_t bins, double wall_s,
                    struct error *error)
{
    *trace = (struct trace_bins){.channels = channels, .bins = bins, .bin_s = wall_s / (double)bins};
    size_t cells;
    if (__builtin_mul_overflow(channels, bins, &cells))
        return error_memory(error, "power trace");
    trace->energy_j = calloc(cells ? cells : 1, sizeof *trace->energy_j);
    trace->covered_s = calloc(cells ? cells : 1, sizeof *trace->covered_s);
    if (!trace->energy_j || !trace->covered_s) {
        trace_bins_free(trace);
        return error_memory(error, "power trace");
    }
    return 0;
}

static size_t bin_at(const struct trace_bins *trace, double at_s)
{
    double place = floor(at_s / trace->bin_s);
    if (!(place > 0))
        return 0;
    return place >= (double)trace->bins ? trace->bins - 1 : (size_t)place;
}

void trace_bins_add(struct trace_bins *trace, const struct trace_sample *sample)
{
    if (sample->channel >= trace->channels || !(sample->wall_s > 0) || !isfinite(sample->power_w) ||
        !(trace->bin_s > 0) || !isfinite(sample->start_s + sample->wall_s))
        return;
    double end_s = sample->start_s + sample->wall_s;
    size_t first = bin_at(trace, sample->start_s), last = bin_at(trace, end_s);
    for (size_t bin = first; bin <= last; bin++) {
        double from_s = bin == first ? sample->start_s : (double)bin * trace->bin_s;
        double to_s = bin == last ? end_s : (double)(bin + 1) * trace->bin_s;
        size_t cell = sample->channel * trace->bins + bin;
        trace->energy_j[cell] += sample->power_w * (to_s - from_s);
        trace->covered_s[cell] += to_s - from_s;
    }
}

double trace_bins_power(const struct trace_bins *trace, size_t channel, size_t bin)
{
    size_t cell = channel * trace->bins + bin;
    return trace->covered_s[cell] > 0 ? trace->energy_j[cell] / trace->covered_s[cell] : NAN;
}

void trace_bins_free(struct trace_bins *trace)
{
    free(trace->energy_j);
    free(trace->covered_s);
    trace->energy_j = trace->covered_s = NULL;
}
