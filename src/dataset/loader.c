/* A ring of batches between the threads that prepare them and the caller that trains on them. */
#include "base/clock.h"
#include "base/random.h"
#include "dataset/dataset.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Away from the streams that others draw from the same seed. */
#define STREAM         ((uint64_t)0x6c6f6164 << 32)
#define AUGMENT_STREAM ((uint64_t)0x6175676d << 32)

struct slot {
    float *images;
    int32_t *labels;
    uint32_t *scratch; /* of the thread that prepares it */
    struct batch batch;
    size_t holds; /* 1 + the batch that is ready in it; 0: none */
};

struct loader {
    const struct dataset *dataset;
    struct loader_options options;
    const struct dataset_split *split;
    size_t batches; /* in an epoch */
    struct pixel_values values;
    size_t *order;        /* of the epoch; changed only while no thread prepares */
    uint64_t augment_key; /* likewise: of what is drawn in the epoch */
    struct slot *slots;   /* one with the caller, one with each thread, one ready */
    size_t slot_count;
    int64_t waited_ns; /* the caller's */
    pthread_t *threads;
    size_t thread_count; /* those that run */

    pthread_mutex_t mutex; /* guards all below, and `holds` of the slots */
    pthread_cond_t changed;
    size_t begun, taken; /* batches of this epoch; the caller holds the last it took */
    size_t working;      /* threads that prepare one */
    int64_t busy_ns;
    bool open, closing; /* open: batches may be begun */
};

static int64_t thread_cpu_ns(void)
{
    struct timespec now;
    return clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0 ? now.tv_sec * NS_PER_S + now.tv_nsec : 0;
}

/* Floats of one image, or of the row that stands for it. */
static size_t item_floats(const struct loader *loader)
{
    const struct dataset *dataset = loader->dataset;
    return loader->options.rows ? loader->options.row_floats
                                : dataset->channels * dataset->size * dataset->size;
}

static void prepare_item(const struct loader *loader, size_t index, uint32_t *scratch, float *out)
{
    size_t floats = item_floats(loader);
    if (loader->options.rows) {
        memcpy(out, loader->options.rows + index * floats, floats * sizeof *out);
        return;
    }
    struct random_stream random;
    random_seed(&random, loader->augment_key, index);
    size_t size = loader->dataset->size;
    const struct augment_draw draw = augment_draw(&loader->options.augment, size, &random);
    augment_apply(&draw, loader->split->images + index * floats, size, &loader->values, scratch, out);
}

static void prepare(const struct loader *loader, size_t batch_index, struct slot *slot)
{
    size_t floats = item_floats(loader);
    size_t first = batch_index * loader->options.batch;
    size_t count = loader->split->count - first;
    if (count > loader->options.batch)
        count = loader->options.batch;
    for (size_t i = 0; i < count; i++) {
        size_t index = loader->order[first + i];
        prepare_item(loader, index, slot->scratch, slot->images + i * floats);
        slot->labels[i] = loader->split->labels[index];
    }
    slot->batch = (struct batch){slot->images, slot->labels, count};
}

/* The caller's batch is `taken - 1`: its slot is free only once the next is taken. */
static bool can_begin(const struct loader *loader)
{
    return loader->open && loader->begun < loader->batches &&
           loader->begun + 1 < loader->taken + loader->slot_count;
}

/* The mutex is held on entry and on return. */
static void prepare_next(struct loader *loader)
{
    size_t index = loader->begun++;
    struct slot *slot = &loader->slots[index % loader->slot_count];
    loader->working++;
    pthread_mutex_unlock(&loader->mutex);
    int64_t begin = thread_cpu_ns();
    prepare(loader, index, slot);
    int64_t busy_ns = thread_cpu_ns() - begin;
    pthread_mutex_lock(&loader->mutex);
    loader->busy_ns += busy_ns;
    loader->working--;
    slot->holds = index + 1;
    pthread_cond_broadcast(&loader->changed);
}

static void *loader_run(void *argument)
{
    struct loader *loader = argument;
    pthread_mutex_lock(&loader->mutex);
    while (!loader->closing) {
        if (can_begin(loader))
            prepare_next(loader);
        else
            pthread_cond_wait(&loader->changed, &loader->mutex);
    }
    pthread_mutex_unlock(&loader->mutex);
    return NULL;
}

static int allocate(struct loader *loader, struct error *error)
{
    size_t image = item_floats(loader), batch = loader->options.batch;
    loader->order = calloc(loader->split->count, sizeof *loader->order);
    loader->slots = calloc(loader->slot_count, sizeof *loader->slots);
    loader->threads = calloc(loader->options.threads, sizeof *loader->threads);
    bool enough = loader->order && loader->slots && loader->threads;
    for (size_t s = 0; enough && s < loader->slot_count; s++) {
        size_t floats;
        bool fits = !__builtin_mul_overflow(batch, image, &floats);
        loader->slots[s].images = fits ? calloc(floats, sizeof(float)) : NULL;
        loader->slots[s].labels = calloc(batch, sizeof(int32_t));
        loader->slots[s].scratch = calloc(loader->dataset->size * loader->dataset->size, sizeof(uint32_t));
        enough = loader->slots[s].images && loader->slots[s].labels && loader->slots[s].scratch;
    }
    return enough ? 0
                  : error_set(error, "out of memory: batches of %zu images: take a smaller --batch", batch);
}

