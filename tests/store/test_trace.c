#include "base/random.h"
#include "base/text.h"
#include "store/trace.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT 5000

/* Ten readings a second of three channels, with jitter, as a sampler sends them. */
static struct trace_sample *make_samples(void)
{
    struct trace_sample *samples = calloc(COUNT, sizeof *samples);
    struct random_stream random;
    random_seed(&random, 7, 0);
    double time = 0;
    for (size_t i = 0; i < COUNT; i++) {
        if (i % 3 == 0)
            time += 0.1 + 1e-4 * random_normal(&random);
        samples[i] = (struct trace_sample){(uint32_t)(i % 3), time, 0.1, 50 + 5 * random_normal(&random)};
    }
    return samples;
}

static void a_trace_comes_back_to_a_microsecond(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct trace_sample *samples = make_samples(), *back;
    samples[7] = (struct trace_sample){4095, 1e8, 0, 0};
    samples[8] = (struct trace_sample){0, 0, 1e6, 1e9};
    samples[9] = (struct trace_sample){0, 5, 1e-6, -3.5};
    void *block;
    size_t size;
    assert_int_equal(trace_encode(samples, COUNT, &block, &size, &error), 0);
    assert_true(size < COUNT * 8);
    assert_int_equal(trace_decode(block, size, COUNT, &back, &error), 0);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(back[i].channel, samples[i].channel);
        assert_true(fabs(back[i].start_s - samples[i].start_s) <= 0.51e-6);
        assert_true(fabs(back[i].wall_s - samples[i].wall_s) <= 0.51e-6);
        assert_true(fabs(back[i].power_w - samples[i].power_w) <= 0.51e-4);
    }
    free(back);
    free(block);
    free(samples);
}

static void samples_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    static const struct trace_sample wrong[] = {
        {0, (double)NAN, 1, 1}, {0, 0, (double)INFINITY, 1},    {0, 0, -1, 1}, {0, 0, 1, (double)NAN},
        {0, 0, 1, 1e300},       {TRACE_CHANNELS_MOST, 0, 1, 1},
    };
    void *block;
    size_t size;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(trace_encode(&wrong[i], 1, &block, &size, &error), -1);
    assert_int_equal(trace_encode(wrong, 0, &block, &size, &error), -1);
    error_clear(&error);
}

static void damaged_blocks_are_refused(void **state)
{
    (void)state;
    struct error error = ERROR_INIT;
    struct trace_sample *samples = make_samples(), *back;
    void *block;
    size_t size;
    assert_int_equal(trace_encode(samples, 300, &block, &size, &error), 0);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(trace_decode(block, i, 300, &back, &error), -1);
    assert_int_equal(trace_decode(block, size, 299, &back, &error), -1);
    assert_int_equal(trace_decode(block, size, 301, &back, &error), -1);
    assert_int_equal(trace_decode(block, size, 0, &back, &error), -1);
    assert_int_equal(trace_decode(block, size, SIZE_MAX, &back, &error), -1);
    unsigned char *bytes = block;
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= 0x55; /* every byte counts: header, deflate stream, checksum */
        assert_int_equal(trace_decode(block, size, 300, &back, &error), -1);
        bytes[i] ^= 0x55;
    }
    error_clear(&error);
    free(block);
    free(samples);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_comes_back_to_a_microsecond),
        cmocka_unit_test(samples_that_make_no_sense_are_refused),
        cmocka_unit_test(damaged_blocks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
