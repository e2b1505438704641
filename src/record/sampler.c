#include "record/sampler.h"

#include "base/clock.h"
#include "record/privileges.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Marks may come in floods; readings at marks do not come closer than this. */
#define SPACING_NS        (NS_PER_S / 1000)
#define QUICK_NS          (NS_PER_S / 10000)
#define TRACE_BLOCK       512
#define TRACE_PATIENCE_NS (2 * NS_PER_S)

/* Readings are worked off together: a thread that just woke finds nothing in its caches, and the account is
 * the most of what a reading touches. Nobody waits longer than this for one to be accounted. */
#define KEPT_MOST_NS (NS_PER_S / 20)

struct sampler {
    struct account *account;
    size_t first, count;
    struct trace_sink *sink;
    pthread_t thread;
    int timers[2], wake;
    int64_t start_ns, period_ns;
    atomic_bool finish;
    bool late;            /* the instrument's readings have times of their own */
    pthread_mutex_t lock; /* guards what follows */
    struct meter *meter;
    struct meter_reading *kept; /* taken, not yet in the account */
    size_t kept_count, kept_capacity;
    double *values;             /* of all that may be kept */
    int64_t latest_ns, span_ns; /* of the latest reading */
    struct trace_batch trace;
    int64_t flushed_ns;
};

static void flush_trace(struct sampler *sampler)
{
    struct trace_sink *sink = sampler->sink;
    if (sampler->trace.count && sink->trace) {
        pthread_mutex_lock(&sink->lock);
        if (!sink->ended)
            sink->ended = sink->trace(sink->context, sampler->trace.samples, sampler->trace.count) < 0;
        pthread_mutex_unlock(&sink->lock);
    }
    sampler->trace.count = 0;
    sampler->flushed_ns = sampler->latest_ns;
}

static void account_one(struct sampler *sampler, const struct meter_reading *reading)
{
    account_add(sampler->account, sampler->first, sampler->count, reading,
                sampler->sink->trace ? &sampler->trace : NULL);
    bool full = sampler->trace.count + 2 * sampler->count > sampler->trace.capacity;
    int64_t patience_ns = sampler->sink->patience_ns ? sampler->sink->patience_ns : TRACE_PATIENCE_NS;
    if (full || reading->boot_ns - sampler->flushed_ns > patience_ns)
        flush_trace(sampler);
}

static void account_kept(struct sampler *sampler)
{
    for (size_t i = 0; i < sampler->kept_count; i++)
        account_one(sampler, &sampler->kept[i]);
    sampler->kept_count = 0;
}

static bool take_one(struct sampler *sampler)
{
    struct error error = ERROR_INIT;
    struct meter_reading *reading = &sampler->kept[sampler->kept_count++];
    if (meter_read(sampler->meter, reading, &error) < 0)
        for (size_t i = 0; i < sampler->count; i++)
            reading->values[i] = NAN; /* the account makes a gap of it */
    error_clear(&error);
    sampler->latest_ns = sampler->late ? clock_boot_ns() : reading->boot_ns;
    sampler->span_ns = reading->span_ns;
    if (sampler->kept_count == sampler->kept_capacity)
        account_kept(sampler);
    return reading->news;
}

/* Of a late instrument all that has come. */
static void take_locked(struct sampler *sampler, bool account_now)
{
    while (take_one(sampler) && sampler->late)
        ;
    if (account_now)
        account_kept(sampler);
}

/* When it was taken. */
static int64_t take_reading(struct sampler *sampler, bool account_now)
{
    pthread_mutex_lock(&sampler->lock);
    take_locked(sampler, account_now);
    int64_t boot_ns = sampler->latest_ns;
    pthread_mutex_unlock(&sampler->lock);
    return boot_ns;
}

bool sampler_read(struct sampler *sampler, bool even_if_slow)
{
    if (even_if_slow)
        pthread_mutex_lock(&sampler->lock);
    else if (pthread_mutex_trylock(&sampler->lock) != 0)
        return false; /* someone reads it just now, and nobody knows for how long */
    bool taken = even_if_slow || sampler->span_ns < QUICK_NS;
    if (taken)
        take_locked(sampler, true);
    pthread_mutex_unlock(&sampler->lock);
    return taken;
}

/* ---- when ----
 *
 * At 1000 readings a second waiting costs more than reading. Two timers take turns: one alone would be
 * started again by each read and be the next to expire, so that the processor's timer would be set twice a
 * reading, each time an exit to the host in a virtual machine. Of two, the one just read is never next, and
 * the kernel has set the other when this one expired. It halves what the recorder takes. */

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

/* Timer 0 expires at the even periods from the start, timer 1 at the odd ones. */
static int start_timers(struct sampler *sampler, double rate_hz, struct error *error)
{
    sampler->period_ns = (int64_t)((double)NS_PER_S / rate_hz);
    sampler->start_ns = clock_boot_ns();
    sampler->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (size_t i = 0; i < 2; i++) {
        const struct itimerspec times = {
            .it_interval = timespec_of(2 * sampler->period_ns),
            .it_value = timespec_of(sampler->start_ns + (2 - (int64_t)i) * sampler->period_ns)};
        sampler->timers[i] = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
        if (sampler->wake < 0 || sampler->timers[i] < 0 ||
            timerfd_settime(sampler->timers[i], TFD_TIMER_ABSTIME, &times, NULL) < 0)
            return error_errno(error, errno, "sampler");
    }
    return 0;
}

