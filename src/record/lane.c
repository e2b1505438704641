#include "record/lane.h"

#include "base/clock.h"

#include <math.h>
#include <stdlib.h>

/* Without a reading for this long a counter is given up until it comes back. */
#define SILENCE_NS (30 * NS_PER_S)

/* Clocks are read one after the other: less than this is no sleep. */
#define SLEEP_NS (NS_PER_S / 1000)

/* ---- points ---- */

const struct point *lane_point(const struct lane *lane, size_t back)
{
    return &lane->points[(lane->newest + lane->capacity - back) % lane->capacity];
}

static void push_point(struct lane *lane, struct point point)
{
    if (lane->used && ++lane->newest == lane->capacity)
        lane->newest = 0;
    lane->points[lane->newest] = point;
    lane->used += lane->used < lane->capacity;
    lane->total_points++;
}

bool lane_reaches(const struct lane *lane, int64_t boot_ns)
{
    return lane->used && lane_point(lane, 0)->boot_ns >= boot_ns;
}

/* Power before and after the instant may differ by their mean, which is where f (1 - f) comes from;
 * docs/method.md. */
struct edge lane_edge(const struct lane *lane, int64_t boot_ns)
{
    size_t back = 0;
    while (back + 1 < lane->used && lane_point(lane, back)->boot_ns > boot_ns)
        back++;
    const struct point *before = lane_point(lane, back), *after = lane_point(lane, back ? back - 1 : 0);
    struct edge edge = {.energy_j = before->energy_j,
                        .gap_s = before->gap_s,
                        .integration_j2 = before->variance_j2,
                        .resolved = true};
    double elapsed_s = (double)(after->boot_ns - before->boot_ns) / NS_PER_S;
    double into_s = (double)(boot_ns - before->boot_ns) / NS_PER_S;
    if (into_s < 0 || elapsed_s <= 0) { /* before the first reading, after the last, or on it */
        edge.gap_s += into_s;
        return edge;
    }
    const struct channel *channel = lane->channel;
    double fraction = into_s / elapsed_s, energy_j = after->energy_j - before->energy_j;
    double between_j = energy_j * fraction * (1 - fraction);
    /* readings closer than an update differ by whole updates: power over less than one is none */
    double power_w = energy_j / fmax(elapsed_s, channel->update_s);
    double blur_j = power_w * (channel->update_s + channel->averaging_s + after->span_s);
    double step_j = channel->kind == KIND_POWER ? 0 : channel->resolution;
    edge.energy_j += energy_j * fraction;
    edge.gap_s += (after->gap_s - before->gap_s) * fraction;
    edge.integration_j2 += (after->variance_j2 - before->variance_j2) * fraction;
    edge.variance_j2 = between_j * between_j + (blur_j * blur_j + step_j * step_j) / 12;
    return edge;
}

/* A reading like others, only that its age may be longer than an update. */
struct edge lane_edge_held(const struct lane *lane, int64_t boot_ns)
{
    const struct channel *channel = lane->channel;
    if (!lane->used || channel->still_most_s <= 0 || lane->adrift || lane->suspected ||
        lane->seen_ns < boot_ns)
        return (struct edge){.resolved = false};
    const struct point *newest = lane_point(lane, 0), *before = lane_point(lane, lane->used > 1);
    double age_s = fmax((double)(boot_ns - newest->boot_ns) / NS_PER_S, channel->update_s) + newest->span_s;
    double elapsed_s = (double)(newest->boot_ns - before->boot_ns) / NS_PER_S;
    double moved_j = newest->energy_j - before->energy_j;
    double blur_j = moved_j > 0 ? moved_j / fmax(elapsed_s, channel->update_s) * age_s : 0;
    double step_j = channel->resolution;
    return (struct edge){.energy_j = newest->energy_j,
                         .gap_s = newest->gap_s,
                         .integration_j2 = newest->variance_j2,
                         .variance_j2 = (blur_j * blur_j + step_j * step_j) / 12,
                         .resolved = true};
}

struct channel_energy lane_energy(const struct lane *lane, const struct edge *begin, const struct edge *end,
                                  double wall_s)
{
    double gap_s = fmax(end->gap_s - begin->gap_s, 0);
    double covered_s = wall_s - gap_s;
    if (!begin->resolved || !end->resolved || lane->total_points < 2 || covered_s < 1e-9)
        return (struct channel_energy){.known = false, .gap_s = wall_s};
    double energy_j = end->energy_j - begin->energy_j;
    double scale_j = lane->channel->accuracy * energy_j;
    double missed_j = energy_j / covered_s * gap_s; /* what the gaps held at the mean power */
    double variance_j2 = scale_j * scale_j + missed_j * missed_j + begin->variance_j2 + end->variance_j2 +
                         fmax(end->integration_j2 - begin->integration_j2, 0);
    return (struct channel_energy){
        .known = true, .energy_j = energy_j, .uncertainty_j = sqrt(variance_j2), .gap_s = gap_s};
}

