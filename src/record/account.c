#include "record/account.h"

#include "base/clock.h"
#include "base/text.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Without a reading for this long a counter is given up until it comes back. */
#define SILENCE_NS (30 * NS_PER_S)

enum gap_kind { GAP_RESET, GAP_ABSURD, GAP_LATE, GAP_MISSING, GAP_STILL };

/* The account of one channel at one instant. */
struct point {
    int64_t boot_ns;
    double energy_j;    /* trusted, since the first reading */
    double gap_s;       /* time that no trusted reading covers, since the first reading */
    double variance_j2; /* of the integration of powers */
    double span_s;      /* how long the reading took */
};

struct lane {
    const struct channel *channel;
    struct point *points; /* a ring of the latest */
    size_t capacity, used, newest;
    uint64_t total_points;
    double base; /* the last reading that is trusted */
    int64_t base_ns;
    int64_t seen_ns; /* later than base_ns while the counter stands still at its base */
    bool adrift;     /* no base: nothing read yet, or silent for too long */
    bool suspected;
    enum gap_kind suspicion;
    double suspicion_w;
    double suspect; /* a reading that did not fit; the next one decides */
    int64_t suspect_ns;
    uint64_t left_out;
    struct point traced; /* up to here the trace was given out */
};

struct edge {
    double energy_j, gap_s, integration_j2;
    double variance_j2; /* of energy_j, from interpolation, the instrument's update and its resolution */
    bool resolved;
};

struct span {
    int64_t begin_ns, end_ns;
    bool ended;
    size_t begin_left, end_left; /* channels without an edge yet */
    struct edge *edges;          /* begin of each channel, then end of each; NULL: released */
    size_t next_released;        /* of a released one */
};

struct pending {
    size_t window;
    bool is_end;
};

struct listed_gap {
    size_t channel;
    int64_t begin_ns, end_ns;
    enum gap_kind kind;
    double power_w;
};

struct account {
    pthread_mutex_t lock; /* guards all that follows */
    struct lane *lanes;
    size_t count;
    double rate_hz;
    struct span *spans;
    size_t span_count, span_capacity;
    size_t released; /* the first of the released spans; 0 (the run, which stays): none */
    struct pending *pending;
    size_t pending_count, pending_capacity;
    struct listed_gap *gaps;
    size_t gap_count, gap_capacity, gap_unlisted;
};

/* ---- points ---- */

static const struct point *point_back(const struct lane *lane, size_t back)
{
    return &lane->points[(lane->newest + lane->capacity - back) % lane->capacity];
}

static void push_point(struct lane *lane, struct point point)
{
    lane->newest = lane->used ? (lane->newest + 1) % lane->capacity : 0;
    lane->points[lane->newest] = point;
    lane->used += lane->used < lane->capacity;
    lane->total_points++;
}

/* The account at an instant not after the newest point. Power before and after the instant may differ by
 * their mean, which is where f (1 - f) comes from; docs/method.md. */
static struct edge edge_at(const struct lane *lane, int64_t boot_ns)
{
    size_t back = 0;
    while (back + 1 < lane->used && point_back(lane, back)->boot_ns > boot_ns)
        back++;
    const struct point *before = point_back(lane, back), *after = point_back(lane, back ? back - 1 : 0);
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
    double blur_j = power_w * (channel->update_s + after->span_s);
    double step_j = channel->kind == KIND_POWER ? 0 : channel->resolution;
    edge.energy_j += energy_j * fraction;
    edge.gap_s += (after->gap_s - before->gap_s) * fraction;
    edge.integration_j2 += (after->variance_j2 - before->variance_j2) * fraction;
    edge.variance_j2 = between_j * between_j + (blur_j * blur_j + step_j * step_j) / 12;
    return edge;
}

/* ---- gaps ---- */

