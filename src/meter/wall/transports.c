/* The only list of transports. */
#include "base/text.h"
#include "meter/wall/transport.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *scheme;
    const struct transport *transport;
} schemes[] = {
    {"http://", &http_transport},
    {"https://", &http_transport},
    {"mqtt://", &mqtt_transport},
    {"mqtts://", &mqtt_transport},
    {"snmp://", &snmp_transport},
    {"modbus://", &modbus_transport},
    {"modbus-rtu://", &modbus_rtu_transport},
    {"ipmi://", &ipmi_transport},
    {"ipmi-local://", &ipmi_transport},
    {"wattsup://", &wattsup_transport},
};

const struct transport *transport_of(const char *url)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncmp(url, schemes[i].scheme, strlen(schemes[i].scheme)) == 0)
            return schemes[i].transport;
    return NULL;
}

static int split_port(const struct wall_device *device, char *place, uint16_t *port, struct error *error)
{
    uint64_t number;
    char *colon = strrchr(place, ':');
    if (!colon || strchr(colon, ']'))
        return 0;
    *colon = '\0';
    if (text_to_u64(colon + 1, &number) < 0 || number == 0 || number > 65535)
        return error_set(error, "%s: expected a port from 1 to 65535, found '%s'", device->name, colon + 1);
    *port = (uint16_t)number;
    return 0;
}

int wall_url_split(const struct wall_device *device, uint16_t usual_port, char **host, uint16_t *port,
                   const char **rest, struct error *error)
{
    const char *begin = strstr(device->url, "://") + 3;
    size_t length = strcspn(begin, "/?#");
    char *place = strndup(begin, length);
    if (!place)
        return error_memory(error, device->name);
    *port = usual_port;
    *rest = begin + length;
    *host = place;
    int result = split_port(device, place, port, error);
    size_t left = strlen(place);
    if (result == 0 && left > 2 && place[0] == '[' && place[left - 1] == ']') {
        memmove(place, place + 1, left - 2);
        place[left - 2] = '\0';
    }
    if (result == 0 && place[0] == '\0')
        result = error_set(error, "%s: expected a host in the address", device->name);
    if (result == 0)
        return 0;
    free(place);
    *host = NULL;
    return -1;
}