/* Time passes without trusted energy. */
static void push_gap(struct lane *lane, int64_t to_ns, enum gap_kind kind, double power_w)
{
    struct point point = *lane_point(lane, 0);
    if (to_ns <= point.boot_ns)
        return;
    gap_list_add(lane->gaps, &(struct listed_gap){lane->number, point.boot_ns, to_ns, kind, power_w});
    point.gap_s += (double)(to_ns - point.boot_ns) / NS_PER_S;
    point.boot_ns = to_ns;
    push_point(lane, point);
    lane->traced = point;
}

static void push_energy(struct lane *lane, int64_t boot_ns, double energy_j, double variance_j2,
                        double span_s)
{
    struct point point = *lane_point(lane, 0);
    point.boot_ns = boot_ns;
    point.energy_j += energy_j;
    point.variance_j2 += variance_j2;
    point.span_s = span_s;
    push_point(lane, point);
}

/* ---- trust ---- */

static void suspect(struct lane *lane, double value, int64_t boot_ns, enum gap_kind why, double power_w)
{
    lane->suspected = true;
    lane->suspicion = why;
    lane->suspicion_w = power_w;
    lane->suspect = value;
    lane->suspect_ns = boot_ns;
}

static void trust(struct lane *lane, double value, int64_t boot_ns)
{
    lane->base = value;
    lane->base_ns = lane->seen_ns = boot_ns;
    lane->suspected = false;
}

static bool is_stuck(const struct lane *lane)
{
    double still_most_s = lane->channel->still_most_s;
    return still_most_s > 0 && (double)(lane->seen_ns - lane->base_ns) > still_most_s * NS_PER_S;
}

/* The stretch in which the counter stood still, if there is one, was one without energy. */
static void settle(struct lane *lane)
{
    const struct point *last = lane_point(lane, 0);
    if (lane->seen_ns > last->boot_ns)
        push_energy(lane, lane->seen_ns, 0, 0, last->span_s);
}

/* A gap up to a reading that is the beginning of what is trusted next. */
static void start_again(struct lane *lane, double value, int64_t boot_ns, enum gap_kind kind)
{
    settle(lane);
    push_gap(lane, boot_ns, kind, 0);
    trust(lane, value, boot_ns);
}

/* ---- counters ---- */

/* Joules from one reading of a counter to the next, if that is possible at all; -1 and why not otherwise. */
static double counter_step(const struct channel *channel, double from, double to, double elapsed_s,
                           enum gap_kind *why, double *power_w)
{
    double step_j = to - from;
    bool back = step_j < 0;
    if (back && channel->range_j > 0 && channel->kind == KIND_COUNTER)
        step_j += channel->range_j;
    double most_j = channel->max_power_w * (elapsed_s + channel->update_s) + channel->resolution;
    bool possible = channel->max_power_w > 0 ? step_j <= most_j : !back || step_j < channel->range_j / 2;
    if (step_j >= 0 && possible)
        return step_j;
    *why = back ? GAP_RESET : GAP_ABSURD;
    *power_w = step_j / elapsed_s;
    return -1;
}

/* A live counter has not moved: whether that was no energy or no measurement is decided when it moves, or has
 * stood too long. Until then no point is made. */
static void stand_still(struct lane *lane, int64_t boot_ns)
{
    lane->left_out += lane->suspected;
    lane->suspected = false;
    lane->seen_ns = boot_ns;
    if (is_stuck(lane))
        push_gap(lane, boot_ns, GAP_STILL, 0);
}

/* More than one wrap may have gone by. */
static bool is_late(const struct lane *lane, int64_t boot_ns)
{
    const struct channel *channel = lane->channel;
    double unseen_s = (double)(boot_ns - lane->seen_ns) / NS_PER_S;
    return channel->kind == KIND_COUNTER && channel->range_j > 0 && channel->max_power_w > 0 &&
           unseen_s * channel->max_power_w > channel->range_j;
}

/* The reading before did not fit; if this one fits that, the counter began again there. */
static bool follows_suspect(struct lane *lane, double value, int64_t boot_ns, double span_s)
{
    enum gap_kind unused;
    double unused_w;
    double since_s = (double)(boot_ns - lane->suspect_ns) / NS_PER_S;
    double step_j = counter_step(lane->channel, lane->suspect, value, since_s, &unused, &unused_w);
    if (step_j < 0)
        return false;
    settle(lane);
    push_gap(lane, lane->suspect_ns, lane->suspicion, lane->suspicion_w);
    push_energy(lane, boot_ns, step_j, 0, span_s);
    trust(lane, value, boot_ns);
    return true;
}

/* A counter that does not fit may be one odd reading or a counter that began again: the reading after it
 * tells. */