static void list_gap(struct account *account, const struct lane *lane, int64_t begin_ns, int64_t end_ns,
                     enum gap_kind kind, double power_w)
{
    size_t channel = (size_t)(lane - account->lanes);
    for (size_t i = account->gap_count; i-- > 0;) {
        struct listed_gap *last = &account->gaps[i];
        if (last->channel != channel)
            continue;
        if (last->end_ns == begin_ns && last->kind == kind) {
            last->end_ns = end_ns;
            last->power_w = fmax(last->power_w, power_w);
            return;
        }
        break;
    }
    if (account->gap_count == account->gap_capacity) {
        size_t capacity = account->gap_capacity ? account->gap_capacity * 2 : 16;
        struct listed_gap *gaps =
            capacity <= ACCOUNT_GAPS_MOST * 2 ? realloc(account->gaps, capacity * sizeof *gaps) : NULL;
        if (gaps) {
            account->gaps = gaps;
            account->gap_capacity = capacity;
        }
    }
    if (account->gap_count == account->gap_capacity || account->gap_count == ACCOUNT_GAPS_MOST) {
        account->gap_unlisted++;
        return;
    }
    account->gaps[account->gap_count++] = (struct listed_gap){channel, begin_ns, end_ns, kind, power_w};
}

/* Time passes without trusted energy. */
static void push_gap(struct account *account, struct lane *lane, int64_t to_ns, enum gap_kind kind,
                     double power_w)
{
    struct point point = *point_back(lane, 0);
    if (to_ns <= point.boot_ns)
        return;
    list_gap(account, lane, point.boot_ns, to_ns, kind, power_w);
    point.gap_s += (double)(to_ns - point.boot_ns) / NS_PER_S;
    point.boot_ns = to_ns;
    push_point(lane, point);
    lane->traced = point;
}

/* ---- readings ---- */

static void commit(struct lane *lane, int64_t boot_ns, double energy_j, double variance_j2, double span_s)
{
    struct point point = *point_back(lane, 0);
    point.boot_ns = boot_ns;
    point.energy_j += energy_j;
    point.variance_j2 += variance_j2;
    point.span_s = span_s;
    push_point(lane, point);
}

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

/* A live counter has not moved: whether that was no energy or no measurement is decided when it moves, or has
 * stood too long. Until then no point is made. */
static void stand_still(struct account *account, struct lane *lane, int64_t boot_ns)
{
    lane->left_out += lane->suspected;
    lane->suspected = false;
    lane->seen_ns = boot_ns;
    if (is_stuck(lane))
        push_gap(account, lane, boot_ns, GAP_STILL, 0);
}

/* The stretch in which the counter stood still, if there is one, was one without energy. */
static void settle(struct lane *lane)
{
    const struct point *last = point_back(lane, 0);
    if (lane->seen_ns > last->boot_ns)
        commit(lane, lane->seen_ns, 0, 0, last->span_s);
}

/* A counter that does not fit may be one odd reading or a counter that began again: the reading after it
 * tells. */
static void add_counter(struct account *account, struct lane *lane, double value, int64_t boot_ns,
                        double span_s)
{
    const struct channel *channel = lane->channel;
    if (channel->still_most_s > 0 && value == lane->base) {
        stand_still(account, lane, boot_ns);
        return;
    }
    double unseen_s = (double)(boot_ns - lane->seen_ns) / NS_PER_S;
    bool wraps = channel->kind == KIND_COUNTER && channel->range_j > 0;
    bool late = wraps && channel->max_power_w > 0 && unseen_s * channel->max_power_w > channel->range_j;
    if (late || is_stuck(lane)) {
        settle(lane);
        push_gap(account, lane, boot_ns, late ? GAP_LATE : GAP_STILL, 0);
        trust(lane, value, boot_ns);
        return;
    }
    double elapsed_s = (double)(boot_ns - lane->base_ns) / NS_PER_S;
    enum gap_kind why = GAP_ABSURD;
    double power_w = 0;
    double step_j = counter_step(channel, lane->base, value, elapsed_s, &why, &power_w);
    if (step_j >= 0) {
        lane->left_out += lane->suspected;
        commit(lane, boot_ns, step_j, 0, span_s);
        trust(lane, value, boot_ns);
        return;
    }
    if (lane->suspected) {
        enum gap_kind other;
        double other_w;
        double since_s = (double)(boot_ns - lane->suspect_ns) / NS_PER_S;
        step_j = counter_step(channel, lane->suspect, value, since_s, &other, &other_w);
        if (step_j >= 0) {
            settle(lane);
            push_gap(account, lane, lane->suspect_ns, lane->suspicion, lane->suspicion_w);
            commit(lane, boot_ns, step_j, 0, span_s);
            trust(lane, value, boot_ns);
            return;
        }
        lane->left_out++;
    }
    suspect(lane, value, boot_ns, why, power_w);
}

