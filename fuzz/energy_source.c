/* A record from any file: an energy above 0 and where it was measured; or refused. */
#include "report/energy_source.h"

#include <math.h>
#include <stdint.h>
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
    struct energy_source source;
    if (energy_source_parse((const char *)data, size, &source, &error) == 0)
        require(source.energy_j > 0 && isfinite(source.energy_j) && source.basis && source.runs == 1 &&
                (source.pue == 0 || source.pue >= 1));
    else
        require(!source.what && !source.location && error.message);
    energy_source_free(&source);
    error_clear(&error);
    return 0;
}