static void add_counter(struct lane *lane, double value, int64_t boot_ns, double span_s)
{
    const struct channel *channel = lane->channel;
    if (channel->still_most_s > 0 && value == lane->base) {
        stand_still(lane, boot_ns);
        return;
    }
    bool late = is_late(lane, boot_ns);
    if (late || is_stuck(lane)) {
        start_again(lane, value, boot_ns, late ? GAP_LATE : GAP_STILL);
        return;
    }
    double elapsed_s = (double)(boot_ns - lane->base_ns) / NS_PER_S;
    enum gap_kind why = GAP_ABSURD;
    double power_w = 0;
    double step_j = counter_step(channel, lane->base, value, elapsed_s, &why, &power_w);
    if (step_j >= 0) {
        lane->left_out += lane->suspected;
        push_energy(lane, boot_ns, step_j, 0, span_s);
        trust(lane, value, boot_ns);
        return;
    }
    if (lane->suspected && follows_suspect(lane, value, boot_ns, span_s))
        return;
    lane->left_out += lane->suspected;
    suspect(lane, value, boot_ns, why, power_w);
}

/* ---- powers ---- */

static bool absurd_power(const struct channel *channel, double power_w)
{
    return power_w < 0 || (channel->max_power_w > 0 && power_w > channel->max_power_w);
}

static void add_power(struct lane *lane, double power_w, int64_t boot_ns, double span_s)
{
    const struct channel *channel = lane->channel;
    if (absurd_power(channel, power_w)) {
        suspect(lane, power_w, boot_ns, GAP_ABSURD, power_w);
        lane->left_out++;
        return;
    }
    double elapsed_s = (double)(boot_ns - lane->base_ns) / NS_PER_S;
    double latest_s = 3 / lane->rate_hz + 3 * channel->update_s + 0.5;
    if (elapsed_s > latest_s) {
        push_gap(lane, boot_ns, lane->suspected ? GAP_ABSURD : GAP_LATE, lane->suspicion_w);
    } else {
        double unevenness_j = (power_w - lane->base) * elapsed_s;
        push_energy(lane, boot_ns, (power_w + lane->base) / 2 * elapsed_s, unevenness_j * unevenness_j / 12,
                    span_s);
    }
    trust(lane, power_w, boot_ns);
}

/* ---- readings ---- */

static void add_nothing(struct lane *lane, int64_t boot_ns)
{
    if (!lane->adrift && boot_ns - lane->seen_ns > SILENCE_NS) {
        settle(lane);
        lane->adrift = true;
        lane->suspected = false;
    }
    if (lane->adrift && lane->used)
        push_gap(lane, boot_ns, GAP_MISSING, 0);
}

/* The first reading, or the first after a long silence. */
static void begin_at(struct lane *lane, double value, const struct meter_reading *reading)
{
    if (lane->used)
        push_gap(lane, reading->boot_ns, GAP_MISSING, 0);
    else
        push_point(
            lane, (struct point){.boot_ns = reading->boot_ns, .span_s = (double)reading->span_ns / NS_PER_S});
    lane->traced = *lane_point(lane, 0);
    lane->adrift = false;
    lane->asleep_ns = reading->asleep_ns;
    trust(lane, value, reading->boot_ns);
}

void lane_add(struct lane *lane, double value, const struct meter_reading *reading)
{
    int64_t boot_ns = reading->boot_ns;
    double span_s = (double)reading->span_ns / NS_PER_S;
    bool power = lane->channel->kind == KIND_POWER;
    bool absurd = power && absurd_power(lane->channel, value);
    if (lane->used && boot_ns <= lane_point(lane, 0)->boot_ns)
        return;
    if (!isfinite(value) || (lane->adrift && absurd)) {
        add_nothing(lane, boot_ns);
    } else if (lane->adrift) {
        begin_at(lane, value, reading);
    } else if (!absurd && reading->asleep_ns - lane->asleep_ns > SLEEP_NS) {
        /* counters may have been switched off with all else, and nobody integrated powers */
        lane->asleep_ns = reading->asleep_ns;
        start_again(lane, value, boot_ns, GAP_SUSPENDED);
    } else if (power) {
        add_power(lane, value, boot_ns, span_s);
    } else {
        add_counter(lane, value, boot_ns, span_s);
    }
}

/* A live counter that never moved in the whole run measured nothing. */
void lane_end(struct lane *lane, int64_t boot_ns)
{
    if (!lane->used)
        return;
    if (lane->channel->still_most_s > 0 && lane_point(lane, 0)->energy_j <= 0)
        push_gap(lane, lane->seen_ns, GAP_STILL, 0);
    settle(lane);
    push_gap(lane, boot_ns, lane->suspected ? lane->suspicion : GAP_MISSING, lane->suspicion_w);
}

/* ---- life ---- */

int lane_open(struct lane *lane, const struct channel *channel, size_t number, double rate_hz,
              int64_t history_ns, struct gap_list *gaps)
{
    /* as many again for readings at marks */
    size_t capacity = 64 + (size_t)(2 * rate_hz * (double)history_ns / NS_PER_S);
    *lane = (struct lane){.channel = channel,
                          .number = number,
                          .rate_hz = rate_hz,
                          .gaps = gaps,
                          .points = calloc(capacity, sizeof *lane->points),
                          .capacity = capacity,
                          .adrift = true};
    return lane->points ? 0 : -1;
}

void lane_close(struct lane *lane)
{
    free(lane->points);
    lane->points = NULL;
}
