#include "joulery.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "mark/mark.h"
#include "meter/machine.h"
#include "record/compare.h"
#include "record/host.h"
#include "record/measurement.h"
#include "record/parts.h"
#include "record/registry.h"
#include "record/remarks.h"
#include "record/windows.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT          __attribute__((visibility("default")))
#define LISTED_MOST     10000
#define NAME_BYTES_MOST 256
#define SLOT_BITS       20 /* more than ACCOUNT_WINDOWS_MOST */
#define UNLISTED        (-1)

struct open_window {
    int64_t number; /* as given out; 0: free */
    int64_t account;
    int64_t listed; /* position in record.windows, or UNLISTED */
    char *name;
    int64_t index, begin_ns;
    pthread_t thread;
    size_t next_free;
};

struct joulery {
    pid_t owner;
    struct registry *registry;
    struct measurement *measurement; /* NULL: another recorder measures for us */
    struct mark_sender *sender;      /* to it, guarded by `lock`; NULL also where it takes no marks */
    struct joulery_channel *channels;
    char *json_path;
    int64_t start_ns;
    pthread_mutex_t lock; /* guards what follows */
    struct record record; /* its channels do not change after opening */
    struct open_window *windows;
    size_t count, free; /* free: position of a free one; count: none */
    int64_t sequence;
    uint64_t unlisted;
};

static int fail(char **to, struct error *error)
{
    if (to) {
        *to = error->message;
        error->message = NULL;
    }
    error_clear(error);
    return -1;
}

static int check_handle(const struct joulery *joulery, struct error *error)
{
    if (!joulery)
        return error_set(error, "joulery: expected a handle that joulery_open gave, found NULL");
    if (joulery->owner == getpid())
        return 0;
    return error_set(error, "joulery: opened by process %lld, this is its fork %lld: open another here",
                     (long long)joulery->owner, (long long)getpid());
}

static int check_name(const char *what, const char *name, struct error *error)
{
    size_t length = name ? strnlen(name, NAME_BYTES_MOST + 1) : 0;
    if (length < 1 || length > NAME_BYTES_MOST)
        return error_set(error, "joulery: expected 1 to %d bytes as the name of a %s, found %s",
                         NAME_BYTES_MOST, what, length ? "more" : "none");
    AUTO_FREE char *clean = text_utf8(name, length);
    if (!clean)
        return error_memory(error, "joulery: a name");
    if (strcmp(clean, name) != 0)
        return error_set(error, "joulery: expected UTF-8 as the name of a %s, found '%s'", what, clean);
    return 0;
}

/* ---- opening ---- */

static int describe_channels(struct joulery *joulery, struct error *error)
{
    const struct record *record = &joulery->record;
    joulery->channels = calloc(record->channel_count + 1, sizeof *joulery->channels);
    if (!joulery->channels)
        return error_memory(error, "joulery");
    for (size_t i = 0; i < record->channel_count; i++) {
        const struct channel *from = &record->channels[i];
        joulery->channels[i] = (struct joulery_channel){.meter = from->meter,
                                                        .name = from->name,
                                                        .scope = channel_scope_name(from->scope),
                                                        .kind = channel_kind_name(from->kind),
                                                        .part_of = from->part_of,
                                                        .apart = from->apart,
                                                        .resolution = from->resolution,
                                                        .update_s = from->update_s,
                                                        .accuracy = from->accuracy,
                                                        .accuracy_source = from->accuracy_source};
    }
    return 0;
}

/* A handle more of this process measures for itself: marks can't be sent to the first. Before the instruments
 * are opened, which may take longer than other ranks wait for an answer. True: another recorder measures. */
static bool join_another(struct joulery *joulery, bool apart)
{
    AUTO_FREE char *job = registry_job(environ);
    struct registry_options entry = {.job = job, .apart = apart};
    struct registry_peer peer;
    joulery->registry = registry_enter(&entry, &peer);
    if (peer.role == REGISTRY_JOINED && peer.pid == joulery->owner) {
        registry_peer_free(&peer);
        entry.apart = true;
        joulery->registry = registry_enter(&entry, &peer);
    }
    bool joined = peer.role == REGISTRY_JOINED;
    char *note = joined ? NULL : registry_note(&peer);
    if (note)
        record_note(&joulery->record, note);
    if (joined)
        joulery->sender = mark_sender_open_to(peer.marks);
    registry_peer_free(&peer);
    return joined;
}

