/* Site files: understood or refused; what is understood can be asked. */
#include "meter/wall/device.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wall_site site;
    struct error error = ERROR_INIT;
    if (wall_site_parse((const char *)data, size, "site.yaml", &site, &error) == 0) {
        for (size_t i = 0; i < site.count; i++)
            if (!site.devices[i].url || !(site.devices[i].interval_s > 0) || !(site.devices[i].timeout_s > 0))
                abort();
        wall_site_free(&site);
    }
    error_clear(&error);
    return 0;
}
