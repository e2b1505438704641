/* Class folders of JPEG and PNG files, as torchvision's ImageFolder reads them: classes in the order of their
 * names. */
#include "base/file.h"
#include "base/text.h"
#include "dataset/format.h"
#include "dataset/image.h"
#include "dataset/resize.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#define FILE_BYTES_MOST ((size_t)256 << 20)

enum { REASONS_MOST = 10 };

struct names {
    char **items;
    size_t count, room;
};

struct sample {
    char *path;
    int32_t label;
    char *reason;  /* why it could not be decoded, or NULL */
    bool odd_size; /* it was decoded, but is not as large as the others */
};

struct samples {
    struct sample *items;
    size_t count, room;
};

static void free_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

static void free_samples(struct samples *samples)
{
    for (size_t i = 0; i < samples->count; i++) {
        free(samples->items[i].path);
        free(samples->items[i].reason);
    }
    free(samples->items);
}

/* Makes room for one more of `count` items; NULL if memory ran out. */
static void *grow(void *items, size_t count, size_t *room, size_t item_size)
{
    if (count < *room)
        return items;
    size_t more = *room ? *room * 2 : 64;
    void *grown = reallocarray(items, more, item_size);
    if (grown)
        *room = more;
    return grown;
}

static int add_name(struct names *names, const char *name)
{
    char **items = grow(names->items, names->count, &names->room, sizeof *items);
    if (!items)
        return -1;
    names->items = items;
    items[names->count] = strdup(name);
    return items[names->count] ? (names->count++, 0) : -1;
}

static int add_sample(struct samples *samples, const char *directory, const char *name, int32_t label)
{
    struct sample *items = grow(samples->items, samples->count, &samples->room, sizeof *items);
    if (!items)
        return -1;
    samples->items = items;
    items[samples->count] = (struct sample){.path = file_join(directory, name), .label = label};
    return items[samples->count].path ? (samples->count++, 0) : -1;
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool is_image_name(const char *name)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot, endings[i]) == 0)
            return true;
    return false;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The folders in `directory`, or the image files in it, sorted by bytes. Hidden ones are left out. */
static int list(const char *directory, bool folders, struct names *names, struct error *error)
{
    DIR *stream = opendir(directory);
    if (!stream)
        return error_errno(error, errno, directory);
    int result = 0;
    for (struct dirent *entry; result == 0 && (entry = readdir(stream));) {
        if (entry->d_name[0] == '.')
            continue;
        AUTO_FREE char *path = file_join(directory, entry->d_name);
        if (!path)
            result = -1;
        else if (folders ? is_folder(path) : is_image_name(entry->d_name))
            result = add_name(names, entry->d_name);
    }
    closedir(stream);
    if (names->count)
        qsort(names->items, names->count, sizeof *names->items, compare_names);
    return result == 0 ? 0 : error_memory(error, directory);
}

static int list_class(const char *root, const char *class_name, int32_t label, struct samples *samples,
                      struct error *error)
{
    AUTO_FREE char *directory = file_join(root, class_name);
    if (!directory)
        return error_memory(error, root);
    struct names files = {0};
    int result = list(directory, false, &files, error);
    for (size_t i = 0; result == 0 && i < files.count; i++)
        if (add_sample(samples, directory, files.items[i], label) < 0)
            result = error_memory(error, directory);
    if (result == 0 && files.count == 0)
        result =
            error_set(error, "%s: expected JPEG or PNG files (.jpg, .jpeg, .png) of class '%s', found none",
                      directory, class_name);
    free_names(&files);
    return result;
}

static int32_t find_class(const struct names *classes, const char *name)
{
    for (size_t i = 0; i < classes->count; i++)
        if (strcmp(classes->items[i], name) == 0)
            return (int32_t)i;
    return -1;
}

/* The images of all class folders of `root`; `classes` are those of the training split. */
static int list_split(const char *root, const struct names *classes, struct samples *samples,
                      struct error *error)
{
    struct names found = {0};
    int result = list(root, true, &found, error);
    for (size_t i = 0; result == 0 && i < found.count; i++) {
        int32_t label = find_class(classes, found.items[i]);
        if (label < 0)
            result = error_set(
                error, "%s/%s: a class that the training images don't have: add it there or take it away",
                root, found.items[i]);
        else
            result = list_class(root, found.items[i], label, samples, error);
    }
    if (result == 0 && samples->count == 0)
        result = error_set(
            error, "%s: expected a folder of JPEG or PNG files for each class, found no folder", root);
    free_names(&found);
    return result;
}