/* The program's signals are for its own threads. */
static int start_threads(struct measurement *measurement, struct error *error)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = measurement_start(measurement, error);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

#define COMMAND_BYTES_MOST (1U << 21) /* Linux allows no more arguments on most machines (execve(2)) */

/* This program's own words, of proc(5). A document without them is better than none. */
static void describe_command(struct record *record)
{
    struct error ignored = ERROR_INIT;
    size_t size = 0;
    AUTO_FREE char *words = file_read("/proc/self/cmdline", COMMAND_BYTES_MOST, &size, &ignored);
    error_clear(&ignored);
    size_t count = 0;
    for (size_t i = 0; words && i < size; i++)
        count += words[i] == 0;
    record->command = count ? calloc(count + 1, sizeof *record->command) : NULL;
    for (const char *word = words; record->command && record->command_count < count;
         word += strlen(word) + 1) {
        char *copy = strdup(word);
        if (!copy)
            return;
        record->command[record->command_count++] = copy;
    }
}

static int measure_with(struct joulery *joulery, const struct joulery_options *options,
                        const struct meter_setup *setup, struct error *error)
{
    const struct measurement_options measured = {.setup = setup,
                                                 .meters = options->meters,
                                                 .meter_count = options->meter_count,
                                                 .rate_hz = options->rate_hz};
    struct record *record = &joulery->record;
    joulery->measurement = measurement_open(&measured, record, error);
    if (!joulery->measurement || describe_channels(joulery, error) < 0 ||
        start_threads(joulery->measurement, error) < 0)
        return -1;
    if (joulery->json_path && host_describe(setup, &record->host, error) < 0)
        return -1;
    if (joulery->json_path)
        describe_command(record);
    record->started_wall_ns = clock_wall_ns();
    return windows_start(record, measurement_account(joulery->measurement), joulery->start_ns, error);
}

static int measure(struct joulery *joulery, const struct joulery_options *options, struct error *error)
{
    struct machine machine = {0};
    const struct meter_setup setup = {.tdp_w = options->tdp_w, .machine = &machine};
    int result = measure_with(joulery, options, &setup, error);
    machine_free(&machine);
    return result;
}

static int check_meters(const struct joulery_options *options, struct error *error)
{
    for (size_t i = 0; i < options->meter_count; i++)
        if (!options->meters || !options->meters[i])
            return error_set(error,
                             "joulery: expected the names of %zu instruments, found NULL as number %zu",
                             options->meter_count, i + 1);
    return 0;
}

static int check_options(const struct joulery_options *options, struct error *error)
{
    if (options->size != sizeof *options)
        return error_set(error,
                         "joulery: expected size %zu in the options, found %zu: set it to sizeof, and build "
                         "with the library's own header",
                         sizeof *options, options->size);
    if (!(options->rate_hz >= 0 && options->rate_hz <= 1000))
        return error_set(error, "joulery: expected a rate of 0 to 1000 a second, found %g", options->rate_hz);
    if (!(options->tdp_w >= 0 && options->tdp_w <= 1e5))
        return error_set(error, "joulery: expected 0 to 100000 W of thermal design power, found %g",
                         options->tdp_w);
    if (check_meters(options, error) < 0)
        return -1;
    return options->json_path ? file_check_writable(options->json_path, error) : 0;
}

static void free_all(struct joulery *joulery)
{
    measurement_close(joulery->measurement);
    registry_leave(joulery->registry);
    mark_sender_close(joulery->sender);
    for (size_t i = 0; i < joulery->count; i++)
        free(joulery->windows[i].name);
    free(joulery->windows);
    free(joulery->channels);
    free(joulery->json_path);
    record_free(&joulery->record);
    pthread_mutex_destroy(&joulery->lock);
    free(joulery);
}

