#include "calibrate/load.h"

#include "base/clock.h"
#include "base/memory.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define PERIOD_NS    (NS_PER_S / 10) /* of a thread that is busy in part */
#define STREAM_MOST  (32u << 20)     /* bytes a thread: with all of them more than any cache */
#define STREAM_LEAST (4u << 20)
#define STREAM_CHUNK 4096 /* doubles between looks at the clock */

struct worker {
    struct load *load;
    size_t number;
    pthread_t thread;
    double *memory; /* load->stream_bytes; taken with the first stream */
};

struct load {
    pthread_mutex_t lock; /* guards kind, busy, quit */
    pthread_cond_t changed;
    enum load_kind kind;
    double busy; /* threads */
    bool quit;
    atomic_uint serial; /* of the last change */
    size_t stream_bytes;
    struct worker *workers;
    size_t count;
};

/* Both work for about ten microseconds, between looks at the clock. */
static void compute(double *sink)
{
    double a = *sink, b = 1.1, c = 1.2, d = 1.3;
    for (int i = 0; i < 2000; i++)
        a = a * 0.999 + 0.1, b = b * 0.998 + 0.2, c = c * 0.997 + 0.3, d = d * 0.996 + 0.4;
    *sink = a + b + c + d;
}

static void stream(double *memory, size_t count, size_t *at)
{
    size_t end = *at + STREAM_CHUNK < count ? *at + STREAM_CHUNK : count;
    for (size_t i = *at; i < end; i++)
        memory[i] = memory[i] * 0.999 + 0.1;
    *at = end == count ? 0 : end;
}

/* Until the load changes: busy for a share of each period. */
static void work(struct worker *worker, enum load_kind kind, double share, unsigned serial)
{
    struct load *load = worker->load;
    volatile double kept = 1;
    size_t at = 0;
    for (int64_t begin_ns = clock_boot_ns();
         atomic_load_explicit(&load->serial, memory_order_relaxed) == serial;) {
        double sink = kept;
        if (kind == LOAD_STREAM)
            stream(worker->memory, load->stream_bytes / sizeof *worker->memory, &at);
        else
            compute(&sink);
        kept = sink;
        int64_t now_ns = share < 1 ? clock_boot_ns() : begin_ns;
        if (now_ns - begin_ns < (int64_t)(share * PERIOD_NS) || share >= 1)
            continue;
        clock_sleep_until(begin_ns + PERIOD_NS);
        begin_ns = clock_boot_ns();
    }
}

static void *serve(void *argument)
{
    struct worker *worker = argument;
    struct load *load = worker->load;
    for (;;) {
        pthread_mutex_lock(&load->lock);
        while (load->busy <= (double)worker->number && !load->quit)
            pthread_cond_wait(&load->changed, &load->lock);
        bool quit = load->quit;
        enum load_kind kind = load->kind;
        double share = fmin(load->busy - (double)worker->number, 1);
        unsigned serial = atomic_load(&load->serial);
        pthread_mutex_unlock(&load->lock);
        if (quit)
            return NULL;
        work(worker, kind, share, serial);
    }
}

struct load *load_open(struct error *error)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = online > 0 ? (size_t)online : 1;
    struct load *load = calloc(1, sizeof *load);
    struct worker *workers = calloc(wanted, sizeof *workers);
    if (!load || !workers) {
        free(load);
        free(workers);
        error_memory(error, "load");
        return NULL;
    }
    load->workers = workers;
    pthread_mutex_init(&load->lock, NULL);
    pthread_cond_init(&load->changed, NULL);
    for (; load->count < wanted; load->count++) {
        workers[load->count] = (struct worker){.load = load, .number = load->count};
        int number = pthread_create(&workers[load->count].thread, NULL, serve, &workers[load->count]);
        if (number == 0)
            continue;
        error_errno(error, number, "load");
        load_close(load);
        return NULL;
    }
    return load;
}

size_t load_threads(const struct load *load)
{
    return load->count;
}

/* Before any thread streams: they are at rest, or compute. */
static int take_memory(struct load *load, struct error *error)
{
    if (load->stream_bytes)
        return 0;
    uint64_t share = memory_available() / 4 / load->count;
    size_t bytes = share < STREAM_MOST ? (size_t)share : STREAM_MOST;
    if (bytes < STREAM_LEAST)
        return error_set(error,
                         "streaming takes %zu x %u MiB of memory, a quarter of what is free at the most",
                         load->count, STREAM_LEAST >> 20);
    for (size_t i = 0; i < load->count; i++) {
        load->workers[i].memory = memory_take(bytes);
        if (load->workers[i].memory)
            continue;
        while (i-- > 0)
            memory_give_back(load->workers[i].memory, bytes);
        return error_memory(error, "load");
    }
    load->stream_bytes = bytes;
    return 0;
}

static void change(struct load *load, enum load_kind kind, double threads, bool quit)
{
    pthread_mutex_lock(&load->lock);
    load->kind = kind;
    load->busy = threads;
    load->quit = quit;
    atomic_fetch_add(&load->serial, 1);
    pthread_cond_broadcast(&load->changed);
    pthread_mutex_unlock(&load->lock);
}

int load_set(struct load *load, enum load_kind kind, double threads, struct error *error)
{
    if (kind == LOAD_STREAM && take_memory(load, error) < 0)
        return -1;
    change(load, kind, threads, false);
    return 0;
}

void load_close(struct load *load)
{
    if (!load)
        return;
    change(load, LOAD_COMPUTE, 0, true);
    for (size_t i = 0; i < load->count; i++)
        pthread_join(load->workers[i].thread, NULL);
    for (size_t i = 0; i < load->count && load->stream_bytes; i++)
        memory_give_back(load->workers[i].memory, load->stream_bytes);
    pthread_cond_destroy(&load->changed);
    pthread_mutex_destroy(&load->lock);
    free(load->workers);
    free(load);
}
