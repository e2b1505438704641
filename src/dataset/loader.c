/* A ring of batches between the thread that prepares them and the caller that trains on them. */
#include "base/clock.h"
#include "base/random.h"
#include "dataset/dataset.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOTS = 3, /* one with the caller, two ahead of it */
    PADDING = 4,
};

/* Away from the streams that others draw from the same seed. */
#define STREAM ((uint64_t)0x6c6f6164 << 32)

struct slot {
    float *images;
    int32_t *labels;
    struct batch batch;
};

struct loader {
    const struct dataset *dataset;
    struct loader_options options;
    const struct dataset_split *split;
    size_t batches;                      /* in an epoch */
    size_t *order;                       /* the thread's, while it works on an epoch */
    float values[DATASET_CHANNELS][256]; /* what each byte becomes */
    struct slot slots[SLOTS];
    int64_t waited_ns; /* the caller's */
    pthread_t thread;

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    uint64_t epoch, generation; /* each loader_start begins a generation */
    size_t prepared, taken;     /* batches of this generation; the caller holds the last it took */
    bool closing;
};

static void fill_values(struct loader *loader)
{
    const struct dataset *dataset = loader->dataset;
    for (size_t c = 0; c < DATASET_CHANNELS; c++)
        for (size_t v = 0; v < 256; v++)
            loader->values[c][v] = ((float)v / 255.0F - dataset->mean[c]) / dataset->deviation[c];
}

static void copy_plain(const struct loader *loader, const uint8_t *image, float *out)
{
    size_t plane = loader->dataset->size * loader->dataset->size;
    for (size_t c = 0; c < DATASET_CHANNELS; c++) {
        const float *values = loader->values[c];
        for (size_t p = 0; p < plane; p++)
            out[c * plane + p] = values[image[c * plane + p]];
    }
}

/* A window of the padded image that starts at (left, top) of it; its pixels outside the image are black. */
static void copy_cropped(const struct loader *loader, const uint8_t *image, size_t left, size_t top,
                         bool flip, float *out)
{
    size_t size = loader->dataset->size;
    for (size_t c = 0; c < DATASET_CHANNELS; c++) {
        const float *values = loader->values[c];
        for (size_t y = 0; y < size; y++, out += size) {
            size_t row = y + top - PADDING; /* wraps above the image: then it is larger than size */
            for (size_t x = 0; x < size; x++) {
                size_t column = (flip ? size - 1 - x : x) + left - PADDING;
                bool seen = row < size && column < size;
                out[x] = values[seen ? image[(c * size + row) * size + column] : 0];
            }
        }
    }
}

/* Floats of one image, or of the row that stands for it. */
static size_t item_floats(const struct loader *loader)
{
    const struct dataset *dataset = loader->dataset;
    return loader->options.rows ? loader->options.row_floats
                                : dataset->channels * dataset->size * dataset->size;
}

static void prepare(const struct loader *loader, const size_t *order, size_t batch_index,
                    struct random_stream *random, struct slot *slot)
{
    size_t image = item_floats(loader);
    size_t first = batch_index * loader->options.batch;
    size_t count = loader->split->count - first;
    if (count > loader->options.batch)
        count = loader->options.batch;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *source = loader->split->images + order[first + i] * image;
        if (loader->options.rows) {
            memcpy(slot->images + i * image, loader->options.rows + order[first + i] * image,
                   image * sizeof(float));
        } else if (loader->options.augment) {
            size_t left = random_below(random, 2 * PADDING + 1), top = random_below(random, 2 * PADDING + 1);
            bool flip = random_below(random, 2);
            copy_cropped(loader, source, left, top, flip, slot->images + i * image);
        } else {
            copy_plain(loader, source, slot->images + i * image);
        }
        slot->labels[i] = loader->split->labels[order[first + i]];
    }
    slot->batch = (struct batch){slot->images, slot->labels, count};
}

/* One epoch, until it is done, replaced by another or the loader closes. The mutex is held on entry and on
 * return. */
