#include "record/account.h"

#include "base/clock.h"
#include "record/lane.h"
#include "record/sheets.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

struct span {
    int64_t begin_ns, end_ns;
    bool ended;
    struct edge *edges;   /* begin of each channel, then end of each; NULL: released */
    size_t next_released; /* of a released one */
};

/* An edge that no reading of its channel has reached yet. */
struct awaited {
    size_t window;
    bool is_end;
};

/* Each channel's own, so that one which falls silent costs the others nothing. */
struct queue {
    struct awaited *items;
    size_t count, capacity;
};

struct account {
    pthread_mutex_t lock; /* guards all that follows */
    struct lane *lanes;
    struct queue *queues; /* one a lane */
    size_t count;
    double rate_hz;
    int64_t asleep_ns; /* since the first window began, by the readings; asleep_before_ns: till then */
    int64_t asleep_before_ns;
    struct span *spans;
    size_t span_count, span_capacity;
    size_t released; /* the first of the released spans; 0 (the run, which stays): none */
    struct gap_list gaps;
};

/* ---- edges of windows ---- */

static void resolve(struct account *account, size_t channel, const struct awaited *awaited)
{
    struct span *span = &account->spans[awaited->window];
    struct edge *edges = span->edges + (awaited->is_end ? account->count : 0);
    edges[channel] = lane_edge(&account->lanes[channel], awaited->is_end ? span->end_ns : span->begin_ns);
}

static void resolve_reached(struct account *account, size_t channel, bool finally)
{
    struct lane *lane = &account->lanes[channel];
    struct queue *queue = &account->queues[channel];
    size_t kept = 0;
    for (size_t i = 0; i < queue->count && lane->used; i++) {
        const struct awaited awaited = queue->items[i];
        const struct span *span = &account->spans[awaited.window];
        if (finally || lane_reaches(lane, awaited.is_end ? span->end_ns : span->begin_ns))
            resolve(account, channel, &awaited);
        else
            queue->items[kept++] = awaited;
    }
    if (lane->used)
        queue->count = kept;
}

/* Room for two edges a window was made by account_begin. */
static void await_edge(struct account *account, size_t window, bool is_end)
{
    for (size_t i = 0; i < account->count; i++) {
        struct queue *queue = &account->queues[i];
        const struct awaited awaited = {window, is_end};
        const struct span *span = &account->spans[window];
        /* the others in the queue were not reached when the lane last moved */
        if (account->lanes[i].used &&
            lane_reaches(&account->lanes[i], is_end ? span->end_ns : span->begin_ns))
            resolve(account, i, &awaited);
        else
            queue->items[queue->count++] = awaited;
    }
}

static bool reserve_queue(struct queue *queue, size_t capacity)
{
    if (queue->capacity >= capacity)
        return true;
    struct awaited *items = realloc(queue->items, capacity * sizeof *items);
    if (!items)
        return false;
    queue->items = items;
    queue->capacity = capacity;
    return true;
}

static bool reserve_span(struct account *account)
{
    if (account->span_count < account->span_capacity)
        return true;
    size_t capacity = account->span_capacity ? account->span_capacity * 2 : 16;
    for (size_t i = 0; i < account->count; i++)
        if (!reserve_queue(&account->queues[i], 2 * capacity))
            return false;
    struct span *spans = realloc(account->spans, capacity * sizeof *spans);
    if (!spans)
        return false;
    account->spans = spans;
    account->span_capacity = capacity;
    return true;
}

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
        if (window == 0)
            account->asleep_before_ns = account->asleep_ns;
        account->spans[window] = (struct span){.begin_ns = boot_ns, .edges = edges};
        await_edge(account, (size_t)window, false);
    }
    pthread_mutex_unlock(&account->lock);
    return window;
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

static void forget_edges(struct queue *queue, size_t window)
{
    size_t kept = 0;
    for (size_t i = 0; i < queue->count; i++)
        if (queue->items[i].window != window)
            queue->items[kept++] = queue->items[i];
    queue->count = kept;
}

void account_release(struct account *account, int64_t window)
{
    pthread_mutex_lock(&account->lock);
    for (size_t i = 0; i < account->count; i++)
        forget_edges(&account->queues[i], (size_t)window);
    struct span *span = &account->spans[window];
    free(span->edges);
    *span = (struct span){.ended = true, .next_released = account->released};
    account->released = (size_t)window;
    pthread_mutex_unlock(&account->lock);
}

static int64_t start_of(const struct account *account, int64_t otherwise)
{
    return account->span_count ? account->spans[0].begin_ns : otherwise;
}

int64_t account_start_ns(struct account *account)
{
    pthread_mutex_lock(&account->lock);
    int64_t start_ns = start_of(account, 0);
    pthread_mutex_unlock(&account->lock);
    return start_ns;
}

/* ---- readings ---- */

/* Readings at marks can be microseconds apart: stretches of at least half a period make a trace. */
static void trace(struct account *account, struct lane *lane, struct trace_batch *batch)
{
    const struct point *now = lane_point(lane, 0);
    double wall_s = (double)(now->boot_ns - lane->traced.boot_ns) / NS_PER_S;
    if (wall_s < 0.5 / account->rate_hz || !account->span_count)
        return;
    double start_s = (double)(lane->traced.boot_ns - account->spans[0].begin_ns) / NS_PER_S;
    if (batch->count < batch->capacity)
        batch->samples[batch->count++] =
            (struct trace_sample){.channel = (uint32_t)lane->number,
                                  .start_s = fmax(start_s, 0),
                                  .wall_s = wall_s,
                                  .power_w = (now->energy_j - lane->traced.energy_j) / wall_s};
    lane->traced = *now;
}

