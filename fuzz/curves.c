/* Any file as curves by epoch: refused, or curves of one length. */
#include "exchange/curves.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct curves curves;
    if (curves_parse("f", size ? (const char *)data : "", size, &curves, &error) == 0) {
        if (curves.count == 0 || curves.items[0].count == 0)
            abort();
        for (size_t i = 0; i < curves.count; i++)
            if (curves.items[i].count != curves.items[0].count || isinf(curves.items[i].values[0]))
                abort();
        curves_free(&curves);
    }
    error_clear(&error);
    return 0;
}
