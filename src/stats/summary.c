#include "stats/stats.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int stats_summarise(const double *values, size_t count, struct summary *summary, struct error *error)
{
    *summary = (struct summary){0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    if (count == 0)
        return 0;
    double *sorted = calloc(count, sizeof *sorted);
    if (!sorted)
        return error_memory(error, "summary of runs");
    memcpy(sorted, values, count * sizeof *sorted);
    gsl_sort(sorted, 1, count);
    summary->count = count;
    summary->mean = gsl_stats_mean(sorted, 1, count);
    summary->least = sorted[0];
    summary->q1 = gsl_stats_quantile_from_sorted_data(sorted, 1, count, 0.25);
    summary->median = gsl_stats_quantile_from_sorted_data(sorted, 1, count, 0.5);
    summary->q3 = gsl_stats_quantile_from_sorted_data(sorted, 1, count, 0.75);
    summary->most = sorted[count - 1];
    if (count > 1) {
        summary->sd = gsl_stats_sd_m(sorted, 1, count, summary->mean);
        double t = gsl_cdf_tdist_Pinv(0.975, (double)(count - 1));
        double half = t * summary->sd / sqrt((double)count);
        summary->low = summary->mean - half;
        summary->high = summary->mean + half;
    }
    free(sorted);
    return 0;
}

void stats_bound_interval(struct summary *summary, double least, double most)
{
    if (summary->low < least)
        summary->low = least;
    if (summary->high > most)
        summary->high = most;
}