void account_add(struct account *account, size_t first, size_t count, const struct meter_reading *reading,
                 struct trace_batch *batch)
{
    pthread_mutex_lock(&account->lock);
    if (reading->asleep_ns > account->asleep_ns)
        account->asleep_ns = reading->asleep_ns;
    for (size_t i = 0; i < count; i++) {
        struct lane *lane = &account->lanes[first + i];
        lane_add(lane, reading->values[i], reading);
        if (batch && lane->used)
            trace(account, lane, batch);
        if (account->queues[first + i].count)
            resolve_reached(account, first + i, false);
    }
    pthread_mutex_unlock(&account->lock);
}

/* ---- results ---- */

void account_finish(struct account *account, int64_t boot_ns)
{
    pthread_mutex_lock(&account->lock);
    for (size_t i = 0; i < account->count; i++)
        lane_end(&account->lanes[i], boot_ns);
    for (size_t i = 0; i < account->span_count; i++)
        end_span(account, i, boot_ns);
    for (size_t i = 0; i < account->count; i++)
        resolve_reached(account, i, true);
    pthread_mutex_unlock(&account->lock);
}

void account_energies(struct account *account, int64_t window, struct channel_energy *energies)
{
    pthread_mutex_lock(&account->lock);
    const struct span *span = &account->spans[window];
    double wall_s = (double)(span->end_ns - span->begin_ns) / NS_PER_S;
    for (size_t i = 0; i < account->count; i++) {
        energies[i] =
            lane_energy(&account->lanes[i], &span->edges[i], &span->edges[account->count + i], wall_s);
        channel_widen(account->lanes[i].channel, wall_s, &energies[i]);
    }
    pthread_mutex_unlock(&account->lock);
}

static struct edge edge_so_far(const struct lane *lane, const struct edge *edge, int64_t boot_ns)
{
    return edge->resolved ? *edge : lane_edge_held(lane, boot_ns);
}

/* Neither a live counter nor a model has stretches of 0 W: nothing since is nothing known. A model's counter
 * stands while it takes back what it had estimated too high. */
static bool rests(const struct channel *channel)
{
    return channel->still_most_s <= 0 && channel->kind != KIND_MODEL;
}

static struct channel_energy energy_so_far(const struct account *account, const struct span *span,
                                           size_t channel)
{
    const struct lane *lane = &account->lanes[channel];
    if (!lane->used)
        return (struct channel_energy){.known = false};
    int64_t end_ns = span->ended ? span->end_ns : lane_point(lane, 0)->boot_ns;
    double wall_s = fmax((double)(end_ns - span->begin_ns) / NS_PER_S, 0);
    struct edge begin = edge_so_far(lane, &span->edges[channel], span->begin_ns);
    struct edge end = span->ended ? edge_so_far(lane, &span->edges[account->count + channel], end_ns)
                                  : lane_edge(lane, end_ns);
    struct channel_energy energy = lane_energy(lane, &begin, &end, wall_s);
    bool unmoved = energy.energy_j <= 0 && !rests(lane->channel);
    if (wall_s < lane->channel->update_s || unmoved)
        energy = (struct channel_energy){.known = false, .gap_s = wall_s};
    channel_widen(lane->channel, wall_s, &energy);
    return energy;
}

void account_so_far(struct account *account, int64_t window, struct channel_energy *energies)
{
    pthread_mutex_lock(&account->lock);
    for (size_t i = 0; i < account->count; i++)
        energies[i] = energy_so_far(account, &account->spans[window], i);
    pthread_mutex_unlock(&account->lock);
}

struct gap *account_take_gaps(struct account *account, size_t *count, size_t *unlisted)
{
    pthread_mutex_lock(&account->lock);
    struct gap *gaps = gap_list_copy(&account->gaps, start_of(account, 0), count);
    *unlisted = account->gaps.unlisted + account->gaps.count - *count;
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

double account_asleep_s(struct account *account)
{
    pthread_mutex_lock(&account->lock);
    double asleep_s = (double)(account->asleep_ns - account->asleep_before_ns) / NS_PER_S;
    pthread_mutex_unlock(&account->lock);
    return asleep_s;
}

/* ---- life ---- */

struct account *account_open(const struct channel *channels, size_t count, double rate_hz)
{
    struct account *account = calloc(1, sizeof *account);
    if (!account)
        return NULL;
    pthread_mutex_init(&account->lock, NULL);
    account->rate_hz = rate_hz;
    account->gaps.most = ACCOUNT_GAPS_MOST;
    account->lanes = calloc(count + 1, sizeof *account->lanes);
    account->queues = calloc(count + 1, sizeof *account->queues);
    bool complete = account->lanes && account->queues;
    for (; complete && account->count < count; account->count += complete)
        complete = lane_open(&account->lanes[account->count], &channels[account->count], account->count,
                             rate_hz, ACCOUNT_HISTORY_NS, &account->gaps) == 0;
    if (complete)
        return account;
    account_close(account);
    return NULL;
}

void account_close(struct account *account)
{
    if (!account)
        return;
    for (size_t i = 0; i < account->count; i++) {
        lane_close(&account->lanes[i]);
        free(account->queues[i].items);
    }
    for (size_t i = 0; i < account->span_count; i++)
        free(account->spans[i].edges);
    free(account->lanes);
    free(account->queues);
    free(account->spans);
    gap_list_free(&account->gaps);
    pthread_mutex_destroy(&account->lock);
    free(account);
}
