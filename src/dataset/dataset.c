#include "dataset/dataset.h"

#include "base/random.h"
#include "base/text.h"
#include "base/units.h"
#include "dataset/format.h"
#include "dataset/resize.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIZE_MOST  4096
#define SPLIT_SEED 20230106u /* any constant: a split must not move with a run's seed */

struct format {
    const char *name;
    dataset_format_open *open;
    bool needs_argument;
    const char *usage;
};

static const struct format formats[] = {
    {"shapes", shapes_open, false, "shapes[:N[:SEED]]"},
    {"cifar10", cifar_open, true, "cifar10:DIR"},
    {"mnist", mnist_open, true, "mnist:DIR"},
    {"folder", folder_open, true, "folder:DIR"},
};
enum { FORMATS = sizeof formats / sizeof *formats };

static const struct format *find_format(const char *spec, struct error *error)
{
    const char *names[FORMATS];
    AUTO_FREE char *name = strndup(spec, strcspn(spec, ":"));
    if (!name) {
        error_memory(error, "data set");
        return NULL;
    }
    for (size_t i = 0; i < FORMATS; i++) {
        names[i] = formats[i].name;
        if (strcmp(name, formats[i].name) == 0)
            return &formats[i];
    }
    const char *nearest = text_nearest(name, names, FORMATS);
    struct text usages = TEXT_INIT;
    for (size_t i = 0; i < FORMATS; i++)
        text_printf(&usages, "%s%s", i ? ", " : "", formats[i].usage);
    AUTO_FREE char *list = text_take(&usages);
    AUTO_FREE char *hint = nearest ? text_format(" (did you mean %s?)", nearest) : strdup("");
    error_set(error, "unknown data set '%s'%s: expected %s", spec, hint ? hint : "",
              list ? list : "shapes, cifar10, mnist or folder");
    return NULL;
}

/* Mean and standard deviation of each channel over the training split, from exact integer sums. */
static void measure_channels(struct dataset *dataset)
{
    size_t plane = dataset->size * dataset->size;
    for (size_t c = 0; c < dataset->channels; c++) {
        uint64_t sum = 0, squares = 0;
        for (size_t i = 0; i < dataset->train.count; i++) {
            const uint8_t *pixels = dataset->train.images + (i * dataset->channels + c) * plane;
            for (size_t p = 0; p < plane; p++) {
                sum += pixels[p];
                squares += (unsigned)pixels[p] * pixels[p];
            }
        }
        double count = (double)dataset->train.count * (double)plane;
        double mean = (double)sum / count;
        double variance = (double)squares / count - mean * mean;
        dataset->mean[c] = (float)(mean / 255);
        /* a constant channel is left at its scale */
        dataset->deviation[c] = variance > 0 ? (float)(sqrt(variance) / 255) : 1.0F;
    }
}

struct dataset *dataset_open(const char *spec, const struct dataset_options *options, struct error *error)
{
    const struct format *format = find_format(spec, error);
    if (!format)
        return NULL;
    const char *colon = strchr(spec, ':');
    if (format->needs_argument && (!colon || !colon[1])) {
        error_set(error, "data set '%s' names no folder: expected %s", spec, format->usage);
        return NULL;
    }
    if (options->size > SIZE_MOST) {
        error_set(error, "images of %zu x %zu pixels: expected at most %d x %d", options->size, options->size,
                  SIZE_MOST, SIZE_MOST);
        return NULL;
    }
    struct dataset *dataset = calloc(1, sizeof *dataset);
    if (!dataset || !(dataset->name = strdup(spec))) {
        error_memory(error, spec);
        dataset_free(dataset);
        return NULL;
    }
    dataset->channels = DATASET_CHANNELS;
    if (format->open(colon ? colon + 1 : NULL, options, dataset, error) < 0) {
        dataset_free(dataset);
        return NULL;
    }
    const struct normalisation *given = options->normalisation;
    if (given && !normalisation_is_computed(given)) {
        memcpy(dataset->mean, given->mean, sizeof dataset->mean);
        memcpy(dataset->deviation, given->deviation, sizeof dataset->deviation);
    } else {
        measure_channels(dataset);
    }
    return dataset;
}

static void free_strings(char **strings, size_t count)
{
    for (size_t i = 0; strings && i < count; i++)
        free(strings[i]);
    free(strings);
}