EXPORT const char *joulery_version(void)
{
    return JOULERY_VERSION;
}

EXPORT struct joulery *joulery_open(const struct joulery_options *options, char **error)
{
    static const struct joulery_options defaults = {.size = sizeof defaults};
    struct error reason = ERROR_INIT;
    struct joulery *joulery = NULL;
    options = options ? options : &defaults;
    if (check_options(options, &reason) < 0)
        goto failed;
    joulery = calloc(1, sizeof *joulery);
    if (!joulery) {
        error_memory(&reason, "joulery");
        goto failed;
    }
    pthread_mutex_init(&joulery->lock, NULL);
    joulery->owner = getpid();
    joulery->start_ns = clock_boot_ns();
    joulery->json_path = options->json_path ? strdup(options->json_path) : NULL;
    if (options->json_path && !joulery->json_path) {
        error_memory(&reason, "joulery");
        goto failed;
    }
    if (join_another(joulery, options->measure_anyway) || measure(joulery, options, &reason) == 0)
        return joulery;
failed:
    fail(error, &reason);
    if (joulery)
        free_all(joulery);
    return NULL;
}

EXPORT const struct joulery_channel *joulery_channels(const struct joulery *joulery, size_t *count)
{
    if (count)
        *count = joulery ? joulery->record.channel_count : 0;
    return joulery ? joulery->channels : NULL;
}

/* ---- windows ---- */

static struct open_window *find_window(struct joulery *joulery, int64_t number)
{
    size_t slot = (size_t)(number & ((1 << SLOT_BITS) - 1));
    bool open = number > 0 && slot < joulery->count && joulery->windows[slot].number == number;
    return open ? &joulery->windows[slot] : NULL;
}

static struct open_window *take_slot(struct joulery *joulery)
{
    if (joulery->free == joulery->count) {
        size_t count = joulery->count ? 2 * joulery->count : 16;
        struct open_window *windows =
            count <= (size_t)1 << SLOT_BITS ? realloc(joulery->windows, count * sizeof *windows) : NULL;
        if (!windows)
            return NULL;
        for (size_t i = joulery->count; i < count; i++)
            windows[i] = (struct open_window){.next_free = i + 1};
        joulery->windows = windows;
        joulery->count = count;
    }
    size_t slot = joulery->free;
    struct open_window *window = &joulery->windows[slot];
    joulery->free = window->next_free;
    window->number = ++joulery->sequence << SLOT_BITS | (int64_t)slot;
    return window;
}

static void free_slot(struct joulery *joulery, struct open_window *window)
{
    free(window->name);
    *window = (struct open_window){.next_free = joulery->free};
    joulery->free = (size_t)(window - joulery->windows);
}

/* What the same thread has open, innermost; else the run. */
static int64_t parent_of(const struct joulery *joulery, const struct open_window *window)
{
    int64_t parent = 0;
    for (size_t i = 0; i < joulery->count; i++) {
        const struct open_window *other = &joulery->windows[i];
        bool around = other != window && other->number && pthread_equal(other->thread, window->thread);
        if (around && other->listed > parent)
            parent = other->listed;
    }
    return parent;
}

/* Windows grow as in windows.c: their count tells the capacity. */
static int64_t list_window(struct joulery *joulery, const struct open_window *window)
{
    struct record *record = &joulery->record;
    size_t count = record->window_count;
    if (!joulery->json_path)
        return UNLISTED;
    char *name = count <= LISTED_MOST ? strdup(window->name) : NULL;
    struct channel_energy *energies = name ? calloc(record->channel_count + 1, sizeof *energies) : NULL;
    struct window *windows = record->windows;
    if (energies && (count & (count - 1)) == 0)
        windows = realloc(windows, 2 * count * sizeof *windows);
    if (!energies || !windows) {
        free(name);
        free(energies);
        joulery->unlisted++;
        return UNLISTED;
    }
    record->windows = windows;
    windows[count] = (struct window){.name = name,
                                     .index = window->index,
                                     .parent = parent_of(joulery, window),
                                     .start_s = (double)(window->begin_ns - joulery->start_ns) / NS_PER_S,
                                     .energies = energies};
    return (int64_t)record->window_count++;
}

