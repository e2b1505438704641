/* Golden values: tests/dataset/golden.py, from Pillow. */
#include "base/file.h"
#include "base/text.h"
#include "dataset/image.h"
#include "dataset/resize.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t fnv(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0xcbf29ce484222325u;
    for (size_t i = 0; i < count; i++)
        value = (value ^ bytes[i]) * 0x100000001b3u;
    return value;
}

static char *data_path(const char *name)
{
    char *path = file_join(getenv("JOULERY_TEST_DATA"), name);
    assert_non_null(path);
    return path;
}

static int decode_file(const char *name, size_t pixels_most, struct image *image, struct error *error)
{
    AUTO_FREE char *relative = text_format("images/%s", name);
    AUTO_FREE char *path = data_path(relative);
    size_t size;
    AUTO_FREE char *bytes = file_read(path, 1 << 20, &size, error);
    assert_non_null(bytes);
    return image_decode((const uint8_t *)bytes, size, pixels_most, image, error);
}

static uint64_t resize_pattern(size_t width, size_t height, size_t out_size)
{
    uint32_t lcg = 1;
    uint8_t *pattern = malloc(width * height * 3);
    for (size_t i = 0; i < width * height * 3; i++) {
        lcg = (lcg * 1103515245u + 12345u) & 0x7fffffffu;
        pattern[i] = (uint8_t)(lcg >> 16);
    }
    struct error error = ERROR_INIT;
    struct resizer *resizer = resizer_new(width, height, out_size, &error);
    assert_non_null(resizer);
    size_t plane = out_size * out_size;
    uint8_t *planes = malloc(3 * plane), *mixed = malloc(3 * plane),
            *scratch = malloc(resizer_scratch(resizer));
    for (size_t c = 0; c < 3; c++)
        resizer_run(resizer, pattern + c, 3, planes + c * plane, scratch);
    for (size_t p = 0; p < plane; p++)
        for (size_t c = 0; c < 3; c++)
            mixed[3 * p + c] = planes[c * plane + p];
    uint64_t hash = fnv(mixed, 3 * plane);
    free(planes);
    free(mixed);
    free(scratch);
    free(pattern);
    resizer_free(resizer);
    return hash;
}

static void resizing_and_decoding_give_what_pillow_gives(void **state)
{
    (void)state;
    AUTO_FREE char *path = data_path("images_golden.txt");
    FILE *golden = fopen(path, "r");
    assert_non_null(golden);
    char name[64];
    size_t width, height, size;
    unsigned long long hash;
    int resized = 0, decoded = 0;
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, golden) > 0) {
        if (sscanf(line, "resize %zu %zu %zu %llx", &width, &height, &size, &hash) == 4) {
            print_message("resize %zu x %zu to %zu\n", width, height, size);
            assert_int_equal(resize_pattern(width, height, size), hash);
            resized++;
        } else if (sscanf(line, "decode %63s %zu %zu %llx", name, &width, &height, &hash) == 4) {
            print_message("decode %s\n", name);
            struct error error = ERROR_INIT;
            struct image image;
            assert_int_equal(decode_file(name, IMAGE_PIXELS_MOST, &image, &error), 0);
            assert_int_equal(image.width, width);
            assert_int_equal(image.height, height);
            assert_int_equal(fnv(image.pixels, width * height * 3), hash);
            image_free(&image);
            decoded++;
        }
    }
    free(line);
    fclose(golden);
    assert_int_equal(resized, 9);
    assert_int_equal(decoded, 8);
}

static void damaged_images_are_refused(void **state)
{
    (void)state;
    static const char *const names[] = {"truncated.jpg", "truncated.png"};
    for (size_t i = 0; i < 2; i++) {
        struct error error = ERROR_INIT;
        struct image image;
        assert_int_equal(decode_file(names[i], IMAGE_PIXELS_MOST, &image, &error), -1);
        assert_non_null(strstr(error_text(&error), "damaged"));
        assert_null(image.pixels);
        error_clear(&error);
    }
    struct error error = ERROR_INIT;
    struct image image;
    assert_int_equal(image_decode((const uint8_t *)"GIF89a", 6, 100, &image, &error), -1);
    assert_string_equal(error_text(&error), "expected a JPEG or PNG, found other bytes");
    error_clear(&error);
}

static void decompression_bombs_are_refused_before_decoding(void **state)
{
    (void)state;
    static const char *const names[] = {"colour.jpg", "colour.png"};
    for (size_t i = 0; i < 2; i++) {
        struct error error = ERROR_INIT;
        struct image image;
        assert_int_equal(decode_file(names[i], 24 * 16 - 1, &image, &error), -1);
        assert_non_null(strstr(error_text(&error), "24 x 16 pixels: expected at most 383"));
        error_clear(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resizing_and_decoding_give_what_pillow_gives),
        cmocka_unit_test(damaged_images_are_refused),
        cmocka_unit_test(decompression_bombs_are_refused_before_decoding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
