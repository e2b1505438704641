/* The vendor's Communications Protocol v4.42: a packet is "#command,subcommand,count,arguments;". */
#include "base/text.h"
#include "meter/wall/raw.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Of the arguments of "#d", from 0: tenths of a watt and of a watt-hour. */
enum { ARGUMENT_POWER = 0, ARGUMENT_ENERGY = 3, ARGUMENTS_MOST = 64 };

#define COUNT_W 0.1
#define COUNT_J 360.0

/* "_": not logged, and NULL: the meter does not send so many. */
static int read_count(const char *field, double count, double *value)
{
    uint64_t number;
    *value = NAN;
    if (!field || strcmp(field, "_") == 0)
        return 0;
    if (text_to_u64(field, &number) < 0)
        return -1;
    *value = count * (double)number;
    return 0;
}

/* A packet whose count of arguments is not what it says lost a byte on its way. */
static bool read_packet(char *packet, struct wattsup_reading *reading)
{
    char *fields[3 + ARGUMENTS_MOST] = {0}, *rest = packet;
    size_t count = 0;
    uint64_t stated;
    while (rest && count < sizeof fields / sizeof *fields)
        fields[count++] = strsep(&rest, ",");
    if (rest || count < 4 || strcmp(fields[0], "d") != 0 || text_to_u64(fields[2], &stated) < 0 ||
        stated != count - 3)
        return false;
    return read_count(fields[3 + ARGUMENT_POWER], COUNT_W, &reading->power_w) == 0 &&
           read_count(count > 3 + ARGUMENT_ENERGY ? fields[3 + ARGUMENT_ENERGY] : NULL, COUNT_J,
                      &reading->energy_j) == 0;
}

/* Line ends, tabs and what the line made zero are no part of a packet; one too long is dropped. */
bool wattsup_feed(struct wattsup_stream *stream, char byte, struct wattsup_reading *reading)
{
    if (byte == '#') {
        stream->packet[0] = '#';
        stream->length = 1;
        return false;
    }
    if (stream->length == 0 || byte == '\r' || byte == '\n' || byte == '\t' || byte == '\0')
        return false;
    if (byte == ';') {
        stream->packet[stream->length] = '\0';
        stream->length = 0;
        return read_packet(stream->packet + 1, reading);
    }
    stream->packet[stream->length++] = byte;
    if (stream->length == sizeof stream->packet - 1)
        stream->length = 0;
    return false;
}
