/* Golden values: tests/dataset/golden_augment.py, from SciPy, Pillow and torchvision. */
#include "base/file.h"
#include "base/text.h"
#include "dataset/augment.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { DRAWS = 20000, SIZE = 32, LARGEST = 70 };

static struct random_stream seeded(uint64_t seed)
{
    struct random_stream random;
    random_seed(&random, seed, 0);
    return random;
}

/* (size, size, 3) in the generator's order, as planes. */
static void fill_pattern(size_t size, uint8_t *planes)
{
    uint32_t lcg = 1;
    for (size_t i = 0; i < size * size * 3; i++) {
        lcg = (lcg * 1103515245u + 12345u) & 0x7fffffffu;
        planes[i % 3 * size * size + i / 3] = (uint8_t)(lcg >> 16);
    }
}

/* Levels from 0 to 255 as they are. */
static struct pixel_values levels(void)
{
    const float mean[NORMALISED_CHANNELS] = {0};
    const float deviation[NORMALISED_CHANNELS] = {1 / 255.0F, 1 / 255.0F, 1 / 255.0F};
    struct pixel_values values;
    pixel_values_set(&values, mean, deviation);
    return values;
}

struct golden {
    char name[64], order[4];
    size_t size, stride;
    struct augment_draw draw;
    double tolerance;
};

static struct golden read_case(char *line)
{
    struct golden golden = {0};
    struct augment_draw *draw = &golden.draw;
    int flip,
        read = sscanf(line, "%63s %zu %zu %lf %lf %lf %d %ld %ld %zu %zu %lf %lf %lf %3s %lf", golden.name,
                      &golden.size, &golden.stride, &draw->angle_deg, &draw->down, &draw->right, &flip,
                      &draw->left, &draw->top, &draw->width, &draw->height, &draw->brightness,
                      &draw->contrast, &draw->saturation, golden.order, &golden.tolerance);
    assert_int_equal(read, 16);
    draw->flip = flip;
    for (size_t i = 0; i < 3; i++)
        draw->order[i] = (unsigned)(golden.order[i] - '0');
    assert_true(golden.size <= LARGEST);
    return golden;
}

static void check_case(const struct golden *golden, char *expected)
{
    static uint8_t image[3 * LARGEST * LARGEST];
    static float out[3 * LARGEST * LARGEST];
    static uint32_t scratch[LARGEST * LARGEST];
    const struct pixel_values values = levels();
    size_t count = 3 * golden->size * golden->size;
    fill_pattern(golden->size, image);
    augment_apply(&golden->draw, image, golden->size, &values, scratch, out);
    for (size_t i = 0; i < count; i += golden->stride) {
        char *end, *number = strsep(&expected, " ");
        assert_non_null(number);
        double level = strtod(number, &end);
        if (*end || fabs(level - (double)out[i]) > golden->tolerance + 0.01)
            fail_msg("%s: element %zu is %f, expected %s", golden->name, i, (double)out[i], number);
    }
    assert_null(expected);
}

static void pixels_are_those_of_keras_pillow_and_torchvision(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    size_t size, cases = 0;
    AUTO_FREE char *path = file_join(getenv("JOULERY_TEST_DATA"), "augment_golden.txt");
    AUTO_FREE char *text = file_read(path, 1 << 20, &size, &error);
    assert_non_null(text);
    char *rest = text;
    strsep(&rest, "\n"); /* the header */
    for (char *line; (line = strsep(&rest, "\n")) && *line; cases++) {
        struct golden golden = read_case(line);
        check_case(&golden, strsep(&rest, "\n"));
    }
    assert_int_equal(cases, 15);
}