/* Every class split 80 to 20 by a fixed permutation: samples of a class follow one another. */
static int split_samples(struct samples *all, struct samples *train, struct samples *test,
                         struct error *error)
{
    for (size_t begin = 0, end; begin < all->count; begin = end) {
        for (end = begin; end < all->count && all->items[end].label == all->items[begin].label; end++)
            ;
        size_t count = end - begin;
        size_t *order = split_order(count, (uint64_t)all->items[begin].label);
        for (size_t i = 0; order && i < count; i++) {
            struct samples *to = i < split_train_count(count) ? train : test;
            struct sample *from = &all->items[begin + order[i]];
            struct sample *items = grow(to->items, to->count, &to->room, sizeof *items);
            if (!items) {
                free(order);
                return error_memory(error, "folder");
            }
            to->items = items;
            items[to->count++] = *from;
            from->path = NULL;
        }
        if (!order)
            return error_memory(error, "folder");
        free(order);
    }
    return 0;
}

struct decoding {
    struct samples *samples;
    uint8_t *images;
    size_t own_size; /* all must have it; 0: any size will do */
    size_t size;
};

static void to_planes(const struct image *image, size_t size, uint8_t *out)
{
    for (size_t c = 0; c < DATASET_CHANNELS; c++)
        for (size_t p = 0; p < size * size; p++)
            out[c * size * size + p] = image->pixels[p * DATASET_CHANNELS + c];
}

static int fit(const struct image *image, size_t size, uint8_t *out, struct error *error)
{
    if (image->width == size && image->height == size) {
        to_planes(image, size, out);
        return 0;
    }
    struct resizer *resizer = resizer_new(image->width, image->height, size, error);
    if (!resizer)
        return -1;
    AUTO_FREE char *scratch = malloc(resizer_scratch(resizer));
    for (size_t c = 0; scratch && c < DATASET_CHANNELS; c++)
        resizer_run(resizer, image->pixels + c, DATASET_CHANNELS, out + c * size * size, (uint8_t *)scratch);
    resizer_free(resizer);
    return scratch ? 0 : error_memory(error, "resizing");
}

static int read_image(const char *path, struct image *image, struct error *error)
{
    size_t size;
    AUTO_FREE char *bytes = file_read(path, FILE_BYTES_MOST, &size, error);
    if (!bytes)
        return -1;
    if (image_decode((const uint8_t *)bytes, size, IMAGE_PIXELS_MOST, image, error) < 0)
        return error_prefix(error, "%s", path);
    return 0;
}

static void decode_sample(void *context, size_t index)
{
    struct decoding *decoding = context;
    struct sample *sample = &decoding->samples->items[index];
    uint8_t *out = decoding->images + index * DATASET_CHANNELS * decoding->size * decoding->size;
    struct error error = ERROR_INIT;
    struct image image = {0};
    int result = read_image(sample->path, &image, &error);
    size_t own = decoding->own_size;
    if (result == 0 && own && (image.width != own || image.height != own)) {
        sample->odd_size = true;
        result = error_set(
            &error, "%s: %zu x %zu pixels, and others have %zu x %zu: say with --size what to resize to",
            sample->path, image.width, image.height, own, own);
    }
    if (result == 0)
        result = fit(&image, decoding->size, out, &error);
    image_free(&image);
    if (result < 0)
        sample->reason = error.message ? error.message : strdup("out of memory");
}

static int keep_reason(struct dataset *dataset, struct sample *sample, struct error *error)
{
    dataset->skipped++;
    if (dataset->skipped_reason_count == REASONS_MOST)
        return 0;
    char **reasons =
        reallocarray(dataset->skipped_reasons, dataset->skipped_reason_count + 1, sizeof *reasons);
    if (!reasons)
        return error_memory(error, dataset->name);
    dataset->skipped_reasons = reasons;
    reasons[dataset->skipped_reason_count++] = sample->reason;
    sample->reason = NULL;
    return 0;
}

/* Closes the gaps that undecodable files left, and counts them. */
static int drop_skipped(struct dataset *dataset, struct dataset_split *split, struct samples *samples,
                        struct error *error)
{
    size_t kept = 0, image = DATASET_CHANNELS * dataset->size * dataset->size;
    for (size_t i = 0; i < samples->count; i++) {
        if (samples->items[i].odd_size)
            return error_set(error, "%s", samples->items[i].reason);
        if (samples->items[i].reason) {
            if (keep_reason(dataset, &samples->items[i], error) < 0)
                return -1;
            continue;
        }
        if (kept != i)
            memcpy(split->images + kept * image, split->images + i * image, image);
        split->labels[kept++] = samples->items[i].label;
    }
    split->count = kept;
    if (kept == 0)
        return error_set(error, "%s: none of the %zu %s images can be decoded; the first: %s", dataset->name,
                         samples->count, split == &dataset->train ? "training" : "test",
                         dataset->skipped_reason_count ? dataset->skipped_reasons[0] : "?");
    return 0;
}

static int decode_split(struct dataset *dataset, struct dataset_split *split, struct samples *samples,
                        size_t own_size, size_t threads, struct error *error)
{
    if (samples->count == 0)
        return error_set(error, "%s: too few images: a class needs five for one of them to be a test image",
                         dataset->name);
    if (dataset_allocate(dataset, split, samples->count, error) < 0)
        return -1;
    struct decoding decoding = {samples, split->images, own_size, dataset->size};
    parallel_for(samples->count, threads, decode_sample, &decoding);
    return drop_skipped(dataset, split, samples, error);
}

