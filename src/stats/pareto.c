#include "stats/stats.h"

#include <stdlib.h>

struct point {
    double cost, gain;
    size_t place;
};

static int by_cost_then_gain(const void *a, const void *b)
{
    const struct point *p = a, *q = b;
    if (p->cost != q->cost)
        return p->cost < q->cost ? -1 : 1;
    if (p->gain != q->gain)
        return p->gain > q->gain ? -1 : 1;
    return 0;
}

int stats_pareto(const double *cost, const double *gain, size_t count, bool *front, struct error *error)
{
    struct point *points = calloc(count ? count : 1, sizeof *points);
    if (!points)
        return error_memory(error, "Pareto front");
    for (size_t i = 0; i < count; i++)
        points[i] = (struct point){cost[i], gain[i], i};
    qsort(points, count, sizeof *points, by_cost_then_gain);
    const struct point *best = NULL; /* the most gain so far, at the least cost that has it */
    for (size_t i = 0; i < count; i++) {
        bool equal = best && points[i].gain == best->gain && points[i].cost == best->cost;
        bool better = !best || points[i].gain > best->gain;
        front[points[i].place] = better || equal;
        if (better)
            best = &points[i];
    }
    free(points);
    return 0;
}