static void specs_are_understood_and_written_again(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *text;
        struct augmentation augmentation;
    } cases[] = {
        {"standard", "flip:0.5,crop:4", {.crop = 4, .flip = 0.5}},
        {"paper", "rotate:15,shift:0.1,flip:0.5", {.rotate_deg = 15, .shift = 0.1, .flip = 0.5}},
        {"flip,shift,rotate", "rotate:15,shift:0.1,flip:0.5", {.rotate_deg = 15, .shift = 0.1, .flip = 0.5}},
        {"resized-crop,jitter", "resized-crop:0.08,jitter:0.4", {.resized_crop = 0.08, .jitter = 0.4}},
        {"paper,crop:2,jitter:0.25",
         "rotate:15,shift:0.1,flip:0.5,crop:2,jitter:0.25",
         {.rotate_deg = 15, .shift = 0.1, .flip = 0.5, .crop = 2, .jitter = 0.25}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct augmentation augmentation, again;
        if (augmentation_parse(cases[i].spec, &augmentation, &error) < 0)
            fail_msg("%s", error_text(&error));
        assert_memory_equal(&augmentation, &cases[i].augmentation, sizeof augmentation);
        assert_true(augmentation_any(&augmentation));
        AUTO_FREE char *text = augmentation_text(&augmentation);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(augmentation_parse(text, &again, &error), 0);
        assert_memory_equal(&augmentation, &again, sizeof again);
    }
    const struct augmentation none = {0};
    AUTO_FREE char *nothing = augmentation_text(&none);
    assert_string_equal(nothing, "");
    assert_false(augmentation_any(&none));
}

static void wrong_specs_say_what_was_expected(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *message;
    } cases[] = {
        {"rotat:3", "unknown transform 'rotat' (did you mean rotate?)"},
        {"papr", "did you mean paper?"},
        {"blur", "expected some of rotate, shift, flip, crop, resized-crop, jitter, standard, paper"},
        {"rotate:200", "rotate: expected 0.1 to 180 degrees, found 200"},
        {"shift:1", "shift: expected 0.001 to 0.999 of the size, found 1"},
        {"crop:2.5", "crop: expected 1 to 4095 whole pixels of padding, found 2.5"},
        {"crop:-4", "crop: expected 1 to 4095"},
        {"flip:nan", "flip: expected a number, found 'nan'"},
        {"jitter:", "jitter: expected a number, found ''"},
        {"flip, crop", "unknown transform ' crop' (did you mean crop?)"},
        {"flip,flip", "'flip' is there twice"},
        {"paper,standard", "'flip' is there twice"},
        {"paper:3", "paper is a set and takes no figure, found '3'"},
        {"crop,resized-crop", "give one of them"},
        {"flip,", "unknown transform ''"},
        {"", "unknown transform ''"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct augmentation augmentation;
        assert_int_equal(augmentation_parse(cases[i].spec, &augmentation, &error), -1);
        if (!strstr(error_text(&error), cases[i].message))
            fail_msg("'%s': '%s' lacks '%s'", cases[i].spec, error_text(&error), cases[i].message);
        error_clear(&error);
    }
}

struct range {
    double least, most;
};

static void widen(struct range *range, double value)
{
    range->least = fmin(range->least, value);
    range->most = fmax(range->most, value);
}

/* Draws that fill [least, most] come within 1 % of its ends, and not beyond them. */
static void assert_fills(struct range range, double least, double most)
{
    double slack = 0.01 * (most - least);
    assert_true(range.least >= least && range.least <= least + slack);
    assert_true(range.most <= most && range.most >= most - slack);
}

/* Of DRAWS draws with probability p; beyond five standard deviations is one in a million. */
static void assert_share(size_t count, double p)
{
    assert_true(fabs((double)count - DRAWS * p) < 5 * sqrt(DRAWS * p * (1 - p)));
}