static int begin_locked(struct joulery *joulery, const char *name, int64_t index, int64_t now_ns,
                        int64_t *number, struct error *error)
{
    struct open_window *window = take_slot(joulery);
    char *copy = window ? strdup(name) : NULL;
    if (!copy) {
        if (window)
            free_slot(joulery, window);
        return error_memory(error, "joulery: a window");
    }
    window->name = copy;
    window->index = index;
    window->begin_ns = now_ns;
    window->thread = pthread_self();
    window->listed = UNLISTED;
    *number = window->number;
    if (!joulery->measurement) {
        mark_send(joulery->sender,
                  &(struct mark){.kind = MARK_BEGIN, .window = name, .index = index, .boot_ns = now_ns});
        return 0;
    }
    window->account = account_begin(measurement_account(joulery->measurement), now_ns);
    if (window->account < 0) {
        free_slot(joulery, window);
        return error_set(error, "joulery: no room for a window more: %d at once are the most, end some",
                         ACCOUNT_WINDOWS_MOST - 1);
    }
    window->listed = list_window(joulery, window);
    return 0;
}

EXPORT int64_t joulery_begin(struct joulery *joulery, const char *name, int64_t index, char **error)
{
    struct error reason = ERROR_INIT;
    int64_t number = 0;
    int result = check_handle(joulery, &reason);
    if (result == 0)
        result = check_name("window", name, &reason);
    if (result == 0 && index < 0)
        result = error_set(
            &reason, "joulery: expected a whole number from 0 on as the index of window '%s', found %lld",
            name, (long long)index);
    if (result == 0) {
        pthread_mutex_lock(&joulery->lock);
        result = begin_locked(joulery, name, index, clock_boot_ns(), &number, &reason);
        pthread_mutex_unlock(&joulery->lock);
    }
    if (result < 0) {
        fail(error, &reason);
        return 0;
    }
    if (joulery->measurement)
        measurement_read(joulery->measurement, false);
    return number;
}

static void give_totals(const struct joulery *joulery, const struct channel_energy *found, double wall_s,
                        struct joulery_totals *totals)
{
    struct energy_totals sum = energy_totals(joulery->record.channels, found, joulery->record.channel_count);
    *totals = (struct joulery_totals){.wall_s = wall_s,
                                      .software_j = sum.software_j,
                                      .software_uncertainty_j = sum.software_uncertainty_j,
                                      .hardware_j = sum.hardware_j,
                                      .hardware_uncertainty_j = sum.hardware_uncertainty_j,
                                      .estimated = sum.estimated};
}

static void give_energies(const struct channel_energy *found, size_t count, double wall_s,
                          struct joulery_energy *energies)
{
    for (size_t i = 0; i < count; i++) {
        double covered_s = wall_s - found[i].gap_s;
        bool known = found[i].known && covered_s > 0;
        energies[i] = (struct joulery_energy){.energy_j = known ? found[i].energy_j : NAN,
                                              .uncertainty_j = known ? found[i].uncertainty_j : NAN,
                                              .mean_w = known ? found[i].energy_j / covered_s : NAN,
                                              .gap_s = found[i].gap_s};
    }
}

/* Takes the window out of the table, so that nobody else can end it. */
static int take_window(struct joulery *joulery, int64_t number, int64_t now_ns, struct open_window *taken,
                       struct error *error)
{
    pthread_mutex_lock(&joulery->lock);
    struct open_window *window = find_window(joulery, number);
    int result = 0;
    if (window) {
        *taken = *window;
        window->name = NULL;
        free_slot(joulery, window);
        if (joulery->measurement)
            account_end(measurement_account(joulery->measurement), taken->account, now_ns);
        else
            mark_send(joulery->sender,
                      &(struct mark){
                          .kind = MARK_END, .window = taken->name, .index = taken->index, .boot_ns = now_ns});
    } else {
        result = error_set(error, "joulery: window %lld is not open: it has ended, or never began",
                           (long long)number);
    }
    pthread_mutex_unlock(&joulery->lock);
    return result;
}

