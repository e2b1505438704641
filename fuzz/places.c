/* A table of places from any file: refused, or each of its places is found by its code. */
#include "carbon/places.h"
#include "carbon/carbon.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void find_all(struct places *places)
{
    enum { SOUGHT_MOST = 20 };
    size_t count;
    const struct location *const *all = places_all(places, &count);
    for (size_t i = 0; i < count && i < SOUGHT_MOST; i++) {
        struct error error = ERROR_INIT;
        const struct location *found = places_find(places, all[i]->code, &error);
        /* another code may differ from it in case and marks alone; and a code can look like an intensity */
        require(found || error.message);
        require(all[i]->intensity_g_per_kwh >= 0 && all[i]->intensity_g_per_kwh <= INTENSITY_MOST_G_PER_KWH);
        error_clear(&error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    struct places *places = places_parse((const char *)data, size, "fuzz", &error);
    if (places)
        find_all(places);
    places_close(places);
    error_clear(&error);
    return 0;
}
