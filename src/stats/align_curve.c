#include "stats/align_curve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How much of a stretch must be covered: starts and ends of samples are rounded to microseconds. */
#define COVERED_LEAST 0.99

/* The last instant not after `at_s`, but one that has another after it. */
static size_t find(const struct align_curve *curve, double at_s)
{
    size_t low = 0, high = curve->count - 1;
    while (low + 1 < high) {
        size_t middle = low + (high - low) / 2;
        if (curve->at_s[middle] <= at_s)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static void look_up(const struct align_curve *curve, double at_s, double *energy_j, double *covered_s)
{
    size_t i = find(curve, at_s);
    double wide_s = curve->at_s[i + 1] - curve->at_s[i];
    double share = wide_s > 0 ? (at_s - curve->at_s[i]) / wide_s : 0;
    double covers_s = curve->covered_s[i + 1] - curve->covered_s[i];
    *covered_s = curve->covered_s[i] + share * covers_s;
    *energy_j = curve->energy_j[i] + share * (curve->energy_j[i + 1] - curve->energy_j[i]);
    if (curve->power_w && covers_s > 0) /* the parabola lies below its chord while the power rises */
        *energy_j -= (curve->power_w[i + 1] - curve->power_w[i]) * covers_s * share * (1 - share) / 2;
}

double align_mean(const struct align_curve *curve, double from_s, double to_s)
{
    if (curve->count < 2 || !(to_s > from_s) || from_s < curve->at_s[0] ||
        to_s > curve->at_s[curve->count - 1])
        return NAN;
    double from_j, to_j, from_covered_s, to_covered_s;
    look_up(curve, from_s, &from_j, &from_covered_s);
    look_up(curve, to_s, &to_j, &to_covered_s);
    double covered_s = to_covered_s - from_covered_s;
    return covered_s >= COVERED_LEAST * (to_s - from_s) ? (to_j - from_j) / covered_s : NAN;
}

/* ---- the log ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int usual_interval(const struct align_log *log, double *interval_s, struct error *error)
{
    double *intervals = calloc(log->count + 1, sizeof *intervals);
    if (!intervals)
        return error_memory(error, "power log");
    for (size_t i = 0; i + 1 < log->count; i++)
        intervals[i] = log->at_s[i + 1] - log->at_s[i];
    if (log->count > 1)
        qsort(intervals, log->count - 1, sizeof *intervals, by_value);
    *interval_s = log->count > 1 ? intervals[(log->count - 1) / 2] : 0;
    free(intervals);
    return 0;
}

int align_sums_make(const struct align_log *log, struct align_sums *sums, struct error *error)
{
    *sums = (struct align_sums){.energy_j = calloc(log->count + 1, sizeof *sums->energy_j),
                                .covered_s = calloc(log->count + 1, sizeof *sums->covered_s)};
    if (!sums->energy_j || !sums->covered_s)
        return error_memory(error, "power log");
    if (usual_interval(log, &sums->interval_s, error) < 0)
        return -1;
    sums->gap_s = 3 * sums->interval_s + 0.5;
    for (size_t i = 1; i < log->count; i++) {
        double wide_s = log->at_s[i] - log->at_s[i - 1];
        double covers_s = wide_s <= sums->gap_s ? wide_s : 0;
        sums->covered_s[i] = sums->covered_s[i - 1] + covers_s;
        sums->energy_j[i] = sums->energy_j[i - 1] + covers_s * (log->power_w[i] + log->power_w[i - 1]) / 2;
    }
    sums->curve = (struct align_curve){log->at_s, sums->energy_j, sums->covered_s, log->power_w, log->count};
    return 0;
}

void align_sums_free(struct align_sums *sums)
{
    free(sums->energy_j);
    free(sums->covered_s);
    *sums = (struct align_sums){0};
}

/* ---- pairs ---- */

double align_correlation(const struct align_pairs *p)
{
    if (p->n < 3)
        return NAN;
    double xx = p->xx - p->x * p->x / p->n, yy = p->yy - p->y * p->y / p->n;
    double least = 1e-12; /* of the sums: less is rounding */
    if (!(xx > least * p->xx) || !(yy > least * p->yy))
        return NAN;
    double r = (p->xy - p->x * p->y / p->n) / sqrt(xx * yy);
    return fmax(-1, fmin(1, r));
}

void align_line(const struct align_pairs *p, double *offset, double *slope)
{
    *slope = (p->xy - p->x * p->y / p->n) / (p->xx - p->x * p->x / p->n);
    *offset = (p->y - *slope * p->x) / p->n;
}
