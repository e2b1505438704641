#include "record/windows.h"

#include "base/clock.h"
#include "base/text.h"
#include "record/sheets.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* While a window is open its wall_s is this; windows_finish leaves none. */
#define STILL_OPEN (-1.0)

/* How far from its arrival the time in a mark may lie and be believed. */
#define TRUSTED_NS (ACCOUNT_HISTORY_NS / 2)

static bool is_open(const struct window *window)
{
    return window->wall_s < 0;
}

static bool is_called(const struct window *window, const char *name, int64_t index)
{
    return window->index == index && strcmp(window->name, name) == 0;
}

/* Ending a window ends all that began after it, so the open ones are a stack: the newest window and what
 * encloses it, less those that are closed. The run stays open. */
static int64_t innermost_open(const struct record *record)
{
    int64_t at = (int64_t)record->window_count - 1;
    while (!is_open(&record->windows[at]))
        at = record->windows[at].parent;
    return at;
}

/* -1: none of that name is open. The run is never meant. */
static int64_t find_open(const struct record *record, const char *name, int64_t index)
{
    int64_t at = innermost_open(record);
    while (at > 0 && !is_called(&record->windows[at], name, index))
        at = record->windows[at].parent;
    return at > 0 ? at : -1;
}

/* An open one, or the latest, for metrics that come after the end; -1: there is none, or too long ago. */
static int64_t find_any(const struct record *record, const char *name, int64_t index)
{
    int64_t at = find_open(record, name, index);
    size_t most = record->window_count;
    for (size_t back = 1; at < 0 && back <= most && back <= WINDOWS_LOOKED_BACK; back++)
        if (is_called(&record->windows[most - back], name, index))
            at = (int64_t)(most - back);
    return at;
}

/* Windows grow in steps of powers of two, so that their count tells the capacity. */
static struct window *add_window(struct record *record)
{
    size_t count = record->window_count;
    if ((count & (count - 1)) == 0) {
        struct window *windows = realloc(record->windows, (count ? count * 2 : 1) * sizeof *windows);
        if (!windows)
            return NULL;
        record->windows = windows;
    }
    struct window *window = &record->windows[count];
    *window = (struct window){.wall_s = STILL_OPEN};
    return window;
}

/* False: there is no room for so many bytes of a mark's. */
static bool take_text(struct record *record, size_t bytes)
{
    if (bytes > WINDOWS_TEXT_MOST - record->marks_text_bytes)
        return false;
    record->marks_text_bytes += bytes;
    return true;
}

static size_t depth_of(const struct record *record, int64_t at)
{
    size_t depth = 0;
    for (; at >= 0; at = record->windows[at].parent)
        depth++;
    return depth;
}

static double seconds_of_run(const struct record *record, int64_t run_ns, int64_t boot_ns)
{
    return record->window_count ? (double)(boot_ns - run_ns) / NS_PER_S : 0;
}

static int no_room_for_text(struct error *error)
{
    return error_set(error, "mark: no room for a name or metric more: %u MiB are the most, mark fewer",
                     WINDOWS_TEXT_MOST >> 20);
}

static int begin(struct record *record, struct account *account, const char *name, int64_t index,
                 int64_t run_ns, int64_t boot_ns, struct error *error)
{
    int64_t parent = record->window_count ? innermost_open(record) : -1;
    if (depth_of(record, parent) > WINDOWS_DEPTH_MOST)
        return error_set(error, "mark: windows nest %d deep already, which is the most: end some",
                         WINDOWS_DEPTH_MOST);
    if (!take_text(record, strlen(name) + 1))
        return no_room_for_text(error);
    char *copy = strdup(name);
    struct channel_energy *energies = calloc(record->channel_count + 1, sizeof *energies);
    struct window *window = copy && energies ? add_window(record) : NULL;
    int64_t number = window ? account_begin(account, boot_ns) : -1;
    if (number < 0) {
        free(copy);
        free(energies);
        record->marks_text_bytes -= strlen(name) + 1;
        return error_set(error, "mark: no room for a window more: %zu are the most, mark fewer",
                         record->window_count);
    }
    window->name = copy;
    window->energies = energies;
    window->index = index;
    window->parent = parent;
    window->start_s = seconds_of_run(record, run_ns, boot_ns);
    record->window_count++;
    return 0;
}

int windows_start(struct record *record, struct account *account, int64_t boot_ns, struct error *error)
{
    return begin(record, account, "run", 0, boot_ns, boot_ns, error);
}