static void list_energies(struct joulery *joulery, int64_t listed, const struct channel_energy *found,
                          double wall_s)
{
    if (listed == UNLISTED)
        return;
    pthread_mutex_lock(&joulery->lock);
    struct window *window = &joulery->record.windows[listed];
    memcpy(window->energies, found, joulery->record.channel_count * sizeof *found);
    window->wall_s = wall_s;
    window->complete = true;
    pthread_mutex_unlock(&joulery->lock);
}

EXPORT int joulery_end(struct joulery *joulery, int64_t number, struct joulery_totals *totals,
                       struct joulery_energy *energies, char **error)
{
    struct error reason = ERROR_INIT;
    struct open_window window = {0};
    int64_t now_ns = clock_boot_ns();
    if (check_handle(joulery, &reason) < 0 || take_window(joulery, number, now_ns, &window, &reason) < 0)
        return fail(error, &reason);
    free(window.name);
    double wall_s = (double)(now_ns - window.begin_ns) / NS_PER_S;
    if (!joulery->measurement) {
        if (totals)
            *totals = (struct joulery_totals){wall_s, NAN, NAN, NAN, NAN, .recorded_elsewhere = 1};
        return 0;
    }
    struct account *account = measurement_account(joulery->measurement);
    if (!totals && !energies && window.listed == UNLISTED) {
        account_release(account, window.account);
        return 0;
    }
    measurement_read(joulery->measurement, true);
    struct channel_energy *found = calloc(joulery->record.channel_count + 1, sizeof *found);
    if (!found) {
        account_release(account, window.account);
        error_memory(&reason, "joulery: energies");
        return fail(error, &reason);
    }
    account_so_far(account, window.account, found);
    account_release(account, window.account);
    list_energies(joulery, window.listed, found, wall_s);
    if (totals)
        give_totals(joulery, found, wall_s, totals);
    if (energies)
        give_energies(found, joulery->record.channel_count, wall_s, energies);
    free(found);
    return 0;
}

/* ---- marks ---- */

static int keep_metric(struct window *window, const char *name, double value, struct error *error)
{
    for (size_t i = 0; i < window->metric_count; i++) {
        if (strcmp(window->metrics[i].name, name) == 0) {
            window->metrics[i].value = value;
            return 0;
        }
    }
    if (window->metric_count >= MARK_METRICS_MOST)
        return error_set(error, "joulery: a window holds at most %d metrics", MARK_METRICS_MOST);
    struct metric *metrics = realloc(window->metrics, (window->metric_count + 1) * sizeof *metrics);
    char *copy = metrics ? strdup(name) : NULL;
    if (metrics)
        window->metrics = metrics;
    if (!copy)
        return error_memory(error, "joulery: a metric");
    metrics[window->metric_count++] = (struct metric){copy, value};
    return 0;
}

static int mark_locked(struct joulery *joulery, int64_t number, const char *name, double value,
                       struct error *error)
{
    const struct open_window *window = number ? find_window(joulery, number) : NULL;
    if (number && !window)
        return error_set(error, "joulery: window %lld is not open: say its metrics before its end",
                         (long long)number);
    if (!joulery->measurement) {
        const struct mark_metric metric = {name, value};
        mark_send(joulery->sender, &(struct mark){.kind = MARK_METRIC,
                                                  .window = window ? window->name : NULL,
                                                  .index = window ? window->index : 0,
                                                  .metrics = &metric,
                                                  .metric_count = 1});
        return 0;
    }
    int64_t listed = window ? window->listed : 0;
    return listed == UNLISTED ? 0 : keep_metric(&joulery->record.windows[listed], name, value, error);
}

EXPORT int joulery_mark(struct joulery *joulery, int64_t window, const char *metric, double value,
                        char **error)
{
    struct error reason = ERROR_INIT;
    if (check_handle(joulery, &reason) < 0 || check_name("metric", metric, &reason) < 0)
        return fail(error, &reason);
    if (!isfinite(value)) {
        error_set(&reason, "joulery: expected a finite number as metric '%s', found %g", metric, value);
        return fail(error, &reason);
    }
    pthread_mutex_lock(&joulery->lock);
    int result = mark_locked(joulery, window, metric, value, &reason);
    pthread_mutex_unlock(&joulery->lock);
    return result < 0 ? fail(error, &reason) : 0;
}

