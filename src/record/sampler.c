#include "record/sampler.h"

#include "base/clock.h"
#include "record/privileges.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* Marks may come in floods; readings at marks do not come closer than this. */
#define SPACING_NS        (NS_PER_S / 1000)
#define QUICK_NS          (NS_PER_S / 10000)
#define TRACE_BLOCK       512
#define TRACE_PATIENCE_NS (2 * NS_PER_S)

struct sampler {
    struct account *account;
    size_t first, count;
    struct trace_sink *sink;
    pthread_t thread;
    int timers[2];
    int64_t start_ns, period_ns;
    atomic_size_t awaited; /* the timer that the thread waits for, or is about to */
    atomic_bool finish, woken;
    pthread_mutex_t lock; /* guards what follows */
    struct meter *meter;
    struct meter_reading reading;
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
    sampler->flushed_ns = sampler->reading.boot_ns;
}

static void take_locked(struct sampler *sampler)
{
    struct error error = ERROR_INIT;
    if (meter_read(sampler->meter, &sampler->reading, &error) < 0)
        for (size_t i = 0; i < sampler->count; i++)
            sampler->reading.values[i] = NAN; /* the account makes a gap of it */
    error_clear(&error);
    account_add(sampler->account, sampler->first, sampler->count, &sampler->reading,
                sampler->sink->trace ? &sampler->trace : NULL);
    bool full = sampler->trace.count + 2 * sampler->count > sampler->trace.capacity;
    int64_t patience_ns = sampler->sink->patience_ns ? sampler->sink->patience_ns : TRACE_PATIENCE_NS;
    if (full || sampler->reading.boot_ns - sampler->flushed_ns > patience_ns)
        flush_trace(sampler);
}

/* When it was taken. */
static int64_t take_reading(struct sampler *sampler)
{
    pthread_mutex_lock(&sampler->lock);
    take_locked(sampler);
    int64_t boot_ns = sampler->reading.boot_ns;
    pthread_mutex_unlock(&sampler->lock);
    return boot_ns;
}

bool sampler_read(struct sampler *sampler, bool even_if_slow)
{
    if (even_if_slow)
        pthread_mutex_lock(&sampler->lock);
    else if (pthread_mutex_trylock(&sampler->lock) != 0)
        return false; /* someone reads it just now, and nobody knows for how long */
    bool taken = even_if_slow || sampler->reading.span_ns < QUICK_NS;
    if (taken)
        take_locked(sampler);
    pthread_mutex_unlock(&sampler->lock);
    return taken;
}

/* ---- when ----
 *
 * At 1000 readings a second waiting costs more than reading, so that it is one call: what makes a timer
 * expire early (`sampler_wake`) needs no second descriptor. And there are two timers that take turns. One
 * alone would be started again by each read, and be the next to expire: the processor's timer would be set
 * twice a reading, each time an exit to the host in a virtual machine. Of two, the one just read is never
 * next, and the kernel has set the other when this one expired. It halves what the recorder takes. */

static struct timespec timespec_of(int64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

/* Timer 0 expires at the even periods from the start, timer 1 at the odd ones. A `first` that is over expires
 * now and leaves the later ones where they are. */
static int set_timer(const struct sampler *sampler, size_t timer, int64_t first)
{
    int64_t first_ns = sampler->start_ns + first * sampler->period_ns;
    const struct itimerspec times = {.it_interval = timespec_of(2 * sampler->period_ns),
                                     .it_value = timespec_of(first_ns > 0 ? first_ns : 1)};
    return timerfd_settime(sampler->timers[timer], TFD_TIMER_ABSTIME, &times, NULL);
}

static void expire_now(struct sampler *sampler)
{
    size_t timer = atomic_load(&sampler->awaited);
    set_timer(sampler, timer, (int64_t)timer - 2);
}

static int start_timers(struct sampler *sampler, double rate_hz, struct error *error)
{
    sampler->period_ns = (int64_t)((double)NS_PER_S / rate_hz);
    sampler->start_ns = clock_boot_ns();
    for (size_t i = 0; i < 2; i++) {
        sampler->timers[i] = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC);
        if (sampler->timers[i] < 0 || set_timer(sampler, i, 2 - (int64_t)i) < 0)
            return error_errno(error, errno, "sampler");
    }
    return 0;
}

/* Until the first period after `latest_ns` or a wake. False: no reading is wanted any more. */
static bool wait_for_turn(struct sampler *sampler, int64_t latest_ns)
{
    int64_t turn = (latest_ns - sampler->start_ns) / sampler->period_ns + 1;
    size_t timer = (size_t)(turn % 2);
    uint64_t expirations;
    /* who wakes sets the flag first and then expires the awaited timer: here it is the other way round */
    atomic_store(&sampler->awaited, timer);
    if (!atomic_load(&sampler->finish) && !atomic_load(&sampler->woken) &&
        read(sampler->timers[timer], &expirations, sizeof expirations) < 0 && errno != EINTR)
        return false;
    /* forgotten before reading: a wake that comes later asks for another */
    if (atomic_load(&sampler->woken) && atomic_exchange(&sampler->woken, false))
        clock_sleep_until(latest_ns + SPACING_NS);
    return !atomic_load(&sampler->finish);
}

static void *run(void *argument)
{
    struct sampler *sampler = argument;
    int64_t latest_ns = sampler->start_ns;
    if (sampler->sink->own_process)
        privileges_drop_thread();
    while (wait_for_turn(sampler, latest_ns))
        latest_ns = take_reading(sampler);
    take_reading(sampler);
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
    pthread_mutex_destroy(&sampler->lock);
    free(sampler->reading.values);
    free(sampler->trace.samples);
    free(sampler);
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
        .meter = meter, .account = account, .first = first, .sink = sink, .timers = {-1, -1}};
    pthread_mutex_init(&sampler->lock, NULL);
    const struct channel *channels = meter_channels(meter, &sampler->count);
    sampler->trace.capacity = TRACE_BLOCK + 2 * sampler->count;
    sampler->trace.samples = calloc(sampler->trace.capacity, sizeof *sampler->trace.samples);
    sampler->reading.values = calloc(sampler->count + 1, sizeof *sampler->reading.values);
    if (!sampler->trace.samples || !sampler->reading.values) {
        error_memory(error, "sampler");
        goto failed;
    }
    if (start_timers(sampler, needed_rate_hz(channels, sampler->count, rate_hz), error) < 0)
        goto failed;
    take_reading(sampler);
    sampler->flushed_ns = sampler->reading.boot_ns;
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
    if (!atomic_exchange(&sampler->woken, true))
        expire_now(sampler);
}

void sampler_finish(struct sampler *sampler)
{
    atomic_store(&sampler->finish, true);
    expire_now(sampler);
}

void sampler_join(struct sampler *sampler)
{
    pthread_join(sampler->thread, NULL);
    free_sampler(sampler);
}