static void the_paper_s_ranges_are_filled_evenly(void **state)
{
    (void)state;
    const struct augmentation paper = {.rotate_deg = 15, .shift = 0.1, .flip = 0.5};
    struct random_stream random = seeded(1);
    struct range angle = {0, 0}, down = {0, 0}, right = {0, 0};
    size_t flips = 0, steep = 0;
    for (size_t i = 0; i < DRAWS; i++) {
        struct augment_draw draw = augment_draw(&paper, SIZE, &random);
        widen(&angle, draw.angle_deg);
        widen(&down, draw.down);
        widen(&right, draw.right);
        flips += draw.flip;
        steep += draw.angle_deg > 7.5;
        assert_true(draw.left == 0 && draw.top == 0 && draw.width == SIZE && draw.height == SIZE);
        assert_true(draw.brightness == 1 && draw.contrast == 1 && draw.saturation == 1);
    }
    assert_fills(angle, -15, 15);
    assert_fills(down, -0.1 * SIZE, 0.1 * SIZE);
    assert_fills(right, -0.1 * SIZE, 0.1 * SIZE);
    assert_share(flips, 0.5);
    assert_share(steep, 0.25);
}

static void every_crop_is_as_likely(void **state)
{
    (void)state;
    const struct augmentation crop = {.crop = 4};
    struct random_stream random = seeded(2);
    size_t seen[9][9] = {{0}};
    for (size_t i = 0; i < DRAWS; i++) {
        struct augment_draw draw = augment_draw(&crop, SIZE, &random);
        assert_true(draw.left >= -4 && draw.left <= 4 && draw.top >= -4 && draw.top <= 4 && !draw.flip);
        seen[draw.left + 4][draw.top + 4]++;
    }
    for (size_t i = 0; i < 81; i++)
        assert_share(seen[i / 9][i % 9], 1.0 / 81);
}

static void resized_crops_lie_inside_and_have_the_areas_asked_for(void **state)
{
    (void)state;
    enum { LARGE = 224 };
    const struct augmentation crop = {.resized_crop = 0.08};
    struct random_stream random = seeded(3);
    struct range area = {1, 0}, ratio = {1, 1};
    int wide = 0;
    for (size_t i = 0; i < DRAWS; i++) {
        struct augment_draw draw = augment_draw(&crop, LARGE, &random);
        assert_true(draw.left >= 0 && draw.left + (long)draw.width <= LARGE);
        assert_true(draw.top >= 0 && draw.top + (long)draw.height <= LARGE);
        widen(&area, (double)(draw.width * draw.height) / (LARGE * LARGE));
        widen(&ratio, (double)draw.width / (double)draw.height);
        wide += draw.width > draw.height;
    }
    /* sides are whole pixels: of the least window, 1 in 55 */
    assert_true(area.least > 0.078 && area.least < 0.085 && area.most > 0.98 && area.most <= 1);
    assert_true(ratio.least > 0.73 && ratio.least < 0.76 && ratio.most > 1.32 && ratio.most < 1.37);
    assert_true(wide > 0.45 * DRAWS && wide < 0.52 * DRAWS);
}

static void jitter_draws_each_factor_and_every_order(void **state)
{
    (void)state;
    const struct augmentation jitter = {.jitter = 0.4};
    struct random_stream random = seeded(4);
    struct range brightness = {1, 1}, contrast = {1, 1}, saturation = {1, 1};
    size_t orders[27] = {0};
    for (size_t i = 0; i < DRAWS; i++) {
        struct augment_draw draw = augment_draw(&jitter, SIZE, &random);
        widen(&brightness, draw.brightness);
        widen(&contrast, draw.contrast);
        widen(&saturation, draw.saturation);
        orders[9 * draw.order[0] + 3 * draw.order[1] + draw.order[2]]++;
    }
    assert_fills(brightness, 0.6, 1.4);
    assert_fills(contrast, 0.6, 1.4);
    assert_fills(saturation, 0.6, 1.4);
    static const size_t permutations[] = {5, 7, 11, 15, 19, 21}; /* 012, 021, 102, 120, 201, 210 */
    for (size_t i = 0; i < 6; i++)
        assert_share(orders[permutations[i]], 1.0 / 6);
}

