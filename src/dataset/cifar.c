#include "dataset/cifar.h"

#include "base/file.h"
#include "base/text.h"
#include "dataset/format.h"

#include <stdlib.h>
#include <string.h>

#define FILE_BYTES_MOST ((size_t)1 << 30)

static const char *const train_names[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                          "data_batch_4.bin", "data_batch_5.bin"};
static const char *const test_names[] = {"test_batch.bin"};

static const char *const class_names[CIFAR_CLASSES] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                                       "dog",      "frog",       "horse", "ship", "truck"};

int cifar_parse(const uint8_t *bytes, size_t size, size_t *count, struct error *error)
{
    if (size == 0 || size % CIFAR_RECORD != 0)
        return error_set(
            error,
            "expected records of %d bytes, found %zu bytes (%zu records and %zu bytes): truncated or not "
            "CIFAR-10's binary version; fetch it again",
            CIFAR_RECORD, size, size / CIFAR_RECORD, size % CIFAR_RECORD);
    *count = size / CIFAR_RECORD;
    for (size_t i = 0; i < *count; i++)
        if (bytes[i * CIFAR_RECORD] >= CIFAR_CLASSES)
            return error_set(
                error, "expected labels from 0 to 9, found %d in record %zu: not CIFAR-10's binary version",
                bytes[i * CIFAR_RECORD], i);
    return 0;
}

struct batch_file {
    uint8_t *bytes;
    size_t count;
};

static int read_batch(const char *directory, const char *name, struct batch_file *file, struct error *error)
{
    AUTO_FREE char *path = file_join(directory, name);
    if (!path)
        return error_memory(error, directory);
    if (!file_exists(path))
        return error_set(error,
                         "%s: no such file: expected CIFAR-10's binary version (data_batch_1.bin … "
                         "data_batch_5.bin, test_batch.bin) in %s; JPEG or PNG files are folder:DIR",
                         path, directory);
    size_t size;
    file->bytes = (uint8_t *)file_read(path, FILE_BYTES_MOST, &size, error);
    if (!file->bytes)
        return -1;
    if (cifar_parse(file->bytes, size, &file->count, error) < 0)
        return error_prefix(error, "%s", path);
    return 0;
}

static int fill_split(struct dataset *dataset, struct dataset_split *split, const struct batch_file *files,
                      size_t file_count, size_t threads, struct error *error)
{
    size_t count = 0, at = 0;
    for (size_t f = 0; f < file_count; f++)
        count += files[f].count;
    if (dataset_allocate(dataset, split, count, error) < 0)
        return -1;
    uint8_t *raw = malloc(count * CIFAR_IMAGE);
    if (!raw)
        return error_memory(error, dataset->name);
    for (size_t f = 0; f < file_count; f++)
        for (size_t i = 0; i < files[f].count; i++, at++) {
            const uint8_t *record = files[f].bytes + i * CIFAR_RECORD;
            split->labels[at] = record[0];
            memcpy(raw + at * CIFAR_IMAGE, record + 1, CIFAR_IMAGE);
        }
    int result = dataset_fill(dataset, split, raw, 3, CIFAR_SIZE, threads, error);
    free(raw);
    return result;
}

static int read_split(struct dataset *dataset, struct dataset_split *split, const char *directory,
                      const char *const *names, size_t count, size_t threads, struct error *error)
{
    struct batch_file files[sizeof train_names / sizeof *train_names] = {0};
    int result = 0;
    for (size_t f = 0; f < count && result == 0; f++)
        result = read_batch(directory, names[f], &files[f], error);
    if (result == 0)
        result = fill_split(dataset, split, files, count, threads, error);
    for (size_t f = 0; f < count; f++)
        free(files[f].bytes);
    return result;
}

/* The names in batches.meta.txt (a line each) if the file is there and has ten, else the usual ones. */
static int name_classes(struct dataset *dataset, const char *directory, struct error *error)
{
    AUTO_FREE char *path = file_join(directory, "batches.meta.txt");
    if (!path)
        return error_memory(error, directory);
    const char *names[CIFAR_CLASSES];
    size_t count = 0;
    AUTO_FREE char *content = NULL;
    if (file_exists(path) && !(content = file_read(path, 1 << 16, NULL, error)))
        return -1;
    char *rest = NULL;
    for (char *line = content ? strtok_r(content, "\r\n", &rest) : NULL; line && count < CIFAR_CLASSES;
         line = strtok_r(NULL, "\r\n", &rest))
        names[count++] = line;
    return dataset_name_classes(dataset, count == CIFAR_CLASSES ? names : class_names, CIFAR_CLASSES, error);
}

int cifar_open(const char *directory, const struct dataset_options *options, struct dataset *dataset,
               struct error *error)
{
    dataset->size = dataset_target_size(options, CIFAR_SIZE);
    if (name_classes(dataset, directory, error) < 0)
        return -1;
    if (read_split(dataset, &dataset->train, directory, train_names, sizeof train_names / sizeof *train_names,
                   options->threads, error) < 0)
        return -1;
    return read_split(dataset, &dataset->test, directory, test_names, 1, options->threads, error);
}
