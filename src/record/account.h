/* account.h: the energy account of one run: readings in, joules by window out.
 *
 * Each channel is kept as its trusted energy over time; a window's energy is the difference at its two edges,
 * each interpolated between the readings beside it. Wraps are unwrapped; what cannot be trusted becomes a
 * gap. Nothing here knows a clock or a thread of its own: a day can be replayed in a second. docs/method.md
 * has the formulas.
 *
 * Thread-safe: a mutex inside guards everything. Memory does not grow with time, only with windows and gaps,
 * and both have limits. */
#ifndef JOULERY_RECORD_ACCOUNT_H
#define JOULERY_RECORD_ACCOUNT_H

#include "record/record.h"
#include "record/recorder.h"

struct account;

#define ACCOUNT_WINDOWS_MOST 100000
#define ACCOUNT_GAPS_MOST    10000

/* A mark may name a time this far back; the readings since then are kept. */
#define ACCOUNT_HISTORY_NS 2000000000LL

/* Stretches of the power trace as they become known. The caller empties it between calls; `capacity` is at
 * least twice the channels of a meter. */
struct trace_batch {
    struct trace_sample *samples;
    size_t count, capacity;
};

/* `channels` are borrowed and must outlive the account. NULL: out of memory. */
struct account *account_open(const struct channel *channels, size_t count, double rate_hz);
void account_close(struct account *account);

/* A reading of channels[first .. first + count): values as meter_read gives them, NAN for no reading. `trace`
 * may be NULL. */
void account_add(struct account *account, size_t first, size_t count, const struct meter_reading *reading,
                 struct trace_batch *trace);

/* Opens a window at an instant; returns its number (0, 1, …; released ones again first) or -1 at
 * ACCOUNT_WINDOWS_MOST or without memory.
 * The first is the run, and its begin is the zero of all times given out. */
int64_t account_begin(struct account *account, int64_t boot_ns);
void account_end(struct account *account, int64_t window, int64_t boot_ns);

/* The instant at which the first window began; 0 before. */
int64_t account_start_ns(struct account *account);

/* Ends the run: no reading comes any more. Windows still open end then, and what no reading covers is a gap.
 */
void account_finish(struct account *account, int64_t boot_ns);

/* After account_finish: energies[0..channels) of a window. */
void account_energies(struct account *account, int64_t window, struct channel_energy *energies);
/* The same while the account goes on, of a window that has ended, as far as is known now: an edge that no
 * reading has reached is not known, unless the counter was seen standing still there, within its update
 * period or on its way to being stuck: it is then taken as it stands, with an uncertainty to match. A window
 * shorter than the channel's update period, or in which a counter that never rests did not move, is not
 * known. */
void account_energies_now(struct account *account, int64_t window, struct channel_energy *energies);
/* Whether readings have reached both edges of a window in every channel: account_energies_now gives then what
 * account_energies would. */
bool account_is_settled(struct account *account, int64_t window);
/* Forgets a window but the first; its number may be given again by account_begin. */
void account_release(struct account *account, int64_t window);

/* After account_finish: hands over the gaps (the caller frees them and their reasons). `*unlisted` counts
 * those beyond the limit. */
struct gap *account_take_gaps(struct account *account, size_t *count, size_t *unlisted);
/* Readings of a channel that were left out as absurd while the ones around them fitted together. */
uint64_t account_left_out(struct account *account, size_t channel);

#endif
