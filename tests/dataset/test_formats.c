#include "base/file.h"
#include "base/text.h"
#include "dataset/dataset.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

static int make_folder(void **state)
{
    char *folder = strdup("/tmp/joulery-data-XXXXXX");
    *state = folder ? mkdtemp(folder) : NULL;
    return *state ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status, (void)kind, (void)walk;
    return remove(path);
}

static int remove_folder(void **state)
{
    nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return 0;
}

static void put(const char *folder, const char *name, const void *bytes, size_t size)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *path = file_join(folder, name);
    assert_int_equal(file_write(path, bytes, size, &error), 0);
}

static void make(const char *folder, const char *name)
{
    AUTO_FREE char *path = file_join(folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static struct dataset *open_in(const char *format, const char *folder, size_t size, struct error *error)
{
    AUTO_FREE char *spec = text_format("%s:%s", format, folder);
    struct dataset_options options = {.size = size, .threads = 2};
    return dataset_open(spec, &options, error);
}

static void refused(const char *format, const char *folder, size_t size, const char *expected)
{
    struct error error = ERROR_INIT;
    assert_null(open_in(format, folder, size, &error));
    if (!strstr(error_text(&error), expected))
        fail_msg("expected '%s' in '%s'", expected, error_text(&error));
    error_clear(&error);
}

static struct dataset *opened(const char *format, const char *folder, size_t size)
{
    struct error error = ERROR_INIT;
    struct dataset *dataset = open_in(format, folder, size, &error);
    if (!dataset)
        fail_msg("%s", error_text(&error));
    return dataset;
}

/* ---- CIFAR-10 ---- */

enum { RECORD = 3073 };

static void put_batch(const char *folder, const char *name, size_t count, uint8_t first_label)
{
    uint8_t *bytes = malloc(count * RECORD);
    for (size_t i = 0; i < count; i++) {
        bytes[i * RECORD] = (uint8_t)((first_label + i) % 10);
        for (size_t p = 1; p < RECORD; p++)
            bytes[i * RECORD + p] = (uint8_t)(p * 7 + i * 31 + first_label);
    }
    put(folder, name, bytes, count * RECORD);
    free(bytes);
}

static void put_cifar(const char *folder)
{
    for (int i = 1; i <= 5; i++) {
        AUTO_FREE char *name = text_format("data_batch_%d.bin", i);
        put_batch(folder, name, 4, (uint8_t)i);
    }
    put_batch(folder, "test_batch.bin", 3, 0);
}

static void cifar_records_become_planes_and_labels(void **state)
{
    put_cifar(*state);
    struct dataset *dataset = opened("cifar10", *state, 0);
    assert_int_equal(dataset->train.count, 20);
    assert_int_equal(dataset->test.count, 3);
    assert_int_equal(dataset->size, 32);
    assert_string_equal(dataset->class_names[9], "truck");
    assert_int_equal(dataset->train.labels[4], 2); /* the first of data_batch_2 */
    const uint8_t *image = dataset->train.images + 5 * 3072;
    for (size_t p = 0; p < 3072; p++)
        assert_int_equal(image[p], (uint8_t)((p + 1) * 7 + 31 + 2));
    dataset_free(dataset);
}

static void cifar_class_names_are_read(void **state)
{
    put_cifar(*state);
    put(*state, "batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n", 21);
    struct dataset *dataset = opened("cifar10", *state, 0);
    assert_string_equal(dataset->class_names[9], "j");
    dataset_free(dataset);
}

static void cifar_errors_name_the_file(void **state)
{
    refused("cifar10", *state, 0, "data_batch_1.bin: no such file");
    put_cifar(*state);
    put(*state, "data_batch_3.bin", "short", 5);
    refused("cifar10", *state, 0, "data_batch_3.bin: expected records of 3073 bytes, found 5 bytes");
    put_batch(*state, "data_batch_3.bin", 1, 0);
    uint8_t wrong[RECORD] = {10};
    put(*state, "test_batch.bin", wrong, RECORD);
    refused("cifar10", *state, 0, "test_batch.bin: expected labels from 0 to 9, found 10 in record 0");
}

/* ---- MNIST ---- */

static void put_idx(const char *folder, const char *name, size_t images, size_t size, size_t cut)
{
    size_t dimensions = size ? 3 : 1, header = 4 + 4 * dimensions, data = images * (size ? size * size : 1);
    uint8_t *bytes = calloc(header + data, 1);
    const size_t sizes[] = {images, size, size};
    bytes[2] = 8;
    bytes[3] = (uint8_t)dimensions;
    for (size_t i = 0; i < dimensions; i++)
        bytes[4 + 4 * i + 3] = (uint8_t)sizes[i];
    for (size_t i = 0; i < data; i++)
        bytes[header + i] = (uint8_t)(size ? i / (size * size) * 3 : i % 10);
    if (strstr(name, ".gz")) {
        AUTO_FREE char *path = file_join(folder, name);
        gzFile file = gzopen(path, "wb");
        gzwrite(file, bytes, (unsigned)(header + data - cut));
        gzclose(file);
    } else {
        put(folder, name, bytes, header + data - cut);
    }
    free(bytes);
}

static void mnist_is_read_plain_and_packed(void **state)
{
    put_idx(*state, "train-images-idx3-ubyte.gz", 30, 28, 0);
    put_idx(*state, "train-labels-idx1-ubyte", 30, 0, 0);
    put_idx(*state, "t10k-images-idx3-ubyte", 10, 28, 0);
    put_idx(*state, "t10k-labels-idx1-ubyte.gz", 10, 0, 0);
    struct dataset *dataset = opened("mnist", *state, 0);
    assert_int_equal(dataset->train.count, 30);
    assert_int_equal(dataset->test.count, 10);
    assert_int_equal(dataset->size, 28);
    assert_null(dataset->note);
    assert_int_equal(dataset->train.labels[13], 3);
    for (size_t p = 0; p < 3 * 28 * 28; p++)
        assert_int_equal(dataset->train.images[13 * 3 * 28 * 28 + p], 39);
    dataset_free(dataset);
}

static void mnist_with_one_pair_is_split_and_says_so(void **state)
{
    put_idx(*state, "t10k-images-idx3-ubyte", 50, 28, 0);
    put_idx(*state, "t10k-labels-idx1-ubyte", 50, 0, 0);
    struct dataset *dataset = opened("mnist", *state, 32);
    assert_int_equal(dataset->train.count, 40);
    assert_int_equal(dataset->test.count, 10);
    assert_non_null(strstr(dataset->note, "40 training and 10 test images"));
    bool seen[50] = {false};
    for (size_t i = 0; i < 50; i++) { /* an image of one grey each: which it is can be told */
        const struct dataset_split *split = i < 40 ? &dataset->train : &dataset->test;
        size_t at = i < 40 ? i : i - 40, index = split->images[at * 3 * 32 * 32] / 3;
        assert_false(seen[index]);
        seen[index] = true;
        assert_int_equal(split->labels[at], index % 10);
    }
    dataset_free(dataset);
}

static void mnist_errors_name_the_file(void **state)
{
    refused("mnist", *state, 0, "found none of them");
    put_idx(*state, "train-images-idx3-ubyte", 30, 28, 0);
    refused("mnist", *state, 0, "expected train-labels-idx1-ubyte (or .gz) beside train-images-idx3-ubyte");
    put_idx(*state, "train-labels-idx1-ubyte", 29, 0, 0);
    refused("mnist", *state, 0, "train-labels-idx1-ubyte: expected 30 labels");
    put_idx(*state, "train-labels-idx1-ubyte", 30, 28, 0);
    refused("mnist", *state, 0,
            "train-labels-idx1-ubyte: expected IDX labels (magic number 0x00000801), found 0x00000803");
    put_idx(*state, "train-labels-idx1-ubyte", 30, 0, 0);
    put_idx(*state, "train-images-idx3-ubyte", 30, 28, 100);
    refused("mnist", *state, 0,
            "train-images-idx3-ubyte: expected 23520 bytes of images after the header, found 23420");
    put(*state, "train-images-idx3-ubyte", "\x1f\x8b\x08\x00zzzzzz\x03", 11);
    refused("mnist", *state, 0, "train-images-idx3-ubyte: the gzip data");
}

/* ---- folders ---- */

static void copy_image(const char *folder, const char *to, const char *image)
{
    struct error error = ERROR_INIT;
    size_t size;
    AUTO_FREE char *path = text_format("%s/images/%s", getenv("JOULERY_TEST_DATA"), image);
    AUTO_FREE char *bytes = file_read(path, 1 << 20, &size, &error);
    assert_non_null(bytes);
    put(folder, to, bytes, size);
}

static void fill_class(const char *folder, const char *class_name, int count)
{
    make(folder, class_name);
    for (int i = 0; i < count; i++) {
        AUTO_FREE char *to = text_format("%s/%d.%s", class_name, i, i % 2 ? "PNG" : "jpeg");
        copy_image(folder, to, i % 2 ? "colour.png" : "colour.jpg");
    }
}

static void folders_with_train_and_val_are_read(void **state)
{
    make(*state, "train");
    make(*state, "val");
    fill_class(*state, "train/owl", 3);
    fill_class(*state, "train/cat", 2);
    fill_class(*state, "val/cat", 1);
    put(*state, "train/cat/notes.txt", "x", 1);
    struct dataset *dataset = opened("folder", *state, 16);
    assert_int_equal(dataset->train.count, 5);
    assert_int_equal(dataset->test.count, 1);
    assert_int_equal(dataset->classes, 2);
    assert_string_equal(dataset->class_names[0], "cat");
    assert_int_equal(dataset->train.labels[1], 0);
    assert_int_equal(dataset->train.labels[2], 1);
    assert_int_equal(dataset->skipped, 0);
    assert_null(dataset->note);
    dataset_free(dataset);
}

static void class_folders_alone_are_split_four_to_one(void **state)
{
    fill_class(*state, "a", 10);
    fill_class(*state, "b", 5);
    struct dataset *dataset = opened("folder", *state, 16);
    assert_int_equal(dataset->train.count, 12);
    assert_int_equal(dataset->test.count, 3);
    assert_non_null(strstr(dataset->note, "12 training and 3 test images"));
    struct dataset *again = opened("folder", *state, 16);
    assert_memory_equal(dataset->test.images, again->test.images, 3 * 3 * 16 * 16);
    dataset_free(again);
    dataset_free(dataset);
}

static void broken_images_are_skipped_and_counted(void **state)
{
    fill_class(*state, "a", 5);
    fill_class(*state, "b", 5);
    for (int i = 0; i < 12; i++) {
        AUTO_FREE char *to = text_format("b/t%d.jpg", i);
        copy_image(*state, to, "truncated.jpg");
    }
    struct dataset *dataset = opened("folder", *state, 16);
    assert_int_equal(dataset->skipped, 12);
    assert_int_equal(dataset->skipped_reason_count, 10);
    assert_non_null(strstr(dataset->skipped_reasons[0], "b/t"));
    assert_non_null(strstr(dataset->skipped_reasons[0], "truncated JPEG"));
    assert_int_equal(dataset->train.count + dataset->test.count, 10);
    dataset_free(dataset);
}

static void useless_folders_are_refused(void **state)
{
    refused("folder", "/nonexistent/folder", 16, "/nonexistent/folder: no such folder");
    refused("folder", *state, 16, "found no folder");
    make(*state, "a");
    refused("folder", *state, 16, "expected at least two classes, found one ('a')");
    make(*state, "b");
    refused("folder", *state, 16, "/a: expected JPEG or PNG files");
    for (int i = 0; i < 10; i++) {
        AUTO_FREE char *to = text_format("%c/%d.jpg", 'a' + i % 2, i);
        copy_image(*state, to, "truncated.jpg");
    }
    refused("folder", *state, 16, "none of the 8 training images can be decoded; the first: ");
}

static void images_of_several_sizes_need_a_size(void **state)
{
    fill_class(*state, "a", 5);
    fill_class(*state, "b", 5);
    refused("folder", *state, 0, "24 x 16 pixels, which is not square: say with --size");
}

/* ---- shapes, and all ---- */

static struct dataset *draw(const char *spec, size_t size, size_t threads)
{
    struct error error = ERROR_INIT;
    struct dataset_options options = {.size = size, .threads = threads};
    struct dataset *dataset = dataset_open(spec, &options, &error);
    if (!dataset)
        fail_msg("%s", error_text(&error));
    return dataset;
}

static uint64_t fnv(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0xcbf29ce484222325u;
    for (size_t i = 0; i < count; i++)
        value = (value ^ bytes[i]) * 0x100000001b3u;
    return value;
}

/* The hash was taken on x86-64 with gcc 12; other machines and compilers must find the same. */
static void shapes_are_the_same_everywhere(void **state)
{
    (void)state;
    struct dataset *one = draw("shapes:200", 32, 1), *many = draw("shapes:200", 32, 7);
    assert_int_equal(one->train.count, 200);
    assert_int_equal(one->test.count, 40);
    assert_memory_equal(one->train.images, many->train.images, 200 * 3072);
    assert_memory_equal(one->train.labels, many->train.labels, 200 * sizeof(int32_t));
    assert_int_equal(fnv(one->train.images, 200 * 3072), 0x6fa964e86dad45edu);
    struct dataset *other = draw("shapes:200:1", 32, 2);
    assert_memory_not_equal(one->train.images, other->train.images, 200 * 3072);
    dataset_free(one);
    dataset_free(many);
    dataset_free(other);
}

/* A classifier that knows only the mean colour of a class: near chance, which is 10 %. */
static void colour_does_not_give_the_class_away(void **state)
{
    (void)state;
    struct dataset *dataset = draw("shapes:1000", 32, 2);
    double mean[10][3] = {{0}}, count[10] = {0};
    for (size_t i = 0; i < dataset->train.count; i++) {
        int32_t label = dataset->train.labels[i];
        count[label]++;
        for (size_t p = 0; p < 3072; p++)
            mean[label][p / 1024] += dataset->train.images[i * 3072 + p];
    }
    size_t right = 0;
    for (size_t i = 0; i < dataset->test.count; i++) {
        double own[3] = {0}, best = 0;
        for (size_t p = 0; p < 3072; p++)
            own[p / 1024] += dataset->test.images[i * 3072 + p];
        int32_t guess = -1;
        for (int32_t k = 0; k < 10; k++) {
            double distance = 0;
            for (size_t c = 0; c < 3; c++)
                distance += (own[c] - mean[k][c] / count[k]) * (own[c] - mean[k][c] / count[k]);
            if (guess < 0 || distance < best) {
                best = distance;
                guess = k;
            }
        }
        right += guess == dataset->test.labels[i];
    }
    print_message("by colour: %.1f %%\n", 100.0 * (double)right / (double)dataset->test.count);
    assert_true(right < dataset->test.count / 5);
    dataset_free(dataset);
}

static void wrong_specs_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"shapez", "did you mean shapes?"},
        {"", "expected shapes[:N[:SEED]], cifar10:DIR"},
        {"shapes:", "expected a number of images"},
        {"shapes:ten", "expected a number of images, as in shapes:10000, found 'ten'"},
        {"shapes:3", "expected at least 20 images"},
        {"shapes:100:x", "expected a seed"},
        {"shapes:18446744073709551615", "of memory, and this machine has"},
        {"mnist", "names no folder: expected mnist:DIR"},
        {"folder:", "names no folder: expected folder:DIR"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct error error = ERROR_INIT;
        struct dataset_options options = {.size = 32};
        assert_null(dataset_open(wrong[i][0], &options, &error));
        if (!strstr(error_text(&error), wrong[i][1]))
            fail_msg("expected '%s' in '%s'", wrong[i][1], error_text(&error));
        error_clear(&error);
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(cifar_records_become_planes_and_labels),
        IN_FOLDER(cifar_class_names_are_read),
        IN_FOLDER(cifar_errors_name_the_file),
        IN_FOLDER(mnist_is_read_plain_and_packed),
        IN_FOLDER(mnist_with_one_pair_is_split_and_says_so),
        IN_FOLDER(mnist_errors_name_the_file),
        IN_FOLDER(folders_with_train_and_val_are_read),
        IN_FOLDER(class_folders_alone_are_split_four_to_one),
        IN_FOLDER(broken_images_are_skipped_and_counted),
        IN_FOLDER(useless_folders_are_refused),
        IN_FOLDER(images_of_several_sizes_need_a_size),
        cmocka_unit_test(shapes_are_the_same_everywhere),
        cmocka_unit_test(colour_does_not_give_the_class_away),
        cmocka_unit_test(wrong_specs_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
