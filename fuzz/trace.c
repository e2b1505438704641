/* Blocks of a power trace: the first two bytes say how many samples are expected; the rest is taken as a
 * block, and as the packed columns of one, whose checksum no fuzzer would guess. */
#include "store/trace.h"

#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decode(const uint8_t *bytes, size_t size, size_t count)
{
    struct error error = ERROR_INIT;
    struct trace_sample *samples;
    if (trace_decode(bytes, size, count, &samples, &error) == 0) {
        void *block;
        size_t length;
        /* what was unpacked can be packed */
        if (trace_encode(samples, count, &block, &length, &error) < 0)
            abort();
        free(block);
        free(samples);
    }
    error_clear(&error);
}

static void decode_columns(const uint8_t *columns, size_t size, size_t count)
{
    uLongf length = compressBound(size);
    uint8_t *block = malloc(5 + length);
    if (!block || compress2(block + 5, &length, columns, size, 1) != Z_OK)
        abort();
    block[0] = 1;
    for (int i = 0; i < 4; i++)
        block[1 + i] = (uint8_t)(size >> (8 * i));
    decode(block, 5 + length, count);
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t count = data[0] | (size_t)data[1] << 8;
    decode(data + 2, size - 2, count);
    decode_columns(data + 2, size - 2, count);
    return 0;
}
