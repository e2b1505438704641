/* Answers of services of carbon intensity: refused, or steps in order. The first byte says whose. */
#include "carbon/carbon.h"
#include "carbon/service/driver.h"

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
    static const struct {
        const struct service *service;
        const char *zone;
    } asked[] = {{&service_electricitymaps, "DE"},      {&service_uk, "national"},
                 {&service_energidata, "DK1"},          {&service_watttime, "CAISO_NORTH"},
                 {&service_entsoe, "10Y1001A1001A83F"}, {&service_uk, "13"}};
    struct error error = ERROR_INIT;
    struct profile profile = {0};
    if (size == 0)
        return 0;
    size_t who = data[0] % (sizeof asked / sizeof *asked);
    asked[who].service->parse((const char *)data + 1, size - 1, asked[who].zone, &profile, &error);
    check(&profile);
    profile_free(&profile);
    error_clear(&error);
    char *token = service_watttime.token((const char *)data + 1, size - 1, &error);
    free(token);
    error_clear(&error);
    return 0;
}
