/* Any file as a wattmeter's: refused, or an energy above 0. */
#include "exchange/wall_summary.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct wall_summary summary;
    if (wall_summary_parse("f", size ? (const char *)data : "", size, &summary, &error) == 0) {
        if (!(summary.energy_j > 0) || isinf(summary.energy_j) || summary.wall_s <= 0)
            abort();
        wall_summary_free(&summary);
    }
    error_clear(&error);
    return 0;
}
