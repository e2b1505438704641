/* Answers of wattmeters, after a line with the pointer to the power: a number, no news, or an error. And the
 * same bytes as credentials. */
#include "base/text.h"
#include "meter/wall/device.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\n', size);
    struct error error = ERROR_INIT;
    struct wall_secret secret;
    double power_w, energy_j;
    int64_t wall_ns;
    if (wall_secret_parse((const char *)data, size, "secret", &secret, &error) == 0)
        wall_secret_free(&secret);
    error_clear(&error);
    if (!end || size == 0 || data[0] != '/')
        return 0;
    AUTO_FREE char *pointer = strndup((const char *)data, (size_t)(end - data));
    struct wall_device device = {.name = (char[]){"plug"},
                                 .power = {.at = pointer, .factor = 1},
                                 .energy = {.at = pointer, .unit_at = (char[]){"/unit"}},
                                 .ok_at = (char[]){"/ok"},
                                 .ok_is = (char[]){"0"}};
    size_t rest = size - (size_t)(end - data) - 1;
    wall_answer(&device, (const char *)end + 1, rest, &power_w, &energy_j, &wall_ns, &error);
    error_clear(&error);
    return 0;
}