static void prepare_epoch(struct loader *loader)
{
    uint64_t generation = loader->generation;
    struct random_stream random;
    random_seed(&random, loader->options.seed, STREAM + loader->epoch);
    for (size_t i = 0; i < loader->split->count; i++)
        loader->order[i] = i;
    if (loader->options.train && !loader->options.in_order)
        random_shuffle(&random, loader->order, loader->split->count);
    while (loader->generation == generation && !loader->closing && loader->prepared < loader->batches) {
        /* the caller's batch is `taken - 1`: its slot is free only once the next is taken */
        if (loader->prepared + 1 >= loader->taken + SLOTS) {
            pthread_cond_wait(&loader->changed, &loader->mutex);
            continue;
        }
        size_t index = loader->prepared;
        pthread_mutex_unlock(&loader->mutex);
        prepare(loader, loader->order, index, &random, &loader->slots[index % SLOTS]);
        pthread_mutex_lock(&loader->mutex);
        if (loader->generation == generation) {
            loader->prepared++;
            pthread_cond_broadcast(&loader->changed);
        }
    }
}

static void *loader_run(void *argument)
{
    struct loader *loader = argument;
    uint64_t done = 0;
    pthread_mutex_lock(&loader->mutex);
    while (!loader->closing) {
        if (loader->generation == done) {
            pthread_cond_wait(&loader->changed, &loader->mutex);
            continue;
        }
        done = loader->generation;
        prepare_epoch(loader);
    }
    pthread_mutex_unlock(&loader->mutex);
    return NULL;
}

static int allocate(struct loader *loader, struct error *error)
{
    size_t image = item_floats(loader), batch = loader->options.batch;
    loader->order = calloc(loader->split->count, sizeof *loader->order);
    bool enough = loader->order != NULL;
    for (size_t s = 0; s < SLOTS; s++) {
        size_t floats;
        bool fits = !__builtin_mul_overflow(batch, image, &floats);
        loader->slots[s].images = fits ? calloc(floats, sizeof(float)) : NULL;
        loader->slots[s].labels = calloc(batch, sizeof(int32_t));
        enough = enough && loader->slots[s].images && loader->slots[s].labels;
    }
    return enough ? 0
                  : error_set(error, "out of memory: batches of %zu images: take a smaller --batch", batch);
}

static void free_memory(struct loader *loader)
{
    for (size_t s = 0; s < SLOTS; s++) {
        free(loader->slots[s].images);
        free(loader->slots[s].labels);
    }
    free(loader->order);
    free(loader);
}

struct loader *loader_open(const struct dataset *dataset, const struct loader_options *options,
                           struct error *error)
{
    if (options->batch == 0) {
        error_set(error, "a batch of 0 images: expected at least 1");
        return NULL;
    }
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
    fill_values(loader);
    if (allocate(loader, error) < 0) {
        free_memory(loader);
        return NULL;
    }
    pthread_mutex_init(&loader->mutex, NULL);
    pthread_cond_init(&loader->changed, NULL);
    int failed = pthread_create(&loader->thread, NULL, loader_run, loader);
    if (failed) {
        error_set(error, "loader: no thread: %s", strerror(failed));
        free_memory(loader);
        return NULL;
    }
    return loader;
}

void loader_start(struct loader *loader, uint64_t epoch)
{
    pthread_mutex_lock(&loader->mutex);
    loader->epoch = epoch;
    loader->generation++;
    loader->prepared = loader->taken = 0;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
    loader->waited_ns = 0;
}

const struct batch *loader_next(struct loader *loader)
{
    pthread_mutex_lock(&loader->mutex);
    if (loader->generation == 0 || loader->taken >= loader->batches) {
        pthread_mutex_unlock(&loader->mutex);
        return NULL;
    }
    size_t index = loader->taken++;
    pthread_cond_broadcast(&loader->changed);
    if (loader->prepared <= index) {
        int64_t begin = clock_boot_ns();
        while (loader->prepared <= index)
            pthread_cond_wait(&loader->changed, &loader->mutex);
        loader->waited_ns += clock_boot_ns() - begin;
    }
    pthread_mutex_unlock(&loader->mutex);
    return &loader->slots[index % SLOTS].batch;
}

size_t loader_batches(const struct loader *loader)
{
    return loader->batches;
}

double loader_waited_s(const struct loader *loader)
{
    return (double)loader->waited_ns / NS_PER_S;
}

void loader_close(struct loader *loader)
{
    if (!loader)
        return;
    pthread_mutex_lock(&loader->mutex);
    loader->closing = true;
    pthread_cond_broadcast(&loader->changed);
    pthread_mutex_unlock(&loader->mutex);
    pthread_join(loader->thread, NULL);
    pthread_cond_destroy(&loader->changed);
    pthread_mutex_destroy(&loader->mutex);
    free_memory(loader);
}
