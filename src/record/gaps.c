#include "record/gaps.h"

#include "base/clock.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct listed_gap *last_of(const struct gap_list *list, size_t channel)
{
    for (size_t i = list->count; i-- > 0;)
        if (list->gaps[i].channel == channel)
            return &list->gaps[i];
    return NULL;
}

static bool reserve(struct gap_list *list)
{
    if (list->count == list->most)
        return false;
    if (list->count < list->capacity)
        return true;
    size_t capacity = list->capacity ? list->capacity * 2 : 16;
    struct listed_gap *gaps = realloc(list->gaps, capacity * sizeof *gaps);
    if (!gaps)
        return false;
    list->gaps = gaps;
    list->capacity = capacity;
    return true;
}

void gap_list_add(struct gap_list *list, const struct listed_gap *gap)
{
    struct listed_gap *last = last_of(list, gap->channel);
    if (last && last->end_ns == gap->begin_ns && last->kind == gap->kind) {
        last->end_ns = gap->end_ns;
        last->power_w = fmax(last->power_w, gap->power_w);
    } else if (reserve(list)) {
        list->gaps[list->count++] = *gap;
    } else {
        list->unlisted++;
    }
}

static char *reason_of(const struct listed_gap *gap)
{
    static const char *const reasons[] = {[GAP_RESET] = "counter reset",
                                          [GAP_LATE] = "late reading",
                                          [GAP_MISSING] = "no reading",
                                          [GAP_STILL] = "counter stands still",
                                          [GAP_SUSPENDED] = "suspended"};
    return gap->kind == GAP_ABSURD ? text_format("implies %.0f W", gap->power_w) : strdup(reasons[gap->kind]);
}

struct gap *gap_list_copy(const struct gap_list *list, int64_t start_ns, size_t *count)
{
    struct gap *gaps = calloc(list->count + 1, sizeof *gaps);
    *count = gaps ? list->count : 0;
    for (size_t i = 0; i < *count; i++) {
        const struct listed_gap *gap = &list->gaps[i];
        gaps[i] = (struct gap){.channel = gap->channel,
                               .start_s = (double)(gap->begin_ns - start_ns) / NS_PER_S,
                               .wall_s = (double)(gap->end_ns - gap->begin_ns) / NS_PER_S,
                               .reason = reason_of(gap)};
    }
    return gaps;
}

void gap_list_free(struct gap_list *list)
{
    free(list->gaps);
    *list = (struct gap_list){0};
}
