/* A baseline from any file: understood with sane figures, or refused. */
#include "record/baseline.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct baseline baseline;
    if (baseline_parse((const char *)data, size, &baseline, &error) == 0) {
        require(baseline.host && baseline.cpu_model && baseline.channel_count > 0);
        for (size_t i = 0; i < baseline.channel_count; i++)
            require(baseline.channels[i].idle.power_w >= 0 && baseline.channels[i].idle.uncertainty_w >= 0);
        baseline_free(&baseline);
    }
    error_clear(&error);
    return 0;
}
