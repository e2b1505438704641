/* Any bytes as safetensors: refused, or tensors that lie within the bytes and cover them once. */
#include "weights/safetensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
    if (!holds)
        abort();
}

static void read_all(const struct safetensors *file, size_t size, struct error *error)
{
    size_t covered = 0;
    for (size_t i = 0; i < safetensors_count(file); i++) {
        const struct safetensor *tensor = safetensors_tensor(file, i);
        require(tensor->begin == covered && tensor->end <= size);
        covered = tensor->end;
        require(tensor->count <= size || tensor->begin == tensor->end);
        float *values = malloc((tensor->end - tensor->begin) * sizeof *values + 1);
        if (values && tensor->begin < tensor->end)
            safetensors_read(file, tensor, values, error);
        free(values);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct safetensors *file = safetensors_parse("fuzz", data, size, &error);
    require(file || error.message);
    if (file)
        read_all(file, size, &error);
    safetensors_close(file);
    error_clear(&error);
    return 0;
}
