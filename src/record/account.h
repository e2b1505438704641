/* account.h: the energy account of one run: readings in, joules by window out.
 *
 * Each channel is kept as its trusted energy over time; a window's energy is the difference at its two edges,
 * each interpolated between the readings beside it. Wraps are unwrapped; what cannot be trusted becomes a
 * gap. Nothing here knows a clock or a thread of its own: a day can be replayed in a second. docs/method.md
 * has the formulas.
 *
 * Thread-safe: a mutex inside guards everything. Memory does not grow with time, only with windows and gaps,
 * and both have limits. lane.h is one channel's part of it. */
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
 * ACCOUNT_WINDOWS_MOST or without memory. The first is the run, and its begin is the zero of all times given
 * out. */
int64_t account_begin(struct account *account, int64_t boot_ns);
void account_end(struct account *account, int64_t window, int64_t boot_ns);

/* The instant at which the first window began; 0 before. */
int64_t account_start_ns(struct account *account);

/* Ends the run: no reading comes any more. Windows still open end then, and what no reading covers is a gap.
 */
void account_finish(struct account *account, int64_t boot_ns);

/* energies[0..channels) of a window at any time, as far as is known: of one that has ended, once readings
 * have reached its end; of one still open, up to each channel's newest reading. An edge that no reading has
 * reached but at which a live counter was seen standing still is taken as the counter stands, with an
 * uncertainty to match. Not known in a channel whose update period is longer than the window, or that never
 * rests (a live counter, a model) and has not moved in it. */
void account_so_far(struct account *account, int64_t window, struct channel_energy *energies);
/* Forgets a window but the first; its number may be given again by account_begin. */
void account_release(struct account *account, int64_t window);

/* After account_finish: energies[0..channels) of a window. */
void account_energies(struct account *account, int64_t window, struct channel_energy *energies);

/* After account_finish: hands over the gaps (the caller frees them and their reasons). `*unlisted` counts
 * those beyond the limit. */
struct gap *account_take_gaps(struct account *account, size_t *count, size_t *unlisted);
/* Readings of a channel that were left out as absurd while the ones around them fitted together. */
uint64_t account_left_out(struct account *account, size_t channel);
/* How long the machine was suspended, as far as readings saw it, since the first window began. */
double account_asleep_s(struct account *account);

#endif
