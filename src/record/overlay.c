#include "record/overlay.h"

#include "base/clock.h"
#include "record/account.h"
#include "record/sheets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Where the account's clock has the start of the run: readings before it have times too. */
#define START_NS (1LL << 60)

static int64_t to_ns(double at_s)
{
    return START_NS + llround(at_s * NS_PER_S);
}

/* ---- the channel's place ---- */

static bool is_same(const struct channel *a, const struct channel *b)
{
    return strcmp(a->meter, b->meter) == 0 && strcmp(a->name, b->name) == 0;
}

static void forget_gaps(struct record *record, size_t channel)
{
    size_t kept = 0;
    for (size_t i = 0; i < record->gap_count; i++) {
        if (record->gaps[i].channel == channel)
            free(record->gaps[i].reason);
        else
            record->gaps[kept++] = record->gaps[i];
    }
    record->gap_count = kept;
}

/* Room for one more channel in all that has one element a channel. */
static int grow(struct record *record, struct error *error)
{
    size_t count = record->channel_count + 1;
    struct channel *channels = reallocarray(record->channels, count, sizeof *channels);
    if (!channels)
        return error_memory(error, "channels");
    record->channels = channels;
    if (record->idle) {
        struct idle_power *idle = reallocarray(record->idle, count, sizeof *idle);
        if (!idle)
            return error_memory(error, "channels");
        record->idle = idle;
        idle[count - 1] = (struct idle_power){NAN, NAN};
    }
    for (size_t i = 0; i < record->window_count; i++) {
        struct channel_energy *energies = reallocarray(record->windows[i].energies, count, sizeof *energies);
        if (!energies)
            return error_memory(error, "channels");
        record->windows[i].energies = energies;
        energies[count - 1] = (struct channel_energy){0};
    }
    return 0;
}

static int make_place(struct record *record, const struct channel *channel, size_t *number,
                      struct error *error)
{
    size_t at = 0;
    bool counts = false;
    for (size_t i = 0; i < record->channel_count; i++) {
        const struct channel *other = &record->channels[i];
        at += i == at && !is_same(other, channel);
        counts = counts || (other->scope == SCOPE_WALL && !other->apart && !is_same(other, channel));
    }
    if (at == record->channel_count && grow(record, error) < 0)
        return -1;
    struct channel copy;
    if (channel_copy(&copy, channel, error) < 0)
        return -1;
    if (at < record->channel_count)
        channel_free(&record->channels[at]);
    record->channel_count += at == record->channel_count;
    record->channels[at] = copy;
    record->channels[at].apart = channel->apart || counts;
    forget_gaps(record, at);
    *number = at;
    return 0;
}

/* ---- energies ---- */

/* The greater of the powers on either side of an instant. */
static double power_at(const struct overlay *overlay, double at_s)
{
    size_t low = 0, high = overlay->count - 1;
    if (overlay->count < 2)
        return 0;
    while (low + 1 < high) {
        size_t middle = low + (high - low) / 2;
        if (overlay->at_s[middle] <= at_s)
            low = middle;
        else
            high = middle;
    }
    double from = overlay->values[low], to = overlay->values[low + 1];
    if (overlay->channel->kind == KIND_POWER)
        return fmax(from, to);
    return fmax(0, (to - from) / (overlay->at_s[low + 1] - overlay->at_s[low]));
}

static double edge_j(const struct overlay *overlay, double at_s, double middle_s)
{
    return power_at(overlay, at_s) * hypot(overlay->delay_sd_s, overlay->drift_sd * (at_s - middle_s));
}

static void add_times(const struct overlay *overlay, const struct window *window, double middle_s,
                      struct channel_energy *energy)
{
    if (!energy->known)
        return;
    double edges_j = hypot(edge_j(overlay, window->start_s, middle_s),
                           edge_j(overlay, window->start_s + window->wall_s, middle_s));
    energy->uncertainty_j = hypot(energy->uncertainty_j, edges_j);
    channel_widen(overlay->channel, window->wall_s, energy);
}

/* Windows are opened before the first reading: readings come in order, and an edge is found when one has
 * passed it. */
static int open_windows(struct account *account, const struct record *record, struct error *error)
{
    for (size_t i = 0; i < record->window_count; i++) {
        const struct window *window = &record->windows[i];
        int64_t number = account_begin(account, to_ns(window->start_s));
        if (number != (int64_t)i)
            return error_memory(error, "windows");
        account_end(account, number, to_ns(window->start_s + window->wall_s));
    }
    return 0;
}

static int keep_gaps(struct record *record, struct account *account, size_t channel, struct error *error)
{
    size_t count, unlisted;
    struct gap *found = account_take_gaps(account, &count, &unlisted);
    struct gap *gaps = reallocarray(record->gaps, record->gap_count + count + 1, sizeof *gaps);
    record->gaps = gaps ? gaps : record->gaps;
    for (size_t i = 0; i < count; i++) {
        struct gap gap = found[i];
        gap.channel = channel;
        gap.wall_s = fmin(gap.start_s + gap.wall_s, record->wall_s) - fmax(gap.start_s, 0);
        gap.start_s = fmax(gap.start_s, 0);
        if (gaps && gap.wall_s > 0)
            gaps[record->gap_count++] = gap;
        else
            free(gap.reason);
    }
    free(found);
    return gaps ? 0 : error_memory(error, "gaps");
}

static int account_for(struct record *record, const struct overlay *overlay, struct account *account,
                       size_t number, struct error *error)
{
    if (open_windows(account, record, error) < 0)
        return -1;
    for (size_t i = 0; i < overlay->count; i++) {
        double value = overlay->values[i];
        const struct meter_reading reading = {.boot_ns = to_ns(overlay->at_s[i]), .values = &value};
        account_add(account, 0, 1, &reading, NULL);
    }
    account_finish(account, to_ns(record->wall_s));
    for (size_t i = 0; i < record->window_count; i++) {
        struct window *window = &record->windows[i];
        account_energies(account, (int64_t)i, &window->energies[number]);
        add_times(overlay, window, record->wall_s / 2, &window->energies[number]);
    }
    return keep_gaps(record, account, number, error);
}

int overlay_lay(struct record *record, const struct overlay *overlay, size_t *number, struct error *error)
{
    if (make_place(record, overlay->channel, number, error) < 0)
        return -1;
    /* ten a usual interval: a reading is late, and makes a gap, after three and a half second */
    double rate_hz = fmin(1000, 10 / fmax(overlay->channel->update_s, 1e-3));
    struct account *account = account_open(overlay->channel, 1, rate_hz);
    if (!account)
        return error_memory(error, "account");
    int result = account_for(record, overlay, account, *number, error);
    account_close(account);
    return result;
}
