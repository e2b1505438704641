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
    struct loader_options options = {.batch = batch, .train = train, .seed = 3};
    if (augment)
        options.augment = (struct augmentation){.crop = 4, .flip = 0.5};
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

enum { ALL = COUNT * IMAGE };

/* Every image of an epoch from batch `from` on, one after the other, into `images` (ALL floats) at their
 * places. */
static void read_epoch(const struct dataset *dataset, const struct loader_options *options, uint64_t epoch,
                       size_t from, float *images)
{
    struct error error = ERROR_INIT;
    struct loader *loader = loader_open(dataset, options, &error);
    assert_non_null(loader);
    size_t at = from * options->batch;
    loader_start_at(loader, epoch, from);
    for (const struct batch *batch; (batch = loader_next(loader)); at += batch->count)
        memcpy(images + at * IMAGE, batch->images, batch->count * IMAGE * sizeof *images);
    assert_int_equal(at, COUNT);
    assert_true(loader_busy_s(loader) > 0);
    loader_close(loader);
}

static const struct augmentation everything = {
    .rotate_deg = 15, .shift = 0.1, .flip = 0.5, .crop = 4, .jitter = 0.4};

static void batches_threads_and_what_came_before_change_nothing(void **state)
{
    (void)state;
    struct dataset *dataset = open_shapes();
    struct loader_options options = {.batch = 7, .train = true, .augment = everything, .seed = 3};
    float *whole = calloc(ALL, sizeof *whole), *other = calloc(ALL, sizeof *other);
    read_epoch(dataset, &options, 4, 0, whole);
    static const struct {
        size_t batch, threads, from;
    } cases[] = {{1, 1, 0}, {16, 3, 0}, {50, 2, 0}, {7, 4, 0}, {7, 1, 5}, {8, 3, 6}, {1, 2, 49}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        options.batch = cases[i].batch;
        options.threads = cases[i].threads;
        memset(other, 0, ALL * sizeof *other);
        read_epoch(dataset, &options, 4, cases[i].from, other);
        size_t first = cases[i].from * cases[i].batch * IMAGE;
        assert_memory_equal(other + first, whole + first, (ALL - first) * sizeof *whole);
    }
    free(whole);
    free(other);
    dataset_free(dataset);
}

static size_t count_equal(const float *one, const float *two)
{
    size_t equal = 0;
    for (size_t i = 0; i < COUNT; i++)
        equal += memcmp(one + i * IMAGE, two + i * IMAGE, IMAGE * sizeof *one) == 0;
    return equal;
}

static void what_is_drawn_depends_on_seed_epoch_and_image(void **state)
{
    (void)state;
    struct dataset *dataset = open_shapes();
    struct loader_options options = {
        .batch = 8, .train = true, .in_order = true, .augment = everything, .seed = 3};
    float *one = calloc(ALL, sizeof *one), *two = calloc(ALL, sizeof *two);
    read_epoch(dataset, &options, 0, 0, one);
    read_epoch(dataset, &options, 1, 0, two);
    assert_int_equal(count_equal(one, two), 0);
    options.seed = 4;
    read_epoch(dataset, &options, 0, 0, two);
    assert_int_equal(count_equal(one, two), 0);
    /* the same images, wherever the order of the epoch puts them */
    options.seed = 3;
    options.in_order = false;
    read_epoch(dataset, &options, 0, 0, two);
    size_t found = 0;
    for (size_t i = 0; i < COUNT; i++)
        for (size_t k = 0; k < COUNT; k++)
            found += memcmp(one + i * IMAGE, two + k * IMAGE, IMAGE * sizeof *one) == 0;
    assert_int_equal(found, COUNT);
    assert_true(count_equal(one, two) < COUNT / 2);
    free(one);
    free(two);
    dataset_free(dataset);
}

static void an_epoch_can_begin_at_its_end(void **state)
{
    (void)state;
    struct dataset *dataset = open_shapes();
    struct loader *loader = open_loader(dataset, true, true, 8);
    loader_start_at(loader, 0, 7);
    assert_null(loader_next(loader));
    loader_start_at(loader, 0, SIZE_MAX);
    assert_null(loader_next(loader));
    loader_start_at(loader, 0, 6);
    assert_int_equal(loader_next(loader)->count, COUNT - 6 * 8);
    assert_null(loader_next(loader));
    loader_close(loader);
    dataset_free(dataset);
}

static void a_given_normalisation_replaces_the_computed(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    const struct normalisation given = {"given", {0.5F, 0.25F, 0}, {0.5F, 1, 0.125F}};
    struct dataset_options options = {.size = 32, .normalisation = &given};
    struct dataset *dataset = dataset_open("shapes:50", &options, &error);
    assert_non_null(dataset);
    struct loader *loader = open_loader(dataset, false, false, 1);
    loader_start(loader, 0);
    const struct batch *batch = loader_next(loader);
    for (size_t p = 0; p < 1024; p++) {
        assert_true(batch->images[p] == ((float)dataset->test.images[p] / 255.0F - 0.5F) / 0.5F);
        assert_true(batch->images[2048 + p] == (float)dataset->test.images[2048 + p] / 255.0F / 0.125F);
    }
    loader_close(loader);
    dataset_free(dataset);
}

static void padding_as_large_as_the_images_is_refused(void **state)
{
    (void)state;
    struct dataset *dataset = open_shapes();
    struct error error = ERROR_INIT;
    struct loader_options options = {.batch = 1, .train = true, .augment = {.crop = 32}};
    assert_null(loader_open(dataset, &options, &error));
    assert_non_null(
        strstr(error_text(&error), "crop:32: expected less padding than the images have pixels, 32"));
    error_clear(&error);
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
        cmocka_unit_test(batches_threads_and_what_came_before_change_nothing),
        cmocka_unit_test(what_is_drawn_depends_on_seed_epoch_and_image),
        cmocka_unit_test(an_epoch_can_begin_at_its_end),
        cmocka_unit_test(a_given_normalisation_replaces_the_computed),
        cmocka_unit_test(padding_as_large_as_the_images_is_refused),
        cmocka_unit_test(a_batch_of_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
