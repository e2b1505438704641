/* bench_loader: images a second that the loader prepares, by augmentation and size, with one thread and with
 * two. The best of some epochs, the caller doing nothing but take batches. */
#include "base/clock.h"
#include "dataset/dataset.h"

#include <stdio.h>

enum { EPOCHS = 5, BATCH = 32 };

static const char *const specs[] = {
    NULL, "flip", "crop:4,flip", "paper", "resized-crop", "resized-crop,flip,jitter", "paper,jitter"};

static double images_per_s(const struct dataset *dataset, const struct augmentation *augment, size_t threads)
{
    struct error error = ERROR_INIT;
    const struct loader_options options = {
        .batch = BATCH, .train = true, .augment = *augment, .threads = threads};
    struct loader *loader = loader_open(dataset, &options, &error);
    if (!loader) {
        fprintf(stderr, "bench_loader: %s\n", error_text(&error));
        return 0;
    }
    double best = 0;
    for (uint64_t epoch = 0; epoch < EPOCHS; epoch++) {
        int64_t begin = clock_boot_ns();
        loader_start(loader, epoch);
        while (loader_next(loader))
            ;
        double rate = (double)dataset->train.count * NS_PER_S / (double)(clock_boot_ns() - begin);
        best = rate > best ? rate : best;
    }
    loader_close(loader);
    return best;
}

static int print_size(size_t size, const char *data)
{
    struct error error = ERROR_INIT;
    const struct dataset_options options = {.size = size, .threads = 2};
    struct dataset *dataset = dataset_open(data, &options, &error);
    if (!dataset) {
        fprintf(stderr, "bench_loader: %s\n", error_text(&error));
        return 1;
    }
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        struct augmentation augment = {0};
        if (specs[i] && augmentation_parse(specs[i], &augment, &error) < 0)
            return 1;
        double one = images_per_s(dataset, &augment, 1), two = images_per_s(dataset, &augment, 2);
        printf("%4zu  %-26s %9.0f images/s  %8.2f us an image  %9.0f images/s with two threads\n", size,
               specs[i] ? specs[i] : "none", one, 1e6 / one, two);
    }
    dataset_free(dataset);
    return 0;
}

int main(void)
{
    return print_size(32, "shapes:8000") || print_size(224, "shapes:400");
}
