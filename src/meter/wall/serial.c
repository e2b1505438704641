#include "base/text.h"
#include "meter/wall/raw.h"

#include <stdlib.h>
#include <string.h>

/* Those that termios has a name for and meters speak. */
static const unsigned speeds[] = {300,   600,   1200,   2400,   4800,   9600,  19200,
                                  38400, 57600, 115200, 230400, 460800, 921600};

static bool is_speed(uint64_t number)
{
    for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++)
        if (speeds[i] == number)
            return true;
    return false;
}

int serial_parse(const char *text, struct serial *serial, struct error *error)
{
    uint64_t speed = 0;
    const char *blank = strchr(text, ' '), *framing = blank ? blank + 1 : "";
    AUTO_FREE char *number = strndup(text, blank ? (size_t)(blank - text) : 0);
    if (!number)
        return error_memory(error, text);
    if (text_to_u64(number, &speed) == 0 && is_speed(speed) && strlen(framing) == 3 &&
        strchr("78", framing[0]) && strchr("NEO", framing[1]) && strchr("12", framing[2])) {
        *serial = (struct serial){.speed = (unsigned)speed,
                                  .data_bits = (unsigned)(framing[0] - '0'),
                                  .parity = framing[1],
                                  .stop_bits = (unsigned)(framing[2] - '0')};
        return 0;
    }
    return error_set(error,
                     "expected bits a second (300 to 921600, a usual step), data bits (7 or 8), parity (N, E "
                     "or O) and stop bits (1 or 2), as in 9600 8N1, found '%.40s'",
                     text);
}