/* Until the first period after `latest_ns` or a wake, which `*woken` tells. False: no reading is wanted any
 * more. */
static bool wait_for_turn(struct sampler *sampler, int64_t latest_ns, bool *woken)
{
    int64_t turn = (latest_ns - sampler->start_ns) / sampler->period_ns + 1;
    struct pollfd events[] = {{.fd = sampler->timers[turn % 2], .events = POLLIN},
                              {.fd = sampler->wake, .events = POLLIN}};
    if (poll(events, 2, -1) < 0 && errno != EINTR)
        return false;
    /* emptied before reading: a wake that comes later asks for another */
    for (size_t i = 0; i < 2; i++) {
        uint64_t expirations;
        if (events[i].revents && read(events[i].fd, &expirations, sizeof expirations) < 0 && errno != EAGAIN)
            return false;
    }
    *woken = events[1].revents;
    if (events[1].revents && !events[0].revents && !atomic_load(&sampler->finish))
        clock_sleep_until(latest_ns + SPACING_NS);
    return !atomic_load(&sampler->finish);
}

/* What is true now may be read later; the end of the run lies between two readings then. */
static void take_last(struct sampler *sampler)
{
    int64_t end_ns = clock_boot_ns();
    take_reading(sampler, true);
    while (sampler->late && !meter_reached(sampler->meter, end_ns)) {
        clock_sleep_until(clock_boot_ns() + NS_PER_S / 50);
        take_reading(sampler, true);
    }
}

static void *run(void *argument)
{
    struct sampler *sampler = argument;
    int64_t latest_ns = sampler->start_ns;
    if (sampler->sink->own_process)
        privileges_drop_thread();
    for (bool woken; wait_for_turn(sampler, latest_ns, &woken);)
        latest_ns = take_reading(sampler, woken);
    take_last(sampler);
    pthread_mutex_lock(&sampler->lock);
    flush_trace(sampler);
    pthread_mutex_unlock(&sampler->lock);
    return NULL;
}

/* ---- life ---- */

/* A counter must be seen at least twice in the time it takes to wrap at its highest power. */
static double needed_rate_hz(const struct channel *channels, size_t count, double asked_hz)
{
    double rate_hz = asked_hz;
    for (size_t i = 0; i < count; i++)
        if (channels[i].kind == KIND_COUNTER && channels[i].range_j > 0 && channels[i].max_power_w > 0)
            rate_hz = fmax(rate_hz, 2.2 * channels[i].max_power_w / channels[i].range_j);
    return fmin(rate_hz, 1000);
}

static void free_sampler(struct sampler *sampler)
{
    for (size_t i = 0; i < 2; i++)
        if (sampler->timers[i] >= 0)
            close(sampler->timers[i]);
    if (sampler->wake >= 0)
        close(sampler->wake);
    pthread_mutex_destroy(&sampler->lock);
    free(sampler->kept);
    free(sampler->values);
    free(sampler->trace.samples);
    free(sampler);
}

static int make_room(struct sampler *sampler, struct error *error)
{
    int64_t kept = KEPT_MOST_NS / sampler->period_ns;
    sampler->kept_capacity = kept > 1 ? (size_t)kept : 1;
    sampler->kept = calloc(sampler->kept_capacity, sizeof *sampler->kept);
    sampler->values = calloc(sampler->kept_capacity * sampler->count + 1, sizeof *sampler->values);
    sampler->trace.capacity = TRACE_BLOCK + 2 * sampler->count;
    sampler->trace.samples = calloc(sampler->trace.capacity, sizeof *sampler->trace.samples);
    if (!sampler->kept || !sampler->values || !sampler->trace.samples)
        return error_memory(error, "sampler");
    for (size_t i = 0; i < sampler->kept_capacity; i++)
        sampler->kept[i].values = sampler->values + i * sampler->count;
    return 0;
}

struct sampler *sampler_start(struct meter *meter, struct account *account, size_t first, double rate_hz,
                              struct trace_sink *sink, struct error *error)
{
    struct sampler *sampler = calloc(1, sizeof *sampler);
    if (!sampler) {
        error_memory(error, "sampler");
        return NULL;
    }
    *sampler = (struct sampler){
        .meter = meter, .account = account, .first = first, .sink = sink, .timers = {-1, -1}, .wake = -1};
    sampler->late = meter_driver_of(meter)->late != NULL;
    pthread_mutex_init(&sampler->lock, NULL);
    const struct channel *channels = meter_channels(meter, &sampler->count);
    if (start_timers(sampler, needed_rate_hz(channels, sampler->count, rate_hz), error) < 0 ||
        make_room(sampler, error) < 0)
        goto failed;
    sampler->flushed_ns = take_reading(sampler, true);
    int number = pthread_create(&sampler->thread, NULL, run, sampler);
    if (number == 0)
        return sampler;
    error_errno(error, number, "sampler");
failed:
    free_sampler(sampler);
    return NULL;
}

void sampler_wake(struct sampler *sampler)
{
    /* fails only when the counter is full, and then the thread is awake anyhow */
    ssize_t written = write(sampler->wake, &(uint64_t){1}, sizeof(uint64_t));
    (void)written;
}

void sampler_finish(struct sampler *sampler)
{
    atomic_store(&sampler->finish, true);
    sampler_wake(sampler);
}

void sampler_join(struct sampler *sampler)
{
    pthread_join(sampler->thread, NULL);
    free_sampler(sampler);
}
