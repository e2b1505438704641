/* The only list of transports. */
#include "meter/wall/transport.h"

#include <string.h>

static const struct {
    const char *scheme;
    const struct transport *transport;
} schemes[] = {
    {"http://", &http_transport},
    {"https://", &http_transport},
    {"mqtt://", &mqtt_transport},
    {"mqtts://", &mqtt_transport},
};

const struct transport *transport_of(const char *url)
{
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
        if (strncmp(url, schemes[i].scheme, strlen(schemes[i].scheme)) == 0)
            return schemes[i].transport;
    return NULL;
}
