/* Files as Keras writes them (tests/data/keras/make.py), against what numpy makes of them. */
#include "base/text.h"
#include "train/from_keras.h"
#include "weights/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char *fixture(const char *name, const char *ending)
{
    return text_format("%s/keras/%s.%s", getenv("JOULERY_TEST_DATA"), name, ending);
}

static struct safetensors *open_weights(const char *path)
{
    struct error error = ERROR_INIT;
    struct safetensors *file = safetensors_open(path, &error);
    if (!file)
        fail_msg("%s", error_text(&error));
    return file;
}

static void same_tensor(const struct safetensors *expected, const struct safetensors *found, size_t number)
{
    struct error error = ERROR_INIT;
    const struct safetensor *one = safetensors_tensor(expected, number);
    const struct safetensor *other = safetensors_find(found, one->name);
    if (!other)
        fail_msg("%s is missing", one->name);
    assert_int_equal(one->dim_count, other->dim_count);
    assert_memory_equal(one->dims, other->dims, one->dim_count * sizeof *one->dims);
    float *values = malloc(one->count * sizeof *values), *others = malloc(one->count * sizeof *others);
    assert_true(values && others);
    assert_int_equal(safetensors_read(expected, one, values, &error), 0);
    assert_int_equal(safetensors_read(found, other, others, &error), 0);
    for (size_t i = 0; i < one->count; i++)
        if (values[i] < others[i] || values[i] > others[i])
            fail_msg("%s: value %zu: expected %g, found %g", one->name, i, (double)values[i],
                     (double)others[i]);
    free(values);
    free(others);
}

static void becomes(const char *name, const char *architecture, size_t classes, const char *left_out)
{
    struct error error = ERROR_INIT;
    struct from_keras converted;
    AUTO_FREE char *path = fixture(name, "h5");
    AUTO_FREE char *known = fixture(name, "safetensors");
    AUTO_FREE char *output = text_format("/tmp/joulery-convert-%d", (int)getpid());
    if (from_keras(path, output, 0.01, &converted, &error) < 0)
        fail_msg("%s", error_text(&error));
    assert_string_equal(converted.architecture, architecture);
    assert_int_equal(converted.classes, classes);
    assert_int_equal(converted.head, classes > 0);
    if (left_out)
        assert_string_equal(converted.left_out, left_out);
    else
        assert_null(converted.left_out);
    free(converted.left_out);
    struct safetensors *expected = open_weights(known), *found = open_weights(output);
    assert_int_equal(safetensors_count(expected), safetensors_count(found));
    assert_int_equal(safetensors_count(expected), converted.tensors);
    for (size_t i = 0; i < safetensors_count(expected); i++)
        same_tensor(expected, found, i);
    assert_string_equal(safetensors_metadata(found, "joulery.architecture"), architecture);
    assert_string_equal(safetensors_metadata(found, "joulery.normalization"), "caffe");
    safetensors_close(expected);
    safetensors_close(found);
    unlink(output);
}

static void vgg16_with_its_head(void **state)
{
    (void)state;
    becomes("vgg16", "vgg16", 10, NULL);
}

static void vgg19_within_a_model_of_ones_own(void **state)
{
    (void)state;
    becomes("vgg19", "vgg19", 0, "dense_1");
}

static void resnet50_with_the_names_of_2017(void **state)
{
    (void)state;
    becomes("resnet50", "resnet50_v1", 7, NULL);
}

static void refused(const char *path, double width, const char *said)
{
    struct error error = ERROR_INIT;
    struct from_keras converted;
    assert_int_equal(from_keras(path, "/tmp/joulery-never-written", width, &converted, &error), -1);
    if (!strstr(error_text(&error), said))
        fail_msg("expected '%s' in: %s", said, error_text(&error));
    error_clear(&error);
    assert_int_equal(access("/tmp/joulery-never-written", F_OK), -1);
}

static void copy_beginning(const char *from, const char *to, long bytes)
{
    FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
    assert_true(in && out);
    for (int c; bytes > 0 && (c = getc(in)) != EOF; bytes--)
        putc(c, out);
    fclose(in);
    assert_int_equal(fclose(out), 0);
}

static void what_is_not_keras_is_refused(void **state)
{
    (void)state;
    AUTO_FREE char *vgg = fixture("vgg16", "h5");
    AUTO_FREE char *script = fixture("make", "py");
    AUTO_FREE char *cut = text_format("/tmp/joulery-cut-%d.h5", (int)getpid());
    refused(vgg, 1, "layer block1_conv1: expected 3x3x3x64, found 3x3x3x1: not vgg16");
    refused(script, 1, "expected weights of Keras in HDF5");
    refused("/nowhere/x.h5", 1, "/nowhere/x.h5: No such file");
    copy_beginning(vgg, cut, 60000);
    refused(cut, 0.01, "cut off");
    unlink(cut);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vgg16_with_its_head),
        cmocka_unit_test(vgg19_within_a_model_of_ones_own),
        cmocka_unit_test(resnet50_with_the_names_of_2017),
        cmocka_unit_test(what_is_not_keras_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