static int set_metric(struct record *record, struct window *window, const struct mark_metric *metric,
                      struct error *error)
{
    for (size_t i = 0; i < window->metric_count; i++) {
        if (strcmp(window->metrics[i].name, metric->name) == 0) {
            window->metrics[i].value = metric->value;
            return 0;
        }
    }
    if (window->metric_count >= MARK_METRICS_MOST)
        return error_set(error, "mark: a window holds at most %d metrics", MARK_METRICS_MOST);
    if (!take_text(record, sizeof *window->metrics + strlen(metric->name) + 1))
        return no_room_for_text(error);
    struct metric *metrics = realloc(window->metrics, (window->metric_count + 1) * sizeof *metrics);
    if (!metrics)
        return error_memory(error, "mark");
    window->metrics = metrics;
    char *name = strdup(metric->name);
    if (!name)
        return error_memory(error, "mark");
    window->metrics[window->metric_count++] = (struct metric){name, metric->value};
    return 0;
}

static int set_metrics(struct record *record, int64_t window, const struct mark *mark, struct error *error)
{
    for (size_t i = 0; i < mark->metric_count; i++)
        if (set_metric(record, &record->windows[window], &mark->metrics[i], error) < 0)
            return -1;
    return 0;
}

/* Ends a window and those still open inside it: what is inside cannot outlast it. */
static void end(struct record *record, struct account *account, int64_t number, double end_s, int64_t boot_ns)
{
    for (size_t i = record->window_count; i-- > (size_t)number;) {
        struct window *window = &record->windows[i];
        if (!is_open(window))
            continue;
        window->wall_s = fmax(end_s - window->start_s, 0);
        window->complete = i == (size_t)number;
        account_end(account, (int64_t)i, boot_ns);
    }
}

/* A mark's own time, unless it lies outside what the account still knows. */
static int64_t time_of(const struct mark *mark, int64_t run_ns, int64_t now_ns)
{
    int64_t boot_ns = mark->boot_ns;
    if (boot_ns == 0 || boot_ns > now_ns || boot_ns < now_ns - TRUSTED_NS)
        boot_ns = now_ns;
    return boot_ns > run_ns ? boot_ns : run_ns;
}

int windows_apply(struct record *record, struct account *account, const struct mark *mark, int64_t now_ns,
                  struct error *error)
{
    int64_t run_ns = account_start_ns(account);
    int64_t boot_ns = time_of(mark, run_ns, now_ns);
    int64_t window = innermost_open(record);
    switch (mark->kind) {
    case MARK_NOTE:
        if (record->marks_notes >= WINDOWS_NOTES_MOST)
            return error_set(error, "mark: no room for a note more: %d are the most", WINDOWS_NOTES_MOST);
        record->marks_notes++;
        record_note(record, strdup(mark->text));
        return 0;
    case MARK_BEGIN:
        if (begin(record, account, mark->window, mark->index, run_ns, boot_ns, error) < 0)
            return -1;
        return set_metrics(record, (int64_t)record->window_count - 1, mark, error);
    case MARK_END:
        window = find_open(record, mark->window, mark->index);
        if (window < 0)
            return error_set(error, "mark: end of %s %lld, which is not open", mark->window,
                             (long long)mark->index);
        end(record, account, window, seconds_of_run(record, run_ns, boot_ns), boot_ns);
        return set_metrics(record, window, mark, error);
    case MARK_METRIC:
        if (mark->window)
            window = find_any(record, mark->window, mark->index);
        if (window < 0)
            return error_set(error, "mark: metric of %s %lld, which never began", mark->window,
                             (long long)mark->index);
        return set_metrics(record, window, mark, error);
    }
    return error_set(error, "mark: of no known kind");
}

/* Which channels some window was too short for; the account widened their intervals. */
static void note_unresolved(struct record *record)
{
    for (size_t c = 0; c < record->channel_count; c++) {
        const struct channel *channel = &record->channels[c];
        size_t shorter = 0;
        for (size_t i = 0; i < record->window_count; i++)
            shorter += record->windows[i].energies && record->windows[i].energies[c].known &&
                       !channel_resolves(channel, record->windows[i].wall_s);
        if (shorter)
            record_note(record,
                        text_format("%s/%s: %zu of %zu windows are shorter than it can resolve: their "
                                    "uncertainty is at least 58 %%",
                                    channel->meter, channel->name, shorter, record->window_count));
    }
}

int windows_finish(struct record *record, struct account *account, int64_t boot_ns, struct error *error)
{
    if (record->window_count == 0)
        return error_set(error, "the run never began");
    double end_s = seconds_of_run(record, account_start_ns(account), boot_ns);
    for (size_t i = 0; i < record->window_count; i++) {
        struct window *window = &record->windows[i];
        if (is_open(window))
            window->wall_s = fmax(end_s - window->start_s, 0);
        account_energies(account, (int64_t)i, window->energies);
    }
    note_unresolved(record);
    record->windows[0].complete = true;
    return 0;
}

void record_note(struct record *record, char *note)
{
    char **notes = NULL;
    if (note && record->note_count < RECORD_NOTES_MOST)
        notes = realloc(record->notes, (record->note_count + 1) * sizeof *notes);
    if (!notes) {
        free(note);
        return;
    }
    record->notes = notes;
    record->notes[record->note_count++] = note;
}
