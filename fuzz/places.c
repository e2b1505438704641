/* A table of locations of a user's own: read or refused by line, and what was read keeps its promises. */
#include "carbon/places.h"
#include "base/text.h"
#include "carbon/carbon.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_location(struct places *places, const struct location *l)
{
    struct error error = ERROR_INIT;
    require(*l->code && *l->name && *l->source);
    require(l->intensity_g_per_kwh >= 0 && l->intensity_g_per_kwh <= INTENSITY_MOST_G_PER_KWH);
    require(isnan(l->low_g_per_kwh) == isnan(l->high_g_per_kwh));
    require(isnan(l->low_g_per_kwh) ||
            (l->low_g_per_kwh <= l->intensity_g_per_kwh && l->intensity_g_per_kwh <= l->high_g_per_kwh));
    require(isnan(l->life_cycle_low_g_per_kwh) == isnan(l->life_cycle_high_g_per_kwh));
    require(isnan(l->life_cycle_low_g_per_kwh) ||
            (l->scope == FIGURE_DIRECT && l->life_cycle_low_g_per_kwh <= l->life_cycle_high_g_per_kwh));
    require(location_pue(l, 0, NULL) >= 1);
    require(isnan(l->latitude) || fabs(l->latitude) <= 90);
    const struct location *found = places_find(places, l->code, &error);
    require(found == l || (!found && error.message)); /* folded, two codes can be one */
    error_clear(&error);
    AUTO_FREE char *figure = location_figure_text(l);
    require(figure != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error = ERROR_INIT;
    AUTO_FREE char *text = malloc(size + 1);
    if (!text || size > 4096)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    struct places *places = places_parse(text, size, "fuzz.csv", &error);
    require(places || strncmp(error_text(&error), "fuzz.csv:", 9) == 0);
    size_t count = 0;
    const struct location *const *all = places ? places_all(places, &count) : NULL;
    for (size_t i = 0; i < count; i++)
        check_location(places, all[i]);
    places_close(places);
    error_clear(&error);
    return 0;
}