static char *check_text(const char *text, struct error *error)
{
    if (!text || !text[0]) {
        error_set(error, "joulery: expected words as a note, found none");
        return NULL;
    }
    char *clean = text_utf8(text, strlen(text));
    if (!clean)
        error_memory(error, "joulery: a note");
    return clean;
}

EXPORT int joulery_note(struct joulery *joulery, const char *text, char **error)
{
    struct error reason = ERROR_INIT;
    char *clean = check_handle(joulery, &reason) == 0 ? check_text(text, &reason) : NULL;
    if (!clean)
        return fail(error, &reason);
    pthread_mutex_lock(&joulery->lock);
    if (joulery->measurement) {
        record_note(&joulery->record, clean);
    } else {
        mark_send(joulery->sender, &(struct mark){.kind = MARK_NOTE, .text = clean});
        free(clean);
    }
    pthread_mutex_unlock(&joulery->lock);
    return 0;
}

/* ---- closing ---- */

static void complete(struct joulery *joulery)
{
    struct record *record = &joulery->record;
    struct account *account = measurement_account(joulery->measurement);
    int64_t end_ns = clock_boot_ns();
    measurement_stop(joulery->measurement);
    account_finish(account, end_ns);
    record->wall_s = record->windows[0].wall_s = (double)(end_ns - joulery->start_ns) / NS_PER_S;
    record->windows[0].complete = true;
    account_energies(account, 0, record->windows[0].energies);
    for (size_t i = 0; i < joulery->count; i++) {
        const struct open_window *open = &joulery->windows[i];
        if (!open->number || open->listed == UNLISTED)
            continue;
        record->windows[open->listed].wall_s = (double)(end_ns - open->begin_ns) / NS_PER_S;
        account_energies(account, open->account, record->windows[open->listed].energies);
    }
    size_t gaps_unlisted;
    record->gaps = account_take_gaps(account, &record->gap_count, &gaps_unlisted);
    if (gaps_unlisted)
        record_note(record, text_format("%zu more gaps are not listed", gaps_unlisted));
    if (joulery->unlisted)
        record_note(record,
                    text_format("%llu more windows are not listed", (unsigned long long)joulery->unlisted));
    remarks_add(record, account, joulery->registry);
    compare_twins(record);
    parts_check(record);
}

/* A program that measures itself has not ended yet, and what measuring costs it is not known apart from the
 * rest. */
static int write_document(struct joulery *joulery, struct error *error)
{
    json_t *json = record_to_json(&joulery->record);
    int failed = !json || json_object_set_new(json, "end", json_null()) < 0 ||
                 json_object_set_new(json, "exit_status", json_null()) < 0 ||
                 json_object_set_new(json, "emissions", json_null()) < 0 ||
                 json_object_set_new(json_object_get(json, "recorder"), "cpu_s", json_null()) < 0 ||
                 json_object_set_new(json_object_get(json, "recorder"), "peak_rss_bytes", json_null()) < 0;
    char *bytes = failed ? NULL : json_dumps(json, JSON_INDENT(1));
    json_decref(json);
    int result =
        bytes ? file_write(joulery->json_path, bytes, strlen(bytes), error) : error_memory(error, "document");
    free(bytes);
    return result;
}

EXPORT int joulery_close(struct joulery *joulery, char **error)
{
    struct error reason = ERROR_INIT;
    if (!joulery)
        return 0;
    if (check_handle(joulery, &reason) < 0)
        return fail(error, &reason);
    int result = 0;
    if (joulery->json_path && joulery->measurement) {
        complete(joulery);
        result = write_document(joulery, &reason);
    }
    free_all(joulery);
    return result < 0 ? fail(error, &reason) : 0;
}

EXPORT void joulery_free(char *error)
{
    free(error);
}
