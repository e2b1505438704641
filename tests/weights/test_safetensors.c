#include "base/file.h"
#include "base/text.h"
#include "weights/safetensors.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A file of this header and so many bytes of values, 0, 1, 2 … The caller frees it. */
static unsigned char *make(const char *header, size_t values, size_t *size)
{
    size_t length = strlen(header);
    unsigned char *bytes = calloc(1, 8 + length + values);
    assert_non_null(bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(length >> 8 * i & 255);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < values; i++)
        bytes[8 + length + i] = (unsigned char)i;
    *size = 8 + length + values;
    return bytes;
}

static void refused(const void *bytes, size_t size, const char *said)
{
    struct error error = ERROR_INIT;
    struct safetensors *file = safetensors_parse("in.safetensors", bytes, size, &error);
    if (file || !strstr(error_text(&error), said))
        fail_msg("expected '%s', found: %s", said, file ? "it was taken" : error_text(&error));
    assert_non_null(strstr(error_text(&error), "in.safetensors"));
    error_clear(&error);
}

static void broken_headers_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t values;
        const char *said;
    } cases[] = {
        {"[]", 0, "begins with {"},
        {"{\"a\":", 0, "header: "},
        {"{\"a\":1}", 0, "tensor a: expected a dtype"},
        {"{\"a\":{\"dtype\":\"F33\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor a: expected a dtype"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4, "tensor a: expected a shape"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "whole numbers from 0"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "[begin, end]"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 4, "[begin, end]"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 4,
         "ends at byte 8 of the values"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "found 4 in all"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
         "more values than memory"},
        {"{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", 0,
         "expected 8 bytes each, found 0 in all"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[3,7]}}",
         7, "tensor b: its values overlap"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[1,5]}}", 5, "tensor a: there is a gap"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 5, "end at byte 4 of the values"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
         "\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}",
         2, "duplicate"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "expected texts only"},
        {"{\"__metadata__\":[]}", 0, "expected an object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        unsigned char *bytes = make(cases[i].header, cases[i].values, &size);
        refused(bytes, size, cases[i].said);
        free(bytes);
    }
}

static void other_files_are_refused(void **state)
{
    (void)state;
    refused("abc", 3, "3 bytes: expected safetensors");
    refused("\xff\xff\xff\xff\xff\xff\xff\x7f{}", 10, "a header of 9223372036854775807 bytes");
    refused("\x03\0\0\0\0\0\0\0{}", 10, "it is cut off");
    refused("PK\3\4archive/data.pkl", 20, "safetensors.torch");
}

static void all_floating_types_become_floats(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    const char *header = "{\"h\":{\"dtype\":\"F16\",\"shape\":[5],\"data_offsets\":[0,10]},"
                         "\"b\":{\"dtype\":\"BF16\",\"shape\":[1,1],\"data_offsets\":[10,12]},"
                         "\"d\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[12,20]},"
                         "\"n\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[20,28]}}";
    static const unsigned char values[] = {0x00, 0x3c, 0x00, 0xc5, 0x01, 0x00, 0x00, 0x7c, 0xff, 0x7b,
                                           0x49, 0x40, 0x18, 0x2d, 0x44, 0x54, 0xfb, 0x21, 0x09, 0x40};
    size_t size;
    unsigned char *bytes = make(header, 28, &size);
    memcpy(bytes + size - 28, values, sizeof values);
    struct safetensors *file = safetensors_parse("x", bytes, size, &error);
    if (!file)
        fail_msg("%s", error_text(&error));
    float h[5], b, d, n;
    assert_int_equal(safetensors_read(file, safetensors_find(file, "h"), h, &error), 0);
    assert_true(h[0] == 1 && h[1] == -5 && h[2] == 0x1p-24f && isinf(h[3]) && h[4] == 65504);
    assert_int_equal(safetensors_read(file, safetensors_find(file, "b"), &b, &error), 0);
    assert_true(b == 3.140625f);
    assert_int_equal(safetensors_read(file, safetensors_find(file, "d"), &d, &error), 0);
    assert_true(d == 3.14159265358979f);
    assert_int_equal(safetensors_read(file, safetensors_find(file, "n"), &n, &error), -1);
    assert_non_null(strstr(error_text(&error), "tensor n: expected F32, F16, BF16 or F64, found I64"));
    assert_null(safetensors_find(file, "z"));
    error_clear(&error);
    safetensors_close(file);
    free(bytes);
}

static const size_t two_three[] = {2, 3};
static const struct safetensors_entry written[] = {{"w", two_three, 2}, {"s", NULL, 0}};

static int fill(void *context, size_t entry, float *data, struct error *error)
{
    size_t fail_at = *(const size_t *)context;
    if (entry == fail_at)
        return error_set(error, "no more");
    for (size_t i = 0; i < (entry ? 1 : 6); i++)
        data[i] = (float)(10 * entry + i) + 0.1f;
    return 0;
}

static void what_is_written_is_read_and_a_failure_keeps_the_old_file(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    char directory[] = "/tmp/joulery-safetensors-XXXXXX";
    assert_non_null(mkdtemp(directory));
    AUTO_FREE char *path = file_join(directory, "w.safetensors");
    static const char *const metadata[] = {"architecture", "lenet5", NULL};
    size_t fail_at = 9;
    struct safetensors_contents contents = {written, 2, metadata, fill, &fail_at};
    assert_int_equal(safetensors_write(path, &contents, &error), 0);
    fail_at = 1;
    assert_int_equal(safetensors_write(path, &contents, &error), -1);
    assert_string_equal(error_text(&error), "no more");
    struct safetensors *file = safetensors_open(path, &error);
    if (!file)
        fail_msg("%s", error_text(&error));
    assert_int_equal(safetensors_count(file), 2);
    assert_string_equal(safetensors_metadata(file, "architecture"), "lenet5");
    assert_null(safetensors_metadata(file, "other"));
    const struct safetensor *w = safetensors_find(file, "w");
    AUTO_FREE char *shape = safetensors_shape(w->dims, w->dim_count);
    assert_string_equal(shape, "2x3");
    float values[6];
    assert_int_equal(safetensors_read(file, w, values, &error), 0);
    for (size_t i = 0; i < 6; i++)
        assert_true(values[i] == (float)i + 0.1f);
    safetensors_close(file);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0); /* nothing temporary was left */
    error_clear(&error);
}

static void what_cannot_be_opened_is_told(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    assert_null(safetensors_open("/nonexistent.safetensors", &error));
    assert_non_null(strstr(error_text(&error), "/nonexistent.safetensors: "));
    assert_null(safetensors_open("/dev/null", &error));
    assert_non_null(strstr(error_text(&error), "no regular file"));
    error_clear(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_headers_are_refused),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(all_floating_types_become_floats),
        cmocka_unit_test(what_is_written_is_read_and_a_failure_keeps_the_old_file),
        cmocka_unit_test(what_cannot_be_opened_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
