#include "meter/wall/poller.h"

#include "base/clock.h"
#include "meter/wall/transport.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* More than a reader leaves behind; the oldest go first. */
enum { SAMPLES_KEPT = 256 };

/* Nobody waits longer for what a slow device says of the end of a run. */
#define PATIENCE_MOST_S 30

/* Of a device that tells the time of its readings. */
#define AHEAD_MOST_S  5
#define BEHIND_MOST_S 600

struct poller {
    const struct wall_device *device;
    const struct transport *transport;
    void *state; /* the transport's; the thread's own */
    void (*thread_begins)(void);
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t change;
    bool stop;
    struct wall_sample samples[SAMPLES_KEPT], latest;
    size_t first, count;
    bool any;
    int64_t given_ns; /* the latest sample that was dropped by the reader */
    uint64_t asked, failed;
    char *trouble; /* of the last that failed */
};

static int64_t ns(double seconds)
{
    return (int64_t)(seconds * NS_PER_S);
}

/* Within an update the device can only repeat itself; afterwards the same figure is news. */
static bool is_new(const struct poller *poller, const struct wall_sample *sample)
{
    if (!isfinite(sample->power_w) && !isfinite(sample->energy_j))
        return false;
    if (!poller->any)
        return true;
    const struct wall_sample *last = &poller->latest;
    double since_s = (double)(sample->boot_ns - last->boot_ns) / NS_PER_S;
    if (poller->device->time_at)
        return since_s > 1e-3; /* the same reading comes again, to the clocks' jitter */
    bool same_power = sample->power_w == last->power_w || !isfinite(sample->power_w);
    bool same_energy = sample->energy_j == last->energy_j || !isfinite(sample->energy_j);
    return !(same_power && same_energy) || since_s > 0.99 * poller->device->update_s;
}

static void add_sample(struct poller *poller, const struct wall_sample *sample)
{
    if (!is_new(poller, sample))
        return;
    poller->latest = *sample;
    poller->any = true;
    poller->samples[(poller->first + poller->count) % SAMPLES_KEPT] = *sample;
    if (poller->count < SAMPLES_KEPT)
        poller->count++;
    else
        poller->first = (poller->first + 1) % SAMPLES_KEPT;
}

/* A device that tells the time must tell ours. */
static int check_clock(const struct wall_device *device, int64_t wall_ns, struct error *error)
{
    double behind_s = (double)(clock_wall_ns() - wall_ns) / NS_PER_S;
    if (wall_ns == 0 || (behind_s > -AHEAD_MOST_S && behind_s < BEHIND_MOST_S))
        return 0;
    return error_set(error,
                     "%s: its reading is of %.0f s %s: set its clock and this machine's by the same time "
                     "server",
                     device->name, fabs(behind_s), behind_s > 0 ? "ago" : "ahead");
}

int poller_ask(const struct wall_device *device, void *transport, struct wall_sample *sample,
               struct error *error)
{
    struct wall_answer answer = {.power_w = NAN, .energy_j = NAN};
    int64_t before = clock_boot_ns();
    int result = transport_of(device->url)->ask(transport, &answer, error);
    if (result == 0)
        result = check_clock(device, answer.wall_ns, error);
    int64_t took_ns = clock_boot_ns() - before,
            true_ns = answer.wall_ns   ? answer.wall_ns - clock_wall_ns() + clock_boot_ns()
                      : answer.boot_ns ? answer.boot_ns
                                       : before + took_ns / 2;
    *sample = (struct wall_sample){.boot_ns = true_ns,
                                   .span_ns = answer.boot_ns || answer.wall_ns ? answer.span_ns : took_ns,
                                   .power_w = answer.power_w,
                                   .energy_j = answer.energy_j};
    return result;
}

static bool ask(struct poller *poller)
{
    struct error error = ERROR_INIT;
    struct wall_sample sample;
    int result = poller_ask(poller->device, poller->state, &sample, &error);
    sample.boot_ns -= ns(poller->device->delay_s);
    pthread_mutex_lock(&poller->lock);
    poller->asked++;
    if (result == 0) {
        add_sample(poller, &sample);
    } else {
        poller->failed++;
        free(poller->trouble);
        poller->trouble = strdup(error_text(&error));
    }
    pthread_cond_broadcast(&poller->change);
    pthread_mutex_unlock(&poller->lock);
    error_clear(&error);
    return result == 0;
}

