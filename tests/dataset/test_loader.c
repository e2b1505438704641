#include "dataset/dataset.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 50, IMAGE = 3 * 32 * 32 };

static struct dataset *open_shapes(void)
{
    struct error error = ERROR_INIT;
    struct dataset_options options = {.size = 32, .threads = 2};
    struct dataset *dataset = dataset_open("shapes:50", &options, &error);
    assert_non_null(dataset);
    return dataset;
}

static struct loader *open_loader(const struct dataset *dataset, bool train, bool augment, size_t batch)
{
    struct error error = ERROR_INIT;
    struct loader_options options = {.batch = batch, .train = train, .augment = augment, .seed = 3};
    struct loader *loader = loader_open(dataset, &options, &error);
    assert_non_null(loader);
    return loader;
}

static float normalised(const struct dataset *dataset, size_t channel, uint8_t byte)
{
    return ((float)byte / 255.0F - dataset->mean[channel]) / dataset->deviation[channel];
}

/* Which training image the floats are, or -1. */
static int find_image(const struct dataset *dataset, const float *image)
{
    for (int i = 0; i < COUNT; i++) {
        size_t p = 0;
        while (p < IMAGE &&
               image[p] == normalised(dataset, p / 1024, dataset->train.images[(size_t)i * IMAGE + p]))
            p++;
        if (p == IMAGE)
            return i;
    }
    return -1;
}

/* The order of an epoch's images; checks that each comes once, with its label. */
static void read_order(const struct dataset *dataset, struct loader *loader, uint64_t epoch, int *order)
{
    bool seen[COUNT] = {false};
    size_t at = 0;
    loader_start(loader, epoch);
    for (const struct batch *batch; (batch = loader_next(loader));) {
        assert_int_equal(batch->count, at + 8 <= COUNT ? 8 : COUNT - at);
        for (size_t i = 0; i < batch->count; i++, at++) {
            int found = find_image(dataset, batch->images + i * IMAGE);
            assert_true(found >= 0 && !seen[found]);
            seen[found] = true;
            assert_int_equal(batch->labels[i], dataset->train.labels[found]);
            order[at] = found;
        }
    }
    assert_int_equal(at, COUNT);
    assert_null(loader_next(loader));
}

static void an_epoch_holds_every_image_once_in_an_order_of_its_own(void **state)
{
    (void)state;
    struct dataset *dataset = open_shapes();
    struct loader *loader = open_loader(dataset, true, false, 8);
    assert_null(loader_next(loader)); /* not started */
    assert_int_equal(loader_batches(loader), 7);
    int first[COUNT], second[COUNT], again[COUNT];
    read_order(dataset, loader, 0, first);
    read_order(dataset, loader, 1, second);
    assert_memory_not_equal(first, second, sizeof first);
    read_order(dataset, loader, 0, again);
    assert_memory_equal(first, again, sizeof first);
    assert_true(loader_waited_s(loader) >= 0);
    loader_close(loader);
    dataset_free(dataset);
}

static void the_test_split_comes_in_order(void **state)
{
    (void)state;
    struct dataset *dataset = open_shapes();
    struct loader *loader = open_loader(dataset, false, false, 1000);
    loader_start(loader, 0);
    const struct batch *batch = loader_next(loader);
    assert_int_equal(batch->count, dataset->test.count);
    assert_memory_equal(batch->labels, dataset->test.labels, dataset->test.count * sizeof(int32_t));
    assert_null(loader_next(loader));
    loader_close(loader);
    dataset_free(dataset);
}

/* The training image of which `image` is a crop with padding, flipped or not; -1: of none. */
static bool is_crop(const struct dataset *dataset, size_t index, const float *image, int left, int top,
                    bool flip)
{
    const uint8_t *source = dataset->train.images + index * IMAGE;
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < 32; y++)
            for (int x = 0; x < 32; x++) {
                int row = y + top, column = (flip ? 31 - x : x) + left;
                bool seen = row >= 0 && row < 32 && column >= 0 && column < 32;
                uint8_t byte = seen ? source[(c * 32 + row) * 32 + column] : 0;
                if (image[(c * 32 + y) * 32 + x] != normalised(dataset, (size_t)c, byte))
                    return false;
            }
    return true;
}

static int count_crops(const struct dataset *dataset, const float *image, bool *flipped, bool *moved)
{
    int found = 0;
    for (size_t i = 0; i < COUNT; i++)
        for (int left = -4; left <= 4; left++)
            for (int top = -4; top <= 4; top++)
                for (int flip = 0; flip < 2; flip++)
                    if (is_crop(dataset, i, image, left, top, flip)) {
                        found++;
                        *flipped = *flipped || flip;
                        *moved = *moved || left != 0 || top != 0;
                    }
    return found;
}

static void augmentation_crops_and_flips_and_is_repeatable(void **state)
{
    (void)state;
    struct dataset *dataset = open_shapes();
    struct loader *loader = open_loader(dataset, true, true, 16),
                  *twin = open_loader(dataset, true, true, 16);
    loader_start(loader, 5);
    loader_start(twin, 5);
    bool flipped = false, moved = false;
    for (const struct batch *batch; (batch = loader_next(loader));) {
        const struct batch *same = loader_next(twin);
        assert_memory_equal(batch->images, same->images, batch->count * IMAGE * sizeof(float));
        for (size_t i = 0; i < batch->count; i++)
            assert_true(count_crops(dataset, batch->images + i * IMAGE, &flipped, &moved) >= 1);
    }
    assert_true(flipped && moved);
    loader_close(loader);
    loader_close(twin);
    dataset_free(dataset);
}

static void epochs_can_be_dropped_at_any_batch(void **state)
{
    (void)state;
    struct dataset *dataset = open_shapes();
    struct loader *loader = open_loader(dataset, true, true, 4), *calm = open_loader(dataset, true, true, 4);
    for (uint64_t epoch = 0; epoch < 200; epoch++) {
        loader_start(loader, epoch);
        for (uint64_t i = 0; i < epoch % 5; i++)
            assert_non_null(loader_next(loader));
    }
    loader_start(loader, 7);
    loader_start(calm, 7);
    for (const struct batch *batch; (batch = loader_next(loader));) {
        const struct batch *same = loader_next(calm);
        assert_memory_equal(batch->images, same->images, batch->count * IMAGE * sizeof(float));
    }
    loader_start(loader, 8);
    loader_close(loader); /* in the middle */
    loader_close(calm);
    dataset_free(dataset);
}

static void a_batch_of_nothing_is_refused(void **state)
{
    (void)state;
    struct dataset *dataset = open_shapes();
    struct error error = ERROR_INIT;
    struct loader_options options = {.batch = 0, .train = true};
    assert_null(loader_open(dataset, &options, &error));
    assert_non_null(strstr(error_text(&error), "at least 1"));
    error_clear(&error);
    dataset_free(dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_epoch_holds_every_image_once_in_an_order_of_its_own),
        cmocka_unit_test(the_test_split_comes_in_order),
        cmocka_unit_test(augmentation_crops_and_flips_and_is_repeatable),
        cmocka_unit_test(epochs_can_be_dropped_at_any_batch),
        cmocka_unit_test(a_batch_of_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