/* The size of the first training image that can be decoded, which without --size must be everybody's. */
static int own_size(const struct dataset *dataset, const struct samples *samples, size_t *size,
                    struct error *error)
{
    for (size_t i = 0; i < samples->count; i++) {
        struct image image;
        struct error ignored = ERROR_INIT;
        int result = read_image(samples->items[i].path, &image, &ignored);
        error_clear(&ignored);
        if (result < 0)
            continue;
        size_t width = image.width, height = image.height;
        image_free(&image);
        if (width != height)
            return error_set(error,
                             "%s: %zu x %zu pixels, which is not square: say with --size what to resize to",
                             samples->items[i].path, width, height);
        *size = width;
        return 0;
    }
    return error_set(error, "%s: none of the %zu training images can be decoded", dataset->name,
                     samples->count);
}

static int decode(struct dataset *dataset, const struct dataset_options *options, struct samples *train,
                  struct samples *test, struct error *error)
{
    size_t own = 0;
    if (!options->size && own_size(dataset, train, &own, error) < 0)
        return -1;
    dataset->size = dataset_target_size(options, own);
    if (decode_split(dataset, &dataset->train, train, own, options->threads, error) < 0)
        return -1;
    return decode_split(dataset, &dataset->test, test, own, options->threads, error);
}

/* A class without a single training image can't be learned. */
static int check_classes(const struct dataset *dataset, struct error *error)
{
    size_t *counts = calloc(dataset->classes, sizeof *counts);
    if (!counts)
        return error_memory(error, dataset->name);
    for (size_t i = 0; i < dataset->train.count; i++)
        counts[dataset->train.labels[i]]++;
    int result = 0;
    for (size_t i = 0; i < dataset->classes && result == 0; i++)
        if (counts[i] == 0)
            result = error_set(error, "%s: no training image of class '%s' can be decoded", dataset->name,
                               dataset->class_names[i]);
    free(counts);
    return result;
}

struct layout {
    char *train, *test; /* folders that hold the classes' folders; test NULL: to be split from train */
};

static int find_layout(const char *directory, struct layout *layout, struct error *error)
{
    static const char *const test_names[] = {"test", "val"};
    if (!is_folder(directory))
        return error_set(
            error, "%s: no such folder: expected one with train/ and test/, or with a folder for each class",
            directory);
    layout->train = file_join(directory, "train");
    for (size_t i = 0; i < 2 && !layout->test; i++) {
        layout->test = file_join(directory, test_names[i]);
        if (layout->test && !is_folder(layout->test)) {
            free(layout->test);
            layout->test = NULL;
        }
    }
    if (layout->train && is_folder(layout->train))
        return 0;
    if (layout->test)
        return error_set(error, "%s: found, but no %s beside it for the training images", layout->test,
                         layout->train ? layout->train : "train");
    free(layout->train);
    layout->train = strdup(directory);
    return layout->train ? 0 : error_memory(error, directory);
}

static int find_classes(struct dataset *dataset, const char *root, struct names *classes, struct error *error)
{
    if (list(root, true, classes, error) < 0)
        return -1;
    if (classes->count == 0)
        return error_set(error, "%s: expected a folder of JPEG or PNG files for each class, found no folder",
                         root);
    if (classes->count == 1)
        return error_set(
            error, "%s: expected at least two classes, found one ('%s'): there is nothing to tell apart",
            root, classes->items[0]);
    return dataset_name_classes(dataset, (const char *const *)classes->items, classes->count, error);
}

static int list_all(struct dataset *dataset, const struct layout *layout, const struct names *classes,
                    struct samples *train, struct samples *test, struct error *error)
{
    if (layout->test) {
        if (list_split(layout->train, classes, train, error) < 0)
            return -1;
        return list_split(layout->test, classes, test, error);
    }
    struct samples all = {0};
    int result = list_split(layout->train, classes, &all, error);
    if (result == 0)
        result = split_samples(&all, train, test, error);
    free_samples(&all);
    if (result < 0)
        return -1;
    dataset->note =
        text_format("%s has no test images: every class split, always in the same way, into %zu training "
                    "and %zu test images in all",
                    layout->train, train->count, test->count);
    return dataset->note ? 0 : error_memory(error, layout->train);
}

int folder_open(const char *directory, const struct dataset_options *options, struct dataset *dataset,
                struct error *error)
{
    struct layout layout = {0};
    struct names classes = {0};
    struct samples train = {0}, test = {0};
    int result = find_layout(directory, &layout, error);
    if (result == 0)
        result = find_classes(dataset, layout.train, &classes, error);
    if (result == 0)
        result = list_all(dataset, &layout, &classes, &train, &test, error);
    if (result == 0)
        result = decode(dataset, options, &train, &test, error);
    if (result == 0)
        result = check_classes(dataset, error);
    free_samples(&train);
    free_samples(&test);
    free_names(&classes);
    free(layout.train);
    free(layout.test);
    return result;
}