static bool absurd_power(const struct channel *channel, double power_w)
{
    return power_w < 0 || (channel->max_power_w > 0 && power_w > channel->max_power_w);
}

static void add_power(struct account *account, struct lane *lane, double power_w, int64_t boot_ns,
                      double span_s)
{
    const struct channel *channel = lane->channel;
    if (absurd_power(channel, power_w)) {
        suspect(lane, power_w, boot_ns, GAP_ABSURD, power_w);
        lane->left_out++;
        return;
    }
    double elapsed_s = (double)(boot_ns - lane->base_ns) / NS_PER_S;
    double latest_s = 3 / account->rate_hz + 3 * channel->update_s + 0.5;
    if (elapsed_s > latest_s) {
        push_gap(account, lane, boot_ns, lane->suspected ? GAP_ABSURD : GAP_LATE, lane->suspicion_w);
    } else {
        double unevenness_j = (power_w - lane->base) * elapsed_s;
        commit(lane, boot_ns, (power_w + lane->base) / 2 * elapsed_s, unevenness_j * unevenness_j / 12,
               span_s);
    }
    trust(lane, power_w, boot_ns);
}

static void add_nothing(struct account *account, struct lane *lane, int64_t boot_ns)
{
    if (!lane->adrift && boot_ns - lane->seen_ns > SILENCE_NS) {
        settle(lane);
        lane->adrift = true;
        lane->suspected = false;
    }
    if (lane->adrift && lane->used)
        push_gap(account, lane, boot_ns, GAP_MISSING, 0);
}

static void add_value(struct account *account, struct lane *lane, double value, int64_t boot_ns,
                      double span_s)
{
    if (lane->used && boot_ns <= point_back(lane, 0)->boot_ns)
        return;
    if (!isfinite(value)) {
        add_nothing(account, lane, boot_ns);
        return;
    }
    if (lane->channel->kind == KIND_POWER && lane->adrift && absurd_power(lane->channel, value)) {
        add_nothing(account, lane, boot_ns);
        return;
    }
    if (lane->adrift) {
        if (lane->used)
            push_gap(account, lane, boot_ns, GAP_MISSING, 0);
        else
            push_point(lane, (struct point){.boot_ns = boot_ns, .span_s = span_s});
        lane->traced = *point_back(lane, 0);
        lane->adrift = false;
        trust(lane, value, boot_ns);
        return;
    }
    if (lane->channel->kind == KIND_POWER)
        add_power(account, lane, value, boot_ns, span_s);
    else
        add_counter(account, lane, value, boot_ns, span_s);
}

/* ---- edges of windows ---- */

static bool reaches(const struct lane *lane, int64_t boot_ns)
{
    return lane->used && point_back(lane, 0)->boot_ns >= boot_ns;
}

