/* gaps.h: stretches of time for which a channel's energy is not known, and why. Not thread-safe. */
#ifndef JOULERY_RECORD_GAPS_H
#define JOULERY_RECORD_GAPS_H

#include "record/record.h"

enum gap_kind { GAP_RESET, GAP_ABSURD, GAP_LATE, GAP_MISSING, GAP_STILL, GAP_SUSPENDED };

struct listed_gap {
    size_t channel;
    int64_t begin_ns, end_ns;
    enum gap_kind kind;
    double power_w; /* GAP_ABSURD: what the reading implied */
};

struct gap_list {
    struct listed_gap *gaps;
    size_t count, capacity;
    size_t unlisted; /* beyond `most` or without memory */
    size_t most;
};

/* One that goes on where the channel's last one of this kind ended makes that longer. */
void gap_list_add(struct gap_list *list, const struct listed_gap *gap);
/* As a record has them, in seconds since `start_ns`; the caller frees them and their reasons. NULL and
 * `*count` 0 without memory. */
struct gap *gap_list_copy(const struct gap_list *list, int64_t start_ns, size_t *count);
void gap_list_free(struct gap_list *list);

#endif
