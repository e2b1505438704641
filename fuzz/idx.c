/* IDX files, plain or gzip, from anybody: what is accepted lies inside the bytes. */
#include "dataset/idx.h"

#include <stdbool.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void parse(const uint8_t *bytes, size_t size, size_t dimensions)
{
    struct idx idx;
    struct error error = ERROR_INIT;
    if (idx_parse(bytes, size, dimensions, &idx, &error) == 0) {
        size_t count = 1;
        for (size_t i = 0; i < dimensions; i++)
            count *= idx.sizes[i];
        require(count > 0 && idx.data > bytes && idx.data + count == bytes + size);
    } else {
        require(error.message);
    }
    error_clear(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t limit = 1 << 20;
    uint8_t *unpacked;
    size_t unpacked_size;
    struct error error = ERROR_INIT;
    int result = idx_inflate(data, size, limit, &unpacked, &unpacked_size, &error);
    require(result == 0 || (error.message && !unpacked));
    require(unpacked_size <= limit);
    error_clear(&error);
    for (size_t dimensions = 1; dimensions <= 3; dimensions += 2)
        parse(unpacked ? unpacked : data, unpacked ? unpacked_size : size, dimensions);
    free(unpacked);
    return 0;
}
