/* lane.h: one channel from its readings to its trusted energy over time: wraps undone, odd readings left out,
 * what cannot be trusted made a gap. docs/method.md has the rules. Not thread-safe: the account guards it. */
#ifndef JOULERY_RECORD_LANE_H
#define JOULERY_RECORD_LANE_H

#include "record/gaps.h"

/* The channel at one instant. */
struct point {
    int64_t boot_ns;
    double energy_j;    /* trusted, since the first reading */
    double gap_s;       /* time that no trusted reading covers, since the first reading */
    double variance_j2; /* of the integration of powers */
    double span_s;      /* how long the reading took */
};

/* The channel at the edge of a window. */
struct edge {
    double energy_j, gap_s, integration_j2; /* as in a point, at the edge */
    double variance_j2; /* of energy_j, from interpolation, the instrument's update and its resolution */
    bool resolved;
};

struct lane {
    const struct channel *channel;
    size_t number; /* of the channel, for its gaps */
    double rate_hz;
    struct gap_list *gaps;
    struct point *points; /* a ring of the latest */
    size_t capacity, used, newest;
    uint64_t total_points;
    double base; /* the last reading that is trusted */
    int64_t base_ns;
    int64_t seen_ns; /* later than base_ns while the counter stands still at its base */
    int64_t asleep_ns;
    bool adrift; /* no base: nothing read yet, or silent for too long */
    bool suspected;
    enum gap_kind suspicion;
    double suspicion_w;
    double suspect; /* a reading that did not fit; the next one decides */
    int64_t suspect_ns;
    uint64_t left_out;
    struct point traced; /* up to here the trace was given out */
};

/* `channel` and `gaps` are borrowed. Points of `history_ns` at twice the rate are kept. -1: no memory. */
int lane_open(struct lane *lane, const struct channel *channel, size_t number, double rate_hz,
              int64_t history_ns, struct gap_list *gaps);
void lane_close(struct lane *lane);

/* A reading's value, NAN for none; `reading` for its times. */
void lane_add(struct lane *lane, double value, const struct meter_reading *reading);
/* No reading comes any more: what none covers up to `boot_ns` is a gap. */
void lane_end(struct lane *lane, int64_t boot_ns);

/* The newest point is at `back` 0; `back` < used. */
const struct point *lane_point(const struct lane *lane, size_t back);
/* Whether the account is known up to an instant. */
bool lane_reaches(const struct lane *lane, int64_t boot_ns);
/* The account at an instant not after the newest point; one after it is taken as without a reading since. The
 * lane has a point. */
struct edge lane_edge(const struct lane *lane, int64_t boot_ns);
/* The same at an instant after the newest point at which a live counter was seen still as that has it; not
 * resolved where it was not. */
struct edge lane_edge_held(const struct lane *lane, int64_t boot_ns);
/* What lies between two edges that are `wall_s` apart. */
struct channel_energy lane_energy(const struct lane *lane, const struct edge *begin, const struct edge *end,
                                  double wall_s);

#endif
