/* Answers of services of carbon intensity: refused, or steps in order. The first byte says whose. */
#include "carbon/carbon.h"
#include "carbon/service_parse.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check(const struct profile *profile)
{
    for (size_t i = 0; i < profile->count; i++) {
        const struct profile_step *step = &profile->steps[i];
        require(step->to_s > step->from_s && (i == 0 || step->from_s >= step[-1].to_s));
        require(step->intensity_g_per_kwh >= 0 && step->intensity_g_per_kwh <= INTENSITY_MOST_G_PER_KWH);
        require((step->low_g_per_kwh == 0 && step->high_g_per_kwh == 0) ||
                (step->low_g_per_kwh <= step->intensity_g_per_kwh &&
                 step->high_g_per_kwh >= step->intensity_g_per_kwh));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static service_parser *const parsers[] = {electricitymaps_parse, uk_parse,     energidata_parse,
                                              watttime_parse,        entsoe_parse, uk_parse};
    static const char *const zones[] = {"DE", UK_NATIONAL, "DK1", "CAISO_NORTH", "10Y1001A1001A83F", "13"};
    struct error error = ERROR_INIT;
    struct profile profile = {0};
    if (size == 0)
        return 0;
    size_t who = data[0] % 6;
    parsers[who]((const char *)data + 1, size - 1, zones[who], &profile, &error);
    check(&profile);
    profile_free(&profile);
    error_clear(&error);
    char *token = watttime_token((const char *)data + 1, size - 1, &error);
    free(token);
    error_clear(&error);
    return 0;
}