/* Fills the edges that the lanes reach by now; true when none is left. */
static bool resolve(struct account *account, const struct pending *pending, bool finally)
{
    struct span *span = &account->spans[pending->window];
    struct edge *edges = span->edges + (pending->is_end ? account->count : 0);
    int64_t boot_ns = pending->is_end ? span->end_ns : span->begin_ns;
    size_t left = 0;
    for (size_t i = 0; i < account->count; i++) {
        struct lane *lane = &account->lanes[i];
        if (!edges[i].resolved && lane->used && (finally || reaches(lane, boot_ns)))
            edges[i] = edge_at(lane, boot_ns);
        left += !edges[i].resolved;
    }
    return left == 0;
}

static void resolve_pending(struct account *account, bool finally)
{
    size_t kept = 0;
    for (size_t i = 0; i < account->pending_count; i++)
        if (!resolve(account, &account->pending[i], finally))
            account->pending[kept++] = account->pending[i];
    account->pending_count = kept;
}

/* Room for two edges more a window was made by account_begin. */
static void await_edge(struct account *account, size_t window, bool is_end)
{
    account->pending[account->pending_count++] = (struct pending){window, is_end};
    resolve_pending(account, false);
}

static bool reserve_span(struct account *account)
{
    if (account->span_count == account->span_capacity) {
        size_t capacity = account->span_capacity ? account->span_capacity * 2 : 16;
        struct span *spans = realloc(account->spans, capacity * sizeof *spans);
        if (!spans)
            return false;
        account->spans = spans;
        struct pending *pending = realloc(account->pending, 2 * capacity * sizeof *pending);
        if (!pending)
            return false;
        account->pending = pending;
        account->span_capacity = capacity;
    }
    return true;
}

/* A number for a window more, once its edges have been had. */
static size_t take_number(struct account *account)
{
    size_t number = account->released;
    if (!number)
        return account->span_count++;
    account->released = account->spans[number].next_released;
    return number;
}

int64_t account_begin(struct account *account, int64_t boot_ns)
{
    int64_t window = -1;
    pthread_mutex_lock(&account->lock);
    struct edge *edges = NULL;
    if (account->released || (account->span_count < ACCOUNT_WINDOWS_MOST && reserve_span(account)))
        edges = calloc(2 * account->count + 1, sizeof *edges);
    if (edges) {
        window = (int64_t)take_number(account);
        account->spans[window] = (struct span){.begin_ns = boot_ns, .edges = edges};
        await_edge(account, (size_t)window, false);
    }
    pthread_mutex_unlock(&account->lock);
    return window;
}

int64_t account_start_ns(struct account *account)
{
    pthread_mutex_lock(&account->lock);
    int64_t start_ns = account->span_count ? account->spans[0].begin_ns : 0;
    pthread_mutex_unlock(&account->lock);
    return start_ns;
}

static void end_span(struct account *account, size_t window, int64_t boot_ns)
{
    struct span *span = &account->spans[window];
    if (span->ended)
        return;
    span->end_ns = boot_ns > span->begin_ns ? boot_ns : span->begin_ns;
    span->ended = true;
    await_edge(account, window, true);
}

void account_end(struct account *account, int64_t window, int64_t boot_ns)
{
    pthread_mutex_lock(&account->lock);
    end_span(account, (size_t)window, boot_ns);
    pthread_mutex_unlock(&account->lock);
}

static size_t find_pending(const struct account *account, size_t window)
{
    size_t at = 0;
    while (at < account->pending_count && account->pending[at].window != window)
        at++;
    return at;
}

bool account_is_settled(struct account *account, int64_t window)
{
    pthread_mutex_lock(&account->lock);
    bool settled =
        account->spans[window].ended && find_pending(account, (size_t)window) == account->pending_count;
    pthread_mutex_unlock(&account->lock);
    return settled;
}

void account_release(struct account *account, int64_t window)
{
    pthread_mutex_lock(&account->lock);
    for (size_t at; (at = find_pending(account, (size_t)window)) < account->pending_count;)
        account->pending[at] = account->pending[--account->pending_count];
    struct span *span = &account->spans[window];
    free(span->edges);
    *span = (struct span){.ended = true, .next_released = account->released};
    account->released = (size_t)window;
    pthread_mutex_unlock(&account->lock);
}

