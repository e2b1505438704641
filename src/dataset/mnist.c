/* MNIST and what is distributed in its form: two pairs of IDX files. */
#include "base/file.h"
#include "base/text.h"
#include "dataset/format.h"
#include "dataset/idx.h"

#include <stdlib.h>
#include <string.h>

enum { CLASSES = 10 };

#define FILE_BYTES_MOST ((size_t)2 << 30)

struct idx_file {
    char *path;
    uint8_t *bytes;
    struct idx idx;
};

struct idx_pair {
    struct idx_file images, labels;
};

static void free_file(struct idx_file *file)
{
    free(file->path);
    free(file->bytes);
}

static void free_pair(struct idx_pair *pair)
{
    free_file(&pair->images);
    free_file(&pair->labels);
}

/* The path of DIR/NAME or DIR/NAME.gz, whichever is there (NULL: neither, or no memory). */
static char *find_file(const char *directory, const char *name)
{
    char *path = file_join(directory, name);
    if (!path || file_exists(path))
        return path;
    char *packed = text_format("%s.gz", path);
    free(path);
    if (packed && file_exists(packed))
        return packed;
    free(packed);
    return NULL;
}

static int read_file(struct idx_file *file, size_t dimensions, struct error *error)
{
    size_t size, unpacked_size;
    file->bytes = (uint8_t *)file_read(file->path, FILE_BYTES_MOST, &size, error);
    if (!file->bytes)
        return -1;
    uint8_t *unpacked;
    if (idx_inflate(file->bytes, size, FILE_BYTES_MOST, &unpacked, &unpacked_size, error) < 0)
        return error_prefix(error, "%s", file->path);
    if (unpacked) {
        free(file->bytes);
        file->bytes = unpacked;
        size = unpacked_size;
    }
    if (idx_parse(file->bytes, size, dimensions, &file->idx, error) < 0)
        return error_prefix(error, "%s", file->path);
    return 0;
}

static int check_pair(const struct idx_pair *pair, struct error *error)
{
    const struct idx *images = &pair->images.idx, *labels = &pair->labels.idx;
    if (images->sizes[0] != labels->sizes[0])
        return error_set(
            error, "%s: expected %zu labels as %s has images, found %zu: the files don't belong together",
            pair->labels.path, images->sizes[0], pair->images.path, labels->sizes[0]);
    if (images->sizes[1] != images->sizes[2] || images->sizes[1] > 4096)
        return error_set(error, "%s: expected square images of at most 4096 pixels a side, found %zu x %zu",
                         pair->images.path, images->sizes[1], images->sizes[2]);
    for (size_t i = 0; i < labels->sizes[0]; i++)
        if (labels->data[i] >= CLASSES)
            return error_set(error, "%s: expected labels from 0 to 9, found %d at index %zu",
                             pair->labels.path, labels->data[i], i);
    return 0;
}

/* 1: read; 0: neither file is there; -1: error. */
static int read_pair(const char *directory, const char *prefix, struct idx_pair *pair, struct error *error)
{
    AUTO_FREE char *images = text_format("%s-images-idx3-ubyte", prefix);
    AUTO_FREE char *labels = text_format("%s-labels-idx1-ubyte", prefix);
    if (!images || !labels)
        return error_memory(error, directory);
    pair->images.path = find_file(directory, images);
    pair->labels.path = find_file(directory, labels);
    if (!pair->images.path && !pair->labels.path)
        return 0;
    if (!pair->images.path || !pair->labels.path)
        return error_set(error, "%s: expected %s (or .gz) beside %s, found none", directory,
                         pair->images.path ? labels : images, pair->images.path ? images : labels);
    if (read_file(&pair->images, 3, error) < 0 || read_file(&pair->labels, 1, error) < 0 ||
        check_pair(pair, error) < 0)
        return -1;
    return 1;
}

static int fill_split(struct dataset *dataset, struct dataset_split *split, const struct idx_pair *pair,
                      size_t threads, struct error *error)
{
    const struct idx *images = &pair->images.idx;
    if (dataset_allocate(dataset, split, images->sizes[0], error) < 0)
        return -1;
    for (size_t i = 0; i < split->count; i++)
        split->labels[i] = pair->labels.idx.data[i];
    return dataset_fill(dataset, split, images->data, 1, images->sizes[1], threads, error);
}

/* Only one of the two pairs is there: four fifths of it become the training split, always the same. */
static int split_only_pair(struct dataset *dataset, const struct idx_pair *pair, const char *directory,
                           const char *found, const char *missing, size_t threads, struct error *error)
{
    struct dataset_split all = {0};
    size_t *order = NULL, image = dataset->channels * dataset->size * dataset->size;
    size_t train = split_train_count(pair->images.idx.sizes[0]);
    int result = fill_split(dataset, &all, pair, threads, error);
    if (result == 0 && train == all.count)
        result = error_set(error, "%s: %zu images are too few to split into training and test images",
                           pair->images.path, all.count);
    if (result == 0)
        result = dataset_allocate(dataset, &dataset->train, train, error);
    if (result == 0)
        result = dataset_allocate(dataset, &dataset->test, all.count - train, error);
    if (result == 0 && !(order = split_order(all.count, 0)))
        result = error_memory(error, directory);
    for (size_t i = 0; result == 0 && i < all.count; i++) {
        struct dataset_split *split = i < train ? &dataset->train : &dataset->test;
        size_t at = i < train ? i : i - train;
        memcpy(split->images + at * image, all.images + order[i] * image, image);
        split->labels[at] = all.labels[order[i]];
    }
    free(order);
    free(all.images);
    free(all.labels);
    if (result < 0)
        return -1;
    dataset->note =
        text_format("%s has only the %s files (no %s files): split, always in the same way, into %zu "
                    "training and %zu test images",
                    directory, found, missing, dataset->train.count, dataset->test.count);
    return dataset->note ? 0 : error_memory(error, directory);
}

static int build(struct dataset *dataset, const struct dataset_options *options, const char *directory,
                 const struct idx_pair *train, const struct idx_pair *test, struct error *error)
{
    const struct idx *images = train ? &train->images.idx : &test->images.idx;
    dataset->size = dataset_target_size(options, images->sizes[1]);
    if (dataset_name_classes(dataset, NULL, CLASSES, error) < 0)
        return -1;
    if (!test)
        return split_only_pair(dataset, train, directory, "train-*", "t10k-*", options->threads, error);
    if (!train)
        return split_only_pair(dataset, test, directory, "t10k-*", "train-*", options->threads, error);
    if (fill_split(dataset, &dataset->train, train, options->threads, error) < 0)
        return -1;
    return fill_split(dataset, &dataset->test, test, options->threads, error);
}

int mnist_open(const char *directory, const struct dataset_options *options, struct dataset *dataset,
               struct error *error)
{
    struct idx_pair train = {0}, test = {0};
    int result = -1;
    int have_train = read_pair(directory, "train", &train, error);
    int have_test = have_train < 0 ? -1 : read_pair(directory, "t10k", &test, error);
    if (have_train < 0 || have_test < 0)
        goto out;
    if (!have_train && !have_test) {
        error_set(error,
                  "%s: expected train-images-idx3-ubyte[.gz], train-labels-idx1-ubyte[.gz] and the same with "
                  "t10k, found none of them",
                  directory);
        goto out;
    }
    result = build(dataset, options, directory, have_train ? &train : NULL, have_test ? &test : NULL, error);
out:
    free_pair(&train);
    free_pair(&test);
    return result;
}