static void free_memory(struct loader *loader)
{
    for (size_t s = 0; loader->slots && s < loader->slot_count; s++) {
        free(loader->slots[s].images);
        free(loader->slots[s].labels);
        free(loader->slots[s].scratch);
    }
    free(loader->slots);
    free(loader->order);
    free(loader->threads);
    free(loader);
}

static int check(const struct dataset *dataset, const struct loader_options *options, struct error *error)
{
    if (options->batch == 0)
        return error_set(error, "a batch of 0 images: expected at least 1");
    if (options->augment.crop >= (double)dataset->size)
        return error_set(error, "crop:%g: expected less padding than the images have pixels, %zu",
                         options->augment.crop, dataset->size);
    return 0;
}

static struct loader *loader_new(const struct dataset *dataset, const struct loader_options *options,
                                 struct error *error)
{
    struct loader *loader = calloc(1, sizeof *loader);
    if (!loader) {
        error_memory(error, "loader");
        return NULL;
    }
    loader->dataset = dataset;
    loader->options = *options;
    loader->split = options->train ? &dataset->train : &dataset->test;
    /* no batch is larger than the split */
    if (loader->options.batch > loader->split->count && loader->split->count)
        loader->options.batch = loader->split->count;
    loader->batches = (loader->split->count + loader->options.batch - 1) / loader->options.batch;
    if (loader->options.threads == 0)
        loader->options.threads = 1;
    loader->slot_count = loader->options.threads + 2;
    pixel_values_set(&loader->values, dataset->mean, dataset->deviation);
    if (allocate(loader, error) < 0) {
        free_memory(loader);
        return NULL;
    }
    return loader;
}

struct loader *loader_open(const struct dataset *dataset, const struct loader_options *options,
                           struct error *error)
{
    struct loader *loader = check(dataset, options, error) == 0 ? loader_new(dataset, options, error) : NULL;
    if (!loader)
        return NULL;
    pthread_mutex_init(&loader->mutex, NULL);
    pthread_cond_init(&loader->changed, NULL);
    int failed = 0;
    while (loader->thread_count < loader->options.threads && !failed) {
        failed = pthread_create(&loader->threads[loader->thread_count], NULL, loader_run, loader);
        loader->thread_count += !failed;
    }
    if (loader->thread_count == 0) { /* fewer than asked for will do */
        error_set(error, "loader: no thread: %s", strerror(failed));
        loader_close(loader);
        return NULL;
    }
    return loader;
}

static void order_epoch(struct loader *loader, uint64_t epoch)
{
    struct random_stream random;
    random_seed(&random, loader->options.seed, STREAM + epoch);
    for (size_t i = 0; i < loader->split->count; i++)
        loader->order[i] = i;
    if (loader->options.train && !loader->options.in_order)
        random_shuffle(&random, loader->order, loader->split->count);
    random_seed(&random, loader->options.seed, AUGMENT_STREAM + epoch);
    loader->augment_key = random_u64(&random);
}

void loader_start_at(struct loader *loader, uint64_t epoch, size_t batch)
{
    int64_t begin = clock_boot_ns();
    pthread_mutex_lock(&loader->mutex);
    loader->open = false;
    while (loader->working > 0)
        pthread_cond_wait(&loader->changed, &loader->mutex);
    order_epoch(loader, epoch);
    for (size_t s = 0; s < loader->slot_count; s++)
        loader->slots[s].holds = 0;
    loader->begun = loader->taken = batch < loader->batches ? batch : loader->batches;
    loader->busy_ns = 0;
    loader->open = true;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
    loader->waited_ns = clock_boot_ns() - begin;
}

void loader_start(struct loader *loader, uint64_t epoch)
{
    loader_start_at(loader, epoch, 0);
}

const struct batch *loader_next(struct loader *loader)
{
    pthread_mutex_lock(&loader->mutex);
    if (!loader->open || loader->taken >= loader->batches) {
        pthread_mutex_unlock(&loader->mutex);
        return NULL;
    }
    size_t index = loader->taken++;
    struct slot *slot = &loader->slots[index % loader->slot_count];
    pthread_cond_broadcast(&loader->changed);
    if (slot->holds != index + 1) {
        int64_t begin = clock_boot_ns();
        while (slot->holds != index + 1)
            pthread_cond_wait(&loader->changed, &loader->mutex);
        loader->waited_ns += clock_boot_ns() - begin;
    }
    pthread_mutex_unlock(&loader->mutex);
    return &slot->batch;
}

size_t loader_batches(const struct loader *loader)
{
    return loader->batches;
}

double loader_waited_s(const struct loader *loader)
{
    return (double)loader->waited_ns / NS_PER_S;
}

double loader_busy_s(struct loader *loader)
{
    pthread_mutex_lock(&loader->mutex);
    int64_t busy_ns = loader->busy_ns;
    pthread_mutex_unlock(&loader->mutex);
    return (double)busy_ns / NS_PER_S;
}

void loader_close(struct loader *loader)
{
    if (!loader)
        return;
    pthread_mutex_lock(&loader->mutex);
    loader->closing = true;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
    for (size_t i = 0; i < loader->thread_count; i++)
        pthread_join(loader->threads[i], NULL);
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->mutex);
    free_memory(loader);
}