/* ---- trace ---- */

static double seconds_since_start(const struct account *account, int64_t boot_ns)
{
    int64_t start_ns = account->span_count ? account->spans[0].begin_ns : boot_ns;
    return (double)(boot_ns - start_ns) / NS_PER_S;
}

/* Readings at marks can be microseconds apart: stretches of at least half a period make a trace. */
static void trace(struct account *account, struct lane *lane, struct trace_batch *batch)
{
    const struct point *now = point_back(lane, 0);
    double wall_s = (double)(now->boot_ns - lane->traced.boot_ns) / NS_PER_S;
    if (wall_s < 0.5 / account->rate_hz || !account->span_count)
        return;
    double start_s = seconds_since_start(account, lane->traced.boot_ns);
    if (batch->count < batch->capacity)
        batch->samples[batch->count++] =
            (struct trace_sample){.channel = (uint32_t)(lane - account->lanes),
                                  .start_s = fmax(start_s, 0),
                                  .wall_s = wall_s,
                                  .power_w = (now->energy_j - lane->traced.energy_j) / wall_s};
    lane->traced = *now;
}

void account_add(struct account *account, size_t first, size_t count, const struct meter_reading *reading,
                 struct trace_batch *batch)
{
    double span_s = (double)reading->span_ns / NS_PER_S;
    pthread_mutex_lock(&account->lock);
    for (size_t i = 0; i < count; i++) {
        struct lane *lane = &account->lanes[first + i];
        add_value(account, lane, reading->values[i], reading->boot_ns, span_s);
        if (batch && lane->used)
            trace(account, lane, batch);
    }
    resolve_pending(account, false);
    pthread_mutex_unlock(&account->lock);
}

/* ---- results ---- */

/* A live counter that never moved in the whole run measured nothing. */
static void end_lane(struct account *account, struct lane *lane, int64_t boot_ns)
{
    if (lane->channel->still_most_s > 0 && point_back(lane, 0)->energy_j <= 0)
        push_gap(account, lane, lane->seen_ns, GAP_STILL, 0);
    settle(lane);
    push_gap(account, lane, boot_ns, lane->suspected ? lane->suspicion : GAP_MISSING, lane->suspicion_w);
}

void account_finish(struct account *account, int64_t boot_ns)
{
    pthread_mutex_lock(&account->lock);
    for (size_t i = 0; i < account->count; i++) {
        struct lane *lane = &account->lanes[i];
        if (lane->used)
            end_lane(account, lane, boot_ns);
    }
    for (size_t i = 0; i < account->span_count; i++)
        end_span(account, i, boot_ns);
    resolve_pending(account, true);
    pthread_mutex_unlock(&account->lock);
}

