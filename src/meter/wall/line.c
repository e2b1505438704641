#include "meter/wall/line.h"

#include "base/text.h"

#include <stdbool.h>
#include <string.h>

static const unsigned speeds[] = {1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400};

static bool is_speed(uint64_t number)
{
    for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++)
        if (speeds[i] == number)
            return true;
    return false;
}

static bool is_framing(const char *text)
{
    return strlen(text) == 3 && strchr("78", text[0]) && strchr("NEO", text[1]) && strchr("12", text[2]);
}

int line_parse(const char *text, struct line *line, struct error *error)
{
    const char *blank = strchr(text, ' ');
    AUTO_FREE char *speed = blank ? strndup(text, (size_t)(blank - text)) : NULL;
    uint64_t number;
    if (blank && !speed)
        return error_memory(error, "serial");
    if (!blank || text_to_u64(speed, &number) < 0 || !is_speed(number) || !is_framing(blank + 1))
        return error_set(
            error,
            "serial: expected a usual speed from 1200 to 230400 and the framing, as in 9600 8N1, "
            "found '%.40s'",
            text);
    *line = (struct line){.speed = (unsigned)number,
                          .parity = blank[2],
                          .data_bits = (unsigned)(blank[1] - '0'),
                          .stop_bits = (unsigned)(blank[3] - '0')};
    return 0;
}
