/* CIFAR-10's binary files from anybody: all labels of what is accepted are classes. */
#include "dataset/cifar.h"

#include <stdbool.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t count;
    struct error error = ERROR_INIT;
    if (cifar_parse(data, size, &count, &error) == 0) {
        require(count > 0 && count * CIFAR_RECORD == size);
        for (size_t i = 0; i < count; i++)
            require(data[i * CIFAR_RECORD] < CIFAR_CLASSES);
    } else {
        require(error.message);
    }
    error_clear(&error);
    return 0;
}