static struct channel_energy energy_of(const struct lane *lane, const struct span *span,
                                       const struct edge *begin, const struct edge *end)
{
    double wall_s = (double)(span->end_ns - span->begin_ns) / NS_PER_S;
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

void account_energies(struct account *account, int64_t window, struct channel_energy *energies)
{
    pthread_mutex_lock(&account->lock);
    const struct span *span = &account->spans[window];
    for (size_t i = 0; i < account->count; i++)
        energies[i] = energy_of(&account->lanes[i], span, &span->edges[i], &span->edges[account->count + i]);
    pthread_mutex_unlock(&account->lock);
}

/* A live counter that was seen after the instant, still as its newest point has it: a reading like others,
 * only that its age may be longer than an update. */
static struct edge edge_held(const struct lane *lane, int64_t boot_ns)
{
    bool held = lane->channel->still_most_s > 0 && !lane->adrift && !lane->suspected && lane->used &&
                lane->seen_ns >= boot_ns;
    if (!held)
        return (struct edge){.resolved = false};
    const struct channel *channel = lane->channel;
    const struct point *newest = point_back(lane, 0), *before = point_back(lane, lane->used > 1);
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

static struct channel_energy energy_now(const struct lane *lane, const struct span *span, struct edge begin,
                                        struct edge end)
{
    if (!begin.resolved)
        begin = edge_held(lane, span->begin_ns);
    if (!end.resolved)
        end = edge_held(lane, span->end_ns);
    struct channel_energy energy = energy_of(lane, span, &begin, &end);
    double wall_s = (double)(span->end_ns - span->begin_ns) / NS_PER_S;
    bool unmoved = lane->channel->still_most_s > 0 && energy.energy_j <= 0;
    if (wall_s < lane->channel->update_s || unmoved)
        energy = (struct channel_energy){.known = false, .gap_s = wall_s};
    return energy;
}

void account_energies_now(struct account *account, int64_t window, struct channel_energy *energies)
{
    pthread_mutex_lock(&account->lock);
    const struct span *span = &account->spans[window];
    for (size_t i = 0; i < account->count; i++)
        energies[i] = energy_now(&account->lanes[i], span, span->edges[i], span->edges[account->count + i]);
    pthread_mutex_unlock(&account->lock);
}

static char *gap_reason(const struct listed_gap *gap)
{
    switch (gap->kind) {
    case GAP_RESET:
        return strdup("counter reset");
    case GAP_ABSURD:
        return text_format("implies %.0f W", gap->power_w);
    case GAP_LATE:
        return strdup("late reading");
    case GAP_STILL:
        return strdup("counter stands still");
    case GAP_MISSING:
        break;
    }
    return strdup("no reading");
}

struct gap *account_take_gaps(struct account *account, size_t *count, size_t *unlisted)
{
    pthread_mutex_lock(&account->lock);
    struct gap *gaps = calloc(account->gap_count + 1, sizeof *gaps);
    *count = gaps ? account->gap_count : 0;
    *unlisted = account->gap_unlisted + account->gap_count - *count;
    for (size_t i = 0; i < *count; i++) {
        const struct listed_gap *gap = &account->gaps[i];
        gaps[i] = (struct gap){.channel = gap->channel,
                               .start_s = seconds_since_start(account, gap->begin_ns),
                               .wall_s = (double)(gap->end_ns - gap->begin_ns) / NS_PER_S,
                               .reason = gap_reason(gap)};
    }
    pthread_mutex_unlock(&account->lock);
    return gaps;
}

uint64_t account_left_out(struct account *account, size_t channel)
{
    pthread_mutex_lock(&account->lock);
    uint64_t left_out = account->lanes[channel].left_out;
    pthread_mutex_unlock(&account->lock);
    return left_out;
}

/* ---- life ---- */

struct account *account_open(const struct channel *channels, size_t count, double rate_hz)
{
    struct account *account = calloc(1, sizeof *account);
    if (!account)
        return NULL;
    pthread_mutex_init(&account->lock, NULL);
    account->rate_hz = rate_hz;
    account->lanes = calloc(count + 1, sizeof *account->lanes);
    for (size_t i = 0; account->lanes && i < count; i++, account->count++) {
        struct lane *lane = &account->lanes[i];
        /* as many again for readings at marks */
        lane->capacity = 64 + (size_t)(2 * rate_hz * ACCOUNT_HISTORY_NS / NS_PER_S);
        lane->points = calloc(lane->capacity, sizeof *lane->points);
        lane->channel = &channels[i];
        lane->adrift = true;
        if (!lane->points)
            break;
    }
    if (account->lanes && account->count == count)
        return account;
    account_close(account);
    return NULL;
}

void account_close(struct account *account)
{
    if (!account)
        return;
    for (size_t i = 0; account->lanes && i < account->count; i++)
        free(account->lanes[i].points);
    for (size_t i = 0; i < account->span_count; i++)
        free(account->spans[i].edges);
    free(account->lanes);
    free(account->spans);
    free(account->pending);
    free(account->gaps);
    pthread_mutex_destroy(&account->lock);
    free(account);
}
