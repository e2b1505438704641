/* What a site file may say of a meter on Modbus, a line each: url, serial, where power and energy stand. What
 * is let through can be opened, which asks nothing yet. */
#include "base/text.h"
#include "meter/wall/raw.h"
#include "meter/wall/transport.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *next_line(char **rest)
{
    char *line = strsep(rest, "\n");
    return line && *line ? line : NULL;
}

static void try_device(struct wall_device *device)
{
    struct error error = ERROR_INIT;
    struct serial serial;
    const struct transport *transport = device->url ? transport_of(device->url) : NULL;
    if (device->serial && serial_parse(device->serial, &serial, &error) == 0 &&
        (serial.speed < 300 || serial.data_bits < 7 || serial.data_bits > 8 || serial.stop_bits > 2))
        abort();
    error_clear(&error);
    if (transport != &modbus_transport && transport != &modbus_rtu_transport)
        return;
    if (transport->check(device, &error) == 0) {
        void *state = transport->open(device, &error);
        if (state)
            transport->close(state);
        else if (!strstr(error_text(&error), "is not installed"))
            abort();
    }
    error_clear(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *text = strndup(size ? (const char *)data : "", size);
    AUTO_FREE char *name = strdup("a");
    char *rest = text;
    if (!text || !name)
        return 0;
    struct wall_device device = {.name = name, .timeout_s = 1};
    device.url = next_line(&rest);
    device.serial = next_line(&rest);
    device.power.at = next_line(&rest);
    device.energy.at = next_line(&rest);
    try_device(&device);
    return 0;
}
