/* Blocks of a power trace of any bytes: the first two say how many samples are expected. */
#include "store/trace.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct trace_sample *samples;
    if (size < 2)
        return 0;
    size_t count = data[0] | (size_t)data[1] << 8;
    if (trace_decode(data + 2, size - 2, count, &samples, &error) == 0) {
        void *block;
        size_t length;
        /* what was unpacked can be packed */
        if (trace_encode(samples, count, &block, &length, &error) < 0)
            abort();
        free(block);
        free(samples);
    }
    error_clear(&error);
    return 0;
}
