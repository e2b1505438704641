#include "dataset/format.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct parallel {
    atomic_size_t next;
    size_t count;
    void (*work)(void *context, size_t index);
    void *context;
};

static void *parallel_run(void *argument)
{
    struct parallel *parallel = argument;
    for (;;) {
        size_t index = atomic_fetch_add_explicit(&parallel->next, 1, memory_order_relaxed);
        if (index >= parallel->count)
            return NULL;
        parallel->work(parallel->context, index);
    }
}

void parallel_for(size_t count, size_t threads, void (*work)(void *context, size_t index), void *context)
{
    struct parallel parallel = {.count = count, .work = work, .context = context};
    size_t helpers = threads > 1 ? threads - 1 : 0;
    if (helpers > count)
        helpers = count;
    pthread_t *ids = helpers ? malloc(helpers * sizeof *ids) : NULL;
    size_t started = 0;
    /* fewer threads than asked for only make it slower: the caller works too */
    while (ids && started < helpers && pthread_create(&ids[started], NULL, parallel_run, &parallel) == 0)
        started++;
    parallel_run(&parallel);
    for (size_t i = 0; i < started; i++)
        pthread_join(ids[i], NULL);
    free(ids);
}
