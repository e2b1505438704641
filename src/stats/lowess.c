#include "stats/pairs.h"

#include <math.h>
#include <stdlib.h>

enum { ROUNDS = 3 };
#define ROUNDING 1e-12 /* of a value, many times over */

struct point {
    double x, y, smooth, trust; /* trust: the weight that its distance from the line leaves it */
    size_t place;
};

static int by_x(const void *a, const void *b)
{
    const struct point *p = a, *q = b;
    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    return p->place < q->place ? -1 : 1;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The tricube of the distance, by the widest. */
static double weight(const struct point *p, double at, double widest)
{
    double distance = fabs(p->x - at), share = distance / widest;
    if (distance > 0.999 * widest)
        return 0;
    double cube = 1 - share * share * share;
    return p->trust * (distance <= 0.001 * widest ? 1 : cube * cube * cube);
}

/* The line through the points around `at`, there; `otherwise` where all have lost their weight. */
static double fit(const struct point *points, size_t count, double at, double widest, double otherwise)
{
    double sum = 0, mean = 0, squares = 0, value = 0, range = points[count - 1].x - points[0].x;
    for (size_t i = 0; i < count; i++)
        sum += weight(&points[i], at, widest);
    if (!(sum > 0))
        return otherwise;
    for (size_t i = 0; i < count; i++)
        mean += weight(&points[i], at, widest) / sum * points[i].x;
    for (size_t i = 0; i < count; i++)
        squares += weight(&points[i], at, widest) / sum * (points[i].x - mean) * (points[i].x - mean);
    double pull = sqrt(squares) > 0.001 * range ? (at - mean) / squares : 0;
    for (size_t i = 0; i < count; i++)
        value += weight(&points[i], at, widest) / sum * (1 + pull * (points[i].x - mean)) * points[i].y;
    return value;
}

/* Points that lie together in x have one weight, whatever their y. */
static double fit_together(const struct point *points, size_t count, size_t i)
{
    double sum = 0, value = 0;
    for (size_t k = 0; k < count; k++) {
        if (points[k].x != points[i].x)
            continue;
        sum += points[k].trust;
        value += points[k].trust * points[k].y;
    }
    return sum > 0 ? value / sum : points[i].y;
}

static void smooth_all(struct point *points, size_t count, size_t near)
{
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        double at = points[i].x;
        while (left + near < count && at - points[left].x > points[left + near].x - at)
            left++;
        double widest = fmax(at - points[left].x, points[left + near - 1].x - at);
        points[i].smooth =
            widest > 0 ? fit(points, count, at, widest, points[i].y) : fit_together(points, count, i);
    }
}

/* The bisquare of the residuals, by six times their median. False: nothing is far from the line, or no
 * farther than numbers are rounded. */
static bool set_trust(struct point *points, size_t count, double *residuals)
{
    double mean = 0, largest = 0;
    for (size_t i = 0; i < count; i++) {
        residuals[i] = fabs(points[i].y - points[i].smooth);
        mean += residuals[i] / (double)count;
        largest = fmax(largest, fabs(points[i].y));
    }
    qsort(residuals, count, sizeof *residuals, by_value);
    double far = 3 * (residuals[count / 2] + residuals[(count - 1) / 2]);
    if (far < 1e-7 * mean || far < ROUNDING * largest)
        return false;
    for (size_t i = 0; i < count; i++) {
        double distance = fabs(points[i].y - points[i].smooth), share = distance / far;
        double kept = 1 - share * share;
        points[i].trust = distance <= 0.001 * far ? 1 : distance <= 0.999 * far ? kept * kept : 0;
    }
    return true;
}

int stats_lowess(const double *x, const double *y, size_t count, double share, double *smooth,
                 struct error *error)
{
    struct point *points = calloc(count + 1, sizeof *points);
    double *residuals = calloc(count + 1, sizeof *residuals);
    int result = points && residuals ? 0 : error_memory(error, "lowess");
    size_t near = (size_t)(share * (double)count + 1e-7);
    near = near < 2 ? 2 : near > count ? count : near;
    for (size_t i = 0; i < count && result == 0; i++)
        points[i] = (struct point){x[i], y[i], y[i], 1, i};
    if (result == 0 && count > 1) {
        qsort(points, count, sizeof *points, by_x);
        for (int round = 0; round <= ROUNDS; round++) {
            smooth_all(points, count, near);
            if (round == ROUNDS || !set_trust(points, count, residuals))
                break;
        }
    }
    for (size_t i = 0; i < count && result == 0; i++)
        smooth[points[i].place] = points[i].smooth;
    free(points);
    free(residuals);
    return result;
}