static void wait_until(struct poller *poller, int64_t boot_ns)
{
    /* the condition's clock is CLOCK_MONOTONIC: a suspended machine asks late, and no more than that */
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t left_ns = boot_ns - clock_boot_ns();
    int64_t at = (int64_t)until.tv_sec * NS_PER_S + until.tv_nsec + (left_ns > 0 ? left_ns : 0);
    until = (struct timespec){.tv_sec = (time_t)(at / NS_PER_S), .tv_nsec = (long)(at % NS_PER_S)};
    pthread_cond_timedwait(&poller->change, &poller->lock, &until);
}

static void *run(void *argument)
{
    struct poller *poller = argument;
    int64_t period_ns = ns(poller->device->interval_s), turn = clock_boot_ns();
    if (poller->thread_begins)
        poller->thread_begins();
    for (;;) {
        bool answered = ask(poller);
        int64_t now = clock_boot_ns();
        turn = poller->transport->pushes && answered ? now : turn + period_ns;
        if (turn < now) /* questions that took too long are left out, not caught up with */
            turn = now;
        pthread_mutex_lock(&poller->lock);
        while (!poller->stop && clock_boot_ns() < turn)
            wait_until(poller, turn);
        bool stop = poller->stop;
        pthread_mutex_unlock(&poller->lock);
        if (stop)
            return NULL;
    }
}

struct poller *poller_start(const struct wall_device *device, void *transport, void (*thread_begins)(void),
                            struct error *error)
{
    struct poller *poller = calloc(1, sizeof *poller);
    if (!poller) {
        error_memory(error, device->name);
        return NULL;
    }
    poller->device = device;
    poller->transport = transport_of(device->url);
    poller->state = transport;
    poller->thread_begins = thread_begins;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&poller->change, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&poller->lock, NULL);
    int number = pthread_create(&poller->thread, NULL, run, poller);
    if (number == 0)
        return poller;
    error_errno(error, number, device->name);
    pthread_cond_destroy(&poller->change);
    pthread_mutex_destroy(&poller->lock);
    free(poller);
    return NULL;
}

bool poller_wait(struct poller *poller, int64_t boot_ns)
{
    pthread_mutex_lock(&poller->lock);
    while (!poller->any && clock_boot_ns() < boot_ns)
        wait_until(poller, boot_ns);
    bool any = poller->any;
    pthread_mutex_unlock(&poller->lock);
    return any;
}

bool poller_peek(struct poller *poller, struct wall_sample *sample)
{
    pthread_mutex_lock(&poller->lock);
    bool found = poller->count > 0;
    if (found)
        *sample = poller->samples[poller->first];
    pthread_mutex_unlock(&poller->lock);
    return found;
}

void poller_drop(struct poller *poller)
{
    pthread_mutex_lock(&poller->lock);
    if (poller->count) {
        poller->given_ns = poller->samples[poller->first].boot_ns;
        poller->first = (poller->first + 1) % SAMPLES_KEPT;
        poller->count--;
    }
    pthread_mutex_unlock(&poller->lock);
}

bool poller_reached(struct poller *poller, int64_t boot_ns)
{
    const struct wall_device *d = poller->device;
    double patience_s = fmax(d->interval_s, d->update_s) + d->interval_s + d->timeout_s + d->delay_s;
    int64_t patience_ns = ns(fmin(patience_s, PATIENCE_MOST_S));
    pthread_mutex_lock(&poller->lock);
    /* one that has never answered has nothing to wait for */
    bool reached = !poller->any || poller->given_ns >= boot_ns || clock_boot_ns() > boot_ns + patience_ns;
    pthread_mutex_unlock(&poller->lock);
    return reached;
}

char *poller_trouble(struct poller *poller, uint64_t *asked, uint64_t *failed)
{
    pthread_mutex_lock(&poller->lock);
    *asked = poller->asked;
    *failed = poller->failed;
    char *trouble = poller->trouble ? strdup(poller->trouble) : NULL;
    pthread_mutex_unlock(&poller->lock);
    return trouble;
}

void poller_stop(struct poller *poller)
{
    pthread_mutex_lock(&poller->lock);
    poller->stop = true;
    pthread_cond_broadcast(&poller->change);
    pthread_mutex_unlock(&poller->lock);
    pthread_join(poller->thread, NULL);
    pthread_cond_destroy(&poller->change);
    pthread_mutex_destroy(&poller->lock);
    free(poller->trouble);
    free(poller);
}
