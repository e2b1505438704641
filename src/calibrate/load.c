#include "calibrate/load.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct load {
    pthread_mutex_t lock; /* guards `quit` and the change of `on` */
    pthread_cond_t changed;
    bool quit;
    atomic_bool on;
    pthread_t *threads;
    size_t count;
};

static void *burn(void *argument)
{
    struct load *load = argument;
    volatile double sink = 1;
    for (;;) {
        pthread_mutex_lock(&load->lock);
        while (!atomic_load(&load->on) && !load->quit)
            pthread_cond_wait(&load->changed, &load->lock);
        bool quit = load->quit;
        pthread_mutex_unlock(&load->lock);
        if (quit)
            return NULL;
        double a = sink, b = 1.1, c = 1.2, d = 1.3;
        while (atomic_load_explicit(&load->on, memory_order_relaxed))
            for (int i = 0; i < 2000; i++)
                a = a * 0.999 + 0.1, b = b * 0.998 + 0.2, c = c * 0.997 + 0.3, d = d * 0.996 + 0.4;
        sink = a + b + c + d;
    }
}

static void switch_load(struct load *load, bool on, bool quit)
{
    pthread_mutex_lock(&load->lock);
    atomic_store(&load->on, on);
    load->quit = quit;
    pthread_cond_broadcast(&load->changed);
    pthread_mutex_unlock(&load->lock);
}

static int start_load(struct load *load, struct error *error)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = online > 0 ? (size_t)online : 1;
    pthread_mutex_init(&load->lock, NULL);
    pthread_cond_init(&load->changed, NULL);
    load->threads = calloc(wanted, sizeof *load->threads);
    if (!load->threads)
        return error_memory(error, "load");
    for (; load->count < wanted; load->count++) {
        int number = pthread_create(&load->threads[load->count], NULL, burn, load);
        if (number)
            return error_errno(error, number, "load");
    }
    return 0;
}

static void end_load(struct load *load)
{
    switch_load(load, false, true);
    for (size_t i = 0; i < load->count; i++)
        pthread_join(load->threads[i], NULL);
    free(load->threads);
    pthread_cond_destroy(&load->changed);
    pthread_mutex_destroy(&load->lock);
}

double load_span_s(struct random_stream *random, double least_s)
{
    return least_s * (1 + 2 * random_uniform(random));
}

void load_wait(int64_t until_ns, void (*tell)(void *context, const char *phase), void *context,
               const char *phase)
{
    for (int64_t now_ns; (now_ns = clock_boot_ns()) < until_ns;) {
        tell(context, phase);
        clock_sleep_until(now_ns + NS_PER_S / 10 < until_ns ? now_ns + NS_PER_S / 10 : until_ns);
    }
}

int load_make_wave(struct load_wave *wave, int64_t until_ns, void (*tell)(void *context, const char *phase),
                   void *context, struct error *error)
{
    struct load load = {0};
    struct random_stream random;
    random_seed(&random, (uint64_t)clock_wall_ns(), 0); /* independent of whatever the instruments do */
    size_t most = (size_t)((double)(until_ns - clock_boot_ns()) / NS_PER_S / wave->least_s) + 4;
    wave->edges_ns = calloc(most, sizeof *wave->edges_ns);
    wave->count = 0;
    int result = wave->edges_ns ? start_load(&load, error) : error_memory(error, "load");
    for (bool on = true; result == 0 && wave->count < most && clock_boot_ns() < until_ns; on = !on) {
        wave->edges_ns[wave->count++] = clock_boot_ns();
        switch_load(&load, on, false);
        int64_t next_ns = clock_boot_ns() + (int64_t)(load_span_s(&random, wave->least_s) * NS_PER_S);
        load_wait(next_ns < until_ns ? next_ns : until_ns, tell, context, on ? "load on" : "load off");
    }
    if (load.threads)
        end_load(&load);
    return result;
}