/* Also where nothing is left to interpolate between. */
static void the_smallest_images_are_taken(void **state)
{
    (void)state;
    const struct pixel_values values = levels();
    const struct augmentation all = {
        .rotate_deg = 180, .shift = 0.9, .flip = 0.5, .resized_crop = 0.001, .jitter = 1};
    struct random_stream random = seeded(5);
    for (size_t size = 1; size <= 4; size++) {
        uint8_t image[3 * 16];
        float out[3 * 16];
        uint32_t scratch[16];
        fill_pattern(size, image);
        for (int i = 0; i < 1000; i++) {
            struct augment_draw draw = augment_draw(&all, size, &random);
            augment_apply(&draw, image, size, &values, scratch, out);
            for (size_t p = 0; p < 3 * size * size; p++)
                assert_true(out[p] >= -0.01F && out[p] <= 255.01F);
        }
    }
}

static void normalisations_are_understood(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct normalisation n;
    assert_int_equal(normalisation_parse("computed", &n, &error), 0);
    assert_true(normalisation_is_computed(&n));
    assert_int_equal(normalisation_parse("imagenet", &n, &error), 0);
    assert_false(normalisation_is_computed(&n));
    assert_true(n.mean[0] == 0.485F && n.mean[2] == 0.406F && n.deviation[1] == 0.224F);
    assert_int_equal(normalisation_parse("0.1,0.2,0.3/0.4,0.5,0.6", &n, &error), 0);
    assert_true(n.mean[1] == 0.2F && n.deviation[2] == 0.6F);
    assert_string_equal(n.name, "given");

    struct pixel_values values;
    assert_int_equal(normalisation_parse("caffe", &n, &error), 0);
    pixel_values_set(&values, n.mean, n.deviation);
    assert_true(fabsf(values.byte[0][200] - 76.32F) < 1e-3F && fabsf(values.byte[2][0] + 103.939F) < 1e-3F);
    assert_int_equal(normalisation_parse("tf", &n, &error), 0);
    pixel_values_set(&values, n.mean, n.deviation);
    assert_true(values.byte[1][0] == -1 && values.byte[1][255] == 1);
    for (size_t v = 0; v < 256; v++)
        assert_true(fabsf(values.byte[0][v] - ((float)v * values.scale[0] + values.offset[0])) < 1e-6F);
}

static void wrong_normalisations_say_what_was_expected(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *message;
    } cases[] = {
        {"imagnet", "unknown normalisation 'imagnet' (did you mean imagenet?)"},
        {"0.5,0.5,0.5", "expected means and deviations, as 0.5,0.5,0.5/0.25,0.25,0.25, found '0.5,0.5,0.5'"},
        {"0.5,0.5/1,1,1", "expected three means with commas between them, found 2"},
        {"1,1,1,1/1,1,1", "expected three means, found more"},
        {"1,x,1/1,1,1", "means with commas between them, found 'x'"},
        {"123,117,104/1,1,1", "expected means from 0 to 1, of pixels from 0 to 1, found 123"},
        {"0,0,0/1,0,1", "expected deviations from 0.001 to 10, of pixels from 0 to 1, found 0"},
        {"0,0,0/1,1,1/2", "deviations with commas between them, found '1/2'"},
        {"", "expected means and deviations"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct error error = ERROR_INIT;
        struct normalisation n;
        assert_int_equal(normalisation_parse(cases[i].spec, &n, &error), -1);
        if (!strstr(error_text(&error), cases[i].message))
            fail_msg("'%s': '%s' lacks '%s'", cases[i].spec, error_text(&error), cases[i].message);
        error_clear(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_those_of_keras_pillow_and_torchvision),
        cmocka_unit_test(specs_are_understood_and_written_again),
        cmocka_unit_test(wrong_specs_say_what_was_expected),
        cmocka_unit_test(the_paper_s_ranges_are_filled_evenly),
        cmocka_unit_test(every_crop_is_as_likely),
        cmocka_unit_test(resized_crops_lie_inside_and_have_the_areas_asked_for),
        cmocka_unit_test(jitter_draws_each_factor_and_every_order),
        cmocka_unit_test(the_smallest_images_are_taken),
        cmocka_unit_test(normalisations_are_understood),
        cmocka_unit_test(wrong_normalisations_say_what_was_expected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