void dataset_free(struct dataset *dataset)
{
    if (!dataset)
        return;
    free(dataset->name);
    free(dataset->note);
    free_strings(dataset->class_names, dataset->classes);
    free_strings(dataset->skipped_reasons, dataset->skipped_reason_count);
    free(dataset->train.images);
    free(dataset->train.labels);
    free(dataset->test.images);
    free(dataset->test.labels);
    free(dataset);
}

size_t dataset_target_size(const struct dataset_options *options, size_t own_size)
{
    if (options->size)
        return options->size;
    return own_size < options->least_size ? options->least_size : own_size;
}

static int error_too_large(const struct dataset *dataset, size_t count, double needed, double memory,
                           struct error *error)
{
    AUTO_FREE char *need = text_format("%.3g GiB", needed / 0x1p30);
    AUTO_FREE char *have = units_bytes((uint64_t)memory);
    return error_set(error,
                     "%s: %zu images of %zu x %zu need %s of memory, and this machine has %s: take fewer or "
                     "smaller images (--size)",
                     dataset->name, count, dataset->size, dataset->size, need ? need : "more",
                     have ? have : "less");
}

int dataset_allocate(struct dataset *dataset, struct dataset_split *split, size_t count, struct error *error)
{
    double image = (double)dataset->channels * (double)dataset->size * (double)dataset->size;
    double needed = (double)count * (image + sizeof *split->labels);
    double memory = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    if (needed > memory)
        return error_too_large(dataset, count, needed, memory, error);
    split->count = count;
    split->images = malloc(count * dataset->channels * dataset->size * dataset->size);
    split->labels = malloc(count * sizeof *split->labels);
    if (count && (!split->images || !split->labels))
        return error_too_large(dataset, count, needed, memory, error);
    return 0;
}

int dataset_name_classes(struct dataset *dataset, const char *const *names, size_t classes,
                         struct error *error)
{
    dataset->class_names = calloc(classes, sizeof *dataset->class_names);
    if (!dataset->class_names)
        return error_memory(error, "names of the classes");
    dataset->classes = classes;
    for (size_t i = 0; i < classes; i++) {
        dataset->class_names[i] = names ? strdup(names[i]) : text_format("%zu", i);
        if (!dataset->class_names[i])
            return error_memory(error, "names of the classes");
    }
    return 0;
}

struct fill {
    const struct dataset *dataset;
    struct dataset_split *split;
    const uint8_t *raw;
    size_t channels, own_size;
    const struct resizer *resizer; /* NULL: the size is right */
    atomic_bool failed;
};

static void fill_image(void *context, size_t index)
{
    struct fill *fill = context;
    size_t plane = fill->dataset->size * fill->dataset->size, own_plane = fill->own_size * fill->own_size;
    uint8_t *out = fill->split->images + index * DATASET_CHANNELS * plane;
    const uint8_t *raw = fill->raw + index * fill->channels * own_plane;
    AUTO_FREE char *scratch = fill->resizer ? malloc(resizer_scratch(fill->resizer)) : NULL;
    if (fill->resizer && !scratch) {
        atomic_store(&fill->failed, true);
        return;
    }
    for (size_t c = 0; c < fill->channels; c++) {
        if (fill->resizer)
            resizer_run(fill->resizer, raw + c * own_plane, 1, out + c * plane, (uint8_t *)scratch);
        else
            memcpy(out + c * plane, raw + c * own_plane, plane);
    }
    for (size_t c = fill->channels; c < DATASET_CHANNELS; c++)
        memcpy(out + c * plane, out, plane);
}

int dataset_fill(const struct dataset *dataset, struct dataset_split *split, const uint8_t *raw,
                 size_t channels, size_t own_size, size_t threads, struct error *error)
{
    struct fill fill = {
        .dataset = dataset, .split = split, .raw = raw, .channels = channels, .own_size = own_size};
    struct resizer *resizer = NULL;
    if (own_size != dataset->size) {
        resizer = resizer_new(own_size, own_size, dataset->size, error);
        if (!resizer)
            return -1;
    }
    fill.resizer = resizer;
    parallel_for(split->count, threads, fill_image, &fill);
    resizer_free(resizer);
    return fill.failed ? error_memory(error, dataset->name) : 0;
}

size_t *split_order(size_t count, uint64_t stream)
{
    size_t *order = calloc(count ? count : 1, sizeof *order);
    if (!order)
        return NULL;
    for (size_t i = 0; i < count; i++)
        order[i] = i;
    struct random_stream random;
    random_seed(&random, SPLIT_SEED, stream);
    random_shuffle(&random, order, count);
    return order;
}

size_t split_train_count(size_t count)
{
    return count - count / 5;
}
